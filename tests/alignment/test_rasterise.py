"""Shapes on pixels: by hand, against astropy regions, and under every symmetry."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from regions import (
    CirclePixelRegion,
    EllipsePixelRegion,
    LinePixelRegion,
    PixCoord,
    PointPixelRegion,
    PolygonPixelRegion,
    RectanglePixelRegion,
)

from attnxai.alignment.rasterise import FWHM_PER_SIGMA, rasterise_density, rasterise_mask
from attnxai.data.grid import GridTransform

SAME = GridTransform()
SHAPE = (40, 50)


def centroid(density):
    rows, columns = np.mgrid[: density.shape[0], : density.shape[1]]
    return (density * columns).sum() / density.sum(), (density * rows).sum() / density.sum()


@pytest.mark.parametrize(
    "region",
    [
        CirclePixelRegion(PixCoord(20.3, 11.8), 4.2),
        EllipsePixelRegion(PixCoord(22.0, 15.0), 14.0, 5.0, 30 * u.deg),
        RectanglePixelRegion(PixCoord(25.2, 18.7), 12.0, 6.0, 70 * u.deg),
        PolygonPixelRegion(PixCoord([10.2, 30.1, 20.3], [5.1, 9.2, 28.4])),
    ],
)
def test_masks_equal_astropy_regions(region):
    ours = rasterise_mask([region], SAME, SHAPE, fwhm=3.0)
    theirs = region.to_mask(mode="center").to_image(SHAPE) > 0
    np.testing.assert_array_equal(ours, theirs)


def test_a_point_is_a_disc_and_a_gaussian_of_the_stated_width():
    point = PointPixelRegion(PixCoord(20.0, 11.0))
    mask = rasterise_mask([point], SAME, SHAPE, fwhm=3.0)
    expected = {(11, 20), (10, 20), (12, 20), (11, 19), (11, 21)}
    expected |= {(10, 19), (10, 21), (12, 19), (12, 21)}
    assert set(map(tuple, np.argwhere(mask).tolist())) == expected
    density = rasterise_density([point], [1.0], SAME, SHAPE, fwhm=6.0)
    assert density[11, 20] == 1.0
    # half of the peak at half of the full width
    assert density[11, 23] == pytest.approx(0.5)
    assert density[8, 20] == pytest.approx(0.5)
    assert pytest.approx(2.5480, abs=1e-4) == 6.0 / FWHM_PER_SIGMA


@pytest.mark.parametrize(
    "region",
    [
        PointPixelRegion(PixCoord(20.0, 11.0)),
        LinePixelRegion(PixCoord(10.0, 11.0), PixCoord(20.0, 11.0)),
    ],
)
def test_densities_end_at_three_standard_deviations(region):
    """Six pixels away is 2.99 standard deviations of 2.007 pixels, and 3.01 of those of 1.993."""
    within = rasterise_density([region], [1.0], SAME, SHAPE, fwhm=2.007 * 2.354820045)
    assert within[11, 26] == pytest.approx(np.exp(-0.5 * (6 / 2.007) ** 2))
    assert within[17, 20] == pytest.approx(np.exp(-0.5 * (6 / 2.007) ** 2))
    assert within[11, 27] == 0.0
    beyond = rasterise_density([region], [1.0], SAME, SHAPE, fwhm=1.993 * 2.354820045)
    assert beyond[11, 26] == beyond[17, 20] == 0.0
    assert beyond[11, 25] > 0.04


def test_a_line_has_width_and_ends():
    line = LinePixelRegion(PixCoord(10.0, 20.0), PixCoord(30.0, 20.0))
    mask = rasterise_mask([line], SAME, SHAPE, fwhm=3.0)
    assert mask[20, 10:31].all()
    assert mask[19, 15]
    assert not mask[18, 15]
    assert mask[20, 9]
    assert not mask[20, 8]
    density = rasterise_density([line], [0.8], SAME, SHAPE, fwhm=4.0)
    assert density[20, 20] == pytest.approx(0.8)
    assert density[22, 20] == pytest.approx(0.4)
    nothing_long = LinePixelRegion(PixCoord(10.0, 20.0), PixCoord(10.0, 20.0))
    assert rasterise_mask([nothing_long], SAME, SHAPE, fwhm=1.0).sum() == 1


def test_shapes_too_small_for_a_pixel_centre_mark_the_pixel_they_lie_in():
    tiny = CirclePixelRegion(PixCoord(20.4, 11.4), 0.2)
    mask = rasterise_mask([tiny], SAME, SHAPE, fwhm=3.0)
    assert np.argwhere(mask).tolist() == [[11, 20]]
    density = rasterise_density([tiny], [0.5], SAME, SHAPE, fwhm=3.0)
    assert density[11, 20] == 0.5
    assert density.sum() == 0.5
    outside = CirclePixelRegion(PixCoord(-30.0, 11.4), 0.2)
    assert not rasterise_mask([outside], SAME, SHAPE, fwhm=3.0).any()


def test_marking_twice_does_not_count_twice():
    circle = CirclePixelRegion(PixCoord(20.0, 11.0), 4.0)
    once = rasterise_density([circle], [0.7], SAME, SHAPE, fwhm=3.0)
    twice = rasterise_density([circle, circle], [0.7, 0.3], SAME, SHAPE, fwhm=3.0)
    np.testing.assert_array_equal(once, twice)


def test_the_field_may_be_a_part_of_the_image_or_have_other_pixels():
    point = PointPixelRegion(PixCoord(100.0, 60.0))
    crop = GridTransform(origin_x=80.0, origin_y=50.0)
    density = rasterise_density([point], [1.0], crop, SHAPE, fwhm=4.0)
    assert centroid(density) == pytest.approx((20.0, 10.0), abs=1e-6)
    coarse = GridTransform(step=2.5, origin_x=60.0, origin_y=30.0)
    density = rasterise_density([point], [1.0], coarse, SHAPE, fwhm=10.0)
    assert centroid(density) == pytest.approx((16.0, 12.0), abs=1e-6)
    assert density[12, 18] == pytest.approx(0.5)


@pytest.mark.parametrize("operation", range(8))
def test_shapes_turn_with_the_image(operation):
    """A shape drawn on a turned image covers the turned pixels."""
    side = 41
    middle = (side - 1) / 2
    quarter = operation % 4

    def turned(array):
        array = np.rot90(array, quarter)
        return array[:, ::-1] if operation >= 4 else array

    def moved(x, y):
        for _ in range(quarter):
            x, y = y, 2 * middle - x
        return (2 * middle - x, y) if operation >= 4 else (x, y)

    angle = 25.0
    direction = np.array(
        moved(middle + np.cos(np.radians(angle)), middle + np.sin(np.radians(angle)))
    )
    direction -= middle
    new_angle = np.degrees(np.arctan2(direction[1], direction[0]))
    x, y = moved(14.2, 25.7)
    before = EllipsePixelRegion(PixCoord(14.2, 25.7), 15.0, 6.0, angle * u.deg)
    after = EllipsePixelRegion(PixCoord(x, y), 15.0, 6.0, new_angle * u.deg)
    expected = turned(rasterise_mask([before], SAME, (side, side), fwhm=3.0))
    np.testing.assert_array_equal(rasterise_mask([after], SAME, (side, side), fwhm=3.0), expected)
    point = rasterise_density(
        [PointPixelRegion(PixCoord(14.2, 25.7))], [1.0], SAME, (side, side), fwhm=3.0
    )
    turned_point = rasterise_density(
        [PointPixelRegion(PixCoord(x, y))], [1.0], SAME, (side, side), fwhm=3.0
    )
    np.testing.assert_allclose(turned_point, turned(point), atol=1e-12)


def test_pixels_at_half_the_width_from_a_point_or_line_are_covered():
    point = PointPixelRegion(PixCoord(20.0, 11.0))
    mask = rasterise_mask([point], SAME, SHAPE, fwhm=4.0)
    assert mask[11, 22]
    assert mask.sum() == 13  # of a disc of radius 2
    line = LinePixelRegion(PixCoord(10.0, 20.0), PixCoord(30.0, 20.0))
    assert rasterise_mask([line], SAME, SHAPE, fwhm=4.0)[:, 20].sum() == 5
