"""Epochs until the reference loss: by hand, and censored times against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from attnxai.study.convergence import (
    DEFINITION,
    PASSES_A_PUBLISHED_EPOCH,
    common_horizon,
    default_reference,
    restricted_mean,
    survival,
    time_to_reference,
)
from tests.study.builders import history


def test_first_epoch_at_or_below_the_reference():
    time = time_to_reference(history([0.7, 0.5, 0.4, 0.45, 0.3]), 0.4)
    assert (time.reached, time.epochs, time.images_seen, time.steps) == (True, 3, 2400, 150)
    assert time.seconds == 30.0
    assert time.published_epochs == 3 / 16
    assert str(PASSES_A_PUBLISHED_EPOCH) in DEFINITION
    assert "at or below" in DEFINITION


def test_a_run_that_never_reaches_it_is_followed_to_its_end():
    time = time_to_reference(history([0.7, 0.5, 0.6]), 0.4)
    assert (time.reached, time.epochs, time.steps) == (False, 3, 150)


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
def test_survival_equals_scipys_kaplan_meier(seed):
    rng = np.random.default_rng(seed)
    times = rng.integers(1, 9, 12).astype(float)
    reached = rng.random(12) < 0.6
    reached[0] = True
    expected = stats.ecdf(stats.CensoredData.right_censored(times, ~reached)).sf
    distinct, shares = survival(times, reached)
    for time, share in zip(distinct, shares, strict=True):
        assert share == pytest.approx(expected.evaluate(time), abs=1e-12)


def test_restricted_mean_by_hand():
    # shares: 1 up to 3, then 3/4 up to 5, where one of three left has its event, one is censored
    times, reached = [3, 5, 5, 8], [True, True, False, True]
    assert restricted_mean(times, reached, 3) == 3
    assert restricted_mean(times, reached, 6) == pytest.approx(3 + 0.75 * 2 + 0.5)
    assert restricted_mean(times, reached, 8) == pytest.approx(3 + 0.75 * 2 + 0.5 * 3)
    assert restricted_mean(times, reached, 20) == pytest.approx(3 + 0.75 * 2 + 0.5 * 3)


@pytest.mark.parametrize("seed", range(3))
def test_up_to_the_common_horizon_it_is_the_mean_of_what_is_known(seed):
    rng = np.random.default_rng(seed)
    times = rng.integers(1, 20, 9)
    reached = rng.random(9) < 0.7
    horizon = times[~reached].min() if (~reached).any() else times.max()
    assert restricted_mean(times, reached, horizon) == pytest.approx(
        np.minimum(times, horizon).mean()
    )


def test_all_censored_and_beyond_what_is_known():
    assert restricted_mean([4, 4], [False, False], 4) == 4
    with pytest.raises(ValueError, match="followed for 4 epochs"):
        restricted_mean([4, 4], [False, False], 5)
