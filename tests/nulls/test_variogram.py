"""Surrogates with a matched variogram, against sums over all pairs of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from attnxai.nulls.variogram import FootprintLags, VariogramSurrogates, variogram_surrogates
from tests.nulls.fields import smooth_fields


def irregular(seed=0, n=24):
    """About a third of the field: the highest pixels of a smooth map."""
    field = smooth_fields(np.random.default_rng(seed), 1, n, sigma=4.0)[0]
    return field > np.quantile(field, 0.65)


def test_variogram_equals_the_sum_over_pairs():
    where = irregular()
    lags = FootprintLags(where)
    values = np.random.default_rng(1).random((2, int(where.sum())))
    pixels = np.argwhere(where).astype(float)
    distance = cdist(pixels, pixels)
    near = (distance > 0) & (distance <= lags.distances[-1] + 1)
    bandwidth = max(3 * (lags.distances[1] - lags.distances[0]), 0.5)
    for row, found in zip(values, lags.variograms(values), strict=True):
        halves = (row[:, None] - row[None, :]) ** 2 / 2
        for h, value in zip(lags.distances, found, strict=True):
            weights = np.exp(-((2.68 * (h - distance)) ** 2) / (2 * bandwidth**2)) * near
            assert value == pytest.approx((weights * halves).sum() / weights.sum(), rel=1e-9)


def test_a_quarter_of_the_pairs_is_looked_at():
    where = irregular()
    pixels = np.argwhere(where).astype(float)
    distance = cdist(pixels, pixels)[np.triu_indices(len(pixels), 1)]
    assert FootprintLags(where).distances[-1] == pytest.approx(
        np.quantile(distance, 0.25, method="inverted_cdf")
    )


def test_smoothing_equals_weighted_means():
    where = irregular()
    lags = FootprintLags(where)
    values = np.random.default_rng(1).random((1, int(where.sum())))
    pixels = np.argwhere(where).astype(float)
    weights = np.exp(-(cdist(pixels, pixels) ** 2) / (2 * 1.7**2))
    expected = weights @ values[0] / weights.sum(axis=1)
    np.testing.assert_allclose(lags.smoothed(values, 1.7)[0], expected, rtol=1e-9)


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_variograms_match_within_tolerance(sigma):
    """On average over maps; single maps have sills of their own when they are given the map's values."""
    where = irregular(n=40)
    lags = FootprintLags(where)
    rng = np.random.default_rng(0)
    ratios = {keep: [] for keep in (True, False)}
    white = []
    for field in smooth_fields(rng, 24, 40, sigma=sigma):
        values = field[where]
        wanted = lags.variograms(values[None])[0]
        for keep, found in ratios.items():
            surrogates = variogram_surrogates(values, where, 10, keep_values=keep, rng=rng)
            found.append(lags.variograms(surrogates).mean(axis=0) / wanted)
        permuted = rng.permuted(np.tile(values, (10, 1)), axis=1)
        white.append(lags.variograms(permuted).mean(axis=0) / wanted)
    for keep, found in ratios.items():
        mean = np.mean(found, axis=0)
        assert np.abs(mean - 1).mean() < (0.25 if keep else 0.1)
        assert np.abs(mean - 1).max() < 0.6
    assert np.mean(white, axis=0).max() > 2.5


def test_values_are_kept_when_asked_for():
    where = irregular()
    values = np.exp(np.random.default_rng(0).normal(size=int(where.sum())))
    for surrogate in variogram_surrogates(values, where, 3, rng=np.random.default_rng(1)):
        np.testing.assert_array_equal(np.sort(surrogate), np.sort(values))
    free = variogram_surrogates(values, where, 3, keep_values=False, rng=np.random.default_rng(1))
    assert not np.isin(free, values).any()


def test_batches_change_nothing(monkeypatch):
    where = irregular()
    values = np.random.default_rng(0).random(int(where.sum()))
    whole = variogram_surrogates(values, where, 5, rng=np.random.default_rng(1))
    monkeypatch.setattr("attnxai.nulls.variogram._BATCH_PIXELS", 1)
    np.testing.assert_array_equal(
        whole, variogram_surrogates(values, where, 5, rng=np.random.default_rng(1))
    )


@pytest.mark.parametrize("shape", [(1, 16), (16, 1), (4, 4)])
def test_narrow_footprints_and_constant_maps(shape):
    where = np.ones(shape, bool)
    rng = np.random.default_rng(0)
    values = rng.random(16)
    assert np.isfinite(variogram_surrogates(values, where, 3, rng=rng)).all()
    constant = variogram_surrogates(np.full(16, 2.5), where, 3, rng=rng)
    np.testing.assert_array_equal(constant, np.full((3, 16), 2.5))


@pytest.mark.parametrize(("n_pixels", "used"), [(15, 0), (16, 16)])
def test_footprints_have_16_pixels_or_more(n_pixels, used):
    where = np.zeros((5, 5), bool)
    where.flat[:n_pixels] = True
    found = VariogramSurrogates(n_surrogates=1).surrogates(
        np.eye(5), where, np.random.default_rng(0)
    )
    assert found[0].sum() == used
    assert found[1].shape == (2, used)
