"""Temperature scaling: the fit, what it is worth, and the scores that it needs."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from attnxai.data.images import SourceSet, from_array
from attnxai.data.mirabest import read_mirabest
from attnxai.errors import (
    AssumptionWarning,
    AttnxaiWarning,
    DataSetError,
    FewSourcesWarning,
    OptionError,
)
from attnxai.models.checkpoints import load_model, save_model
from attnxai.training.calibration import (
    TEMPERATURE_RANGE,
    calibrated,
    calibration_images,
    class_labels,
    class_scores,
    fit_temperature,
)
from attnxai.training.scoring import log_loss
from tests.models.builders import make_model
from tests.training.test_scoring import made_up

# --- the fit ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 4])
def test_fit_equals_a_search_by_hand(n_classes):
    scores, labels = made_up(150, n_classes)
    fit = fit_temperature(2.5 * scores, labels)
    grid = np.exp(np.linspace(np.log(0.2), np.log(20), 4001))
    losses = [log_loss(2.5 * scores, labels, temperature=t) for t in grid]
    assert fit.temperature == pytest.approx(grid[np.argmin(losses)], rel=2e-3)
    assert fit.log_loss_after <= min(losses) + 1e-12
    assert fit.log_loss_before == pytest.approx(log_loss(2.5 * scores, labels))
    assert fit.log_loss_after == pytest.approx(
        log_loss(2.5 * scores, labels, temperature=fit.temperature)
    )
    assert not fit.at_bound
    assert fit.obstacle == ""
    assert (fit.n_images, fit.n_wrong) == (150, (scores.argmax(axis=1) != labels).sum())


def test_interval_is_the_profile_likelihood():
    scores, labels = made_up(100, 2)
    fit = fit_temperature(scores, labels, level=0.9)
    allowed = stats.chi2.ppf(0.9, 1) / 2
    for end in (fit.low, fit.high):
        worse = 100 * (log_loss(scores, labels, temperature=end) - fit.log_loss_after)
        assert worse == pytest.approx(allowed, rel=1e-6)
    assert fit.low < fit.temperature < fit.high


def test_cross_validation_equals_fits_without_each_image():
    scores, labels = made_up(25, 3)
    fit = fit_temperature(scores, labels)
    losses = []
    for index in range(25):
        kept = np.arange(25) != index
        best = optimize.minimize_scalar(
            lambda t, k=kept: log_loss(scores[k], labels[k], temperature=t),
            bounds=TEMPERATURE_RANGE,
            method="bounded",
            options={"xatol": 1e-9},
        )
        losses.append(log_loss(scores[[index]], labels[[index]], temperature=best.x))
    assert fit.log_loss_cross_validated == pytest.approx(np.mean(losses), abs=1e-6)
    before = [log_loss(scores[[i]], labels[[i]]) for i in range(25)]
    difference = np.subtract(before, losses)
    assert fit.gain == pytest.approx(difference.mean(), abs=1e-6)
    assert fit.gain_error == pytest.approx(difference.std(ddof=1) / 5, abs=1e-6)


def test_one_hard_image_among_easy_ones():
    """Without it the others are separable: its own temperature is then the lowest of the range."""
    labels = np.arange(20) % 2
    scores = 4.0 * np.eye(2)[labels]
    scores[0] = [-1.0, 1.0]
    fit = fit_temperature(scores, labels)
    assert not fit.at_bound
    assert fit.n_wrong == 1
    lowest = TEMPERATURE_RANGE[0]
    assert fit.log_loss_cross_validated >= 2.0 / lowest / 20
    assert fit.gain < 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.2, 5.0), st.integers(2, 4))
def test_scaled_scores_have_a_scaled_temperature(seed, factor, n_classes):
    scores, labels = made_up(40, n_classes, seed=seed, signal=1.0)
    with warnings.catch_warnings():
        # the ends of the range are not scaled with the scores
        warnings.simplefilter("ignore", FewSourcesWarning)
        plain = fit_temperature(scores, labels)
        scaled = fit_temperature(factor * scores, labels)
    if not plain.at_bound and not scaled.at_bound:
        assert scaled.temperature == pytest.approx(factor * plain.temperature, rel=1e-4)
        assert scaled.log_loss_after == pytest.approx(plain.log_loss_after, abs=1e-9)
    assert plain.log_loss_after <= plain.log_loss_before + 1e-12


def test_the_true_temperature_is_found():
    """Labels drawn from the probabilities at a temperature of 1.8; intervals cover it."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(100):
        difference = 2.5 * rng.normal(size=120)
        labels = (rng.random(120) < 1 / (1 + np.exp(-difference / 1.8))).astype(int)
        fit = fit_temperature(np.stack([np.zeros(120), difference], axis=1), labels)
        covered += fit.low <= 1.8 <= fit.high
    low, high = stats.binom.ppf([0.001, 0.999], 100, [0.94, 0.96])
    assert low <= covered <= high


