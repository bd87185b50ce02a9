"""Drawn shapes on the pixels of the field: as densities and as masks.

Areas are covered fractions of the field's pixels. Points and lines are measured at the centres of these pixels, carried
over to the image on which the shape was drawn. Nothing is rounded on the way.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from attnxai.alignment.coverage import Window, area_coverages, polygon_coverage, window_of
from attnxai.alignment.places import Places
from attnxai.annotations.annotation_set import Operation
from attnxai.annotations.pixel_shapes import PixelShape, place_all
from attnxai.annotations.shapes import ShapeKind
from attnxai.data.grid import GridTransform
from attnxai.data.smoothing import FWHM_PER_SIGMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.alignment.places import KnownPlaces
    from attnxai.annotations.annotation_set import Annotation, AnnotationSet
    from attnxai.data.grid import PixelGrid
    from attnxai.explanations.stack import MapStack

# Gaussians end here: rank metrics would otherwise order the whole field by tails of 1e-40
CUT_SIGMA = 3.0
# of a pixel, below which areas differ by rounding alone
_DECIMALS = 9
# marks that are drawn together, and pixels of those that are covered together
_MOST_TOGETHER = 2_000
_SMALL_PIXELS = 1_024.0


class Drawing(NamedTuple):
    """What one annotator marked on one source, on the pixels of the field."""

    density: NDArray[np.float64]
    mask: NDArray[np.bool_]


def rasterise_annotations(
    annotations: Sequence[Annotation],
    grid: PixelGrid,
    transform: GridTransform | None = None,
    field_shape: tuple[int, int] | None = None,
    *,
    fwhm: float,
) -> Drawing:
    """Density and mask of the annotations of one source by one annotator.

    Parameters
    ----------
    annotations : sequence of Annotation
        Of one source and one annotator, as groups belong together.
    grid : PixelGrid
        Of the image on which they were drawn.
    transform : GridTransform, optional
        How the field lies on the image; when left out, it is the image.
    field_shape : (int, int), optional
        Rows and columns of the field, by default those of the image.
    fwhm : float
        Width of points and lines, in image pixels.

    Returns
    -------
    density : ndarray, shape (rows, columns)
        How strongly every pixel is marked, in units of the weights. An area gives its weight times the covered fraction
        of the pixel, less the fraction that is subtracted. Points and lines give a Gaussian
        of FWHM ``fwhm`` in the distance to them, with their weight as its peak and nothing beyond three standard
        deviations. Where shapes overlap, the largest value holds.
    mask : ndarray of bool, same shape
        Which pixels are marked. An area of n pixels marks the n pixels that it covers most, of equal ones those with
        the smaller y and x; one of less than half a pixel marks one. Points and lines mark the pixels
        within half of ``fwhm``.

    Raises
    ------
    AlignmentError
        If a shape on the sky has no place on the image.

    Examples
    --------
    >>> from attnxai.annotations import Annotation, Shape
    >>> from attnxai.data import PixelGrid
    >>> disc = Shape(kind="circle", x=2.0, y=1.0, radius=1.2)
    >>> drawn = rasterise_annotations([Annotation(source="a", annotator="b", shape=disc)], PixelGrid(shape=(3, 4)), fwhm=3.0)
    >>> drawn.density.round(2)
    array([[0.  , 0.22, 0.66, 0.22],
           [0.  , 0.66, 1.  , 0.66],
           [0.  , 0.22, 0.66, 0.22]])
    >>> drawn.mask.astype(int)
    array([[0, 0, 1, 0],
           [0, 1, 1, 1],
           [0, 0, 1, 0]])
    """
    placed = [a.shape.on_pixels(grid, source=a.source) for a in annotations]
    transform, field_shape = transform or GridTransform(), field_shape or grid.shape
    on_field = _covering(placed, [transform] * len(placed), field_shape)
    return _draw(annotations, on_field, transform, field_shape, fwhm)


class _Placed(NamedTuple):
    """A shape in pixels of the image and of the field, and what it covers and marks there if it is a small area."""

    shape: PixelShape
    on_field: PixelShape
    is_inside: bool
    covered: tuple[Window, NDArray[np.float64]] | None
    mask: NDArray[np.bool_] | None

    def coverage(self, field_shape: tuple[int, int]) -> tuple[Window, NDArray[np.float64]]:
        """What an area covers of the field."""
        return self.covered or area_coverages([self.on_field], field_shape)[0]


def _covering(
    shapes: Sequence[PixelShape],
    transforms: Sequence[GridTransform],
    field_shape: tuple[int, int],
) -> list[_Placed]:
    """Shapes in pixels of their images on the field, each with its own transform, small areas covered together."""
    on_field = [s.on_field(transform) for s, transform in zip(shapes, transforms, strict=True)]
    small = [i for i, there in enumerate(on_field) if _is_small_area(there)]
    inside = [is_inside(there, field_shape) for there in on_field]
    covered = area_coverages([on_field[i] for i in small], field_shape)
    masks = _most_covered([one for _, one in covered], [inside[i] for i in small])
    of_place = dict(zip(small, zip(covered, masks, strict=True), strict=True))
    return [
        _Placed(*one, *of_place.get(i, (None, None)))
        for i, one in enumerate(zip(shapes, on_field, inside, strict=True))
    ]


def _is_small_area(shape: PixelShape) -> bool:
    """Whether a shape is an area of which thousands fit into memory."""
    if not shape.kind.has_area:
        return False
    x0, x1, y0, y1 = shape.bounds
    return (x1 - x0) * (y1 - y0) <= _SMALL_PIXELS


def _draw(
    annotations: Sequence[Annotation],
    placed: Sequence[_Placed],
    transform: GridTransform,
    field_shape: tuple[int, int],
    fwhm: float,
) -> Drawing:
    """:func:`rasterise_annotations` with the shapes on the field."""
    drawn = Drawing(np.zeros(field_shape), np.zeros(field_shape, dtype=bool))
    # by group, what is subtracted from it; without a group, from all
    subtracted: dict[str, NDArray[np.float64]] = {}
    for annotation, shape in zip(annotations, placed, strict=True):
        if annotation.operation is Operation.SUBTRACT:
            window, taken = shape.coverage(field_shape)
            of_group = subtracted.setdefault(annotation.group, np.zeros(field_shape))
            np.maximum(of_group[window], taken, out=of_group[window])
    for annotation, shape in zip(annotations, placed, strict=True):
        if annotation.operation is Operation.ADD:
            own = [subtracted[name] for name in {annotation.group, ""} & set(subtracted)]
            window, density, mask = _profile(shape, own, transform, field_shape, fwhm)
            of_all = drawn.density[window]
            np.maximum(of_all, annotation.weight * density, out=of_all)
            drawn.mask[window] |= mask
    return drawn


_Profile = tuple[Window, "NDArray[np.float64]", "NDArray[np.bool_]"]


def _profile(
    placed: _Placed,
    subtracted: Sequence[NDArray[np.float64]],
    transform: GridTransform,
    field_shape: tuple[int, int],
    fwhm: float,
) -> _Profile:
    """Part of the field that a shape reaches, and its density of weight 1 and its mask there."""
    shape = placed.shape
    if shape.kind.has_area:
        window, covered = placed.coverage(field_shape)
        if covered.any() or _encloses_an_area(shape):
            left, mask = covered, placed.mask
            if subtracted:
                left = np.maximum(covered - _taken(subtracted, window), 0.0)
            if subtracted or mask is None:
                is_whole = placed.is_inside and not (left < covered).any()
                (mask,) = _most_covered([left], [is_whole])
            return window, left, mask
        # the outline of a polygon on one line, or there and back, is a line
        ends = np.concatenate([shape.points, shape.points[:1]])
        shape = PixelShape(kind=ShapeKind.LINE, points=ends)
    window, density, mask = _thin_profile(shape, transform, field_shape, fwhm)
    if not subtracted:
        return window, density, mask
    taken = _taken(subtracted, window)
    return window, density * (1.0 - taken), mask & (taken <= 0.5)


def _taken(subtracted: Sequence[NDArray[np.float64]], window: Window) -> NDArray[np.float64]:
    """How much of each pixel of a window is subtracted."""
    none: NDArray[np.float64] = np.zeros(())
    return np.asarray(functools.reduce(np.maximum, (one[window] for one in subtracted), none))


def _encloses_an_area(shape: PixelShape) -> bool:
    """Whether a shape has an area; only polygons may have none."""
    if shape.kind is not ShapeKind.POLYGON:
        return True
    points = shape.points - shape.points.min(axis=0)
    n = 32
    return bool(polygon_coverage(points * (n / max(points.max(), 1e-300)), (n + 1, n + 1)).any())


def _most_covered(
    coverages: Sequence[NDArray[np.float64]], at_least: Sequence[bool]
) -> list[NDArray[np.bool_]]:
    """As many pixels as each area covers in total, those covered most; ties by row, then by column.

    Areas in windows of one size are sorted together. ``at_least`` says which mark one pixel however little they cover.
    """
    masks: list[NDArray[np.bool_]] = [np.zeros(0, dtype=bool)] * len(coverages)
    by_size: dict[tuple[int, ...], list[int]] = {}
    for i, covered in enumerate(coverages):
        by_size.setdefault(covered.shape, []).append(i)
    for size, members in by_size.items():
        together = np.stack([coverages[i] for i in members]).reshape(len(members), -1)
        highest = together.max(axis=1, initial=0.0)
        totals = together.sum(axis=1).tolist()
        n_marked = [
            math.floor(round(total, _DECIMALS) + 0.5) or int(at_least[i] and high > 0)
            for i, total, high in zip(members, totals, highest.tolist(), strict=True)
        ]
        share = (together / np.where(highest > 0, highest, 1.0)[:, None]).round(_DECIMALS)
        order = np.argsort(-share, axis=1, kind="stable")
        mask = np.zeros(together.shape, dtype=bool)
        is_marked = np.arange(together.shape[1]) < np.array(n_marked)[:, None]
        np.put_along_axis(mask, order, is_marked, axis=1)
        for i, own in zip(members, mask, strict=True):
            masks[i] = own.reshape(size)
    return masks


def _thin_profile(
    shape: PixelShape, transform: GridTransform, field_shape: tuple[int, int], fwhm: float
) -> _Profile:
    """:func:`_profile` of a point or a line, segment by segment.

    A segment that comes near no pixel centre marks the pixel in which its middle lies.
    """
    sigma = fwhm / FWHM_PER_SIGMA
    margin = max(CUT_SIGMA * sigma, fwhm / 2) / transform.step
    window = window_of(shape.on_field(transform).bounds, field_shape, margin)
    first_row, first_column = (part.start for part in window)
    size = tuple(max(part.stop - part.start, 0) for part in window)
    x, y = transform.to_outer(
        first_column + np.arange(size[1], dtype=float), first_row + np.arange(size[0], dtype=float)
    )
    if shape.kind is ShapeKind.POINT:
        (point,) = shape.points.tolist()
        nearest = _distance(point, point, x, y[:, None])
        closest = [float(nearest.min(initial=np.inf))]
        middles = shape.on_field(transform).points
    else:
        ends = np.stack([shape.points[:-1], shape.points[1:]], axis=1)
        nearest, closest = _nearest(ends, window, transform, margin, x, y)
        middles = np.stack(transform.to_inner(*ends.mean(axis=1).T), axis=1)
    density = np.where(nearest <= CUT_SIGMA * sigma, np.exp(-0.5 * (nearest / sigma) ** 2), 0.0)
    mask = nearest <= fwhm / 2
    for (column, row), least in zip(np.rint(middles).tolist(), closest, strict=True):
        place = int(row) - first_row, int(column) - first_column
        if 0 <= place[0] < size[0] and 0 <= place[1] < size[1]:
            if least > CUT_SIGMA * sigma:
                density[place] = 1.0
            if least > fwhm / 2:
                mask[place] = True
    return window, density, mask


def _nearest(
    segments: NDArray[np.float64],
    window: Window,
    transform: GridTransform,
    margin: float,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
) -> tuple[NDArray[np.float64], list[float]]:
    """Distance of the pixels of a window to the nearest of some segments, and the least distance to each of these."""
    first_row, first_column = (part.start for part in window)
    size = len(y), len(x)
    inner = np.stack(transform.to_inner(segments[..., 0], segments[..., 1]), axis=1)
    inner -= np.array([[first_column], [first_row]])
    bounds = np.stack([inner.min(axis=2), inner.max(axis=2)], axis=2).reshape(-1, 4).tolist()
    nearest = np.full(size, np.inf)
    closest = []
    for (start, end), bound in zip(segments.tolist(), bounds, strict=True):
        rows, columns = window_of(bound, size, margin)
        distance = _distance(start, end, x[columns], y[rows, None])
        np.minimum(nearest[rows, columns], distance, out=nearest[rows, columns])
        closest.append(float(distance.min(initial=np.inf)))
    return nearest, closest


def _distance(
    start: Sequence[float], end: Sequence[float], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance of pixel centres to a segment, which may be a point."""
    (x0, y0), (along_x, along_y) = start, (end[0] - start[0], end[1] - start[1])
    length_squared = along_x * along_x + along_y * along_y
    if length_squared == 0:
        return np.asarray(np.hypot(x - x0, y - y0))
    share = ((x - x0) * along_x + (y - y0) * along_y) / length_squared
    share = np.clip(share, 0.0, 1.0)
    return np.asarray(np.hypot(x - x0 - share * along_x, y - y0 - share * along_y))


