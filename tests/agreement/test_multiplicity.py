"""Corrections for several hypotheses: against hand calculation, scipy and their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from attnxai.agreement.multiplicity import Correction, adjust, max_t, permutation_p

METHODS = [Correction.HOLM, Correction.BH]
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def test_by_hand():
    found = adjust([0.01, 0.04, 0.03, 0.005], "holm")
    np.testing.assert_allclose(found, [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(adjust([0.6, 0.7], "holm"), [1.0, 1.0])
    assert all(adjust([], method).size == 0 for method in METHODS)


@given(P_VALUES)
def test_rejects_what_stepping_down_rejects(p_values):
    alpha = 0.05
    order = np.argsort(p_values, kind="stable")
    rejected = np.zeros(len(p_values), bool)
    for step, index in enumerate(order):
        if p_values[index] * (len(p_values) - step) > alpha:
            break
        rejected[index] = True
    np.testing.assert_array_equal(adjust(p_values, "holm") <= alpha, rejected)


@given(P_VALUES)
def test_benjamini_hochberg_equals_scipy(p_values):
    np.testing.assert_allclose(
        adjust(p_values, "bh"), false_discovery_control(p_values, method="bh"), rtol=1e-12
    )


@pytest.mark.parametrize("method", METHODS)
def test_tests_that_were_not_made_leave_the_family(method):
    p_values = np.array([0.04, np.nan, 0.01, np.nan, 0.03])
    tested = np.isfinite(p_values)
    found = adjust(p_values, method)
    np.testing.assert_allclose(found[tested], adjust(p_values[tested], method))
    assert np.isnan(found[~tested]).all()
    assert np.isnan(adjust([np.nan, np.nan], method)).all()


@pytest.mark.parametrize("method", METHODS)
def test_families_lie_along_the_last_axis(method):
    table = np.random.default_rng(0).random((3, 4, 6)) * 0.2
    table[1, 2, 3] = np.nan
    expected = [[adjust(row, method) for row in block] for block in table]
    np.testing.assert_array_equal(adjust(table, method), expected)
    before = table.copy()
    adjust(table, method)
    np.testing.assert_array_equal(table, before)


def test_adjust_leaves_alone_or_refuses_what_it_cannot_adjust():
    p_values = [0.01, 0.04, 0.03]
    np.testing.assert_array_equal(adjust(p_values, Correction.NONE), p_values)
    with pytest.raises(ValueError, match="needs the draws"):
        adjust(p_values, Correction.MAX_T)
    with pytest.raises(ValueError, match="not a valid Correction"):
        adjust(p_values, "bonferroni")


@pytest.mark.parametrize("correction", [Correction.HOLM, Correction.BH, Correction.NONE])
@pytest.mark.parametrize("wrong", [-0.1, 1.5, np.inf])
def test_what_is_no_p_value_is_refused(correction, wrong):
    with pytest.raises(ValueError, match="between 0 and 1"):
        adjust([0.5, wrong], correction)


def stepped_down(observed, draws, *, added):
    """Westfall & Young's algorithm, one hypothesis and one draw at a time."""
    order = sorted(range(len(observed)), key=lambda i: -observed[i])
    adjusted, before = [0.0] * len(observed), 0.0
    for place, index in enumerate(order):
        left = order[place:]
        n_reached = sum(max(draw[i] for i in left) >= observed[index] for draw in draws)
        before = max(before, (n_reached + added) / (len(draws) + added))
        adjusted[index] = before
    return adjusted


@pytest.mark.parametrize("exhaustive", [True, False])
def test_max_t_is_westfall_and_youngs(exhaustive):
    rng = np.random.default_rng(4)
    draws = rng.normal(size=(60, 5)) + rng.normal(size=(60, 1))
    # the most extreme is reached most often, and no adjusted p-value is below its own
    draws[:, 0] *= 10
    observed = np.array([2.5, -0.3, 1.2, 0.4, 2.4])
    expected = stepped_down(observed, draws, added=0 if exhaustive else 1)
    np.testing.assert_allclose(max_t(observed, draws, exhaustive=exhaustive), expected)
    plain = permutation_p(observed, draws, exhaustive=exhaustive)
    assert (max_t(observed, draws, exhaustive=exhaustive) >= plain).all()


def test_max_t_of_equal_hypotheses_costs_nothing():
    draws = np.repeat(np.random.default_rng(1).normal(size=(99, 1)), 3, axis=1)
    found = max_t([1.0, 1.0, 1.0], draws, exhaustive=False)
    np.testing.assert_allclose(found, permutation_p(np.ones(3), draws, exhaustive=False))


def test_max_t_passes_over_tests_that_were_not_made():
    draws = np.random.default_rng(2).normal(size=(50, 3))
    draws[:, 1] = np.nan
    found = max_t([1.0, np.nan, 0.5], draws, exhaustive=False)
    expected = max_t([1.0, 0.5], draws[:, [0, 2]], exhaustive=False)
    np.testing.assert_array_equal(found[[0, 2]], expected)
    assert np.isnan(found[1])
    assert np.isnan(max_t([np.nan], np.ones((2, 1)), exhaustive=False)).all()
    with pytest.raises(ValueError, match="undefined"):
        max_t([1.0, 1.0, 0.5], draws, exhaustive=False)
    with pytest.raises(ValueError, match="one column for each of the 2"):
        max_t([1.0, 1.0], draws, exhaustive=False)


def test_ties_count_as_reached():
    draws = np.array([[0.1 + 0.2], [0.0]])
    assert permutation_p(np.array([0.3]), draws, exhaustive=True) == 0.5
    assert permutation_p(np.array([0.3 + 1e-9]), draws, exhaustive=True) == 0.0
    np.testing.assert_array_equal(permutation_p(np.zeros(1), np.zeros((4, 1)), exhaustive=False), 1)
