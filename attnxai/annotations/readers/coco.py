"""COCO: one JSON file with images, categories, and annotations as boxes, polygons, run lengths and keypoints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.annotations.annotation_set import Annotation, AnnotationSet
from attnxai.annotations.readers.marks import MarkList
from attnxai.annotations.readers.masks import remaining_marks
from attnxai.annotations.readers.pictures import (
    MOST_PIXELS,
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
from attnxai.annotations.shapes import Frame, Label, ShapeKind
from attnxai.annotations.writers import fields_to_state, register_writer
from attnxai.data.images import SourceImage
from attnxai.data.wording import counted
from attnxai.errors import AnnotationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_IMAGES = re.compile(rb'"images"\s*:\s*\[')
_ANNOTATIONS = re.compile(rb'"annotations"\s*:\s*\[')
_OWN = (b'"file_name"', b'"category_id"', b'"image_id"', b'"supercategory"')
_MOST_COVERED = 60_000_000
_POINTS_PER_KEYPOINT = 3
_OF_BOX = 4


def _recognises(head: bytes) -> bool:
    return (
        begins_object(head)
        and any(pattern.search(head) for pattern in (_IMAGES, _ANNOTATIONS))
        and any(word in head for word in _OWN)
    )


@register_reader("COCO", recognises=_recognises, uses_images=True)
def read_coco(file: AnnotationFile) -> AnnotationSet:
    """Read what is segmented, or else the boxes, and keypoints; names of categories are the words of marks."""
    what = f"annotation file {file.path}"
    content = file.json()
    images = _by_id(content, "images", what)
    categories = _by_id(content, "categories", what)
    entries = content.get("annotations")
    if not isinstance(entries, list):
        raise AnnotationError(
            f"{what} has no list of annotations, which COCO needs beside its images"
        )
    marks = MarkList(file, "annotation")
    _refuse_one_name(images, what, marks)
    pictures: dict[Any, Picture] = {}
    runs = _Runs()
    shift = 0.5 if _are_pixels(entries) else 0.0
    for line, entry in enumerate(entries, start=1):
        try:
            if not isinstance(entry, dict):
                raise ShapeFault("it is not an object")
            key = _key(entry.get("image_id"))
            if key not in images:
                raise ShapeFault(
                    f"its image_id {str(entry.get('image_id'))[:40]!r} is that of no image"
                )
            image = images[key]
            source = (
                file.source or text_of(image.get("file_name")) or text_of(entry.get("image_id"))
            )
            if key not in pictures:
                pictures[key] = Picture(marks, source, _size_of(image))
            given = entry.get("category_id")
            category = categories.get(_key(given))
            if category is None and (given is None or not categories):
                category = {}
            elif category is None:
                raise ShapeFault(
                    f"its category_id {str(entry.get('category_id'))[:40]!r} is that of no category"
                )
            fields = _fields(entry, image, category)
            names = category.get("keypoints")
            shapes = list(_shapes(entry, pictures[key], runs, image))
            points = list(_keypoints(entry, pictures[key], names, shift=shift))
            if not shapes and not points:
                marks.leave_out(line, "neither an area nor a keypoint")
            for shape, more in shapes:
                marks.add(shape, line=line, source=source, **{**fields, **more})
            for shape, name in points:
                words = {"keypoint": [name], **fields["words"]}
                marks.add(shape, line=line, source=source, **{**fields, "words": words})
        except ShapeFault as fault:
            marks.faults.add_row(line, f": {fault}")
    marked = {_key(entry.get("image_id")) for entry in entries if isinstance(entry, dict)}
    if n := len(images.keys() - marked):
        marks.note(
            f"{counted(n, 'image of the file has', 'images of the file have')} no annotations."
        )
    n_hidden = sum(_n_hidden(entry) for entry in entries if isinstance(entry, dict))
    if n_hidden:
        marks.note(
            f"{counted(n_hidden, 'keypoint')} of visibility 0, which nobody placed, "
            f"{'is' if n_hidden == 1 else 'are'} left out."
        )
    return marks.annotation_set()


def _refuse_one_name(images: Mapping[Any, Mapping[str, Any]], what: str, marks: MarkList) -> None:
    """Refuse images of one name in several folders, whose marks would be taken for those of one source."""
    names: dict[str, str] = {}
    for image in images.values():
        if name := text_of(image.get("file_name")):
            first = names.setdefault(marks.source_of(name), name)
            if first != name:
                raise AnnotationError(
                    f"{what}: its images {first[:60]!r} and {name[:60]!r} would be one source; rename one of them"
                )


def _n_hidden(entry: Mapping[str, Any]) -> int:
    keypoints = entry.get("keypoints")
    seen = keypoints[2::_POINTS_PER_KEYPOINT] if isinstance(keypoints, list) else []
    return sum(visibility == 0 for visibility in seen)


def _key(value: Any) -> Any:
    """An id; numbers and texts are compared as they are."""
    return value if isinstance(value, int | str) else None


def _by_id(content: Any, name: str, what: str) -> dict[Any, dict[str, Any]]:
    """Images or categories by their ids."""
    found: dict[Any, dict[str, Any]] = {}
    listed = content.get(name, []) if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise AnnotationError(f"{what} has no list of {name}, which COCO needs")
    for i, entry in enumerate(listed, start=1):
        key = _key(entry.get("id")) if isinstance(entry, dict) else None
        if key is None:
            raise AnnotationError(f"{what}: entry {i} of {name} has no id")
        if key in found:
            raise AnnotationError(f"{what}: the id {str(key)[:40]!r} occurs twice in {name}")
        found[key] = entry
    return found


def _size_of(image: Mapping[str, Any]) -> tuple[float, float] | None:
    return stated_size(image, ("width", "height"), of="image's ")


def _fields(
    entry: Mapping[str, Any], image: Mapping[str, Any], category: Mapping[str, Any]
) -> dict[str, Any]:
    attributes = entry.get("attributes")
    fields = {
        **stated_fields(image),
        **stated_fields(attributes if isinstance(attributes, dict) else {}),
        **stated_fields(entry),
    }
    words = {
        "category": [text_of(category.get("name"))],
        "supercategory": [text_of(category.get("supercategory"))],
    }
    return {**fields, "words": {kind: of for kind, of in words.items() if of[0]}}


def _shapes(
    entry: Mapping[str, Any], picture: Picture, runs: _Runs, image: Mapping[str, Any]
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    segmentation, bbox = entry.get("segmentation"), entry.get("bbox")
    if isinstance(segmentation, dict):
        yield from runs.areas(segmentation, picture, image)
    elif isinstance(segmentation, list) and any(segmentation):
        parts = segmentation if isinstance(segmentation[0], list) else [segmentation]
        for part in filter(None, parts):
            if not isinstance(part, list) or len(part) % 2 or len(part) < 6:
                raise ShapeFault(
                    "a part of its segmentation is not a list of three or more x and y"
                )
            yield picture.polygon(part), {}
    elif isinstance(bbox, list) and bbox:
        if len(bbox) != _OF_BOX:
            raise ShapeFault("its bbox is not x, y, width and height")
        if "keypoints" in entry and not all(number(length, "bbox") > 0 for length in bbox[2:]):
            return
        attributes = entry.get("attributes")
        turn = attributes.get("rotation", 0.0) if isinstance(attributes, dict) else 0.0
        x, y, width, height = bbox
        yield picture.box(x, y, width, height, turn), {}
    elif segmentation or bbox:
        raise ShapeFault("its segmentation is neither polygons nor run lengths")


def _are_pixels(entries: list[Any]) -> bool:
    """Whether keypoints are pixels, counted from 0, as in the COCO data: whole numbers without a point throughout."""
    places = [
        entry["keypoints"]
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("keypoints"), list)
    ]
    return all(isinstance(value, int) for given in places for value in given)


def _keypoints(
    entry: Mapping[str, Any], picture: Picture, names: Any, *, shift: float
) -> Iterator[tuple[dict[str, Any], str]]:
    given = entry.get("keypoints") or []
    if not isinstance(given, list) or len(given) % _POINTS_PER_KEYPOINT:
        raise ShapeFault("its keypoints are not x, y and visibility of each")
    for i in range(0, len(given), _POINTS_PER_KEYPOINT):
        x, y, visibility = given[i : i + _POINTS_PER_KEYPOINT]
        if number(visibility, "visibility"):  # 0: not labelled
            at = i // _POINTS_PER_KEYPOINT
            named = isinstance(names, list) and at < len(names)
            place = number(x, "x") + shift, number(y, "y") + shift
            yield picture.point(*place), text_of(names[at]) if named else ""


class _Runs:
    """Areas from run lengths, of which a file may not claim more than can be held."""

    def __init__(self) -> None:
        self._left = _MOST_COVERED
        self._n = 0

    def areas(
        self, segmentation: Mapping[str, Any], picture: Picture, image: Mapping[str, Any]
    ) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        size = segmentation.get("size")
        if not isinstance(size, list) or len(size) != 2:
            raise ShapeFault("the size of its run lengths is not height and width")
        height, width = (int(number(length, "size")) for length in size)
        stated = _size_of(image)
        if stated is not None and (width, height) != stated:
            raise ShapeFault(
                f"its run lengths are for {width} x {height} pixels, its image has {stated[0]:g} x {stated[1]:g}"
            )
        if min(height, width) < 1 or height * width > MOST_PIXELS:
            raise ShapeFault(
                f"its run lengths are for {width} x {height} pixels, which cannot be used"
            )
        counts = segmentation.get("counts")
        lengths = _decompressed(counts) if isinstance(counts, str) else counts
        ends = _ends(lengths, height * width)
        starts, ends = ends[:-1:2], ends[1::2]
        used = ends > starts
        if not used.any():
            return
        first, last = int(starts[used][0]) // height, (int(ends[used][-1]) - 1) // height
        self._left -= (last - first + 1) * height
        if self._left < 0:
            raise ShapeFault("the run lengths of the file cover more pixels than can be read")
        steps = np.zeros((last - first + 1) * height + 1, np.int8)
        np.add.at(steps, starts[used] - first * height, 1)
        np.add.at(steps, ends[used] - first * height, -1)
        mask = np.cumsum(steps[:-1], dtype=np.int8).reshape(-1, height).T
        self._n += 1
        yield from picture.areas(mask, (first, 0), f"run lengths {self._n}")


def _ends(lengths: Any, n_pixels: int) -> NDArray[np.int64]:
    """Where runs end, those outside and inside in turn, an even number of them."""
    if not isinstance(lengths, list) or not all(type(n) is int and n >= 0 for n in lengths):
        raise ShapeFault("its run lengths are not whole numbers from 0")
    if sum(lengths) != n_pixels:
        raise ShapeFault(
            f"its run lengths add up to {sum(lengths):g} and not to the {n_pixels} pixels"
        )
    ends = np.cumsum(np.array(lengths, dtype=np.int64))
    return ends if len(ends) % 2 == 0 else np.append(ends, n_pixels)


def _decompressed(text: str) -> list[int]:
    """Run lengths from the text in which pycocotools keeps them: five bits a character, differences from the third on."""
    lengths: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ShapeFault("its compressed run lengths are damaged")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
            value = shift = 0
    if shift:
        raise ShapeFault("its compressed run lengths end within a number")
    return lengths


@register_writer(
    "COCO",
    extension=".json",
    frames=[Frame.PIXEL],
    shapes=[ShapeKind.POINT, ShapeKind.BOX, ShapeKind.POLYGON],
    holds=("weight", "operation", "group", "round"),
    needs_images=True,
)
def write_coco(annotations: AnnotationSet, images: Mapping[str, SourceImage]) -> dict[str, bytes]:
    """One file; points are keypoints, areas from which others are subtracted run lengths, and annotators attributes."""
    pictures = {source: PictureOf(images[source]) for source in annotations.sources}
    numbers = {source: number for number, source in enumerate(annotations.sources, start=1)}
    ids = {label: i for i, label in enumerate(Label, start=1)}
    entries: list[dict[str, Any]] = []
    for mark, pixels in remaining_marks(annotations, images):
        picture = pictures[mark.source]
        entries.append(
            {
                "id": len(entries) + 1,
                "image_id": numbers[mark.source],
                "category_id": ids[mark.label],
                "iscrowd": 0,
                **(
                    _written(mark, picture)
                    if pixels is None
                    else _as_runs(mark, picture.rows(pixels))
                ),
            }
        )
    content = {
        "info": {"description": "Annotations of radio galaxies, written by attnxai"},
        "images": [
            {"id": numbers[s], "file_name": p.name, "width": p.width, "height": p.height}
            for s, p in pictures.items()
        ],
        "categories": [
            {
                "id": ids[label],
                "name": str(label),
                "supercategory": "source",
                "keypoints": [str(label)],
            }
            for label in Label
        ],
        "annotations": entries,
    }
    return {"annotations.json": json.dumps(content, indent=1).encode()}


def _written(annotation: Annotation, picture: PictureOf) -> dict[str, Any]:
    shape, attributes = annotation.shape, fields_to_state(annotation)
    points = picture.places(shape.points)
    if shape.kind is ShapeKind.POINT:
        ((x, y),) = points
        found = {
            "keypoints": [float(x), float(y), 2],
            "num_keypoints": 1,
            "bbox": [x, y, 0, 0],
            "area": 0,
        }
    elif shape.kind is ShapeKind.BOX:
        ((x, y),) = points
        wide, high = shape.width, shape.height
        if turn := picture.turn(shape):
            attributes["rotation"] = turn
        found = {
            "bbox": [x - wide / 2, y - high / 2, wide, high],
            "segmentation": [],
            "area": wide * high,
        }
    else:
        corners = np.array(points)
        low, size = corners.min(axis=0), np.ptp(corners, axis=0)
        x, y = corners.T
        area = abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
        found = {
            "segmentation": [corners.ravel().tolist()],
            "bbox": [*low.tolist(), *size.tolist()],
            "area": area,
        }
    return {**found, "attributes": attributes}


def _as_runs(annotation: Annotation, pixels: NDArray[np.bool_]) -> dict[str, Any]:
    flat = np.concatenate([[False], pixels.T.ravel(), [False]])
    turns = np.flatnonzero(flat[1:] != flat[:-1])
    counts = np.diff(np.concatenate([[0], turns, [pixels.size]])).tolist()
    y, x = np.nonzero(pixels)
    return {
        "segmentation": {"size": list(pixels.shape), "counts": counts},
        "bbox": [int(x.min()), int(y.min()), int(np.ptp(x)) + 1, int(np.ptp(y)) + 1],
        "area": int(pixels.sum()),
        "attributes": fields_to_state(annotation),
    }