def test_separable_images_fix_no_temperature():
    labels = np.arange(20) % 2
    with pytest.warns(FewSourcesWarning, match="20 of 20 images are classified right"):
        fit = fit_temperature(3.0 * np.eye(2)[labels], labels)
    assert fit.at_bound
    assert fit.temperature == TEMPERATURE_RANGE[0]
    assert fit.low == 0.0
    assert "down to 0.01" in fit.obstacle


def test_scores_that_point_the_wrong_way():
    scores, labels = made_up(40, 2, signal=2.0)
    with pytest.warns(FewSourcesWarning, match="the scores tell nothing"):
        fit = fit_temperature(-scores, labels)
    assert fit.at_bound
    assert fit.temperature == TEMPERATURE_RANGE[1]
    assert fit.high == math.inf
    assert fit.to_dict()["high"] is None
    json.dumps(fit.to_dict(), allow_nan=False)


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(OptionError, match="same score in every image"):
        fit_temperature([[1.0, 1.0], [2.0, 2.0]], [0, 1])
    with pytest.raises(OptionError, match="labels have shape"):
        fit_temperature([[1.0, 0.0]], [0, 1])
    with pytest.raises(OptionError, match="level has to be between 0 and 1"):
        fit_temperature([[1.0, 0.0]], [0], level=0.0)


# --- scores of a model -----------------------------------------------------------------------------


def small_images(n, *, side=16, classes=("class 0", "class 1"), split=None, scale=1.8):
    rng = np.random.default_rng(9)
    return SourceSet(
        (
            dataclasses.replace(
                from_array(
                    rng.integers(0, 255, (side, side)).astype(np.uint8),
                    source=f"s{index:02d}",
                    pixel_scale_arcsec=scale,
                    class_name=classes[index % len(classes)],
                ),
                split=split,
            )
            for index in range(n)
        ),
        origin="made up",
    )


@pytest.fixture(scope="module")
def model():
    return make_model()


def recorded(model, *, train=(), validation=()):
    record = dataclasses.replace(
        model.training, train_sources=tuple(train), validation_sources=tuple(validation)
    )
    return dataclasses.replace(model, training=record)


def test_scores_are_those_of_the_network(model):
    images = small_images(5)
    expected = []
    with torch.no_grad():
        for image in images:
            seen = model.preprocessing.standardise(model.preprocessing.view(image).brightness)
            expected.append(model.network(torch.from_numpy(seen)[None, None]).numpy()[0])
    for batch_size in (1, 2, 64):
        scores = class_scores(model, images, batch_size=batch_size)
        assert scores.dtype == np.float64
        np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
    # before any temperature
    hot = dataclasses.replace(model, temperature=3.0)
    np.testing.assert_array_equal(class_scores(hot, images), class_scores(model, images))


def test_the_model_stays_as_it_was(model):
    images = small_images(3)
    model = dataclasses.replace(model, network=copy.deepcopy(model.network))
    model.network.train()
    model.network.dropout.eval()
    modes = [module.training for module in model.network.modules()]
    state = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    first = class_scores(model, images, device="cpu")
    assert [module.training for module in model.network.modules()] == modes
    for name, tensor in model.network.state_dict().items():
        assert torch.equal(tensor, state[name]), name
    np.testing.assert_array_equal(class_scores(model, images), first)


def test_extremes_over_the_batch_see_one_image_at_a_time(model):
    spec = dataclasses.replace(model.spec, extremes_over_batch=True)
    network = type(model.network)(spec)
    network.load_state_dict(model.network.state_dict())
    together = dataclasses.replace(model, spec=spec, network=network.eval())
    images = small_images(4)
    np.testing.assert_allclose(
        class_scores(together, images), class_scores(model, images), rtol=1e-5, atol=1e-6
    )


def test_pixel_scales_are_not_assumed_in_silence(model):
    with pytest.warns(AssumptionWarning, match="3 of 3 images state no pixel scale"):
        class_scores(model, small_images(3, scale=None), batch_size=2)


def test_scores_need_images(model):
    with pytest.raises(DataSetError, match="no images to classify"):
        class_scores(model, [])
    with pytest.raises(OptionError, match="batch_size has to be 1 or more"):
        class_scores(model, small_images(1), batch_size=0)


