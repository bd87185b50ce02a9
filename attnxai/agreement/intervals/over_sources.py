"""Intervals of a mean over sources, by the bootstrap over sources.

The source is the unit: pixels of one image are no independent samples. With several annotators (or several
trained models of one kind) sources alone are not enough; see :mod:`~.crossed`.

The default is the studentized bootstrap (:mod:`~.studentized`), whose coverage came nearest to the level
asked for in simulations with 8 to 100 sources (the documentation has the table). Every end lies between the
smallest and the largest value, so no interval leaves the range of a metric.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.intervals.studentized import studentized_ends
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_SOURCES = 8
"""Fewer sources than this give no interval: resamples of so few repeat each other."""

# Values closer to each other than this share of their size are the same.
_ROUNDING = 1e-12


class IntervalKind(enum.StrEnum):
    """How resamples become an interval.

    ``studentized``
        Quantiles of each resample's distance from the mean in units of its own standard error (bootstrap-t;
        Hall 1988; Efron & Tibshirani 1993, chapter 12). For means only.
    ``expanded``
        BCa with its tails widened as far as Student's t is wider than the normal distribution (Hesterberg
        2015), for any statistic.
    ``bca``
        Bias-corrected and accelerated (Efron 1987); too narrow for few sources.
    ``percentile``
        Quantiles of the resamples; too narrow for few sources.
    """

    STUDENTIZED = "studentized"
    EXPANDED = "expanded"
    BCA = "bca"
    PERCENTILE = "percentile"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value with its confidence interval.

    Parameters
    ----------
    value : float
        The estimate.
    low, high : float
        Ends of the interval; NaN when there are too few sources for one, or all values are the same.
    n_sources : int
        Sources with a defined value.
    level : float
        Confidence level.
    method : str
        How the interval was made, in words; empty when there is none.
    degrees_of_freedom : float or None
        Of the t distribution whose quantile was used; None for bootstrap quantiles.
    note : str
        Why there is no interval, or what a reader of it should know.
    """

    value: float
    low: float
    high: float
    n_sources: int
    level: float = 0.95
    method: str = ""
    degrees_of_freedom: float | None = None
    note: str = ""

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))


def no_interval(value: float, n_sources: int, *, level: float = 0.95, reason: str = "") -> Interval:
    """A value without an interval, and why.

    Parameters
    ----------
    value : float
        The estimate.
    n_sources : int
        Sources with a defined value.
    level : float
        Confidence level that was asked for.
    reason : str
        Why; when left out, that the sources are too few.

    Examples
    --------
    >>> no_interval(0.4, 5).note
    'no interval: 5 sources are too few, 8 are needed'
    """
    if not reason:
        count = "1 source is" if n_sources == 1 else f"{n_sources} sources are"
        reason = f"no interval: {count} too few, {MIN_SOURCES} are needed"
    return Interval(
        value=value, low=np.nan, high=np.nan, n_sources=n_sources, level=level, note=reason
    )


def same_everywhere(values: NDArray[np.float64]) -> bool:
    """Whether finite values are all the same, up to rounding.

    Examples
    --------
    >>> same_everywhere(np.array([0.3, 0.1 + 0.2])), same_everywhere(np.array([0.3, 0.3001]))
    (True, False)
    """
    return bool(np.ptp(values) <= _ROUNDING * np.abs(values).max())


def no_spread_interval(
    value: float, n_sources: int, n_values: int, *, level: float = 0.95
) -> Interval:
    """A value without an interval because all values are the same.

    Hits of eight sources out of eight are no proof that every source is a hit, so an interval from one end of
    nothing to the other would promise what it cannot hold.

    Parameters
    ----------
    value : float
        The estimate.
    n_sources : int
        Sources with a defined value.
    n_values : int
        Values that are the same.
    level : float
        Confidence level that was asked for.

    Examples
    --------
    >>> no_spread_interval(1.0, 12, 12).note
    'no interval: all 12 values are the same: their spread says nothing about other sources'
    """
    reason = (
        f"no interval: all {n_values} values are the same: their spread says nothing about other "
        "sources"
    )
    return no_interval(value, n_sources, level=level, reason=reason)


