"""Resamples that are drawn when they are wanted."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.agreement.noise_ceiling import reliability
from attnxai.agreement.noise_ceiling.reliability import alpha_interval, krippendorff_alpha
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


def test_intervals_are_nearly_those_of_counts_that_are_kept(monkeypatch):
    values = np.random.default_rng(0).gamma(3.0, size=60)
    values[3] = np.nan
    kept = mean_interval(values, resamples_of(60, 4000, np.random.default_rng(1)))
    monkeypatch.setattr(resamples, "_MOST_KEPT", 100)
    counts = resamples_of(60, 4000, np.random.default_rng(1))
    assert isinstance(counts, Resamples)
    drawn = mean_interval(values, counts)
    assert drawn.method == kept.method
    np.testing.assert_allclose([drawn.low, drawn.high], [kept.low, kept.high], rtol=0.03)


def test_alpha_of_many_units_is_that_of_all_values(monkeypatch):
    rng = np.random.default_rng(0)
    ratings = rng.normal(size=60) + 0.5 * rng.normal(size=(3, 60))
    ratings[0, :5] = np.nan
    expected, interval = krippendorff_alpha(ratings), alpha_interval(ratings, n_bootstrap=2000)
    monkeypatch.setattr(reliability, "_MOST_UNITS", 10)
    assert krippendorff_alpha(ratings) == pytest.approx(expected, rel=1e-12)
    monkeypatch.setattr(resamples, "_MOST_KEPT", 100)
    drawn = alpha_interval(ratings, n_bootstrap=2000)
    assert drawn.value == pytest.approx(interval.value, rel=1e-12)
    np.testing.assert_allclose([drawn.low, drawn.high], [interval.low, interval.high], atol=0.03)
