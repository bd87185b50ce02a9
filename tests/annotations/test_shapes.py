from __future__ import annotations

import math
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from regions import PixCoord, PolygonPixelRegion

from attnxai.annotations.shapes import Frame, Shape, ShapeKind
from attnxai.data.grid import PixelGrid
from attnxai.errors import AlignmentError, AnnotationError
from tests.data.skies import DEC, RA, SKIES, make_wcs

SHAPE = (81, 101)
CENTRE = (50.0, 40.0)


def grid_of(**values: Any) -> PixelGrid:
    return PixelGrid(shape=SHAPE, wcs=make_wcs(SHAPE, **values))


def on_sky(kind: ShapeKind, **values: Any) -> Shape:
    place: dict[str, Any] = {"x": RA + 0.004, "y": DEC + 0.006, **values}
    return Shape(kind=kind, frame=Frame.ICRS, **place)


def only(shape: Shape, grid: PixelGrid) -> Any:
    (region,) = shape.on_pixels(grid, source="a").to_regions()
    return region


def offsets(region: Any, name: str) -> Any:
    value = getattr(region, name)
    return np.array([value.x, value.y])


def same_axis(first_deg: float, second_deg: float) -> float:
    """Angle between two undirected axes."""
    return abs((first_deg - second_deg + 90) % 180 - 90)


class TestInPixels:
    def test_point(self) -> None:
        region = only(Shape(kind=ShapeKind.POINT, x=3.0, y=4.5), PixelGrid(shape=(9, 9)))
        assert offsets(region, "center").tolist() == [3.0, 4.5]

    def test_circle_covers_pixels_whose_centres_lie_in_it(self) -> None:
        region = only(Shape(kind=ShapeKind.CIRCLE, x=3, y=2, radius=1.1), PixelGrid(shape=(9, 9)))
        mask = region.to_mask(mode="center").to_image((9, 9))
        assert {tuple(p) for p in np.argwhere(mask)} == {(2, 3), (1, 3), (3, 3), (2, 2), (2, 4)}

    @pytest.mark.parametrize("kind", [ShapeKind.BOX, ShapeKind.ELLIPSE])
    def test_width_lies_along_x_and_turns_towards_y(self, kind: ShapeKind) -> None:
        def covers(angle: float, x: float, y: float) -> bool:
            shape = Shape(kind=kind, x=10, y=10, width=9, height=3, angle=angle)
            return bool(only(shape, PixelGrid(shape=(20, 20))).contains(PixCoord(x, y)))

        # full lengths: the ends lie 4.5 and 1.5 from the centre
        assert covers(0, 14, 10)
        assert not covers(0, 15, 10)
        assert covers(0, 10, 11)
        assert not covers(0, 10, 12)
        assert covers(45, 12.8, 12.8)
        assert not covers(45, 12.8, 7.2)
        assert covers(90, 10, 14)

    def test_polygon(self) -> None:
        shape = Shape(kind=ShapeKind.POLYGON, vertices=((1, 1), (5, 1), (1, 5)))
        region = only(shape, PixelGrid(shape=(9, 9)))
        assert region.contains(PixCoord(2, 2))
        assert not region.contains(PixCoord(4, 4))

    def test_line_is_one_region_a_segment(self) -> None:
        shape = Shape(kind=ShapeKind.LINE, vertices=((0, 1), (2, 3), (4, 1)))
        first, second = shape.on_pixels(PixelGrid(shape=(9, 9))).to_regions()
        assert offsets(first, "start").tolist() == [0, 1]
        assert offsets(first, "end").tolist() == [2, 3]
        assert offsets(second, "start").tolist() == [2, 3]
        assert offsets(second, "end").tolist() == [4, 1]

    def test_pixel_shapes_ignore_the_sky(self) -> None:
        shape = Shape(kind=ShapeKind.BOX, x=5, y=6, width=4, height=2, angle=20)
        here, there = only(shape, grid_of(turn_deg=77)), only(shape, PixelGrid(shape=SHAPE))
        assert (here.width, here.height, here.angle) == (there.width, there.height, there.angle)
        assert shape.to_regions()[0].angle == there.angle


