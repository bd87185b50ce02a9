"""Intervals and paired tests over seeds, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from attnxai.study.statistics import holm_where_tested, paired_p, seed_mean


@pytest.mark.parametrize("n", [3, 5, 8])
def test_interval_equals_scipys_t_interval(n):
    values = np.random.default_rng(n).normal(10, 2, n)
    found = seed_mean(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.value == values.mean()
    assert found.n_units == n


@pytest.mark.parametrize(
    "values", [[], [1.0], [1.0, 2.0], [3.0] * 4, [0.1] * 3, [1.0, 2.0, np.nan]]
)
def test_no_interval_from_few_or_equal_values(values):
    found = seed_mean(values)
    assert not found.known
    assert found.n_units == np.isfinite(values).sum()
    if len(values):
        assert found.value == pytest.approx(np.nanmean(values))
    else:
        assert np.isnan(found.value)


def test_coverage_of_the_interval():
    rng = np.random.default_rng(0)
    n, covered = 1000, 0
    for _ in range(n):
        mean = seed_mean(rng.normal(2.0, 1.0, 3))
        covered += mean.low <= 2.0 <= mean.high
    assert stats.binomtest(covered, n, 0.95).pvalue > 0.001


def test_p_of_differences_without_spread():
    assert paired_p([0.0, 0.0, 0.0]) == 1.0
    assert np.isnan(paired_p([2.0, 2.0, 2.0]))
    assert np.isnan(paired_p([0.1 + 0.2, 0.3, 0.3]))  # the same but for the last digit
    assert np.isnan(paired_p([1.0, 2.0]))


@pytest.mark.parametrize("n", [3, 5, 8])
def test_paired_p_equals_scipys(n):
    rng = np.random.default_rng(n)
    one, other = rng.normal(size=(2, n))
    assert paired_p(one - other) == pytest.approx(stats.ttest_rel(one, other).pvalue, abs=1e-12)


def test_untested_values_are_not_counted_in_the_adjustment():
    adjusted = holm_where_tested([0.03, np.nan, 0.01])
    assert adjusted[[0, 2]] == pytest.approx([0.03, 0.02])
    assert np.isnan(adjusted[1])
    assert len(holm_where_tested([])) == 0
