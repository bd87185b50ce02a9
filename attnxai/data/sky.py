"""Positions and directions between the sky and pixels, by astropy."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import ArrayLike, NDArray

# Long enough to be exact in floating point, short enough to be a tangent.
_PROBE_ARCSEC = 0.1


def _of_two_axes(wcs: WCS) -> WCS:
    """The celestial axes; ``celestial`` puts the longitude first, whatever the order of the image's axes."""
    return wcs if wcs.naxis == 2 else wcs.celestial


def sky_to_pixel(
    wcs: WCS, ra_deg: ArrayLike, dec_deg: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixel coordinates (0-based x, y) of positions in ICRS degrees.

    Works for any celestial frame of the WCS. Positions that the projection cannot show are NaN, and all of them
    are where a distortion cannot be inverted at one.
    """
    from astropy.coordinates import SkyCoord

    places = SkyCoord(ra_deg, dec_deg, unit="deg", frame="icrs")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*failed to converge", UserWarning)
        try:
            x, y = _of_two_axes(wcs).world_to_pixel(places)
        except UserWarning:
            x = y = np.full(places.shape, np.nan)
    return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)


def pixel_to_sky(
    wcs: WCS, x: ArrayLike, y: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """ICRS right ascension and declination in degrees of pixel coordinates."""
    coordinates = _of_two_axes(wcs).pixel_to_world(x, y).icrs
    return (
        np.asarray(coordinates.ra.deg, dtype=np.float64),
        np.asarray(coordinates.dec.deg, dtype=np.float64),
    )


def offset_to_pixel(
    wcs: WCS,
    ra_deg: float,
    dec_deg: float,
    position_angle_deg: ArrayLike,
    distance_arcsec: ArrayLike,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixel coordinates of the points at an angle from north through east and a distance."""
    import astropy.units as u
    from astropy.coordinates import SkyCoord

    centre = SkyCoord(ra_deg, dec_deg, unit="deg", frame="icrs")
    points = centre.directional_offset_by(
        np.asarray(position_angle_deg) * u.deg, np.asarray(distance_arcsec) * u.arcsec
    )
    return sky_to_pixel(wcs, points.ra.deg, points.dec.deg)


def pixel_direction(wcs: WCS, x: float, y: float, position_angle_deg: float) -> NDArray[np.float64]:
    """Unit vector (x, y) in pixels towards a position angle, at pixel (x, y)."""
    ra, dec = pixel_to_sky(wcs, x, y)
    ends_x, ends_y = offset_to_pixel(
        wcs,
        float(ra),
        float(dec),
        [position_angle_deg, position_angle_deg + 180.0],
        _PROBE_ARCSEC,
    )
    vector = np.array([ends_x[0] - ends_x[1], ends_y[0] - ends_y[1]])
    return np.asarray(vector / np.hypot(*vector))
