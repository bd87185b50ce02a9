from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
import pytest

from attnxai.data.grid import PixelGrid
from attnxai.data.images import SourceImage
from attnxai.data.smoothing import (
    FWHM_PER_SIGMA,
    beam_covariance,
    kernel_covariance,
    smoothed,
)
from tests.data.skies import SKIES, make_wcs

SHAPE = (121, 141)


def gaussian(covariance: np.ndarray, x_0: float, y_0: float) -> np.ndarray:
    """Of unit sum, by the formula of its density."""
    y, x = np.indices(SHAPE)
    offsets = np.stack([x - x_0, y - y_0])
    power = np.einsum("iab,ij,jab->ab", offsets, np.linalg.inv(covariance), offsets)
    return np.asarray(np.exp(-power / 2) / (2 * np.pi * np.sqrt(np.linalg.det(covariance))))


def image_of(pixels: Any, beam: Any = None, **options: Any) -> SourceImage:
    options.setdefault("grid", PixelGrid(shape=SHAPE, pixel_scale_arcsec=1.0))
    return SourceImage(source="s", pixels=pixels, beam_arcsec=beam, **options)


@pytest.mark.parametrize("sky", list(SKIES))
@pytest.mark.parametrize("angle", [0.0, 25.0, -70.0, 90.0])
def test_a_beam_lies_along_its_position_angle(sky: str, angle: float) -> None:
    """The long axis points at the pixel that lies at the position angle from the middle."""
    wcs = make_wcs(SHAPE, **SKIES[sky], pixel_arcsec=1.5)
    covariance = beam_covariance((9.0, 4.0, angle), PixelGrid(shape=SHAPE, wcs=wcs))
    values, vectors = np.linalg.eigh(covariance)
    np.testing.assert_allclose(np.sqrt(values) * FWHM_PER_SIGMA * 1.5, [4.0, 9.0], rtol=1e-5)
    middle = wcs.pixel_to_world(70, 60).icrs
    end = middle.directional_offset_by(angle * u.deg, 10 * u.arcsec)
    x, y = np.array(wcs.world_to_pixel(end)) - (70, 60)
    towards = np.array([x, y]) / np.hypot(x, y)
    assert abs(towards @ vectors[:, 1]) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    "beam", [(6.0, 6.0, 0.0), (9.0, 5.0, 30.0), (9.0, 8.0, -45.0), (11.9, 4.0, 0.0)]
)
def test_a_point_source_gets_the_wanted_beam(beam: tuple[float, float, float]) -> None:
    """Against the density of the target beam, computed by its formula."""
    grid = PixelGrid(shape=SHAPE, pixel_scale_arcsec=1.0)
    point = gaussian(beam_covariance(beam, grid), 66.3, 58.8)
    found = smoothed(
        image_of(point, beam), kernel_covariance(image_of(point, beam), beam_arcsec=12.0)
    )
    expected = gaussian(np.eye(2) * (12 / FWHM_PER_SIGMA) ** 2, 66.3, 58.8)
    np.testing.assert_allclose(found, expected, atol=2e-3 * expected.max())


def test_an_axis_that_is_not_smaller_stays() -> None:
    image = image_of(np.eye(*SHAPE), (15.0, 5.0, 0.0))
    covariance = kernel_covariance(image, beam_arcsec=12.0) * FWHM_PER_SIGMA**2
    np.testing.assert_allclose(covariance, [[144 - 25, 0], [0, 0]], atol=1e-9)
    assert not kernel_covariance(image_of(np.eye(*SHAPE), (15, 13, 9)), beam_arcsec=12.0).any()


def test_the_wider_of_sampling_and_beam_decides() -> None:
    beam = (11.0, 5.0, 0.0)
    found = kernel_covariance(image_of(np.eye(*SHAPE), beam), step=6.0, beam_arcsec=12.0)
    # along y sqrt(144 - 121) / 2.35 = 2.04 pixels, less than 2.5 for new pixels six times as large
    np.testing.assert_allclose(found, [[(144 - 25) / FWHM_PER_SIGMA**2, 0], [0, 2.5**2]], atol=1e-9)
    assert np.array_equal(
        kernel_covariance(image_of(np.eye(*SHAPE)), step=3.0, beam_arcsec=12.0), np.eye(2)
    )
    assert not kernel_covariance(image_of(np.eye(*SHAPE), beam), step=0.5).any()


@pytest.mark.parametrize(
    "other",
    [{"prepared": True}, {"beam_arcsec": None}, {"grid": PixelGrid(shape=SHAPE)}],
)
def test_images_that_cannot_be_brought_to_a_beam(other: dict[str, Any]) -> None:
    options = {"beam": (5.0, 5.0, 0.0)} | {
        ("beam" if k == "beam_arcsec" else k): v for k, v in other.items()
    }
    assert not kernel_covariance(image_of(np.eye(*SHAPE), **options), beam_arcsec=12.0).any()


@pytest.mark.parametrize("covariance", [np.eye(2) * 9.0, np.array([[9.0, 3.0], [3.0, 4.0]])])
def test_blanks_do_not_enter(covariance: np.ndarray) -> None:
    footprint = np.ones(SHAPE, bool)
    footprint[50:70, 60:90] = False
    pixels = np.full(SHAPE, 2.0)
    pixels[0, 0] = 2.1
    found = smoothed(image_of(np.where(footprint, pixels, 0), footprint=footprint), covariance)
    np.testing.assert_allclose(found[footprint][2500:], 2.0, rtol=1e-6)
    assert smoothed(image_of(pixels), covariance)[20:].max() == pytest.approx(2.0, rel=1e-6)


def test_a_gaussian_much_wider_than_the_image_takes_no_memory() -> None:
    pixels = np.zeros(SHAPE)
    pixels[60, 70] = 1.0
    for covariance in (np.eye(2) * 1e18, np.diag([1e18, 1.0])):
        assert np.isfinite(smoothed(image_of(pixels), covariance)).all()
