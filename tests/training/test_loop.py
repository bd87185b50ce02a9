"""Training: what is learnt, and by which steps."""

from __future__ import annotations

import csv
import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from attnxai.data.images import SourceSet
from attnxai.errors import TrainingError
from attnxai.models import steerable
from attnxai.models.network import AttentionNetwork
from attnxai.models.preprocessing import Preprocessing
from attnxai.training.augmentation import augmented
from attnxai.training.history import EpochResult, write_history
from attnxai.training.run import TrainingRun
from attnxai.training.settings import Precision, TrainingSettings
from tests.models.builders import tiny_spec
from tests.training.conftest import easy_image
from tests.training.runs import CLASSES, SETTINGS, assert_same, train


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    images, spec, undisturbed
) -> None:
    state = torch.get_rng_state()
    torch.manual_seed(123)  # the global state has no say
    try:
        before = torch.get_rng_state()
        assert_same(train(spec, images), undisturbed)
        assert torch.equal(torch.get_rng_state(), before)
    finally:
        torch.set_rng_state(state)
    other, _ = train(spec, images, dataclasses.replace(SETTINGS, seed=6, epochs=1))
    weights, others = undisturbed[0].network.state_dict(), other.network.state_dict()
    assert not all(torch.equal(weights[name], others[name]) for name in weights)


def test_numpys_global_state_is_the_same_afterwards(images, spec) -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    train(spec, images, dataclasses.replace(SETTINGS, epochs=1))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # type: ignore[index]


def test_dropout_is_drawn_anew_in_every_step(images, spec, monkeypatch) -> None:
    seeds: list[int] = []

    def record(batch: torch.Tensor, settings: Any, *, generator: torch.Generator) -> torch.Tensor:
        seeds.append(torch.initial_seed())
        return augmented(batch, settings, generator=generator)

    monkeypatch.setattr("attnxai.training.run.augmented", record)
    train(spec, images)
    assert len(seeds) == len(set(seeds)) == 9


def test_gates_are_trained_on_islands_that_were_large_before_interpolation(
    images, monkeypatch
) -> None:
    """A single pixel becomes an island of four or more when an image is rotated."""
    pixels = [np.array(image.pixels) for image in images]
    for values in pixels:
        values[values < 100] = 0
        values[75, 20:23] = 255
    specks = [dataclasses.replace(one, pixels=p) for one, p in zip(images, pixels, strict=True)]
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    forward = AttentionNetwork.forward

    def record(self, inputs, emission_of=None):
        if self.training:
            seen.append((inputs, emission_of))
        return forward(self, inputs, emission_of)

    monkeypatch.setattr(AttentionNetwork, "forward", record)
    train(tiny_spec(normalisation="emission"), SourceSet(specks))
    assert seen
    for inputs, emission_of in seen:
        removed = inputs - emission_of
        assert (removed > 0).flatten(1).any(dim=1).all()
        assert not ((emission_of > 0) & (removed > 0)).any()
        assert ((emission_of > 0).flatten(1).sum(dim=1) > 100).all()


def test_gradients_longer_than_five_are_shortened(images, spec, monkeypatch) -> None:
    lengths: list[tuple[float, float]] = []
    clip = torch.nn.utils.clip_grad_norm_

    def record(parameters: Any, longest: float) -> torch.Tensor:
        own = list(parameters)
        for parameter in own:
            parameter.grad *= 10.0 ** (len(lengths) % 3)  # some are short and some are long
        before = clip(own, longest)
        after = torch.linalg.vector_norm(torch.stack([p.grad.norm() for p in own]))
        lengths.append((float(before), float(after)))
        return before

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", record)
    train(spec, images, dataclasses.replace(SETTINGS, epochs=2))
    assert [after for _, after in lengths] == pytest.approx(
        [min(before, 5.0) for before, _ in lengths], rel=1e-4
    )
    assert min(lengths)[0] < 4
    assert max(lengths)[0] > 6


