"""The published networks, built from plain torch and e2cnn alone, to compare ours with.

Names of layers, sizes and orders of operations are facts of the papers (arXiv 2012.01248, 2111.04742 and
2102.08252) and of the checkpoints that belong to them. They use nothing of the package but the repair of
e2cnn for NumPy 2.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from attnxai.models.checkpoints import load_model
from attnxai.models.e2cnn_numpy2 import import_e2cnn
from attnxai.models.model import AttentionModel
from tests.models.builders import group_space, quietly

LAYERS = ("1a", "1b", "1c", "2a", "2b", "2c", "3a", "3b", "3c", "4a", "4b")


def normalised(name: str, q: torch.Tensor) -> torch.Tensor:
    """The map of a gate, with extremes over all that it is given."""
    if name == "sigmoid":
        return torch.sigmoid(q)
    if name == "tanh":
        return torch.tanh(q)
    if name == "softmax":
        return torch.stack([torch.exp(v - v.max()) / torch.exp(v - v.max()).sum() for v in q])
    if name == "range_norm":
        return (q - q.min()) / (q.max() - q.min())
    assert name == "std_mean_norm"
    return ((q - q.min()) / q.max() - 0.5) / 0.25


class Gate(nn.Module):
    def __init__(self, channels: int, signal: int, between: int, normalisation: str) -> None:
        super().__init__()
        self.normalisation = normalisation
        self.theta = nn.Conv2d(channels, between, 1, bias=False)
        self.phi = nn.Conv2d(signal, between, 1, bias=False)
        self.psi = nn.Conv2d(between, 1, 1)

    def forward(self, x: torch.Tensor, g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        coarse = functional.interpolate(self.phi(g), x.shape[2:], mode="bilinear")
        attention = normalised(
            self.normalisation, self.psi(functional.relu(self.theta(x) + coarse))
        )
        return attention * x, attention[:, 0]


class PublishedAttention(nn.Module):
    """What the ordinary and the equivariant attention network share: gates, heads and their order."""

    def __init__(
        self,
        *,
        fields: tuple[int, int, int, int] = (3, 4, 5, 6),
        between: int = 7,
        n_gates: int = 3,
        normalisation: str = "range_norm",
        aggregation: str = "ft",
        norm_first: bool = False,
    ) -> None:
        super().__init__()
        self.aggregation, self.norm_first, self.n_gates = aggregation, norm_first, n_gates
        gated = fields[2::-1][:n_gates]
        for number, channels in enumerate(gated, start=1):
            gate = Gate(channels, fields[3], between, normalisation)
            self.add_module(f"attention{number}", gate)
        # in every file, and never used
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 9), nn.Linear(9, 9), nn.Linear(9, 2)
        if n_gates and aggregation != "concat":
            self.classifiers = nn.ModuleList(nn.Linear(channels, 2) for channels in gated)
        if n_gates == 0:
            self.classifier = nn.Linear((150 // 16) ** 2 * fields[3], 2)
        elif aggregation == "ft":
            self.classifier = nn.Linear(2 * n_gates, 2)
        elif aggregation != "mean":
            self.classifier = nn.Linear(sum(gated), 2)

    def scores_and_maps(
        self, invariant: list[torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        if self.n_gates == 0:
            return self.head(functional.max_pool2d(invariant[3], 2).flatten(1)), {}
        sums, maps = [], {}
        for number in range(1, self.n_gates + 1):
            gated, attention = self.get_submodule(f"attention{number}")(
                invariant[3 - number], invariant[3]
            )
            maps[f"gate{number}"] = attention
            # dropout of one half follows here in training
            sums.append(gated.flatten(2).sum(dim=2))
        return self.aggregate(sums), maps

    def head(self, values: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.classifier(values)
        return scores

    def aggregate(self, sums: list[torch.Tensor]) -> torch.Tensor:
        if self.aggregation == "concat":
            return self.head(torch.cat(sums, dim=1))
        heads = [head(values) for head, values in zip(self.classifiers, sums, strict=True)]
        if self.aggregation == "ft":
            return self.head(torch.cat([functional.relu(head) for head in heads], dim=1))
        if self.aggregation == "deep_sup":
            heads = [self.head(torch.cat(sums, dim=1)), *heads]
        return torch.stack(heads).mean(dim=0)


class PublishedCNN(PublishedAttention):
    """The attention-gated CNN of arXiv 2012.01248."""

    def __init__(
        self,
        *,
        fields: tuple[int, int, int, int] = (3, 4, 5, 6),
        kernel_size: int = 3,
        **options: Any,
    ) -> None:
        super().__init__(fields=fields, **options)
        channels = 1
        for name in LAYERS:
            wide = fields[int(name[0]) - 1]
            self.add_module(
                f"conv{name}", nn.Conv2d(channels, wide, kernel_size, padding=kernel_size // 2)
            )
            self.add_module(f"bnorm{name}", nn.BatchNorm2d(wide))
            channels = wide

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        x, last = images, []
        for name in LAYERS:
            if name in ("2a", "3a", "4a"):
                x = functional.max_pool2d(x, 2)
            x = self.get_submodule(f"conv{name}")(x)
            norm = self.get_submodule(f"bnorm{name}")
            x = functional.relu(norm(x)) if self.norm_first else norm(functional.relu(x))
            if name in ("1c", "2c", "3c", "4b"):
                last.append(x)
        return self.scores_and_maps(last)


class PublishedEquivariant(PublishedAttention):
    """The equivariant attention network of arXiv 2111.04742, of e2cnn's own modules."""

    def __init__(
        self,
        group: str,
        *,
        side: int,
        kernel_size: int = 5,
        fields: tuple[int, int, int, int] = (3, 4, 5, 6),
        initialize: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(fields=fields, **options)
        e2nn = import_e2cnn().nn
        space = group_space(group)
        before = self.scalar = e2nn.FieldType(space, [space.trivial_repr])
        self.mask = e2nn.MaskModule(before, side)
        self.dummy = nn.Parameter(torch.empty(0))
        for name in LAYERS:
            after = e2nn.FieldType(space, fields[int(name[0]) - 1] * [space.regular_repr])
            convolution = e2nn.R2Conv(
                before,
                after,
                kernel_size,
                padding=kernel_size // 2,
                bias=False,
                initialize=initialize,
            )
            self.add_module(f"conv{name}", convolution)
            self.add_module(f"relu{name}", e2nn.ReLU(after))
            self.add_module(f"bnorm{name}", e2nn.InnerBatchNorm(after))
            if name in ("1c", "2c", "3c", "4b"):
                self.add_module(f"gpool{name[0]}", e2nn.GroupPooling(after))
                self.add_module(f"mpool{name[0]}", e2nn.PointwiseMaxPool(after, 2))
            before = after

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        x, last = self.mask(import_e2cnn().nn.GeometricTensor(images, self.scalar)), []
        for name in LAYERS:
            if name in ("2a", "3a", "4a"):
                x = self.get_submodule(f"mpool{int(name[0]) - 1}")(x)
            x = self.get_submodule(f"conv{name}")(x)
            order = ("bnorm", "relu") if self.norm_first else ("relu", "bnorm")
            for kind in order:
                x = self.get_submodule(f"{kind}{name}")(x)
            if name in ("1c", "2c", "3c", "4b"):
                # e2cnn pools into 32 bits, whatever comes in
                last.append(self.get_submodule(f"gpool{name[0]}")(x).tensor.to(images.dtype))
        return self.scores_and_maps(last)


class PublishedLeNet(nn.Module):
    """The ordinary LeNet of arXiv 2102.08252; images come with the empty row and column."""

    def __init__(self, *, side: int = 51, kernel_size: int = 5, padding: int = 1) -> None:
        super().__init__()
        self.disc = disc(side, margin=0.01)
        self.conv1 = nn.Conv2d(1, 6, kernel_size, padding=padding)
        self.conv2 = nn.Conv2d(6, 16, kernel_size, padding=padding)
        flat = 16 * flattened(side, kernel_size, padding) ** 2
        self.fc1, self.fc2, self.fc3 = nn.Linear(flat, 120), nn.Linear(120, 84), nn.Linear(84, 2)
        self.dummy = nn.Parameter(torch.empty(0))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = images * self.disc.to(images.dtype)
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2).flatten(1)
        scores: torch.Tensor = self.fc3(functional.relu(self.fc2(functional.relu(self.fc1(x)))))
        return scores


