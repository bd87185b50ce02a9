"""Epochs until the reference loss: by hand, and censored times against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from attnxai.study.convergence import (
    DEFINITION,
    PASSES_A_PUBLISHED_EPOCH,
    TimeToReference,
    common_horizon,
    default_reference,
    time_to_reference,
)
from tests.study.builders import history


def test_first_epoch_at_or_below_the_reference():
    time = time_to_reference(history([0.7, 0.5, 0.4, 0.45, 0.3]), 0.4)
    assert (time.reached, time.epochs) == (True, 3)
    assert str(PASSES_A_PUBLISHED_EPOCH) in DEFINITION
    assert "at or below" in DEFINITION


def test_a_run_that_never_reaches_it_is_followed_to_its_end():
    time = time_to_reference(history([0.7, 0.5, 0.6]), 0.4)
    assert (time.reached, time.epochs) == (False, 3)


def test_the_default_reference_lies_three_quarters_of_the_way():
    lowest = [0.2, 0.4]
    assert default_reference(lowest, 2) == pytest.approx(0.25 * math.log(2) + 0.75 * 0.3)
    assert default_reference(lowest, 3) == pytest.approx(0.25 * math.log(3) + 0.75 * 0.3)
    # between guessing and the baseline, so the baseline reaches it
    assert 0.3 < default_reference(lowest, 2) < math.log(2)


@pytest.mark.parametrize("lowest", [[0.7, 0.75], [], [math.nan]])
def test_a_baseline_that_guesses_gives_no_reference(lowest):
    assert math.isnan(default_reference(lowest, 2))


def test_the_horizon_is_the_shortest_censored_run():
    losses = {"fast": [0.5, 0.3], "slow": [0.5, 0.5, 0.5, 0.5, 0.3]}
    losses |= {"never": [0.5] * 4, "longer": [0.5] * 7}
    times = {name: time_to_reference(history(values), 0.4) for name, values in losses.items()}
    assert common_horizon([times["fast"], times["slow"]]) == 5
    assert common_horizon(list(times.values())) == 4


@pytest.mark.parametrize("seed", range(5))
def test_the_mean_up_to_the_horizon_is_the_restricted_kaplan_meier_mean(seed):
    rng = np.random.default_rng(seed)
    epochs = rng.integers(1, 20, 9)
    reached = rng.random(9) < 0.7
    times = [
        TimeToReference(reached=bool(r), epochs=int(e))
        for e, r in zip(epochs, reached, strict=True)
    ]
    horizon = common_horizon(times)
    survival = stats.ecdf(stats.CensoredData.right_censored(epochs.astype(float), ~reached)).sf
    area = sum(float(survival.evaluate(start)) for start in range(horizon))
    assert np.minimum(epochs, horizon).mean() == pytest.approx(area)
