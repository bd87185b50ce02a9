"""How the field of a source is shown: north up and east left where that is known."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.grid import GridTransform, PixelGrid, RowZero

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.annotations.pixel_shapes import PixelShape

_ASINH_SOFTENING = 0.1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SkyView:
    """A turn by quarters and a reflection that brings a field into the orientation it is shown in.

    Display coordinates count pixels to the right and up from the middle of the field.
    """

    matrix: NDArray[np.int64]
    side: tuple[int, int]
    north: NDArray[np.float64] | None
    east: NDArray[np.float64] | None

    @classmethod
    def of(cls, grid: PixelGrid, side: tuple[int, int]) -> SkyView:
        """Choose the view for an image's grid."""
        directions = grid.north_and_east()
        if directions is None:
            up = -1 if grid.row_zero is RowZero.TOP else 1
            return cls(matrix=np.diag([1, up]), side=side, north=None, east=None)
        north, east = directions
        best, best_fit = np.eye(2, dtype=np.int64), -np.inf
        for first in (-1, 1):
            for second in (-1, 1):
                straight = np.diag([first, second])
                for matrix in (straight, straight[:, ::-1]):
                    fit = (matrix @ north)[1] - (matrix @ east)[0]
                    if fit > best_fit + 1e-9:
                        best, best_fit = matrix, fit
        return cls(matrix=best, side=side, north=best @ north, east=best @ east)

    @property
    def known(self) -> bool:
        """Whether north and east are known."""
        return self.north is not None

    def points(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Display coordinates of field pixels."""
        rows, columns = self.side
        centred = np.stack([np.asarray(x) - (columns - 1) / 2, np.asarray(y) - (rows - 1) / 2])
        right, up = self.matrix @ centred.reshape(2, -1)
        return right.reshape(np.shape(x)), up.reshape(np.shape(y))

    def array(self, values: NDArray[Any]) -> NDArray[Any]:
        """Array whose first row is at the bottom of the display."""
        if self.matrix[0, 0] == 0:
            values = values.T
        if self.matrix[0].sum() < 0:
            values = values[:, ::-1]
        if self.matrix[1].sum() < 0:
            values = values[::-1]
        return values

    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of the display, in pixels from the middle."""
        rows, columns = self.side if self.matrix[0, 0] != 0 else self.side[::-1]
        return -columns / 2, columns / 2, -rows / 2, rows / 2


def asinh_stretch(brightness: NDArray[np.floating]) -> NDArray[np.float64]:
    """Brightness in [0, 1] to grey in [0, 1], showing faint emission beside bright."""
    top = max(float(brightness.max()), 1e-12)
    scaled = np.asarray(brightness, dtype=np.float64) / top
    return np.asarray(np.arcsinh(scaled / _ASINH_SOFTENING) / np.arcsinh(1 / _ASINH_SOFTENING))


def outline(
    shape: PixelShape, transform: GridTransform
) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """Outline of a shape in field pixels, and whether it is closed; a point gives one vertex."""
    x, y = shape.on_field(transform).outline().T
    return x, y, shape.kind.has_area


def contour_levels(
    values: NDArray[np.floating], valid: NDArray[np.bool_], quantiles: tuple[float, ...]
) -> NDArray[np.float64]:
    """Distinct values of a map at quantiles over its valid pixels; empty for a constant map."""
    inside = values[valid]
    if inside.size == 0 or inside.max() == inside.min():
        return np.array([])
    levels = np.unique(np.quantile(inside, quantiles))
    return np.asarray(levels[levels < inside.max()])


def scale_bar_arcsec(width_arcsec: float) -> int:
    """A round length of at most about a third of the width of a picture, and of 1 arcsec at least.

    Examples
    --------
    >>> scale_bar_arcsec(260.0), scale_bar_arcsec(40.0)
    (60, 10)
    """
    lengths = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
    return max((step for step in lengths if step < 0.35 * width_arcsec), default=1)
