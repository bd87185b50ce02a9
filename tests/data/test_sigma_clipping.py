"""Sigma clipping against astropy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy.stats import sigma_clipped_stats

from attnxai.data.sigma_clipping import sigma_clipped_deviation


def fields():
    rng = np.random.default_rng(0)
    noise = rng.normal(0.0, 1e-4, (60, 61))
    bright = noise.copy()
    bright[20:40, 20:45] += rng.exponential(0.02, (20, 25))
    steps = np.rint(noise * 2e4) / 2e4
    blank = bright.copy()
    blank[:7], blank[9, 9] = np.nan, np.inf
    return {
        "noise": noise,
        "a source": bright,
        "single precision": bright.astype(np.float32),
        "steps with ties at the clip": steps,
        "values that are not finite": blank,
        "heavy tails": rng.standard_cauchy(5000),  # more is left out in every round
        "even number": rng.exponential(size=1000),
        "constant": np.full((5, 5), 3.0),
        "one value": np.array([2.0]),
        "mostly 0": np.where(rng.random(900) < 0.9, 0.0, rng.random(900)),
    }


@pytest.mark.parametrize("name", fields())
def test_it_is_that_of_astropy(name) -> None:
    values = fields()[name]
    with np.errstate(all="ignore"):
        expected = sigma_clipped_stats(np.asarray(values, float)[np.isfinite(values)], sigma=3)[2]
    assert sigma_clipped_deviation(values) == pytest.approx(expected, rel=1e-14, abs=0)


def test_values_are_left_out_from_both_sides() -> None:
    values = np.concatenate([np.tile([-1.0, 1.0], 50), [100.0, -70.0, 300.0]])
    assert sigma_clipped_deviation(values) == 1.0


def test_without_values_there_is_none() -> None:
    assert math.isnan(sigma_clipped_deviation([]))
    assert math.isnan(sigma_clipped_deviation([np.nan, np.inf]))
