"""Decisions that other random permutations could turn are named, and no others."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from rich.console import Console

from attnxai.report.cautions import draws_to_decide
from attnxai.report.contrasts import difference_sentences
from attnxai.report.terminal import print_report
from attnxai.statistics.exact import monte_carlo_ends
from attnxai.statistics.formats import format_p
from tests.report.several import content_of, inverted, part_of
from tests.report.verdicts import QUICK, is_of, of_gate1, planted, verdict_of, verdict_with

WORDS = "other side of the 5 % level"


@pytest.fixture(scope="module")
def two_models():
    content = content_of(part_of("good.pt"), part_of("bad.pt", inverted))
    return content.contrasts[0]


def test_of_many_tests_at_the_edge_the_caution_names_the_first():
    _, result = planted()

    def change(estimate):
        if estimate.is_baseline or estimate.metric != "nss":
            return estimate
        return dataclasses.replace(estimate, p_adjusted=0.045, p_adjusted_monte_carlo=(0.03, 0.06))

    (caution,) = warned(verdict_with(result, change))
    # three maps over all sources and within each of two classes
    assert caution.count("95 % Monte Carlo interval") == 6
    assert " and 3 more. " in caution


def warned(verdict):
    return [caution for caution in verdict.cautions if WORDS in caution]


def test_a_comparison_at_the_edge_is_warned_of_on_the_page_and_in_the_terminal():
    few = dataclasses.replace(QUICK, n_permutations=199, n_bootstrap=100)
    verdict, result = verdict_of(n_sources=12, agreement=0.12, seed=4, settings=few)
    (caution,) = warned(verdict)
    estimate = result.estimate("gate1", "nss")
    low, high = estimate.p_adjusted_monte_carlo
    assert low <= 0.05 < high
    assert f"{format_p(low)} to {format_p(high)}" in caution
    console = Console(file=io.StringIO(), width=2000)
    print_report([result], verdict, console, verbose=True)
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
        f"(adjusted p = {p_value:.3f}; 95 % Monte Carlo interval {format_p(ends[0])} to {format_p(ends[1])}). 999 "
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


@pytest.mark.parametrize(
    ("p_value", "ends", "n_warned"), [(0.04, (0.02, 0.05), 0), (0.06, (0.05, 0.07), 1)]
)
def test_an_end_at_the_level_is_on_the_side_of_what_is_found(p_value, ends, n_warned):
    _, result = planted()
    change = of_gate1(p_adjusted=p_value, p_adjusted_monte_carlo=ends)
    assert len(warned(verdict_with(result, change))) == n_warned


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


@pytest.mark.parametrize("tested", [True, False])
def test_a_decision_within_a_class_is_named_with_its_class(tested):
    _, result = planted()
    estimate = result.estimate("gate1", "nss", class_name="FR I")
    near = {"p_adjusted": 0.04, "p_adjusted_monte_carlo": (0.02, 0.07)}
    if not tested:
        # far below its null: 12 of 999 draws on the side that is not tested, over three maps
        values = np.concatenate([np.zeros(12), np.ones(987)])
        test = dataclasses.replace(
            estimate.test, observed=0.5, values=values, n_draws=999, exhaustive=False
        )
        near = {"pooled": test, "within_strata": None, "p_adjusted": 1.0}

    def change(e):
        return dataclasses.replace(e, **near) if is_of(e, "gate1", "FR I") else e

    (caution,) = warned(verdict_with(result, change))
    low, high = (0.02, 0.07) if tested else (3 * end for end in monte_carlo_ends(0.013, 999))
    p = 0.04 if tested else 3 * 0.013
    assert f": gate 1 within FR I (adjusted p = {p:.3f}; 95 % Monte Carlo" in caution
    assert f"interval {format_p(low)} to {format_p(high)})" in caution


def test_differences_between_models_that_hang_on_the_flips_are_named(two_models):
    contrasts = two_models
    family = contrasts.contrasts
    clear = difference_sentences(contrasts)
    assert not any("With other random flips" in sentence for sentence in clear)
    below = dataclasses.replace(
        family.contrasts[0].difference, value=-0.5, low=-0.8, high=-0.2, level=0.95
    )
    first = dataclasses.replace(
        family.contrasts[0],
        difference=below,
        difference_others=None,
        p_adjusted=0.04,
        p_adjusted_monte_carlo=(0.02, 0.07),
    )
    edge = dataclasses.replace(family, contrasts=(first, *family.contrasts[1:]))
    said = difference_sentences(dataclasses.replace(contrasts, contrasts=edge))
    (sentence,) = [s for s in said if "With other random flips" in s]
    assert "gate 1 of good.pt and bad.pt (adjusted p = 0.040; 95 % Monte Carlo interval" in sentence
    assert "499 flips were drawn" in sentence
