"""Bootstrap intervals over units: of a mean over sources, and of any statistic of images.

The unit is the source or the image: pixels of one image are no independent samples. With several annotators
(or several trained models of one kind) sources alone are not enough; see
:mod:`attnxai.agreement.intervals.crossed`.

The default for means is the studentized bootstrap (:mod:`~.studentized`), whose coverage came nearest to the
level asked for in simulations with 8 to 100 sources (the documentation has the table). Every end of it lies
between the smallest and the largest value, so no interval leaves the range of a metric.

``scipy.stats.bootstrap`` has neither studentized nor expanded intervals, takes no weights, and cannot share its
resamples between statistics, which comparing maps and models over the same sources needs. Its BCa and
percentile intervals are what these are tested against.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from attnxai.errors import OptionError
from attnxai.statistics.interval import (
    CONFIDENCE_LEVEL,
    MIN_UNITS,
    Interval,
    counted_units,
    effective_number,
    no_interval,
    no_spread_interval,
    same_everywhere,
)
from attnxai.statistics.studentized import studentized_ends

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]

# Rows of resamples at a time, so that memory does not grow with their number.
_ROWS = 512


class IntervalKind(enum.StrEnum):
    """How resamples become an interval.

    ``studentized``
        Quantiles of each resample's distance from the mean in units of its own standard error (bootstrap-t;
        Hall 1988; Efron & Tibshirani 1993, chapter 12). For means only.
    ``expanded``
        BCa with its tails widened as far as Student's t is wider than the normal distribution (Hesterberg
        2015), for any statistic.
    ``bca``
        Bias-corrected and accelerated (Efron 1987); too narrow for few units.
    ``percentile``
        Quantiles of the resamples; too narrow for few units.
    """

    STUDENTIZED = "studentized"
    EXPANDED = "expanded"
    BCA = "bca"
    PERCENTILE = "percentile"


def bootstrap_counts(
    n_units: int, n_bootstrap: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """How often each unit occurs in each resample, shape (n_bootstrap, n_units)."""
    probabilities = np.full(n_units, 1.0 / n_units)
    return rng.multinomial(n_units, probabilities, size=n_bootstrap).astype(np.float64)


def stratified_counts(
    strata: ArrayLike, n_bootstrap: int, rng: np.random.Generator
) -> NDArray[np.int32]:
    """How often each unit occurs in each resample, when each stratum is resampled by itself.

    Parameters
    ----------
    strata : array_like of int, shape (n_units,)
        Stratum of each unit, such as the class of an image.
    n_bootstrap : int
        Number of resamples.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of int, shape (n_bootstrap, n_units)
        Every resample has as many units of a stratum as the data have.
    """
    labels = np.asarray(strata)
    counts = np.zeros((n_bootstrap, len(labels)), dtype=np.int32)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        shares = np.full(len(members), 1.0 / len(members))
        for start in range(0, n_bootstrap, _ROWS):
            rows = min(_ROWS, n_bootstrap - start)
            drawn = rng.multinomial(len(members), shares, size=rows)
            counts[start : start + rows, members] = drawn
    return counts


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
    level: float = CONFIDENCE_LEVEL,
) -> Interval:
    """Mean over sources with its bootstrap interval.

    Parameters
    ----------
    values : ndarray, shape (n_sources,)
        One value a source; NaN where undefined, which leaves the source out.
    counts : ndarray, shape (n_bootstrap, n_sources)
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
        Without ends, and with the reason, when all values are the same or sources with a value and a weight are
        fewer than :data:`~.interval.MIN_UNITS`, by their effective number. Ends lie between the smallest and the largest value.

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
    kept, part = values[defined], share[defined]
    n_effective = effective_number(part)
    if counted_units(n, n_effective) < MIN_UNITS:
        return no_interval(value, n, level=level, n_effective=n_effective)
    if same_everywhere(kept):
        return no_spread_interval(value, n, n, level=level, n_effective=n_effective)
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
                n_units=n,
                level=level,
                method="studentized bootstrap over sources",
                n_effective=n_effective,
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
        n_units=n,
        kind=kind,
        level=level,
        scale=float(np.abs(kept).max()),
        n_effective=n_effective,
    )
    return dataclasses.replace(found, note=note)


_WORDS = {
    IntervalKind.EXPANDED: "BCa bootstrap over {}s with tails widened for their number",
    IntervalKind.BCA: "BCa bootstrap over {}s",
    IntervalKind.PERCENTILE: "percentile bootstrap over {}s",
}
_TIED = (
    "so many values are equal that resamples cannot be studentized; BCa with wider tails was used"
)


