"""Average precision: the area under the curve of precision over recall, in steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.metrics.pixels import (
    PixelRows,
    blanked,
    is_constant,
    marked_pixels,
    n_marked,
    not_partly_marked,
    rows_of,
    single_pair,
)
from attnxai.agreement.metrics.ranking import ordering

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def pairwise_average_precision(
    maps: NDArray[np.float64] | PixelRows, targets: NDArray[np.float64] | PixelRows
) -> NDArray[np.float64]:
    """Average precision of every map (n, n_pixels) for every mask (m, n_pixels).

    It takes the whole curve and is no product of matrices; the marked pixels of every pair are sorted.
    """
    maps, targets = rows_of(maps), rows_of(targets)
    # how many pixels are at least as high: what is taken when a pixel is
    taken = np.ascontiguousarray((maps.n_pixels - ordering(maps).below).T)
    values = np.full((len(maps), len(targets)), np.nan)
    for column, pixels in enumerate(marked_pixels(targets)):
        if pixels.size:
            values[:, column] = _mean_precision(np.sort(taken[pixels].T, axis=1))
    return blanked(values, is_constant(maps), not_partly_marked(targets))


def _mean_precision(taken: NDArray[np.int32]) -> NDArray[np.float64]:
    """Mean of the precision at every marked pixel, from sorted counts (n, k) of pixels taken."""
    k = taken.shape[1]
    hits = np.broadcast_to(np.arange(1, k + 1), taken.shape)
    level = taken[:, 1:] == taken[:, :-1]
    if level.any():
        # pixels that are level are taken together, so each has the hits of the last of them
        last = np.where(level, k, hits[:, :-1])
        ends = np.concatenate([last, hits[:, -1:]], axis=1)
        hits = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    return np.asarray((hits / taken).mean(axis=1))


def average_precision(map: ArrayLike, target: ArrayLike, valid: ArrayLike | None = None) -> float:
    """Mean precision of a map over the marked pixels, each at the threshold that just takes it.

    Pixels of one value are taken together, as scikit-learn does. Nothing is interpolated.

    Parameters
    ----------
    map : array_like
        Real values.
    target : array_like of bool, same shape
        Marked pixels.
    valid : array_like of bool, optional
        Pixels to use; all when left out.

    Returns
    -------
    float
        From above 0 to 1; NaN when the map is constant or the mask empty or full.

    Examples
    --------
    >>> round(average_precision([[1, 2], [3, 4]], [[False, True], [False, True]]), 6)
    0.833333
    """
    return single_pair(pairwise_average_precision, map, target, valid)


def average_precision_by_chance(targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean average precision of masks (m, n_pixels) with pixels in random order; shape (m,).

    With k of n pixels marked it is (H + (k - 1) (n - H) / (n - 1)) / n, with H = 1 + 1/2 + ... + 1/n:
    somewhat above the share of pixels that is marked (Bestgen 2015).
    """
    rows = rows_of(targets)
    n = rows.n_pixels
    k = n_marked(rows)
    if n < 2:
        return np.asarray(k / max(n, 1))
    harmonic = (1 / np.arange(1, n + 1)).sum()
    return np.asarray(np.where(k > 0, (harmonic + (k - 1) * (n - harmonic) / (n - 1)) / n, 0.0))
