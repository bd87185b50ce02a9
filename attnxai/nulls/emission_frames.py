"""Permutation across sources within their emission: what the footprint of a source explains is taken off first.

Marks of one source mostly fall outside the emission of another, so annotations cannot be permuted pixel by pixel. Each
source's emission is brought to a common frame instead: its pixels are divided by their place along the major axis of the
emission, and within each slab by their place across it, into as many equal parts for every source. Permuting annotations
across sources in this frame keeps what maps and annotations share at the same place within the emission, such as both
being high at its ends, and breaks which belongs to which.

The shape of the emission is still common to the map and the annotations of its own source: marks lie where emission is
thick, and a blurred mask is high there. So every map is taken less its least-squares fit by the mask of emission, blurred
with several widths, and by the squares of all but the widest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAME_SHAPE = (32, 16)
"""Places along and across the emission of every source."""
BLUR_PIXELS = (1.0, 2.0, 4.0, 8.0)
"""Standard deviations of the Gaussians that blur the mask of emission, in pixels of the field."""


def frame_pixels(where: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Which pixel stands at each place of the common frame.

    Parameters
    ----------
    where : ndarray of bool, shape (rows, columns)
        Emission of a source; at least one pixel.

    Returns
    -------
    ndarray of int, shape :data:`FRAME_SHAPE`
        Indices into the flattened field. Pixels stand in several places where there are fewer of them than
        places. Both axes point to the longer tail of the emission.

    Examples
    --------
    >>> where = np.zeros((3, 40), bool)
    >>> where[1, 4:36] = True
    >>> frame_pixels(where)[:3, 0] - 40
    array([4, 5, 6])
    """
    n_along, n_across = FRAME_SHAPE
    y, x = (axis - axis.mean() for axis in np.nonzero(where))
    angle = 0.5 * np.arctan2(2 * (x * y).mean(), (x * x).mean() - (y * y).mean())
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    # rounded, so that pixels at one place keep their order whatever the rounding errors
    along, across = (
        np.round(-axis if (axis**3).sum() < -1e-6 else axis, 6) for axis in (along, across)
    )
    n = along.size
    order = np.lexsort((across, along))
    found = np.empty(FRAME_SHAPE, np.intp)
    for slab in range(n_along):
        start = slab * n // n_along
        members = order[start : max(-(-(slab + 1) * n // n_along), start + 1)]
        members = members[np.argsort(across[members], kind="stable")]
        found[slab] = members[((2 * np.arange(n_across) + 1) * members.size) // (2 * n_across)]
    return np.asarray(np.flatnonzero(where)[found])


def in_frames(fields: NDArray[Any], pixels: NDArray[np.intp]) -> NDArray[Any]:
    """Fields (..., n_sources, rows, columns) in the common frame, by the pixels of :func:`frame_pixels` of each source."""
    flat = fields.reshape(*fields.shape[:-2], -1)
    picked = [flat[..., s, own] for s, own in enumerate(pixels)]
    return np.stack(picked, axis=fields.ndim - 3)


def less_emission(
    maps: NDArray[np.float64], emission: NDArray[np.bool_], where: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Maps less their fit by blurred masks of emission and their squares, source by source.

    Parameters
    ----------
    maps : ndarray, shape (n_maps, n_sources, rows, columns)
        Maps.
    emission : ndarray of bool, shape (n_sources, rows, columns)
        All emission.
    where : ndarray of bool, same shape
        Pixels over which maps are fitted.

    Returns
    -------
    ndarray, shape (n_maps, n_sources, rows, columns)
        0 elsewhere, and everywhere for maps that the fit explains to within rounding.
    """
    from scipy.ndimage import gaussian_filter

    found = np.zeros(maps.shape)
    for source, (bright, used) in enumerate(zip(emission.astype(np.float64), where, strict=True)):
        blurred = [gaussian_filter(bright, width, mode="constant")[used] for width in BLUR_PIXELS]
        shapes = np.stack([*blurred, *(values**2 for values in blurred[:-1])], axis=1)
        shapes -= shapes.mean(axis=0)
        constant = np.ones((len(shapes), 1))
        terms, sizes, _ = np.linalg.svd(np.hstack([constant, shapes]), full_matrices=False)
        terms = terms[:, sizes > 1e-10 * sizes.max(initial=0.0)]
        values = maps[:, source][:, used]
        left = values - (values @ terms) @ terms.T
        left -= (left @ terms) @ terms.T
        spread = np.abs(values - values.mean(axis=1, keepdims=True)).max(axis=1, initial=0.0)
        rounding = 1e-9 * spread + 1e-12 * np.abs(values).max(axis=1, initial=0.0)
        left[np.abs(left).max(axis=1, initial=0.0) <= rounding] = 0.0
        found[:, source][:, used] = left
    return found
