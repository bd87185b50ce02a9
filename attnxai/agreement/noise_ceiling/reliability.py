"""Krippendorff's alpha: how well annotators agree beyond what their values as a whole would give.

Alpha is ``1 - D_o / D_e``, the disagreement within units against the disagreement between all values whatever
their unit (Krippendorff 2019, chapter 12). It takes any number of annotators and missing values. The units
are sources: pixels of one source are not units, and where units belong together (pairs of components of one
source) the bootstrap draws sources.

The package krippendorff computes one value at a time, and the bootstrap needs alpha of thousands of resamples
at once; the tests compare every level of measurement with that package.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

import numpy as np

from attnxai.errors import OptionError
from attnxai.metrics.pixels import numbers_of
from attnxai.statistics.bootstrap import IntervalKind, resampled_interval
from attnxai.statistics.interval import CONFIDENCE_LEVEL, MIN_UNITS, Interval, no_interval
from attnxai.statistics.resamples import Resamples, resamples_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_ROUNDING = 1e-12  # of what is left of a difference of two sums that are nearly equal
_BLOCK = 4_000_000
_MOST_UNITS = 2_000
"""Units up to which every value is counted in every one; of more, sums of interval data are enough."""


class Measurement(enum.StrEnum):
    """What differences of two values mean."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"
    RATIO = "ratio"


def krippendorff_alpha(
    ratings: ArrayLike, measurement: Measurement = Measurement.INTERVAL
) -> float:
    """Krippendorff's alpha.

    Parameters
    ----------
    ratings : array_like, shape (n_annotators, n_units)
        Numbers, or codes of categories; NaN where an annotator gave none.
    measurement : Measurement
        ``nominal``: equal or not; ``ordinal``: how many values lie between; ``interval``: squared
        difference; ``ratio``: squared difference relative to the sum, for values that are not negative.

    Returns
    -------
    float
        1 for full agreement, 0 for what chance gives, less for systematic disagreement; NaN when no unit
        has two values or all values are equal.

    Examples
    --------
    >>> round(krippendorff_alpha([[1, 2, 3, 3], [1, 2, 3, 4]], Measurement.NOMINAL), 3)
    0.696
    """
    counts = _Counts.of(ratings, measurement)
    return float(counts.alpha(np.ones((1, len(counts.per_unit))))[0])


