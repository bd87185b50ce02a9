"""Corrections of p-values for several hypotheses.

Holm's method controls the family-wise error under any dependence. Max-T (Westfall & Young 1993) does the same
with the dependence that the draws of a permutation test show, so it loses less when hypotheses are alike,
such as pairs that share a model; it needs those draws. Benjamini and Hochberg's method controls the expected
share of false findings instead, which is for long lists, not for a claim.

An undefined p-value is a test that was not made: it leaves the family and stays undefined.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import numpy as np

from attnxai.nulls.p_values import RELATIVE_TIE

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Correction(enum.StrEnum):
    """How p-values of a family are adjusted."""

    HOLM = "holm"
    BH = "bh"
    MAX_T = "max_t"
    NONE = "none"


def correction_without_draws(correction: Correction) -> Correction:
    """How p-values without draws are adjusted in a family that max-T adjusts: by Holm's method."""
    return Correction.HOLM if correction is Correction.MAX_T else correction


def adjust(p_values: ArrayLike, correction: Correction | str) -> NDArray[np.float64]:
    """Adjust p-values of families along the last axis, by any correction but max-T (:func:`max_t`)."""
    chosen = Correction(correction)
    if chosen is Correction.MAX_T:
        raise ValueError("max-T needs the draws behind the p-values: use max_t(observed, draws)")
    adjusted = np.array(p_values, dtype=np.float64, order="C")  # its families are views below
    wrong = adjusted[~np.isnan(adjusted) & ~((adjusted >= 0) & (adjusted <= 1))]
    if wrong.size:
        raise ValueError(f"p-values lie between 0 and 1, got {wrong[0]}")
    if chosen is not Correction.NONE and adjusted.size:
        method = _holm if chosen is Correction.HOLM else _benjamini_hochberg
        for family in adjusted.reshape(-1, adjusted.shape[-1]):
            tested = ~np.isnan(family)
            if tested.any():
                family[tested] = method(family[tested])
    return adjusted


def _holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Holm's step-down method (1979), which SciPy does not have."""
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(raised, 1.0)
    return adjusted


def _benjamini_hochberg(p: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import false_discovery_control

    return np.asarray(false_discovery_control(p))


def max_t(observed: ArrayLike, draws: ArrayLike, *, exhaustive: bool) -> NDArray[np.float64]:
    """Adjust by the largest statistic of every draw, step-down (Westfall & Young 1993).

    Statistics (n,) are large for evidence, NaN for tests that were not made. All hypotheses have to be drawn
    together: row b of ``draws`` (n_draws, n) holds the statistics of all of them in one draw. They have to be on
    one scale, such as in units of their own spread, or the hypothesis with the widest null decides for all.
    Exhaustive draws are all there are, the observed one among them.
    """
    statistics = np.asarray(observed, dtype=np.float64)
    null = np.asarray(draws, dtype=np.float64)
    if statistics.ndim != 1 or null.ndim != 2 or null.shape[1] != len(statistics) or not len(null):
        raise ValueError(
            f"draws need one row for each draw and one column for each of the {statistics.size} statistics, "
            f"got the shape {null.shape}"
        )
    result = np.full(len(statistics), np.nan)
    tested = np.flatnonzero(~np.isnan(statistics))
    if not tested.size:
        return result
    if np.isnan(null[:, tested]).any():
        raise ValueError("draws of a test that was made are undefined")
    order = tested[np.argsort(-statistics[tested], kind="stable")]
    # each is compared with the largest of those that are no more extreme than itself
    largest = np.maximum.accumulate(null[:, order[::-1]], axis=1)[:, ::-1]
    p_values = permutation_p(statistics[order], largest, exhaustive=exhaustive)
    result[order] = np.maximum.accumulate(p_values)
    return result


def permutation_p(
    observed: NDArray[np.float64], draws: NDArray[np.float64], *, exhaustive: bool
) -> NDArray[np.float64]:
    """Share of draws (n_draws, n) that reach what was observed (n,); ties within 1e-12 count as reached.

    Unless draws are exhaustive the observed one is added: p is (b + 1) / (B + 1).
    """
    tie = RELATIVE_TIE * np.maximum(np.abs(observed), np.abs(draws).max(axis=0))
    n_extreme = np.count_nonzero(draws >= observed - tie, axis=0)
    added = 0 if exhaustive else 1
    return np.asarray((n_extreme + added) / (len(draws) + added))
