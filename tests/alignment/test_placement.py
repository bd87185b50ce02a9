"""A field that does not lie on the images as stated is refused, and says how to put it right."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from attnxai.alignment.pairs import align
from attnxai.data.grid import GridTransform, PixelGrid
from attnxai.errors import AlignmentError
from tests.builders import made_up

CROP = slice(8, 24)


def cropped(field=None, *, n_sources=4):
    """Maps and brightness of the middle 16 x 16 of 32 x 32 pixels, and where they are said to lie."""
    maps, marks, images = made_up(n_sources=n_sources, annotators=("ann",), seed=5)
    maps = dataclasses.replace(
        maps,
        layers={"gate2": maps.layers["gate2"][:, CROP, CROP]},
        geometry={"gate2": GridTransform()},
        brightness=maps.brightness[:, CROP, CROP],
        valid=maps.valid[:, CROP, CROP],
        field=(field or GridTransform(origin_x=8.0, origin_y=8.0),) * n_sources,
    )
    return maps, marks, images


def changed(brightness, **changes):
    maps, marks, images = made_up(n_sources=6, seed=2)
    return (
        dataclasses.replace(maps, brightness=brightness(maps.brightness), **changes),
        marks,
        images,
    )


def test_a_crop_with_the_transform_of_the_whole_field_is_refused():
    align(*cropped())
    with pytest.raises(
        AlignmentError,
        match=r"^the brightness of \d of 4 sources does not agree with the image where field places it, such as "
        r"'source_0\d' \(correlation -?0\.\d\d with GridTransform\(step=1.0, origin_x=0.0, origin_y=0.0\)\); it "
        r"does for a crop of the middle, with field GridTransform\(step=1.0, origin_x=8.0, origin_y=8.0\) "
        r"\(correlation 1.00\)$",
    ):
        align(*cropped(GridTransform()))


def test_the_whole_image_with_the_transform_of_a_crop_is_refused():
    maps, marks, images = made_up(n_sources=4)
    maps = dataclasses.replace(maps, field=(GridTransform(origin_x=8.0, origin_y=8.0),) * 4)
    with pytest.raises(
        AlignmentError,
        match=r"it does .*GridTransform\(step=1.0, origin_x=0.0, origin_y=0.0\) \(corr.* 1.00\)$",
    ):
        align(maps, marks, images)


def test_a_field_upside_down_is_refused():
    with pytest.raises(AlignmentError, match="it does upside down: row 0 is at the top of the one"):
        align(*changed(lambda b: b[:, ::-1]))


def test_images_of_other_sources_are_refused():
    with pytest.raises(
        AlignmentError, match="; state in field how the network's input lies on each"
    ):
        align(*changed(lambda b: np.roll(b, 1, axis=0)))
    # one is enough, and is named
    one = made_up(n_sources=6, seed=2)[0]
    brightness = one.brightness.copy()
    brightness[4] = brightness[1]
    with pytest.raises(AlignmentError, match=r"brightness of 1 of 6 sources .*'source_04'"):
        align(*changed(lambda _: brightness))


@pytest.mark.parametrize(
    "seen",
    [
        lambda b: np.where(b < 0.1, 0, np.floor(255 * b) / 255),
        np.arcsinh,
        lambda b: np.log10(b + 1e-3),
        lambda b: 40.0 * b - 3.0,
        lambda b: gaussian_filter(b, (0, 0.8, 0.8)),
        lambda b: b + 0.03 * np.random.default_rng(0).normal(size=b.shape),
    ],
    ids=["clipped", "asinh", "log", "linear", "smoothed", "noisy"],
)
def test_clipping_stretching_and_smoothing_are_no_faults(seen):
    pairs = align(*changed(lambda b: seen(b).astype(np.float32)))
    assert not any("constant" in note for note in pairs.notes)


@pytest.mark.parametrize("step", [2.0, 0.5])
def test_fields_of_another_pixel_scale_agree(step):
    """A field of 16 or 64 pixels over an image of 32, averaged or repeated."""
    maps, marks, images = made_up(n_sources=3, seed=1)
    n = round(32 / step)
    pixels = maps.brightness
    if step > 1:
        pixels = pixels.reshape(3, n, 2, n, 2).mean(axis=(2, 4))
    else:
        pixels = pixels.repeat(2, axis=1).repeat(2, axis=2)
    maps = dataclasses.replace(
        maps,
        layers={"gate2": maps.layers["gate2"]},
        geometry={"gate2": GridTransform.covering((32, 32), (n, n))},
        brightness=pixels,
        valid=np.ones(pixels.shape, bool),
        field=(GridTransform.covering((n, n), (32, 32)),) * 3,
        field_scale_arcsec=1.8 * step,
    )
    assert align(maps, marks, images).sources == maps.sources


def test_the_scale_of_the_field_is_that_of_image_and_transform():
    maps, marks, images = made_up(n_sources=2)
    with pytest.raises(
        AlignmentError,
        match=r"^field pixels of 'source_00' are 1.8 arcsec wide by the image \(1.8 arcsec a pixel\) and field "
        r"\(step 1\), but field_scale_arcsec is 3.6; correct the one that is wrong$",
    ):
        align(dataclasses.replace(maps, field_scale_arcsec=3.6), marks, images)
    unknown = [dataclasses.replace(image, grid=PixelGrid(shape=image.shape)) for image in images]
    align(dataclasses.replace(maps, field_scale_arcsec=3.6), marks, unknown)


def test_constant_brightness_cannot_be_checked_and_is_noted():
    maps, marks, images = changed(lambda b: np.where(np.arange(6)[:, None, None] < 2, 0.5, b))
    (note,) = align(maps, marks, images).notes
    assert note == (
        "The brightness of 2 sources is constant, so it could not be checked where the maps lie on the image."
    )


def test_a_field_that_mostly_lies_off_the_image_is_refused():
    maps, marks, images = cropped(GridTransform(origin_x=28.0, origin_y=8.0))
    with pytest.raises(AlignmentError, match=r"correlation 0\.00 with .*origin_x=28"):
        align(maps, marks, images)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_brightness_has_to_be_finite(value):
    with pytest.raises(
        AlignmentError, match=r"'source_03' holds values that are not finite; set them to 0"
    ):
        align(*changed(lambda b: np.where(np.arange(6)[:, None, None] == 3, value, b)))
