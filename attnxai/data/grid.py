"""Pixel grids: their shape, their place on the sky, and how one lies on another."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.short_repr import short_repr
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import NDArray


class RowZero(enum.StrEnum):
    """Where row 0 of an array is drawn: FITS and NPY at the bottom, PNG at the top."""

    BOTTOM = "bottom"
    TOP = "top"


def check_scale(pixel_scale_arcsec: float | None) -> None:
    """Refuse a pixel scale, stated as an option, that is not a finite number above 0."""
    if pixel_scale_arcsec is not None and not 0 < pixel_scale_arcsec < np.inf:
        raise OptionError(f"pixel_scale_arcsec has to be above 0, got {pixel_scale_arcsec:g}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PixelGrid:
    """The pixels of an image and, where known, their place on the sky.

    Pixel coordinates are 0-based with pixel centres on whole numbers; x counts columns, y rows.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    pixel_scale_arcsec : float, optional
        Side of a pixel in arcsec; taken from the WCS when that is given.
    wcs : astropy.wcs.WCS, optional
        Celestial coordinate system.
    row_zero : RowZero
        Where row 0 is drawn.
    """

    shape: tuple[int, int]
    pixel_scale_arcsec: float | None = None
    wcs: WCS | None = None
    row_zero: RowZero = RowZero.BOTTOM

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if np.shape(self.shape) != (2,) or min(self.shape) < 1:
            raise OptionError(f"shape needs two positive numbers of pixels, got {self.shape}")
        check_scale(self.pixel_scale_arcsec)
        if self.wcs is not None and self.pixel_scale_arcsec is None:
            from astropy.wcs.utils import proj_plane_pixel_scales

            wcs = self.wcs if self.wcs.naxis == 2 else self.wcs.celestial
            scales = proj_plane_pixel_scales(wcs) * 3600.0
            object.__setattr__(self, "pixel_scale_arcsec", float(np.sqrt(scales[0] * scales[1])))

    def north_and_east(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Unit vectors (x, y) towards north and east at the image centre, in pixel coordinates.

        Returns
        -------
        north, east : arrays of shape (2,), or None
            None without a WCS.
        """
        if self.wcs is None:
            return None
        from attnxai.data.sky import pixel_direction

        x, y = (self.shape[1] - 1) / 2, (self.shape[0] - 1) / 2
        return pixel_direction(self.wcs, x, y, 0.0), pixel_direction(self.wcs, x, y, 90.0)


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
