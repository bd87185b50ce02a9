"""An observed mean against its distribution under a null.

Sampled draws give p = (b + 1) / (B + 1), for b of B draws as extreme as what was observed (Phipson &
Smyth 2010). When the draws are all that there are, the observed one among them, p = b / M.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.short_repr import short_repr
from attnxai.errors import OptionError
from attnxai.statistics.exact import monte_carlo_ends
from attnxai.statistics.interval import CONFIDENCE_LEVEL, SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.nulls.draws import NullDraws

# Values closer than this count as equal: sums in another order must not decide a test.
RELATIVE_TIE = 1e-12
_LOG_OF_MANY = 30.0


class Alternative(enum.StrEnum):
    """Which deviations from the null count as extreme."""

    GREATER = "greater"
    LESS = "less"
    TWO_SIDED = "two-sided"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NullTest:
    """An observed mean against its null distribution.

    Parameters
    ----------
    null : str
        Label of the null.
    observed : float
        The mean over sources.
    p_value : float
        (b + 1) / (B + 1) for sampled nulls, b / M for exhaustive ones; two-sided, twice the smaller of
        both sides, at most 1.
    smallest_p : float
        The smallest attainable p-value.
    n_sources : int
        Number of sources that the mean is over.
    n_tested : int
        Number of them that some draw permuted or replaced; the others kept their own annotation in every draw.
    observed_tested : float
        The mean over these alone.
    weight_tested : float
        Their share of the weights of all sources.
    n_draws : int
        Number of draws.
    exhaustive : bool
        Whether these were all that there are.
    values : ndarray, shape (n_draws,)
        The mean in every draw.
    alternative : Alternative
        Which deviations counted as extreme.

    Examples
    --------
    >>> import numpy as np
    >>> from attnxai.nulls import draw_choices, run_null_test
    >>> table = np.array([[0.9, 0.1, 0.3, 0.2], [0.8, 0.2, 0.1, 0.3]])
    >>> draws = draw_choices(2, 4, n_draws=1000, rng=np.random.default_rng(0))
    >>> test = run_null_test(table, draws, null="rotation")
    >>> round(test.observed, 2), round(test.mean, 3), test.n_draws
    (0.85, 0.362, 16)
    """

    null: str
    observed: float
    p_value: float
    smallest_p: float
    n_sources: int
    n_tested: int
    observed_tested: float
    weight_tested: float
    n_draws: int
    exhaustive: bool
    values: NDArray[np.float64]
    alternative: Alternative = Alternative.GREATER

    __repr__ = short_repr

    @property
    def mean(self) -> float:
        """Mean of the null distribution."""
        return float(self.values.mean())

    @property
    def mean_tested(self) -> float:
        """Mean of the null distribution over the sources alone that some draw permuted or replaced."""
        if not self.weight_tested:
            return float("nan")
        return self.observed_tested - (self.observed - self.mean) / self.weight_tested

    @property
    def z(self) -> float:
        """Standard deviations of the null distribution between its mean and what was observed."""
        deviation = float(self.values.std())
        scale = max(abs(self.observed), float(np.abs(self.values).max(initial=0.0)))
        if deviation <= RELATIVE_TIE * scale:
            return float("nan")
        return (self.observed - self.mean) / deviation

    def range(self, level: float = CONFIDENCE_LEVEL) -> tuple[float, float]:
        """Central range of the null distribution."""
        tail = (1.0 - level) / 2
        low, high = np.quantile(self.values, [tail, 1.0 - tail])
        return float(low), float(high)

    @property
    def monte_carlo_interval(self) -> tuple[float, float] | None:
        """Exact 95 % interval for the p-value of all possible draws; None where all of them were made."""
        if self.exhaustive:
            return None
        n_sides = 2 if self.alternative is Alternative.TWO_SIDED else 1
        return monte_carlo_ends(self.p_value, self.n_draws, n_sides=n_sides)

    def can_reject(self, level: float = SIGNIFICANCE_LEVEL) -> bool:
        """Whether a p-value of the level or below was possible at all."""
        return self.smallest_p <= level

    def rejection_rate(
        self, observed: NDArray[np.float64], *, level: float = SIGNIFICANCE_LEVEL
    ) -> float:
        """Share of other observed means that the same null distribution would reject.

        With means of maps that are paired with annotations of other sources this is a false positive rate: near
        the level for a calibrated null of surrogate maps, and far above it for a miscalibrated one. It is an estimate:
        such pairings are made of the same maps and annotations, so that with 30 sources it scatters between about
        0.03 and 0.25 where it should be 0.05. Permutations of sources include pairs with their own annotation; where
        maps agree with these, the rate by such a null is too low.

        Parameters
        ----------
        observed : ndarray, shape (n,)
            Means over the same sources and pixels, such as ``values`` of a test by permutation across
            sources.
        level : float
            Level of the test.

        Returns
        -------
        float
            From 0 to 1.

        Raises
        ------
        OptionError
            If the level is not between 0 and 1.

        Examples
        --------
        Maps and annotations share their place, the first of two, and nothing else:

        >>> from attnxai.nulls import draw_choices
        >>> rng = np.random.default_rng(0)
        >>> moved = np.array([[1.0, 0.0]] * 9) + 0.1 * rng.random((9, 2))
        >>> shift = run_null_test(moved, draw_choices(9, 2, n_draws=999, rng=rng), null="shift")
        >>> shift.rejection_rate(1.0 + 0.1 * rng.random((99, 9)).mean(axis=1))
        1.0
        """
        if not 0 < level < 1:
            raise OptionError(f"level has to lie between 0 and 1, got {level}")
        p_values = p_values_of(observed, self.values, self.exhaustive, self.alternative)
        return float((p_values <= level).mean())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NullMeans:
    """What a test is made of, over some sources; those of other sources can be added.

    ``observed``, ``values`` (n_draws,) and ``observed_moved`` are means over the sources, of what was observed, of every
    draw, and of what was observed on the sources that some draw moved (0 for the others). ``weight`` is the sum of the
    weights, of which ``weight_tested`` is the share of the moved ones.
    """

    null: str
    observed: float
    values: NDArray[np.float64]
    observed_moved: float
    weight: float
    weight_tested: float
    n_sources: int
    n_tested: int
    smallest_p: float
    exhaustive: bool
    log_n_all: float = math.inf

    def __add__(self, other: NullMeans) -> NullMeans:
        """The same over both groups of sources, drawn independently of each other."""
        weight = self.weight + other.weight
        own, theirs = self.weight / weight, other.weight / weight
        return NullMeans(
            null=self.null,
            observed=own * self.observed + theirs * other.observed,
            values=own * self.values + theirs * other.values,
            observed_moved=own * self.observed_moved + theirs * other.observed_moved,
            weight=weight,
            weight_tested=own * self.weight_tested + theirs * other.weight_tested,
            n_sources=self.n_sources + other.n_sources,
            n_tested=self.n_tested + other.n_tested,
            smallest_p=max(self.smallest_p, other.smallest_p),
            exhaustive=False,
            log_n_all=self.log_n_all + other.log_n_all,
        )

    def test(self, alternative: Alternative = Alternative.GREATER) -> NullTest:
        """What was observed against the draws."""
        # of few permutations, drawn again and again, none is as rare as one of the draws
        n_all = round(math.exp(self.log_n_all)) if self.log_n_all < _LOG_OF_MANY else math.inf
        smallest = max(self.smallest_p, 1.0 / n_all)
        alternative = Alternative(alternative)
        observed, tested = self.observed, self.weight_tested
        p_value = p_values_of(np.array([observed]), self.values, self.exhaustive, alternative)[0]
        smallest = min(1.0, 2 * smallest) if alternative is Alternative.TWO_SIDED else smallest
        return NullTest(
            null=self.null,
            observed=observed,
            p_value=max(float(p_value), smallest),
            smallest_p=smallest,
            n_sources=self.n_sources,
            n_tested=self.n_tested,
            observed_tested=self.observed_moved / tested if tested else float("nan"),
            weight_tested=tested,
            n_draws=len(self.values),
            exhaustive=self.exhaustive,
            values=self.values,
            alternative=alternative,
        )


def run_null_test(
    table: NDArray[np.float64],
    draws: NullDraws,
    *,
    null: str,
    weights: NDArray[np.float64] | None = None,
    alternative: Alternative = Alternative.GREATER,
) -> NullTest:
    """Compare the observed mean of a table with its mean under every draw.

    Parameters
    ----------
    table : ndarray, shape (n_sources, n_columns)
        From a null; no NaN. In a permutation across sources column k is the annotation of source k and the
        diagonal was observed; otherwise column 0 was.
    draws : NullDraws
        Which columns are picked.
    null : str
        Label of the null.
    weights : ndarray, shape (n_sources,), optional
        Weight of each source. In a permutation across sources it goes with the annotation.
    alternative : Alternative
        Which deviations count as extreme.

    Returns
    -------
    NullTest

    Raises
    ------
    ValueError
        If the table has undefined values, or does not fit the draws or the weights.

    Examples
    --------
    Two sources, each turned in four ways, have the highest values as they were observed:

    >>> table = np.array([[0.9, 0.1, 0.3, 0.2], [0.8, 0.2, 0.1, 0.3]])
    >>> from attnxai.nulls import draw_choices
    >>> draws = draw_choices(2, 4, n_draws=1000, rng=np.random.default_rng(0))
    >>> test = run_null_test(table, draws, null="rotation")
    >>> test.p_value, test.exhaustive, test.can_reject(0.05)
    (0.0625, True, False)
    """
    return null_means(table, draws, null=null, weights=weights).test(alternative)


def null_means(
    table: NDArray[np.float64],
    draws: NullDraws,
    *,
    null: str,
    weights: NDArray[np.float64] | None = None,
) -> NullMeans:
    """The means of :func:`run_null_test`, which can be added to those of further sources."""
    table = np.asarray(table, dtype=np.float64)
    n, n_columns = table.shape
    if not np.isfinite(table).all():
        raise ValueError("table has undefined values; leave their sources out before testing")
    if n == 0 or draws.choices.shape[1:] != (n,):
        raise ValueError(
            f"table has {n} sources, but choices have shape {draws.choices.shape}; they need one "
            "column for each source"
        )
    if not np.issubdtype(draws.choices.dtype, np.integer):
        raise ValueError(
            f"choices are numbers of columns, so they have to be integers, got {draws.choices.dtype}"
        )
    if draws.choices.size and not 0 <= draws.choices.min() <= draws.choices.max() < n_columns:
        raise ValueError(
            f"draws pick columns up to {draws.choices.max()}, but the table has {n_columns}: give "
            "n_columns when drawing"
        )
    if draws.permutes_sources and n != n_columns:
        raise ValueError(
            f"sources are permuted, so the table has to be square; its shape is {table.shape}"
        )
    if weights is None:
        weights = np.ones(n)
    if weights.shape != (n,) or not weights.sum() > 0 or weights.min() < 0:
        raise ValueError(
            f"weights need one value of 0 or more for each of {n} sources and a positive sum"
        )
    share = weights / weights.sum()
    weighted = table * (share[None, :] if draws.permutes_sources else share[:, None])
    observed_column = np.arange(n) if draws.permutes_sources else np.zeros(n, np.intp)
    # one source after the other, so that every sum has the same order, whatever the machine
    values = np.zeros(len(draws.choices))
    observed = 0.0
    for source, row in enumerate(weighted):
        values += row.take(draws.choices[:, source])
        observed += float(row[observed_column[source]])
    moved = (draws.choices != observed_column).any(axis=0)
    of_moved = weighted[np.arange(n), observed_column][moved].sum()
    return NullMeans(
        null=null,
        observed=observed,
        values=values,
        observed_moved=float(of_moved),
        weight=float(weights.sum()),
        weight_tested=float(share[moved].sum()),
        n_sources=n,
        n_tested=int(moved.sum()),
        smallest_p=draws.smallest_p,
        exhaustive=draws.exhaustive,
        log_n_all=draws.log_n_all,
    )


def p_values_of(
    observed: NDArray[np.float64],
    values: NDArray[np.float64],
    exhaustive: bool,
    alternative: Alternative,
) -> NDArray[np.float64]:
    """P-values of several observed means against one null distribution; shape as observed."""
    alternative = Alternative(alternative)
    ordered = np.sort(values)
    tie = RELATIVE_TIE * np.maximum(np.abs(observed), np.abs(ordered).max(initial=0.0))
    added = 0 if exhaustive else 1  # the observed arrangement counts among sampled ones
    n_all = len(values) + added
    above = (len(values) - np.searchsorted(ordered, observed - tie, side="left") + added) / n_all
    below = (np.searchsorted(ordered, observed + tie, side="right") + added) / n_all
    if alternative is Alternative.GREATER:
        return np.asarray(above)
    if alternative is Alternative.LESS:
        return np.asarray(below)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(above, below)))
