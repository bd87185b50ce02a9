"""Beyond emission: when it is said, and the numbers and the level that stand beside it."""

from __future__ import annotations

import dataclasses
import functools
import io

import pytest
from rich.console import Console

from attnxai.report.beyond_emission import (
    Missing,
    emission_answer,
    emission_introduction,
    missing_beyond_emission,
)
from attnxai.report.findings import best_emission, emission_names
from attnxai.report.terminal import print_report
from attnxai.report.verdict import reach_verdict
from tests.builders import made_up
from tests.report.verdicts import QUICK, verdict_of

SETTINGS = dataclasses.replace(QUICK, metrics=("nss",), within="emission")


@functools.cache
def planted():
    return verdict_of(n_sources=32, clip=0.1, settings=SETTINGS)[1]


def with_numbers(*, field=0.5, own=0.5, p_adjusted=0.001, level=0.05):
    """The result with these differences of gate 1 from emission, p-value within emission and level."""
    result = planted()

    def changed(estimate, of, difference, **numbers):
        if estimate.explanation != "gate1" or estimate.class_name != "all":
            return estimate
        interval = dataclasses.replace(
            estimate.interval, value=difference, low=difference - 0.1, high=difference + 0.1
        )
        differences = estimate.differences | dict.fromkeys(of.baselines, interval)
        return dataclasses.replace(estimate, differences=differences, **numbers)

    within = result.within_emission
    test = within.estimate("gate3" if "gate3" in within.explanations else "gate1", "nss").test
    numbers = {
        "p_adjusted": p_adjusted,
        "within_rejections_pairing_broken": level,
        "pooled": dataclasses.replace(test, observed=test.mean + 1),
        "within_strata": dataclasses.replace(test, observed=test.mean + 1),
    }
    within = dataclasses.replace(
        within, estimates=tuple(changed(e, within, own, **numbers) for e in within.estimates)
    )
    return dataclasses.replace(
        result,
        estimates=tuple(changed(e, result, field) for e in result.estimates),
        within_emission=within,
    )


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        ({}, []),
        ({"field": 0.05}, [Missing.FIELD]),
        ({"own": 0.05}, [Missing.OWN]),
        ({"own": -0.5}, [Missing.OWN]),
        ({"p_adjusted": 0.06}, [Missing.TEST]),
        ({"p_adjusted": None}, [Missing.TEST]),
        ({"level": 0.2}, [Missing.LEVEL]),
        ({"level": None}, []),
        (
            {"field": -0.5, "own": 0.05, "p_adjusted": 0.5},
            [Missing.FIELD, Missing.OWN, Missing.TEST],
        ),
    ],
)
def test_all_three_are_needed(numbers, missing):
    result = with_numbers(**numbers)
    estimate = result.estimate("gate1", "nss")
    assert missing_beyond_emission(result, estimate) == missing
    _, marks, _ = made_up(n_sources=len(result.sources))
    verdict = reach_verdict([result], marks)
    statement = next(s for s in verdict.statements if s.explanation == "gate1")
    assert ("beyond emission" in statement.badge) is (not missing)
    assert ("Gate 1 agrees, beyond lying on emission, with" in statement.lead) is (not missing)
    assert ("beyond emission" in verdict.headline) is (not missing)
    (answer,) = [a.answer for a in statement.answers if a.question == "Beyond lying on emission?"]
    assert answer.startswith("Not shown: " if missing else "Shown: ")
    level = numbers.get("level", 0.05)
    assert ("5 % of 200 tests" in answer) is (level == 0.05)
    assert ("was not measured" in answer) is (level is None)


def test_it_is_not_spoken_of_unless_it_was_computed():
    verdict, result = verdict_of(
        n_sources=20, clip=0.1, settings=dataclasses.replace(SETTINGS, within=None)
    )
    estimate = result.estimate("gate1", "nss")
    assert missing_beyond_emission(result, estimate) is None
    assert emission_answer(result, estimate) == emission_introduction(result) == ""
    assert "beyond emission" not in f"{verdict}"


def test_null_and_level_stand_before_the_table():
    result = planted()
    text = emission_introduction(result)
    within = result.within_emission
    rates = [
        within.estimate(n, "nss").within_rejections_pairing_broken for n in within.explanations
    ]
    assert f"{len(within.sources)} of 32 sources" in text
    assert "permuted across sources of the same class" in text
    if None not in rates:
        assert "of 200 tests of each map" in text
    for name in emission_names(within):
        if within.estimate(name, "nss").test is not None:
            assert f"{name} p = " in text


def test_the_terminal_shows_differences_from_emission_where_they_fit():
    result = with_numbers(field=0.5)
    verdict = reach_verdict([result], made_up(n_sources=len(result.sources))[1])
    emission = best_emission(result, "nss")
    shown = {}
    for width in (400, 60):
        stream = io.StringIO()
        print_report([result], verdict, Console(file=stream, width=width), verbose=True)
        shown[width] = stream.getvalue()
    assert f"minus {emission}: the baseline of emission that agrees best" in shown[400]
    row = next(line for line in shown[400].splitlines() if line.split()[:2] == ["Gate", "1"])
    assert row.split()[-2:] == ["0.500", "0.500"]
    assert "minus brightness" in " ".join(shown[60].split())
    assert "minus emission" not in " ".join(shown[60].split())