def statistic_interval(
    statistic: Statistic,
    counts: NDArray[np.int32],
    *,
    strata: NDArray[np.int64],
    unit: str,
    kind: IntervalKind = IntervalKind.BCA,
    level: float = CONFIDENCE_LEVEL,
) -> Interval:
    """Interval of any statistic, over resamples within strata.

    Parameters
    ----------
    statistic : callable
        Gives one value for each row of counts, shape (n_bootstrap, n_units); NaN where undefined.
    counts : ndarray of int, shape (n_bootstrap, n_units)
        From :func:`stratified_counts`; the same for several statistics.
    strata : ndarray of int, shape (n_units,)
        Stratum of each unit, as in :func:`stratified_counts`.
    unit : str
        What a unit is.
    kind : IntervalKind
        Any but ``studentized``.
    level : float
        Confidence level.

    Returns
    -------
    Interval
        Without ends when the value is undefined, there are fewer than :data:`~.interval.MIN_UNITS` units, or
        all resamples give the same value (such as an AUC of 1), which says nothing about its error.
    """
    n = counts.shape[1]
    value = float(statistic(np.ones((1, n)))[0])
    if not np.isfinite(value):
        return no_interval(value, n, unit=unit, level=level, reason="the value is undefined")
    if n < MIN_UNITS:
        return no_interval(value, n, unit=unit, level=level)
    resampled = over_resamples(statistic, counts)
    resampled = resampled[np.isfinite(resampled)]
    if not len(resampled) or np.ptp(resampled) <= 1e-12 * max(1.0, abs(value)):
        reason = "all resamples give the same value"
        return no_interval(value, n, unit=unit, level=level, reason=reason)
    left_out = np.empty(0)
    if kind is not IntervalKind.PERCENTILE:
        without = (statistic(1.0 - np.eye(min(_ROWS, n - i), n, k=i)) for i in range(0, n, _ROWS))
        left_out = np.concatenate(list(without))
    return resampled_interval(
        value,
        resampled,
        left_out,
        n_units=n,
        unit=unit,
        kind=kind,
        level=level,
        strata=strata,
    )


def over_resamples(statistic: Statistic, counts: NDArray[np.int32]) -> NDArray[np.float64]:
    """A statistic of every resample, a block of them at a time.

    Parameters
    ----------
    statistic : callable
        Gives one value for each row of counts, shape (n_bootstrap, n_units).
    counts : ndarray of int, shape (n_bootstrap, n_units)
        How often each unit occurs in each resample.

    Returns
    -------
    ndarray, shape (n_bootstrap,)
    """
    blocks = [
        statistic(counts[i : i + _ROWS].astype(np.float64)) for i in range(0, len(counts), _ROWS)
    ]
    return np.concatenate(blocks)


def resampled_interval(
    value: float,
    resampled: NDArray[np.float64],
    left_out: NDArray[np.float64],
    *,
    n_units: int,
    unit: str = "source",
    kind: IntervalKind = IntervalKind.EXPANDED,
    level: float = CONFIDENCE_LEVEL,
    scale: float = 1.0,
    n_effective: float | None = None,
    strata: NDArray[np.int64] | None = None,
) -> Interval:
    """Interval of any statistic from its resamples.

    Parameters
    ----------
    value : float
        The statistic.
    resampled : ndarray, shape (n_bootstrap,)
        The statistic of each resample of the units.
    left_out : ndarray, shape (n_units,)
        The statistic without each unit, for the acceleration; percentile intervals do not use it.
    n_units : int
        Units with a defined value.
    unit : str
        What a unit is.
    kind : IntervalKind
        Any but ``studentized``, which needs the standard error of every resample.
    level : float
        Confidence level.
    scale : float
        Size of the values: resamples within 1e-12 of it from ``value`` count as equal to it.
    n_effective : float, optional
        Units of equal weight that would say as much, for ``expanded``; ``n_units`` when left out.
    strata : ndarray of int, shape (n_units,), optional
        Within what units were resampled; all together when left out.

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
            normal = _expanded_quantile(tail, n_units if n_effective is None else n_effective)
        tie = 1e-12 * max(abs(value), scale)
        quantiles = _bca_quantiles(value, resampled, _acceleration(left_out, strata), normal, tie)
    low, high = np.quantile(resampled, quantiles)
    return Interval(
        value=value,
        low=float(low),
        high=float(high),
        n_units=n_units,
        unit=unit,
        level=level,
        method=_WORDS[kind].format(unit),
        n_effective=n_effective,
    )


def _expanded_quantile(tail: float, n: float) -> float:
    """Lower normal quantile at which a percentile interval is as wide as Student's t on ``n`` values.

    The spread of resamples is that of the values divided by n and not n - 1 (Hesterberg 2015).
    """
    from scipy.special import stdtrit

    size = max(n, 2.0)
    return float(np.sqrt(size / (size - 1)) * stdtrit(size - 1, tail))


def _acceleration(left_out: NDArray[np.float64], strata: NDArray[np.int64] | None) -> float:
    """Acceleration of BCa from the statistic without each unit (Efron & Tibshirani 1993, section 14.3).

    Each stratum is a sample of its own, whose influences are scaled by its size; for a single one the scale
    cancels. Units without which the statistic is undefined have none.
    """
    labels = np.zeros(len(left_out), dtype=np.int64) if strata is None else strata
    cubes = squares = 0.0
    for label in np.unique(labels):
        members = left_out[(labels == label) & np.isfinite(left_out)]
        if len(members) > 1:
            influence = (len(members) - 1) / len(members) * (members.mean() - members)
            cubes += float((influence**3).sum())
            squares += float((influence**2).sum())
    return cubes / (6.0 * squares**1.5) if squares > 0 else 0.0


def _bca_quantiles(
    value: float, resampled: NDArray[np.float64], acceleration: float, normal: float, tie: float
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
    shifted = bias + quantiles
    slope = 1.0 - acceleration * shifted
    # beyond the formula's pole, far out in the tail of skewed values, the last resample is the end
    moved = ndtr(bias + shifted / np.where(slope > 0, slope, 1.0))
    return np.asarray(np.where(slope > 0, moved, shifted > 0), dtype=np.float64)
