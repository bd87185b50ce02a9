"""Several statistics under the same resamples, against one at a time and against resampling by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from attnxai.agreement.intervals.closed_variances import closed_variances
from attnxai.agreement.intervals.crossed import CrossedMethod, crossed_interval
from attnxai.agreement.intervals.crossed_table import CrossedTable
from attnxai.agreement.intervals.dual_bootstrap import (
    bootstrap_variances,
    crossed_bootstrap_intervals,
    dual_half_width,
)
from attnxai.statistics.bootstrap import bootstrap_counts
from tests.agreement.intervals.tables import CELL, A, S, mean_squares_by_hand, two_way

STATISTICS = (
    lambda m: m[:, 0] / m[:, 2],
    lambda m: m[:, 1] / m[:, 2],
    lambda m: m[:, 0] - m[:, 1],
    lambda m: m[:, 1],
)


def crossed_bootstrap_interval(values, statistic, **options):
    return crossed_bootstrap_intervals(values, [statistic], **options)[0]


def quantities(*shape, gaps=0):
    rng = np.random.default_rng(4)
    shared = rng.normal(size=shape) + rng.normal(size=(*shape[:-1], 1))
    values = 3 + shared + rng.normal(size=(3, *shape))
    for _ in range(gaps):
        values[rng.integers(3), rng.integers(shape[0]), rng.integers(shape[1])] = np.nan
    return values


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "values",
    [quantities(20), quantities(3, 15), quantities(4, 12, gaps=9)],
    ids=["alone", "crossed", "gaps"],
)
def test_several_statistics_are_those_of_one_at_a_time(values, weighted):
    weights = np.linspace(0.1, 1, values.shape[-1]) if weighted else None
    together = crossed_bootstrap_intervals(
        values, STATISTICS, weights=weights, n_bootstrap=400, rng=7
    )
    assert len(together) == len(STATISTICS)
    for statistic, found in zip(STATISTICS, together, strict=True):
        alone = crossed_bootstrap_interval(
            values, statistic, weights=weights, n_bootstrap=400, rng=7
        )
        assert found == alone
        assert found.low < found.value < found.high


def test_sources_alone_are_percentiles_of_resamples_by_hand():
    values = quantities(20)
    (found,) = crossed_bootstrap_intervals(values, STATISTICS[:1], n_bootstrap=400, rng=7)
    counts = bootstrap_counts(20, 400, np.random.default_rng(7))
    ratios = [(c @ values[0]) / (c @ values[2]) for c in counts]
    np.testing.assert_allclose([found.low, found.high], np.quantile(ratios, [0.025, 0.975]))
    assert found.value == pytest.approx(values[0].sum() / values[2].sum())


def test_a_statistic_that_is_undefined_for_some_resamples_leaves_the_others_alone():
    values = quantities(3, 15)
    middle = values[1].mean()

    def broken(means):
        return np.where(means[:, 1] > middle, np.nan, means[:, 1])

    first, second = crossed_bootstrap_intervals(
        values, [broken, STATISTICS[0]], n_bootstrap=200, rng=1
    )
    assert not first.known
    assert "undefined for some resamples" in first.note
    (alone,) = crossed_bootstrap_intervals(values, STATISTICS[:1], n_bootstrap=200, rng=1)
    assert second == alone


def test_too_few_sources_have_values_and_no_interval():
    found = crossed_bootstrap_intervals(quantities(3, 7), STATISTICS, n_bootstrap=100)
    assert all(np.isfinite(i.value) and not i.known for i in found)
    assert {dataclasses.replace(i, value=0.0).note for i in found} == {
        "no interval: 7 sources are too few, 8 are needed"
    }


def test_a_share_of_itself_keeps_its_width_of_nothing_where_values_vary():
    values = quantities(3, 15)[0]
    (same,) = crossed_bootstrap_intervals(
        np.stack([values, values]), [lambda m: m[:, 0] / m[:, 1]], n_bootstrap=200
    )
    assert (same.value, same.low, same.high) == (1.0, pytest.approx(1.0), pytest.approx(1.0))
    assert same.known


@pytest.mark.parametrize("shape", [(15,), (3, 15)])
@pytest.mark.parametrize("score", [0.0, 1.0])
def test_quantities_that_are_the_same_everywhere_show_nothing(shape, score):
    constant = np.full(shape, score)
    of_itself, of_varied = (
        crossed_bootstrap_interval(
            np.stack([constant, other]), lambda m: m[:, 0] / m[:, 1], n_bootstrap=200
        )
        for other in (np.ones(shape), quantities(*shape)[0])
    )
    assert of_itself.value == score
    assert not of_itself.known
    assert "all values of one of the quantities are the same" in of_itself.note
    # as a share of what varies, the score varies unless it is 0
    assert of_varied.known == (score != 0)


def test_dual_bootstrap_equals_its_expectation():
    """For a mean and a full table the bootstrap's variances are known in closed form."""
    values = two_way(np.random.default_rng(4), 4, 20)
    of_sources, of_annotators, rest = (m / values.size for m in mean_squares_by_hand(values))
    expected = {
        S: of_sources * 19 / 20,
        A: of_annotators * 3 / 4,
    }
    expected[CELL] = expected[S] + expected[A] + rest * (19 / 20) * (3 / 4)
    half, freedom = dual_half_width(expected, (4, 20), 0.95)
    table = CrossedTable.of(values, None, 0.95)
    assert closed_variances(table) == pytest.approx(expected)
    drawn = bootstrap_variances(table, 60_000, np.random.default_rng(1))
    assert drawn == pytest.approx(expected, rel=0.02)
    found = crossed_interval(values, method=CrossedMethod.DUAL_BOOTSTRAP)
    assert found.high - found.value == pytest.approx(half, rel=1e-9)
    assert found.degrees_of_freedom == pytest.approx(freedom, rel=1e-9)
    # the small-sample form undoes the bootstrap's shrinkage, up to the bound: crossed mean squares
    exact = max(of_sources + of_annotators - rest, of_sources, of_annotators)
    variance = min(exact, expected[CELL])
    assert half == pytest.approx(stats.t.ppf(0.975, freedom) * np.sqrt(variance), rel=1e-9)


