"""Moran spectral surrogates keep mean, variance and Moran's I, and nothing of where things lie."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.errors import OptionError
from attnxai.metrics import METRICS
from attnxai.nulls import MoranSurrogates
from attnxai.nulls.moran import moran_surrogates, moran_weights
from tests.nulls.fields import density, disc, smooth_fields
from tests.nulls.test_variogram import irregular


def moran_i(values, weights):
    """By its definition, for maps (..., n_pixels)."""
    d = values - values.mean(axis=-1, keepdims=True)
    total = np.einsum("ij,...i,...j->...", weights, d, d)
    return d.shape[-1] / weights.sum() * total / (d**2).sum(axis=-1)


def test_weights_are_inverse_distances():
    where = irregular()
    weights = moran_weights(where)
    pixels = np.argwhere(where)
    assert weights[0, 5] == weights[5, 0]
    assert weights[0, 5] == pytest.approx(1 / np.hypot(*(pixels[0] - pixels[5])))
    assert not np.diagonal(weights).any()


@pytest.mark.parametrize("where", [irregular(), disc(12), np.ones((5, 9), bool)])
def test_mean_variance_and_moran_i_are_kept(where):
    """On irregular footprints, and on symmetric ones, whose eigenvalues coincide."""
    rng = np.random.default_rng(1)
    values = np.exp(smooth_fields(rng, 1, 24)[0][: where.shape[0], : where.shape[1]][where])
    surrogates = moran_surrogates(values, where, 20, rng=rng)
    weights = moran_weights(where)
    np.testing.assert_allclose(moran_i(surrogates, weights), moran_i(values, weights), rtol=1e-9)
    np.testing.assert_allclose(surrogates.mean(axis=1), values.mean(), rtol=1e-9)
    np.testing.assert_allclose(surrogates.std(axis=1), values.std(), rtol=1e-9)


def test_every_eigenvector_keeps_its_share():
    where = irregular()
    n = int(where.sum())
    centring = np.eye(n) - 1 / n
    eigenvalues, vectors = np.linalg.eigh(centring @ moran_weights(where) @ centring)
    values = np.random.default_rng(0).random(n)
    surrogate = moran_surrogates(values, where, 1, rng=np.random.default_rng(1))[0]
    alone = np.abs(np.subtract.outer(eigenvalues, eigenvalues) + 9 * np.eye(n)).min(axis=1) > 1e-3
    alone &= np.abs(vectors.sum(axis=0)) < 1e-6
    assert alone.sum() > 50
    np.testing.assert_allclose(
        np.abs(vectors[:, alone].T @ surrogate), np.abs(vectors[:, alone].T @ values), atol=1e-7
    )
    signs = np.sign((vectors[:, alone].T @ surrogate) * (vectors[:, alone].T @ values))
    assert 0.25 < (signs > 0).mean() < 0.75


def test_surrogates_do_not_depend_on_the_choice_of_eigenvectors(monkeypatch):
    where = disc(8)
    values = np.random.default_rng(0).random(int(where.sum()))
    first = moran_surrogates(values, where, 3, rng=np.random.default_rng(2))
    eigh = np.linalg.eigh

    def other_eigenvectors(matrix):
        eigenvalues, vectors = eigh(matrix)
        vectors = vectors * np.where(np.arange(len(vectors)) % 2, -1.0, 1.0)
        for i in range(len(eigenvalues) - 1):
            if eigenvalues[i + 1] - eigenvalues[i] < 1e-9:
                turn = np.array([[0.6, -0.8], [0.8, 0.6]])
                vectors[:, i : i + 2] = vectors[:, i : i + 2] @ turn
        return eigenvalues, vectors

    monkeypatch.setattr(np.linalg, "eigh", other_eigenvectors)
    second = moran_surrogates(values, where, 3, rng=np.random.default_rng(2))
    np.testing.assert_allclose(first, second, rtol=1e-7, atol=1e-9)


def test_surrogates_are_as_often_opposite():
    where = irregular()
    values = smooth_fields(np.random.default_rng(0), 1, 24)[0][where]
    surrogates = moran_surrogates(values, where, 400, rng=np.random.default_rng(1))
    correlations = np.corrcoef(np.vstack([values[None], surrogates]))[0, 1:]
    assert abs(correlations.mean()) < 4 * correlations.std() / 20


def test_metrics_that_refuse_signed_maps_have_no_value():
    rng = np.random.default_rng(0)
    maps = np.exp(2 * smooth_fields(rng, 1, 24))
    masks = {"mask": (smooth_fields(rng, 1, 24) > 1)[None]}
    mass = METRICS["relevance_mass_accuracy"]
    table = MoranSurrogates(n_surrogates=9).tables(
        [mass], maps, masks, irregular(0)[None], rng=rng
    )[0, 0, 0]
    assert np.isfinite(table[0])
    assert np.isnan(table[1:]).any()


def test_footprints_beyond_the_limit_are_refused():
    MoranSurrogates(max_pixels=100).check(np.ones((1, 10, 10), bool))
    with pytest.raises(OptionError, match=r"source number 2 has 100.*matched variogram"):
        MoranSurrogates(max_pixels=99).tables(
            [METRICS["nss"]],
            np.ones((2, 10, 10)),
            density(np.ones((2, 10, 10))),
            np.stack([disc(10), np.ones((10, 10), bool)]),
            rng=np.random.default_rng(0),
        )
