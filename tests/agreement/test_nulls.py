"""Source permutation: enumeration, p-values, strata, and its level by simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from attnxai.agreement.nulls import NullDraws, SourcePermutation, run_null_test

POOLED = SourcePermutation(within_strata=False)
WITHIN = SourcePermutation(within_strata=True)


def test_all_permutations_are_enumerated_once():
    draws = POOLED.draw(list("abcd"), n_draws=24, rng=np.random.default_rng(0))
    assert draws.exhaustive
    assert {tuple(order) for order in draws.orders} == set(itertools.permutations(range(4)))
    assert draws.smallest_p == 1 / 24


def test_two_classes_of_three_and_two_give_one_twelfth():
    draws = WITHIN.draw(["a", "b", "a", "b", "a"], n_draws=10_000, rng=np.random.default_rng(0))
    assert draws.exhaustive
    assert len({tuple(order) for order in draws.orders}) == len(draws.orders) == 12
    assert draws.smallest_p == 1 / 12
    strata = np.array(["a", "b", "a", "b", "a"])
    assert (strata[draws.orders] == strata).all()


def test_sampled_permutations_stay_within_strata_and_are_uniform():
    strata = np.array(["a"] * 3 + ["b"] * 9)
    draws = WITHIN.draw(list(strata), n_draws=6000, rng=np.random.default_rng(1))
    assert not draws.exhaustive
    assert draws.smallest_p == 1 / 6001
    assert (strata[draws.orders] == strata).all()
    assert (np.sort(draws.orders, axis=1) == np.arange(12)).all()
    _, counts = np.unique(draws.orders[:, :3], axis=0, return_counts=True)
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 1e-3


def test_exhaustive_p_value_by_hand():
    matrix = np.array([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0], [1.0, 0.0, 1.0]])
    draws = POOLED.draw([0, 1, 2], n_draws=100, rng=np.random.default_rng(0))
    test = run_null_test(matrix, draws, null="pooled")
    sums = [sum(matrix[s, p[s]] for s in range(3)) for p in itertools.permutations(range(3))]
    assert test.observed == pytest.approx(2.0)
    assert test.p_value == pytest.approx(np.mean(np.array(sums) >= 6.0))
    assert test.p_value == pytest.approx(1 / 6)
    assert test.exhaustive


def test_sampled_p_value_counts_the_observed_order():
    matrix = np.eye(12)
    draws = POOLED.draw(range(12), n_draws=99, rng=np.random.default_rng(0))
    test = run_null_test(matrix, draws, null="pooled")
    assert test.p_value == 1 / 100
    assert test.smallest_p == 1 / 100


def test_ties_count_as_extreme():
    constant = np.full((12, 12), 0.1)
    draws = POOLED.draw(range(12), n_draws=500, rng=np.random.default_rng(0))
    assert run_null_test(constant, draws, null="pooled").p_value == 1.0


def test_p_value_equals_scipy_permutation_test():
    rng = np.random.default_rng(5)
    x, y = rng.random(7), rng.random(7)
    matrix = np.outer(x, y)
    draws = POOLED.draw(range(7), n_draws=5040, rng=rng)
    ours = run_null_test(matrix, draws, null="pooled")
    theirs = stats.permutation_test(
        (x,),
        lambda x: (x * y).sum(),
        permutation_type="pairings",
        n_resamples=np.inf,
        alternative="greater",
    )
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=1e-12)


def test_weights_go_with_the_annotations():
    matrix = np.array([[1.0, 5.0], [2.0, 3.0]])
    weights = np.array([3.0, 1.0])
    orders = np.array([[0, 1], [1, 0]])
    test = run_null_test(
        matrix, NullDraws(orders=orders, exhaustive=True), null="pooled", weights=weights
    )
    assert test.observed == pytest.approx((3 * 1 + 1 * 3) / 4)
    # exchanged: map 0 with annotation 1 (weight 1), map 1 with annotation 0 (weight 3)
    assert test.values[1] == pytest.approx((1 * 5 + 3 * 2) / 4)


def test_same_seed_same_draws():
    first = WITHIN.draw(["a"] * 20, n_draws=50, rng=np.random.default_rng(3))
    second = WITHIN.draw(["a"] * 20, n_draws=50, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(first.orders, second.orders)


def test_null_range_and_mean():
    values = np.linspace(0, 1, 101)
    matrix = np.eye(10)
    draws = POOLED.draw(range(10), n_draws=200, rng=np.random.default_rng(0))
    test = run_null_test(matrix, draws, null="pooled")
    assert test.mean == pytest.approx(test.values.mean())
    low, high = test.range(0.9)
    np.testing.assert_allclose([low, high], np.quantile(test.values, [0.05, 0.95]))
    assert values.size == 101


@pytest.mark.parametrize("class_templates", [False, True])
def test_level_under_shared_centre_bias(class_templates):
    """Within-class permutation holds its level; pooled breaks when classes share a template."""
    n_experiments, n_sources, alpha = 400, 16, 0.05
    rng = np.random.default_rng(11)
    classes = np.array([0, 1] * (n_sources // 2))
    grid = np.arange(24)
    y, x = np.meshgrid(grid, grid, indexing="ij")
    centre = np.exp(-((x - 11.5) ** 2 + (y - 11.5) ** 2) / 40)
    template = np.stack([np.roll(centre, 6, axis=1), np.roll(centre, -6, axis=1)])
    rejected = {"pooled": 0, "within": 0}
    from scipy.ndimage import gaussian_filter

    def draw():
        noise = gaussian_filter(rng.normal(size=(n_sources, 24, 24)), (0, 3, 3))
        shared = template[classes] if class_templates else centre
        return (noise / noise.std() + shared).reshape(n_sources, -1)

    strata = classes.tolist()
    for _ in range(n_experiments):
        matrix = np.corrcoef(draw(), draw())[:n_sources, n_sources:]
        for name, null in (("pooled", POOLED), ("within", WITHIN)):
            draws = null.draw(strata, n_draws=199, rng=rng)
            rejected[name] += run_null_test(matrix, draws, null=name).p_value <= alpha
    low, high = stats.binom.ppf([0.001, 0.999], n_experiments, alpha)
    assert low <= rejected["within"] <= high
    if class_templates:
        assert rejected["pooled"] > high
    else:
        assert low <= rejected["pooled"] <= high


def test_power_against_planted_agreement():
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(50):
        target = rng.normal(size=(20, 30))
        maps = 0.4 * target + rng.normal(size=(20, 30))
        matrix = np.corrcoef(maps, target)[:20, 20:]
        draws = POOLED.draw(range(20), n_draws=199, rng=rng)
        hits += run_null_test(matrix, draws, null="pooled").p_value <= 0.05
    assert hits >= 45


def test_undefined_values_and_weightless_sources_are_no_input():
    draws = POOLED.draw(range(3), n_draws=100, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="undefined values"):
        run_null_test(np.full((3, 3), np.nan), draws, null="pooled")
    with pytest.raises(ValueError, match="positive sum"):
        run_null_test(np.eye(3), draws, null="pooled", weights=np.zeros(3))
