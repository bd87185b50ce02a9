"""Holm's correction against hand calculation and its definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from attnxai.agreement.multiplicity import holm


def test_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.6, 0.7]), [1.0, 1.0])
    assert holm([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_rejects_what_stepping_down_rejects(p_values):
    alpha = 0.05
    order = np.argsort(p_values, kind="stable")
    rejected = np.zeros(len(p_values), bool)
    for step, index in enumerate(order):
        if p_values[index] * (len(p_values) - step) > alpha:
            break
        rejected[index] = True
    np.testing.assert_array_equal(holm(p_values) <= alpha, rejected)
