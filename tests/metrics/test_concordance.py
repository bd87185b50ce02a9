"""Kendall's tau-b against scipy, for masks, densities and what lies between."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from attnxai.metrics import Consensus, auc, kendall
from tests.metrics.test_registry import random_pair


@given(
    seed=st.integers(0, 10_000),
    size=st.integers(2, 90),
    map_levels=st.sampled_from([2, 5, 10_000]),
    target_levels=st.sampled_from([2, 3, 8, 10_000]),
    floor=st.sampled_from([0.0, 0.5, 0.9]),
)
def test_kendall_equals_scipy(seed, size, map_levels, target_levels, floor):
    rng = np.random.default_rng(seed)
    map = rng.integers(0, map_levels, size).astype(float)
    target = rng.integers(0, target_levels, size) * (rng.random(size) >= floor)
    expected = stats.kendalltau(map, target).statistic
    assert kendall(map, target) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("kind", ["density", "smooth", "mask"])
def test_kendall_of_a_whole_field_equals_scipy(kind):
    rng = np.random.default_rng(2)
    map = rng.normal(size=3000)
    smooth = np.exp(-(np.linspace(-3, 3, 3000) ** 2) / 2) + 0.001 * rng.random(3000)
    target = {
        "smooth": smooth,
        "density": smooth * (smooth > 0.4),
        "mask": (smooth > 0.4).astype(float),
    }[kind]
    expected = stats.kendalltau(map + smooth, target).statistic
    assert abs(expected) > 0.1
    assert kendall(map + smooth, target) == pytest.approx(expected, abs=1e-12)


def test_kendall_of_many_maps_is_merged_in_parts(monkeypatch):
    monkeypatch.setattr("attnxai.metrics.concordance._CHUNK", 100)
    rng = np.random.default_rng(3)
    maps = rng.random((7, 60))
    maps[2] = np.round(maps[2], 1)
    targets = rng.random((3, 60)) * (rng.random((3, 60)) < 0.7)
    found = kendall.evaluate(maps, targets)
    for i, j in np.ndindex(found.shape):
        assert found[i, j] == pytest.approx(stats.kendalltau(maps[i], targets[j]).statistic)


@pytest.mark.parametrize("seed", range(3))
def test_kendall_of_a_mask_is_the_auc_on_another_scale(seed):
    values, mask, _ = random_pair(seed, ties=True)
    n, k = mask.size, mask.sum()
    _, counts = np.unique(values, return_counts=True)
    not_tied = (n * (n - 1) - (counts * (counts - 1)).sum()) / 2
    expected = (2 * auc(values, mask) - 1) * np.sqrt(k * (n - k) / not_tied)
    assert kendall(values, mask) == pytest.approx(expected, abs=1e-12)


def test_annotators_agree_on_ranks():
    assert kendall.consensus is Consensus.RANKS