def test_labels_are_positions_among_the_classes(model):
    assert class_labels(model, small_images(3)).tolist() == [0, 1, 0]
    with pytest.raises(
        DataSetError, match="s00 has class 'relic'; the classes of the model tiny are"
    ):
        class_labels(model, small_images(2, classes=("relic", "class 1")))


# --- which images ----------------------------------------------------------------------------------


def test_own_validation_images_are_taken(model):
    images = small_images(8)
    model = recorded(model, train=("s00", "s01"), validation=("s05", "s03"))
    chosen, own = calibration_images(model, images)
    assert own
    assert chosen.sources == ("s05", "s03")
    some = recorded(model, validation=("s03", "gone"))
    with pytest.warns(AttnxaiWarning, match="1 of the 2 validation sources"):
        chosen, own = calibration_images(some, images)
    assert own
    assert chosen.sources == ("s03",)


def test_else_what_it_was_not_trained_on(model):
    images = small_images(4)
    elsewhere = recorded(model, train=("s00", "s01"), validation=("gone",))
    chosen, own = calibration_images(elsewhere, images)
    assert not own
    assert chosen.sources == ("s02", "s03")
    published = dataclasses.replace(model, training=None, trained_on_split="train")
    mixed = SourceSet([*small_images(2, split="train"), *small_images(4, split="test")[2:]])
    chosen, own = calibration_images(published, mixed)
    assert not own
    assert chosen.sources == ("s02", "s03")
    unknown = dataclasses.replace(model, training=None)
    assert calibration_images(unknown, images)[0].sources == images.sources
    with pytest.raises(DataSetError, match="trained on all of them"):
        calibration_images(published, small_images(3, split="train"))


def test_calibrated_model(model, tmp_path):
    """The temperature of its validation images; all else as it was, also in its file."""
    images = small_images(30)
    validation = images.sources[10:]
    model = recorded(model, train=images.sources[:10], validation=validation)
    scores = class_scores(model, images.select(validation))
    # labels of which some are right and some are wrong
    classes = [f"class {k}" for k in scores.argmax(axis=1)]
    classes[::4] = ["class 1" if c == "class 0" else "class 0" for c in classes[::4]]
    named = SourceSet(
        [
            *images[:10],
            *(
                dataclasses.replace(image, class_name=name)
                for image, name in zip(images.select(validation), classes, strict=True)
            ),
        ]
    )
    labels = np.array([int(name[-1]) for name in classes])
    expected = fit_temperature(scores, labels).temperature
    scaled = calibrated(model, named)
    assert scaled.temperature == pytest.approx(expected)
    assert model.temperature == 1.0
    assert scaled.network is model.network
    save_model(scaled, tmp_path / "scaled.pt")
    read = load_model(tmp_path / "scaled.pt")
    assert read.temperature == scaled.temperature
    # a second fit starts from the scores, not from the scaled ones
    assert calibrated(read, named).temperature == pytest.approx(expected)


def test_calibrated_without_what_it_takes(model):
    images = small_images(6)
    with pytest.raises(DataSetError, match="validation sources of the model tiny are not among"):
        calibrated(recorded(model, validation=("gone",)), images)
    with pytest.raises(DataSetError, match="validation sources of the model tiny are not among"):
        calibrated(dataclasses.replace(model, training=None), images)
    scores = class_scores(model, images)
    right = SourceSet(
        dataclasses.replace(image, class_name=f"class {k}")
        for image, k in zip(images, scores.argmax(axis=1), strict=True)
    )
    with pytest.warns(FewSourcesWarning, match="no temperature can be fitted"):
        assert calibrated(recorded(model, validation=right.sources), right).temperature == 1.0


@pytest.mark.shared_data
def test_the_published_network_is_far_too_sure(shared_data):
    """Of the 153 test images it has 130 right, as published; docs/calibration.md shows the rest."""
    checkpoint = "bowles2021_mirabest_ag3_range_norm_ft.pt"
    model = load_model(shared_data / "published_checkpoints" / checkpoint)
    chosen, own = calibration_images(model, read_mirabest(shared_data))
    assert not own
    assert {image.split for image in chosen} == {"test"}
    fit = fit_temperature(class_scores(model, chosen), class_labels(model, chosen))
    assert (fit.n_images, fit.n_wrong) == (153, 23)
    assert fit.temperature == pytest.approx(16.45, abs=0.02)
    assert fit.log_loss_before == pytest.approx(3.284, abs=0.002)
    assert fit.log_loss_cross_validated == pytest.approx(0.395, abs=0.002)
