"""Differences between models on one axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from attnxai.metrics import METRICS
from attnxai.report.plots.agreement import MODEL_COLOUR
from attnxai.report.plots.axes import new_axes

if TYPE_CHECKING:
    from attnxai.agreement.model_comparison.contrast import Contrast, ModelContrasts
    from attnxai.agreement.model_comparison.of_results import ResultContrasts


def plot_model_contrasts(result: ModelContrasts, *, ax: Any = None) -> Any:
    """Draw the differences of a family; see :func:`plot_contrasts`."""
    names = [f"{contrast.first} − {contrast.second}" for contrast in result.contrasts]
    return plot_contrasts(result.contrasts, names, ax=ax)


def plot_result_contrasts(result: ResultContrasts, *, ax: Any = None) -> Any:
    """Draw the differences of results, map by map; see :func:`plot_contrasts`."""
    several = len(result.maps) > 1
    names = [
        f"{f'{name}: ' if several else ''}{first} − {second}" for name, first, second in result.keys
    ]
    ax = plot_contrasts(result.contrasts.contrasts, names, ax=ax)
    label = METRICS[result.metric].label if result.metric in METRICS else result.metric
    ax.set_xlabel(f"difference in {label}")
    return ax


def plot_contrasts(contrasts: Sequence[Contrast], names: Sequence[str], *, ax: Any = None) -> Any:
    """Draw differences with their intervals, a row a contrast, and a line at zero.

    Points are filled where a difference counts as found.
    """
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
