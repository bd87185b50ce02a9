"""Annotations with everything that they can have, and what has to be the same after writing and reading them."""

from __future__ import annotations

from typing import Any

from attnxai.annotations.annotation_set import Annotation, AnnotationSet
from attnxai.annotations.shapes import Frame, Label, Shape, ShapeKind

PIXEL_SHAPES = {
    ShapeKind.POINT: Shape(kind=ShapeKind.POINT, x=1 / 3, y=4.0),
    ShapeKind.CIRCLE: Shape(kind=ShapeKind.CIRCLE, x=12.25, y=9.5, radius=3.5),
    ShapeKind.ELLIPSE: Shape(
        kind=ShapeKind.ELLIPSE, x=20.0, y=15.0, width=9.0, height=4.0, angle=30.0
    ),
    ShapeKind.BOX: Shape(kind=ShapeKind.BOX, x=30.5, y=20.0, width=6.0, height=3.0, angle=-20.0),
    ShapeKind.POLYGON: Shape(
        kind=ShapeKind.POLYGON, vertices=((5.0, 5.0), (12.5, 6.0), (8.0, 14.25))
    ),
    ShapeKind.LINE: Shape(kind=ShapeKind.LINE, vertices=((30.0, 30.0), (33.0, 31.0), (40.0, 38.0))),
}
SKY_SHAPES = {
    ShapeKind.POINT: Shape(kind=ShapeKind.POINT, frame=Frame.ICRS, x=150.001, y=40.0),
    ShapeKind.CIRCLE: Shape(
        kind=ShapeKind.CIRCLE, frame=Frame.ICRS, x=150.002, y=40.001, radius=5.5
    ),
    ShapeKind.ELLIPSE: Shape(
        kind=ShapeKind.ELLIPSE, frame=Frame.ICRS, x=150, y=40.0, width=20, height=8, angle=75.0
    ),
    ShapeKind.BOX: Shape(
        kind=ShapeKind.BOX, frame=Frame.ICRS, x=149.999, y=40.002, width=12.5, height=7, angle=10
    ),
    ShapeKind.POLYGON: Shape(
        kind=ShapeKind.POLYGON,
        frame=Frame.ICRS,
        vertices=((150.0, 40.0), (150.004, 40.001), (150.001, 40.005)),
    ),
    ShapeKind.LINE: Shape(
        kind=ShapeKind.LINE, frame=Frame.ICRS, vertices=((150.0, 40.0), (150.004, 40.001))
    ),
}


def regions_in_pixels() -> list[Any]:
    """An ellipse, a box and a polygon of astropy regions, as that package writes them."""
    import astropy.units as u
    from regions import EllipsePixelRegion, PixCoord, PolygonPixelRegion, RectanglePixelRegion

    return [
        EllipsePixelRegion(PixCoord(20.5, 16), 12, 6, 20 * u.deg),
        RectanglePixelRegion(PixCoord(10, 10), 4, 2, 70 * u.deg),
        PolygonPixelRegion(PixCoord([1, 8, 5], [2, 3, 9])),
    ]


def marks(*shapes: Shape, **values: Any) -> AnnotationSet:
    """A set of shapes with one label after the other, all else the same."""
    labels = [Label.LOBE, Label.CORE, Label.JET, Label.HOTSPOT, Label.SOURCE, Label.HOST]
    of_each = {"source": "g1", "annotator": "Ann", **values}
    return AnnotationSet(
        annotations=tuple(
            Annotation(shape=shape, label=labels[i % len(labels)], line=i + 1, **of_each)
            for i, shape in enumerate(shapes)
        )
    )


def as_rows(annotations: AnnotationSet, *, digits: int = 9) -> list[tuple[Any, ...]]:
    """Annotations as tuples that can be compared, with numbers to so many digits after the point."""

    def of(shape: Shape) -> tuple[Any, ...]:
        numbers = [*(c for point in shape.points for c in point), *shape.lengths]
        angle = shape.angle % 180 if shape.kind in ("ellipse", "box") else 0.0
        return (
            str(shape.kind),
            str(shape.frame),
            *(round(float(number), digits) for number in (*numbers, angle)),
        )

    return sorted(
        (
            a.source,
            a.annotator,
            str(a.label),
            str(a.operation),
            a.group,
            a.round,
            a.weight,
            *of(a.shape),
        )
        for a in annotations.annotations
    )
