from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnxai.data.grid import GridTransform, PixelGrid, RowZero
from attnxai.errors import OptionError
from tests.data.skies import make_wcs

finite = st.floats(-1e4, 1e4)
transforms = st.builds(GridTransform, step=st.floats(0.05, 50.0), origin_x=finite, origin_y=finite)


def test_pixel_scale_comes_from_the_wcs() -> None:
    grid = PixelGrid(shape=(61, 81), wcs=make_wcs(pixel_arcsec=1.25, turn_deg=30))
    assert grid.pixel_scale_arcsec == pytest.approx(1.25, rel=1e-9)


def test_pixel_scale_where_the_projection_has_another_than_the_header() -> None:
    wcs = make_wcs()
    wcs.wcs.ctype = ["RA---STG", "DEC--STG"]
    wcs.wcs.crpix = [41.0, 31.0 + np.degrees(2 * np.tan(np.radians(10.0))) / wcs.wcs.cdelt[1]]
    wcs.wcs.set()
    # stereographic, 20 degrees away: the radius in the plane is 2 tan(theta / 2)
    scale = PixelGrid(shape=(61, 81), wcs=wcs).pixel_scale_arcsec
    assert scale == pytest.approx(1.8 * np.cos(np.radians(10.0)) ** 2, rel=1e-4)


def test_stated_pixel_scale_stays() -> None:
    grid = PixelGrid(shape=(61, 81), wcs=make_wcs(pixel_arcsec=1.25), pixel_scale_arcsec=1.3)
    assert grid.pixel_scale_arcsec == 1.3


def test_nothing_is_known_without_a_wcs() -> None:
    grid = PixelGrid(shape=(5, 7))
    assert grid.pixel_scale_arcsec is None
    assert grid.north_and_east() is None
    assert grid.row_zero is RowZero.BOTTOM


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (-1, 3), (3,), (2, 3, 4)])
def test_other_shapes_are_refused(shape: Any) -> None:
    with pytest.raises(OptionError, match="shape needs two positive numbers of pixels, got"):
        PixelGrid(shape=shape)


@pytest.mark.parametrize("scale", [0.0, -1.8, math.nan, math.inf])
def test_pixel_scale_that_is_no_length_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="pixel_scale_arcsec has to be above 0, got"):
        PixelGrid(shape=(5, 5), pixel_scale_arcsec=scale)


@pytest.mark.parametrize("turn", [0.0, 30.0, -110.0])
@pytest.mark.parametrize("east_right", [False, True])
def test_north_and_east_as_the_image_was_turned(turn: float, east_right: bool) -> None:
    shape = (61, 81)
    wcs = make_wcs(shape, turn_deg=turn, east_right=east_right)
    directions = PixelGrid(shape=shape, wcs=wcs).north_and_east()
    assert directions is not None
    north, east = directions
    a = math.radians(turn)
    # turned anticlockwise from up; east lies left of it, or right where the image is mirrored
    np.testing.assert_allclose(north, [-math.sin(a), math.cos(a)], atol=1e-6)
    sign = 1.0 if east_right else -1.0
    np.testing.assert_allclose(east, [sign * math.cos(a), sign * math.sin(a)], atol=1e-6)


@given(transforms, finite, finite)
def test_inner_and_outer_are_inverse(transform: GridTransform, x: float, y: float) -> None:
    there = transform.to_outer(np.array([x]), np.array([y]))
    back = transform.to_inner(*there)
    np.testing.assert_allclose(np.ravel(back), [x, y], rtol=1e-9, atol=1e-6)


@given(transforms, transforms, finite, finite)
def test_within_is_one_step_after_the_other(
    inner: GridTransform, outer: GridTransform, x: float, y: float
) -> None:
    steps = outer.to_outer(*inner.to_outer(np.array([x]), np.array([y])))
    once = inner.within(outer).to_outer(np.array([x]), np.array([y]))
    np.testing.assert_allclose(once, steps, rtol=1e-9, atol=1e-6)


@given(transforms, transforms, transforms)
def test_within_may_be_grouped_in_any_way(
    a: GridTransform, b: GridTransform, c: GridTransform
) -> None:
    left, right = a.within(b).within(c), a.within(b.within(c))
    np.testing.assert_allclose(
        [left.step, left.origin_x, left.origin_y],
        [right.step, right.origin_x, right.origin_y],
        rtol=1e-9,
        atol=1e-6,
    )


def test_pooled_grid_by_hand() -> None:
    # pixel 0 of a grid pooled by 2 covers pixels 0 and 1, and so is centred on 0.5
    pooled = GridTransform(step=2.0, origin_x=0.5, origin_y=0.5)
    cropped = GridTransform(origin_x=75.0, origin_y=70.0)
    placed = pooled.within(cropped)
    x, y = placed.to_outer(np.array([3.0]), np.array([0.0]))
    assert (x[0], y[0]) == (81.5, 70.5)


def test_a_covering_grid_has_the_edges_of_the_other() -> None:
    coarse = GridTransform.covering((25, 50), (150, 300))
    x, y = coarse.to_outer(np.array([-0.5, 49.5]), np.array([-0.5, 24.5]))
    assert (x.tolist(), y.tolist()) == ([-0.5, 299.5], [-0.5, 149.5])


@pytest.mark.parametrize(
    "values",
    [{"step": 0.0}, {"step": -1.0}, {"step": math.nan}, {"step": math.inf}]
    + [{name: value} for name in ("origin_x", "origin_y") for value in (math.nan, math.inf)],
)
def test_a_grid_that_lies_nowhere(values: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="a step above 0 and finite origins are needed, got Grid"):
        GridTransform(**values)


def test_grids_without_pixels() -> None:
    with pytest.raises(OptionError, match="no pixels in common"):
        GridTransform.covering((0, 0), (5, 5))
