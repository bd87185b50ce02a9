"""Bootstrap intervals against scipy, and their coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from attnxai.agreement.intervals.over_sources import (
    MIN_SOURCES,
    IntervalKind,
    bootstrap_counts,
    mean_interval,
    weighted_mean,
)


@pytest.mark.parametrize("kind", IntervalKind)
def test_ends_equal_scipy_bootstrap(kind):
    values = np.random.default_rng(0).exponential(size=40)
    counts = bootstrap_counts(40, 40_000, np.random.default_rng(1))
    ours = mean_interval(values, counts, kind=kind)
    theirs = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=40_000,
        method="BCa" if kind is IntervalKind.BCA else "percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    error = 0.03 * (theirs.high - theirs.low)
    assert ours.value == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.low, abs=error)
    assert ours.high == pytest.approx(theirs.high, abs=error)


def test_counts_are_resamples():
    counts = bootstrap_counts(7, 500, np.random.default_rng(0))
    assert counts.shape == (500, 7)
    assert (counts.sum(axis=1) == 7).all()
    assert counts.mean() == pytest.approx(1.0)
    assert counts.var() == pytest.approx(6 / 7, rel=0.1)


def test_undefined_values_leave_their_source_out():
    values = np.random.default_rng(0).random(20)
    holes = values.copy()
    holes[[3, 11]] = np.nan
    counts = bootstrap_counts(20, 2000, np.random.default_rng(1))
    interval = mean_interval(holes, counts)
    assert interval.n_sources == 18
    assert interval.value == pytest.approx(np.nanmean(holes))
    kept = np.isfinite(holes)
    same = mean_interval(values[kept], counts[:, kept])
    assert (interval.low, interval.high) == (same.low, same.high)


def test_weights():
    values, weights = np.arange(10.0), np.array([1.0] * 9 + [11.0])
    assert weighted_mean(values, weights) == pytest.approx(np.average(values, weights=weights))
    counts = bootstrap_counts(10, 4000, np.random.default_rng(1))
    interval = mean_interval(values, counts, weights=weights)
    assert interval.value == pytest.approx(np.average(values, weights=weights))
    assert interval.low < interval.value < interval.high
    # a source without weight is no source
    assert mean_interval(values, counts, weights=np.r_[0.0, np.ones(9)]).n_sources == 9


def test_too_few_sources_have_no_interval():
    counts = bootstrap_counts(MIN_SOURCES - 1, 1000, np.random.default_rng(0))
    interval = mean_interval(np.arange(MIN_SOURCES - 1.0), counts)
    assert interval.value == pytest.approx(3.0)
    assert not interval.known
    assert np.isnan(interval.low)


def test_nothing_defined():
    counts = bootstrap_counts(10, 1000, np.random.default_rng(0))
    interval = mean_interval(np.full(10, np.nan), counts)
    assert np.isnan(interval.value)
    assert interval.n_sources == 0


def test_constant_values_have_an_interval_of_no_width():
    counts = bootstrap_counts(10, 1000, np.random.default_rng(0))
    interval = mean_interval(np.full(10, 0.25), counts)
    assert (interval.low, interval.high) == (0.25, 0.25)


@pytest.mark.parametrize("kind", IntervalKind)
def test_coverage_with_thirty_sources(kind):
    """Near 95 %: 30 skewed values cost a bootstrap a few percent, as is well known."""
    rng = np.random.default_rng(4)
    n_experiments, covered = 600, 0
    for _ in range(n_experiments):
        values = rng.gamma(4.0, size=30)
        counts = bootstrap_counts(30, 600, rng)
        interval = mean_interval(values, counts, kind=kind)
        covered += interval.low <= 4.0 <= interval.high
    low, high = stats.binom.ppf([0.001, 0.999], n_experiments, [0.925, 0.955])
    assert low <= covered <= high


def test_bca_does_not_depend_on_the_scale_of_tied_values():
    values = np.array([0.0] * 6 + [1.0] * 6)
    counts = bootstrap_counts(12, 2000, np.random.default_rng(0))
    whole, tenth = mean_interval(values, counts), mean_interval(0.1 * values, counts)
    assert tenth.low == pytest.approx(0.1 * whole.low)
    assert tenth.high == pytest.approx(0.1 * whole.high)
