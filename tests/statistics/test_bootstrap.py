"""Bootstrap intervals against scipy and loops by hand, and their coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from attnxai.errors import OptionError
from attnxai.statistics.bootstrap import (
    IntervalKind,
    bootstrap_counts,
    mean_interval,
    resampled_interval,
    weighted_mean,
)
from attnxai.statistics.interval import MIN_UNITS, effective_number, too_few
from attnxai.statistics.studentized import MOST_WITHOUT_ERROR


def error_by_hand(values, weights):
    """Standard error of a weighted mean, one value at a time."""
    total = sum(weights)
    shares = [w / total for w in weights]
    mean = sum(p * x for p, x in zip(shares, values, strict=True))
    squares = sum(p**2 * (x - mean) ** 2 for p, x in zip(shares, values, strict=True))
    known = 1 - 2 * sum(p**3 for p in shares) / sum(p**2 for p in shares)
    return mean, np.sqrt(squares / (known + sum(p**2 for p in shares)))


def studentized_by_hand(values, weights, counts, level):
    mean, error = error_by_hand(values, weights)
    reached = []
    for row in counts.astype(int):
        drawn = np.repeat(np.arange(values.size), row)
        its_mean, its_error = error_by_hand(values[drawn], weights[drawn])
        end = mean - error * (its_mean - mean) / its_error
        reached.append(min(max(end, values.min()), values.max()))
    return np.quantile(reached, [(1 - level) / 2, (1 + level) / 2])


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("weighted", [False, True])
def test_studentized_ends_equal_a_loop(weighted, level):
    rng = np.random.default_rng(3)
    values = rng.exponential(size=12)
    weights = rng.uniform(0.2, 3.0, size=12) if weighted else np.ones(12)
    counts = bootstrap_counts(12, 300, np.random.default_rng(1))
    found = mean_interval(values, counts, weights=weights, level=level)
    assert found.method == "studentized bootstrap over sources"
    assert found.note == ""
    expected = studentized_by_hand(values, weights, counts, level)
    assert (found.low, found.high) == (pytest.approx(expected[0]), pytest.approx(expected[1]))


def test_standard_error_of_equal_weights_is_the_usual_one():
    values = np.random.default_rng(0).normal(size=15)
    assert error_by_hand(values, np.full(15, 2.5))[1] == pytest.approx(stats.sem(values))


def test_standard_error_of_a_weighted_mean_is_unbiased():
    """Where sources vary alike its square has the variance of the weighted mean as expectation."""
    rng = np.random.default_rng(1)
    weights = np.r_[4.0, 2.0, np.ones(8)]
    drawn = rng.normal(size=(20_000, 10))
    squares = np.array([error_by_hand(row, weights)[1] for row in drawn]) ** 2
    truth = (weights**2).sum() / weights.sum() ** 2
    assert abs(squares.mean() - truth) < 4 * squares.std() / np.sqrt(squares.size)


def test_expanded_tails_by_hand():
    """BCa at the level at which a normal quantile equals that of Student's t, times n / (n - 1)."""
    values = np.random.default_rng(2).exponential(size=10)
    counts = bootstrap_counts(10, 5000, np.random.default_rng(1))
    quantile = np.sqrt(10 / 9) * stats.t.ppf(0.975, 9)
    wider = mean_interval(
        values, counts, kind=IntervalKind.BCA, level=2 * stats.norm.cdf(quantile) - 1
    )
    found = mean_interval(values, counts, kind=IntervalKind.EXPANDED)
    assert (found.low, found.high) == (pytest.approx(wider.low), pytest.approx(wider.high))
    # sources of unequal weight tell as much as fewer of equal weight
    weights = np.r_[np.full(5, 3.0), np.ones(5)]
    n = weights.sum() ** 2 / (weights**2).sum()
    quantile = np.sqrt(n / (n - 1)) * stats.t.ppf(0.975, n - 1)
    level = 2 * stats.norm.cdf(quantile) - 1
    wider = mean_interval(values, counts, weights=weights, kind=IntervalKind.BCA, level=level)
    found = mean_interval(values, counts, weights=weights, kind=IntervalKind.EXPANDED)
    assert (found.low, found.high) == (pytest.approx(wider.low), pytest.approx(wider.high))


