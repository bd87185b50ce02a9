"""The major axes of sources whose axes are known."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.audit.source_axes import source_axis, turn_to_axis

SIDE = 65


def double(angle_deg, *, first=1.0, second=0.6, distance=16.0, side=SIDE):
    """Two lobes at a position angle, the first in its direction, clipped to 0."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    cosine, sine = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    image = np.zeros((side, side))
    for flux, sign in ((first, 1), (second, -1)):
        image += flux * np.exp(
            -((x - sign * distance * cosine) ** 2 + (y - sign * distance * sine) ** 2) / 18
        )
    return np.where(image < 0.02, 0.0, image)


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 145.0, 200.0, 271.0, 359.0])
def test_the_axis_of_a_double_source_points_to_its_brighter_lobe(angle):
    found = source_axis(double(angle))
    assert (found.angle_deg - angle + 180) % 360 - 180 == pytest.approx(0.0, abs=0.3)
    assert found.axis_ratio < 0.3
    assert 16 < found.reach < 24


@pytest.mark.parametrize("angle", [0.0, 40.0, 130.0, 250.0])
def test_turned_images_lie_along_the_rows(angle):
    image = double(angle)
    turned = turn_to_axis(image, source_axis(image).angle_deg)
    np.testing.assert_allclose(turned, double(0.0), atol=0.06)
    both = turn_to_axis(np.stack([image, 2 * image]), angle)
    np.testing.assert_allclose(both[1], 2 * both[0])


def test_quarter_turns_are_exact():
    image = np.random.default_rng(0).random((9, 9))
    # row r, column c at 90 degrees is where increasing rows were
    np.testing.assert_allclose(turn_to_axis(image, 90.0), np.rot90(image, 1), atol=1e-12)
    np.testing.assert_allclose(turn_to_axis(image, 0.0), image)


def test_round_sources_have_a_ratio_near_one_and_blank_ones_no_axis():
    assert source_axis(double(0.0, distance=0.0)).axis_ratio > 0.97
    assert source_axis(np.zeros((8, 8))) is None
    single = np.zeros((8, 8))
    single[3, 3] = 1.0
    assert source_axis(single) is None


def test_islands_of_noise_do_not_turn_the_axis():
    image = double(20.0)
    noisy = image.copy()
    noisy[60, 5] = noisy[61, 6] = 0.9
    assert source_axis(noisy).angle_deg == pytest.approx(source_axis(image).angle_deg)
    assert source_axis(noisy, min_island_pixels=1).angle_deg != pytest.approx(
        source_axis(image).angle_deg, abs=1.0
    )
