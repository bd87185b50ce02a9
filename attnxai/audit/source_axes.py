"""The major axis of a source's emission, and images and maps turned to it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.emission import MIN_ISLAND_PIXELS, emission_mask

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SourceAxis:
    """The major axis of a source.

    Parameters
    ----------
    angle_deg : float
        Direction of the brighter side, in degrees from the direction of increasing columns towards increasing rows, in
        [0, 360).
    axis_ratio : float
        Minor over major axis of the emission, from 0 to 1.
    reach : float
        Distance from the middle of the field, in pixels, within which 95 % of the brightness lies.
    """

    angle_deg: float
    axis_ratio: float
    reach: float


def source_axis(
    brightness: ArrayLike, *, min_island_pixels: int = MIN_ISLAND_PIXELS
) -> SourceAxis | None:
    """The major axis of the emission in an image, by its second moments.

    The moments weigh the pixels with emission by their brightness, about their mean position. The axis has two ends; its direction
    is that of the side of the middle of the field that is brighter in total.

    Parameters
    ----------
    brightness : array_like, shape (rows, columns)
        What a network sees; 0 below the clip of the preprocessing.
    min_island_pixels : int
        Islands of fewer pixels are noise and do not count; if all are, they do.

    Returns
    -------
    SourceAxis or None
        None without emission, or if all of it lies in one pixel.

    Examples
    --------
    >>> source_axis([[0, 0, 0], [0, 0.2, 0.8], [0, 0, 0]], min_island_pixels=1).angle_deg
    0.0
    """
    values = np.asarray(brightness, dtype=np.float64)
    mask = emission_mask(values, min_island_pixels=min_island_pixels)
    rows, columns = np.nonzero(mask)
    weights = values[mask]
    if len(np.unique(np.stack([rows, columns]), axis=1).T) < 2:
        return None
    moments = np.cov(np.stack([columns, rows]), aweights=weights, ddof=0)
    sizes, directions = np.linalg.eigh(moments)
    x, y = directions[:, 1]
    from_middle = columns - (values.shape[1] - 1) / 2, rows - (values.shape[0] - 1) / 2
    along = x * from_middle[0] + y * from_middle[1]
    if (weights * np.sign(along)).sum() < 0:
        x, y = -x, -y
    distance = np.hypot(*from_middle)
    order = np.argsort(distance)
    inside = np.cumsum(weights[order]) >= 0.95 * weights.sum() * (1 - 1e-12)
    return SourceAxis(
        angle_deg=float(np.degrees(np.arctan2(y, x)) % 360.0 % 360.0),
        axis_ratio=float(np.sqrt(max(sizes[0], 0.0) / sizes[1])),
        reach=float(distance[order][np.argmax(inside)]),
    )


def turn_to_axis(images: NDArray[np.floating], angle_deg: float) -> NDArray[np.float64]:
    """Rotate images about their middle so that a direction points towards increasing columns.

    Parameters
    ----------
    images : ndarray, shape (..., rows, columns)
        Images or maps; interpolated bilinearly, with the value of the nearest pixel outside.
    angle_deg : float
        The direction, as of :class:`SourceAxis`.

    Returns
    -------
    ndarray of float64, same shape
    """
    from scipy.ndimage import map_coordinates

    shape = images.shape[-2:]
    middle = [(n - 1) / 2 for n in shape]
    row, column = np.meshgrid(
        *(np.arange(n) - m for n, m in zip(shape, middle, strict=True)), indexing="ij"
    )
    cosine, sine = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    place = (middle[0] + sine * column + cosine * row, middle[1] + cosine * column - sine * row)
    flat = np.asarray(images, dtype=np.float64).reshape(-1, *shape)
    turned = [map_coordinates(one, place, order=1, mode="nearest") for one in flat]
    return np.stack(turned).reshape(images.shape)
