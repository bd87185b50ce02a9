"""Intervals over crossed factors: against the analysis of variance by hand, and their coverage."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from attnxai.agreement.intervals.crossed import (
    CrossedMethod,
    components_half_width,
    crossed_interval,
    crossed_p_value,
    generalises_to,
)
from attnxai.agreement.intervals.crossed_table import CrossedTable
from attnxai.agreement.intervals.dual_bootstrap import (
    crossed_bootstrap_intervals,
    dual_half_width,
    dual_mean_squares,
)
from attnxai.agreement.intervals.variance_components import estimate_components
from attnxai.errors import OptionError
from attnxai.statistics.bootstrap import bootstrap_counts, mean_interval
from attnxai.statistics.interval import MIN_UNITS

A, S, CELL = frozenset({0}), frozenset({1}), frozenset({0, 1})


def crossed_bootstrap_interval(values, statistic, **options):
    return crossed_bootstrap_intervals(values, [statistic], **options)[0]


def two_way(rng, n_annotators, n_sources, *, annotator=1.0, source=1.0, cell=1.0, skewed=False):
    def draw(shape):
        return rng.exponential(size=shape) - 1 if skewed else rng.normal(size=shape)

    return (
        np.sqrt(source) * draw((1, n_sources))
        + np.sqrt(annotator) * draw((n_annotators, 1))
        + np.sqrt(cell) * draw((n_annotators, n_sources))
    )


def mean_squares_by_hand(values):
    """Mean squares of sources, annotators and the rest, from the textbook's sums."""
    a, s = values.shape
    grand, rows, columns = values.mean(), values.mean(axis=1), values.mean(axis=0)
    of_sources = a * ((columns - grand) ** 2).sum() / (s - 1)
    of_annotators = s * ((rows - grand) ** 2).sum() / (a - 1)
    rest = ((values - rows[:, None] - columns + grand) ** 2).sum() / ((s - 1) * (a - 1))
    return of_sources, of_annotators, rest


def with_holes(values, rng, share=0.4):
    holes = values.copy()
    holes[rng.random(values.shape) < share] = np.nan
    holes[0, np.isnan(holes).all(axis=0)] = values[0, np.isnan(holes).all(axis=0)]
    return holes


def test_mean_squares_interval_is_the_textbook_one():
    values = two_way(np.random.default_rng(0), 4, 25)
    of_sources, of_annotators, rest = mean_squares_by_hand(values)
    n = values.size
    variance = (of_sources + of_annotators - rest) / n
    freedom = variance**2 / (
        (of_sources / n) ** 2 / 24 + (of_annotators / n) ** 2 / 3 + (rest / n) ** 2 / 72
    )
    half = stats.t.ppf(0.975, freedom) * np.sqrt(variance)
    found = crossed_interval(values, method=CrossedMethod.MEAN_SQUARES)
    assert found.degrees_of_freedom == pytest.approx(freedom, rel=1e-10)
    assert found.low == pytest.approx(values.mean() - half, rel=1e-10)
    assert found.high == pytest.approx(values.mean() + half, rel=1e-10)
    assert "25 sources x 4 annotators" in found.method


def test_components_interval_by_hand():
    values = two_way(np.random.default_rng(1), 5, 30)
    of_sources, of_annotators, rest = mean_squares_by_hand(values)
    shares = [(of_sources - rest) / 150, (of_annotators - rest) / 150, rest / 150]
    quantiles = stats.t.ppf(0.975, [29, 4, 29 * 4])
    half = np.sqrt((quantiles**2 * shares).sum())
    found = crossed_interval(values)
    assert found.high - found.value == pytest.approx(half, rel=1e-10)
    # the degrees of freedom give the same half-width with one quantile
    single = stats.t.ppf(0.975, found.degrees_of_freedom) * np.sqrt(sum(shares))
    assert single == pytest.approx(half, rel=1e-8)


