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
from attnxai.statistics.bootstrap import IntervalKind, abc_interval, resampled_interval
from attnxai.statistics.interval import CONFIDENCE_LEVEL, MIN_UNITS, Interval, no_interval
from attnxai.statistics.resamples import Resamples, resamples_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_ROUNDING = 1e-12  # of what is left of a difference of two sums that are nearly equal
_BLOCK = 4_000_000


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
    return float(counts.alpha(np.ones((1, counts.n_units)))[0])


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
        Resamples. Where they and the units are many (:data:`~attnxai.statistics.resamples.MOST_KEPT`) none are drawn, but for
        ordinal data, and where few units dominate: see :func:`~attnxai.statistics.abc_intervals.abc_ends`.
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
        of_unit = np.arange(counts.n_units)
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
    if isinstance(drawn, Resamples) and counts.measurement is not Measurement.ORDINAL:
        closed = abc_interval(
            lambda weights: counts.alpha(weights[:, of_unit]),
            value,
            counts.alpha_without(of_unit, n),
            kind=kind,
            level=level,
        )
        if closed is not None:
            return closed
    rows = max(1, _BLOCK // n)
    resampled = np.concatenate(
        [counts.alpha(drawn[i : i + rows][:, of_unit]) for i in range(0, n_bootstrap, rows)]
    )
    left_out = counts.alpha_without(of_unit, n)
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
    """What alpha follows from, for each unit that has two values or more.

    For ordinal data ``columns`` is how often each value of the domain occurs in a unit. Otherwise alpha follows from sums of
    the columns over units: for interval data the number of values, their sum, that of their squares and the disagreement
    within the unit; else how often each value occurs, and the disagreement.
    """

    columns: NDArray[np.float64]
    domain: NDArray[np.float64]
    used: NDArray[np.bool_]
    measurement: Measurement

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
        used = np.isfinite(table).sum(axis=0) >= 2
        table = table[:, used]
        defined = np.isfinite(table)
        domain, position = np.unique(table[defined], return_inverse=True)
        if measurement is Measurement.INTERVAL:
            # their scale means nothing, and squares of extreme values would overflow or vanish
            exponent = np.frexp(np.abs(table[defined]).max(initial=0.0))[1]
            table = np.ldexp(table, -exponent)
            columns = _interval_columns(table)
        else:
            columns = np.zeros((table.shape[1], len(domain)))
            np.add.at(columns, (np.nonzero(defined)[1], position.reshape(-1)), 1.0)
            if measurement is not Measurement.ORDINAL:
                within = _within(columns, _differences(domain, measurement))
                columns = np.column_stack([columns, within])
        return cls(columns=columns, domain=domain, used=used, measurement=measurement)

    @property
    def n_units(self) -> int:
        """Number of units with two values or more."""
        return len(self.columns)

    def alpha(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Alpha when each unit occurs so many times, shape of weights (n_bootstrap, n_units)."""
        if not self.n_units:
            return np.full(len(weights), np.nan)
        rows = max(1, _BLOCK // max(self.columns.shape))
        blocks = [self._alpha(weights[i : i + rows]) for i in range(0, len(weights), rows)]
        return np.concatenate(blocks)

    def alpha_without(self, of_unit: NDArray[np.intp], n: int) -> NDArray[np.float64]:
        """Alpha without each of ``n`` groups of units, to which units belong by ``of_unit``."""
        if self.measurement is Measurement.ORDINAL:
            rows = max(1, _BLOCK // n)
            parts = (1.0 - np.eye(min(rows, n - i), n, k=i) for i in range(0, n, rows))
            return np.concatenate([self.alpha(part[:, of_unit]) for part in parts])
        sums = np.zeros((n, self.columns.shape[1]))
        np.add.at(sums, of_unit, self.columns)
        return self._of_sums(self.columns.sum(axis=0) - sums)

    def _alpha(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.measurement is not Measurement.ORDINAL:
            return self._of_sums(weights @ self.columns)
        size = self.columns.sum(axis=1)
        totals = weights @ self.columns
        n = totals.sum(axis=1)
        # ordinal differences are those of the mid-ranks that the pooled values have
        scores = np.cumsum(totals, axis=1) - totals / 2 - n[:, None] / 2
        squares, sums = (scores**2) @ self.columns.T, scores @ self.columns.T
        within = (weights * 2.0 * (size * squares - sums**2) / (size - 1.0)).sum(axis=1)
        between = n * (totals * scores**2).sum(axis=1) - (totals * scores).sum(axis=1) ** 2
        return _one_minus_ratio(n, within, 2.0 * between, (totals > 0).sum(axis=1) > 1)

    def _of_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.measurement is Measurement.INTERVAL:
            n, total, squares, within = sums.T
            spread = 2.0 * n * squares
            between = spread - 2.0 * total**2
            # values that differ by rounding alone leave a difference of nothing but rounding errors
            return _one_minus_ratio(n, within, between, between > _ROUNDING * spread)
        totals, within = sums[:, :-1], sums[:, -1]
        difference = _differences(self.domain, self.measurement)
        between = ((totals @ difference) * totals).sum(axis=1)
        return _one_minus_ratio(totals.sum(axis=1), within, between, (totals > 0).sum(axis=1) > 1)


def _one_minus_ratio(
    n: NDArray[np.float64],
    within: NDArray[np.float64],
    between: NDArray[np.float64],
    several: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Alpha of ``n`` values; NaN where there are not several."""
    several = several & (between > 0)
    return np.where(several, 1.0 - (n - 1.0) * within / np.where(several, between, 1.0), np.nan)


def _interval_columns(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Number, sum, sum of squares and disagreement within each unit, of values about their mean."""
    defined = np.isfinite(values)
    number = defined.sum(axis=0).astype(np.float64)
    scores = np.where(defined, values - values[defined].mean(), 0.0) if defined.any() else values
    total, squares = scores.sum(axis=0), (scores**2).sum(axis=0)
    within = 2.0 * (number * squares - total**2) / (number - 1.0)
    return np.stack([number, total, squares, within], axis=1)


def _differences(domain: NDArray[np.float64], measurement: Measurement) -> NDArray[np.float64]:
    """Squared differences between values, shape (n_values, n_values)."""
    if measurement is Measurement.NOMINAL:
        return 1.0 - np.eye(len(domain))
    total = domain[:, None] + domain
    difference = domain[:, None] - domain
    return np.asarray((difference / np.where(total > 0, total, 1.0)) ** 2)


def _within(counts: NDArray[np.float64], difference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Disagreement within each unit."""
    return np.asarray(((counts @ difference) * counts).sum(axis=1) / (counts.sum(axis=1) - 1.0))
