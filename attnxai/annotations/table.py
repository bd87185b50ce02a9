"""The annotation table, version 1: one row a shape, one error message a bad row."""

from __future__ import annotations

import collections
import csv
import dataclasses
import difflib
import hashlib
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from attnxai.annotations.annotation_set import Annotation, AnnotationSet
from attnxai.annotations.radio_galaxy_zoo import is_claran_header, match_claran
from attnxai.annotations.sample import resolve_annotations
from attnxai.annotations.shapes import Frame, Label, Shape, ShapeKind
from attnxai.data.classes import canonical_class
from attnxai.data.images import SourceImage, source_id
from attnxai.data.readers import is_image_name
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
_COMMA_HINT = "; numbers need a decimal point, and a cell that holds a comma needs quotes"
_GEOMETRY = ("x", "y", "width", "height", "radius", "angle", "vertices")
_FEWEST_VERTICES = {ShapeKind.POLYGON: 3, ShapeKind.LINE: 2}


def read_annotations(
    path: str | Path,
    images: Sequence[SourceImage] | None = None,
    *,
    min_components: int = 2,
    match_radius_arcsec: float = 30.0,
) -> AnnotationSet:
    """Read an annotation table, or the ClaRAN catalogue, recognised by their columns.

    Parameters
    ----------
    path : path
        A CSV file in UTF-8. The name of the sample that ships (``expert.csv``) gives that table when
        there is no such file.
    images : sequence of SourceImage, optional
        Images to match a catalogue with; a table needs none.
    min_components, match_radius_arcsec
        For a catalogue, see :func:`attnxai.annotations.radio_galaxy_zoo.match_claran`.

    Returns
    -------
    AnnotationSet

    Raises
    ------
    AnnotationError
        If the file is missing or no table, or listing every bad row with line, column, value and what
        would be right.

    Examples
    --------
    >>> from attnxai.annotations.table import read_annotations
    >>> read_annotations("expert.csv").annotators
    ('simulated_1', 'simulated_2', 'simulated_3')
    """
    resolved = resolve_annotations(path)
    content = resolved.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnnotationError(
            f"annotation table {path} is not UTF-8 text (byte {error.start}); save it as CSV UTF-8"
        ) from error
    if is_catalogue(resolved):
        if images is None:
            raise AnnotationError(
                f"{path} is a catalogue of sky positions; name the images to match it with (--images)"
            )
        return match_claran(
            text,
            images,
            min_components=min_components,
            match_radius_arcsec=match_radius_arcsec,
            path=path,
            sha256=sha256,
        )
    return parse_table(text, path=str(resolved), sha256=sha256)


def _with_hint(name: str) -> str:
    """A column's name, and the known one that it may have been meant for."""
    if not name:
        return "one without a name"
    close = difflib.get_close_matches(name.lower(), COLUMNS, n=1, cutoff=0.8)
    return f"{name} (is {close[0]} meant?)" if close else name


def is_catalogue(path: str | Path) -> bool:
    """Whether a file has the columns of the ClaRAN catalogue rather than those of a table."""
    with open(
        resolve_annotations(path), encoding="utf-8-sig", errors="replace", newline=""
    ) as file:
        try:
            return is_claran_header(next(csv.reader([file.readline()]), []))
        except csv.Error:  # no table at all, which is for the reader to say
            return False


@dataclasses.dataclass(slots=True)
class _Problems:
    """Collects what is wrong, a line a fault."""

    rows: list[str]

    def add(self, line: int, column: str, value: str, right: str) -> None:
        self.rows.append(f"line {line}, column {column}: {value!r} - {right}")


