"""Whether maps that were made elsewhere are turned or mirrored with respect to their images.

The rows of a FITS image count from the bottom and those of a PNG image from the top, and programs swap the axes
of arrays. Maps may show anything, so this can only be suspected: where they agree with the brightness of their images
clearly better after they have been turned or mirrored.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.wording import counted
from attnxai.errors import AssumptionWarning

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.explanations.stack import MapStack

_BETTER = 0.1
"""Difference of the mean absolute correlations from which on maps are suspected."""
_LEAST = 0.2
"""Correlation that they reach at least."""
_ERRORS = 3.0
"""Standard errors that the difference exceeds, over the sources."""
_LEAST_SOURCES = 3
_N_SOURCES = 64
"""Number of sources that are looked at."""
_TURNS: dict[str, Callable[[Any], Any]] = {
    "": lambda maps: maps,
    "maps[:, ::-1]": lambda maps: maps[:, ::-1],
    "maps[:, :, ::-1]": lambda maps: maps[:, :, ::-1],
    "maps[:, ::-1, ::-1]": lambda maps: maps[:, ::-1, ::-1],
    "maps.swapaxes(1, 2)": lambda maps: maps.swapaxes(1, 2),
    "maps.swapaxes(1, 2)[:, ::-1]": lambda maps: maps.swapaxes(1, 2)[:, ::-1],
    "maps.swapaxes(1, 2)[:, :, ::-1]": lambda maps: maps.swapaxes(1, 2)[:, :, ::-1],
    "maps.swapaxes(1, 2)[:, ::-1, ::-1]": lambda maps: maps.swapaxes(1, 2)[:, ::-1, ::-1],
}
"""The symmetries of a square, by the expression that a user would write."""


def warn_of_orientation(stack: MapStack) -> None:
    """Warn of layers that agree clearly better with the brightness after they have been turned or mirrored."""
    some = np.unique(np.linspace(0, len(stack) - 1, min(len(stack), _N_SOURCES)).astype(int))
    if len(some) < _LEAST_SOURCES:
        return
    for layer in stack.layers:
        maps, brightness = _on_layer(stack, layer, some)
        found = {
            name: _correlations(turn(maps), brightness)
            for name, turn in _TURNS.items()
            if turn(maps).shape == maps.shape
        }
        means = {name: abs(float(values.mean())) for name, values in found.items()}
        best = max(means, key=lambda name: means[name])
        sign = np.sign(found[best].mean())
        differences = sign * (found[best] - found[""])
        error = float(differences.std(ddof=1)) / np.sqrt(len(differences))
        gain = means[best] - means[""]
        if means[best] < _LEAST or gain < _BETTER or differences.mean() < _ERRORS * error:
            continue
        warnings.warn(
            f"the maps of the layer {layer!r} may be turned with respect to their images: their mean correlation with "
            f"the brightness of {counted(len(some), 'image')} is {found[''].mean():.2f}, and {found[best].mean():.2f} "
            f"after {best}; row 0 is at the bottom of a FITS image and at the top of a PNG image, so check "
            "the order of rows and columns where the maps are made",
            AssumptionWarning,
            stacklevel=4,
        )


def _on_layer(
    stack: MapStack, layer: str, some: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Maps of some sources, and the brightness about the centre of each of their pixels."""
    from scipy.ndimage import uniform_filter

    maps = np.asarray(stack.layers[layer], dtype=np.float64)[some]
    geometry = stack.geometry[layer]
    width = max(round(geometry.step), 1)
    brightness = np.asarray(stack.brightness, dtype=np.float64)[some]
    if width > 1:
        brightness = uniform_filter(brightness, (0, width, width), mode="nearest")
    columns, rows = (np.arange(n, dtype=np.float64) for n in (maps.shape[2], maps.shape[1]))
    x, y = geometry.to_outer(columns, rows)
    at_y, at_x = (
        np.clip(np.rint(at), 0, n - 1).astype(int)
        for at, n in ((y, stack.field_shape[0]), (x, stack.field_shape[1]))
    )
    return maps, brightness[:, at_y][:, :, at_x]


def _correlations(
    maps: NDArray[np.float64], brightness: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Pearson's correlation of each map with the brightness, 0 where one is constant."""
    a, b = (_scaled(values.reshape(len(values), -1)) for values in (maps, brightness))
    a, b = (values - values.mean(axis=1, keepdims=True) for values in (a, b))
    size = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    values = np.divide((a * b).sum(axis=1), size, out=np.zeros(len(size)), where=size > 0)
    return np.asarray(values)


def _scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows whose largest magnitude is 1, so that no square overflows."""
    largest = np.abs(values).max(axis=1, keepdims=True)
    scaled = np.divide(values, largest, out=np.zeros_like(values), where=largest > 0)
    return np.asarray(scaled)