@pytest.mark.parametrize(
    ("shape", "missing", "weighted"),
    [
        ((2, 520), (0.0, 0.14), False),
        ((2, 50), (0.0, 0.14), False),
        ((4, 200), (0.2, 0.2, 0.2, 0.2), False),
        ((2, 3, 100), (0.0, 0.1, 0.1), False),
        ((2, 400), (0.0, 0.2), True),
    ],
)
def test_variances_without_resamples_are_those_of_many(shape, missing, weighted):
    rng = np.random.default_rng(2)
    values = rng.normal(0.5, 1, shape) + rng.normal(0, 1, shape[-1])
    values += rng.normal(0, 0.3, (*shape[:-1], 1))
    values[rng.random(shape) < np.array(missing)[:, None]] = np.nan
    weights = rng.exponential(size=shape[-1]) + 0.5 if weighted else None
    table = CrossedTable.of(values, weights, 0.95)
    assert closed_variances(table) == pytest.approx(
        bootstrap_variances(table, 40_000, np.random.default_rng(1)), rel=0.03
    )
    found = crossed_interval(values, weights=weights, method=CrossedMethod.DUAL_BOOTSTRAP)
    assert ", without resamples (" in found.method


@pytest.mark.parametrize(
    ("n_annotators", "n_sources", "share"), [(2, 100, 0.3), (2, 200, 0.5), (8, 100, 0.0)]
)
def test_resamples_are_drawn_where_sources_count_unequally_or_annotators_are_many(
    n_annotators, n_sources, share
):
    values = two_way(np.random.default_rng(4), n_annotators, n_sources)
    values[-1, : int((1 - share) * n_sources) if share else 0] = np.nan
    assert closed_variances(CrossedTable.of(values, None, 0.95)) is None
    found = crossed_interval(values, method=CrossedMethod.DUAL_BOOTSTRAP, n_bootstrap=50)
    assert "without resamples" not in found.method


def test_a_heavy_source_that_lies_far_off_needs_resamples():
    """Its weight varies with its value, which the first term of the variance of a quotient leaves out: 8 % here."""
    values, weights = np.random.default_rng(0).normal(size=(2, 200)), np.ones(200)
    values[:, 0] += 30
    weights[0] = 11.5
    assert closed_variances(CrossedTable.of(values, weights, 0.95)) is None
    weights[0] = 1.0
    assert closed_variances(CrossedTable.of(values, weights, 0.95)) is not None


