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
# By how much a variance may be off, relative to it: 10,000 resamples miss it by 1.4 % themselves.
_MOST_OFF = 0.02
_RARE = 1e-3  # probability of resamples for which it may be off further
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
            means, within, off, present = _over_sources(counts, defined, numbers, table.weights)
            usable = np.isfinite(means)
            if chances[usable] @ (off[usable] > _MOST_OFF) > _RARE:
                return None
            means, within, chances = means[usable], within[usable], chances[usable]
            if subset:
                variances[frozenset(subset)] = _variance(means, chances)
            # less often where most resamples of sources leave no value
            chances = chances * present[usable]
            variances[frozenset((*subset, len(sizes)))] = _variance(means, chances, within)
    return variances


def _variance(
    means: NDArray[np.float64],
    chances: NDArray[np.float64],
    within: NDArray[np.float64] | float = 0.0,
) -> float:
    shares = chances / chances.sum()
    return float(shares @ ((means - shares @ means) ** 2 + within))


def _over_sources(
    counts: NDArray[np.float64],
    defined: NDArray[np.float64],
    numbers: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """For each row of counts the mean of a table, its variance over resampled sources, and the chance that these have a value.

    Between the last two stands how far that variance is off, relative to it: the next terms of the variance of a quotient,
    without their signs. All are 0 where every source counts alike.
    """
    n, found = defined.shape[1], np.full((4, len(counts)), np.nan)
    rows = max(1, _BLOCK // n)
    for start in range(0, len(counts), rows):
        some = slice(start, start + rows)
        number = counts[some] @ defined
        of_sources = counts[some] @ numbers / np.where(number > 0, number, 1.0)
        shares = np.where(number > 0, weights, 0.0)
        total = shares.sum(axis=1, keepdims=True)
        shares = np.divide(shares, total, out=np.full(shares.shape, np.nan), where=total > 0)
        means = (shares * of_sources).sum(axis=1)
        apart = of_sources - means[:, None]
        squares = (shares * apart) ** 2
        variance = squares.sum(axis=1)
        known = np.where(variance > 0, variance, 1.0)
        found[0, some], found[1, some] = means, variance
        found[2, some] = (
            2 * np.abs((shares * squares).sum(axis=1) / known - 1 / n) * (variance > 0)
            + 3 * ((shares**2).sum(axis=1) - 1 / n)
            + 5 * (shares**2 * apart).sum(axis=1) ** 2 / known
        )
        found[3, some] = 1.0 - (1.0 - (shares > 0).mean(axis=1)) ** n
    return found


@functools.cache
def _all_resamples(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How often each of ``n`` levels occurs in every resample of them, and the probability of each."""
    drawn = itertools.combinations_with_replacement(range(n), n)
    counts = np.array([np.bincount(levels, minlength=n) for levels in drawn], dtype=np.float64)
    ways = [math.factorial(n) / math.prod(map(math.factorial, map(int, row))) for row in counts]
    return counts, np.array(ways) / n**n