def reaches(shape: PixelShape, image_shape: tuple[int, int], fwhm: float) -> bool:
    """Whether anything of a shape, in pixels of the image, lies on it."""
    if is_inside(shape, image_shape):
        return True
    whole = GridTransform()
    (placed,) = _covering([shape], [whole], image_shape)
    return bool(_profile(placed, (), whole, image_shape, fwhm)[1].any())


def is_inside(shape: PixelShape, field_shape: tuple[int, int]) -> bool:
    """Whether the centre of a shape, in pixels of the field, or the middle of any of its segments lies on the field."""
    y_limit, x_limit = field_shape[0] - 0.5, field_shape[1] - 0.5
    return any(-0.5 <= x <= x_limit and -0.5 <= y <= y_limit for x, y in shape.centres.tolist())


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
    grids: Mapping[str, PixelGrid],
    fwhm_arcsec: float,
    *,
    annotators: Sequence[str] = (),
    known: KnownPlaces | None = None,
) -> DrawnAnnotations:
    """Draw the annotations of some sources, given by their positions in the maps, on the field of each.

    ``grids`` are those of the images of the sources.
    ``annotators`` name the rows; by default they are those of the annotations. ``known`` are places of marks, which
    are not computed again for sources with the very same marks.
    """
    shape = maps.field_shape
    row_of = {name: row for row, name in enumerate(annotators or annotations.annotators)}
    size = (len(row_of), len(positions))
    density = np.zeros((*size, *shape), np.float32)
    mask = np.zeros((*size, *shape), bool)
    present = np.zeros(size, bool)
    column_of = {maps.sources[i]: column for column, i in enumerate(positions)}
    grouped = annotations.by_source()
    n_outside = 0
    for sources in _portions({source: len(marks) for source, marks in grouped.items()}):
        placed: list[PixelShape] = []
        transforms: list[GridTransform] = []
        for source in sources:
            marks = grouped[source]
            placed += _placed(source, marks, grids, known or {})
            transforms += [maps.field[positions[column_of[source]]]] * len(marks)
        on_field = _covering(placed, transforms, shape)
        n_outside += sum(not one.is_inside for one in on_field)
        at = 0
        for source in sources:
            of_source, column = grouped[source], column_of[source]
            fwhm = fwhm_arcsec / (maps.field_scale_arcsec / transforms[at].step)
            of_annotators: dict[str, list[int]] = {}
            for i, annotation in enumerate(of_source):
                of_annotators.setdefault(annotation.annotator, []).append(i)
            for annotator, own in of_annotators.items():
                row = row_of[annotator]
                density[row, column], mask[row, column] = _draw(
                    [of_source[i] for i in own],
                    [on_field[at + i] for i in own],
                    transforms[at],
                    shape,
                    fwhm,
                )
                present[row, column] = True
            at += len(of_source)
    centre_bias = leave_one_out_mean(density, present)
    for array in (density, mask, present, centre_bias):
        array.setflags(write=False)
    return DrawnAnnotations(
        density=density, mask=mask, present=present, centre_bias=centre_bias, n_outside=n_outside
    )


