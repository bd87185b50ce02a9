"""Small cutouts that are padded, and images that are smoothed to the beam of the training images."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from astropy.stats import sigma_clipped_stats

import attnxai
from attnxai.annotations.shapes import ShapeKind
from attnxai.data.grid import PixelGrid
from attnxai.data.images import SourceImage, SourceSet
from attnxai.data.regridding import square_pixels
from attnxai.data.smoothing import FWHM_PER_SIGMA
from attnxai.errors import AssumptionWarning, ImageError
from attnxai.models.checkpoints import load_model, save_model
from attnxai.models.preprocessing import Preprocessing, beyond_image, warn_of_assumed
from attnxai.training.field import field_of
from tests.explanations.files.skies import sky

RULE = Preprocessing(size=32, beam_arcsec=9.0)


def noisy(shape: tuple[int, int], scale: float = 1.8, **options: Any) -> SourceImage:
    pixels: Any = np.random.default_rng(2).normal(0.0, 0.1, shape)
    pixels[shape[0] // 2, shape[1] // 2] = 5.0
    grid = options.pop("grid", PixelGrid(shape=shape, pixel_scale_arcsec=scale))
    return SourceImage(source="s", pixels=pixels, grid=grid, **options)


def test_a_small_cutout_is_refused_with_the_remedy() -> None:
    with pytest.raises(
        ImageError,
        match=r"20 x 40 pixels of 1.8 arcsec.* at least 32 x 32; .* pad=True to have what is mi",
    ):
        RULE.view(noisy((20, 40)))


def test_padding_is_blank_and_counts_neither_as_noise_nor_as_seen() -> None:
    image = noisy((20, 40), pad=True)
    view = RULE.view(image)
    inside = slice(6, 26)
    assert view.footprint[inside].all()
    assert not np.delete(view.footprint, inside, axis=0).any()
    assert not np.delete(view.brightness, inside, axis=0).any()
    assert (view.transform.origin_x, view.transform.origin_y, view.transform.step) == (
        4.0,
        -6.0,
        1.0,
    )
    # the noise is that of the cutout alone, and its pixels are those of the cutout, by hand
    sigma = sigma_clipped_stats(np.asarray(image.pixels, float), sigma=3)[2]
    seen = np.asarray(image.pixels, float)[:, 4:36]
    seen = np.where(seen < 3 * sigma, 0.0, seen)
    np.testing.assert_array_equal(
        view.brightness[inside], (np.floor(255 * seen / seen.max()) / 255).astype(np.float32)
    )
    assert beyond_image(image, view.transform, (32, 32)).mean() == 12 / 32


def test_an_image_that_covers_the_field_is_the_same_with_padding() -> None:
    for scale in (1.8, 0.7, 2.9):
        image = noisy((90, 95), scale)
        first, second = RULE.view(image), RULE.view(dataclasses.replace(image, pad=True))
        np.testing.assert_array_equal(first.brightness, second.brightness)
        np.testing.assert_array_equal(first.footprint, second.footprint)
        assert first.transform == second.transform


@pytest.mark.parametrize("scale", [0.9, 1.8, 3.6])
def test_padding_of_resampled_images(scale: float) -> None:
    side = round(20 * 1.8 / scale)
    view = RULE.view(noisy((side, side), scale, pad=True))
    assert view.footprint.sum() == 20 * 20
    assert view.footprint[6:26, 6:26].all()
    assert view.brightness[view.footprint].max() == 1.0


def test_prepared_images_are_padded_as_well() -> None:
    pixels: Any = np.random.default_rng(0).integers(1, 256, (20, 20)).astype(np.uint8)
    grid = PixelGrid(shape=(20, 20), pixel_scale_arcsec=1.8)
    image = SourceImage(source="s", pixels=pixels, grid=grid, prepared=True, pad=True)
    view = Preprocessing(size=32, scaling_size=40).view(image)
    np.testing.assert_allclose(view.brightness[6:26, 6:26], pixels / np.float32(255), rtol=1e-6)
    assert view.brightness.sum() == view.brightness[6:26, 6:26].sum()


def test_the_corners_of_a_skewed_image_are_padding() -> None:
    pixels = np.random.default_rng(2).normal(0.0, 0.1, (40, 44))
    pixels[20, 22] = 5.0
    found = square_pixels(pixels, sky(PC1_2=0.5))
    assert found is not None
    image = SourceImage(source="s", pixels=found.pixels, grid=found.grid, footprint=found.footprint)
    assert Preprocessing(size=16).view(image).footprint.all()
    rule = Preprocessing(size=52)
    with pytest.raises(
        ImageError, match="needs at least all of them within the file; give a larger"
    ):
        rule.view(image)
    view = rule.view(dataclasses.replace(image, pad=True))
    beyond = beyond_image(image, view.transform, view.footprint.shape)
    assert 0.05 < beyond.mean() < 0.5
    assert not view.footprint[beyond].any()


# --- beams -----------------------------------------------------------------------------------------


def width(brightness: np.ndarray) -> float:
    """FWHM of a source in pixels, from the area above half its peak."""
    return float(2 * np.sqrt((brightness > 0.5).sum() / np.pi))


@pytest.mark.parametrize(("scale", "beam"), [(0.3, 2.5), (0.6, 4.0), (1.8, 6.0)])
def test_a_finer_beam_is_brought_to_that_of_the_training(scale: float, beam: float) -> None:
    side = int(140 * 1.8 / scale)
    y, x = np.indices((side, side)) - (side - 1) / 2
    sigma = beam / scale / FWHM_PER_SIGMA
    pixels: Any = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    pixels += np.random.default_rng(1).normal(0, 1e-5, pixels.shape)
    image = SourceImage(
        source="s",
        pixels=pixels,
        grid=PixelGrid(shape=(side, side), pixel_scale_arcsec=scale),
        beam_arcsec=(beam, beam, 0.0),
    )
    rule = Preprocessing(size=100, beam_arcsec=27.0)
    matched = rule.view(dataclasses.replace(image, match_beam=True)).brightness
    assert width(matched) == pytest.approx(27.0 / 1.8, rel=0.03)
    assert width(rule.view(image).brightness) < 0.4 * 27.0 / 1.8
    # without the beam of the training, or with a larger one of the image, nothing changes
    unknown = dataclasses.replace(rule, beam_arcsec=None)
    np.testing.assert_array_equal(
        unknown.view(dataclasses.replace(image, match_beam=True)).brightness,
        unknown.view(image).brightness,
    )
    coarse = dataclasses.replace(image, beam_arcsec=(30.0, 28.0, 0.0))
    np.testing.assert_array_equal(
        rule.view(dataclasses.replace(coarse, match_beam=True)).brightness,
        rule.view(coarse).brightness,
    )


def test_maps_of_images_with_another_beam_lie_where_they_are() -> None:
    """The check of placement knows that the network saw a smoother image."""
    model = attnxai.load_model("c1.pt")
    rng = np.random.default_rng(0)
    images = []
    for i in range(3):
        pixels: Any = rng.normal(0, 1.0, (460, 460))
        y, x = np.indices(pixels.shape)
        for dx, dy in ((40, 10 + 9 * i), (-50, -20)):
            pixels += 1.2 * np.exp(-((x - 230 - dx) ** 2 + (y - 230 - dy) ** 2) / 200)
        images.append(
            SourceImage(
                source=f"s{i}",
                pixels=pixels,
                grid=PixelGrid(shape=(460, 460), pixel_scale_arcsec=0.6),
                beam_arcsec=(2.5, 2.0, 30.0),
                match_beam=True,
            )
        )
    maps = attnxai.attention_maps(model, images)
    marks = [
        attnxai.annotations.Annotation(
            source=image.source,
            annotator="a",
            shape=attnxai.annotations.Shape(kind=ShapeKind.CIRCLE, x=270, y=240, radius=9),
        )
        for image in images
    ]
    pairs = attnxai.align(maps, attnxai.annotations.AnnotationSet(annotations=tuple(marks)), images)
    assert len(pairs) == 3


def test_models_know_the_beam_of_their_training_images(tmp_path) -> None:
    model = load_model("d4.pt")
    # shipped files were written before beams were kept
    assert model.preprocessing.beam_arcsec == 5.4
    other = dataclasses.replace(
        model, preprocessing=dataclasses.replace(model.preprocessing, beam_arcsec=12.0)
    )
    save_model(other, tmp_path / "a.pt")
    assert load_model(tmp_path / "a.pt").preprocessing.beam_arcsec == 12.0
    assert model.training is not None
    elsewhere = dataclasses.replace(
        model,
        preprocessing=dataclasses.replace(model.preprocessing, beam_arcsec=None),
        training=dataclasses.replace(
            model.training,
            train_sources=("mine", *model.training.train_sources[1:]),
        ),
    )
    save_model(elsewhere, tmp_path / "b.pt")
    assert load_model(tmp_path / "b.pt").preprocessing.beam_arcsec is None


def test_what_is_padded_or_cannot_be_matched_is_said() -> None:
    images = [noisy((20, 40), pad=True), noisy((32, 32), pad=True)]
    views = [RULE.view(image) for image in images]
    assert [view.assumed.n_padded for view in views] == [12 * 32, 0]
    with pytest.warns(
        AssumptionWarning, match=r"1 of 2 images do not .* field; 38 % of theirs .* blank"
    ):
        warn_of_assumed(RULE, images, [view.assumed for view in views])
    unknown = dataclasses.replace(RULE, beam_arcsec=None)
    images = [noisy((32, 32), match_beam=True)]
    with pytest.warns(AssumptionWarning, match="match_beam changes nothing"):
        warn_of_assumed(unknown, images, [unknown.view(images[0]).assumed])
    warn_of_assumed(RULE, images, [RULE.view(images[0]).assumed])  # a warning would be an error


def test_training_on_a_larger_field_than_the_smallest_image() -> None:
    pairs = [dataclasses.replace(noisy((n, n), pad=True), source=str(n)) for n in (64, 24)]
    images = SourceSet(pairs)
    field = field_of(images, size=48)
    assert field.view(images[1]).assumed.n_padded == 48**2 - 24**2
    with pytest.raises(ImageError, match="24 x 24 pixels"):
        field.view(dataclasses.replace(images[1], pad=False))
