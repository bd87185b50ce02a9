"""Rectangles, discs and emission."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attnxai.errors import OptionError
from attnxai.nulls.footprints import (
    centred_disc,
    centred_rectangle,
    emission_footprint,
)
from tests.nulls.fields import disc


def largest_by_trying(where):
    rows, columns = where.shape
    return max(
        (
            (rows - 2 * top) * (columns - 2 * left)
            for top in range((rows + 1) // 2)
            for left in range((columns + 1) // 2)
            if where[top : rows - top, left : columns - left].all()
        ),
        default=0,
    )


@settings(max_examples=60, deadline=None)
@given(where=arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.booleans()))
def test_centred_rectangle_is_the_largest(where):
    rows, columns = centred_rectangle(where)
    assert where[rows, columns].all()
    assert where[rows, columns].size == largest_by_trying(where)


def test_rectangle_in_a_disc_is_its_square():
    rows, columns = centred_rectangle(disc(50))
    assert (rows.stop - rows.start, columns.stop - columns.start) == (36, 36)


@pytest.mark.parametrize("margin", [0.0, 1.5])
def test_a_disc_turned_by_any_angle_stays_on_valid_pixels(margin):
    where = disc(31)
    where[5, 12] = False
    found = centred_disc(where, margin=margin)
    assert found.any()
    assert not (found & ~where).any()
    y, x = np.argwhere(found).T - 15
    invalid = np.argwhere(~np.pad(where, 1)) - 16
    radius = np.hypot(y, x).max()
    assert radius < np.hypot(*invalid.T).min() - margin
    np.testing.assert_array_equal(found, np.rot90(found))


def test_emission_is_made_of_islands_above_the_noise():
    rng = np.random.default_rng(0)
    image = rng.normal(2.0, 0.5, size=(40, 40))
    image[10:14, 20:24] += 20
    image[[30, 31], [5, 6]] += 20  # two pixels, joined by a corner
    valid = np.ones((40, 40), bool)
    valid[10] = False
    found = emission_footprint(image[None], valid[None], n_sigma=5)[0]
    expected = np.zeros((40, 40), bool)
    expected[11:14, 20:24] = True
    np.testing.assert_array_equal(found, expected)
    with_pair = emission_footprint(image, valid, n_sigma=5, min_island_pixels=2)
    assert with_pair.sum() == expected.sum() + 2
    assert not emission_footprint(image, np.zeros((40, 40), bool)).any()


def test_a_background_of_zero_leaves_all_that_is_above_it():
    image = np.zeros((20, 20))
    image[4:8, 5:9] = 0.01
    found = emission_footprint(image, np.ones((20, 20), bool))
    np.testing.assert_array_equal(found, image > 0)


def test_impossible_options_are_refused():
    image, valid = np.zeros((4, 4)), np.ones((4, 4), bool)
    with pytest.raises(OptionError, match="n_sigma"):
        emission_footprint(image, valid, n_sigma=-1)
    with pytest.raises(OptionError, match="min_island_pixels"):
        emission_footprint(image, valid, min_island_pixels=0)


def test_noise_is_the_median_absolute_deviation_times_that_of_a_normal_distribution():
    """Background of -1 and 1 has median 0 and deviation 1, so that emission begins at 3 x 1.4826 = 4.448."""
    image = np.where(np.indices((20, 20)).sum(axis=0) % 2, 1.0, -1.0)
    image[2:4, 2:6] = 4.44
    image[10:12, 10:14] = 4.46
    image[19, :16:2] = -1.0  # as many below 0 as above
    assert (np.median(image), np.median(np.abs(image))) == (0.0, 1.0)
    found = emission_footprint(image, np.ones((20, 20), bool))
    assert found[10:12, 10:14].all()
    assert found.sum() == 8
