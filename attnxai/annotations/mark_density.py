"""Marks and brightness as smooth densities on a small grid about the middle of the image.

Checks of annotators compare whether marks lie in the same places, however they were drawn: every mark has the same mass,
spread over its area, along its line or at its point. Cells are as large as the pixels of the image, or larger where the
marks reach far, so that the cost does not depend on the size of images.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.annotations.annotation_set import Operation
from attnxai.annotations.shapes import ShapeKind
from attnxai.data.emission import MIN_ISLAND_PIXELS, SIGMA_PER_MAD, large_islands
from attnxai.errors import AlignmentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.annotations.annotation_set import Annotation
    from attnxai.annotations.pixel_shapes import PixelShape
    from attnxai.data.images import SourceImage

SMOOTHING_CELLS = 2.5
"""Standard deviation of the Gaussian that smooths densities."""
CLIP_SIGMA = 3.0
"""Pixels above so many times the noise are emission."""
_MOST_CELLS, _FEWEST_CELLS = 160, 32
_MOST_POINTS = 32


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A square of ``side`` x ``side`` cells of ``cell_pixels``, centred on the middle of every image."""

    side: int
    cell_pixels: float

    @classmethod
    def around(cls, points: Iterable[NDArray[np.float64]]) -> Field:
        """The field that holds nearly all marks, which are given as by :func:`points_of_marks`."""
        reaches = [float(np.abs(marks[:, :2]).max()) for marks in points if len(marks)]
        # one mark that is far off should not blur all others
        reach = 1.2 * float(np.quantile(reaches, 0.95)) + 4 * SMOOTHING_CELLS if reaches else 1.0
        cell = max(1.0, 2 * reach / _MOST_CELLS)
        side = min(max(2 * math.ceil(reach / cell), _FEWEST_CELLS), _MOST_CELLS)
        return cls(side=side, cell_pixels=cell)

    def density(self, points: NDArray[np.float64]) -> NDArray[np.float32] | None:
        """Smoothed density of points (x, y, mass), whose squares add up to 1; None where nothing lies in the field."""
        from scipy.ndimage import gaussian_filter

        place = points[:, :2] / self.cell_pixels + (self.side - 1) / 2
        inside = ((place >= 0) & (place < self.side - 1)).all(axis=1)
        if not inside.any():
            return None
        place, mass = place[inside], points[inside, 2]
        corner = place.astype(np.intp)
        share = place - corner
        cells = np.zeros(self.side**2)
        # a point is shared among four cells, whose centre of mass is where it lies
        for right, along in ((0, 1 - share[:, 0]), (1, share[:, 0])):
            for up, across in ((0, 1 - share[:, 1]), (1, share[:, 1])):
                at = (corner[:, 1] + up) * self.side + corner[:, 0] + right
                cells += np.bincount(at, mass * along * across, minlength=self.side**2)
        smooth = gaussian_filter(
            cells.reshape(self.side, self.side), SMOOTHING_CELLS, mode="constant"
        )
        return np.asarray(smooth / np.linalg.norm(smooth), np.float32)


def points_of_marks(marks: Sequence[Annotation], image: SourceImage) -> NDArray[np.float64]:
    """Points (x, y, mass) of marks in pixels from the middle of their image, shape (n_points, 3).

    Shapes that are subtracted and those of weight 0 are left out, as are those that the image cannot show.
    """
    middle = np.array(image.grid.middle)
    found = []
    for mark in marks:
        if mark.weight == 0 or mark.operation is Operation.SUBTRACT:
            continue
        try:
            shape = mark.shape.on_pixels(image.grid, source=image.source)
        except AlignmentError:
            continue
        points = _points_of(shape) - middle
        mass = np.full((len(points), 1), mark.weight / len(points))
        found.append(np.hstack([points, mass]))
    return np.concatenate(found) if found else np.empty((0, 3))


def points_of_brightness(image: SourceImage) -> NDArray[np.float64]:
    """Points (x, y, root of brightness) of emission, as :func:`points_of_marks`; none where there is no emission.

    The noise is estimated by the median absolute deviation. The root keeps the brightest peak from outweighing all else.
    """
    pixels = np.asarray(image.pixels, np.float64)
    observed = pixels if image.footprint is None else pixels[image.footprint]
    middle = float(np.median(observed))
    noise = SIGMA_PER_MAD * float(np.median(np.abs(observed - middle)))
    bright = pixels > (0.0 if image.prepared else middle + CLIP_SIGMA * noise)
    if image.footprint is not None:
        bright &= image.footprint
    bright = large_islands(bright, MIN_ISLAND_PIXELS)
    y, x = np.nonzero(bright)
    rows, columns = image.shape
    mass = np.sqrt(np.maximum(pixels[bright] - (0.0 if image.prepared else middle), 0.0))
    return np.stack([x - (columns - 1) / 2, y - (rows - 1) / 2, mass], axis=1)


def _points_of(shape: PixelShape) -> NDArray[np.float64]:
    """Points that stand for a shape, shape (n, 2)."""
    if shape.kind is ShapeKind.LINE:
        return np.concatenate([_along(*ends) for ends in itertools.pairwise(shape.points)])
    if shape.kind is ShapeKind.POLYGON:
        from regions import PixCoord

        low, high = shape.points.min(axis=0), shape.points.max(axis=0)
        points = low + _square(float((high - low).max())) * (high - low)
        (region,) = shape.to_regions()
        inside = np.asarray(region.contains(PixCoord(*points.T)))
        return np.asarray(points[inside] if inside.any() else shape.points)
    longest = max(shape.width, shape.height)
    if not longest:
        return shape.points
    is_box = shape.kind is ShapeKind.BOX
    points = _square(longest) - 0.5 if is_box else _disc(longest) / 2
    return np.asarray(shape.points + points @ shape.axes)


def _along(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    n = min(math.ceil(math.dist(start, end)) + 1, 8 * _MOST_POINTS)
    return np.linspace(start, end, max(n, 2))


def _square(length: float) -> NDArray[np.float64]:
    """Points of the unit square, about one a pixel of a square of this length."""
    n = min(max(math.ceil(length), 4), _MOST_POINTS)
    x, y = np.meshgrid(*[(np.arange(n) + 0.5) / n] * 2)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _disc(length: float) -> NDArray[np.float64]:
    """Points of the unit disc, about one a pixel of a disc of this diameter."""
    points = 2 * _square(length) - 1
    return np.asarray(points[np.hypot(*points.T) <= 1])