def test_three_factors_equal_the_mean_squares_by_hand():
    rng = np.random.default_rng(2)
    k, a, s = 4, 3, 12
    values = (
        rng.normal(size=(k, 1, 1))
        + rng.normal(size=(1, a, 1))
        + rng.normal(size=(1, 1, s))
        + rng.normal(size=(k, 1, s))
        + rng.normal(size=(k, a, s))
    )
    centred = values - values.mean()
    squares = {}
    for n in (1, 2, 3):
        for subset in itertools.combinations(range(3), n):
            others = tuple(axis for axis in range(3) if axis not in subset)
            effect = centred.mean(axis=others, keepdims=True)
            for smaller in (c for m in range(1, n) for c in itertools.combinations(subset, m)):
                outside = tuple(axis for axis in range(3) if axis not in smaller)
                inner = list(smaller)
                effect = effect - _pure(centred, inner, outside)
            freedom = np.prod([values.shape[axis] - 1 for axis in subset])
            total = (np.broadcast_to(effect, values.shape) ** 2).sum()
            squares[frozenset(subset)] = total / freedom
    parts = estimate_components(values, np.full(values.shape, 1 / values.size))
    for subset, square in squares.items():
        assert parts.mean_squares[subset] * values.size == pytest.approx(square, rel=1e-9)
        assert parts.degrees_of_freedom[subset] == pytest.approx(
            np.prod([values.shape[axis] - 1 for axis in subset])
        )
    variance = sum((-1) ** (len(u) + 1) * square for u, square in squares.items()) / values.size
    assert sum(parts.contributions.values()) == pytest.approx(variance, rel=1e-9)


def _pure(centred, axes, outside):
    """Effect of some factors beyond those of fewer of them."""
    effect = centred.mean(axis=outside, keepdims=True)
    for m in range(1, len(axes)):
        for smaller in itertools.combinations(axes, m):
            rest = tuple(axis for axis in range(3) if axis not in smaller)
            effect = effect - _pure(centred, list(smaller), rest)
    return effect


def test_components_are_unbiased_with_missing_cells():
    rng = np.random.default_rng(3)
    found = []
    for _ in range(400):
        values = with_holes(two_way(rng, 6, 25, annotator=0.5, source=2.0, cell=1.0), rng)
        parts = estimate_components(values, np.isfinite(values) / np.isfinite(values).sum())
        found.append([parts.variances[A], parts.variances[S], parts.variances[CELL]])
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - [0.5, 2.0, 1.0]) < 3.5 * error).all()


def test_dual_bootstrap_equals_its_expectation():
    """For a mean and a full table the bootstrap's variances are known in closed form."""
    values = two_way(np.random.default_rng(4), 4, 20)
    of_sources, of_annotators, rest = (m / values.size for m in mean_squares_by_hand(values))
    expected = {
        S: of_sources * 19 / 20,
        A: of_annotators * 3 / 4,
    }
    expected[CELL] = expected[S] + expected[A] + rest * (19 / 20) * (3 / 4)
    half, freedom = dual_half_width(expected, (4, 20), 0.95)
    found = crossed_interval(values, method=CrossedMethod.DUAL_BOOTSTRAP, n_bootstrap=60_000, rng=1)
    assert found.high - found.value == pytest.approx(half, rel=0.02)
    assert found.degrees_of_freedom == pytest.approx(freedom, rel=0.05)
    # the small-sample form undoes the bootstrap's shrinkage, up to the bound: crossed mean squares
    exact = max(of_sources + of_annotators - rest, of_sources, of_annotators)
    variance = min(exact, expected[CELL])
    assert half == pytest.approx(stats.t.ppf(0.975, freedom) * np.sqrt(variance), rel=1e-9)


def test_dual_bootstrap_keeps_its_bounds():
    below = {A: 0.1, S: 0.2, CELL: 5.0}  # the correction would come out negative
    half, _ = dual_half_width(below, (11, 21), 0.95)
    assert half >= stats.norm.ppf(0.975) * np.sqrt(0.2 * 21 / 20)
    above = {A: 1.0, S: 1.0, CELL: 1.0}
    half, freedom = dual_half_width(above, (1001, 1001), 0.95)
    assert half == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-6)


