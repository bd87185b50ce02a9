from __future__ import annotations

import numpy as np
import pytest

from attnxai.annotations import Annotation, Frame, Shape
from attnxai.annotations.annotation_set import Operation
from attnxai.annotations.mark_density import Field, points_of_brightness, points_of_marks
from attnxai.annotations.orientation import Orientation, turnings
from attnxai.data import from_array
from attnxai.data.grid import PixelGrid
from attnxai.data.images import SourceImage
from tests.data.skies import make_wcs

IMAGE = from_array(np.eye(41), source="s")


def mark(kind, weight=1.0, operation=Operation.ADD, **values):
    shape = Shape(kind=kind, **values)
    return Annotation(source="s", annotator="a", shape=shape, weight=weight, operation=operation)


def moments(points):
    """Mean and covariance of points, weighted by their mass."""
    mass = points[:, 2] / points[:, 2].sum()
    middle = mass @ points[:, :2]
    away = points[:, :2] - middle
    return middle, (away * mass[:, None]).T @ away


@pytest.mark.parametrize(
    ("drawn", "middle", "covariance"),
    [
        (mark("point", x=23.0, y=15.5), (3, -4.5), (0, 0)),
        (mark("circle", x=20, y=25, radius=8), (0, 5), (16, 16)),
        (mark("ellipse", x=20, y=20, width=24, height=8), (0, 0), (36, 4)),
        (mark("ellipse", x=20, y=20, width=24, height=8, angle=90), (0, 0), (4, 36)),
        (mark("box", x=10, y=20, width=24, height=6, angle=90), (-10, 0), (3, 48)),
        (mark("line", vertices=((8, 20), (32, 20))), (0, 0), (48, 0)),
        (
            mark("polygon", vertices=((8, 18), (32, 18), (32, 24), (8, 24))),
            (0, 1),
            (48, 3),
        ),
    ],
)
def test_points_have_the_moments_of_the_shape(drawn, middle, covariance):
    points = points_of_marks([drawn], IMAGE)
    found, spread = moments(points)
    np.testing.assert_allclose(found, middle, atol=0.05)
    np.testing.assert_allclose(np.diag(spread), covariance, rtol=0.12, atol=0.05)
    assert points[:, 2].sum() == pytest.approx(1)


def test_every_mark_counts_by_its_weight_and_subtracted_ones_not_at_all():
    marks = [
        mark("point", x=1, y=1, weight=0.25),
        mark("circle", x=30, y=30, radius=9, weight=0.75),
        mark("point", x=5, y=5, weight=0.0),
        mark("circle", x=9, y=9, radius=2, operation=Operation.SUBTRACT),
    ]
    points = points_of_marks(marks, IMAGE)
    near = np.hypot(points[:, 0] + 19, points[:, 1] + 19) < 1e-9
    assert points[near, 2].sum() == pytest.approx(0.25)
    assert points[:, 2].sum() == pytest.approx(1)


def test_marks_that_an_image_cannot_show_have_no_points():
    far = mark("circle", x=10.0, y=-60.0, radius=9.0, frame=Frame.ICRS)
    image = SourceImage(
        source="s", pixels=IMAGE.pixels, grid=PixelGrid(shape=(41, 41), wcs=make_wcs((41, 41)))
    )
    assert points_of_marks([far], image).shape == (0, 3)


def test_a_density_keeps_positions_between_cells_and_has_norm_1():
    field = Field(side=40, cell_pixels=2.0)
    density = field.density(np.array([[3.3, -7.9, 1.0]]))
    assert (density.astype(float) ** 2).sum() == pytest.approx(1)
    y, x = np.indices(density.shape)
    total = density.sum()
    assert ((x * density).sum() / total - 19.5) * 2 == pytest.approx(3.3, abs=0.01)
    assert ((y * density).sum() / total - 19.5) * 2 == pytest.approx(-7.9, abs=0.01)
    assert field.density(np.array([[300.0, 0.0, 1.0]])) is None


def test_a_field_holds_the_marks_of_small_and_large_images():
    small = Field.around([np.array([[5.0, -9.0, 1.0]])])
    assert small.cell_pixels == 1.0
    assert small.side >= 32
    large = Field.around([np.array([[900.0, 10.0, 1.0]])] * 20)
    assert large.side == 160
    assert large.side * large.cell_pixels / 2 > 1.15 * 900
    assert large.density(np.array([[900.0, -900.0, 1.0]])) is not None
    # one that is far off does not make cells coarse
    assert Field.around([np.array([[9.0, 0.0, 1.0]])] * 40 + [np.array([[9e5, 0, 1]])]) == small


