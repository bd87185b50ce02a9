"""Covered fractions of pixels, against formulas, astropy regions and fine grids of positions."""

from __future__ import annotations

import math
import time

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regions import EllipsePixelRegion, PixCoord

from attnxai.alignment.coverage import (
    area_coverages,
    ellipse_coverage,
    polygon_coverage,
)
from attnxai.annotations.pixel_shapes import PixelShape
from attnxai.annotations.shapes import ShapeKind

SHAPE = (40, 50)


def shoelace(vertices: np.ndarray) -> float:
    x, y = vertices.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def star(radii: np.ndarray, centre: tuple[float, float] = (24.7, 19.2)) -> np.ndarray:
    """A polygon that does not cross itself."""
    turn = np.arange(len(radii)) * 2 * np.pi / len(radii)
    return np.stack([radii * np.cos(turn), radii * np.sin(turn)], axis=1) + centre


def sampled(vertices: np.ndarray, shape: tuple[int, int], n: int = 24) -> np.ndarray:
    """Share of n x n positions in each pixel about which the outline winds."""
    rows, columns = shape
    x = (np.arange(columns * n) + 0.5) / n - 0.5
    y = (np.arange(rows * n) + 0.5) / n - 0.5
    winding = np.zeros((rows * n, columns * n), int)
    for (x0, y0), (x1, y1) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        between = (y >= min(y0, y1)) & (y < max(y0, y1))
        if between.any():
            crossing = x0 + (y[between] - y0) * (x1 - x0) / (y1 - y0)
            winding[between] += np.sign(y1 - y0).astype(int) * (x > crossing[:, None])
    return np.asarray((winding != 0).reshape(rows, n, columns, n).mean(axis=(1, 3)))


@pytest.mark.parametrize("radius", [0.3, 1.0, 4.2, 15.0])
def test_circles_have_the_area_of_circles(radius):
    covered = ellipse_coverage((24.3, 19.8), (2 * radius, 2 * radius), 0.0, SHAPE)
    assert covered.sum() == pytest.approx(math.pi * radius**2, rel=1e-10)


def test_ellipses_against_astropy_regions():
    rng = np.random.default_rng(
        1
    )  # no round numbers: regions is wrong where corners lie on the outline
    for _ in range(300):
        x, y = rng.uniform(-10, 60, 2)
        width, height = 10 ** rng.uniform(-1, 1.8, 2)
        angle = rng.uniform(-360, 360)
        ours = ellipse_coverage((x, y), (width, height), angle, SHAPE)
        region = EllipsePixelRegion(PixCoord(x, y), width, height, angle * u.deg)
        theirs = region.to_mask(mode="exact").to_image(SHAPE)
        np.testing.assert_allclose(ours, 0 if theirs is None else theirs, atol=1e-9)


def test_ellipses_from_the_smallest_to_the_largest():
    for size in (1e-6, 1e6, 1e10):
        covered = ellipse_coverage((20.0, 20.0), (size, size), 0.0, (41, 41))
        assert covered.sum() == pytest.approx(min(math.pi * size**2 / 4, 41.0**2), abs=1e-8)
    half_plane = ellipse_coverage((20.0 + 1e6, 20.0), (2e6, 2e6), 0.0, (41, 41))
    np.testing.assert_allclose(half_plane[20, 17:24], [0, 0, 0, 0.5, 1, 1, 1], atol=1e-6)


@given(st.lists(st.floats(1.0, 15.0), min_size=4, max_size=24), st.booleans())
@settings(max_examples=150, deadline=None)
def test_polygons_have_the_area_of_their_outline(radii, is_reversed):
    vertices = star(np.array(radii))[:: -1 if is_reversed else 1]
    covered = polygon_coverage(vertices, SHAPE)
    assert covered.sum() == pytest.approx(shoelace(vertices), abs=1e-9)
    assert 0 <= covered.min() <= covered.max() <= 1


def test_a_triangle_by_hand():
    """The diagonal of a square of four pixels."""
    triangle = np.array([[-0.5, -0.5], [1.5, -0.5], [-0.5, 1.5]])
    np.testing.assert_allclose(polygon_coverage(triangle, (2, 2)), [[1, 0.5], [0.5, 0]])
    # the first pixel is cut in the middle of its sides
    np.testing.assert_allclose(polygon_coverage(triangle - 1.0, (1, 1)), [[0]])
    np.testing.assert_allclose(polygon_coverage(triangle - 0.5, (1, 1)), [[0.5]])


@pytest.mark.parametrize("seed", range(12))
def test_polygons_that_cross_themselves_against_a_fine_grid(seed):
    rng = np.random.default_rng(seed)
    vertices = rng.uniform(-4, 24, (rng.integers(4, 12), 2))
    ours, theirs = polygon_coverage(vertices, (16, 20)), sampled(vertices, (16, 20))
    assert ours.sum() == pytest.approx(theirs.sum(), rel=0.005, abs=0.05)
    np.testing.assert_allclose(ours, theirs, atol=0.05)


