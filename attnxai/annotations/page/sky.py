"""Sky positions of an image's pixels as polynomials, which a browser can evaluate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.sky import pixel_to_sky

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.grid import PixelGrid

LARGEST_ERROR_PIXELS = 0.005
"""Error of a position that a page may make at most."""
_DEGREES = (1, 2, 3, 5, 7, 9)
_N_KNOTS = 24
_NEAREST_TO_HORIZON = 0.2
_ARCSEC = np.pi / 180 / 3600


def sky_polynomials(grid: PixelGrid) -> dict[str, Any] | None:
    """Offsets of pixels on the plane that touches the sky at the middle of an image, as polynomials.

    Parameters
    ----------
    grid : PixelGrid
        With any celestial coordinate system.

    Returns
    -------
    dict or None
        ``ra`` and ``dec`` (ICRS degrees) where the plane touches the sky, at pixel ``x``, ``y``; ``half``, the pixels that
        the polynomials count as 1; their ``degree``, and the coefficients ``east`` and ``north`` (radians) of
        ``u**i * v**j``, with ``j`` running fastest; ``scale_arcsec``, the side of a pixel. None if there is no
        coordinate system, or if no polynomial is right to :data:`LARGEST_ERROR_PIXELS` everywhere in the image.
    """
    if grid.wcs is None or grid.pixel_scale_arcsec is None:
        return None
    rows, columns = grid.shape
    x, y, half = (columns - 1) / 2, (rows - 1) / 2, max(rows, columns) / 2
    ra, dec = (float(value) for value in pixel_to_sky(grid.wcs, x, y))
    if not np.isfinite([ra, dec]).all():
        return None
    # Chebyshev's knots hold the error down at the edges; it is measured in between, and at the corners
    knots = np.cos(np.pi * (np.arange(_N_KNOTS) + 0.5) / _N_KNOTS)
    places = [
        np.stack([u.ravel() * columns / 2, v.ravel() * rows / 2])
        for u, v in (np.meshgrid(k, k) for k in (knots, np.linspace(-1, 1, 2 * _N_KNOTS + 1)))
    ]
    offsets = [_tangent_offsets(grid, ra, dec, x + one[0], y + one[1]) for one in places]
    if not all(np.isfinite(one).all() for one in offsets):
        return None
    for degree in _DEGREES:
        fitted, checked = (_powers(one / half, degree) for one in places)
        coefficients, *_ = np.linalg.lstsq(fitted, offsets[0].T, rcond=None)
        error = np.abs(checked @ coefficients - offsets[1].T).max()
        if error < LARGEST_ERROR_PIXELS / 5 * grid.pixel_scale_arcsec * _ARCSEC:
            east, north = coefficients.T.tolist()
            return {
                "ra": ra, "dec": dec, "x": x, "y": y, "half": half, "degree": degree,
                "east": east, "north": north, "scale_arcsec": grid.pixel_scale_arcsec,
            }  # fmt: skip
    return None


def _tangent_offsets(
    grid: PixelGrid, ra_deg: float, dec_deg: float, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Gnomonic offsets (east, north) of pixels, in radians; NaN where the sky ends or lies behind the plane."""
    ra, dec = np.radians(pixel_to_sky(grid.wcs, x, y))
    ra0, dec0 = np.radians((ra_deg, dec_deg))
    # differences, so that offsets of a fraction of an arcsecond keep their digits
    half_ra = 2 * np.sin((ra - ra0) / 2) ** 2
    depth = np.cos(dec - dec0) - np.cos(dec) * np.cos(dec0) * half_ra
    north = np.sin(dec - dec0) + np.cos(dec) * np.sin(dec0) * half_ra
    east = np.cos(dec) * np.sin(ra - ra0)
    depth = np.where(depth > _NEAREST_TO_HORIZON, depth, np.nan)
    return np.stack([east / depth, north / depth])


def _powers(places: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    u, v = places
    return np.stack(
        [u**i * v**j for i in range(degree + 1) for j in range(degree + 1 - i)], axis=-1
    )
