"""Page's test and the permutation slope: against scipy, by hand, and by their level."""

from __future__ import annotations

import itertools
import json
import math

import matplotlib as mpl
import numpy as np
import pytest
from scipy import stats

from attnxai.agreement.model_comparison.trend import Direction, page_trend, permutation_slope
from tests.report.tables.latex_reader import read_table

mpl.use("Agg")


@pytest.mark.parametrize("shape", [(2, 3), (2, 4), (5, 3), (10, 4), (5, 5)])
@pytest.mark.parametrize("seed", [0, 1])
def test_page_equals_scipy_without_ties(shape, seed):
    values = np.random.default_rng(seed).normal(size=shape) + 0.4 * np.arange(shape[1])
    expected = stats.page_trend_test(values, method="exact")
    found = page_trend(values, alternative=Direction.INCREASING)
    assert found.value == expected.statistic
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-12)
    assert found.exhaustive
    falling = stats.page_trend_test(values[:, ::-1], method="exact").pvalue
    assert page_trend(values, alternative=Direction.DECREASING).p_value == pytest.approx(falling)


def test_page_with_ties_counts_the_permutations_of_its_own_ranks():
    values = np.array([[1.0, 1.0, 2.0], [3.0, 2.0, 3.0]])
    ranks = np.array([[1.5, 1.5, 3.0], [2.5, 1.0, 2.5]])
    numbers = np.array([1, 2, 3])
    orders = list(itertools.permutations(range(3)))
    sums = [
        ranks[0, list(a)] @ numbers + ranks[1, list(b)] @ numbers for a in orders for b in orders
    ]
    observed = (ranks @ numbers).sum()
    found = page_trend(values, alternative=Direction.INCREASING)
    assert found.value == observed
    assert found.p_value == pytest.approx(np.mean(np.array(sums) >= observed - 1e-9))
    far = np.abs(np.array(sums) - 24)
    two_sided = page_trend(values)
    assert two_sided.expected == 24
    assert two_sided.p_value == pytest.approx(np.mean(far >= abs(observed - 24) - 1e-9))
    assert two_sided.smallest_p == pytest.approx(np.mean(far >= far.max() - 1e-9))


def test_page_of_many_conditions_is_sampled_and_never_zero():
    values = np.tile(np.arange(9.0), (4, 1))
    found = page_trend(values, n_draws=199, rng=1)
    assert not found.exhaustive
    assert found.n_draws == 199
    assert found.p_value == found.smallest_p == 1 / 200


def test_slope_by_hand():
    values, x = np.array([[1.0, 2.0, 4.0], [0.0, 1.0, 2.0]]), np.array([0.0, 2.0, 3.0])
    slopes = [np.polyfit(x, row, 1)[0] for row in values]
    found = permutation_slope(values, x, alternative=Direction.INCREASING)
    assert found.value == pytest.approx(np.mean(slopes))
    null = [
        (np.polyfit(x, values[0, list(a)], 1)[0] + np.polyfit(x, values[1, list(b)], 1)[0]) / 2
        for a in itertools.permutations(range(3))
        for b in itertools.permutations(range(3))
    ]
    assert found.n_draws == 36
    assert found.exhaustive
    assert found.p_value == pytest.approx(np.mean(np.array(null) >= found.value - 1e-9))


def test_slope_agrees_with_scipys_permutation_test():
    rng = np.random.default_rng(3)
    values, x = rng.normal(size=(1, 5)) + np.arange(5), np.arange(5.0)
    expected = stats.permutation_test(
        (values[0],),
        lambda y: np.polyfit(x, y, 1)[0],
        permutation_type="pairings",
        n_resamples=np.inf,
        alternative="greater",
        vectorized=False,
    )
    found = permutation_slope(values, x, alternative=Direction.INCREASING)
    assert found.p_value == pytest.approx(expected.pvalue)


def test_sampled_slope_is_near_the_exact_one_and_repeatable():
    values = np.random.default_rng(5).normal(size=(3, 4)) + 0.5 * np.arange(4)
    x = [0, 2, 3, 4]
    exact = permutation_slope(values, x, n_draws=24**3)
    sampled = permutation_slope(values, x, n_draws=5000, rng=2)
    assert exact.exhaustive
    assert not sampled.exhaustive
    error = math.sqrt(exact.p_value * (1 - exact.p_value) / 5000)
    assert abs(sampled.p_value - exact.p_value) < 4 * error + 2 / 5000
    assert sampled == permutation_slope(values, x, n_draws=5000, rng=2)
    shifted = permutation_slope(values + 1e6, x, n_draws=24**3)
    assert shifted.p_value == exact.p_value


