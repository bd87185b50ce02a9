"""Shapes on pixels: by hand, against astropy regions, and under every symmetry."""

from __future__ import annotations

import dataclasses
import itertools
import time
from typing import Any, ClassVar

import numpy as np
import pytest

from attnxai.alignment.coverage import area_coverages
from attnxai.alignment.rasterise import (
    Drawing,
    draw_annotations,
    rasterise_annotations,
)
from attnxai.annotations import Annotation, Shape, ShapeKind
from attnxai.data.grid import GridTransform, PixelGrid
from attnxai.data.smoothing import FWHM_PER_SIGMA
from tests.builders import made_up

SHAPE = (40, 50)


def mark(kind: str, **values: Any) -> Annotation:
    own = {name: values.pop(name) for name in ("weight", "operation", "group") if name in values}
    return Annotation(source="s", annotator="a", shape=Shape(kind=ShapeKind(kind), **values), **own)


def draw(*marks: Annotation, fwhm: float = 3.0, side: tuple[int, int] = SHAPE) -> Drawing:
    return rasterise_annotations(marks, PixelGrid(shape=side), fwhm=fwhm)


def centroid(density):
    rows, columns = np.mgrid[: density.shape[0], : density.shape[1]]
    return (density * columns).sum() / density.sum(), (density * rows).sum() / density.sum()


AREAS = {
    "circle": mark("circle", x=20.3, y=11.8, radius=4.2),
    "ellipse": mark("ellipse", x=22.0, y=15.0, width=14.0, height=5.0, angle=30.0),
    "box": mark("box", x=25.2, y=18.7, width=12.0, height=6.0, angle=70.0),
    "polygon": mark("polygon", vertices=[(10.2, 5.1), (30.1, 9.2), (20.3, 28.4)]),
}


@pytest.mark.parametrize("name", AREAS)
def test_densities_and_masks_of_areas_against_astropy_regions(name):
    annotation = AREAS[name]
    density, mask = draw(annotation)
    (region,) = annotation.shape.on_pixels(PixelGrid(shape=SHAPE)).to_regions()
    exact = "exact" if name in ("circle", "ellipse") else "subpixels"
    theirs = region.to_mask(mode=exact, subpixels=40).to_image(SHAPE)
    np.testing.assert_allclose(density, theirs, atol=1e-10 if exact == "exact" else 0.02)
    # as many pixels as are covered, and those that are covered most
    assert mask.sum() == round(density.sum()) == round(theirs.sum())
    assert density[mask].min() >= density[~mask].max()
    assert (density[mask] > 0.4).all()


def test_whole_pixel_boxes_by_hand():
    """On whole centres the sides run through the middles of pixels."""

    def box(width: float, height: float) -> Drawing:
        return draw(mark("box", x=6, y=3, width=width, height=height), side=(7, 13))

    density, mask = box(8, 2)
    row = np.array([0, 0, 0.5, 1, 1, 1, 1, 1, 1, 1, 0.5, 0, 0])
    np.testing.assert_allclose(density, np.outer([0, 0, 0.5, 1, 0.5, 0, 0], row))
    # 16 pixels: 7 whole ones, and of the halves those with the smallest y, then x
    assert mask.sum() == 16
    assert mask[2].nonzero()[0].tolist() == list(range(3, 10))
    assert mask[3].nonzero()[0].tolist() == list(range(2, 11))
    density, mask = box(2, 2)
    np.testing.assert_allclose(
        density[2:5, 5:8], [[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]]
    )
    assert np.argwhere(mask).tolist() == [[2, 6], [3, 5], [3, 6], [3, 7]]
    assert np.argwhere(box(1, 1).mask).tolist() == [[3, 6]]
    assert box(1, 1).density.sum() == 1
    large = draw(mark("box", x=25, y=20, width=40, height=30))
    assert (large.density.sum(), large.mask.sum()) == (1200, 1200)
    turned = draw(mark("box", x=25, y=20, width=30, height=40, angle=90))
    np.testing.assert_array_equal(turned.density, large.density)


