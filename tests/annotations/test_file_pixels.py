from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from regions import CircleAnnulusPixelRegion, PixCoord

from attnxai.annotations.file_pixels import on_square_pixels
from attnxai.annotations.shapes import Shape, ShapeKind
from attnxai.data.grid import FilePixels, PixelGrid

FILES = {
    "tall": FilePixels(shape=(40, 50), matrix=((1.0, 0.0), (0.0, 2.0)), origin=(0.0, 0.5)),
    "skewed": FilePixels(shape=(40, 50), matrix=((1.2, 0.5), (-0.3, 1.9)), origin=(7.0, 20.0)),
}
SHAPES: dict[str, dict[str, Any]] = {
    "circle": {"x": 24.3, "y": 18.6, "radius": 7.2},
    "ellipse": {"x": 24.3, "y": 18.6, "width": 19.0, "height": 7.0, "angle": 35.0},
    "box": {"x": 24.3, "y": 18.6, "width": 19.0, "height": 7.0, "angle": -20.0},
    "polygon": {"vertices": [(10.0, 9.0), (30.5, 12.0), (22.0, 31.0)]},
}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("kind", SHAPES)
def test_the_same_area_as_in_the_file(file: str, kind: str) -> None:
    shape = Shape(kind=ShapeKind(kind), **SHAPES[kind])
    (drawn,) = shape.to_pixel_regions(PixelGrid(shape=(40, 50)))
    (carried,) = shape.to_pixel_regions(PixelGrid(shape=(120, 110), file_pixels=FILES[file]))
    x, y = np.meshgrid(np.arange(0, 110, 0.5) + 0.01, np.arange(0, 120, 0.5) + 0.01)
    inside = drawn.contains(PixCoord(*FILES[file].from_grid(x, y)))
    assert inside.sum() > 500
    np.testing.assert_array_equal(carried.contains(PixCoord(x, y)), inside)


@pytest.mark.parametrize("file", FILES)
def test_points_and_lines(file: str) -> None:
    grid = PixelGrid(shape=(120, 110), file_pixels=FILES[file])
    (point,) = Shape(kind=ShapeKind.POINT, x=3.0, y=4.5).to_pixel_regions(grid)
    np.testing.assert_allclose([point.center.x, point.center.y], FILES[file].to_grid(3.0, 4.5))
    line = Shape(kind=ShapeKind.LINE, vertices=((1.0, 2.0), (5.0, 2.0), (5.0, 9.0)))
    first, second = line.to_pixel_regions(grid)
    np.testing.assert_allclose([first.start.x, first.start.y], FILES[file].to_grid(1.0, 2.0))
    np.testing.assert_allclose([second.end.x, second.end.y], FILES[file].to_grid(5.0, 9.0))


def test_other_regions_are_a_mistake() -> None:
    with pytest.raises(TypeError, match="CircleAnnulusPixelRegion cannot be carried over"):
        on_square_pixels([CircleAnnulusPixelRegion(PixCoord(1, 1), 1, 2)], FILES["tall"])
