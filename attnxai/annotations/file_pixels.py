"""Shapes drawn on the pixels of a file, on the square pixels to which these were resampled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from regions import PixelRegion

    from attnxai.data.grid import FilePixels


def on_square_pixels(
    regions: Iterable[PixelRegion], file_pixels: FilePixels
) -> tuple[PixelRegion, ...]:
    """The same areas and lines: circles and ellipses become ellipses, rectangles polygons.

    Parameters
    ----------
    regions : iterable of regions.PixelRegion
        Points, lines, circles, ellipses, rectangles and polygons in pixels of the file.
    file_pixels : FilePixels
        How these lie on the square ones.

    Examples
    --------
    >>> from regions import CirclePixelRegion, PixCoord
    >>> from attnxai.data.grid import FilePixels
    >>> file = FilePixels(shape=(3, 4), matrix=((1.0, 0.0), (0.0, 2.0)), origin=(0.0, 0.5))
    >>> (found,) = on_square_pixels([CirclePixelRegion(PixCoord(1.0, 1.0), 2.0)], file)
    >>> found.center, float(found.width), float(found.height)
    (PixCoord(x=1.0, y=2.5), 8.0, 4.0)
    """
    return tuple(_carried(region, file_pixels) for region in regions)


def _carried(region: PixelRegion, file: FilePixels) -> PixelRegion:
    import astropy.units as u
    import regions
    from regions import PixCoord

    def place(x: ArrayLike, y: ArrayLike) -> PixCoord:
        return PixCoord(*file.to_grid(np.asarray(x, float)[()], np.asarray(y, float)[()]))

    if isinstance(region, regions.PointPixelRegion):
        return regions.PointPixelRegion(place(region.center.x, region.center.y))
    if isinstance(region, regions.LinePixelRegion):
        ends = (place(end.x, end.y) for end in (region.start, region.end))
        return regions.LinePixelRegion(*ends)
    if isinstance(region, regions.PolygonPixelRegion):
        return regions.PolygonPixelRegion(place(region.vertices.x, region.vertices.y))
    if isinstance(region, regions.RectanglePixelRegion):
        return regions.PolygonPixelRegion(place(*np.transpose(region.corners)))
    if isinstance(region, regions.CirclePixelRegion):
        axes = np.eye(2) * region.radius
    elif isinstance(region, regions.EllipsePixelRegion):
        axes = _turn(region.angle.to_value("rad")) * [region.width / 2, region.height / 2]
    else:
        raise TypeError(f"{type(region).__name__} cannot be carried over to other pixels")
    # semi-axes of the ellipse that the matrix makes of the unit circle
    directions, lengths, _ = np.linalg.svd(np.asarray(file.matrix) @ axes)
    angle = np.degrees(np.arctan2(directions[1, 0], directions[0, 0]))
    return regions.EllipsePixelRegion(
        place(region.center.x, region.center.y), *(2 * lengths), angle * u.deg
    )


def _turn(angle: float) -> NDArray[np.float64]:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
