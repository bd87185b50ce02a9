"""Rank metrics: Spearman's correlation and the area under the ROC curve.

Ranks are held about their mean, as multiples of one half. Their products with each other and with masks
are then sums of such multiples that fit a float64 without rounding (up to 200,000 pixels), so they come
out the same in whatever order they are added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from attnxai.agreement.metrics.pixels import (
    PixelRows,
    blanked,
    is_constant,
    marked,
    n_marked,
    not_partly_marked,
    rows_of,
    single_pair,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Ordering(NamedTuple):
    """How the pixels of each row are ordered; arrays of shape (n, n_pixels).

    Parameters
    ----------
    order : ndarray of int
        Pixels from the lowest to the highest, those that are tied in any order.
    below : ndarray of int
        For every pixel, how many are strictly lower.
    tied : ndarray of int
        For every pixel, how many have its value, itself among them.
    """

    order: NDArray[np.int32]
    below: NDArray[np.int32]
    tied: NDArray[np.int32]


def ordering(rows: PixelRows) -> Ordering:
    """Order of the pixels of each row; for rows with values that are not finite it means nothing."""
    return rows.once(_ordering)


def _ordering(rows: PixelRows) -> Ordering:
    n, n_pixels = rows.values.shape
    order = np.empty((n, n_pixels), np.int32)
    below = np.zeros((n, n_pixels), np.int32)
    tied = np.ones((n, n_pixels), np.int32)
    positions = np.arange(n_pixels, dtype=np.int32)
    for i, values in enumerate(rows.values):
        ascending = _ascending(values)
        order[i] = ascending
        ordered = values[ascending]
        edges = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
        if edges.size == n_pixels - 1:
            below[i, ascending] = positions
            continue
        starts = np.concatenate([[0], edges])
        sizes = np.diff(starts, append=n_pixels)
        below[i, ascending] = np.repeat(starts, sizes)
        tied[i, ascending] = np.repeat(sizes, sizes)
    return Ordering(order, below, tied)


def _ascending(values: NDArray[np.float64]) -> NDArray[np.intp]:
    above = values > values.min(initial=np.inf)
    n_above = np.count_nonzero(above)
    if n_above > values.size // 2:
        return np.argsort(values)
    # most of an annotation is not marked, and needs no sorting
    pixels = np.flatnonzero(above)
    return np.concatenate([np.flatnonzero(~above), pixels[np.argsort(values[pixels])]])


def centred_ranks(rows: PixelRows) -> NDArray[np.float64]:
    """Mid-ranks of each row, less their mean (n_pixels + 1) / 2; shape (n, n_pixels)."""
    return rows.once(_centred_ranks)


def _centred_ranks(rows: PixelRows) -> NDArray[np.float64]:
    found = ordering(rows)
    return np.asarray(found.below + 0.5 * found.tied - 0.5 * rows.n_pixels)


def _squared_lengths(rows: PixelRows) -> NDArray[np.float64]:
    ranks = centred_ranks(rows)
    return np.asarray(np.einsum("ij,ij->i", ranks, ranks))


def mid_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks along the last axis from 1, ties sharing the mean of their ranks.

    Examples
    --------
    >>> mid_ranks(np.array([[3.0, 1.0, 3.0]]))
    array([[2.5, 1. , 2.5]])
    """
    from scipy.stats import rankdata

    return np.asarray(rankdata(values, axis=-1), dtype=np.float64)


def pairwise_spearman(
    maps: NDArray[np.float64] | PixelRows, targets: NDArray[np.float64] | PixelRows
) -> NDArray[np.float64]:
    """Spearman's rho of every map (n, n_pixels) with every target (m, n_pixels)."""
    maps, targets = rows_of(maps), rows_of(targets)
    products = centred_ranks(maps) @ centred_ranks(targets).T
    squares = np.outer(maps.once(_squared_lengths), targets.once(_squared_lengths))
    with np.errstate(invalid="ignore"):
        rho = np.clip(products / np.sqrt(squares), -1.0, 1.0)
    return blanked(rho, is_constant(maps), is_constant(targets))


def spearman(map: ArrayLike, target: ArrayLike, valid: ArrayLike | None = None) -> float:
    """Spearman's rank correlation of a map and a target, ties at mid-ranks.

    Parameters
    ----------
    map, target : array_like of the same shape
        Real values.
    valid : array_like of bool, optional
        Pixels to use; all when left out.

    Returns
    -------
    float
        From -1 to 1; NaN when either is constant.

    Examples
    --------
    >>> spearman([[1, 2], [3, 4]], [[1, 2], [4, 3]])
    0.8
    """
    return single_pair(pairwise_spearman, map, target, valid)


def pairwise_auc(
    maps: NDArray[np.float64] | PixelRows, targets: NDArray[np.float64] | PixelRows
) -> NDArray[np.float64]:
    """AUC of every map (n, n_pixels) for every mask (m, n_pixels)."""
    maps, targets = rows_of(maps), rows_of(targets)
    count = n_marked(targets)
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = centred_ranks(maps) @ marked(targets).T / (count * (maps.n_pixels - count))
    return blanked(0.5 + excess, is_constant(maps), not_partly_marked(targets))


def auc(map: ArrayLike, target: ArrayLike, valid: ArrayLike | None = None) -> float:
    """Probability that a map is higher on a marked pixel than on an unmarked one, ties counting half.

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
        From 0 to 1; NaN when the mask is empty or full or the map constant.

    Examples
    --------
    >>> auc([[1, 2], [3, 4]], [[False, True], [False, True]])
    0.75
    """
    return single_pair(pairwise_auc, map, target, valid)
