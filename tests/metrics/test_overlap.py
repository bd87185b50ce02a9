"""Region metrics by hand, and against drawing lots for ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom
from sklearn.metrics import f1_score, jaccard_score

from attnxai.errors import OptionError
from attnxai.metrics import (
    PixelRows,
    dice,
    iou,
    pointing_game,
    relevance_mass_accuracy,
    relevance_rank_accuracy,
    top_intersection,
    widened_mask,
)
from tests.metrics.test_registry import random_pair


def highest(values, k, rng):
    """The k highest pixels, lots deciding between those that are level."""
    order = np.lexsort((rng.random(values.size), -values.ravel()))
    chosen = np.zeros(values.size, bool)
    chosen[order[:k]] = True
    return chosen


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
    draws = [marked.ravel()[highest(tied, k, rng)].mean() for _ in range(4000)]
    error = np.std(draws) / np.sqrt(len(draws))
    assert relevance_rank_accuracy(tied, marked) == pytest.approx(np.mean(draws), abs=4 * error)


@given(seed=st.integers(0, 10_000))
def test_dice_and_iou_at_the_own_area_equal_scikit_learn(seed):
    values, mask, _ = random_pair(seed, ties=False)
    region = highest(values, int(mask.sum()), np.random.default_rng(0))
    found = dice(values, mask)
    assert found == pytest.approx(f1_score(mask.ravel(), region), abs=1e-12)
    assert found == relevance_rank_accuracy(values, mask)
    assert iou(values, mask) == pytest.approx(jaccard_score(mask.ravel(), region), abs=1e-12)


@pytest.mark.parametrize("n_pixels", [1, 10, 17_000])
def test_iou_by_chance_is_that_of_a_hypergeometric_overlap(n_pixels):
    areas = sorted({0, 1, n_pixels // 40, n_pixels // 2, (4 * n_pixels) // 5, n_pixels})
    masks = np.array([np.arange(n_pixels) < k for k in areas], dtype=float)
    expected = []
    for k in areas:
        both = np.arange(k + 1)
        share = both / np.maximum(2 * k - both, 1)
        expected.append((hypergeom.pmf(both, n_pixels, k, k) * share).sum())
    assert iou.chance_of(PixelRows(masks)) == pytest.approx(expected, rel=1e-10)


def test_iou_with_ties_is_that_of_fuzzy_sets():
    values = np.array([5.0, 1.0, 1.0, 1.0])
    mask = np.array([True, True, False, False])
    members = np.array([1.0, 1 / 3, 1 / 3, 1 / 3])
    expected = np.minimum(members, mask).sum() / np.maximum(members, mask).sum()
    assert iou(values, mask) == pytest.approx(expected)


def test_top_intersection_by_hand():
    map = [9, 8, 7, 0, 0, 0, 0, 0, 0, 1]
    density = [0, 3, 5, 4, 0, 0, 0, 0, 0, 0]
    # the three highest are pixels 0 1 2 and 1 2 3
    assert top_intersection(map, density, fraction=0.3) == pytest.approx(2 / 3)
    # one pixel each, 0 and 2
    assert top_intersection(map, density) == 0.0
    # five: beside 0 1 2 and 9 one of six level pixels of the map, beside 1 2 3 two of seven of the
    # density: 1 and 2 surely, 3 by 1/6, 0 and 9 by 2/7, and the five that are level in both
    expected = (2 + 1 / 6 + 2 * 2 / 7 + 5 * (1 / 6) * (2 / 7)) / 5
    assert top_intersection(map, density, fraction=0.5) == pytest.approx(expected)
    for fraction in (0.0, 1.0, -1.0, np.nan):
        with pytest.raises(OptionError, match="fraction"):
            top_intersection(map, density, fraction=fraction)


@pytest.mark.parametrize("seed", range(2))
def test_top_intersection_gives_the_expectation_over_breaking_ties(seed):
    rng = np.random.default_rng(seed)
    map, density = rng.integers(0, 4, 40).astype(float), rng.integers(0, 3, 40).astype(float)
    draws = [(highest(map, 10, rng) & highest(density, 10, rng)).sum() / 10 for _ in range(4000)]
    error = np.std(draws) / np.sqrt(len(draws))
    found = top_intersection(map, density, fraction=0.25)
    assert found == pytest.approx(np.mean(draws), abs=4 * error)


def test_pointing_game_by_hand():
    mask = [[True, False, False], [True, False, False]]
    assert pointing_game([[5, 1, 1], [1, 1, 1]], mask) == 1.0
    assert pointing_game([[1, 5, 1], [1, 1, 1]], mask) == 0.0
    # of three pixels that are highest one is marked
    assert pointing_game([[5, 5, 1], [1, 5, 1]], mask) == pytest.approx(1 / 3)


def test_widened_masks_reach_as_far_as_they_say():
    map = np.zeros((7, 7))
    map[3, 3] = 1.0
    mask = np.zeros((7, 7), bool)
    assert not widened_mask(mask, 9).any()
    mask[1, 2] = True
    # sqrt(5) pixels away
    assert pointing_game(map, widened_mask(mask, 2.23)) == 0.0
    assert pointing_game(map, widened_mask(mask, 2.24)) == 1.0
    # a mark that reaches everything tells nothing
    assert np.isnan(pointing_game(map, widened_mask(mask, 20)))
    np.testing.assert_array_equal(widened_mask(mask, 0), mask)
    with pytest.raises(OptionError, match="radius -1"):
        widened_mask(mask, -1)
    with pytest.raises(OptionError, match="rows and columns"):
        widened_mask(mask.ravel(), 1)


def test_top_intersection_takes_five_per_cent_of_the_pixels():
    map = np.arange(100.0, 0.0, -1.0)
    density = np.zeros(100)
    # the five highest pixels of the map are 0 to 4, of the density 0, 1, 2, 3 and 50; the sixth are 5 and 51
    density[[0, 1, 2, 3, 50, 51]] = [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]
    assert top_intersection(map, density) == pytest.approx(4 / 5)
    assert top_intersection.chance_of(PixelRows(density[None])) == pytest.approx(5 / 100)
    # 5 % of 38 pixels are 1.9, to the nearest whole number 2
    assert top_intersection.chance_of(PixelRows(density[None, :38])) == pytest.approx(2 / 38)
