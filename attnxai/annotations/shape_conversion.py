"""Shapes in the other frame, and as polygons, for formats that have no others."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.annotations.annotation_set import Annotation
from attnxai.annotations.shapes import Frame, Shape, ShapeKind
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


def _in_pixels(shape: Shape, grid: PixelGrid) -> Shape:
    from regions import CirclePixelRegion, PointPixelRegion, PolygonPixelRegion

    first, *others = shape.to_pixel_regions(grid)
    if shape.kind is ShapeKind.LINE:
        ends = [first.start, *(region.end for region in (first, *others))]
        return Shape(kind=shape.kind, vertices=tuple((float(p.x), float(p.y)) for p in ends))
    if isinstance(first, PolygonPixelRegion):
        x, y = (np.asarray(of, dtype=float).tolist() for of in first.vertices.xy)
        return Shape(kind=shape.kind, vertices=tuple(zip(x, y, strict=True)))
    place: dict[str, Any] = {"x": float(first.center.x), "y": float(first.center.y)}
    if isinstance(first, PointPixelRegion):
        return Shape(kind=shape.kind, **place)
    if isinstance(first, CirclePixelRegion):
        return Shape(kind=shape.kind, **place, radius=float(first.radius))
    lengths: dict[str, Any] = {"width": float(first.width), "height": float(first.height)}
    return Shape(kind=shape.kind, **place, **lengths, angle=float(first.angle.to_value("deg")))


def _on_sky(shape: Shape, grid: PixelGrid) -> Shape:
    x, y = np.array(shape.points).T
    ra, dec = (of.tolist() for of in pixel_to_sky(grid.wcs, x, y))
    if not np.isfinite([ra, dec]).all():
        raise AnnotationError(
            f"a mark at pixel {shape.points[0][0]:g}, {shape.points[0][1]:g} lies off the sky of its image"
        )
    if shape.kind in (ShapeKind.POLYGON, ShapeKind.LINE):
        return Shape(kind=shape.kind, frame=Frame.ICRS, vertices=tuple(zip(ra, dec, strict=True)))
    place: dict[str, Any] = {"frame": Frame.ICRS, "x": ra[0], "y": dec[0]}
    if not shape.lengths:
        return Shape(kind=shape.kind, **place)
    from astropy.coordinates import SkyCoord

    is_circle = shape.kind is ShapeKind.CIRCLE
    width, height = (2 * shape.radius,) * 2 if is_circle else (shape.width, shape.height)
    turn = np.radians(0.0 if is_circle else shape.angle)
    along = np.array([np.cos(turn), np.sin(turn)]) * width / 2
    across = np.array([-np.sin(turn), np.cos(turn)]) * height / 2
    ends = np.array(shape.points[0]) + np.array([along, -along, across, -across])
    places = SkyCoord(*pixel_to_sky(grid.wcs, *ends.T), unit="deg")
    long, short = (float(places[i].separation(places[i + 1]).arcsec) for i in (0, 2))
    if is_circle:
        return Shape(kind=shape.kind, **place, radius=float(np.sqrt(long * short)) / 2)
    centre = SkyCoord(ra[0], dec[0], unit="deg")
    angle = float(centre.position_angle(places[0]).deg)
    return Shape(kind=shape.kind, **place, width=long, height=short, angle=angle)


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
