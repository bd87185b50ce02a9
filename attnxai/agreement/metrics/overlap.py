"""Region metrics: how much of a map's mass, and of its highest pixels, is marked.

Relevance mass and rank accuracy are those of Arras et al. (2022). Cutting a map at the annotation's own
area leaves nothing to tune: as many pixels are taken as are marked. Precision, recall and the Dice
coefficient of that region are then one number, relevance rank accuracy, and its IoU is a function of it.
The top-k intersection (Ghorbani et al. 2019) compares with the highest pixels of a density instead, as
many for every source.

Pixels tied at the last value that is taken count with the share of them that fits, which is the
expectation over breaking ties at random.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.metrics.pixels import (
    PixelRows,
    blanked,
    is_constant,
    marked,
    marked_pixels,
    n_marked,
    not_partly_marked,
    rows_of,
    single_pair,
    totals,
    without_mass,
)
from attnxai.agreement.metrics.ranking import ordering
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

TOP_FRACTION = 0.05
"""Share of the pixels that top-k intersection takes."""


def pairwise_relevance_mass_accuracy(
    maps: NDArray[np.float64] | PixelRows, targets: NDArray[np.float64] | PixelRows
) -> NDArray[np.float64]:
    """Relevance mass accuracy of every map (n, n_pixels) for every mask (m, n_pixels)."""
    maps, targets = rows_of(maps), rows_of(targets)
    mass = maps.values @ marked(targets).T / totals(maps)[:, None]
    return blanked(mass, without_mass(maps), not_partly_marked(targets))


def relevance_mass_accuracy(
    map: ArrayLike, target: ArrayLike, valid: ArrayLike | None = None
) -> float:
    """Share of a map's sum that lies on marked pixels.

    Parameters
    ----------
    map : array_like
        Values that are nowhere negative; signed maps have no mass.
    target : array_like of bool, same shape
        Marked pixels.
    valid : array_like of bool, optional
        Pixels to use; all when left out.

    Returns
    -------
    float
        From 0 to 1; NaN when the map is signed or constant or the mask empty or full.

    Examples
    --------
    >>> relevance_mass_accuracy([[1, 2], [3, 4]], [[False, True], [False, True]])
    0.6
    """
    return single_pair(pairwise_relevance_mass_accuracy, map, target, valid)


def _shares_at_own_area(maps: PixelRows, targets: PixelRows) -> NDArray[np.float64]:
    """Share of the k highest pixels of every map that every mask of k pixels marks; shape (n, m)."""
    n_pixels = maps.n_pixels
    found = ordering(maps)
    pixels = marked_pixels(targets)
    counts = np.array([p.size for p in pixels], dtype=np.intp)
    values = np.full((len(maps), len(targets)), np.nan)
    use = np.flatnonzero((counts > 0) & (counts < n_pixels))
    if not use.size:
        return values
    gathered = np.concatenate([pixels[j] for j in use])
    areas = counts[use]
    starts = np.concatenate([[0], np.cumsum(areas)[:-1]])
    for i in range(len(maps)):
        threshold = found.order[i, n_pixels - areas]
        lowest = found.below[i, threshold]
        size = found.tied[i, threshold]
        # of the pixels tied with the last one taken only some fit among the k
        fit = areas - (n_pixels - lowest - size)
        own = found.below[i, gathered]
        lowest = np.repeat(lowest, areas)
        taken = np.add.reduceat(own >= lowest, starts, dtype=np.float64)
        if (size > fit).any():
            taken -= np.add.reduceat(own == lowest, starts, dtype=np.intp) * (1 - fit / size)
        values[i, use] = taken / areas
    return values


def pairwise_relevance_rank_accuracy(
    maps: NDArray[np.float64] | PixelRows, targets: NDArray[np.float64] | PixelRows
) -> NDArray[np.float64]:
    """Relevance rank accuracy of every map (n, n_pixels) for every mask (m, n_pixels)."""
    maps, targets = rows_of(maps), rows_of(targets)
    values = maps.once(_shares_at_own_area, targets).copy()
    return blanked(values, is_constant(maps), not_partly_marked(targets))


def relevance_rank_accuracy(
    map: ArrayLike, target: ArrayLike, valid: ArrayLike | None = None
) -> float:
    """Share of the k highest pixels of a map that are marked, k being the number of marked pixels.

    It is the same number as :func:`dice`.

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
        From 0 to 1; NaN when the map is constant or the mask empty or full.

    Examples
    --------
    >>> relevance_rank_accuracy([[1, 2], [3, 4]], [[False, True], [False, True]])
    0.5
    """
    return single_pair(pairwise_relevance_rank_accuracy, map, target, valid)


def dice(map: ArrayLike, target: ArrayLike, valid: ArrayLike | None = None) -> float:
    """Dice coefficient of the mask and as many of the map's highest pixels.

    Both regions have k pixels, so it is 2 |both| / (k + k) = |both| / k: the same number as
    :func:`relevance_rank_accuracy`, under the name that segmentation uses.

    Parameters
    ----------
    map, target, valid
        As in :func:`relevance_rank_accuracy`.

    Returns
    -------
    float
        From 0 to 1; NaN when the map is constant or the mask empty or full.

    Examples
    --------
    >>> dice([[1, 2], [3, 4]], [[False, True], [False, True]])
    0.5
    """
    return single_pair(pairwise_relevance_rank_accuracy, map, target, valid)


def pairwise_iou(
    maps: NDArray[np.float64] | PixelRows, targets: NDArray[np.float64] | PixelRows
) -> NDArray[np.float64]:
    """IoU at the own area of every map (n, n_pixels) for every mask (m, n_pixels)."""
    share = pairwise_relevance_rank_accuracy(maps, targets)
    return np.asarray(share / (2 - share))


def iou(map: ArrayLike, target: ArrayLike, valid: ArrayLike | None = None) -> float:
    """Intersection over union of the mask and as many of the map's highest pixels.

    With d the Dice coefficient it is d / (2 - d). With ties it is the index of fuzzy sets, of which tied
    pixels are members to the share that fits.

    Parameters
    ----------
    map, target, valid
        As in :func:`relevance_rank_accuracy`.

    Returns
    -------
    float
        From 0 to 1; NaN when the map is constant or the mask empty or full.

    Examples
    --------
    >>> round(iou([[1, 2], [3, 4]], [[False, True], [False, True]]), 6)
    0.333333
    """
    return single_pair(pairwise_iou, map, target, valid)


def iou_by_chance(targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean IoU of masks (m, n_pixels) with as many pixels taken at random; shape (m,)."""
    rows = rows_of(targets)
    areas, where = np.unique(n_marked(rows), return_inverse=True)
    expected = np.array([_iou_of_random_regions(int(k), rows.n_pixels) for k in areas])
    return np.asarray(expected[where])


