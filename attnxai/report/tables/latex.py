r"""Tables of results for papers: LaTeX with booktabs rules and columns that siunitx reads.

A table needs ``\usepackage{booktabs}`` and ``\usepackage{siunitx}`` (version 2 or 3) and nothing else. Numbers
are written plainly, with a hyphen for minus, a point and no separators of thousands, in ``S`` columns or in
``\num``: how they look (decimal sign, minus, rounding) stays with the paper's ``\sisetup``. What is missing is
``{--}``.

An interval is one cell, ``[\num{0.31}, \num{0.53}]``, beside its value, as papers print it; its ends have the
value's decimals. Two rules decide on digits:

- a value has as many decimals as give two significant digits of half its interval's width. Without an
  interval it has as many as the value with the fewest in its column, or two. ``digits`` sets all at once.
- a p-value has two decimals from 0.1 on and four below, which is the resolution of 10,000 draws; smaller
  ones are ``{$<\num{0.0001}$}``. So none is 0, and none of 0.05 or less is shown as more.

Names come from files and are escaped. Captions and labels are the author's: they are LaTeX, and refused where
they would break the table.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.errors import OptionError
from attnxai.report.tables.latex_text import check_caption, check_label, escape
from attnxai.statistics.formats import MOST_DECIMALS, decimals_of, format_p, rounded

if TYPE_CHECKING:
    from attnxai.statistics.interval import Interval

MISSING = "{--}"

_NUMBER = re.compile(r"-?(\d+)(?:\.(\d+))?")


class ColumnKind(enum.StrEnum):
    """How a column is set; the letter of LaTeX."""

    TEXT = "l"
    NUMBERS = "S"
    INTERVALS = "r"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    header : str
        LaTeX; names have to be escaped, see :func:`~attnxai.report.tables.latex_text.escape`.
    cells : tuple of str
        LaTeX, one a row. In a column of numbers what is no number stands in braces.
    kind : ColumnKind
        How it is set.
    """

    header: str
    cells: tuple[str, ...]
    kind: ColumnKind

    @property
    def specification(self) -> str:
        """The column in the argument of ``tabular``; columns of numbers are as wide as they need."""
        if self.kind is not ColumnKind.NUMBERS:
            return str(self.kind)
        numbers = [found for cell in self.cells if (found := _NUMBER.fullmatch(cell))]
        if not numbers:
            return "c"
        sign = "-" if any(number[0].startswith("-") for number in numbers) else ""
        whole = max(len(number[1]) for number in numbers)
        decimals = max(len(number[2] or "") for number in numbers)
        return f"S[table-format={sign}{whole}{f'.{decimals}' if decimals else ''}]"


def decimals_of_column(intervals: Sequence[Interval], digits: int | None = None) -> list[int]:
    """Decimals of each value of a column, by the rule of this module.

    Parameters
    ----------
    intervals : sequence of Interval
        Values with their intervals.
    digits : int, optional
        Decimals of all of them.

    Raises
    ------
    OptionError
        If ``digits`` is not between 0 and 9.
    """
    if digits is not None:
        return [checked_digits(digits)] * len(intervals)
    found = [decimals_of(interval) for interval in intervals]
    fewest = min((decimals for decimals in found if decimals is not None), default=2)
    return [fewest if decimals is None else decimals for decimals in found]


def checked_digits(digits: int) -> int:
    """Refuse numbers of decimals that a table cannot have.

    Raises
    ------
    OptionError
        If it is not between 0 and 9.
    """
    if not 0 <= digits <= MOST_DECIMALS:
        raise OptionError(
            f"digits are decimals of a table's numbers, from 0 to {MOST_DECIMALS}; got {digits}"
        )
    return digits