@pytest.mark.parametrize("test", [page_trend, lambda v: permutation_slope(v, [0, 2, 3, 4])])
def test_the_level_holds_within_its_binomial_band(test):
    """Rows with offsets of their own and skewed values, but no trend."""
    rng = np.random.default_rng(11)
    n, rejected = 1500, 0
    for _ in range(n):
        values = rng.exponential(size=(3, 4)) + 5 * rng.normal(size=(3, 1))
        rejected += test(values).p_value <= 0.05
    assert stats.binomtest(rejected, n, 0.05, alternative="greater").pvalue > 0.001


def test_a_planted_trend_is_found():
    rng = np.random.default_rng(12)
    values = rng.normal(size=(5, 4)) * 0.5 + np.arange(4) + 3 * rng.normal(size=(5, 1))
    assert page_trend(values).p_value < 0.001
    assert permutation_slope(values, [0, 2, 3, 4], n_draws=9999).p_value < 0.001


def test_undefined_rows_are_left_out_and_too_little_gives_nothing():
    values = np.array([[1.0, 2.0, 3.0], [1.0, np.nan, 3.0], [1.0, 3.0, 2.0]])
    assert page_trend(values) == page_trend(values[[0, 2]])
    assert permutation_slope(values, [0, 1, 2]).n_blocks == 2
    assert page_trend(values[:, :2]) is None
    assert permutation_slope(np.full((2, 3), np.nan), [0, 1, 2]) is None
    with pytest.raises(ValueError, match="positions need 3"):
        permutation_slope(values, [1, 1, 1])
    with pytest.raises(ValueError, match="one row per block"):
        page_trend([1.0, 2.0, 3.0])


def test_the_smallest_p_of_one_and_two_blocks():
    assert page_trend([[1.0, 2.0, 3.0]]).smallest_p == pytest.approx(2 / 6)
    assert page_trend([[1.0, 2.0, 3.0]] * 2).smallest_p == pytest.approx(2 / 36)
    assert page_trend([[3.0, 2.0, 1.0]] * 2).p_value == pytest.approx(2 / 36)


def test_equal_values_show_nothing():
    assert page_trend(np.ones((3, 4))).p_value == 1.0
    assert permutation_slope(np.ones((2, 3)), [0, 1, 2]).p_value == 1.0


# --- exports ---------------------------------------------------------------------------------------


def test_the_central_range_by_counting_all_orders():
    rows = [[1.0, 2.0, 4.0], [0.5, 0.1, 0.9]]
    test = page_trend(rows)
    ranks = [[1, 2, 3], [2, 1, 3]]
    sums = np.sort(
        [
            sum(np.dot(order, [1, 2, 3]) for order in both)
            for both in itertools.product(*(itertools.permutations(row) for row in ranks))
        ]
    )
    # 36 orders: none of them is as little as 2.5 %
    assert (test.null_low, test.null_high) == (sums[0], sums[-1])
    many = page_trend(np.random.default_rng(0).normal(size=(8, 4)))
    rng = np.random.default_rng(1)
    drawn = np.sum(
        [rng.permuted(np.tile([1, 2, 3, 4], (20_000, 1)), axis=1) @ [1, 2, 3, 4] for _ in range(8)],
        axis=0,
    )
    for end, beyond in (
        (many.null_low, drawn < many.null_low),
        (many.null_high, drawn > many.null_high),
    ):
        assert beyond.mean() < 0.025 + 0.004
        assert (beyond | (drawn == end)).mean() > 0.025 - 0.004
    assert many.null_high - many.expected == many.expected - many.null_low


def test_export_of_a_test():
    test = permutation_slope([[1, 2, 4], [0, 1, 2]], [0, 1, 2])
    record = test.to_record()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert (record["statistic"], record["alternative"]) == ("slope", "two-sided")
    assert test.to_frame()["p_value"][0] == test.p_value
    assert test.summary() == (
        "slope 1.2 over 3 conditions and 2 repeats, 0.0 without a trend [−1.2, 1.2], two-sided, "
        "p = 0.056 (36 permutations, all)"
    )
    read = read_table(test.to_latex(caption="Trend"))
    assert read.rows == [["slope", "1.2", "0.0", r"[\num{-1.2}, \num{1.2}]", "0.056", "3", "2"]]
    ax = test.plot()
    assert ax.get_xlabel() == "slope"
    assert list(ax.lines[0].get_xdata()) == [-1.25, 1.25]
    assert list(ax.lines[-1].get_xdata()) == [1.25]
    assert test.plot(ax) is ax
    mpl.pyplot.close("all")
