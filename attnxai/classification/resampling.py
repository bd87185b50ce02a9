"""Intervals of numbers that are measured on images: Wilson's for shares, bootstrap for all else."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MIN_IMAGES = 8
"""Fewer images than this give no bootstrap interval: resamples of so few repeat each other."""

LEVEL = 0.95
"""Confidence level of the intervals."""

# Rows of resamples at a time, so that memory does not grow with their number.
_ROWS = 512


class IntervalMethod(enum.StrEnum):
    """How an interval came about."""

    WILSON = "Wilson"
    BCA = "BCa bootstrap"
    PERCENTILE = "percentile bootstrap"
    CALIBRATION_TEST = "percentile bootstrap, joined with the test of calibration"
    NONE = "none"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MetricInterval:
    """A number with its confidence interval.

    Parameters
    ----------
    value : float
        The estimate; NaN where it is undefined.
    low, high : float
        Ends of the interval; NaN where there is none.
    method : IntervalMethod
        How it came about.
    level : float
        Confidence level.
    """

    value: float
    low: float = float("nan")
    high: float = float("nan")
    method: IntervalMethod = IntervalMethod.NONE
    level: float = LEVEL

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))


def wilson_interval(
    n_right: ArrayLike, n_images: ArrayLike, *, level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's (1927) score interval of a share.

    Unlike the share plus and minus its standard error, it has a width when all or none are right, and
    covers close to its level from ten images on (Brown, Cai & DasGupta 2001).

    Parameters
    ----------
    n_right : array_like of int
        Images with the property.
    n_images : array_like of int, same shape
        All images; 1 or more.
    level : float
        Confidence level.

    Returns
    -------
    low, high : ndarray
        Ends.

    Examples
    --------
    >>> low, high = wilson_interval(130, 153)
    >>> round(float(low), 3), round(float(high), 3)
    (0.785, 0.898)
    """
    from scipy.special import ndtri

    count = np.asarray(n_images, dtype=np.float64)
    share = np.asarray(n_right, dtype=np.float64) / count
    square = float(ndtri((1 + level) / 2)) ** 2 / count
    middle = share + square / 2
    reach = np.sqrt(square * share * (1 - share) + square**2 / 4)
    # rounding would leave the ends a little inside 0 and 1
    low = np.where(share == 0, 0.0, (middle - reach) / (1 + square))
    high = np.where(share == 1, 1.0, (middle + reach) / (1 + square))
    return np.asarray(low), np.asarray(high)


def stratified_counts(
    labels: NDArray[np.int64], n_resamples: int, rng: np.random.Generator
) -> NDArray[np.int32]:
    """How often each image occurs in each resample, when each class is resampled by itself.

    Parameters
    ----------
    labels : ndarray of int, shape (n_images,)
        Class of each image.
    n_resamples : int
        Number of resamples.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of int, shape (n_resamples, n_images)
        Every resample has as many images of a class as the data have.
    """
    counts = np.zeros((n_resamples, len(labels)), dtype=np.int32)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        shares = np.full(len(members), 1.0 / len(members))
        for start in range(0, n_resamples, _ROWS):
            rows = min(_ROWS, n_resamples - start)
            drawn = rng.multinomial(len(members), shares, size=rows)
            counts[start : start + rows, members] = drawn
    return counts


def over_resamples(
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]], counts: NDArray[np.int32]
) -> NDArray[np.float64]:
    """A statistic of every resample, a block of them at a time.

    Parameters
    ----------
    statistic : callable
        Gives one value for each row of counts, shape (n_resamples, n_images).
    counts : ndarray of int, shape (n_resamples, n_images)
        How often each image occurs in each resample.

    Returns
    -------
    ndarray, shape (n_resamples,)
    """
    blocks = [
        statistic(counts[i : i + _ROWS].astype(np.float64)) for i in range(0, len(counts), _ROWS)
    ]
    return np.concatenate(blocks)


def bootstrap_interval(
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    labels: NDArray[np.int64],
    counts: NDArray[np.int32],
    *,
    method: IntervalMethod = IntervalMethod.BCA,
    level: float = LEVEL,
) -> MetricInterval:
    """Interval of any statistic of images, over resamples within each class.

    Parameters
    ----------
    statistic : callable
        Gives one value for each row of counts, shape (n_resamples, n_images); NaN where undefined.
    labels : ndarray of int, shape (n_images,)
        Class of each image, as in :func:`stratified_counts`.
    counts : ndarray, shape (n_resamples, n_images)
        From :func:`stratified_counts`; the same for several statistics.
    method : IntervalMethod
        ``BCA`` (bias-corrected and accelerated, Efron 1987; the acceleration of several samples as in
        Efron & Tibshirani 1993, section 14.3) or ``PERCENTILE``.
    level : float
        Confidence level.

    Returns
    -------
    MetricInterval
        Without ends when the value is undefined, there are fewer than :data:`MIN_IMAGES` images, or
        all resamples give the same value (such as an AUC of 1), which tells nothing about its error.
    """
    n = len(labels)
    value = float(statistic(np.ones((1, n)))[0])
    without = MetricInterval(value=value, level=level)
    if not np.isfinite(value) or n < MIN_IMAGES:
        return without
    values = over_resamples(statistic, counts)
    values = values[np.isfinite(values)]
    tie = 1e-12 * max(1.0, abs(value))
    if not len(values) or np.ptp(values) <= tie:
        return without
    tail = (1.0 - level) / 2
    quantiles = np.array([tail, 1.0 - tail])
    if method is IntervalMethod.BCA:
        quantiles = _bca_quantiles(statistic, labels, value, values, quantiles, tie)
    low, high = np.quantile(values, quantiles)
    return MetricInterval(value=value, low=float(low), high=float(high), method=method, level=level)


def _bca_quantiles(
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    labels: NDArray[np.int64],
    value: float,
    values: NDArray[np.float64],
    quantiles: NDArray[np.float64],
    tie: float,
) -> NDArray[np.float64]:
    """Quantiles of the resampled values at which a BCa interval ends."""
    from scipy.special import ndtr, ndtri

    equal = np.abs(values - value) <= tie
    below = (np.count_nonzero((values < value) & ~equal) + 0.5 * np.count_nonzero(equal)) / len(
        values
    )
    if not 0.0 < below < 1.0:
        return quantiles
    bias = ndtri(below)
    n = len(labels)
    left_out = np.concatenate(
        [statistic(1.0 - np.eye(min(_ROWS, n - start), n, k=start)) for start in range(0, n, _ROWS)]
    )
    cubes = squares = 0.0
    for label in np.unique(labels):
        members = left_out[labels == label]
        members = members[np.isfinite(members)]
        size = len(members)
        if size > 1:
            influence = (size - 1) * (members.mean() - members)
            cubes += float((influence**3).sum()) / size**3
            squares += float((influence**2).sum()) / size**2
    acceleration = cubes / (6.0 * squares**1.5) if squares > 0 else 0.0
    shifted = bias + ndtri(quantiles)
    return np.asarray(ndtr(bias + shifted / (1.0 - acceleration * shifted)))
