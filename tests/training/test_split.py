"""Which images are trained on, and which choose the epoch."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from attnxai.data.images import SourceSet
from attnxai.errors import DataSetError, FewSourcesWarning
from attnxai.models.preprocessing import Preprocessing
from attnxai.training.augmentation import augmented
from attnxai.training.run import TrainingRun, split_sources
from attnxai.training.settings import TrainingSettings
from tests.training.runs import CLASSES, SETTINGS, train


def test_validation_images_are_never_trained_on(images, spec, monkeypatch) -> None:
    seen: list[torch.Tensor] = []

    def record(batch: torch.Tensor, settings: Any, *, generator: torch.Generator) -> torch.Tensor:
        seen.extend(batch.clone())
        return augmented(batch, settings, generator=generator)

    monkeypatch.setattr("attnxai.training.run.augmented", record)
    model, _ = train(spec, images, dataclasses.replace(SETTINGS, epochs=2))
    assert model.training is not None
    brightness = {i.source: torch.from_numpy(i.pixels / np.float32(255)) for i in images}
    names = [
        next(name for name, pixels in brightness.items() if torch.allclose(pixels, image[0]))
        for image in seen
    ]
    n_train = len(model.training.train_sources)
    assert sorted(names[:n_train]) == sorted(model.training.train_sources)
    assert sorted(names[n_train:]) == sorted(model.training.train_sources)
    assert names[:n_train] != names[n_train:], "every epoch has its own order"
    assert not set(names) & set(model.training.validation_sources)


def test_training_and_validation_are_a_partition_and_recorded(images, undisturbed) -> None:
    model, history = undisturbed
    record = model.training
    assert record is not None
    assert len(record.train_sources) == 12
    assert len(record.validation_sources) == 2
    assert set(record.train_sources) | set(record.validation_sources) == set(images.sources)
    classes = sorted(images[source].class_name for source in record.validation_sources)
    assert classes == ["FR I", "FR II"]
    assert record.data_sha256 == images.sha256()
    for part in ("train", "validation"):
        assert getattr(record, f"{part}_fingerprints") == tuple(
            model.preprocessing.view(images[source]).fingerprint()
            for source in getattr(record, f"{part}_sources")
        )
    assert record.train_positions == record.validation_positions == ()  # none is known
    assert record.settings == SETTINGS.to_dict()
    assert TrainingSettings(**record.settings) == SETTINGS
    best = min(history, key=lambda result: result.validation_loss)
    assert record.metrics["epoch"] == best.epoch
    assert record.metrics["validation_loss"] == best.validation_loss
    assert (record.metrics["n_train"], record.metrics["n_validation"]) == (12, 2)
    assert set(record.versions) == {"torch", "e2cnn", "numpy"}


def test_standardisation_is_that_of_the_training_images(images, undisturbed) -> None:
    model, _ = undisturbed
    assert model.training is not None
    pixels = np.stack([images[s].pixels / 255.0 for s in model.training.train_sources])
    assert model.preprocessing.mean == pytest.approx(float(pixels.mean()), rel=1e-5)
    assert model.preprocessing.deviation == pytest.approx(float(pixels.std()), rel=1e-5)


def test_images_marked_for_validation_are_validated_on(images, spec) -> None:
    marked = SourceSet(
        dataclasses.replace(image, split="validation" if i in (3, 8, 9) else None)
        for i, image in enumerate(images)
    )
    model, _ = train(spec, marked, dataclasses.replace(SETTINGS, epochs=1))
    assert model.training is not None
    assert model.training.validation_sources == ("s03", "s08", "s09")
    assert len(model.training.train_sources) == 11


def test_no_image_is_left_out_of_an_epoch(images, spec) -> None:
    """Thirteen images in batches of four: the last one joins the batch before it."""
    marked = SourceSet(
        dataclasses.replace(image, split="validation" if i == 0 else None)
        for i, image in enumerate(images)
    )
    run = TrainingRun(spec, marked, CLASSES, SETTINGS, Preprocessing(), torch.device("cpu"))
    batches = run.batches(0)
    assert [len(batch) for batch in batches] == [4, 4, 5]
    assert sorted(torch.cat(batches).tolist()) == list(range(1, 14))


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_splits_hold_the_same_share_of_every_class(share) -> None:
    labels = [0] * 50 + [1] * 30 + [2] * 10
    train_part, validation = split_sources(labels, share=share, rng=np.random.default_rng(0))
    assert sorted([*train_part, *validation]) == list(range(90))
    counts = np.bincount(np.array(labels)[validation], minlength=3)
    np.testing.assert_array_equal(counts, np.round(share * np.array([50, 30, 10])))
    assert (np.diff(train_part) > 0).all()
    assert (np.diff(validation) > 0).all()


def test_splits_follow_their_generator() -> None:
    labels = [0, 1] * 20
    parts = [
        split_sources(labels, share=0.2, rng=np.random.default_rng(seed))[1].tolist()
        for seed in (1, 1, 2)
    ]
    assert parts[0] == parts[1]
    assert parts[0] != parts[2]


def test_images_without_a_known_class_are_refused(images, spec) -> None:
    odd = SourceSet([*images, dataclasses.replace(images[0], source="odd", class_name="WAT")])
    with pytest.raises(
        DataSetError, match="image odd has class 'WAT'; classes to train on are FR I"
    ):
        train(spec, odd)


def test_too_few_images_are_refused(images, spec) -> None:
    with pytest.raises(DataSetError, match="2 images are too few"):
        train(spec, images[:2])


@pytest.mark.filterwarnings("error::attnxai.errors.FewSourcesWarning")
def test_an_epoch_chosen_by_few_images_is_warned_of(images, spec, monkeypatch) -> None:
    with pytest.warns(
        FewSourcesWarning, match="^2 validation images of 14 choose the epoch that is kept"
    ):
        train(spec, images, dataclasses.replace(SETTINGS, epochs=1))
    monkeypatch.setattr("attnxai.training.run.FEW_VALIDATION", 2)
    train(spec, images, dataclasses.replace(SETTINGS, epochs=1))
