"""How often intervals hold the true mean: values as described, and coverage in its band."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.agreement.intervals.crossed import CrossedMethod
from attnxai.statistics.bootstrap import IntervalKind
from attnxai.validation.coverage import CoverageDesign, Distribution, draw_values
from attnxai.validation.rates import binomial_band


@pytest.mark.parametrize("values", Distribution)
def test_the_true_mean_is_zero(values):
    rng = np.random.default_rng(0)
    means = [draw_values(values, 40, 40, rng).mean() for _ in range(400)]
    assert np.mean(means) == pytest.approx(0.0, abs=4 * np.std(means) / 20)


@pytest.mark.parametrize(
    ("values", "annotator"),
    [(Distribution.EQUAL, 1.0), (Distribution.ALIKE, 0.1), (Distribution.SKEWED, 1.0)],
)
def test_parts_have_their_variances(values, annotator):
    rng = np.random.default_rng(1)
    tables = np.stack([draw_values(values, 30, 30, rng) for _ in range(300)])
    rows, columns = tables.mean(axis=2), tables.mean(axis=1)
    # a mean over 30 keeps a part whole and a thirtieth of the single cells
    assert rows.var(axis=1, ddof=1).mean() == pytest.approx(annotator + 1 / 30, rel=0.1)
    assert columns.var(axis=1, ddof=1).mean() == pytest.approx(1 + 1 / 30, rel=0.1)


def covered(values, n_sources, n_annotators, method, n):
    design = CoverageDesign(
        distribution=values, n_sources=n_sources, n_annotators=n_annotators, method=method
    )
    counts = design.count(0, 0, n)
    assert counts["width"][0] > 0
    return counts["covered"][0]


@pytest.mark.parametrize("method", CrossedMethod)
def test_intervals_over_sources_and_annotators_cover(method):
    n = 120
    low, high = binomial_band(n, 0.95)
    assert low <= covered(Distribution.ALIKE, 20, 5, method, n) <= high
    assert low <= covered(Distribution.EQUAL, 20, 10, method, n) <= high


@pytest.mark.parametrize("kind", IntervalKind)
def test_intervals_over_sources_cover_one_annotator_but_not_several(kind):
    n = 120
    low, high = binomial_band(n, 0.95)
    assert low <= covered(Distribution.NORMAL, 50, 1, kind, n) <= high
    assert covered(Distribution.EQUAL, 50, 3, kind, n) < 0.7 * n


def test_plain_bootstraps_of_few_skewed_values_are_too_narrow():
    n = 200
    low, _ = binomial_band(n, 0.95)
    for kind in (IntervalKind.PERCENTILE, IntervalKind.BCA):
        assert covered(Distribution.LOG_NORMAL, 8, 1, kind, n) < low


def test_methods_meet_the_same_values(monkeypatch):
    seen = []

    def record(*given):
        seen.append(draw_values(*given))
        return seen[-1]

    monkeypatch.setattr("attnxai.validation.coverage.draw_values", record)
    for method in (CrossedMethod.COMPONENTS, CrossedMethod.DUAL_BOOTSTRAP):
        CoverageDesign(
            distribution=Distribution.EQUAL, n_sources=12, n_annotators=3, method=method
        ).count(0, 0, 2)
    np.testing.assert_array_equal(seen[:2], seen[2:])
    assert not np.array_equal(seen[0], seen[1])