def test_a_polygon_traced_twice_is_one():
    corners = [(16.0, 15.0), (28.0, 15.0), (28.0, 25.0), (16.0, 25.0)]
    once, twice = (draw(mark("polygon", vertices=corners * n)) for n in (1, 2))
    np.testing.assert_array_equal(once.density, twice.density)
    assert once.density.sum() == pytest.approx(120)
    assert once.mask.sum() == twice.mask.sum() == 120


def test_a_point_is_a_disc_and_a_gaussian_of_the_stated_width():
    point = mark("point", x=20.0, y=11.0)
    expected = {(11, 20), (10, 20), (12, 20), (11, 19), (11, 21)}
    expected |= {(10, 19), (10, 21), (12, 19), (12, 21)}
    assert set(map(tuple, np.argwhere(draw(point).mask).tolist())) == expected
    density = draw(point, fwhm=6.0).density
    assert density[11, 20] == 1.0
    # half of the peak at half of the full width
    assert density[11, 23] == pytest.approx(0.5)
    assert density[8, 20] == pytest.approx(0.5)
    assert pytest.approx(2.5480, abs=1e-4) == 6.0 / FWHM_PER_SIGMA


@pytest.mark.parametrize(
    "thin",
    [
        mark("point", x=20.0, y=11.0),
        mark("line", vertices=[(10.0, 11.0), (20.0, 11.0)]),
    ],
)
def test_densities_end_at_three_standard_deviations(thin):
    """Six pixels away is 2.99 standard deviations of 2.007 pixels, and 3.01 of those of 1.993."""
    within = draw(thin, fwhm=2.007 * 2.354820045).density
    assert within[11, 26] == pytest.approx(np.exp(-0.5 * (6 / 2.007) ** 2))
    assert within[17, 20] == pytest.approx(np.exp(-0.5 * (6 / 2.007) ** 2))
    assert within[11, 27] == 0.0
    beyond = draw(thin, fwhm=1.993 * 2.354820045).density
    assert beyond[11, 26] == beyond[17, 20] == 0.0
    assert beyond[11, 25] > 0.04


def test_a_line_has_width_and_ends():
    line = mark("line", vertices=[(10.0, 20.0), (30.0, 20.0)], weight=0.8)
    mask = draw(line).mask
    assert mask[20, 10:31].all()
    assert mask[19, 15]
    assert not mask[18, 15]
    assert mask[20, 9]
    assert not mask[20, 8]
    density = draw(line, fwhm=4.0).density
    assert density[20, 20] == pytest.approx(0.8)
    assert density[22, 20] == pytest.approx(0.4)


def test_a_line_is_the_nearest_of_its_segments():
    """Against the distance to each of them, pixel by pixel."""
    vertices = np.random.default_rng(3).uniform(-5, 45, (9, 2))
    density, mask = draw(mark("line", vertices=vertices), fwhm=4.0)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    centres = np.stack([columns, rows], axis=-1).astype(float)
    nearest = np.full(SHAPE, np.inf)
    for start, end in itertools.pairwise(vertices):
        along = end - start
        share = np.clip((centres - start) @ along / (along @ along), 0, 1)[..., None]
        nearest = np.minimum(nearest, np.linalg.norm(centres - start - share * along, axis=-1))
    sigma = 4.0 / 2.354820045
    expected = np.where(nearest <= 3 * sigma, np.exp(-0.5 * (nearest / sigma) ** 2), 0)
    np.testing.assert_allclose(density, expected, atol=1e-12)
    np.testing.assert_array_equal(mask, nearest <= 2.0)


def test_lines_narrower_than_a_pixel_mark_the_pixels_of_their_middles():
    line = mark("line", vertices=[(10.4, 20.4), (10.4, 20.4001), (10.4, 22.4)])
    density, mask = draw(line, fwhm=0.1)
    assert np.argwhere(mask).tolist() == np.argwhere(density).tolist() == [[20, 10], [21, 10]]


