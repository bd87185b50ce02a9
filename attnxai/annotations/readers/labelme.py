"""LabelMe: a JSON file for each image, with labelled shapes in the pixels of the picture."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.annotations.annotation_set import Annotation, AnnotationSet
from attnxai.annotations.readers.marks import MarkList
from attnxai.annotations.readers.masks import remaining_pixels
from attnxai.annotations.readers.pictures import (
    Picture,
    PictureOf,
    ShapeFault,
    begins_object,
    number,
    stated_fields,
    stated_size,
    text_of,
)
from attnxai.annotations.readers.registry import AnnotationFile, register_reader
from attnxai.annotations.shapes import Frame, ShapeKind
from attnxai.annotations.writers import FileNames, fields_to_state, register_writer
from attnxai.data.classes import MORPHOLOGIES, canonical_class
from attnxai.data.images import SourceImage
from attnxai.data.readers.png import read_numbers
from attnxai.errors import AnnotationError, ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHAPES = re.compile(rb'"shapes"\s*:\s*\[')
_OWN = (b'"shape_type"', b'"imagePath"', b'"imageData"', b'"imageHeight"', b'"lineColor"')


def _recognises(head: bytes) -> bool:
    return (
        begins_object(head)
        and _SHAPES.search(head) is not None
        and any(word in head for word in _OWN)
    )


@register_reader("LabelMe", recognises=_recognises, uses_images=True)
def read_labelme(file: AnnotationFile) -> AnnotationSet:
    """Read the shapes of one image; labels, descriptions and flags are the words of marks."""
    content = file.json()
    shapes = content.get("shapes") if isinstance(content, dict) else None
    if not isinstance(shapes, list):
        raise AnnotationError(
            f"annotation file {file.path} has no list of shapes, which LabelMe needs"
        )
    marks = MarkList(file, "shape")
    try:
        source = file.source or text_of(content.get("imagePath"))
        if (named := marks.source_and_rest[0]) and marks.image_for(source) is None:
            source = named  # the image had another name when it was drawn on
        picture = Picture(marks, source, stated_size(content, ("imageWidth", "imageHeight")))
    except ShapeFault as fault:
        raise AnnotationError(f"annotation file {file.path}: {fault}") from fault
    raised = _raised(content)
    classes = {name: word for name in raised if (word := canonical_class(name)) in MORPHOLOGIES}
    stated = set(classes.values()) if len(set(classes.values())) == 1 else set()
    if unused := [name for name in raised if classes.get(name) not in stated]:
        marks.note(f"Flags of the image are not used: {', '.join(unused)[:200]}.")
    common = stated_fields(content)
    for line, entry in enumerate(shapes, start=1):
        try:
            if not isinstance(entry, dict):
                raise ShapeFault("it is not an object")
            fields = {**common, **stated_fields(entry), "words": _words(entry)}
            if group := text_of(entry.get("group_id")):
                fields.setdefault("group", group)
            for shape, more in _shapes(entry, picture, file.path, line):
                marks.add(shape, line=line, source=source, **{**fields, **more})
        except ShapeFault as fault:
            marks.faults.add_row(line, f": {fault}")
    found = marks.annotation_set()
    of_sources = {source: name for source in found.sources for name in stated}
    of_annotators = dict.fromkeys(found.annotators, of_sources) if stated else {}
    return dataclasses.replace(found, classes=of_sources, annotator_classes=of_annotators)


def _raised(entry: Mapping[str, Any]) -> list[str]:
    flags = entry.get("flags")
    return (
        [str(name) for name, on in flags.items() if on is True] if isinstance(flags, dict) else []
    )


def _words(entry: Mapping[str, Any]) -> dict[str, list[str]]:
    words = {
        "text": [text_of(entry.get("label"))],
        "description": [text_of(entry.get("description"))],
        "flag": _raised(entry),
    }
    return {kind: of for kind, of in words.items() if any(of)}


_Made = Iterator[tuple[dict[str, Any], dict[str, Any]]]


def _shapes(entry: Mapping[str, Any], picture: Picture, path: str, line: int) -> _Made:
    kind, points = entry.get("shape_type") or "polygon", entry.get("points")
    if not isinstance(points, list) or not points:
        raise ShapeFault("it has no points")
    made = _KINDS.get(kind) if isinstance(kind, str) else None
    if kind == "mask":
        yield from _mask(entry, points, picture, path, line)
    elif made is None:
        raise ShapeFault(
            f"its shape_type {str(kind)[:40]!r} is not one of {', '.join((*_KINDS, 'mask'))}"
        )
    else:
        for shape in made(points, picture):
            yield shape, {}


def _need(points: list[Any], n: int, name: str) -> list[tuple[float, float]]:
    if len(points) != n or not all(isinstance(p, list) and len(p) == 2 for p in points):
        raise ShapeFault(f"its points are {len(points)} and not the {n} of a {name}")
    return [(number(x, "point"), number(y, "point")) for x, y in points]


def _rectangle(points: list[Any], picture: Picture) -> list[dict[str, Any]]:
    if len(points) == 4:  # corner by corner, as newer versions have it
        return _oriented(points, picture)
    (x0, y0), (x1, y1) = _need(points, 2, "rectangle")
    return [picture.box(min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0))]


def _oriented(points: list[Any], picture: Picture) -> list[dict[str, Any]]:
    corners = np.array(_need(points, 4, "rectangle"))
    first, second = corners[1] - corners[0], corners[2] - corners[1]
    long, high = float(np.hypot(*first)), float(np.hypot(*second))
    parallel = np.allclose(
        corners[0] + corners[2], corners[1] + corners[3], atol=0.01 * (long + high)
    )
    if not parallel or abs(float(first @ second)) > 0.01 * long * high:
        return [picture.polygon(points)]
    x, y = corners.mean(axis=0)
    turn = float(np.degrees(np.arctan2(first[1], first[0])))
    return [picture.box(float(x) - long / 2, float(y) - high / 2, long, high, turn)]


def _circle(points: list[Any], picture: Picture) -> list[dict[str, Any]]:
    (x, y), (x1, y1) = _need(points, 2, "circle")
    return [picture.circle(x, y, float(np.hypot(x1 - x, y1 - y)))]


def _points(points: list[Any], picture: Picture) -> list[dict[str, Any]]:
    return [picture.point(*place) for place in _need(points, len(points), "point")]


_KINDS: Mapping[str, Callable[[list[Any], Picture], list[dict[str, Any]]]] = {
    "polygon": lambda points, picture: [picture.polygon(points)],
    "rectangle": _rectangle,
    "oriented_rectangle": _oriented,
    "circle": _circle,
    "line": lambda points, picture: [picture.line(points)],
    "linestrip": lambda points, picture: [picture.line(points)],
    "point": _points,
    "points": _points,
}


def _mask(
    entry: Mapping[str, Any], points: list[Any], picture: Picture, path: str, line: int
) -> _Made:
    """Areas of a picture in the file, of what lies between two corners."""
    (x, y), (x1, y1) = (map(round, corner) for corner in _need(points, 2, "mask"))
    try:
        packed = base64.b64decode(entry.get("mask") or "", validate=True)
        values, _ = read_numbers(packed, Path(path), "mask in")
    except (binascii.Error, TypeError, ValueError, ImageError) as error:
        raise ShapeFault("its mask is not a PNG picture of numbers in base64") from error
    rows, columns = y1 - y + 1, x1 - x + 1  # both corner pixels belong to it
    if values.shape != (rows, columns):
        raise ShapeFault(
            f"its mask has {values.shape[1]} x {values.shape[0]} pixels, but there are {columns} x {rows} between its points"
        )
    if not values.any():
        raise ShapeFault("its mask is empty")
    yield from picture.areas(values != 0, (x, y), f"mask {line}")


@register_writer(
    "LabelMe",
    extension=".json",
    frames=[Frame.PIXEL],
    shapes=[ShapeKind.POINT, ShapeKind.CIRCLE, ShapeKind.BOX, ShapeKind.POLYGON, ShapeKind.LINE],
    holds=("weight", "operation", "group", "round"),
    needs_images=True,
)
def write_labelme(
    annotations: AnnotationSet, images: Mapping[str, SourceImage]
) -> dict[str, bytes]:
    """A folder for each annotator with a file for each source, without the pictures; with holes as masks."""
    folders, files = FileNames(), FileNames()
    written = {}
    for (source, annotator), own in annotations.by_source_and_annotator().items():
        picture = PictureOf(images[source])
        content: dict[str, Any] = {
            "version": "5.5.0",
            "flags": {},
            "shapes": [
                _written(mark, picture) if pixels is None else _as_mask(mark, picture.rows(pixels))
                for mark, pixels in remaining_pixels(own, (picture.height, picture.width))
            ],
            "imagePath": picture.name,
            "imageData": None,
            "imageHeight": picture.height,
            "imageWidth": picture.width,
            "annotator": annotator,
        }
        name = f"{folders(annotator)}/{files(source)}.json"
        written[name] = json.dumps(content, indent=1).encode()
    return written


def _written(annotation: Annotation, picture: PictureOf) -> dict[str, Any]:
    shape = annotation.shape
    points = picture.places(shape.points)
    if shape.kind is ShapeKind.CIRCLE:
        kind, points = "circle", [points[0], [points[0][0] + shape.radius, points[0][1]]]
    elif shape.kind is ShapeKind.BOX:
        turn = np.radians(picture.turn(shape))
        along = np.array([np.cos(turn), np.sin(turn)]) * shape.width / 2
        down = np.array([-np.sin(turn), np.cos(turn)]) * shape.height / 2
        corners = [-along - down, along - down, along + down, down - along]
        kind, points = "oriented_rectangle", [(points[0] + c).tolist() for c in corners]
        if not turn:
            kind, points = "rectangle", [points[0], points[2]]
    else:
        kind = {ShapeKind.LINE: "linestrip"}.get(shape.kind, str(shape.kind))
    return _entry(annotation, kind, points)


def _as_mask(annotation: Annotation, pixels: NDArray[np.bool_]) -> dict[str, Any]:
    from PIL import Image

    y, x = np.nonzero(pixels)
    part = pixels[y.min() : y.max() + 1, x.min() : x.max() + 1]
    buffer = io.BytesIO()
    Image.fromarray(part).save(buffer, "PNG")
    corners = [[int(x.min()), int(y.min())], [int(x.max()), int(y.max())]]
    mask = base64.b64encode(buffer.getvalue()).decode()
    return _entry(annotation, "mask", corners) | {"mask": mask}


def _entry(annotation: Annotation, kind: str, points: Sequence[Sequence[float]]) -> dict[str, Any]:
    fields = fields_to_state(annotation)
    del fields["annotator"]  # the file states it once
    return {
        "label": str(annotation.label),
        "points": points,
        "group_id": None,
        "description": "",
        "shape_type": kind,
        "flags": {},
        **fields,
    }
