"""Tables hold the numbers of the summary, and say what they are."""

from __future__ import annotations

import dataclasses
import math

import pytest

from attnxai.study.matching import Equal
from attnxai.study.measurement import MeasureOn
from attnxai.study.results import find_cautions
from attnxai.study.tables import group_rows, history_rows, run_rows
from tests.study.builders import made_result, made_runs, run


@pytest.fixture(scope="module")
def result():
    return made_result()


def test_one_row_a_group_with_intervals_and_differences(result):
    rows = {row["group"]: row for row in group_rows(result)}
    assert list(rows) == ["C1", "C4", "C8", "C16", "D4", "D8", "D16"]
    d8, summary = rows["D8"], result.summary
    assert d8["accuracy"] == summary.mean("D8", "accuracy").value
    assert d8["accuracy_low"] < d8["accuracy"] < d8["accuracy_high"]
    assert d8["accuracy_n"] == 5
    assert d8["accuracy_difference"] == summary.difference("D8", "accuracy").value
    assert d8["accuracy_p_adjusted"] == summary.p_adjusted("D8", "accuracy") >= d8["accuracy_p"]
    assert math.isnan(rows["C1"]["accuracy_p"])
    assert d8["parameters"] == result.plan.matches["D8"].size.parameters
    assert (d8["equal"], d8["n_reached"]) == ("channels", 5)


def test_one_row_a_run_and_one_an_epoch(result):
    rows = run_rows(result)
    assert len(rows) == 35
    assert [(row["group"], row["seed"]) for row in rows[:6]] == [("C1", i) for i in range(5)] + [("C4", 0)]  # fmt: skip
    assert all(row["reached"] for row in rows)
    assert rows[0]["epochs"] == result.summary.values("epochs")["C1"][0]
    epochs = history_rows(result)
    assert len(epochs) == 35 * 14
    assert (epochs[15]["group"], epochs[15]["seed"], epochs[15]["epoch"]) == ("C1", 1, 1)


def test_censored_runs_are_marked():
    runs = [run("C1", 0, [0.5, 0.3]), run("C4", 0, [0.5, 0.5])]
    rows = run_rows(made_result(runs, reference_loss=0.4))
    assert [(row["reached"], row["epochs_followed"]) for row in rows] == [(True, 2), (False, 2)]
    without = run_rows(made_result([run("C1", 0, [0.9]), run("C4", 0, [0.9])]))
    assert [row["reached"] for row in without] == ["", ""]


def cautions(result):
    return " ".join(result.cautions)


def test_cautions_say_what_seeds_speak_of(result):
    text = cautions(result)
    assert "over 5 seeds per group, so intervals and tests are about other training runs" in text
    assert "on the same 998 images of made-up images, with other initial weights" in text
    assert "do not cover other sources" in text
    assert "which also chose the epoch" in text
    assert "20 annotated sources that no model was trained or validated on" in text
    assert "too few" not in text


def test_cautions_follow_the_design():
    few = made_result(made_runs(("C1", "C4"), n_seeds=2), measure_on=MeasureOn.TEST)
    assert "2 seeds are too few for intervals" in cautions(few)
    assert "the same 153 test images" in cautions(few)
    fixed = made_result(made_runs(("C1", "C4")), fixed_validation=True, annotations="")
    assert "choices of validation images" not in cautions(fixed)
    assert "Agreement" not in cautions(fixed)
    unequal = made_result(made_runs(("C1", "D16")), equal=Equal.OPERATIONS)
    assert "D16 has " in cautions(unequal)
    assert "multiply-adds" in cautions(unequal)


def test_networks_that_differ_by_more_than_a_tenth_are_named(result):
    plan = dataclasses.replace(result.plan)
    ratios = {"C1": 1.0, "C4": 1.09, "C8": 1.11, "D4": 0.89, "D8": 0.91}
    match = result.plan.matches["C1"]
    vars(plan)["matches"] = {g: dataclasses.replace(match, ratio=r) for g, r in ratios.items()}
    text = " ".join(find_cautions(result.summary, plan, result.facts))
    assert (
        "as far as whole fields allow: C8 has 1.11 times those of C1; D4 has 0.89 times those of C1."
        in text
    )
