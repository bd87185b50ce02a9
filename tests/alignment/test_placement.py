"""A field that does not lie on the images as stated is refused, and says how to put it right."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from attnxai.alignment.pairs import align
from attnxai.alignment.placement import check_placement
from attnxai.data.grid import GridTransform, PixelGrid
from attnxai.data.image_files import read_images
from attnxai.data.images import SourceImage
from attnxai.data.simulation import simulate_source
from attnxai.errors import AlignmentError
from attnxai.explanations.stack import MapStack, Split
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
        r"'source_0\d' \(correlation -?0\.\d\d with step 1, origin_x 0 and origin_y 0\); it "
        r"does for a crop of the middle, with step 1, origin_x 8 and origin_y 8 "
        r"\(correlation 1.00\)$",
    ):
        align(*cropped(GridTransform()))


def test_the_whole_image_with_the_transform_of_a_crop_is_refused():
    maps, marks, images = made_up(n_sources=4)
    maps = dataclasses.replace(maps, field=(GridTransform(origin_x=8.0, origin_y=8.0),) * 4)
    with pytest.raises(
        AlignmentError,
        match=r"it does .*with step 1, origin_x 0 and origin_y 0 \(corr.* 1.00\)$",
    ):
        align(maps, marks, images)


def test_a_field_upside_down_is_refused():
    with pytest.raises(AlignmentError, match="it does upside down: row 0 is at the top of the one"):
        align(*changed(lambda b: b[:, ::-1]))


@pytest.mark.parametrize(
    ("turned", "words"),
    [
        (lambda b: b[:, :, ::-1], "it does mirrored left to right: .* so reverse the columns of layers"),
        (lambda b: b[:, ::-1, ::-1], "it does rotated by 180 degrees, so reverse the rows and the columns of"),
    ],
)  # fmt: skip
def test_a_mirrored_or_rotated_field_is_refused_with_its_own_remedy(turned, words):
    with pytest.raises(AlignmentError, match=words):
        align(*changed(turned))


def test_a_fault_with_a_remedy_is_shown_before_one_without():
    maps, marks, images = cropped(GridTransform())
    brightness = maps.brightness.copy()
    # the first is unlike its image wherever it lies
    brightness[0] = np.random.default_rng(3).random(brightness[0].shape)
    with pytest.raises(AlignmentError, match=r"of 4 sources .* it does for a crop of the middle"):
        align(dataclasses.replace(maps, brightness=brightness), marks, images)


def test_a_flip_is_not_advised_where_few_of_the_sources_agree_after_it():
    """Maps of other images of the same names, one of which is by chance a mirrored one."""
    maps, marks, images = made_up(n_sources=8, seed=2)
    brightness = np.roll(maps.brightness, 1, axis=0)
    brightness[3] = maps.brightness[3][:, ::-1]
    with pytest.raises(
        AlignmentError,
        match=r"brightness of 8 of 8 sources .* such as 'source_0\d', 'source_0\d', 'source_0\d' \(correlation of the "
        r"first .* with step 1, origin_x 0 and origin_y 0\); the maps were made from other images.* make the maps again",
    ) as refused:
        align(dataclasses.replace(maps, brightness=brightness), marks, images)
    assert "reverse" not in str(refused.value)
    # one of many that is mirrored is no reason to mirror all
    brightness = maps.brightness.copy()
    brightness[3] = maps.brightness[3][:, ::-1]
    with pytest.raises(AlignmentError, match=r"of 1 of 8 sources .*'source_03' .*other images"):
        align(dataclasses.replace(maps, brightness=brightness), marks, images)


def of_images(images, seen, field):
    """Aligned maps whose brightness is made of images, where it is said to lie."""
    made = [np.asarray(seen(clipped(image)), dtype=np.float32) for image in images]
    names = tuple(image.source for image in images)
    n = made[0].shape[0]
    scale = images[0].grid.pixel_scale_arcsec * field.step
    maps = MapStack(
        model_name="by hand",
        sources=names,
        splits=(Split.UNKNOWN,) * len(names),
        layers={"gate": np.random.default_rng(0).random((len(names), n, n), dtype=np.float32)},
        geometry={"gate": GridTransform()},
        field=(field,) * len(names),
        field_scale_arcsec=scale,
        brightness=np.stack(made),
        valid=np.ones((len(names), n, n), bool),
    )
    return check_placement(maps, range(len(names)), {image.source: image for image in images})


def clipped(image):
    """As networks see images of FIRST: noise set to 0, 256 values."""
    pixels = np.asarray(image.pixels, dtype=np.float64)
    noise = 1.4826 * np.median(np.abs(pixels - np.median(pixels)))
    return np.floor(255 * np.where(pixels < 3 * noise, 0.0, pixels) / pixels.max())


def middle(pixels, n):
    start = (len(pixels) - n) // 2
    return pixels[start : start + n, start : start + n]


@pytest.fixture(scope="module")
def compact():
    """Simulated FR I sources, which are bright in the middle and symmetric."""
    rng = np.random.default_rng(11)
    return [simulate_source("FR I", source=f"fr1_{i}", rng=rng).image for i in range(8)]


@pytest.mark.parametrize("n", [80, 120, 140])
def test_a_crop_of_compact_sources_with_the_transform_of_the_whole_image_is_refused(compact, n):
    start = (160 - n) / 2
    right = GridTransform(origin_x=start, origin_y=start)
    assert of_images(compact, lambda seen: middle(seen, n), right) == []
    with pytest.raises(
        AlignmentError, match=rf"for a crop of the middle, with step 1, origin_x {start:g} and"
    ):
        of_images(compact, lambda seen: middle(seen, n), GridTransform.covering((n, n), (160, 160)))


def right_placements(n):
    """Brightness of images with n x n pixels, and the field on which it is."""
    quarter = n // 4
    return {
        "whole": (lambda b: b, GridTransform()),
        "crop": (
            lambda b: middle(b, n // 2),
            GridTransform(origin_x=float(quarter), origin_y=float(quarter)),
        ),
        "smoothed": (lambda b: gaussian_filter(b, 2.0), GridTransform()),
        "binned": (
            lambda b: gaussian_filter(b, 1.0).reshape(n // 2, 2, n // 2, 2).mean(axis=(1, 3)),
            GridTransform.covering((n // 2, n // 2), (n, n)),
        ),
        "enlarged": (
            lambda b: middle(b, n // 2).repeat(2, axis=0).repeat(2, axis=1),
            GridTransform(step=0.5, origin_x=quarter - 0.25, origin_y=quarter - 0.25),
        ),
    }


@pytest.mark.parametrize("kind", list(right_placements(8)))
def test_right_placements_of_compact_sources_pass(compact, kind):
    assert of_images(compact, *right_placements(160)[kind]) == []


@pytest.mark.shared_data
@pytest.mark.parametrize("kind", list(right_placements(8)))
def test_right_placements_of_images_of_first_pass(shared_data, kind):
    images = read_images(shared_data / "mirabest_fits")[::3]
    assert of_images(images, *right_placements(300)[kind]) == []


@pytest.mark.shared_data
def test_crops_of_images_of_first_with_the_transform_of_the_whole_are_refused(shared_data):
    images = read_images(shared_data / "mirabest_fits")
    with pytest.raises(AlignmentError, match=r"crop of the middle, with step 1, origin_x 75 "):
        of_images(images, lambda b: middle(b, 150), GridTransform.covering((150, 150), (300, 300)))


def test_images_of_other_sources_are_refused():
    with pytest.raises(
        AlignmentError, match="; the maps were made from other images, or images changed since"
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


def test_images_are_smoothed_by_half_of_what_a_pixel_grows_by():
    noise = np.random.default_rng(2).random((33, 33))
    image = SourceImage(
        source="noise", pixels=noise, grid=PixelGrid(shape=(33, 33), pixel_scale_arcsec=1.8)
    )
    maps = MapStack(
        model_name="by hand",
        sources=("noise",),
        splits=(Split.UNKNOWN,),
        layers={"gate": np.ones((1, 12, 12), np.float32)},
        geometry={"gate": GridTransform()},
        field=(GridTransform(step=2.0),),
        field_scale_arcsec=3.6,
        brightness=gaussian_filter(noise, 0.5, mode="nearest")[None, 5:29:2, 5:29:2],
        valid=np.ones((1, 12, 12), bool),
    )
    # smoothed to another width, as by a whole pixel, it would correlate by 0.7
    with pytest.raises(AlignmentError, match=r"origin_x 5 and origin_y 5 \(correlation 1\.00\)$"):
        check_placement(maps, [0], {"noise": image})


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
    with pytest.raises(AlignmentError, match=r"correlation 0\.00 with .*origin_x 28"):
        align(maps, marks, images)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_brightness_has_to_be_finite(value):
    with pytest.raises(
        AlignmentError, match=r"'source_03' holds values that are not finite; set them to 0"
    ):
        align(*changed(lambda b: np.where(np.arange(6)[:, None, None] == 3, value, b)))
