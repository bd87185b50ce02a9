"""Corrections of p-values when several hypotheses are looked at.

Holm's method holds the family-wise error under any dependence. Max-T (Westfall & Young 1993) does the same
with the dependence that the draws of a permutation test show, so it loses less when hypotheses are alike,
such as pairs that share a model; it needs those draws. Benjamini and Hochberg's method bounds the expected
share of false findings instead, which is for long lists that are looked through, not for a claim.

An undefined p-value is a test that was not made: it leaves the family and stays undefined.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
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
    """How p-values without draws behind them are adjusted in a family that max-T adjusts: by Holm's method.

    Examples
    --------
    >>> str(correction_without_draws(Correction.MAX_T)), str(correction_without_draws(Correction.NONE))
    ('holm', 'none')
    """
    return Correction.HOLM if correction is Correction.MAX_T else correction


def adjust(p_values: ArrayLike, correction: Correction | str) -> NDArray[np.float64]:
    """Adjust p-values of a family by a correction that needs nothing but them.

    Parameters
    ----------
    p_values : array_like, shape (..., n)
        Families along the last axis, in any order; NaN for tests that were not made.
    correction : Correction
        Which; :attr:`Correction.MAX_T` needs the draws behind the p-values, see :func:`max_t`.

    Returns
    -------
    ndarray, shape (..., n)

    Raises
    ------
    ValueError
        If the correction is unknown or is max-T, or a p-value is not between 0 and 1.

    Examples
    --------
    >>> adjust([0.01, 0.04, 0.03], "bh")
    array([0.03, 0.04, 0.04])
    """
    chosen = Correction(correction)
    if chosen is Correction.MAX_T:
        raise ValueError("max-T needs the draws behind the p-values: use max_t(observed, draws)")
    if chosen is Correction.HOLM:
        return holm(p_values)
    if chosen is Correction.BH:
        return benjamini_hochberg(p_values)
    return _checked(p_values).copy()


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values by Holm's step-down method (1979), which holds under any dependence.

    SciPy has no such function, and statsmodels, which has one, is large for ten lines.

    Parameters
    ----------
    p_values : array_like, shape (..., n)
        Families along the last axis, in any order; NaN for tests that were not made.

    Returns
    -------
    ndarray, shape (..., n)
        Adjusted values in the same order, at most 1; NaN where they were.

    Raises
    ------
    ValueError
        If a p-value is not between 0 and 1.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """

    def step_down(p: NDArray[np.float64]) -> NDArray[np.float64]:
        order = np.argsort(p, kind="stable")
        raised = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
        adjusted = np.empty_like(p)
        adjusted[order] = np.minimum(raised, 1.0)
        return adjusted

    return _by_family(step_down, p_values)


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values to bound the false discovery rate (Benjamini & Hochberg 1995).

    It holds for independent tests and for those that depend positively on each other. This is
    ``scipy.stats.false_discovery_control`` for families with tests that were not made.

    Parameters
    ----------
    p_values : array_like, shape (..., n)
        As in :func:`holm`.

    Returns
    -------
    ndarray, shape (..., n)
        Adjusted values in the same order, at most 1; NaN where they were.

    Raises
    ------
    ValueError
        If a p-value is not between 0 and 1.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03])
    array([0.03, 0.04, 0.04])
    """
    from scipy.stats import false_discovery_control

    return _by_family(false_discovery_control, p_values)


def _by_family(
    method: Callable[[NDArray[np.float64]], NDArray[np.float64]], p_values: ArrayLike
) -> NDArray[np.float64]:
    """Adjust every family by itself; undefined p-values leave it and stay undefined."""
    adjusted = _checked(p_values).copy()
    if not adjusted.size:
        return adjusted
    for family in adjusted.reshape(-1, adjusted.shape[-1]):
        tested = ~np.isnan(family)
        if tested.any():
            family[tested] = method(family[tested])
    return adjusted


def max_t(
    observed: ArrayLike, draws: ArrayLike, *, exhaustive: bool, step_down: bool = True
) -> NDArray[np.float64]:
    """Adjust by the largest statistic of every draw (Westfall & Young 1993).

    All hypotheses have to be drawn together: row b of ``draws`` holds the statistics of all of them under
    one and the same rearrangement. Statistics have to be on one scale, such as in units of their own
    spread, or the hypothesis with the widest null decides for all.

    Parameters
    ----------
    observed : array_like, shape (n,)
        Statistics, large for evidence; NaN for tests that were not made.
    draws : array_like, shape (n_draws, n)
        The same under the null hypothesis; columns of undefined tests are not looked at.
    exhaustive : bool
        Whether the draws are all there are, the observed one among them.
    step_down : bool
        Compare each with the largest of those that are no more extreme than itself, which rejects at
        least as much as comparing all with the largest of all (single-step).

    Returns
    -------
    ndarray, shape (n,)
        Adjusted p-values, at least the unadjusted ones; NaN where they were.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> draws = [[3.0, 1.0], [-3.0, -1.0], [2.0, 2.0], [0.0, 0.0]]
    >>> max_t([3.0, 1.0], draws, exhaustive=True)
    array([0.25, 0.5 ])
    >>> max_t([3.0, 1.0], draws, exhaustive=True, step_down=False)
    array([0.25, 0.5 ])
    """
    statistics = np.asarray(observed, dtype=np.float64)
    null = np.asarray(draws, dtype=np.float64)
    if statistics.ndim != 1 or null.ndim != 2 or null.shape[1] != len(statistics) or not len(null):
        raise ValueError(
            f"draws need one row a draw and one column for each of the {statistics.size} statistics, "
            f"got the shape {null.shape}"
        )
    result = np.full(len(statistics), np.nan)
    tested = np.flatnonzero(~np.isnan(statistics))
    if not tested.size:
        return result
    if np.isnan(null[:, tested]).any():
        raise ValueError("draws of a test that was made are undefined")
    order = tested[np.argsort(-statistics[tested], kind="stable")]
    if step_down:
        # the largest of those that come after, by rank of the observed ones
        largest = np.maximum.accumulate(null[:, order[::-1]], axis=1)[:, ::-1]
    else:
        largest = np.repeat(null[:, order].max(axis=1)[:, None], len(order), axis=1)
    p_values = permutation_p(statistics[order], largest, exhaustive=exhaustive)
    result[order] = np.maximum.accumulate(p_values)
    return result


def permutation_p(
    observed: NDArray[np.float64], draws: NDArray[np.float64], *, exhaustive: bool
) -> NDArray[np.float64]:
    """Share of draws that reach what was observed; ties, within 1e-12 relative, count as reached.

    Parameters
    ----------
    observed : ndarray, shape (n,)
        Statistics, large for evidence.
    draws : ndarray, shape (n_draws, n)
        The same under the null hypothesis.
    exhaustive : bool
        Whether the draws are all there are, the observed one among them; else it is added, so that p is
        (b + 1) / (B + 1).

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> permutation_p(np.array([2.0]), np.array([[1.0], [2.0], [3.0]]), exhaustive=False)
    array([0.75])
    """
    tie = RELATIVE_TIE * np.maximum(np.abs(observed), np.abs(draws).max(axis=0))
    n_extreme = np.count_nonzero(draws >= observed - tie, axis=0)
    added = 0 if exhaustive else 1
    return np.asarray((n_extreme + added) / (len(draws) + added))


def _checked(p_values: ArrayLike) -> NDArray[np.float64]:
    p = np.atleast_1d(np.asarray(p_values, dtype=np.float64))
    wrong = p[~np.isnan(p) & ~((p >= 0) & (p <= 1))]
    if wrong.size:
        raise ValueError(f"p-values lie between 0 and 1, got {wrong[0]}")
    return p