def moved(orientation, x, y):
    """Where a mark at (x, y) from the middle lies once it is misplaced, written out by hand."""
    return {
        Orientation.FLIP_X: (-x, y),
        Orientation.FLIP_Y: (x, -y),
        Orientation.HALF_TURN: (-x, -y),
        Orientation.SWAPPED: (y, x),
        Orientation.QUARTER: (-y, x),
        Orientation.THREE_QUARTERS: (y, -x),
        Orientation.SWAPPED_HALF_TURN: (-y, -x),
    }[orientation]


@pytest.mark.parametrize("orientation", list(turnings(IMAGE, on_sky=False)))
@pytest.mark.parametrize("side", [32, 33])
def test_turning_back_brings_a_bright_pixel_to_its_place(orientation, side):
    cells = np.zeros((side, side), np.float32)
    x, y = moved(orientation, 7 + (side % 2 == 0) / 2, -4 - (side % 2 == 0) / 2)
    cells[round((side - 1) / 2 + y), round((side - 1) / 2 + x)] = 1
    turned = turnings(IMAGE, on_sky=False)[orientation](cells)
    (row,), (column,) = np.nonzero(turned)
    half = (side % 2 == 0) / 2
    assert (column - (side - 1) / 2, row - (side - 1) / 2) == (7 + half, -4 - half)


def test_swaps_are_for_square_images_and_sky_flips_for_turned_ones():
    oblong = from_array(np.arange(12.0).reshape(3, 4), source="s")
    assert [str(way) for way in turnings(oblong, on_sky=True)] == [
        "flipped in x",
        "flipped in y",
        "turned by 180 degrees",
    ]
    upright = SourceImage(
        source="s", pixels=IMAGE.pixels, grid=PixelGrid(shape=(41, 41), wcs=make_wcs((41, 41)))
    )
    assert len(turnings(upright, on_sky=True)) == 7
    grid = PixelGrid(shape=(41, 41), wcs=make_wcs((41, 41), turn_deg=30.0))
    turned = SourceImage(source="s", pixels=IMAGE.pixels, grid=grid)
    assert len(turnings(turned, on_sky=False)) == 7
    ways = turnings(turned, on_sky=True)
    assert len(ways) == 9
    north, east = grid.north_and_east()
    cells = np.zeros((41, 41), np.float32)
    # 10 pixels to the east and 5 to the north, taken for 10 to the west
    x, y = -10 * east + 5 * north
    cells[round(20 + y) - 1 : round(20 + y) + 2, round(20 + x) - 1 : round(20 + x) + 2] = 1
    back = ways[Orientation.EAST_WEST](cells)
    rows, columns = np.indices(back.shape)
    found = np.array([(columns * back).sum(), (rows * back).sum()]) / back.sum() - 20
    np.testing.assert_allclose(found, 10 * east + 5 * north, atol=0.5)


def test_brightness_is_what_stands_out_of_the_noise():
    rng = np.random.default_rng(0)
    pixels = rng.normal(5.0, 1.0, (60, 50))
    pixels[10:13, 40:44] += 100.0
    points = points_of_brightness(from_array(pixels, source="s"))
    mass = points[:, 2]
    assert (mass @ points[:, 0]) / mass.sum() == pytest.approx(41.5 - 24.5, abs=1.0)
    assert (mass @ points[:, 1]) / mass.sum() == pytest.approx(11 - 29.5, abs=1.0)
    clipped = np.zeros((9, 9), np.uint8)
    clipped[2:5, 2:5] = 4
    prepared = points_of_brightness(from_array(clipped, source="s"))
    assert sorted(map(tuple, prepared[:, :2])) == [(x, y) for x in (-2, -1, 0) for y in (-2, -1, 0)]
    np.testing.assert_allclose(prepared[:, 2], 2.0)


def test_pixels_outside_the_footprint_are_not_emission():
    pixels = np.zeros((20, 20))
    pixels[5:9, 5:9] = 1
    footprint = np.ones((20, 20), bool)
    footprint[:, 5:7] = False
    image = SourceImage(
        source="s",
        pixels=pixels,
        grid=PixelGrid(shape=(20, 20)),
        prepared=True,
        footprint=footprint,
    )
    assert {x + 9.5 for x in points_of_brightness(image)[:, 0]} == {7.0, 8.0}
