"""Shapes that annotators draw, as astropy ``regions``, and their place in pixels.

Lengths of a shape are full lengths. Angles turn the width axis: in pixels from +x towards +y, on the
sky as its position angle, from north through east. astropy ``regions`` counts the angles of sky regions
anticlockwise from the right of an image with north up and east left, so that the width axis has the
position angle ``angle + 90``; the functions here translate.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import itertools
import math
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.sky import offset_to_pixel, sky_to_pixel
from attnxai.errors import AlignmentError, AnnotationError

if TYPE_CHECKING:
    from regions import PixelRegion, Region

    from attnxai.data.grid import PixelGrid


_SHORTEST_PIXELS = 1e-9


class ShapeKind(enum.StrEnum):
    """Kinds of shapes in an annotation table."""

    POINT = "point"
    CIRCLE = "circle"
    ELLIPSE = "ellipse"
    BOX = "box"
    POLYGON = "polygon"
    LINE = "line"


class Frame(enum.StrEnum):
    """Coordinates of a shape: pixels of the image, or ICRS degrees with lengths in arcsec."""

    PIXEL = "pixel"
    ICRS = "icrs"


class Label(enum.StrEnum):
    """What a shape marks."""

    CORE = "core"
    JET = "jet"
    LOBE = "lobe"
    HOTSPOT = "hotspot"
    HOST = "host"
    SOURCE = "source"
    OTHER = "other"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shape:
    """One drawn shape.

    Parameters
    ----------
    kind : ShapeKind
        What it is.
    frame : Frame
        In which coordinates.
    x, y : float
        Centre, in 0-based pixels (x = column) or ICRS degrees; unused by polygons and lines.
    width, height : float
        Full lengths of an ellipse or box, in pixels or arcsec.
    radius : float
        Of a circle, in pixels or arcsec.
    angle : float
        Of the width axis, in degrees; see the module.
    vertices : tuple of (float, float)
        Of a polygon or line.

    Raises
    ------
    AnnotationError
        If a coordinate or length is not a finite number, or a length is negative.

    Examples
    --------
    >>> Shape(kind=ShapeKind.CIRCLE, x=3.0, y=4.0, radius=2.0).to_regions()
    (<CirclePixelRegion(center=PixCoord(x=3.0, y=4.0), radius=2.0)>,)
    """

    kind: ShapeKind
    frame: Frame = Frame.PIXEL
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0
    radius: float = 0.0
    angle: float = 0.0
    vertices: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        for name in ("x", "y", "width", "height", "radius", "angle"):
            _check_finite(name, getattr(self, name))
        for number, vertex in enumerate(self.vertices, start=1):
            for value in vertex:
                _check_finite(f"vertex {number}", value)
        for name in ("width", "height", "radius"):
            if getattr(self, name) < 0:
                raise AnnotationError(
                    f"{name} of a shape has to be 0 or more, got {getattr(self, name)}"
                )

    def to_regions(self) -> tuple[Region, ...]:
        """The shape as astropy regions, pixel or sky; a line gives one region a segment."""
        if self.frame is Frame.ICRS:
            return _sky_regions(self)
        return _pixel_regions(self)

    def to_pixel_regions(self, grid: PixelGrid, *, source: str = "") -> tuple[PixelRegion, ...]:
        """The shape in the pixel coordinates of an image.

        Ends of axes are carried over one by one, so that angles are right whatever the orientation or
        handedness of the image.

        Raises
        ------
        AlignmentError
            If the shape lies on the sky and the image has no celestial coordinates, or its projection
            cannot show the position.
        """
        if self.frame is Frame.PIXEL:
            return _pixel_regions(self)
        if grid.wcs is None:
            raise AlignmentError(
                f"the annotations of source {source!r} are sky positions, but its image has no "
                "celestial coordinates (WCS); give FITS images with a WCS or pixel annotations"
            )
        return _pixel_regions(_shape_in_pixels(self, grid.wcs, source))


def _check_finite(name: str, value: object) -> None:
    if not isinstance(value, Real) or not math.isfinite(value):
        raise AnnotationError(f"{name} of a shape has to be a finite number, got {value!r}")


def _shape_in_pixels(shape: Shape, wcs: Any, source: str) -> Shape:
    def checked(*values: float) -> tuple[float, ...]:
        if not np.isfinite(values).all():
            raise AlignmentError(
                f"an annotation of source {source!r} at {shape.x:.4f}, {shape.y:.4f} degrees cannot be "
                "shown by the projection of its image; is it on the same part of the sky?"
            )
        return tuple(float(value) for value in values)

    if shape.vertices:
        all_x, all_y = sky_to_pixel(
            wcs, [v[0] for v in shape.vertices], [v[1] for v in shape.vertices]
        )
        checked(*all_x, *all_y)
        return Shape(
            kind=shape.kind, vertices=tuple(zip(all_x.tolist(), all_y.tolist(), strict=True))
        )
    x, y = checked(*(float(v) for v in sky_to_pixel(wcs, shape.x, shape.y)))
    width, height = shape.width, shape.height
    if shape.kind is ShapeKind.CIRCLE:
        width = height = 2 * shape.radius
    if shape.kind is ShapeKind.POINT:
        return Shape(kind=shape.kind, x=x, y=y)
    turns = shape.angle + np.array([0.0, 180.0, 90.0, 270.0])
    halves = np.array([width, width, height, height]) / 2
    ends_x, ends_y = offset_to_pixel(wcs, shape.x, shape.y, turns, halves)
    checked(*ends_x, *ends_y)
    along_x, along_y = ends_x[0] - ends_x[1], ends_y[0] - ends_y[1]
    # lengths below what coordinates resolve, which near the poles is milliarcsec, come out as 0
    width = max(float(np.hypot(along_x, along_y)), _SHORTEST_PIXELS)
    height = max(float(np.hypot(ends_x[2] - ends_x[3], ends_y[2] - ends_y[3])), _SHORTEST_PIXELS)
    if shape.kind is ShapeKind.CIRCLE:
        return Shape(kind=shape.kind, x=x, y=y, radius=float(np.sqrt(width * height)) / 2)
    angle = float(np.degrees(np.arctan2(along_y, along_x)))
    return Shape(kind=shape.kind, x=x, y=y, width=width, height=height, angle=angle)


def _pixel_regions(shape: Shape) -> tuple[PixelRegion, ...]:
    from regions import PixCoord

    return _regions(shape, "Pixel", PixCoord, unit=1.0, angle_deg=shape.angle)


def _sky_regions(shape: Shape) -> tuple[Region, ...]:
    import astropy.units as u
    from astropy.coordinates import SkyCoord

    place = functools.partial(SkyCoord, unit="deg", frame="icrs")
    return _regions(shape, "Sky", place, unit=u.arcsec, angle_deg=shape.angle - 90.0)


def _regions(
    shape: Shape, frame: str, place: Callable[..., Any], *, unit: Any, angle_deg: float
) -> tuple[Any, ...]:
    """Regions of the classes of a frame, with positions made by ``place`` and lengths in ``unit``."""
    import astropy.units as u
    import regions

    def region(name: str, *values: Any) -> Any:
        return getattr(regions, f"{name}{frame}Region")(*values)

    if shape.kind is ShapeKind.POLYGON:
        x, y = zip(*shape.vertices, strict=True)
        return (region("Polygon", place(list(x), list(y))),)
    if shape.kind is ShapeKind.LINE:
        points = [place(x, y) for x, y in shape.vertices]
        return tuple(region("Line", start, end) for start, end in itertools.pairwise(points))
    centre = place(shape.x, shape.y)
    if shape.kind is ShapeKind.POINT:
        return (region("Point", centre),)
    if shape.kind is ShapeKind.CIRCLE:
        return (region("Circle", centre, shape.radius * unit),)
    name = "Ellipse" if shape.kind is ShapeKind.ELLIPSE else "Rectangle"
    sides = shape.width * unit, shape.height * unit
    return (region(name, centre, *sides, angle_deg * u.deg),)
