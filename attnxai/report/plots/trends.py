"""A trend test on one axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnxai.report.plots.agreement import MODEL_COLOUR, NULL_COLOUR
from attnxai.report.plots.axes import new_axes

if TYPE_CHECKING:
    from attnxai.agreement.model_comparison.trend import TrendTest


def plot_trend_test(test: TrendTest, *, ax: Any = None) -> Any:
    """Draw a statistic, and as a grey bar the central 95 % of what it is without a trend."""
    ax = new_axes(ax)
    ends = [test.null_low, test.null_high]
    ax.plot(ends, [0, 0], color=NULL_COLOUR, lw=7, solid_capstyle="butt", zorder=1)
    ax.axvline(test.expected, color="#999999", lw=0.6, zorder=0)
    ax.plot([test.value], [0], marker="o", color=MODEL_COLOUR, ms=5, ls="", zorder=4)
    ax.set_ylim(0.6, -0.6)
    ax.set_yticks([])
    ax.set_xlabel(test.statistic)
    return ax
