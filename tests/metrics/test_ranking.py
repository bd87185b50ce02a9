"""What rank metrics keep exactly, and their parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from attnxai.metrics import (
    PixelRows,
    auc,
    average_precision,
    correlation,
    nss,
    relevance_mass_accuracy,
    shuffled_auc,
    spearman,
)
from attnxai.metrics.ranking import centred_ranks, mid_ranks, ordering
from tests.metrics.test_references import REFERENCES
from tests.metrics.test_registry import random_pair


def test_spearman_of_the_same_order_is_exactly_one():
    values = np.random.default_rng(0).integers(0, 50, 1000).astype(float)
    assert spearman(values, np.exp(values / 10)) == 1.0
    assert spearman(-values, np.exp(values / 10)) == -1.0


@given(seed=st.integers(0, 10_000), ties=st.booleans())
def test_auc_of_the_complement(seed, ties):
    values, mask, valid = random_pair(seed, ties=ties)
    both = auc(values, mask, valid) + auc(values, ~mask, valid)
    assert both == pytest.approx(1.0, abs=1e-12)


def test_mid_ranks_equal_scipy():
    values = np.random.default_rng(0).integers(0, 5, (4, 30)).astype(float)
    np.testing.assert_array_equal(mid_ranks(values), stats.rankdata(values, axis=1))


@given(seed=st.integers(0, 10_000), levels=st.sampled_from([2, 4, 1000]), floor=st.floats(0, 1))
def test_orderings_are_those_of_scipy(seed, levels, floor):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, levels, (3, 25)) * (rng.random((3, 25)) >= floor)
    rows = PixelRows(values)
    found = ordering(rows)
    np.testing.assert_array_equal(found.below, stats.rankdata(values, "min", axis=1) - 1)
    highest = stats.rankdata(values, "max", axis=1)
    np.testing.assert_array_equal(found.below + found.tied, highest)
    assert (np.diff(np.take_along_axis(values, found.order, axis=1), axis=1) >= 0).all()
    np.testing.assert_array_equal(np.sort(found.order, axis=1), np.tile(np.arange(25), (3, 1)))
    np.testing.assert_array_equal(centred_ranks(rows) + 13, stats.rankdata(values, axis=1))


SHAPES = {
    "smooth": lambda x: x,
    "both signs, large": lambda x: 1e60 * (x - 0.5),
    "tied": lambda x: np.round(x, 2),
    "alike in float32": lambda x: 1 + 1e-9 * x,
    "alike in float32 by twos": lambda x: x + 1e-9 * np.arange(x.size),
    "below float32": lambda x: 1e-50 * x,
    "two zeros": lambda x: np.where(x < 0.5, -0.0, 0.0),
    "skewed": lambda x: x**20,
    "marked in part": lambda x: np.maximum(x - 0.7, 0),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_many_values_are_ordered_as_by_a_stable_sort(shape):
    values = shape(np.random.default_rng(1).random(6000))
    found = ordering(PixelRows(values[None]))
    np.testing.assert_array_equal(found.order[0], np.argsort(values, kind="stable"))
    np.testing.assert_array_equal(found.below[0], stats.rankdata(values, "min") - 1)
    np.testing.assert_array_equal(found.below[0] + found.tied[0], stats.rankdata(values, "max"))


@pytest.mark.parametrize("marked", [0.05, 0.95])
def test_products_leave_out_only_pixels_that_add_nothing(marked):
    rng = np.random.default_rng(3)
    maps, field = rng.random((4, 500)), rng.random(500) < marked
    targets = field * rng.integers(0, 4, (5, 500))
    targets[0, rng.random(500) < 0.5] = 1
    targets[4] += 2  # above 0 everywhere
    for metric, of_targets in (
        (spearman, targets),
        (nss, targets),
        (correlation, targets),
        (auc, targets[:4] > 0),
        (relevance_mass_accuracy, targets[:4] > 0),
    ):
        found = metric.evaluate(maps, of_targets)
        for i, j in np.ndindex(found.shape):
            reference = REFERENCES[metric.name](maps[i], of_targets[j], None)
            assert found[i, j] == pytest.approx(reference, abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_shuffled_auc_of_all_pairs_takes_off_the_own_marks(ties):
    rng = np.random.default_rng(4)
    maps = rng.integers(0, 5, (3, 30)).astype(float) if ties else rng.random((3, 30))
    masks = rng.random((2, 5, 30)) < 0.3  # of two annotators, for whom other marks are negatives
    others = (masks.sum(axis=1, keepdims=True) - masks).reshape(10, 30)
    masks = masks.reshape(10, 30)
    order = rng.permutation(10)  # annotators need not follow on each other
    found = shuffled_auc.evaluate(maps, masks[order], others[order])
    for i, j in np.ndindex(found.shape):
        reference = REFERENCES["shuffled_auc"](maps[i], masks[order[j]], others[order[j]])
        assert found[i, j] == pytest.approx(reference, abs=1e-10)


def test_shuffled_auc_gives_nothing_for_a_shared_centre():
    rows, columns = np.mgrid[-7:8, -7:8]
    middle = np.exp(-(rows**2 + columns**2) / 20)
    central = middle > 0.6
    assert auc(middle, central) == 1.0
    assert shuffled_auc(middle, central, others=5 * central) == 0.5


def test_average_precision_by_hand():
    # marked are the first and the third from the top: precision 1 and 2/3
    assert average_precision([4, 3, 2, 1], [1, 0, 1, 0]) == pytest.approx((1 + 2 / 3) / 2)
    # level pixels are taken together: 2 of 3, for both marks
    assert average_precision([4, 4, 4, 1], [1, 0, 1, 0]) == pytest.approx(2 / 3)
