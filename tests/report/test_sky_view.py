"""North up and east left for every orientation of the image."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.wcs import WCS
from regions import PixCoord

from attnxai.annotations import Shape, ShapeKind
from attnxai.data.grid import GridTransform, PixelGrid, RowZero
from attnxai.report.sky_view import SkyView, asinh_stretch, contour_levels, outline


def grid_with(matrix, side=20):
    """Grid whose CD matrix is the given one in arcsec a pixel."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [150.0, 20.0]
    wcs.wcs.crpix = [(side + 1) / 2] * 2
    wcs.wcs.cd = np.array(matrix) / 3600
    wcs.wcs.set()
    return PixelGrid(shape=(side, side), wcs=wcs)


ORIENTATIONS = {
    "usual": [[-1, 0], [0, 1]],
    "upside down": [[-1, 0], [0, -1]],
    "mirrored": [[1, 0], [0, 1]],
    "turned by 90": [[0, 1], [1, 0]],
    "turned by 90 and mirrored": [[0, -1], [1, 0]],
    "turned by 20 degrees": [[-np.cos(0.35), np.sin(0.35)], [np.sin(0.35), np.cos(0.35)]],
}


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_north_is_up_and_east_is_left(name):
    grid = grid_with(ORIENTATIONS[name])
    view = SkyView.of(grid, grid.shape)
    assert view.known
    assert view.north[1] > np.cos(np.pi / 4)
    assert view.east[0] < -np.cos(np.pi / 4)
    # a source 5 arcsec north of the centre is drawn above it, and one to the east left of it
    for ra, dec, axis, sign in ((150.0, 20 + 5 / 3600, 1, 1), (150 + 5.3 / 3600, 20.0, 0, -1)):
        x, y = grid.wcs.world_to_pixel_values(ra, dec)
        drawn = view.points(np.array([x]), np.array([y]))
        assert sign * drawn[axis][0] > 4


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_arrays_and_points_move_together(name):
    grid = grid_with(ORIENTATIONS[name])
    view = SkyView.of(grid, (16, 20))
    image = np.zeros((16, 20))
    image[3, 14] = 1.0
    row, column = np.argwhere(view.array(image))[0]
    left, _, bottom, _ = view.extent()
    right, up = view.points(np.array([14.0]), np.array([3.0]))
    assert (column + 0.5 + left, row + 0.5 + bottom) == (right[0], up[0])


def test_without_coordinates_row_zero_is_where_the_format_puts_it():
    for row_zero, expected in ((RowZero.BOTTOM, -1), (RowZero.TOP, 1)):
        view = SkyView.of(PixelGrid(shape=(9, 9), row_zero=row_zero), (9, 9))
        assert not view.known
        _, up = view.points(np.array([4.0]), np.array([0.0]))
        assert np.sign(up[0]) == expected


def test_asinh_stretch():
    assert asinh_stretch(np.array([0.0, 1.0])).tolist() == [0.0, 1.0]
    assert asinh_stretch(np.array([0.0, 0.1, 1.0]))[1] > 0.25
    assert (asinh_stretch(np.zeros(3)) == 0).all()


def test_contours_of_a_constant_map_do_not_exist():
    valid = np.ones((4, 4), bool)
    assert contour_levels(np.ones((4, 4)), valid, (0.5,)).size == 0
    assert contour_levels(np.arange(16.0).reshape(4, 4), ~valid, (0.5,)).size == 0
    # nothing lies above the highest value, so it has no contour
    assert contour_levels(np.minimum(np.arange(16.0), 9.0).reshape(4, 4), valid, (0.9,)).size == 0
    levels = contour_levels(np.arange(16.0).reshape(4, 4), valid, (0.5, 0.9))
    assert levels.tolist() == [7.5, 13.5]


@pytest.mark.parametrize(
    "shape",
    [
        {"kind": "circle", "x": 10.0, "y": 8.0, "radius": 4.0},
        {"kind": "ellipse", "x": 10.0, "y": 8.0, "width": 9.0, "height": 4.0, "angle": 30.0},
        {"kind": "box", "x": 10.0, "y": 8.0, "width": 9.0, "height": 4.0, "angle": 30.0},
        {"kind": "polygon", "vertices": [(2.0, 1.0), (9.0, 4.0), (5.0, 9.0)]},
    ],
)
def test_outlines_enclose_what_the_region_contains(shape):
    drawn = Shape(**shape).on_pixels(PixelGrid(shape=(20, 20)))
    (region,) = drawn.to_regions()
    x, y, closed = outline(drawn, GridTransform())
    assert closed
    middle_x, middle_y = x.mean(), y.mean()
    for factor, inside in ((0.97, True), (1.03, False)):
        points = PixCoord(middle_x + factor * (x - middle_x), middle_y + factor * (y - middle_y))
        assert (region.contains(points) == inside).all()


def test_outlines_lie_on_the_field():
    field, image = GridTransform(step=2.0, origin_x=4.0, origin_y=6.0), PixelGrid(shape=(20, 20))
    point = Shape(kind=ShapeKind.POINT, x=10.0, y=8.0).on_pixels(image)
    x, y, closed = outline(point, field)
    assert (x.tolist(), y.tolist(), closed) == ([3.0], [1.0], False)
    line = Shape(kind=ShapeKind.LINE, vertices=((4.0, 6.0), (10.0, 8.0))).on_pixels(image)
    x, y, closed = outline(line, field)
    assert (x.tolist(), y.tolist(), closed) == ([0.0, 3.0], [0.0, 1.0], False)
