"""Interpolation against torch, exact symmetries, and single bright pixels through pooling."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attnxai.alignment.resample import interpolation_matrix, resample_to_field, smooth_to_layer
from attnxai.data.grid import GridTransform
from attnxai.models.network import gate_geometry
from attnxai.models.specification import compact_spec


def layer_transform(step, padding):
    return GridTransform(
        step=step, origin_x=(step - 1) / 2 - padding, origin_y=(step - 1) / 2 - padding
    )


@pytest.mark.parametrize("step", [1, 2, 4])
def test_equals_torch_where_grids_cover_the_same(step):
    maps = np.random.default_rng(0).random((2, 24 // step, 16 // step))
    ours = resample_to_field(maps, layer_transform(step, 0), (24, 16))
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(maps)[:, None], size=(24, 16), mode="bilinear", align_corners=False
    )[:, 0].numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_rows_and_columns_have_an_origin_each():
    rows, columns = np.mgrid[:4, :5].astype(float)
    transform = GridTransform(step=2.0, origin_x=3.0, origin_y=-1.0)
    # a ramp keeps its place: outer column 6 is column 1.5 of the map, outer row 2 its row 1.5
    assert resample_to_field(columns, transform, (6, 12))[2, 6] == 1.5
    assert resample_to_field(10 * rows, transform, (6, 12))[2, 6] == 15.0
    # of outer pixel (2, 3) rows 1 and 2 of column 0 cover a half each, which is 1/8 of what they cover
    image = np.zeros((6, 12))
    image[2, 3] = 4.0
    np.testing.assert_array_equal(smooth_to_layer(image, transform, (4, 5))[[1, 3], 3], 0.5)


@given(
    n_inner=st.integers(1, 12),
    n_outer=st.integers(1, 40),
    step=st.floats(0.3, 8),
    origin=st.floats(-5, 5),
)
def test_rows_are_weights(n_inner, n_outer, step, origin):
    matrix = interpolation_matrix(n_inner, n_outer, step, origin)
    assert matrix.min() >= 0
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0)
    # a ramp in outer coordinates comes back between the outermost centres
    ramp = matrix @ (origin + step * np.arange(n_inner))
    expected = np.clip(np.arange(n_outer), origin, origin + step * (n_inner - 1))
    np.testing.assert_allclose(ramp, expected, atol=1e-9)


@pytest.mark.parametrize("operation", range(8))
@pytest.mark.parametrize("size", [150, 152, 148, 64])
def test_every_rotation_and_reflection_of_a_bright_pixel(size, operation):
    """A pixel through padding, pooling and back lies within half a layer pixel, however turned."""

    def turned(array):
        array = np.rot90(array, operation % 4)
        return array[:, ::-1] if operation >= 4 else array

    image = np.zeros((size, size))
    image[size // 5, size // 3] = 1.0
    image = turned(image)
    row, column = np.argwhere(image)[0]
    for layer in gate_geometry(compact_spec("D4", binning=1), size):
        padding = round((layer.step - 1) / 2 - layer.origin)
        padded = torch.from_numpy(np.pad(image, padding))[None, None]
        pooled = padded
        for _ in range(int(np.log2(layer.step))):
            pooled = torch.nn.functional.max_pool2d(pooled, 2)
        pooled = pooled[0, 0].numpy()
        assert pooled.shape == (layer.size, layer.size)
        transform = GridTransform(step=layer.step, origin_x=layer.origin, origin_y=layer.origin)
        field = resample_to_field(pooled, transform, (size, size))
        weights = field / field.sum()
        rows, columns = np.mgrid[:size, :size]
        centre = (weights * rows).sum(), (weights * columns).sum()
        # the pooled pixel covers `step` field pixels, and its centre is at most half of that away
        assert abs(centre[0] - row) <= (layer.step - 1) / 2 + 1e-9
        assert abs(centre[1] - column) <= (layer.step - 1) / 2 + 1e-9


@pytest.mark.parametrize("operation", range(8))
def test_resampling_commutes_with_symmetries(operation):
    maps = np.random.default_rng(1).random((38, 38))
    transform = layer_transform(4, 1)

    def turned(array):
        array = np.rot90(array, operation % 4)
        return array[:, ::-1] if operation >= 4 else array

    first = resample_to_field(turned(maps), transform, (150, 150))
    np.testing.assert_allclose(first, turned(resample_to_field(maps, transform, (150, 150))))


def test_the_mean_over_all_pixels_of_a_cell_gives_its_centre():
    """Averaging over the positions within a layer pixel leaves no bias: half a pixel is none."""
    step, padding, size = 4, 1, 150
    transform = layer_transform(step, padding)
    shifts = []
    for position in range(60, 60 + step):
        image = np.zeros((size, size))
        image[75, position] = 1.0
        padded = np.pad(image, padding)
        pooled = padded.reshape(38, 4, 38, 4).max(axis=(1, 3))
        field = resample_to_field(pooled, transform, (size, size))
        shifts.append((field * np.arange(size)).sum() / field.sum() - position)
    assert np.mean(shifts) == pytest.approx(0.0, abs=1e-9)


def test_smoothing_keeps_the_place_and_the_flux_of_a_pixel():
    image = np.zeros((150, 150))
    image[40, 90] = 1.0
    smooth = smooth_to_layer(image, layer_transform(4, 1), (38, 38))
    rows, columns = np.mgrid[:150, :150]
    assert smooth.sum() == pytest.approx(1.0)
    assert (smooth * rows).sum() == pytest.approx(40, abs=1.5)
    assert (smooth * columns).sum() == pytest.approx(90, abs=1.5)
    constant = smooth_to_layer(np.ones((152, 152)), layer_transform(4, 0), (38, 38))
    np.testing.assert_allclose(constant, 1.0)