def places_of(
    annotations: AnnotationSet, grids: Mapping[str, PixelGrid], known: KnownPlaces | None = None
) -> Places:
    """Places of all marks on images with these grids, as :func:`draw_annotations` computes or takes them."""
    found = Places()
    for source, marks in annotations.by_source().items():
        placed = _placed(source, marks, grids, known or {})
        found.add(source, dict(zip(marks, placed, strict=True)))
    return found


def _placed(
    source: str, marks: Sequence[Annotation], grids: Mapping[str, PixelGrid], known: KnownPlaces
) -> list[PixelShape]:
    here = known.get(source, {})
    # together with other marks a distortion may converge to other last digits
    if list(here) == marks:
        places = [place for place in here.values() if place is not None]
        if len(places) == len(marks):
            return places
    return place_all([a.shape for a in marks], grids[source], source=source)


def _portions(n_marks: Mapping[str, int]) -> Iterator[list[str]]:
    """Sources whose marks are drawn together, as many as keep what they cover in memory."""
    portion: list[str] = []
    n = 0
    for source, of_source in n_marks.items():
        if portion and n + of_source > _MOST_TOGETHER:
            yield portion
            portion, n = [], 0
        portion.append(source)
        n += of_source
    if portion:
        yield portion


def mean_of_annotators(
    density: NDArray[np.floating], present: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Mean annotation (n_sources, rows, columns) of every source over its annotators."""
    counts = np.maximum(present.sum(axis=0), 1)[:, None, None]
    per_source: NDArray[np.float64] = density.sum(axis=0, dtype=np.float64)
    per_source /= counts
    return per_source


def leave_one_out_mean(
    density: NDArray[np.floating],
    present: NDArray[np.bool_],
    elsewhere: tuple[NDArray[np.float64], int] | None = None,
) -> NDArray[np.float64]:
    """Leave-one-out centre bias (n_sources, rows, columns): the mean annotation of all *other* sources.

    Each source counts once, however many annotators marked it. All zero for a single source. Where these are a block of
    more sources, ``elsewhere`` is the sum over those of the other blocks, and their number.
    """
    per_source = mean_of_annotators(density, present)
    n = len(per_source)
    # sums of those before and of those after: taking each from the sum of all would leave rounding
    # errors where the others marked nothing
    others = np.zeros_like(per_source)
    # running sums, as cumsum along the first axis takes several times as long
    for order in (range(n), range(n - 1, -1, -1)):
        total = np.zeros(per_source.shape[1:])
        for i in order:
            others[i] += total
            total += per_source[i]
    if elsewhere is not None:
        others += elsewhere[0]
        n += elsewhere[1]
    others /= max(n - 1, 1)
    return others
