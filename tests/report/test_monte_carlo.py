"""Decisions that other random permutations could turn are named, and no others."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from attnxai.report.cautions import draws_to_decide
from attnxai.report.terminal import print_report
from attnxai.statistics.exact import monte_carlo_ends
from tests.report.verdicts import QUICK, of_gate1, planted, verdict_of, verdict_with

WORDS = "other side of the 5 % level"


def warned(verdict):
    return [caution for caution in verdict.cautions if WORDS in caution]


def test_a_comparison_at_the_edge_is_warned_of_on_the_page_and_in_the_terminal():
    few = dataclasses.replace(QUICK, n_permutations=199, n_bootstrap=100)
    verdict, result = verdict_of(n_sources=12, agreement=0.12, seed=4, settings=few)
    (caution,) = warned(verdict)
    estimate = result.estimate("gate1", "nss")
    low, high = estimate.p_adjusted_monte_carlo
    assert low <= 0.05 < high
    assert f"{low:.4f} to {high:.2f}" in caution
    console = Console(file=io.StringIO(), width=400)
    print_report([result], verdict, console)
    assert caution in console.file.getvalue()


def test_planted_agreement_does_not_depend_on_the_draws():
    verdict, result = planted()
    low, high = result.estimate("gate1", "nss").p_adjusted_monte_carlo
    assert low < high < 0.05
    assert warned(verdict) == []


@pytest.mark.parametrize("p_value", [0.036, 0.06])
def test_a_p_value_near_the_level_is_named_with_its_interval_and_the_remedy(p_value):
    _, result = planted()
    ends = tuple(3 * end for end in monte_carlo_ends(p_value / 3, 999))
    assert ends[0] < 0.05 < ends[1]
    change = of_gate1(p_adjusted=p_value, p_adjusted_monte_carlo=ends)
    (caution,) = warned(verdict_with(result, change))
    needed = draws_to_decide(p_value, ends, 999)
    assert caution == (
        f"With other random permutations this test could fall on the other side of the 5 % level: gate 1 "
        f"(p = {p_value:.4f} adjusted; 95 % Monte Carlo interval {ends[0]:.4f} to {ends[1]:.4f}). 999 "
        f"permutations were drawn; about {needed:,} (--n-permutations {needed}) would decide."
    )


def test_as_many_draws_as_are_named_bring_the_interval_to_one_side():
    for p_value in (0.036, 0.045, 0.055, 0.07):
        needed = draws_to_decide(p_value, monte_carlo_ends(p_value, 999), 999)
        low, high = monte_carlo_ends(p_value, needed)
        assert high < 0.05 or low > 0.05
    assert draws_to_decide(0.05, monte_carlo_ends(0.05, 999), 999) > 1_000_000


def test_a_p_value_at_the_level_is_said_to_be_there():
    _, result = planted()
    change = of_gate1(p_adjusted=0.05, p_adjusted_monte_carlo=(0.04, 0.06))
    (caution,) = warned(verdict_with(result, change))
    assert caution.endswith("and even 1,000,000 would not decide: the p-value is at the level.")


def test_enumerated_permutations_have_no_error_to_warn_of():
    verdict, result = verdict_of(
        n_sources=7, settings=dataclasses.replace(QUICK, correction="none")
    )
    estimate = result.estimate("gate1", "nss")
    assert estimate.test.exhaustive
    assert estimate.p_adjusted_monte_carlo is None
    assert warned(verdict) == []


def test_too_few_permutations_for_any_decision_are_said_once():
    verdict, _ = verdict_of(n_sources=16, settings=dataclasses.replace(QUICK, n_permutations=19))
    assert "19 permutations are too few" in verdict.headline
    assert warned(verdict) == []
