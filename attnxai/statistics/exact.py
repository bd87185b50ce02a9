"""Intervals that need no resampling: of shares, and Student's t.

``scipy.stats.binomtest`` has the intervals of a share, one at a time and with the cost of its test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.statistics.interval import CONFIDENCE_LEVEL, Interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def wilson_ends(
    n_hits: ArrayLike, n_units: ArrayLike, *, level: float = CONFIDENCE_LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of Wilson's (1927) score interval of shares.

    Unlike the share plus and minus its standard error, it has a width when all or none are hits, and covers
    close to its level from ten units on (Brown, Cai & DasGupta 2001).
    """
    from scipy.special import ndtri

    count = np.asarray(n_units, dtype=np.float64)
    share = np.asarray(n_hits, dtype=np.float64) / count
    square = float(ndtri((1 + level) / 2)) ** 2 / count
    middle = share + square / 2
    reach = np.sqrt(square * share * (1 - share) + square**2 / 4)
    # rounding would leave the ends a little inside 0 and 1
    low = np.where(share == 0, 0.0, (middle - reach) / (1 + square))
    high = np.where(share == 1, 1.0, (middle + reach) / (1 + square))
    return np.asarray(low), np.asarray(high)


def share_interval(
    n_hits: int, n_units: int, *, unit: str = "image", level: float = CONFIDENCE_LEVEL
) -> Interval:
    """A share with Wilson's interval."""
    low, high = wilson_ends(n_hits, n_units, level=level)
    return Interval(
        value=n_hits / n_units,
        low=float(low),
        high=float(high),
        n_units=n_units,
        unit=unit,
        level=level,
        method="Wilson",
    )


def clopper_pearson_ends(
    n_hits: int, n_units: int, *, level: float = CONFIDENCE_LEVEL
) -> tuple[float, float]:
    """Ends of the exact interval of a share (Clopper & Pearson 1934)."""
    from scipy.special import betaincinv

    tail = (1.0 - level) / 2
    low = float(betaincinv(n_hits, n_units - n_hits + 1, tail)) if n_hits else 0.0
    high = 1.0
    if n_hits < n_units:
        high = float(betaincinv(n_hits + 1, n_units - n_hits, 1.0 - tail))
    return low, high


def monte_carlo_ends(p_value: float, n_draws: int, *, n_sides: int = 1) -> tuple[float, float]:
    """Where the p-value of all draws lies, given that of random ones: the exact 95 % interval of its share.

    ``p_value`` is (b + 1) / (B + 1), times 2 if ``n_sides`` is 2, for b of B draws at least as extreme; of an
    undefined one the ends are undefined.
    """
    if np.isnan(p_value):
        return float("nan"), float("nan")
    n_extreme = round(p_value / n_sides * (n_draws + 1)) - 1
    low, high = clopper_pearson_ends(min(max(n_extreme, 0), n_draws), n_draws)
    return min(1.0, n_sides * low), min(1.0, n_sides * high)


def ends_record(name: str, ends: tuple[float, float] | None) -> dict[str, float | None]:
    """Ends of an interval under their documented names, None where there is none."""
    low, high = ends or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def t_half_width(error: float, freedom: float, *, level: float = CONFIDENCE_LEVEL) -> float:
    """Half-width of an interval by Student's t, from a standard error and its degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + level / 2)) * error


def t_interval(
    value: float,
    error: float,
    freedom: float,
    n_units: int,
    *,
    unit: str = "source",
    over: str = "",
    level: float = CONFIDENCE_LEVEL,
) -> Interval:
    """Interval of a mean by Student's t; ``over`` says over what in words, the units if left out."""
    half = t_half_width(error, freedom, level=level)
    return Interval(
        value=value,
        low=value - half,
        high=value + half,
        n_units=n_units,
        unit=unit,
        level=level,
        method=f"Student's t over {over or unit + 's'}",
        degrees_of_freedom=freedom,
    )