def test_shapes_of_less_than_half_a_pixel_mark_the_pixel_that_they_cover_most():
    density, mask = draw(mark("circle", x=20.4, y=11.4, radius=0.2, weight=0.5))
    assert np.argwhere(mask).tolist() == [[11, 20]]
    assert density.sum() == pytest.approx(0.5 * np.pi * 0.04)
    assert density.argmax() == 11 * SHAPE[1] + 20
    for radius in (1e-6, 0.2):
        assert draw(mark("circle", x=20.0, y=11.0, radius=radius)).mask.sum() == 1
    # one that is cut by the edge of the field counts by what lies within
    assert not draw(mark("circle", x=-30.0, y=11.4, radius=0.2)).mask.any()
    sliver = draw(mark("box", x=-5.0, y=11.0, width=9.1, height=2.0))
    assert sliver.density.sum() == pytest.approx(0.1)
    assert not sliver.mask.any()


def test_a_polygon_without_an_area_is_a_line():
    there_and_back = [(10.0, 20.0), (20.0, 20.0), (30.0, 20.0)]
    found = draw(mark("polygon", vertices=there_and_back))
    line = draw(mark("line", vertices=[(10.0, 20.0), (30.0, 20.0)]))
    np.testing.assert_allclose(found.density, line.density)
    np.testing.assert_array_equal(found.mask, line.mask)


def test_marking_twice_does_not_count_twice():
    circle = {"x": 20.0, "y": 11.0, "radius": 4.0}
    once = draw(mark("circle", **circle, weight=0.7))
    twice = draw(mark("circle", **circle, weight=0.7), mark("circle", **circle, weight=0.3))
    np.testing.assert_array_equal(once.density, twice.density)


class TestSubtracting:
    outer = mark("circle", x=25.2, y=19.7, radius=9.0, group="ring")
    hole: ClassVar[dict[str, Any]] = {"x": 25.2, "y": 19.7, "radius": 4.5, "operation": "subtract"}

    def test_an_annulus(self) -> None:
        density, mask = draw(self.outer, mark("circle", **self.hole, group="ring"))
        area = np.pi * (9.0**2 - 4.5**2)
        assert density.sum() == pytest.approx(area)
        assert mask.sum() == round(area)
        assert density[20, 25] == 0
        assert not mask[20, 25]

    def test_a_group_is_left_alone_by_others(self) -> None:
        whole = draw(self.outer).density
        other = draw(self.outer, mark("circle", **self.hole, group="other"))
        np.testing.assert_array_equal(other.density, whole)
        all_of_them = draw(self.outer, mark("circle", **self.hole))
        assert all_of_them.density[20, 25] == 0

    def test_the_order_does_not_matter(self) -> None:
        hole = mark("circle", **self.hole, group="ring")
        first, second = draw(self.outer, hole), draw(hole, self.outer)
        np.testing.assert_array_equal(first.density, second.density)

    def test_another_shape_may_mark_the_hole_again(self) -> None:
        core = mark("box", x=25.0, y=20.0, width=2.0, height=2.0, group="core")
        density, mask = draw(self.outer, mark("circle", **self.hole, group="ring"), core)
        assert density[20, 25] == 1
        assert mask[20, 25]

    def test_a_polygon_with_a_hole(self) -> None:
        square = [(10.0, 10.0), (20.0, 10.0), (20.0, 20.0), (10.0, 20.0)]
        inner = [(13.0, 13.0), (16.5, 13.0), (16.5, 16.0)]
        density, mask = draw(
            mark("polygon", vertices=square),
            mark("polygon", vertices=inner, operation="subtract"),
        )
        assert density.sum() == pytest.approx(100 - 3.5 * 3 / 2)
        assert mask.sum() == 95

    def test_what_is_subtracted_whole_leaves_nothing(self) -> None:
        circle = {"x": 25.2, "y": 19.7, "radius": 9.0}
        density, mask = draw(
            mark("circle", **circle), mark("circle", **circle, operation="subtract")
        )
        assert not density.any()
        assert not mask.any()

    def test_points_and_lines(self) -> None:
        line = mark("line", vertices=[(10.0, 20.0), (40.0, 20.0)])
        whole, cut = draw(line), draw(line, mark("circle", **self.hole))
        np.testing.assert_array_equal(cut.density[20, :20], whole.density[20, :20])
        assert not cut.density[20, 22:29].any()
        assert not cut.mask[20, 22:29].any()
        assert cut.mask[20, 32]


