from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from astropy.wcs import WCS
from regions import PixCoord

from attnxai.alignment.coverage import area_coverages
from attnxai.annotations.pixel_shapes import place_on_pixels
from attnxai.annotations.shapes import Frame, Shape, ShapeKind
from attnxai.data.grid import FilePixels, PixelGrid
from attnxai.data.sky import pixel_to_sky

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
    (drawn,) = shape.on_pixels(PixelGrid(shape=(40, 50))).to_regions()
    (carried,) = shape.on_pixels(PixelGrid(shape=(120, 110), file_pixels=FILES[file])).to_regions()
    x, y = np.meshgrid(np.arange(0, 110, 0.5) + 0.01, np.arange(0, 120, 0.5) + 0.01)
    inside = drawn.contains(PixCoord(*FILES[file].from_grid(x, y)))
    assert inside.sum() > 500
    np.testing.assert_array_equal(carried.contains(PixCoord(x, y)), inside)


@pytest.mark.parametrize("file", FILES)
def test_points_and_lines(file: str) -> None:
    grid = PixelGrid(shape=(120, 110), file_pixels=FILES[file])
    (point,) = Shape(kind=ShapeKind.POINT, x=3.0, y=4.5).on_pixels(grid).to_regions()
    np.testing.assert_allclose([point.center.x, point.center.y], FILES[file].to_grid(3.0, 4.5))
    line = Shape(kind=ShapeKind.LINE, vertices=((1.0, 2.0), (5.0, 2.0), (5.0, 9.0)))
    first, second = line.on_pixels(grid).to_regions()
    np.testing.assert_allclose([first.start.x, first.start.y], FILES[file].to_grid(1.0, 2.0))
    np.testing.assert_allclose([second.end.x, second.end.y], FILES[file].to_grid(5.0, 9.0))


def test_what_stays_a_circle_or_a_box() -> None:
    """Turned by a quarter and enlarged, shapes keep their kind; skewed, they do not."""
    turned = FilePixels(shape=(40, 50), matrix=((0.0, -2.0), (2.0, 0.0)), origin=(90.0, 0.0))
    for file, kinds in (
        (turned, ("circle", "ellipse", "box")),
        (FILES["skewed"], ("ellipse", "ellipse", "polygon")),
    ):
        grid = PixelGrid(shape=(120, 110), file_pixels=file)
        found = [Shape(kind=ShapeKind(k), **SHAPES[k]).on_pixels(grid) for k in list(SHAPES)[:3]]
        assert tuple(shape.kind for shape in found) == kinds
    assert Shape(kind=ShapeKind.BOX, **SHAPES["box"]).on_pixels(
        PixelGrid(shape=(120, 110), file_pixels=turned)
    ).angle_deg == pytest.approx(70.0)


