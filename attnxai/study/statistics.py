"""Means over seeds and differences paired by seed, with intervals of Student's t.

The unit is the run. What varies between seeds is everything that a seed decides: the first weights, the
order of the images, how they are changed, and which of them are kept for validation. The same seed keeps
the same validation images whatever the group, so groups are compared seed by seed.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from attnxai.statistics.exact import t_interval
from attnxai.statistics.interval import CONFIDENCE_LEVEL, Interval, no_interval, no_spread_interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MIN_SEEDS = 3
"""Fewer seeds than this give no interval: the spread of two numbers says next to nothing."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A group minus the baseline, paired by seed.

    Parameters
    ----------
    mean : Interval
        Of the differences.
    p_value : float
        Of the paired t-test against no difference, two-sided; NaN where there is none.
    p_adjusted : float
        The same, adjusted by Holm's method over the groups of one study.
    """

    mean: Interval
    p_value: float
    p_adjusted: float


def seed_mean(values: ArrayLike, *, level: float = CONFIDENCE_LEVEL) -> Interval:
    """Mean over seeds with Student's t interval.

    Parameters
    ----------
    values : array_like, shape (n_seeds,)
        One value a seed; undefined ones are left out.
    level : float
        Confidence level.

    Returns
    -------
    Interval
        Without an interval when fewer than :data:`MIN_SEEDS` seeds have a value, or when all values are
        the same, so that nothing is known of their spread.

    Examples
    --------
    >>> mean = seed_mean([1.0, 2.0, 3.0])
    >>> mean.value, round(mean.low, 3), round(mean.high, 3)
    (2.0, -0.484, 4.484)
    """
    defined = _defined(values)
    n = len(defined)
    value = float(defined.mean()) if n else float("nan")
    if n < MIN_SEEDS:
        reason = f"{n} {'seed is' if n == 1 else 'seeds are'} too few, {MIN_SEEDS} are needed"
        return no_interval(value, n, unit="seed", level=level, reason=reason)
    if not _has_spread(defined):
        return no_spread_interval(value, n, n, unit="seed", level=level)
    error = float(defined.std(ddof=1)) / math.sqrt(n)
    return t_interval(value, error, n - 1, n, unit="seed", level=level)


def paired_p(differences: ArrayLike) -> float:
    """P-value of the t-test that paired differences are zero on average, two-sided.

    Returns
    -------
    float
        1 where all differences are exactly zero; NaN with fewer than :data:`MIN_SEEDS` of them, or when
        all are the same without being zero, so that nothing is known of their spread.

    Examples
    --------
    >>> round(paired_p([1.0, 2.0, 3.0]), 4)
    0.0742
    """
    defined = _defined(differences)
    if len(defined) >= MIN_SEEDS and not defined.any():
        return 1.0
    if not _has_spread(defined):
        return float("nan")
    from scipy.stats import t

    n = len(defined)
    score = float(defined.mean()) / (float(defined.std(ddof=1)) / math.sqrt(n))
    return float(2 * t.sf(abs(score), n - 1))


def paired_differences(
    values: dict[str, NDArray[np.float64]], baseline: str, *, level: float = CONFIDENCE_LEVEL
) -> dict[str, Difference]:
    """Every other group minus the baseline, seed by seed.

    Parameters
    ----------
    values : dict of str to ndarray, shape (n_seeds,)
        Values of every group for the same seeds in the same order; NaN where there is none.
    baseline : str
        Name of the group to compare with.
    level : float
        Confidence level of the intervals, each for itself.

    Returns
    -------
    dict of str to Difference
        Without the baseline; p-values adjusted by Holm's method over these groups.
    """
    from attnxai.agreement.multiplicity import holm

    others = [name for name in values if name != baseline]
    differences = {name: values[name] - values[baseline] for name in others}
    p_values = {name: paired_p(differences[name]) for name in others}
    tested = [name for name in others if np.isfinite(p_values[name])]
    adjusted = dict(zip(tested, holm([p_values[name] for name in tested]), strict=True))
    return {
        name: Difference(
            mean=seed_mean(differences[name], level=level),
            p_value=p_values[name],
            p_adjusted=float(adjusted.get(name, np.nan)),
        )
        for name in others
    }


def _defined(values: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(values, dtype=np.float64)
    return table[np.isfinite(table)]


def _has_spread(values: NDArray[np.float64]) -> bool:
    if len(values) < MIN_SEEDS:
        return False
    # a mean of equal numbers may differ from them in the last digit, and so their deviation from zero
    return bool(np.ptp(values) > 1e-12 * np.abs(values).max())
