"""Intervals and paired tests over seeds, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from attnxai.study.statistics import paired_differences, paired_p, seed_mean


@pytest.mark.parametrize("n", [3, 5, 8])
def test_interval_equals_scipys_t_interval(n):
    values = np.random.default_rng(n).normal(10, 2, n)
    found = seed_mean(values, level=0.9)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
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


def test_paired_differences_equal_scipy_and_are_adjusted_by_hand():
    rng = np.random.default_rng(1)
    base = rng.normal(size=5)
    values = {
        "C1": base,
        "C4": base + rng.normal(0.1, 0.3, 5),
        "D4": base + rng.normal(1.0, 0.3, 5),
    }
    found = paired_differences(values, "C1")
    assert set(found) == {"C4", "D4"}
    raw = {name: stats.ttest_rel(values[name], base).pvalue for name in ("C4", "D4")}
    for name, p_value in raw.items():
        assert found[name].p_value == pytest.approx(p_value, abs=1e-12)
        assert found[name].mean == seed_mean(values[name] - base)
    small, large = sorted(raw, key=raw.get)
    assert found[small].p_adjusted == pytest.approx(2 * raw[small])
    assert found[large].p_adjusted == pytest.approx(max(2 * raw[small], raw[large]))


def test_pairs_without_both_values_are_left_out():
    values = {"C1": np.array([1.0, 2.0, np.nan, 4.0]), "C4": np.array([1.5, 2.7, 3.0, 4.1])}
    found = paired_differences(values, "C1")["C4"]
    assert found.mean.n_units == 3
    assert found.mean.value == pytest.approx((0.5 + 0.7 + 0.1) / 3)


def test_p_of_differences_without_spread():
    assert paired_p([0.0, 0.0, 0.0]) == 1.0
    assert np.isnan(paired_p([2.0, 2.0, 2.0]))
    assert np.isnan(paired_p([0.1 + 0.2, 0.3, 0.3]))  # the same but for the last digit
    assert np.isnan(paired_p([1.0, 2.0]))
    assert np.isnan(
        paired_differences({"C1": np.zeros(2), "C4": np.ones(2)}, "C1")["C4"].p_adjusted
    )
