"""Intervals over images, against scipy and by their coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from attnxai.classification.scoring import resampled_roc_auc
from attnxai.statistics.bootstrap import (
    IntervalKind,
    over_resamples,
    statistic_interval,
    stratified_counts,
)
from attnxai.statistics.interval import MIN_UNITS


def test_counts_keep_the_size_of_every_class():
    labels = np.array([0, 1, 1, 0, 2, 1, 0, 0])
    counts = stratified_counts(labels, 2000, np.random.default_rng(0))
    for label in range(3):
        members = counts[:, labels == label]
        assert (members.sum(axis=1) == (labels == label).sum()).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(8), abs=0.1)
    # the only one of its class is in every resample
    assert (counts[:, 4] == 1).all()


def test_blocks_do_not_change_the_values():
    labels = np.arange(40) % 2
    counts = stratified_counts(labels, 1100, np.random.default_rng(0))
    values = np.random.default_rng(1).random(40)
    np.testing.assert_allclose(over_resamples(lambda rows: rows @ values, counts), counts @ values)


@pytest.mark.parametrize("kind", [IntervalKind.BCA, IntervalKind.PERCENTILE])
def test_ends_equal_scipy_for_two_samples(kind):
    """scipy resamples each sample by itself, as here each class."""
    rng = np.random.default_rng(0)
    first, second = rng.exponential(size=25), rng.normal(1.0, 2.0, size=40)
    values, labels = np.r_[first, second], np.r_[np.zeros(25, int), np.ones(40, int)]
    counts = stratified_counts(labels, 40_000, np.random.default_rng(1))
    ours = statistic_interval(
        lambda rows: rows @ values / rows.sum(axis=1),
        counts,
        strata=labels,
        unit="image",
        kind=kind,
    )
    theirs = stats.bootstrap(
        (first, second),
        lambda a, b, axis: (25 * a.mean(axis=axis) + 40 * b.mean(axis=axis)) / 65,
        n_resamples=40_000,
        method="BCa" if kind is IntervalKind.BCA else "percentile",
        random_state=np.random.default_rng(2),
    ).confidence_interval
    tolerance = 0.03 * (theirs.high - theirs.low)
    assert ours.value == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.low, abs=tolerance)
    assert ours.high == pytest.approx(theirs.high, abs=tolerance)
    assert (
        ours.method
        == {IntervalKind.BCA: "BCa", IntervalKind.PERCENTILE: "percentile"}[kind]
        + " bootstrap over images"
    )


def test_no_interval_where_there_can_be_none():
    labels = np.arange(MIN_UNITS - 1) % 2
    counts = stratified_counts(labels, 100, np.random.default_rng(0))
    few = statistic_interval(
        lambda rows: rows @ labels / rows.sum(axis=1), counts, strata=labels, unit="image"
    )
    assert few.value == pytest.approx(labels.mean())
    assert not few.known
    assert few.method == ""
    assert few.note == "no interval: 7 images are too few, 8 are needed"
    # classes that do not overlap have an AUC of 1 in every resample
    labels = np.repeat([0, 1], 20)
    scores = np.stack([np.zeros(40), labels + np.linspace(0, 0.5, 40)], axis=1)
    counts = stratified_counts(labels, 100, np.random.default_rng(0))
    apart = statistic_interval(
        lambda rows: resampled_roc_auc(scores, labels, rows), counts, strata=labels, unit="image"
    )
    assert apart.value == 1.0
    assert not apart.known
    nothing = statistic_interval(
        lambda rows: np.full(len(rows), np.nan), counts, strata=labels, unit="image"
    )
    assert np.isnan(nothing.value)
    assert not nothing.known


def auc_coverage(n, auc, n_experiments, n_bootstrap, rng):
    """Share of intervals that hold the true AUC, of normal scores of equal variance."""
    distance = stats.norm.ppf(auc) * np.sqrt(2)
    covered = 0
    for _ in range(n_experiments):
        labels = (np.arange(n) < n // 2).astype(int)
        scores = np.stack([np.zeros(n), rng.normal(size=n) + distance * labels], axis=1)
        counts = stratified_counts(labels, n_bootstrap, rng)
        interval = statistic_interval(
            lambda rows, s=scores, y=labels: resampled_roc_auc(s, y, rows),
            counts,
            strata=labels,
            unit="image",
        )
        covered += interval.known and interval.low <= auc <= interval.high
    return covered


def test_coverage_of_the_auc():
    n_experiments = 250
    covered = auc_coverage(150, 0.92, n_experiments, 300, np.random.default_rng(5))
    low, high = stats.binom.ppf([0.001, 0.999], n_experiments, [0.93, 0.96])
    assert low <= covered <= high


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "auc", "lowest"),
    [(60, 0.8, 0.93), (60, 0.95, 0.92), (153, 0.98, 0.92), (500, 0.93, 0.94)],
)
def test_coverage_of_the_auc_at_length(n, auc, lowest):
    covered = auc_coverage(n, auc, 1000, 600, np.random.default_rng(n)) / 1000
    assert lowest <= covered <= 0.97
