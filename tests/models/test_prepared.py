"""Layers that are prepared for evaluation, against the plain ones."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from attnxai.data.emission import emission_mask
from attnxai.models import prepared as prepared_layers
from attnxai.models import steerable
from attnxai.models.attention_gate import GateNormalisation
from attnxai.models.evaluation import evaluating
from attnxai.models.prepared import cells_with_emission, convolved_image, halved, prepared
from attnxai.models.specification import ModelSpec, Normalisation, compact_spec
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


@pytest.mark.parametrize("name", [*SPECS, "wide"])
def test_an_image_has_the_same_bytes_in_any_batch(name) -> None:
    """Algorithms of torch depend on the size of the batch: for kernels of 3 pixels from 2 images on, of 1 pixel from 16."""
    wide = range_norm_spec("C1", kernel_size=3, fields=(4, 4, 5, 256), gate_channels=16)
    network, _ = make(SPECS.get(name, wide))
    images = random_images(17, 30).clamp_min(0)
    images[:, :, :8] = 0
    with evaluating(network):
        scores, maps = scores_and_maps(network, images)
        for n in (1, 3):
            parts = [scores_and_maps(network, part) for part in images.split(n)]
            assert torch.equal(torch.cat([part[0] for part in parts]), scores)
            for gate, values in maps.items():
                assert torch.equal(torch.cat([part[1][gate] for part in parts]), values)


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


def input_gradient(network: Any, images: torch.Tensor) -> torch.Tensor:
    given = images.clone().requires_grad_(True)
    with torch.enable_grad():
        (found,) = torch.autograd.grad(network(given).square().sum(), given)
    return found


@pytest.fixture
def counted(monkeypatch):
    """Names of the passes that go by the transform."""
    calls: list[str] = []
    own = steerable.SteerableConv2d.by_fourier

    def by_fourier(self, *, adjoint: bool = False):
        calls.append("adjoint" if adjoint else "forward")
        return own(self, adjoint=adjoint)

    monkeypatch.setattr(steerable.SteerableConv2d, "by_fourier", by_fourier)
    return calls


@pytest.mark.usefixtures("by_fourier")
@pytest.mark.parametrize("name", [name for name in SPECS if not name.startswith("ordinary")])
def test_gradients_of_images_are_those_of_the_plain_layers(name, counted) -> None:
    network, images = make(SPECS[name])
    plain = input_gradient(network.eval(), images)
    assert not counted
    with evaluating(network):
        found = input_gradient(network, images)
        alone = torch.cat([input_gradient(network, image[None]) for image in images])
    n_between = sum(network.spec.convolutions) - 1
    assert sorted(counted[: 2 * n_between]) == ["adjoint"] * n_between + ["forward"] * n_between
    scale = float(plain.abs().max())
    torch.testing.assert_close(found, plain, atol=5e-5 * scale, rtol=0)
    torch.testing.assert_close(alone, found, atol=1e-6 * scale, rtol=0)


@pytest.mark.usefixtures("by_fourier")
def test_weights_need_no_gradient_in_evaluation() -> None:
    network, images = make(SPECS["norm first"])
    network.head.weight.requires_grad_(False)
    before = [parameter.requires_grad for parameter in network.parameters()]
    with evaluating(network):
        assert not any(parameter.requires_grad for parameter in network.parameters())
        input_gradient(network, images)
    assert [parameter.requires_grad for parameter in network.parameters()] == before
    assert all(parameter.grad is None for parameter in network.parameters())


def weight_gradients(network: Any, images: torch.Tensor) -> dict[str, torch.Tensor]:
    network.zero_grad()
    torch.nn.functional.cross_entropy(network(images), torch.tensor([0, 1, 1])).backward()
    return {name: one.grad.clone() for name, one in network.named_parameters()}


@pytest.mark.usefixtures("by_fourier")
@pytest.mark.parametrize("name", ["published order", "norm first", "empty sky"])
def test_a_training_step_has_the_gradients_of_the_plain_layers(name, counted) -> None:
    """Both differ from double precision by as little, beside the length of the gradient."""
    network, images = make(SPECS[name])
    network.train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    exact = weight_gradients(copy.deepcopy(network).double(), images.double())
    plain = weight_gradients(network, images)
    assert not counted
    with prepared(network):
        found = weight_gradients(network, images)
    assert counted
    length = torch.cat([one.flatten() for one in exact.values()]).norm()
    for gradients in (plain, found):
        for part, expected in exact.items():
            assert float((gradients[part] - expected).norm() / length) < 2e-5, part


@pytest.mark.usefixtures("by_fourier")
def test_where_calls_are_followed_or_precision_changes_layers_are_plain(counted) -> None:
    class Follows(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            names.append(getattr(func, "__name__", ""))
            return func(*args, **(kwargs or {}))

    network, images = make(SPECS["published order"])
    names: list[str] = []
    with evaluating(network):
        with Follows():
            input_gradient(network, images)
        assert names.count("conv2d") >= sum(network.spec.convolutions)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            network(images)
        assert not counted
        with torch.device("cpu"):
            input_gradient(network, images)
    assert counted


@pytest.mark.usefixtures("by_fourier")
def test_gradients_of_gradients_are_those_of_the_plain_layers() -> None:
    network, _ = make(SPECS["norm first"])
    layer = network.blocks[1][0].convolution
    features = torch.randn(2, layer.basis.shape[2] * layer.weights.shape[1], 9, 9).requires_grad_()

    def second() -> tuple[torch.Tensor, ...]:
        (first,) = torch.autograd.grad(layer(features).pow(3).sum(), features, create_graph=True)
        return torch.autograd.grad(first.square().sum(), (features, layer.weights))

    plain = second()
    with prepared(network):
        found = second()
    for one, expected in zip(found, plain, strict=True):
        torch.testing.assert_close(
            one, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max())
        )


@pytest.mark.usefixtures("by_fourier")
def test_weights_that_change_before_the_gradient_are_an_error() -> None:
    network, images = make(SPECS["published order"])
    with prepared(network):
        scores = network(images)
        with torch.no_grad():
            network.blocks[1][0].convolution.weights.mul_(2.0)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            scores.sum().backward()


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


@pytest.mark.parametrize(
    ("shape", "binning", "min_island_pixels", "share"),
    [((20, 17), 3, 5, 0.2), ((9, 30), 1, 2, 0.1), ((12, 12), 2, 1, 0.1), ((30, 30), 4, 900, 0.4), ((5, 6), 1, 4, 1.0)],
)  # fmt: skip
def test_cells_with_emission_are_those_of_the_mask(
    shape, binning, min_island_pixels, share
) -> None:
    generator = torch.Generator().manual_seed(0)
    images = (torch.rand(4, 1, *shape, generator=generator) - (1 - share)).clamp_min(0)
    images[1] = 0
    found = cells_with_emission(images, 1e-3, min_island_pixels, binning)
    mask = emission_mask((images > 1e-3).numpy(), min_island_pixels=min_island_pixels)
    expected = nn.functional.max_pool2d(torch.from_numpy(mask).float(), binning)
    assert torch.equal(found, expected)
    assert found[0].any()
    assert not found[1].any()


def test_attention_on_emission_is_that_of_torch() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = 20 * torch.randn(5, 1, 6, 7, generator=generator)
    where = (torch.rand(scores.shape, generator=generator) > 0.7).float()
    scores[1] -= 300  # their softplus is 0 in single precision
    where[2] = 0
    scores[3] = float("nan")  # and so is the whole map
    normalise = GateNormalisation(Normalisation.EMISSION)
    expected = normalise(scores, where)
    with evaluating(normalise):
        found = normalise(scores, where)
    torch.testing.assert_close(found, expected, equal_nan=True)
    assert found[1].sum() == pytest.approx(1)
    assert found[3].isnan().all()
    assert not found[2].any()


@pytest.mark.parametrize("padding", [0, 2])
def test_convolution_of_an_image_is_that_of_torch(padding) -> None:
    generator = torch.Generator().manual_seed(0)
    images, filters = torch.randn(2, 1, 13, 9, generator=generator), torch.randn(6, 1, 5, 5)
    found = convolved_image(images, filters, padding)
    expected = nn.functional.conv2d(images, filters, padding=padding)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
