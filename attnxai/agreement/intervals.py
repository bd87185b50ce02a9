"""Bootstrap intervals over sources."""

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
    """

    value: float
    low: float
    high: float
    n_sources: int
    level: float = 0.95

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))


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
    share = np.ones_like(values) if weights is None else np.asarray(weights, dtype=np.float64)
    defined = np.isfinite(values) & (share > 0)
    n = int(defined.sum())
    value = weighted_mean(values, share)
    if n < MIN_SOURCES:
        return Interval(value=value, low=np.nan, high=np.nan, n_sources=n, level=level)
    kept, part = values[defined], share[defined]
    resampled = counts[:, defined]
    total = resampled @ part
    drawn = total > 0
    means = (resampled[drawn] @ (kept * part)) / total[drawn]
    tail = (1.0 - level) / 2
    quantiles = np.array([tail, 1.0 - tail])
    if kind is IntervalKind.BCA:
        quantiles = _bca_quantiles(kept, part, value, means, quantiles)
    low, high = np.quantile(means, quantiles)
    return Interval(value=value, low=float(low), high=float(high), n_sources=n, level=level)


def _bca_quantiles(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    estimate: float,
    means: NDArray[np.float64],
    quantiles: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Quantiles of the resampled means at which a BCa interval ends."""
    from scipy.special import ndtr, ndtri

    tie = 1e-12 * max(abs(estimate), float(np.abs(values).max()))
    equal = np.abs(means - estimate) <= tie
    below = np.count_nonzero((means < estimate) & ~equal) + 0.5 * np.count_nonzero(equal)
    share = below / len(means)
    if not 0.0 < share < 1.0:
        return quantiles
    bias = ndtri(share)
    total, product = weights.sum(), (values * weights).sum()
    left_out = (product - values * weights) / (total - weights)
    deviation = left_out.mean() - left_out
    spread = (deviation**2).sum() ** 1.5
    acceleration = (deviation**3).sum() / (6.0 * spread) if spread > 0 else 0.0
    shifted = bias + ndtri(quantiles)
    return np.asarray(ndtr(bias + shifted / (1.0 - acceleration * shifted)))
