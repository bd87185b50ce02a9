"""From the image of a source to the input of a network."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from astropy.stats import sigma_clipped_stats

from attnxai.data.grid import PixelGrid
from attnxai.data.image_files import read_image
from attnxai.data.images import SourceImage, from_array
from attnxai.errors import ImageError, SpecificationError
from attnxai.models.preprocessing import FIRST_PREPROCESSING, SYMMETRIC_RANGE, Preprocessing

SMALL = Preprocessing(size=16, pixel_scale_arcsec=1.8)


def bright_pixel(shape: tuple[int, int], row: int, column: int, **kwargs) -> SourceImage:
    pixels = np.zeros(shape, np.uint8)
    pixels[row, column] = 255
    kwargs.setdefault("pixel_scale_arcsec", 1.8)
    return from_array(pixels, source="s", **kwargs)


def noisy(shape: tuple[int, int], *, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0.0, 0.1, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("rows", "columns", "top", "left"),
    [(16, 16, 0, 0), (17, 18, 0, 1), (19, 20, 1, 2), (30, 31, 7, 7), (300, 33, 142, 8)],
)
def test_crop_offsets(rows, columns, top, left) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (rows, columns)).astype(np.uint8)
    pixels[0, 0] = 255
    view = SMALL.view(from_array(pixels, source="s", pixel_scale_arcsec=1.8))
    assert (view.transform.origin_y, view.transform.origin_x) == (top, left)
    assert view.transform.step == 1.0
    expected = pixels[top : top + 16, left : left + 16].astype(np.float32) / 255
    np.testing.assert_allclose(view.brightness, expected, rtol=1e-6)
    assert view.footprint.all()
    assert not view.assumed.scale


@pytest.mark.parametrize("scale", [0.9, 1.2, 1.5, 2.7, 3.6])
def test_a_bright_source_lands_where_the_transform_says(scale) -> None:
    """A Gaussian, so that its centroid is known at any sampling."""
    rule, shape = Preprocessing(size=32, pixel_scale_arcsec=1.8), (71, 66)
    y, x = np.mgrid[: shape[0], : shape[1]]
    row, column = 37.0, 31.0
    pixels = np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * 2.0**2))
    image = from_array(
        pixels.astype(np.float32), source="s", pixel_scale_arcsec=scale, prepared=True
    )
    view = rule.view(image)
    step = 1.8 / scale
    assert view.transform.step == pytest.approx(step)
    weight = view.brightness.astype(float) ** 2
    i, j = np.mgrid[:32, :32]
    seen_x, seen_y = view.transform.to_outer(
        np.array((weight * j).sum() / weight.sum()), np.array((weight * i).sum() / weight.sum())
    )
    assert abs(float(seen_x) - column) < 0.1
    assert abs(float(seen_y) - row) < 0.1
    # the field is centred on the image
    middle_x, middle_y = view.transform.to_outer(np.array(15.5), np.array(15.5))
    assert float(middle_y) == pytest.approx((shape[0] - 1) / 2)
    assert float(middle_x) == pytest.approx((shape[1] - 1) / 2)


def test_a_pixel_scale_within_one_per_cent_is_the_same() -> None:
    view = SMALL.view(bright_pixel((20, 20), 9, 9, pixel_scale_arcsec=1.805))
    assert view.transform.step == 1.0
    assert view.brightness[7, 7] == 1.0
    other = SMALL.view(bright_pixel((20, 20), 9, 9, pixel_scale_arcsec=1.8 / 1.011))
    assert other.transform.step == pytest.approx(1.011)


def test_without_a_pixel_scale_the_models_own_is_assumed() -> None:
    view = SMALL.view(bright_pixel((20, 20), 9, 9, pixel_scale_arcsec=None))
    assert view.assumed.scale
    assert view.transform.step == 1.0


def test_smoothing_before_coarser_sampling_keeps_what_lies_between_samples() -> None:
    """A pixel that no sample hits is still seen when the new grid is four times coarser."""
    image = bright_pixel((80, 80), 39, 39, pixel_scale_arcsec=0.45)
    view = SMALL.view(image)
    assert view.transform.step == pytest.approx(4.0)
    assert view.brightness.max() > 0.01


def test_the_width_of_the_smoothing_is_half_of_what_a_pixel_grows_by() -> None:
    """On pixels twice as large, a standard deviation of half a pixel, by hand.

    Samples lie half-way between four pixels, so the brightest is the mean of a bright pixel and its dark
    neighbours after smoothing.
    """
    view = SMALL.view(bright_pixel((40, 40), 20, 20, pixel_scale_arcsec=0.9))
    weights = np.exp(-(np.arange(-2.0, 3.0) ** 2) / (2 * 0.5**2))
    weights /= weights.sum()
    peak, beside, end = weights[2:]
    along = np.array([end + beside, peak + beside, end]) / 2  # samples at 18.5, 20.5 and 22.5
    np.testing.assert_allclose(view.brightness[7:10, 7:10], np.outer(along, along), atol=1e-6)
    assert view.brightness[8, 8] == pytest.approx(0.1994, abs=1e-4)


@pytest.mark.parametrize(("growth", "fits"), [(1.02, True), (1.03, True), (1.04, False)])
def test_the_outermost_half_pixels_of_the_field_may_lie_beyond_the_image(growth, fits) -> None:
    """16 pixels that are 1.03 times as large reach 0.24 image pixels beyond 16 of these."""
    image = bright_pixel((16, 16), 8, 8, pixel_scale_arcsec=1.8 / growth)
    if fits:
        assert SMALL.view(image).brightness.any()
    else:
        with pytest.raises(ImageError, match="needs at least 17 x 17"):
            SMALL.view(image)


def test_scaling_of_faint_8_bit_sources_does_not_depend_on_smoothing() -> None:
    """Smoothing takes the peak of this image below 1; its scale is still that of 8 bits."""
    image = bright_pixel((640, 640), 320, 320, pixel_scale_arcsec=0.045)
    view = SMALL.view(image)
    assert view.brightness.max() < 1.0 / 255.0


def test_too_small_an_image_is_told_what_is_needed() -> None:
    with pytest.raises(ImageError) as caught:
        SMALL.view(bright_pixel((15, 40), 3, 3))
    text = str(caught.value)
    assert "image s has 15 x 40 pixels of 1.8 arcsec" in text
    assert "needs at least 16 x 16" in text
    assert "\n" not in text


def test_too_small_a_field_on_the_sky_is_told_what_is_needed() -> None:
    with pytest.raises(ImageError, match=r"31 x 31 pixels of 0\.9 arcsec.*at least 32 x 32"):
        SMALL.view(bright_pixel((31, 31), 3, 3, pixel_scale_arcsec=0.9))
    assert SMALL.view(bright_pixel((32, 32), 15, 15, pixel_scale_arcsec=0.9)).brightness.any()


def test_survey_brightness_is_clipped_and_scaled_in_256_steps() -> None:
    pixels = noisy((40, 40))
    pixels[18:22, 17:24] += np.linspace(1.0, 9.0, 7, dtype=np.float32)
    view = SMALL.view(from_array(pixels, source="s", pixel_scale_arcsec=1.8))
    _, _, sigma = sigma_clipped_stats(pixels.astype(float), sigma=3)
    field = pixels[12:28, 12:28].astype(float)
    clipped = np.where(field < 3 * sigma, 0.0, field)
    expected = np.floor(255 * clipped / clipped.max()) / 255
    np.testing.assert_array_equal(view.brightness, expected.astype(np.float32))
    assert view.brightness.max() == 1.0
    assert np.mean(view.brightness == 0) > 0.8


@pytest.mark.parametrize("scale", [1.8, 0.9])
def test_the_inner_part_of_a_field_is_scaled_by_the_peak_of_all_of_it(scale) -> None:
    pixels = noisy((80, 80))
    pixels[36:44, 36:44] += 4.0
    # within 24 pixels of 1.8 arcsec about the middle, and beyond 16
    column = 49 if scale == 1.8 else 58
    pixels[:, column : column + 3] += 9.0
    if scale == 1.8:
        pixels = pixels[20:60, 20:60]
    image = from_array(pixels, source="s", pixel_scale_arcsec=scale)
    whole = Preprocessing(size=24).view(image)
    inner = Preprocessing(size=16, scaling_size=24).view(image)
    np.testing.assert_array_equal(inner.brightness, whole.brightness[4:20, 4:20])
    np.testing.assert_array_equal(inner.footprint, whole.footprint[4:20, 4:20])
    assert inner.transform == SMALL.view(image).transform
    assert 0.2 < inner.brightness.max() < 0.6
    assert SMALL.view(image).brightness.max() == 1.0


def test_a_cutout_that_does_not_cover_the_scaled_field_is_scaled_by_what_it_covers() -> None:
    pixels = noisy((21, 40))
    pixels[9:12, 19:22] += 3.0
    pixels[10, 28:31] += 9.0  # within 20 columns of the middle, and beyond 18
    image = from_array(pixels, source="s", pixel_scale_arcsec=1.8)
    rule = Preprocessing(size=16, scaling_size=24)
    expected = Preprocessing(size=20).view(image).brightness[2:18, 2:18]
    np.testing.assert_array_equal(rule.view(image).brightness, expected)
    assert expected.max() < 0.6
    pixels[:, :28] = 0.01 * noisy((21, 28))
    pixels[:, 31:] = noisy((21, 9))
    image = from_array(pixels, source="s", pixel_scale_arcsec=1.8)
    with pytest.raises(ImageError, match="above 3 times its noise within the field of 16 x 16"):
        rule.view(image)


def test_prepared_images_are_only_cropped() -> None:
    image = bright_pixel((24, 24), 12, 1)
    rule = Preprocessing(size=16, scaling_size=24)
    assert not rule.view(image).brightness.any()
    both = np.array(image.pixels)
    both[12, 12] = 51
    view = rule.view(from_array(both, source="s", pixel_scale_arcsec=1.8))
    assert view.brightness.max() == pytest.approx(0.2)


def test_the_noise_is_that_of_the_whole_cutout_not_of_the_field() -> None:
    pixels = noisy((60, 60))
    pixels[22:38, 22:38] = 0.0
    pixels[30, 30] = 5.0
    pixels[25, 25] = 0.15
    view = SMALL.view(from_array(pixels, source="s", pixel_scale_arcsec=1.8))
    assert np.count_nonzero(view.brightness) == 1


def test_nothing_above_the_noise_is_said() -> None:
    pixels = noisy((40, 40))
    pixels[12:28, 12:28] *= 0.1
    with pytest.raises(ImageError, match="image s shows nothing above 3 times its noise"):
        SMALL.view(from_array(pixels, source="s", pixel_scale_arcsec=1.8))


def test_unobserved_pixels_count_neither_as_noise_nor_as_seen() -> None:
    pixels = noisy((40, 40))
    pixels[19, 19] = 5.0
    pixels[20, 21] = 0.28
    with_hole = pixels.copy()
    with_hole[:, :18] = 0.0
    footprint = np.ones((40, 40), bool)
    footprint[:, :18] = False
    grid = PixelGrid(shape=(40, 40), pixel_scale_arcsec=1.8)
    image = SourceImage(source="s", pixels=with_hole, grid=grid, footprint=footprint)
    view = SMALL.view(image)
    np.testing.assert_array_equal(view.footprint, footprint[12:28, 12:28])
    _, _, sigma = sigma_clipped_stats(pixels[:, 18:].astype(float), sigma=3)
    assert 0.2 < 3 * sigma < 0.4
    assert (view.brightness[8, 9] > 0) == (3 * sigma <= 0.28)
    # were the zeros noise, the threshold would be far lower
    blind = SMALL.view(SourceImage(source="s", pixels=with_hole, grid=grid))
    assert np.count_nonzero(blind.brightness) > np.count_nonzero(view.brightness)


@pytest.mark.parametrize("end", [39, 40])
def test_footprint_is_resampled_with_the_image(end) -> None:
    """Samples lie half-way between pixels; one with an unobserved pixel on a side is not observed."""
    footprint = np.ones((64, 64), bool)
    footprint[:, end:] = False
    pixels = noisy((64, 64))
    pixels[30, 30] = 9.0
    image = SourceImage(
        source="s",
        pixels=np.where(footprint, pixels, 0.0),
        grid=PixelGrid(shape=(64, 64), pixel_scale_arcsec=0.9),
        footprint=footprint,
    )
    view = SMALL.view(image)
    x, _ = view.transform.to_outer(np.arange(16.0), np.arange(16.0))
    np.testing.assert_array_equal(view.footprint.all(axis=0), x <= end - 1)


def test_nan_pixels_of_a_file_become_its_footprint(tmp_path) -> None:
    pixels = noisy((20, 20))
    pixels[10, 10] = 5.0
    pixels[3:5, 6] = np.nan
    np.save(tmp_path / "a.npy", pixels)
    view = SMALL.view(read_image(tmp_path / "a.npy", fill_blank=True))
    assert np.isfinite(view.brightness).all()
    assert np.argwhere(~view.footprint).tolist() == [[1, 4], [2, 4]]


@pytest.mark.parametrize("scale", [0.9, 1.8, 2.3])
@pytest.mark.parametrize("prepared", [True, False])
def test_brightness_lies_between_zero_and_one(scale, prepared) -> None:
    rng = np.random.default_rng(3)
    pixels: np.ndarray = rng.integers(0, 256, (40, 40)).astype(np.uint8)
    if not prepared:
        pixels = (rng.normal(0, 1, (40, 40)) ** 3).astype(np.float32)
    view = SMALL.view(from_array(pixels, source="s", pixel_scale_arcsec=scale))
    assert view.brightness.dtype == np.float32
    assert 0.0 <= view.brightness.min() < view.brightness.max() <= 1.0


@pytest.mark.parametrize(("low", "high"), [(-0.5, 1.0), (0.0, 4095.0)])
def test_an_image_that_cannot_be_prepared_is_refused(low, high) -> None:
    pixels = np.linspace(low, high, 400, dtype=np.float32).reshape(20, 20)
    image = from_array(pixels, source="s", pixel_scale_arcsec=1.8, prepared=True)
    with pytest.raises(ImageError, match=f"image s is said to be prepared.*{low:g} to {high:g}"):
        SMALL.view(image)


def test_the_callers_image_is_not_changed() -> None:
    pixels = noisy((40, 40))
    pixels[20, 20] = 5.0
    image = from_array(pixels, source="s", pixel_scale_arcsec=0.9 * 1.8)
    before = image.pixels.copy()
    SMALL.view(image)
    np.testing.assert_array_equal(image.pixels, before)


def test_standardise() -> None:
    brightness = np.array([[0.0, 0.0031], [0.0381, 1.0]], np.float32)
    values = FIRST_PREPROCESSING.standardise(brightness)
    expected = [[-0.0031 / 0.035, 0.0], [1.0, (1 - 0.0031) / 0.035]]
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)
    assert values.dtype == np.float32
    ends = SYMMETRIC_RANGE.standardise(np.array([[0.0, 1.0]], np.float32))
    np.testing.assert_array_equal(ends, [[-1.0, 1.0]])


def test_round_trip_through_plain_values() -> None:
    rule = Preprocessing(size=64, pixel_scale_arcsec=0.4, clip_sigma=2.5, mean=0.2, deviation=0.7)
    assert Preprocessing.from_dict(rule.to_dict()) == rule
    inner = dataclasses.replace(rule, scaling_size=70)
    assert Preprocessing.from_dict(inner.to_dict()) == inner


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"colour": 1}, "holds 'colour', which this version"),
        ({"size": 150.5}, "size of the preprocessing should be a whole number from 0 to 1e18"),
        ({"size": 4}, "size from 8 to 2048"),
        ({"size": 2049}, "size from 8 to 2048"),
        ({"scaling_size": 149}, "a scaling_size from there to 2048"),
        ({"scaling_size": 2049}, "a scaling_size from there to 2048"),
        ({"scaling_size": 160.0}, "scaling_size of the preprocessing should be a whole number"),
        (
            {"mean": float("nan")},
            "mean of the preprocessing should be a number below 1e18, got nan",
        ),
        ({"clip_sigma": -1.0}, "clip_sigma that is not negative"),
        ({"mean": 2e9}, "finite numbers of at most 1e\\+09"),
        ({"deviation": 0.0}, "positive pixel scale, beam and deviation"),
        ({"pixel_scale_arcsec": -1.8}, "positive pixel scale"),
        ({"beam_arcsec": 0.0}, "positive pixel scale, beam"),
    ],
)
def test_bad_values_from_a_file_are_refused(changes, text) -> None:
    values = {**Preprocessing().to_dict(), **changes}
    with pytest.raises(SpecificationError, match=text):
        Preprocessing.from_dict(values)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Preprocessing)])
def test_a_missing_entry_is_named(name) -> None:
    values = Preprocessing().to_dict()
    values.pop(name, None)
    if name in ("scaling_size", "beam_arcsec"):
        assert Preprocessing.from_dict(values) == Preprocessing()
        return
    with pytest.raises(SpecificationError, match=name):
        Preprocessing.from_dict(values)


# --- fingerprints ----------------------------------------------------------------------------------


def field_of_steps() -> np.ndarray:
    values = np.random.default_rng(3).integers(1, 256, (16, 16)).astype(np.uint8)
    values[8, 8] = 255
    return values


def fingerprint(pixels: np.ndarray, **options) -> str:
    return Preprocessing(size=16).view(from_array(pixels, source="any", **options)).fingerprint()


def test_copies_of_an_image_have_its_fingerprint() -> None:
    pixels = field_of_steps()
    expected = fingerprint(pixels)
    by_hand = hashlib.sha256(b"(16, 16)" + pixels.tobytes()).hexdigest()[:16]
    assert expected == by_hand
    assert fingerprint(np.pad(pixels, 4)) == expected
    assert fingerprint(pixels / 255.0, prepared=True) == expected
    assert fingerprint(pixels.astype(float), prepared=True, pixel_scale_arcsec=1.8) == expected


def test_other_images_have_other_fingerprints() -> None:
    pixels = field_of_steps()
    once = pixels.copy()
    once[2, 3] -= 1
    others = [once, np.rot90(pixels), pixels[::-1], np.roll(pixels, 1, axis=0)]
    assert len({fingerprint(other) for other in [pixels, *others]}) == 5


@pytest.mark.shared_data
def test_fits_cutouts_become_the_images_of_mirabest_exactly() -> None:
    from attnxai.data.mirabest import read_mirabest

    if not os.environ.get("ATTNXAI_DATA"):
        pytest.skip("ATTNXAI_DATA does not name the folder of the shared data")
    images = read_mirabest(hybrids=True)
    files = sorted((Path(os.environ["ATTNXAI_DATA"]) / "mirabest_fits").glob("*.fits.gz"))
    assert len(files) == 24
    for file in files:
        image = read_image(file)
        view = Preprocessing().view(image)
        expected = images[image.source].pixels / np.float32(255)
        np.testing.assert_allclose(view.brightness, expected, rtol=1e-6)
        inner = Preprocessing(size=144, scaling_size=150).view(image)
        np.testing.assert_array_equal(inner.brightness, view.brightness[3:147, 3:147])
        # which is how a model knows a source again that has another name
        assert view.fingerprint() == Preprocessing().view(images[image.source]).fingerprint()
    assert len({Preprocessing().view(image).fingerprint() for image in images}) == len(images)


@pytest.mark.parametrize("wrong", [{"mean": "abc"}, {"size": 150.5}, {"scaling_size": 160.0}])
def test_only_numbers_are_taken_and_whole_ones_for_sides(wrong):
    with pytest.raises(SpecificationError, match="numbers, and whole ones for size and scaling_si"):
        Preprocessing(**wrong)