def test_bca_equals_scipy():
    """Of skewed values, whose acceleration moves the ends; from the very resamples that scipy drew."""
    values = np.random.default_rng(4).exponential(size=12) ** 2
    drawn = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=4000,
        method="percentile",
        random_state=np.random.default_rng(5),
    )
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=0, method="BCa", bootstrap_result=drawn
    ).confidence_interval
    found = resampled_interval(
        values.mean(),
        drawn.bootstrap_distribution,
        (values.sum() - values) / 11,
        n_units=12,
        kind=IntervalKind.BCA,
    )
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    # the acceleration matters here
    assert abs(found.high - np.quantile(drawn.bootstrap_distribution, 0.975)) > 0.1


def test_bca_of_two_samples_equals_scipy():
    """Each of them resampled by itself, of different size; from the very resamples that scipy drew."""
    rng = np.random.default_rng(6)
    first, second = rng.exponential(size=9) ** 2, rng.exponential(size=25)

    def difference(a, b, axis=-1):
        return np.mean(a, axis=axis) - np.mean(b, axis=axis)

    drawn = stats.bootstrap(
        (first, second), difference, n_resamples=4000, method="percentile", random_state=rng
    )
    expected = stats.bootstrap(
        (first, second), difference, n_resamples=0, method="BCa", bootstrap_result=drawn
    ).confidence_interval
    left_out = [difference(np.delete(first, i), second) for i in range(9)]
    left_out += [difference(first, np.delete(second, i)) for i in range(25)]
    found = resampled_interval(
        difference(first, second),
        drawn.bootstrap_distribution,
        np.array(left_out),
        n_units=34,
        kind=IntervalKind.BCA,
        strata=np.repeat([0, 1], [9, 25]),
    )
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert abs(found.high - np.quantile(drawn.bootstrap_distribution, 0.975)) > 0.03


def test_beyond_the_pole_of_bca_the_last_resample_is_the_end():
    resampled = np.linspace(-1.0, 2.0, 1000)
    left_out = np.r_[np.zeros(30), -1.0]
    levels = (0.99, 1 - 1e-6, 1 - 1e-9, 1 - 1e-12)
    found = [
        resampled_interval(0.2, resampled, left_out, n_units=31, kind=IntervalKind.BCA, level=x)
        for x in levels
    ]
    assert (np.diff([i.high for i in found]) >= 0).all()
    assert found[-1].high == 2.0
    assert -1.0 <= found[-1].low < 0.2


def test_a_value_beyond_all_resamples_has_no_bias_to_correct():
    resampled = np.linspace(0.0, 1.0, 1001)
    found = resampled_interval(2.0, resampled, np.zeros(9), n_units=9, kind=IntervalKind.BCA)
    assert (found.low, found.high) == (pytest.approx(0.025), pytest.approx(0.975))


def test_studentized_intervals_are_for_means_alone():
    with pytest.raises(OptionError, match="for other statistics choose the kind expanded"):
        resampled_interval(
            0.5, np.linspace(0, 1, 50), np.ones(9), n_units=9, kind=IntervalKind.STUDENTIZED
        )


def test_one_resample_of_a_single_source_in_a_thousand_is_let_pass():
    values = np.random.default_rng(0).normal(size=10)
    counts = np.tile(np.eye(10) + 0.9, (200, 1))  # resamples of all sources, one of them more often
    single = 10.0 * np.eye(10)
    for n_single, studentized in ((2, True), (3, False)):
        counts[:n_single] = single[:n_single]
        assert mean_interval(values, counts).method.startswith("studentized") is studentized


def test_default_kinds():
    values = np.random.default_rng(2).exponential(size=10)
    counts = bootstrap_counts(10, 500, np.random.default_rng(1))
    assert mean_interval(values, counts) == mean_interval(
        values, counts, kind=IntervalKind.STUDENTIZED
    )
    means = counts @ values / 10
    left_out = (values.sum() - values) / 9
    found = resampled_interval(values.mean(), means, left_out, n_units=10)
    assert found == mean_interval(values, counts, kind=IntervalKind.EXPANDED)


@pytest.mark.parametrize("kind", [IntervalKind.BCA, IntervalKind.PERCENTILE])
def test_ends_equal_scipy_bootstrap(kind):
    values = np.random.default_rng(0).exponential(size=40)
    counts = bootstrap_counts(40, 40_000, np.random.default_rng(1))
    ours = mean_interval(values, counts, kind=kind)
    theirs = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=40_000,
        method="BCa" if kind is IntervalKind.BCA else "percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    error = 0.03 * (theirs.high - theirs.low)
    assert ours.value == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.low, abs=error)
    assert ours.high == pytest.approx(theirs.high, abs=error)


