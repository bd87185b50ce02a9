"""Annotations of the same hundred fields by three radio astronomers, from the Radio Galaxy Zoo analysis.

Each expert saw fields of 3 arcmin and decided which radio contours belong to one source and where its host
galaxy is. The boxes around contours were made by machine, so two experts who chose the same component have the
same numbers.

Boxes are given on a grid of 132 x 132 and hosts on one of 424 x 424 positions, counted from 1, over the same
field; the origin is the top left corner, with north up and east left.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence

from attnxai.data.csv_table import Faults, decimal, parse_csv, parse_rows
from attnxai.errors import AnnotationError

COLUMNS = ("expert", "first_id", "cls_idx", "comp_idx", "kind", "a", "b", "c", "d")
RADIO_GRID = 132
HOST_GRID = 424
FIELD_ARCSEC = 180.0
NO_HOST = -99.0
# boxes of one contour are equal to all digits that the file has
_DIGITS = 6
_LONGEST_INDEX = 9


class RowKind(enum.StrEnum):
    """What a row of the sample holds."""

    BOX = "RADIO"
    HOST = "IR"
    NOTHING = "NONE:"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExpertRow:
    """One row of the sample.

    ``look`` counts an expert's looks at a field, of which the last one is used; rows with one ``number`` are
    one source. ``values`` are xmin, xmax, ymin and ymax of a box on the grid of 132 x 132, or x and y of a
    host on the grid of 424 x 424; they are empty where no host or no source was seen.
    """

    line: int
    expert: str
    field: str
    look: int
    number: int
    kind: RowKind
    values: tuple[float, ...]


def last_looks(rows: Sequence[ExpertRow]) -> dict[tuple[str, str], list[ExpertRow]]:
    """Rows of each expert's last look at each field, by expert and field."""
    last: dict[tuple[str, str], int] = {}
    for row in rows:
        key = row.expert, row.field
        last[key] = max(row.look, last.get(key, row.look))
    found: dict[tuple[str, str], list[ExpertRow]] = {key: [] for key in last}
    for row in rows:
        if row.look == last[row.expert, row.field]:
            found[row.expert, row.field].append(row)
    return found


def parse_expert_sample(text: str, *, path: str = "") -> list[ExpertRow]:
    """Parse the experts' annotations, a CSV table with one row per box or host.

    Columns are ``expert``, ``first_id`` (the field), ``cls_idx`` (look), ``comp_idx`` (number), ``kind`` and
    ``a`` to ``d``: xmin, xmax, ymin and ymax of a ``RADIO`` row, x and y of an ``IR`` row (-99 for no host),
    nothing for a row whose kind begins with ``NONE:`` (no source seen).
    """
    what = f"expert sample {path}"
    header, numbered = parse_csv(text, what, AnnotationError)
    if missing := [name for name in COLUMNS if name not in header]:
        raise AnnotationError(
            f"{what} lacks the columns {', '.join(missing)}; it needs {', '.join(COLUMNS)}"
        )
    rows = parse_rows(header, numbered, what, AnnotationError, _row)
    faults = Faults()
    for looked in last_looks(rows).values():
        with_box = {row.number for row in looked if row.kind is RowKind.BOX}
        for row in looked:
            if row.kind is RowKind.HOST and row.number not in with_box:
                faults.add_row(
                    row.line,
                    ": a host without radio components; add the RADIO rows of its source, or remove it",
                )
    if faults:
        raise faults.error(AnnotationError, f"{what} cannot be used:")
    return rows


def _row(row: Mapping[str, str], line: int, faults: Faults) -> ExpertRow | None:
    """A row, or None and a fault."""
    if not row["expert"] or not row["first_id"]:
        column = "first_id" if row["expert"] else "expert"
        faults.add(line, column, "", "a name")
        return None
    for name in ("cls_idx", "comp_idx"):
        if not row[name].isdecimal() or len(row[name]) > _LONGEST_INDEX:
            faults.add(line, name, row[name], "a whole number")
            return None
    kind = next((kind for kind in RowKind if row["kind"] == kind), None)
    if row["kind"].startswith(RowKind.NOTHING):
        kind = RowKind.NOTHING
    if kind is None:
        faults.add(line, "kind", row["kind"], "RADIO, IR or NONE:...")
        return None
    values = []
    for name in {RowKind.BOX: "abcd", RowKind.HOST: "ab", RowKind.NOTHING: ""}[kind]:
        try:
            values.append(round(decimal(row[name]), _DIGITS))
        except (ValueError, OverflowError):
            faults.add(line, name, row[name], "a number")
            return None
    grid = RADIO_GRID if kind is RowKind.BOX else HOST_GRID
    inside = all(1 <= value <= grid for value in values)
    if kind is RowKind.BOX and not (inside and values[0] <= values[1] and values[2] <= values[3]):
        right = f"xmin <= xmax and ymin <= ymax, all from 1 to {RADIO_GRID}"
        faults.add_row(line, f": the box {values} does not have {right}")
        return None
    if kind is RowKind.HOST and values == [NO_HOST, NO_HOST]:
        values = []
    elif kind is RowKind.HOST and not inside:
        right = f"x and y from 1 to {HOST_GRID}, or {NO_HOST:g} for no host"
        faults.add_row(line, f": the host {values} does not have {right}")
        return None
    return ExpertRow(
        line=line,
        expert=row["expert"],
        field=row["first_id"],
        look=int(row["cls_idx"]),
        number=int(row["comp_idx"]),
        kind=kind,
        values=tuple(values),
    )
