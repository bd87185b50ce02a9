"""Source permutation: enumeration, strata, tables."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from attnxai.errors import OptionError
from attnxai.metrics import METRICS
from attnxai.nulls import SourcePermutation, combine_strata, run_null_test
from tests.nulls.fields import disc

POOLED = SourcePermutation(within_strata=False)
WITHIN = SourcePermutation(within_strata=True)


def test_all_permutations_are_enumerated_once():
    draws = POOLED.draw(list("abcd"), n_draws=24, rng=np.random.default_rng(0))
    assert draws.exhaustive
    assert {tuple(row) for row in draws.choices.tolist()} == set(itertools.permutations(range(4)))
    assert len(draws.choices) == 24
    assert draws.smallest_p == 1 / 24


def test_two_classes_of_three_and_two_give_one_twelfth():
    draws = WITHIN.draw(["a", "b", "a", "b", "a"], n_draws=10_000, rng=np.random.default_rng(0))
    assert draws.exhaustive
    assert len({tuple(row) for row in draws.choices.tolist()}) == len(draws.choices) == 12
    assert draws.smallest_p == 1 / 12
    strata = np.array(["a", "b", "a", "b", "a"])
    assert (strata[draws.choices] == strata).all()


def test_sampled_permutations_stay_within_strata_and_are_uniform():
    strata = np.array(["a"] * 3 + ["b"] * 9)
    draws = WITHIN.draw(list(strata), n_draws=6000, rng=np.random.default_rng(1))
    assert not draws.exhaustive
    assert draws.smallest_p == 1 / 6001
    assert (strata[draws.choices] == strata).all()
    assert (np.sort(draws.choices, axis=1) == np.arange(12)).all()
    _, counts = np.unique(draws.choices[:, :3], axis=0, return_counts=True)
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 1e-3


def test_several_keys_make_strata():
    strata = combine_strata(
        {"class": ["I", "I", "I", "II", "II", "II"], "survey": ["a", "a", "b", "a", "a", "a"]}
    )
    draws = WITHIN.draw(strata, n_draws=100, rng=np.random.default_rng(0))
    # 2! for (I, a), 1 for (I, b), 3! for (II, a)
    assert draws.exhaustive
    assert len(draws.choices) == 12
    assert (draws.choices[:, 2] == 2).all()
    null = SourcePermutation(within_strata=True, keys=("class", "survey"))
    assert null.label == "within class and survey"
    assert "class and survey" in null.question


def test_as_many_strata_as_sources_leave_nothing_to_permute():
    draws = WITHIN.draw(range(100), n_draws=100, rng=np.random.default_rng(0))
    assert draws.exhaustive
    np.testing.assert_array_equal(draws.choices, np.arange(100)[None])
    assert run_null_test(np.eye(100), draws, null="within").p_value == 1.0


def test_same_seed_same_draws():
    first = WITHIN.draw(["a"] * 20, n_draws=50, rng=np.random.default_rng(3))
    second = WITHIN.draw(["a"] * 20, n_draws=50, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(first.choices, second.choices)
    assert first.choices.dtype == np.int16


def test_tables_compare_over_what_is_valid_for_all():
    rng = np.random.default_rng(0)
    maps = rng.random((3, 8, 8))
    targets = {"density": rng.random((2, 3, 8, 8)), "mask": rng.random((2, 3, 8, 8)) > 0.7}
    valid = np.broadcast_to(disc(8), maps.shape).copy()
    valid[1, 4] = False
    metrics = [METRICS["nss"], METRICS["auc"]]
    tables = POOLED.tables(metrics, maps, targets, valid, rng=rng)
    assert tables.shape == (2, 2, 3, 3)
    where = valid.all(axis=0)
    marked = targets["mask"][1, 2][where]
    expected = stats.mannwhitneyu(maps[0][where][marked], maps[0][where][~marked]).statistic
    expected /= marked.sum() * (~marked).sum()
    assert tables[1, 1, 0, 2] == pytest.approx(expected)


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


def test_impossible_numbers_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(OptionError, match="n_draws"):
        POOLED.draw(range(3), n_draws=0, rng=rng)
    with pytest.raises(ValueError, match="table has 4 columns"):
        POOLED.draw(range(3), n_columns=4, n_draws=5, rng=rng)


def test_draws_do_not_depend_on_how_many_are_permuted_at_a_time():
    found = POOLED.draw(["a"] * 9, n_draws=2500, rng=np.random.default_rng(5)).choices
    rows = np.tile(np.arange(9), (2500, 1))
    np.testing.assert_array_equal(found, np.random.default_rng(5).permuted(rows, axis=1))
