"""The annotation table, version 1: a CSV file with one row per shape."""

from __future__ import annotations

import collections
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from attnxai.annotations.annotation_set import Annotation, AnnotationSet
from attnxai.annotations.readers.registry import AnnotationFile, register_reader
from attnxai.annotations.shapes import Frame, Label, Shape, ShapeKind
from attnxai.data.classes import canonical_class
from attnxai.data.csv_table import Faults, decimal, parse_csv, parse_rows
from attnxai.data.images import source_id
from attnxai.data.readers import is_image_name
from attnxai.data.wording import counted, did_you_mean, first_of
from attnxai.errors import AnnotationError

_Choice = TypeVar("_Choice", ShapeKind, Label, Frame)

REQUIRED = ("source", "annotator", "shape", "label")
COLUMNS = (
    "source",
    "annotator",
    "shape",
    "x",
    "y",
    "width",
    "height",
    "radius",
    "angle",
    "vertices",
    "frame",
    "label",
    "class",
    "weight",
    "image",
)
_NEEDS: dict[ShapeKind, tuple[str, ...]] = {
    ShapeKind.POINT: ("x", "y"),
    ShapeKind.CIRCLE: ("x", "y", "radius"),
    ShapeKind.ELLIPSE: ("x", "y", "width", "height"),
    ShapeKind.BOX: ("x", "y", "width", "height"),
    ShapeKind.POLYGON: ("vertices",),
    ShapeKind.LINE: ("vertices",),
}
_MAY_HAVE_ANGLE = (ShapeKind.ELLIPSE, ShapeKind.BOX)
_GEOMETRY = ("x", "y", "width", "height", "radius", "angle", "vertices")
_FEWEST_VERTICES = {ShapeKind.POLYGON: 3, ShapeKind.LINE: 2}
# what a projection can still place and an image can hold: lengths are in pixels or arcsec
_SHORTEST, _LONGEST = 1e-6, {Frame.PIXEL: 1e6, Frame.ICRS: 324_000.0}
_FARTHEST_PIXEL = 1e6
_LARGEST_ANGLE = 360.0


def _recognises(head: bytes) -> bool:
    first = head.decode("utf-8-sig", errors="replace").partition("\n")[0].lower()
    return len(set(REQUIRED) & set(re.split(r'[,;\t\r" ]+', first))) >= 2


@register_reader("annotation table (CSV)", recognises=_recognises, asked_last=True)
def read_table(file: AnnotationFile) -> AnnotationSet:
    """Read an annotation table; an AnnotationError lists line, column and value of every fault."""
    return parse_table(file.text(), path=file.path)


def parse_table(text: str, *, path: str = "") -> AnnotationSet:
    """Parse the text of an annotation table; see :func:`read_table`."""
    what = f"annotation table {path}"
    header, numbered = parse_csv(text, what, AnnotationError)
    _check_header(header, path)
    stated: dict[str, dict[str, tuple[str, int]]] = {"class": {}, "image": {}}
    unused: collections.Counter[str] = collections.Counter()

    def parse(row: dict[str, str], line: int, faults: Faults) -> Annotation | None:
        annotation = _parse_row(row, line, faults, unused)
        if annotation is None:
            return None
        if is_image_name(row["source"]) and not row.get("image"):
            row["image"] = row["source"]
        for column, seen in stated.items():
            value = row.get(column, "")
            if column == "class":
                value = canonical_class(value)
            if value:
                first = seen.setdefault(annotation.source, (value, line))
                if first[0] != value:
                    right = f"line {first[1]} says {first[0][:60]!r} for the same source; give one"
                    faults.add(line, column, value, right)
        return annotation

    annotations = tuple(parse_rows(header, numbered, what, AnnotationError, parse))
    notices = []
    if extra := [_with_hint(name) for name in header if name not in COLUMNS]:
        notices.append(f"Further columns are kept, for --strata: {_named(extra)}.")
    for text_unused, count in sorted(unused.items()):
        notices.append(f"{text_unused} ({counted(count, 'row')}).")
    simulated = all(a.annotator.lower().startswith("simulated") for a in annotations)
    return AnnotationSet(
        annotations=annotations,
        classes={source: value for source, (value, _) in stated["class"].items()},
        images={source: value for source, (value, _) in stated["image"].items()},
        path=path,
        n_rows=len(annotations),
        notices=tuple(notices),
        simulated=simulated,
        kind=(
            "true components of simulated sources, as three simulated annotators would mark them"
            if simulated
            else "shapes drawn by annotators"
        ),
    )


def _named(names: Iterable[str]) -> str:
    return first_of([name[:100] for name in names])


def _with_hint(name: str) -> str:
    """A column's name, and the known one that it may have been meant for."""
    if not name:
        return "one without a name"
    return f"{name}{did_you_mean(name, COLUMNS, 0.8)}"


