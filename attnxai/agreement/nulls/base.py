"""A null hypothesis as a table of values, of which every draw picks one value for each source.

Whatever a null rearranges, it ends as a table: row s holds the metric of source s under every
rearrangement k. A draw picks one column for each source, and the statistic is the (weighted) mean over
sources of what was picked. When sources are exchanged, the columns are the sources' annotations, what was
observed is the diagonal, and a draw is a permutation. When every source is rearranged by itself (turned,
shifted, replaced by a surrogate), what was observed is column 0, and a draw picks columns freely, the
observed one among them: under the null no column is special, so the choice that was observed is one of
all choices, each as probable as any other.

Sampled draws give p = (b + 1) / (B + 1), for b of B draws as extreme as what was observed (Phipson &
Smyth 2010); when the draws are all that there are, the observed one among them, p = b / M.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from attnxai.data.short_repr import short_repr
from attnxai.errors import OptionError
from attnxai.statistics.interval import CONFIDENCE_LEVEL, SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.agreement.metrics.metric import Metric
    from attnxai.agreement.metrics.targets import Others, Targets

# Values closer than this count as equal: sums in another order must not decide a test.
RELATIVE_TIE = 1e-12


class Alternative(enum.StrEnum):
    """Which deviations from the null count as extreme."""

    GREATER = "greater"
    LESS = "less"
    TWO_SIDED = "two-sided"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NullDraws:
    """Which column of a table every draw picks for every source.

    Parameters
    ----------
    choices : ndarray of int, shape (n_draws, n_sources)
        Draw b picks column ``choices[b, s]`` for source s.
    exhaustive : bool
        Whether these are all that the null allows, the observed one among them.
    permutes_sources : bool
        Whether columns are the annotations of sources: what was observed is then the diagonal and weights
        go where the annotations go; otherwise it is column 0, and weights stay.
    """

    choices: NDArray[np.integer]
    exhaustive: bool
    permutes_sources: bool = False

    __repr__ = short_repr

    @property
    def smallest_p(self) -> float:
        """The smallest one-sided p-value that could come out."""
        n = len(self.choices)
        return 1.0 / n if self.exhaustive else 1.0 / (n + 1)


class NullModel(Protocol):
    """A way to break the link between maps and annotations.

    A null makes tables of values (from any metric) and draws from them; it never looks at p-values.
    """

    @property
    def name(self) -> str:
        """Name in files and tables."""
        ...

    @property
    def question(self) -> str:
        """What a test against this null asks, in words."""
        ...

    @property
    def assumes(self) -> str:
        """What has to hold for its level, and when it rejects too often, in words."""
        ...

    @property
    def permutes_sources(self) -> bool:
        """Whether the columns of its tables are the annotations of sources."""
        ...

    def tables(
        self,
        metrics: Sequence[Metric],
        maps: NDArray[np.float64],
        targets: Targets,
        valid: NDArray[np.bool_],
        *,
        others: Others | None = None,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Metrics of every source under every rearrangement.

        Parameters
        ----------
        metrics : sequence of Metric
            What to compute. All see the same rearrangements.
        maps : ndarray, shape (n_sources, rows, columns)
            One explanation.
        targets : mapping of TargetKind to ndarray, shape (n_annotators, n_sources, rows, columns)
            What was marked, as densities and masks; only those that the metrics need.
        valid : ndarray of bool, shape (n_sources, rows, columns)
            Pixels that count.
        others : mapping of TargetKind to ndarray, same shape as targets, optional
            What is marked on the other sources, for metrics that need it; by default
            :func:`~attnxai.agreement.metrics.evaluation.leave_one_out_centre_bias`. It goes where the annotation goes.
        rng : numpy.random.Generator
            Source of randomness; every source gets a stream of its own.

        Returns
        -------
        ndarray, shape (n_metrics, n_annotators, n_sources, n_columns)
            NaN where undefined.
        """
        ...

    def draw(
        self,
        strata: Sequence[Hashable],
        *,
        n_columns: int | None = None,
        n_draws: int,
        rng: np.random.Generator,
    ) -> NullDraws:
        """Draw from tables of the sources whose strata are given."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NullTest:
    """An observed mean against its null distribution.

    Parameters
    ----------
    null : str
        Name of the null model.
    observed : float
        The mean over sources.
    p_value : float
        (b + 1) / (B + 1) for sampled nulls, b / M for exhaustive ones; two-sided, twice the smaller of
        both sides, at most 1.
    smallest_p : float
        The smallest p-value that could have come out.
    n_sources : int
        Sources that were rearranged.
    n_draws : int
        Rearrangements.
    exhaustive : bool
        Whether these were all.
    values : ndarray, shape (n_draws,)
        The mean under every rearrangement.
    alternative : Alternative
        Which deviations counted as extreme.
    """

    null: str
    observed: float
    p_value: float
    smallest_p: float
    n_sources: int
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

    def can_reject(self, level: float = SIGNIFICANCE_LEVEL) -> bool:
        """Whether a p-value of the level or below could have come out at all."""
        return self.smallest_p <= level


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
        Metric of every source under every rearrangement; no NaN. When sources are exchanged, column k is
        the annotation of source k and the diagonal was observed; otherwise column 0 was.
    draws : NullDraws
        Which columns are picked.
    null : str
        Name of the null model.
    weights : ndarray, shape (n_sources,), optional
        Weight of each source. When sources are exchanged it goes where the annotation goes.
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
    Two sources, each turned in four ways, agree best as they were observed:

    >>> table = np.array([[0.9, 0.1, 0.3, 0.2], [0.8, 0.2, 0.1, 0.3]])
    >>> draws = draw_choices(2, 4, n_draws=1000, rng=np.random.default_rng(0))
    >>> test = run_null_test(table, draws, null="rotation")
    >>> test.p_value, test.exhaustive, test.can_reject(0.05)
    (0.0625, True, False)
    """
    alternative = Alternative(alternative)
    table = np.asarray(table, dtype=np.float64)
    n, n_columns = table.shape
    if not np.isfinite(table).all():
        raise ValueError("table has undefined values; leave their sources out before testing")
    if n == 0 or draws.choices.shape[1:] != (n,):
        raise ValueError(
            f"table has {n} sources, but choices have shape {draws.choices.shape}; they need one "
            "column for each source"
        )
    if draws.choices.size and not 0 <= draws.choices.min() <= draws.choices.max() < n_columns:
        raise ValueError(
            f"draws pick columns up to {draws.choices.max()}, but the table has {n_columns}: give "
            "n_columns when drawing"
        )
    if draws.permutes_sources and n != n_columns:
        raise ValueError(
            f"sources are exchanged, so the table has to be square; its shape is {table.shape}"
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
        values += row[draws.choices[:, source]]
        observed += float(row[observed_column[source]])
    p_value = float(p_values_of(np.array([observed]), values, draws.exhaustive, alternative)[0])
    smallest = draws.smallest_p
    return NullTest(
        null=null,
        observed=observed,
        p_value=p_value,
        smallest_p=min(1.0, 2 * smallest) if alternative is Alternative.TWO_SIDED else smallest,
        n_sources=n,
        n_draws=len(values),
        exhaustive=draws.exhaustive,
        values=values,
        alternative=alternative,
    )


def p_values_of(
    observed: NDArray[np.float64],
    values: NDArray[np.float64],
    exhaustive: bool,
    alternative: Alternative,
) -> NDArray[np.float64]:
    """P-value of each of several observed values against one null distribution; shape as observed."""
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


def draw_choices(
    n_sources: int, n_columns: int, *, n_draws: int, rng: np.random.Generator
) -> NullDraws:
    """Pick a column for every source, independently and uniformly.

    Parameters
    ----------
    n_sources, n_columns : int
        Shape of the table.
    n_draws : int
        How many draws. If there are no more than these choices at all, each is made once.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    NullDraws

    Raises
    ------
    OptionError
        If ``n_draws`` or ``n_columns`` is below 1.

    Examples
    --------
    >>> draw_choices(2, 8, n_draws=1000, rng=np.random.default_rng(0)).choices.shape
    (64, 2)
    """
    check_draws(n_draws)
    if n_columns < 1:
        raise OptionError(f"n_columns has to be 1 or more, got {n_columns}")
    dtype = smallest_int(n_columns)
    if n_columns**n_sources <= n_draws:
        every = list(itertools.product(range(n_columns), repeat=n_sources))
        choices = np.array(every, dtype=dtype).reshape(len(every), n_sources)
        return NullDraws(choices=np.asfortranarray(choices), exhaustive=True)
    choices = rng.integers(n_columns, size=(n_draws, n_sources), dtype=dtype)
    return NullDraws(choices=np.asfortranarray(choices), exhaustive=False)


def check_draws(n_draws: int) -> None:
    """Refuse numbers of draws below 1."""
    if n_draws < 1:
        raise OptionError(f"n_draws has to be 1 or more, got {n_draws}")


def smallest_int(n_columns: int) -> type[np.int16 | np.int32]:
    """Integer type that holds every column: draws of many sources are large."""
    return np.int16 if n_columns <= np.iinfo(np.int16).max else np.int32


def usable_sources(
    table: NDArray[np.float64],
    members: NDArray[np.intp] | None = None,
    *,
    permutes_sources: bool,
) -> NDArray[np.intp]:
    """Sources whose values are defined under every rearrangement.

    When sources are exchanged, a source has to be defined with every partner, in both roles; the one with
    the most undefined values leaves first, until none is left undefined, so that one constant map does not
    take every annotation with it.

    Parameters
    ----------
    table : ndarray, shape (n_sources, n_columns)
        Values, NaN where undefined.
    members : ndarray of int, optional
        The sources to choose from; all when left out.
    permutes_sources : bool
        Whether columns are the annotations of sources.

    Returns
    -------
    ndarray of int
        Positions, in the order of ``members``.

    Examples
    --------
    >>> table = np.array([[1.0, 2.0, np.nan], [1.0, 2.0, np.nan], [1.0, 2.0, np.nan]])
    >>> usable_sources(table, permutes_sources=True)
    array([0, 1])
    >>> usable_sources(table, permutes_sources=False)
    array([], dtype=int64)
    """
    keep = np.arange(len(table)) if members is None else np.array(members, dtype=np.intp)
    if not permutes_sources:
        return keep[np.isfinite(table[keep]).all(axis=1)]
    while keep.size:
        missing = ~np.isfinite(table[np.ix_(keep, keep)])
        if not missing.any():
            break
        keep = np.delete(keep, int((missing.sum(axis=0) + missing.sum(axis=1)).argmax()))
    return keep
