"""CASA region text files (CRTF): what CASA and CARTA save, and what is written by hand in their language.

Pixels count from 0 there, and every number has a unit. Boxes turn anticlockwise from +x in pixels and from the west on the
sky, ellipses from +y and from the north. A line that cannot be understood is a fault, never skipped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attnxai.annotations.annotation_set import (
    WEIGHT,
    Annotation,
    AnnotationSet,
    Operation,
    expected_round,
)
from attnxai.annotations.naming import folded
from attnxai.annotations.readers.marks import MarkList
from attnxai.annotations.readers.region_shapes import (
    PIXEL,
    Length,
    Region,
    RegionFault,
    add_regions,
)
from attnxai.annotations.readers.registry import AnnotationFile, register_reader
from attnxai.annotations.shapes import Frame, ShapeKind
from attnxai.annotations.sky_frames import FRAMES, parse_sexagesimal
from attnxai.annotations.writers import fields_to_state, quoted, region_files, register_writer
from attnxai.data.images import SourceImage

_WORDS = (
    *("box", "centerbox", "rotbox", "poly", "polyline", "circle", "annulus", "ellipse"),
    *("line", "vector", "symbol", "text"),
)
_LONGEST_START = 1000
_START = re.compile(
    rf"[-+]?\s*(?:ann\s+)?[-+]?\s*(?:{'|'.join(_WORDS)})\s*\[\s*\[|global\s[^\n]*\bcoord\s*=",
    re.IGNORECASE,
)
# expressions in which no run of characters can be divided in several ways, which would take minutes for long ones
_REGION = re.compile(r"([-+]?) ?(ann )?([-+]?) ?(\w+)", re.IGNORECASE)
_KEY = re.compile(r"[\s,]*(\w+)\s*=\s*")
_VALUE = re.compile(r"""\"[^"]*"|'[^']*'|\[[^\[\]]*\]|[^,="'\[\]]*""")
_MARKS = re.compile(r"""[\[\]"']""")
_ENTRY = re.compile(r"\[[^\[\]]*\]|[^,\[\]]+|[\[\]]")
_QUANTITY = re.compile(
    r"""([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*(deg|rad|arcmin|arcsec|pix|["'])"""
)
_DOTTED = re.compile(r"([-+]?\d{1,3})\.(\d{1,2})\.(\d{1,2}(?:\.\d*)?)")
_ARCSEC = {
    "deg": 3600.0,
    "rad": math.degrees(3600.0),
    "arcmin": 60.0,
    "'": 60.0,
    "arcsec": 1.0,
    '"': 1.0,
}
_STATED = re.compile(r"#\s*attnxai\b(.*)", re.DOTALL)
_DRAWN = re.compile(r"#\s*(compass|ruler)\s*\[", re.IGNORECASE)
_NOT_USED = {"range": "frequencies or velocities", "corr": "polarisations"}


def _recognises(head: bytes) -> bool:
    text = head.decode("utf-8-sig", errors="replace")
    if text.lstrip()[:5].upper() == "#CRTF":
        return True
    for line in text.splitlines():
        if (stripped := line.strip()) and not stripped.startswith("#"):
            return _START.match(stripped[:_LONGEST_START]) is not None
    return False


@register_reader("CASA regions (CRTF)", recognises=_recognises, uses_images=True)
def read_crtf(file: AnnotationFile) -> AnnotationSet:
    """Read regions in pixels or on the sky; labels and colours are the words of the marks."""
    marks = MarkList(file)
    regions: list[Region] = []
    common: dict[str, str] = {}
    stated: dict[str, Any] = {}
    for line, text in enumerate(re.split(r"\r\n|\r|\n", file.text()), start=1):
        stripped = text.strip()
        try:
            if match := _STATED.fullmatch(stripped):
                stated = _stated(match[1])
            elif match := _DRAWN.match(stripped):
                marks.leave_out(line, f"a {match[1].lower()} and no mark")
            elif not stripped or stripped.startswith("#"):
                continue
            elif stripped[:6].lower() == "global" and stripped[6:7].isspace():
                common = _attributes(stripped[6:])
            else:
                found = _region(stripped, line, common, stated, marks)
                if isinstance(found, Region):
                    regions.append(found)
                else:
                    marks.leave_out(line, found)
        except RegionFault as fault:
            marks.faults.add_row(line, f": {fault}")
    add_regions(regions, marks)
    return marks.annotation_set()


