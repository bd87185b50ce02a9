"""DS9 regions: what SAOImage DS9 saves, and what is written by hand in its language.

Pixels count from 1 there, and rows from the bottom also of PNG images, which DS9 shows upright. Angles turn anticlockwise from +x in pixels, and from the west on the sky. A line that cannot
be understood is a fault, never skipped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attnxai.annotations.annotation_set import Annotation, AnnotationSet, Operation
from attnxai.annotations.readers.marks import MarkList
from attnxai.annotations.readers.region_shapes import Length, Region, RegionFault, add_regions
from attnxai.annotations.readers.registry import AnnotationFile, register_reader
from attnxai.annotations.shape_conversion import upright
from attnxai.annotations.shapes import Frame, ShapeKind
from attnxai.annotations.sky_frames import FRAMES, counts_hours, parse_sexagesimal
from attnxai.annotations.writers import fields_to_state, quoted, region_files, register_writer
from attnxai.data.images import SourceImage

_FRAMES = {
    **dict.fromkeys(("image", "physical"), "pixel"),
    **dict.fromkeys(("fk5", "j2000"), "fk5"),
    **dict.fromkeys(("fk4", "b1950"), "fk4"),
    **{name: FRAMES[name] for name in ("icrs", "galactic", "ecliptic")},
}
_REFUSED = (
    "linear",
    "amplifier",
    "detector",
    *(f"wcs{c}" for c in ("", *"abcdefghijklmnopqrstuvwxyz")),
)
_NO_MARKS = {"text": "a note and no mark", "compass": "a compass and no mark"}
_SHAPES = (
    *("circle", "ellipse", "box", "rotbox", "annulus", "panda", "epanda", "bpanda", "pie"),
    *("polygon", "line", "point", "vector", "ruler", "segment", "projection", "text", "compass"),
)
_IN_COMMENTS = ("vector", "ruler", "segment", "projection", "text", "compass", "composite")
_COMMAND = re.compile(r"""(?:=\s*(?:\{[^{}]*\}|"[^"]*"|'[^']*')|[^;])+""")
# expressions in which no run of characters can be divided in several ways, which would take minutes for long ones
_ATTRIBUTE = re.compile(r"""\b(\w+)\s*=\s*(\{[^{}]*\}|"[^"]*"|'[^']*'|\S+)""")
_NAME = re.compile(r"([-+!]?)\s*([a-zA-Z]\w*)\s*(.*)", re.DOTALL)
_POINT = re.compile(
    r"^([-+!]?)\s*(?:circle|box|diamond|cross|x|arrow|boxcircle)\s+point\b", re.IGNORECASE
)
_NUMBER = re.compile(r"([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)([dripDRIP\"']?)")
_ARCSEC = {'"': 1.0, "'": 60.0, "d": 3600.0, "": 3600.0, "r": math.degrees(3600.0)}
_TAG = re.compile(r"(source|annotator|group|round|weight)=(.*)", re.DOTALL)
_LONGEST_START = 1000
_START = re.compile(
    # a global coord= is one of CASA
    rf"global\s+(?![^\n]*\bcoord\s*=)\w+\s*=|(?:{'|'.join((*_FRAMES, *_REFUSED))})\s*(?:;|$|\s[-+!]?[a-z]+\s*\()"
    rf"|[-+!]?\s*(?:{'|'.join(_SHAPES)})\s*\(\s*[-+.\d]",
    re.IGNORECASE,
)


def _recognises(head: bytes) -> bool:
    text = head.decode("utf-8-sig", errors="replace")
    if text.lstrip().lower().startswith("# region file format: ds9"):
        return True
    for line in text.splitlines():
        if (stripped := line.strip()).upper().startswith("#CRTF"):
            return False
        if stripped and not stripped.startswith("#"):
            return _START.match(stripped[:_LONGEST_START]) is not None
    return False


