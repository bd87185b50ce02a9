"""Scores from one zone of the sky alone, against a plain loop, scikit-learn, and the first d8.pt on MiraBest."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

import attnxai
from attnxai.audit import evidence_location
from attnxai.audit.class_shares import SourceClasses
from attnxai.audit.evidence_location_statistics import accuracy_from
from attnxai.audit.zone_sums import ZoneReader, ZoneScores, ZoneSums
from attnxai.data.emission import Zone
from attnxai.data.images import SourceSet, from_array
from attnxai.errors import OptionError
from attnxai.explanations.inputs import NetworkInputs
from attnxai.models.evaluation import evaluating
from attnxai.models.specification import Aggregation, Normalisation
from tests.explanations.conftest import build_model

SIDE = 26
RING = 5
FIRST_D8 = Path(__file__).with_name("first_d8.pt")


def sources(n: int, *, class_names=("FR I", "FR II")) -> SourceSet:
    """Small sources on blank sky, each with a class."""
    rng = np.random.default_rng(5)
    found = []
    for i in range(n):
        pixels = np.zeros((SIDE, SIDE), np.uint8)
        row, column = rng.integers(4, SIDE - 8, 2)
        pixels[row : row + 3, column : column + 2 + i % 3] = rng.integers(60, 255)
        image = from_array(
            pixels,
            source=f"x{i}",
            pixel_scale_arcsec=1.8,
            class_name=class_names[i % len(class_names)],
        )
        found.append(image)
    return SourceSet(found)


def gated_features(model, images) -> list[np.ndarray]:
    """What comes out of every gate, (n, channels, rows, columns), read by own hooks."""
    kept: list[torch.Tensor] = []
    handles = [
        gate.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
        for gate in model.network.gates
    ]
    with evaluating(model.network):
        for batch in NetworkInputs.of(model, images).batches(len(images)):
            model.network(batch)
    for handle in handles:
        handle.remove()
    return [values.double().numpy() for values in kept]


def zone_by_loop(mask: np.ndarray, row: int, column: int, step: int, origin: int) -> Zone:
    """Zone of a cell of a grid, by distances in cells to the cells that hold emission."""
    holding = {((r - origin) // step, (c - origin) // step) for r, c in np.argwhere(mask).tolist()}
    nearest = min(abs(row - r) + abs(column - c) for r, c in holding)
    if nearest == 0:
        return Zone.EMISSION
    return Zone.RING if nearest * step <= RING else Zone.EMPTY_SKY


@pytest.mark.parametrize(
    ("aggregation", "binning"), [*((one, 1) for one in Aggregation), ("concat", 3)]
)
def test_scores_from_a_zone_are_those_of_a_plain_loop(aggregation, binning):
    model = build_model(aggregation=aggregation, binning=binning, side=SIDE)
    images = sources(6)
    reader = ZoneReader(ring_pixels=RING)
    maps = attnxai.explain(model, images, readers=[reader])
    sums = reader.sums()
    assert maps.brightness.shape == (6, SIDE, SIDE)  # in pixels of the images, whatever the binning
    gated = gated_features(model, images)
    by_zone = [np.zeros((6, values.shape[1], 3)) for values in gated]
    for gate, (values, geometry) in enumerate(zip(gated, maps.geometry.values(), strict=True)):
        step = round(geometry.step)
        first_edge = round(geometry.origin_x - (step - 1) / 2)
        for i in range(6):
            for row in range(values.shape[2]):
                for column in range(values.shape[3]):
                    zone = zone_by_loop(maps.brightness[i] > 0, row, column, step, first_edge)
                    by_zone[gate][i, :, zone] += values[i, :, row, column]
    for zone in Zone:
        pooled = []
        for values in by_zone:
            others = sum(values[:, :, other].mean(axis=0) for other in Zone if other != zone)
            pooled.append(torch.from_numpy(values[:, :, zone] + others).float())
        n_cells = [values.shape[2] * values.shape[3] for values in gated]
        if model.network.spec.feature_sum == "mean":
            pooled = [values / n for values, n in zip(pooled, n_cells, strict=True)]
        with torch.no_grad():
            expected = model.network._aggregate(pooled).numpy()
        found = sums.scores_from(zone, np.ones(6, bool)).scores
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert np.isclose(sums.areas.sum(axis=1), 1.0).all()


def test_accuracies_and_aucs_are_those_of_the_scores():
    model, images = build_model(side=SIDE), sources(30)
    labels = np.arange(30) % 2
    reader = ZoneReader(ring_pixels=RING)
    maps = attnxai.explain(model, images, readers=[reader])
    sums = reader.sums()
    found = evidence_location(model, images, rng=0, ring_pixels=RING, n_bootstrap=300)
    assert found.auc.value == pytest.approx(roc_auc_score(labels, np.diff(maps.scores)[:, 0]))
    n_correct = int((maps.scores.argmax(axis=1) == labels).sum())
    exact = binomtest(n_correct, 30).proportion_ci(method="exact")
    assert (found.accuracy.low, found.accuracy.high) == pytest.approx((exact.low, exact.high))
    for zone, one in zip(Zone, found.zones, strict=True):
        scores = sums.scores_from(zone, np.ones(30, bool)).scores
        assert one.auc.value == pytest.approx(roc_auc_score(labels, np.diff(scores)[:, 0]))
        assert one.accuracy.value == (scores.argmax(axis=1) == labels).mean()
        area = roc_auc_score(labels, sums.areas[:, zone])
        assert one.area_auc.value == pytest.approx(max(area, 1 - area))
    assert sum(one.evidence.value for one in found.zones) == pytest.approx(1.0)
    assert sum(one.absolute_evidence.value for one in found.zones) == pytest.approx(1.0)


def test_a_gate_on_emission_is_silent_elsewhere():
    model = build_model(normalisation=Normalisation.EMISSION, side=SIDE, disc=False)
    found = evidence_location(model, sources(20), rng=0, ring_pixels=RING, n_bootstrap=200)
    emission, ring, empty = found.zones
    assert emission.evidence.value == pytest.approx(1.0)
    assert (ring.auc.value, empty.auc.value) == (0.5, 0.5)
    assert empty.tells_class is False
    assert emission.auc.value == pytest.approx(found.auc.value, abs=1e-9)
    assert found.maps[0].level["all"] == 0.0
    assert "0.00 for FR II, which does not tell the class (AUC 0.50)." in found.summary()
    assert not any(one.level_tells_class for one in found.maps)


def test_without_classes_the_share_of_the_evidence_is_left():
    model = build_model(side=SIDE)
    found = evidence_location(
        model, sources(9), classes=[None] * 9, ring_pixels=RING, n_bootstrap=99
    )
    assert found.passes is None
    assert found.accuracy is None
    assert all(one.auc is None and one.tells_class is None for one in found.zones)
    assert "their classes are not known" in found.summary()
    assert "of the evidence lies on it" in found.summary()


def test_images_without_empty_sky_and_classes_leave_gaps_and_no_nan():
    pixels = np.full((SIDE, SIDE), 200, np.uint8)
    pixels[3, 4] = 90
    bright = SourceSet(from_array(pixels, source=f"x{i}", pixel_scale_arcsec=1.8) for i in range(9))
    found = evidence_location(build_model(side=SIDE), bright, n_bootstrap=99)
    record = json.loads(json.dumps(found.to_record(), allow_nan=False))
    assert all(one["level_on_empty_sky"] == {"all": None} for one in record["maps"])
    assert record["zones"][Zone.EMPTY_SKY]["area"] == 0.0
    assert "nan" not in found.summary()
    assert found.passes is None


def test_only_sources_that_the_model_did_not_see_count():
    model, images = build_model(side=SIDE), list(sources(12))
    seen = [
        from_array(image.pixels, source=f"s{i}", pixel_scale_arcsec=1.8, class_name="FR I")
        for i, image in enumerate(images[:2])
    ]
    both = evidence_location(model, [*seen, *images], rng=0, ring_pixels=RING, n_bootstrap=99)
    alone = evidence_location(model, images, rng=0, ring_pixels=RING, n_bootstrap=99)
    assert (both.group, both.n_sources) == ("held-out", 12)
    pd.testing.assert_frame_equal(both.to_frame(), alone.to_frame(), rtol=1e-5, atol=1e-6)


def test_mistakes_are_refused():
    model = build_model(side=SIDE)
    with pytest.raises(OptionError, match="min_island_pixels has to be 1 or more"):
        evidence_location(model, sources(3), min_island_pixels=0)
    with pytest.raises(OptionError, match="classes has 2 entries for 3 sources"):
        evidence_location(model, sources(3), classes=["FR I", "FR II"])


@pytest.mark.slow
def test_the_first_network_reveals_the_class_through_empty_sky(shared_data):
    model = attnxai.load_model(FIRST_D8)
    data = attnxai.read_mirabest(shared_data)
    images = data.select(
        image.source
        for image in data
        if image.split == "test" and image.class_name in model.class_names
    )
    found = evidence_location(model, images, min_island_pixels=1, rng=0, n_bootstrap=1000)
    assert found.n_sources == 153
    values = {one.zone: (one.accuracy.value, one.auc.value) for one in found.zones}
    assert (found.accuracy.value, found.auc.value) == pytest.approx((0.837, 0.927), abs=6e-4)
    assert values["emission"] == pytest.approx((0.732, 0.851), abs=6e-4)
    assert values["ring"] == pytest.approx((0.850, 0.928), abs=6e-4)
    assert values["empty sky"] == pytest.approx((0.817, 0.875), abs=6e-4)
    gate3 = found.of_map("gate3")
    assert gate3.level["FR I"] == pytest.approx(0.13, abs=0.005)
    assert gate3.level["FR II"] == pytest.approx(0.61, abs=0.005)
    assert gate3.level_auc["FR II"].value == pytest.approx(0.907, abs=1e-3)
    assert [one.name for one in found.maps if one.sign_depends_on_class] == ["gate2", "gate3"]
    assert found.passes is False
    text = found.summary()
    assert re.search(
        r"Empty sky reveals the class. Empty sky alone: accuracy 81.7 % \[\d\d.\d, \d\d.\d\], AUC 0.875 \[",
        text,
    )
    assert "mean level on empty sky 0.13 for FR I and 0.61 for FR II, which tells the class" in text
    # with islands of fewer than five pixels taken for noise
    found = evidence_location(model, images, rng=0, n_bootstrap=100)
    sky = next(one for one in found.zones if one.zone == "empty sky")
    assert (sky.accuracy.value, sky.auc.value) == pytest.approx((0.837, 0.916), abs=6e-4)
    assert found.passes is False


@pytest.mark.parametrize("noise", [0.0, 1e-9])
def test_a_zone_that_gives_all_sources_the_same_scores_has_no_accuracy(monkeypatch, noise) -> None:
    """Whether they are equal exactly or up to rounding."""
    scores_from = ZoneSums.scores_from

    def without_sky(sums, zone, chosen):
        found = scores_from(sums, zone, chosen)
        if zone is not Zone.EMPTY_SKY:
            return found
        rng = np.random.default_rng(3)
        own = np.array([0.1, 0.2]) + noise * rng.normal(size=found.own.shape)
        return ZoneScores(own=own, weights=0 * found.weights, others=found.others)

    monkeypatch.setattr(ZoneSums, "scores_from", without_sky)
    model, images = build_model(side=SIDE), sources(30)
    found = evidence_location(model, images, rng=0, ring_pixels=RING, n_bootstrap=300)
    *others, sky = found.zones
    assert all(one.accuracy is not None for one in others)
    assert sky.accuracy is None
    assert sky.auc is not None
    assert (sky.auc.value, sky.auc.known, sky.tells_class) == (0.5, False, False)
    assert sky.to_record()["accuracy"] is None
    assert "Empty sky alone: the same scores for all sources, AUC 0.500; its area alone: AUC" in (
        found.summary()
    )
    frame = found.to_frame()
    assert set(frame[frame["of"] == "empty sky"]["quantity"]) == {
        "auc", "area_auc", "beyond_area", "evidence",
    }  # fmt: skip


@pytest.mark.parametrize("n_classes", [2, 3])
def test_only_images_near_the_threshold_are_classified_in_every_resample(n_classes) -> None:
    rng = np.random.default_rng(1)
    n = 200
    of_zone = ZoneScores(
        own=rng.normal(size=(n, n_classes)),
        weights=rng.normal(size=(n, n_classes, 4)),
        others=rng.normal(1.0, 1.0, size=(n, 4)),
    )
    classes = rng.integers(0, n_classes, n)
    rows = rng.multinomial(n, np.full(n, 1 / n), size=50).astype(float)
    correct, changing, in_rows = of_zone.resampled_correct(rows, classes)
    expected = of_zone.resampled(rows).argmax(axis=2) == classes
    found = np.tile(correct, (50, 1))
    found[:, changing] = in_rows
    np.testing.assert_array_equal(found, expected)
    differ = expected.any(axis=0) & ~expected.all(axis=0)
    assert differ.sum() > 10
    assert changing.size < 0.6 * n
    # an image on the threshold, by nothing but rounding
    rows = np.ones((3, n))
    tied = dataclasses.replace(of_zone, own=-of_zone.scores + of_zone.own)
    assert tied.resampled_correct(rows, classes)[1].size == n


def test_the_interval_of_an_accuracy_from_a_zone_draws_the_mean_of_the_others_too() -> None:
    """All own contributions are the same, so that the mean of the others alone decides for all sources at once."""
    rng = np.random.default_rng(0)
    n = 40
    of_zone = ZoneScores(
        own=np.stack([np.zeros(n), np.full(n, 0.02)], axis=1),
        weights=np.broadcast_to(np.array([[0.0], [1.0]]), (n, 2, 1)),
        others=rng.normal(size=(n, 1)),
    )
    np.testing.assert_allclose(of_zone.scores[:, 1], 0.02 + of_zone.others.mean())
    rows = np.zeros((1, n))
    rows[0, :3] = (2, 1, 1)
    mean = of_zone.others[[0, 0, 1, 2]].mean()
    np.testing.assert_allclose(of_zone.resampled(rows)[0, :, 1], 0.02 + mean)
    known = SourceClasses.of([f"s{i}" for i in range(n)], ["FR I"] * 15 + ["FR II"] * 25)
    found = accuracy_from(of_zone, known, known.resamples(400, rng), ("FR I", "FR II"))
    assert found.value in (15 / n, 25 / n)
    assert (found.low, found.high) == (15 / n, 25 / n)