class PublishedSteerableLeNet(nn.Module):
    """The steerable LeNet; it has a disc, which its forward pass leaves out."""

    def __init__(
        self, group: str, *, side: int = 51, kernel_size: int = 5, padding: int = 1
    ) -> None:
        super().__init__()
        e2nn = import_e2cnn().nn
        space = group_space(group)
        self.scalar = e2nn.FieldType(space, [space.trivial_repr])
        first = e2nn.FieldType(space, 6 * [space.regular_repr])
        second = e2nn.FieldType(space, 16 * [space.regular_repr])
        self.mask = e2nn.MaskModule(self.scalar, side, margin=1)
        options = {"padding": padding, "bias": False, "initialize": False}
        self.conv1 = e2nn.R2Conv(self.scalar, first, kernel_size, **options)
        self.relu1 = e2nn.ReLU(first)
        self.pool1 = e2nn.PointwiseMaxPoolAntialiased(first, kernel_size=2)
        self.conv2 = e2nn.R2Conv(first, second, kernel_size, **options)
        self.relu2 = e2nn.ReLU(second)
        self.pool2 = e2nn.PointwiseMaxPoolAntialiased(second, kernel_size=2)
        self.gpool = e2nn.GroupPooling(second)
        flat = 16 * flattened(side, kernel_size, padding) ** 2
        self.fc1, self.fc2, self.fc3 = nn.Linear(flat, 120), nn.Linear(120, 84), nn.Linear(84, 2)
        self.dummy = nn.Parameter(torch.empty(0))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = import_e2cnn().nn.GeometricTensor(images, self.scalar)
        x = self.pool1(self.relu1(self.conv1(x)))
        x = self.gpool(self.pool2(self.relu2(self.conv2(x)))).tensor.flatten(1).to(images.dtype)
        scores: torch.Tensor = self.fc3(functional.relu(self.fc2(functional.relu(self.fc1(x)))))
        return scores