def _region(
    text: str, line: int, common: Mapping[str, str], stated: Mapping[str, Any], marks: MarkList
) -> Region | str:
    """The region on a line, or why it is left out."""
    start = text.find("[")
    match = _REGION.fullmatch(" ".join(text[:start].split())) if start > 0 else None
    name = match[4].lower() if match else ""
    if match is None or name not in _WORDS:
        raise RegionFault(f"{text[:60]!r} is not a region; known regions are {', '.join(_WORDS)}")
    end = _closing(text, start)
    attributes = {**common, **_attributes(text[end:])}
    if name == "text":
        return "a note and no mark"
    if match[2]:
        return "an annotation, which CASA draws and does not use (take 'ann' away to have it used)"
    pairs, rest = _entries(text[start + 1 : end - 1])
    # astropy writes pixels so, with the wrong unit
    if folded(attributes.get("coord", "")) == "image":
        pairs = [[re.sub("deg$", "pix", value) for value in pair] for pair in pairs]
    frame = _frame(pairs, attributes)
    kind, values = _GEOMETRY[name](pairs, rest, frame)
    excluded = "-" in (match[1], match[3])
    if excluded and not kind.has_area:
        return f"{kind.with_article} that is excluded"
    for key, what in _NOT_USED.items():
        if key in attributes and folded(attributes[key]) not in ("", "i"):
            marks.note(f"Ranges of {what} are not used, since an image has one plane.")
    kinds = {"text": "label", "color": "color"}
    words = {of: [attributes[key]] for of, key in kinds.items() if attributes.get(key)}
    fields = {**stated, "words": words}
    return Region(kind=kind, line=line, frame=frame, subtract=excluded, fields=fields, **values)


def _closing(text: str, start: int) -> int:
    """Where the bracket that opens at ``start`` has been closed."""
    depth, quote = 0, ""
    for found in _MARKS.finditer(text, start):
        mark = found[0]
        if quote or mark in "\"'":
            # a quotation mark behind a number is a unit
            is_unit = not quote and text[found.start() - 1] in ".0123456789"
            quote = "" if quote == mark or is_unit else quote or mark
            continue
        depth += 1 if mark == "[" else -1
        if not depth:
            return found.end()
    raise RegionFault("a bracket is not closed")


def _attributes(text: str) -> dict[str, str]:
    """Values by their keys, as in ``coord=J2000, label="a, b"``."""
    found: dict[str, str] = {}
    at, text = 0, text.strip(" \t,")
    while at < len(text):
        key = _KEY.match(text, at)
        value = _VALUE.match(text, key.end()) if key else None
        if key is None or value is None:
            raise RegionFault(
                f"{text[at:].strip()[:40]!r} is not understood; KEY=VALUE is expected"
            )
        end, plain = value.end(), value[0].strip()
        if text[end : end + 1] == "=":  # pairs without a comma between them
            plain, space, following = value[0].rstrip().rpartition(" ")
            if not space:
                raise RegionFault(
                    f"{text[at:].strip()[:40]!r} is not understood; KEY=VALUE is expected"
                )
            end = value.start() + len(value[0].rstrip()) - len(following)
            plain = plain.strip()
        if plain[:1] + plain[-1:] in ("[]", '""', "''") and len(plain) > 1:
            plain = plain[1:-1].strip()
        found[key[1].lower()] = plain
        at = end
    return found


def _stated(text: str) -> dict[str, Any]:
    """What a comment of this package says of the regions after it."""
    found: dict[str, Any] = dict(_attributes(text))
    if unknown := set(found) - {"source", "annotator", "group", "round", "weight"}:
        raise RegionFault(
            f"{min(unknown)[:40]!r} is not one of source, annotator, group, round, weight"
        )
    for key, expected, convert in (
        ("round", expected_round, int),
        ("weight", WEIGHT.expected, float),
    ):
        if key in found:
            try:
                value = convert(found[key][:30])
            except ValueError:
                value = math.nan
            if right := expected(value):
                raise RegionFault(f"{key}={found[key][:40]!r} is not {right}")
            found[key] = value
    return found


def _entries(text: str) -> tuple[list[list[str]], list[str]]:
    """What stands in the brackets of a region: pairs, and what follows them."""
    pairs: list[list[str]] = []
    rest: list[str] = []
    for entry in _ENTRY.findall(text):
        if not entry.startswith(("[", "]")):
            rest += [_bare(entry)] if entry.strip() else []
            continue
        pair = [_bare(value) for value in entry[1:-1].split(",")]
        if len(pair) != 2 or rest:
            raise RegionFault(f"{entry[:40]!r} is not a pair in its place")
        pairs.append(pair)
    return pairs, rest


def _bare(text: str) -> str:
    """A value without spaces and without the quotation marks that CASA allows about it."""
    text = text.strip()
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] in "\"'" else text