def test_winding():
    square = np.array([[5.0, 5.0], [15.0, 5.0], [15.0, 15.0], [5.0, 15.0]])
    once = polygon_coverage(square, SHAPE)
    twice = polygon_coverage(np.concatenate([square, square]), SHAPE)
    np.testing.assert_allclose(once, twice, atol=1e-12)
    # both halves of a figure of eight, which go around in opposite directions
    eight = np.array([[5.0, 5.0], [15.0, 15.0], [15.0, 5.0], [5.0, 15.0]])
    assert polygon_coverage(eight, SHAPE).sum() == pytest.approx(50.0, abs=1e-3)
    flat = np.array([[2.3, 2.3], [42.3, 3.3], [42.3, 2.3], [2.3, 3.3]])
    assert polygon_coverage(flat, SHAPE).sum() == pytest.approx(20.0, abs=0.05)
    # the middle of a pentagram is gone around twice
    pentagram = star(np.full(5, 12.0))[[0, 2, 4, 1, 3]]
    assert polygon_coverage(pentagram, SHAPE)[19, 25] == 1
    # there and back again
    assert not polygon_coverage(np.concatenate([square, square[::-1]]), SHAPE).any()
    # an inner ring in the other direction is a hole, and one in the same direction is not
    inner = (square - 10) * 0.4 + 10
    for ring, area in ((inner[::-1], 84.0), (inner, 100.0)):
        keyhole = np.concatenate([square, square[:1], ring, ring[:1]])
        assert polygon_coverage(keyhole, SHAPE).sum() == pytest.approx(area, abs=1e-3)


def test_polygons_reach_beyond_the_field():
    far = np.array([[-1e6, -1e6], [1e6, -1e6], [1e6, 1e6], [-1e6, 1e6]])
    np.testing.assert_allclose(polygon_coverage(far, SHAPE), 1)
    left = np.array([[-1e6, -1e6], [20.0, -1e6], [20.0, 1e6], [-1e6, 1e6]])
    np.testing.assert_allclose(polygon_coverage(left, SHAPE)[:, 19:22], [[1, 0.5, 0]] * 40)
    assert not polygon_coverage(far + np.array([2e6, 0]), SHAPE).any()


def test_thousands_of_vertices():
    radii = 15 * (1 + 0.1 * np.sin(np.arange(5000) * 40 * 2 * np.pi / 5000))
    vertices = star(radii)
    before = time.perf_counter()
    covered = polygon_coverage(vertices, SHAPE)
    assert time.perf_counter() - before < 2  # 0.01 s on an idle machine
    assert covered.sum() == pytest.approx(shoelace(vertices), abs=1e-6)
    # a scribble that crosses itself everywhere is cut less finely
    scribble = np.random.default_rng(0).uniform(0, 40, (4000, 2))
    theirs = sampled(scribble, (41, 41), n=8).sum()
    assert polygon_coverage(scribble, (41, 41)).sum() == pytest.approx(theirs, rel=0.01)


def test_many_areas_at_once() -> None:
    """As each by itself: those of other sizes, beyond the field, with sides that cross, and large ones among them."""
    rng = np.random.default_rng(7)
    areas = []
    for i in range(400):
        centre = rng.uniform(-6, 66, (1, 2))
        if i % 4 == 0:
            corners = centre + rng.uniform(-12, 12, (rng.integers(3, 9), 2))
            areas.append(PixelShape(kind=ShapeKind.POLYGON, points=corners))
            continue
        kind = (ShapeKind.CIRCLE, ShapeKind.ELLIPSE, ShapeKind.BOX)[i % 4 - 1]
        width, height = rng.uniform(0.1, 90 if i % 50 == 1 else 14, 2)
        areas.append(
            PixelShape(
                kind=kind,
                points=centre,
                width=width,
                height=width if kind is ShapeKind.CIRCLE else height,
                angle_deg=float(rng.choice([0.0, 90.0, rng.uniform(0, 360)])),
            )
        )
    shape = (60, 50)
    together = area_coverages(areas, shape)
    for area, (window, covered) in zip(areas, together, strict=True):
        ((own_window, own),) = area_coverages([area], shape)
        assert window == own_window
        np.testing.assert_allclose(covered, own, rtol=0, atol=1e-11)
    discs = [
        (covered.sum(), math.pi * area.width**2 / 4)
        for area, (_, covered) in zip(areas, together, strict=True)
        if area.kind is ShapeKind.CIRCLE and min(area.bounds) > 0 and max(area.bounds) < 49
    ]
    assert len(discs) > 20
    covered_areas, exact = np.transpose(discs)
    np.testing.assert_allclose(covered_areas, exact, rtol=1e-9)
