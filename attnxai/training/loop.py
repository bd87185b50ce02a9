"""Fit an attention network to labelled images, resumably and deterministically."""

from __future__ import annotations

import copy
import dataclasses
import math
import time
import warnings
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from attnxai.data.images import SourceSet
from attnxai.data.wording import counted
from attnxai.errors import DataSetError, FewSourcesWarning, OptionError, TrainingError
from attnxai.models.model import AttentionModel, TrainingRecord
from attnxai.models.network import AttentionNetwork
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import ModelSpec
from attnxai.training.augmentation import Augmentation
from attnxai.training.field import field_of
from attnxai.training.history import EpochResult, kept_epoch
from attnxai.training.progress import TrainingState, load_progress, save_progress
from attnxai.training.settings import Precision, TrainingSettings

# Gradients longer than this are shortened: batches of few bright pixels give rare, huge ones.
_LONGEST_GRADIENT = 5.0
FEW_VALIDATION = 20
"""With fewer validation images than this, training warns that the epoch is chosen by chance."""
# Streams of random numbers of one run: one for the order of the images, one for every step.
_PRIME = 100_003


def split_sources(
    labels: Sequence[int], *, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Split positions into training and validation, the same share of every class.

    Returns
    -------
    train, validation : ndarray of int
        Sorted positions.
    """
    values = np.asarray(labels)
    validation: list[int] = []
    for label in np.unique(values):
        members = rng.permutation(np.flatnonzero(values == label))
        validation.extend(members[: round(share * len(members))].tolist())
    chosen = np.zeros(len(values), bool)
    chosen[validation] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def training_and_validation(
    images: SourceSet, labels: Sequence[int], settings: TrainingSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the images to train and to validate on.

    Images that their data set marks for validation are validated on; where it marks none, a share of every
    class is drawn.

    Parameters
    ----------
    images : SourceSet
        All of them.
    labels : sequence of int, one for each image
        Positions of their classes.
    settings : TrainingSettings
        Share and seed.

    Returns
    -------
    train, validation : ndarray of int
        Sorted positions.
    """
    marked = np.array([image.split == "validation" for image in images])
    if marked.any():
        return np.flatnonzero(~marked), np.flatnonzero(marked)
    rng = np.random.default_rng([settings.seed, 1])
    return split_sources(labels, share=settings.validation_share, rng=rng)


class _Run:
    """The images, positions and changing state of one training run."""

    def __init__(
        self,
        spec: ModelSpec,
        images: SourceSet,
        class_names: Sequence[str],
        settings: TrainingSettings,
        field: Preprocessing,
        device: torch.device,
    ) -> None:
        self.settings, self.spec, self.device = settings, spec, device
        labels = []
        for image in images:
            if image.class_name not in class_names:
                raise DataSetError(
                    f"image {image.source} has class {image.class_name!r}; classes to train on are "
                    f"{', '.join(class_names)}"
                )
            labels.append(class_names.index(image.class_name))
        self.train, self.validation = training_and_validation(images, labels, settings)
        if len(self.train) < 2 or len(self.validation) < 1:
            raise DataSetError(f"{len(images)} images are too few to train and validate on")
        if len(self.validation) < FEW_VALIDATION:
            warnings.warn(
                f"{counted(len(self.validation), 'validation image')} of {len(images)} choose the epoch "
                f"that is kept, and measure its accuracy; with fewer than {FEW_VALIDATION} both are "
                "largely chance",
                FewSourcesWarning,
                stacklevel=3,
            )
        views = [field.view(image) for image in images]
        self.fingerprints = [view.fingerprint() for view in views]
        stack = np.stack([view.brightness for view in views])
        seen = stack[self.train]
        self.preprocessing = dataclasses.replace(
            field, mean=float(seen.mean(dtype=float)), deviation=float(seen.std(dtype=float))
        )
        self.images = torch.from_numpy(stack)[:, None].to(device)
        self.labels = torch.tensor(labels, device=device)
        self.augmentation = Augmentation(
            rotate=settings.rotate,
            reflect=settings.reflect,
            scale=settings.scale,
            shift=settings.shift,
        )
        network = AttentionNetwork(spec, generator=torch.Generator().manual_seed(settings.seed)).to(
            device
        )
        self.state = TrainingState(
            network=network,
            averaged=copy.deepcopy(network).eval(),
            optimiser=torch.optim.AdamW(
                network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
            ),
        )

    def batches(self, epoch: int) -> list[torch.Tensor]:
        """Positions of the images of every step of an epoch."""
        generator = torch.Generator().manual_seed(self.settings.seed * _PRIME + epoch)
        order = torch.from_numpy(self.train)[torch.randperm(len(self.train), generator=generator)]
        batches = list(torch.split(order, self.settings.batch_size))
        if len(batches) > 1 and len(batches[-1]) == 1:
            # batch norm has no variance over a single image
            last = batches.pop()
            batches[-1] = torch.cat([batches[-1], last])
        return batches

    def step(self, epoch: int, index: int, batch: torch.Tensor, n_batches: int) -> None:
        """One step of the optimiser."""
        settings, state = self.settings, self.state
        seed = (settings.seed * _PRIME + epoch) * _PRIME + index + 1
        generator = torch.Generator().manual_seed(seed)
        n_done = epoch * n_batches + index
        for group in state.optimiser.param_groups:
            group["lr"] = settings.rate(n_done, settings.epochs * n_batches)
        with torch.random.fork_rng(devices=_cuda_devices(self.device)):
            torch.manual_seed(seed)  # dropout draws from torch's own state
            images = self.augmentation.apply(self.images[batch], generator=generator)
            scores = self.scores(state.network, images)
        loss = nn.functional.cross_entropy(scores, self.labels[batch])
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(state.network.parameters(), _LONGEST_GRADIENT)
        state.optimiser.step()
        self._average(n_done)
        state.loss_sum += float(loss.detach()) * len(batch)
        state.n_images += len(batch)
        state.step = index + 1
        if not math.isfinite(state.loss_sum):
            raise TrainingError(
                f"the training loss was no longer finite in epoch {epoch + 1}, step {index + 1}; "
                f"train with a learning rate below {settings.learning_rate:g}"
            )

    def _average(self, n_done: int) -> None:
        # early on the past is little and far off, so it counts for less
        past = min(self.settings.weight_average, (1 + n_done) / (10 + n_done))
        pairs = zip(
            self.state.averaged.state_dict().values(),
            self.state.network.state_dict().values(),
            strict=True,
        )
        with torch.no_grad():
            for average, value in pairs:
                if self.settings.weight_average and average.is_floating_point():
                    average.lerp_(value, 1 - past)
                else:
                    average.copy_(value)

    def scores(self, network: nn.Module, images: torch.Tensor) -> torch.Tensor:
        """Class scores in 32 bits, computed in the precision of the settings."""
        standardised = (images - self.preprocessing.mean) / self.preprocessing.deviation
        mixed = self.settings.precision is Precision.MIXED
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=mixed):
            scores: torch.Tensor = network(standardised)
        return scores.float()

    def validate(self) -> tuple[float, float]:
        """Loss and accuracy of the weights that would be kept."""
        positions = torch.from_numpy(self.validation)
        labels = self.labels[positions]
        with torch.no_grad():
            scores = torch.cat(
                [
                    self.scores(self.state.averaged, self.images[batch])
                    for batch in torch.split(positions, 64)
                ]
            )
        loss = float(nn.functional.cross_entropy(scores, labels))
        return loss, float((scores.argmax(dim=1) == labels).float().mean())


