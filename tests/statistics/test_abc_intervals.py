"""Intervals without resamples against BCa from resamples, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from attnxai.audit.class_shares import binary_auc, group_auc
from attnxai.statistics import bootstrap
from attnxai.statistics.abc_intervals import abc_ends
from attnxai.statistics.bootstrap import (
    ALL_THE_SAME,
    IntervalKind,
    abc_interval,
    statistic_interval,
    stratified_counts,
)
from attnxai.statistics.resamples import Resamples
from attnxai.statistics.studentized import transformed_ends

NORMAL = norm.ppf(0.025)


class Mean:
    def __init__(self, values):
        self.values = values

    def __call__(self, rows):
        return rows @ self.values / rows.sum(axis=1)

    def left_out(self):
        return (self.values.sum() - self.values) / (len(self.values) - 1)


def ends_of(statistic, n, strata=None, normal=NORMAL):
    value = float(statistic(np.ones((1, n)))[0])
    return abc_ends(statistic, value, statistic.left_out(), normal=normal, strata=strata)


def auc_of(n_negative, n_positive, auc, seed):
    labels = np.repeat([0, 1], [n_negative, n_positive])
    rng = np.random.default_rng(seed)
    values = rng.normal(size=len(labels)) + norm.ppf(auc) * np.sqrt(2) * labels
    return binary_auc(values, labels), labels


@pytest.mark.parametrize("sizes", [(900, 900), (1300, 400)])
@pytest.mark.parametrize("kind", [IntervalKind.BCA, IntervalKind.EXPANDED])
def test_ends_of_a_skewed_auc_are_those_of_bca(sizes, kind):
    auc, labels = auc_of(*sizes, 0.97 if sizes[0] == sizes[1] else 0.9, seed=0)
    options = {"strata": labels, "unit": "source", "kind": kind}
    counts = stratified_counts(labels, 20_000, np.random.default_rng(1))
    expected = statistic_interval(auc, counts, **options)
    found = statistic_interval(auc, Resamples(20_000, len(labels), 0, strata=labels), **options)
    assert "BCa" in expected.method
    assert found.method == "ABC (DiCiccio & Efron 1992), over sources"
    assert (found.value, found.n_units) == (expected.value, expected.n_units)
    ends = np.array([[one.low, one.high] for one in (found, expected)])
    half = np.ptp(ends[1]) / 2
    np.testing.assert_allclose(ends[0], ends[1], atol=0.03 * half)
    # a symmetric interval would be wrong by more
    symmetric = found.value + half * np.array([-1, 1])
    assert (np.abs(symmetric - ends[1]) > 0.06 * half).all()


def test_ends_of_a_mean_by_hand():
    values = np.tile([3.0, -1.0, -1.0, -1.0], 400)  # of mean 0, variance 3 and third moment 6
    error, acceleration = np.sqrt(3) / 40, 6 / 3**1.5 / 40 / 6
    moved = acceleration + np.array([NORMAL, -NORMAL])  # a mean has neither bias nor curvature
    expected = error * moved / (1 - acceleration * moved) ** 2
    np.testing.assert_allclose(ends_of(Mean(values), 1600), expected, rtol=1e-9)


def test_strata_are_samples_of_their_own():
    values = np.r_[np.tile([3.0, -1.0, -1.0, -1.0], 300), np.tile([13.0, 9.0, 9.0, 9.0], 100)]
    labels = np.repeat([4, 7], [1200, 400])
    # the mean within strata does not vary with the difference of the strata
    within = values - np.where(labels == 4, 0.0, 10.0)
    variance, third = np.mean(within**2), np.mean(within**3)
    error, acceleration = np.sqrt(variance / 1600), third / variance**1.5 / 40 / 6
    moved = acceleration + np.array([NORMAL, -NORMAL])
    expected = values.mean() + error * moved / (1 - acceleration * moved) ** 2
    np.testing.assert_allclose(ends_of(Mean(values), 1600, labels), expected, rtol=1e-5)


def test_ends_of_a_mean_are_those_of_its_transform():
    values = np.random.default_rng(0).exponential(size=3000)
    low, high = transformed_ends(values, np.ones(3000), 0.95)
    np.testing.assert_allclose(ends_of(Mean(values), 3000), [low, high], atol=0.01 * (high - low))


class OfMeans:
    """A function of means over units (n_units, n_means)."""

    def __init__(self, values, function):
        self.values, self.function = values, function

    def __call__(self, rows):
        return self.function(rows @ self.values / rows.sum(axis=1, keepdims=True))

    def left_out(self):
        return self.function((self.values.sum(axis=0) - self.values) / (len(self.values) - 1))


def test_bias_is_corrected():
    """The squared length of a mean of forty numbers is too large by 0.6 standard errors."""
    values = np.random.default_rng(0).normal(size=(1200, 40)) + np.eye(40)[0]
    length = OfMeans(values, lambda means: (means**2).sum(axis=1))
    strata = np.zeros(1200, int)
    counts = stratified_counts(strata, 10_000, np.random.default_rng(1))
    expected = statistic_interval(length, counts, strata=strata, unit="source")
    half = (expected.high - expected.low) / 2
    found = ends_of(length, 1200)
    np.testing.assert_allclose(found, [expected.low, expected.high], atol=0.06 * half)


def test_ends_follow_a_transform_of_the_statistic():
    """Curvature and bias of a function of a mean cancel."""
    values = np.random.default_rng(0).exponential(size=(1500, 1))
    steep = OfMeans(
        values, lambda means: np.exp(12.0 * means[:, 0])
    )  # changes by a third in a standard error
    low, high = ends_of(Mean(values[:, 0]), 1500)
    expected = np.exp(12.0 * np.array([low, high]))
    np.testing.assert_allclose(ends_of(steep, 1500), expected, rtol=0.004)


def dominated():
    values = np.zeros(2000)
    values[3] = 1000.0
    return values + np.random.default_rng(0).random(2000)


@pytest.mark.parametrize(
    ("values", "normal"),
    [
        (np.arange(999.0), NORMAL),
        (dominated(), NORMAL),
        (np.ones(2000), NORMAL),
        (np.r_[np.nan, np.arange(1999.0)], NORMAL),
        (np.random.default_rng(0).normal(size=1000), -30.0),  # weights would be negative
    ],
    ids=["few", "dominated", "equal", "undefined", "far"],
)
def test_resamples_are_asked_for_where_weights_do_not_do(values, normal):
    assert ends_of(Mean(values), len(values), normal=normal) is None


def test_few_dominating_sources_are_resampled():
    values = dominated()
    strata = np.zeros(2000, int)
    counts = Resamples(300, 2000, 0, strata=strata)
    found = statistic_interval(Mean(values), counts, strata=strata, unit="source")
    assert found.method == "BCa bootstrap over sources"


def test_percentiles_take_resamples():
    auc, labels = auc_of(600, 600, 0.7, seed=0)
    options = {"strata": labels, "kind": IntervalKind.PERCENTILE, "level": 0.95}
    assert abc_interval(auc, float(auc(np.ones((1, 1200)))[0]), auc.left_out(), **options) is None
    counts = Resamples(200, 1200, 0, strata=labels)
    found = statistic_interval(
        auc, counts, strata=labels, unit="source", kind=IntervalKind.PERCENTILE
    )
    assert "percentile" in found.method


def test_classes_that_are_told_without_error_have_no_interval(monkeypatch):
    labels = np.repeat([0, 1], 700)
    auc = binary_auc(labels + np.linspace(0, 0.5, 1400), labels)
    drawn = []
    over = bootstrap.over_resamples
    monkeypatch.setattr(
        bootstrap, "over_resamples", lambda one, rows: drawn.append(len(rows)) or over(one, rows)
    )
    counts = Resamples(10_000, 1400, 0, strata=labels)
    found = statistic_interval(auc, counts, strata=labels, unit="source")
    assert found.value == 1.0
    assert not found.known
    assert found.note.endswith(ALL_THE_SAME)
    assert drawn == [64]


def test_sources_are_drawn_within_all_classes_and_not_the_two_that_are_compared():
    """One class against the rest: the rest is drawn within its classes, which makes the interval narrower."""
    labels = np.repeat([0, 1, 2], 600)
    values = np.random.default_rng(0).normal(size=1800) + np.array([0.0, 1.0, 2.5])[labels]
    found = group_auc(values, labels, 1, Resamples(2000, 1800, 0, strata=labels))
    kept = stratified_counts(labels, 4000, np.random.default_rng(1))
    expected = group_auc(values, labels, 1, kept)
    assert "ABC" in found.method
    half = (expected.high - expected.low) / 2
    np.testing.assert_allclose(
        [found.low, found.high], [expected.low, expected.high], atol=0.06 * half
    )


@pytest.mark.slow
@pytest.mark.parametrize(("sizes", "auc"), [((1000, 1000), 0.7), ((1000, 1000), 0.97)])
def test_coverage(sizes, auc):
    missed = [0, 0]
    for seed in range(2000):
        statistic, labels = auc_of(*sizes, auc, seed)
        low, high = ends_of(statistic, len(labels), labels)
        missed[0] += low > auc
        missed[1] += high < auc
    assert all(28 <= one <= 75 for one in missed)  # 0.05 and 99.95 % of binomial(2000, 0.025)
