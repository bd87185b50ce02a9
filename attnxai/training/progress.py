"""The record from which an interrupted training run is resumed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from attnxai.data.short_repr import short_value
from attnxai.errors import AttnxaiError, CheckpointError
from attnxai.models.file_kinds import has_format
from attnxai.models.torch_files import read_checkpoint_file, write_atomically
from attnxai.models.weights import load_weights
from attnxai.training.history import EpochResult
from attnxai.training.settings import TrainingSettings

PROGRESS_FORMAT = "attnxai-training"


@dataclasses.dataclass(slots=True, kw_only=True)
class TrainingState:
    """Everything of a run that changes in the course of training, except random numbers.

    Those are drawn from the seed, the epoch and the step alone, so that a resumed run repeats one
    that was never stopped. ``averaged`` is the running average of the weights and ``best`` the weights that
    would be kept, empty before the first epoch has ended. ``step``, ``loss_sum`` and ``n_images`` count
    within the current epoch. ``earlier_epochs`` are the numbers of epochs that the run was meant to have
    before it was given more.
    """

    network: torch.nn.Module
    averaged: torch.nn.Module
    optimiser: torch.optim.Optimizer
    history: list[EpochResult] = dataclasses.field(default_factory=list)
    best: dict[str, torch.Tensor] = dataclasses.field(default_factory=dict)
    step: int = 0
    loss_sum: float = 0.0
    n_images: int = 0
    seconds: float = 0.0
    earlier_epochs: list[int] = dataclasses.field(default_factory=list)


_COUNTS, _NUMBERS = ("step", "n_images"), ("loss_sum", "seconds")
_PLAIN = (*_COUNTS, *_NUMBERS, "earlier_epochs")
# what a damaged record holds may be anything
_FAULTS = (
    AttnxaiError,
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    RuntimeError,
    AttributeError,
)


def save_progress(state: TrainingState, path: Path, identity: Mapping[str, Any]) -> None:
    """Write the record atomically."""
    content: dict[str, Any] = {
        "format": PROGRESS_FORMAT,
        "identity": dict(identity),
        "network": state.network.state_dict(),
        "averaged": state.averaged.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "history": [dataclasses.asdict(result) for result in state.history],
        "best": state.best,
    }
    content |= {name: getattr(state, name) for name in _PLAIN}
    write_atomically(content, path)


def load_progress(state: TrainingState, path: Path, identity: Mapping[str, Any]) -> None:
    """Restore a fresh state from a record, which has to be one of the same run.

    The run may have more epochs than it was meant to have; any other difference is named.
    """
    content, _ = read_checkpoint_file(path)
    if not has_format(content, PROGRESS_FORMAT):
        raise CheckpointError(f"{path} is not a record of a training run; move or rename it")
    try:
        stored = content["identity"]
        differences = _differences(stored, identity)
        if not differences:
            _restore(state, content)
            if stored["settings"]["epochs"] != identity["settings"]["epochs"]:
                state.earlier_epochs.append(stored["settings"]["epochs"])
            return
    except _FAULTS as error:
        raise CheckpointError(
            f"{path} is a damaged record of a training run; delete it to start again"
        ) from error
    raise CheckpointError(
        f"{path} is the record of another training run ({'; '.join(differences[:4])}); give another "
        "output, or delete it to start again"
    )


def is_given_more_epochs(path: Path, settings: TrainingSettings) -> bool:
    """Whether a file is the record of a run with these settings, but fewer epochs."""
    if not path.is_file():
        return False
    try:
        stored, wanted = read_checkpoint_file(path)[0]["identity"]["settings"], settings.to_dict()
        return stored != wanted and not _differences({"settings": stored}, {"settings": wanted})
    except _FAULTS:
        return False


def _differences(stored: Mapping[str, Any], identity: Mapping[str, Any]) -> list[str]:
    """Differences between a run and the record."""
    differences = []
    for key, value in identity.items():
        other = stored[key]
        if not isinstance(value, dict):
            if other != value:
                differences.append(f"its {key.replace('_', ' ')} differ")
            continue
        names = [
            name
            for name in {**other, **value}
            if other.get(name) != value.get(name)
            and not (name == "epochs" and other[name] < value[name])
        ]
        differences += [
            f"its {key} differ: {name} is {short_value(other.get(name))} there and "
            f"{short_value(value.get(name))} here"
            for name in names
        ]
    return differences


def _restore(state: TrainingState, content: Mapping[str, Any]) -> None:
    history = [EpochResult(**entry) for entry in content["history"]]
    numbers = [number for result in history for number in dataclasses.astuple(result)] + [
        content[name] for name in (*_COUNTS, *_NUMBERS)
    ]
    counts = [content[name] for name in _COUNTS] + content["earlier_epochs"]
    if not all(type(number) in (int, float) for number in numbers):
        raise TypeError("something other than a number")
    if not all(type(count) is int and count >= 0 for count in counts):
        raise TypeError("something other than a count")
    if [result.epoch for result in history] != list(range(len(history))):
        raise ValueError("epochs are missing")
    if content["best"] or history:
        # loaded only to check it: it may become the final model
        load_weights(state.averaged, content["best"])
    load_weights(state.averaged, content["averaged"])
    load_weights(state.network, content["network"])
    state.optimiser.load_state_dict(content["optimiser"])
    for parameter, values in state.optimiser.state.items():
        for value in values.values():
            if value.numel() != 1 and value.shape != parameter.shape:
                raise ValueError("the optimiser's state and the weights differ in shape")
    state.history, state.best = history, dict(content["best"])
    for name in _PLAIN:
        setattr(state, name, content[name])
