"""Layers that are prepared for evaluation, against the plain ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from attnxai.models import prepared as prepared_layers
from attnxai.models import steerable
from attnxai.models.evaluation import evaluating
from attnxai.models.prepared import convolved_image, halved, prepared
from attnxai.models.specification import ModelSpec, compact_spec
from tests.models.builders import make_network, random_images, range_norm_spec, scores_and_maps

SPECS = {
    "published order": range_norm_spec("D4", kernel_size=3),
    "norm first": range_norm_spec("C8", layer_order="conv_norm_relu"),
    "sigmoid, no padding": range_norm_spec("D2", normalisation="sigmoid", padding="none"),
    "empty sky": compact_spec("D4", binning=1),
    "empty sky, norm last": compact_spec("C4", binning=1, layer_order="conv_relu_norm"),
    "ordinary": range_norm_spec("C1", convolution_bias=True, architecture="attention_gate_cnn"),
    "ordinary, empty sky": compact_spec(
        "C1", binning=2, convolution_bias=True, architecture="attention_gate_cnn"
    ),
}  # fmt: skip


@pytest.fixture
def by_fourier(monkeypatch):
    """Let every convolution between regular fields go by the transform."""
    monkeypatch.setattr(steerable, "fourier_is_faster", lambda *_: True)


def make(spec: ModelSpec) -> tuple[Any, torch.Tensor]:
    images = random_images(3, 30).clamp_min(0)
    images[:, :, :8] = 0  # empty sky
    return make_network(spec, 30), images


@pytest.mark.usefixtures("by_fourier")
@pytest.mark.parametrize("name", SPECS)
def test_maps_and_scores_are_those_of_the_plain_layers(name) -> None:
    network, images = make(SPECS[name])
    plain_scores, plain = scores_and_maps(network, images)
    with evaluating(network):
        scores, maps = scores_and_maps(network, images)
    torch.testing.assert_close(scores, plain_scores, atol=5e-5, rtol=5e-5)
    for gate, values in maps.items():
        torch.testing.assert_close(values, plain[gate], atol=2e-5, rtol=1e-4)
    assert not torch.equal(scores, plain_scores)  # the other layers did run


@pytest.mark.usefixtures("by_fourier")
@pytest.mark.parametrize("group", ["C1", "C4", "D4"])
def test_empty_sky_has_exactly_no_features(group) -> None:
    network, images = make(compact_spec(group, binning=1))
    features = []
    handles = [
        layer.features.register_forward_hook(lambda _m, _i, output: features.append(output))
        for block in network.blocks
        for layer in block
    ]
    with evaluating(network):
        scores = network(torch.zeros_like(images))
    for handle in handles:
        handle.remove()
    assert len(features) == sum(network.spec.convolutions)
    assert not any(values.any() for values in features)
    assert not scores.any()


@pytest.mark.usefixtures("by_fourier")
def test_without_numba_nothing_changes(monkeypatch) -> None:
    network, images = make(SPECS["published order"])
    plain_scores, plain = scores_and_maps(network, images)
    monkeypatch.setattr(prepared_layers, "compiled_kernels", lambda: None)
    with evaluating(network):
        scores, maps = scores_and_maps(network, images)
    torch.testing.assert_close(scores, plain_scores, atol=1e-6, rtol=1e-6)
    assert all(torch.allclose(maps[gate], plain[gate], atol=1e-6) for gate in maps)


@pytest.mark.usefixtures("by_fourier")
def test_a_network_in_double_precision_keeps_its_precision() -> None:
    network, images = make(SPECS["norm first"])
    network.double()
    plain_scores, _ = scores_and_maps(network, images.double())
    with evaluating(network):
        scores, _ = scores_and_maps(network, images.double())
    torch.testing.assert_close(scores, plain_scores, atol=1e-12, rtol=1e-12)


@pytest.mark.usefixtures("by_fourier")
def test_weights_that_change_within_the_block_count() -> None:
    network, images = make(SPECS["published order"])
    layer = network.blocks[1][0]
    with evaluating(network):
        before = network(images)
        layer.convolution.weights.mul_(1.5)
        changed = network(images)
        layer.convolution.weights.div_(1.5)
        layer.norm.norm.running_var.mul_(2)
        of_norm = network(images)
        layer.norm.norm.running_var.div_(2)
        torch.testing.assert_close(network(images), before)
    assert not torch.allclose(changed, before, rtol=1e-3)
    assert not torch.allclose(of_norm, before, rtol=1e-3)


@pytest.mark.usefixtures("by_fourier")
def test_hooks_on_what_is_skipped_are_called() -> None:
    network, images = make(SPECS["empty sky"])
    layer = network.blocks[2][0]
    seen = []
    for module in (layer.convolution, layer.norm, layer.norm.norm, network.gates[0].theta):
        module.register_forward_hook(lambda module, _i, _o: seen.append(module))
    with evaluating(network):
        network(images)
    assert set(seen) == {layer.convolution, layer.norm, layer.norm.norm, network.gates[0].theta}


@pytest.mark.usefixtures("by_fourier")
def test_gradients_pass_the_plain_layers() -> None:
    network, images = make(SPECS["norm first"])
    images.requires_grad_(True)
    (plain,) = torch.autograd.grad(network(images).sum(), images)
    with evaluating(network), torch.enable_grad():
        (found,) = torch.autograd.grad(network(images).sum(), images)
    assert torch.equal(found, plain)


def test_nothing_is_kept_after_the_block() -> None:
    network, _ = make(SPECS["norm first"])
    layers = [m for m in network.modules() if isinstance(m, prepared_layers.PreparableModule)]

    def fail() -> None:
        with evaluating(network):
            with prepared(network):  # the outer block goes on after it
                pass
            assert all(layer.kept is not None for layer in layers)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert len(layers) >= 2 * sum(network.spec.convolutions)
    assert all(layer.kept is None for layer in layers)


@pytest.mark.parametrize("shape", [(2, 3, 8, 6), (1, 2, 7, 9), (1, 1, 2, 2), (3, 1, 1, 4)])
def test_halved_features_are_maxima(shape) -> None:
    features = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = halved(features, prepared_layers.Prepared())
    expected = features[:, :, : shape[2] // 2 * 2, : shape[3] // 2 * 2]
    expected = expected.reshape(*shape[:2], shape[2] // 2, 2, shape[3] // 2, 2).amax(dim=(3, 5))
    assert torch.equal(found, expected)


@pytest.mark.parametrize("padding", [0, 2])
def test_convolution_of_an_image_is_that_of_torch(padding) -> None:
    generator = torch.Generator().manual_seed(0)
    images, filters = torch.randn(2, 1, 13, 9, generator=generator), torch.randn(6, 1, 5, 5)
    found = convolved_image(images, filters, padding)
    expected = nn.functional.conv2d(images, filters, padding=padding)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
