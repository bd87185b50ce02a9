"""Pairs on the pixels of each source's own emission."""

from __future__ import annotations

import dataclasses

import numpy as np

from attnxai.alignment.own_emission import own_emission, within_own_emission
from attnxai.alignment.pairs import align
from attnxai.explanations.stack import EMISSION
from tests.builders import made_up


def pairs_with(brightness):
    """Three sources whose marks are the discs of the builder, with this brightness."""
    pairs = align(*made_up(n_sources=3, clip=0.1))
    return dataclasses.replace(pairs, brightness=brightness.astype(np.float32))


def test_emission_beyond_the_outermost_mark_is_not_the_sources():
    pairs = align(*made_up(n_sources=3, clip=0.1))
    brightness = np.zeros(pairs.brightness.shape)
    brightness[0] = 1.0
    brightness[1] = pairs.mask[0, 1]
    brightness[2, :, ::2] = 1.0
    own = own_emission(pairs_with(brightness))
    y, x = np.nonzero(pairs.mask[:, 0].any(axis=0))
    rows, columns = np.mgrid[:32, :32]
    radius = np.hypot(y - y.mean(), x - x.mean()).max()
    np.testing.assert_array_equal(own[0], np.hypot(rows - y.mean(), columns - x.mean()) <= radius)
    np.testing.assert_array_equal(own[1], pairs.mask[0, 1])
    assert own[2, :, ::2].any()
    assert not own[2, :, 1::2].any()
    unseen = dataclasses.replace(pairs_with(brightness), valid=np.zeros_like(pairs.valid))
    assert not own_emission(unseen).any()


def test_sources_without_enough_emission_are_left_out_and_named():
    maps, marks, images = made_up(n_sources=6, clip=0.1)
    pairs = align(maps, marks, images)
    brightness = np.ones(pairs.brightness.shape, np.float32)
    brightness[0] = 0.0
    brightness[1] = np.where(pairs.mask[:, 1].any(axis=0), 0.0, 1.0)  # all but what is marked
    brightness[2] = 0.0
    brightness[2][np.nonzero(pairs.mask[:, 2].all(axis=0))[0][0]] = 0.5
    first = np.argwhere(pairs.mask[0, 3] & ~pairs.mask[1, 3])
    assert len(first)
    brightness[3] = np.where(pairs.mask[1, 3], 0.0, 1.0)  # nothing where the second marked
    within = within_own_emission(dataclasses.replace(pairs, brightness=brightness))
    assert within is not None
    assert within.sources == pairs.sources[3:]
    assert within.present.tolist() == [[True, True, True], [False, True, True]]
    assert not within.density[1, 0].any()
    assert within.density[0, 0].any()
    assert pairs.density[1, 3].any()  # what was given stays as it is
    assert EMISSION not in within.baselines
    no_mark, too_small = within.notes
    assert no_mark.startswith("Within emission 2 sources are left out, as no mark lies on emission")
    assert pairs.sources[0] in no_mark
    assert "fewer than 16 valid pixels" in too_small
    assert pairs.sources[2] in too_small


def test_a_single_source_is_not_enough():
    pairs = align(*made_up(n_sources=2, clip=0.1))
    brightness = pairs.brightness.copy()
    brightness[0] = 0
    assert within_own_emission(dataclasses.replace(pairs, brightness=brightness)) is None
