"""A value with its confidence interval: one class for agreement, classification and studies."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE_LEVEL = 0.95
"""Level of intervals when nothing else is asked for."""

SIGNIFICANCE_LEVEL = 0.05
"""Level of tests: p-values of this or less count as evidence."""

MIN_UNITS = 8
"""Fewer units (sources, images) than this give no bootstrap interval: resamples of so few repeat each other."""

# Values closer to each other than this share of their size are the same.
_ROUNDING = 1e-12


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value with its confidence interval.

    Parameters
    ----------
    value : float
        The estimate; NaN where it is undefined.
    low, high : float
        Ends of the interval; NaN where there is none.
    n_units : int
        Units with a defined value.
    unit : str
        What a unit is: ``source``, ``image``, ``seed`` or ``experiment``.
    level : float
        Confidence level.
    method : str
        How the interval was made, in words; empty when there is none.
    degrees_of_freedom : float or None
        Of the t distribution whose quantile was used; None for bootstrap quantiles.
    n_effective : float or None
        Units of equal weight that are as informative (:func:`effective_number`); None for equal weights.
    note : str
        Why there is no interval, or what a reader of it should know.
    reference : float
        What a reader compares the interval with: chance, or no difference.

    Examples
    --------
    >>> made = Interval(value=0.4, low=0.3, high=0.5, n_units=40)
    >>> made.known, made.excludes(0.0), made.to_record()
    (True, True, {'value': 0.4, 'ci_low': 0.3, 'ci_high': 0.5})
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    n_units: int
    unit: str = "source"
    level: float = CONFIDENCE_LEVEL
    method: str = ""
    degrees_of_freedom: float | None = None
    n_effective: float | None = None
    note: str = ""
    reference: float = 0.0

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def n_counted(self) -> int:
        """Units as rules count them: by their effective number, rounded down."""
        return counted_units(self.n_units, self.n_effective)

    def excludes(self, value: float) -> bool:
        """Whether there is an interval and a value lies outside it."""
        return self.known and not self.low <= value <= self.high

    def to_record(self) -> dict[str, float | None]:
        """Value and ends as plain numbers; None where there is none."""
        return {
            "value": finite_or_none(self.value),
            "ci_low": finite_or_none(self.low),
            "ci_high": finite_or_none(self.high),
        }


def finite_or_none(value: float | None) -> float | None:
    """A number for JSON: None where it is missing, undefined or infinite."""
    return None if value is None or not math.isfinite(value) else float(value)


def effective_number(weights: NDArray[np.float64]) -> float | None:
    """Units of equal weight whose mean is as certain (Kish 1965); None where all weights are equal."""
    if not weights.size or weights.min() == weights.max():
        return None
    share = weights / weights.max()
    return float(share.sum() ** 2 / (share**2).sum())


def counted_units(n_units: int, n_effective: float | None) -> int:
    """Units as rules count them: by their effective number, rounded down."""
    return n_units if n_effective is None else int(n_effective + _ROUNDING * n_units)


def too_few(n_units: int, n_effective: float | None = None, *, unit: str = "source") -> str:
    """Words for units that are too few for an interval, to be continued; empty where they are enough."""
    n_counted = counted_units(n_units, n_effective)
    if n_counted >= MIN_UNITS:
        return ""
    count = f"1 {unit} is" if n_units == 1 else f"{n_units:,} {unit}s are"
    if n_counted < n_units:
        ones = "one" if n_counted == 1 else f"{n_counted} equal ones"
        count = f"{n_units:,} {unit}s, weighing as much as {ones}, are"
    return f"{count} too few"


def no_interval(
    value: float,
    n_units: int,
    *,
    unit: str = "source",
    level: float = CONFIDENCE_LEVEL,
    n_effective: float | None = None,
    reason: str = "",
) -> Interval:
    """A value without an interval, and why; that the units are too few if no reason is given."""
    if not reason:
        reason = f"{too_few(n_units, n_effective, unit=unit)}, {MIN_UNITS} are needed"
    return Interval(
        value=value,
        n_units=n_units,
        unit=unit,
        level=level,
        n_effective=n_effective,
        note=f"no interval: {reason}",
    )


def same_everywhere(values: NDArray[np.float64]) -> bool:
    """Whether finite values are all the same, up to rounding."""
    return bool(np.ptp(values) <= _ROUNDING * np.abs(values).max())


def no_spread_interval(
    value: float,
    n_units: int,
    n_values: int,
    *,
    unit: str = "source",
    level: float = CONFIDENCE_LEVEL,
    n_effective: float | None = None,
) -> Interval:
    """A value without an interval because all ``n_values`` values are the same.

    Eight hits in eight sources do not show that every source is a hit, which an interval of no width would
    say.
    """
    reason = f"all {n_values} values are the same: their spread says nothing about other {unit}s"
    return no_interval(
        value, n_units, unit=unit, level=level, n_effective=n_effective, reason=reason
    )
