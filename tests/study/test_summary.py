"""From runs to means, differences and trends, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from attnxai.agreement.model_comparison.trend import page_trend, permutation_slope
from attnxai.errors import OptionError
from attnxai.study.summary import summarise
from tests.study.builders import CLASSES, GROUPS, made_runs, run


def test_epochs_of_reached_and_censored_runs_by_hand():
    runs = [
        run("C1", 0, [0.6, 0.5, 0.40, 0.35]),
        run("C1", 1, [0.6, 0.5, 0.45, 0.40]),
        run("C4", 0, [0.6, 0.3, 0.30, 0.30]),
        run("C4", 1, [0.6, 0.5, 0.45, 0.45, 0.45]),
    ]
    summary = summarise(runs, class_names=CLASSES, reference_loss=0.4)
    assert (summary.reference, summary.reference_given) == (0.4, True)
    # the only run without it was followed for five epochs, longer than any other took
    assert summary.horizon == 5
    c1, c4 = summary.groups
    assert (c1.group, c1.n_reached, c4.group, c4.n_reached) == ("C1", 2, "C4", 1)
    assert c1.means["epochs"].value == 3.5
    assert c4.means["epochs"].value == (2 + 5) / 2
    assert c4.differences["epochs"].mean.value == ((2 - 3) + (5 - 4)) / 2
    assert not c1.differences
    assert not c4.means["epochs"].known
    assert summary.values["images_seen"]["C4"].tolist() == [1600, 4000]
    assert summary.values["steps"]["C4"].tolist() == [100, 250]
    assert summary.values["published_epochs"]["C1"].tolist() == [3 / 16, 4 / 16]
    assert summary.values["validation_loss"]["C1"].tolist() == [0.35, 0.40]
    assert summary.values["seconds"]["C4"].tolist() == [40, 50]


def test_times_count_up_to_the_horizon():
    runs = [
        run("C1", 0, [0.6, 0.5, 0.5]),  # ends at epoch 3 without it
        run("C1", 1, [0.6, 0.5, 0.5, 0.5, 0.3]),
        run("C4", 0, [0.3] * 3),
        run("C4", 1, [0.6, 0.3, 0.3, 0.3]),
    ]
    summary = summarise(runs, class_names=CLASSES, reference_loss=0.4)
    assert summary.horizon == 3
    assert summary.values["epochs"]["C1"].tolist() == [3, 3]
    assert summary.values["images_seen"]["C1"].tolist() == [2400, 2400]
    assert summary.group("C1").means["epochs"].value == 3
    assert summary.group("C4").means["epochs"].value == 1.5
    assert summary.times["C1", 1].epochs == 5
    assert summary.group("C1").n_reached == 1


def test_the_reference_comes_from_the_baseline():
    runs = [run("C1", 0, [0.6, 0.2]), run("C1", 1, [0.6, 0.4]), run("C4", 0, [0.6, 0.1]), run("C4", 1, [0.1])]  # fmt: skip
    summary = summarise(runs, class_names=CLASSES)
    assert summary.reference == pytest.approx(0.25 * math.log(2) + 0.75 * 0.3)
    assert not summary.reference_given


def test_a_baseline_that_guesses_leaves_times_undefined():
    runs = [run(group, seed, [0.9, 0.8]) for group in ("C1", "C4") for seed in range(3)]
    summary = summarise(runs, class_names=CLASSES)
    assert math.isnan(summary.reference)
    assert not summary.times
    assert math.isnan(summary.group("C4").means["epochs"].value)
    assert summary.group("C4").means["validation_loss"].value == pytest.approx(0.8)
    assert summary.group("C4").n_reached == 0


def test_means_differences_and_trends_equal_the_functions_they_come_from():
    runs = made_runs()
    summary = summarise(runs, class_names=CLASSES)
    assert [group.group for group in summary.groups] == list(GROUPS)
    accuracy = {
        name: np.array([r.measurement.values["accuracy"] for r in runs if r.group == name])
        for name in GROUPS
    }
    d8 = summary.group("D8")
    expected = stats.ttest_rel(accuracy["D8"], accuracy["C1"])
    assert d8.differences["accuracy"].p_value == pytest.approx(expected.pvalue)
    assert d8.means["accuracy"].value == pytest.approx(accuracy["D8"].mean())
    cyclic, dihedral = summary.trends_of("accuracy")
    assert (cyclic.groups, dihedral.groups) == (GROUPS[:4], GROUPS[4:])
    rows = np.stack([accuracy[name] for name in GROUPS[:4]], axis=1)
    assert cyclic.page == page_trend(rows)
    slopes = [np.polyfit([0, 2, 3, 4], row, 1)[0] for row in rows]
    assert cyclic.slope.value == pytest.approx(np.mean(slopes))
    assert cyclic.slope_test.value == pytest.approx(np.mean(slopes))
    exact = permutation_slope(
        np.stack([accuracy[name] for name in GROUPS[4:]], axis=1), [2, 3, 4], n_draws=10_000
    )
    assert dihedral.slope_test.p_value == pytest.approx(exact.p_value)
    p_values = sorted([cyclic.page.p_value, dihedral.page.p_value])
    adjusted = sorted([cyclic.p_adjusted, dihedral.p_adjusted])
    assert adjusted == pytest.approx([2 * p_values[0], max(2 * p_values[0], p_values[1])])


def test_the_order_of_the_runs_does_not_matter():
    runs = made_runs()
    shuffled = [runs[i] for i in np.random.default_rng(1).permutation(len(runs))]
    one = summarise(runs, class_names=CLASSES)
    other = summarise(shuffled, class_names=CLASSES)
    # as text, since an undefined number is not equal to itself
    assert repr(one.groups) == repr(other.groups)
    assert repr(one.trends) == repr(other.trends)


def test_agreement_is_over_the_sources_that_all_runs_have():
    nan = math.nan
    runs = [
        run("C1", 0, [0.3], agreement={"nss:gate1": (1.0, 2.0, 3.0), "nss:mean": (1.0, nan, 5.0)}, sources="abc"),
        run("C4", 0, [0.3], agreement={"nss:gate1": (4.0, 5.0, 6.0), "nss:mean": (7.0, 8.0, 9.0)}, sources="abc"),
    ]  # fmt: skip
    summary = summarise(runs, class_names=CLASSES, reference_loss=0.4)
    assert summary.sources["nss"] == ("a", "c")
    assert summary.values["nss:mean"]["C1"].tolist() == [3.0]
    assert summary.values["nss:gate1"]["C4"].tolist() == [5.0]
    assert math.isnan(summary.values["spearman:mean"]["C1"][0])


def test_quantities_follow_classes_and_annotations():
    summary = summarise(made_runs(annotated=False), class_names=CLASSES)
    names = [quantity.name for quantity in summary.quantities]
    assert "f1:FR II" in names
    assert not [name for name in names if name.startswith("nss")]
    assert summary.quantity("nss:mean") is None
    assert summary.quantity("accuracy").label == "Accuracy"


def test_two_groups_of_a_series_have_a_slope_but_no_test():
    summary = summarise(made_runs(("C1", "C4", "D4")), class_names=CLASSES)
    (trend,) = summary.trends_of("accuracy")
    assert trend.groups == ("C1", "C4")
    assert trend.page is None
    assert trend.slope_test is None
    assert math.isnan(trend.p_adjusted)
    assert trend.slope.known


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        ([run("C1", 0, [0.3]), run("C1", 1, [0.3]), run("C4", 0, [0.3])], "C4 with seed 1"),
        ([run("C1", 0, [0.3]), run("C1", 0, [0.3])], "given twice"),
        ([run("C4", 0, [0.3])], "baseline C1"),
    ],
)
def test_incomplete_studies_are_refused(runs, text):
    with pytest.raises(OptionError, match=text):
        summarise(runs, class_names=CLASSES)
