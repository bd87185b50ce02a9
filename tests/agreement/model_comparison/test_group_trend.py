"""Agreement over the order of the group: what is exchanged, what is left out, and the level."""

from __future__ import annotations

import json
import warnings

import matplotlib as mpl
import numpy as np
import pytest
from scipy import stats

from attnxai.agreement.intervals.over_sources import bootstrap_counts, mean_interval
from attnxai.agreement.model_comparison.group_trend import group_trends
from attnxai.agreement.model_comparison.trend import Direction, page_trend, permutation_slope
from attnxai.agreement.multiplicity import holm
from attnxai.errors import OptionError, SpecificationError, UndefinedValuesWarning
from tests.agreement.latex_reader import read_table

mpl.use("Agg")

CYCLIC, DIHEDRAL = ("C1", "C2", "C4", "C8"), ("D1", "D4", "D8")


def networks(
    groups=(*CYCLIC, *DIHEDRAL), n_seeds=3, n_sources=12, *, seed=0, luck=0.5, rise=0.0, noise=0.3
):
    """Values of every network: a source's own, luck of the training, noise, and a rise by place."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=n_sources)
    return {
        (group, s): shared
        + luck * rng.normal()
        + rise * groups.index(group)
        + noise * rng.normal(size=n_sources)
        for group in groups
        for s in range(n_seeds)
    }


def test_both_series_are_tested_over_means_of_networks():
    values = networks(rise=0.2)
    counts = bootstrap_counts(12, 200, np.random.default_rng(1))
    found = group_trends(values, counts=counts)
    assert [trend.series for trend in found.trends] == ["cyclic", "dihedral"]
    assert not found.not_tested
    for trend, groups in zip(found.trends, (CYCLIC, DIHEDRAL), strict=True):
        assert trend.groups == groups
        assert trend.seeds == (0, 1, 2)
        rows = np.array([[values[g, s].mean() for g in groups] for s in range(3)])
        doublings = np.log2([int(g[1:]) for g in groups])
        assert trend.page == page_trend(rows)
        expected = permutation_slope(rows, doublings)
        assert trend.slope_test.value == pytest.approx(expected.value)
        assert trend.slope_test.p_value == pytest.approx(expected.p_value)
        of_sources = [
            np.polyfit(doublings, [np.mean([values[g, s][i] for s in range(3)]) for g in groups], 1)
            for i in range(12)
        ]
        slopes = np.array(of_sources)[:, 0]
        expected_interval = mean_interval(slopes, counts)
        assert trend.slope.value == pytest.approx(expected_interval.value)
        assert trend.slope.low == pytest.approx(expected_interval.low)
        assert trend.slope.value == pytest.approx(trend.slope_test.value)
    p_values = [trend.page.p_value for trend in found.trends]
    np.testing.assert_allclose([t.p_adjusted for t in found.trends], holm(p_values))


def test_the_order_in_which_networks_are_given_does_not_matter():
    values = networks()
    assert group_trends(dict(reversed(values.items())), rng=3) == group_trends(values, rng=3)
    lower = {(group.lower(), seed): row for (group, seed), row in values.items()}
    assert group_trends(lower, rng=3) == group_trends(values, rng=3)


def test_annotators_are_averaged():
    values = networks(CYCLIC)
    doubled = {key: np.stack([row + 1, row - 1]) for key, row in values.items()}
    (found,), (expected,) = group_trends(doubled).trends, group_trends(values).trends
    assert found.page == expected.page
    assert found.slope.value == pytest.approx(expected.slope.value)


def test_what_is_missing_leaves_all_networks_and_is_counted():
    values = networks(CYCLIC)
    values["C4", 1][[0, 3]] = np.nan
    del values["C8", 2]
    with pytest.warns(
        UndefinedValuesWarning, match="over cyclic groups leaves out 2 sources and 1 seed"
    ):
        (found,) = group_trends(values).trends
    assert (found.n_sources, found.n_dropped, found.n_seeds_dropped) == (10, 2, 1)
    assert found.seeds == (0, 1)
    kept = [i for i in range(12) if i not in (0, 3)]
    rows = [[values[g, s][kept].mean() for g in CYCLIC] for s in (0, 1)]
    assert found.page == page_trend(rows)
    assert found.slope.n_sources == 10


def test_why_a_series_is_missing():
    with warnings.catch_warnings(action="error"):
        found = group_trends(networks(("C1", "C4", "D4")))
        assert not found.trends
        assert found.not_tested["cyclic"].startswith("2 cyclic groups")
        assert found.not_tested["dihedral"].startswith("1 dihedral groups")
        apart = {("C1", 0): [1.0], ("C2", 1): [1.0], ("C4", 2): [1.0]}
        assert "no seed that all groups have" in group_trends(apart).not_tested["cyclic"]
        empty = {(g, 0): [np.nan, 1.0] if g == "C1" else [1.0, np.nan] for g in CYCLIC}
        assert "no source with a value" in group_trends(empty).not_tested["cyclic"]
    with pytest.raises(OptionError, match="at least one network"):
        group_trends({})
    with pytest.raises(SpecificationError, match="unknown group"):
        group_trends({("resnet", 0): [1.0]})
    with pytest.raises(ValueError, match="same annotators and sources"):
        group_trends({("C1", 0): [1.0], ("C2", 0): [1.0, 2.0]})


def test_export():
    found = group_trends(networks())
    record = found.to_record()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["trends"][0]["groups"] == list(CYCLIC)
    assert list(found.to_frame()["p_page"]) == [t.page.p_value for t in found.trends]


def test_the_values_are_those_that_are_tested():
    values = networks(CYCLIC)
    (trend,) = group_trends(values).trends
    assert trend.values[1][2] == pytest.approx(np.mean(values[CYCLIC[2], trend.seeds[1]]))
    assert page_trend(trend.values) == trend.page
    assert trend.orders == tuple(int(name[1:]) for name in trend.groups)


def test_summary_table_and_figure():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = group_trends(networks(CYCLIC) | {("D1", 0): next(iter(networks().values()))})
    (trend,) = found.trends
    first, second = found.summary().splitlines()
    assert first.startswith(
        f"cyclic groups {', '.join(CYCLIC)}: {trend.slope.value:+.3f} per doubling ["
    )
    assert f"Page's L {trend.page.value:g}" in first
    assert second == "dihedral: not tested, 1 dihedral groups are no series to see a trend in"
    read = read_table(found.to_latex(caption="Trends", label="tab:trends"))
    assert read.rows[0][0] == ", ".join(CYCLIC)
    assert read.rows[0][3] == f"{trend.page.value:g}"
    assert read.rows[0][6:] == [str(len(trend.seeds)), str(trend.n_sources)]
    ax = found.plot()
    dots = [line for line in ax.lines if line.get_linestyle() == "None"]
    assert [list(line.get_ydata()) for line in dots] == [list(row) for row in trend.values]
    assert list(ax.lines[-1].get_ydata()) == pytest.approx(np.mean(trend.values, axis=0).tolist())
    assert [text.get_text() for text in ax.get_xticklabels()] == [name[1:] for name in CYCLIC]
    assert found.plot(ax) is ax
    mpl.pyplot.close("all")


def test_a_planted_rise_is_found_in_its_direction():
    values = networks(CYCLIC, n_seeds=4, rise=0.8)
    assert group_trends(values, alternative=Direction.INCREASING).trends[0].page.p_value < 0.01
    assert group_trends(values, alternative=Direction.DECREASING).trends[0].page.p_value > 0.9


def test_luck_of_training_is_no_evidence_over_seeds_but_would_be_over_sources():
    """Networks differ by luck alone, on all sources alike."""
    rng = np.random.default_rng(5)
    n, over_seeds, over_sources = 400, [], 0
    for _ in range(n):
        values = networks(CYCLIC, n_sources=40, seed=int(rng.integers(2**32)), luck=0.2, noise=0.5)
        (trend,) = group_trends(values, n_resamples=100, n_draws=199).trends
        over_seeds.append(trend.page.p_value)
        rows = np.stack([np.mean([values[g, s] for s in range(3)], axis=0) for g in CYCLIC], axis=1)
        over_sources += page_trend(rows).p_value <= 0.05
    p_values = np.array(over_seeds)
    size = p_values[
        p_values <= 0.05
    ].max()  # p-values of twelve ranks are few: this is the next lower
    assert 0.02 < size < 0.05
    low, high = stats.binom.ppf([0.0005, 0.9995], n, size)
    assert low <= np.count_nonzero(p_values <= 0.05) <= high
    assert over_sources > 0.25 * n


def test_networks_are_compared_with_the_same_people():
    """Who has no value with one network does not count for the others either."""
    # one annotator scores every map 1 higher than the other; no network differs from another
    table = np.stack([np.zeros(12), np.ones(12)])
    values = {(group, seed): table.copy() for group in ("C1", "C4", "C8") for seed in range(3)}
    for seed in range(3):
        values["C4", seed][0, :3] = np.nan
        values["C8", seed][0, :6] = np.nan
    with pytest.warns(UndefinedValuesWarning, match="6 values with single annotators"):
        (trend,) = group_trends(values).trends
    assert trend.slope.value == pytest.approx(0.0, abs=1e-12)
    assert trend.page.p_value == 1.0
    assert (trend.n_sources, trend.n_dropped) == (12, 0)
