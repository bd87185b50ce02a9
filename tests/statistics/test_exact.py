"""Intervals without resampling, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from attnxai.statistics.exact import (
    clopper_pearson_ends,
    monte_carlo_ends,
    t_interval,
    wilson_ends,
)


@pytest.mark.parametrize(("right", "n"), [(0, 10), (1, 10), (130, 153), (10, 10), (1, 1)])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_wilson_equals_scipy(right, n, level):
    low, high = wilson_ends(right, n, level=level)
    theirs = stats.binomtest(right, n).proportion_ci(confidence_level=level, method="wilson")
    assert float(low) == pytest.approx(theirs.low, abs=1e-12)
    assert float(high) == pytest.approx(theirs.high, abs=1e-12)


def test_wilson_of_many():
    low, high = wilson_ends([3, 9], [10, 10])
    assert low.shape == high.shape == (2,)
    assert low[1] == pytest.approx(1 - wilson_ends(1, 10)[1])


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (1, 10), (130, 153), (10, 10), (1, 1)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_clopper_pearson_equals_scipy(hits, n, level):
    theirs = stats.binomtest(hits, n).proportion_ci(confidence_level=level, method="exact")
    assert clopper_pearson_ends(hits, n, level=level) == pytest.approx(
        (theirs.low, theirs.high), abs=1e-12
    )


@pytest.mark.parametrize("n_sides", [1, 2])
def test_the_observed_arrangement_is_none_of_the_draws(n_sides):
    # 4 of 99 draws as extreme, and the observed one, are 5 of 100
    theirs = stats.binomtest(4, 99).proportion_ci(0.95, method="exact")
    found = monte_carlo_ends(0.05 * n_sides, 99, n_sides=n_sides)
    assert found == pytest.approx((n_sides * theirs.low, n_sides * theirs.high))


def test_student_equals_scipy():
    values = np.random.default_rng(0).normal(2.0, 3.0, size=7)
    found = t_interval(values.mean(), stats.sem(values), 6, 7, unit="seed", level=0.9)
    theirs = stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    assert (found.degrees_of_freedom, found.n_units, found.unit) == (6, 7, "seed")
    assert found.method == "Student's t over seeds"
