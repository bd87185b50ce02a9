"""The words follow from the numbers by rule."""

from __future__ import annotations

import math

import pytest

from attnxai.study.hypotheses import Outcome, TrendOutcome, evaluate_hypotheses, verdict_of
from attnxai.study.quantities import Better
from attnxai.study.summary import summarise
from tests.study.builders import CLASSES, made_runs, run


def found_by_letter(runs, **kwargs):
    return {
        c.letter: c for c in evaluate_hypotheses(summarise(runs, class_names=CLASSES, **kwargs))
    }


def accuracies(**groups):
    """Runs with the accuracies that are given, everything else being equal."""
    return [
        run(group, seed, [0.6, 0.3], {"accuracy": value})
        for group, values in groups.items()
        for seed, value in enumerate(values)
    ]


BASE = [0.80, 0.82, 0.84, 0.81]
UP = [0.90, 0.93, 0.94, 0.91]
DOWN = [0.70, 0.73, 0.74, 0.71]
SAME = [0.81, 0.81, 0.85, 0.80]


@pytest.mark.parametrize(
    ("groups", "outcome", "text"),
    [
        ({"C4": UP, "D4": UP}, Outcome.SUPPORTED, "all 2 groups have a higher accuracy than C1"),
        ({"C4": UP}, Outcome.SUPPORTED, "C4 has a higher accuracy than C1"),
        ({"C4": UP, "D4": SAME}, Outcome.PARTLY_SUPPORTED, "C4 has a higher accuracy than C1; the other group does not differ significantly from it"),
        ({"C4": SAME, "D4": SAME}, Outcome.INCONCLUSIVE, "no group differs significantly from C1 in accuracy"),
        ({"C4": DOWN, "D4": SAME}, Outcome.CONTRADICTED, "Contradicted: C4 has a lower accuracy"),
        ({"C4": DOWN, "D4": UP}, Outcome.MIXED, "D4 has a higher accuracy than C1, but C4 has a lower accuracy"),
    ],
)  # fmt: skip
def test_outcomes_of_performance(groups, outcome, text):
    hypothesis = found_by_letter(accuracies(C1=BASE, **groups))["b"]
    assert hypothesis.outcome is outcome
    assert text in hypothesis.lead
    assert "(4 seeds per group)" in hypothesis.lead


def test_two_seeds_cannot_be_tested():
    hypothesis = found_by_letter(accuracies(C1=BASE[:2], C4=UP[:2]))["b"]
    assert hypothesis.outcome is Outcome.NOT_TESTABLE
    assert "Not testable: a test needs 3 seeds (2 seeds per group)" in hypothesis.lead
    assert "p =" not in hypothesis.details


def test_equal_differences_cannot_be_tested():
    hypothesis = found_by_letter(accuracies(C1=[0.5, 0.25, 0.75], C4=[0.625, 0.375, 0.875]))["b"]
    assert hypothesis.outcome is Outcome.NOT_TESTABLE
    assert "the difference is the same for every seed" in hypothesis.lead


def test_an_untested_group_keeps_a_hypothesis_from_full_support():
    constant = [value + 0.125 for value in (0.5, 0.25, 0.75, 0.5)]
    runs = accuracies(C1=[0.5, 0.25, 0.75, 0.5], C4=constant, D4=[0.9, 0.6, 1.2, 0.8])
    assert found_by_letter(runs)["b"].outcome is Outcome.PARTLY_SUPPORTED


def test_fewer_epochs_are_better():
    fast, slow = made_runs(("C1", "D4")), made_runs(("C1", "D4"), faster=-0.02)
    assert found_by_letter(fast)["a"].outcome is Outcome.SUPPORTED
    assert "D4 has fewer epochs until the reference loss" in found_by_letter(fast)["a"].lead
    opposite = found_by_letter(slow)["a"]
    assert opposite.outcome is Outcome.CONTRADICTED
    assert "did not reach the reference loss" in opposite.details
    assert "of D4" in opposite.details


def test_without_a_reference_loss_or_annotations():
    found = found_by_letter([run(g, s, [0.9]) for g in ("C1", "C4") for s in range(3)])
    assert found["a"].outcome is found["c"].outcome is Outcome.NOT_TESTABLE
    assert "--reference-loss" in found["a"].lead
    assert "--annotations" in found["c"].lead
    assert not found["c"].details


def test_a_study_of_the_baseline_alone():
    found = found_by_letter([run("C1", s, [0.5, 0.3]) for s in range(3)])
    assert all("no group to compare" in hypothesis.lead for hypothesis in found.values())


def test_trends():
    found = found_by_letter(made_runs())
    assert found["a"].trends == {
        "cyclic": TrendOutcome.DECREASES,
        "dihedral": TrendOutcome.DECREASES,
    }
    assert found["c"].trends["cyclic"] is TrendOutcome.INCREASES
    assert "epochs until the reference loss decrease (" in found["a"].trend_text
    assert "NSS of the mean of the gates increases (" in found["c"].trend_text
    flat = found_by_letter(made_runs(better=0.0))["b"]
    assert flat.trends["cyclic"] is TrendOutcome.INCONCLUSIVE
    assert "no significant trend of accuracy" in flat.trend_text


def test_trends_that_cannot_be_tested():
    few = found_by_letter(made_runs(("C1", "C4", "D4", "D8", "D16"), n_seeds=2))["b"]
    assert few.trends == {
        "cyclic": TrendOutcome.NOT_TESTABLE,
        "dihedral": TrendOutcome.NOT_TESTABLE,
    }
    assert "three groups of one series are needed" in few.trend_text
    assert "smallest attainable p-value is 0.056" in few.trend_text


@pytest.mark.parametrize(
    ("value", "p_value", "better", "verdict"),
    [
        (1.0, 0.01, Better.HIGHER, Better.HIGHER),
        (-1.0, 0.05, Better.HIGHER, Better.LOWER),
        (-1.0, 0.01, Better.LOWER, Better.HIGHER),
        (1.0, 0.01, Better.LOWER, Better.LOWER),
        (1.0, 0.051, Better.HIGHER, Better.NEITHER),
        (1.0, math.nan, Better.HIGHER, None),
    ],
)
def test_verdicts(value, p_value, better, verdict):
    assert verdict_of(value, p_value, better) is verdict