@pytest.mark.parametrize("method", CrossedMethod)
def test_one_annotator_gives_the_bootstrap_over_sources(method):
    values = np.random.default_rng(5).exponential(size=(1, 30))
    found = crossed_interval(values, method=method, n_bootstrap=2000, rng=7)
    counts = bootstrap_counts(30, 2000, np.random.default_rng(7))
    assert found == mean_interval(values[0], counts)
    # an annotator who marked nothing is none, nor is a seed without values
    padded = np.full((2, 3, 32), np.nan)
    padded[1, 2, :30] = values[0]
    assert crossed_interval(padded, method=method, n_bootstrap=2000, rng=7) == found


@pytest.mark.parametrize("method", CrossedMethod)
def test_missing_cells(method):
    rng = np.random.default_rng(6)
    values = with_holes(two_way(rng, 5, 40), rng)
    found = crossed_interval(values, method=method, n_bootstrap=4000)
    assert found.value == pytest.approx(np.nanmean(values, axis=0).mean())
    assert found.known
    assert found.n_units == 40
    full = crossed_interval(two_way(np.random.default_rng(6), 5, 40), method=method)
    assert found.high - found.low > 0.6 * (full.high - full.low)


def test_weights_are_those_of_the_mean():
    rng = np.random.default_rng(8)
    values, weights = two_way(rng, 4, 30), np.r_[np.zeros(3), rng.random(27)]
    for method in CrossedMethod:
        found = crossed_interval(values, weights=weights, method=method)
        assert found.value == pytest.approx(np.average(values.mean(axis=0), weights=weights))
        assert found.n_units == 27
    # a source that counts like several others leaves fewer degrees of freedom
    heavy = np.r_[8.0, np.ones(29)]
    assert (
        crossed_interval(values, weights=heavy).high - crossed_interval(values, weights=heavy).low
        > crossed_interval(values).high - crossed_interval(values).low
    )
    # and one that counts like all others together leaves fewer than eight sources
    heavy[0] = 29.0
    few = crossed_interval(values, weights=heavy)
    assert few.note == (
        "no interval: 30 sources, weighing as much as 3 equal ones, are too few, 8 are needed"
    )
    assert np.isnan(crossed_p_value(values, weights=heavy))


def test_degrees_of_freedom_count_weighted_sources_by_their_effective_number():
    rng = np.random.default_rng(4)
    values, weights = two_way(rng, 3, 40), np.r_[np.full(10, 2.0), np.full(30, 0.5)]
    effective = 35**2 / 47.5
    table = CrossedTable.of(values, weights, 0.95)
    components = estimate_components(table.values, table.coefficients)
    annotators, sources = frozenset({0}), frozenset({1})
    assert components.degrees_of_freedom[sources] == pytest.approx(effective - 1)
    assert components.degrees_of_freedom[annotators | sources] == pytest.approx(2 * (effective - 1))
    squares, freedoms = dual_mean_squares(
        {annotators: 1.0, sources: 1.0, annotators | sources: 2.5}, table.sizes
    )
    assert freedoms[annotators | sources] == pytest.approx(2 * (effective - 1))
    assert squares[sources] == pytest.approx(effective / (effective - 1))
    equal = CrossedTable.of(values, np.full(40, 0.7), 0.95)
    assert equal.sizes == (3, 40)
    of_equal = estimate_components(equal.values, equal.coefficients).degrees_of_freedom
    assert of_equal[annotators | sources] == 2 * 39


def test_annotators_of_different_sources_fall_back_to_the_bootstrap():
    values = np.full((3, 30), np.nan)
    for annotator in range(3):
        values[annotator, annotator::3] = np.random.default_rng(annotator).normal(size=10)
    found = crossed_interval(values)
    assert found.known
    assert "dual bootstrap" in found.method
    assert "too few sources have values from several" in found.note


@pytest.mark.parametrize("n", [1, MIN_UNITS - 1])
def test_too_few_sources_have_no_interval(n):
    values = np.random.default_rng(0).normal(size=(5, n))
    found = crossed_interval(values)
    assert found.value == pytest.approx(values.mean())
    assert not found.known
    assert "too few" in found.note
    assert crossed_interval(np.full((3, 20), np.nan)).n_units == 0


