"""Whether a value rises or falls over ordered conditions, tested by permutations within repeats.

Rows are repeats (blocks), such as the seeds of trained models; columns are ordered conditions, such as the
orders of their symmetry groups. Under the null hypothesis the condition makes no difference: within each
row the values could stand in any order. Nothing is assumed about how values are distributed, or how
rows differ from each other.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai import presenters
from attnxai.metrics.ranking import mid_ranks
from attnxai.nulls.p_values import RELATIVE_TIE
from attnxai.statistics.exact import monte_carlo_ends
from attnxai.statistics.formats import decimals_of_half, format_number, p_equals

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

MIN_CONDITIONS = 3
"""Two conditions make a difference, not a trend."""

# All orders of a row are listed up to this many conditions (8! = 40320).
_MOST_LISTED = 8
_TAIL = 0.025


class Direction(enum.StrEnum):
    """Which trends count as evidence."""

    TWO_SIDED = "two-sided"
    INCREASING = "increasing"
    DECREASING = "decreasing"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrendTest:
    """An observed trend against its distribution under permutations within rows.

    Parameters
    ----------
    statistic : str
        ``Page's L`` or ``slope``.
    value : float
        As observed.
    expected : float
        Mean under the null hypothesis; above it values rise, below it they fall.
    p_value : float
        (1 + b) / (1 + B) for sampled permutations, b / M for all of them; never 0.
    smallest_p : float
        The smallest attainable p-value with these values.
    null_low, null_high : float
        Central 95 % of the distribution under the null hypothesis: at most 2.5 % lie below, and above.
    n_blocks, n_conditions : int
        Rows and columns that were used.
    n_draws : int
        Permutations, all of them when ``exhaustive``.
    exhaustive : bool
        Whether all permutations were counted.
    alternative : Direction
        Which trends count.

    Examples
    --------
    >>> import attnxai
    >>> values = [[1, 2, 3], [1, 3, 4], [2, 3, 5], [1, 2, 4]]  # four seeds, three orders of the group
    >>> test = attnxai.agreement.page_trend(values)
    >>> test.statistic, test.value, test.expected, round(test.p_value, 4)
    ("Page's L", 56.0, 48.0, 0.0015)
    """

    statistic: str
    value: float
    expected: float
    p_value: float
    smallest_p: float
    null_low: float
    null_high: float
    n_blocks: int
    n_conditions: int
    n_draws: int
    exhaustive: bool
    alternative: Direction

    @property
    def monte_carlo_interval(self) -> tuple[float, float] | None:
        """Exact 95 % interval for the p-value of all permutations; None where all of them were counted."""
        return None if self.exhaustive else monte_carlo_ends(self.p_value, self.n_draws)

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names."""
        return {**dataclasses.asdict(self), "alternative": str(self.alternative)}

    def to_frame(self) -> pd.DataFrame:
        """One row."""
        import pandas as pd

        return pd.DataFrame([self.to_record()])

    def summary(self) -> str:
        """The test in one line, as plain text."""
        how = "all" if self.exhaustive else "sampled"
        decimals = decimals_of_half((self.null_high - self.null_low) / 2)
        value, expected, low, high = (
            format_number(number, decimals)
            for number in (self.value, self.expected, self.null_low, self.null_high)
        )
        return (
            f"{self.statistic} {value} over {self.n_conditions} conditions and {self.n_blocks} "
            f"{'repeat' if self.n_blocks == 1 else 'repeats'}, {expected} without a trend "
            f"[{low}, {high}], {self.alternative}, {p_equals(self.p_value)} "
            f"({self.n_draws} permutations, {how})"
        )

    to_latex = presenters.to_latex
    _repr_html_ = presenters.repr_html
    plot = presenters.plot


def page_trend(
    values: ArrayLike,
    *,
    alternative: Direction = Direction.TWO_SIDED,
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
    alternative : Direction
        Which trends count.
    n_draws : int
        Permutations where they are sampled.
    rng : numpy.random.Generator or int
        Source of randomness where they are sampled.

    Returns
    -------
    TrendTest or None
        None with fewer than :data:`MIN_CONDITIONS` columns or without a complete row.

    Examples
    --------
    >>> test = page_trend([[1, 2, 3], [1, 3, 2], [1, 2, 3]], alternative=Direction.INCREASING)
    >>> test.value, round(test.p_value, 4)
    (41.0, 0.0324)
    """
    alternative = Direction(alternative)
    rows = _complete_rows(values)
    if rows is None:
        return None
    n_blocks, n_conditions = rows.shape
    ranks = mid_ranks(rows)
    numbers = np.arange(1, n_conditions + 1, dtype=np.float64)
    expected = n_blocks * n_conditions * (n_conditions + 1) ** 2 / 4
    null = (
        _convolved(ranks)
        if n_conditions <= _MOST_LISTED
        else _sampled(ranks, numbers, n_draws, np.random.default_rng(rng))
    )
    return _test("Page's L", ranks, numbers, null, expected=expected, alternative=alternative)


def permutation_slope(
    values: ArrayLike,
    positions: ArrayLike,
    *,
    alternative: Direction = Direction.TWO_SIDED,
    n_draws: int = 100_000,
    rng: np.random.Generator | int = 0,
) -> TrendTest | None:
    """Slope of a straight line over the conditions' positions, tested by permutations within rows.

    Each row has its own least-squares line; the statistic is the mean of their slopes. Where there are no
    more permutations than ``n_draws``, (n_conditions!) to the power of n_blocks, all of them are counted.

    Parameters
    ----------
    values : array_like, shape (n_blocks, n_conditions)
        A row with an undefined value is left out.
    positions : array_like, shape (n_conditions,)
        Where the conditions lie, such as log2 of a group's order: the slope is then per doubling.
    alternative, n_draws, rng
        As in :func:`page_trend`.

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
    alternative = Direction(alternative)
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
    rows = rows - rows.mean(axis=1, keepdims=True)
    null = (
        _listed(rows, weights)
        if math.factorial(n_conditions) ** n_blocks <= n_draws
        else _sampled(rows, weights, n_draws, np.random.default_rng(rng))
    )
    return _test("slope", rows, weights, null, expected=0.0, alternative=alternative)


def _complete_rows(values: ArrayLike) -> NDArray[np.float64] | None:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"values need one row per block, got the shape {table.shape}")
    rows = table[np.isfinite(table).all(axis=1)]
    return rows if len(rows) and table.shape[1] >= MIN_CONDITIONS else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Null:
    """Sums that permutations within rows give, each with the share of permutations that give it."""

    sums: NDArray[np.float64]
    shares: NDArray[np.float64]
    n_permutations: int
    exhaustive: bool


