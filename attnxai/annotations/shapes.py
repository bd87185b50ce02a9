"""Shapes that annotators draw, their rules, and what they are as astropy ``regions``.

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
import reprlib
from collections.abc import Callable, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

from attnxai.errors import AnnotationError

if TYPE_CHECKING:
    from regions import Region

    from attnxai.annotations.pixel_shapes import PixelShape
    from attnxai.data.grid import PixelGrid


class ShapeKind(enum.StrEnum):
    """Kinds of shapes in an annotation table."""

    POINT = "point"
    CIRCLE = "circle"
    ELLIPSE = "ellipse"
    BOX = "box"
    POLYGON = "polygon"
    LINE = "line"

    @property
    def with_article(self) -> str:
        """Its name in a sentence, such as "an ellipse"."""
        return f"an {self}" if self is ShapeKind.ELLIPSE else f"a {self}"

    @property
    def has_area(self) -> bool:
        """Whether it has an area, as all kinds but points and lines have."""
        return self not in (ShapeKind.POINT, ShapeKind.LINE)


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


class Limits(NamedTuple):
    """Lowest and highest value of a number, what the number is, and its unit."""

    low: float
    high: float
    what: str
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.what} from {self.low:.10g} to {self.high:.10g} {self.unit}".rstrip()

    def expected(self, value: object) -> str:
        """What ``value`` has to be, if it is not within the limits; empty if it is."""
        # NaN is neither above nor below; most are floats, of which Python need not ask more
        if type(value) is not float and not isinstance(value, Real):
            return str(self)
        is_within = value <= self.high and not value < self.low
        return "" if is_within else str(self)


REQUIRED_FIELDS: dict[ShapeKind, tuple[str, ...]] = {
    ShapeKind.POINT: ("x", "y"),
    ShapeKind.CIRCLE: ("x", "y", "radius"),
    ShapeKind.ELLIPSE: ("x", "y", "width", "height"),
    ShapeKind.BOX: ("x", "y", "width", "height"),
    ShapeKind.POLYGON: ("vertices",),
    ShapeKind.LINE: ("vertices",),
}
_HAVE_ANGLE = (ShapeKind.ELLIPSE, ShapeKind.BOX)
_FEWEST_VERTICES = {ShapeKind.POLYGON: 3, ShapeKind.LINE: 2}
_ANGLE = Limits(-360.0, 360.0, "an angle", "degrees")
_PIXEL = Limits(-1e6, 1e6, "a coordinate", "pixels")
_PIXELS = Limits(1e-6, 1e6, "a length", "pixels")
_ARCSEC = Limits(1e-6, 324_000.0, "a length", "arcsec")
# what images can hold and projections can place; values beyond are typing errors
LIMITS: dict[Frame, dict[str, Limits]] = {
    Frame.PIXEL: {
        "x": _PIXEL,
        "y": _PIXEL,
        **dict.fromkeys(("width", "height", "radius"), _PIXELS),
        "angle": _ANGLE,
    },
    Frame.ICRS: {
        "x": Limits(0.0, 360.0, "a right ascension", "degrees"),
        "y": Limits(-90.0, 90.0, "a declination", "degrees"),
        **dict.fromkeys(("width", "height", "radius"), _ARCSEC),
        "angle": _ANGLE,
    },
}


def fields_of(kind: ShapeKind) -> tuple[str, ...]:
    """Fields that a kind of shape uses: those that it requires, and the angle where it has one."""
    return REQUIRED_FIELDS[kind] + (("angle",) if kind in _HAVE_ANGLE else ())


def expected(kind: ShapeKind, frame: Frame, field: str, value: Any) -> str:
    """What a field of a shape has to be, if ``value`` is not that; empty if it is."""
    limits = LIMITS[frame]
    if field != "vertices":
        return limits[field].expected(value)
    for number, vertex in enumerate(value, start=1):
        for axis, coordinate in zip("xy", vertex, strict=True):
            if right := limits[axis].expected(coordinate):
                shown = reprlib.repr(coordinate)
                return f"a list of positions, each with {right} (number {number} has {shown})"
    fewest = _FEWEST_VERTICES[kind]
    return "" if len(set(value)) >= fewest else f"a list of {fewest} or more different positions"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shape:
    """One drawn shape; every instance has what its kind needs, within the limits of its frame.

    Parameters
    ----------
    kind : ShapeKind
        What it is.
    frame : Frame
        In which coordinates.
    x, y : float
        Centre of a point, circle, ellipse or box: 0-based pixels (x = column), within a million of 0, or right
        ascension (0 to 360) and declination (-90 to 90) in degrees.
    width, height : float
        Full lengths of an ellipse or box, from 1e-6 to 1e6 pixels or 324,000 arcsec.
    radius : float
        Of a circle, within the same limits.
    angle : float
        Of the width axis of an ellipse or box, from -360 to 360 degrees; see the module.
    vertices : sequence of (float, float)
        Of a polygon (3 or more different positions) or a line (2 or more); kept as a tuple.

    Fields that a kind does not use are ignored.

    Raises
    ------
    AnnotationError
        If the kind or frame is unknown, or a field that the kind uses is missing or out of range; names the
        field, its value and what would be right.

    Examples
    --------
    >>> Shape(kind=ShapeKind.CIRCLE, x=3.0, y=4.0, radius=2.0).to_regions()
    (<CirclePixelRegion(center=PixCoord(x=3.0, y=4.0), radius=2.0)>,)
    >>> Shape(kind=ShapeKind.CIRCLE, x=3.0, y=4.0)
    Traceback (most recent call last):
        ...
    attnxai.errors.AnnotationError: the radius of a circle has to be a length from 1e-06 to 1000000 pixels, got 0.0
    """

    kind: ShapeKind
    frame: Frame = Frame.PIXEL
    x: float = math.nan
    y: float = math.nan
    width: float = 0.0
    height: float = 0.0
    radius: float = 0.0
    angle: float = 0.0
    vertices: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        for name, choices in (("kind", ShapeKind), ("frame", Frame)):
            value = getattr(self, name)
            if type(value) is choices:
                continue
            if value not in list(choices):
                raise AnnotationError(
                    f"the {name} of a shape has to be one of {', '.join(choices)}, got {value!r}"
                )
            object.__setattr__(self, name, choices(value))  # from its name, too
        try:
            object.__setattr__(self, "vertices", tuple((x, y) for x, y in self.vertices))
        except (TypeError, ValueError):
            raise AnnotationError(
                f"the vertices of a shape have to be pairs (x, y), got {reprlib.repr(self.vertices)}"
            ) from None
        for field in fields_of(self.kind):
            value = getattr(self, field)
            if right := expected(self.kind, self.frame, field, value):
                has = "have" if field == "vertices" else "has"
                raise AnnotationError(
                    f"the {field} of {self.kind.with_article} {has} to be {right}, "
                    f"got {reprlib.repr(value)}"
                )

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """Vertices of a polygon or line, the centre alone of other shapes."""
        return self.vertices if self.kind in _FEWEST_VERTICES else ((self.x, self.y),)

    @property
    def has_area(self) -> bool:
        """Whether its kind has an area."""
        return self.kind.has_area

    def to_regions(self) -> tuple[Region, ...]:
        """The shape as astropy regions, pixel or sky; a line gives one region a segment."""
        if self.frame is Frame.PIXEL:
            from regions import PixCoord

            return make_regions(self.kind, "Pixel", PixCoord, self.points, self.lengths, self.angle)
        import astropy.units as u
        from astropy.coordinates import SkyCoord

        place = functools.partial(SkyCoord, unit="deg", frame="icrs")
        lengths = [length * u.arcsec for length in self.lengths]
        return make_regions(self.kind, "Sky", place, self.points, lengths, self.angle - 90.0)

    def on_pixels(self, grid: PixelGrid, *, source: str = "") -> PixelShape:
        """The shape in the pixel coordinates of an image; see :func:`~.pixel_shapes.place_on_pixels`.

        Raises
        ------
        AlignmentError
            If the shape lies on the sky and the image has no celestial coordinates, or its projection
            cannot show the position.
        """
        from attnxai.annotations.pixel_shapes import place_all

        return place_all([self], grid, source=source)[0]

    @property
    def lengths(self) -> tuple[float, ...]:
        """The radius of a circle, width and height of an ellipse or box."""
        fields = REQUIRED_FIELDS[self.kind]
        return tuple(getattr(self, name) for name in fields if name not in ("x", "y", "vertices"))


def make_regions(
    kind: ShapeKind,
    frame: str,
    place: Callable[..., Any],
    points: Sequence[tuple[float, float]],
    lengths: Sequence[Any],
    angle_deg: float,
) -> tuple[Any, ...]:
    """Regions of the classes of a frame, with positions made by ``place``."""
    import astropy.units as u
    import regions

    name = "Rectangle" if kind is ShapeKind.BOX else kind.capitalize()
    region = getattr(regions, f"{name}{frame}Region")
    if kind is ShapeKind.POLYGON:
        x, y = zip(*points, strict=True)
        return (region(place(list(x), list(y))),)
    if kind is ShapeKind.LINE:
        ends = itertools.pairwise(place(x, y) for x, y in points)
        return tuple(region(start, end) for start, end in ends)
    angle = [angle_deg * u.deg] if kind in _HAVE_ANGLE else []
    return (region(place(*points[0]), *lengths, *angle),)
