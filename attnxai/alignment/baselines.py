"""Baselines that maps are compared with: brightness, and uniform emission, at the resolutions of the layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.alignment.resample import smooth_to_layer
from attnxai.data.emission import emission_mask
from attnxai.explanations.stack import BRIGHTNESS, EMISSION

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.explanations.stack import MapStack

# rounding errors of the interpolation would order pixels that tie
_DECIMALS = 12


def image_baselines(
    maps: MapStack, brightness: NDArray[np.float32], *, with_emission: bool | None = None
) -> tuple[dict[str, NDArray[np.float64]], dict[str, tuple[str, ...]]]:
    """What the network saw, and 1 on emission, as they are and at the resolution of each coarser layer.

    Parameters
    ----------
    maps : MapStack
        The layers.
    brightness : ndarray, shape (n_sources, rows, columns)
        What the network saw.
    with_emission : bool, optional
        Whether emission is a baseline, for a block of more sources; when left out, if some pixels are 0 and some not.

    Returns
    -------
    baselines : dict of str to ndarray, shape (n_sources, rows, columns)
        By name. Without any pixel at 0 emission cannot be told from sky, and has no baseline.
    resolutions : dict of str to tuple of str
        For every layer the baselines of brightness that show as much detail as it can.
    """
    emission = emission_mask(brightness)
    fields = {BRIGHTNESS: brightness.astype(np.float64)}
    if with_emission is None:
        with_emission = bool(emission.any() and not emission.all())
    if with_emission:
        fields[EMISSION] = emission.astype(np.float64)
    smoothed: dict[str, dict[str, NDArray[np.float64]]] = {name: {} for name in fields}
    resolutions: dict[str, tuple[str, ...]] = {}
    for name in sorted(maps.layers, key=lambda name: maps.geometry[name].step):
        geometry = maps.geometry[name]
        resolutions[name] = (BRIGHTNESS,)
        if geometry.step <= 1.0:
            continue
        at = f" at {geometry.step * maps.field_scale_arcsec:.1f}″"
        resolutions[name] = (BRIGHTNESS, f"{BRIGHTNESS}{at}")
        _, height, width = maps.layers[name].shape
        for field, values in fields.items():
            if at not in smoothed[field]:
                coarse = smooth_to_layer(values, geometry, (height, width))
                smoothed[field][at] = coarse.round(_DECIMALS)
    baselines = {
        f"{field}{at}": maps_at
        for field, values in fields.items()
        for at, maps_at in {"": values, **smoothed[field]}.items()
    }
    return baselines, resolutions
