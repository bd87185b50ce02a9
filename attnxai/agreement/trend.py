"""Whether a value rises or falls over ordered conditions, tested by exchanges within repeats.

Rows are repeats (blocks), such as the seeds of trained models; columns are ordered conditions, such as the
orders of their symmetry groups. Under the null hypothesis the condition makes no difference: within each
row the values could stand in any order. Nothing is assumed of how values are distributed, or how rows
differ from each other.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.nulls.base import RELATIVE_TIE
from attnxai.agreement.ranking import mid_ranks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MIN_CONDITIONS = 3
"""Two conditions make a difference, not a trend."""

# All orders of a row are listed up to this many conditions (8! = 40320).
_MOST_LISTED = 8


class Alternative(enum.StrEnum):
    """Which trends count as evidence."""

    TWO_SIDED = "two-sided"
    INCREASING = "increasing"
    DECREASING = "decreasing"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrendTest:
    """An observed trend against its distribution when orders within rows are exchanged.

    Parameters
    ----------
    statistic : str
        ``Page's L`` or ``slope``.
    value : float
        As observed.
    expected : float
        Mean under the null hypothesis; above it values rise, below it they fall.
    p_value : float
        (1 + b) / (1 + B) for sampled exchanges, b / M for all of them; never 0.
    smallest_p : float
        The smallest p-value that could have come out with these values.
    n_blocks, n_conditions : int
        Rows and columns that were used.
    n_draws : int
        Exchanges, all of them when ``exhaustive``.
    exhaustive : bool
        Whether all exchanges were counted.
    alternative : Alternative
        Which trends count.
    """

    statistic: str
    value: float
    expected: float
    p_value: float
    smallest_p: float
    n_blocks: int
    n_conditions: int
    n_draws: int
    exhaustive: bool
    alternative: Alternative


def page_trend(
    values: ArrayLike,
    *,
    alternative: Alternative = Alternative.TWO_SIDED,
    n_draws: int = 100_000,
    rng: np.random.Generator | int = 0,
) -> TrendTest | None:
    """Page's test for ordered alternatives (Page 1963), with its exact distribution.

    Values are ranked within each row, ties at mid-ranks, and L is the sum over columns of the column's
    number times its sum of ranks. The distribution is that of the ranks as they are, ties included: up to
    eight conditions it is exact for any number of rows, beyond that it is sampled.

    Parameters
    ----------
    values : array_like, shape (n_blocks, n_conditions)
        In the order of the conditions; a row with an undefined value is left out.
    alternative : Alternative
        Which trends count.
    n_draws : int
        Exchanges where they are sampled.
    rng : numpy.random.Generator or int
        Source of randomness where they are sampled.

    Returns
    -------
    TrendTest or None
        None with fewer than :data:`MIN_CONDITIONS` columns or without a complete row.

    Examples
    --------
    >>> test = page_trend([[1, 2, 3], [1, 3, 2], [1, 2, 3]], alternative=Alternative.INCREASING)
    >>> test.value, round(test.p_value, 4)
    (41.0, 0.0324)
    """
    rows = _complete_rows(values)
    if rows is None:
        return None
    n_blocks, n_conditions = rows.shape
    ranks = mid_ranks(rows)
    numbers = np.arange(1, n_conditions + 1, dtype=np.float64)
    observed = float((ranks @ numbers).sum())
    expected = n_blocks * n_conditions * (n_conditions + 1) ** 2 / 4
    if n_conditions <= _MOST_LISTED:
        sums, counts = _exact_sums(np.rint(2 * ranks).astype(np.int64))
        null, shares, n, exhaustive = sums / 2, counts, math.factorial(n_conditions), True
        n_exchanges = n**n_blocks
    else:
        null = _sampled_sums(ranks, numbers, n_draws, np.random.default_rng(rng))
        shares, n_exchanges, exhaustive = np.full(n_draws, 1.0 / n_draws), n_draws, False
    return _test(
        "Page's L", observed, expected, null, shares, n_exchanges, exhaustive, rows, alternative
    )


def permutation_slope(
    values: ArrayLike,
    positions: ArrayLike,
    *,
    alternative: Alternative = Alternative.TWO_SIDED,
    n_draws: int = 100_000,
    rng: np.random.Generator | int = 0,
) -> TrendTest | None:
    """Slope of a straight line over the conditions' positions, tested by exchanges within rows.

    Each row has its own least-squares line; the statistic is the mean of their slopes. Where there are no
    more exchanges than ``n_draws``, (n_conditions!) to the power of n_blocks, all of them are counted.

    Parameters
    ----------
    values : array_like, shape (n_blocks, n_conditions)
        A row with an undefined value is left out.
    positions : array_like, shape (n_conditions,)
        Where the conditions lie, such as log2 of a group's order: the slope is then per doubling.
    alternative : Alternative
        Which trends count.
    n_draws : int
        Exchanges where they are sampled.
    rng : numpy.random.Generator or int
        Source of randomness where they are sampled.

    Returns
    -------
    TrendTest or None
        None with fewer than :data:`MIN_CONDITIONS` columns or without a complete row.

    Raises
    ------
    ValueError
        If positions do not fit the columns or are all the same.

    Examples
    --------
    >>> test = permutation_slope([[1, 2, 4], [0, 1, 2]], [0, 1, 2])
    >>> test.value, test.exhaustive, test.n_draws, round(test.p_value, 4)
    (1.25, True, 36, 0.0556)
    """
    x = np.asarray(positions, dtype=np.float64)
    n_columns = np.shape(np.asarray(values, dtype=np.float64))[-1]
    if x.shape != (n_columns,) or not np.isfinite(x).all() or np.ptp(x) == 0:
        raise ValueError(f"positions need {n_columns} finite numbers that differ, got {x.tolist()}")
    rows = _complete_rows(values)
    if rows is None:
        return None
    n_blocks, n_conditions = rows.shape
    centred = x - x.mean()
    weights = centred / (centred**2).sum() / n_blocks
    # values around their row's mean, so that a large common offset costs no digits
    rows_centred = rows - rows.mean(axis=1, keepdims=True)
    observed = float((rows_centred @ weights).sum())
    n_exchanges = math.factorial(n_conditions) ** n_blocks
    exhaustive = n_exchanges <= n_draws
    if exhaustive:
        orders = np.array(list(itertools.permutations(range(n_conditions))))
        null = np.zeros(1)
        for row in rows_centred:
            null = (null[:, None] + (row[orders] @ weights)[None, :]).ravel()
    else:
        n_exchanges = n_draws
        null = _sampled_sums(rows_centred, weights, n_draws, np.random.default_rng(rng))
    shares = np.full(len(null), 1.0 / len(null))
    return _test("slope", observed, 0.0, null, shares, n_exchanges, exhaustive, rows, alternative)


def _complete_rows(values: ArrayLike) -> NDArray[np.float64] | None:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"values need one row a block, got the shape {table.shape}")
    rows = table[np.isfinite(table).all(axis=1)]
    return rows if len(rows) and table.shape[1] >= MIN_CONDITIONS else None


def _exact_sums(
    doubled_ranks: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All sums that exchanges within rows can give, doubled, and the share of exchanges that do.

    The rows are independent, so their distributions are convolved one after the other.
    """
    n_conditions = doubled_ranks.shape[1]
    numbers = np.arange(1, n_conditions + 1)
    orders = np.array(list(itertools.permutations(range(n_conditions))))
    lowest, shares = 0, np.ones(1)
    for row in doubled_ranks:
        sums = row[orders] @ numbers
        counts = np.bincount(sums - sums.min())
        shares = np.convolve(shares, counts / len(orders))
        lowest += int(sums.min())
    return lowest + np.arange(len(shares), dtype=np.float64), shares


