"""Pixel grids: their shape, their place on the sky, and how one lies on another."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.short_repr import short_repr
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import NDArray


# sides of pixels that differ by less are those of a square: resampling would only blur
_SQUARE = 0.01
# a scale that differs by less from the stated one is that, with rounding and the curvature of the sky
_SAME_AS_STATED = 1e-3


class RowZero(enum.StrEnum):
    """Where row 0 of an array is drawn: FITS and NPY at the bottom, PNG at the top."""

    BOTTOM = "bottom"
    TOP = "top"


def is_square(matrix: NDArray[np.float64]) -> bool:
    """Whether pixels with a :func:`~attnxai.data.sky.pixel_matrix` are square to 1 %; also where it is not known."""
    if not np.isfinite(matrix).all():
        return True
    longest, shortest = np.linalg.svd(matrix, compute_uv=False)
    return bool(longest <= shortest * (1 + _SQUARE))


def pixel_sides(matrix: NDArray[np.float64]) -> str:
    """Sides of pixels in words, and the angle between them where it is not a right one."""
    width, height = np.linalg.norm(matrix, axis=0)
    angle = np.degrees(np.arccos(abs(matrix[:, 0] @ matrix[:, 1]) / (width * height)))
    skew = f" at an angle of {angle:.0f} degrees" if angle < 90 * (1 - _SQUARE) else ""
    return f"{width:.3g} x {height:.3g} arcsec{skew}"


def check_scale(pixel_scale_arcsec: float | None) -> None:
    """Refuse a pixel scale, stated as an option, that is not a finite number above 0."""
    if pixel_scale_arcsec is not None and not 0 < pixel_scale_arcsec < np.inf:
        raise OptionError(f"pixel_scale_arcsec has to be above 0, got {pixel_scale_arcsec:g}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FilePixels:
    """How the pixels of a file lie on the square ones to which they were resampled.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the file.
    matrix : ((float, float), (float, float))
        Square pixels in x (first row) and y for one pixel of the file along its x and its y.
    origin : (float, float)
        Where pixel (0, 0) of the file is centred, in square pixels.

    Raises
    ------
    OptionError
        If the matrix cannot be inverted, or something is not finite.

    Examples
    --------
    >>> file = FilePixels(shape=(3, 4), matrix=((1.0, 0.0), (0.0, 2.0)), origin=(0.0, 0.5))
    >>> file.to_grid(1.0, 1.0)
    (1.0, 2.5)
    >>> file.from_grid(1.0, 2.5)
    (1.0, 1.0)
    """

    shape: tuple[int, int]
    matrix: tuple[tuple[float, float], tuple[float, float]]
    origin: tuple[float, float]

    def __post_init__(self) -> None:
        (a, b), (c, d) = self.matrix
        if not (np.isfinite((a, b, c, d, *self.origin)).all() and a * d != b * c):
            raise OptionError(
                f"a matrix that can be inverted and finite origins are needed, got {self}"
            )

    def to_grid(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Square pixels (x, y) of pixels of the file."""
        (a, b), (c, d) = self.matrix
        return self.origin[0] + a * x + b * y, self.origin[1] + c * x + d * y

    def from_grid(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Pixels (x, y) of the file of square pixels."""
        (a, b), (c, d) = self.matrix
        x, y = x - self.origin[0], y - self.origin[1]
        return (d * x - b * y) / (a * d - b * c), (a * y - c * x) / (a * d - b * c)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PixelGrid:
    """The pixels of an image, which are square, and, where known, their place on the sky.

    Pixel coordinates are 0-based with pixel centres on whole numbers; x counts columns, y rows.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    pixel_scale_arcsec : float, optional
        Side of a pixel in arcsec; when left out, that at the middle of the image by the WCS.
    wcs : astropy.wcs.WCS, optional
        Celestial coordinate system.
    row_zero : RowZero
        Where row 0 is drawn.
    file_pixels : FilePixels, optional
        How the pixels of the file lie on these, where they were resampled to make them square.

    Raises
    ------
    OptionError
        If a number is out of range, or the WCS has pixels that are not square: their axes differ by more than 1 %,
        or are not perpendicular.

    Examples
    --------
    >>> import attnxai
    >>> grid = attnxai.data.PixelGrid(shape=(150, 150), pixel_scale_arcsec=1.8)
    >>> grid.middle, str(grid.row_zero)
    ((74.5, 74.5), 'bottom')
    """

    shape: tuple[int, int]
    pixel_scale_arcsec: float | None = None
    wcs: WCS | None = None
    row_zero: RowZero = RowZero.BOTTOM
    file_pixels: FilePixels | None = None

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if np.shape(self.shape) != (2,) or min(self.shape) < 1:
            raise OptionError(f"shape needs two positive numbers of pixels, got {self.shape}")
        check_scale(self.pixel_scale_arcsec)
        if self.wcs is None:
            return
        from astropy.wcs.utils import proj_plane_pixel_scales

        from attnxai.data.sky import celestial_axes, pixel_matrix

        matrix = pixel_matrix(self.wcs, *self.middle)
        if not is_square(matrix):
            raise OptionError(
                f"pixels of {pixel_sides(matrix)} are not square; attnxai.data.square_pixels(pixels, wcs) resamples them"
            )
        if self.pixel_scale_arcsec is None:
            scales = proj_plane_pixel_scales(celestial_axes(self.wcs)) * 3600.0
            scale = float(np.sqrt(scales[0] * scales[1]))
            here = float(np.sqrt(abs(np.linalg.det(matrix))))
            # what the header states, unless the projection has another scale this far from its reference
            differs = abs(here / scale - 1) > _SAME_AS_STATED
            object.__setattr__(self, "pixel_scale_arcsec", here if differs else scale)

    @property
    def shape_of_file(self) -> tuple[int, int]:
        """Rows and columns of the file, in whose pixels marks are drawn."""
        return self.shape if self.file_pixels is None else self.file_pixels.shape

    @property
    def middle(self) -> tuple[float, float]:
        """Centre of the image (x, y)."""
        return (self.shape[1] - 1) / 2, (self.shape[0] - 1) / 2

    def covers(
        self, x: NDArray[np.float64], y: NDArray[np.float64], *, margin: float = 0.0
    ) -> NDArray[np.bool_]:
        """Whether pixels of the file lie at places, or closer than ``margin`` pixels."""
        rows, columns = self.shape_of_file
        if self.file_pixels is not None:
            x, y = self.file_pixels.from_grid(x, y)
        half = 0.5 + margin
        return np.asarray(
            (x > -half) & (x < columns - 1 + half) & (y > -half) & (y < rows - 1 + half)
        )

    def north_and_east(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Unit vectors (x, y) towards north and east at the image centre, in pixel coordinates.

        Returns
        -------
        north, east : arrays of shape (2,), or None
            None without a WCS.
        """
        if self.wcs is None:
            return None
        from attnxai.data.sky import pixel_directions

        north, east = pixel_directions(self.wcs, *self.middle, [0.0, 90.0])
        return north, east


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GridTransform:
    """How an axis-parallel grid lies in the pixel coordinates of another.

    Pixel (x, y) of the inner grid is centred on ``(origin_x + step * x, origin_y + step * y)`` of the
    outer one.

    Raises
    ------
    OptionError
        If ``step`` is not above 0, or one of them is not finite.

    Examples
    --------
    >>> coarse = GridTransform(step=4.0, origin_x=0.5, origin_y=0.5)
    >>> coarse.to_outer(np.array([1.0]), np.array([0.0]))
    (array([4.5]), array([0.5]))
    """

    step: float = 1.0
    origin_x: float = 0.0
    origin_y: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.step < np.inf and np.isfinite((self.origin_x, self.origin_y)).all()):
            raise OptionError(f"a step above 0 and finite origins are needed, got {self}")

    @classmethod
    def covering(cls, shape: tuple[int, int], outer_shape: tuple[int, int]) -> GridTransform:
        """A coarser or finer grid that covers the whole of another.

        Parameters
        ----------
        shape, outer_shape : (int, int)
            Rows and columns of this grid and of the other.

        Returns
        -------
        GridTransform

        Raises
        ------
        OptionError
            If one has no pixels, or the two have other proportions.

        Examples
        --------
        >>> GridTransform.covering((25, 25), (150, 150))
        GridTransform(step=6.0, origin_x=2.5, origin_y=2.5)
        """
        if min(*shape, *outer_shape) < 1:
            raise OptionError(f"grids of {shape} and {outer_shape} pixels have no pixels in common")
        step = outer_shape[0] / shape[0]
        if abs(step - outer_shape[1] / shape[1]) > 1e-9 * step:
            raise OptionError(
                f"a grid of {shape[0]} x {shape[1]} pixels has other proportions than one of "
                f"{outer_shape[0]} x {outer_shape[1]}; state step and origins"
            )
        return cls(step=step, origin_x=(step - 1) / 2, origin_y=(step - 1) / 2)

    def to_outer(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixel coordinates of the outer grid from those of the inner."""
        return self.origin_x + self.step * np.asarray(x), self.origin_y + self.step * np.asarray(y)

    def to_inner(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixel coordinates of the inner grid from those of the outer."""
        return (
            (np.asarray(x) - self.origin_x) / self.step,
            (np.asarray(y) - self.origin_y) / self.step,
        )

    def within(self, outer: GridTransform) -> GridTransform:
        """Place of this grid in the coordinates of the grid in which ``outer`` lies."""
        return GridTransform(
            step=self.step * outer.step,
            origin_x=outer.origin_x + outer.step * self.origin_x,
            origin_y=outer.origin_y + outer.step * self.origin_y,
        )