def bootstrap_counts(
    n_sources: int, n_resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """How often each source occurs in each resample, shape (n_resamples, n_sources)."""
    probabilities = np.full(n_sources, 1.0 / n_sources)
    return rng.multinomial(n_sources, probabilities, size=n_resamples).astype(np.float64)


def weighted_mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Mean of the defined values; NaN when none is."""
    defined = np.isfinite(values)
    total = weights[defined].sum()
    if not defined.any() or total <= 0:
        return float("nan")
    return float((values[defined] * weights[defined]).sum() / total)


def mean_interval(
    values: NDArray[np.float64],
    counts: NDArray[np.float64],
    *,
    weights: NDArray[np.float64] | None = None,
    kind: IntervalKind = IntervalKind.STUDENTIZED,
    level: float = 0.95,
) -> Interval:
    """Mean over sources with its bootstrap interval.

    Parameters
    ----------
    values : ndarray, shape (n_sources,)
        One value a source; NaN where undefined, which leaves the source out.
    counts : ndarray, shape (n_resamples, n_sources)
        From :func:`bootstrap_counts`; the same counts for several statistics make them comparable
        resample by resample.
    weights : ndarray, shape (n_sources,), optional
        Weight of each source.
    kind : IntervalKind
        How the resamples become an interval. Where more than
        :data:`~.studentized.MOST_WITHOUT_ERROR` of the resamples hold a single value and so have no
        standard error (hits and misses, scores at their maximum), ``studentized`` becomes ``expanded`` and
        the note says so.
    level : float
        Confidence level.

    Returns
    -------
    Interval
        Without ends, and with the reason, when fewer than :data:`MIN_SOURCES` values are defined or all are
        the same. Ends lie between the smallest and the largest value.

    Examples
    --------
    >>> auc = np.array([0.93, 0.88, 0.97, 0.81, 0.95, 0.9, 0.86, 0.75, 0.92, 0.84])
    >>> found = mean_interval(auc, bootstrap_counts(10, 10_000, np.random.default_rng(0)))
    >>> round(found.low, 2), round(found.value, 2), round(found.high, 2)
    (0.82, 0.88, 0.92)
    """
    kind = IntervalKind(kind)
    share = np.ones_like(values) if weights is None else np.asarray(weights, dtype=np.float64)
    defined = np.isfinite(values) & (share > 0)
    n = int(defined.sum())
    value = weighted_mean(values, share)
    if n < MIN_SOURCES:
        return no_interval(value, n, level=level)
    kept, part = values[defined], share[defined]
    if same_everywhere(kept):
        return no_spread_interval(value, n, n, level=level)
    # picking columns copies, which costs more than the products that follow
    resampled = counts if defined.all() else counts[:, defined]
    note = ""
    if kind is IntervalKind.STUDENTIZED:
        ends = studentized_ends(kept, part, resampled, level)
        if ends is not None:
            return Interval(
                value=value,
                low=ends[0],
                high=ends[1],
                n_sources=n,
                level=level,
                method=_WORDS[kind],
            )
        kind, note = IntervalKind.EXPANDED, _TIED
    total = resampled @ part
    drawn = total > 0
    means = (resampled @ (kept * part))[drawn] / total[drawn]
    whole, product = part.sum(), (kept * part).sum()
    found = resampled_interval(
        value,
        means,
        (product - kept * part) / (whole - part),
        n_sources=n,
        kind=kind,
        level=level,
        scale=float(np.abs(kept).max()),
        n_effective=float(whole**2 / (part**2).sum()),
    )
    return dataclasses.replace(found, note=note)


_WORDS = {
    IntervalKind.STUDENTIZED: "studentized bootstrap over sources",
    IntervalKind.EXPANDED: "BCa bootstrap over sources with tails widened for their number",
    IntervalKind.BCA: "BCa bootstrap over sources",
    IntervalKind.PERCENTILE: "percentile bootstrap over sources",
}
_TIED = (
    "so many values are equal that resamples cannot be studentized; BCa with wider tails was used"
)


def resampled_interval(
    value: float,
    resampled: NDArray[np.float64],
    left_out: NDArray[np.float64],
    *,
    n_sources: int,
    kind: IntervalKind = IntervalKind.EXPANDED,
    level: float = 0.95,
    scale: float = 1.0,
    n_effective: float | None = None,
) -> Interval:
    """Interval of any statistic from its resamples.

    Parameters
    ----------
    value : float
        The statistic.
    resampled : ndarray, shape (n_resamples,)
        The statistic of each resample of the sources.
    left_out : ndarray, shape (n_sources,)
        The statistic without each source, for the acceleration; percentile intervals do not use it.
    n_sources : int
        Sources with a defined value.
    kind : IntervalKind
        Any but ``studentized``, which needs the standard error of every resample.
    level : float
        Confidence level.
    scale : float
        Size of the values: resamples within 1e-12 of it from ``value`` count as equal to it.
    n_effective : float, optional
        Sources of equal weight that would tell as much, for ``expanded``; ``n_sources`` when left out.

    Returns
    -------
    Interval
        Of no width where no resample changes the statistic.

    Raises
    ------
    OptionError
        If the kind is ``studentized``.
    """
    from scipy.special import ndtri

    kind = IntervalKind(kind)
    if kind is IntervalKind.STUDENTIZED:
        raise OptionError(
            "a studentized interval is known for means alone; for other statistics choose the kind "
            "expanded, bca or percentile"
        )
    tail = (1.0 - level) / 2
    quantiles = np.array([tail, 1.0 - tail])
    if kind is not IntervalKind.PERCENTILE:
        normal = float(ndtri(tail))
        if kind is IntervalKind.EXPANDED:
            normal = _expanded_quantile(tail, n_sources if n_effective is None else n_effective)
        tie = 1e-12 * max(abs(value), scale)
        quantiles = _bca_quantiles(value, resampled, left_out, normal, tie)
    low, high = np.quantile(resampled, quantiles)
    return Interval(
        value=value,
        low=float(low),
        high=float(high),
        n_sources=n_sources,
        level=level,
        method=_WORDS[kind],
    )


def _expanded_quantile(tail: float, n: float) -> float:
    """Lower normal quantile at which a percentile interval is as wide as Student's t on ``n`` values.

    The spread of resamples is that of the values divided by n and not n - 1 (Hesterberg 2015).
    """
    from scipy.special import stdtrit

    size = max(n, 2.0)
    return float(np.sqrt(size / (size - 1)) * stdtrit(size - 1, tail))


def _bca_quantiles(
    value: float,
    resampled: NDArray[np.float64],
    left_out: NDArray[np.float64],
    normal: float,
    tie: float,
) -> NDArray[np.float64]:
    """Shares of the resamples at which a BCa interval ends, from the lower normal quantile."""
    from scipy.special import ndtr, ndtri

    quantiles = np.array([normal, -normal])
    equal = np.abs(resampled - value) <= tie
    below = np.count_nonzero((resampled < value) & ~equal) + 0.5 * np.count_nonzero(equal)
    share = below / len(resampled)
    if not 0.0 < share < 1.0:
        return np.asarray(ndtr(quantiles), dtype=np.float64)
    bias = ndtri(share)
    deviation = left_out.mean() - left_out
    spread = (deviation**2).sum() ** 1.5
    acceleration = (deviation**3).sum() / (6.0 * spread) if spread > 0 else 0.0
    shifted = bias + quantiles
    slope = 1.0 - acceleration * shifted
    # beyond the formula's pole, far out in the tail of skewed values, the last resample is the end
    moved = ndtr(bias + shifted / np.where(slope > 0, slope, 1.0))
    return np.asarray(np.where(slope > 0, moved, shifted > 0), dtype=np.float64)