def test_the_training_loss_is_the_mean_over_images(images, spec, monkeypatch) -> None:
    losses: list[tuple[float, int]] = []
    entropy = torch.nn.functional.cross_entropy

    def record(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        loss = entropy(scores, labels)
        losses.append((float(loss.detach()), len(labels)))
        return loss

    monkeypatch.setattr(torch.nn.functional, "cross_entropy", record)
    _, (epoch,) = train(spec, images, dataclasses.replace(SETTINGS, epochs=1, batch_size=8))
    (first, n_first), (second, n_second), _ = losses  # the last is that of validation
    assert (n_first, n_second) == (8, 4)
    assert epoch.train_loss == pytest.approx((8 * first + 4 * second) / 12)


def test_mixed_precision_learns_the_same_thing_and_repeats(images, spec) -> None:
    settings = dataclasses.replace(SETTINGS, precision=Precision.MIXED)
    first, second = train(spec, images, settings), train(spec, images, settings)
    assert_same(first, second)
    exact = train(spec, images)[1]
    for result, expected in zip(first[1], exact, strict=True):
        assert result.train_loss == pytest.approx(expected.train_loss, rel=0.05)
        assert result.train_loss != expected.train_loss
    assert all(
        value.dtype is torch.float32
        for value in first[0].network.state_dict().values()
        if value.is_floating_point()
    )


def test_convolutions_by_the_transform_learn_the_same_thing_and_repeat(
    images, spec, monkeypatch
) -> None:
    plain = train(spec, images)[1]
    passes = []
    own = steerable.SteerableConv2d.by_fourier

    def by_fourier(self: Any, *, adjoint: bool = False) -> Any:
        passes.append((adjoint, self.training))
        return own(self, adjoint=adjoint)

    monkeypatch.setattr(steerable, "fourier_is_faster", lambda *_: True)
    monkeypatch.setattr(steerable.SteerableConv2d, "by_fourier", by_fourier)
    first = train(spec, images)
    # forward and backward in training, forward in validation
    assert set(passes) == {
        (False, True),
        (True, True),
        (False, False),
    }
    assert_same(first, train(spec, images))
    for result, expected in zip(first[1], plain, strict=True):
        assert result.train_loss == pytest.approx(expected.train_loss, rel=1e-3)
    passes.clear()
    train(spec, images, dataclasses.replace(SETTINGS, epochs=1, precision=Precision.MIXED))
    assert not passes


def test_losses_that_are_not_finite_end_the_run_with_a_sentence(images, spec, monkeypatch) -> None:
    with pytest.raises(TrainingError, match=r"not? longer finite|no longer finite.*below 1e\+30"):
        train(spec, images, dataclasses.replace(SETTINGS, learning_rate=1e30))
    monkeypatch.setattr(TrainingRun, "validate", lambda self: (float("nan"), 0.5))
    with pytest.raises(TrainingError, match=r"validation loss was no longer finite after epoch 1"):
        train(spec, images)


def test_an_easy_problem_is_learnt(spec) -> None:
    images = SourceSet(easy_image(index) for index in range(20))
    wider = dataclasses.replace(spec, fields=(2, 2, 4, 4), dropout=0.0)
    settings = TrainingSettings(epochs=10, batch_size=4, learning_rate=2e-2, seed=1)
    model, history = train(wider, images, settings)
    losses = [result.train_loss for result in history]
    assert np.mean(losses[-2:]) < 0.6 * losses[0]
    assert model.training is not None
    assert model.training.metrics["validation_accuracy"] == 1.0
    assert model.training.metrics["validation_loss"] < 0.5


def test_only_training_labels_are_permuted_and_by_the_seed(images, spec) -> None:
    def labels(**changes):
        settings = dataclasses.replace(SETTINGS, **changes)
        run = TrainingRun(spec, images, CLASSES, settings, Preprocessing(), torch.device("cpu"))
        return run, run.labels.numpy()

    run, true = labels()
    _, mixed = labels(random_labels=True)
    assert np.array_equal(true[run.validation], mixed[run.validation])
    assert not np.array_equal(true[run.train], mixed[run.train])
    assert sorted(true[run.train]) == sorted(mixed[run.train])
    assert np.array_equal(mixed, labels(random_labels=True)[1])


def test_steps_and_epochs_are_reported(images, spec) -> None:
    steps: list[tuple[int, int]] = []
    epochs: list[EpochResult] = []
    settings = dataclasses.replace(SETTINGS, epochs=2)
    _, history = train(
        spec,
        images,
        settings,
        on_step=lambda done, total: steps.append((done, total)),
        on_epoch=epochs.append,
    )
    assert steps == [(done, 6) for done in range(1, 7)]
    assert epochs == history
    assert [result.epoch for result in history] == [0, 1]


def test_history_is_written_a_row_an_epoch(undisturbed, tmp_path) -> None:
    file = tmp_path / "history.csv"
    write_history(undisturbed[1], file)
    with open(file, newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
    for row, result in zip(rows, undisturbed[1], strict=True):
        for name in ("train_loss", "validation_loss", "validation_accuracy"):
            assert float(row[name]) == getattr(result, name)
