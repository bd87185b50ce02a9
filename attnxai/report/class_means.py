"""Figures of class-mean maps: classes by models, with contours of the mean image, and profiles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.audit.class_sums import BRIGHTNESS
from attnxai.errors import OptionError
from attnxai.report.figures.fitting import add_legend, fit_label, fit_titles, shortened
from attnxai.report.style import (
    CLASS_COLOURS,
    LINE_STYLES,
    MAP_COLOURS,
    MM,
    ONE_COLUMN,
    TWO_COLUMNS,
    colours_of,
    new_axes,
    new_figure,
    paper_style,
)
from attnxai.report.wording import map_in_sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from attnxai.audit.class_means import ClassMeanMaps

_CONTOURS = (0.05, 0.2, 0.6)
"""Levels of the mean image, as shares of its peak."""


def plot_class_means(result: ClassMeanMaps, *, ax: Any = None, layer: str = "") -> Any:
    """Mean maps of all classes side by side, with contours of the mean images.

    Parameters
    ----------
    result : ClassMeanMaps
        The result.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.
    layer : str
        The map; the first of :func:`summary_layers` when left out.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = new_axes(ax)
    layer = layer or summary_layers(result)[0]
    limits = _limits(result, layer)
    side = result.means.shape[-1] * result.pixel_scale_arcsec
    for index, name in enumerate(result.classes):
        image = _draw(ax, result, layer, name, limits, at=index * 1.05 * side)
        ax.text((index * 1.05 + 0.5) * side, side, name, ha="center", va="bottom")
    ax.set_xlim(0, (1.05 * len(result.classes) - 0.05) * side)
    ax.set_ylim(0, side)
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.figure.colorbar(image, ax=ax, label=f"class mean of {map_in_sentence(layer)}", shrink=0.8)
    return ax


def class_means_figure(results: Sequence[ClassMeanMaps], *, layers: Sequence[str] = ()) -> Figure:
    """Mean maps of several models side by side: a row for each class, a column for each model.

    Parameters
    ----------
    results : sequence of ClassMeanMaps
        Such as those of an equivariant and of an ordinary network, of the same classes.
    layers : sequence of str
        The map of each; the first of :func:`summary_layers` when left out. Panels of a column have the same limits.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    OptionError
        If there are no results, their classes differ, or there is not one layer for each.
    """
    chosen = _chosen(results, layers)
    classes = results[0].classes
    with paper_style():
        height = (62 * len(classes) + 14) * MM
        figure: Figure = new_figure(min(TWO_COLUMNS, ONE_COLUMN * len(results)), height)
        panels = figure.subplots(len(classes), len(results), squeeze=False)
        _label_axes(panels)
        for column, (result, layer) in enumerate(zip(results, chosen, strict=True)):
            image = _draw_classes(panels[:, column], result, layer, before=f"{result.model_name}: ")
            group = f", {result.group}" if result.group not in {"", result.model_name} else ""
            bar = figure.colorbar(image, ax=list(panels[:, column]), location="bottom", shrink=0.8)
            name = shortened(result.model_name, 28)
            bar.set_label(f"{name}{group}: class mean of {map_in_sentence(layer)}")
            fit_label(bar.ax.xaxis.label, figure.bbox.width / len(results))
        fit_titles(figure, list(panels.flat))
    return figure


def height_of_class_means(result: ClassMeanMaps) -> float:
    """Millimetres of the figure of :func:`draw_class_means`."""
    return (140 / len(result.classes) + 8) * len(summary_layers(result)) + 6


def draw_class_means(result: ClassMeanMaps, figure: Any) -> None:
    """Draw mean maps of one model: a row for each map with limits of its own, a column for each class."""
    layers = summary_layers(result)
    panels = figure.subplots(len(layers), len(result.classes), squeeze=False)
    _label_axes(panels)
    for row, layer in zip(panels, layers, strict=True):
        image = _draw_classes(row, result, layer)
        figure.colorbar(image, ax=list(row), label=f"class mean of {map_in_sentence(layer)}")
    fit_titles(figure, list(panels.flat))


def _label_axes(panels: NDArray[Any]) -> None:
    for ax in panels[:, 0]:
        ax.set_ylabel("across the major axis (arcsec)")
    for ax in panels[-1]:
        ax.set_xlabel("along the major axis (arcsec)")


def _draw_classes(
    panels: Iterable[Any], result: ClassMeanMaps, layer: str, *, before: str = ""
) -> Any:
    """Draw a map, a panel for each class with the same limits."""
    limits = _limits(result, layer)
    for ax, name in zip(panels, result.classes, strict=True):
        image = _draw(ax, result, layer, name, limits, at=-_half(result))
        ax.set_aspect("equal")
        ax.set_title(f"{before}{name} (n = {result.n_sources[name]})")
    return image


