"""The annotation table, version 1: a CSV file with one row per shape."""

from __future__ import annotations

import collections
import dataclasses
import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from attnxai.annotations.annotation_set import (
    RULE_KIND,
    WEIGHT,
    Annotation,
    AnnotationSet,
    Operation,
    expected_round,
)
from attnxai.annotations.readers.registry import AnnotationFile, register_reader
from attnxai.annotations.shapes import (
    REQUIRED_FIELDS,
    Frame,
    Label,
    Shape,
    ShapeKind,
    expected,
    fields_of,
)
from attnxai.data.classes import canonical_class
from attnxai.data.csv_table import Faults, decimal, parse_csv, parse_rows, plain_cell
from attnxai.data.images import source_id
from attnxai.data.readers import is_image_name
from attnxai.data.wording import counted, did_you_mean, first_of
from attnxai.errors import AnnotationError

_Choice = TypeVar("_Choice", ShapeKind, Label, Frame, Operation)

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
    "operation",
    "group",
    "round",
)
_GEOMETRY = ("x", "y", "width", "height", "radius", "angle", "vertices")


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
        row = {name: plain_cell(cell) for name, cell in row.items()}
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
                    faults.add_row(
                        line,
                        f", column {column}: {value[:60]!r} contradicts {first[0][:60]!r} on line "
                        f"{first[1]}, for the same source; give one",
                    )
        return annotation

    annotations = tuple(parse_rows(header, numbered, what, AnnotationError, parse))
    notices = []
    if extra := [_with_hint(name) for name in header if name not in COLUMNS]:
        notices.append(
            f"Further columns are kept, and strata can be made of them: {_named(extra)}."
        )
    for text_unused, count in sorted(unused.items()):
        notices.append(f"{text_unused} ({counted(count, 'row')}).")
    simulated = all(a.annotator.lower().startswith("simulated") for a in annotations)
    found = AnnotationSet(
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
    by_rule = found.rule_annotators == found.annotators
    return dataclasses.replace(found, kind=RULE_KIND) if by_rule else found


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
    if not source_id(row["source"]):
        faults.add(line, "source", row["source"], "a source id or the name of an image file")
    if not row["annotator"]:
        faults.add(line, "annotator", "", "a name")
    kind = _member(ShapeKind, row["shape"], line, "shape", faults)
    label = _member(Label, row["label"], line, "label", faults)
    frame = _member(Frame, row.get("frame", "") or "pixel", line, "frame", faults)
    weight = 1.0
    if row.get("weight"):
        weight = _parse_cell(row["weight"], line, "weight", faults, WEIGHT.expected)
    operation = _member(Operation, row.get("operation", "") or "add", line, "operation", faults)
    round_ = _parse_cell(row.get("round", "") or "1", line, "round", faults, expected_round)
    if kind is None or label is None or frame is None or operation is None:
        return None
    values: dict[str, Any] = {}
    for field in fields_of(kind):
        text = row.get(field, "")
        if field in REQUIRED_FIELDS[kind] or text:
            right = functools.partial(expected, kind, frame, field)
            values[field] = _parse_cell(
                text, line, field, faults, right, f" for {kind.with_article}"
            )
    shape = Shape(kind=kind, frame=frame, **values) if len(faults) == before else None
    if shape and operation is Operation.SUBTRACT and not shape.has_area:
        faults.add(line, "operation", row["operation"], f"add, as {kind.with_article} has no area")
    if shape is None or len(faults) > before:
        return None
    for column in _GEOMETRY:
        if row.get(column) and column not in fields_of(kind):
            a_shape = kind.with_article.capitalize()
            unused[f"{a_shape} has no {column}; the value was not used"] += 1
    return Annotation(
        source=source_id(row["source"]),
        annotator=row["annotator"],
        shape=shape,
        label=label,
        weight=weight,
        operation=operation,
        group=row.get("group", ""),
        round=round_,
        line=line,
        other={name: value for name, value in row.items() if name not in COLUMNS},
    )


def _member(
    kind: type[_Choice], value: str, line: int, column: str, faults: Faults
) -> _Choice | None:
    try:
        return kind(value.lower())
    except ValueError:
        faults.add(line, column, value, f"one of {', '.join(kind)}{did_you_mean(value, kind)}")
        return None


def _parse_cell(
    text: str,
    line: int,
    column: str,
    faults: Faults,
    expected_of: Callable[[Any], str],
    purpose: str = "",
) -> Any:
    """The number or the vertices in a cell; what ``expected_of`` says of them is a fault."""
    is_list = column == "vertices"
    value = None
    try:
        value = _parse_vertices(text) if is_list else decimal(text)
        right = expected_of(value)
    except ValueError:
        right = 'a list of positions "x y; x y; ..."' if is_list else "a number"
        if not text:
            right += purpose
        elif "," in text:
            right += "; write a decimal point, not a comma"
    if right:
        faults.add(line, column, text, right)
    return value


def _parse_vertices(text: str) -> tuple[tuple[float, float], ...]:
    pairs = (part.split() for part in text.strip().strip(";").split(";"))
    return tuple((decimal(x), decimal(y)) for x, y in pairs)
