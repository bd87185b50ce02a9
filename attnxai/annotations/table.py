"""Rows of annotation tables, version 1, as annotations: whatever kind of file the table is in."""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attnxai.annotations.annotation_set import (
    RULE_KIND,
    WEIGHT,
    Annotation,
    AnnotationSet,
    Operation,
    expected_round,
)
from attnxai.annotations.file_names import name_without_extensions
from attnxai.annotations.merging import majority_classes
from attnxai.annotations.naming import folded
from attnxai.annotations.shapes import (
    REQUIRED_FIELDS,
    Frame,
    Label,
    Shape,
    ShapeKind,
    expected,
    fields_of,
)
from attnxai.annotations.sky_frames import FRAMES, counts_hours, parse_sexagesimal, to_icrs
from attnxai.annotations.table_columns import (
    COLUMNS,
    GEOMETRY,
    LENGTHS,
    REQUIRED,
    Columns,
    arcsec_per_unit,
    understand_columns,
    units_in_row,
)
from attnxai.annotations.table_content import TableContent, plain_positions
from attnxai.data.classes import canonical_class
from attnxai.data.csv_dialects import Numbers
from attnxai.data.csv_table import Faults, Rows, parse_rows, plain_cell
from attnxai.data.images import source_id
from attnxai.data.readers import is_image_name
from attnxai.data.wording import counted, did_you_mean, first_of
from attnxai.errors import AnnotationError, NoMarksError

if TYPE_CHECKING:
    from attnxai.annotations.readers.registry import AnnotationFile

_Choice = TypeVar("_Choice", ShapeKind, Label, Operation)
_NOTHING = ("none", "nothing", "empty")
_OTHER_SHAPES = {
    "rectangle": ShapeKind.BOX,
    "rect": ShapeKind.BOX,
    "poly": ShapeKind.POLYGON,
    "polyline": ShapeKind.LINE,
}
# of all rows of tables without further columns
_NO_OTHER: Mapping[str, str] = {}
NOTHING_MARKED = "nothing marked on the source"
_SIMULATED = "true components of simulated sources, as three simulated annotators would mark them"


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """What a row marks, with positions that may still be those of another frame."""

    frame: str
    annotation: Annotation


def annotations_of_table(table: TableContent, file: AnnotationFile) -> AnnotationSet:
    """Annotations of a table.

    Parameters
    ----------
    table : TableContent
        Header and rows, whatever kind of file they are from.
    file : AnnotationFile
        The file that the table is in.

    Raises
    ------
    AnnotationError
        Listing row, column and value of every fault.
    """
    rows = iter(table.rows)
    first = next(rows, None)
    units = units_in_row(table.header, first[1]) if first else {}
    columns = understand_columns(table.header, {**table.units, **units}, table.meanings)
    _check_header(columns, table.header, table.what)
    if first and units:
        note = f"The units of its columns stand in {table.item} {first[0]}."
        table = dataclasses.replace(table, notes=(*table.notes, note))
    elif first:
        rows = itertools.chain([first], rows)
    parser = _Table(columns, file, table)
    found = parse_rows(
        columns.names, parser.data(rows), table.what, AnnotationError, parser.parse, item=table.item
    )
    return parser.annotation_set(found)


def _named(names: Iterable[str]) -> str:
    return first_of([name[:100] or "one without a name" for name in names])


def _check_header(columns: Columns, header: Sequence[str], what: str) -> None:
    names = columns.names
    has_place = {"x", "y"} <= set(names) or "vertices" in names
    # an image names its source, a file its annotator, and values tell the shape; half of the columns do not
    missing = [n for n in (REQUIRED if has_place else (*REQUIRED, "x", "y")) if n not in names]
    can_do_without = has_place and ("source" in names or "image" in names)
    if not (can_do_without or set(missing) <= {"x", "y"}):
        raise AnnotationError(
            f"{what} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; its header is "
            f"{_named(header) or 'empty'}, and the columns are {', '.join(COLUMNS)}"
        )
    twice = sorted(name for name, n in collections.Counter(names).items() if n > 1)
    if twice:
        raise AnnotationError(f"{what} has the column {_named(twice)} twice; take one of them out")


