"""Pixels that are blank by their value."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from attnxai.data.blanks import blank_values
from attnxai.data.images import read_image
from attnxai.errors import AssumptionWarning
from attnxai.models.preprocessing import Preprocessing


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
