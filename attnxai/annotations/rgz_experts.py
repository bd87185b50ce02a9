"""Three radio astronomers' markings of the same hundred fields, as the Radio Galaxy Zoo analysis has them.

Each expert saw fields of 3 arcmin and said which radio contours belong to one source and where its host
galaxy is. The contours' boxes were made by machine, so that two experts who mean the same component
give the same numbers; which boxes were put together, and where the host was seen, is human.

Boxes are given on a grid of 132 x 132 and hosts on one of 424 x 424 positions, counted from 1, over the same
field; the origin is the top left corner, with north up and east left.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.csv_table import Faults, decimal, decode_csv, parse_csv
from attnxai.data.short_repr import short_repr
from attnxai.errors import AnnotationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

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

    Parameters
    ----------
    line : int
        Where it stands.
    expert, field : str
        Who looked at what.
    look : int
        Counts an expert's looks at a field, of which the last one counts.
    number : int
        Rows with one number are one source.
    kind : RowKind
        What it holds.
    values : tuple of float
        xmin, xmax, ymin and ymax of a box on the grid of 132 x 132, or x and y of a host on the grid of
        424 x 424; empty where no host or no source was seen.
    """

    line: int
    expert: str
    field: str
    look: int
    number: int
    kind: RowKind
    values: tuple[float, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MarkedSource:
    """One source as one expert marked it.

    Parameters
    ----------
    boxes : tuple of (float, float, float, float)
        xmin, xmax, ymin and ymax of its radio components, on the grid of 132 x 132.
    hosts : tuple of (float, float)
        Clicks on its host, on the grid of 424 x 424; empty when no host was seen.
    """

    boxes: tuple[tuple[float, float, float, float], ...]
    hosts: tuple[tuple[float, float], ...]

    def distance_to_centre(self) -> float:
        """Distance of the nearest box centre from the centre of the field, in arcsec."""
        centre = (RADIO_GRID + 1) / 2
        return min(
            math.hypot((xmin + xmax) / 2 - centre, (ymin + ymax) / 2 - centre)
            for xmin, xmax, ymin, ymax in self.boxes
        ) * (FIELD_ARCSEC / RADIO_GRID)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ExpertSample:
    """What several experts marked on the same fields.

    Parameters
    ----------
    rows : tuple of ExpertRow
        All rows.
    """

    rows: tuple[ExpertRow, ...]

    __repr__ = short_repr

    @functools.cached_property
    def last_looks(self) -> Mapping[tuple[str, str], tuple[ExpertRow, ...]]:
        """Rows of each expert's last look at each field, by expert and field."""
        last: dict[tuple[str, str], int] = {}
        for row in self.rows:
            key = row.expert, row.field
            last[key] = max(row.look, last.get(key, row.look))
        found: dict[tuple[str, str], list[ExpertRow]] = {key: [] for key in last}
        for row in self.rows:
            if row.look == last[row.expert, row.field]:
                found[row.expert, row.field].append(row)
        return {key: tuple(rows) for key, rows in found.items()}

    @functools.cached_property
    def markings(self) -> Mapping[tuple[str, str], tuple[MarkedSource, ...]]:
        """Sources by expert and field.

        An empty tuple where the expert saw no source, no entry where the expert did not look.
        """
        return {key: _marked_sources(rows) for key, rows in self.last_looks.items()}

    @property
    def experts(self) -> tuple[str, ...]:
        """Experts in alphabetical order."""
        return tuple(sorted({expert for expert, _ in self.markings}))

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields in alphabetical order."""
        return tuple(sorted({field for _, field in self.markings}))

    def present(self) -> NDArray[np.bool_]:
        """Who looked at which field, shape (n_experts, n_fields)."""
        return np.array([[(e, f) in self.markings for f in self.fields] for e in self.experts])

    def central(self, expert: str, field: str) -> MarkedSource | None:
        """The source with the component nearest to the centre; None when there is none."""
        sources = self.markings.get((expert, field), ())
        return min(sources, key=MarkedSource.distance_to_centre) if sources else None

    def numbers(self) -> dict[str, NDArray[np.float64]]:
        """Plain numbers of each expert and field, shape (n_experts, n_fields) each.

        Returns
        -------
        dict of str to ndarray
            ``sources`` and ``components`` in the field; of the central source ``central components``,
            ``host seen`` (1 or 0), and ``host x`` and ``host y``, the first click's place from the centre
            of the field in arcsec, right and down. NaN where the expert did not look or there is none.
        """
        names = ("sources", "components", "central components", "host seen", "host x", "host y")
        found = {name: np.full((len(self.experts), len(self.fields)), np.nan) for name in names}
        scale, middle = FIELD_ARCSEC / HOST_GRID, (HOST_GRID + 1) / 2
        for (row, expert), (column, field) in itertools.product(
            enumerate(self.experts), enumerate(self.fields)
        ):
            sources = self.markings.get((expert, field))
            if sources is None:
                continue
            found["sources"][row, column] = len(sources)
            found["components"][row, column] = len({box for s in sources for box in s.boxes})
            central = self.central(expert, field)
            if central is None:
                continue
            found["central components"][row, column] = len(central.boxes)
            found["host seen"][row, column] = bool(central.hosts)
            if central.hosts:
                found["host x"][row, column] = (central.hosts[0][0] - middle) * scale
                found["host y"][row, column] = (central.hosts[0][1] - middle) * scale
        return found

    def masks(self) -> NDArray[np.bool_]:
        """Pixels inside the boxes of the central source, shape (n_experts, n_fields, 132, 132)."""
        shape = (len(self.experts), len(self.fields), RADIO_GRID, RADIO_GRID)
        masks = np.zeros(shape, dtype=bool)
        position = np.arange(1, RADIO_GRID + 1)
        for row, expert in enumerate(self.experts):
            for column, field in enumerate(self.fields):
                central = self.central(expert, field)
                for xmin, xmax, ymin, ymax in central.boxes if central else ():
                    in_x = (position >= xmin) & (position <= xmax)
                    in_y = (position >= ymin) & (position <= ymax)
                    masks[row, column] |= in_y[:, None] & in_x
        return masks

    def pair_ratings(self) -> tuple[NDArray[np.float64], tuple[str, ...]]:
        """Whether each expert put two components of a field into one source.

        Units are all pairs of the boxes that any expert used in the field.

        Returns
        -------
        ndarray, shape (n_experts, n_pairs)
            1 for together, 0 for apart or not used, NaN where the expert did not look.
        tuple of str
            Field of each pair; pairs of one field are no independent units.
        """
        ratings, of_pair = [], []
        for field in self.fields:
            groups = {
                expert: [set(source.boxes) for source in self.markings[expert, field]]
                for expert in self.experts
                if (expert, field) in self.markings
            }
            boxes = sorted(set().union(*(box for sets in groups.values() for box in sets)))
            for pair in itertools.combinations(boxes, 2):
                ratings.append(
                    [
                        float(any(set(pair) <= together for together in groups[expert]))
                        if expert in groups
                        else np.nan
                        for expert in self.experts
                    ]
                )
                of_pair.append(field)
        return np.array(ratings).reshape(-1, len(self.experts)).T, tuple(of_pair)


def read_expert_sample(path: str | Path) -> ExpertSample:
    """Read the experts' markings.

    Parameters
    ----------
    path : path
        See :func:`parse_expert_sample`.

    Raises
    ------
    AnnotationError
        If the file is missing, or as there.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise AnnotationError(f"expert sample {path} cannot be read: {error.strerror}") from error
    text = decode_csv(content, f"expert sample {path}", AnnotationError)
    return parse_expert_sample(text, path=str(path))


def parse_expert_sample(text: str, *, path: str = "") -> ExpertSample:
    """Parse the experts' markings.

    Parameters
    ----------
    text : str
        A CSV table with the columns ``expert``, ``first_id``, ``cls_idx``, ``comp_idx``, ``kind`` and
        ``a`` to ``d``: xmin, xmax, ymin and ymax of a ``RADIO`` row, x and y of an ``IR`` row (-99 for no
        host), nothing for a row whose kind begins with ``NONE:`` (no source seen). ``cls_idx`` counts an
        expert's looks at a field, of which the last one is used; rows with one ``comp_idx`` are one source.
    path : str
        What to call the file in errors.

    Returns
    -------
    ExpertSample

    Raises
    ------
    AnnotationError
        If it is no such table, or listing its bad rows with line, what they hold and what would be right.
    """
    header, numbered = parse_csv(text, f"expert sample {path}", AnnotationError)
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise AnnotationError(
            f"expert sample {path} lacks the columns {', '.join(missing)}; it needs {', '.join(COLUMNS)}"
        )
    faults, rows = Faults(), []
    for line, cells in numbered:
        if len(cells) != len(header):
            faults.add_row(line, ": it has more or fewer cells than the header")
        elif row := _row(dict(zip(header, cells, strict=True)), line, faults):
            rows.append(row)
    sample = ExpertSample(rows=tuple(rows))
    for looked in sample.last_looks.values():
        with_box = {row.number for row in looked if row.kind is RowKind.BOX}
        for row in looked:
            if row.kind is RowKind.HOST and row.number not in with_box:
                faults.add_row(
                    row.line, ": a host without radio components - a RADIO row beside it"
                )
    if faults:
        raise AnnotationError(f"expert sample {path} cannot be used:", faults.lines())
    if not rows:
        raise AnnotationError(f"expert sample {path} has a header but no rows")
    return sample


def _marked_sources(rows: Sequence[ExpertRow]) -> tuple[MarkedSource, ...]:
    """The sources of one expert's look at one field."""
    boxes: dict[int, list[tuple[float, float, float, float]]] = {}
    hosts: dict[int, list[tuple[float, float]]] = {}
    for row in rows:
        if row.kind is RowKind.BOX:
            xmin, xmax, ymin, ymax = row.values
            boxes.setdefault(row.number, []).append((xmin, xmax, ymin, ymax))
        elif row.values:
            x, y = row.values
            hosts.setdefault(row.number, []).append((x, y))
    return tuple(
        MarkedSource(boxes=tuple(dict.fromkeys(boxes[n])), hosts=tuple(hosts.get(n, ())))
        for n in sorted(boxes)
    )


def _row(row: Mapping[str, str], line: int, faults: Faults) -> ExpertRow | None:
    """A row, or None and a fault."""
    if not row["expert"] or not row["first_id"]:
        faults.add_row(line, ": expert and first_id have to be given")
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
        right = f"xmin <= xmax and ymin <= ymax from 1 to {RADIO_GRID}"
        faults.add_row(line, f": box {values} - {right}")
        return None
    if kind is RowKind.HOST and values == [NO_HOST, NO_HOST]:
        values = []
    elif kind is RowKind.HOST and not inside:
        right = f"from 1 to {HOST_GRID}, or {NO_HOST:g} for none"
        faults.add_row(line, f": host {values} - {right}")
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
