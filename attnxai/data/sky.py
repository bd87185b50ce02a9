"""Positions and directions between the sky and pixels, by astropy."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import ArrayLike, NDArray

    from attnxai.data.grid import GridTransform

# Long enough to be exact in floating point, short enough to be a tangent.
_PROBE_ARCSEC = 0.1
# pixels over which a scale is measured
_STEP = 0.5


def celestial_axes(wcs: WCS) -> WCS:
    """The celestial axes of a coordinate system; ``celestial`` puts the longitude first, whatever the order of the image's axes."""
    return wcs if wcs.naxis == 2 else wcs.celestial


def frame_key(wcs: WCS) -> tuple[object, ...]:
    """What the celestial frame of a coordinate system follows from; equal for equal frames."""
    w = wcs.wcs
    return w.lngtyp, w.lattyp, w.radesys, str(w.equinox), str(w.mjdobs), w.dateobs


def stated_numbers(wcs: WCS) -> list[str]:
    """What a header states of a coordinate system, to twelve digits: the same on every machine, unlike computed positions."""
    w = wcs.wcs
    distortions = () if wcs.sip is None else (wcs.sip.a, wcs.sip.b)
    numbers = [w.crval, w.crpix, wcs.pixel_scale_matrix, (w.lonpole, w.latpole), *distortions]
    stated = [f"{number:.12g}" for array in numbers for number in np.ravel(array)]
    return [*map(str, w.ctype), *map(str, frame_key(wcs)), *stated, str(w.get_pv())]