def plain_number(value: float | None, decimals: int) -> str:
    """A number as ``S`` columns read it; ``{--}`` where there is none.

    Examples
    --------
    >>> plain_number(-1234.5678, 2), plain_number(-0.0001, 2), plain_number(float("nan"), 2)
    ('-1234.57', '0.00', '{--}')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    return rounded(value, decimals)


def p_value_cell(p_value: float | None) -> str:
    r"""A p-value as a cell of an ``S`` column, with the digits of :func:`~attnxai.statistics.formats.format_p`.

    Examples
    --------
    >>> print(p_value_cell(0.4312), p_value_cell(0.0496), p_value_cell(1e-5), p_value_cell(None))
    0.43 0.0496 {$<\num{0.0001}$} {--}
    """
    if p_value is None or not math.isfinite(p_value):
        return MISSING
    sign, _, number = format_p(p_value).rpartition(" ")
    return rf"{{${sign}\num{{{number}}}$}}" if sign else number


def text_column(header: str, texts: Sequence[str]) -> Column:
    """A column of names, which are escaped."""
    return Column(header=header, cells=tuple(map(escape, texts)), kind=ColumnKind.TEXT)


def count_column(header: str, counts: Sequence[int | None]) -> Column:
    """A column of whole numbers."""
    cells = tuple(plain_number(count, 0) for count in counts)
    return Column(header=header, cells=cells, kind=ColumnKind.NUMBERS)


def number_column(header: str, values: Sequence[float | None], decimals: Sequence[int]) -> Column:
    """A column of numbers, each with its decimals."""
    cells = tuple(
        plain_number(value, places) for value, places in zip(values, decimals, strict=True)
    )
    return Column(header=header, cells=cells, kind=ColumnKind.NUMBERS)


def p_value_column(header: str, p_values: Sequence[float | None]) -> Column:
    """A column of p-values."""
    return Column(header=header, cells=tuple(map(p_value_cell, p_values)), kind=ColumnKind.NUMBERS)


def interval_columns(
    header: str, intervals: Sequence[Interval], *, digits: int | None = None
) -> tuple[Column, Column]:
    r"""A column of values and one of their intervals.

    Parameters
    ----------
    header : str
        Of the values, in LaTeX; that of the intervals names their level.
    intervals : sequence of Interval
        Values with their intervals, of one level.
    digits : int, optional
        Decimals; those that the intervals' widths call for when left out.

    Returns
    -------
    tuple of Column

    Examples
    --------
    >>> from attnxai.statistics.interval import Interval
    >>> made = [Interval(value=0.4237, low=0.3012, high=0.5461, n_units=40)]
    >>> for column in interval_columns("AUC", made):
    ...     print(column.header, *column.cells, column.specification)
    AUC 0.42 S[table-format=1.2]
    95\,\% interval [\num{0.30}, \num{0.55}] r
    """
    decimals = decimals_of_column(intervals, digits)
    cells = [
        rf"[\num{{{plain_number(interval.low, places)}}}, \num{{{plain_number(interval.high, places)}}}]"
        if interval.known
        else MISSING
        for interval, places in zip(intervals, decimals, strict=True)
    ]
    level = intervals[0].level if intervals else 0.95
    return (
        number_column(header, [interval.value for interval in intervals], decimals),
        Column(
            header=rf"{100 * level:g}\,\% interval",
            cells=tuple(cells),
            kind=ColumnKind.INTERVALS,
        ),
    )


def latex_table(
    columns: Sequence[Column],
    *,
    rules: Sequence[int] = (),
    caption: str | None = None,
    label: str | None = None,
) -> str:
    r"""A table with booktabs rules.

    Parameters
    ----------
    columns : sequence of Column
        With the same number of cells.
    rules : sequence of int
        Rows before which a further rule is drawn, such as between maps and baselines.
    caption : str, optional
        LaTeX. With a caption the ``tabular`` stands in a floating ``table``, the caption above it; without
        one it stands alone.
    label : str, optional
        For ``\ref``; needs a caption.

    Returns
    -------
    str
        Ends with a line break.

    Raises
    ------
    OptionError
        If the caption or the label would break the table, or there is a label and no caption.
    ValueError
        If there are no columns, or they differ in length.

    Examples
    --------
    >>> print(latex_table([text_column("Map", ["gate_1", "mean"]), count_column("$n$", [40, 8])]))
    % needs \usepackage{booktabs} and \usepackage{siunitx}
    \begin{tabular}{lS[table-format=2]}
      \toprule
      Map & {$n$} \\
      \midrule
      gate\_1 & 40 \\
      mean & 8 \\
      \bottomrule
    \end{tabular}
    <BLANKLINE>
    """
    lengths = {len(column.cells) for column in columns}
    if len(lengths) != 1:
        raise ValueError(f"a table needs columns of one length, got the lengths {sorted(lengths)}")
    heads = [
        f"{{{column.header}}}" if column.kind is ColumnKind.NUMBERS else column.header
        for column in columns
    ]
    lines = [rf"\begin{{tabular}}{{{''.join(column.specification for column in columns)}}}"]
    lines += [r"  \toprule", _row(heads), r"  \midrule"]
    for index, cells in enumerate(zip(*(column.cells for column in columns), strict=True)):
        if index in rules and index:
            lines.append(r"  \midrule")
        lines.append(_row(cells))
    lines += [r"  \bottomrule", r"\end{tabular}"]
    if caption is not None:
        check_caption(caption)
        above = [r"\begin{table}", r"\centering", rf"\caption{{{caption}}}"]
        if label is not None:
            check_label(label)
            above.append(rf"\label{{{label}}}")
        lines = [*above, *lines, r"\end{table}"]
    elif label is not None:
        raise OptionError(
            f"the label {label} needs a caption: without one there is no table number to refer to"
        )
    return "\n".join([r"% needs \usepackage{booktabs} and \usepackage{siunitx}", *lines]) + "\n"


def _row(cells: Sequence[str]) -> str:
    row = " & ".join(cells)
    # after a row's end LaTeX takes these for a length and for a star
    return f"  {'{}' if row.startswith(('[', '*')) else ''}{row} \\\\"
