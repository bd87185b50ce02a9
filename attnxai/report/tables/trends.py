"""The table of a trend test."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
