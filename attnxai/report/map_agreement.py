"""Figures of maps that are compared with each other, and of maps under noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.report.style import CHANCE_COLOUR, MODEL_COLOURS, colours_of, draw_mean, new_axes
from attnxai.statistics.formats import format_number

if TYPE_CHECKING:
    from attnxai.audit.between_maps import MapAgreement
    from attnxai.audit.stability import NoiseStability


def plot_map_agreement(result: MapAgreement, *, ax: Any = None) -> Any:
    """Mean rank correlations of all pairs of maps as colours and numbers.

    Above the diagonal they control for brightness, below it they do not.

    Parameters
    ----------
    result : MapAgreement
        The result.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = new_axes(ax)
    plain, partial = result.matrix("spearman"), result.matrix("partial_spearman")
    n = len(result.layers)
    upper = np.triu(np.ones((n, n), bool), 1)
    shown = np.where(upper, partial, plain)
    shown[np.diag_indices(n)] = np.nan
    image = ax.imshow(shown, cmap="RdBu", vmin=-1, vmax=1)
    for row in range(n):
        for column in range(n):
            if row != column:
                value = shown[row, column]
                colour = "white" if abs(value) > 0.6 else "black"
                text = format_number(value, 2)
                ax.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    ax.set_xticks(range(n), result.layers, rotation=60, ha="right")
    ax.set_yticks(range(n), result.layers)
    ax.set_title("above the diagonal: controlling for brightness", loc="left")
    ax.figure.colorbar(image, ax=ax, label="mean rank correlation", shrink=0.8)
    return ax


def plot_noise_stability(result: NoiseStability, *, ax: Any = None) -> Any:
    """Rank correlation of every map with and without noise, on the field and on emission.

    Parameters
    ----------
    result : NoiseStability
        The result.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = new_axes(ax)
    measures = {"spearman": "field", "spearman_on_emission": "emission"}
    colours = colours_of(list(measures), MODEL_COLOURS)
    for row, layer in enumerate(result.layers):
        for measure, at, marker in zip(measures, (-0.12, 0.12), "os", strict=True):
            interval = result.correlation(layer, measure)
            draw_mean(ax, interval, row + at, colour=colours[measure], marker=marker)
    for (measure, title), marker in zip(measures.items(), "os", strict=True):
        ax.plot([], [], ls="", marker=marker, color=colours[measure], label=title)
    ax.axvline(0.0, color=CHANCE_COLOUR, lw=0.8, zorder=0)
    ax.set_yticks(range(len(result.layers)), result.layers)
    ax.set_ylim(len(result.layers) - 0.5, -0.5)
    ax.set_xlabel("rank correlation with and without added noise")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return ax