class TestPlacing:
    """Shapes on the sky, in pixels."""

    def wcs(
        self, proj: str = "TAN", *, dec: float = 30.0, off: float = 0.0, arcsec: float = 1.8
    ) -> WCS:
        turn, step = 0.6, arcsec / 3600
        cd = {
            "CD1_1": -math.cos(turn),
            "CD1_2": math.sin(turn),
            "CD2_1": math.sin(turn),
            "CD2_2": math.cos(turn),
        }
        return WCS(
            {"CTYPE1": f"RA---{proj}", "CTYPE2": f"DEC--{proj}", "CRVAL1": 150.0, "CRVAL2": dec,
             "CRPIX1": 41.0 + off, "CRPIX2": 41.0 + off / 2, **{name: value * step for name, value in cd.items()}}
        )  # fmt: skip

    @pytest.mark.parametrize("kind", ["circle", "ellipse", "box"])
    @pytest.mark.parametrize(
        "place",
        [
            {},
            {"dec": 89.99},
            {"off": 8000.0},
            {"proj": "SIN", "off": 8000.0},
            {"dec": 80.0, "off": 300.0, "arcsec": 60.0},
        ],
        ids=["turned", "near the pole", "far off", "far off, SIN", "large pixels far off"],
    )
    def test_against_great_circles(self, kind: str, place: dict[str, Any]) -> None:
        """Distance and position angle of positions within the pixels, from the centre of the shape."""
        n, size = 12, 81
        wcs = self.wcs(**place)
        scale = place.get("arcsec", 1.8)
        x, y = np.meshgrid(*[(np.arange(size * n) + 0.5) / n - 0.5] * 2)
        ra, dec = pixel_to_sky(wcs, [43.2, *x.ravel()], [38.7, *y.ravel()])
        shape = Shape(
            kind=ShapeKind(kind), frame=Frame.ICRS, x=ra[0], y=dec[0],
            width=40 * scale, height=17 * scale, radius=15 * scale, angle=35.0,
        )  # fmt: skip
        ra, dec, ra0, dec0 = np.radians(ra[1:]), np.radians(dec[1:]), *np.radians([ra[0], dec[0]])
        east = np.cos(dec) * np.sin(ra - ra0)
        north = np.sin(dec) * np.cos(dec0) - np.cos(dec) * np.sin(dec0) * np.cos(ra - ra0)
        towards = np.sin(dec) * np.sin(dec0) + np.cos(dec) * np.cos(dec0) * np.cos(ra - ra0)
        distance = np.degrees(np.arctan2(np.hypot(east, north), towards)) * 3600 / scale
        turn = np.arctan2(east, north) - math.radians(35.0)
        along, across = distance * np.cos(turn), distance * np.sin(turn)
        inside = {
            "circle": distance <= 15,
            "ellipse": (along / 20) ** 2 + (across / 8.5) ** 2 <= 1,
            "box": (np.abs(along) <= 20) & (np.abs(across) <= 8.5),
        }[kind]
        truth = inside.reshape(size, n, size, n).mean(axis=(1, 3))
        placed = shape.on_pixels(PixelGrid(shape=(size, size), wcs=wcs))
        ((window, covered),) = area_coverages([placed], (size, size))
        drawn = np.zeros((size, size))
        drawn[window] = covered
        assert np.minimum(drawn, truth).sum() / np.maximum(drawn, truth).sum() > 0.99

    def test_together_as_alone(self) -> None:
        grid = PixelGrid(shape=(81, 81), wcs=self.wcs())
        corners = ((150.0, 30.0), (150.01, 30.0), (150.0, 30.01))
        lengths: dict[str, Any] = {"width": 19.0, "height": 7.0, "radius": 7.2, "angle": 35.0}
        shapes = [
            Shape(kind=kind, frame=frame, x=150.0, y=30.0, vertices=corners, **lengths)
            for kind in ShapeKind
            for frame in Frame
        ]
        for alone, together in zip(
            (s.on_pixels(grid) for s in shapes), place_on_pixels(shapes, grid), strict=True
        ):
            assert together is not None
            assert together.kind is alone.kind
            np.testing.assert_allclose(together.points, alone.points, atol=1e-9)
            assert (together.width, together.height) == pytest.approx((alone.width, alone.height))

    def test_what_cannot_be_shown(self) -> None:
        grid = PixelGrid(shape=(81, 81), wcs=self.wcs())
        here, there = (
            Shape(kind=ShapeKind.POINT, frame=Frame.ICRS, x=ra, y=dec)
            for ra, dec in ((150.0, 30.0), (330.0, -30.0))
        )
        found, lost = place_on_pixels([here, there], grid)
        assert found is not None
        assert lost is None


@pytest.mark.parametrize("kind", ["circle", "ellipse", "box", "polygon"])
def test_bounds_hold_the_outline(kind: str) -> None:
    drawn = Shape(kind=ShapeKind(kind), **SHAPES[kind]).on_pixels(PixelGrid(shape=(40, 50)))
    low, high = drawn.outline(4000).min(axis=0), drawn.outline(4000).max(axis=0)
    assert drawn.bounds == pytest.approx((low[0], high[0], low[1], high[1]), abs=1e-3)
