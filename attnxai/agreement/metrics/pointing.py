"""The pointing game: whether the highest pixel of a map is marked (Zhang et al. 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.metrics.pixels import (
    PixelRows,
    blanked,
    is_constant,
    marked,
    not_partly_marked,
    rows_of,
    single_pair,
)
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def pairwise_pointing_game(
    maps: NDArray[np.float64] | PixelRows, targets: NDArray[np.float64] | PixelRows
) -> NDArray[np.float64]:
    """Pointing game of every map (n, n_pixels) for every mask (m, n_pixels)."""
    maps, targets = rows_of(maps), rows_of(targets)
    masks = marked(targets)
    values = np.full((len(maps), len(targets)), np.nan)
    for i in np.flatnonzero(~is_constant(maps)):
        row = maps.values[i]
        values[i] = masks[:, row == row.max()].mean(axis=1)
    return blanked(values, is_constant(maps), not_partly_marked(targets))


def pointing_game(
    map: ArrayLike,
    target: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    tolerance: float = 0.0,
) -> float:
    """Whether the highest pixel of a map is marked; of several, the share of them that is.

    An empty mask has no hit to give and leaves it undefined.

    Parameters
    ----------
    map : array_like
        Real values; with a tolerance, of shape (rows, columns).
    target : array_like of bool, same shape
        Marked pixels.
    valid : array_like of bool, optional
        Pixels to use; all when left out. Marks elsewhere do not count, with a tolerance either.
    tolerance : float
        How far from a marked pixel still counts as marked, in pixels from centre to centre.

    Returns
    -------
    float
        From 0 to 1; NaN when the map is constant, or the mask empty or, within the tolerance, full.

    Raises
    ------
    OptionError
        If the tolerance is negative or the map, with a tolerance, is no field.

    Examples
    --------
    >>> pointing_game([[1, 4], [3, 4]], [[False, True], [False, False]])
    0.5
    >>> mask = [[True, False, False]]
    >>> pointing_game([[1, 5, 2]], mask), pointing_game([[1, 5, 2]], mask, tolerance=1)
    (0.0, 1.0)
    """
    if not tolerance >= 0:
        raise OptionError(f"tolerance has to be at least 0 pixels, got {tolerance}")
    if tolerance > 0:
        target = _widened(target, valid, tolerance)
    return single_pair(pairwise_pointing_game, map, target, valid)


def _widened(target: ArrayLike, valid: ArrayLike | None, tolerance: float) -> NDArray[np.bool_]:
    from scipy.ndimage import distance_transform_edt

    mask = np.asarray(target) > 0
    if mask.ndim != 2:
        raise OptionError(f"a tolerance needs fields of rows and columns, got shape {mask.shape}")
    if valid is not None:
        mask = mask & np.asarray(valid, dtype=bool)
    if not mask.any():
        return mask
    return np.asarray(distance_transform_edt(~mask) <= tolerance)
