"""The level of an image's noise, and noise of that level."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.audit.noise import clip_noise, draw_noise, noise_level
from attnxai.models.preprocessing import Preprocessing


def test_the_faintest_emission_lies_at_the_clip() -> None:
    image = np.zeros((8, 8))
    image[3, 3], image[3, 4] = 1.0, 0.06
    assert noise_level(image, Preprocessing(clip_sigma=3.0)) == pytest.approx(0.02)
    assert noise_level(image, Preprocessing(clip_sigma=2.0)) == pytest.approx(0.03)


def test_without_a_clip_it_is_the_spread_of_the_sky() -> None:
    rng = np.random.default_rng(0)
    image = 0.3 + 0.05 * rng.standard_normal((100, 100))
    image[40:44, 40:44] = 1.0
    assert noise_level(image, Preprocessing(clip_sigma=0.0)) == pytest.approx(0.05, rel=0.05)
    assert noise_level(image, Preprocessing(clip_sigma=3.0)) == pytest.approx(0.05, rel=0.05)


def test_the_level_of_a_simulated_survey_image_is_recovered() -> None:
    rng = np.random.default_rng(3)
    sky = rng.standard_normal((150, 150))
    y, x = np.mgrid[:150, :150]
    sky += 100 * np.exp(-((x - 75) ** 2 + (y - 75) ** 2) / 200)
    brightness = np.floor(255 * np.where(sky < 3, 0, sky) / sky.max()) / 255
    assert noise_level(brightness, Preprocessing()) == pytest.approx(1 / sky.max(), rel=0.2)


def test_the_clip_is_applied_again() -> None:
    values = np.array([-0.1, 0.02, 0.06, 0.5, 1.3])
    found = clip_noise(values, 0.02, Preprocessing(clip_sigma=3.0))
    np.testing.assert_array_equal(found, [0.0, 0.0, 0.06, 0.5, 1.0])


@pytest.mark.parametrize("fwhm", [0.0, 3.0, 6.0])
def test_noise_has_unit_variance_and_the_width_of_the_beam(fwhm) -> None:
    noise = draw_noise((4, 256, 256), fwhm_pixels=fwhm, rng=np.random.default_rng(1))
    assert noise.var() == pytest.approx(1.0, rel=0.06)
    neighbours = (noise * np.roll(noise, 2, axis=2)).mean() / noise.var()
    width = fwhm / np.sqrt(8 * np.log(2))
    wanted = np.exp(-4 / (4 * width**2)) if fwhm else 0.0
    assert neighbours == pytest.approx(wanted, abs=0.04)
