"""Variances of a mean over resamples of sources and annotators, without drawing any.

Annotators are few, so all their resamples can be listed with their probabilities. For each of them the mean over resampled
sources is a quotient of two sums. Its variance is exact where all sources count alike, and otherwise that of the linear
approximation, which is close where the sum of weights varies little.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.agreement.intervals.crossed_table import CrossedTable

_MOST_LISTED = 2_000  # resamples of annotators and seeds; 7 annotators have 1,716
# Relative variance of the sum of weights. The variance of the quotient is off by about three times as much: by 1 %, less
# than the 1.4 % by which 10,000 resamples miss it.
_MOST_UNEQUAL = 1 / 300
_RARE = 1e-3
_BLOCK = 2_000_000


def closed_variances(table: CrossedTable) -> dict[frozenset[int], float] | None:
    """Variance of a table's mean when each set of factors is resampled, as :func:`~.dual_bootstrap.bootstrap_variances`.

    None where resamples of annotators and seeds are too many to list, or sources count too unequally. With sources resampled
    as well, the variance is that of the means of the listed resamples and the mean of the variances within them.
    """
    *sizes, n = table.values.shape
    if math.prod(math.comb(2 * k - 1, k) for k in sizes) > _MOST_LISTED:
        return None
    defined = np.isfinite(table.values).reshape(-1, n).astype(np.float64)
    numbers = np.nan_to_num(table.values).reshape(-1, n)
    axes = range(len(sizes))
    variances = {}
    for k in range(len(sizes) + 1):
        for subset in itertools.combinations(axes, k):
            counts, chances = np.ones((1, 1)), np.ones(1)
            for axis in axes:
                own, chance = (
                    _all_resamples(sizes[axis])
                    if axis in subset
                    else (np.ones((1, sizes[axis])), np.ones(1))
                )
                counts = np.einsum("ia,jb->ijab", counts, own).reshape(len(counts) * len(own), -1)
                chances = np.outer(chances, chance).ravel()
            means, within, unequal = _over_sources(counts, defined, numbers, table.weights)
            usable = np.isfinite(means)
            chances = np.where(usable, chances, 0.0) / chances[usable].sum()
            if chances[usable] @ (unequal[usable] > _MOST_UNEQUAL) > _RARE:
                return None
            means, within, chances = means[usable], within[usable], chances[usable]
            between = float(chances @ (means - chances @ means) ** 2)
            if subset:
                variances[frozenset(subset)] = between
            variances[frozenset((*subset, len(sizes)))] = between + float(chances @ within)
    return variances


def _over_sources(
    counts: NDArray[np.float64],
    defined: NDArray[np.float64],
    numbers: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean of a table, its variance over resampled sources, and how unequally sources count, for each row of counts."""
    found = np.full((3, len(counts)), np.nan)
    rows = max(1, _BLOCK // defined.shape[1])
    for start in range(0, len(counts), rows):
        some = slice(start, start + rows)
        number = counts[some] @ defined
        of_sources = counts[some] @ numbers / np.where(number > 0, number, 1.0)
        shares = np.where(number > 0, weights, 0.0)
        total = shares.sum(axis=1, keepdims=True)
        shares = np.divide(shares, total, out=np.full(shares.shape, np.nan), where=total > 0)
        means = (shares * of_sources).sum(axis=1)
        found[0, some] = means
        found[1, some] = (shares**2 * (of_sources - means[:, None]) ** 2).sum(axis=1)
        found[2, some] = (shares**2).sum(axis=1) - 1 / len(weights)
    return found[0], found[1], found[2]


@functools.cache
def _all_resamples(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How often each of ``n`` levels occurs in every resample of them, and the probability of each."""
    drawn = itertools.combinations_with_replacement(range(n), n)
    counts = np.array([np.bincount(levels, minlength=n) for levels in drawn], dtype=np.float64)
    ways = [math.factorial(n) / math.prod(map(math.factorial, map(int, row))) for row in counts]
    return counts, np.array(ways) / n**n
