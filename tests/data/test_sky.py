from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from attnxai.data.grid import PixelGrid
from attnxai.data.sky import offset_to_pixel, pixel_directions, pixel_to_sky, sky_to_pixel
from tests.data.skies import DEC, RA, SKIES, make_wcs

SHAPE = (61, 81)


@pytest.fixture(params=list(SKIES))
def wcs(request: pytest.FixtureRequest) -> Any:
    return make_wcs(SHAPE, **SKIES[request.param])


def test_pixels_go_to_the_sky_and_back(wcs: Any) -> None:
    x, y = np.meshgrid(np.arange(0, 81, 8.0), np.arange(0, 61, 6.0))
    back_x, back_y = sky_to_pixel(wcs, *pixel_to_sky(wcs, x, y))
    np.testing.assert_allclose(back_x, x, atol=1e-7)
    np.testing.assert_allclose(back_y, y, atol=1e-7)


def test_positions_are_icrs_whatever_the_frame_of_the_image() -> None:
    centre = SkyCoord(RA, DEC, unit="deg").galactic
    wcs = make_wcs(SHAPE, frame="galactic", centre=(centre.l.deg, centre.b.deg))
    x, y = sky_to_pixel(wcs, RA, DEC)
    assert (float(x), float(y)) == pytest.approx((40.0, 30.0), abs=1e-6)
    ra, dec = pixel_to_sky(wcs, 40.0, 30.0)
    assert (float(ra), float(dec)) == pytest.approx((RA, DEC), abs=1e-9)


def test_positions_are_those_of_astropy(wcs: Any) -> None:
    x, y = np.random.default_rng(0).uniform(-20, 100, (2, 50))
    places = wcs.pixel_to_world(x, y).icrs
    found = np.transpose(pixel_to_sky(wcs, x, y))
    np.testing.assert_allclose(found, np.transpose([places.ra.deg, places.dec.deg]), atol=1e-12)
    expected = wcs.world_to_pixel(places)
    np.testing.assert_allclose(sky_to_pixel(wcs, *found.T), expected, atol=1e-8)


def test_frames_that_no_rotation_leads_to_are_left_to_astropy() -> None:
    wcs = make_wcs(SHAPE, frame="fk5")
    wcs.wcs.radesys = "FK4"
    wcs.wcs.set()
    test_positions_are_those_of_astropy(wcs)
    wcs.wcs.radesys = "FK5"  # found again after another frame
    wcs.wcs.set()
    test_positions_are_those_of_astropy(wcs)


def test_right_ascension_is_from_0_to_360() -> None:
    for frame in ("icrs", "fk5", "galactic"):
        wcs = make_wcs(SHAPE, frame=frame, centre=(0.0, 10.0))
        ra, _ = pixel_to_sky(wcs, np.arange(81.0), 30.0)
        assert ((ra >= 0) & (ra < 360)).all()
    wcs = make_wcs(SHAPE, centre=(0.0, 10.0))
    np.testing.assert_array_equal(sky_to_pixel(wcs, -0.001, 10), sky_to_pixel(wcs, 359.999, 10))


def test_reference_pixel_counts_from_zero() -> None:
    x, y = sky_to_pixel(make_wcs(SHAPE), [RA], [DEC])
    np.testing.assert_allclose([x[0], y[0]], [40.0, 30.0], atol=1e-9)


def test_position_on_the_other_side_of_the_sky_is_nan() -> None:
    x, y = sky_to_pixel(make_wcs(SHAPE), RA + 180.0, -DEC)
    assert np.isnan(x)
    assert np.isnan(y)


def test_offset_has_the_distance_and_angle_asked_for(wcs: Any) -> None:
    ra, dec = pixel_to_sky(wcs, 20.0, 45.0)
    x, y = offset_to_pixel(wcs, float(ra), float(dec), [0.0, 77.0, 250.0], 30.0)
    start = SkyCoord(ra, dec, unit="deg")
    ends = SkyCoord(*pixel_to_sky(wcs, x, y), unit="deg")
    np.testing.assert_allclose(start.separation(ends).arcsec, 30.0, rtol=1e-6)
    turned = start.position_angle(ends).deg - [0.0, 77.0, 250.0]
    np.testing.assert_allclose((turned + 180.0) % 360.0, 180.0, atol=1e-5)


@pytest.mark.parametrize("angle", [0.0, 35.0, 90.0, 200.0])
def test_direction_agrees_with_astropy(wcs: Any, angle: float) -> None:
    (vector,) = pixel_directions(wcs, 20.0, 45.0, [angle])
    start = wcs.pixel_to_world(20.0, 45.0).icrs
    end = start.directional_offset_by(angle * u.deg, 1 * u.arcsec)
    expected = np.array(wcs.world_to_pixel(end)) - [20.0, 45.0]
    np.testing.assert_allclose(vector, expected / np.hypot(*expected), atol=1e-5)
    assert np.hypot(*vector) == pytest.approx(1.0)


def test_north_and_east_match_small_steps_in_declination_and_right_ascension(wcs: Any) -> None:
    directions = PixelGrid(shape=SHAPE, wcs=wcs).north_and_east()
    assert directions is not None
    ra, dec = (float(v) for v in pixel_to_sky(wcs, 40.0, 30.0))
    for vector, (d_ra, d_dec) in zip(directions, [(0.0, 1e-4), (1e-4, 0.0)], strict=True):
        x, y = sky_to_pixel(wcs, [ra - d_ra, ra + d_ra], [dec - d_dec, dec + d_dec])
        step = np.array([x[1] - x[0], y[1] - y[0]])
        np.testing.assert_allclose(vector, step / np.hypot(*step), atol=1e-5)


def test_axes_may_be_stored_with_declination_first() -> None:
    wcs = make_wcs(SHAPE)
    swapped = wcs.sub([2, 1])
    x, y = sky_to_pixel(swapped, RA + 0.005, DEC)
    expected_x, expected_y = sky_to_pixel(wcs, RA + 0.005, DEC)
    assert (float(x), float(y)) == pytest.approx((float(expected_y), float(expected_x)), abs=1e-9)
