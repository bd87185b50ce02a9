"""Which images a card is measured on, and its numbers against scikit-learn."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
import torch
from scipy import special
from sklearn import metrics as reference

from attnxai.audit import evidence_location
from attnxai.audit.equivariance import symmetry_errors
from attnxai.classification.metrics import classification_metrics
from attnxai.classification.prediction import class_labels, class_scores
from attnxai.data.images import SourceSet
from attnxai.errors import AttnxaiWarning, DataSetError, OptionError, UndefinedValuesWarning
from attnxai.models.cards import SYMMETRY_ERRORS
from attnxai.models.checkpoints import load_model, save_model
from attnxai.models.preprocessing import Preprocessing
from attnxai.study.card import CONFIDENT, card_images, measure_card
from tests.classification.builders import small_images
from tests.models.builders import make_model

CLASSES = ("FR I", "FR II")


def named(images, sources, *, split):
    return [
        dataclasses.replace(image, source=source, split=split)
        for image, source in zip(images, sources, strict=True)
    ]


def make_images():
    """40 images: 10 trained on, 16 validated on, 4 held out, and 10 of the test split."""
    everything = small_images(40, classes=CLASSES)
    test = [
        f"{code}_{150 + i}.000+30.000_0.1000_0050.00"
        for i, code in enumerate((100, 200, 102, 201, 110, 210, 112, 210, 104, 200))
    ]
    return SourceSet(
        [*everything[:30], *named(everything[30:], test, split="test")], origin="made up"
    )


def trained_model(images, *, n_train=10, n_validation=16, **changes):
    """A model that was trained and validated on the first images, and gets some of them wrong."""
    model = dataclasses.replace(
        make_model(), class_names=CLASSES, preprocessing=Preprocessing(size=16), temperature=1.7
    )
    difference = np.diff(class_scores(model, images), axis=1)[:, 0]
    with torch.no_grad():
        model.network.head.weight.mul_(2.0 / difference.std())
        model.network.head.bias.mul_(2.0 / difference.std())
        model.network.head.bias[0] += float(2.0 * np.median(difference) / difference.std())
    used = images[: n_train + n_validation]
    record = dataclasses.replace(
        model.training,
        data="Made up (2020)",
        data_sha256=SourceSet(used).sha256(),
        train_sources=used.sources[:n_train],
        validation_sources=used.sources[n_train:],
        settings={"epochs": 24, "validation_share": 0.2, "seed": 5, "schedule": "cosine"},
        metrics={"epoch": 6.0, "epochs_trained": 9.0, "validation_accuracy": 0.75},
        versions={"torch": "2.0"},
        command="attnxai train --seed 5",
    )
    return dataclasses.replace(model, training=dataclasses.replace(record, **changes))


@pytest.fixture(scope="module")
def images():
    return make_images()


@pytest.fixture
def model(images, tmp_path, one_thread):
    path = tmp_path / "mine.pt"
    save_model(trained_model(images), path)
    return load_model(path)


# --- which images ----------------------------------------------------------------------------------


def test_test_images_are_left_alone_unless_asked_for(model, images):
    chosen = card_images(model, images)
    assert list(chosen.parts) == ["validation"]
    assert chosen.parts["validation"].sources == model.training.validation_sources
    assert chosen.n_held_out == 4
    asked = card_images(model, images, test=True)
    assert list(asked.parts) == ["validation", "test", CONFIDENT]
    assert asked.parts["test"].sources == images.sources[30:]
    assert [s[:3] for s in asked.parts[CONFIDENT].sources] == [
        "100", "200", "102", "201", "104", "200"
    ]  # fmt: skip
    assert asked.n_held_out == 4


def test_confident_images_are_no_part_where_all_or_none_are(model, images):
    certain = SourceSet(i for i in images if i.source[:3] not in ("110", "112", "210"))
    assert list(card_images(model, certain, test=True).parts) == ["validation", "test"]
    plain = [dataclasses.replace(i, source=f"t{n}") for n, i in enumerate(images[30:])]
    own = SourceSet([*images[:30], *plain])
    assert list(card_images(model, own, test=True).parts) == ["validation", "test"]


def test_without_all_training_images_less_is_known(model, images):
    with pytest.warns(AttnxaiWarning, match="3 of the 10 images that tiny was trained on are miss"):
        chosen = card_images(model, images[3:])
    assert chosen.n_held_out is None
    assert chosen.parts["validation"].sources == model.training.validation_sources


def test_other_pixels_under_the_same_ids_are_refused(model, images):
    dimmer = [dataclasses.replace(i, pixels=i.pixels * 0.5) for i in images[:1]]
    with pytest.raises(OptionError, match="have the ids but not the pixels"):
        card_images(model, SourceSet([*dimmer, *images[1:]]))


def test_missing_validation_images_are_named(model, images):
    with pytest.raises(OptionError) as caught:
        card_images(model, images[12:])
    assert "2 of the 16 images that tiny was validated on are missing" in str(caught.value)
    assert "s10" in str(caught.value)


def test_models_that_no_card_can_be_made_of(images):
    model = dataclasses.replace(trained_model(images), training=None)
    with pytest.raises(OptionError, match="tiny has no record of its training"):
        card_images(model, images)
    with pytest.raises(OptionError, match="names no images that it was validated on"):
        card_images(trained_model(images, validation_sources=()), images)
    model = trained_model(images)
    with pytest.raises(OptionError, match="was not loaded from a file"):
        measure_card(
            model,
            card_images(model, images),
            name="x",
            measured_on="x",
            rng=np.random.default_rng(0),
        )


def test_test_images_have_to_be_there_and_new_to_the_model(model, images):
    with pytest.raises(OptionError, match="none of the 30 images belongs to a test split"):
        card_images(model, images[:30], test=True)
    seen = [dataclasses.replace(i, split="test") for i in images[:2]]
    with pytest.raises(OptionError) as caught:
        card_images(model, SourceSet([*seen, *images[2:]]), test=True)
    assert "on 2 of the 12 test images" in str(caught.value)


def test_copies_of_training_images_are_no_test(images, one_thread):
    model = trained_model(images)
    prints = [model.preprocessing.view(image).fingerprint() for image in images[:26]]
    model = trained_model(
        images, train_fingerprints=tuple(prints[:10]), validation_fingerprints=tuple(prints[10:])
    )
    assert len(card_images(model, images, test=True).parts["test"]) == 10
    copy = dataclasses.replace(images[0], source="elsewhere", split="test")
    with pytest.raises(OptionError, match="or on copies of them, such as elsewhere"):
        card_images(model, SourceSet([*images, copy]), test=True)


# --- the numbers -----------------------------------------------------------------------------------


def measured(model, chosen, **options):
    given = {"name": "mine", "measured_on": "Made up", "n_bootstrap": 200, "rng": 0, **options}
    given["rng"] = np.random.default_rng(given["rng"])
    return measure_card(model, chosen, **given)


def test_numbers_are_those_of_scikit_learn(model, images):
    chosen = card_images(model, images, test=True)
    with warnings.catch_warnings():
        # six images are too few for intervals, and the card shows that there are none
        warnings.simplefilter("error")
        card = measured(model, chosen)
    for name, part in chosen.parts.items():
        labels = class_labels(model, part)
        scores = class_scores(model, part)
        probabilities = special.softmax(scores / 1.7, axis=1)
        predicted = scores.argmax(axis=1)
        assert 0 < (predicted == labels).sum() < len(part)
        f1 = reference.f1_score(labels, predicted, average=None)
        expected = {
            "accuracy": reference.accuracy_score(labels, predicted),
            "F1 FR I": f1[0],
            "F1 FR II": f1[1],
            "ROC AUC": reference.roc_auc_score(labels, probabilities[:, 1]),
            "log loss": reference.log_loss(labels, probabilities),
            "Brier score": reference.brier_score_loss(labels, probabilities[:, 1]),
        }
        values = card.parts[name].values
        for metric, number in expected.items():
            assert values[metric].value == pytest.approx(number, abs=1e-12), (name, metric)
        assert card.parts[name].n_images == len(part)
        assert card.parts[name].n_by_class == {
            "FR I": int((labels == 0).sum()), "FR II": int((labels == 1).sum())
        }  # fmt: skip
        known = [v.known for k, v in values.items() if k in expected]
        assert all(known) == (len(part) >= 8)
        assert values["accuracy"].low < values["accuracy"].value < values["accuracy"].high


def test_calibration_stands_beside_that_of_a_calibrated_model(model, images):
    chosen = card_images(model, images)
    values = measured(model, chosen, rng=3).parts["validation"].values
    part = chosen.parts["validation"]
    result = classification_metrics(
        class_scores(model, part), class_labels(model, part), CLASSES,
        temperature=1.7, n_bootstrap=200, rng=np.random.default_rng(3),
    )  # fmt: skip
    assert values["expected calibration error"].value == result.expected_calibration_error.value
    assert values["expected calibration error"].high == result.expected_calibration_error.high
    assert values["the same of a calibrated model"].value == result.calibrated.mean
    assert values["95 % of calibrated models are below"].value == result.calibrated.high
    assert values["p, if calibrated"].value == result.calibrated.p_value


def test_the_card_holds_the_first_audit_and_the_symmetry(model, images):
    chosen = card_images(model, images)
    part = chosen.parts["validation"]
    values = measured(model, chosen, rng=3).parts["validation"].values
    location = evidence_location(model, part, rng=0, n_bootstrap=100)
    assert [zone.zone for zone in location.zones] == ["emission", "ring", "empty sky"]
    for zone in location.zones:
        accuracy = values[f"accuracy from {zone.zone} alone"].value
        # empty sky gives all images the same scores in this network
        assert (zone.accuracy is None) == (zone.zone == "empty sky")
        assert accuracy == zone.accuracy.value if zone.accuracy else np.isnan(accuracy)
        assert values[f"ROC AUC from {zone.zone} alone"].value == zone.auc.value
        assert values[f"ROC AUC of the area of {zone.zone}"].value == zone.area_auc.value
    with pytest.warns(UndefinedValuesWarning, match="4 of 16 maps of gate1 are constant"):
        errors = symmetry_errors(model, part)
    assert errors.group == "C4"
    scores, maps = (values[name].value for name in SYMMETRY_ERRORS)
    assert scores == pytest.approx(errors.score_changes.max() / errors.score_spread)
    assert maps == pytest.approx(np.nanmax(errors.map_errors))
    assert 0 < scores < 1e-3


def test_validation_numbers_do_not_depend_on_the_other_parts(model, images):
    first, second = (measured(model, card_images(model, images, test=t)) for t in (False, True))
    assert first.parts["validation"] == second.parts["validation"]
    assert set(second.parts) == {"validation", "test", CONFIDENT}


def test_the_card_says_what_the_file_says(model, images, tmp_path):
    told = []
    card = measured(model, card_images(model, images, test=True), on_part=told.append)
    assert told == ["validation", "test", CONFIDENT]
    file = tmp_path / "mine.pt"
    assert card.file_bytes == file.stat().st_size
    assert card.sha256 == model.sha256
    assert (card.name, card.measured_on, card.group) == ("mine", "Made up", "C4")
    assert (card.architecture, card.fields) == ("equivariant_attention", (1, 2, 2, 2))
    assert card.n_parameters == sum(p.numel() for p in model.network.parameters())
    assert (card.size, card.pixel_scale_arcsec) == (16, 1.8)
    assert (card.n_train, card.n_validation, card.n_held_out) == (10, 16, 4)
    assert (card.seed, card.epoch, card.n_epochs) == (5, 7, 9)
    assert card.settings == dict(model.training.settings)
    assert (card.command, card.data) == ("attnxai train --seed 5", "Made up (2020)")
    assert (card.temperature, card.n_bootstrap, card.level) == (1.7, 200, 0.95)


def test_what_the_record_lacks_is_left_open(images, tmp_path):
    save_model(trained_model(images, settings={}, metrics={}, versions={}), tmp_path / "bare.pt")
    model = load_model(tmp_path / "bare.pt")
    card = measured(model, card_images(model, images))
    assert card.seed is card.epoch is card.n_epochs is None
    save_model(
        trained_model(images, settings={"epochs": 24}, metrics={"epoch": 23.0}), tmp_path / "old.pt"
    )
    model = load_model(tmp_path / "old.pt")
    card = measured(model, card_images(model, images))
    assert (card.epoch, card.n_epochs) == (24, 24)


def test_classes_that_the_model_does_not_know(model, images):
    odd = dataclasses.replace(images[-1], class_name="WAT")
    with pytest.raises(DataSetError, match="class 'WAT'"):
        measured(model, card_images(model, SourceSet([*images[:-1], odd]), test=True))
