"""Images whose pixels are not square on the sky, resampled to square ones."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.grid import FilePixels, PixelGrid, RowZero, is_square, pixel_sides
from attnxai.data.short_repr import short_repr
from attnxai.errors import ImageError

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import NDArray

# beyond these a header is wrong, or memory would not be in proportion to the file
_LONGEST = 16.0
_MOST_PIXELS = 1 << 24
_MOST_GROWTH = 4
_NO_SKEW = 1e-5
# observed by this share of what is interpolated
OBSERVED = 0.999
# a field that fills an image may reach beyond its border by a quarter of a pixel
MARGIN = 0.26


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SquarePixels:
    """An image on square pixels, and the sides that its pixels had.

    ``footprint`` is None where all of them were observed.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> grid = attnxai.data.PixelGrid(shape=(2, 2), pixel_scale_arcsec=1.0)
    >>> square = attnxai.data.SquarePixels(
    ...     pixels=np.eye(2, dtype=np.float32), footprint=None, grid=grid, sides="1 x 2 arcsec"
    ... )
    >>> square.pixels.shape, square.sides
    ((2, 2), '1 x 2 arcsec')
    """

    pixels: NDArray[np.float32]
    footprint: NDArray[np.bool_] | None
    grid: PixelGrid
    sides: str

    __repr__ = short_repr

    def in_words(self) -> str:
        """What was done, for notes."""
        return (
            f"pixels of {self.sides}, which are resampled to square ones of "
            f"{self.grid.pixel_scale_arcsec:.3g} arcsec"
        )


def square_pixels(
    pixels: NDArray[np.floating],
    wcs: WCS,
    *,
    footprint: NDArray[np.bool_] | None = None,
    row_zero: RowZero = RowZero.BOTTOM,
    what: str = "image",
) -> SquarePixels | None:
    """Resample an image through its coordinate system to square pixels without skew.

    New pixels have the side of the finer axis (of skewed pixels, the smaller distance between opposite sides), the axes
    that are nearest to those of the file, and the same frame, projection and centre. Values are interpolated
    bilinearly between pixels of the file; as no axis becomes coarser, nothing is smoothed before. The scale is that at
    the middle of the image, so that projections with other scales away from their reference are put right as well.

    Parameters
    ----------
    pixels : array, shape (rows, columns)
        Brightness, finite.
    wcs : astropy.wcs.WCS
        Its celestial coordinate system.
    footprint : array of bool, shape (rows, columns), optional
        Pixels that were observed. New ones are where what they are interpolated from is.
    row_zero : RowZero
        Where row 0 is drawn.
    what : str
        What to call the image in errors.

    Returns
    -------
    SquarePixels or None
        None where the pixels are square already: sides that differ by less than 1 %, at right angles, whatever their
        rotation. ``grid.file_pixels`` says how the pixels of the file lie on the new ones.

    Raises
    ------
    ImageError
        If pixels are more than 16 times as long as wide, or there would be too many.

    Examples
    --------
    >>> from astropy.wcs import WCS
    >>> wcs = WCS({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 2.0, "CRPIX2": 2.0, "CDELT1": -5e-4,
    ...            "CDELT2": 1e-3, "CRVAL1": 180.0, "CRVAL2": 30.0})
    >>> found = square_pixels(np.array([[0.0, 1.0], [4.0, 5.0]]), wcs)
    >>> found.pixels
    array([[0., 1.],
           [1., 2.],
           [3., 4.],
           [4., 5.]], dtype=float32)
    >>> found.grid.pixel_scale_arcsec, found.grid.file_pixels.origin
    (1.8, (0.0, 0.5))
    """
    from scipy.ndimage import affine_transform

    from attnxai.data.sky import pixel_matrix, wcs_on_pixels

    shape = (int(pixels.shape[0]), int(pixels.shape[1]))
    middle = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    on_sky = pixel_matrix(wcs, *middle)
    if is_square(on_sky):
        return None
    matrix = _square_of_file(on_sky)
    longest, shortest = np.linalg.svd(on_sky, compute_uv=False)
    columns, rows = np.maximum(np.rint(np.abs(matrix) @ shape[::-1]), 1.0)
    most = max(_MOST_PIXELS, _MOST_GROWTH * pixels.size)
    if longest > _LONGEST * shortest or rows * columns > most:
        raise ImageError(
            f"{what} has pixels of {pixel_sides(on_sky)}, and as square ones it would have {rows:.0f} x {columns:.0f} "
            f"pixels; give a cutout with sides that differ by less than a factor of {_LONGEST:g}, or correct its scale"
        )
    new_shape = int(rows), int(columns)
    origin = (np.array([columns, rows]) - 1) / 2 - matrix @ middle
    (a, b), (c, d) = matrix.tolist()
    file_pixels = FilePixels(shape=shape, matrix=((a, b), (c, d)), origin=tuple(origin.tolist()))
    grid = PixelGrid(
        shape=new_shape,
        wcs=wcs_on_pixels(wcs, matrix, origin),
        row_zero=row_zero,
        file_pixels=file_pixels,
    )
    inverse = np.linalg.inv(matrix)
    # of rows and columns, in this order
    how = {
        "matrix": inverse[::-1, ::-1],
        "offset": (-inverse @ origin)[::-1],
        "output_shape": new_shape,
        "order": 1,
        "mode": "nearest",
        "output": np.float32,
    }
    found = affine_transform(np.asarray(pixels), **how)
    y, x = np.ogrid[: new_shape[0], : new_shape[1]]
    observed = grid.covers(x, y, margin=MARGIN)
    if footprint is not None:
        observed &= affine_transform(footprint.astype(np.float32), **how) > OBSERVED
    found[~observed] = 0.0
    return SquarePixels(
        pixels=found,
        footprint=None if observed.all() else observed,
        grid=grid,
        sides=pixel_sides(on_sky),
    )


def _square_of_file(on_sky: NDArray[np.float64]) -> NDArray[np.float64]:
    """Square pixels for one pixel of the file along x and y, from what these are on the sky."""
    sides = np.linalg.norm(on_sky, axis=0)
    turned, _, axes = np.linalg.svd(on_sky / sides)
    side = abs(np.linalg.det(on_sky)) / sides.max()
    matrix = (turned @ axes).T @ on_sky / side
    # what is left of derivatives by differences; the coordinates follow from this matrix, whatever it is
    matrix = np.round(matrix, 9)
    matrix[np.abs(matrix) < _NO_SKEW] = 0.0
    return np.asarray(matrix)