class TestAgainstRegions:
    """North up and east left, where astropy regions and the table agree on what an angle is."""

    @pytest.fixture
    def grid(self) -> PixelGrid:
        return grid_of()

    def test_point(self, grid: PixelGrid) -> None:
        shape = on_sky(ShapeKind.POINT)
        expected = shape.to_regions()[0].to_pixel(grid.wcs)
        region = only(shape, grid)
        np.testing.assert_allclose(
            offsets(region, "center"), offsets(expected, "center"), atol=1e-6
        )

    def test_circle(self, grid: PixelGrid) -> None:
        shape = on_sky(ShapeKind.CIRCLE, radius=12.6)
        expected = shape.to_regions()[0].to_pixel(grid.wcs)
        region = only(shape, grid)
        np.testing.assert_allclose(
            offsets(region, "center"), offsets(expected, "center"), atol=1e-6
        )
        assert region.radius == pytest.approx(expected.radius, rel=1e-5)
        assert region.radius == pytest.approx(7.0, rel=1e-5)

    @pytest.mark.parametrize("kind", [ShapeKind.ELLIPSE, ShapeKind.BOX])
    @pytest.mark.parametrize("angle", [0.0, 25.0, 90.0, 140.0, 300.0])
    def test_ellipse_and_box(self, grid: PixelGrid, kind: ShapeKind, angle: float) -> None:
        shape = on_sky(kind, width=36.0, height=14.4, angle=angle)
        sky = shape.to_regions()[0]
        # the convention: position angle of the width = angle of regions + 90
        assert (sky.angle.to_value("deg") + 90.0 - angle) % 360.0 == pytest.approx(0.0)
        assert sky.width.to_value("arcsec") == 36.0
        assert sky.height.to_value("arcsec") == 14.4
        expected = sky.to_pixel(grid.wcs)
        region = only(shape, grid)
        np.testing.assert_allclose(
            offsets(region, "center"), offsets(expected, "center"), atol=1e-6
        )
        assert region.width == pytest.approx(expected.width, rel=1e-5)
        assert region.height == pytest.approx(expected.height, rel=1e-5)
        turned = same_axis(region.angle.to_value("deg"), expected.angle.to_value("deg"))
        assert turned == pytest.approx(0.0, abs=1e-2)

    def test_polygon_and_line(self, grid: PixelGrid) -> None:
        vertices = ((RA, DEC), (RA + 0.01, DEC + 0.002), (RA + 0.003, DEC + 0.011))
        polygon = Shape(kind=ShapeKind.POLYGON, frame=Frame.ICRS, vertices=vertices)
        expected = polygon.to_regions()[0].to_pixel(grid.wcs)
        found = only(polygon, grid)
        assert isinstance(found, PolygonPixelRegion)
        np.testing.assert_allclose(
            offsets(found, "vertices"), offsets(expected, "vertices"), atol=1e-6
        )
        line = Shape(kind=ShapeKind.LINE, frame=Frame.ICRS, vertices=vertices)
        segments = [segment.to_pixel(grid.wcs) for segment in line.to_regions()]
        regions = line.on_pixels(grid).to_regions()
        assert len(regions) == len(segments) == 2
        for region, segment in zip(regions, segments, strict=True):
            for end in ("start", "end"):
                np.testing.assert_allclose(offsets(region, end), offsets(segment, end), atol=1e-6)


@pytest.fixture(params=list(SKIES))
def sky_grid(request: pytest.FixtureRequest) -> PixelGrid:
    return grid_of(**SKIES[request.param])