def check_device(name: str) -> None:
    """Refuse a device that this machine does not have.

    Raises
    ------
    OptionError
        Saying what would be right.
    """
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise OptionError(
            f"device {name!r} cannot be used here; 'cpu' always can, and "
            + (
                "'cuda' on this machine"
                if torch.cuda.is_available()
                else "this machine has no CUDA device"
            )
        ) from error


def _cuda_devices(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []


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
    """Train a network; the epoch with the lowest validation loss is kept.

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
        Record of the run. A run that finds it goes on where it stopped, and ends with the same weights
        as one that was never stopped. With more epochs than before it goes on as well; the model's notes
        then say so, since the learning rate of the epochs before followed another schedule.
    save_every_s : float
        Seconds between writing the record; it is written after every epoch as well.
    device : str or torch.device
        Where to train.
    on_resume : callable, optional
        Called with the number of finished epochs, once it is known that the run goes on from the record.
    on_step : callable, optional
        Called with the number of finished steps and of all steps.
    on_epoch : callable, optional
        Called with each :class:`~attnxai.training.history.EpochResult`.

    Returns
    -------
    model : AttentionModel
        On the CPU, in evaluation mode.
    history : list of EpochResult
        One entry an epoch.

    Raises
    ------
    DataSetError
        If the images are too few or of classes that are not to be trained on.
    TrainingError
        If the loss stops being a finite number.
    CheckpointError
        If the progress file is that of another run.
    """
    field = field_of(images) if field is None else field
    run = _Run(spec, images, class_names, settings, field, torch.device(device))
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
    run: _Run,
    identity: dict[str, Any],
    path: Path | None,
    save_every_s: float,
    on_step: Callable[[int, int], None] | None,
    on_epoch: Callable[[EpochResult], None] | None,
) -> None:
    """Go through the epochs that are left."""
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
        if not state.history or validation_loss < kept_epoch(state.history).validation_loss:
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
    run: _Run, images: SourceSet, data: str, data_licence: str, command: str
) -> TrainingRecord:
    sources, history = images.sources, run.state.history
    chosen = kept_epoch(history)
    return TrainingRecord(
        data=data,
        data_licence=data_licence,
        data_sha256=images.sha256(),
        train_sources=tuple(sources[i] for i in run.train),
        validation_sources=tuple(sources[i] for i in run.validation),
        train_fingerprints=tuple(run.fingerprints[i] for i in run.train),
        validation_fingerprints=tuple(run.fingerprints[i] for i in run.validation),
        settings=run.settings.to_dict(),
        metrics={
            "epoch": float(chosen.epoch),
            "epochs_trained": float(len(history)),
            "validation_accuracy": chosen.validation_accuracy,
            "validation_loss": chosen.validation_loss,
            "n_validation": float(len(run.validation)),
            "n_train": float(len(run.train)),
            "seconds": history[-1].seconds,
        },
        versions={package: metadata.version(package) for package in ("torch", "e2cnn", "numpy")},
        command=command,
    )


def _notes(run: _Run) -> tuple[str, ...]:
    if not run.state.earlier_epochs:
        return ()
    planned = (*run.state.earlier_epochs, run.settings.epochs)
    note = (
        "Training was continued with more epochs: the learning rate followed the schedule of "
        f"{', then of '.join(map(str, planned))} epochs, so that the command in the training record does "
        "not repeat it."
    )
    return (note,)


def _identity(run: _Run, images: SourceSet, class_names: Sequence[str]) -> dict[str, Any]:
    """What has to be the same for a run to go on where another stopped."""
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
