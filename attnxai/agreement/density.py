"""Density metrics: the normalised scanpath saliency (Peters et al. 2005)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.pixels import single_pair

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def pairwise_nss(maps: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """NSS of every map (n, n_pixels) for every density (m, n_pixels)."""
    constant = maps.max(axis=1, keepdims=True) == maps.min(axis=1, keepdims=True)
    deviation = np.where(constant, 1.0, maps.std(axis=1, keepdims=True))
    scores = np.where(constant, np.nan, (maps - maps.mean(axis=1, keepdims=True)) / deviation)
    total = targets.sum(axis=1)
    weights = targets / np.where(total > 0, total, np.nan)[:, None]
    return np.asarray(scores @ weights.T)


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
