"""The ABC interval (approximate bootstrap confidence), which is what BCa gives without its resamples.

BCa takes the bias of a statistic and its quantiles from resamples. For thousands of units both follow from how the
statistic changes with the weights of units (DiCiccio & Efron 1992; Efron & Tibshirani 1993, sections 14.4 and 22.6), and
the ends are the statistic itself at weights that are moved along the least favourable direction, that of its influences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.statistics.studentized import FEWEST_TRANSFORMED

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]

ABC = "ABC (DiCiccio & Efron 1992), over {}s"
"""What the method of such an interval is called, of units of some kind."""
# Sum of the squared shares of units in the variance; of 1,000 exponential values it is 0.009, and where it is so much the
# skewness of the statistic is at most 0.2 (Cauchy-Schwarz).
_MOST_DOMINATED = 0.04
_STEP = 0.1  # in standard errors, from which curvatures are had
_ROUNDING = 1e-12


def abc_ends(
    statistic: Statistic,
    value: float,
    left_out: NDArray[np.float64],
    *,
    normal: float,
    strata: NDArray[np.int64] | None = None,
) -> tuple[float, float] | None:
    """Ends of an interval of any smooth statistic without resamples; None where resamples are needed.

    Parameters
    ----------
    statistic : callable
        The statistic for each row of weights (n_rows, n_units), which need not be whole numbers.
    value : float
        The statistic at equal weights.
    left_out : ndarray, shape (n_units,)
        The statistic without each unit.
    normal : float
        Lower normal quantile at which the interval ends, as -1.96 for 95 %.
    strata : ndarray of int, shape (n_units,), optional
        Samples that the units make up, if there are several.

    Returns
    -------
    tuple of float, or None
        None for fewer than :data:`~.studentized.FEWEST_TRANSFORMED` units, where few units make up the variance, where a
        weight would become negative, and where a value is not finite.

    Examples
    --------
    >>> values = np.random.default_rng(0).exponential(size=2000)
    >>> left_out = (values.sum() - values) / 1999
    >>> def mean(rows):
    ...     return rows @ values / rows.sum(axis=1)
    >>> low, high = abc_ends(mean, values.mean(), left_out, normal=-1.96)
    >>> round(1000 * (values.mean() - low)), round(1000 * (high - values.mean()))
    (44, 47)
    """
    from scipy.special import ndtr, ndtri

    if (
        len(left_out) < FEWEST_TRANSFORMED
        or not np.isfinite(left_out).all()
        or not np.isfinite(value)
    ):
        return None
    labels = np.zeros(len(left_out), dtype=np.int64) if strata is None else strata
    influences, bias = _influences(statistic, left_out, labels)
    error = float(np.sqrt((influences**2).sum()))
    if error <= _ROUNDING * max(1.0, abs(value)):
        return None
    direction = influences / error
    if (direction**4).sum() > _MOST_DOMINATED:
        return None

    def along(distances: NDArray[np.float64]) -> NDArray[np.float64]:
        weights = 1.0 + distances[:, None] * direction
        return statistic(weights) if (weights >= 0).all() else np.full(len(distances), np.nan)

    acceleration = float((direction**3).sum()) / 6.0
    above, below = along(np.array([_STEP, -_STEP]))
    curvature = (above - 2.0 * value + below) / (2.0 * error * _STEP**2)
    # twice the share of resamples below the value would be 1 without bias, skewness and curvature
    share = 2.0 * ndtr(acceleration) * ndtr(curvature - bias / error)
    moved = ndtri(share) + np.array([normal, -normal])
    low, high = along(moved / (1.0 - acceleration * moved) ** 2)
    return (float(low), float(high)) if low < high else None


def _influences(
    statistic: Statistic, left_out: NDArray[np.float64], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], float]:
    """Derivatives of a statistic with the weights of units, and its bias, from its values without each (the jackknife)."""
    influences, bias = np.zeros(len(left_out)), 0.0
    for label in np.unique(labels):
        members = labels == label
        of_stratum, n = left_out[members], int(members.sum())
        influences[members] = (n - 1) / n * (of_stratum.mean() - of_stratum)
        # a stratum without one of its units also has a smaller weight, which must not count as bias
        (lighter,) = statistic(np.where(members, (n - 1) / n, 1.0)[None])
        bias += (n - 1) * float(of_stratum.mean() - lighter)
    return influences, bias
