"""Pixels replaced by what their neighbours let one expect, as ROAD does (Rong et al. 2022, arXiv 2202.00449)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_DIRECT, _DIAGONAL = 1 / 6, 1 / 12
"""Weights of the neighbours of a pixel by Rong et al.; those of a pixel within the image add up to 1."""


def impute_linearly(image: ArrayLike, missing: ArrayLike) -> NDArray[np.float64]:
    """Replace pixels so that each is the weighted mean of its neighbours.

    Neighbours along rows and columns weigh 1/6 and diagonal ones 1/12; a pixel on the border has fewer of them, and
    their weights are scaled to add up to 1. The missing pixels that are neighbours of each other make a sparse
    system of linear equations.

    Parameters
    ----------
    image : array_like, shape (rows, columns)
        Values; those of missing pixels are not used.
    missing : array_like of bool, same shape
        Pixels to replace.

    Returns
    -------
    ndarray of float64, same shape
        Zeros if all pixels are missing.

    Examples
    --------
    >>> impute_linearly([[0.0, 0.0, 0.0], [3.0, 9.0, 0.0], [0.0, 0.0, 0.0]], [[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    array([[0. , 0. , 0. ],
           [3. , 0.5, 0. ],
           [0. , 0. , 0. ]])
    """
    from scipy.sparse import diags
    from scipy.sparse.linalg import spsolve

    values = np.array(image, dtype=np.float64)
    where = np.asarray(missing, bool).ravel()
    flat = values.reshape(-1)
    if where.all():
        return np.zeros_like(values)
    if not where.any():
        return values
    rows = _neighbours(values.shape)[where]
    known = np.where(where, 0.0, flat)
    system = diags(np.asarray(rows.sum(axis=1)).ravel()) - rows[:, where]
    flat[where] = spsolve(system.tocsc(), rows @ known)
    return values


@functools.lru_cache(maxsize=8)
def _neighbours(shape: tuple[int, int]) -> Any:
    """Sparse matrix (n_pixels, n_pixels) of the weights of all neighbours."""
    from scipy.sparse import coo_matrix

    index = np.arange(shape[0] * shape[1]).reshape(shape)
    pairs = [
        (index[:, 1:], index[:, :-1], _DIRECT),
        (index[1:], index[:-1], _DIRECT),
        (index[1:, 1:], index[:-1, :-1], _DIAGONAL),
        (index[1:, :-1], index[:-1, 1:], _DIAGONAL),
    ]
    first = np.concatenate([one.ravel() for one, _, _ in pairs])
    second = np.concatenate([other.ravel() for _, other, _ in pairs])
    weights = np.concatenate([np.full(one.size, weight) for one, _, weight in pairs])
    half = coo_matrix((weights, (first, second)), shape=(index.size, index.size))
    return (half + half.T).tocsr()
