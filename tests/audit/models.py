"""Networks of which it is known what their answers rest on, and stacks of maps."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import nn

from attnxai.data.grid import GridTransform
from attnxai.explanations.stack import MapStack, Split
from attnxai.models.lenet import LeNetSpec
from attnxai.models.model import AttentionModel
from attnxai.models.network import AttentionNetwork
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import Architecture
from tests.models.builders import make_network, range_norm_spec

SIDE = 64


class WeightedSum(nn.Module):
    """The first score is a weighted sum of the pixels plus a constant, the second is 0."""

    def __init__(self, weights, bias=0.0):
        super().__init__()
        self.spec = LeNetSpec(architecture=Architecture.LENET, group="C1", disc=False)
        self.weights = nn.Parameter(torch.as_tensor(np.asarray(weights), dtype=torch.float32))
        self.bias = bias

    def forward(self, images):
        first = (images[:, 0] * self.weights).sum(dim=(1, 2)) + self.bias
        return torch.stack([first, torch.zeros_like(first)], dim=1)


def model_of(network, side, **changes):
    """A model that sees brightness as it is."""
    return AttentionModel(
        name="by hand",
        spec=network.spec,
        network=network.eval(),
        preprocessing=Preprocessing(size=side, clip_sigma=changes.pop("clip_sigma", 3.0)),
        class_names=("FR I", "FR II"),
        **changes,
    )


def stack_of(model, brightness, layers, *, geometry=None, scores=None, valid=None):
    """Maps of images of which the network sees this brightness."""
    brightness = np.asarray(brightness, dtype=np.float32)
    n = len(brightness)
    return MapStack(
        model_name=model.name,
        sources=tuple(f"s{i}" for i in range(n)),
        layers=layers,
        geometry=geometry or dict.fromkeys(layers, GridTransform()),
        field=(GridTransform(),) * n,
        brightness=brightness,
        valid=np.ones(brightness.shape, bool) if valid is None else valid,
        field_scale_arcsec=1.8,
        splits=(Split.HELD_OUT,) * n,
        scores=scores,
        class_names=model.class_names,
        means={},
    )


def sources(n, side, *, seed=0, share=0.05):
    """Images that are blank but for a few bright pixels in the middle, in steps of 1/255."""
    rng = np.random.default_rng(seed)
    images = np.zeros((n, side, side))
    reach = max(round(side * np.sqrt(share)), 2)
    first = (side - reach) // 2
    inner = rng.integers(9, 255, size=(n, reach, reach)) / 255
    images[:, first : first + reach, first : first + reach] = inner
    return images


@functools.lru_cache(maxsize=16)
def compact_network(group: str) -> AttentionNetwork:
    """A compact network with random weights; tests do not change it."""
    return make_network(range_norm_spec(group), SIDE)


def settled_on(images: torch.Tensor, group: str, *, seed: int) -> AttentionNetwork:
    """A compact network with random weights, whose batch norms have the statistics of these images."""
    network = AttentionNetwork(
        range_norm_spec(group), generator=torch.Generator().manual_seed(seed)
    )
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.momentum = None
    with torch.no_grad():
        network(images[:, None])
    return network.eval()