def test_counts_are_resamples():
    counts = bootstrap_counts(7, 500, np.random.default_rng(0))
    assert counts.shape == (500, 7)
    assert (counts.sum(axis=1) == 7).all()
    assert counts.mean() == pytest.approx(1.0)
    assert counts.var() == pytest.approx(6 / 7, rel=0.1)


@pytest.mark.parametrize("kind", IntervalKind)
def test_undefined_values_leave_their_source_out(kind):
    values = np.random.default_rng(0).random(20)
    holes = values.copy()
    holes[[3, 11]] = np.nan
    counts = bootstrap_counts(20, 2000, np.random.default_rng(1))
    interval = mean_interval(holes, counts, kind=kind)
    assert interval.n_units == 18
    assert interval.value == pytest.approx(np.nanmean(holes))
    kept = np.isfinite(holes)
    same = mean_interval(values[kept], counts[:, kept], kind=kind)
    assert (interval.low, interval.high) == (same.low, same.high)


def test_weights():
    values, weights = np.arange(10.0), np.array([1.0] * 9 + [2.0])
    assert weighted_mean(values, weights) == pytest.approx(np.average(values, weights=weights))
    counts = bootstrap_counts(10, 4000, np.random.default_rng(1))
    interval = mean_interval(values, counts, weights=weights)
    assert interval.value == pytest.approx(np.average(values, weights=weights))
    assert interval.low < interval.value < interval.high
    # a source without weight is no source
    assert mean_interval(values, counts, weights=np.r_[0.0, np.ones(9)]).n_units == 9


def test_weighted_sources_count_by_their_effective_number():
    """Kish: 40 sources of which one weighs as much as 15.6 of the others count as (54.6)^2 / 282 = 10.6."""
    counts = bootstrap_counts(40, 500, np.random.default_rng(0))
    values = np.random.default_rng(1).normal(size=40)
    for heavy, n in ((15.6, 10), (35.0, 4)):
        weights = np.r_[heavy, np.ones(39)]
        assert effective_number(weights) == pytest.approx((39 + heavy) ** 2 / (39 + heavy**2))
        interval = mean_interval(values, counts, weights=weights)
        assert (interval.n_units, interval.n_counted, interval.known) == (40, n, n >= MIN_UNITS)
    assert interval.note == (
        "no interval: 40 sources, weighing as much as 4 equal ones, are too few, 8 are needed"
    )
    # values that are all the same are no reason where there are too few sources
    assert "too few" in mean_interval(np.ones(40), counts, weights=weights).note
    assert mean_interval(values, counts, weights=np.full(40, 0.3)).n_effective is None
    eight = np.r_[np.full(8, 0.1), np.zeros(32)]
    assert mean_interval(values, counts, weights=eight).known


def test_words_for_too_few_sources():
    words = "40 sources, weighing as much as 5 equal ones, are too few"
    assert (too_few(5), too_few(8), too_few(40, 5.8)) == ("5 sources are too few", "", words)


def test_too_few_sources_have_no_interval():
    counts = bootstrap_counts(MIN_UNITS - 1, 1000, np.random.default_rng(0))
    interval = mean_interval(np.arange(MIN_UNITS - 1.0), counts)
    assert interval.value == pytest.approx(3.0)
    assert not interval.known
    assert np.isnan(interval.low)


def test_nothing_defined():
    counts = bootstrap_counts(10, 1000, np.random.default_rng(0))
    interval = mean_interval(np.full(10, np.nan), counts)
    assert np.isnan(interval.value)
    assert interval.n_units == 0


@pytest.mark.parametrize("kind", IntervalKind)
@pytest.mark.parametrize("value", [0.25, 0.0, 0.1, -3.0])
def test_values_that_are_the_same_have_no_interval(kind, value):
    counts = bootstrap_counts(12, 1000, np.random.default_rng(0))
    values = np.full(12, value)
    values[:2] = np.nan
    values[3] *= 1 + 1e-15  # rounding is no spread
    interval = mean_interval(values, counts, kind=kind)
    assert interval.value == pytest.approx(value)
    assert np.isnan([interval.low, interval.high]).all()
    assert not interval.known
    assert interval.method == ""
    assert interval.note == (
        "no interval: all 10 values are the same: their spread says nothing about other sources"
    )


def test_hits_alone_promise_nothing():
    """All hits come up in a third of the experiments: what intervals there are hold their level."""
    rng = np.random.default_rng(17)
    n, known, covered = 1000, 0, 0
    for _ in range(n):
        hits = (rng.random(12) < 0.9).astype(float)
        found = mean_interval(hits, bootstrap_counts(12, 300, rng))
        assert found.known == (hits.min() < hits.max())
        known += found.known
        covered += found.low <= 0.9 <= found.high
    low, high = stats.binom.ppf([0.0005, 0.9995], n, 1 - 0.9**12)
    assert low <= known <= high
    assert covered > 0.95 * known


