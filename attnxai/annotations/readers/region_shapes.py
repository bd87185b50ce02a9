"""Regions of region files as shapes: other frames, rings, sectors, and lengths in the units of the other frame."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from attnxai.annotations.annotation_set import Operation
from attnxai.annotations.readers.marks import MarkList
from attnxai.annotations.shape_conversion import N_OUTLINE, around
from attnxai.annotations.shapes import Frame, Shape, ShapeKind
from attnxai.annotations.sky_frames import to_icrs
from attnxai.data.sky import pixel_matrix, pixel_to_sky
from attnxai.errors import AnnotationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.grid import PixelGrid

PIXEL, ICRS = "pixel", "icrs"
"""Frames of regions that need no conversion; others are the values of ``sky_frames.FRAMES``."""


class RegionFault(Exception):
    """What is wrong with a region, in words that follow the number of its line or row."""


class Length(float):
    """A length in arcsec, or in pixels where ``in_pixels`` is set."""

    in_pixels: bool

    def __new__(cls, value: float, *, in_pixels: bool) -> Self:
        """A number that knows its unit."""
        made = super().__new__(cls, value)
        made.in_pixels = in_pixels
        return made


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Region:
    """A region as a file states it.

    Parameters
    ----------
    kind : ShapeKind
        What it is; a vector is a line of one point and a length.
    line : int
        Number of its entry in the file.
    frame : str
        ``pixel``, or one of the values of :data:`~attnxai.annotations.sky_frames.FRAMES`.
    points : list of (float, float)
        0-based pixels, or longitude and latitude in degrees.
    rings : list of (Length, Length)
        Full width and height of each outline, from the innermost; one where it is filled.
    angle : float
        Of the width axis, as of a shape, in its own frame.
    sector : (float, float), optional
        Angles between which it lies, anticlockwise from the width axis.
    subtract : bool
        Whether the file excludes it.
    fields : mapping
        Further arguments of :meth:`MarkList.add`.
    """

    kind: ShapeKind
    line: int
    frame: str = PIXEL
    points: list[tuple[float, float]]
    rings: list[tuple[Length, Length]] = dataclasses.field(default_factory=list)
    angle: float = 0.0
    sector: tuple[float, float] | None = None
    subtract: bool = False
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def add_regions(regions: Sequence[Region], marks: MarkList) -> None:
    """Add regions to the marks of a file, or the fault where one is none."""
    by_frame = collections.defaultdict(list)
    for region in regions:
        if region.frame not in (PIXEL, ICRS):
            by_frame[region.frame].append(region)
    for frame, of_frame in by_frame.items():
        _convert(frame, [r for r in of_frame if _is_on_sky(r, marks)])
    for region in regions:
        if region.frame not in (PIXEL, ICRS):
            continue  # a fault, which has been added
        try:
            shapes = _shapes(region, marks)
        except AnnotationError as error:
            marks.faults.add_row(region.line, f": {error}")
            continue
        fields = dict(region.fields)
        if len(shapes) > 1:
            fields["group"] = f"ring {region.line}"
        for shape, adds in shapes:
            operation = Operation.ADD if adds else Operation.SUBTRACT
            marks.add(shape, line=region.line, operation=operation, **fields)


def place_on_sky(regions: Sequence[Region], grid: PixelGrid) -> None:
    """Convert regions in pixels that have coordinates of their own, as columns of a table do."""
    from astropy.coordinates import SkyCoord

    regions = [region for region in regions if region.frame == PIXEL]
    if not regions:
        return
    points = np.concatenate([region.points for region in regions])
    firsts = np.cumsum([0, *(len(region.points) for region in regions)])[:-1]
    parts = np.split(np.stack(pixel_to_sky(grid.wcs, *points.T), axis=1), firsts[1:])
    turns = np.radians([region.angle for region in regions])
    along = np.stack([np.cos(turns), np.sin(turns)], axis=1) / 2
    start, end = (
        SkyCoord(*pixel_to_sky(grid.wcs, *ends.T), unit="deg")
        for ends in (points[firsts] - along, points[firsts] + along)
    )
    scales, angles = start.separation(end).arcsec, start.position_angle(end).deg
    mirrored = np.linalg.det(pixel_matrix(grid.wcs, *points[0])) > 0
    for region, part, scale, angle in zip(
        regions, parts, scales.tolist(), angles.tolist(), strict=True
    ):
        region.frame, region.angle = ICRS, angle
        region.points = [(x, y) for x, y in part.tolist()]
        region.rings = [(_scaled(w, scale), _scaled(h, scale)) for w, h in region.rings]
        if mirrored and region.sector is not None:
            region.sector = -region.sector[1], -region.sector[0]


def _scaled(length: Length, arcsec_per_pixel: float) -> Length:
    factor = arcsec_per_pixel if length.in_pixels else 1.0
    return Length(factor * length, in_pixels=False)


def _is_on_sky(region: Region, marks: MarkList) -> bool:
    """Whether its positions can be converted; else a fault."""
    lon, lat = np.array(region.points).T
    if (np.abs(lat) <= 90).all() and (np.abs(lon) <= 360).all():
        return True
    text = f": its position {region.points[0][0]:g}, {region.points[0][1]:g} is not on the sky"
    marks.faults.add_row(region.line, text)
    return False


def _convert(frame: str, regions: Sequence[Region]) -> None:
    """Convert positions and angles of regions of one frame together, since a conversion has a high fixed cost."""
    if not regions:
        return
    points = np.concatenate([region.points for region in regions])
    firsts = np.cumsum([0, *(len(region.points) for region in regions)])[:-1]
    ra, dec, turn = to_icrs(frame, *points.T)
    parts = np.split(np.stack([ra % 360.0, dec], axis=1), firsts[1:])
    for region, part, angle in zip(regions, parts, turn[firsts].tolist(), strict=True):
        region.frame = ICRS
        region.points = [(x, y) for x, y in part.tolist()]
        region.angle += angle


def _shapes(region: Region, marks: MarkList) -> list[tuple[Shape, bool]]:
    """Its shapes, and whether each is added."""
    frame = Frame.PIXEL if region.frame == PIXEL else Frame.ICRS
    points = region.points
    if frame is Frame.ICRS:  # right ascensions may be counted from -180
        points = [(x + 360.0 if -360.0 <= x < 0 else x, y) for x, y in points]
    rings = [(_in_unit(w, region, marks), _in_unit(h, region, marks)) for w, h in region.rings]
    adds = not region.subtract
    if region.kind in (ShapeKind.POLYGON, ShapeKind.LINE) and not rings:
        return [(Shape(kind=region.kind, frame=frame, vertices=tuple(points)), adds)]
    x, y = points[0]
    if region.kind is ShapeKind.POINT:
        return [(Shape(kind=region.kind, frame=frame, x=x, y=y), adds)]
    angle = _plain_angle(region.angle)

    def drawn(width: float, height: float) -> Shape:
        if region.kind is ShapeKind.CIRCLE:
            return Shape(kind=region.kind, frame=frame, x=x, y=y, radius=width / 2)
        size: dict[str, float] = {"width": width, "height": height, "angle": angle}
        return Shape(kind=region.kind, frame=frame, x=x, y=y, **size)  # type: ignore[arg-type]

    if region.kind is ShapeKind.LINE:
        box = Shape(
            kind=ShapeKind.BOX, frame=frame, x=x, y=y, width=rings[0][0], height=1.0, angle=angle
        )
        end_x, end_y = around(box, np.array([rings[0][0]]), np.zeros(1))
        ends = ((x, y), (float(end_x[0]), float(end_y[0])))
        return [(Shape(kind=region.kind, frame=frame, vertices=ends), adds)]
    if region.sector is None and len(rings) == 1:
        return [(drawn(*rings[0]), adds)]
    has_hole = len(rings) > 1 and min(rings[0]) > 0
    outer = drawn(*rings[-1])
    inner = drawn(*rings[0]) if has_hole else None
    if region.sector is None and adds:
        return [(outer, True), *([(inner, False)] if inner else [])]
    # what excludes a ring leaves its middle as it is
    return [(_ring_polygon(outer, inner, region.angle, region.sector or (0.0, 360.0)), adds)]


def _in_unit(length: Length, region: Region, marks: MarkList) -> float:
    """A length in the unit of the region's frame."""
    on_sky = region.frame != PIXEL
    if length.in_pixels is not on_sky:
        return float(length)
    position = region.points[0] if on_sky else None
    image = marks.image_for(region.fields.get("source", ""), position)
    scale = image.grid.pixel_scale_arcsec if image is not None else None
    if not scale:
        unit, other = ("pixels", "on the sky") if on_sky else ("arcsec", "in pixels")
        raise AnnotationError(
            f"it has a length in {unit} and a position {other}; give an image of its source that states its pixel scale"
        )
    if image is not None and image.grid.file_pixels is not None:
        raise AnnotationError(
            "it has a position in pixels or a length in pixels alone, and its image has pixels that are not square; give both "
            "in pixels or both on the sky"
        )
    return float(length * scale if on_sky else length / scale)


