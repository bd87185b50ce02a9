"""Where images show emission, and the zones of the sky about it."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.grid import GridTransform
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MIN_ISLAND_PIXELS = 5
"""Islands of fewer pixels are noise.

In images of FIRST (beam 5.4 arcsec, pixels of 1.8) a point source of five standard deviations covers as many above three.
"""

SIGMA_PER_MAD = 1.4826
"""Standard deviation of Gaussian noise in median absolute deviations."""

RING_PIXELS = 24
"""Width of the ring about emission, in pixels of the images."""


class Zone(enum.IntEnum):
    """Zones of the sky, in the order in which they lie about a source."""

    EMISSION = 0
    RING = 1
    EMPTY_SKY = 2

    @property
    def words(self) -> str:
        """``emission``, ``ring`` or ``empty sky``."""
        return self.name.lower().replace("_", " ")


def emission_mask(
    brightness: ArrayLike, *, min_island_pixels: int = MIN_ISLAND_PIXELS
) -> NDArray[np.bool_]:
    """Emission in images: islands of pixels above the clip of the preprocessing.

    Parameters
    ----------
    brightness : array_like, shape (n, rows, columns) or (rows, columns)
        What a network sees before standardisation; 0 below the clip.
    min_island_pixels : int
        Islands of fewer pixels are noise. Pixels that touch at a corner belong to the same island. In an image without
        a larger island all of them count.

    Returns
    -------
    ndarray of bool
        Of the same shape.

    Raises
    ------
    OptionError
        If ``min_island_pixels`` is below 1.

    Examples
    --------
    >>> emission_mask([[0.0, 0.2, 0.0], [0.1, 0.0, 0.0], [0.0, 0.0, 0.9]], min_island_pixels=2).astype(int)
    array([[0, 1, 0],
           [1, 0, 0],
           [0, 0, 0]])
    """
    bright = np.asarray(brightness) > 0
    found = large_islands(bright, min_island_pixels)
    found |= bright & ~found.any(axis=(-2, -1), keepdims=True)
    return found


def large_islands(bright: NDArray[np.bool_], min_island_pixels: int) -> NDArray[np.bool_]:
    """Pixels of images (..., rows, columns) that belong to islands of at least so many, joined also at corners."""
    from scipy import ndimage

    if min_island_pixels < 1:
        raise OptionError(f"min_island_pixels has to be 1 or more, got {min_island_pixels}")
    if min_island_pixels == 1:
        return bright.copy()
    touching = np.zeros((3,) * bright.ndim, bool)
    touching[(1,) * (bright.ndim - 2)] = True  # within each image alone
    islands, n_islands = ndimage.label(bright, touching)
    found = np.zeros(bright.shape, bool)
    # of bright pixels alone, since most of the sky is empty
    own = islands[bright]
    found[bright] = (np.bincount(own, minlength=n_islands + 1) >= min_island_pixels)[own]
    return found


def cells_with_emission(
    mask: ArrayLike, geometry: GridTransform, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Which cells of a map's grid hold a pixel with emission.

    Parameters
    ----------
    mask : array_like of bool, shape (n, rows, columns)
        Emission on the field.
    geometry : GridTransform
        How the pixels of the map lie on the field.
    shape : (int, int)
        Rows and columns of the map.

    Returns
    -------
    ndarray of bool, shape (n, *shape)
        Pixels of the field beyond the map are left out.
    """
    mask = np.asarray(mask, bool)
    cells = np.zeros((len(mask), *shape), bool)
    image, row, column = np.nonzero(mask)
    # a pixel on the border of two cells belongs to the second
    at_row = np.floor((row - geometry.origin_y) / geometry.step + 0.5).astype(int)
    at_column = np.floor((column - geometry.origin_x) / geometry.step + 0.5).astype(int)
    inside = (at_row >= 0) & (at_row < shape[0]) & (at_column >= 0) & (at_column < shape[1])
    cells[image[inside], at_row[inside], at_column[inside]] = True
    return cells


def zones_of_sky(
    cells: ArrayLike, *, step: ArrayLike = 1.0, ring_pixels: float = RING_PIXELS
) -> NDArray[np.int8]:
    """Zone of every cell of a grid.

    Distances are counted along rows and columns, as by repeated binary dilation.

    Parameters
    ----------
    cells : array_like of bool, shape (n, rows, columns)
        Which cells hold emission.
    step : float or array_like, shape (n,)
        Side of a cell in pixels of the image.
    ring_pixels : float
        Cells up to this far from emission, in pixels of the image, belong to the ring.

    Returns
    -------
    ndarray of int8, shape (n, rows, columns)
        Values of :class:`Zone`.

    Examples
    --------
    >>> zones_of_sky([[[True, False, False], [False, False, False]]], ring_pixels=2)
    array([[[0, 1, 1],
            [1, 1, 2]]], dtype=int8)
    """
    from scipy import ndimage

    cells = np.asarray(cells, bool)
    zones = np.full(cells.shape, Zone.EMPTY_SKY, np.int8)
    steps = np.broadcast_to(np.asarray(step, float), len(cells))
    # a ring of a whole number of cells has these cells whatever the rounding of their side
    widest = ring_pixels * (1 + 1e-9)
    for found, emission, side in zip(zones, cells, steps, strict=True):
        if emission.any():
            distance = ndimage.distance_transform_cdt(~emission, metric="taxicab")
            found[distance * side <= widest] = Zone.RING
            found[emission] = Zone.EMISSION
    return zones


def zones_on_grid(
    emission: ArrayLike,
    geometry: GridTransform,
    shape: tuple[int, int],
    *,
    places: Sequence[GridTransform],
    ring_pixels: float,
) -> NDArray[np.int8]:
    """Zones of the cells of a map's grid, shape (n, *shape), about emission on the field (n, rows, columns).

    ``places`` say how the field lies on each image, in whose pixels the ring is measured: the ring is the same for
    networks that see the image on other grids.
    """
    if not ring_pixels > 0:
        raise OptionError(f"ring_pixels has to be above 0, got {ring_pixels}")
    cells = cells_with_emission(emission, geometry, shape)
    return zones_of_sky(
        cells, step=[geometry.within(place).step for place in places], ring_pixels=ring_pixels
    )
