"""Outlines of masks: pixel for pixel what was marked, with holes, corners that touch and borders of the image."""

from __future__ import annotations

import time

import numpy as np
import pytest
from regions import PixCoord, PolygonPixelRegion
from scipy import ndimage

from attnxai.alignment.coverage import area_coverages
from attnxai.annotations import pixel_outlines
from attnxai.annotations.pixel_outlines import PixelArea, pixels_within, trace_areas
from attnxai.annotations.pixel_shapes import PixelShape
from attnxai.annotations.shapes import ShapeKind
from attnxai.errors import AnnotationError


def picture(text: str) -> np.ndarray:
    """Rows as they are counted, ``.`` for 0."""
    return np.array([[int(c) if c != "." else 0 for c in row] for row in text.split()])


MASKS = {
    "one pixel": picture("... .1. ..."),
    "all pixels": picture("11 11"),
    "corner": picture("1.. .1. ..1"),
    "ring": picture("111 1.1 111"),
    "open ring": picture(".11 1.1 111"),
    "two holes at a corner": picture("11111 1.111 11.11 11111"),
    "island in a hole": picture("11111 1...1 1.2.1 1...1 11111"),
    "two values": picture("112 122 .11"),
    "checks": np.indices((6, 7)).sum(axis=0) % 2,
}


def covered(area: PixelArea, shape: tuple[int, int]) -> np.ndarray:
    """Covered fractions of the polygons of an area, less its holes."""
    total = np.zeros(shape)
    for sign, outline in ((1, area.outline), *((-1, hole) for hole in area.holes)):
        polygon = PixelShape(kind=ShapeKind.POLYGON, points=outline)
        ((window, fractions),) = area_coverages([polygon], shape)
        total[window] += sign * fractions
    return total


@pytest.mark.parametrize("name", MASKS)
def test_areas_cover_their_pixels_exactly(name: str) -> None:
    labels = MASKS[name]
    total = np.zeros(labels.shape)
    areas = trace_areas(labels)
    for area in areas:
        found = covered(area, labels.shape)
        np.testing.assert_allclose(found, np.rint(found), atol=1e-12)
        total += found * area.value
    np.testing.assert_array_equal(np.rint(total), labels)
    expected = sum(ndimage.label(labels == value, structure=np.ones((3, 3)))[1] for value in (1, 2))
    assert len(areas) == expected


def test_outlines_by_hand() -> None:
    (ring,) = trace_areas(MASKS["ring"])
    assert ring.outline.tolist() == [[-0.5, -0.5], [2.5, -0.5], [2.5, 2.5], [-0.5, 2.5]]
    assert [hole.tolist() for hole in ring.holes] == [
        [[0.5, 0.5], [0.5, 1.5], [1.5, 1.5], [1.5, 0.5]]
    ]
    (steps,) = trace_areas(MASKS["corner"])
    assert len(steps.outline) == 12
    assert tuple(len(trace_areas(m)) for m in (
        MASKS["checks"], np.zeros((3, 3), dtype=int), MASKS["island in a hole"]
    )) == (1, 0, 2)  # fmt: skip


def test_random_masks_there_and_back() -> None:
    rng = np.random.default_rng(1)
    for share in (0.2, 0.5, 0.8):
        labels = rng.integers(1, 4, (24, 31)) * (rng.random((24, 31)) < share)
        back = np.zeros_like(labels)
        for area in trace_areas(labels):
            pixels = pixels_within(area.outline, labels.shape)
            for hole in area.holes:
                pixels &= ~pixels_within(hole, labels.shape)
            assert (labels[pixels] == area.value).all()
            back[pixels] = area.value
        np.testing.assert_array_equal(back, labels)


def test_centres_within_polygons_against_regions() -> None:
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:20, :30]
    for _ in range(20):
        # a star about its middle, whose sides do not cross
        turns = np.sort(rng.uniform(0, 2 * np.pi, 9))
        radii = rng.uniform(3, 14, 9)
        points = np.stack([14 + radii * np.cos(turns), 9 + radii * np.sin(turns)], axis=1)
        expected = PolygonPixelRegion(PixCoord(*points.T)).contains(PixCoord(x, y))
        np.testing.assert_array_equal(pixels_within(points, (20, 30)), expected)
    twice = [(2.2, 2.2), (9.7, 2.2), (9.7, 8.1), (2.2, 8.1)] * 2
    assert pixels_within(twice, (20, 30)).sum() == 7 * 6


def test_what_would_take_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = np.indices((400, 400)).sum(axis=0) % 2
    start = time.process_time()
    (area,) = trace_areas(checks)
    assert time.process_time() - start < 5
    assert len(area.outline) + sum(map(len, area.holes)) == 4 * checks.sum()
    monkeypatch.setattr(pixel_outlines, "MOST_OUTLINES", 1000)
    with pytest.raises(AnnotationError, match="it has 79,203 areas and holes, more than 1,000; is"):
        trace_areas(checks)
    monkeypatch.setattr(pixel_outlines, "MOST_EDGES", 1000)
    with pytest.raises(AnnotationError, match="its areas have 320,000 edges of pixels, more than"):
        trace_areas(checks)
