"""Emission, ring and empty sky in the scores of networks that end in global average pooling."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import attnxai
from attnxai.audit.evidence_location_statistics import locate_evidence
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
    by_zone = [sums.scores_from(zone, chosen).scores for zone in Zone]
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
    relative, absolute = sums.relative[:, 0], sums.absolute[:, 0]
    np.testing.assert_allclose(relative[:, [Zone.RING, Zone.EMPTY_SKY]], 0.0, atol=1e-9)
    np.testing.assert_allclose(
        relative[:, Zone.EMISSION], np.array([2.0, 3.0]) / n_cells, rtol=1e-5
    )
    np.testing.assert_allclose(absolute[:, Zone.EMPTY_SKY], -2 * empty, rtol=1e-5)
    alone = sums.scores_from(Zone.EMPTY_SKY, np.array([True, True])).scores
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


def test_maps_alone_say_how_their_network_is_measured() -> None:
    """Not that it could not be: the same network is split where it is given."""
    model = wrapped(seeded(ResidualNetwork))
    images = sources(12, 2)
    maps = attnxai.explain(model, images, "cam")
    alone = locate_evidence(maps, [image.class_name for image in images], n_bootstrap=99)
    assert alone.not_split == (
        "that takes the network and not its maps alone; in Python, give the report locations={'Residual"
        "Network': attnxai.audit.evidence_location(model, images, method=['cam'], classes=annotations.classes)}"
    )
    for name, how in (
        ("d8.pt", "attnxai audit --model d8.pt --maps m.zarr measures it"),
        (
            "D8",
            "attnxai audit --model MODEL --maps m.zarr measures it, where MODEL is the file of D8",
        ),
    ):
        facts = {**maps.provenance, "maps_model": name, "maps_file": "m.zarr"}
        of_file = dataclasses.replace(maps, provenance=facts)
        told = locate_evidence(of_file, [one.class_name for one in images], n_bootstrap=99)
        assert told.not_split == f"that takes the network and not its maps alone; {how}"
    flat = nn.Sequential(nn.Conv2d(1, 1, 5, stride=4), nn.Flatten(), nn.Linear(121, 2))
    found = attnxai.audit.evidence_location(wrapped(flat), images, n_bootstrap=99)
    assert "are not sums over pixels of a feature map" in found.not_split


def test_classes_are_named_in_any_spelling() -> None:
    module, images = seeded(ResidualNetwork), sources(12, 2)
    model = wrapped(module, class_names=("FRI", "fr_2"))
    assert model.class_names == CLASSES
    as_annotated = {image.source: f"fr{1 + i % 2}" for i, image in enumerate(images)}
    found = attnxai.audit.evidence_location(model, images, classes=as_annotated, n_bootstrap=99)
    assert found.classes == {"FR I": 6, "FR II": 6}
    assert not found.notes


def test_classes_of_other_names_are_said_to_be_others() -> None:
    model = wrapped(seeded(ResidualNetwork), class_names=("type 1", "type 2"))
    found = attnxai.audit.evidence_location(model, sources(12, 2), n_bootstrap=99)
    note = (
        "The classes of the model (type 1, type 2) are not those of the sources (FR I, FR II), so neither its accuracy nor "
        "what depends on the class is known; name them alike."
    )
    assert found.notes == (note,)
    assert found.summary().splitlines()[:2] == [
        "ResidualNetwork, 12 sources whose split is unknown",
        note,
    ]


def test_an_accuracy_below_chance_says_that_classes_are_swapped() -> None:
    images = sources(16, 2)
    maps = attnxai.explain(wrapped(seeded(ResidualNetwork)), images, "cam")
    classes = [image.class_name for image in images]
    margin = np.where(np.array(classes) == "FR II", 1.0, -1.0)
    margin[0] *= -1
    right, swapped = (
        locate_evidence(
            dataclasses.replace(maps, scores=np.stack([-sign * margin, sign * margin], axis=1)),
            classes,
            n_bootstrap=99,
        )
        for sign in (1, -1)
    )
    assert not right.notes
    (note,) = swapped.notes
    assert note == (
        "The accuracy of the model is below chance (6 % of 16 sources): its class scores are probably in another order "
        "than FR I, FR II."
    )