@pytest.mark.parametrize("other", [0.0, 1.0, 0.25 + 1e-9])
def test_all_values_but_one_equal(other):
    """A third of the resamples have no standard error, so nothing is studentized and that is said."""
    values = np.r_[np.full(9, 0.25), other]
    counts = bootstrap_counts(10, 4000, np.random.default_rng(0))
    found = mean_interval(values, counts)
    assert "so many values are equal" in found.note
    assert "BCa" in found.method
    expanded = mean_interval(values, counts, kind=IntervalKind.EXPANDED)
    assert (found.low, found.high) == (expanded.low, expanded.high)
    assert values.min() <= found.low < found.high <= values.max()


def test_few_resamples_of_a_single_value_lie_infinitely_far_out():
    """Their place is the range's end on their side, as if their standard errors were tiny."""
    values = np.r_[0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0]
    counts = bootstrap_counts(8, 3000, np.random.default_rng(0))
    counts[0] = 8 * np.eye(8)[7]
    assert MOST_WITHOUT_ERROR >= 1 / 3000
    found = mean_interval(values, counts, level=0.9999)
    assert found.method == "studentized bootstrap over sources"
    nearly = counts.copy()
    nearly[0] = 0
    nearly[0, 7] = 1e9
    nearly[0, 6] = 1
    assert found.low == pytest.approx(mean_interval(values, nearly, level=0.9999).low)
    assert found.low == pytest.approx(0.0, abs=1e-9)


def test_resamples_of_values_at_the_mean_are_at_no_distance():
    values = np.r_[-1.0, np.zeros(14), 1.0]
    counts = bootstrap_counts(16, 5000, np.random.default_rng(0))
    counts = counts[counts[:, 0] + counts[:, -1] > 0]
    counts[0] = np.r_[0.0, np.full(14, 16 / 14), 0.0]
    found = mean_interval(values, counts)
    assert found.method == "studentized bootstrap over sources"
    without = mean_interval(values, counts[1:])
    assert found.low == pytest.approx(without.low, abs=0.02)
    assert found.high == pytest.approx(without.high, abs=0.02)


@pytest.mark.parametrize("kind", IntervalKind)
@pytest.mark.parametrize("draw", [stats.expon, stats.beta(8, 1), stats.bernoulli(0.7)])
def test_intervals_grow_with_the_level_and_stay_within_the_values(kind, draw):
    values = draw.rvs(size=12, random_state=np.random.default_rng(4)).astype(float)
    weights = np.random.default_rng(5).uniform(0.5, 2.0, size=12)
    counts = bootstrap_counts(12, 2000, np.random.default_rng(1))
    found = [
        mean_interval(values, counts, weights=weights, kind=kind, level=level)
        for level in (0.5, 0.68, 0.8, 0.9, 0.95, 0.99, 0.999, 0.99999)
    ]
    assert (np.diff([i.low for i in found]) <= 0).all()
    assert (np.diff([i.high for i in found]) >= 0).all()
    assert values.min() <= found[-1].low <= found[-1].high <= values.max()
    assert found[0].low < found[0].value < found[0].high


@given(
    seed=st.integers(0, 10_000),
    shift=st.floats(-100, 100),
    scale=st.floats(1e-3, 1e3),
    kind=st.sampled_from(IntervalKind),
)
@settings(max_examples=60, deadline=None)
def test_shift_scale_and_weights_in_other_units(seed, shift, scale, kind):
    rng = np.random.default_rng(seed)
    values, weights = rng.gamma(2.0, size=11), rng.uniform(0.5, 2.0, size=11)
    counts = bootstrap_counts(11, 400, rng)
    found = mean_interval(values, counts, weights=weights, kind=kind)
    moved = mean_interval(shift + scale * values, counts, weights=7.0 * weights, kind=kind)
    error = 1e-9 * (abs(shift) + scale)
    assert moved.low == pytest.approx(shift + scale * found.low, abs=error)
    assert moved.high == pytest.approx(shift + scale * found.high, abs=error)
    # a mirror turns the ends around
    mirrored = mean_interval(-values, counts, weights=weights, kind=kind)
    assert mirrored.low == pytest.approx(-found.high, abs=1e-9)
    assert mirrored.high == pytest.approx(-found.low, abs=1e-9)


