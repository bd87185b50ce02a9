"""A table with typed columns: what its cells are, not how they look.

Renderers write the same table as LaTeX (:mod:`~.latex`), Markdown, HTML and for a terminal (:mod:`~.text`). All of
them take digits from one rule (:mod:`attnxai.statistics.formats`).
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from attnxai.errors import OptionError
from attnxai.report.wording import are_weighted
from attnxai.statistics.formats import MOST_DECIMALS, decimals_of_half, decimals_together
from attnxai.statistics.interval import CONFIDENCE_LEVEL, Interval


class Kind(enum.StrEnum):
    """What the cells of a column are."""

    TEXT = "text"
    """A line of text, or several below each other: a string, or a tuple of :data:`Line`."""
    COUNT = "count"
    """A whole number, :class:`Limit` or None."""
    NUMBER = "number"
    """A number or None, with the decimals of the column."""
    INTERVAL = "interval"
    """An :class:`~attnxai.statistics.interval.Interval`: a value with its ends."""
    P_VALUE = "p-value"
    """A p-value or None."""


class Tone(enum.StrEnum):
    """How a piece of text is meant; colours are never the only sign of it."""

    PLAIN = "plain"
    WARNING = "warning"
    NOTE = "note"


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a line, with its tone."""

    text: str
    tone: Tone = Tone.PLAIN


Line: TypeAlias = str | tuple[str | Piece, ...]
"""A line of a cell: plain text, or pieces."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A count that is known on one side: ``>`` or ``≤`` a number."""

    sign: str
    count: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table."""

    heading: str
    kind: Kind
    cells: tuple[Any, ...]
    decimals: tuple[int, ...] = ()
    interval_heading: str = ""
    to_the_right: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns of one length."""

    columns: tuple[Column, ...]
    title: str = ""
    note: str = ""
    rules: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(column.cells) for column in self.columns}
        if len(lengths) != 1:
            raise ValueError(
                f"a table needs columns of one length, got the lengths {sorted(lengths)}"
            )

    @property
    def n_rows(self) -> int:
        """Rows without the head."""
        return len(self.columns[0].cells)


def text_column(
    heading: str, texts: Sequence[str | tuple[Line, ...]], *, to_the_right: bool = False
) -> Column:
    """A column of names, or of cells with several lines."""
    return Column(heading=heading, kind=Kind.TEXT, cells=tuple(texts), to_the_right=to_the_right)


def text_table(
    left: Mapping[str, Sequence[str | tuple[Line, ...]]],
    right: Mapping[str, Sequence[str | tuple[Line, ...]]],
    **options: Any,
) -> Table:
    """A table of text: names by their headings, then what is aligned to the right, as numbers are."""
    columns = [text_column(heading, cells) for heading, cells in left.items()]
    columns += [text_column(h, cells, to_the_right=True) for h, cells in right.items()]
    return Table(columns=tuple(columns), **options)


def count_column(heading: str, counts: Sequence[int | Limit | None]) -> Column:
    """A column of whole numbers."""
    return Column(heading=heading, kind=Kind.COUNT, cells=tuple(counts))


def sources_columns(intervals: Sequence[Interval]) -> list[Column]:
    """Numbers of sources, and their effective numbers where they are weighted."""
    columns = [count_column("Sources", [interval.n_units for interval in intervals])]
    if are_weighted(intervals):
        effective = [interval.n_effective for interval in intervals]
        columns.append(number_column("Effective number", effective, 1))
    return columns


def weighted_heading(intervals: Sequence[Interval]) -> str:
    """What follows the heading of values that are weighted means; empty for others."""
    return ", weighted" if are_weighted(intervals) else ""


def number_column(
    heading: str, values: Sequence[float | None], decimals: Sequence[int] | int
) -> Column:
    """A column of numbers, each with its decimals or all with the same."""
    every = [decimals] * len(values) if isinstance(decimals, int) else decimals
    return Column(heading=heading, kind=Kind.NUMBER, cells=tuple(values), decimals=tuple(every))


def half_width_column(
    heading: str, widths: Sequence[float], *, digits: int | None = None
) -> Column:
    """A column of half-widths of intervals, with two significant digits each."""
    decimals = [decimals_of_half(width) if digits is None else digits for width in widths]
    return number_column(heading, widths, decimals)


def interval_column(
    heading: str,
    intervals: Sequence[Interval],
    *,
    digits: int | None = None,
    interval_heading: str = "",
) -> Column:
    """A column of values with their intervals."""
    level = intervals[0].level if intervals else CONFIDENCE_LEVEL
    return Column(
        heading=heading,
        kind=Kind.INTERVAL,
        cells=tuple(intervals),
        decimals=tuple(interval_decimals(intervals, digits)),
        interval_heading=interval_heading or f"{100 * level:g}\N{NARROW NO-BREAK SPACE}% interval",
    )


def p_value_column(heading: str, p_values: Sequence[float | None]) -> Column:
    """A column of p-values."""
    return Column(heading=heading, kind=Kind.P_VALUE, cells=tuple(p_values))


def interval_decimals(intervals: Sequence[Interval], digits: int | None = None) -> list[int]:
    """Decimals of each value of a column: ``digits``, or by :func:`~attnxai.statistics.formats.decimals_together`."""
    if digits is not None:
        return [checked_digits(digits)] * len(intervals)
    return decimals_together(intervals)


def checked_digits(digits: int) -> int:
    """Refuse numbers of decimals that a table cannot have."""
    if not 0 <= digits <= MOST_DECIMALS:
        raise OptionError(
            f"digits are decimals of a table's numbers, from 0 to {MOST_DECIMALS}; got {digits}"
        )
    return digits
