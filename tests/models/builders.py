"""Networks, images and symmetry operations that several tests need."""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from attnxai.errors import CheckpointError
from attnxai.explanations.gate_pass import gate_batches
from attnxai.models.architectures import Network
from attnxai.models.checkpoints import load_model
from attnxai.models.e2cnn_numpy2 import import_e2cnn
from attnxai.models.elements import GroupElement
from attnxai.models.model import AttentionModel, TrainingRecord
from attnxai.models.network import AttentionNetwork
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import ModelSpec, SymmetryGroup, compact_spec
from attnxai.models.steerable import FieldBatchNorm

# the reflection at the diagonal that swaps rows and columns
TRANSPOSITION = GroupElement(rotation_deg=90.0, reflected=True)
GROUPS = ("C1", "C2", "C4", "C8", "C16", "D1", "D2", "D4", "D8", "D16")


@dataclasses.dataclass(frozen=True)
class GridOperation:
    """A map of the pixel grid onto itself: first a reflection of columns, then quarter turns."""

    quarter_turns: int
    flip_columns: bool

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        flipped = images.flip(-1) if self.flip_columns else images
        return torch.rot90(flipped, self.quarter_turns, (-2, -1))

    def belongs_to(self, group: SymmetryGroup) -> bool:
        """e2cnn reflects at the vertical axis, which flips columns; a quarter turn is r^(N/4)."""
        turns_fit = group.order * self.quarter_turns % 4 == 0
        return turns_fit and (group.reflections or not self.flip_columns)


OPERATIONS = tuple(
    GridOperation(quarter_turns=turns, flip_columns=flip)
    for flip in (False, True)
    for turns in range(4)
)


def random_images(n: int, side: int, *, seed: int = 0) -> torch.Tensor:
    """Blobs on noise without any symmetry, that reach the edge; about standardised."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(side, dtype=torch.float32)[:, None]
    x = torch.arange(side, dtype=torch.float32)[None, :]
    images = 0.3 * torch.randn(n, 1, side, side, generator=generator)
    for image in images:
        for _ in range(5):
            row, column, width = (torch.rand(3, generator=generator) * side).tolist()
            width = 1.0 + width / 10
            image[0] += 3.0 * torch.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * width**2))
    return images


def settle_(network: AttentionNetwork, side: int, *, seed: int = 1) -> AttentionNetwork:
    """Give batch norms weights, biases and statistics as training would; ends in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, FieldBatchNorm):
                module.norm.weight.copy_(
                    0.5 + torch.rand(module.norm.weight.shape, generator=generator)
                )
                module.norm.bias.copy_(
                    0.3 * torch.randn(module.norm.bias.shape, generator=generator)
                )
        for gate in network.gates:
            gate.psi.bias.fill_(0.1)  # type: ignore[union-attr, operator]
        network.train()
        dtype = next(network.parameters()).dtype
        for step in range(3):
            network(random_images(2, side, seed=seed + step).to(dtype))
    return network.eval()


def make_network(spec: ModelSpec, side: int, *, seed: int = 0) -> AttentionNetwork:
    """A network with random weights and non-trivial batch statistics."""
    generator = torch.Generator().manual_seed(seed)
    return settle_(AttentionNetwork(spec, generator=generator), side)


def scores_and_maps(
    network: Network, images: torch.Tensor
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Class scores and gate maps of one forward pass."""
    assert isinstance(network, AttentionNetwork)
    with torch.no_grad():
        (batch,) = list(gate_batches(network, iter([images])))
    return batch.scores, batch.attention


def range_norm_spec(group: str, **changes: Any) -> ModelSpec:
    """A compact network that sees every pixel and whose gates attend to empty sky as well."""
    settings: dict[str, Any] = {
        "normalisation": "range_norm",
        "layer_order": "conv_relu_norm",
        "binning": 1,
    }
    return compact_spec(group, **(settings | changes))


def tiny_spec(**changes: Any) -> ModelSpec:
    """A network of a few hundred weights."""
    settings: dict[str, Any] = {
        "fields": (1, 2, 2, 2),
        "convolutions": (1, 1, 1, 1),
        "gate_channels": 2,
        "kernel_size": 3,
    }
    group = changes.pop("group", "C4")
    return range_norm_spec(group, **(settings | changes))


def make_model(*, side: int = 16, training: bool = True, **changes: Any) -> AttentionModel:
    """A small model with a full training record."""
    spec = tiny_spec(**changes)
    record = TrainingRecord(
        data="simulated",
        data_licence="CC0",
        data_sha256="0" * 64,
        train_sources=("a", "b"),
        validation_sources=("c",),
        settings={"epochs": 2},
        metrics={"validation_accuracy": 0.75},
        versions={"torch": "1"},
        command="attnxai train",
    )
    return AttentionModel(
        name="tiny",
        spec=spec,
        network=make_network(spec, side),
        preprocessing=Preprocessing(size=side, mean=0.1, deviation=0.3),
        class_names=tuple(f"class {i}" for i in range(spec.n_classes)),
        training=record if training else None,
    )


def quietly(build: Callable[[], Any]) -> Any:
    """Build an e2cnn module, which indexes with types that torch calls deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build()


def group_space(name: str) -> Any:
    """The e2cnn space of a group, chosen independently of the package."""
    spaces = import_e2cnn().gspaces
    order = int(name[1:])
    if name[0] == "C":
        return spaces.Rot2dOnR2(order) if order > 1 else spaces.TrivialOnR2()
    return spaces.FlipRot2dOnR2(order) if order > 1 else spaces.Flip2dOnR2()


def assert_one_sentence(error: BaseException, *, names: str | Path | None = None) -> None:
    """What a user reads: one line that says what is wrong and with which file."""
    assert type(error) is CheckpointError
    text = str(error)
    assert "\n" not in text
    assert 20 < len(text) < 500
    assert not re.search(r"KeyError|RuntimeError|Traceback|UnpicklingError|<class", text)
    if names is not None:
        assert str(names) in text


def sentence(file: Path) -> str:
    """With what a file is refused."""
    with pytest.raises(CheckpointError) as caught:
        load_model(file)
    assert_one_sentence(caught.value, names=file)
    return str(caught.value)


def smooth_images(n: int, side: int, *, seed: int = 0) -> torch.Tensor:
    """Broad blobs within the inscribed disc, without any symmetry; zero towards the edge."""
    generator = torch.Generator().manual_seed(seed)
    place = torch.arange(side, dtype=torch.float32) - (side - 1) / 2
    images = torch.zeros(n, side, side)
    for image in images:
        for _ in range(4):
            down, right, wide = torch.rand(3, generator=generator).tolist()
            row, column = (down - 0.5) * side / 2, (right - 0.5) * side / 2
            width = side * (0.03 + 0.05 * wide)
            distance = (place[:, None] - row) ** 2 + (place[None, :] - column) ** 2
            image.add_(3.0 * torch.exp(-distance / (2 * width**2)))
    return images
