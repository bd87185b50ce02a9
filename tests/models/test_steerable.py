"""Steerable layers against the modules of e2cnn."""

from __future__ import annotations

import math

import pytest
import torch

from attnxai.errors import SpecificationError
from attnxai.models.bases import steerable_basis
from attnxai.models.e2cnn_numpy2 import import_e2cnn
from attnxai.models.specification import SymmetryGroup
from attnxai.models.steerable import (
    FieldBatchNorm,
    FilterBasis,
    SteerableConv2d,
    _he_normal_,
    pool_over_group,
    soft_disc,
)
from tests.models.builders import group_space, quietly

SOME_GROUPS = ("C1", "C4", "D1", "D4", "D8")


def _types(name: str, fields: int):
    space = group_space(name)
    nn = import_e2cnn().nn
    return (
        nn.FieldType(space, [space.trivial_repr]),
        nn.FieldType(space, fields * [space.regular_repr]),
    )


@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("lifting", [True, False])
@pytest.mark.parametrize("name", SOME_GROUPS)
def test_convolution_equals_that_of_e2cnn(name, lifting, kernel_size) -> None:
    nn = import_e2cnn().nn
    group = SymmetryGroup.from_name(name)
    fields_in, fields_out = (1 if lifting else 2), 3
    scalar, regular_in = _types(name, fields_in)
    _, regular_out = _types(name, fields_out)
    type_in = scalar if lifting else regular_in
    theirs = quietly(
        lambda: nn.R2Conv(
            type_in,
            regular_out,
            kernel_size,
            padding=kernel_size // 2,
            bias=False,
            initialize=False,
        )
    )
    ours = SteerableConv2d(
        FilterBasis(steerable_basis(group, kernel_size, lifting=lifting)),
        fields_in,
        fields_out,
        generator=torch.Generator().manual_seed(3),
    )
    assert ours.weights.numel() == theirs.weights.numel()
    with torch.no_grad():
        theirs.weights.copy_(ours.weights.flatten())
        generator = torch.Generator().manual_seed(4)
        features = torch.randn(2, type_in.size, 11, 12, generator=generator)
        expected = quietly(lambda: theirs(nn.GeometricTensor(features, type_in)).tensor)
        result = ours(features)
    assert result.shape == expected.shape
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("name", SOME_GROUPS)
def test_batch_norm_equals_that_of_e2cnn(name) -> None:
    nn = import_e2cnn().nn
    fields, size = 3, SymmetryGroup.from_name(name).size
    _, regular = _types(name, fields)
    theirs = nn.InnerBatchNorm(regular)
    ours = FieldBatchNorm(fields, size)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        (inner,) = (m for m in theirs.modules() if isinstance(m, torch.nn.BatchNorm3d))
        for parameter, own in ((inner.weight, ours.norm.weight), (inner.bias, ours.norm.bias)):
            values = torch.rand(fields, generator=generator) + 0.2
            parameter.copy_(values)
            own.copy_(values)
        offset = torch.arange(fields * size)[None, :, None, None]
        for training in (True, True, False):
            theirs.train(training)
            ours.train(training)
            features = offset + 2 * torch.randn(4, fields * size, 6, 7, generator=generator)
            expected = theirs(nn.GeometricTensor(features, regular)).tensor
            torch.testing.assert_close(ours(features), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours.norm.running_mean, inner.running_mean)
    torch.testing.assert_close(ours.norm.running_var, inner.running_var)


@pytest.mark.parametrize("name", SOME_GROUPS)
def test_pooling_over_the_group_equals_that_of_e2cnn(name) -> None:
    nn = import_e2cnn().nn
    size = SymmetryGroup.from_name(name).size
    _, regular = _types(name, 3)
    features = torch.randn(2, 3 * size, 5, 4, generator=torch.Generator().manual_seed(6))
    expected = nn.GroupPooling(regular)(nn.GeometricTensor(features, regular)).tensor
    torch.testing.assert_close(pool_over_group(features, size), expected, rtol=0, atol=0)


@pytest.mark.parametrize("side", [9, 16, 150])
def test_disc_equals_the_mask_of_e2cnn(side) -> None:
    scalar, _ = _types("C4", 1)
    mask = import_e2cnn().nn.MaskModule(scalar, side).mask
    torch.testing.assert_close(soft_disc(side, side), mask[0, 0], rtol=1e-6, atol=1e-7)


def test_disc_of_an_oblong_image_is_round_and_centred() -> None:
    disc = soft_disc(20, 30)
    torch.testing.assert_close(disc, disc.flip(0))
    torch.testing.assert_close(disc, disc.flip(1))
    torch.testing.assert_close(disc[:, 5:25], soft_disc(20, 20))


def test_first_weights_keep_the_variance_of_rectified_features() -> None:
    group = SymmetryGroup.from_name("C4")
    basis = FilterBasis(steerable_basis(group, 5, lifting=False))
    convolution = SteerableConv2d(basis, 16, 16, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        features = convolution(torch.randn(2, 64, 24, 24, generator=generator))[..., 3:-3, 3:-3]
    # He et al. (2015): gain 2 for features of unit variance
    assert features.var().item() == pytest.approx(2.0, rel=0.2)


def test_weights_wait_at_zero_without_a_generator() -> None:
    basis = FilterBasis(steerable_basis(SymmetryGroup.from_name("C2"), 3, lifting=True))
    assert not SteerableConv2d(basis, 1, 2).weights.any()
    state = SteerableConv2d(basis, 1, 2).state_dict()
    assert list(state) == ["weights"], "files hold weights and not bases"


def test_a_basis_without_harmonics_is_refused_by_the_transform() -> None:
    filters = steerable_basis(SymmetryGroup.from_name("C4"), 3, lifting=False)
    convolution = SteerableConv2d(FilterBasis(filters), 1, 1)
    assert not convolution.gains_by_fourier(150 * 150)
    with pytest.raises(SpecificationError, match="filters of this basis have no harmonics"):
        convolution.by_fourier()


def test_he_normal_has_variance_two_over_fan_in() -> None:
    weight = torch.empty(64, 32, 3, 3)
    _he_normal_(weight, torch.Generator().manual_seed(0))
    assert float(weight.std()) == pytest.approx(math.sqrt(2 / (32 * 9)), rel=0.02)
    assert abs(float(weight.mean())) < 0.002
