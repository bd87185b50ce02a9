"""The figure of maps under random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.report.style import CHANCE_COLOUR, MODEL_COLOURS, colours_of, new_axes

if TYPE_CHECKING:
    from attnxai.audit.survival import RandomisationResult


def plot_randomisation(result: RandomisationResult, *, ax: Any = None) -> Any:
    """Rank correlation of every map with the original, layer by layer, with its interval as a band.

    Parameters
    ----------
    result : RandomisationResult
        The result.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes
    """
    from attnxai.audit.survival import SURVIVES

    ax = new_axes(ax)
    colours = colours_of(result.layers, MODEL_COLOURS)
    place = np.arange(len(result.steps))
    cascading = result.mode == "cascading"
    for layer in result.layers:
        found = [result.interval(layer, step=step) for step in range(len(place))]
        values = [interval.value for interval in found]
        style = {"color": colours[layer], "marker": "o", "ms": 3}
        ax.plot(place, values, ls="-" if cascading else "", label=layer, **style)
        if any(interval.known for interval in found):
            low, high = [one.low for one in found], [one.high for one in found]
            ax.fill_between(place, low, high, color=colours[layer], alpha=0.2, lw=0)
    ax.axhline(0.0, color=CHANCE_COLOUR, lw=0.8, zorder=0)
    ax.axhline(SURVIVES, color=CHANCE_COLOUR, lw=0.8, ls=":", zorder=0)
    ax.set_xticks(place, result.steps, rotation=60, ha="right")
    words = {"cascading": "random from the last layer down to", "independent": "random layer"}
    ax.set_xlabel(words.get(result.mode, ""))
    ax.set_ylabel("rank correlation with the original")
    ax.set_ylim(min(-0.25, ax.get_ylim()[0]), 1.05)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(len(result.layers), 5))
    return ax
