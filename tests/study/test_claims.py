"""The words follow from the numbers by rule."""

from __future__ import annotations

import math

import pytest

from attnxai.statistics.interval import Interval
from attnxai.study.claims import Outcome, TrendOutcome, judge_claims, verdict_of
from attnxai.study.quantities import Better
from attnxai.study.statistics import Difference
from attnxai.study.summary import summarise
from tests.study.builders import CLASSES, made_runs, run


def claims_of(runs, **kwargs):
    return {c.letter: c for c in judge_claims(summarise(runs, class_names=CLASSES, **kwargs))}


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
        ({"C4": UP, "D4": UP}, Outcome.HOLDS, "all 2 groups have a higher accuracy than C1"),
        ({"C4": UP}, Outcome.HOLDS, "C4 has a higher accuracy than C1"),
        ({"C4": UP, "D4": SAME}, Outcome.IN_PART, "C4 has a higher accuracy than C1; of the other group it is not shown"),
        ({"C4": SAME, "D4": SAME}, Outcome.NOT_SHOWN, "no group is shown to differ from C1 in accuracy"),
        ({"C4": DOWN, "D4": SAME}, Outcome.OPPOSITE, "The opposite is seen: C4 has a lower accuracy"),
        ({"C4": DOWN, "D4": UP}, Outcome.DIFFERS, "D4 has a higher accuracy than C1, but C4 has a lower accuracy"),
    ],
)  # fmt: skip
def test_outcomes_of_performance(groups, outcome, text):
    claim = claims_of(accuracies(C1=BASE, **groups))["b"]
    assert claim.outcome is outcome
    assert text in claim.lead
    assert "4 seeds a group" in claim.lead


def test_two_seeds_cannot_tell():
    claim = claims_of(accuracies(C1=BASE[:2], C4=UP[:2]))["b"]
    assert claim.outcome is Outcome.CANNOT_TELL
    assert "cannot be told with 2 seeds a group: a test needs 3" in claim.lead
    assert "p =" not in claim.details


def test_equal_differences_cannot_tell():
    claim = claims_of(accuracies(C1=[0.5, 0.25, 0.75], C4=[0.625, 0.375, 0.875]))["b"]
    assert claim.outcome is Outcome.CANNOT_TELL
    assert "every seed gives the same difference" in claim.lead


def test_an_untested_group_keeps_a_claim_from_holding():
    constant = [value + 0.125 for value in (0.5, 0.25, 0.75, 0.5)]
    runs = accuracies(C1=[0.5, 0.25, 0.75, 0.5], C4=constant, D4=[0.9, 0.6, 1.2, 0.8])
    assert claims_of(runs)["b"].outcome is Outcome.IN_PART


def test_fewer_epochs_are_better():
    fast, slow = made_runs(("C1", "D4")), made_runs(("C1", "D4"), faster=-0.02)
    assert claims_of(fast)["a"].outcome is Outcome.HOLDS
    assert "D4 has fewer epochs until the reference loss" in claims_of(fast)["a"].lead
    opposite = claims_of(slow)["a"]
    assert opposite.outcome is Outcome.OPPOSITE
    assert "did not reach the reference loss" in opposite.details
    assert "of D4" in opposite.details


def test_without_a_reference_loss_or_annotations():
    claims = claims_of([run(g, s, [0.9]) for g in ("C1", "C4") for s in range(3)])
    assert claims["a"].outcome is claims["c"].outcome is Outcome.CANNOT_TELL
    assert "--reference-loss" in claims["a"].lead
    assert "--annotations" in claims["c"].lead
    assert not claims["c"].details


def test_a_study_of_the_baseline_alone():
    claims = claims_of([run("C1", s, [0.5, 0.3]) for s in range(3)])
    assert all("no group to compare" in claim.lead for claim in claims.values())


def test_trends():
    claims = claims_of(made_runs())
    assert claims["a"].trends == {"cyclic": TrendOutcome.FALLS, "dihedral": TrendOutcome.FALLS}
    assert claims["c"].trends["cyclic"] is TrendOutcome.RISES
    assert "epochs until the reference loss fall (" in claims["a"].trend_text
    assert "NSS of the mean of the gates rises (" in claims["c"].trend_text
    flat = claims_of(made_runs(better=0.0))["b"]
    assert flat.trends["cyclic"] is TrendOutcome.NOT_SHOWN
    assert "no trend of accuracy is shown" in flat.trend_text


def test_trends_that_cannot_be_told():
    few = claims_of(made_runs(("C1", "C4", "D4", "D8", "D16"), n_seeds=2))["b"]
    assert few.trends == {
        "cyclic": TrendOutcome.CANNOT_TELL,
        "dihedral": TrendOutcome.CANNOT_TELL,
    }
    assert "it takes three groups of one series" in few.trend_text
    assert "smallest p-value that could come out is 0.0556" in few.trend_text


def difference(value, p_adjusted):
    mean = Interval(value=value, low=math.nan, high=math.nan, n_units=3, unit="seed")
    return Difference(mean=mean, p_value=p_adjusted, p_adjusted=p_adjusted)


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
    assert verdict_of(difference(value, p_value), better) is verdict
