"""Figures of deletion, insertion and ROAD."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.audit.curves import BRIGHTNESS, INSERTION, PROBABILITY, RANDOM, TITLES, shifted_name
from attnxai.report.style import (
    BASELINE_COLOUR,
    CHANCE_COLOUR,
    MM,
    MODEL_COLOURS,
    TWO_COLUMNS,
    colours_of,
    draw_mean,
    new_axes,
    new_figure,
    paper_style,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from attnxai.audit.curves import Faithfulness

_MARKERS = {"deletion": "o", "insertion": "s", "road": "^"}


def plot_faithfulness(result: Faithfulness, *, ax: Any = None) -> Any:
    """Gain of every map over itself at random shifts, in every test, with its interval.

    Parameters
    ----------
    result : Faithfulness
        The result.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = new_axes(ax)
    colours = colours_of(result.tests, MODEL_COLOURS)
    for row, layer in enumerate(result.layers):
        for index, test in enumerate(result.tests):
            at = row + 0.22 * (index - (len(result.tests) - 1) / 2)
            interval = result.gain(layer, shifted_name(layer), test)
            draw_mean(ax, interval, at, colour=colours[test], marker=_MARKERS[test])
    for test in result.tests:
        ax.plot([], [], ls="", marker=_MARKERS[test], color=colours[test], label=TITLES[test])
    ax.axvline(0.0, color=CHANCE_COLOUR, lw=0.8, zorder=0)
    ax.set_yticks(range(len(result.layers)), result.layers)
    ax.set_ylim(len(result.layers) - 0.5, -0.5)
    ax.set_xlabel("gain in area over the same map at random shifts (probability)")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(result.tests))
    return ax


def faithfulness_curves(result: Faithfulness, quantity: str = PROBABILITY) -> Figure:
    """Mean curves over sources, one panel per test.

    Parameters
    ----------
    result : Faithfulness
        The result.
    quantity : str
        ``probability`` or ``score``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    n = len(result.tests)
    with paper_style():
        figure: Figure = new_figure(TWO_COLUMNS, 62 * MM)
        panels = np.atleast_1d(figure.subplots(1, n, sharey=True))
        colours = colours_of(result.layers, MODEL_COLOURS)
        curves = result.probability if quantity == PROBABILITY else result.score
        for panel, test, own in zip(panels, result.tests, curves, strict=True):
            for order, values in zip(result.orders, own.mean(axis=1), strict=True):
                if order in result.layers:
                    panel.plot(result.fractions, values, color=colours[order], label=order)
                elif order == BRIGHTNESS:
                    panel.plot(
                        result.fractions, values, color=BASELINE_COLOUR, ls="--", label=order
                    )
                elif order == RANDOM:
                    panel.plot(result.fractions, values, color=CHANCE_COLOUR, ls=":", label=order)
            panel.set_xscale("log")
            panel.set_title(TITLES[test], loc="left")
            panel.set_xlabel(
                f"fraction of the pixels {'restored' if test == INSERTION else 'replaced'}"
            )
        panels[0].set_ylabel(f"mean {quantity}")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure
