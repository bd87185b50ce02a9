"""Tables, draws and p-values of any null."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from attnxai.errors import OptionError
from attnxai.metrics import METRICS
from attnxai.nulls import (
    Alternative,
    GridSymmetries,
    NullDraws,
    SourcePermutation,
    ToroidalShift,
    draw_choices,
    run_null_test,
    usable_sources,
)
from tests.nulls.fields import centre_bias, density, everywhere, smooth_fields

POOLED = SourcePermutation(within_strata=False)


def pooled_draws(n, n_draws, seed=0):
    return POOLED.draw(range(n), n_draws=n_draws, rng=np.random.default_rng(seed))


def test_all_choices_are_made_once():
    draws = draw_choices(3, 4, n_draws=64, rng=np.random.default_rng(0))
    assert draws.exhaustive
    assert {tuple(row) for row in draws.choices.tolist()} == set(
        itertools.product(range(4), repeat=3)
    )
    assert len(draws.choices) == 64
    assert draws.smallest_p == 1 / 64


def test_one_choice_fewer_than_all_is_sampled():
    draws = draw_choices(3, 4, n_draws=63, rng=np.random.default_rng(0))
    assert not draws.exhaustive
    assert draws.choices.shape == (63, 3)
    assert draws.smallest_p == 1 / 64


def test_choices_are_uniform_and_independent():
    draws = draw_choices(6, 8, n_draws=20_000, rng=np.random.default_rng(1))
    counts = np.histogram2d(draws.choices[:, 0], draws.choices[:, 5], bins=8)[0]
    assert stats.chisquare(counts.ravel()).pvalue > 1e-3


def test_choices_are_small():
    draws = draw_choices(150, 8, n_draws=100, rng=np.random.default_rng(0))
    assert draws.choices.dtype == np.int16
    draws = draw_choices(3, 40_000, n_draws=100, rng=np.random.default_rng(0))
    assert draws.choices.dtype == np.int32
    assert draws.choices.max() > np.iinfo(np.int16).max


def test_exhaustive_p_value_of_choices_by_hand():
    table = np.array([[3.0, 1.0, 2.0], [2.0, 2.5, 0.0]])
    draws = draw_choices(2, 3, n_draws=9, rng=np.random.default_rng(0))
    test = run_null_test(table, draws, null="turned")
    # sums of 5 or more: 3 + 2, 3 + 2.5
    assert test.observed == 2.5
    assert test.p_value == pytest.approx(2 / 9)
    assert test.n_draws == 9
    assert test.n_sources == test.n_tested == 2


def test_exhaustive_p_value_of_permutations_by_hand():
    matrix = np.array([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0], [1.0, 0.0, 1.0]])
    test = run_null_test(matrix, pooled_draws(3, 100), null="pooled")
    sums = [sum(matrix[s, p[s]] for s in range(3)) for p in itertools.permutations(range(3))]
    assert test.observed == pytest.approx(2.0)
    assert test.p_value == pytest.approx(np.mean(np.array(sums) >= 6.0))
    assert test.p_value == pytest.approx(1 / 6)
    assert test.exhaustive


def test_sampled_p_value_counts_the_observed_pairing():
    test = run_null_test(np.eye(12), pooled_draws(12, 99), null="pooled")
    assert test.p_value == 1 / 100
    assert test.smallest_p == 1 / 100


def test_ties_count_as_extreme():
    for draws in (
        pooled_draws(12, 500),
        draw_choices(12, 12, n_draws=500, rng=np.random.default_rng(0)),
    ):
        for alternative in Alternative:
            test = run_null_test(np.full((12, 12), 0.1), draws, null="any", alternative=alternative)
            assert test.p_value == 1.0


def test_rounding_errors_are_ties():
    rng = np.random.default_rng(0)
    table = np.repeat(rng.random((20, 1)), 30, axis=1)
    table *= 1 + 1e-15 * rng.normal(size=table.shape)
    draws = draw_choices(20, 30, n_draws=300, rng=rng)
    assert run_null_test(table, draws, null="any").p_value == 1.0


@pytest.mark.parametrize("alternative", list(Alternative))
def test_p_value_equals_scipy_permutation_test(alternative):
    rng = np.random.default_rng(5)
    x, y = rng.random(7), rng.random(7)
    ours = run_null_test(
        np.outer(x, y), pooled_draws(7, 5040), null="pooled", alternative=alternative
    )
    theirs = stats.permutation_test(
        (x,),
        lambda x: (x * y).sum(),
        permutation_type="pairings",
        n_resamples=np.inf,
        alternative=str(alternative),
    )
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=1e-12)


def test_two_sided_doubles_the_smaller_side_and_the_smallest_p():
    table = np.eye(5) + 0.01 * np.arange(5)[:, None]
    draws = pooled_draws(5, 120)
    one = run_null_test(table, draws, null="pooled")
    both = run_null_test(table, draws, null="pooled", alternative=Alternative.TWO_SIDED)
    assert one.p_value == 1 / 120
    assert both.p_value == both.smallest_p == 2 / 120
    less = run_null_test(table, draws, null="pooled", alternative=Alternative.LESS)
    assert less.p_value == 1.0
    assert less.smallest_p == 1 / 120


@settings(max_examples=40, deadline=None)
@given(
    table=arrays(np.float64, (3, 5), elements=st.floats(-5, 5)),
    seed=st.integers(0, 100),
)
def test_p_values_mirror_with_the_sign(table, seed):
    draws = draw_choices(3, 5, n_draws=60, rng=np.random.default_rng(seed))
    greater = run_null_test(table, draws, null="any")
    less = run_null_test(-table, draws, null="any", alternative=Alternative.LESS)
    assert greater.p_value == less.p_value
    assert greater.smallest_p <= greater.p_value <= 1
    two = [
        run_null_test(sign * table, draws, null="any", alternative=Alternative.TWO_SIDED).p_value
        for sign in (1, -1)
    ]
    assert two[0] == two[1]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000))
def test_order_of_sources_changes_nothing_when_all_is_enumerated(seed):
    rng = np.random.default_rng(seed)
    matrix, order = rng.random((5, 5)), rng.permutation(5)
    first = run_null_test(matrix, pooled_draws(5, 200), null="pooled")
    second = run_null_test(matrix[np.ix_(order, order)], pooled_draws(5, 200), null="pooled")
    assert first.p_value == second.p_value
    assert first.observed == pytest.approx(second.observed, rel=1e-12)


def test_weights_go_with_the_annotations_that_are_permuted():
    matrix = np.array([[1.0, 5.0], [2.0, 3.0]])
    weights = np.array([3.0, 1.0])
    draws = NullDraws(choices=np.array([[0, 1], [1, 0]]), exhaustive=True, permutes_sources=True)
    test = run_null_test(matrix, draws, null="pooled", weights=weights)
    assert test.observed == pytest.approx((3 * 1 + 1 * 3) / 4)
    # permuted: map 0 with annotation 1 (weight 1), map 1 with annotation 0 (weight 3)
    assert test.values[1] == pytest.approx((1 * 5 + 3 * 2) / 4)


def test_weights_stay_with_the_sources_of_surrogates():
    table = np.array([[1.0, 5.0], [2.0, 3.0]])
    draws = NullDraws(choices=np.array([[0, 0], [1, 0]]), exhaustive=True)
    test = run_null_test(table, draws, null="turned", weights=np.array([3.0, 1.0]))
    assert test.observed == pytest.approx((3 * 1 + 1 * 2) / 4)
    assert test.values[1] == pytest.approx((3 * 5 + 1 * 2) / 4)


def test_null_range_mean_and_z():
    test = run_null_test(np.eye(10), pooled_draws(10, 200), null="pooled")
    assert test.mean == pytest.approx(test.values.mean())
    low, high = test.range(0.9)
    np.testing.assert_allclose([low, high], np.quantile(test.values, [0.05, 0.95]))
    assert test.z == pytest.approx((1 - test.values.mean()) / test.values.std())
    constant = run_null_test(np.ones((10, 10)), pooled_draws(10, 200), null="pooled")
    assert np.isnan(constant.z)


def test_whether_a_test_can_reject_is_known():
    draws = SourcePermutation(within_strata=True).draw(
        ["a"] * 3 + ["b"] * 2, n_draws=1000, rng=np.random.default_rng(0)
    )
    test = run_null_test(np.eye(5), draws, null="within class")
    assert test.smallest_p == 1 / 12
    assert not test.can_reject(0.05)
    assert test.can_reject(0.1)
    assert test.can_reject(1 / 12)


def test_unusable_tables_are_refused():
    draws = pooled_draws(3, 100)
    with pytest.raises(ValueError, match="undefined values"):
        run_null_test(np.full((3, 3), np.nan), draws, null="pooled")
    with pytest.raises(ValueError, match="positive sum"):
        run_null_test(np.eye(3), draws, null="pooled", weights=np.zeros(3))
    with pytest.raises(ValueError, match="one column for each source"):
        run_null_test(np.eye(4), draws, null="pooled")
    with pytest.raises(ValueError, match="square"):
        run_null_test(np.ones((3, 4)), draws, null="pooled")
    flags = dataclasses.replace(draws, choices=draws.choices > 0)
    with pytest.raises(ValueError, match="integers, got bool"):
        run_null_test(np.eye(3), flags, null="pooled")
    turned = draw_choices(3, 8, n_draws=10, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="columns up to"):
        run_null_test(np.ones((3, 4)), turned, null="turned")


def test_impossible_numbers_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(OptionError, match="n_draws"):
        draw_choices(3, 4, n_draws=0, rng=rng)
    with pytest.raises(OptionError, match="n_columns"):
        draw_choices(3, 0, n_draws=5, rng=rng)


def test_usable_sources_of_permutations_and_of_surrogates():
    table = np.ones((4, 4))
    table[2, 1] = np.nan
    table[2, 3] = np.nan
    assert usable_sources(table, permutes_sources=True).tolist() == [0, 1, 3]
    assert usable_sources(table, permutes_sources=False).tolist() == [0, 1, 3]
    table = np.ones((4, 4))
    table[0, 1] = np.nan
    members = np.array([0, 2, 3])
    assert usable_sources(table, members, permutes_sources=True).tolist() == [0, 2, 3]
    assert usable_sources(table, members, permutes_sources=False).tolist() == [2, 3]


def test_the_table_of_the_caller_stays_as_it_is():
    table = np.random.default_rng(0).random((4, 4))
    before = table.copy()
    table.setflags(write=False)
    run_null_test(table, pooled_draws(4, 10), null="pooled", weights=np.arange(1.0, 5.0))
    np.testing.assert_array_equal(table, before)


def share_rejected(null, *, bias, linked=0.0, seed=0, n_sources=30, n_pixels=24):
    rng = np.random.default_rng(seed)
    centre = bias * centre_bias(n_pixels)
    maps = smooth_fields(rng, n_sources, n_pixels, periodic=True)
    annotated = smooth_fields(rng, n_sources, n_pixels, periodic=True) + linked * maps
    targets, valid = density(annotated + centre), everywhere(n_sources, n_pixels)
    tests = []
    for model in (null, POOLED):
        table = model.tables([METRICS["nss"]], maps + centre, targets, valid, rng=rng)[0, 0]
        draws = model.draw(range(n_sources), n_columns=table.shape[1], n_draws=999, rng=rng)
        tests.append(run_null_test(table, draws, null=model.label))
    return tests[0].rejection_rate(tests[1].values)


@pytest.mark.parametrize("null", [GridSymmetries(), ToroidalShift(n_shifts=99)])
def test_a_calibrated_null_rejects_at_about_its_level(null):
    shares = [share_rejected(null, bias=0.0, seed=seed) for seed in range(8)]
    assert 0.01 < np.mean(shares) < 0.2


def test_shared_centres_miscalibrate_the_shift_and_not_the_rotation():
    assert share_rejected(ToroidalShift(n_shifts=99), bias=2.0) > 0.8
    assert share_rejected(GridSymmetries(), bias=2.0) < 0.2


def test_agreement_itself_is_no_fault_of_the_null():
    assert share_rejected(ToroidalShift(n_shifts=99), bias=0.0, linked=1.0) < 0.2


def test_impossible_levels_are_refused():
    draws = POOLED.draw(range(3), n_draws=10, rng=np.random.default_rng(0))
    test = run_null_test(np.eye(3), draws, null="pooled")
    with pytest.raises(OptionError, match="level"):
        test.rejection_rate(test.values, level=0.0)


def test_a_p_value_at_the_level_rejects():
    """The highest of 4 equally probable means has p = 1/4, the second 2/4."""
    table = np.array([[4.0, 3.0, 2.0, 1.0]])
    draws = draw_choices(1, 4, n_draws=4, rng=np.random.default_rng(0))
    test = run_null_test(table, draws, null="turned")
    assert test.rejection_rate(np.array([4.0, 3.0]), level=0.25) == 0.5
    assert test.rejection_rate(np.array([4.0, 3.0]), level=0.5) == 1.0


@pytest.mark.parametrize("alternative", Alternative)
def test_the_monte_carlo_interval_is_the_exact_one_of_the_share_of_draws(alternative):
    rng = np.random.default_rng(3)
    table = rng.normal(size=(12, 12)) + 0.3 * np.eye(12)
    draws = pooled_draws(12, 199)
    test = run_null_test(table, draws, null="pooled", alternative=alternative)
    above = int((test.values >= test.observed).sum())
    n_extreme = {"greater": above, "less": 199 - above, "two-sided": min(above, 199 - above)}
    share = stats.binomtest(n_extreme[alternative], 199).proportion_ci(0.95, method="exact")
    sides = 2 if alternative == "two-sided" else 1
    expected = (sides * share.low, min(1.0, sides * share.high))
    np.testing.assert_allclose(test.monte_carlo_interval, expected, rtol=1e-9)
    assert test.monte_carlo_interval[0] < test.p_value < test.monte_carlo_interval[1]


def test_enumerated_draws_have_no_monte_carlo_error():
    test = run_null_test(np.eye(5), pooled_draws(5, 200), null="pooled")
    assert test.exhaustive
    assert test.monte_carlo_interval is None
