"""Emission and the zones about it, by hand and against binary dilation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from attnxai.data.emission import Zone, cells_with_emission, emission_mask, zones_of_sky
from attnxai.data.grid import GridTransform
from attnxai.errors import OptionError


def test_islands_are_joined_at_corners_and_not_across_images() -> None:
    brightness = np.zeros((2, 5, 5))
    brightness[0, 0, 0] = brightness[0, 1, 1] = 0.5
    brightness[0, 4, 4] = brightness[1, 4, 4] = 1.0
    assert np.argwhere(emission_mask(brightness, min_island_pixels=1)).tolist() == [
        [0, 0, 0],
        [0, 1, 1],
        [0, 4, 4],
        [1, 4, 4],
    ]
    # the second image has no larger island, so that the small one counts
    assert np.argwhere(emission_mask(brightness, min_island_pixels=2)).tolist() == [
        [0, 0, 0],
        [0, 1, 1],
        [1, 4, 4],
    ]
    np.testing.assert_array_equal(
        emission_mask(brightness[0], min_island_pixels=2),
        emission_mask(brightness, min_island_pixels=2)[0],
    )
    with pytest.raises(OptionError, match="min_island_pixels has to be 1 or more, got 0"):
        emission_mask(brightness, min_island_pixels=0)


@pytest.mark.parametrize(("step", "before"), [(1, 0), (2, 1), (4, 1), (3, 0)])
def test_a_cell_has_emission_where_any_of_its_pixels_has(step, before) -> None:
    """The cells of pooling after padding by ``before`` pixels."""
    rng = np.random.default_rng(step)
    side = 30
    mask = rng.random((3, side, side)) < 0.02
    after = -(side + before) % step
    padded = np.pad(mask, ((0, 0), (before, after), (before, after)))
    n = padded.shape[1] // step
    expected = padded.reshape(3, n, step, n, step).any(axis=(2, 4))
    origin = (step - 1) / 2 - before
    geometry = GridTransform(step=float(step), origin_x=origin, origin_y=origin)
    np.testing.assert_array_equal(cells_with_emission(mask, geometry, (n, n)), expected)


def test_pixels_beyond_the_map_are_left_out() -> None:
    mask = np.zeros((1, 6, 6), bool)
    mask[0, 5, 5] = mask[0, 1, 0] = True
    cells = cells_with_emission(mask, GridTransform(step=2.0, origin_x=0.5, origin_y=0.5), (2, 2))
    assert np.argwhere(cells).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("step", [1, 2, 4, 12])
def test_the_ring_is_that_of_binary_dilation(step) -> None:
    rng = np.random.default_rng(step)
    cells = rng.random((4, 40, 41)) < 0.01
    zones = zones_of_sky(cells, step=step)
    for found, emission in zip(zones, cells, strict=True):
        wide = ndimage.binary_dilation(emission, iterations=24 // step)
        np.testing.assert_array_equal(found == Zone.EMISSION, emission)
        np.testing.assert_array_equal(found != Zone.EMPTY_SKY, wide)


def test_the_ring_is_as_wide_in_images_of_other_steps_whatever_the_rounding() -> None:
    cells = np.zeros((3, 1, 20), bool)
    cells[:, 0, 0] = True
    zones = zones_of_sky(cells, step=[2.0, 3.0 + 1e-15, 24 / 7 + 1e-15])
    assert (zones == Zone.RING).sum(axis=(1, 2)).tolist() == [12, 8, 7]


def test_without_emission_all_is_empty_sky() -> None:
    assert (zones_of_sky(np.zeros((1, 3, 3), bool)) == Zone.EMPTY_SKY).all()
