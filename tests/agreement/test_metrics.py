"""Metrics against scipy, scikit-learn, hand calculation and what must hold for any map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from attnxai.agreement.density import nss
from attnxai.agreement.metrics import (
    METRICS,
    TargetKind,
    agreement_matrices,
    chance_values,
    own_values,
    reason_undefined,
)
from attnxai.agreement.overlap import relevance_mass_accuracy, relevance_rank_accuracy
from attnxai.agreement.ranking import auc, mid_ranks, spearman

FUNCTIONS = {
    "nss": nss,
    "spearman": spearman,
    "auc": auc,
    "relevance_mass_accuracy": relevance_mass_accuracy,
    "relevance_rank_accuracy": relevance_rank_accuracy,
}


def random_pair(seed, *, ties):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4, (9, 11)).astype(float) if ties else rng.random((9, 11))
    mask = rng.random((9, 11)) < 0.3
    valid = rng.random((9, 11)) < 0.8
    mask[0, 0] = valid[0, 0] = valid[0, 1] = True
    mask[0, 1] = False
    return values, mask, valid


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_spearman_equals_scipy(seed, ties):
    values, _, valid = random_pair(seed, ties=ties)
    target = np.round(np.random.default_rng(seed + 100).random(values.shape), 1)
    expected = stats.spearmanr(values[valid], target[valid]).statistic
    assert spearman(values, target, valid) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_auc_equals_scikit_learn(seed, ties):
    values, mask, valid = random_pair(seed, ties=ties)
    expected = roc_auc_score(mask[valid], values[valid])
    assert auc(values, mask, valid) == pytest.approx(expected, abs=1e-12)


def test_mid_ranks_equal_scipy():
    values = np.random.default_rng(0).integers(0, 5, (4, 30)).astype(float)
    np.testing.assert_array_equal(mid_ranks(values), stats.rankdata(values, axis=1))


def test_nss_by_hand():
    # four pixels 0 0 0 4: mean 1, deviation sqrt(3); the marked one lies at 3 / sqrt(3)
    assert nss([[0, 0], [0, 4]], [[0, 0], [0, 1]]) == pytest.approx(np.sqrt(3))
    # a density that is half on the bright pixel and half on a dark one
    expected = 0.5 * np.sqrt(3) - 0.5 / np.sqrt(3)
    assert nss([[0, 0], [0, 4]], [[1, 0], [0, 1]]) == pytest.approx(expected)


def test_nss_does_not_depend_on_the_scale_of_the_density():
    values, mask, valid = random_pair(3, ties=False)
    assert nss(values, 0.2 * mask, valid) == pytest.approx(nss(values, mask, valid), rel=1e-12)


def test_relevance_mass_by_hand():
    values = [[1, 2, 3], [0, 0, 4]]
    mask = [[True, False, True], [False, False, False]]
    assert relevance_mass_accuracy(values, mask) == pytest.approx(4 / 10)
    valid = [[True, True, True], [True, True, False]]
    assert relevance_mass_accuracy(values, mask, valid) == pytest.approx(4 / 6)


def test_relevance_rank_by_hand():
    values = np.array([[9.0, 8.0, 1.0], [2.0, 3.0, 4.0]])
    mask = np.array([[True, False, False], [True, False, True]])
    # the three highest are 9, 8 and 4, of which 9 and 4 are marked
    assert relevance_rank_accuracy(values, mask) == pytest.approx(2 / 3)


def test_relevance_rank_gives_the_expectation_over_breaking_ties():
    values = np.array([[5.0, 1.0, 1.0, 1.0]])
    mask = np.array([[True, True, False, False]])
    # one of the three ones joins the 5; it is the marked one in a third of the cases
    assert relevance_rank_accuracy(values, mask) == pytest.approx((1 + 1 / 3) / 2)
    rng = np.random.default_rng(0)
    tied = rng.integers(0, 3, (6, 6)).astype(float)
    marked = rng.random((6, 6)) < 0.4
    k = int(marked.sum())
    draws = []
    for _ in range(4000):
        order = np.lexsort((rng.random(36), -tied.ravel()))
        draws.append(marked.ravel()[order[:k]].mean())
    error = np.std(draws) / np.sqrt(len(draws))
    assert relevance_rank_accuracy(tied, marked) == pytest.approx(np.mean(draws), abs=4 * error)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_perfect_map_scores_highest(name):
    mask = np.zeros((8, 8), bool)
    mask[2:4, 3:6] = True
    perfect = mask.astype(float)
    value = FUNCTIONS[name](perfect, mask)
    best = {
        "nss": (1 - perfect.mean()) / perfect.std(),
        "spearman": 1.0,
        "auc": 1.0,
        "relevance_mass_accuracy": 1.0,
        "relevance_rank_accuracy": 1.0,
    }
    assert value == pytest.approx(best[name])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_constant_maps_and_empty_masks_are_undefined_not_zero(name):
    function = FUNCTIONS[name]
    mask = np.zeros((5, 5), bool)
    varied = np.arange(25.0).reshape(5, 5)
    assert np.isnan(function(varied, mask))
    mask[1, 1] = True
    assert np.isfinite(function(varied, mask))
    assert np.isnan(function(np.full((5, 5), 0.3), mask))


@pytest.mark.parametrize("name", ["auc", "relevance_mass_accuracy", "relevance_rank_accuracy"])
def test_full_masks_are_undefined(name):
    assert np.isnan(FUNCTIONS[name](np.arange(4.0).reshape(2, 2), np.ones((2, 2), bool)))


def test_signed_maps_have_no_relevance_mass():
    mask = np.array([[True, False], [False, False]])
    signed = np.array([[1.0, -0.5], [0.2, 0.3]])
    assert np.isnan(relevance_mass_accuracy(signed, mask))
    assert np.isfinite(relevance_rank_accuracy(signed, mask))
    reason = reason_undefined(METRICS["relevance_mass_accuracy"], signed.ravel(), mask.ravel())
    assert "negative" in reason


@pytest.mark.parametrize("name", FUNCTIONS)
def test_errors_name_what_is_wrong(name):
    function = FUNCTIONS[name]
    with pytest.raises(ValueError, match="one shape"):
        function(np.zeros((2, 2)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="finite"):
        function([[np.nan, 1.0]], [[1.0, 0.0]])
    with pytest.raises(ValueError, match="negative"):
        function([[2.0, 1.0]], [[1.0, -1.0]])
    # a value that is not finite is no error where it is not valid
    value = function([[np.nan, 1.0, 2.0, 0.0]], [[0.0, 1.0, 0.0, 0.0]], [[False, True, True, True]])
    assert np.isfinite(value)


@given(seed=st.integers(0, 10_000), turns=st.integers(0, 3), flip=st.booleans())
def test_turning_map_and_target_together_changes_nothing(seed, turns, flip):
    values, mask, valid = random_pair(seed, ties=True)
    moved = [np.rot90(array, turns) for array in (values, mask, valid)]
    if flip:
        moved = [array[:, ::-1] for array in moved]
    for function in FUNCTIONS.values():
        expected = function(values, mask, valid)
        assert function(*moved) == pytest.approx(expected, rel=1e-10, abs=1e-12, nan_ok=True)


@given(seed=st.integers(0, 10_000))
def test_rank_metrics_ignore_monotone_changes_of_the_map(seed):
    values, mask, valid = random_pair(seed, ties=True)
    changed = np.exp(values) + 3.0
    for name in ("spearman", "auc", "relevance_rank_accuracy"):
        function = FUNCTIONS[name]
        expected = function(values, mask, valid)
        assert function(changed, mask, valid) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(seed=st.integers(0, 10_000))
def test_auc_of_the_complement(seed):
    values, mask, valid = random_pair(seed, ties=True)
    both = auc(values, mask, valid) + auc(values, ~mask, valid)
    assert both == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_matrices_hold_the_single_pair_values(name):
    rng = np.random.default_rng(7)
    maps = rng.random((2, 4, 6, 5))
    targets = rng.random((3, 4, 6, 5)) < 0.4
    where = rng.random((6, 5)) < 0.8
    matrices = agreement_matrices(METRICS[name], maps, targets, where)
    assert matrices.shape == (2, 3, 4, 4)
    for e, a, s, t in np.ndindex(matrices.shape):
        expected = FUNCTIONS[name](maps[e, s], targets[a, t], where)
        assert matrices[e, a, s, t] == pytest.approx(expected, abs=1e-10, nan_ok=True)
    nowhere = agreement_matrices(METRICS[name], maps, targets, np.zeros((6, 5), bool))
    assert np.isnan(nowhere).all()


@pytest.mark.parametrize("name", METRICS)
def test_own_values_use_the_own_footprint(name):
    rng = np.random.default_rng(8)
    maps = rng.random((2, 3, 6, 5))
    targets = rng.random((2, 3, 6, 5)) < 0.4
    valid = rng.random((3, 6, 5)) < 0.7
    valid[2] = False
    values = own_values(METRICS[name], maps, targets, valid)
    for e, a, s in np.ndindex(2, 2, 2):
        expected = FUNCTIONS[name](maps[e, s], targets[a, s], valid[s])
        assert values[e, a, s] == pytest.approx(expected, abs=1e-10, nan_ok=True)
    assert np.isnan(values[:, :, 2]).all()


def test_chance_is_what_random_maps_give():
    rng = np.random.default_rng(9)
    targets = rng.random((1, 1, 12, 12)) < 0.2
    valid = np.ones((1, 12, 12), bool)
    maps = rng.random((3000, 1, 12, 12))
    for name, metric in METRICS.items():
        chance = chance_values(metric, targets, valid)
        assert chance.shape == (1, 1)
        values = own_values(metric, maps, targets, valid)[:, 0, 0]
        error = values.std() / np.sqrt(len(values))
        assert chance[0, 0] == pytest.approx(values.mean(), abs=4 * error), name


def test_every_metric_says_what_it_compares_with():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.target in TargetKind
        assert metric.meaning
        assert metric.label
