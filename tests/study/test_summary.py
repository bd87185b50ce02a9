"""From runs to means, differences and trends, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from attnxai.agreement.model_comparison.trend import page_trend, permutation_slope
from attnxai.agreement.multiplicity import adjust
from attnxai.errors import OptionError
from attnxai.study.measurement import of_too_few_sources
from attnxai.study.summary import summarise
from tests.study.builders import CLASSES, GROUPS, made_result, made_runs, run


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
    assert summary.groups == ("C1", "C4")
    assert [summary.n_reached(group) for group in summary.groups] == [2, 1]
    assert summary.mean("C1", "epochs").value == 3.5
    assert summary.mean("C4", "epochs").value == (2 + 5) / 2
    assert summary.difference("C4", "epochs").value == ((2 - 3) + (5 - 4)) / 2
    assert math.isnan(summary.difference("C1", "epochs").value)
    assert not summary.mean("C4", "epochs").known
    assert summary.values("images_seen")["C4"].tolist() == [1600, 4000]
    assert summary.values("steps")["C4"].tolist() == [100, 250]
    assert summary.values("published_epochs")["C1"].tolist() == [3 / 16, 4 / 16]
    assert summary.values("validation_loss")["C1"].tolist() == [0.35, 0.40]
    assert summary.values("seconds")["C4"].tolist() == [40, 50]


def test_times_count_up_to_the_horizon():
    runs = [
        run("C1", 0, [0.6, 0.5, 0.5]),  # ends at epoch 3 without it
        run("C1", 1, [0.6, 0.5, 0.5, 0.5, 0.3]),
        run("C4", 0, [0.3] * 3),
        run("C4", 1, [0.6, 0.3, 0.3, 0.3]),
    ]
    summary = summarise(runs, class_names=CLASSES, reference_loss=0.4)
    assert summary.horizon == 3
    assert summary.values("epochs")["C1"].tolist() == [3, 3]
    assert summary.values("images_seen")["C1"].tolist() == [2400, 2400]
    assert summary.mean("C1", "epochs").value == 3
    assert summary.mean("C4", "epochs").value == 1.5
    assert summary.times["C1", 1].epochs == 5
    assert summary.n_reached("C1") == 1


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
    assert math.isnan(summary.mean("C4", "epochs").value)
    assert summary.mean("C4", "validation_loss").value == pytest.approx(0.8)
    assert summary.n_reached("C4") == 0


def test_means_differences_and_trends_equal_the_functions_they_come_from():
    runs = made_runs()
    summary = summarise(runs, class_names=CLASSES)
    assert summary.groups == GROUPS
    accuracy = {
        name: np.array([r.measurement.values["accuracy"] for r in runs if r.group == name])
        for name in GROUPS
    }
    p_values = []
    for group in GROUPS[1:]:
        expected = stats.ttest_rel(accuracy[group], accuracy["C1"])
        row = summary.comparisons.loc[(group, "accuracy")]
        p_values.append(row["p"])
        assert row["p"] == pytest.approx(expected.pvalue, abs=1e-12)
        own = summary.difference(group, "accuracy")
        assert (own.low, own.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
        assert summary.mean(group, "accuracy").value == pytest.approx(accuracy[group].mean())
    adjusted = [summary.p_adjusted(group, "accuracy") for group in GROUPS[1:]]
    assert adjusted == pytest.approx(adjust(p_values, "holm"))
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


def test_the_long_table_has_a_row_for_every_run_and_quantity():
    summary = summarise(made_runs(("C1", "D4"), n_seeds=2), class_names=CLASSES)
    assert list(summary.runs.columns) == ["group", "seed", "quantity", "value"]
    assert len(summary.runs) == 2 * 2 * len(summary.quantities)
    assert not summary.runs.duplicated(["group", "seed", "quantity"]).any()


def test_intervals_end_where_values_do():
    runs = [run("C1", seed, [0.3], {"accuracy": a}) for seed, a in enumerate((0.9, 1.0, 1.0))]
    mean = summarise(runs, class_names=CLASSES).mean("C1", "accuracy")
    assert mean.high == 1.0
    assert mean.low < mean.value


def test_the_order_of_the_runs_does_not_matter():
    runs = made_runs()
    shuffled = [runs[i] for i in np.random.default_rng(1).permutation(len(runs))]
    one = summarise(runs, class_names=CLASSES)
    other = summarise(shuffled, class_names=CLASSES)
    assert one.comparisons.equals(other.comparisons)
    assert repr(one.trends) == repr(other.trends)


def test_agreement_is_over_the_sources_that_all_runs_have():
    nan = math.nan
    runs = [
        run("C1", 0, [0.3], agreement={"nss:gate1": (1.0, 2.0, 3.0), "nss:mean": (1.0, nan, 5.0)}, sources="abc"),
        run("C4", 0, [0.3], agreement={"nss:gate1": (4.0, 5.0, 6.0), "nss:mean": (7.0, 8.0, 9.0)}, sources="abc"),
    ]  # fmt: skip
    summary = summarise(runs, class_names=CLASSES, reference_loss=0.4)
    assert summary.sources == {"nss:gate1": ("a", "b", "c"), "nss:mean": ("a", "c")}
    assert summary.values("nss:mean")["C1"].tolist() == [3.0]
    assert summary.values("nss:mean")["C4"].tolist() == [8.0]
    assert summary.values("nss:gate1")["C4"].tolist() == [5.0]
    assert summary.quantity("spearman:mean") is None


def test_a_map_that_is_defined_for_few_sources_has_no_mean():
    nan = math.nan
    agreement = {"nss:mean": (1.0, 2.0, 3.0), "nss:gradcam": (nan, nan, 5.0), "nss:gate1": (nan, 3.0, 5.0)}  # fmt: skip
    runs = [run(group, 0, [0.3], agreement=agreement, sources="abc") for group in ("C1", "C4")]
    summary = summarise(runs, class_names=CLASSES, reference_loss=0.4)
    assert np.isnan(summary.values("nss:gradcam")["C1"]).all()
    assert summary.values("nss:gate1")["C1"].tolist() == [4.0]
    assert of_too_few_sources(summary.sources) == {"nss:gradcam"}
    # fewer sources have emission enough, whatever the map
    sources = {"nss:mean": "abcdef", "nss_within:mean": "ab", "nss_within:gate1": "a"}
    assert of_too_few_sources(sources) == frozenset()


def test_limitations_say_over_how_many_sources_a_map_is_defined():
    runs = made_runs(("C1", "C4"), n_seeds=3)
    for each in runs:
        each.measurement.agreement["nss:gradcam"] = (math.nan,) * 15 + (1.0,) * 5
        each.measurement.agreement["nss:gate2"] = (
            math.nan,
            *each.measurement.agreement["nss:gate2"][1:],
        )
    text = " ".join(made_result(runs).cautions)
    assert "NSS, gate 2: 19; NSS, Grad-CAM: 5, too few for a mean." in text
    assert "Each mean" not in " ".join(made_result(made_runs(("C1", "C4"), n_seeds=3)).cautions)


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
