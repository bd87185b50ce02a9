"""Figures of audits, in Python and on their page.

Functions ``plot_*`` take a result and, in ``ax``, the matplotlib axes to draw in, or None for those of a new figure; they
return the axes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from attnxai.audit.faithfulness_result import (
    BRIGHTNESS,
    INSERTION,
    PROBABILITY,
    RANDOM,
    TITLES,
    shifted_name,
)
from attnxai.report.class_means import draw_class_means, height_of_class_means
from attnxai.report.figures.fitting import add_legend, fit_axis_label, fit_rows, shortened_apart
from attnxai.report.figures.text import FigureText
from attnxai.report.sentences.say import say
from attnxai.report.style import (
    BASELINE_COLOUR,
    CHANCE_COLOUR,
    CLASS_MARKERS,
    MODEL_COLOURS,
    SMALLEST_TEXT,
    colours_of,
    draw_mean,
    new_axes,
    saved_widths,
)
from attnxai.statistics.formats import format_number
from attnxai.statistics.interval import no_interval

if TYPE_CHECKING:
    from attnxai.audit.between_maps import MapAgreement
    from attnxai.audit.evidence_location_result import EvidenceLocation
    from attnxai.audit.faithfulness_result import Faithfulness
    from attnxai.audit.randomisation_result import RandomisationResult
    from attnxai.audit.rotations import RotationAudit
    from attnxai.audit.stability import NoiseStability
    from attnxai.statistics.interval import Interval


def plot_zones(result: EvidenceLocation, *, ax: Any = None) -> Any:
    """AUC of the whole network and from every zone alone, beside that of the area of the zone."""
    zones = {say("audit.alone", zone=zone.zone): zone for zone in reversed(result.zones)}
    whole = say("audit.whole")
    aucs = {whole: result.auc} | {name: zone.auc for name, zone in zones.items()}
    areas = {name: zone.area_auc for name, zone in zones.items()}
    series = {"network": ("o", aucs.get), "area of the zone": ("s", areas.get)}
    return _rows(ax, [whole, *zones], series, "AUC of the class", chance=0.5)


def plot_faithfulness(result: Faithfulness, *, ax: Any = None) -> Any:
    """Gain of every map over itself at random shifts, in every test, with its interval."""
    markers = {"deletion": "o", "insertion": "s", "road": "^"}
    series = {
        TITLES[test]: (
            markers[test],
            lambda layer, test=test: result.gain(layer, shifted_name(layer), test),
        )
        for test in result.tests
    }
    label = "gain in area over the same map at random shifts (probability)"
    return _rows(ax, result.layers, series, label)


def plot_noise_stability(result: NoiseStability, *, ax: Any = None) -> Any:
    """Rank correlation of every map with and without noise, on the field and on emission."""
    series: dict[str, tuple[str, Callable[[str], Interval]]] = {
        "field": ("o", result.correlation),
        "emission": ("s", lambda layer: result.correlation(layer, "spearman_on_emission")),
    }
    return _rows(ax, result.layers, series, "rank correlation with and without added noise")


def plot_rotations(result: RotationAudit, *, ax: Any = None) -> Any:
    """Correlation of rotated maps with maps of rotated images, beside that of interpolation alone."""

    def floor(layer: str) -> Interval | None:
        if layer not in result.errors.layers:
            return None
        return no_interval(result.floor(layer), result.errors.n_images)

    series = {"network": ("o", result.correlation), "interpolation alone": ("s", floor)}
    label = "correlation of rotated maps with maps of rotated images"
    return _rows(ax, result.consistency.layers, series, label)


def _rows(
    ax: Any,
    names: Sequence[str],
    series: Mapping[str, tuple[str, Callable[[str], Interval | None]]],
    label: str,
    *,
    chance: float = 0.0,
) -> Any:
    """A row for every name, in which every series has a mean with its interval."""
    ax = new_axes(ax)
    colours = colours_of(list(series), MODEL_COLOURS)
    for row, name in enumerate(names):
        for index, (title, (marker, interval_of)) in enumerate(series.items()):
            interval = interval_of(name)
            if interval is not None:
                at = row + 0.22 * (index - (len(series) - 1) / 2)
                draw_mean(ax, interval, at, colour=colours[title], marker=marker)
    for title, (marker, _) in series.items():
        ax.plot([], [], ls="", marker=marker, color=colours[title], label=title)
    ax.axvline(chance, color=CHANCE_COLOUR, lw=0.8, zorder=0)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel(label)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(series))
    return ax


_MOST_LETTERS = 26


def plot_map_agreement(result: MapAgreement, *, ax: Any = None) -> Any:
    """Mean rank correlations of all pairs of maps as colours and numbers, above the diagonal controlling for brightness."""
    ax = new_axes(ax)
    plain, partial_ones = result.matrix("spearman"), result.matrix("partial_spearman")
    n = len(result.layers)
    upper = np.triu(np.ones((n, n), bool), 1)
    shown = np.where(upper, partial_ones, plain)
    shown[np.diag_indices(n)] = np.nan
    image = ax.imshow(shown, cmap="RdBu", vmin=-1, vmax=1)
    for row, column in np.argwhere(~np.eye(n, dtype=bool)):
        value = shown[row, column]
        colour = "white" if abs(value) > 0.6 else "black"
        text = format_number(value, 2)
        ax.text(column, row, text, ha="center", va="center", color=colour, fontsize=SMALLEST_TEXT)
    short = shortened_apart(result.layers, _MOST_LETTERS)
    names = [short[layer] for layer in result.layers]
    ax.set_xticks(range(n), names, rotation=60, ha="right")
    ax.set_yticks(range(n), names)
    ax.set_title("above the diagonal: controlling for brightness", loc="left")
    ax.figure.colorbar(image, ax=ax, label="mean rank correlation", shrink=0.8)
    return ax


def plot_randomisation(
    result: RandomisationResult, *, ax: Any = None, measure: str = "spearman"
) -> Any:
    """A measure of every map against the original, layer by layer, with its interval as a band."""
    from attnxai.audit.randomisation_result import SURVIVES

    ax = new_axes(ax)
    colours = colours_of(result.layers, MODEL_COLOURS)
    place = np.arange(len(result.steps))
    line = "-" if result.mode == "cascading" else ""
    for layer, marker in zip(result.layers, itertools.cycle(CLASS_MARKERS), strict=False):
        found = [result.interval(layer, measure, step=step) for step in range(len(place))]
        values = [interval.value for interval in found]
        look = {"color": colours[layer], "marker": marker, "label": layer}
        ax.plot(place, values, ms=3, ls=line, **look)
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


def _as_percentage(share: float, _: int) -> str:
    return f"{100 * share:g} %"


def draw_curves(figure: Any, result: Faithfulness, quantity: str = PROBABILITY) -> None:
    """Draw mean curves over sources, one panel per test; ``quantity`` is ``probability`` or ``score``."""
    from matplotlib.ticker import FuncFormatter

    panels = np.atleast_1d(figure.subplots(1, len(result.tests), sharey=True))
    styles: dict[str, dict[str, Any]] = {
        name: {"color": colour, "marker": marker, "ms": 3, "markevery": 0.1}
        for (name, colour), marker in zip(
            colours_of(result.layers, MODEL_COLOURS).items(),
            itertools.cycle(CLASS_MARKERS),
            strict=False,
        )
    }
    styles[BRIGHTNESS] = {"color": BASELINE_COLOUR, "ls": "--"}
    styles[RANDOM] = {"color": CHANCE_COLOUR, "ls": ":"}
    curves = result.probability if quantity == PROBABILITY else result.score
    for panel, test, own in zip(panels, result.tests, curves, strict=True):
        for order, values in zip(result.orders, own.mean(axis=1), strict=True):
            if order in styles:
                panel.plot(result.fractions, values, label=order, **styles[order])
        panel.set_xscale("log")
        # powers of ten would need the mathematical text that paper_style turns off
        panel.xaxis.set_major_formatter(FuncFormatter(_as_percentage))
        panel.set_title(TITLES[test], loc="left")
        done = "restored" if test == INSERTION else "replaced"
        panel.set_xlabel(f"pixels {done}")
    panels[0].set_ylabel(f"mean {quantity}")
    add_legend(figure, panels[0])


class _Drawing(NamedTuple):
    """Height and number of panels of a figure, and what draws it."""

    height_mm: float
    n_panels: int
    draw: Callable[[Any], None]


def _in_rows(plot: Callable[..., Any], found: Any, n: int) -> _Drawing:
    def draw(figure: Any) -> None:
        ax = plot(found, ax=figure.subplots())
        fit_rows(figure, [ax])
        fit_axis_label(figure, ax)
        ax.get_legend().remove()
        add_legend(figure, ax)

    return _Drawing(14 + 8 * n, 1, draw)


def _zones(found: EvidenceLocation) -> _Drawing | None:
    if found.auc is None or not found.zones:
        return None
    return _in_rows(plot_zones, found, 1 + len(found.zones))


def _faithfulness(found: Faithfulness) -> _Drawing:
    gains = _in_rows(plot_faithfulness, found, len(found.layers))

    def draw(figure: Any) -> None:
        heights = gains.height_mm + 8, 62
        upper, lower = figure.subfigures(2, 1, height_ratios=heights)
        plot_faithfulness(found, ax=upper.subplots())
        fit_rows(figure, upper.axes)
        draw_curves(lower, found)

    return _Drawing(gains.height_mm + 8 + 58, 2, draw)


def _randomisation(found: RandomisationResult) -> _Drawing:
    def draw(figure: Any) -> None:
        panels = figure.subplots(1, 2, sharey=True)
        titles = {"spearman": "whole field", "spearman_on_emission": "emission alone"}
        for ax, (measure, title) in zip(panels, titles.items(), strict=True):
            plot_randomisation(found, ax=ax, measure=measure)
            ax.set_title(title, loc="left")
            ax.get_legend().remove()
        panels[1].set_ylabel("")
        add_legend(figure, panels[0])

    return _Drawing(86, 2, draw)


def _agreement(found: MapAgreement) -> _Drawing:
    def draw(figure: Any) -> None:
        plot_map_agreement(found, ax=figure.subplots())

    # with its colour bar it is too wide for one column
    return _Drawing(52 + 9 * len(found.layers), 2, draw)


FIGURES: Mapping[str, Callable[[Any], _Drawing | None]] = {
    "EvidenceLocation": _zones,
    "Faithfulness": _faithfulness,
    "RandomisationResult": _randomisation,
    "NoiseStability": lambda found: _in_rows(plot_noise_stability, found, len(found.layers)),
    "RotationAudit": lambda found: _in_rows(plot_rotations, found, len(found.consistency.layers)),
    "MapAgreement": _agreement,
    "ClassMeanMaps": lambda found: _Drawing(
        height_of_class_means(found), 2, partial(draw_class_means, found)
    ),
}
"""The figure of a result on the page, by its class."""


def audit_drawers(results: Mapping[str, Any]) -> list[Callable[[Path], FigureText | None]]:
    """What draws the figure of each audit, under the name of the audit, for :func:`attnxai.report.page.write_results`."""
    return [partial(_draw_result, name, found) for name, found in results.items()]


def _draw_result(name: str, found: Any, folder: Path) -> FigureText | None:
    kind = type(found).__name__
    drawing = FIGURES[kind](found)
    if drawing is None:
        return None
    for figure in saved_widths(folder, name, drawing.height_mm, n_panels=drawing.n_panels):
        drawing.draw(figure)
    return FigureText(
        name=name,
        caption=say(f"audit.figure.{kind}"),
        alternative=found.summary().replace("\n", " "),
    )
