"""Pixels that a null can use: those that its surrogate maps have in common, and a source's own emission."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.emission import SIGMA_PER_MAD, large_islands
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def centred_rectangle(where: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns of the largest rectangle of valid pixels about the field's centre, or empty slices."""
    rows, columns = where.shape
    best, found = 0, (slice(0, 0), slice(0, 0))
    for top in range((rows + 1) // 2):
        whole = np.asarray(where[top : rows - top].all(axis=0))
        both = whole & whole[::-1]
        blocked = np.flatnonzero(~both[: (columns + 1) // 2])
        left = int(blocked[-1]) + 1 if blocked.size else 0
        height, width = rows - 2 * top, columns - 2 * left
        if width > 0 and height * width > best:
            best = height * width
            found = (slice(top, rows - top), slice(left, columns - left))
    return found


def centred_disc(where: NDArray[np.bool_], *, margin: float = 0.0) -> NDArray[np.bool_]:
    """The largest disc about the field's centre that is ``margin`` pixels from any that is not valid."""
    padded = np.pad(where, 1)
    y, x = np.ogrid[: padded.shape[0], : padded.shape[1]]
    distance = np.hypot(y - (padded.shape[0] - 1) / 2, x - (padded.shape[1] - 1) / 2)
    radius = distance[~padded].min() - margin
    # strictly inside, beyond rounding: what turns onto the nearest pixel that is not valid stays out
    return np.asarray(distance[1:-1, 1:-1] < radius * (1 - 1e-9))


def emission_footprint(
    brightness: NDArray[np.floating],
    valid: NDArray[np.bool_],
    *,
    n_sigma: float = 3.0,
    min_island_pixels: int = 6,
) -> NDArray[np.bool_]:
    """Pixels of a source's own emission: islands that are brighter than their background.

    Background and noise are the median of the valid pixels and 1.4826 times their median absolute
    deviation; of images whose background was set to zero, all pixels above zero remain. Islands of a few
    pixels, joined by sides or corners, are noise. :func:`~attnxai.data.emission.emission_mask` is for what a network
    sees, with the clip of its preprocessing; this threshold is each image's own, and so is its smallest island: an
    image without a larger one has no emission.

    Parameters
    ----------
    brightness : ndarray, shape (..., rows, columns)
        Images.
    valid : ndarray of bool, same shape
        Pixels that count.
    n_sigma : float
        Threshold above the background, in standard deviations of the noise.
    min_island_pixels : int
        Smaller islands are left out.

    Returns
    -------
    ndarray of bool, same shape

    Raises
    ------
    OptionError
        If ``n_sigma`` is negative or ``min_island_pixels`` below 1.

    Examples
    --------
    >>> image = np.zeros((6, 6))
    >>> image[1:3, 1:5] = 5.0
    >>> image[5, 5] = 5.0
    >>> int(emission_footprint(image, np.ones((6, 6), bool)).sum())
    8
    """
    if not n_sigma >= 0:
        raise OptionError(f"n_sigma has to be 0 or more, got {n_sigma}")
    bright = np.zeros(brightness.shape, bool)
    for index in np.ndindex(brightness.shape[:-2]):
        values = np.asarray(brightness[index][valid[index]], dtype=np.float64)
        if not values.size:
            continue
        median = np.median(values)
        noise = SIGMA_PER_MAD * np.median(np.abs(values - median))
        bright[index] = valid[index] & (brightness[index] > median + n_sigma * noise)
    return large_islands(bright, min_island_pixels)
