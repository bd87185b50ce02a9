"""Fit an attention network to labelled images, resumably and deterministically."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from attnxai.data.images import SourceSet
from attnxai.errors import CheckpointError, DataSetError, OptionError
from attnxai.models.checkpoints import load_weights, read_checkpoint_file, write_atomically
from attnxai.models.model import AttentionModel, TrainingRecord
from attnxai.models.network import AttentionNetwork
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import ModelSpec
from attnxai.training.augmentation import Augmentation

PROGRESS_FORMAT = "attnxai-training"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Options of a training run.

    Parameters
    ----------
    epochs : int
        Passes over the training images; each pass shows every image once, changed at random.
    batch_size : int
        Images a step.
    learning_rate : float
        Peak of a schedule that rises over the first twentieth and falls to zero along a cosine.
    weight_decay : float
        Decoupled weight decay (AdamW).
    validation_share : float
        Share of each class that is held back to choose the epoch by.
    seed : int
        Same seed and thread count, same weights.
    """

    epochs: int = 20
    batch_size: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    validation_share: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2 or self.seed < 0:
            raise OptionError(
                "training needs one epoch or more, batches of two images or more and a seed of 0 or "
                f"more, got {self.epochs}, {self.batch_size} and {self.seed}"
            )
        if not self.learning_rate > 0 or not 0 < self.validation_share < 1:
            raise OptionError(
                "training needs a positive learning rate and a validation share between 0 and 1, got "
                f"{self.learning_rate} and {self.validation_share}"
            )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EpochResult:
    """What one epoch of training gave."""

    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float


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


def _learning_rate(settings: TrainingSettings, step: int, n_steps: int) -> float:
    rise = max(1, n_steps // 20)
    if step < rise:
        return settings.learning_rate * (step + 1) / rise
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / (n_steps - rise)))


class _Run:
    """The tensors and positions of one training run."""

    def __init__(
        self,
        spec: ModelSpec,
        images: SourceSet,
        class_names: Sequence[str],
        settings: TrainingSettings,
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
        rng = np.random.default_rng([settings.seed, 1])
        self.train, self.validation = split_sources(
            labels, share=settings.validation_share, rng=rng
        )
        if len(self.train) < 2 or len(self.validation) < 1:
            raise DataSetError(f"{len(images)} images are too few to train and validate on")
        blank = Preprocessing()
        stack = np.stack([blank.view(image).brightness for image in images])
        seen = stack[self.train]
        self.preprocessing = dataclasses.replace(
            blank, mean=float(seen.mean(dtype=float)), deviation=float(seen.std(dtype=float))
        )
        self.images = torch.from_numpy(stack)[:, None].to(device)
        self.labels = torch.tensor(labels, device=device)
        generator = torch.Generator().manual_seed(settings.seed)
        self.network = AttentionNetwork(spec, generator=generator).to(device)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )

    def standardised(self, images: torch.Tensor) -> torch.Tensor:
        return (images - self.preprocessing.mean) / self.preprocessing.deviation

    def train_epoch(self, epoch: int, on_step: Callable[[int, int], None] | None) -> float:
        settings = self.settings
        # drawn from (seed, epoch) alone, so that a resumed run repeats an undisturbed one
        generator = torch.Generator().manual_seed(settings.seed * 100_003 + epoch)
        order = torch.from_numpy(self.train)[torch.randperm(len(self.train), generator=generator)]
        batches = [b for b in torch.split(order, settings.batch_size) if len(b) > 1]
        self.network.train()
        total, count = 0.0, 0
        with torch.random.fork_rng(devices=_cuda_devices(self.device)):
            torch.manual_seed(settings.seed * 100_003 + epoch)
            for index, batch in enumerate(batches):
                rate = _learning_rate(
                    settings, epoch * len(batches) + index, settings.epochs * len(batches)
                )
                for group in self.optimiser.param_groups:
                    group["lr"] = rate
                images = Augmentation().apply(self.images[batch], generator=generator)
                scores = self.network(self.standardised(images))
                loss = nn.functional.cross_entropy(scores, self.labels[batch])
                self.optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
                self.optimiser.step()
                total, count = total + float(loss.detach()) * len(batch), count + len(batch)
                if on_step is not None:
                    on_step(epoch * len(batches) + index + 1, settings.epochs * len(batches))
        return total / count

    def validate(self) -> tuple[float, float]:
        labels = self.labels[torch.from_numpy(self.validation)]
        self.network.eval()
        with torch.no_grad():
            batches = torch.split(torch.from_numpy(self.validation), 64)
            joined = torch.cat(
                [self.network(self.standardised(self.images[batch])) for batch in batches]
            )
        loss = float(nn.functional.cross_entropy(joined, labels))
        return loss, float((joined.argmax(dim=1) == labels).float().mean())


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
    data: str = "",
    data_licence: str = "",
    command: str = "",
    progress_file: str | Path | None = None,
    device: str | torch.device = "cpu",
    on_step: Callable[[int, int], None] | None = None,
    on_epoch: Callable[[EpochResult], None] | None = None,
) -> tuple[AttentionModel, list[EpochResult]]:
    """Train a network; the epoch with the lowest validation loss is kept.

    Parameters
    ----------
    spec : ModelSpec
        What to train.
    images : SourceSet
        Labelled images; a share of them is held back for validation.
    class_names : sequence of str
        Classes in the order of the scores.
    settings : TrainingSettings
        Options.
    name : str
        Name of the model.
    data, data_licence, command : str
        For the training record.
    progress_file : path, optional
        Written after every epoch; a run that finds it goes on where it stopped and ends with the same
        weights as one that was never stopped.
    device : str or torch.device
        Where to train.
    on_step : callable, optional
        Called with the number of finished steps and of all steps.
    on_epoch : callable, optional
        Called with each :class:`EpochResult`.

    Returns
    -------
    model : AttentionModel
        On the CPU, in evaluation mode.
    history : list of EpochResult
        One entry an epoch.
    """
    run = _Run(spec, images, class_names, settings, torch.device(device))
    identity = _identity(run, images, class_names)
    history: list[EpochResult] = []
    best: dict[str, torch.Tensor] = {}
    if progress_file is not None and Path(progress_file).is_file():
        history, best = _resume(run, Path(progress_file), identity)
    for epoch in range(len(history), settings.epochs):
        train_loss = run.train_epoch(epoch, on_step)
        validation_loss, accuracy = run.validate()
        result = EpochResult(
            epoch=epoch,
            train_loss=train_loss,
            validation_loss=validation_loss,
            validation_accuracy=accuracy,
        )
        if not history or validation_loss < min(past.validation_loss for past in history):
            best = {k: v.detach().cpu().clone() for k, v in run.network.state_dict().items()}
        history.append(result)
        if progress_file is not None:
            _save_progress(run, Path(progress_file), identity, history, best)
        if on_epoch is not None:
            on_epoch(result)
    chosen = min(history, key=lambda result: result.validation_loss)
    network = AttentionNetwork(spec)
    network.load_state_dict(best)
    sources = images.sources
    record = TrainingRecord(
        data=data,
        data_licence=data_licence,
        data_sha256=images.sha256(),
        train_sources=tuple(sources[i] for i in run.train),
        validation_sources=tuple(sources[i] for i in run.validation),
        settings=dataclasses.asdict(settings),
        metrics={
            "epoch": float(chosen.epoch),
            "validation_accuracy": chosen.validation_accuracy,
            "validation_loss": chosen.validation_loss,
            "n_validation": float(len(run.validation)),
            "n_train": float(len(run.train)),
        },
        versions={package: metadata.version(package) for package in ("torch", "e2cnn", "numpy")},
        command=command,
    )
    model = AttentionModel(
        name=name,
        spec=spec,
        network=network.eval(),
        preprocessing=run.preprocessing,
        class_names=tuple(class_names),
        training=record,
    )
    return model, history


