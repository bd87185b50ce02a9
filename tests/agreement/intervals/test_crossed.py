"""Intervals over crossed factors against the analysis of variance by hand."""

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
from attnxai.agreement.intervals.dual_bootstrap import dual_mean_squares
from attnxai.agreement.intervals.variance_components import estimate_components
from attnxai.errors import OptionError
from attnxai.statistics.bootstrap import bootstrap_counts, mean_interval
from attnxai.statistics.interval import MIN_UNITS
from tests.agreement.intervals.tables import (
    CELL,
    diligence,
    mean_squares_by_hand,
    two_way,
    with_holes,
)


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


@pytest.mark.parametrize("alike", [False, True])
def test_components_interval_by_hand(alike):
    values = two_way(np.random.default_rng(1), 5, 30)
    if alike:
        values -= values.mean(axis=1, keepdims=True)
    of_sources, of_annotators, rest = mean_squares_by_hand(values)
    # annotators of one mean come out at a negative variance, which counts as none
    assert (of_annotators < rest) == alike
    shares = [(of_sources - rest) / 150, max(of_annotators - rest, 0) / 150, rest / 150]
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
    # the parts can still be separated
    coefficients = np.isfinite(values) / np.isfinite(values).sum(axis=0) / 50
    assert estimate_components(values, coefficients).variances[CELL] == pytest.approx(1, abs=0.6)


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


def test_no_variance_has_the_fewest_degrees_of_freedom():
    parts = estimate_components(np.full((3, 9), 2.0), np.full((3, 9), 1 / 27))
    assert components_half_width(parts, 0.95) == (0.0, pytest.approx(2.0))