def _sampled_sums(
    rows: NDArray[np.float64],
    weights: NDArray[np.float64],
    n_draws: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    sums = np.zeros(n_draws)
    for row in rows:
        sums += rng.permuted(np.tile(row, (n_draws, 1)), axis=1) @ weights
    return sums


def _test(
    statistic: str,
    observed: float,
    expected: float,
    null: NDArray[np.float64],
    shares: NDArray[np.float64],
    n_exchanges: int,
    exhaustive: bool,
    rows: NDArray[np.float64],
    alternative: Alternative,
) -> TrendTest:
    def evidence(values: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far values lie in the direction that counts."""
        if alternative is Alternative.TWO_SIDED:
            return np.abs(values - expected)
        return values - expected if alternative is Alternative.INCREASING else expected - values

    possible = shares > 0
    far = evidence(null[possible])
    tie = RELATIVE_TIE * max(abs(observed), float(np.abs(null).max()))
    reached = far >= float(evidence(np.array(observed))) - tie
    p_value = float(shares[possible][reached].sum())
    smallest = float(shares[possible][far >= far.max() - tie].sum())
    if not exhaustive:
        # the observed order counts as one of the draws
        p_value = (1 + p_value * n_exchanges) / (1 + n_exchanges)
        smallest = 1 / (1 + n_exchanges)
    return TrendTest(
        statistic=statistic,
        value=observed,
        expected=expected,
        p_value=min(p_value, 1.0),
        smallest_p=smallest,
        n_blocks=rows.shape[0],
        n_conditions=rows.shape[1],
        n_draws=n_exchanges,
        exhaustive=exhaustive,
        alternative=Alternative(alternative),
    )
