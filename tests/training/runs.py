"""Short runs of training, and what it means that two of them are the same."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from attnxai.data.images import SourceSet
from attnxai.models.model import AttentionModel
from attnxai.models.specification import ModelSpec
from attnxai.training.history import EpochResult
from attnxai.training.loop import train_model
from attnxai.training.settings import TrainingSettings

CLASSES = ("FR I", "FR II")
SETTINGS = TrainingSettings(epochs=3, batch_size=4, learning_rate=1e-2, seed=5)


def train(
    spec: ModelSpec, images: SourceSet, settings: TrainingSettings = SETTINGS, **options: Any
) -> tuple[AttentionModel, list[EpochResult]]:
    options = {"class_names": CLASSES, "name": "tiny", **options}
    return train_model(spec, images, settings=settings, **options)


def assert_same(
    result: tuple[AttentionModel, list[EpochResult]],
    expected: tuple[AttentionModel, list[EpochResult]],
) -> None:
    histories = [
        [dataclasses.replace(r, seconds=0.0) for r in pair[1]] for pair in (result, expected)
    ]
    assert histories[0] == histories[1]
    weights, others = (pair[0].network.state_dict() for pair in (result, expected))
    assert list(weights) == list(others)
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert result[0].preprocessing == expected[0].preprocessing