@dataclasses.dataclass(slots=True, eq=False)
class _Item:
    """A region with the line on which it stands; or why there is none, as a fault or as something left out."""

    line: int
    region: Region | None = None
    fault: str = ""
    left_out: str = ""


@register_reader("DS9 regions", recognises=_recognises, uses_images=True)
def read_ds9(file: AnnotationFile) -> AnnotationSet:
    """Read regions in pixels or on the sky; texts, tags and colours are the words of the marks."""
    parser = _Parser()
    for line, text in enumerate(re.split(r"\r\n|\r|\n", file.text()), start=1):
        parser.parse_line(line, text)
    lines = [item.line for item in parser.items]
    several = len(set(lines)) < len(lines)
    marks = MarkList(file, "region" if several else "line", rows_upwards=True)
    regions = []
    for number, item in enumerate(parser.items, start=1):
        entry = number if several else item.line
        if item.fault:
            where = f" (line {item.line})" if several else ""
            marks.faults.add_row(entry, f"{where}: {item.fault}")
        elif item.region is None:
            marks.leave_out(entry, item.left_out)
        else:
            item.region.line = entry
            regions.append(item.region)
    add_regions(regions, marks)
    for note in parser.notes:
        marks.note(note)
    return marks.annotation_set()


class _Parser:
    """Reads lines one after the other; a frame and global attributes hold for those that follow."""

    def __init__(self) -> None:
        self.items: list[_Item] = []
        self.notes: dict[str, None] = {}
        self._frame = "pixel"
        self._refused_frame = ""
        self._global: dict[str, list[str]] = {}
        self._composite = ""
        self._of_composite: dict[str, list[str]] = {}

    def parse_line(self, line: int, text: str) -> None:
        commands = _COMMAND.findall(text) if ";" in text else [text]
        for command in commands:
            stripped = command.strip()
            if stripped.startswith("#"):
                body = stripped[1:].strip()
                word = re.match(r"[-+!]?\s*([a-z]+)\s*\(", body, re.IGNORECASE)
                if word is None or word[1].lower() not in _IN_COMMENTS:
                    return  # a comment takes the rest of the line
                if word[1].lower() == "composite":
                    self._composite = f"composite {line}"
                    self._of_composite = _attributes(body)
                    continue
                # attributes follow without a sign here
                end = body.find(")") + 1
                self._parse_command(
                    line, body[:end], body[end:].lstrip(" #|"), joined="||" in body[end:]
                )
            elif re.match(r"global\s", stripped, re.IGNORECASE):
                # a color may begin with #, as a comment does
                self._global |= _attributes(stripped)
            elif stripped:
                body, _, attributes = stripped.partition("#")
                self._parse_command(line, body.strip(), attributes)

    def _parse_command(
        self, line: int, body: str, attributes: str, *, joined: bool = False
    ) -> None:
        word, _, rest = body.partition(" ")
        name = word.lower()
        if name in _FRAMES or name in _REFUSED:
            self._frame = _FRAMES.get(name, "pixel")
            self._refused_frame = name if name in _REFUSED else ""
            if name == "physical":
                note = "Physical coordinates are taken for pixels of the image, which they are unless the image is a part of another one."
                self.notes[note] = None
            body = rest.strip()
        if not body or name == "tile":
            return
        parts = body.split("||")
        for i, part in enumerate(parts):
            if not part.strip():
                continue
            joins = joined or any(True for _ in parts[i + 1 :])
            if joins and not self._composite:
                self._composite = f"composite {line}"
            self.items.append(self._item(line, part.strip(), attributes))
            if not joins:
                self._composite, self._of_composite = "", {}

    def _item(self, line: int, text: str, attributes: str) -> _Item:
        own = self._of_composite | _attributes(attributes)
        try:
            sign, name, numbers = _parts(text)
            if name in _NO_MARKS:
                return _Item(line, left_out=_NO_MARKS[name])
            if self._refused_frame:
                raise RegionFault(
                    f"coordinates {self._refused_frame} depend on a header; save the regions in fk5, icrs or image"
                )
            if re.search(r"\bbackground\b", re.sub(_ATTRIBUTE, "", attributes)):
                return _Item(line, left_out="a region of background")
            kind, values = _GEOMETRY[name](numbers, self._frame)
            fields, tags = self._stated(own.get("tag", []))
        except RegionFault as fault:
            return _Item(line, fault=str(fault))
        stated = {**self._global, **own}
        excluded = sign in ("-", "!") or stated.get("include", ["1"])[-1] == "0"
        if excluded and not kind.has_area:
            return _Item(line, left_out=f"{kind.with_article} that is excluded")
        fields["words"] = {
            kind: of
            for kind, of in {
                "text": own.get("text", []),
                "tag": tags,
                "color": stated.get("color", [])[-1:],
            }.items()
            if of
        }
        frame = self._frame
        return _Item(
            line,
            Region(kind=kind, line=line, frame=frame, subtract=excluded, fields=fields, **values),
        )

    def _stated(self, tags: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
        """What tags of the form ``source=g1`` say, and the other tags."""
        fields: dict[str, Any] = {"group": self._composite} if self._composite else {}
        others = []
        for tag in tags:
            match = _TAG.fullmatch(tag.strip())
            if match is None:
                others.append(tag)
                continue
            name, value = match.groups()
            if name in ("round", "weight"):
                number = _NUMBER.fullmatch(value)
                if number is None or number[2] or (name == "round" and not value.isdigit()):
                    raise RegionFault(f"its tag {tag[:60]!r} states no number")
                fields[name] = float(value) if name == "weight" else int(value[:9])
            else:
                fields[name] = value
        return fields, others


def _attributes(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in _ATTRIBUTE.findall(text):
        if len(value) > 1 and value[0] + value[-1] in ("{}", '""', "''"):
            value = value[1:-1]  # noqa: PLW2901
        found.setdefault(name.lower(), []).append(value)
    return found


def _parts(text: str) -> tuple[str, str, list[str]]:
    """Sign, name and arguments of a region."""
    head, opened, rest = _POINT.sub(r"\1point", text).partition("(")
    match = _NAME.fullmatch(head)
    inside, closed, after = rest.partition(")")
    if match is None or opened != "(" * bool(closed) or "(" in inside or (opened and match[3]):
        raise RegionFault(f"{text[:60]!r} is not a region of DS9")
    sign, name, bare = match.groups()
    name = name.lower()
    if name not in _GEOMETRY and name not in _NO_MARKS:
        raise RegionFault(
            f"{name[:30]!r} is not a region that can be used; known regions are {', '.join(_GEOMETRY)}"
        )
    if after.strip():
        raise RegionFault(
            f"{after.strip()[:40]!r} behind a region is not understood; write each region on a line"
        )
    numbers = [part for part in re.split(r"[\s,]+", inside if opened else bare) if part]
    return sign, name, [part for part in numbers if not part.startswith("n=")]


def _position(texts: Sequence[str], frame: str) -> list[tuple[float, float]]:
    if len(texts) % 2:
        raise RegionFault("it has a coordinate without its partner")
    values = [_coordinate(text, i % 2, frame) for i, text in enumerate(texts)]
    return list(zip(values[::2], values[1::2], strict=True))


def _coordinate(text: str, axis: int, frame: str) -> float:
    number = _NUMBER.fullmatch(text)
    unit = number[2].lower() if number else ""
    if number and frame == "pixel" and unit in ("", "i", "p"):
        return float(number[1]) - 1.0
    if number and frame != "pixel" and unit in ("", "d", "r"):
        return math.degrees(float(number[1])) if unit == "r" else float(number[1])
    if frame != "pixel":
        with contextlib.suppress(ValueError):
            return parse_sexagesimal(text.lower(), hours=axis == 0 and counts_hours(frame))
    what = "pixels" if frame == "pixel" else "degrees, or in hours and degrees with colons"
    raise RegionFault(f"{text[:40]!r} is not a coordinate in {what}")


def _length(text: str, frame: str) -> Length:
    number = _NUMBER.fullmatch(text)
    if number is None:
        raise RegionFault(f"{text[:40]!r} is not a length")
    unit = number[2].lower()
    if unit in ("i", "p") or (not unit and frame == "pixel"):
        return Length(float(number[1]), in_pixels=True)
    return Length(float(number[1]) * _ARCSEC[unit], in_pixels=False)


def _angle(text: str, frame: str) -> float:
    number = _NUMBER.fullmatch(text)
    if number is None or number[2].lower() not in ("", "d", "r"):
        raise RegionFault(f"{text[:40]!r} is not an angle")
    value = float(number[1])
    value = math.degrees(value) if number[2].lower() == "r" else value
    # the right of an image with north up and east left is the west
    return value - 90.0 if frame != "pixel" else value


_Made = tuple[ShapeKind, dict[str, Any]]


def _need(texts: Sequence[str], *numbers: int) -> None:
    if len(texts) not in numbers:
        raise RegionFault(
            f"it has {len(texts)} numbers instead of {' or '.join(map(str, numbers))}"
        )


def _circle(texts: Sequence[str], frame: str) -> _Made:
    _need(texts, 3)
    return _annulus([*texts], frame)


def _annulus(texts: Sequence[str], frame: str) -> _Made:
    if len(texts) < 3:
        raise RegionFault("it has no radius")
    radii = sorted((_length(text, frame) for text in texts[2:]), key=float)
    rings = [_twice(radius, radius) for radius in (radii[0], radii[-1])]
    angle = 0.0 if frame == "pixel" else -90.0
    return ShapeKind.CIRCLE, {
        "points": _position(texts[:2], frame),
        "rings": rings[1:] if len(radii) == 1 else rings,
        "angle": angle,
    }


def _twice(width: Length, height: Length, factor: float = 2.0) -> tuple[Length, Length]:
    return (
        Length(factor * width, in_pixels=width.in_pixels),
        Length(factor * height, in_pixels=height.in_pixels),
    )


def _axes(kind: ShapeKind, factor: float) -> Callable[[Sequence[str], str], _Made]:
    """An ellipse or a box, or a ring of it, with or without an angle at the end."""

    def make(texts: Sequence[str], frame: str) -> _Made:
        sizes, angle = list(texts[2:]), "0"
        if len(sizes) % 2:
            angle = sizes.pop()
        if not sizes:
            raise RegionFault("it has no size")
        lengths = [_length(text, frame) for text in sizes]
        rings = [_twice(w, h, factor) for w, h in zip(lengths[::2], lengths[1::2], strict=True)]
        rings.sort(key=lambda ring: float(ring[0]))
        return kind, {
            "points": _position(texts[:2], frame),
            "rings": rings if len(rings) == 1 else [rings[0], rings[-1]],
            "angle": _angle(angle, frame),
        }

    return make


def _panda(texts: Sequence[str], frame: str) -> _Made:
    _need(texts, 8)
    kind, values = _annulus([*texts[:2], *texts[5:7]], frame)
    return kind, {**values, "sector": _sector(texts[2], texts[3])}


def _pie(texts: Sequence[str], frame: str) -> _Made:
    _need(texts, 6)
    kind, values = _annulus(texts[:4], frame)
    return kind, {**values, "sector": _sector(texts[4], texts[5])}


def _sector(start: str, stop: str) -> tuple[float, float] | None:
    first, last = _angle(start, "pixel"), _angle(stop, "pixel")
    return None if abs(last - first) >= 360.0 else (first, last)


def _panda_of(kind: ShapeKind, factor: float) -> Callable[[Sequence[str], str], _Made]:
    def make(texts: Sequence[str], frame: str) -> _Made:
        _need(texts, 10, 11)
        _, values = _axes(kind, factor)([*texts[:2], *texts[5:9], *texts[10:]], frame)
        return kind, {**values, "sector": _sector(texts[2], texts[3])}

    return make


def _vertices(kind: ShapeKind, fewest: int, most: int = 0) -> Callable[[Sequence[str], str], _Made]:
    def make(texts: Sequence[str], frame: str) -> _Made:
        if len(texts) < 2 * fewest:
            raise RegionFault(f"it has {len(texts)} numbers, fewer than {2 * fewest}")
        points = _position(texts[: 2 * most] if most else texts, frame)
        return kind, {"points": points}

    return make


def _vector(texts: Sequence[str], frame: str) -> _Made:
    _need(texts, 4)
    length = _length(texts[2], frame)
    return ShapeKind.LINE, {
        "points": _position(texts[:2], frame),
        "rings": [(length, length)],
        "angle": _angle(texts[3], frame),
    }


_GEOMETRY: Mapping[str, Callable[[Sequence[str], str], _Made]] = {
    "circle": _circle,
    "annulus": _annulus,
    "ellipse": _axes(ShapeKind.ELLIPSE, 2.0),
    "box": _axes(ShapeKind.BOX, 1.0),
    "rotbox": _axes(ShapeKind.BOX, 1.0),
    "panda": _panda,
    "epanda": _panda_of(ShapeKind.ELLIPSE, 2.0),
    "bpanda": _panda_of(ShapeKind.BOX, 1.0),
    "pie": _pie,
    "polygon": _vertices(ShapeKind.POLYGON, 3),
    "line": _vertices(ShapeKind.LINE, 2, 2),
    "ruler": _vertices(ShapeKind.LINE, 2, 2),
    "projection": _vertices(ShapeKind.LINE, 2, 2),
    "segment": _vertices(ShapeKind.LINE, 2),
    "point": _vertices(ShapeKind.POINT, 1, 1),
    "vector": _vector,
}


@register_writer("DS9 regions", extension=".reg", holds=("weight", "operation", "group", "round"))
def write_ds9(annotations: AnnotationSet, images: Mapping[str, SourceImage]) -> dict[str, bytes]:
    """One file where all is on the sky, else one for each source; tags name source and annotator."""
    drawn = tuple(
        dataclasses.replace(a, shape=upright(a.shape, images.get(a.source)))
        for a in annotations.annotations
    )
    return region_files(dataclasses.replace(annotations, annotations=drawn), ".reg", _lines)


def _lines(annotations: Sequence[Annotation]) -> list[str]:
    lines = ["# Region file format: DS9 version 4.1", "global color=green"]
    frame = ""
    for annotation in annotations:
        if (needed := "icrs" if annotation.shape.frame is Frame.ICRS else "image") != frame:
            lines.append(frame := needed)
        lines.append(_region_text(annotation))
    return lines


def _region_text(annotation: Annotation) -> str:
    shape = annotation.shape
    on_sky = shape.frame is Frame.ICRS
    first = 0.0 if on_sky else 1.0
    numbers = [repr(float(value + first)) for point in shape.points for value in point]
    unit = '"' if on_sky else ""
    halved = 2.0 if shape.kind is ShapeKind.ELLIPSE else 1.0
    numbers += [f"{float(length / halved)!r}{unit}" for length in shape.lengths]
    if shape.kind in (ShapeKind.ELLIPSE, ShapeKind.BOX):
        numbers.append(repr(float(shape.angle + 90.0 if on_sky else shape.angle)))
    is_path = shape.kind is ShapeKind.LINE and len(shape.vertices) > 2
    name = "# segment" if is_path else str(shape.kind)
    sign = "-" if annotation.operation is Operation.SUBTRACT else ""
    tags = {"source": annotation.source, **fields_to_state(annotation)}
    told = [f"text={{{annotation.label}}}"]
    told += [f"tag={quoted(f'{key}={value}', '{}')}" for key, value in tags.items()]
    return f"{sign}{name}({','.join(numbers)}) {'' if is_path else '# '}{' '.join(told)}"
