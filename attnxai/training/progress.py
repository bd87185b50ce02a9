"""The record from which an interrupted training run goes on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from attnxai.errors import CheckpointError
from attnxai.models.torch_files import read_checkpoint_file, write_atomically
from attnxai.models.weights import load_weights
from attnxai.training.history import EpochResult

PROGRESS_FORMAT = "attnxai-training"


@dataclasses.dataclass(slots=True, kw_only=True)
class TrainingState:
    """Everything of a run that changes while it goes on, except random numbers.

    Those are drawn from the seed, the epoch and the step alone, so that a run that goes on repeats one
    that was never stopped.

    Parameters
    ----------
    network, averaged : torch.nn.Module
        The weights that are trained, and their running average.
    optimiser : torch.optim.Optimizer
        With its own state.
    history : list of EpochResult
        Finished epochs.
    best : dict of str to Tensor
        Weights of the epoch that would be kept; empty before the first has ended.
    step : int
        Steps finished in the current epoch.
    loss_sum : float
        Sum of the losses of the images of these steps.
    n_images : int
        Number of these images.
    seconds : float
        Time spent so far.
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


_PLAIN = ("step", "loss_sum", "n_images", "seconds")


def save_progress(state: TrainingState, path: Path, identity: Mapping[str, Any]) -> None:
    """Write the record so that a reader finds the old or the new one whole, never a part."""
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
    """Bring a fresh state to where the record ends.

    Raises
    ------
    CheckpointError
        If the file is no such record, a damaged one, or that of another run.
    """
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
        if content["best"]:
            # also loaded to see that it fits: it is the model that the run ends with
            load_weights(state.averaged, content["best"])
        load_weights(state.averaged, content["averaged"])
        load_weights(state.network, content["network"])
        state.optimiser.load_state_dict(content["optimiser"])
        state.history = [EpochResult(**entry) for entry in content["history"]]
        state.best = content["best"]
        for name in _PLAIN:
            setattr(state, name, content[name])
    except (CheckpointError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} is a damaged record of a training run; delete it to start again"
        ) from error
