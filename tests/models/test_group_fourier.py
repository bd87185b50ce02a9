"""The Fourier transform over a group, and convolutions by it, against dense filters."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from attnxai.models.bases import steerable_basis
from attnxai.models.convolution_paths import fourier_is_faster
from attnxai.models.fourier_convolution import Epilogue, FourierConvolution
from attnxai.models.group_fourier import find_harmonics, group_fourier
from attnxai.models.specification import SymmetryGroup
from attnxai.models.steerable import FilterBasis, SteerableConv2d

GROUPS = ("C1", "C2", "C3", "C4", "C6", "C8", "D1", "D2", "D3", "D4", "D8")


def plane_of(group, element):
    """Matrix of an element on the plane, from its definition: rotations first, then after a reflection."""
    angle = 2 * math.pi * (element % group.order) / group.order
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return rotation if element < group.order else rotation @ np.diag([1.0, -1.0])


def make_convolution(name, kernel=5, fields_in=2, fields_out=3, seed=0):
    group = SymmetryGroup.from_name(name)
    basis = FilterBasis(steerable_basis(group, kernel, lifting=False), group=group)
    generator = torch.Generator().manual_seed(seed)
    return SteerableConv2d(basis, fields_in, fields_out, generator=generator)


def prepare(convolution):
    return FourierConvolution(convolution.shared.harmonics, convolution.weights)


@pytest.mark.parametrize("name", [*GROUPS, "C16", "D5", "D16"])
def test_transform_is_orthogonal_and_products_are_those_of_matrices(name) -> None:
    group = SymmetryGroup.from_name(name)
    fourier = group_fourier(group)
    np.testing.assert_allclose(fourier.matrix @ fourier.matrix.T, np.eye(group.size), atol=1e-12)
    matrices = [plane_of(group, element) for element in range(group.size)]
    for a, b in itertools.product(range(group.size), repeat=2):
        if group.size > 2 or group.reflections:  # otherwise matrices tell elements apart as well
            product = matrices[a] @ matrices[b]
            np.testing.assert_allclose(product, matrices[fourier.products[a, b]], atol=1e-12)
        for representation in (*fourier.lines[..., None, None], *fourier.planes):
            np.testing.assert_allclose(
                representation[a] @ representation[b],
                representation[fourier.products[a, b]],
                atol=1e-12,
            )


@pytest.mark.parametrize("name", GROUPS)
def test_a_correlation_over_the_group_becomes_products(name) -> None:
    """y(h) = sum of c(s) z(hs) by its definition, and by coefficients."""
    group = SymmetryGroup.from_name(name)
    fourier = group_fourier(group)
    rng = np.random.default_rng(0)
    c, z = rng.normal(size=(2, group.size))
    expected = [c @ z[fourier.products[h]] for h in range(group.size)]
    transformed, found = fourier.matrix @ z, np.zeros(group.size)
    found[: fourier.n_lines] = (fourier.lines @ c) * transformed[: fourier.n_lines]
    shape = (fourier.n_planes, fourier.n_rows, 2)
    planes = transformed[fourier.n_lines :].reshape(shape)
    weights = np.einsum("psba,s->pba", fourier.planes, c)
    found[fourier.n_lines :] = np.einsum("pba,pra->prb", weights, planes).ravel()
    np.testing.assert_allclose(fourier.matrix.T @ found, expected, atol=1e-12)


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("name", GROUPS)
def test_equals_the_dense_filter(name, kernel) -> None:
    convolution = make_convolution(name, kernel)
    fourier = prepare(convolution)
    generator = torch.Generator().manual_seed(1)
    for shape in ((2, 19, 23), (1, 1, 2), (1, 40, 9)):
        channels = convolution.basis.shape[2] * 2
        features = torch.randn(shape[0], channels, *shape[1:], generator=generator)
        with torch.no_grad():
            expected = functional.conv2d(
                features.double(), convolution.dense_filter().double(), padding=kernel // 2
            )
        found = fourier(features)
        scale = expected.abs().max()
        torch.testing.assert_close(found.double(), expected, atol=1e-5 * float(scale), rtol=0)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("name", GROUPS)
def test_adjoint_has_the_gradients_of_the_dense_filter(name, kernel) -> None:
    convolution = make_convolution(name, kernel)
    weights, size = convolution.weights, convolution.basis.shape[1]
    adjoint = FourierConvolution(convolution.shared.adjoint_harmonics, weights.transpose(0, 1))
    generator = torch.Generator().manual_seed(1)
    for shape in ((2, 19, 23), (1, 1, 2), (1, 40, 9)):
        features = torch.randn(shape[0], 2 * size, *shape[1:], generator=generator).double()
        gradient = torch.randn(shape[0], 3 * size, *shape[1:], generator=generator).double()
        features.requires_grad_()
        filters = convolution.dense_filter().double()
        out = functional.conv2d(features, filters, padding=kernel // 2)
        expected = torch.autograd.grad(out, (features, weights), gradient)
        found, of_weights = adjoint.with_products(gradient.float(), features.float())
        assert torch.equal(found, adjoint(gradient.float()))
        for one, of_dense in zip((found, of_weights.transpose(0, 1)), expected, strict=True):
            error = float((one - of_dense).abs().max() / of_dense.abs().max())
            assert error < 1e-5


def test_threads_change_nothing() -> None:
    convolution = make_convolution("D4")
    fourier, size = prepare(convolution), 8
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(5, 2 * size, 20, 20, generator=generator)
    beside = torch.randn(5, 3 * size, 20, 20, generator=generator)
    n_threads, found = torch.get_num_threads(), []
    try:
        for n in (1, 3):
            torch.set_num_threads(n)
            found.append((fourier(features), *fourier.with_products(features, beside)))
            assert torch.get_num_threads() == n
    finally:
        torch.set_num_threads(n_threads)
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_many_fields_are_taken_in_several_parts() -> None:
    convolution = make_convolution("D8", fields_in=23, fields_out=2)
    features = torch.randn(1, 23 * 16, 31, 17, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = functional.conv2d(features, convolution.dense_filter(), padding=2)
    torch.testing.assert_close(prepare(convolution)(features), expected, atol=5e-5, rtol=1e-5)
    beside = torch.randn(expected.shape, generator=torch.Generator().manual_seed(3))
    out = functional.conv2d(features, convolution.dense_filter(), padding=2)
    (wanted,) = torch.autograd.grad(out, convolution.weights, beside)
    _, found = prepare(convolution).with_products(features, beside)
    torch.testing.assert_close(found, wanted, atol=1e-5 * float(wanted.abs().max()), rtol=0)


def test_a_bright_pixel_shows_the_filter() -> None:
    convolution = make_convolution("D4")
    features = torch.zeros(1, 16, 11, 11)
    features[0, 13, 5, 6] = 1
    found = prepare(convolution)(features)[0]
    expected = convolution.dense_filter()[:, 13].flip(1, 2)
    torch.testing.assert_close(found[:, 3:8, 4:9], expected.detach(), atol=1e-6, rtol=0)
    found[:, 3:8, 4:9] = 0
    assert not found.any()


def test_an_image_has_the_same_bytes_in_any_batch() -> None:
    convolution = make_convolution("D4")
    fourier = prepare(convolution)
    features = torch.randn(5, 16, 20, 20, generator=torch.Generator().manual_seed(3))
    together = fourier(features)
    for i in (0, 3):
        assert torch.equal(fourier(features[i : i + 1])[0], together[i])
    assert torch.equal(fourier(features.flip(0)), together.flip(0))


def test_epilogue_follows_its_definition() -> None:
    convolution = make_convolution("C4")
    features = torch.randn(2, 8, 9, 8, generator=torch.Generator().manual_seed(4))
    a, b, d, e = torch.randn(4, 12, generator=torch.Generator().manual_seed(5))
    plain = prepare(convolution)(features)
    by_channel = [v[:, None, None] for v in (a, b, d, e)]
    scaled = by_channel[0] * plain + by_channel[1]
    expected = torch.relu(scaled) * by_channel[2] + by_channel[3]
    for rectified, wanted in ((True, expected), (False, scaled)):
        epilogue = Epilogue(a, b, d, e, rectified=rectified)
        at_once = prepare(convolution)(features, epilogue)
        torch.testing.assert_close(at_once, wanted, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(epilogue.apply_(plain.clone()), wanted, atol=1e-5, rtol=1e-5)


def test_what_is_not_finite_stays_so() -> None:
    plain = torch.tensor([float("nan"), float("inf"), -1.0, 2.0]).reshape(1, 4, 1, 1)
    found = Epilogue.none(4)._replace(rectified=True).apply_(plain.clone())
    assert found.flatten()[0].isnan()
    assert found.flatten()[1:].tolist() == [float("inf"), 0.0, 2.0]


def test_filters_that_are_not_steerable_have_no_harmonics() -> None:
    group = SymmetryGroup.from_name("C4")
    basis = steerable_basis(group, 3, lifting=False).numpy().copy()
    assert find_harmonics(basis, group) is not None
    basis[0, 1, 2, 0, 1] += 0.01 * np.abs(basis).max()
    assert find_harmonics(basis, group) is None
    assert find_harmonics(np.zeros_like(basis), group) is None


def test_a_basis_of_an_unknown_group_or_that_lifts_has_no_harmonics() -> None:
    group = SymmetryGroup.from_name("C4")
    assert FilterBasis(steerable_basis(group, 3, lifting=False)).harmonics is None
    assert FilterBasis(steerable_basis(group, 3, lifting=True), group=group).harmonics is None


def test_the_table_knows_the_published_networks() -> None:
    """Measured gains of D8 are far above 1 with 16 fields and more; one field of C2 has none."""
    d8, c2 = SymmetryGroup.from_name("D8"), SymmetryGroup.from_name("C2")
    assert fourier_is_faster(d8, 5, 16, 32, 37**2)
    assert fourier_is_faster(d8, 5, 64, 64, 18**2)
    assert not fourier_is_faster(c2, 5, 1, 1, 150**2)
    assert not fourier_is_faster(c2, 5, 1, 64, 150**2)
    assert not fourier_is_faster(d8, 5, 64, 64, 4)  # smaller than what was measured
    assert not fourier_is_faster(SymmetryGroup.from_name("C63"), 5, 64, 64, 37**2)
