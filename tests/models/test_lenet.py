"""LeNets of our own making: what their specification admits, symmetry, pooling."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from attnxai.errors import SpecificationError
from attnxai.models.architectures import network_from_spec, specification_from_dict
from attnxai.models.e2cnn_numpy2 import import_e2cnn
from attnxai.models.lenet import LeNet, LeNetSpec, blurred_max_pool
from attnxai.models.specification import Architecture, SymmetryGroup, compact_spec
from attnxai.models.steerable import soft_disc
from tests.models.builders import OPERATIONS, group_space, random_images
from tests.models.published_networks import disc


def spec_of(**changes: Any) -> LeNetSpec:
    settings: dict[str, Any] = {
        "architecture": Architecture.STEERABLE_LENET,
        "group": "D4",
        "fields": (2, 3),
        "hidden": (7, 5),
    }
    return LeNetSpec(**(settings | changes))


def ordinary(**changes: Any) -> LeNetSpec:
    return spec_of(architecture=Architecture.LENET, group="C1", **changes)


@pytest.mark.parametrize(
    "spec",
    [
        spec_of(),
        ordinary(disc=True, side=150, trailing_pixels=0, kernel_size=9, convolution_padding=4),
        spec_of(empty_value=-0.09, dropout=0.0, n_classes=3, group="C16"),
    ],
)
def test_round_trip_through_plain_values(spec) -> None:
    values = spec.to_dict()
    assert specification_from_dict(values) == spec
    plain = (str, int, float, bool, list)
    assert all(type(value) in plain for value in values.values())
    assert set(values) == {field.name for field in dataclasses.fields(LeNetSpec)}


def test_the_architecture_tells_the_specification() -> None:
    attention = compact_spec("C4")
    assert specification_from_dict(attention.to_dict()) == attention
    assert type(network_from_spec(attention)).__name__ == "AttentionNetwork"
    assert isinstance(network_from_spec(spec_of()), LeNet)
    for wrong in (["lenet"], torch.ones(2), None, 3):
        with pytest.raises(SpecificationError):
            specification_from_dict({"architecture": wrong})


def test_both_specifications_have_what_is_common() -> None:
    for spec in (spec_of(), compact_spec("D4")):
        assert spec.symmetry == SymmetryGroup.from_name("D4")
        assert (spec.group, spec.n_classes) == ("D4", 2)
        assert isinstance(spec.gate_names, tuple)
    assert spec_of().gate_names == ()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"architecture": Architecture.EQUIVARIANT_ATTENTION},
            "a LeNetSpec describes the architectures",
        ),
        ({"architecture": Architecture.LENET}, "no symmetry group, got D4"),
        ({"group": "E4"}, "unknown group"),
        ({"fields": (1, 2, 3)}, "fields needs 2"),
        ({"hidden": (0, 3)}, "hidden needs 2"),
        ({"hidden": (10**9, 3)}, "hidden needs 2"),
        ({"kernel_size": 4}, "kernel_size"),
        ({"convolution_padding": 5}, "convolution_padding"),
        ({"n_classes": 1}, "n_classes"),
        ({"dropout": 1.0}, "dropout"),
        ({"empty_value": float("nan")}, "empty_value"),
        ({"side": 3}, "side has to be"),
        ({"trailing_pixels": -1}, "trailing_pixels"),
        ({"side": 8, "trailing_pixels": 0, "kernel_size": 9}, "too small"),
    ],
)
def test_values_out_of_range_are_refused(changes, text) -> None:
    with pytest.raises(SpecificationError, match=text):
        spec_of(**changes)


def test_wrong_types_are_refused() -> None:
    with pytest.raises(SpecificationError, match="side of the specification should be a whole"):
        specification_from_dict({**spec_of().to_dict(), "side": "50"})


@pytest.mark.parametrize("side", [8, 9, 23, 24])
def test_pooling_equals_that_of_e2cnn(side) -> None:
    nn = import_e2cnn().nn
    space = group_space("C4")
    regular = nn.FieldType(space, 3 * [space.regular_repr])
    features = torch.randn(2, 12, side, side + 3, generator=torch.Generator().manual_seed(0))
    theirs = nn.PointwiseMaxPoolAntialiased(regular, kernel_size=2)
    expected = theirs(nn.GeometricTensor(features, regular)).tensor
    torch.testing.assert_close(blurred_max_pool(features), expected, rtol=1e-6, atol=1e-6)


def test_disc_with_a_margin_is_the_published_one() -> None:
    torch.testing.assert_close(soft_disc(51, 51, margin=1.0), disc(51, margin=0.01)[0, 0])


@pytest.mark.parametrize("group", ["C4", "D4", "D2"])
def test_scores_hardly_change_under_the_group(group) -> None:
    """Its flattened maps turn with the image, so only their sum is invariant; here they are summed."""
    spec = spec_of(group=group, side=54, trailing_pixels=0, fields=(2, 3))
    network = network_from_spec(spec, generator=torch.Generator().manual_seed(0)).eval()
    assert spec.flattened_side == 12
    with torch.no_grad():
        first = network.linears[0].weight  # type: ignore[index, union-attr]
        first.copy_(first.reshape(7, 3, -1)[..., :1].expand(7, 3, 144).reshape(7, -1))
        images = random_images(2, 54)
        scores = network(images)
        for operation in OPERATIONS:
            # the blur has its centre on every second pixel: half a pixel off that of the image
            change = float((network(operation(images)) - scores).abs().max())
            if operation.belongs_to(spec.symmetry):
                assert change < 0.02 * float(scores.abs().max()), operation
    assert float(scores.std(dim=0).max()) > 0


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(SpecificationError, match="takes images of 50 x 50 pixels, got 51 x 50"):
        network_from_spec(spec_of())(torch.zeros(1, 1, 51, 50))


def test_the_last_row_and_column_are_empty() -> None:
    """One more row of the same value below makes the same scores."""
    generator = torch.Generator().manual_seed(0)
    small = network_from_spec(spec_of(empty_value=0.7), generator=generator).eval()
    large = network_from_spec(spec_of(side=51, trailing_pixels=0)).eval()
    large.load_state_dict(small.state_dict())
    image = random_images(1, 51)
    image[..., 50:, :] = 0.7
    image[..., :, 50:] = 0.7
    with torch.no_grad():
        torch.testing.assert_close(small(image[..., :50, :50]), large(image))


def test_dropout_acts_in_training_only() -> None:
    network = network_from_spec(spec_of(), generator=torch.Generator().manual_seed(0)).eval()
    images = random_images(1, 50)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        torch.testing.assert_close(network(images), network(images), rtol=0, atol=0)
        network.train()
        results = torch.stack([network(images) for _ in range(8)])
    assert results.std(dim=0).max() > 0
