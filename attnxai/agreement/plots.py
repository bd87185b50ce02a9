"""The figure that carries a result: agreement with intervals, beside baselines and the null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnxai.agreement.metrics import METRICS
from attnxai.agreement.results import ALL

if TYPE_CHECKING:
    from attnxai.agreement.results import AgreementResult

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MODEL_COLOUR = "#0072B2"
BASELINE_COLOUR = "#4D4D4D"
NULL_COLOUR = "#C8C8C8"


def plot_agreement(
    result: AgreementResult,
    metric: str,
    *,
    group: str | None = None,
    class_name: str = ALL,
    ax: Any = None,
    show_names: bool = True,
) -> Any:
    """Draw every map and baseline on one axis.

    Points are means over sources, lines their confidence intervals, grey bars the central 95 % of the
    means under exchange of sources (within class where classes are known).

    Parameters
    ----------
    result : AgreementResult
        What to draw.
    metric : str
        Which metric.
    group, class_name : str, optional
        Which sources; those that conclusions rest on when left out.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.
    show_names : bool
        Write the names of maps and baselines.

    Returns
    -------
    matplotlib.axes.Axes
    """
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots()
    names = result.explanations + result.baselines
    markers = dict(zip(result.explanations, MARKERS * 9, strict=False))
    for row, name in enumerate(names):
        estimate = result.estimate(name, metric, group=group, class_name=class_name)
        colour = BASELINE_COLOUR if estimate.is_baseline else MODEL_COLOUR
        test = estimate.within_class or estimate.pooled
        if test is not None:
            low, high = test.range()
            ax.plot(
                [low, high], [row, row], color=NULL_COLOUR, lw=7, solid_capstyle="butt", zorder=1
            )
        interval = estimate.interval
        if interval.known:
            ax.plot([interval.low, interval.high], [row, row], color=colour, lw=1.3, zorder=3)
        ax.plot(
            [interval.value],
            [row],
            marker=markers.get(name, "d"),
            color=colour,
            markerfacecolor="white" if estimate.is_baseline else colour,
            ms=5,
            ls="",
            zorder=4,
        )
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_yticks(range(len(names)), list(names) if show_names else [""] * len(names))
    ax.axhline(len(result.explanations) - 0.5, color="#999999", lw=0.5, ls=":")
    chance = METRICS[metric].chance
    if chance is not None:
        ax.axvline(chance, color="#999999", lw=0.6, zorder=0)
    ax.set_xlabel(METRICS[metric].label)
    return ax