def test_the_field_may_be_a_part_of_the_image_or_have_other_pixels():
    point = [mark("point", x=100.0, y=60.0)]
    image = PixelGrid(shape=(200, 200))
    crop = GridTransform(origin_x=80.0, origin_y=50.0)
    density, _ = rasterise_annotations(point, image, crop, SHAPE, fwhm=4.0)
    assert centroid(density) == pytest.approx((20.0, 10.0), abs=1e-6)
    coarse = GridTransform(step=2.5, origin_x=60.0, origin_y=30.0)
    density, _ = rasterise_annotations(point, image, coarse, SHAPE, fwhm=10.0)
    assert centroid(density) == pytest.approx((16.0, 12.0), abs=1e-6)
    assert density[12, 18] == pytest.approx(0.5)
    circle = [mark("circle", x=100.0, y=60.0, radius=20.0)]
    density, mask = rasterise_annotations(circle, image, coarse, SHAPE, fwhm=10.0)
    assert centroid(density) == pytest.approx((16.0, 12.0), abs=1e-6)
    assert density.sum() == pytest.approx(np.pi * 8.0**2)
    assert mask.sum() == round(np.pi * 8.0**2)


@pytest.mark.parametrize("operation", range(8))
def test_shapes_turn_with_the_image(operation):
    """A shape drawn on a turned image covers the turned pixels."""
    side = 41
    middle = (side - 1) / 2
    quarter = operation % 4

    def turned(array):
        array = np.rot90(array, quarter)
        return array[:, ::-1] if operation >= 4 else array

    def moved(x, y):
        for _ in range(quarter):
            x, y = y, 2 * middle - x
        return (2 * middle - x, y) if operation >= 4 else (x, y)

    angle = 25.0
    direction = np.array(
        moved(middle + np.cos(np.radians(angle)), middle + np.sin(np.radians(angle)))
    )
    direction -= middle
    new_angle = float(np.degrees(np.arctan2(direction[1], direction[0])))
    x, y = moved(14.2, 25.7)
    for kind in ("ellipse", "box"):
        axes = {"width": 15.0, "height": 6.0}
        before = draw(mark(kind, x=14.2, y=25.7, angle=angle, **axes), side=(side, side))
        after = draw(mark(kind, x=x, y=y, angle=new_angle, **axes), side=(side, side))
        np.testing.assert_allclose(after.density, turned(before.density), atol=1e-10)
        np.testing.assert_array_equal(after.mask, turned(before.mask))
    point = draw(mark("point", x=14.2, y=25.7), side=(side, side)).density
    turned_point = draw(mark("point", x=x, y=y), side=(side, side)).density
    np.testing.assert_allclose(turned_point, turned(point), atol=1e-12)


def test_pixels_at_half_the_width_from_a_point_or_line_are_covered():
    mask = draw(mark("point", x=20.0, y=11.0), fwhm=4.0).mask
    assert mask[11, 22]
    assert mask.sum() == 13  # of a disc of radius 2
    line = mark("line", vertices=[(10.0, 20.0), (30.0, 20.0)])
    assert draw(line, fwhm=4.0).mask[:, 20].sum() == 5