class _Table:
    """Parses rows, with what one row has to do with another."""

    def __init__(self, columns: Columns, file: AnnotationFile, table: TableContent) -> None:
        self.columns, self.file, self.table = columns, file, table
        self.number = Numbers(table.delimiter)
        self.names = set(columns.names)
        self._other = [name for name in columns.names if name not in COLUMNS]
        self._file_name = Path(file.path).name
        self._images: dict[str, tuple[str, int]] = {}
        self._classes: dict[tuple[str, str, str], tuple[str, int]] = {}
        self._counts: collections.Counter[str] = collections.Counter()
        self._left_out: collections.Counter[str] = collections.Counter()
        # names recur on many rows
        self._source_id = functools.lru_cache(maxsize=4096)(source_id)
        self._is_image_name = functools.lru_cache(maxsize=4096)(is_image_name)
        self._label_of = functools.lru_cache(maxsize=4096)(
            lambda word: file.naming.label({"label": [word]}) if folded(word) else None
        )

    def note(self, text: str) -> None:
        """Count a row of which something is to be noted."""
        self._counts[text] += 1

    def data(self, rows: Rows) -> Rows:
        """Rows without those that repeat the header, as tables have that were put together from several."""
        header = list(self.table.header)
        for line, cells in rows:
            if cells == header:
                self.note("The header is repeated")
            else:
                yield line, cells

    # one row

    def parse(self, row: dict[str, str], line: int, faults: Faults) -> _Row | None:
        """A row, or None where it marks nothing or is at fault."""
        before = len(faults)
        row.update((name, plain_cell(value)) for name, value in row.items() if value[:1] == "'")
        source = self._source_id(row.get("source", "") or row.get("image", ""))
        if not source:
            value = row.get("source", "")
            faults.add(line, "source", value, "a source id or the name of an image file")
        annotator = self._annotator(row, line, faults)
        self._keep_image_and_class(row, line, source, annotator, faults)
        if row.get("shape", "").casefold() in _NOTHING:
            if len(faults) == before:
                self._left_out[NOTHING_MARKED] += 1
            return None
        kind = self._kind(row, line, faults)
        label = self._label(row, line, faults)
        frame = self._frame(row, line, faults)
        weight = 1.0
        if row.get("weight"):
            weight = self._cell(row["weight"], line, "weight", faults, WEIGHT.expected)
        operation = _member(Operation, row.get("operation", "") or "add", line, "operation", faults)
        round_ = 1
        if row.get("round"):
            round_ = self._cell(row["round"], line, "round", faults, expected_round)
        if kind is None or label is None or frame is None or operation is None:
            return None
        values = self._values(row, kind, frame, line, faults)
        if operation is Operation.SUBTRACT and not kind.has_area:
            right = f"add, as {kind.with_article} has no area"
            faults.add(line, "operation", row["operation"], right)
        if len(faults) > before:
            return None
        shape_frame = Frame.PIXEL if frame == "pixel" else Frame.ICRS
        annotation = Annotation(
            source=source,
            annotator=annotator,
            shape=Shape(kind=kind, frame=shape_frame, **values),
            label=label,
            weight=weight,
            operation=operation,
            group=row.get("group", ""),
            round=round_,
            file=self._file_name,
            line=line,
            other={name: row[name] for name in self._other} if self._other else _NO_OTHER,
        )
        return _Row(frame, annotation)

    def _annotator(self, row: Mapping[str, str], line: int, faults: Faults) -> str:
        if "annotator" in self.names:
            if not row["annotator"]:
                faults.add(line, "annotator", "", "a name")
            return self.file.naming.renamed(row["annotator"])
        name = self.file.annotator or name_without_extensions(self.file.path)
        self._counts[f"It has no column annotator; that of its rows is {name[:60]}"] += 1
        return self.file.naming.renamed(name)

    def _keep_image_and_class(
        self, row: dict[str, str], line: int, source: str, annotator: str, faults: Faults
    ) -> None:
        """Keep image and class of the source; a contradiction by the same annotator is a fault."""
        image = row.get("image", "")
        if self._is_image_name(row.get("source", "")) and not image:
            image = row["source"]
        if image:
            self._first(self._images, source, image, "image", line, faults)
        if value := canonical_class(row.get("class", "")):
            key = source, annotator, row.get("round", "") or "1"
            self._first(self._classes, key, value, "class", line, faults)

    def _first(
        self,
        seen: dict[Any, tuple[str, int]],
        key: Any,
        value: str,
        column: str,
        line: int,
        faults: Faults,
    ) -> None:
        first = seen.setdefault(key, (value, line))
        if first[0] != value:
            whom = "source" if column == "image" else "source and annotator"
            faults.add_row(
                line,
                f", column {column}: {value[:60]!r} contradicts {first[0][:60]!r} on {self.table.item} "
                f"{first[1]}, for the same {whom}; give one",
            )

    def _kind(self, row: Mapping[str, str], line: int, faults: Faults) -> ShapeKind | None:
        if "shape" in self.names:
            word = row["shape"]
            if kind := _OTHER_SHAPES.get(word.casefold()):
                self.note(f"The shape {word!r} is read as {kind}")
                return kind
            return _member(ShapeKind, word, line, "shape", faults)
        if row.get("radius"):
            kind = ShapeKind.CIRCLE
        elif row.get("vertices") or row.get("width") or row.get("height"):
            which = "polygon or line" if row.get("vertices") else "ellipse or box"
            faults.add_row(
                line, f": the table has no column shape, which could be {which} here; add it"
            )
            return None
        else:
            kind = ShapeKind.POINT
        self._counts[f"It has no column shape; what has {'a radius' if kind is ShapeKind.CIRCLE else 'a position only'} is read as {kind.with_article}"] += 1  # fmt: skip
        return kind

    def _label(self, row: Mapping[str, str], line: int, faults: Faults) -> Label | None:
        if "label" not in self.names:
            self._counts["It has no column label, which counts as other"] += 1
            return Label.OTHER
        word = row["label"]
        found = self._label_of(word)
        if found is not None and word.lower() != found and folded(word) != found:
            self._counts[f"The label {word[:40]!r} is read as {found}"] += 1
        return found or _member(Label, word, line, "label", faults)

    def _frame(self, row: Mapping[str, str], line: int, faults: Faults) -> str | None:
        """The frame as astropy calls it, or ``pixel``."""
        stated = row.get("frame", "")
        word = folded(stated)
        if not word:
            if not self.columns.on_sky:
                return "pixel"
            of_table = self.table.frame or "icrs"
            if not self.table.frame:
                self._counts[
                    "It states no frame; right ascensions and declinations are read as ICRS"
                ] += 1
            elif of_table != "icrs":
                self._counts[f"Positions in the frame {of_table} are converted to ICRS"] += 1
            return of_table
        if word in ("pixel", "pixels", "pix"):
            if not self.columns.on_sky:
                return "pixel"
        elif (frame := FRAMES.get(word)) is not None:
            if frame != "icrs":
                self._counts[f"Positions in the frame {stated[:20]} are converted to ICRS"] += 1
            return frame
        known = [*Frame, "fk5", "fk4", "galactic"]
        right = f"one of {', '.join(known)}{did_you_mean(stated, known)}"
        faults.add(line, "frame", stated, right)
        return None

    def _values(
        self, row: Mapping[str, str], kind: ShapeKind, frame: str, line: int, faults: Faults
    ) -> dict[str, Any]:
        """Numbers of a shape, with lengths in pixels or arcsec."""
        shape_frame = Frame.PIXEL if frame == "pixel" else Frame.ICRS
        values: dict[str, Any] = {}
        for field in fields_of(kind):
            if field not in self.names:
                if field in REQUIRED_FIELDS[kind]:
                    half = " (half of its width)" * (field == "radius")
                    needs = f"{field}, which {kind.with_article} needs{half}"
                    faults.add_row(line, f": there is no column {needs}")
                continue
            text = row[field]
            if field in REQUIRED_FIELDS[kind] or text:
                right = functools.partial(expected, kind, shape_frame, field)
                factor = self._factor(field, frame, line, faults)
                purpose = f" for {kind.with_article}"
                values[field] = self._cell(
                    text, line, field, faults, right, purpose=purpose, frame=frame, factor=factor
                )
        for column in GEOMETRY:
            if row.get(column) and column not in fields_of(kind):
                a_shape = kind.with_article.capitalize()
                self._counts[f"{a_shape} has no {column}; the value was not used"] += 1
        return values

    def _factor(self, field: str, frame: str, line: int, faults: Faults) -> float:
        """What a number is multiplied by, to be in pixels, arcsec for a length, or degrees."""
        unit = self.columns.units.get(field, "")
        if not unit:
            return 1.0
        in_arcsec = arcsec_per_unit(unit)
        if field == "angle":
            if not in_arcsec:
                faults.add_row(
                    line, f", column angle: its unit is {unit[:30]}, not that of an angle"
                )
            return in_arcsec / 3600.0
        if frame == "pixel" and unit == "pix":
            return 1.0
        if frame != "pixel" and in_arcsec:
            return in_arcsec if field in LENGTHS else in_arcsec / 3600.0
        here = "pixels" if frame == "pixel" else "degrees on the sky"
        faults.add_row(
            line,
            f", column {field}: its unit is {unit[:30]}, but positions are {here}; correct one",
        )
        return 1.0

    def _cell(
        self,
        text: str,
        line: int,
        column: str,
        faults: Faults,
        expected_of: Callable[[Any], str],
        *,
        purpose: str = "",
        frame: str = "pixel",
        factor: float = 1.0,
    ) -> Any:
        """The number or the vertices in a cell; what ``expected_of`` says of them is a fault."""
        is_list = column == "vertices"
        value: Any = None
        try:
            read = self._vertices if is_list else functools.partial(self._coordinate, column)
            value = read(text, frame, factor)
            right = expected_of(value)
        except (ValueError, OverflowError):
            right = 'a list of positions "x y; x y; ..."' if is_list else "a number"
            if not text:
                right += purpose
            elif "," in text:
                right += "; write a decimal point, not a comma"
        if right:
            faults.add(line, column, text, right)
        return value

    def _coordinate(self, column: str, text: str, frame: str, factor: float) -> float:
        try:
            return self.number(text) * factor
        except ValueError:
            if column not in ("x", "y") or frame == "pixel":
                raise
            hours = column == "x" and counts_hours(frame)
            value = parse_sexagesimal(text, hours=hours)
            unit = "hours" if hours and "d" not in text and "°" not in text else "degrees"
            name = (
                {"x": "right ascension", "y": "declination"}[column]
                if frame != "galactic"
                else column
            )
            key = f"Values with colons, letters or spaces in the {name} are read as {unit}, minutes and seconds"
            self._counts[key] += 1
            return value

    def _vertices(self, text: str, frame: str, factor: float) -> tuple[tuple[float, float], ...]:
        pairs = (part.split() for part in plain_positions(text).strip(";").split(";"))
        return tuple(
            (self._coordinate("x", x, frame, factor), self._coordinate("y", y, frame, factor))
            for x, y in pairs
        )

    # all rows

    def annotation_set(self, rows: Sequence[_Row]) -> AnnotationSet:
        """The annotations of all rows."""
        if not rows:
            raise NoMarksError(
                f"{self.table.what} marks nothing: all rows say that there is nothing to mark"
            )
        annotations = _converted(rows)
        classes: dict[str, dict[str, str]] = {}
        for (source, annotator, round_), (value, _) in self._classes.items():
            if round_ == "1" or source not in classes.get(annotator, {}):
                classes.setdefault(annotator, {})[source] = value
        majority, differing = majority_classes(classes)
        simulated = all(a.annotator.lower().startswith("simulated") for a in annotations)
        found = AnnotationSet(
            annotations=annotations,
            classes=majority,
            annotator_classes=classes,
            images={source: value for source, (value, _) in self._images.items()},
            path=self.file.path,
            n_rows=len(annotations) + sum(self._left_out.values()),
            left_out=dict(self._left_out),
            notices=(*self._notes(), *differing),
            simulated=simulated,
            kind=_SIMULATED if simulated else "shapes drawn by annotators",
        )
        by_rule = found.rule_annotators == found.annotators
        return dataclasses.replace(found, kind=RULE_KIND) if by_rule else found

    def _notes(self) -> list[str]:
        found = [*self.table.notes, *self.columns.notes, *self.number.notes()]
        if extra := [_with_hint(name) for name in self.columns.names if name not in COLUMNS]:
            found.append(
                f"Further columns are kept, and strata can be made of them: {_named(extra)}."
            )
        found += [f"{text} ({counted(n, 'row')})." for text, n in sorted(self._counts.items())]
        return found


