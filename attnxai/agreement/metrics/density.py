"""Density metrics: how a map is distributed where people marked.

The normalised scanpath saliency (Peters et al. 2005), the linear correlation and the similarity of two
distributions, as in Bylinskii et al. (2019), "What do different evaluation metrics tell us about saliency
models?".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.metrics.pixels import (
    PixelRows,
    blanked,
    centred,
    deviations,
    is_constant,
    marked_pixels,
    rows_of,
    single_pair,
    totals,
    without_mass,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def _products(maps: PixelRows, targets: PixelRows) -> NDArray[np.float64]:
    """Sums over pixels of every map times every target, both less their means; shape (n, m)."""
    return np.asarray(centred(maps) @ centred(targets).T)


def pairwise_nss(
    maps: NDArray[np.float64] | PixelRows, targets: NDArray[np.float64] | PixelRows
) -> NDArray[np.float64]:
    """NSS of every map (n, n_pixels) for every density (m, n_pixels)."""
    maps, targets = rows_of(maps), rows_of(targets)
    total = totals(targets)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = maps.once(_products, targets) / total / deviations(maps)[:, None]
    return blanked(values, is_constant(maps), np.isnan(total))


def nss(map: ArrayLike, target: ArrayLike, valid: ArrayLike | None = None) -> float:
    """Normalised scanpath saliency: the mean of the standardised map, weighted by the target.

    For a mask it is the mean over marked pixels, for a density the mean weighted by it.

    Parameters
    ----------
    map : array_like
        Real values; standardised over the valid pixels with their population deviation.
    target : array_like, same shape
        Mask, or density that is nowhere negative.
    valid : array_like of bool, optional
        Pixels to use; all when left out.

    Returns
    -------
    float
        In standard deviations, 0 by chance; NaN when the map is constant or the target empty.

    Examples
    --------
    >>> round(nss([[0, 0], [0, 4]], [[False, False], [False, True]]), 6)
    1.732051
    """
    return single_pair(pairwise_nss, map, target, valid)


def pairwise_correlation(
    maps: NDArray[np.float64] | PixelRows, targets: NDArray[np.float64] | PixelRows
) -> NDArray[np.float64]:
    """Pearson's correlation of every map (n, n_pixels) with every density (m, n_pixels)."""
    maps, targets = rows_of(maps), rows_of(targets)
    scale = max(maps.n_pixels, 1) * np.outer(deviations(maps), deviations(targets))
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.clip(maps.once(_products, targets) / scale, -1.0, 1.0)
    return blanked(values, is_constant(maps), is_constant(targets))


def correlation(map: ArrayLike, target: ArrayLike, valid: ArrayLike | None = None) -> float:
    """Pearson's linear correlation of a map and a density, "CC" of the saliency literature.

    Parameters
    ----------
    map : array_like
        Real values.
    target : array_like, same shape
        Density or mask.
    valid : array_like of bool, optional
        Pixels to use; all when left out.

    Returns
    -------
    float
        From -1 to 1; NaN when either is constant.

    Examples
    --------
    >>> round(correlation([[0, 1], [2, 3]], [[0, 1], [2, 5]]), 6)
    0.956183
    """
    return single_pair(pairwise_correlation, map, target, valid)


def pairwise_similarity(
    maps: NDArray[np.float64] | PixelRows, targets: NDArray[np.float64] | PixelRows
) -> NDArray[np.float64]:
    """Similarity of every map (n, n_pixels) with every density (m, n_pixels).

    It is no product of matrices; only marked pixels are visited.
    """
    maps, targets = rows_of(maps), rows_of(targets)
    map_totals, target_totals = totals(maps), totals(targets)
    pixels_first = np.ascontiguousarray((maps.values / map_totals[:, None]).T)
    values = np.empty((len(maps), len(targets)))
    for column, pixels in enumerate(marked_pixels(targets)):
        shares = targets.values[column, pixels] / target_totals[column]
        values[:, column] = np.minimum(pixels_first[pixels], shares[:, None]).sum(axis=0)
    return blanked(values, without_mass(maps) | np.isnan(map_totals), np.isnan(target_totals))


def similarity(map: ArrayLike, target: ArrayLike, valid: ArrayLike | None = None) -> float:
    """Histogram intersection of a map and a density that are both scaled to sum 1.

    Its value for a map that is the same everywhere depends on how far the density spreads: it is no
    scale with a fixed value by chance.

    Parameters
    ----------
    map : array_like
        Values that are nowhere negative.
    target : array_like, same shape
        Density or mask.
    valid : array_like of bool, optional
        Pixels to use; all when left out.

    Returns
    -------
    float
        From 0 to 1; NaN when the map is signed or constant or the target empty.

    Examples
    --------
    >>> similarity([[1, 1], [1, 5]], [[0, 0], [1, 1]])
    0.625
    """
    return single_pair(pairwise_similarity, map, target, valid)


def similarity_of_uniform(targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Similarity of densities (m, n_pixels) with a map that is the same everywhere; shape (m,)."""
    rows = rows_of(targets)
    shares = rows.values / totals(rows)[:, None]
    return np.asarray(np.minimum(shares, 1 / max(rows.n_pixels, 1)).sum(axis=1))