class TestEveryOrientation:
    """Shapes land on the right pixels whatever the orientation, handedness and frame."""

    def start(self, grid: PixelGrid) -> SkyCoord:
        return grid.wcs.pixel_to_world(62.0, 31.0).icrs  # type: ignore[union-attr]

    def pixel(self, grid: PixelGrid, place: SkyCoord) -> Any:
        return np.array(grid.wcs.world_to_pixel(place))  # type: ignore[union-attr]

    def test_point_lands_on_its_pixel(self, sky_grid: PixelGrid) -> None:
        place = self.start(sky_grid)
        region = only(on_sky(ShapeKind.POINT, x=place.ra.deg, y=place.dec.deg), sky_grid)
        np.testing.assert_allclose(offsets(region, "center"), [62.0, 31.0], atol=1e-6)

    def test_circle(self, sky_grid: PixelGrid) -> None:
        place = self.start(sky_grid)
        shape = on_sky(ShapeKind.CIRCLE, x=place.ra.deg, y=place.dec.deg, radius=9.0)
        region = only(shape, sky_grid)
        np.testing.assert_allclose(offsets(region, "center"), [62.0, 31.0], atol=1e-6)
        assert region.radius == pytest.approx(5.0, rel=1e-4)

    @pytest.mark.parametrize("kind", [ShapeKind.ELLIPSE, ShapeKind.BOX])
    @pytest.mark.parametrize("angle", [0.0, 25.0, 90.0, 140.0])
    def test_width_axis_has_its_position_angle(
        self, sky_grid: PixelGrid, kind: ShapeKind, angle: float
    ) -> None:
        place = self.start(sky_grid)
        shape = on_sky(kind, x=place.ra.deg, y=place.dec.deg, width=36.0, height=7.2, angle=angle)
        region = only(shape, sky_grid)
        step = self.pixel(sky_grid, place.directional_offset_by(angle * u.deg, 5 * u.arcsec))
        direction = step - self.pixel(sky_grid, place)
        expected = math.degrees(math.atan2(direction[1], direction[0]))
        assert same_axis(region.angle.to_value("deg"), expected) == pytest.approx(0.0, abs=1e-2)
        assert region.width == pytest.approx(20.0, rel=1e-4)
        assert region.height == pytest.approx(4.0, rel=1e-4)

    @pytest.mark.parametrize("angle", [0.0, 55.0, 120.0])
    def test_bright_pixels_at_its_ends_lie_within(self, sky_grid: PixelGrid, angle: float) -> None:
        place = self.start(sky_grid)
        shape = on_sky(
            ShapeKind.BOX, x=place.ra.deg, y=place.dec.deg, width=36.0, height=9.0, angle=angle
        )
        mask = only(shape, sky_grid).to_mask(mode="center").to_image(SHAPE)
        for turn, distance, within in [
            (0, 15.0, True),
            (180, 15.0, True),
            (0, 21.0, False),
            (90, 2.0, True),
            (90, 9.0, False),
            (270, 9.0, False),
        ]:
            end = place.directional_offset_by((angle + turn) * u.deg, distance * u.arcsec)
            column, row = np.round(self.pixel(sky_grid, end)).astype(int)
            assert bool(mask[row, column]) is within

    def test_polygon_and_line_keep_their_corners(self, sky_grid: PixelGrid) -> None:
        corners = np.array([[20.0, 30.0], [60.0, 35.0], [45.0, 70.0]])
        places = sky_grid.wcs.pixel_to_world(corners[:, 0], corners[:, 1]).icrs  # type: ignore[union-attr]
        vertices = tuple(zip(places.ra.deg.tolist(), places.dec.deg.tolist(), strict=True))
        polygon = Shape(kind=ShapeKind.POLYGON, frame=Frame.ICRS, vertices=vertices)
        np.testing.assert_allclose(
            offsets(only(polygon, sky_grid), "vertices").T, corners, atol=1e-6
        )
        line = Shape(kind=ShapeKind.LINE, frame=Frame.ICRS, vertices=vertices)
        first, second = line.on_pixels(sky_grid).to_regions()
        np.testing.assert_allclose(offsets(first, "start"), corners[0], atol=1e-6)
        np.testing.assert_allclose(offsets(first, "end"), corners[1], atol=1e-6)
        np.testing.assert_allclose(offsets(second, "end"), corners[2], atol=1e-6)


@pytest.mark.parametrize(
    "shape",
    [
        on_sky(ShapeKind.POINT),
        on_sky(ShapeKind.CIRCLE, radius=3.0),
        on_sky(ShapeKind.LINE, vertices=((RA, DEC), (RA, DEC + 0.01))),
    ],
)
def test_sky_shapes_need_a_place_on_the_sky(shape: Shape) -> None:
    with pytest.raises(AlignmentError, match="source 'J1' are sky positions, but its image has no"):
        shape.on_pixels(PixelGrid(shape=SHAPE), source="J1").to_regions()


@pytest.mark.parametrize(
    "shape",
    [
        on_sky(ShapeKind.POINT, x=RA + 180.0, y=-DEC),
        on_sky(ShapeKind.ELLIPSE, x=RA + 180.0, y=-DEC, width=3.0, height=2.0),
        on_sky(ShapeKind.LINE, vertices=((RA, DEC), (RA + 180.0, -DEC))),
    ],
)
def test_positions_on_the_other_side_of_the_sky(shape: Shape) -> None:
    with pytest.raises(AlignmentError, match=r"source 'J1' .* cannot be shown by the projection"):
        shape.on_pixels(grid_of(), source="J1").to_regions()


