"""Region metrics: how much of a map's mass, and of its highest pixels, is marked (Arras et al. 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.pixels import single_pair

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def pairwise_relevance_mass_accuracy(
    maps: NDArray[np.float64], targets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Relevance mass accuracy of every map (n, n_pixels) for every mask (m, n_pixels)."""
    marked = (targets > 0).astype(np.float64)
    total = maps.sum(axis=1)
    undefined = (maps.min(axis=1) < 0) | (total <= 0) | (maps.max(axis=1) == maps.min(axis=1))
    mass = (maps @ marked.T) / np.where(undefined, np.nan, total)[:, None]
    n_marked = marked.sum(axis=1)
    mass[:, (n_marked == 0) | (n_marked == marked.shape[1])] = np.nan
    return np.asarray(mass)


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


def pairwise_relevance_rank_accuracy(
    maps: NDArray[np.float64], targets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Relevance rank accuracy of every map (n, n_pixels) for every mask (m, n_pixels)."""
    n_pixels = maps.shape[1]
    ordered = np.sort(maps, axis=1)
    constant = ordered[:, 0] == ordered[:, -1]
    result = np.full((len(maps), len(targets)), np.nan)
    for column, target in enumerate(targets):
        marked = np.flatnonzero(target > 0)
        k = marked.size
        if k in (0, n_pixels):
            continue
        threshold = ordered[:, n_pixels - k]
        values = maps[:, marked]
        above = (values > threshold[:, None]).sum(axis=1)
        tied = (values == threshold[:, None]).sum(axis=1)
        # of the pixels tied at the threshold only some fit among the k: each counts with that share
        n_above = n_pixels - _count_up_to(ordered, threshold, side="right")
        n_tied = n_pixels - n_above - _count_up_to(ordered, threshold, side="left")
        result[:, column] = (above + tied * (k - n_above) / n_tied) / k
    result[constant] = np.nan
    return result


def _count_up_to(
    ordered: NDArray[np.float64], threshold: NDArray[np.float64], *, side: str
) -> NDArray[np.int64]:
    """How many values of each sorted row lie below (``left``) or up to (``right``) its threshold."""
    return np.array(
        [
            np.searchsorted(row, value, side=side)  # type: ignore[call-overload]
            for row, value in zip(ordered, threshold, strict=True)
        ]
    )


def relevance_rank_accuracy(
    map: ArrayLike, target: ArrayLike, valid: ArrayLike | None = None
) -> float:
    """Share of the k highest pixels of a map that are marked, k being the number of marked pixels.

    Pixels tied at the k-th value count with the share of them that fits among the k, which is the
    expectation over breaking ties at random.

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
