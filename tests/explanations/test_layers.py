"""Places of the cells of any layer: by hand, and by a bright pixel that moves across the image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from attnxai.data.grid import GridTransform
from attnxai.errors import OptionError
from attnxai.explanations.gates import layer_geometry
from attnxai.explanations.layers import layer_geometry_of
from attnxai.models.architectures import named_layer
from tests.explanations.conftest import build_model

SIZE = 24


class Excitation(nn.Module):
    """Weighs channels by their mean over the image, as squeeze-and-excitation does."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features * torch.sigmoid(features.mean(dim=(2, 3), keepdim=True))


class PaddedAtTheEnd(nn.Module):
    """A zero to the right of and below the image, as TensorFlow pads."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return nn.functional.pad(features, (0, 1, 0, 1))


class PaddedByWidth(nn.Module):
    """More zeros on the left of a wider image, where the receptive field of what follows can be measured."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return nn.functional.pad(features, (features.shape[-1] // 4, 0, 0, 0))


LAYERS: dict[str, tuple[list[nn.Module], tuple[float, float, float]]] = {
    "nothing": ([nn.Identity()], (1, 0, 0)),
    "padded": ([nn.Conv2d(1, 2, 5, padding=2)], (1, 0, 0)),
    "unpadded": ([nn.Conv2d(1, 2, 5)], (1, 2, 2)),
    "of one side": ([nn.Conv2d(1, 2, 3, padding=(1, 0))], (1, 1, 0)),
    "strided": ([nn.Conv2d(1, 2, 3, stride=2, padding=1)], (2, 0, 0)),
    "strided, even kernel": ([nn.Conv2d(1, 2, 4, stride=2, padding=1)], (2, 0.5, 0.5)),
    "pooled": ([nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)], (2, 0.5, 0.5)),
    "stem": ([nn.Conv2d(1, 2, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)], (4, 0, 0)),
    "dilated": ([nn.Conv2d(1, 2, 3, dilation=3, padding=2)], (1, 1, 1)),
    "padded at the end": ([PaddedAtTheEnd(), nn.Conv2d(1, 2, 3, stride=2)], (2, 1, 1)),
    "group norm": ([nn.Conv2d(1, 4, 2, 2), nn.GroupNorm(2, 4), nn.ReLU()], (2, 0.5, 0.5)),
    "excited": ([nn.Conv2d(1, 2, 3, 2, 1), Excitation(), nn.AvgPool2d(2)], (4, 1, 1)),
    # each cell sees more than the image
    "wide": ([nn.Conv2d(1, 1, 9, 2, 4), *(nn.Conv2d(1, 1, 9, 1, 4) for _ in range(3))], (2, 0, 0)),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("size", [SIZE, SIZE + 1])
def test_places_by_hand(name: str, size: int) -> None:
    layers, (step, x, y) = LAYERS[name]
    network = nn.Sequential(*layers, nn.Flatten())
    found = layer_geometry_of(network, network[len(layers) - 1], size)
    assert found == GridTransform(step=step, origin_x=x, origin_y=y)


@pytest.mark.parametrize(
    "name", ["padded", "unpadded", "strided", "strided, even kernel", "pooled", "stem"]
)
def test_a_bright_pixel_appears_where_the_cells_are_said_to_be(name: str) -> None:
    layers, _ = LAYERS[name]
    network = nn.Sequential(*layers)
    with torch.no_grad():
        for layer in layers:
            if isinstance(layer, nn.Conv2d):  # a round blur
                rise = 1.0 + torch.arange(layer.kernel_size[0]).minimum(
                    torch.arange(layer.kernel_size[0]).flip(0)
                )
                layer.weight[:] = rise[:, None] * rise[None, :]
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
        found = layer_geometry_of(network, layers[-1], SIZE)
        centroids = []
        pixels = range(10, 14)  # a whole step, away from the border
        for x in pixels:
            image = torch.zeros(1, 1, SIZE, SIZE)
            image[0, 0, 12, x] = 1.0
            profile = network(image)[0, 0].sum(dim=0).double()
            cells = torch.arange(len(profile)).double()
            place, _ = found.to_outer((profile * cells).sum() / profile.sum(), np.zeros(()))
            centroids.append(float(place))
    assert np.mean(centroids) == pytest.approx(np.mean(pixels), abs=0.01)


@pytest.mark.parametrize("side", [24, 26, 30])
def test_cells_of_the_blocks_lie_where_those_of_the_gates_do(side: int) -> None:
    model = build_model(side=side)
    geometry = layer_geometry(model)
    for gate, block in zip(("gate3", "gate2", "gate1"), range(3), strict=True):
        layer = named_layer(model.network, f"blocks.{block}")
        assert layer_geometry_of(model.network, layer, side) == geometry[gate]


def test_a_place_is_measured_once_unless_the_network_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer = nn.Conv2d(1, 2, 3, stride=2, padding=1)
    network = nn.Sequential(layer)
    found = layer_geometry_of(network, layer, SIZE)
    passes = []

    def forward(images: torch.Tensor) -> torch.Tensor:
        passes.append(1)
        return layer(images)  # type: ignore[no-any-return]

    monkeypatch.setattr(network, "forward", forward)
    assert layer_geometry_of(network, layer, SIZE) == found
    assert not passes
    layer.padding = (0, 0)
    assert layer_geometry_of(network, layer, SIZE).origin_x == found.origin_x + 1
    assert passes


def test_the_network_is_the_same_afterwards() -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.BatchNorm2d(2), nn.Dropout(0.5))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    network[2].eval()
    layer_geometry_of(network, network[1], SIZE, channels=3)
    assert [module.training for module in network] == [True, True, False]
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def _refused(network: nn.Module, layer: nn.Module, match: str, **options: Any) -> None:
    with pytest.raises(OptionError, match=match):
        layer_geometry_of(network, layer, SIZE, **options)
    assert not layer._forward_hooks


def test_layers_without_a_place_are_refused_by_name() -> None:
    flat = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 22 * 22, 2))
    _refused(flat, flat[2], r"layer 2 gives \(2, 2\); choose a layer whose output has the shape")
    _refused(flat, nn.ReLU(), "layer ReLU is not a part of the network")
    pooled = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1))
    _refused(pooled, pooled[1], "the cells of layer 1 have no measurable place in the image")
    uneven = nn.Sequential(nn.Conv2d(1, 2, 3, stride=(1, 2), padding=1))
    _refused(uneven, uneven[0], "layer 0 has a cell for every 2 columns and 1 rows")
    resized = nn.Sequential(PaddedByWidth(), nn.Conv2d(1, 1, 31, padding=15))
    _refused(resized, resized[1], "the cells of layer 1 do not lie on a regular grid")
    unused = nn.Sequential(nn.Conv2d(1, 2, 3))
    unused.add_module("spare", nn.Identity())
    unused.forward = unused[0].forward  # type: ignore[method-assign]
    _refused(unused, unused.spare, "layer spare plays no part in the forward pass")  # type: ignore[arg-type]


def test_layers_are_found_by_name() -> None:
    inner = nn.Conv2d(1, 2, 3)
    network = nn.Sequential(nn.Sequential(inner), nn.ReLU())
    assert named_layer(network, "0.0") is inner
    with pytest.raises(OptionError, match=r"unknown layer '0\.1' .*known layers are 0, 0\.0, 1"):
        named_layer(network, "0.1")
