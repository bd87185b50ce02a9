"""Where the fields of images lie on the sky, and how close two of them show the same source."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.sky import celestial_axes, frame_key

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from attnxai.data.grid import PixelGrid
    from attnxai.data.images import SourceImage

BEAMS = 3.0
"""Fields whose centres are closer than this many beams show the same source."""
PIXELS_A_BEAM = 3.0
"""Pixels that a beam is taken to have where an image does not state its beam."""
SHARE_OF_FIELD = 1 / 8
"""Fields whose centres are farther apart than this share of their side show different sources, whatever the beam."""


def same_source_radius(
    shape: tuple[int, int], pixel_scale_arcsec: float | None, beam_arcsec: float | None = None
) -> float:
    """Largest distance (arcsec) from the centre of a field at which the centre of another shows the same source.

    It is :data:`BEAMS` beams, and at most :data:`SHARE_OF_FIELD` of the smaller side. Within three beams two
    sources are hardly distinguished, and catalogues place extended sources differently by as much: of the MiraBest
    sources that Radio Galaxy Zoo has as well, within 60 arcsec, 81 % lie within 16.2 arcsec, three beams of FIRST. The
    centres of different MiraBest sources are 43 arcsec apart or more, but for one pair at 6 arcsec.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    pixel_scale_arcsec : float or None
        Side of a pixel; without it the radius is 0.
    beam_arcsec : float, optional
        Major axis (FWHM) of the beam; :data:`PIXELS_A_BEAM` pixels when left out.

    Returns
    -------
    float

    Examples
    --------
    >>> round(same_source_radius((150, 150), 1.8), 3)
    16.2
    """
    if pixel_scale_arcsec is None:
        return 0.0
    beam = beam_arcsec if beam_arcsec is not None else PIXELS_A_BEAM * pixel_scale_arcsec
    return min(BEAMS * beam, SHARE_OF_FIELD * min(shape) * pixel_scale_arcsec)


def radii_of(images: Sequence[SourceImage]) -> NDArray[np.float64]:
    """:func:`same_source_radius` of every image, in arcsec."""
    return np.array(
        [
            same_source_radius(
                image.shape,
                image.grid.pixel_scale_arcsec,
                image.beam_arcsec[0] if image.beam_arcsec is not None else None,
            )
            for image in images
        ]
    )


def centres_of(grids: Sequence[PixelGrid]) -> NDArray[np.float64]:
    """Right ascension and declination (ICRS degrees) of the centres of grids, shape (n, 2); NaN where unknown.

    Positions of the same frame are transformed together, so that 100,000 take seconds.
    """
    from astropy.coordinates import SkyCoord
    from astropy.wcs.utils import wcs_to_celestial_frame

    found = np.full((len(grids), 2), np.nan)
    frames: dict[tuple[object, ...], tuple[object, list[int]]] = {}
    for number, grid in enumerate(grids):
        if grid.wcs is None or not grid.wcs.has_celestial:
            continue
        wcs = celestial_axes(grid.wcs)
        w = wcs.wcs
        # the order of the axes of the image is that of the axes of the sky
        place = wcs.all_pix2world([grid.middle], 0)[0]
        found[number] = place[w.lng], place[w.lat]
        key = frame_key(wcs)
        if key not in frames:
            frames[key] = wcs_to_celestial_frame(wcs), []
        frames[key][1].append(number)
    for frame, numbers in frames.values():
        known = [i for i in numbers if np.isfinite(found[i]).all()]
        places = SkyCoord(*found[known].T, unit="deg", frame=frame).icrs
        found[numbers] = np.nan
        found[known] = np.transpose([places.ra.deg, places.dec.deg])
    return found


def positions_of(images: Iterable[SourceImage]) -> list[tuple[float, float] | None]:
    """:func:`centres_of` the fields of images as plain values, None where unknown."""
    centres = centres_of([image.grid for image in images])
    return [(ra, dec) if np.isfinite((ra, dec)).all() else None for ra, dec in centres.tolist()]


def unit_vectors(positions_deg: ArrayLike) -> NDArray[np.float64]:
    """Positions on the sky (degrees), shape (n, 2), as points on the unit sphere, shape (n, 3)."""
    ra, dec = np.radians(np.asarray(positions_deg, dtype=np.float64).reshape(-1, 2)).T
    return np.transpose([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def mean_position(positions_deg: ArrayLike) -> tuple[float, float]:
    """Mean of positions on the sky (degrees), shape (n, 2), also across right ascension 0.

    Examples
    --------
    >>> ra, dec = mean_position([(359.0, 0.0), (3.0, 0.0)])
    >>> round(ra, 6), round(dec, 6)
    (1.0, 0.0)
    """
    x, y, z = unit_vectors(positions_deg).mean(axis=0).tolist()
    return math.degrees(math.atan2(y, x)) % 360.0, math.degrees(math.atan2(z, math.hypot(x, y)))


def chord(angle_arcsec: ArrayLike) -> NDArray[np.float64]:
    """Distance through the unit sphere of two points at an angle."""
    half = np.radians(np.asarray(angle_arcsec, dtype=np.float64) / 3600.0) / 2
    return np.asarray(2 * np.sin(np.minimum(half, math.pi / 2)))


def lie_within(
    positions_deg: ArrayLike, others_deg: ArrayLike, radius_arcsec: ArrayLike
) -> NDArray[np.bool_]:
    """Whether one of the other positions lies within the radius of each; none lies near an unknown one (NaN).

    Parameters
    ----------
    positions_deg, others_deg : array_like, shape (n, 2) and (n_others, 2)
        Right ascension and declination in degrees.
    radius_arcsec : array_like, shape (n,)
        Radius of each position.

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> lie_within([(359.9999, 10.0), (20.0, 10.0)], [(0.0001, 10.0)], [1.0, 1.0]).tolist()
    [True, False]
    """
    from scipy.spatial import cKDTree

    points, others = unit_vectors(positions_deg), unit_vectors(others_deg)
    near = np.zeros(len(points), bool)
    known = np.isfinite(points).all(axis=1)
    others = others[np.isfinite(others).all(axis=1)]
    if known.any() and len(others):
        distance, _ = cKDTree(others).query(points[known])
        near[known] = distance <= chord(np.asarray(radius_arcsec)[known])
    return near
