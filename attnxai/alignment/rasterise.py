"""Drawn shapes on the pixels of the field: as masks and as densities.

Both evaluate every shape at the centres of the field's pixels, carried over to the image on which the
shape was drawn, so that nothing is rounded on the way.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.grid import GridTransform

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from regions import PixelRegion

    from attnxai.annotations.annotation_set import Annotation, AnnotationSet
    from attnxai.data.images import SourceImage
    from attnxai.explanations.stack import MapStack

# FWHM of a Gaussian in standard deviations
FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
# Gaussians end here: rank metrics would otherwise order the whole field by tails of 1e-40
CUT_SIGMA = 3.0


def field_coordinates(
    transform: GridTransform, field_shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Image coordinates (x, y) of the centres of all field pixels."""
    rows, columns = field_shape
    x, y = transform.to_outer(np.arange(columns, dtype=float), np.arange(rows, dtype=float))
    return np.broadcast_to(x, (rows, columns)), np.broadcast_to(y[:, None], (rows, columns))


def rasterise_mask(
    regions: Sequence[PixelRegion],
    transform: GridTransform,
    field_shape: tuple[int, int],
    *,
    fwhm: float,
) -> NDArray[np.bool_]:
    """Field pixels whose centres lie in any of the shapes.

    Points and lines cover what lies within half of ``fwhm`` of them. A shape so small that it holds no
    pixel centre covers the pixel in which its own centre lies.

    Parameters
    ----------
    regions : sequence of regions.PixelRegion
        Shapes in pixel coordinates of the image.
    transform : GridTransform
        How the field lies on the image.
    field_shape : (int, int)
        Rows and columns of the field.
    fwhm : float
        Diameter of points and width of lines, in image pixels.

    Returns
    -------
    ndarray of bool, shape (rows, columns)

    Examples
    --------
    >>> import attnxai
    >>> from regions import CirclePixelRegion, PixCoord
    >>> circle = CirclePixelRegion(PixCoord(2.0, 1.0), radius=1.2)
    >>> rasterise_mask([circle], attnxai.data.GridTransform(), (3, 4), fwhm=3.0).astype(int)
    array([[0, 0, 1, 0],
           [0, 1, 1, 1],
           [0, 0, 1, 0]])
    """
    x, y = field_coordinates(transform, field_shape)
    mask = np.zeros(field_shape, bool)
    for region in regions:
        covered = _covered(region, x, y, fwhm)
        if not covered.any():
            covered = _pixel_of_centre(region, transform, field_shape)
        mask |= covered
    return mask


def rasterise_density(
    regions: Sequence[PixelRegion],
    weights: Sequence[float],
    transform: GridTransform,
    field_shape: tuple[int, int],
    *,
    fwhm: float,
) -> NDArray[np.float64]:
    """How strongly every field pixel is marked.

    Shapes with an area give their weight inside. Points and lines give a Gaussian of the stated FWHM
    in the distance to them, with their weight as its peak and nothing beyond three standard deviations. Where shapes overlap the largest value
    holds, so that marking something twice does not make it count twice.

    Parameters
    ----------
    regions, transform, field_shape, fwhm
        As in :func:`rasterise_mask`.
    weights : sequence of float
        One per region.

    Returns
    -------
    ndarray, shape (rows, columns)
        In units of the weights; not normalised.

    Examples
    --------
    >>> import attnxai
    >>> from regions import PixCoord, PointPixelRegion
    >>> point = PointPixelRegion(PixCoord(2.0, 0.0))
    >>> rasterise_density([point], [1.0], attnxai.data.GridTransform(), (1, 5), fwhm=2.0).round(3)
    array([[0.062, 0.5  , 1.   , 0.5  , 0.062]])
    """
    x, y = field_coordinates(transform, field_shape)
    sigma = fwhm / FWHM_PER_SIGMA
    density = np.zeros(field_shape)
    for region, weight in zip(regions, weights, strict=True):
        if _is_thin(region):
            distance = _distance(region, x, y)
            profile = np.where(
                distance <= CUT_SIGMA * sigma, np.exp(-0.5 * (distance / sigma) ** 2), 0.0
            )
            if not profile.any():
                profile = _pixel_of_centre(region, transform, field_shape).astype(float)
        else:
            covered = _covered(region, x, y, fwhm)
            if not covered.any():
                covered = _pixel_of_centre(region, transform, field_shape)
            profile = covered.astype(float)
        np.maximum(density, weight * profile, out=density)
    return density


def _is_thin(region: PixelRegion) -> bool:
    from regions import LinePixelRegion, PointPixelRegion

    return isinstance(region, PointPixelRegion | LinePixelRegion)


def _covered(
    region: PixelRegion, x: NDArray[np.float64], y: NDArray[np.float64], fwhm: float
) -> NDArray[np.bool_]:
    if _is_thin(region):
        return np.asarray(_distance(region, x, y) <= fwhm / 2)
    from regions import PixCoord

    return np.asarray(region.contains(PixCoord(x, y)))