def _frame(pairs: Sequence[Sequence[str]], attributes: Mapping[str, str]) -> str:
    """``pixel`` where positions are in pixels, else the frame that the line or the file names."""
    if pairs and any(value.endswith("pix") for value in pairs[0]):
        return PIXEL
    name = attributes.get("coord", "J2000")
    frame = FRAMES.get(folded(name))
    if frame is None:
        raise RegionFault(
            f"coord={name[:40]!r} is not a frame that can be used; J2000, ICRS, B1950, GALACTIC, SUPERGAL and ECLIPTIC can"
        )
    return frame


def _coordinate(text: str, axis: int, frame: str) -> float:
    if (number := _QUANTITY.fullmatch(text)) is not None:
        value, unit = float(number[1]), number[2]
        if (unit == "pix") is (frame == PIXEL):
            return value if unit == "pix" else value * _ARCSEC[unit] / 3600.0
        raise RegionFault(
            f"{text[:40]!r} and its partner are not both in pixels or both on the sky"
        )
    if dotted := _DOTTED.fullmatch(text):
        text = ":".join(dotted.groups()) + "d"
        return _sexagesimal(text[:-1], hours=False)
    if axis and ":" in text and frame != PIXEL:
        raise RegionFault(
            f"{text[:40]!r} is a latitude with colons, which CASA takes for hours; write -03.47.27.1 or -03d47m27.1s"
        )
    if frame != PIXEL:
        return _sexagesimal(text, hours=True)
    raise RegionFault(f"{text[:40]!r} is not a coordinate in pixels, such as 12.5pix")


def _sexagesimal(text: str, *, hours: bool) -> float:
    try:
        return parse_sexagesimal(text.lower(), hours=hours)
    except ValueError:
        raise RegionFault(
            f"{text[:40]!r} is not a coordinate with its unit, such as 12.5deg, 10h20m30s, 10:20:30 (hours), -03.47.27.1 "
            "(degrees) or 12.5pix"
        ) from None


def _points(pairs: Sequence[Sequence[str]], frame: str) -> list[tuple[float, float]]:
    return [(_coordinate(x, 0, frame), _coordinate(y, 1, frame)) for x, y in pairs]


def _length(text: str, factor: float = 1.0) -> Length:
    number = _QUANTITY.fullmatch(text)
    if number is None:
        raise RegionFault(f"{text[:40]!r} is not a length with its unit, such as 3arcsec or 3pix")
    if number[2] == "pix":
        return Length(factor * float(number[1]), in_pixels=True)
    return Length(factor * float(number[1]) * _ARCSEC[number[2]], in_pixels=False)


def _angle(text: str) -> float:
    number = _QUANTITY.fullmatch(text)
    if number is None or number[2] == "pix":
        raise RegionFault(f"{text[:40]!r} is not an angle with its unit, such as 30deg")
    return float(number[1]) * _ARCSEC[number[2]] / 3600.0


_Made = tuple[ShapeKind, dict[str, Any]]
_Make = Callable[[Sequence[Sequence[str]], Sequence[str], str], _Made]


def _need(pairs: Sequence[Sequence[str]], rest: Sequence[str], n_pairs: int, n_rest: int) -> None:
    if (len(pairs), len(rest)) != (n_pairs, n_rest):
        raise RegionFault(
            f"it has {len(pairs)} pairs and {len(rest)} single values instead of {n_pairs} and {n_rest}"
        )


def _circle(pairs: Sequence[Sequence[str]], rest: Sequence[str], frame: str) -> _Made:
    _need(pairs, rest, 1, 1)
    diameter = _length(rest[0], 2.0)
    return ShapeKind.CIRCLE, {"points": _points(pairs, frame), "rings": [(diameter, diameter)]}


def _annulus(pairs: Sequence[Sequence[str]], rest: Sequence[str], frame: str) -> _Made:
    _need(pairs, rest, 2, 0)
    rings = sorted((_length(text, 2.0) for text in pairs[1]), key=float)
    return ShapeKind.CIRCLE, {
        "points": _points(pairs[:1], frame),
        "rings": [(diameter, diameter) for diameter in rings],
    }


def _ellipse(pairs: Sequence[Sequence[str]], rest: Sequence[str], frame: str) -> _Made:
    _need(pairs, rest, 2, 1)
    first, second = (_length(text, 2.0) for text in pairs[1])
    return ShapeKind.ELLIPSE, {
        "points": _points(pairs[:1], frame),
        "rings": [(first, second)],
        "angle": _angle(rest[0]) + (90.0 if frame == PIXEL else 0.0),
    }