def test_resamples_that_mostly_have_no_value_count_as_often_as_they_have_one():
    """The fifth annotator has one source: drawn alone, a value is left by the resamples that have this source."""
    n, value = 100, 20.0
    values = np.random.default_rng(3).normal(size=(5, n))
    values[4] = np.nan
    values[4, 0] = value
    found = closed_variances(CrossedTable.of(values, None, 0.95))[CELL]
    rng = np.random.default_rng(1)
    annotators = rng.integers(5, size=(40_000, 5))
    annotators = annotators[(annotators != 4).any(axis=1)]
    cells = np.stack([(annotators == a).sum(axis=1) for a in range(5)], axis=1)
    number = cells @ np.isfinite(values)
    of_sources = cells @ np.nan_to_num(values) / np.maximum(number, 1)
    times = rng.multinomial(n, np.full(n, 1 / n), size=len(cells)) * (number > 0)
    means = (times * of_sources).sum(axis=1) / times.sum(axis=1)
    alone = 5.0**-5
    chances = np.array([1 - alone, alone * (1 - (1 - 1 / n) ** n)])
    shares = chances / chances.sum()
    mean = shares @ [means.mean(), value]
    expected = shares @ [((means - mean) ** 2).mean(), (value - mean) ** 2]
    assert found == pytest.approx(expected, rel=0.03)


def test_resampled_means_are_weighted_as_the_estimate():
    values, weights = two_way(np.random.default_rng(4), 3, 12), np.linspace(0.1, 1, 12)
    values[1, 4] = np.nan
    table = CrossedTable.of(values, weights, 0.95)
    found = bootstrap_variances(table, 50, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    rows, columns = bootstrap_counts(3, 50, rng), bootstrap_counts(12, 50, rng)
    drawn = {
        A: (rows, np.ones_like(columns)),
        S: (np.ones_like(rows), columns),
        CELL: (rows, columns),
    }
    for subset, (annotators, sources) in drawn.items():
        means = []
        for of_annotators, of_sources in zip(annotators, sources, strict=True):
            times = of_annotators[:, None] * np.isfinite(values)
            number = times.sum(axis=0)
            share = np.where(number > 0, weights * of_sources, 0.0)
            own = (times * np.nan_to_num(values)).sum(axis=0) / np.maximum(number, 1)
            means.append(np.average(own, weights=share))
        assert found[subset] == pytest.approx(np.var(means))


def test_dual_bootstrap_keeps_its_bounds():
    below = {A: 0.1, S: 0.2, CELL: 5.0}  # the correction would come out negative
    half, _ = dual_half_width(below, (11, 21), 0.95)
    assert half >= stats.norm.ppf(0.975) * np.sqrt(0.2 * 21 / 20)
    above = {A: 1.0, S: 1.0, CELL: 1.0}
    half, freedom = dual_half_width(above, (1001, 1001), 0.95)
    assert half == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-6)


def test_ratio_of_two_means():
    rng = np.random.default_rng(9)
    ceiling = 0.6 + 0.1 * two_way(rng, 4, 40, annotator=0.1)
    score = 0.5 * ceiling + 0.02 * rng.normal(size=ceiling.shape)
    ceiling[0, 3] = np.nan
    share = crossed_bootstrap_interval(
        np.stack([score, ceiling]), lambda means: means[:, 0] / means[:, 1], n_bootstrap=4000
    )
    known = np.isfinite(ceiling)
    of_source = [np.nanmean(np.where(known, x, np.nan), axis=0).mean() for x in (score, ceiling)]
    assert share.value == pytest.approx(of_source[0] / of_source[1])
    assert share.low < share.value < share.high
    # score and ceiling rise and fall together, so their ratio is surer than either
    assert share.high - share.low < 0.06
    few = crossed_bootstrap_interval(np.ones((2, 4, 5)), lambda means: means[:, 0] / means[:, 1])
    assert not few.known
    alone = crossed_bootstrap_interval(
        np.stack([score[1], ceiling[1]]), lambda means: means[:, 0] / means[:, 1]
    )
    assert alone.known
    assert "percentile" in alone.method
