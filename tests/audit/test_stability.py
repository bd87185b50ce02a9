"""Maps and predictions under noise at the level of the images."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from attnxai.audit.stability import noise_stability
from attnxai.data.images import from_array
from attnxai.errors import OptionError
from attnxai.explanations.inputs import NetworkInputs
from attnxai.explanations.method import ExplanationMethod
from tests.audit.models import WeightedSum, model_of, sources
from tests.builders import simulated

SIDE = 16


def _brightness(model, images, *, target, rng):
    inputs = NetworkInputs.of(model, images)
    return inputs.stack({"input": inputs.brightness})


def _place(model, images, *, target, rng):
    inputs = NetworkInputs.of(model, images)
    ramp = np.broadcast_to(np.arange(SIDE * SIDE).reshape(SIDE, SIDE), inputs.brightness.shape)
    return inputs.stack({"place": ramp.astype(np.float32)})


METHODS = [
    ExplanationMethod(name="brightness_itself", title="brightness", function=_brightness),
    ExplanationMethod(name="place", title="places", function=_place),
]


def prepared(n, *, faintest=9):
    images = sources(n, SIDE, share=0.2)
    images[images > 0] = np.maximum(images[images > 0], faintest / 255)
    images[:, SIDE // 2, SIDE // 2] = faintest / 255
    return [
        from_array(one, source=f"s{i}", pixel_scale_arcsec=1.8, prepared=True)
        for i, one in enumerate(images)
    ]


@pytest.fixture(scope="module")
def found():
    model = model_of(WeightedSum(np.full((SIDE, SIDE), 0.2), bias=-1.0), SIDE)
    return noise_stability(model, prepared(9), METHODS, n_draws=3)


def test_a_map_of_places_never_changes_and_one_of_brightness_hardly(found):
    np.testing.assert_allclose(found.correlations[:, 1], 1.0)
    assert 0.9 < found.correlation("input", "pearson").value < 1.0
    assert found.correlation("input", "spearman_on_emission").value < 1.0
    np.testing.assert_allclose(found.levels, 3 / 255, rtol=1e-5)


def test_probabilities_change_by_what_the_noise_adds(found):
    assert 0 < found.probability_change.value < 0.2
    assert found.class_consistency.value > 0.9
    assert found.passes is None
    text = found.summary()
    assert text.startswith("The class stays the same in ")
    lowest = min(found.correlation(layer).value for layer in found.layers)
    assert f"rank correlation of {lowest:.2f} to " in text.splitlines()[0]
    assert (
        "Noise at the level of each image (median 0.012 of the peak), 3 draws, on 9 sources" in text
    )
    frame = found.to_frame()
    assert len(frame) == 8
    record = json.loads(json.dumps(found.to_record()))
    assert record["maps"]["input"]["pearson"]["value"] == frame["value"][0]


def test_more_noise_changes_more():
    model = model_of(WeightedSum(np.full((SIDE, SIDE), 0.2), bias=-1.0), SIDE)
    weak, strong = (
        noise_stability(model, prepared(3), METHODS[:1], n_draws=2, factor=factor)
        for factor in (0.5, 4.0)
    )
    assert strong.correlations[0].mean() < weak.correlations[0].mean()


def test_empty_sky_gets_no_more_noise_than_the_clip_lets_through():
    """Of white noise one pixel in 741 lies above three standard deviations."""
    side = 64
    image = np.zeros((side, side))
    image[30:34, 30:34] = 0.5
    image[30, 30], image[33, 33] = 0.03, 1.0
    given = [
        from_array(image, source=f"s{i}", pixel_scale_arcsec=1.8, prepared=True) for i in range(4)
    ]
    model = model_of(WeightedSum(np.ones((side, side))), side)
    seen = []

    def look(model, images, *, target, rng):
        inputs = NetworkInputs.of(model, images)
        seen.append(inputs.brightness)
        return inputs.stack({"input": inputs.brightness})

    method = ExplanationMethod(name="look", title="brightness", function=look)
    noise_stability(model, given, method, n_draws=2, beam_arcsec=0.0)
    sky = np.concatenate(seen[1:])[:, image == 0]
    assert sky[sky > 0].min() >= 7 / 255 - 1e-6
    assert (sky > 0).mean() == pytest.approx(1 / 741, rel=0.6)


def test_survey_images_pass_through_the_whole_preprocessing():
    images = simulated(2, side=24)
    model = model_of(WeightedSum(np.full((SIDE, SIDE), 0.2)), SIDE)
    found = noise_stability(model, images, METHODS[:1], n_draws=1)
    again = noise_stability(model, images, METHODS[:1], n_draws=1)
    np.testing.assert_array_equal(found.correlations, again.correlations)
    assert (found.levels > 0).all()
    assert (found.correlations[0] > 0.5).all()


def test_an_image_that_noise_leaves_blank_is_counted():
    model = model_of(WeightedSum(np.full((SIDE, SIDE), 0.2)), SIDE)
    rng = np.random.default_rng(0)
    faint = rng.standard_normal((24, 24))
    faint[12, 12] = 3.6
    bright = faint.copy()
    bright[10:13, 10:13] = 60.0
    images = [
        from_array(a, source=n, pixel_scale_arcsec=1.8)
        for n, a in (("faint", faint), ("bright", bright))
    ]
    found = noise_stability(model, images, METHODS[:1], n_draws=6, beam_arcsec=0.0, factor=2.0)
    assert np.isnan(found.same_class[:, 0]).any()
    assert not np.isnan(found.same_class[:, 1]).any()
    assert np.isnan(found.correlations[0, 0, :, 0]).sum() == np.isnan(found.same_class[:, 0]).sum()
    assert "without emission left out" in found.summary()


@pytest.mark.parametrize("options", [{"n_draws": 0}, {"factor": 0.0}, {"beam_arcsec": -1.0}])
def test_options_out_of_range_are_refused(options):
    model = model_of(WeightedSum(np.ones((SIDE, SIDE))), SIDE)
    with pytest.raises(OptionError, match="noise_stability needs"):
        noise_stability(model, prepared(1), METHODS[:1], **options)


def test_mistakes_are_named(found):
    with pytest.raises(OptionError, match="unknown map 'gate1'; there are input, place"):
        found.correlation("gate1")
    assert dataclasses.is_dataclass(found)
