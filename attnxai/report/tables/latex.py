r"""Tables for papers: LaTeX with booktabs rules and columns that siunitx reads.

A table needs ``\usepackage{booktabs}`` and ``\usepackage{siunitx}`` (version 2 or 3) and nothing else. Numbers
are written plainly, with a hyphen for minus, a point and no separators of thousands, in ``S`` columns or in
``\num``: how they look (decimal sign, minus, rounding) stays with the paper's ``\sisetup``. What is missing is
``{--}``. An interval is one cell, ``[\num{0.31}, \num{0.53}]``, beside its value, as papers print it.

Names come from files and are escaped. Captions and labels are the author's: they are LaTeX, and refused where
they would break the table.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Sequence

from attnxai.errors import OptionError
from attnxai.report.tables.latex_text import check_caption, check_label, escape
from attnxai.report.tables.table import Column, Kind, Limit, Table
from attnxai.statistics.formats import format_p, rounded
from attnxai.statistics.interval import Interval

MISSING = "{--}"

_NUMBER = re.compile(r"-?(\d+)(?:\.(\d+))?")


def render_latex(table: Table, *, caption: str | None = None, label: str | None = None) -> str:
    r"""Write a table as LaTeX."""
    columns = [written for column in table.columns for written in _written(column)]
    lines = [rf"\begin{{tabular}}{{{''.join(column.specification for column in columns)}}}"]
    lines += [r"  \toprule", _row([column.head for column in columns]), r"  \midrule"]
    for index in range(table.n_rows):
        if index in table.rules and index:
            lines.append(r"  \midrule")
        lines.append(_row([column.cells[index] for column in columns]))
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """A column in LaTeX; in an ``S`` column what is no number stands in braces."""

    heading: str
    cells: tuple[str, ...]
    letter: str = "S"

    @property
    def head(self) -> str:
        return f"{{{self.heading}}}" if self.letter == "S" else self.heading

    @property
    def specification(self) -> str:
        """The column in the argument of ``tabular``; columns of numbers are as wide as they need."""
        if self.letter != "S":
            return self.letter
        found = [match for cell in self.cells if (match := _NUMBER.fullmatch(cell))]
        if not found:
            return "c"
        sign = "-" if any(number[0].startswith("-") for number in found) else ""
        whole = max(len(number[1]) for number in found)
        decimals = max(len(number[2] or "") for number in found)
        return f"S[table-format={sign}{whole}{f'.{decimals}' if decimals else ''}]"


def _written(column: Column) -> Iterator[_Written]:
    """The LaTeX columns that a column becomes: two for values with intervals."""
    heading = re.sub(r"^p\b", "$p$", escape(column.heading))
    match column.kind:
        case Kind.TEXT:
            cells = [cell if isinstance(cell, str) else ", ".join(cell) for cell in column.cells]
            yield _Written(heading=heading, cells=tuple(map(escape, cells)), letter="l")
        case Kind.COUNT:
            yield _Written(heading=heading, cells=tuple(map(_count, column.cells)))
        case Kind.P_VALUE:
            yield _Written(heading=heading, cells=tuple(map(_p_value, column.cells)))
        case Kind.NUMBER:
            pairs = list(zip(column.cells, column.decimals, strict=True))
            yield _Written(heading=heading, cells=tuple(_number(*pair) for pair in pairs))
        case Kind.INTERVAL:
            pairs = list(zip(column.cells, column.decimals, strict=True))
            values = tuple(_number(interval.value, places) for interval, places in pairs)
            yield _Written(heading=heading, cells=values)
            yield _Written(
                heading=escape(column.interval_heading),
                cells=tuple(_ends(*pair) for pair in pairs),
                letter="r",
            )


def _number(value: float | None, decimals: int) -> str:
    return MISSING if value is None or not math.isfinite(value) else rounded(value, decimals)


def _count(count: int | Limit | None) -> str:
    if isinstance(count, Limit):
        return rf"{{{escape(count.sign) if count.sign != '>' else '$>$'}\num{{{count.count}}}}}"
    return MISSING if count is None else str(count)


def _ends(interval: Interval, decimals: int) -> str:
    if not interval.known:
        return MISSING
    low, high = (rounded(end, decimals) for end in (interval.low, interval.high))
    return rf"[\num{{{low}}}, \num{{{high}}}]"


def _p_value(p_value: float | None) -> str:
    if p_value is None or not math.isfinite(p_value):
        return MISSING
    sign, _, number = format_p(p_value).rpartition(" ")
    return rf"{{${sign}\num{{{number}}}$}}" if sign else number


def _row(cells: Sequence[str]) -> str:
    row = " & ".join(cells)
    # after a row's end LaTeX takes these for a length and for a star
    return f"  {'{}' if row.startswith(('[', '*')) else ''}{row} \\\\"