def _with_hint(name: str) -> str:
    """A column's name, and the known one that it may have been meant for."""
    return f"{name}{did_you_mean(name, COLUMNS, 0.8)}" if name else ""


def _converted(rows: Sequence[_Row]) -> tuple[Annotation, ...]:
    """The annotations of rows, with positions and angles in ICRS, to which all of a frame are turned together."""
    found = [row.annotation for row in rows]
    for frame in {row.frame for row in rows} - {"pixel", "icrs"}:
        positions = [i for i, row in enumerate(rows) if row.frame == frame]
        points = [point for i in positions for point in found[i].shape.points]
        ra, dec, turn = (values.tolist() for values in to_icrs(frame, *zip(*points, strict=True)))
        at = 0
        for i in positions:
            shape = found[i].shape
            turned: dict[str, Any] = {"x": ra[at], "y": dec[at]}
            if shape.vertices:
                ends = slice(at, at + len(shape.vertices))
                turned = {"vertices": tuple(zip(ra[ends], dec[ends], strict=True))}
            if shape.width:
                turned["angle"] = (shape.angle + turn[at] + 180.0) % 360.0 - 180.0
            found[i] = dataclasses.replace(found[i], shape=dataclasses.replace(shape, **turned))
            at += len(shape.points)
    return tuple(found)


def _member(
    kind: type[_Choice], value: str, line: int, column: str, faults: Faults
) -> _Choice | None:
    try:
        return kind(value.lower())  # by the value, which is the name
    except ValueError:
        faults.add(line, column, value, f"one of {', '.join(kind)}{did_you_mean(value, kind)}")
        return None
