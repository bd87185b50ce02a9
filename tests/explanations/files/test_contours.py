"""Contours of high attention as DS9 regions."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from regions import PixCoord, PolygonPixelRegion, PolygonSkyRegion, Regions

from attnxai.data.grid import PixelGrid, RowZero
from attnxai.explanations.files.contours import (
    HALF,
    HIGHEST,
    contours,
    high_levels,
    write_regions,
)
from attnxai.explanations.stack import MapStack
from tests.explanations.files.skies import SHAPE, images, sky, stack

ROW, COLUMN = 5, 2


def bright(n: int = 4) -> MapStack:
    """A bright pixel in each layer."""
    layers = {layer: np.zeros_like(maps) for layer, maps in stack(n).layers.items()}
    for maps in layers.values():
        maps[:, ROW, COLUMN] = 1.0
    return stack(n, layers=layers)


def expected(maps: MapStack, layer: str, i: int) -> tuple[float, float]:
    grid = maps.geometry[layer].within(maps.field[i])
    return grid.origin_x + COLUMN * grid.step, grid.origin_y + ROW * grid.step


@pytest.mark.parametrize("angle", [0.0, 33.0])
def test_regions_on_the_sky_enclose_the_bright_pixel(angle: float, tmp_path: Path) -> None:
    maps, of = bright(), images(angle=angle)
    assert write_regions(tmp_path, maps, of) == []
    for i, image in enumerate(of):
        found = Regions.read(tmp_path / f"{image.source}.reg", format="ds9")
        tags = [tuple(region.meta["tag"]) for region in found]
        assert tags == [(layer, name) for layer in maps.layers for name in (HIGHEST, HALF)]
        for region in found:
            assert isinstance(region, PolygonSkyRegion)
            layer = region.meta["tag"][0]
            polygon = region.to_pixel(sky(i, angle=angle))
            x, y = expected(maps, layer, i)
            assert polygon.contains(PixCoord(x, y))
            step = maps.geometry[layer].step
            assert polygon.area < step**2
            centre = polygon.vertices.x.mean(), polygon.vertices.y.mean()
            np.testing.assert_allclose(centre, (x, y), atol=0.1)


def test_regions_without_coordinates_are_in_pixels_as_ds9_shows_the_image(tmp_path: Path) -> None:
    maps = bright()
    for row_zero, name in ((RowZero.BOTTOM, "fits"), (RowZero.TOP, "png")):
        grid = PixelGrid(shape=SHAPE, pixel_scale_arcsec=1.8, row_zero=row_zero)
        of = [dataclasses.replace(image, grid=grid) for image in images()]
        (tmp_path / name).mkdir()
        write_regions(tmp_path / name, maps, of)
        (region, *_) = Regions.read(tmp_path / name / "J1+4.reg", format="ds9")
        assert isinstance(region, PolygonPixelRegion)
        x, y = expected(maps, "gate1", 1)
        shown = SHAPE[0] - 1 - y if row_zero is RowZero.TOP else y
        assert region.contains(PixCoord(x, shown))
    write_regions(tmp_path, maps)
    assert "image" in (tmp_path / "J0+4.reg").read_text(encoding="utf-8")


def test_levels_enclose_the_pixels_that_they_name() -> None:
    values = np.random.default_rng(0).normal(size=(30, 30))
    levels = high_levels(values)
    assert (values > levels[HIGHEST]).sum() == 45
    positive = values[values > 0].sum()
    inside = values[values > levels[HALF]]
    assert inside.sum() >= positive / 2
    assert inside.sum() - inside.min() < positive / 2


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (np.zeros((4, 4)), set()),
        (-np.eye(4), set()),  # the 95 % quantile is the highest value, and nothing is positive
        (np.eye(4), {HALF}),
        (np.arange(16.0).reshape(4, 4) - 20, {HIGHEST}),
        (np.full((4, 4), 2.0), set()),
    ],
)
def test_levels_that_no_pixel_or_every_pixel_exceeds_are_left_out(values, names) -> None:
    assert set(high_levels(values)) == names


def test_contours_close_at_the_border_and_around_holes() -> None:
    values = np.zeros((9, 9))
    values[:5, :5] = 1.0
    values[2, 2] = 0.0
    found = contours(values, 0.5)
    assert len(found) == 2
    outer = max(found, key=lambda line: float(np.ptp(line)))
    np.testing.assert_allclose(outer.min(axis=0), [-0.5, -0.5], atol=0.05)
    np.testing.assert_allclose(outer.max(axis=0), [4.5, 4.5], atol=0.05)


def test_constant_maps_and_odd_names_make_valid_files(tmp_path: Path) -> None:
    layers = {"a{b}\nc": np.zeros((2, 8, 8)), "grad cam 3.6″": np.zeros((2, 34, 34))}
    layers["a{b}\nc"][1, 2, 2] = 1.0
    geometry = dict(zip(layers, stack(2).geometry.values(), strict=True))
    maps = stack(2, layers=layers, geometry=geometry, means={}, sources=("x/y", "z"))
    assert write_regions(tmp_path, maps) == ["x/y"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x_y.reg", "z.reg"]
    found = Regions.read(tmp_path / "z.reg", format="ds9")
    assert found[0].meta["tag"] == ["a b c", HIGHEST]


def test_maps_written_in_several_calls_have_files_of_their_own(tmp_path: Path) -> None:
    maps = dataclasses.replace(bright(2), sources=("a/b", "a_b"))
    names = {"a/b": "a_b", "a_b": "a_b_2"}
    for i in range(2):
        write_regions(tmp_path, maps.take([i]), names=names)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a_b.reg", "a_b_2.reg"]