def alpha_interval(
    ratings: ArrayLike,
    measurement: Measurement = Measurement.INTERVAL,
    *,
    groups: ArrayLike | None = None,
    kind: IntervalKind = IntervalKind.EXPANDED,
    level: float = CONFIDENCE_LEVEL,
    n_bootstrap: int = 10_000,
    rng: np.random.Generator | int = 0,
) -> Interval:
    """Krippendorff's alpha with a bootstrap interval over units.

    Parameters
    ----------
    ratings, measurement
        As in :func:`krippendorff_alpha`.
    groups : array_like, shape (n_units,), optional
        Which units belong together, such as the source of a pair of components; they are drawn together.
    kind : IntervalKind
        Any but studentized, which needs a standard error.
    level : float
        Confidence level.
    n_bootstrap : int
        Resamples.
    rng : numpy.random.Generator or int
        Source of randomness.

    Returns
    -------
    Interval
        For these annotators; without ends, and with the reason, when there are fewer than
        :data:`~attnxai.statistics.interval.MIN_UNITS` units (or groups) with two values or more.

    Examples
    --------
    >>> truth = np.arange(20.0)
    >>> found = alpha_interval([truth, truth + np.resize([0.5, -0.5], 20)])
    >>> round(found.value, 3), found.low < found.value < found.high
    (0.996, True)
    """
    table = numbers_of("ratings", ratings)
    counts = _Counts.of(table, measurement)
    if groups is None:
        of_unit = np.arange(len(counts.per_unit))
    else:
        named = np.asarray(groups)
        if named.shape != table.shape[1:]:
            raise OptionError(
                f"groups need one entry for each of {table.shape[1]} units, got shape {named.shape}"
            )
        of_unit = np.unique(named[counts.used], return_inverse=True)[1]
    n = int(of_unit.max()) + 1 if of_unit.size else 0
    value = float(counts.alpha(np.ones((1, of_unit.size)))[0])
    if n < MIN_UNITS:
        return no_interval(value, n, level=level)
    drawn = resamples_of(n, n_bootstrap, np.random.default_rng(rng))
    if isinstance(drawn, Resamples) or n > _MOST_UNITS:
        rows = max(1, _BLOCK // n)
        resampled, left_out = (
            np.concatenate([counts.alpha(part[:, of_unit]) for part in parts])
            for parts in (
                (drawn[i : i + rows] for i in range(0, n_bootstrap, rows)),
                (1.0 - np.eye(min(rows, n - i), n, k=i) for i in range(0, n, rows)),
            )
        )
    else:
        resampled = counts.alpha(drawn[:, of_unit])
        left_out = counts.alpha((1.0 - np.eye(n))[:, of_unit])
    undefined = int((~np.isfinite(resampled)).sum())
    if not np.isfinite(value) or undefined > 0.05 * n_bootstrap:
        return no_interval(
            value,
            n,
            level=level,
            reason="nearly all values are equal, so alpha is undefined for many resamples",
        )
    found = resampled_interval(
        value,
        resampled[np.isfinite(resampled)],
        left_out[np.isfinite(left_out)],
        n_units=n,
        kind=kind,
        level=level,
    )
    note = f"alpha is undefined for {undefined} of {n_bootstrap} resamples" if undefined else ""
    return dataclasses.replace(found, note=note)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Counts:
    """How often each value occurs in each unit that has two values or more."""

    per_unit: NDArray[np.float64]
    domain: NDArray[np.float64]
    used: NDArray[np.bool_]
    measurement: Measurement
    sums: NDArray[np.float64] | None = None  # of interval data: number, sum, squares, within

    @classmethod
    def of(cls, ratings: ArrayLike, measurement: Measurement) -> _Counts:
        measurement = Measurement(measurement)
        table = numbers_of("ratings", ratings)
        if table.ndim != 2:
            raise OptionError(f"ratings need the shape (n_annotators, n_units), got {table.shape}")
        if np.isinf(table).any():
            raise OptionError("ratings hold an infinite value; missing ones are NaN")
        if measurement is Measurement.RATIO and (table < 0).any():
            raise OptionError(
                f"ratio data are never negative, but a rating is {np.nanmin(table):g}; use interval"
            )
        defined = np.isfinite(table)
        used = defined.sum(axis=0) >= 2
        if measurement is Measurement.INTERVAL and used.sum() > _MOST_UNITS:
            return cls._of_many(table[:, used], used)
        domain, position = np.unique(table[:, used][defined[:, used]], return_inverse=True)
        per_unit = np.zeros((int(used.sum()), len(domain)))
        unit = np.nonzero(defined[:, used])[1]
        np.add.at(per_unit, (unit, position.reshape(-1)), 1.0)
        return cls(per_unit=per_unit, domain=domain, used=used, measurement=measurement)

    @classmethod
    def _of_many(cls, values: NDArray[np.float64], used: NDArray[np.bool_]) -> _Counts:
        """Interval data of many units by their sums alone."""
        defined = np.isfinite(values)
        scores = np.where(defined, values - values[defined].mean(), 0.0)
        number = defined.sum(axis=0).astype(np.float64)
        total, squares = scores.sum(axis=0), (scores**2).sum(axis=0)
        within = 2.0 * (number * squares - total**2) / (number - 1.0)
        return cls(
            per_unit=number[:, None],
            domain=np.zeros(1),
            used=used,
            measurement=Measurement.INTERVAL,
            sums=np.stack([number, total, squares, within], axis=1),
        )

    def alpha(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Alpha when each unit occurs so many times, shape of weights (n_bootstrap, n_units)."""
        if not self.per_unit.size:
            return np.full(len(weights), np.nan)
        rows = max(1, _BLOCK // max(self.per_unit.shape))
        blocks = [self._alpha(weights[i : i + rows]) for i in range(0, len(weights), rows)]
        return np.concatenate(blocks)

    def _alpha(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.sums is not None:
            n, total, squares, within = (weights @ self.sums).T
            spread = 2.0 * n * squares
            between = spread - 2.0 * total**2
            several = between > _ROUNDING * spread
            ratio = within / np.where(several, between, 1.0)
            return np.where(several, 1.0 - (n - 1.0) * ratio, np.nan)
        size = self.per_unit.sum(axis=1)
        totals = weights @ self.per_unit
        n = totals.sum(axis=1)
        pairs = 1.0 / (size - 1.0)
        spread = np.zeros(len(n))
        match self.measurement:
            case Measurement.NOMINAL:
                within = weights @ ((size**2 - (self.per_unit**2).sum(axis=1)) * pairs)
                between = n**2 - (totals**2).sum(axis=1)
            case Measurement.RATIO:
                difference = self._ratio_differences()
                inside = ((self.per_unit @ difference) * self.per_unit).sum(axis=1)
                within = weights @ (inside * pairs)
                between = ((totals @ difference) * totals).sum(axis=1)
            case Measurement.INTERVAL:
                scores = self.domain - self.domain.mean()
                squares, sums = self.per_unit @ scores**2, self.per_unit @ scores
                within = weights @ (2.0 * (size * squares - sums**2) * pairs)
                spread = 2.0 * n * (totals @ scores**2)
                between = spread - 2.0 * (totals @ scores) ** 2
            case Measurement.ORDINAL:
                # ordinal differences are those of the mid-ranks that the pooled values have
                scores = np.cumsum(totals, axis=1) - totals / 2 - n[:, None] / 2
                squares = (scores**2) @ self.per_unit.T
                sums = scores @ self.per_unit.T
                within = (weights * 2.0 * (size * squares - sums**2) * pairs).sum(axis=1)
                between = 2.0 * (
                    n * (totals * scores**2).sum(axis=1) - (totals * scores).sum(axis=1) ** 2
                )
        # values that differ by rounding alone leave a difference of nothing but rounding errors
        several = ((totals > 0).sum(axis=1) > 1) & (between > _ROUNDING * spread)
        return np.where(several, 1.0 - (n - 1.0) * within / np.where(several, between, 1.0), np.nan)

    def _ratio_differences(self) -> NDArray[np.float64]:
        total = self.domain[:, None] + self.domain
        difference = self.domain[:, None] - self.domain
        return np.asarray((difference / np.where(total > 0, total, 1.0)) ** 2)