def _plain_angle(angle: float) -> float:
    """An angle from -180 to 180; nonsense stays what it is."""
    return angle if -180.0 <= angle <= 180.0 else (angle + 180.0) % 360.0 - 180.0


def _ring_polygon(
    outer: Shape, inner: Shape | None, angle: float, sector: tuple[float, float]
) -> Shape:
    """What lies between two outlines and two angles, as one polygon without crossings."""
    start, stop = sector
    span = (stop - start) % 360.0 or 360.0
    n = max(2, round(N_OUTLINE * span / 360.0) + 1)
    # a circle has no width axis of its own
    first = start + (angle if outer.kind is ShapeKind.CIRCLE else 0.0)
    turns = np.radians(first + np.linspace(0.0, span, n))
    if outer.kind is ShapeKind.BOX:  # the corners belong to it
        corner = np.arctan2(outer.height, outer.width)
        corners = np.array([corner, np.pi - corner, np.pi + corner, 2 * np.pi - corner])
        ahead = np.mod(corners - turns[0], 2 * np.pi)
        inside = ahead[ahead < np.radians(span)]
        turns = np.unique(np.concatenate([turns, turns[0] + inside]))
    there = _outline(outer, turns)
    back = _outline(inner, turns[::-1]) if inner is not None else [(outer.x, outer.y)]
    return Shape(kind=ShapeKind.POLYGON, frame=outer.frame, vertices=(*there, *back))


def _outline(shape: Shape, turns: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Where the outline of a shape lies in directions from its centre, counted from its width axis."""
    cos, sin = np.cos(turns), np.sin(turns)
    width, height = shape.lengths if len(shape.lengths) == 2 else (2 * shape.radius,) * 2
    if shape.kind is ShapeKind.BOX:
        with np.errstate(divide="ignore"):
            distance = np.minimum(width / 2 / np.abs(cos), height / 2 / np.abs(sin))
    else:
        distance = 1 / np.hypot(cos / (width / 2), sin / (height / 2))
    x, y = around(shape, distance * cos, distance * sin)
    return list(zip(x.tolist(), y.tolist(), strict=True))
