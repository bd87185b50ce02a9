"""One torch thread, as in the tests of models; networks and images that several tests share."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from attnxai.data.images import SourceSet
from attnxai.data.simulation import CLASS_NAMES, Survey, simulate_source
from attnxai.models.elements import GroupElement
from attnxai.models.network import AttentionNetwork
from tests.models.builders import make_network, range_norm_spec

SIDE = 64
# the reflection at the diagonal that swaps rows and columns
TRANSPOSITION = GroupElement(rotation_deg=90.0, reflected=True)


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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


def simulated(n: int, *, side: int = 160, seed: int = 0) -> SourceSet:
    """Simulated galaxies of both classes."""
    rng = np.random.default_rng(seed)
    survey = Survey(side=side)
    return SourceSet(
        simulate_source(CLASS_NAMES[i % 2], source=f"s{i}", rng=rng, survey=survey).image
        for i in range(n)
    )


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
