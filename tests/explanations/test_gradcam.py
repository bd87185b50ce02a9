"""Grad-CAM against an independent calculation, and its place on the image."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from attnxai.data.grid import GridTransform
from attnxai.errors import AssumptionWarning, OptionError
from attnxai.explanations import explain
from attnxai.explanations.explaining import explanation_method
from attnxai.explanations.gradcam import GradCam
from attnxai.explanations.layers import layer_geometry_of
from attnxai.models.network import gate_geometry
from tests.explanations.attributed import (
    CLASSES,
    SIDE,
    Linear,
    Residual,
    inputs_and_blank,
    model_of,
    one_pixel,
    sources,
)
from tests.explanations.conftest import SIDE as GATED_SIDE
from tests.explanations.conftest import build_model
from tests.models.ordinary_networks import ResidualNetwork, ResNet


def by_hand(model, images, layer, weights):
    """Features times the mean over pixels of their gradients, summed over channels and rectified."""
    seen, _ = inputs_and_blank(model, images)
    kept = []

    def keep(_module, _inputs, output):
        kept.append(output)
        return output.clone()  # which a rectifier in place may change

    handle = layer.register_forward_hook(keep)
    scores = model.network(seen)
    handle.remove()
    features = kept[-1]
    (slopes,) = torch.autograd.grad((scores * torch.tensor(weights)).sum(), features)
    return torch.relu((features * slopes.mean(dim=(2, 3), keepdim=True)).sum(1)).detach().numpy()


def with_layer(layer, **options):
    return dataclasses.replace(explanation_method("gradcam"), function=GradCam(of=layer, **options))


@pytest.mark.parametrize(("target", "weights"), [("FR I", [1.0, 0.0]), (CLASSES, [1.0, -1.0])])
@pytest.mark.parametrize("layer", ["", "first", "norm"])
def test_grad_cam_by_hand(layer, target, weights):
    model, images = model_of(Residual()), sources(2)
    stack = explain(model, images, with_layer(layer), target=target)
    module = getattr(model.network.module, layer or "relu")  # by default after the sum
    np.testing.assert_allclose(
        stack.layers["gradcam"], by_hand(model, images, module, weights), rtol=1e-5, atol=1e-6
    )
    (facts,) = stack.provenance["explanations"]
    assert facts["network_layer"] == (layer or "relu")
    assert stack.geometry["gradcam"] == GridTransform(step=4.0, origin_x=0.0, origin_y=0.0)


class Summed(nn.Module):
    """Residual sums without a module, in place or not, beside a map that no score depends on; or two paths."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.stem = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.branch = nn.Conv2d(4, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(4, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        before = self.stem(images)
        after = self.branch(before)
        if self.kind == "in place":
            after += before
        elif self.kind == "sum":
            after = after + before
        unused = after.square()
        pooled = self.pool(after).mean(dim=(2, 3))
        if self.kind == "two paths":
            pooled = pooled + before.amax(dim=(2, 3))
        return self.head(pooled) + 0.0 * unused.detach().sum()  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", ["in place", "sum"])
def test_residual_sums_need_no_module(kind):
    torch.manual_seed(0)
    model, images = model_of(Summed(kind)), sources(2)
    stack = explain(model, images, "gradcam", target="FR I")
    (facts,) = stack.provenance["explanations"]
    assert facts["network_layer"] == "after branch"
    network = model.network.module
    seen, _ = inputs_and_blank(model, images)
    before = network.stem(seen)
    features = network.branch(before) + before
    score = network.head(network.pool(features).mean(dim=(2, 3)))[:, 0].sum()
    (slopes,) = torch.autograd.grad(score, features)
    expected = torch.relu((features * slopes.mean(dim=(2, 3), keepdim=True)).sum(1)).detach()
    np.testing.assert_allclose(stack.layers["gradcam"], expected, rtol=1e-5, atol=1e-6)
    assert stack.geometry["gradcam"] == GridTransform(step=2.0, origin_x=0.0, origin_y=0.0)


def test_a_default_on_a_branch_is_noted():
    model, images = model_of(Summed("two paths")), sources(2)
    with pytest.warns(AssumptionWarning, match="toy: .* feature map branch, on one of several"):
        stack = explain(model, images, "gradcam")
    assert stack.provenance["explanations"][0]["network_layer"] == "branch"
    explain(model, images, with_layer("branch"))  # whoever names it is not warned


