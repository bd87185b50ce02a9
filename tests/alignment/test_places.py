"""Places that are kept as numbers are those that were found."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from attnxai.alignment.places import Places
from attnxai.annotations import Annotation, Shape
from attnxai.annotations.pixel_shapes import PixelShape, place_on_pixels
from attnxai.annotations.shapes import ShapeKind
from attnxai.data.grid import PixelGrid

GRID = PixelGrid(shape=(40, 40))
SHAPES = (
    Shape(kind=ShapeKind.POINT, x=3.25, y=-1e-9),
    Shape(kind=ShapeKind.CIRCLE, x=1 / 3, y=40.0, radius=0.1),
    Shape(kind=ShapeKind.ELLIPSE, x=5.0, y=6.0, width=3.0, height=7.0, angle=33.3),
    Shape(kind=ShapeKind.BOX, x=5.0, y=6.0, width=3.0, height=7.0, angle=-170.0),
    Shape(kind=ShapeKind.POLYGON, vertices=((0.1, 0.2), (3.0, 4.0), (5.0, -6.0), (1e5, 7.0))),
    Shape(kind=ShapeKind.LINE, vertices=((1.0, 2.0), (3.0, 4.0))),
)


def marks_of(source: str, n: int = 1) -> list[Annotation]:
    return [Annotation(source=source, annotator="a", shape=shape) for shape in SHAPES * n]


def placed(marks: list[Annotation]) -> dict[Annotation, PixelShape | None]:
    shapes = place_on_pixels([mark.shape for mark in marks], GRID)
    return dict(zip(marks, shapes, strict=True))


def test_every_kind_of_shape_is_made_again():
    places = Places()
    expected = {name: placed(marks_of(name, n)) for name, n in (("s1", 1), ("s2", 2), ("s3", 1))}
    # what a projection cannot show
    first, *_, last = expected["s3"]
    expected["s3"][first] = expected["s3"][last] = None
    expected["s4"] = {}
    for name, own in expected.items():
        places.add(name, own)
    assert list(places) == list(expected)
    assert len(places) == 4
    for name, own in expected.items():
        found = places[name]
        assert list(found) == list(own)
        for mark, shape in own.items():
            if shape is None:
                assert found[mark] is None
                continue
            made = found[mark]
            assert isinstance(made, PixelShape)
            assert made.kind is shape.kind
            np.testing.assert_array_equal(made.points, shape.points)
            lengths = (made.width, made.height, made.angle_deg)
            assert lengths == (shape.width, shape.height, shape.angle_deg)
            assert made.bounds == shape.bounds
            assert made.extent == shape.extent
    assert places.get("other", "nothing") == "nothing"
    with pytest.raises(KeyError):
        places["other"]


def test_they_take_about_a_third_of_the_memory():
    marks = {f"s{i}": marks_of(f"s{i}") for i in range(500)}

    def held(keep):
        tracemalloc.start()
        keep()
        found = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return found

    as_shapes, places = {}, Places()
    of_shapes = held(lambda: as_shapes.update((s, placed(own)) for s, own in marks.items()))
    of_numbers = held(lambda: [places.add(s, placed(own)) for s, own in marks.items()])
    assert of_numbers < 0.4 * of_shapes
