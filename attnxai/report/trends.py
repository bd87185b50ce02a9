"""A trend test as a table and on one axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnxai.report.style import CHANCE_COLOUR, MODEL_COLOUR, NULL_COLOUR, new_axes
from attnxai.report.tables.table import (
    Table,
    count_column,
    interval_column,
    number_column,
    p_value_column,
    text_column,
)
from attnxai.statistics.interval import Interval

if TYPE_CHECKING:
    from attnxai.agreement.model_comparison.trend import TrendTest


def trend_table(test: TrendTest, *, digits: int | None = None) -> Table:
    """One row: the statistic, what it is without a trend, and the p-value."""
    null = Interval(
        value=test.expected,
        low=test.null_low,
        high=test.null_high,
        n_units=test.n_blocks,
        unit="repeat",
    )
    without = interval_column(
        "Without a trend",
        [null],
        digits=digits,
        interval_heading="Central 95\N{NARROW NO-BREAK SPACE}%",
    )
    return Table(
        columns=(
            text_column("Statistic", [test.statistic]),
            number_column("Value", [test.value], without.decimals),
            without,
            p_value_column("p", [test.p_value]),
            count_column("Conditions", [test.n_conditions]),
            count_column("Repeats", [test.n_blocks]),
        )
    )


def plot_trend_test(test: TrendTest, *, ax: Any = None) -> Any:
    """Draw a statistic, and as a grey bar the central 95 % of what it is without a trend."""
    ax = new_axes(ax)
    ends = [test.null_low, test.null_high]
    ax.plot(ends, [0, 0], color=NULL_COLOUR, lw=7, solid_capstyle="butt", zorder=1)
    ax.axvline(test.expected, color=CHANCE_COLOUR, lw=0.6, zorder=0)
    ax.plot([test.value], [0], marker="o", color=MODEL_COLOUR, ms=5, ls="", zorder=4)
    ax.set_ylim(0.6, -0.6)
    ax.set_yticks([])
    ax.set_xlabel(test.statistic)
    return ax
