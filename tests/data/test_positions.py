"""Where fields lie on the sky, and how close two of them show the same source."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from attnxai.data.grid import PixelGrid
from attnxai.data.images import SourceImage
from attnxai.data.positions import (
    centres_of,
    lie_within,
    mean_position,
    positions_of,
    radii_of,
    same_source_radius,
)
from attnxai.data.sky import pixel_to_sky
from tests.data.skies import SKIES, make_wcs


def test_centres_are_those_of_astropy_in_every_frame() -> None:
    shapes = [(20, 31), (21, 30)]
    grids = [
        PixelGrid(shape=shape, wcs=make_wcs(shape, **sky))
        for sky in SKIES.values()
        for shape in shapes
    ]
    nowhere = PixelGrid(shape=(8, 8), pixel_scale_arcsec=1.8)
    found = centres_of([nowhere, *grids])
    assert np.isnan(found[0]).all()
    for grid, place in zip(grids, found[1:], strict=True):
        rows, columns = grid.shape
        expected = pixel_to_sky(grid.wcs, (columns - 1) / 2, (rows - 1) / 2)
        np.testing.assert_allclose(place, np.ravel(expected), rtol=0, atol=1e-10)


def test_axes_in_another_order_and_further_axes() -> None:
    swapped, cube = WCS(naxis=2), WCS(naxis=4)
    swapped.wcs.ctype, swapped.wcs.crval = ["DEC--TAN", "RA---TAN"], [40.0, 150.0]
    cube.wcs.ctype = ["RA---SIN", "DEC--SIN", "FREQ", "STOKES"]
    cube.wcs.crval = [150.0, 40.0, 1.4e9, 1.0]
    for wcs in (swapped, cube):
        wcs.wcs.crpix = [5.0] * wcs.naxis  # the middle of nine pixels
        wcs.wcs.cdelt = [5e-4] * wcs.naxis
        wcs.wcs.set()
        (place,) = centres_of([PixelGrid(shape=(9, 9), wcs=wcs)])
        np.testing.assert_allclose(place, (150.0, 40.0), atol=1e-9)


def test_positions_as_plain_values() -> None:
    wcs = make_wcs((9, 9), centre=(150.0, 40.0))
    pixels = np.eye(9, dtype=np.float32)
    images = [
        SourceImage(source="a", pixels=pixels, grid=PixelGrid(shape=(9, 9), wcs=wcs)),
        SourceImage(source="b", pixels=pixels, grid=PixelGrid(shape=(9, 9))),
    ]
    place, unknown = positions_of(images)
    assert place == pytest.approx((150.0, 40.0))
    assert unknown is None
    assert positions_of([]) == []


@pytest.mark.parametrize(
    ("shape", "scale", "beam", "radius"),
    [
        ((150, 150), 1.8, None, 16.2),
        ((150, 150), 1.8, 5.4, 16.2),
        ((300, 300), 0.6, 2.5, 7.5),
        ((300, 300), 15.0, 45.0, 135.0),
        # a beam in the wrong unit says nothing: an eighth of the smaller side
        ((150, 400), 1.8, 19_440.0, 33.75),
        ((16, 16), 1.8, None, 3.6),
        ((150, 150), None, 5.4, 0.0),
    ],
)
def test_the_radius_is_three_beams(shape, scale, beam, radius) -> None:
    assert same_source_radius(shape, scale, beam) == pytest.approx(radius)
    image = SourceImage(
        source="a",
        pixels=np.arange(shape[0] * shape[1]).reshape(shape),
        grid=PixelGrid(shape=shape, pixel_scale_arcsec=scale),
        beam_arcsec=None if beam is None else (beam, beam / 2, 0.0),
    )
    assert radii_of([image]).tolist() == pytest.approx([radius])


@pytest.mark.parametrize(
    ("positions", "mean"),
    [
        ([(10.0, -0.01), (10.01, 0.01), (10.05, 0.03)], (10.02, 0.01)),
        ([(359.99, 5.0), (0.03, 5.0)], (0.01, 5.0)),
        ([(359.97, 5.0), (0.01, 5.0)], (359.99, 5.0)),
    ],
)
def test_mean_positions_also_across_right_ascension_0(positions, mean) -> None:
    assert mean_position(positions) == pytest.approx(mean, abs=1e-6)


def test_positions_within_a_radius_are_those_of_astropy() -> None:
    rng = np.random.default_rng(1)
    # clusters at the pole, across 0 h and elsewhere, and positions that are unknown
    middles = [(10.0, 89.999), (359.999, 0.0), (150.0, -60.0)]
    positions, others = (
        np.concatenate([middle + rng.normal(0, 0.004, (60, 2)) for middle in middles])
        for _ in range(2)
    )
    for values in (positions, others):
        values[:, 1] = np.clip(values[:, 1], -90, 90)
        values[::7] = np.nan
    radius = rng.uniform(1, 15, len(positions))
    known = np.isfinite(others[:, 0])
    catalogue = SkyCoord(*others[known].T, unit="deg")
    expected = [
        bool(
            np.isfinite(ra)
            and (SkyCoord(ra, dec, unit="deg").separation(catalogue).arcsec <= limit).any()
        )
        for (ra, dec), limit in zip(positions, radius, strict=True)
    ]
    found = lie_within(positions, others, radius)
    assert found.tolist() == expected
    assert 0 < sum(expected) < len(expected)
    assert not lie_within(positions, np.empty((0, 2)), radius).any()
