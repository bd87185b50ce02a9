"""An interruption changes nothing, and no run goes on from the record of another."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from attnxai.data.images import SourceSet
from attnxai.errors import CheckpointError
from attnxai.models.checkpoints import save_model
from attnxai.models.specification import ModelSpec
from attnxai.training.history import EpochResult
from tests.training.runs import CLASSES, SETTINGS, assert_same, train


class Stopped(Exception):
    """Stands for a power cut."""


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_a_run_stopped_after_an_epoch_ends_with_the_same_weights(
    images, spec, undisturbed, tmp_path, epoch
) -> None:
    progress = tmp_path / "run.progress.pt"

    def stop(result: EpochResult) -> None:
        if result.epoch == epoch:
            raise Stopped

    with pytest.raises(Stopped):
        train(spec, images, progress_file=progress, on_epoch=stop)
    finished: list[int] = []
    result = train(
        spec, images, progress_file=progress, on_epoch=lambda r: finished.append(r.epoch)
    )
    assert finished == list(range(epoch + 1, 3)), "finished epochs are not repeated"
    assert_same(result, undisturbed)


@pytest.mark.parametrize("step", [1, 5, 8])
def test_a_run_stopped_within_an_epoch_ends_with_the_same_weights(
    images, spec, undisturbed, tmp_path, step
) -> None:
    progress = tmp_path / "run.progress.pt"

    def stop(done: int, total: int) -> None:
        assert total == 9
        if done == step:
            raise Stopped

    before = torch.get_rng_state()
    with pytest.raises(Stopped):
        train(spec, images, progress_file=progress, on_step=stop)
    assert torch.equal(torch.get_rng_state(), before)
    assert progress.exists() == (step > 3)
    assert_same(train(spec, images, progress_file=progress), undisturbed)


@pytest.mark.parametrize("step", range(1, 9))
def test_a_record_within_an_epoch_is_gone_on_from_at_that_step(
    images, spec, undisturbed, tmp_path, step
) -> None:
    progress = tmp_path / "run.progress.pt"

    def stop(done: int, total: int) -> None:
        if done == step + 1:
            raise Stopped

    with pytest.raises(Stopped):
        train(spec, images, progress_file=progress, save_every_s=0.0, on_step=stop)
    steps: list[int] = []
    result = train(
        spec, images, progress_file=progress, on_step=lambda done, total: steps.append(done)
    )
    assert steps == list(range(step + 1, 10)), "finished steps are not repeated"
    assert_same(result, undisturbed)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"seed": 6}, "seed is 5 there and 6 here"),
        ({"epochs": 2}, "epochs is 3 there and 2 here"),
        ({"batch_size": 5}, "batch_size is 4 there and 5 here"),
        ({"learning_rate": 2e-2}, "learning_rate is 0.01 there and 0.02 here"),
        (
            {"weight_decay": 0.0, "epochs": 4},
            r"\(its settings differ: weight_decay is 0.0001 there and 0.0 ",
        ),
    ],
)
def test_other_settings_do_not_go_on_from_a_record(images, spec, tmp_path, change, text) -> None:
    progress = _record(images, spec, tmp_path)
    before = progress.read_bytes()
    resumed: list[int] = []
    with pytest.raises(CheckpointError, match=rf"record of another training run .*{text}"):
        train(
            spec,
            images,
            dataclasses.replace(SETTINGS, **change),
            progress_file=progress,
            on_resume=resumed.append,
        )
    assert progress.read_bytes() == before
    assert resumed == [], "nothing is said to go on"


def test_more_epochs_are_more_epochs(images, spec, tmp_path) -> None:
    """Epochs that were trained stay; the rest follow the schedule of the new number."""
    progress = _record(images, spec, tmp_path)
    resumed: list[int] = []
    more = dataclasses.replace(SETTINGS, epochs=5)
    model, history = train(spec, images, more, progress_file=progress, on_resume=resumed.append)
    assert resumed == [1]
    first = _first_epoch(images, spec)
    assert dataclasses.replace(history[0], seconds=0.0) == dataclasses.replace(first, seconds=0.0)
    assert [result.epoch for result in history] == [0, 1, 2, 3, 4]
    rates = [more.rate(3 * epoch + 2, 15) for epoch in range(1, 5)]
    assert [result.learning_rate for result in history[1:]] == pytest.approx(rates)
    (note,) = model.notes
    assert "the schedule of 3, then of 5 epochs" in note
    assert model.training is not None
    assert model.training.settings["epochs"] == 5


def test_more_epochs_twice(images, spec, tmp_path) -> None:
    progress = _record(images, spec, tmp_path)

    def stop(result: EpochResult) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        train(
            spec,
            images,
            dataclasses.replace(SETTINGS, epochs=4),
            progress_file=progress,
            on_epoch=stop,
        )
    model, history = train(
        spec, images, dataclasses.replace(SETTINGS, epochs=5), progress_file=progress
    )
    assert len(history) == 5
    assert "the schedule of 3, then of 4, then of 5 epochs" in model.notes[0]


def _first_epoch(images: SourceSet, spec: ModelSpec) -> EpochResult:
    found: list[EpochResult] = []

    def stop(result: EpochResult) -> None:
        found.append(result)
        raise Stopped

    with pytest.raises(Stopped):
        train(spec, images, on_epoch=stop)
    return found[0]


def _record(images: SourceSet, spec: ModelSpec, folder: Path) -> Path:
    progress = folder / "run.progress.pt"

    def stop(result: EpochResult) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        train(spec, images, progress_file=progress, on_epoch=stop)
    return progress


def test_other_networks_images_and_classes_do_not_go_on_from_a_record(
    images, spec, tmp_path
) -> None:
    progress = _record(images, spec, tmp_path)
    wider = dataclasses.replace(spec, gate_channels=3)
    with pytest.raises(CheckpointError, match="specification differ"):
        train(wider, images, progress_file=progress)
    with pytest.raises(CheckpointError, match="sources differ"):
        train(spec, images[:-1], progress_file=progress)
    with pytest.raises(CheckpointError, match="sources differ"):
        train(spec, SourceSet(reversed(list(images))), progress_file=progress)
    with pytest.raises(CheckpointError, match="class names differ"):
        train(spec, images, class_names=CLASSES[::-1], progress_file=progress)
    swapped = {"FR I": "FR II", "FR II": "FR I"}
    relabelled = SourceSet(
        dataclasses.replace(image, class_name=swapped[image.class_name]) for image in images
    )
    with pytest.raises(CheckpointError, match="labels differ"):
        train(spec, relabelled, progress_file=progress)
    brighter = SourceSet(
        dataclasses.replace(image, pixels=image.pixels * np.float32(0.5)) for image in images
    )
    with pytest.raises(CheckpointError, match="data sha256 differ"):
        train(spec, brighter, progress_file=progress)


def test_files_that_are_no_record_are_refused(images, spec, undisturbed, tmp_path) -> None:
    model_file, text = tmp_path / "model.pt", tmp_path / "text.pt"
    save_model(undisturbed[0], model_file)
    text.write_text("nothing")
    with pytest.raises(CheckpointError, match="not a record of a training run"):
        train(spec, images, progress_file=model_file)
    with pytest.raises(CheckpointError, match="not a PyTorch checkpoint"):
        train(spec, images, progress_file=text)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("history"),
        lambda content: content.update(history=[{"epoch": 0}]),
        lambda content: content.update(history=3),
        lambda content: content.pop("best"),
        lambda content: content["network"].popitem(),
        lambda content: content.update(optimiser={}),
        lambda content: content.update(optimiser={"state": {}, "param_groups": []}),
        lambda content: content.update(identity=3),
        lambda content: content["identity"].pop("sources"),
        lambda content: content["identity"].update(settings=[]),
        lambda content: content["identity"]["settings"].update(epochs="2"),
        lambda content: content["identity"].update(labels=[torch.ones(3)] * 14),
        lambda content: content["history"][0].update(validation_loss="low"),
        lambda content: content["history"][0].update(epoch=1),
        lambda content: content.update(step=-1),
        lambda content: content.update(step=0.5),
        lambda content: content.update(loss_sum=torch.ones(2)),
        lambda content: content.update(earlier_epochs=["2"]),
        lambda content: content.update(best={}),
        lambda content: content["optimiser"]["state"][0].update(exp_avg=torch.ones(7)),
    ],
)
def test_a_damaged_record_is_refused(images, spec, tmp_path, change) -> None:
    progress = _record(images, spec, tmp_path)
    content = torch.load(progress, weights_only=True)
    change(content)
    torch.save(content, progress)
    with pytest.raises(CheckpointError, match="damaged record of a training run"):
        train(spec, images, progress_file=progress)
