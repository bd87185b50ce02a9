"""Shapes in the pixels of an image, to which shapes on the sky and in the pixels of its file are carried over."""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.annotations.shapes import Frame, Shape, ShapeKind, make_regions
from attnxai.data.sky import offset_to_pixel, sky_to_pixel
from attnxai.errors import AlignmentError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from regions import PixelRegion

    from attnxai.data.grid import FilePixels, GridTransform, PixelGrid

# lengths below what coordinates resolve, which near the poles is milliarcsec, come out as 0
_SHORTEST_PIXELS = 1e-9
# axes that differ by less, or are as near to a right angle, stay those of a circle or a box
_SAME = 1e-3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PixelShape:
    """A shape in pixels, where the limits of :class:`~attnxai.annotations.Shape` need not hold: a projection may exceed them.

    Parameters
    ----------
    kind : ShapeKind
        What it is.
    points : ndarray, shape (n, 2)
        Vertices (x, y) of a polygon or line, the centre alone of other shapes.
    width, height : float
        Full lengths of an ellipse or box; both are the diameter of a circle.
    angle_deg : float
        Of the width axis, from +x towards +y.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> circle = attnxai.annotations.PixelShape(
    ...     kind=attnxai.annotations.ShapeKind.ELLIPSE, points=np.array([[3.0, 4.0]]), width=2.0, height=2.0
    ... )
    >>> circle.bounds
    (2.0, 4.0, 3.0, 5.0)
    """

    kind: ShapeKind
    points: NDArray[np.float64]
    width: float = 0.0
    height: float = 0.0
    angle_deg: float = 0.0

    @property
    def centres(self) -> NDArray[np.float64]:
        """Where it lies: the middle of each segment of a line, the mean vertex of a polygon, or the centre."""
        if self.kind is ShapeKind.LINE:
            return np.asarray((self.points[:-1] + self.points[1:]) / 2)
        if len(self.points) == 1:
            return self.points
        return np.asarray(self.points.mean(axis=0, keepdims=True))

    @property
    def axes(self) -> NDArray[np.float64]:
        """Vectors (x, y) along its whole width (first row) and height."""
        cos, sin = math.cos(math.radians(self.angle_deg)), math.sin(math.radians(self.angle_deg))
        return np.array(
            [[self.width * cos, self.width * sin], [-self.height * sin, self.height * cos]]
        )

    @property
    def extent(self) -> float:
        """Its longest length, or the longer side of what holds all vertices; 0 for a point."""
        # what has lengths has its centre alone as a point
        return float(max(self.width, self.height) or np.ptp(self.points, axis=0).max())

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Lowest and highest x, lowest and highest y of what holds it."""
        if len(self.points) == 1:
            x0, y0 = x1, y1 = self.points[0].tolist()
        else:
            (x0, y0), (x1, y1) = self.points.min(axis=0).tolist(), self.points.max(axis=0).tolist()
        if self.width:
            angle = math.radians(self.angle_deg)
            cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
            add = operator.add if self.kind is ShapeKind.BOX else math.hypot
            x_half = add(self.width * cos, self.height * sin) / 2
            y_half = add(self.width * sin, self.height * cos) / 2
            return x0 - x_half, x1 + x_half, y0 - y_half, y1 + y_half
        return x0, x1, y0, y1

    def outline(self, n_curve: int = 48) -> NDArray[np.float64]:
        """Its vertices (n, 2): corners of a box, ``n_curve`` positions on a circle or ellipse."""
        if not self.width:
            return self.points
        if self.kind is ShapeKind.BOX:
            along, across = np.array([[-1, 1, 1, -1], [-1, -1, 1, 1]])
        else:
            turn = np.linspace(0, 2 * np.pi, n_curve, endpoint=False)
            along, across = np.cos(turn), np.sin(turn)
        angle = np.radians(self.angle_deg)
        axes = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        halves = np.stack([along * (self.width / 2), across * (self.height / 2)], axis=1)
        return np.asarray(self.points + halves @ axes)

    def on_field(self, transform: GridTransform) -> PixelShape:
        """The same in the pixels of a grid that lies on the image."""
        step = transform.step
        if step == 1 and transform.origin_x == 0 and transform.origin_y == 0:
            return self
        return PixelShape(
            kind=self.kind,
            points=(self.points - (transform.origin_x, transform.origin_y)) / step,
            width=self.width / step,
            height=self.height / step,
            angle_deg=self.angle_deg,
        )

    def to_regions(self) -> tuple[PixelRegion, ...]:
        """The shape as astropy regions; a line gives one region a segment."""
        from regions import PixCoord

        lengths = (
            (self.width, self.height) if self.kind is not ShapeKind.CIRCLE else (self.width / 2,)
        )
        return make_regions(
            self.kind,
            "Pixel",
            PixCoord,
            self.points.tolist(),
            lengths[: 2 * bool(self.width)],
            self.angle_deg,
        )


def place_on_pixels(
    shapes: Sequence[Shape], grid: PixelGrid, *, source: str = ""
) -> list[PixelShape | None]:
    """Shapes in the pixel coordinates of an image; None for those that its projection cannot show.

    Ends of the axes of shapes on the sky are carried over one by one, so that angles are right whatever the
    orientation or handedness of the image. All shapes on the sky are carried over together, which takes
    milliseconds however many they are. Pixels of a shape are those of the file: where these are not square, it is carried
    over to the square ones of the image.

    Parameters
    ----------
    shapes : sequence of Shape
        What was drawn.
    grid : PixelGrid
        Of the image.
    source : str
        Id of the source, for the message of an error.

    Returns
    -------
    list of (PixelShape or None)

    Raises
    ------
    AlignmentError
        If a shape lies on the sky and the image has no celestial coordinates.
    """
    on_sky = [i for i, shape in enumerate(shapes) if shape.frame is Frame.ICRS]
    found = [
        _in_pixels(shape, grid.file_pixels) if shape.frame is Frame.PIXEL else None
        for shape in shapes
    ]
    if on_sky:
        if grid.wcs is None:
            raise AlignmentError(
                f"the annotations of source {source!r} are sky positions, but its image has no "
                "celestial coordinates (WCS); give FITS images with a WCS or pixel annotations"
            )
        placed = _projected([shapes[i] for i in on_sky], grid.wcs)
        for i, shape in zip(on_sky, placed, strict=True):
            found[i] = shape
    return found


def place_all(shapes: Sequence[Shape], grid: PixelGrid, *, source: str = "") -> list[PixelShape]:
    """:func:`place_on_pixels`, with an AlignmentError for a shape that the projection cannot show."""
    placed = []
    for shape, found in zip(shapes, place_on_pixels(shapes, grid, source=source), strict=True):
        if found is None:
            ra, dec = shape.points[0]
            raise AlignmentError(
                f"an annotation of source {source!r} at {ra:.4f}, {dec:.4f} degrees cannot be "
                "shown by the projection of its image; is it on the same part of the sky?"
            )
        placed.append(found)
    return placed


def _in_pixels(shape: Shape, file_pixels: FilePixels | None) -> PixelShape:
    """A shape that was drawn in pixels of the file, on those of the image."""
    points = np.array(shape.points, dtype=np.float64)
    width, height = _full_lengths(shape)
    angle = 0.0 if shape.kind is ShapeKind.CIRCLE else float(shape.angle)
    drawn = PixelShape(kind=shape.kind, points=points, width=width, height=height, angle_deg=angle)
    if file_pixels is None:
        return drawn
    points = np.stack(file_pixels.to_grid(points[:, 0], points[:, 1]), axis=1)
    return _from_axes(shape.kind, points, drawn.axes @ np.transpose(file_pixels.matrix))


def on_file_pixels(shape: PixelShape, file_pixels: FilePixels | None) -> PixelShape:
    """A shape in the pixels of an image, in those of its file."""
    if file_pixels is None:
        return shape
    points = np.stack(file_pixels.from_grid(shape.points[:, 0], shape.points[:, 1]), axis=1)
    return _from_axes(shape.kind, points, shape.axes @ np.linalg.inv(file_pixels.matrix).T)


def _full_lengths(shape: Shape) -> tuple[float, float]:
    """Width and height; 0 for shapes without lengths."""
    if shape.kind is ShapeKind.CIRCLE:
        return 2.0 * shape.radius, 2.0 * shape.radius
    return (float(shape.width), float(shape.height)) if shape.lengths else (0.0, 0.0)


def _projected(shapes: Sequence[Shape], wcs: Any) -> list[PixelShape | None]:
    """Shapes on the sky in pixels."""
    ends = np.cumsum([len(shape.points) for shape in shapes])
    points = np.stack(sky_to_pixel(wcs, *np.concatenate([s.points for s in shapes]).T), axis=1)
    places = np.split(points, ends[:-1])
    with_lengths = [i for i, shape in enumerate(shapes) if shape.lengths]
    axes = np.zeros((len(shapes), 2, 2))
    if with_lengths:
        drawn = [shapes[i] for i in with_lengths]
        centres = np.array([s.points[0] for s in drawn])
        angles = [0.0 if s.kind is ShapeKind.CIRCLE else s.angle for s in drawn]
        x, y = offset_to_pixel(
            wcs,
            centres[:, :1],
            centres[:, 1:],
            np.add.outer(angles, [0.0, 180.0, 90.0, 270.0]),
            np.repeat([_full_lengths(s) for s in drawn], 2, axis=1) / 2,
        )
        axes[with_lengths] = np.stack([x[:, ::2] - x[:, 1::2], y[:, ::2] - y[:, 1::2]], axis=2)
    placed = np.array([np.isfinite(own).all() for own in places])
    is_shown = np.asarray(np.isfinite(axes).all(axis=(1, 2)) & placed)
    # a distortion that cannot be inverted at one position hides all
    if len(shapes) > 1 and not is_shown.any():
        return [one for shape in shapes for one in _projected([shape], wcs)]
    return [
        _from_axes(shape.kind, own, vectors) if shown else None
        for shape, own, vectors, shown in zip(shapes, places, axes, is_shown, strict=True)
    ]


def _from_axes(
    kind: ShapeKind, points: NDArray[np.float64], axes: NDArray[np.float64]
) -> PixelShape:
    """A shape whose axes are carried over: vectors (x, y) along its whole width (first row) and height.

    What is no longer a circle becomes an ellipse, and what is no longer a box a polygon.
    """
    if not axes.any():
        return PixelShape(kind=kind, points=points)
    (a, b), (c, d) = axes.tolist()
    width, height = max(math.hypot(a, b), _SHORTEST_PIXELS), max(math.hypot(c, d), _SHORTEST_PIXELS)
    is_upright = abs(a * c + b * d) <= _SAME * width * height
    if kind is ShapeKind.CIRCLE and is_upright and abs(width - height) <= _SAME * height:
        diameter = math.sqrt(width * height)
        return PixelShape(kind=kind, points=points, width=diameter, height=diameter)
    if kind is ShapeKind.BOX and not is_upright:
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
        return PixelShape(kind=ShapeKind.POLYGON, points=points + corners @ axes)
    if kind is not ShapeKind.BOX and not is_upright:
        # axes of the ellipse of which these are conjugate diameters
        directions, lengths, _ = np.linalg.svd(axes.T)
        width, height = np.maximum(lengths, _SHORTEST_PIXELS).tolist()
        (a, _), (b, _) = directions.tolist()
    return PixelShape(
        kind=ShapeKind.ELLIPSE if kind is ShapeKind.CIRCLE else kind,
        points=points,
        width=width,
        height=height,
        angle_deg=math.degrees(math.atan2(b, a)),
    )
