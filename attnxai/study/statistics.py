"""Means over seeds and differences paired by seed, with intervals of Student's t.

The unit is the run. What varies between seeds is everything that a seed decides: the first weights, the
order of the images, how they are changed, and which of them are kept for validation. The same seed keeps
the same validation images whatever the group, so groups are compared seed by seed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from attnxai.statistics.exact import t_interval
from attnxai.statistics.interval import (
    Interval,
    no_interval,
    no_spread_interval,
    same_everywhere,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MIN_SEEDS = 3
"""Fewer seeds than this give no interval: two numbers say next to nothing of their variance."""


def seed_mean(values: ArrayLike) -> Interval:
    """Mean over seeds with Student's t interval; undefined values are left out.

    There is no interval when fewer than :data:`MIN_SEEDS` seeds have a value, or when all values are the
    same, so that nothing is known of their spread.
    """
    defined = _defined(values)
    n = len(defined)
    value = float(defined.mean()) if n else float("nan")
    if n < MIN_SEEDS:
        reason = f"{n} {'seed is' if n == 1 else 'seeds are'} too few, {MIN_SEEDS} are needed"
        return no_interval(value, n, unit="seed", reason=reason)
    if same_everywhere(defined):
        return no_spread_interval(value, n, n, unit="seed")
    return t_interval(value, _standard_error(defined), n - 1, n, unit="seed")


def paired_p(differences: ArrayLike) -> float:
    """P-value of the t-test that paired differences are zero on average, two-sided.

    1 where all differences are exactly zero; NaN with fewer than :data:`MIN_SEEDS` of them, or when all are
    the same without being zero, so that nothing is known of their spread.
    """
    from scipy.stats import t

    defined = _defined(differences)
    if len(defined) < MIN_SEEDS:
        return float("nan")
    if not defined.any():
        return 1.0
    if same_everywhere(defined):
        return float("nan")
    score = float(defined.mean()) / _standard_error(defined)
    return float(2 * t.sf(abs(score), len(defined) - 1))


def holm_where_tested(p_values: ArrayLike) -> NDArray[np.float64]:
    """P-values adjusted by Holm's method over those that are defined; NaN stays NaN."""
    from attnxai.agreement.multiplicity import adjust

    return adjust(p_values, "holm")


def _standard_error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) / math.sqrt(len(values))


def _defined(values: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(values, dtype=np.float64)
    return table[np.isfinite(table)]
