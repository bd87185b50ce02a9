"""Intervals of a mean over sources, by the bootstrap over sources.

The source is the unit: pixels of one image are no independent samples. With several annotators (or several
trained models of one kind) sources alone are not enough; see :mod:`~.crossed`.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_SOURCES = 8
"""Fewer sources than this give no interval: resamples of so few repeat each other."""


class IntervalKind(enum.StrEnum):
    """How resamples become an interval."""

    PERCENTILE = "percentile"
    BCA = "bca"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value with its confidence interval.

    Parameters
    ----------
    value : float
        The estimate.
    low, high : float
        Ends of the interval; NaN when there are too few sources for one.
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
    kind: IntervalKind = IntervalKind.BCA,
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
        Percentile, or bias-corrected and accelerated (Efron 1987).
    level : float
        Confidence level.

    Returns
    -------
    Interval
        Without ends when fewer than :data:`MIN_SOURCES` values are defined.
    """
    kind = IntervalKind(kind)
    share = np.ones_like(values) if weights is None else np.asarray(weights, dtype=np.float64)
    defined = np.isfinite(values) & (share > 0)
    n = int(defined.sum())
    value = weighted_mean(values, share)
    if n < MIN_SOURCES:
        return no_interval(value, n, level=level)
    kept, part = values[defined], share[defined]
    resampled = counts[:, defined]
    total = resampled @ part
    drawn = total > 0
    means = (resampled[drawn] @ (kept * part)) / total[drawn]
    whole, product = part.sum(), (kept * part).sum()
    return resampled_interval(
        value,
        means,
        (product - kept * part) / (whole - part),
        n_sources=n,
        kind=kind,
        level=level,
        scale=float(np.abs(kept).max()),
    )


_WORDS = {
    IntervalKind.PERCENTILE: "percentile bootstrap over sources",
    IntervalKind.BCA: "BCa bootstrap over sources",
}


def resampled_interval(
    value: float,
    resampled: NDArray[np.float64],
    left_out: NDArray[np.float64],
    *,
    n_sources: int,
    kind: IntervalKind = IntervalKind.BCA,
    level: float = 0.95,
    scale: float = 1.0,
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
        Percentile, or bias-corrected and accelerated (Efron 1987).
    level : float
        Confidence level.
    scale : float
        Size of the values: resamples within 1e-12 of it from ``value`` count as equal to it.

    Returns
    -------
    Interval
    """
    kind = IntervalKind(kind)
    tail = (1.0 - level) / 2
    quantiles = np.array([tail, 1.0 - tail])
    if kind is IntervalKind.BCA:
        tie = 1e-12 * max(abs(value), scale)
        quantiles = _bca_quantiles(value, resampled, left_out, quantiles, tie)
    low, high = np.quantile(resampled, quantiles)
    return Interval(
        value=value,
        low=float(low),
        high=float(high),
        n_sources=n_sources,
        level=level,
        method=_WORDS[kind],
    )


def _bca_quantiles(
    value: float,
    resampled: NDArray[np.float64],
    left_out: NDArray[np.float64],
    quantiles: NDArray[np.float64],
    tie: float,
) -> NDArray[np.float64]:
    """Quantiles of the resampled statistics at which a BCa interval ends."""
    from scipy.special import ndtr, ndtri

    equal = np.abs(resampled - value) <= tie
    below = np.count_nonzero((resampled < value) & ~equal) + 0.5 * np.count_nonzero(equal)
    share = below / len(resampled)
    if not 0.0 < share < 1.0:
        return quantiles
    bias = ndtri(share)
    deviation = left_out.mean() - left_out
    spread = (deviation**2).sum() ** 1.5
    acceleration = (deviation**3).sum() / (6.0 * spread) if spread > 0 else 0.0
    shifted = bias + ndtri(quantiles)
    return np.asarray(ndtr(bias + shifted / (1.0 - acceleration * shifted)))
