"""Which weights a run of training keeps."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from attnxai.models.checkpoints import load_model, save_model
from attnxai.training.history import EpochResult
from attnxai.training.run import TrainingRun
from tests.training.runs import CLASSES, SETTINGS, train


class Stopped(Exception):
    """Stands for a power cut."""


def test_the_kept_weights_are_those_of_the_best_epoch(images, undisturbed) -> None:
    model, history = undisturbed
    assert model.training is not None
    chosen = images.select(model.training.validation_sources)
    inputs = np.stack([model.preprocessing.standardise(i.pixels / np.float32(255)) for i in chosen])
    labels = torch.tensor([CLASSES.index(image.class_name) for image in chosen])
    assert not model.network.training
    with torch.no_grad():
        scores = model.network(torch.from_numpy(inputs)[:, None])
    loss = float(torch.nn.functional.cross_entropy(scores, labels))
    assert loss == pytest.approx(min(r.validation_loss for r in history), rel=1e-4)


@pytest.mark.parametrize("last", [0.9, 0.1])
@pytest.mark.parametrize("interrupted", [False, True])
def test_an_earlier_epoch_is_kept_when_it_was_the_best(
    images, spec, tmp_path, monkeypatch, interrupted, last
) -> None:
    """Also where a later one is as good: the record and the weights are of the same epoch."""
    losses = iter([0.5, 0.1, last])
    states: list[dict[str, torch.Tensor]] = []

    def validate(self: Any) -> tuple[float, float]:
        states.append({k: v.clone() for k, v in self.state.averaged.state_dict().items()})
        return next(losses), 0.5

    def stop(result: EpochResult) -> None:
        if result.epoch == 1:
            raise Stopped

    monkeypatch.setattr(TrainingRun, "validate", validate)
    progress = tmp_path / "run.progress.pt"
    if interrupted:
        with pytest.raises(Stopped):
            train(spec, images, progress_file=progress, on_epoch=stop)
    model, _ = train(spec, images, progress_file=progress)
    weights = model.network.state_dict()
    assert len(states) == 3
    assert all(torch.equal(weights[name], states[1][name]) for name in weights)
    assert not all(torch.equal(weights[name], states[2][name]) for name in weights)
    assert model.training is not None
    assert model.training.metrics["epoch"] == 1.0


def test_the_running_average_starts_near_the_weights_and_approaches_its_decay(
    images, spec, monkeypatch
) -> None:
    """Against the average written out by hand, over the weights after every step."""
    weights: list[torch.Tensor] = []
    averages: list[torch.Tensor] = []
    average = TrainingRun._average

    def record(self: Any, n_done: int) -> None:
        average(self, n_done)
        weights.append(self.state.network.head.weight.detach().clone())
        averages.append(self.state.averaged.head.weight.detach().clone())

    monkeypatch.setattr(TrainingRun, "_average", record)
    train(spec, images, dataclasses.replace(SETTINGS, weight_average=0.25))
    expected = averages[0]
    for n_done in range(1, 9):
        past = min(0.25, (1 + n_done) / (10 + n_done))
        expected = past * expected + (1 - past) * weights[n_done]
        torch.testing.assert_close(averages[n_done], expected, rtol=1e-5, atol=1e-7)
    assert not torch.equal(averages[-1], weights[-1])


def test_without_average_the_weights_themselves_are_kept(images, spec, monkeypatch) -> None:
    last: list[dict[str, torch.Tensor]] = []
    validate = TrainingRun.validate

    def record(self: Any) -> tuple[float, float]:
        last.append({k: v.clone() for k, v in self.state.network.state_dict().items()})
        return validate(self)

    monkeypatch.setattr(TrainingRun, "validate", record)
    settings = dataclasses.replace(SETTINGS, weight_average=0.0)
    model, history = train(spec, images, settings)
    kept = last[min(history, key=lambda r: r.validation_loss).epoch]
    assert all(torch.equal(v, kept[k]) for k, v in model.network.state_dict().items())


def test_training_stops_when_patience_ends_and_goes_no_further_afterwards(
    images, spec, tmp_path, monkeypatch
) -> None:
    losses = iter([0.5, 0.4, 0.45, 0.41, 0.1])
    monkeypatch.setattr(TrainingRun, "validate", lambda self: (next(losses), 0.5))
    settings = dataclasses.replace(SETTINGS, epochs=9, patience=2)
    progress = tmp_path / "run.progress.pt"
    model, history = train(spec, images, settings, progress_file=progress)
    assert [result.validation_loss for result in history] == [0.5, 0.4, 0.45, 0.41]
    assert model.training is not None
    assert model.training.metrics["epoch"] == 1.0
    assert model.training.metrics["epochs_trained"] == 4.0
    again, history = train(spec, images, settings, progress_file=progress)
    assert len(history) == 4
    weights = model.network.state_dict()
    assert all(torch.equal(v, weights[k]) for k, v in again.network.state_dict().items())


def test_a_trained_model_can_be_saved_and_loaded(undisturbed, tmp_path) -> None:
    save_model(undisturbed[0], tmp_path / "tiny.pt")
    assert load_model(tmp_path / "tiny.pt").training == undisturbed[0].training


def test_random_labels_are_permuted_recorded_and_end_with_the_last_epoch(
    images, spec, undisturbed, tmp_path
) -> None:
    settings = dataclasses.replace(SETTINGS, random_labels=True)
    model, history = train(spec, images, settings)
    assert model.training is not None
    assert model.training.settings["random_labels"] is True
    assert model.training.metrics["epoch"] == len(history) - 1
    assert "permuted at random" in model.notes[0]
    save_model(model, tmp_path / "control.pt")
    assert load_model(tmp_path / "control.pt").notes == model.notes
    # the share of the permuted labels that the network gives
    assert 0.0 <= model.training.metrics["random_labels_accuracy"] <= 1.0
    assert undisturbed[0].training.train_sources == model.training.train_sources
    assert "random_labels_accuracy" not in undisturbed[0].training.metrics
    assert not undisturbed[0].notes
