"""Resamples that are drawn when they are wanted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from attnxai.agreement.noise_ceiling.reliability import alpha_interval
from attnxai.statistics import resamples
from attnxai.statistics.bootstrap import mean_interval
from attnxai.statistics.resamples import Resamples, resamples_of


def test_rows_masks_and_products_are_those_of_one_array():
    counts = Resamples(200, 30, 7)
    whole = counts[:]
    assert whole.shape == (200, 30)
    assert (whole.sum(axis=1) == 30).all()
    np.testing.assert_array_equal(counts[5:9], whole[5:9])
    columns = np.random.default_rng(0).random((30, 3))
    np.testing.assert_allclose(counts @ columns, whole @ columns)
    mask = np.arange(30) % 2 == 0
    np.testing.assert_allclose(counts[:, mask] @ columns[mask], whole[:, mask] @ columns[mask])
    # a unit occurs once on average, with the variance of a multinomial count
    assert abs(whole.mean() - 1) < 1e-12
    assert abs(whole.var() - 29 / 30) < 0.1


WEIGHTS = {
    "equal": lambda values: None,
    "of their own": lambda values: np.random.default_rng(7).random(len(values)) + 0.1,
    "larger with the values": lambda values: np.exp(np.nan_to_num(values) / 8),
    "smaller with the values": lambda values: np.exp(-np.nan_to_num(values) / 8),
}


@pytest.mark.parametrize("of", WEIGHTS)
def test_intervals_of_many_sources_are_those_of_the_studentized_bootstrap(monkeypatch, of):
    rng = np.random.default_rng(0)
    values = rng.normal(size=2000) + rng.exponential(size=2000)
    values[3] = np.nan
    weights = WEIGHTS[of](values)
    monkeypatch.setattr(resamples, "MOST_KEPT", 1 << 30)
    kept = mean_interval(values, resamples_of(2000, 9999, rng), weights=weights)
    monkeypatch.undo()
    many = mean_interval(values, resamples_of(2000, 9999, rng), weights=weights)
    assert "studentized" in kept.method
    assert "Hall 1992" in many.method
    assert many.value == kept.value
    width = kept.high - kept.low
    for end in ("low", "high"):
        assert abs(getattr(many, end) - getattr(kept, end)) < 0.02 * width


def test_coverage_of_intervals_without_resamples():
    rng = np.random.default_rng(1)
    counts = resamples_of(1500, 10_000, rng)
    below = above = 0
    for _ in range(4000):
        found = mean_interval(rng.exponential(size=1500), counts)
        below, above = below + (found.high < 1), above + (found.low > 1)
    for missed in (below, above):
        low, high = binom.ppf([0.0005, 0.9995], 4000, 0.025)
        assert low <= missed <= high


@pytest.mark.parametrize("few", ["defined", "weighed", "given"])
def test_few_values_are_resampled_however_many_resamples_are_asked_for(monkeypatch, few):
    rng = np.random.default_rng(2)
    values, weights = rng.normal(size=1200), np.ones(1200)
    if few == "defined":
        values[20:] = np.nan
    if few == "weighed":
        weights[20:] = 1e-6
    if few == "given":
        values, weights = values[:20], weights[:20]
        monkeypatch.setattr(resamples, "MOST_KEPT", 100)
    counts = resamples_of(len(values), 10_000, rng)
    assert isinstance(counts, Resamples)
    found = mean_interval(values, counts, weights=weights)
    assert "studentized" in found.method


def test_values_that_few_sources_dominate_are_resampled(monkeypatch):
    monkeypatch.setattr(resamples, "MOST_KEPT", 100)
    values = np.random.default_rng(0).random(1300)
    values[7] = 1000.0
    found = mean_interval(values, resamples_of(1300, 500, np.random.default_rng(1)))
    assert "Hall" not in found.method


def test_alpha_of_many_units_is_that_of_all_values(monkeypatch):
    rng = np.random.default_rng(0)
    ratings = rng.normal(size=60) + 0.5 * rng.normal(size=(3, 60))
    ratings[0, :5] = np.nan
    interval = alpha_interval(ratings, n_bootstrap=2000)
    monkeypatch.setattr(resamples, "MOST_KEPT", 100)
    drawn = alpha_interval(ratings, n_bootstrap=2000)
    assert drawn.value == interval.value
    np.testing.assert_allclose([drawn.low, drawn.high], [interval.low, interval.high], atol=0.03)


def test_resamples_within_strata_keep_their_sizes_and_the_order_of_the_units():
    labels = np.array([0, 1, 1, 0, 1, -1, 0, 1])
    counts = Resamples(50, 8, 3, strata=labels)
    assert counts.shape == (50, 8)
    for label in (-1, 0, 1):
        assert (counts[:50][:, labels == label].sum(axis=1) == (labels == label).sum()).all()
    order = np.random.default_rng(0).permutation(8)
    picked = counts[:, order][:, order > 2]
    assert picked.shape == (50, 5)
    np.testing.assert_array_equal(picked[:50], counts[:50][:, order[order > 2]])
