"""Rank metrics: Spearman's correlation and the area under the ROC curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.pixels import single_pair

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def mid_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks along the last axis from 1, ties sharing the mean of their ranks.

    Examples
    --------
    >>> mid_ranks(np.array([[3.0, 1.0, 3.0]]))
    array([[2.5, 1. , 2.5]])
    """
    from scipy.stats import rankdata

    return np.asarray(rankdata(values, axis=-1), dtype=np.float64)


def _standardised_rows(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows with mean 0 and length 1; NaN where a row is constant."""
    centred = values - values.mean(axis=1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    constant = values.max(axis=1, keepdims=True) == values.min(axis=1, keepdims=True)
    return np.asarray(np.where(constant, np.nan, centred / np.where(constant, 1.0, length)))


def pairwise_spearman(
    maps: NDArray[np.float64], targets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Spearman's rho of every map (n, n_pixels) with every target (m, n_pixels)."""
    rho = _standardised_rows(mid_ranks(maps)) @ _standardised_rows(mid_ranks(targets)).T
    return np.asarray(np.clip(rho, -1.0, 1.0))


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


def pairwise_auc(maps: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """AUC of every map (n, n_pixels) for every mask (m, n_pixels)."""
    ranks = mid_ranks(maps)
    marked = (targets > 0).astype(np.float64)
    n_marked = marked.sum(axis=1)
    n_other = marked.shape[1] - n_marked
    with np.errstate(divide="ignore", invalid="ignore"):
        auc = (ranks @ marked.T - n_marked * (n_marked + 1) / 2) / (n_marked * n_other)
    auc[:, (n_marked == 0) | (n_other == 0)] = np.nan
    auc[maps.max(axis=1) == maps.min(axis=1)] = np.nan
    return np.asarray(auc)


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
