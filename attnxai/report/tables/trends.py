"""The table of a trend test."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from attnxai.report.tables.latex import (
    count_column,
    decimals_of_column,
    interval_columns,
    latex_table,
    number_column,
    p_value_column,
    text_column,
)
from attnxai.statistics.interval import Interval

if TYPE_CHECKING:
    from attnxai.agreement.model_comparison.trend import TrendTest


def trend_latex(
    test: TrendTest,
    *,
    digits: int | None = None,
    caption: str | None = None,
    label: str | None = None,
) -> str:
    """Table of one row: the statistic, and what it is without a trend.

    Parameters
    ----------
    test : TrendTest
        The test.
    digits : int, optional
        Decimals of the statistic; those that the width of its null distribution calls for when left out.
    caption, label : str, optional
        See :func:`~attnxai.report.tables.latex.latex_table`.
    """
    without = [
        Interval(
            value=test.expected,
            low=test.null_low,
            high=test.null_high,
            n_units=test.n_blocks,
            unit="repeat",
        )
    ]
    decimals = decimals_of_column(without, digits)
    expected, spread = interval_columns("Without a trend", without, digits=digits)
    columns = [
        text_column("Statistic", [test.statistic]),
        number_column("Value", [test.value], decimals),
        expected,
        dataclasses.replace(spread, header=r"its central 95\,\%"),
        p_value_column("$p$", [test.p_value]),
        count_column("Conditions", [test.n_conditions]),
        count_column("Repeats", [test.n_blocks]),
    ]
    return latex_table(columns, caption=caption, label=label)
