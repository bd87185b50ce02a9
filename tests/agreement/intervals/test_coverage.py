"""How often intervals over crossed factors contain the true mean."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from attnxai.agreement.intervals.crossed import CrossedMethod, crossed_interval
from attnxai.agreement.intervals.variance_components import estimate_components
from tests.agreement.intervals.tables import CELL, A, S, coverage, diligence, two_way, with_holes


def test_components_are_unbiased_with_missing_cells():
    rng = np.random.default_rng(3)
    found = []
    for _ in range(400):
        values = with_holes(two_way(rng, 6, 25, annotator=0.5, source=2.0, cell=1.0), rng)
        parts = estimate_components(values, np.isfinite(values) / np.isfinite(values).sum())
        found.append([parts.variances[A], parts.variances[S], parts.variances[CELL]])
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - [0.5, 2.0, 1.0]) < 3.5 * error).all()


@pytest.mark.parametrize(("n_sources", "n_annotators"), [(20, 3), (30, 6)])
def test_coverage_with_comparable_variances(n_sources, n_annotators):
    rng = np.random.default_rng(10)
    n = 500
    low, high = stats.binom.ppf([0.0005, 0.9995], n, [0.925, 0.965])
    covered = coverage(lambda: two_way(rng, n_annotators, n_sources), n, crossed_interval)
    assert low <= covered <= high
    # sources alone miss what annotators add
    alone = coverage(
        lambda: two_way(rng, n_annotators, n_sources).mean(axis=0),
        n,
        lambda values: crossed_interval(values, n_bootstrap=300, rng=rng),
    )
    assert alone < 0.75 * n


def test_coverage_with_missing_cells():
    rng = np.random.default_rng(11)
    n = 500
    covered = coverage(
        lambda: with_holes(two_way(rng, 6, 30, annotator=0.3), rng), n, crossed_interval
    )
    low, high = stats.binom.ppf([0.0005, 0.9995], n, [0.92, 0.965])
    assert low <= covered <= high


def test_coverage_with_seeds():
    rng = np.random.default_rng(12)
    n = 400

    def make():
        return (
            0.5 * rng.normal(size=(5, 1, 1))
            + two_way(rng, 5, 25, annotator=0.3)
            + rng.normal(size=(5, 1, 25))
            + rng.normal(size=(5, 5, 25))
        )

    covered = coverage(make, n, crossed_interval)
    low, high = stats.binom.ppf([0.0005, 0.9995], n, [0.93, 0.965])
    assert low <= covered <= high
    found = crossed_interval(make())
    assert "Satterthwaite" in found.method
    assert "25 sources x 5 annotators x 5 seeds" in found.method


def test_widths_do_not_explode_with_unequal_diligence():
    """With t quantiles below one degree of freedom 25 of 50 gave seven times the width of 50."""
    medians, rng = {}, np.random.default_rng(21)
    for n_marked in (50, 40, 30, 25, 20, 10):
        widths, covered, n = [], 0, 150
        for _ in range(n):
            found = crossed_interval(diligence(n_marked, rng), n_bootstrap=200, rng=rng)
            widths.append(found.high - found.low)
            covered += found.low <= 0 <= found.high
        medians[n_marked] = np.median(widths)
        low, high = stats.binom.ppf([0.0005, 0.9995], n, [0.87, 0.96])
        assert low <= covered <= high
    assert max(medians.values()) < 1.7 * min(medians.values())


@pytest.mark.slow
@pytest.mark.parametrize("n_marked", [30, 25, 20])
@pytest.mark.parametrize(
    ("annotator", "lowest", "highest"), [(1.0, 0.875, 0.93), (0.1, 0.92, 0.975), (0.0, 0.95, 0.995)]
)
def test_coverage_with_unequal_diligence(n_marked, annotator, lowest, highest):
    rng = np.random.default_rng(22)
    n = 1500
    covered = coverage(
        lambda: diligence(n_marked, rng, annotator=annotator),
        n,
        lambda values: crossed_interval(values, n_bootstrap=400, rng=rng),
    )
    low, high = stats.binom.ppf([0.0005, 0.9995], n, [lowest, highest])
    assert low <= covered <= high


@pytest.mark.slow
@pytest.mark.parametrize("method", [CrossedMethod.COMPONENTS, CrossedMethod.MEAN_SQUARES])
@pytest.mark.parametrize(("n_sources", "n_annotators"), [(20, 3), (50, 3), (50, 5), (100, 10)])
@pytest.mark.parametrize("annotator", [1.0, 0.1, 0.0])
def test_coverage_of_the_documented_table(method, n_sources, n_annotators, annotator):
    rng = np.random.default_rng(13)
    n = 2000
    covered = coverage(
        lambda: two_way(rng, n_annotators, n_sources, annotator=annotator),
        n,
        lambda values: crossed_interval(values, method=method),
    )
    # the table has 0.920 (mean squares, 3 annotators) to 0.968
    low, high = stats.binom.ppf([0.0005, 0.9995], n, [0.918, 0.972])
    assert low <= covered <= high


@pytest.mark.slow
def test_dual_bootstrap_coverage_with_missing_cells():
    rng = np.random.default_rng(14)
    n = 600
    covered = coverage(
        lambda: with_holes(two_way(rng, 5, 30, annotator=0.3), rng, share=0.2),
        n,
        lambda values: crossed_interval(
            values, method=CrossedMethod.DUAL_BOOTSTRAP, n_bootstrap=1000, rng=rng
        ),
    )
    low, high = stats.binom.ppf([0.0005, 0.9995], n, [0.90, 0.97])
    assert low <= covered <= high