def flattened(side: int, kernel_size: int, padding: int) -> int:
    for _ in range(2):
        side = (side + 2 * padding - kernel_size + 1) // 2
    return side


def disc(side: int, *, margin: float) -> torch.Tensor:
    values = torch.ones(1, 1, side, side)
    centre = (side - 1) / 2
    limit = (centre - margin * centre) ** 2
    for row in range(side):
        for column in range(side):
            squared = (row - centre) ** 2 + (column - centre) ** 2
            if squared > limit:
                values[0, 0, row, column] = math.exp((limit - squared) / 4)
    return values


def trained(
    build: Callable[[], nn.Module], images: torch.Tensor, *, seed: int = 0, steps: int = 3
) -> nn.Module:
    """A network with random weights and statistics as training leaves them; ends in training mode."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        network: nn.Module = quietly(build)
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if name.endswith("weights"):
                    parameter.normal_()
                elif "bnorm" in name or "batch_norm" in name:
                    parameter.uniform_(-0.3, 0.3).add_(1.0 if name.endswith("weight") else 0.0)
            for module in network.modules():
                if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
                    module.momentum = None  # the mean over all steps, however few
                elif isinstance(module, Gate) and module.normalisation == "std_mean_norm":
                    nn.init.constant_(module.psi.bias, 10.0)  # type: ignore[arg-type] # keeps maxima, which it divides by, from zero
            network.train()
            for step in range(steps):
                run(network, images.roll(3 * step, dims=-1))
    return network


@contextlib.contextmanager
def precision(dtype: torch.dtype) -> Iterator[None]:
    """e2cnn makes some of its tensors in the default precision."""
    usual = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(usual)


def run(network: nn.Module, images: torch.Tensor) -> Any:
    """The output of a network."""
    with precision(images.dtype):
        return quietly(lambda: network(images))


def in_double(network: nn.Module, *, training: bool = False) -> nn.Module:
    """A copy in 64 bits, with its filters expanded anew; e2cnn's own bases stay in 32."""
    # in training mode it has no expanded filters, which could not be copied
    with precision(torch.float64):
        return copy.deepcopy(network.train()).double().train(training)


def saved(network: nn.Module, file: Path) -> AttentionModel:
    """What the package makes of the state dict of a network."""
    torch.save(network.state_dict(), file)
    return load_model(file)
