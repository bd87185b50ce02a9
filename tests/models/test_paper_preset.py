"""The paper preset, and the switch that leaves the published network as it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from attnxai.models.network import AttentionNetwork
from attnxai.models.published.attention import _renamed
from attnxai.models.specification import ModelSpec, paper_spec
from attnxai.models.steerable import soft_disc
from attnxai.models.weights import load_weights
from tests.models.builders import random_images, scores_and_maps
from tests.models.published_networks import PublishedEquivariant, in_double, run, trained

SMALL: dict[str, Any] = {"fields": (3, 4, 5, 6), "gate_channels": 7}


def ours_with_weights_of(theirs: nn.Module, spec: ModelSpec) -> AttentionNetwork:
    network = AttentionNetwork(spec)
    load_weights(network, _renamed(theirs.state_dict(), spec))
    return network.double()


def assert_same(
    theirs: nn.Module, network: AttentionNetwork, images: torch.Tensor, *, training: bool
) -> None:
    """A batch of several images, in 64 bits to 1e-6 of the largest value."""
    exact = in_double(theirs, training=training)
    network.train(training)
    network.dropout.eval()  # the reference drops nothing
    with torch.no_grad():
        expected, expected_maps = run(exact, images.double())
    scores, maps = scores_and_maps(network, images.double())
    scale = float(expected.abs().max())
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-6 * scale)
    for name, values in expected_maps.items():
        scale = float(values.abs().max())
        torch.testing.assert_close(maps[name], values, rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("normalisation", ["range_norm", "std_mean_norm", "softmax"])
@pytest.mark.parametrize("group", ["C4", "D4"])
def test_the_published_form_is_the_published_network(group, normalisation, training) -> None:
    side = 30
    images = random_images(3, side, seed=2)
    images[1] *= 4.0
    theirs = trained(
        lambda: PublishedEquivariant(group, side=side, normalisation=normalisation), images
    )
    spec = paper_spec(group, published_form=True, normalisation=normalisation, **SMALL)
    assert_same(theirs, ours_with_weights_of(theirs, spec), images, training=training)


@pytest.mark.slow
@pytest.mark.parametrize(("group", "n_images"), [("C4", 2), ("D8", 1)])
def test_in_the_published_size(group, n_images) -> None:
    images = random_images(n_images, 150, seed=3)
    theirs = trained(
        lambda: PublishedEquivariant(group, side=150, fields=(6, 16, 32, 64), between=64),
        images,
        steps=1,
    )
    network = ours_with_weights_of(theirs, paper_spec(group, published_form=True))
    assert_same(theirs, network, images, training=False)


def test_the_preset_is_the_published_network_on_padded_images() -> None:
    """Alone on an image of 32 pixels, where nothing is padded, both forms are the same."""
    images = random_images(1, 32, seed=5)
    theirs = trained(lambda: PublishedEquivariant("D4", side=32), images)
    assert_same(
        theirs, ours_with_weights_of(theirs, paper_spec("D4", **SMALL)), images, training=False
    )


def test_the_disc_is_that_of_the_image_and_not_of_the_padding() -> None:
    spec = paper_spec("C4", **SMALL)
    network = AttentionNetwork(spec, generator=torch.Generator().manual_seed(0)).eval()
    bare = AttentionNetwork(paper_spec("C4", disc=False, **SMALL)).eval()
    bare.load_state_dict(network.state_dict())
    images = random_images(1, 30)
    disc = soft_disc(30, 30)
    with torch.no_grad():
        torch.testing.assert_close(network(images), bare(functional.pad(images * disc, (1,) * 4)))