def parse_table(text: str, *, path: str = "", sha256: str = "") -> AnnotationSet:
    """Parse the text of an annotation table; see :func:`read_annotations`."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    numbered: list[tuple[int, list[str]]] = []
    line = 1  # on which a row begins: with quotes it may span several
    try:
        for cells in reader:
            numbered.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise AnnotationError(
            f"annotation table {path} is no valid CSV: {error} (in the row that begins on line {line})"
        ) from error
    if not numbered:
        raise AnnotationError(f"annotation table {path} is empty")
    header = [name.strip() for name in numbered[0][1]]
    _check_header(header, path)
    problems = _Problems([])
    annotations: list[Annotation] = []
    stated: dict[str, dict[str, tuple[str, int]]] = {"class": {}, "image": {}}
    unused: collections.Counter[str] = collections.Counter()
    n_rows = 0
    for line, cells in numbered[1:]:
        if not any(cell.strip() for cell in cells):
            continue
        n_rows += 1
        if len(cells) != len(header):
            problems.rows.append(
                f"line {line}: {len(cells)} cells, but the header has {len(header)} columns"
                + _COMMA_HINT * (len(cells) > len(header))
            )
            continue
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
        annotation = _parse_row(row, line, problems, unused)
        if annotation is None:
            continue
        annotations.append(annotation)
        if is_image_name(row["source"]) and not row.get("image"):
            row["image"] = row["source"]
        for column, seen in stated.items():
            value = row.get(column, "")
            if column == "class":
                value = canonical_class(value)
            if value:
                first = seen.setdefault(annotation.source, (value, line))
                if first[0] != value:
                    problems.add(
                        line,
                        column,
                        value,
                        f"line {first[1]} says {first[0]!r} for the same source; give one",
                    )
    if problems.rows:
        n_bad = len({row.split(",")[0].split(":")[0] for row in problems.rows})
        raise AnnotationError(
            f"{n_bad} of {n_rows} rows of annotation table {path} cannot be used:", problems.rows
        )
    if not annotations:
        raise AnnotationError(f"annotation table {path} has a header but no rows")
    extra = [name for name in header if name not in COLUMNS]
    notices = []
    if extra:
        names_extra = ", ".join(_with_hint(name) for name in extra)
        notices.append(f"Further columns are kept, for --strata: {names_extra}.")
    for text_unused, count in sorted(unused.items()):
        notices.append(f"{text_unused} ({count} row{'s' if count > 1 else ''}).")
    names = {a.annotator for a in annotations}
    return AnnotationSet(
        annotations=tuple(annotations),
        classes={source: value for source, (value, _) in stated["class"].items()},
        images={source: value for source, (value, _) in stated["image"].items()},
        path=path,
        sha256=sha256,
        n_rows=n_rows,
        notices=tuple(notices),
        simulated=all(name.lower().startswith("simulated") for name in names),
        kind=(
            "true components of simulated sources, as three simulated annotators would mark them"
            if all(name.lower().startswith("simulated") for name in names)
            else "shapes drawn by annotators"
        ),
    )


def _check_header(header: Sequence[str], path: str) -> None:
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise AnnotationError(
            f"annotation table {path} lacks the column{'s' if len(missing) > 1 else ''} "
            f"{', '.join(missing)}; its header is {', '.join(header) or 'empty'}, and the columns are "
            f"{', '.join(COLUMNS)}"
            + (
                "; separate them by commas"
                if len(header) == 1 and set(header[0]) & {";", "\t"}
                else ""
            )
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        listed = ", ".join(name or "without a name" for name in twice)
        raise AnnotationError(
            f"annotation table {path} has the column {listed} twice; take one of them out"
        )


def _parse_row(
    row: Mapping[str, str],
    line: int,
    problems: _Problems,
    unused: collections.Counter[str],
) -> Annotation | None:
    before = len(problems.rows)
    for column in ("source", "annotator"):
        if not row[column]:
            problems.add(line, column, "", "must not be empty")
    if row["source"] and not source_id(row["source"]):
        problems.add(line, "source", row["source"], "a source id or an image file, not a folder")
    kind = _member(ShapeKind, row["shape"], line, "shape", problems)
    label = _member(Label, row["label"], line, "label", problems)
    frame = _member(Frame, row.get("frame", "") or "pixel", line, "frame", problems)
    weight = 1.0
    if row.get("weight"):
        weight = _number(row["weight"], line, "weight", problems)
        if math.isfinite(weight) and not 0 <= weight <= 1:
            problems.add(line, "weight", row["weight"], "a number from 0 to 1")
    if kind is None or label is None or frame is None:
        return None
    values: dict[str, float] = {}
    vertices: tuple[tuple[float, float], ...] = ()
    for column in _NEEDS[kind]:
        text = row.get(column, "")
        if column == "vertices":
            vertices = _vertices(text, kind, frame, line, problems)
        elif not text:
            problems.add(line, column, "", f"{_a(kind)} needs a number here")
        else:
            values[column] = _number(text, line, column, problems)
    if kind in _MAY_HAVE_ANGLE and row.get("angle"):
        values["angle"] = _number(row["angle"], line, "angle", problems)
    for column in ("width", "height", "radius"):
        if math.isfinite(values.get(column, math.nan)) and values[column] <= 0:
            problems.add(line, column, row[column], "a length above 0")
    if frame is Frame.ICRS:
        for column in ("x", "y"):
            if math.isfinite(values.get(column, math.nan)) and (
                wrong := _wrong_on_sky(column, values[column])
            ):
                problems.add(line, column, row[column], wrong)
    if len(problems.rows) > before:
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
    kind: type[_Choice], value: str, line: int, column: str, problems: _Problems
) -> _Choice | None:
    try:
        return kind(value.lower())
    except ValueError:
        problems.add(line, column, value, f"one of {', '.join(kind)}")
        return None


def _decimal(text: str) -> float:
    if "_" in text:  # which Python takes for 1_000, and a table would hold by mistake only
        raise ValueError(text)
    return float(text)


def _number(text: str, line: int, column: str, problems: _Problems) -> float:
    try:
        value = _decimal(text)
    except ValueError:
        hint = " with a point, not a comma" if "," in text else ""
        problems.add(line, column, text, f"a number{hint}")
        return math.nan
    if not math.isfinite(value):
        problems.add(line, column, text, "a finite number")
    return value


def _vertices(
    text: str, kind: ShapeKind, frame: Frame, line: int, problems: _Problems
) -> tuple[tuple[float, float], ...]:
    fewest = _FEWEST_VERTICES[kind]
    right = f'{fewest} or more different vertices as "x y; x y; ..."'
    points = []
    for part in text.strip().strip(";").split(";"):
        try:
            x, y = (_decimal(v) for v in part.split())
        except ValueError:
            hint = ", numbers with a point, not a comma" if "," in text else ""
            problems.add(line, "vertices", text, right + hint)
            return ()
        if not (math.isfinite(x) and math.isfinite(y)):
            problems.add(line, "vertices", text, "finite numbers")
            return ()
        wrong = _wrong_on_sky("x", x) or _wrong_on_sky("y", y) if frame is Frame.ICRS else ""
        if wrong:
            problems.add(line, "vertices", text, f"{wrong}, not {part.strip()!r}")
            return ()
        points.append((x, y))
    if len(set(points)) < fewest:
        problems.add(line, "vertices", text, right)
    return tuple(points)


def _wrong_on_sky(column: str, value: float) -> str:
    """What would be right, if the value is no right ascension (x) or declination (y)."""
    if column == "x":
        return "" if 0 <= value <= 360 else "right ascension in degrees, 0 to 360"
    return "" if -90 <= value <= 90 else "declination in degrees, -90 to 90"
