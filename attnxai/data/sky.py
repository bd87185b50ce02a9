"""Positions and directions between the sky and pixels, by astropy."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import ArrayLike, NDArray

    from attnxai.data.grid import GridTransform

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


def wcs_of_grid(wcs: WCS, grid: GridTransform) -> WCS:
    """Coordinate system of a grid that lies on the pixels of an image, from that of the image.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Coordinate system of the image; distortions by SIP are kept.
    grid : GridTransform
        How the pixels of the grid lie on those of the image.

    Returns
    -------
    astropy.wcs.WCS
        Of two axes; pixel (x, y) of the grid has the place on the sky of the image's pixel there.

    Examples
    --------
    >>> from astropy.wcs import WCS
    >>> from attnxai.data.grid import GridTransform
    >>> wcs = WCS({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 76.0, "CRPIX2": 76.0, "CDELT1": -5e-4,
    ...            "CDELT2": 5e-4, "CRVAL1": 180.0, "CRVAL2": 30.0})
    >>> found = wcs_of_grid(wcs, GridTransform(step=4.0, origin_x=1.5, origin_y=1.5))
    >>> found.wcs.crpix.tolist(), found.wcs.cdelt.tolist()
    ([19.375, 19.375], [-0.002, 0.002])
    """
    from astropy.wcs import Sip

    found = _of_two_axes(wcs).deepcopy()
    step = grid.step
    crpix = (found.wcs.crpix - 1.0 - (grid.origin_x, grid.origin_y)) / step + 1.0
    found.wcs.crpix = crpix
    if found.wcs.has_cd():
        found.wcs.cd = found.wcs.cd * step
    else:
        found.wcs.cdelt = found.wcs.cdelt * step
    if wcs.sip is not None:

        def scaled(coefficients: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
            if coefficients is None:
                return None
            powers = np.add.outer(*map(np.arange, coefficients.shape))
            return np.asarray(coefficients * step ** (powers - 1.0))

        terms = (wcs.sip.a, wcs.sip.b, wcs.sip.ap, wcs.sip.bp)
        found.sip = Sip(*map(scaled, terms), crpix)
    found.pixel_shape = found.pixel_bounds = None
    found.wcs.set()
    return found
