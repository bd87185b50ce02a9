"""Surrogates with random phases: values exactly, spectrum nearly, nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attnxai.nulls import PhaseSurrogates
from attnxai.nulls.phase import phase_surrogates
from tests.nulls.fields import smooth_fields


def power(maps):
    return np.abs(np.fft.rfft2(maps - maps.mean(axis=(-2, -1), keepdims=True))) ** 2


def spectrum_error(map, surrogates):
    wanted = power(map)
    return (np.abs(power(surrogates) - wanted).sum(axis=(-2, -1)) / wanted.sum()).mean()


@settings(max_examples=30, deadline=None)
@given(
    map=arrays(
        np.float64, st.tuples(st.integers(1, 6), st.integers(1, 7)), elements=st.floats(-9, 9)
    ),
    n_iterations=st.integers(0, 3),
)
def test_values_are_kept(map, n_iterations):
    surrogates = phase_surrogates(map, 2, n_iterations=n_iterations, rng=np.random.default_rng(0))
    assert surrogates.shape == (2, *map.shape)
    for surrogate in surrogates:
        np.testing.assert_array_equal(np.sort(surrogate, axis=None), np.sort(map, axis=None))


@pytest.mark.parametrize("scale", [2.0**-1040, 2.0**-600, 2.0**1000])
def test_scale_plays_no_part(scale):
    map = np.random.default_rng(3).integers(-9, 9, (8, 8)).astype(float)
    plain, scaled = (
        phase_surrogates(values, 3, n_iterations=3, rng=np.random.default_rng(0))
        for values in (map, map * scale)
    )
    np.testing.assert_array_equal(scaled, plain * scale)


def test_spectrum_of_gaussian_maps_is_kept_and_better_after_iterations():
    rng = np.random.default_rng(0)
    map = smooth_fields(rng, 1, 48, periodic=True)[0]
    plain = spectrum_error(map, phase_surrogates(map, 10, n_iterations=0, rng=rng))
    iterated = spectrum_error(map, phase_surrogates(map, 10, n_iterations=10, rng=rng))
    white = spectrum_error(
        map, rng.permuted(np.tile(map.ravel(), (10, 1)), axis=1).reshape(-1, 48, 48)
    )
    assert plain < 0.3
    assert iterated < 0.03
    assert white > 1.5


def test_iterations_mend_the_spectrum_of_skewed_maps():
    rng = np.random.default_rng(1)
    map = np.exp(1.5 * smooth_fields(rng, 1, 48)[0])
    errors = [
        spectrum_error(map, phase_surrogates(map, 10, n_iterations=n, rng=rng)) for n in (0, 10)
    ]
    assert errors[1] < 0.4 * errors[0]


def test_surrogates_share_nothing_with_the_map_or_each_other():
    rng = np.random.default_rng(2)
    maps = smooth_fields(rng, 40, 32, periodic=True)
    found = np.array(
        [
            np.corrcoef(
                np.vstack([map.reshape(1, -1), phase_surrogates(map, 2, rng=rng).reshape(2, -1)])
            )[np.triu_indices(3, 1)]
            for map in maps
        ]
    )
    assert (np.abs(found.mean(axis=0)) < 4 * found.std(axis=0) / np.sqrt(len(maps))).all()


def test_tied_values_do_not_become_stripes():
    """A map that is 0 but for a bump: ranks of its zeros must not follow the order of pixels."""
    map = np.zeros((32, 32))
    map[14:18, 14:18] = 1.0
    surrogates = phase_surrogates(map, 200, n_iterations=0, rng=np.random.default_rng(0))
    by_row = surrogates.sum(axis=(0, 2))
    expected = 200 * 16 / 32
    assert np.abs(by_row - expected).max() < 6 * np.sqrt(expected * 4)


def test_surrogates_of_a_comparison_are_adjusted_until_their_spectrum_is_that_of_the_map():
    rng = np.random.default_rng(0)
    map = np.exp(2 * smooth_fields(rng, 1, 16)[0])

    def error(null):
        _, surrogates = null.surrogates(map, np.ones(map.shape, bool), np.random.default_rng(1))
        return spectrum_error(map, surrogates[1:].reshape(-1, 16, 16))

    plain = error(PhaseSurrogates(n_surrogates=20, n_iterations=0))
    assert error(PhaseSurrogates(n_surrogates=20)) < 0.3 * plain