def test_windows_hold_all_that_is_covered():
    rng = np.random.default_rng(5)
    for kind in ("circle", "ellipse", "box", "polygon"):
        for _ in range(20):
            x, y = rng.uniform(-8, 55, 2)
            lengths = {"width": 9.0, "height": 2.5, "radius": 4.0, "angle": rng.uniform(-180, 180)}
            vertices = rng.uniform(-6, 6, (5, 2)) + np.array([x, y])
            shape = Shape(kind=ShapeKind(kind), x=x, y=y, vertices=vertices, **lengths)
            placed = shape.on_pixels(PixelGrid(shape=SHAPE))
            ((window, covered),) = area_coverages([placed], SHAPE)
            # the same on a field so large that nothing is cut off
            far, larger = (
                shape.on_pixels(PixelGrid(shape=SHAPE)).on_field(
                    GridTransform(origin_x=-30.0, origin_y=-30.0)
                ),
                np.zeros((100, 110)),
            )
            ((whole_window, whole),) = area_coverages([far], larger.shape)
            larger[whole_window] = whole
            field = np.zeros(SHAPE)
            field[window] = covered
            np.testing.assert_allclose(field, larger[30:70, 30:80], atol=1e-9)


def test_thousands_of_vertices_take_moments():
    import time

    turn = np.linspace(0, 20, 5000)
    vertices = np.stack([25 + 3 * turn * np.cos(turn), 20 + 3 * turn * np.sin(turn)], axis=1)
    before = time.perf_counter()
    draw(mark("line", vertices=vertices), mark("polygon", vertices=vertices))
    assert time.perf_counter() - before < 5  # 0.3 s on an idle machine


def test_many_sources_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks of a whole set are drawn as those of each source and annotator alone, in whatever portions."""
    maps, marks, images = made_up()
    rng = np.random.default_rng(3)
    shapes = [area.shape for area in AREAS.values()]
    shapes += [Shape(kind=ShapeKind.LINE, vertices=((1.0, 2.0), (40.0, 9.5)))]
    others = tuple(
        dataclasses.replace(
            a,
            shape=shapes[i % 5],
            operation="subtract" if i % 5 < 4 and rng.random() < 0.2 else "add",
        )
        for i, a in enumerate(marks.annotations * 3)
    )
    marks = dataclasses.replace(marks, annotations=marks.annotations + others)
    grids = {image.source: image.grid for image in images}
    positions = range(len(maps.sources))
    found = draw_annotations(maps, positions, marks, grids, 5.4)
    for row, annotator in enumerate(marks.annotators):
        for column, source in enumerate(maps.sources):
            alone = rasterise_annotations(
                marks.of(source, annotator),
                grids[source],
                maps.field[column],
                maps.field_shape,
                fwhm=5.4 / (maps.field_scale_arcsec / maps.field[column].step),
            )
            np.testing.assert_allclose(found.density[row, column], alone.density, atol=1e-7)
            np.testing.assert_array_equal(found.mask[row, column], alone.mask)
    monkeypatch.setattr("attnxai.alignment.rasterise._MOST_TOGETHER", 5)
    again = draw_annotations(maps, positions, marks, grids, 5.4)
    np.testing.assert_array_equal(found.density, again.density)
    assert found.n_outside == again.n_outside


def test_a_line_of_thousands_of_vertices_and_a_crowd_take_a_moment() -> None:
    turn = np.linspace(0, 40, 5000)
    vertices = tuple(
        zip((75 + turn * np.cos(turn)).tolist(), (75 + turn * np.sin(turn)).tolist(), strict=True)
    )
    line = mark("line", vertices=vertices)
    rng = np.random.default_rng(0)
    crowd = [
        mark("ellipse", x=x, y=y, width=9.0, height=4.0, angle=30.0)
        for x, y in rng.uniform(20, 130, (2000, 2))
    ]
    start = time.process_time()
    draw(line, *crowd, side=(150, 150))
    assert time.process_time() - start < 3