def test_shapes_across_right_ascension_zero() -> None:
    grid = grid_of(centre=(0.0, 10.0))
    west = only(on_sky(ShapeKind.POINT, x=359.999, y=10.0), grid)
    east = only(on_sky(ShapeKind.POINT, x=0.001, y=10.0), grid)
    assert west.center.x - CENTRE[0] == pytest.approx(CENTRE[0] - east.center.x, abs=1e-6)
    assert west.center.x > CENTRE[0]
    box = only(on_sky(ShapeKind.BOX, x=0.0, y=10.0, width=18.0, height=9.0, angle=90.0), grid)
    assert (box.width, box.height) == pytest.approx((10.0, 5.0), rel=1e-5)


CIRCLE: dict[str, Any] = {"kind": ShapeKind.CIRCLE, "x": 1.0, "y": 2.0, "radius": 3.0}
PIXEL = "a coordinate from -1000000 to 1000000 pixels"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "square"}, "the kind of a shape has to be one of point, .*, line, got 'square'"),
        ({"frame": "fk5"}, "the frame of a shape has to be one of pixel, icrs, got 'fk5'"),
        ({"x": math.nan}, f"the x of a circle has to be {PIXEL}, got nan"),
        ({"y": math.inf}, f"the y of a circle has to be {PIXEL}, got inf"),
        ({"x": "3"}, f"the x of a circle has to be {PIXEL}, got '3'"),
        ({"x": 1e308}, f"the x of a circle has to be {PIXEL}, got 1e\\+308"),
        ({"frame": "icrs", "x": -0.1}, "has to be a right ascension from 0 to 360 degrees, got -0"),
        ({"frame": "icrs", "y": 91}, "has to be a declination from -90 to 90 degrees, got 91"),
        ({"radius": -1.0}, r"has to be a length from 1e-06 to 1000000 pixels, got -1\.0"),
        ({"radius": 0.0}, "radius of a circle has to be a length from 1e-06 to"),
        ({"frame": "icrs", "radius": 4e5}, "a length from 1e-06 to 324000 arcsec, got 400000"),
        ({"kind": "ellipse", "width": 3}, r"height of an ellipse has to be a length .*, got 0\.0"),
        ({"kind": "box", "width": 3, "height": 2, "angle": 361}, "an angle from -360 to 360 deg"),
        ({"kind": "line"}, r"vertices of a line have to be a list of 2 or more .*, got \(\)"),
        ({"kind": "polygon", "vertices": [(1, 2), (3, 4), (1, 2)]}, "list of 3 or more different"),
        (
            {"kind": "line", "vertices": [(0, 1), (2, math.nan)]},
            rf"have to be a list of positions, each with {PIXEL} \(number 2 has nan\), got \(\(0",
        ),
        ({"vertices": [(1, 2, 3)]}, r"have to be pairs \(x, y\), got \[\(1, 2, 3\)\]"),
        ({"vertices": 7}, r"have to be pairs \(x, y\), got 7"),
    ],
)
def test_a_shape_of_any_reader_is_checked(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        Shape(**(CIRCLE | wrong))


def test_a_point_needs_a_place() -> None:
    with pytest.raises(AnnotationError, match="the x of a point has to be a coordinate"):
        Shape(kind=ShapeKind.POINT)


def test_names_arrays_and_fields_without_use() -> None:
    shape = Shape(**(CIRCLE | {"kind": "line", "frame": "icrs", "vertices": np.eye(2), "x": 999.0}))
    assert (shape.kind, shape.frame) == (ShapeKind.LINE, Frame.ICRS)
    assert shape.vertices == ((1.0, 0.0), (0.0, 1.0)) == shape.points
    assert Shape(**CIRCLE).points == ((1.0, 2.0),)
    box = Shape(kind=ShapeKind.BOX, x=np.float64(1), y=2, width=1e-6, height=1e6)
    assert box.to_regions()[0].height == 1e6


def test_a_projection_may_exceed_the_limits_of_what_is_drawn() -> None:
    wcs = make_wcs(SHAPE)
    wcs.wcs.cdelt = [-1e-10, 1e-10]
    (region,) = (
        on_sky(ShapeKind.CIRCLE, radius=3600.0)
        .on_pixels(PixelGrid(shape=SHAPE, wcs=wcs))
        .to_regions()
    )
    assert region.radius == pytest.approx(1e10, rel=1e-3)
    assert region.center.x < -1e6