def sky_to_pixel(
    wcs: WCS, ra_deg: ArrayLike, dec_deg: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixel coordinates (0-based x, y) of positions in ICRS degrees.

    Works for any celestial frame of the WCS. Positions that the projection cannot show are NaN, and all of them
    are where a distortion cannot be inverted at one.
    """
    wcs = celestial_axes(wcs)
    ra, dec = np.broadcast_arrays(np.asarray(ra_deg, float), np.asarray(dec_deg, float))
    rotation = _rotation_to_icrs(wcs)
    if rotation is None:
        from astropy.coordinates import SkyCoord
        from astropy.wcs.utils import wcs_to_celestial_frame

        frame = wcs_to_celestial_frame(wcs)
        places = SkyCoord(ra, dec, unit="deg", frame="icrs").transform_to(frame).spherical
        longitude, latitude = places.lon.deg, places.lat.deg
    else:
        longitude, latitude = _rotated(rotation.T, ra, dec)
    world = (longitude, latitude) if wcs.wcs.lng == 0 else (latitude, longitude)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*failed to converge", UserWarning)
        try:
            x, y = wcs.world_to_pixel_values(*world)
        except UserWarning:
            x = y = np.full(ra.shape, np.nan)
    return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)


def pixel_to_sky(
    wcs: WCS, x: ArrayLike, y: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """ICRS right ascension and declination in degrees of pixel coordinates."""
    wcs = celestial_axes(wcs)
    rotation = _rotation_to_icrs(wcs)
    if rotation is None:
        places = wcs.pixel_to_world(x, y).icrs
        return np.asarray(places.ra.deg, float), np.asarray(places.dec.deg, float)
    world = wcs.pixel_to_world_values(x, y)
    return _rotated(rotation, np.asarray(world[wcs.wcs.lng]), np.asarray(world[wcs.wcs.lat]))


_ROTATIONS: dict[tuple[object, ...], NDArray[np.float64] | None] = {}
_MOST_FRAMES = 1000


def _rotation_to_icrs(wcs: WCS) -> NDArray[np.float64] | None:
    """Matrix from unit vectors in the frame of a WCS to those in ICRS; None where the frames differ by more than a rotation.

    It is made once for all images of a frame: coordinate objects of astropy take milliseconds for each image.
    """
    from astropy.coordinates import FK5, ICRS, CartesianRepresentation, Galactic
    from astropy.wcs.utils import wcs_to_celestial_frame

    key = frame_key(wcs)
    if key not in _ROTATIONS:
        if len(_ROTATIONS) >= _MOST_FRAMES:
            _ROTATIONS.clear()
        frame = wcs_to_celestial_frame(wcs)
        rotation = None
        if isinstance(frame, FK5 | Galactic | ICRS):
            axes = frame.realize_frame(CartesianRepresentation(np.eye(3)))
            rotation = np.asarray(axes.transform_to(ICRS()).cartesian.xyz.value)
        _ROTATIONS[key] = rotation
    return _ROTATIONS[key]


def _rotated(
    rotation: NDArray[np.float64], longitude: NDArray[np.float64], latitude: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude from 0 to 360 and latitude, in degrees, after a rotation."""
    if np.array_equal(rotation, np.eye(3)):
        return np.where(longitude < 0, longitude + 360.0, longitude), latitude
    lon, lat = np.radians(longitude), np.radians(latitude)
    x, y, z = np.tensordot(
        rotation, [np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], 1
    )
    lon = np.degrees(np.arctan2(y, x))
    return np.where(lon < 0, lon + 360.0, lon), np.degrees(np.arctan2(z, np.hypot(x, y)))


def offset_to_pixel(
    wcs: WCS,
    ra_deg: ArrayLike,
    dec_deg: ArrayLike,
    position_angle_deg: ArrayLike,
    distance_arcsec: ArrayLike,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixel coordinates of the points at an angle from north through east and a distance."""
    # as SkyCoord.directional_offset_by, whose objects take most of the time of a report's panels
    latitude, angle = np.radians(dec_deg), np.radians(position_angle_deg)
    distance = np.radians(np.asarray(distance_arcsec, dtype=np.float64) / 3600.0)
    along, across = np.cos(distance), np.sin(distance)
    sine = np.sin(latitude) * along + np.cos(latitude) * across * np.cos(angle)
    turned = np.arctan2(across * np.sin(angle) * np.cos(latitude), along - np.sin(latitude) * sine)
    return sky_to_pixel(
        wcs, np.asarray(ra_deg) + np.degrees(turned), np.degrees(np.arcsin(np.clip(sine, -1, 1)))
    )


def pixel_directions(
    wcs: WCS, x: float, y: float, position_angles_deg: ArrayLike
) -> NDArray[np.float64]:
    """Unit vectors (x, y) in pixels towards position angles, a row for each, at pixel (x, y)."""
    ra, dec = pixel_to_sky(wcs, x, y)
    angles = np.add.outer([0.0, 180.0], np.asarray(position_angles_deg, dtype=np.float64))
    ends = np.array(offset_to_pixel(wcs, float(ra), float(dec), angles, _PROBE_ARCSEC))
    vectors = (ends[:, 0] - ends[:, 1]).T
    return np.asarray(vectors / np.hypot(*vectors.T)[:, None])


def pixel_matrix(wcs: WCS, x: float, y: float) -> NDArray[np.float64]:
    """Arcsec towards east (first row) and north, in the frame of the WCS, for one pixel along x and along y at (x, y).

    NaN where the projection shows no sky there.
    """
    wcs = celestial_axes(wcs)
    at = np.array([[x, y], [x + _STEP, y], [x - _STEP, y], [x, y + _STEP], [x, y - _STEP]])
    world = np.radians(wcs.all_pix2world(at, 0))
    longitude, latitude = world[:, max(wcs.wcs.lng, 0)], world[:, abs(wcs.wcs.lat)]
    east = np.sin(longitude - longitude[0]) * np.cos(latitude)
    north = np.sin(latitude) * np.cos(latitude[0]) - np.cos(latitude) * np.sin(
        latitude[0]
    ) * np.cos(longitude - longitude[0])
    offsets = np.degrees([east, north]) * 3600.0
    return np.asarray((offsets[:, [1, 3]] - offsets[:, [2, 4]]) / (2 * _STEP))


def wcs_on_pixels(wcs: WCS, matrix: NDArray[np.float64], origin: ArrayLike) -> WCS:
    """Coordinate system of new pixels, from that of others whose pixel p is centred on ``matrix @ p + origin`` of them.

    It has the frame, projection and distortion (SIP) of the other, so that a pixel keeps its place on the sky exactly.
    """
    found = celestial_axes(wcs).deepcopy()
    on_sky = found.pixel_scale_matrix @ np.linalg.inv(matrix)
    if found.wcs.has_cd():
        del found.wcs.cd
    if found.wcs.has_crota():
        del found.wcs.crota
    scales = np.copysign(np.linalg.norm(on_sky, axis=1), np.diag(on_sky))
    crpix = matrix @ (found.wcs.crpix - 1.0) + np.asarray(origin) + 1.0
    found.wcs.cdelt, found.wcs.pc, found.wcs.crpix = scales, on_sky / scales[:, None], crpix
    _replace_sip(found, matrix)
    found.pixel_shape = found.pixel_bounds = None
    found.wcs.set()
    return found


def _replace_sip(wcs: WCS, matrix: NDArray[np.float64]) -> None:
    """Give a coordinate system its distortion on new pixels, which are ``matrix`` times the old ones.

    A distortion f of offsets u from the reference pixel becomes ``matrix @ f(matrix^-1 @ u)``, a polynomial of the
    same degree.
    """
    from astropy.wcs import Sip

    if wcs.sip is None:
        return
    inverse = np.linalg.inv(matrix)

    def carried(first: Any, second: Any) -> list[NDArray[np.float64] | None]:
        if first is None or second is None:
            return [first, second]
        size = max(len(first), len(second))
        terms = np.zeros((2, size, size))
        for axis, coefficients in enumerate((first, second)):
            for p, q in np.argwhere(coefficients):
                power = _power_of_sum(inverse[0], p, size), _power_of_sum(inverse[1], q, size)
                terms[axis] += coefficients[p, q] * _product(*power)
        return list(np.tensordot(matrix, terms, axes=1))

    a, b = carried(wcs.sip.a, wcs.sip.b)
    ap, bp = carried(wcs.sip.ap, wcs.sip.bp)
    wcs.sip = Sip(a, b, ap, bp, wcs.wcs.crpix)


def _power_of_sum(factors: ArrayLike, power: int, size: int) -> NDArray[np.float64]:
    """Coefficients [i, j] of u^i v^j in ``(factors[0] u + factors[1] v) ** power``."""
    found = np.zeros((size, size))
    first, second = np.asarray(factors)
    for i in range(power + 1):
        found[i, power - i] = math.comb(power, i) * first**i * second ** (power - i)
    return found


def _product(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Product of two polynomials in two variables, whose degrees add to less than their size."""
    found = np.zeros_like(first)
    size = len(found)
    for i, j in np.argwhere(first):
        found[i:, j:] += first[i, j] * second[: size - i, : size - j]
    return found


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
    found = celestial_axes(wcs).deepcopy()
    step = grid.step
    found.wcs.crpix = (found.wcs.crpix - 1.0 - (grid.origin_x, grid.origin_y)) / step + 1.0
    if found.wcs.has_cd():
        found.wcs.cd = found.wcs.cd * step
    else:
        found.wcs.cdelt = found.wcs.cdelt * step
    _replace_sip(found, np.eye(2) / step)
    found.pixel_shape = found.pixel_bounds = None
    found.wcs.set()
    return found
