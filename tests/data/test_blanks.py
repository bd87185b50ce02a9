"""Pixels that are blank: without a value, beyond the field, or by their value."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from attnxai.data.blanks import blank_values
from attnxai.data.image_files import read_image
from attnxai.errors import AssumptionWarning, ImageError
from attnxai.models.preprocessing import Preprocessing
from tests.data.fits_files import SHAPE, write_fits


def sky(side: int = 200) -> Any:
    rng = np.random.default_rng(2)
    image = rng.normal(0, 1e-4, (side, side))
    y, x = np.mgrid[:side, :side]
    image += 0.02 * np.exp(-((x - side / 2) ** 2 + (y - side / 2) ** 2) / 8)
    return image.astype(np.float32)


@pytest.mark.parametrize("value", [0.0, 1e-5, -999.0, 1e20, -1e30, 9999.0, -32768.0])
def test_edges_of_any_value_change_nothing_within(tmp_path: Path, value: float) -> None:
    """What the network sees is that of the image with NaN there, to the pixel."""
    preprocessing = Preprocessing(size=100)
    inside = np.zeros((200, 200), bool)
    inside[45:-40, 42:-44] = True
    fits.PrimaryHDU(np.where(inside, sky(), value).astype("f4")).writeto(tmp_path / "a.fits")
    fits.PrimaryHDU(np.where(inside, sky(), np.nan).astype("f4")).writeto(tmp_path / "b.fits")
    with pytest.warns(AssumptionWarning, match=re.escape(f"pixels of the value {value:g}")):
        image = read_image(tmp_path / "a.fits")
    right = read_image(tmp_path / "b.fits", fill_blank=True)
    assert image.footprint is not None
    np.testing.assert_array_equal(image.footprint, inside)
    np.testing.assert_array_equal(image.pixels, right.pixels)
    views = [preprocessing.view(one).brightness for one in (image, right)]
    np.testing.assert_array_equal(views[0], views[1])


def test_two_values_at_once() -> None:
    image = sky()
    image[:, :20], image[:9] = -999.0, 0.0
    blank, notes = blank_values(image)
    assert len(notes) == 2
    assert blank.sum() == 200 * 200 - 180 * 191


def test_the_same_value_elsewhere_is_a_measurement() -> None:
    image = sky()
    image[:, :20] = image[120, 120] = 0.0
    blank, _ = blank_values(image)
    assert not blank[120, 120]
    assert blank.sum() == 4000


@pytest.mark.parametrize(
    "image",
    [
        sky(),
        np.round(sky() / 1e-4),  # noise digitised in steps of sigma
        np.round(sky() / 2.5e-5).astype(np.int16),
        np.where(sky() > 3e-4, sky(), 0),  # clipped
        np.abs(sky()),
        sky() > 3e-4,
        np.clip(sky(), None, 0.001),  # saturated
        np.where(np.arange(200) == 100, 50, sky()).clip(None, 0.02),
    ],
    ids=[
        "noise",
        "coarse",
        "fine",
        "clipped",
        "positive",
        "of two values",
        "saturated",
        "bright line",
    ],
)
def test_images_without_blank_pixels(image: Any) -> None:
    blank, notes = blank_values(image)
    assert not notes
    assert not blank.any()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_prepared_images_stay_as_they_are(tmp_path: Path, dtype: Any) -> None:
    image = np.where(sky() > 3e-4, sky() / 0.02 * 255, 0).clip(0, 255).astype(dtype)
    fits.PrimaryHDU(image).writeto(tmp_path / "a.fits")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_image(tmp_path / "a.fits", prepared=True)
    assert found.footprint is None
    np.testing.assert_array_equal(found.pixels, image)


def test_signalling_nan_is_blank_without_a_warning(tmp_path: Path) -> None:
    image = sky(60)
    image.view(np.uint32)[3, 4] = 0x7FA00000
    fits.PrimaryHDU(image).writeto(tmp_path / "a.fits")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = read_image(tmp_path / "a.fits", fill_blank=True)
    assert read.footprint is not None
    assert np.argwhere(~read.footprint).tolist() == [[3, 4]]


class TestBlankPixels:
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_refused_with_their_number_and_a_way_out(
        self, tmp_path: Path, pixels: Any, bad: float
    ) -> None:
        pixels[2, 3:6] = bad
        path = write_fits(tmp_path / "a.fits", pixels)
        with pytest.raises(
            ImageError, match=r"3 of 204 pixels .* NaN or infinite; pass fill_blank=True"
        ):
            read_image(path)

    def test_beyond_the_field_they_are_blank_with_a_note(self, tmp_path: Path, pixels: Any) -> None:
        pixels[:, :2] = pixels[0, :5] = np.nan
        path = write_fits(tmp_path / "a.fits", pixels)
        with pytest.warns(AssumptionWarning, match="without a value that reach the edge"):
            image = read_image(path)
        assert image.footprint is not None
        np.testing.assert_array_equal(image.footprint, np.isfinite(pixels))
        pixels[6, 8] = np.nan
        path = write_fits(tmp_path / "b.fits", pixels)
        with (
            pytest.warns(AssumptionWarning, match="reach the edge"),
            pytest.raises(ImageError, match=r"1 of 204 pixels that are NaN"),
        ):
            read_image(path)

    def test_filled_with_zero_and_left_out_of_the_footprint(
        self, tmp_path: Path, pixels: Any
    ) -> None:
        blank = np.zeros(SHAPE, bool)
        blank[2, 3:6] = blank[-1, -1] = True
        image = read_image(
            write_fits(tmp_path / "a.fits", np.where(blank, np.nan, pixels)), fill_blank=True
        )
        np.testing.assert_array_equal(image.pixels, np.where(blank, 0, pixels))
        assert image.footprint is not None
        np.testing.assert_array_equal(image.footprint, ~blank)
        assert not image.footprint.flags.writeable

    def test_blank_integers_of_fits(self, tmp_path: Path) -> None:
        values = np.arange(30, dtype=np.int16).reshape(5, 6)
        path = write_fits(tmp_path / "a.fits", values)
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["BLANK"] = 7
        with pytest.raises(ImageError, match="1 of 30 pixels"):
            read_image(path)
        footprint = read_image(path, fill_blank=True).footprint
        assert footprint is not None
        assert np.argwhere(~footprint).tolist() == [[1, 1]]

    def test_whole_image_has_no_footprint(self, tmp_path: Path, pixels: Any) -> None:
        image = read_image(write_fits(tmp_path / "a.fits", pixels), fill_blank=True)
        assert image.footprint is None

    @pytest.mark.parametrize("fill", [True, False])
    def test_all_blank(self, tmp_path: Path, fill: bool) -> None:
        path = write_fits(tmp_path / "a.fits", np.full(SHAPE, np.nan))
        with pytest.raises(ImageError, match="is blank: all of its pixels are NaN or infinite"):
            read_image(path, fill_blank=fill)

    def test_constant_but_for_blank_pixels_is_constant(self, tmp_path: Path) -> None:
        values = np.full(SHAPE, 3.5)
        values[0] = np.nan
        with pytest.raises(ImageError, match=r"constant \(3\.5 everywhere\); there is no source"):
            read_image(write_fits(tmp_path / "a.fits", values), fill_blank=True)
