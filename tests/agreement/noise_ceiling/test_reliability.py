"""Krippendorff's alpha against published examples, another implementation and brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from attnxai.agreement.noise_ceiling.reliability import (
    Measurement,
    alpha_interval,
    krippendorff_alpha,
)
from attnxai.errors import OptionError

N = np.nan
# Krippendorff (2011), "Computing Krippendorff's alpha-reliability", example C: 4 observers, 12 units
CANONICAL = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
    [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
]


def brute_force(ratings, measurement):
    """From the definition: all ordered pairs within units, and all of the pooled values."""
    units = [
        [v for v in column if np.isfinite(v)]
        for column in np.asarray(ratings, float).T
        if np.isfinite(column).sum() >= 2
    ]
    pooled = np.array([v for unit in units for v in unit])
    n = len(pooled)

    def difference(a, b):
        if measurement is Measurement.NOMINAL:
            return float(a != b)
        if measurement is Measurement.INTERVAL:
            return (a - b) ** 2
        if measurement is Measurement.RATIO:
            return ((a - b) / (a + b)) ** 2 if a + b else 0.0
        low, high = sorted((a, b))
        between = ((pooled >= low) & (pooled <= high)).sum()
        return (between - ((pooled == a).sum() + (pooled == b).sum()) / 2) ** 2 if a != b else 0

    within = sum(
        sum(difference(a, b) for a, b in itertools.permutations(unit, 2)) / (len(unit) - 1)
        for unit in units
    )
    total = sum(difference(a, b) for a, b in itertools.permutations(pooled, 2))
    return 1 - (within / n) / (total / (n * (n - 1)))


@pytest.mark.parametrize(
    ("measurement", "published"),
    [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)],
)
def test_published_example(measurement, published):
    assert round(krippendorff_alpha(CANONICAL, Measurement(measurement)), 3) == published


@pytest.mark.parametrize("measurement", Measurement)
@given(seed=st.integers(0, 100_000))
@settings(max_examples=25, deadline=None)
def test_equals_the_definition(measurement, seed):
    rng = np.random.default_rng(seed)
    ratings = rng.integers(0, 5, size=(rng.integers(2, 5), rng.integers(4, 12))).astype(float)
    ratings[rng.random(ratings.shape) < 0.2] = np.nan
    found = krippendorff_alpha(ratings, measurement)
    shared = ratings[:, np.isfinite(ratings).sum(axis=0) >= 2]
    if np.unique(shared[np.isfinite(shared)]).size < 2:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(brute_force(ratings, measurement), abs=1e-10)


@pytest.mark.parametrize("measurement", Measurement)
def test_equals_the_krippendorff_package(measurement):
    import krippendorff

    rng = np.random.default_rng(1)
    for _ in range(10):
        ratings = rng.random((4, 30)).round(1) + rng.integers(0, 3, size=30)
        ratings[rng.random(ratings.shape) < 0.3] = np.nan
        theirs = krippendorff.alpha(ratings, level_of_measurement=str(measurement))
        assert krippendorff_alpha(ratings, measurement) == pytest.approx(theirs, abs=1e-10)


def test_interval_alpha_does_not_lose_digits_far_from_zero():
    near = np.asarray(CANONICAL)
    assert krippendorff_alpha(near + 1e6) == pytest.approx(krippendorff_alpha(near), abs=1e-9)


@pytest.mark.parametrize("measurement", Measurement)
@pytest.mark.parametrize("exponent", [-700, 700])
def test_the_scale_of_ratings_changes_nothing(measurement, exponent):
    ratings = np.abs(noisy(40, np.random.default_rng(2)))
    expected, found = (
        alpha_interval(np.ldexp(ratings, e), measurement, n_bootstrap=200) for e in (0, exponent)
    )
    assert found == expected


def test_nothing_to_compare_is_undefined():
    assert np.isnan(krippendorff_alpha(np.full((3, 5), 2.0)))
    assert np.isnan(krippendorff_alpha([[1, N, 2], [N, 3, N]]))
    assert not alpha_interval([[1, N, 2], [N, 3, N]]).known


def noisy(n_units, rng, n_annotators=3, noise=0.6):
    return rng.normal(size=n_units) + noise * rng.normal(size=(n_annotators, n_units))


@pytest.mark.parametrize("kind", ["percentile", "bca"])
def test_interval_equals_scipy_bootstrap(kind):
    ratings = noisy(30, np.random.default_rng(2))
    from attnxai.statistics.bootstrap import IntervalKind

    ours = alpha_interval(ratings, kind=IntervalKind(kind), n_bootstrap=20_000)
    theirs = stats.bootstrap(
        tuple(ratings),
        lambda *rows: krippendorff_alpha(np.stack(rows)),
        paired=True,
        vectorized=False,
        n_resamples=4000,
        method={"percentile": "percentile", "bca": "BCa"}[kind],
        rng=np.random.default_rng(3),
    ).confidence_interval
    error = 0.06 * (theirs.high - theirs.low)
    assert ours.low == pytest.approx(theirs.low, abs=error)
    assert ours.high == pytest.approx(theirs.high, abs=error)


def test_interval_covers_the_alpha_of_many_units():
    rng = np.random.default_rng(5)
    truth = 1 / 1.36  # for many units alpha is the share of the variance that is due to units
    assert krippendorff_alpha(noisy(3000, rng)) == pytest.approx(truth, abs=0.02)
    n = 300
    covered = 0
    for _ in range(n):
        found = alpha_interval(noisy(40, rng), n_bootstrap=500, rng=rng)
        covered += found.low <= truth <= found.high
    low, high = stats.binom.ppf([0.001, 0.999], n, [0.91, 0.96])
    assert low <= covered <= high


def test_units_of_one_source_are_drawn_together():
    rng = np.random.default_rng(6)
    of_source = noisy(20, rng)
    repeated = np.repeat(of_source, 6, axis=1) + 0.01 * rng.normal(size=(3, 120))
    together = alpha_interval(repeated, groups=np.repeat(np.arange(20), 6))
    apart = alpha_interval(repeated)
    assert together.value == apart.value
    assert together.n_units == 20
    assert together.high - together.low > 1.8 * (apart.high - apart.low)


def test_few_units_have_no_interval():
    found = alpha_interval(noisy(7, np.random.default_rng(0)))
    assert np.isfinite(found.value)
    assert "7 sources are too few" in found.note
    grouped = alpha_interval(noisy(28, np.random.default_rng(0)), groups=np.repeat(range(7), 4))
    assert not grouped.known


def test_resamples_without_difference_are_counted_or_refused():
    ratings = np.ones((2, 12))
    ratings[:, :3] = 2.0
    found = alpha_interval(ratings, Measurement.NOMINAL, n_bootstrap=1000)
    assert found.known
    assert "undefined for" in found.note
    ratings[:, 1:3] = 1.0
    assert "nearly all values are equal" in alpha_interval(ratings, Measurement.NOMINAL).note


def test_bad_ratings_are_refused():
    with pytest.raises(OptionError, match="shape"):
        krippendorff_alpha([1.0, 2.0])
    with pytest.raises(OptionError, match="ratings needs to be an array of numbers"):
        krippendorff_alpha([["FR I", "FR II"], ["FR I", "FR I"]])
    with pytest.raises(OptionError, match="fill missing ratings with NaN"):
        krippendorff_alpha(np.ma.masked_less([[1.0, 2.0], [1.0, 0.0]], 1))
    with pytest.raises(OptionError, match="never negative"):
        krippendorff_alpha([[1, -2], [1, 2]], Measurement.RATIO)
    with pytest.raises(OptionError, match="infinite"):
        krippendorff_alpha([[1, np.inf], [1, 2]])
    with pytest.raises(OptionError, match="groups"):
        alpha_interval(np.ones((2, 9)), groups=np.arange(8))


@pytest.mark.parametrize("measurement", [Measurement.INTERVAL, Measurement.NOMINAL])
@pytest.mark.parametrize("grouped", [False, True])
def test_ends_of_many_units_are_those_of_resamples(monkeypatch, measurement, grouped):
    from attnxai.statistics import resamples

    rng = np.random.default_rng(7)
    ratings, groups = noisy(1300, rng), None
    if grouped:
        groups = np.repeat(np.arange(1300), rng.integers(1, 4, size=1300))
        ratings = ratings[:, groups] + 0.2 * rng.normal(size=(3, len(groups)))
    if measurement is Measurement.NOMINAL:
        ratings = (ratings > 0.5) * 1.0 + (ratings > 1.5)
    ratings[rng.random(ratings.shape) < 0.1] = np.nan
    found = alpha_interval(ratings, measurement, groups=groups)
    monkeypatch.setattr(resamples, "MOST_KEPT", 1 << 30)
    expected = alpha_interval(ratings, measurement, groups=groups)
    assert found.method == "ABC (DiCiccio & Efron 1992), over sources"
    assert "BCa" in expected.method
    assert (found.value, found.n_units) == (expected.value, expected.n_units)
    half = (expected.high - expected.low) / 2
    assert found.low == pytest.approx(expected.low, abs=0.04 * half)
    assert found.high == pytest.approx(expected.high, abs=0.04 * half)


def test_ordinal_data_and_equal_values_are_resampled_however_many_units_there_are():
    ratings = np.round(noisy(1100, np.random.default_rng(8)))
    found = alpha_interval(ratings, Measurement.ORDINAL, n_bootstrap=9200)
    assert "BCa" in found.method
    alike = alpha_interval(np.ones((2, 1100)), n_bootstrap=9200)
    assert "nearly all values are equal" in alike.note
