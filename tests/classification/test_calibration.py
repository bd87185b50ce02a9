"""Which images calibrate a model, and the model that comes out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from attnxai.classification.calibration import calibrated, calibration_images
from attnxai.classification.prediction import class_labels, class_scores
from attnxai.classification.temperature import fit_temperature
from attnxai.data.images import SourceSet
from attnxai.data.mirabest import read_mirabest
from attnxai.errors import (
    AttnxaiWarning,
    DataSetError,
    FewSourcesWarning,
)
from attnxai.models.checkpoints import load_model, save_model
from tests.classification.builders import recorded, small_images
from tests.models.builders import make_model


@pytest.fixture(scope="module")
def model():
    return make_model()


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


def test_two_validation_images_give_no_temperature(model):
    images = small_images(12)
    scores = class_scores(model, images)
    # one right and one wrong, to which a temperature could be fitted all the same
    labels = [f"class {k}" for k in scores.argmax(axis=1)]
    labels[1] = {"class 0": "class 1", "class 1": "class 0"}[labels[1]]
    named = SourceSet(
        dataclasses.replace(image, class_name=name)
        for image, name in zip(images, labels, strict=True)
    )
    two = recorded(model, train=images.sources[2:], validation=images.sources[:2])
    with pytest.warns(
        FewSourcesWarning, match="no temperature can be fitted: 2 images cannot determine"
    ):
        assert calibrated(two, named).temperature == 1.0


@pytest.mark.shared_data
def test_the_published_network_is_far_too_sure(shared_data):
    """Of the 153 test images it has 130 right, as published; docs/explanation/calibration.md shows the rest."""
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