@pytest.mark.parametrize("method", CrossedMethod)
@pytest.mark.parametrize("value", [1.0, 0.1, 0.0])
def test_values_that_are_the_same_have_no_interval(method, value):
    values = np.full((3, 12), value)
    values[1, 3] = np.nan
    found = crossed_interval(values, method=method, n_bootstrap=200, bounds=(0.0, 1.0))
    assert found.value == pytest.approx(value)
    assert np.isnan([found.low, found.high]).all()
    assert found.note == (
        "no interval: all 35 values are the same: their spread says nothing about other sources"
    )
    p = crossed_p_value(values, method=method, n_bootstrap=200)
    assert p == 1.0 if value == 0 else np.isnan(p)


@pytest.mark.parametrize("method", [CrossedMethod.MEAN_SQUARES, CrossedMethod.DUAL_BOOTSTRAP])
def test_a_variance_of_zero_makes_no_interval(method):
    """Each source's and each annotator's mean is the same, though no two neighbouring cells are."""
    values = np.where((np.arange(12) + np.arange(2)[:, None]) % 2 == 0, 0.75, 0.25)
    found = crossed_interval(values, method=method, n_bootstrap=200)
    assert found.value == pytest.approx(0.5)
    assert not found.known
    assert "the variance comes out as 0" in found.note
    assert np.isnan(crossed_p_value(values, method=method, n_bootstrap=200))
    assert crossed_interval(values).known  # the part of single cells


# --- annotators of unequal diligence ---------------------------------------------------------------


def diligence(n_marked, rng, *, annotator=1.0):
    """Two annotators of 50 sources, of whom the second marked fewer."""
    values = two_way(rng, 2, 50, annotator=annotator)
    values[1, n_marked:] = np.nan
    return values


def test_less_than_one_degree_of_freedom_falls_back_to_the_bootstrap():
    values = diligence(30, np.random.default_rng(0))
    for method in (None, CrossedMethod.COMPONENTS, CrossedMethod.MEAN_SQUARES):
        found = crossed_interval(values, method=method, n_bootstrap=300, rng=4)
        boot = crossed_interval(values, method=CrossedMethod.DUAL_BOOTSTRAP, n_bootstrap=300, rng=4)
        assert (found.low, found.high, found.method) == (boot.low, boot.high, boot.method)
        # Kish: the first counts 20 sources alone and 30 halves, the second 30 halves, of 50
        assert found.note == (
            "the 2 annotators count as unequally as 1.7 that count alike, which is less than one degree of "
            "freedom, so the corrected dual bootstrap was used"
        )
        assert boot.note == ""
    # two who marked the same have one degree of freedom, whatever the weights of the sources
    weights = np.random.default_rng(1).random(50)
    full = crossed_interval(two_way(np.random.default_rng(0), 2, 50), weights=weights)
    assert "components" in full.method
    # the parts can still be told apart
    coefficients = np.isfinite(values) / np.isfinite(values).sum(axis=0) / 50
    assert estimate_components(values, coefficients).variances[CELL] == pytest.approx(1, abs=0.6)


def test_widths_do_not_explode_with_unequal_diligence():
    """With t quantiles below one degree of freedom 25 of 50 gave seven times the width of 50."""
    medians, rng = {}, np.random.default_rng(21)
    for n_marked in (50, 40, 30, 25, 20, 10):
        widths, covered, n = [], 0, 150
        for _ in range(n):
            found = crossed_interval(diligence(n_marked, rng), n_bootstrap=200, rng=rng)
            widths.append(found.high - found.low)
            covered += found.low <= 0 <= found.high
        medians[n_marked] = np.median(widths)
        low, high = stats.binom.ppf([0.0005, 0.9995], n, [0.87, 0.96])
        assert low <= covered <= high
    assert max(medians.values()) < 1.7 * min(medians.values())


@pytest.mark.slow
@pytest.mark.parametrize("n_marked", [30, 25, 20])
@pytest.mark.parametrize(
    ("annotator", "lowest", "highest"), [(1.0, 0.875, 0.93), (0.1, 0.92, 0.975), (0.0, 0.95, 0.995)]
)
def test_coverage_with_unequal_diligence(n_marked, annotator, lowest, highest):
    rng = np.random.default_rng(22)
    n = 1500
    covered = coverage(
        lambda: diligence(n_marked, rng, annotator=annotator),
        n,
        lambda values: crossed_interval(values, n_bootstrap=400, rng=rng),
    )
    low, high = stats.binom.ppf([0.0005, 0.9995], n, [lowest, highest])
    assert low <= covered <= high