@pytest.mark.parametrize("kind", IntervalKind)
def test_coverage_with_thirty_sources(kind):
    """Near 95 %: 30 skewed values cost a bootstrap a few percent, as is well known."""
    rng = np.random.default_rng(4)
    n_experiments, covered = 600, 0
    for _ in range(n_experiments):
        values = rng.gamma(4.0, size=30)
        counts = bootstrap_counts(30, 600, rng)
        interval = mean_interval(values, counts, kind=kind)
        covered += interval.low <= 4.0 <= interval.high
    low, high = stats.binom.ppf([0.001, 0.999], n_experiments, [0.925, 0.955])
    assert low <= covered <= high


def test_bca_does_not_depend_on_the_scale_of_tied_values():
    values = np.array([0.0] * 6 + [1.0] * 6)
    counts = bootstrap_counts(12, 2000, np.random.default_rng(0))
    whole, tenth = (mean_interval(x, counts, kind=IntervalKind.BCA) for x in (values, 0.1 * values))
    assert tenth.low == pytest.approx(0.1 * whole.low)
    assert tenth.high == pytest.approx(0.1 * whole.high)


DRAWS = {
    "normal": (lambda rng, n: rng.normal(size=n), 0.0),
    "exponential": (lambda rng, n: rng.exponential(size=n), 1.0),
    "beta": (lambda rng, n: rng.beta(8, 1, size=n), 8 / 9),
    "two classes": (lambda rng, n: rng.normal(size=n) + 4 * (rng.random(n) < 0.3), 1.2),
    "tied": (lambda rng, n: np.where(rng.random(n) < 0.7, 1.0, rng.random(n)), 0.85),
    "log-normal": (lambda rng, n: rng.lognormal(size=n), np.exp(0.5)),
}


def coverage(draw, truth, n_sources, kinds, n_experiments, rng, weights=None, n_bootstrap=1000):
    covered = dict.fromkeys(kinds, 0)
    for _ in range(n_experiments):
        values = draw(rng, n_sources)
        counts = bootstrap_counts(n_sources, n_bootstrap, rng)
        for kind in kinds:
            found = mean_interval(values, counts, weights=weights, kind=kind)
            covered[kind] += found.low <= truth <= found.high
    return covered


@pytest.mark.parametrize("name", ["normal", "exponential", "beta", "two classes"])
def test_default_covers_with_ten_sources(name):
    """Where the percentile bootstrap covers 85 to 91 %."""
    kinds = (IntervalKind.STUDENTIZED, IntervalKind.PERCENTILE)
    n = 1000
    covered = coverage(*DRAWS[name], 10, kinds, n, np.random.default_rng(12), n_bootstrap=500)
    low, high = stats.binom.ppf([0.0005, 0.9995], n, [0.935, 0.965])
    assert low <= covered[IntervalKind.STUDENTIZED] <= high
    assert covered[IntervalKind.PERCENTILE] < low


@pytest.mark.slow
@pytest.mark.parametrize("n_sources", [8, 20, 50])
@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("normal", 0.94, 0.96),
        ("exponential", 0.93, 0.955),
        ("beta", 0.935, 0.96),
        ("two classes", 0.945, 0.975),
        ("tied", 0.86, 0.975),
        ("log-normal", 0.89, 0.94),
    ],
)
def test_coverage_of_the_documented_table(name, n_sources, lowest, highest):
    n = 2000
    kinds = (IntervalKind.STUDENTIZED, IntervalKind.EXPANDED, IntervalKind.BCA)
    covered = coverage(*DRAWS[name], n_sources, kinds, n, np.random.default_rng(30 + n_sources))
    low, high = stats.binom.ppf([0.0005, 0.9995], n, [lowest, highest])
    assert low <= covered[IntervalKind.STUDENTIZED] <= high
    if n_sources < 50:
        assert covered[IntervalKind.EXPANDED] > covered[IntervalKind.BCA]


@pytest.mark.slow
@pytest.mark.parametrize("n_sources", [15, 20, 50])
def test_coverage_with_weights_of_several_sizes(n_sources):
    weights = np.resize([1.0, 1.0, 1.0, 0.5, 3.0], n_sources)  # 15 count as 10.3
    covered = coverage(
        *DRAWS["exponential"],
        n_sources,
        (IntervalKind.STUDENTIZED,),
        2000,
        np.random.default_rng(40),
        weights,
    )
    low, high = stats.binom.ppf([0.0005, 0.9995], 2000, [0.92, 0.96])
    assert low <= covered[IntervalKind.STUDENTIZED] <= high
