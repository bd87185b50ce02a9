"""Differences and trends as tables and figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from attnxai.agreement.intervals.over_sources import Interval
from attnxai.agreement.latex import (
    Column,
    count_column,
    decimals_of_column,
    interval_columns,
    number_column,
    p_value_column,
    text_column,
)
from attnxai.agreement.latex_text import escape
from attnxai.agreement.multiplicity import Correction

if TYPE_CHECKING:
    from attnxai.agreement.model_comparison.contrast import Contrast
    from attnxai.agreement.model_comparison.group_trend import GroupTrend
    from attnxai.agreement.model_comparison.trend import TrendTest

SECOND_COLOUR = "#D55E00"
CORRECTION_WORDS = {
    Correction.HOLM: "Holm",
    Correction.BH: "Benjamini--Hochberg",
    Correction.MAX_T: "max-$T$",
}


def correction_of_others(correction: Correction) -> Correction:
    """How p-values about other annotators are adjusted: there are no draws behind them that max-T needs.

    Examples
    --------
    >>> str(correction_of_others(Correction.MAX_T)), str(correction_of_others(Correction.NONE))
    ('holm', 'none')
    """
    return Correction.HOLM if correction is Correction.MAX_T else correction


def contrast_columns(
    contrasts: Sequence[Contrast],
    names: Sequence[tuple[str, str]],
    *,
    correction: Correction,
    digits: int | None = None,
) -> list[Column]:
    """Columns of a LaTeX table with a row a contrast.

    Where several annotators marked, a column holds the adjusted p-values about other annotators too.

    Parameters
    ----------
    contrasts : sequence of Contrast
        The rows.
    names : sequence of (str, str)
        What to call both sides of each.
    correction : Correction
        How p-values were adjusted; without any there is no column for adjusted ones.
    digits : int, optional
        Decimals of differences; those that the intervals' widths call for when left out.
    """
    intervals = [contrast.interval for contrast in contrasts]
    columns = [
        text_column("First", [first for first, _ in names]),
        text_column("Second", [second for _, second in names]),
        *interval_columns("Difference", intervals, digits=digits),
        p_value_column("$p$", [contrast.p_value for contrast in contrasts]),
    ]
    if correction is not Correction.NONE:
        adjusted = [contrast.p_adjusted for contrast in contrasts]
        columns.append(p_value_column(f"$p$ ({CORRECTION_WORDS[correction]})", adjusted))
    if any(contrast.difference_others is not None for contrast in contrasts):
        about_others = [contrast.p_others_adjusted for contrast in contrasts]
        by = correction_of_others(correction)
        words = "others" if by is Correction.NONE else f"others, {CORRECTION_WORDS[by]}"
        columns.append(p_value_column(f"$p$ ({words})", about_others))
    return [*columns, count_column("Sources", [contrast.n_sources for contrast in contrasts])]


def plot_contrasts(contrasts: Sequence[Contrast], names: Sequence[str], *, ax: Any = None) -> Any:
    """Draw differences with their intervals, a row a contrast, and a line at zero.

    Parameters
    ----------
    contrasts : sequence of Contrast
        From top to bottom.
    names : sequence of str
        What to call each.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes
    """
    from attnxai.agreement.plots import MODEL_COLOUR

    ax = new_axes(ax)
    ax.axvline(0.0, color="#999999", lw=0.6, zorder=0)
    for row, contrast in enumerate(contrasts):
        interval = contrast.interval
        if interval.known:
            ax.plot([interval.low, interval.high], [row, row], color=MODEL_COLOUR, lw=1.3, zorder=3)
        ax.plot(
            [interval.value],
            [row],
            marker="o",
            color=MODEL_COLOUR,
            markerfacecolor=MODEL_COLOUR if contrast.found else "white",
            ms=5,
            ls="",
            zorder=4,
        )
    ax.set_ylim(len(contrasts) - 0.4, -0.6)
    ax.set_yticks(range(len(contrasts)), list(names))
    ax.set_xlabel("difference")
    return ax


def trend_columns(tests: Sequence[TrendTest], *, digits: int | None = None) -> list[Column]:
    """Columns of a LaTeX table with a row a test.

    Parameters
    ----------
    tests : sequence of TrendTest
        The rows.
    digits : int, optional
        Decimals of the statistics; those that the widths of their null distributions call for when left out.
    """
    without = [
        Interval(
            value=test.expected, low=test.null_low, high=test.null_high, n_sources=test.n_blocks
        )
        for test in tests
    ]
    decimals = decimals_of_column(without, digits)
    expected, spread = interval_columns("Without a trend", without, digits=digits)
    return [
        text_column("Statistic", [test.statistic for test in tests]),
        number_column("Value", [test.value for test in tests], decimals),
        expected,
        dataclasses.replace(spread, header=r"its central 95\,\%"),
        p_value_column("$p$", [test.p_value for test in tests]),
        count_column("Conditions", [test.n_conditions for test in tests]),
        count_column("Repeats", [test.n_blocks for test in tests]),
    ]


def group_trend_columns(trends: Sequence[GroupTrend], *, digits: int | None = None) -> list[Column]:
    """Columns of a LaTeX table with a row a series of groups.

    Parameters
    ----------
    trends : sequence of GroupTrend
        The rows.
    digits : int, optional
        Decimals of slopes; those that the intervals' widths call for when left out.
    """
    return [
        text_column("Groups", [", ".join(trend.groups) for trend in trends]),
        *interval_columns("Slope", [trend.slope for trend in trends], digits=digits),
        number_column(
            escape("Page's") + " $L$",
            [trend.page.value for trend in trends],
            [0 if trend.page.value.is_integer() else 1 for trend in trends],
        ),
        p_value_column("$p$", [trend.page.p_value for trend in trends]),
        p_value_column("$p$ (Holm)", [trend.p_adjusted for trend in trends]),
        count_column("Seeds", [len(trend.seeds) for trend in trends]),
        count_column("Sources", [trend.n_sources for trend in trends]),
    ]


def plot_trend_test(test: TrendTest, *, ax: Any = None) -> Any:
    """Draw a statistic, and as a grey bar the central 95 % of what it is without a trend.

    Parameters
    ----------
    test : TrendTest
        What to draw.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes
    """
    from attnxai.agreement.plots import MODEL_COLOUR, NULL_COLOUR

    ax = new_axes(ax)
    ends = [test.null_low, test.null_high]
    ax.plot(ends, [0, 0], color=NULL_COLOUR, lw=7, solid_capstyle="butt", zorder=1)
    ax.axvline(test.expected, color="#999999", lw=0.6, zorder=0)
    ax.plot([test.value], [0], marker="o", color=MODEL_COLOUR, ms=5, ls="", zorder=4)
    ax.set_ylim(0.6, -0.6)
    ax.set_yticks([])
    ax.set_xlabel(test.statistic)
    return ax


def plot_group_trends(trends: Sequence[GroupTrend], *, ax: Any = None) -> Any:
    """Draw agreement over the order of the group: a dot a network, a line through the means over seeds.

    Parameters
    ----------
    trends : sequence of GroupTrend
        A colour each.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes
    """
    from attnxai.agreement.plots import MODEL_COLOUR

    ax = new_axes(ax)
    orders: set[int] = set()
    for trend, colour, marker in zip(trends, (MODEL_COLOUR, SECOND_COLOUR), "os", strict=False):
        for row in trend.values:
            ax.plot(trend.orders, row, marker=marker, color=colour, ms=3, ls="", alpha=0.5)
        means = [sum(column) / len(column) for column in zip(*trend.values, strict=True)]
        ax.plot(trend.orders, means, marker=marker, color=colour, ms=5, lw=1.3, label=trend.series)
        orders.update(trend.orders)
    ax.set_xscale("log", base=2)
    ax.set_xticks(sorted(orders), [str(order) for order in sorted(orders)])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("elements of the group")
    ax.set_ylabel("agreement")
    if trends:
        ax.legend()
    return ax


def new_axes(ax: Any) -> Any:
    """The axes that are given, or those of a new figure."""
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots()[1]
