"""VIA (VGG Image Annotator): projects of versions 1 to 3 and annotations as JSON, and annotations of 1 and 2 as CSV."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from attnxai.annotations.annotation_set import Annotation, AnnotationSet
from attnxai.annotations.naming import folded
from attnxai.annotations.readers.marks import MarkList
from attnxai.annotations.readers.pictures import (
    Picture,
    PictureOf,
    ShapeFault,
    begins_object,
    number,
    pairs,
    stated_fields,
    text_of,
)
from attnxai.annotations.readers.registry import AnnotationFile, columns_of, register_reader
from attnxai.annotations.shapes import Frame, ShapeKind
from attnxai.annotations.writers import fields_to_state, register_writer
from attnxai.data.csv_table import parse_csv
from attnxai.data.images import SourceImage
from attnxai.errors import AnnotationError
from attnxai.jobs.files import parse_json

_REGION = re.compile(
    rb'"(shape_attributes|_via_img_metadata|_via_settings|region_attributes|fid_list)"\s*:'
)
_NO_REGIONS = re.compile(rb'"filename"\s*:\s*".*?"regions"\s*:\s*[\[{]', re.DOTALL)
_PROJECT = "_via_img_metadata"
_COLUMNS = ("filename", "region_shape_attributes", "region_attributes")


_SHAPES_OF_VERSION_3: Mapping[str, tuple[str, ...]] = {
    "1": ("point", "cx", "cy"),
    "2": ("rect", "x", "y", "width", "height"),
    "3": ("circle", "cx", "cy", "r"),
    "4": ("ellipse", "cx", "cy", "rx", "ry"),
    "5": ("polyline",),
    "6": ("polyline",),
    "7": ("polygon",),
    "8": ("extreme rectangle",),
    "9": ("extreme circle",),
}


def _is_json(head: bytes) -> bool:
    return begins_object(head) and any(p.search(head) for p in (_REGION, _NO_REGIONS))


@register_reader("VIA", recognises=_is_json, uses_images=True)
def read_via(file: AnnotationFile) -> AnnotationSet:
    """Read the regions of all images; their attributes are the words of marks."""
    content = file.json()
    if isinstance(content, dict) and {"metadata", "view", "file"} <= content.keys():
        return _annotations(file, "region", _of_version_3(content))
    if isinstance(content, dict) and _PROJECT in content:
        content = content[_PROJECT]
    if not isinstance(content, dict):
        raise AnnotationError(f"annotation file {file.path} holds no images, which VIA needs")
    return _annotations(file, "region", _of_json(content, f"annotation file {file.path}"))


@register_reader(
    "VIA (CSV)",
    recognises=lambda head: set(_COLUMNS) <= {name.lstrip("#") for name in columns_of(head)},
    uses_images=True,
)
def read_via_csv(file: AnnotationFile) -> AnnotationSet:
    """Read the table that VIA exports, one region a line."""
    return _annotations(file, "line", _of_csv(file))


_Entry = tuple[int, str, Any, Any, Any]


def _of_json(content: Mapping[str, Any], what: str) -> Iterator[_Entry]:
    number = 0
    for image in content.values():
        regions = (image.get("regions") or []) if isinstance(image, dict) else None
        if not isinstance(regions, list | dict):
            raise AnnotationError(f"{what}: an image of it has no list of regions, which VIA needs")
        name, attributes = text_of(image.get("filename")), image.get("file_attributes")
        for region in regions.values() if isinstance(regions, dict) else regions:
            number += 1
            known = region if isinstance(region, dict) else {}
            yield (
                number,
                name,
                attributes,
                known.get("shape_attributes"),
                known.get("region_attributes"),
            )


def _of_version_3(content: Mapping[str, Any]) -> Iterator[_Entry]:
    """Regions of a project of version 3, with the attributes and shapes as in the earlier ones."""

    def part(of: Any, *keys: Any) -> dict[str, Any]:
        for key in keys:
            of = of.get(str(key)) if isinstance(of, dict) else None
        return of if isinstance(of, dict) else {}

    def attributes_of(entry: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in part(entry, "av").items():
            attribute = part(content, "attribute", key)
            name, text = text_of(attribute.get("aname")) or key, text_of(value)
            options = part(attribute, "options")
            chosen = (
                [text_of(options.get(one, one)) for one in text.split(",")] if options else [text]
            )
            found[name] = dict.fromkeys(chosen, True) if len(chosen) > 1 else chosen[0]
        return found

    entries = {key: part(content, "metadata", key) for key in part(content, "metadata")}
    of_pictures: dict[str, dict[str, Any]] = {}
    for entry in entries.values():
        if not entry.get("xy"):  # about the picture as a whole
            of_pictures.setdefault(str(entry.get("vid")), {}).update(attributes_of(entry))
    regions = [entry for entry in entries.values() if entry.get("xy")]
    for line, entry in enumerate(regions, start=1):
        view = str(entry.get("vid"))
        files = part(content, "view", view).get("fid_list")
        file = part(content, "file", files[0] if isinstance(files, list) and files else None)
        shape, of_region = _shape_of_version_3(entry["xy"]), attributes_of(entry)
        yield line, text_of(file.get("fname")), of_pictures.get(view, {}), shape, of_region


def _shape_of_version_3(given: Any) -> dict[str, Any]:
    """The shape of a list that begins with the number of its kind, as earlier versions keep it."""
    kind, *numbers = given if isinstance(given, list) else [None]
    name, *names = _SHAPES_OF_VERSION_3.get(text_of(kind), (f"number {text_of(kind)}",))
    if names:
        return {"name": name, **dict(zip(names, numbers, strict=False))}
    return {"name": name, "all_points_x": numbers[::2], "all_points_y": numbers[1::2]}


def _of_csv(file: AnnotationFile) -> Iterator[_Entry]:
    what = f"annotation file {file.path}"
    header, rows = parse_csv(file.text().lstrip("#"), what, AnnotationError)  # as version 1 begins
    for line, cells in rows:
        row = dict(zip(header, cells, strict=False))
        if row.get("region_count") == "0":
            continue
        try:
            parts = [
                parse_json(row.get(name) or "{}")
                for name in ("file_attributes", "region_shape_attributes", "region_attributes")
            ]
        except ValueError:
            raise AnnotationError(
                f"{what}, line {line}: its attributes are not valid JSON; export the table from VIA again"
            ) from None
        yield line, row.get("filename", ""), *parts


def _annotations(file: AnnotationFile, item: str, entries: Iterator[_Entry]) -> AnnotationSet:
    marks = MarkList(file, item)
    pictures: dict[str, Picture] = {}
    for line, name, of_file, shape, of_region in entries:
        source = file.source or name
        try:
            if source not in pictures:
                pictures[source] = Picture(marks, source)
            if not isinstance(shape, dict):
                raise ShapeFault("it has no shape_attributes")
            attributes = of_region if isinstance(of_region, dict) else {}
            fields = {
                **stated_fields(of_file if isinstance(of_file, dict) else {}),
                **stated_fields(attributes),
                "words": _words(attributes),
            }
            marks.add(_shape(shape, pictures[source]), line=line, source=source, **fields)
        except ShapeFault as fault:
            marks.faults.add_row(line, f": {fault}")
    return marks.annotation_set()


def _words(attributes: Mapping[str, Any]) -> dict[str, list[str]]:
    """Values by the names of attributes; of a choice of several those that are chosen."""
    words: dict[str, list[str]] = {}
    for key, value in attributes.items():
        if isinstance(value, dict):
            found = [str(name) for name, chosen in value.items() if chosen]
        else:
            found = [text_of(value)]
        if (name := folded(str(key))) and any(found):
            words.setdefault(name, []).extend(found)
    return words


def _shape(given: Mapping[str, Any], picture: Picture) -> dict[str, Any]:
    def of(*names: str) -> list[Any]:
        return [given.get(name) for name in names]

    match given.get("name"):
        case "rect":
            return picture.box(*of("x", "y", "width", "height"))
        case "circle":
            return picture.circle(*of("cx", "cy", "r"))
        case "ellipse":
            turn = math.degrees(number(given.get("theta", 0.0), "theta"))
            cx, cy, rx, ry = of("cx", "cy", "rx", "ry")
            return picture.ellipse(cx, cy, rx, ry, turn)
        case "polygon":
            return picture.polygon(pairs(*of("all_points_x", "all_points_y")))
        case "polyline":
            return picture.line(pairs(*of("all_points_x", "all_points_y")))
        case "point":
            return picture.point(*of("cx", "cy"))
        case name:
            raise ShapeFault(
                f"its shape {str(name)[:40]!r} is not one of rect, circle, ellipse, polygon, polyline, point"
            )


@register_writer(
    "VIA",
    extension=".json",
    frames=[Frame.PIXEL],
    shapes=list(ShapeKind),
    holds=("weight", "group", "round"),
    needs_images=True,
)
def write_via(annotations: AnnotationSet, images: Mapping[str, SourceImage]) -> dict[str, bytes]:
    """One file of annotations; a turned box is a polygon."""
    content = {}
    for source, own in annotations.by_source().items():
        picture = PictureOf(images[source])
        content[f"{picture.name}-1"] = {
            "filename": picture.name,
            "size": -1,
            "regions": [_written(a, picture) for a in own],
            "file_attributes": {},
        }
    return {"annotations.json": json.dumps(content, indent=1).encode()}


def _written(annotation: Annotation, picture: PictureOf) -> dict[str, Any]:
    from attnxai.annotations.shape_conversion import as_polygon

    shape = annotation.shape
    if shape.kind is ShapeKind.BOX and shape.angle % 180:
        shape = as_polygon(shape)
    points = picture.places(shape.points)
    x, y = points[0]
    if shape.kind is ShapeKind.BOX:
        wide, high = shape.width, shape.height
        found = {
            "name": "rect",
            "x": x - wide / 2,
            "y": y - high / 2,
            "width": wide,
            "height": high,
        }
    elif shape.kind is ShapeKind.CIRCLE:
        found = {"name": "circle", "cx": x, "cy": y, "r": shape.radius}
    elif shape.kind is ShapeKind.ELLIPSE:
        turn = math.radians(picture.turn(shape))
        found = {
            "name": "ellipse",
            "cx": x,
            "cy": y,
            "rx": shape.width / 2,
            "ry": shape.height / 2,
            "theta": turn,
        }
    elif shape.kind is ShapeKind.POINT:
        found = {"name": "point", "cx": x, "cy": y}
    else:
        name = "polygon" if shape.kind is ShapeKind.POLYGON else "polyline"
        found = {
            "name": name,
            "all_points_x": [p[0] for p in points],
            "all_points_y": [p[1] for p in points],
        }
    return {
        "shape_attributes": found,
        "region_attributes": {"label": str(annotation.label), **fields_to_state(annotation)},
    }
