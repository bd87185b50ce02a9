"""Fit an attention network to labelled images, resumably and deterministically."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from attnxai.data.images import SourceSet
from attnxai.errors import TrainingError
from attnxai.models.model import AttentionModel, TrainingRecord
from attnxai.models.network import AttentionNetwork
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import ModelSpec
from attnxai.training.field import field_of
from attnxai.training.history import EpochResult, kept_epoch
from attnxai.training.progress import load_progress, save_progress
from attnxai.training.run import TrainingRun
from attnxai.training.settings import TrainingSettings

RANDOM_LABELS = (
    "Trained on labels that were permuted at random: its predictions mean nothing, and its maps are a control for those "
    "of a network that was trained on the true labels."
)


def train_model(
    spec: ModelSpec,
    images: SourceSet,
    *,
    class_names: Sequence[str],
    settings: TrainingSettings,
    name: str,
    field: Preprocessing | None = None,
    data: str = "",
    data_licence: str = "",
    command: str = "",
    progress_file: str | Path | None = None,
    save_every_s: float = 30.0,
    device: str | torch.device = "cpu",
    on_resume: Callable[[int], None] | None = None,
    on_step: Callable[[int, int], None] | None = None,
    on_epoch: Callable[[EpochResult], None] | None = None,
) -> tuple[AttentionModel, list[EpochResult]]:
    """Train a network; the epoch with the lowest validation loss is kept, or the last one with random labels.

    Parameters
    ----------
    spec : ModelSpec
        What to train.
    images : SourceSet
        Labelled images. Those whose split is ``validation`` are validated on; when there are none, a
        share of every class is held back.
    class_names : sequence of str
        Classes in the order of the scores.
    settings : TrainingSettings
        Options.
    name : str
        Name of the model.
    field : Preprocessing, optional
        Field and pixels that the network sees, standardisation left aside: that follows from the
        training images. Left out, :func:`~attnxai.training.field.field_of` the images.
    data, data_licence, command : str
        For the training record.
    progress_file : path, optional
        Record of the run, from which an interrupted run is resumed; it ends with the same weights as one
        that was never stopped. With more epochs than before it is resumed as well; the model's notes
        then say so, since the learning rate of the epochs before followed another schedule.
    save_every_s : float
        Seconds between writing the record; it is written after every epoch as well.
    device : str or torch.device
        Where to train.
    on_resume : callable, optional
        Called with the number of finished epochs, when the run is resumed from the record.
    on_step : callable, optional
        Called with the number of finished steps and of all steps.
    on_epoch : callable, optional
        Called with each :class:`~attnxai.training.history.EpochResult`.

    Returns
    -------
    model : AttentionModel
        On the CPU, in evaluation mode.
    history : list of EpochResult
        One entry per epoch.

    Raises
    ------
    DataSetError
        If the images are too few or of classes that are not to be trained on.
    TrainingError
        If the loss stops being a finite number.
    CheckpointError
        If the progress file is that of another run.

    Examples
    --------
    >>> import dataclasses
    >>> import numpy as np
    >>> import attnxai
    >>> rng = np.random.default_rng(0)
    >>> images = attnxai.SourceSet(
    ...     dataclasses.replace(
    ...         attnxai.data.simulate_source(name, source=f"{name} {i}", rng=rng).image,
    ...         class_name=name,
    ...         split="validation" if i < 10 else "train",
    ...     )
    ...     for name in ("FR I", "FR II")
    ...     for i in range(20)
    ... )
    >>> model, history = attnxai.train_model(
    ...     attnxai.models.compact_spec("C1"),
    ...     images,
    ...     class_names=("FR I", "FR II"),
    ...     settings=attnxai.training.TrainingSettings(epochs=1),
    ...     name="C1",
    ... )
    >>> model.spec.group, len(history), history[0].images_seen
    ('C1', 1, 20)
    """
    field = field_of(images, binning=spec.binning) if field is None else field
    run = TrainingRun(spec, images, class_names, settings, field, torch.device(device))
    identity = _identity(run, images, class_names)
    state = run.state
    path = Path(progress_file) if progress_file is not None else None
    if path is not None and path.is_file():
        load_progress(state, path, identity)
        if on_resume is not None:
            on_resume(len(state.history))
    if not _finished(state.history, settings):
        _fit(run, identity, path, save_every_s, on_step, on_epoch)
    network = AttentionNetwork(spec).eval()
    network.load_state_dict(state.best)
    model = AttentionModel(
        name=name,
        spec=spec,
        network=network,
        preprocessing=run.preprocessing,
        class_names=tuple(class_names),
        training=_record(run, images, data, data_licence, command),
        notes=_notes(run),
    )
    return model, state.history


def _fit(
    run: TrainingRun,
    identity: dict[str, Any],
    path: Path | None,
    save_every_s: float,
    on_step: Callable[[int, int], None] | None,
    on_epoch: Callable[[EpochResult], None] | None,
) -> None:
    """Train the remaining epochs."""
    state, settings = run.state, run.settings
    started, before = time.monotonic(), state.seconds
    saved = started

    def save() -> None:
        nonlocal saved
        state.seconds = before + time.monotonic() - started
        if path is not None:
            save_progress(state, path, identity)
        saved = time.monotonic()

    while not _finished(state.history, settings):
        epoch = len(state.history)
        batches = run.batches(epoch)
        run.state.network.train()
        for index in range(state.step, len(batches)):
            run.step(epoch, index, batches[index], len(batches))
            if on_step is not None:
                on_step(epoch * len(batches) + index + 1, settings.epochs * len(batches))
            if time.monotonic() - saved >= save_every_s:
                save()
        validation_loss, accuracy = run.validate()
        if not math.isfinite(validation_loss):
            raise TrainingError(
                f"the validation loss was no longer finite after epoch {epoch + 1}; train with a "
                f"learning rate below {settings.learning_rate:g}"
            )
        lowest = not state.history or validation_loss < kept_epoch(state.history).validation_loss
        if lowest or settings.random_labels:
            weights = state.averaged.state_dict()
            state.best = {k: v.detach().cpu().clone() for k, v in weights.items()}
        result = EpochResult(
            epoch=epoch,
            images_seen=(epoch + 1) * len(run.train),
            steps=(epoch + 1) * len(batches),
            learning_rate=state.optimiser.param_groups[0]["lr"],
            train_loss=state.loss_sum / state.n_images,
            validation_loss=validation_loss,
            validation_accuracy=accuracy,
            seconds=before + time.monotonic() - started,
        )
        state.history.append(result)
        state.step, state.loss_sum, state.n_images = 0, 0.0, 0
        save()
        if on_epoch is not None:
            on_epoch(result)


def _finished(history: Sequence[EpochResult], settings: TrainingSettings) -> bool:
    if len(history) >= settings.epochs:
        return True
    if not settings.patience or not history:
        return False
    return len(history) - 1 - kept_epoch(history).epoch >= settings.patience


def _record(
    run: TrainingRun, images: SourceSet, data: str, data_licence: str, command: str
) -> TrainingRecord:
    sources, history = images.sources, run.state.history
    random_labels = run.settings.random_labels
    chosen = kept_epoch(history, last=random_labels)
    return TrainingRecord(
        data=data,
        data_licence=data_licence,
        data_sha256=images.sha256(),
        train_sources=tuple(sources[i] for i in run.train),
        validation_sources=tuple(sources[i] for i in run.validation),
        train_fingerprints=tuple(run.fingerprints[i] for i in run.train),
        validation_fingerprints=tuple(run.fingerprints[i] for i in run.validation),
        train_positions=tuple(run.positions[i] for i in run.train if any(run.positions)),
        validation_positions=tuple(run.positions[i] for i in run.validation if any(run.positions)),
        settings=run.settings.to_dict(),
        metrics={
            "epoch": float(chosen.epoch),
            "epochs_trained": float(len(history)),
            "validation_accuracy": chosen.validation_accuracy,
            "validation_loss": chosen.validation_loss,
            "n_validation": float(len(run.validation)),
            "n_train": float(len(run.train)),
            "seconds": history[-1].seconds,
            **({"random_labels_accuracy": run.evaluate(run.train)[1]} if random_labels else {}),
        },
        versions={package: metadata.version(package) for package in ("torch", "e2cnn", "numpy")},
        command=command,
    )


def _notes(run: TrainingRun) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    if run.settings.random_labels:
        notes = (RANDOM_LABELS,)
    if not run.state.earlier_epochs:
        return notes
    planned = (*run.state.earlier_epochs, run.settings.epochs)
    note = (
        "Training was continued with more epochs: the learning rate followed the schedule of "
        f"{', then of '.join(map(str, planned))} epochs, so that the command in the training record does "
        "not repeat it."
    )
    return (*notes, note)


def _identity(run: TrainingRun, images: SourceSet, class_names: Sequence[str]) -> dict[str, Any]:
    """What has to be the same for a run to be resumed."""
    return {
        "class_names": list(class_names),
        "sources": list(images.sources),
        "labels": run.labels.tolist(),
        "specification": run.spec.to_dict(),
        "settings": run.settings.to_dict(),
        "data_sha256": images.sha256(),
        "validation_images": run.validation.tolist(),
        "preprocessing": run.preprocessing.to_dict(),
    }
