"""Training: what is learnt, and from what."""

from __future__ import annotations

import csv
import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from attnxai.data.images import SourceSet
from attnxai.errors import DataSetError, FewSourcesWarning, OptionError, TrainingError
from attnxai.models import steerable
from attnxai.models.checkpoints import load_model, save_model
from attnxai.models.network import AttentionNetwork
from attnxai.models.preprocessing import Preprocessing
from attnxai.training.augmentation import augmented
from attnxai.training.history import EpochResult, write_history
from attnxai.training.run import TrainingRun, split_sources
from attnxai.training.settings import Precision, Schedule, TrainingSettings
from tests.models.builders import tiny_spec
from tests.training.conftest import easy_image
from tests.training.runs import CLASSES, SETTINGS, assert_same, train


class Stopped(Exception):
    """Stands for a power cut."""


# --- determinism -----------------------------------------------------------------------------------


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


# --- what is trained on ----------------------------------------------------------------------------


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


def test_a_trained_model_can_be_saved_and_loaded(undisturbed, tmp_path) -> None:
    save_model(undisturbed[0], tmp_path / "tiny.pt")
    assert load_model(tmp_path / "tiny.pt").training == undisturbed[0].training


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


def test_random_labels_do_not_stop_early() -> None:
    with pytest.raises(OptionError, match="patience has to be 0 with random_labels, got 3"):
        TrainingSettings(random_labels=True, patience=3)


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


# --- parts -----------------------------------------------------------------------------------------


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


def test_the_learning_rate_rises_over_a_twentieth_and_falls_to_zero() -> None:
    settings = TrainingSettings(learning_rate=1.0)
    rates = [settings.rate(step, 200) for step in range(200)]
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10)
    assert rates[10] == pytest.approx(1.0)
    assert (np.diff(rates[10:]) < 0).all()
    assert rates[105] == pytest.approx(0.5)
    assert 0 < rates[-1] < 1e-3
    flat = dataclasses.replace(settings, schedule=Schedule.CONSTANT)
    assert [flat.rate(step, 200) for step in (0, 9, 10, 199)] == [0.1, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"batch_size": 1},
        {"seed": -1},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"validation_share": 0.0},
        {"validation_share": 1.0},
        {"weight_average": 1.0},
        {"patience": -1},
        {"scale": 0.9},
        {"shift": -1.0},
    ],
)
def test_settings_out_of_range_are_refused(change) -> None:
    with pytest.raises(OptionError, match=str(next(iter(change.values())))):
        TrainingSettings(**change)


def test_images_without_a_known_class_are_refused(images, spec) -> None:
    odd = SourceSet([*images, dataclasses.replace(images[0], source="odd", class_name="WAT")])
    with pytest.raises(
        DataSetError, match="image odd has class 'WAT'; classes to train on are FR I"
    ):
        train(spec, odd)


def test_too_few_images_are_refused(images, spec) -> None:
    with pytest.raises(DataSetError, match="2 images are too few"):
        train(spec, images[:2])


def test_history_is_written_a_row_an_epoch(undisturbed, tmp_path) -> None:
    file = tmp_path / "history.csv"
    write_history(undisturbed[1], file)
    with open(file, newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
    for row, result in zip(rows, undisturbed[1], strict=True):
        for name in ("train_loss", "validation_loss", "validation_accuracy"):
            assert float(row[name]) == getattr(result, name)


@pytest.mark.filterwarnings("error::attnxai.errors.FewSourcesWarning")
def test_an_epoch_chosen_by_few_images_is_warned_of(images, spec, monkeypatch) -> None:
    with pytest.warns(
        FewSourcesWarning, match="^2 validation images of 14 choose the epoch that is kept"
    ):
        train(spec, images, dataclasses.replace(SETTINGS, epochs=1))
    monkeypatch.setattr("attnxai.training.run.FEW_VALIDATION", 2)
    train(spec, images, dataclasses.replace(SETTINGS, epochs=1))