def _check_header(header: Sequence[str], path: str) -> None:
    missing = [name for name in REQUIRED if name not in header]
    if len(header) == 1 and (other := set(header[0]) & {";", "\t"}):
        name = "semicolons" if ";" in other else "tabs"
        raise AnnotationError(
            f"annotation table {path} has {name} between its columns; separate them by commas"
        )
    if missing:
        raise AnnotationError(
            f"annotation table {path} lacks the column{'s' if len(missing) > 1 else ''} "
            f"{', '.join(missing)}; its header is {_named(header) or 'empty'}, and the columns are "
            f"{', '.join(COLUMNS)}"
        )
    twice = sorted(name for name, n in collections.Counter(header).items() if n > 1)
    if twice:
        listed = _named(name or "without a name" for name in twice)
        raise AnnotationError(
            f"annotation table {path} has the column {listed} twice; take one of them out"
        )


def _parse_row(
    row: Mapping[str, str], line: int, faults: Faults, unused: collections.Counter[str]
) -> Annotation | None:
    before = len(faults)
    for column in ("source", "annotator"):
        if not row[column]:
            faults.add(line, column, "", "must not be empty")
    if row["source"] and not source_id(row["source"]):
        faults.add(line, "source", row["source"], "a source id or an image file, not a folder")
    kind = _member(ShapeKind, row["shape"], line, "shape", faults)
    label = _member(Label, row["label"], line, "label", faults)
    frame = _member(Frame, row.get("frame", "") or "pixel", line, "frame", faults)
    weight = 1.0
    if row.get("weight"):
        weight = _number(row["weight"], line, "weight", faults, 0, 1)
    if kind is None or label is None or frame is None:
        return None
    values: dict[str, float] = {}
    vertices: tuple[tuple[float, float], ...] = ()
    for column in _NEEDS[kind]:
        text = row.get(column, "")
        if column == "vertices":
            vertices = _vertices(text, kind, frame, line, faults)
        elif not text:
            faults.add(line, column, "", f"{_a(kind)} needs a number here")
        else:
            values[column] = _number(text, line, column, faults, *_limits(column, frame))
    if kind in _MAY_HAVE_ANGLE and row.get("angle"):
        values["angle"] = _number(
            row["angle"], line, "angle", faults, -_LARGEST_ANGLE, _LARGEST_ANGLE, "degrees, "
        )
    if len(faults) > before:
        return None
    for column in _GEOMETRY:
        used = column in _NEEDS[kind] or (column == "angle" and kind in _MAY_HAVE_ANGLE)
        if row.get(column) and not used:
            unused[f"{_a(kind).capitalize()} has no {column}; the value was not used"] += 1
    return Annotation(
        source=source_id(row["source"]),
        annotator=row["annotator"],
        shape=Shape(kind=kind, frame=frame, vertices=vertices, **values),
        label=label,
        weight=weight,
        line=line,
        other={name: value for name, value in row.items() if name not in COLUMNS},
    )


def _a(kind: ShapeKind) -> str:
    return f"an {kind}" if kind is ShapeKind.ELLIPSE else f"a {kind}"


def _member(
    kind: type[_Choice], value: str, line: int, column: str, faults: Faults
) -> _Choice | None:
    try:
        return kind(value.lower())
    except ValueError:
        faults.add(line, column, value, f"one of {', '.join(kind)}{did_you_mean(value, kind)}")
        return None


def _limits(column: str, frame: Frame) -> tuple[float, float, str]:
    """Lowest and highest value of a coordinate or length, and what it is."""
    unit = "pixels" if frame is Frame.PIXEL else "arcsec"
    if column not in ("x", "y"):
        return _SHORTEST, _LONGEST[frame], f"a length above 0 in {unit}, from "
    if frame is Frame.PIXEL:
        return -_FARTHEST_PIXEL, _FARTHEST_PIXEL, "pixels, "
    if column == "x":
        return 0.0, 360.0, "right ascension in degrees, "
    return -90.0, 90.0, "declination in degrees, "


def _number(
    text: str, line: int, column: str, faults: Faults, low: float, high: float, what: str = ""
) -> float:
    """A number within limits; NaN, and a fault, where it is none."""
    try:
        value = decimal(text)
    except ValueError:
        hint = " with a point, not a comma" if "," in text else ""
        faults.add(line, column, text, f"a number{hint}")
        return math.nan
    if not math.isfinite(value):
        faults.add(line, column, text, "a finite number")
    elif not low <= value <= high:
        what = what or "a number from "
        faults.add(line, column, text, f"{what}{low:.10g} to {high:.10g}")
    return value


def _vertices(
    text: str, kind: ShapeKind, frame: Frame, line: int, faults: Faults
) -> tuple[tuple[float, float], ...]:
    fewest = _FEWEST_VERTICES[kind]
    right = f'{fewest} or more different vertices as "x y; x y; ..."'
    points = []
    for part in text.strip().strip(";").split(";"):
        try:
            x, y = (decimal(v) for v in part.split())
        except ValueError:
            hint = ", numbers with a point, not a comma" if "," in text else ""
            faults.add(line, "vertices", text, right + hint)
            return ()
        if not (math.isfinite(x) and math.isfinite(y)):
            faults.add(line, "vertices", text, "finite numbers")
            return ()
        for column, value in (("x", x), ("y", y)):
            low, high, what = _limits(column, frame)
            if not low <= value <= high:
                shown = part.strip()[:60]
                faults.add(
                    line, "vertices", text, f"{what}{low:.10g} to {high:.10g}, not {shown!r}"
                )
                return ()
        points.append((x, y))
    if len(set(points)) < fewest:
        faults.add(line, "vertices", text, right)
    return tuple(points)