@pytest.mark.parametrize(
    ("make", "side", "name"),
    [
        (lambda: ResNet(channels=1), 48, "layer4"),
        (ResidualNetwork, SIDE, "after fourth"),
        (
            lambda: nn.Sequential(
                nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(196, 2)
            ),
            SIDE,
            "1",
        ),
    ],
    ids=["torchvision", "without modules", "pooled"],
)
def test_the_default_is_the_last_feature_map_before_pooling(make, side, name):
    stack = explain(model_of(make(), side), sources(2, side), "gradcam")
    assert stack.provenance["explanations"][0]["network_layer"] == name


def test_it_can_stay_signed():
    model, images = model_of(Residual()), sources(2)
    signed, rectified = (
        explain(model, images, with_layer("first", rectified=flag)).layers["gradcam"]
        for flag in (False, True)
    )
    assert (signed < 0).any()
    np.testing.assert_allclose(np.maximum(signed, 0), rectified)


def test_gated_networks_give_the_last_block():
    model = build_model(aggregation="concat", convolutions=(1, 1, 1, 2))
    stack = explain(model, sources(2, GATED_SIDE), "gradcam")
    (facts,) = stack.provenance["explanations"]
    assert facts["network_layer"] == "blocks.3.1"
    gate = gate_geometry(model.spec, GATED_SIDE)[0]
    found = stack.geometry["gradcam"]
    # two cells of the coarsest gate in each
    assert found.step == 2 * gate.step
    assert found.origin_x == found.origin_y == gate.origin + gate.step / 2
    earlier = explain(model, sources(1, GATED_SIDE), with_layer("blocks.0.0"))
    assert earlier.geometry["gradcam"] == layer_geometry_of(
        model.network, model.network.blocks[0][0], GATED_SIDE
    )


class Blob(nn.Module):
    """The rectified means over 3 x 3 pixels, which blank sky leaves at 0, and their mean."""

    def __init__(self, stride: int, padding: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 1, 3, stride=stride, padding=padding)
        with torch.no_grad():
            self.convolution.weight.fill_(1 / 9)
            self.convolution.bias.fill_(0.0)  # type: ignore[union-attr]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        mean = torch.relu(self.convolution(images)).mean(dim=(1, 2, 3))
        return torch.stack([mean, -mean], dim=1)


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (1, 1), (2, 1), (3, 0)])
@pytest.mark.parametrize("name", ["gradcam", "guided_gradcam", "guided", "saliency", "smoothgrad"])
def test_one_bright_pixel_is_found_where_it_is(name, stride, padding):
    row, column = 7, 10
    model = model_of(Blob(stride, padding), mean=0.05, deviation=1.0)
    stack = explain(model, [one_pixel(row, column)], name, target="FR I")
    maps, where = stack.layers[name][0], stack.geometry[name]
    heaviest = np.argwhere(maps >= maps.max() * (1 - 1e-6)).astype(float)
    x, y = where.to_outer(heaviest[:, 1], heaviest[:, 0])
    # within the windows that hold it
    assert np.abs(np.stack([y - row, x - column])).max() <= (1.0 if stride == 1 else 2.0)


def test_layers_that_are_not_there_or_have_no_maps():
    model, images = model_of(Residual()), sources(1)
    with pytest.raises(OptionError, match="layer 'third'"):
        explain(model, images, with_layer("third"))
    with pytest.raises(OptionError, match="layer head"):
        explain(model, images, with_layer("head"))
    with pytest.raises(OptionError, match="model toy has none"):
        explain(model_of(Linear()), images, "gradcam")


def test_guided_grad_cam_is_the_product():
    model, images = model_of(Residual()), sources(2)
    coarse = explain(model, images, "gradcam", target="FR I").layers["gradcam"]
    guided = explain(model, images, "guided", target="FR I").layers["guided"]
    found = explain(model, images, "guided_gradcam", target="FR I").layers["guided_gradcam"]
    # pixels that are the middle of a cell, and one between four of them
    np.testing.assert_allclose(
        found[:, ::4, ::4], guided[:, ::4, ::4] * coarse, rtol=1e-4, atol=1e-9
    )
    middle = coarse[:, 1:3, 2:4].mean(axis=(1, 2))
    np.testing.assert_allclose(found[:, 6, 10], guided[:, 6, 10] * middle, rtol=1e-4, atol=1e-9)
    assert found.shape[1:] == (SIDE, SIDE)


def test_strides_may_leave_out_the_last_pixels():
    """A side of 150 is 75 after a stride of 2, of which a pooling drops the last."""
    network = nn.Sequential(
        nn.Conv2d(1, 2, 5, stride=2, padding=2), nn.MaxPool2d(2), nn.Conv2d(2, 2, 3, padding=1)
    )
    found = layer_geometry_of(network, network[2], 150)
    assert found == GridTransform(step=4.0, origin_x=1.0, origin_y=1.0)