def _turned_box(n_rest: int) -> _Make:
    def make(pairs: Sequence[Sequence[str]], rest: Sequence[str], frame: str) -> _Made:
        _need(pairs, rest, 2, n_rest)
        angle = _angle(rest[0]) if n_rest else 0.0
        return ShapeKind.BOX, {
            "points": _points(pairs[:1], frame),
            "rings": [(_length(pairs[1][0]), _length(pairs[1][1]))],
            "angle": angle - (0.0 if frame == PIXEL else 90.0),
        }

    return make


def _box(pairs: Sequence[Sequence[str]], rest: Sequence[str], frame: str) -> _Made:
    """Between two corners; on the sky along lines of equal longitude and latitude."""
    _need(pairs, rest, 2, 0)
    (x0, y0), (x1, y1) = _points(pairs, frame)
    if frame == PIXEL:
        width, height = (Length(abs(s), in_pixels=True) for s in (x1 - x0, y1 - y0))
        middle = (x0 + x1) / 2, (y0 + y1) / 2
        return ShapeKind.BOX, {"points": [middle], "rings": [(width, height)]}
    return ShapeKind.POLYGON, {"points": [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]}


def _vertices(kind: ShapeKind, fewest: int, most: float = math.inf) -> _Make:
    def make(pairs: Sequence[Sequence[str]], rest: Sequence[str], frame: str) -> _Made:
        if not fewest <= len(pairs) <= most or (rest and kind is not ShapeKind.POINT):
            needed = f"{fewest}" if fewest == most else f"{fewest} or more"
            raise RegionFault(f"it has {len(pairs)} positions instead of {needed}")
        return kind, {"points": _points(pairs, frame)}

    return make


_GEOMETRY: Mapping[str, _Make] = {
    "circle": _circle,
    "annulus": _annulus,
    "ellipse": _ellipse,
    "centerbox": _turned_box(0),
    "rotbox": _turned_box(1),
    "box": _box,
    "poly": _vertices(ShapeKind.POLYGON, 3),
    "polyline": _vertices(ShapeKind.LINE, 2),
    "line": _vertices(ShapeKind.LINE, 2, 2),
    "vector": _vertices(ShapeKind.LINE, 2, 2),
    "symbol": _vertices(ShapeKind.POINT, 1, 1),
}


@register_writer(
    "CASA regions (CRTF)", extension=".crtf", holds=("weight", "operation", "group", "round")
)
def write_crtf(annotations: AnnotationSet, _: Mapping[str, SourceImage]) -> dict[str, bytes]:
    """One file where all is on the sky, else one for each source; comments name source and annotator."""
    return region_files(annotations, ".crtf", _lines)


def _lines(annotations: Sequence[Annotation]) -> list[str]:
    lines = ["#CRTFv0 CASA Region Text Format version 0"]
    if any(a.shape.frame is Frame.ICRS for a in annotations):
        lines.append("global coord=ICRS")
    before = ""
    for annotation in annotations:
        fields = {"source": annotation.source, **fields_to_state(annotation)}
        stated = (f"{k}={quoted(v) if isinstance(v, str) else v}" for k, v in fields.items())
        comment = f"# attnxai {', '.join(stated)}"
        if comment != before:
            lines.append(before := comment)
        sign = "-" if annotation.operation is Operation.SUBTRACT else ""
        lines.append(f'{sign}{_region_text(annotation)}, label="{annotation.label}"')
    return lines


def _region_text(annotation: Annotation) -> str:
    shape = annotation.shape
    on_sky = shape.frame is Frame.ICRS
    place, long = ("deg", "arcsec") if on_sky else ("pix", "pix")
    points = [f"[{float(x)!r}{place}, {float(y)!r}{place}]" for x, y in shape.points]
    if shape.kind is ShapeKind.POLYGON:
        return f"poly [{', '.join(points)}]"
    if shape.kind is ShapeKind.LINE:
        return f"{'line' if len(points) == 2 else 'polyline'} [{', '.join(points)}]"
    if shape.kind is ShapeKind.POINT:
        return f"symbol [{points[0]}, .]"
    halved = 2.0 if shape.kind is ShapeKind.ELLIPSE else 1.0
    lengths = ", ".join(f"{float(length / halved)!r}{long}" for length in shape.lengths)
    if shape.kind is ShapeKind.CIRCLE:
        return f"circle [{points[0]}, {lengths}]"
    if shape.kind is ShapeKind.BOX:
        name, angle = "rotbox", shape.angle + (90.0 if on_sky else 0.0)
    else:
        name, angle = "ellipse", shape.angle - (0.0 if on_sky else 90.0)
    return f"{name} [{points[0]}, [{lengths}], {float(angle)!r}deg]"
