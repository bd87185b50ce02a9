"""Marks in pixels that are not square, on the sky and back: they stay on the bright pixel that they mark."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

import attnxai
from attnxai.alignment.rasterise import rasterise_annotations
from attnxai.annotations import write_annotations
from attnxai.annotations.annotation_set import Annotation, AnnotationSet
from attnxai.annotations.readers.marks import MarkList
from attnxai.annotations.readers.registry import AnnotationFile
from attnxai.annotations.shape_conversion import in_frame
from attnxai.annotations.shapes import Frame, Shape, ShapeKind
from attnxai.annotations.sky_matching import images_at
from attnxai.data.images import SourceImage
from attnxai.errors import AnnotationError, AssumptionWarning
from tests.annotations.marks_in_common import PIXEL_SHAPES, as_rows, marks

X, Y = 33, 11
SKEWED = {"CD1_1": -3.0e-4, "CD1_2": 2.0e-4, "CD2_1": 1.0e-4, "CD2_2": 6.0e-4}
TALL = {"CD1_1": -3.0e-4, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 6.0e-4}


@pytest.fixture(params=[TALL, SKEWED], ids=["tall", "skewed"])
def tall(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[SourceImage, WCS]:
    """An image of pixels that are not square, of which one is bright, and its coordinates as the file states them."""
    header = fits.Header(
        {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 25.0, "CRPIX2": 15.0}
        | {"CRVAL1": 150.0, "CRVAL2": 40.0, "RADESYS": "ICRS", **request.param}
    )
    pixels = np.zeros((30, 50), dtype=np.float32)
    pixels[Y, X] = 1.0
    fits.writeto(tmp_path / "g1.fits", pixels, header)
    with pytest.warns(AssumptionWarning, match="resampled"):
        image = attnxai.read_images(tmp_path / "g1.fits", prepared=True)[0]
    return image, WCS(header)


def mark(kind: ShapeKind, **values: Any) -> Annotation:
    return Annotation(source="g1", annotator="a", shape=Shape(kind=kind, **values))


def test_a_point_lies_on_its_pixel(tall: tuple[SourceImage, WCS]) -> None:
    image, wcs = tall
    point = mark(ShapeKind.POINT, x=X, y=Y)
    sky = in_frame(point, Frame.ICRS, {"g1": image}).shape
    there = [float(value) for value in wcs.pixel_to_world_values(X, Y)]
    assert (sky.x, sky.y) == pytest.approx(there, abs=1e-8)
    back = in_frame(dataclasses.replace(point, shape=sky), Frame.PIXEL, {"g1": image}).shape
    assert (back.x, back.y) == pytest.approx((X, Y), abs=1e-6)
    peak = np.unravel_index(np.argmax(image.pixels), image.shape)
    assert np.hypot(*(np.array(sky_pixel(sky, image)) - peak[::-1])) <= 0.75


def sky_pixel(shape: Shape, image: SourceImage) -> tuple[float, float]:
    ((x, y),) = shape.on_pixels(image.grid).points.tolist()
    return x, y


@pytest.mark.parametrize("kind", [ShapeKind.CIRCLE, ShapeKind.ELLIPSE, ShapeKind.POLYGON])
def test_an_area_covers_the_same_on_the_sky(kind: ShapeKind, tall: tuple[SourceImage, WCS]) -> None:
    image, _ = tall
    shapes: dict[ShapeKind, dict[str, Any]] = {
        ShapeKind.CIRCLE: {"x": X, "y": Y, "radius": 3.5},
        ShapeKind.ELLIPSE: {"x": X, "y": Y, "width": 8.0, "height": 4.0, "angle": 30.0},
        ShapeKind.POLYGON: {"vertices": ((30, 8), (37, 9), (33, 15))},
    }
    there = mark(kind, **shapes[kind])
    sky = in_frame(there, Frame.ICRS, {"g1": image})
    drawn, carried = (
        rasterise_annotations([one], image.grid, fwhm=3.0).density for one in (there, sky)
    )
    np.testing.assert_allclose(drawn, carried, atol=1e-3)
    assert (drawn * image.pixels).sum() == pytest.approx(image.pixels.sum())


@pytest.mark.parametrize("kind", [k for k in ShapeKind if k is not ShapeKind.BOX])
def test_there_and_back(kind: ShapeKind, tall: tuple[SourceImage, WCS]) -> None:
    image, _ = tall
    annotations = marks(PIXEL_SHAPES[kind])
    (only,) = annotations.annotations
    sky = in_frame(only, Frame.ICRS, {"g1": image})
    (there,), (back,) = (
        as_rows(dataclasses.replace(annotations, annotations=(one,)), digits=12)
        for one in (only, in_frame(sky, Frame.PIXEL, {"g1": image}))
    )
    # the nearest shape of the sky to a circle of such pixels is an ellipse
    assert back[9:11] == pytest.approx(there[9:11], abs=1e-6)
    if kind not in (ShapeKind.CIRCLE, ShapeKind.ELLIPSE):
        assert back[9:] == pytest.approx(there[9:], abs=1e-6)


@pytest.mark.parametrize(
    "name", ["out.json:COCO", "out:LabelMe", "out.json:VIA", "out:FITS regions"]
)
def test_a_circle_of_the_sky_in_formats_of_pixels(
    name: str, tall: tuple[SourceImage, WCS], tmp_path: Path
) -> None:
    """Where pixels are not square it is an ellipse, which some formats do not have."""
    image, _ = tall
    circle = in_frame(mark(ShapeKind.CIRCLE, x=X, y=Y, radius=3.5), Frame.ICRS, {"g1": image})
    sky = Shape(
        kind=ShapeKind.CIRCLE, frame=Frame.ICRS, x=circle.shape.x, y=circle.shape.y, radius=6.0
    )
    annotations = AnnotationSet(annotations=(dataclasses.replace(circle, shape=sky),))
    path, _, format_name = name.partition(":")
    write_annotations(annotations, tmp_path / path, images=[image], format=format_name)
    back = attnxai.read_annotations(tmp_path / path, [image])
    drawn, carried = (
        rasterise_annotations(of.annotations, image.grid, fwhm=3.0).density
        for of in (annotations, back)
    )
    np.testing.assert_allclose(drawn, carried, atol=0.02)


def test_positions_and_pictures_are_of_the_file(tall: tuple[SourceImage, WCS]) -> None:
    """The corners of the file are shown, and a picture of it has its proportions."""
    image, wcs = tall
    corners = np.array([(-0.4, -0.4), (49.4, 29.4), (-0.6, -0.6)])
    found, _ = images_at(wcs.all_pix2world(corners, 0), [image], path="x")
    assert [one is not None for one in found] == [True, True, False]
    file = AnnotationFile(path="g1.json", content=b"", images=[image])
    x, y = MarkList(file).picture_to_pixels("g1", 2 * X + 1, 2 * (29 - Y) + 1, width=100, height=60)
    assert (float(x), float(y)) == (X, Y)
    with pytest.raises(AnnotationError, match="the image of 'g1' has 50 x 30, which is another"):
        MarkList(file).picture_to_pixels("g1", 0, 0, width=50, height=60)
