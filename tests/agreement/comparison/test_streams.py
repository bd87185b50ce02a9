"""Streams of randomness: one a name, whatever else is asked for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from attnxai.agreement.comparison.streams import Streams

NAMES = [
    (),
    ("a",),
    ("b",),
    ("a", "b"),
    ("b", "a"),
    ("ab",),
    ("a", ""),
    ("exchange", "pooled", "all"),
]


def test_a_name_has_the_same_stream_whenever_it_is_asked_for():
    first, second = Streams(3), Streams(3)
    backwards = {names: second.of(*names).random(4) for names in reversed(NAMES)}
    for names in NAMES:
        np.testing.assert_array_equal(first.of(*names).random(4), backwards[names])
        np.testing.assert_array_equal(first.of(*names).random(4), backwards[names])


def test_names_and_seeds_have_streams_of_their_own():
    drawn = [Streams(seed).of(*names).random(4) for seed in (0, 1) for names in NAMES]
    assert all(not np.isin(one, other).any() for one, other in itertools.combinations(drawn, 2))


def test_streams_are_not_correlated():
    drawn = np.stack([Streams(0).of("source", str(i)).normal(size=2000) for i in range(20)])
    beyond = np.corrcoef(drawn)[np.triu_indices(20, 1)] * np.sqrt(2000)
    assert np.abs(beyond).max() < 4.5
    assert beyond.std() == pytest.approx(1, abs=0.25)


def test_a_generator_gives_what_it_has_to_give():
    rng = np.random.default_rng(8)
    first, second = Streams(rng), Streams(rng)
    assert first.of("a").random() != second.of("a").random()
    assert first.of("a").random() == Streams(np.random.default_rng(8)).of("a").random()