def _orders(n_conditions: int) -> NDArray[np.int64]:
    return np.array(list(itertools.permutations(range(n_conditions))))


def _convolved(ranks: NDArray[np.float64]) -> _Null:
    """All permutations, weighted by the columns' numbers: the rows' distributions are convolved."""
    n_blocks, n_conditions = ranks.shape
    numbers, orders = np.arange(1, n_conditions + 1), _orders(n_conditions)
    lowest, shares = 0, np.ones(1)
    # twice the ranks are whole numbers, also where they are tied
    for row in np.rint(2 * ranks).astype(np.int64):
        sums = row[orders] @ numbers
        shares = np.convolve(shares, np.bincount(sums - sums.min()) / len(orders))
        lowest += int(sums.min())
    return _Null(
        sums=(lowest + np.arange(len(shares), dtype=np.float64)) / 2,
        shares=shares,
        n_permutations=len(orders) ** n_blocks,
        exhaustive=True,
    )


def _listed(rows: NDArray[np.float64], weights: NDArray[np.float64]) -> _Null:
    """All permutations, one by one."""
    orders, sums = _orders(rows.shape[1]), np.zeros(1)
    for row in rows:
        sums = (sums[:, None] + (row[orders] @ weights)[None, :]).ravel()
    shares = np.full(len(sums), 1.0 / len(sums))
    return _Null(sums=sums, shares=shares, n_permutations=len(sums), exhaustive=True)


def _sampled(
    rows: NDArray[np.float64], weights: NDArray[np.float64], n_draws: int, rng: np.random.Generator
) -> _Null:
    """Some permutations, drawn at random."""
    sums = np.zeros(n_draws)
    for row in rows:
        sums += rng.permuted(np.tile(row, (n_draws, 1)), axis=1) @ weights
    shares = np.full(n_draws, 1.0 / n_draws)
    return _Null(sums=sums, shares=shares, n_permutations=n_draws, exhaustive=False)


def _test(
    statistic: str,
    rows: NDArray[np.float64],
    weights: NDArray[np.float64],
    null: _Null,
    *,
    expected: float,
    alternative: Direction,
) -> TrendTest:
    observed = float((rows @ weights).sum())

    def evidence(values: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far values lie in the direction that counts."""
        if alternative is Direction.TWO_SIDED:
            return np.abs(values - expected)
        return values - expected if alternative is Direction.INCREASING else expected - values

    possible = null.shares > 0
    shares, far = null.shares[possible], evidence(null.sums[possible])
    tie = RELATIVE_TIE * max(abs(observed), float(np.abs(null.sums).max()))
    p_value = float(shares[far >= float(evidence(np.array(observed))) - tie].sum())
    smallest = float(shares[far >= far.max() - tie].sum())
    if not null.exhaustive:
        # the observed order counts as one of the draws
        p_value = (1 + p_value * null.n_permutations) / (1 + null.n_permutations)
        smallest = 1 / (1 + null.n_permutations)
    null_low, null_high = _central(null)
    return TrendTest(
        statistic=statistic,
        value=observed,
        expected=expected,
        p_value=min(p_value, 1.0),
        smallest_p=smallest,
        null_low=null_low,
        null_high=null_high,
        n_blocks=rows.shape[0],
        n_conditions=rows.shape[1],
        n_draws=null.n_permutations,
        exhaustive=null.exhaustive,
        alternative=Direction(alternative),
    )


def _central(null: _Null) -> tuple[float, float]:
    """Ends of the central 95 %: no more than 2.5 % of the distribution lies beyond either."""
    order = np.argsort(null.sums, kind="stable")
    sums, reached = null.sums[order], np.cumsum(null.shares[order])
    beyond = np.cumsum(null.shares[order][::-1])[::-1]
    low = sums[np.flatnonzero(reached > _TAIL + RELATIVE_TIE)[0]]
    high = sums[np.flatnonzero(beyond > _TAIL + RELATIVE_TIE)[-1]]
    return float(low), float(high)
