"""Emission, ring and empty sky in the scores of networks that end in global average pooling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import attnxai
from attnxai.audit.pooled_sums import pooled_sums
from attnxai.classification.prediction import class_scores
from attnxai.data.emission import Zone
from attnxai.data.images import from_array
from attnxai.models.model import AttentionModel
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.wrapped import wrap
from tests.models.ordinary_networks import PREPROCESSING, ResidualNetwork, seeded, sources

CLASSES = ("FR I", "FR II")


def wrapped(module: nn.Module, **options: Any) -> AttentionModel:
    return wrap(module, **{"preprocessing": PREPROCESSING, "class_names": CLASSES, **options})


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_zones_and_bias_add_up_to_the_scores(n_outputs: int) -> None:
    model = wrapped(seeded(ResidualNetwork, n_outputs=n_outputs))
    images = sources(18, 2)  # more than a batch
    sums = pooled_sums(model, images)
    assert sums is not None
    scores = class_scores(model, images)
    np.testing.assert_allclose(sums.by_zone.sum(axis=2) + sums.bias, scores, atol=1e-5)
    np.testing.assert_allclose(sums.areas.sum(axis=1), 1.0, atol=1e-6)
    chosen = np.arange(18) < 10
    by_zone = [sums.scores_from(zone, chosen) for zone in Zone]
    # the means of the zones together are the mean score
    for one in by_zone:
        np.testing.assert_allclose(one.mean(axis=0), scores[chosen].mean(axis=0), atol=1e-5)
    deviations = sum(one - one.mean(axis=0) for one in by_zone)
    np.testing.assert_allclose(deviations, scores[chosen] - scores[chosen].mean(axis=0), atol=1e-5)


def test_one_bright_pixel_by_hand() -> None:
    """A network that adds up brightness, on images of a single pixel of emission."""
    last = nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        last.weight[:] = torch.tensor([[1.0], [3.0]])
    module = nn.Sequential(nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), last)
    pixels = np.zeros((2, 40, 40), np.float32)
    pixels[0, 20, 20], pixels[1, 3, 4], pixels[1, 3, 5] = 1.0, 1.0, 0.5
    images = [
        from_array(one, source=f"s{i}", prepared=True, pixel_scale_arcsec=1.8)
        for i, one in enumerate(pixels)
    ]
    model = wrapped(module, preprocessing=Preprocessing(size=40, mean=0.5))
    sums = pooled_sums(model, images, ring_pixels=5.0)
    assert sums is not None
    n_cells = 1600
    areas = sums.areas * n_cells
    np.testing.assert_allclose(areas[:, Zone.EMISSION], [1, 2])
    # pixels become brightness - 0.5, each of which counts for a 1600th
    emission = np.array([0.5, 0.5 + 0.0]) / n_cells
    empty = -0.5 * areas[:, Zone.EMPTY_SKY] / n_cells
    np.testing.assert_allclose(sums.by_zone[:, 0, Zone.EMISSION], emission, atol=1e-7)
    np.testing.assert_allclose(sums.by_zone[:, 1, Zone.EMPTY_SKY], 3 * empty, rtol=1e-5)
    # relative to empty sky nothing is left of it
    relative, absolute = (sums.magnitudes(relative=flag)[:, 0] for flag in (True, False))
    np.testing.assert_allclose(relative[:, [Zone.RING, Zone.EMPTY_SKY]], 0.0, atol=1e-9)
    np.testing.assert_allclose(
        relative[:, Zone.EMISSION], np.array([2.0, 3.0]) / n_cells, rtol=1e-5
    )
    np.testing.assert_allclose(absolute[:, Zone.EMPTY_SKY], -2 * empty, rtol=1e-5)
    alone = sums.scores_from(Zone.EMPTY_SKY, np.array([True, True]))
    others = (sums.by_zone[:, :, Zone.EMISSION] + sums.by_zone[:, :, Zone.RING]).mean(axis=0)
    np.testing.assert_allclose(alone, sums.by_zone[:, :, Zone.EMPTY_SKY] + others)


def test_a_network_without_such_averages_is_not_split() -> None:
    flat = nn.Sequential(nn.Conv2d(1, 1, 5, stride=4), nn.Flatten(), nn.Linear(121, 2))
    model = wrapped(flat)
    assert pooled_sums(model, sources(2, 2)) is None
    model = wrapped(seeded(ResidualNetwork))
    modes = [one.training for one in model.network.modules()]
    pooled_sums(model, sources(2, 2))
    assert [one.training for one in model.network.modules()] == modes


def test_the_audit_splits_the_scores_of_such_a_network() -> None:
    model = wrapped(seeded(ResidualNetwork))
    found = attnxai.audit.evidence_location(model, sources(12, 2), method="cam", n_bootstrap=200)
    assert [zone.zone for zone in found.zones] == ["emission", "ring", "empty sky"]
    assert not found.not_split
    assert [one.name for one in found.maps] == ["cam"]
    assert "Empty sky alone: accuracy" in found.summary()