def _iou_of_random_regions(k: int, n_pixels: int) -> float:
    """Mean IoU of two regions of k of n pixels, one of them at random."""
    if not k:
        return 0.0
    both = np.arange(max(0, 2 * k - n_pixels), k + 1, dtype=np.float64)
    # the hypergeometric distribution by the ratio of each probability to the one before, in logarithms:
    # its own constant drops out, and a distribution object for every area would cost more than all else
    ratios = (k - both[:-1]) ** 2 / (both[1:] * (n_pixels - 2 * k + both[1:]))
    logarithms = np.concatenate([[0.0], np.cumsum(np.log(ratios))])
    chances = np.exp(logarithms - logarithms.max())
    return float((chances * both / (2 * k - both)).sum() / chances.sum())


def _n_top(n_pixels: int, fraction: float) -> int:
    return max(1, round(fraction * n_pixels))


def _membership(rows: PixelRows, fraction: float) -> NDArray[np.float64]:
    """How far every pixel is among the highest of its row, from 0 to 1; shape (n, n_pixels)."""
    found = ordering(rows)
    above = rows.n_pixels - found.below - found.tied
    room = _n_top(rows.n_pixels, fraction) - above
    return np.clip(room / found.tied, 0.0, 1.0)


def pairwise_top_intersection(
    maps: NDArray[np.float64] | PixelRows,
    targets: NDArray[np.float64] | PixelRows,
    *,
    fraction: float = TOP_FRACTION,
) -> NDArray[np.float64]:
    """Top-k intersection of every map (n, n_pixels) with every density (m, n_pixels)."""
    if not 0 < fraction < 1:
        raise OptionError(f"fraction has to lie between 0 and 1, got {fraction}")
    maps, targets = rows_of(maps), rows_of(targets)
    common = maps.once(_membership, fraction) @ targets.once(_membership, fraction).T
    values = common / _n_top(maps.n_pixels, fraction)
    return blanked(np.asarray(values), is_constant(maps), is_constant(targets))


def top_intersection(
    map: ArrayLike,
    target: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    fraction: float = TOP_FRACTION,
) -> float:
    """Share of the k highest pixels of a map that are among the k highest of a density.

    k is a fixed share of the valid pixels, stated beforehand. Where a density has fewer pixels above
    0, the rest of the k lies anywhere else.

    Parameters
    ----------
    map : array_like
        Real values.
    target : array_like, same shape
        Density.
    valid : array_like of bool, optional
        Pixels to use; all when left out.
    fraction : float
        k as a share of the valid pixels; at least one pixel is taken.

    Returns
    -------
    float
        From 0 to 1, k / n_pixels by chance; NaN when either is constant.

    Raises
    ------
    OptionError
        If ``fraction`` does not lie between 0 and 1.

    Examples
    --------
    >>> top_intersection([[1, 2], [3, 4]], [[0, 0.2], [0.1, 0.9]], fraction=0.5)
    0.5
    """
    return single_pair(pairwise_top_intersection, map, target, valid, fraction=fraction)


def top_intersection_by_chance(targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean top-k intersection of densities (m, n_pixels) with pixels at random; shape (m,)."""
    n_pixels = targets.shape[1]
    return np.full(len(targets), _n_top(n_pixels, TOP_FRACTION) / max(n_pixels, 1))