def _distance(
    region: PixelRegion, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance of pixel centres to a point or to a segment."""
    from regions import PointPixelRegion

    if isinstance(region, PointPixelRegion):
        return np.asarray(np.hypot(x - region.center.x, y - region.center.y))
    start = np.array([region.start.x, region.start.y], dtype=float)
    along = np.array([region.end.x, region.end.y], dtype=float) - start
    length_squared = float(along @ along)
    share = np.zeros_like(x)
    if length_squared > 0:
        share = ((x - start[0]) * along[0] + (y - start[1]) * along[1]) / length_squared
        share = np.clip(share, 0.0, 1.0)
    return np.asarray(np.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1]))


def _pixel_of_centre(
    region: PixelRegion, transform: GridTransform, field_shape: tuple[int, int]
) -> NDArray[np.bool_]:
    covered = np.zeros(field_shape, bool)
    x, y = centre_of(region)
    column, row = (round(float(v)) for v in transform.to_inner(np.array(x), np.array(y)))
    if 0 <= row < field_shape[0] and 0 <= column < field_shape[1]:
        covered[row, column] = True
    return covered


def centre_of(region: PixelRegion) -> tuple[float, float]:
    """Centre of a shape in image pixels: its own, or the mean of its vertices."""
    if hasattr(region, "center"):
        return float(region.center.x), float(region.center.y)
    if hasattr(region, "vertices"):
        return float(np.mean(region.vertices.x)), float(np.mean(region.vertices.y))
    return (region.start.x + region.end.x) / 2, (region.start.y + region.end.y) / 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrawnAnnotations:
    """Annotations on the field.

    ``density``, ``mask`` and ``present`` are those of :class:`~.pairs.AlignedPairs`. ``centre_bias`` is the mean of
    the other sources, and ``n_outside`` counts annotations whose centre lies outside the field.
    """

    density: NDArray[np.float32]
    mask: NDArray[np.bool_]
    present: NDArray[np.bool_]
    centre_bias: NDArray[np.float64]
    n_outside: int


def draw_annotations(
    maps: MapStack,
    positions: Sequence[int],
    annotations: AnnotationSet,
    by_id: Mapping[str, SourceImage],
    fwhm_arcsec: float,
) -> DrawnAnnotations:
    """Draw the annotations of some sources, given by their positions in the maps, on the field of each."""
    shape = maps.field_shape
    row_of = {name: row for row, name in enumerate(annotations.annotators)}
    size = (len(row_of), len(positions))
    density = np.zeros((*size, *shape), np.float32)
    mask = np.zeros((*size, *shape), bool)
    present = np.zeros(size, bool)
    column_of = {maps.sources[i]: column for column, i in enumerate(positions)}
    grouped: dict[tuple[int, int], list[Annotation]] = {}
    for annotation in annotations.annotations:
        key = (row_of[annotation.annotator], column_of[annotation.source])
        grouped.setdefault(key, []).append(annotation)
    n_outside = 0
    for (row, column), members in grouped.items():
        source = maps.sources[positions[column]]
        transform = maps.field[positions[column]]
        image_scale = maps.field_scale_arcsec / transform.step
        fwhm = fwhm_arcsec / image_scale
        regions: list[PixelRegion] = []
        weights: list[float] = []
        for annotation in members:
            drawn = annotation.shape.to_pixel_regions(by_id[source].grid, source=source)
            regions += drawn
            weights += [annotation.weight] * len(drawn)
            n_outside += not any(_inside(region, transform, shape) for region in drawn)
        density[row, column] = rasterise_density(regions, weights, transform, shape, fwhm=fwhm)
        mask[row, column] = rasterise_mask(regions, transform, shape, fwhm=fwhm)
        present[row, column] = True
    centre_bias = leave_one_out_mean(density, present)
    for array in (density, mask, present, centre_bias):
        array.setflags(write=False)
    return DrawnAnnotations(
        density=density, mask=mask, present=present, centre_bias=centre_bias, n_outside=n_outside
    )


def _inside(region: PixelRegion, transform: GridTransform, shape: tuple[int, int]) -> bool:
    x, y = (float(v) for v in transform.to_inner(*(np.array(v) for v in centre_of(region))))
    return -0.5 <= x <= shape[1] - 0.5 and -0.5 <= y <= shape[0] - 0.5


def leave_one_out_mean(
    density: NDArray[np.floating], present: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Leave-one-out centre bias (n_sources, rows, columns): the mean annotation of all *other* sources.

    Each source counts once, however many annotators marked it. All zero for a single source.
    """
    counts = np.maximum(present.sum(axis=0), 1)[:, None, None]
    per_source = density.sum(axis=0, dtype=np.float64) / counts
    n = len(per_source)
    # sums of those before and of those after: taking each from the sum of all would leave rounding
    # errors where the others marked nothing
    others = np.zeros_like(per_source)
    np.cumsum(per_source[:-1], axis=0, out=others[1:])
    others[:-1] += np.cumsum(per_source[:0:-1], axis=0)[::-1]
    return np.asarray(others / max(n - 1, 1))
