"""Options that are a closed choice mean the same as words and as members."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.agreement.comparison import ComparisonSettings
from attnxai.agreement.intervals.crossed import CrossedMethod, crossed_interval
from attnxai.agreement.model_comparison.trend import Direction, page_trend, permutation_slope
from attnxai.agreement.noise_ceiling.reliability import Measurement, krippendorff_alpha
from attnxai.nulls import Alternative, draw_choices, run_null_test
from attnxai.statistics.bootstrap import IntervalKind, bootstrap_counts, mean_interval

RNG = np.random.default_rng(5)
SKEWED = RNG.lognormal(size=15)
TABLE = RNG.normal(size=(4, 15))
ROWS = np.arange(4) + RNG.normal(size=(5, 4))


@pytest.mark.parametrize("kind", IntervalKind)
def test_kinds_of_interval(kind):
    counts = bootstrap_counts(15, 500, np.random.default_rng(0))
    assert mean_interval(SKEWED, counts, kind=str(kind)) == mean_interval(SKEWED, counts, kind=kind)
    assert ComparisonSettings(interval=str(kind)).interval is kind


@pytest.mark.parametrize("method", CrossedMethod)
def test_methods_of_crossed_intervals(method):
    word, member = (
        crossed_interval(TABLE, method=m, n_bootstrap=200) for m in (str(method), method)
    )
    assert word == member


@pytest.mark.parametrize("direction", Direction)
def test_directions_of_trends(direction):
    for test in (page_trend, lambda rows, **options: permutation_slope(rows, range(4), **options)):
        assert test(ROWS, alternative=str(direction)).p_value == (
            test(ROWS, alternative=direction).p_value
        )


@pytest.mark.parametrize("alternative", Alternative)
def test_alternatives_of_nulls(alternative):
    draws = draw_choices(15, 4, n_draws=200, rng=np.random.default_rng(0))
    word, member = (
        run_null_test(TABLE.T, draws, null="rotation", alternative=a).p_value
        for a in (str(alternative), alternative)
    )
    assert word == member


@pytest.mark.parametrize("measurement", Measurement)
def test_levels_of_measurement(measurement):
    ratings = np.random.default_rng(2).integers(1, 6, (3, 20)).astype(float)
    assert krippendorff_alpha(ratings, str(measurement)) == krippendorff_alpha(ratings, measurement)


def test_unknown_words_are_refused():
    counts = bootstrap_counts(15, 10, np.random.default_rng(0))
    with pytest.raises(ValueError, match="'bootstrap' is not a valid IntervalKind"):
        mean_interval(SKEWED, counts, kind="bootstrap")
    with pytest.raises(ValueError, match="'dual' is not a valid CrossedMethod"):
        crossed_interval(TABLE, method="dual")
