"""P-values of means over crossed factors: where the interval excludes 0, and their level."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from attnxai.agreement.intervals.crossed import CrossedMethod, crossed_interval, crossed_p_value
from attnxai.statistics.interval import MIN_UNITS
from tests.agreement.intervals.tables import mean_squares_by_hand, two_way, with_holes


def shifted(values, by):
    return values - np.nanmean(values, axis=0).mean() + by


@pytest.mark.parametrize("method", [None, *CrossedMethod])
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("by", [0.3, -0.9])
def test_the_p_value_is_where_the_interval_leaves_zero_out(method, gaps, by):
    rng = np.random.default_rng(3)
    values = two_way(rng, 5, 30, annotator=0.1)
    values = shifted(with_holes(values, rng) if gaps else values, by)
    weights = rng.uniform(0.5, 2, size=30)
    settings = {"weights": weights, "method": method, "n_bootstrap": 400, "rng": 8}
    p = crossed_p_value(values, **settings)
    assert 1e-9 < p < 0.5
    inner = crossed_interval(values, level=1 - 1.001 * p, **settings)
    outer = crossed_interval(values, level=1 - 0.999 * p, **settings)
    assert outer.low < 0 < outer.high
    assert not inner.low <= 0 <= inner.high


def test_the_p_value_of_mean_squares_is_students():
    values = shifted(two_way(np.random.default_rng(0), 4, 25), 0.8)
    found = crossed_interval(values, method=CrossedMethod.MEAN_SQUARES)
    quantile = stats.t.ppf(0.975, found.degrees_of_freedom)
    t = found.value / ((found.high - found.value) / quantile)
    assert crossed_p_value(values, method=CrossedMethod.MEAN_SQUARES) == pytest.approx(
        2 * stats.t.sf(t, found.degrees_of_freedom), rel=1e-6
    )


def test_the_p_value_over_sources_alone_is_that_of_the_bootstrap():
    values = np.random.default_rng(2).normal(0.4, 1, size=(1, 30))
    p = crossed_p_value(values, n_bootstrap=1000, rng=5)
    assert 0.01 < p < 0.3
    low, high = (
        crossed_interval(values, level=1 - share * p, n_bootstrap=1000, rng=5).low
        for share in (1.05, 0.95)
    )
    assert low >= 0 >= high
    # resamples that never reach 0 say no more than their number
    far = crossed_p_value(values + 100, n_bootstrap=300)
    assert far == pytest.approx(1 / 301)


def test_p_values_where_there_is_nothing_to_tell():
    rng = np.random.default_rng(0)
    assert np.isnan(crossed_p_value(rng.normal(size=(3, MIN_UNITS - 1))))
    assert np.isnan(crossed_p_value(np.full((3, 20), np.nan)))
    assert crossed_p_value(np.zeros((3, 20))) == crossed_p_value(np.zeros(20)) == 1.0
    balanced = two_way(rng, 3, 20)
    balanced = np.concatenate([balanced, -balanced])
    assert crossed_p_value(balanced) == pytest.approx(1.0, abs=1e-6)


def test_p_values_mirror_and_do_not_depend_on_units():
    values = shifted(two_way(np.random.default_rng(1), 4, 20), 0.5)
    p = crossed_p_value(values)
    assert crossed_p_value(-values) == pytest.approx(p, rel=1e-6)
    assert crossed_p_value(1e-6 * values) == pytest.approx(p, rel=1e-6)
    assert crossed_p_value(shifted(values, 1.0)) < p


def test_the_strict_p_value_by_hand():
    values = shifted(two_way(np.random.default_rng(6), 4, 30, annotator=0.5), 1.0)
    of_sources, of_annotators, rest = (m / values.size for m in mean_squares_by_hand(values))
    assert of_annotators > rest

    def distance(p):
        squared = stats.t.ppf(1 - p / 2, 29) ** 2 * (of_sources - rest)
        return np.sqrt(squared + stats.t.ppf(1 - p / 2, 3) ** 2 * of_annotators)

    p = crossed_p_value(values, strict=True)
    assert distance(p) == pytest.approx(1.0)
    assert p > crossed_p_value(values)


@pytest.mark.parametrize("method", [None, *CrossedMethod])
@pytest.mark.parametrize("annotator", [0.0, 1.0])
def test_the_strict_p_value_is_never_smaller(method, annotator):
    rng = np.random.default_rng(9)
    for n_annotators in (2, 3, 6):
        values = shifted(two_way(rng, n_annotators, 20, annotator=annotator), 0.7)
        p, strict = (
            crossed_p_value(values, method=method, n_bootstrap=200, strict=s) for s in (False, True)
        )
        assert p <= strict <= 1.0
    seeds = rng.normal(size=(4, 1, 1)) + two_way(rng, 3, 20) + rng.normal(size=(4, 3, 20))
    p, strict = (
        crossed_p_value(seeds, method=method, n_bootstrap=200, strict=s) for s in (False, True)
    )
    assert 0 < p <= strict <= 1


@pytest.mark.slow
def test_strict_p_values_hold_small_levels_where_others_do_not():
    """Three annotators who differ: one experiment in seven takes them to be alike."""
    rng = np.random.default_rng(32)
    n, level = 2500, 0.05 / 12
    plain = strict = 0
    for _ in range(n):
        values = two_way(rng, 3, 50, annotator=0.25)
        plain += crossed_p_value(values) <= level
        strict += crossed_p_value(values, strict=True) <= level
    assert strict <= stats.binom.ppf(0.9995, n, level)
    assert plain > stats.binom.ppf(0.9995, n, level)


def test_level_of_the_p_value():
    rng = np.random.default_rng(31)
    n = 1000
    rejected = sum(crossed_p_value(two_way(rng, 5, 30, annotator=0.3)) <= 0.05 for _ in range(n))
    low, high = stats.binom.ppf([0.0005, 0.9995], n, [0.035, 0.06])
    assert low <= rejected <= high