def profiles_figure(results: Sequence[ClassMeanMaps], *, layers: Sequence[str] = ()) -> Figure:
    """Radial and angular profiles of mean maps, a row for each model, with intervals as bands.

    Parameters
    ----------
    results : sequence of ClassMeanMaps
        The results.
    layers : sequence of str
        The map of each; the first of :func:`summary_layers` when left out.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    OptionError
        If there are no results, their classes differ, or there is not one layer for each.
    """
    chosen = _chosen(results, layers)
    with paper_style():
        figure: Figure = new_figure(TWO_COLUMNS, 52 * MM * len(results))
        panels = figure.subplots(len(results), 2, squeeze=False)
        for row, (result, layer) in enumerate(zip(results, chosen, strict=True)):
            radial, angular = panels[row]
            colours = colours_of(result.classes, CLASS_COLOURS)
            lines = colours_of(result.classes, LINE_STYLES)
            for name in result.classes:
                found = result.profiles[layer, name]
                radii = result.radii * result.pixel_scale_arcsec
                look = {"color": colours[name], "ls": lines[name], "label": name}
                _band(radial, radii, found.radial, look)
                angles = np.append(result.angles_deg, 360.0)
                closed = np.concatenate([found.angular, found.angular[:, :1]], axis=1)
                _band(angular, angles, closed, look)
            name = shortened(result.model_name, 24)
            radial.set_ylabel(f"{name}:\n{shortened(map_in_sentence(layer), 24)}")
            angular.set_xticks(range(0, 361, 90))
            for turn in (90.0, 180.0, 270.0):
                angular.axvline(turn, color="0.85", lw=0.6, zorder=0)
        panels[-1, 0].set_xlabel("distance from the middle (arcsec)")
        panels[-1, 1].set_xlabel("angle from the brighter end (degrees)")
        add_legend(figure, panels[0, 0])
    return figure


def summary_layers(result: ClassMeanMaps) -> list[str]:
    """Up to two maps that stand for all: those that are not of a single gate, or the last one if all are."""
    return [one for one in result.maps if not re.search(r"gate\d+\b", one)][:2] or [result.maps[-1]]


def _band(
    ax: Any, place: NDArray[np.float64], values: NDArray[np.float64], look: dict[str, Any]
) -> None:
    ax.plot(place, values[0], **look)
    ax.fill_between(place, values[1], values[2], color=look["color"], alpha=0.2, lw=0)


def _chosen(results: Sequence[ClassMeanMaps], layers: Sequence[str]) -> list[str]:
    if not results or any(one.classes != results[0].classes for one in results):
        raise OptionError(
            "class means can be shown side by side for one or more models of the same classes"
        )
    chosen = list(layers) or [summary_layers(one)[0] for one in results]
    if len(chosen) != len(results):
        raise OptionError(f"{len(results)} models need {len(results)} layers, got {len(chosen)}")
    for one, layer in zip(results, chosen, strict=True):
        one.mean_of(layer, one.classes[0])
    return chosen


def _half(result: ClassMeanMaps) -> float:
    return float(result.means.shape[-1] * result.pixel_scale_arcsec / 2)


def _limits(result: ClassMeanMaps, layer: str) -> tuple[float, float, str]:
    """Limits of colours, and their name: diverging about 0 where means have both signs (2 % of the other is none)."""
    values = np.stack([result.mean_of(layer, name) for name in result.classes])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    size = max(-low, high)
    if min(-low, high) > 0.02 * size:
        return -size, size, "RdBu_r"
    return low, high, MAP_COLOURS


def _draw(
    ax: Any,
    result: ClassMeanMaps,
    layer: str,
    class_name: str,
    limits: tuple[float, float, str],
    *,
    at: float,
) -> Any:
    """One mean map with contours of the mean image, its left and lower edge at a place."""
    scale = result.pixel_scale_arcsec
    rows, columns = result.means.shape[-2:]
    left, bottom = at, min(at, 0.0) if at < 0 else 0.0
    extent = (left, left + columns * scale, bottom, bottom + rows * scale)
    low, high, colours = limits
    image = ax.imshow(
        result.mean_of(layer, class_name),
        origin="lower",
        extent=extent,
        vmin=low,
        vmax=high,
        cmap=colours,
    )
    mean = np.nan_to_num(result.mean_of(BRIGHTNESS, class_name))
    if mean.max() > 0:
        x = left + scale * (np.arange(columns) + 0.5)
        y = bottom + scale * (np.arange(rows) + 0.5)
        for width, colour in ((1.6, "black"), (0.7, "white")):
            ax.contour(
                x,
                y,
                mean,
                levels=[c * mean.max() for c in _CONTOURS],
                colors=colour,
                linewidths=width,
            )
    return image
