"""Shapes in the other frame, and as polygons, for formats that have no others."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from attnxai.annotations.annotation_set import Annotation
from attnxai.annotations.pixel_shapes import PixelShape, on_file_pixels
from attnxai.annotations.shapes import Frame, Shape, ShapeKind
from attnxai.data.grid import RowZero
from attnxai.data.images import SourceImage
from attnxai.data.sky import pixel_to_sky
from attnxai.errors import AnnotationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.grid import PixelGrid

N_OUTLINE = 72
"""Vertices of a circle or an ellipse that is written as a polygon."""


def in_frame(annotation: Annotation, frame: Frame, images: Mapping[str, SourceImage]) -> Annotation:
    """The annotation with its shape in a frame, by the coordinates of its source's image.

    Raises
    ------
    AnnotationError
        If the frame is another than its own and there is no such image, or it has no celestial coordinates.
    """
    if annotation.shape.frame is frame:
        return annotation
    image = images.get(annotation.source)
    where = "on the sky" if frame is Frame.PIXEL else "in pixels"
    if image is None or image.grid.wcs is None:
        lacks = (
            "no image of it is given" if image is None else "its image has no celestial coordinates"
        )
        raise AnnotationError(
            f"marks of source {annotation.source[:60]!r} lie {where}, the format holds "
            f"{'pixels' if frame is Frame.PIXEL else 'positions on the sky'}, and {lacks}; give a FITS image with a WCS"
        )
    convert = _on_sky if frame is Frame.ICRS else _in_pixels
    return dataclasses.replace(annotation, shape=convert(annotation.shape, image.grid))


def upright(shape: Shape, image: SourceImage | None) -> Shape:
    """A shape in pixels as on the image that is drawn the right way up, with rows from the bottom; also the other way.

    It stays as it is on images with row 0 at the bottom, as FITS has it, and on the sky.
    """
    if image is None or shape.frame is Frame.ICRS or image.grid.row_zero is RowZero.BOTTOM:
        return shape
    last = image.grid.shape_of_file[0] - 1
    if shape.vertices:
        return dataclasses.replace(shape, vertices=tuple((x, last - y) for x, y in shape.vertices))
    return dataclasses.replace(shape, y=last - shape.y, angle=0.0 - shape.angle)


def _in_pixels(shape: Shape, grid: PixelGrid) -> Shape:
    placed = on_file_pixels(shape.on_pixels(grid), grid.file_pixels)
    if not placed.width:
        return _with_points(placed.kind, Frame.PIXEL, placed.points)
    return _with_lengths(placed, Frame.PIXEL, placed.points[0], placed.width, placed.height)


def _on_sky(shape: Shape, grid: PixelGrid) -> Shape:
    placed = shape.on_pixels(grid)  # on square pixels, where the file has others
    positions = np.stack(pixel_to_sky(grid.wcs, *placed.points.T), axis=1)
    if not np.isfinite(positions).all():
        raise AnnotationError(
            f"a mark at pixel {shape.points[0][0]:g}, {shape.points[0][1]:g} lies off the sky of its image"
        )
    if not placed.width:
        return _with_points(placed.kind, Frame.ICRS, positions)
    from astropy.coordinates import SkyCoord

    along, across = placed.axes / 2
    ends = placed.points + np.array([along, -along, across, -across])
    places = SkyCoord(*pixel_to_sky(grid.wcs, *ends.T), unit="deg")
    long, short = (float(places[i].separation(places[i + 1]).arcsec) for i in (0, 2))
    angle = float(SkyCoord(*positions[0], unit="deg").position_angle(places[0]).deg)
    return _with_lengths(placed, Frame.ICRS, positions[0], long, short, angle)


def _with_points(kind: ShapeKind, frame: Frame, points: NDArray[np.float64]) -> Shape:
    if kind is ShapeKind.POINT:
        x, y = points[0].tolist()
        return Shape(kind=kind, frame=frame, x=x, y=y)
    return Shape(kind=kind, frame=frame, vertices=tuple((x, y) for x, y in points.tolist()))


def _with_lengths(
    placed: PixelShape,
    frame: Frame,
    centre: NDArray[np.float64],
    width: float,
    height: float,
    angle: float | None = None,
) -> Shape:
    x, y = centre.tolist()
    if placed.kind is ShapeKind.CIRCLE:
        radius = math.sqrt(width * height) / 2
        return Shape(kind=placed.kind, frame=frame, x=x, y=y, radius=radius)
    angle = placed.angle_deg if angle is None else angle
    return Shape(kind=placed.kind, frame=frame, x=x, y=y, width=width, height=height, angle=angle)


def as_polygon(shape: Shape) -> Shape:
    """The outline of a circle, ellipse or box as a polygon; other shapes stay as they are.

    Examples
    --------
    >>> box = Shape(kind=ShapeKind.BOX, x=2, y=3, width=4, height=2)
    >>> as_polygon(box).vertices
    ((0.0, 2.0), (4.0, 2.0), (4.0, 4.0), (0.0, 4.0))
    """
    if not shape.lengths:
        return shape
    width, height = shape.lengths if len(shape.lengths) == 2 else (2 * shape.radius,) * 2
    if shape.kind is ShapeKind.BOX:
        along, across = np.array([[-1.0, 1.0, 1.0, -1.0], [-1.0, -1.0, 1.0, 1.0]]) / 2
    else:
        turn = 2 * np.pi * np.arange(N_OUTLINE) / N_OUTLINE
        along, across = np.cos(turn) / 2, np.sin(turn) / 2
    x, y = around(shape, along * width, across * height)
    return Shape(
        kind=ShapeKind.POLYGON,
        frame=shape.frame,
        vertices=tuple(zip(x.tolist(), y.tolist(), strict=True)),
    )


def around(
    shape: Shape, along: NDArray[np.float64], across: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions at distances from the centre of a shape, along its width and its height axis.

    In the units of its lengths; ``across`` is counted anticlockwise from ``along`` in pixels, and towards the
    west of north on the sky, where the image has east on the left.
    """
    angle = 0.0 if shape.kind is ShapeKind.CIRCLE else shape.angle
    if shape.frame is Frame.PIXEL:
        turn = np.radians(angle)
        return (
            shape.x + along * np.cos(turn) - across * np.sin(turn),
            shape.y + along * np.sin(turn) + across * np.cos(turn),
        )
    import astropy.units as u
    from astropy.coordinates import SkyCoord

    centre = SkyCoord(shape.x, shape.y, unit="deg")
    places = centre.directional_offset_by(
        (angle + np.degrees(np.arctan2(across, along))) * u.deg,
        np.hypot(along, across) * u.arcsec,
    )
    return np.asarray(places.ra.deg), np.asarray(places.dec.deg)