def _identity(run: _Run, images: SourceSet, class_names: Sequence[str]) -> dict[str, Any]:
    """What has to be the same for a run to go on where another stopped."""
    return {
        "class_names": list(class_names),
        "sources": list(images.sources),
        "labels": run.labels.tolist(),
        "specification": run.spec.to_dict(),
        "settings": dataclasses.asdict(run.settings),
        "data_sha256": images.sha256(),
    }


def _save_progress(
    run: _Run,
    path: Path,
    identity: Mapping[str, Any],
    history: Sequence[EpochResult],
    best: Mapping[str, torch.Tensor],
) -> None:
    content = {
        "format": PROGRESS_FORMAT,
        "identity": dict(identity),
        "network": run.network.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "history": [dataclasses.asdict(result) for result in history],
        "best": dict(best),
    }
    write_atomically(content, path)


def _resume(
    run: _Run, path: Path, identity: Mapping[str, Any]
) -> tuple[list[EpochResult], dict[str, torch.Tensor]]:
    content, _ = read_checkpoint_file(path)
    if not isinstance(content, dict) or content.get("format") != PROGRESS_FORMAT:
        raise CheckpointError(f"{path} is no record of a training run; move it out of the way")
    stored = content.get("identity")
    for key, value in identity.items():
        if not isinstance(stored, dict) or stored.get(key) != value:
            raise CheckpointError(
                f"{path} is the record of another training run (its {key.replace('_', ' ')} differ); "
                "give another --output, or delete it to start again"
            )
    try:
        load_weights(AttentionNetwork(run.spec), content["best"])
        load_weights(run.network, content["network"])
        run.optimiser.load_state_dict(content["optimiser"])
        history = [EpochResult(**entry) for entry in content["history"]]
    except (CheckpointError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} is a damaged record of a training run; delete it to start again"
        ) from error
    return history, content["best"]


def write_history(history: Sequence[EpochResult], path: str | Path) -> None:
    """Write one CSV row an epoch."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in dataclasses.fields(EpochResult)])
        writer.writeheader()
        writer.writerows(dataclasses.asdict(result) for result in history)