# --- p-values --------------------------------------------------------------------------------------


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


@given(
    seed=st.integers(0, 10_000),
    shift=st.floats(-5, 5),
    scale=st.floats(0.1, 10),
    holes=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_order_shift_and_scale(seed, shift, scale, holes):
    rng = np.random.default_rng(seed)
    values = two_way(rng, 4, 15)
    if holes:
        values = with_holes(values, rng, share=0.2)
    for method in (CrossedMethod.COMPONENTS, CrossedMethod.MEAN_SQUARES):
        found = crossed_interval(values, method=method)
        moved = crossed_interval(shift + scale * values, method=method)
        assert moved.low == pytest.approx(shift + scale * found.low, abs=1e-8 * scale)
        assert moved.high == pytest.approx(shift + scale * found.high, abs=1e-8 * scale)
        mixed = values[rng.permutation(4)][:, rng.permutation(15)]
        assert crossed_interval(mixed, method=method).low == pytest.approx(found.low, abs=1e-9)


def test_ends_stay_within_bounds():
    values = 0.95 + 0.04 * np.sign(two_way(np.random.default_rng(0), 3, 20, annotator=5.0))
    free, bound = crossed_interval(values), crossed_interval(values, bounds=(0.0, 1.0))
    assert free.high > 1.0
    assert (bound.low, bound.high, bound.value) == (free.low, 1.0, free.value)


def test_same_seed_same_interval():
    values = two_way(np.random.default_rng(0), 3, 20)
    kind = CrossedMethod.DUAL_BOOTSTRAP
    assert crossed_interval(values, method=kind, rng=3) == crossed_interval(
        values, method=kind, rng=3
    )


def test_ratio_of_two_means():
    rng = np.random.default_rng(9)
    ceiling = 0.6 + 0.1 * two_way(rng, 4, 40, annotator=0.1)
    score = 0.5 * ceiling + 0.02 * rng.normal(size=ceiling.shape)
    ceiling[0, 3] = np.nan
    share = crossed_bootstrap_interval(
        np.stack([score, ceiling]), lambda means: means[:, 0] / means[:, 1], n_bootstrap=4000
    )
    known = np.isfinite(ceiling)
    of_source = [np.nanmean(np.where(known, x, np.nan), axis=0).mean() for x in (score, ceiling)]
    assert share.value == pytest.approx(of_source[0] / of_source[1])
    assert share.low < share.value < share.high
    # score and ceiling rise and fall together, so their ratio is surer than either
    assert share.high - share.low < 0.06
    few = crossed_bootstrap_interval(np.ones((2, 4, 5)), lambda means: means[:, 0] / means[:, 1])
    assert not few.known
    alone = crossed_bootstrap_interval(
        np.stack([score[1], ceiling[1]]), lambda means: means[:, 0] / means[:, 1]
    )
    assert alone.known
    assert "percentile" in alone.method


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_statistic_that_is_undefined_for_a_resample_has_no_interval():
    score = np.stack([np.ones(12), np.r_[1.0, np.zeros(11)]])
    found = crossed_bootstrap_interval(score, lambda means: means[:, 0] / means[:, 1])
    assert not found.known
    assert "undefined for some resamples" in found.note


def test_bad_arguments_are_refused():
    values = np.zeros((3, 10))
    with pytest.raises(OptionError, match="1 to 3 axes"):
        crossed_interval(np.zeros((2, 2, 2, 10)))
    with pytest.raises(OptionError, match="level"):
        crossed_interval(values, level=1.0)
    with pytest.raises(OptionError, match="weights"):
        crossed_interval(values, weights=np.ones(9))


@pytest.mark.parametrize(
    ("n_annotators", "words"),
    [
        (1, "this annotator's marks"),
        (2, "these 2 annotators"),
        (3, "these 3 annotators"),
        (4, "annotators like these 4"),
    ],
)
def test_what_a_result_is_about(n_annotators, words):
    text = generalises_to(n_annotators, 50)
    assert words in text
    assert ("too few to estimate" in text) == (n_annotators in (2, 3))
    assert "sources like these 50" in text


def test_what_a_result_is_about_with_few_sources():
    assert "these 7 sources alone" in generalises_to(4, 7)
    assert "this source alone" in generalises_to(4, 1)
    with pytest.raises(OptionError, match="1 or more"):
        generalises_to(0, 10)


def coverage(make, n_experiments, interval):
    covered = 0
    for _ in range(n_experiments):
        found = interval(make())
        covered += found.low <= 0 <= found.high
    return covered


@pytest.mark.parametrize(("n_sources", "n_annotators"), [(20, 3), (30, 6)])
def test_coverage_with_comparable_variances(n_sources, n_annotators):
    rng = np.random.default_rng(10)
    n = 500
    low, high = stats.binom.ppf([0.0005, 0.9995], n, [0.925, 0.965])
    covered = coverage(lambda: two_way(rng, n_annotators, n_sources), n, crossed_interval)
    assert low <= covered <= high
    # sources alone miss what annotators add
    alone = coverage(
        lambda: two_way(rng, n_annotators, n_sources).mean(axis=0),
        n,
        lambda values: crossed_interval(values, n_bootstrap=300, rng=rng),
    )
    assert alone < 0.75 * n


def test_coverage_with_missing_cells():
    rng = np.random.default_rng(11)
    n = 500
    covered = coverage(
        lambda: with_holes(two_way(rng, 6, 30, annotator=0.3), rng), n, crossed_interval
    )
    low, high = stats.binom.ppf([0.0005, 0.9995], n, [0.92, 0.965])
    assert low <= covered <= high


def test_coverage_with_seeds():
    rng = np.random.default_rng(12)
    n = 400

    def make():
        return (
            0.5 * rng.normal(size=(5, 1, 1))
            + two_way(rng, 5, 25, annotator=0.3)
            + rng.normal(size=(5, 1, 25))
            + rng.normal(size=(5, 5, 25))
        )

    covered = coverage(make, n, crossed_interval)
    low, high = stats.binom.ppf([0.0005, 0.9995], n, [0.93, 0.965])
    assert low <= covered <= high
    found = crossed_interval(make())
    assert "Satterthwaite" in found.method
    assert "25 sources x 5 annotators x 5 seeds" in found.method


@pytest.mark.slow
@pytest.mark.parametrize("method", [CrossedMethod.COMPONENTS, CrossedMethod.MEAN_SQUARES])
@pytest.mark.parametrize(("n_sources", "n_annotators"), [(20, 3), (50, 3), (50, 5), (100, 10)])
@pytest.mark.parametrize("annotator", [1.0, 0.1, 0.0])
def test_coverage_of_the_documented_table(method, n_sources, n_annotators, annotator):
    rng = np.random.default_rng(13)
    n = 2000
    covered = coverage(
        lambda: two_way(rng, n_annotators, n_sources, annotator=annotator),
        n,
        lambda values: crossed_interval(values, method=method),
    )
    # the table has 0.920 (mean squares, 3 annotators) to 0.968
    low, high = stats.binom.ppf([0.0005, 0.9995], n, [0.918, 0.972])
    assert low <= covered <= high


@pytest.mark.slow
def test_dual_bootstrap_coverage_with_missing_cells():
    rng = np.random.default_rng(14)
    n = 600
    covered = coverage(
        lambda: with_holes(two_way(rng, 5, 30, annotator=0.3), rng, share=0.2),
        n,
        lambda values: crossed_interval(
            values, method=CrossedMethod.DUAL_BOOTSTRAP, n_bootstrap=1000, rng=rng
        ),
    )
    low, high = stats.binom.ppf([0.0005, 0.9995], n, [0.90, 0.97])
    assert low <= covered <= high


def test_no_variance_has_the_fewest_degrees_of_freedom():
    parts = estimate_components(np.full((3, 9), 2.0), np.full((3, 9), 1 / 27))
    assert components_half_width(parts, 0.95) == (0.0, pytest.approx(2.0))
