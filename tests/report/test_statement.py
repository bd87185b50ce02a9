"""The statement on a map follows from its numbers, and says nothing that is stronger than the test behind it."""

from __future__ import annotations

import dataclasses
import re

import pytest

from attnxai.agreement.comparison import ComparisonSettings, compare, compare_pairs
from attnxai.agreement.results import ALL
from attnxai.alignment.pairs import align
from attnxai.report.findings import Finding
from attnxai.report.verdict import reach_verdict
from tests.builders import made_up
from tests.report.verdicts import (
    QUICK,
    at,
    brightest,
    is_of,
    of_gate1,
    planted,
    verdict_of,
    verdict_with,
)


def test_baselines_decide_what_is_better():
    verdict, result = planted()
    details = verdict.statements[0].details
    best = brightest(result)
    # the made-up images are narrow blobs at the marks, the maps wide ones
    assert f" {best.capitalize()} agrees better (NSS " in details
    assert "The centre bias" in details
    assert "agrees less" in details
    assert re.search(r"\. Brightness alone \(\S+\) agrees better\.$", verdict.headline)
    statement = verdict.statements[0]
    assert statement.lead == (
        "Gate 1 agrees with the annotations of its own source, but brightness alone agrees better."
    )
    assert verdict.baselines.endswith(
        "Brightness agrees better than all 3 maps; the centre bias agrees less than all 3 maps."
    )
    worse = dataclasses.replace(
        result.estimate("gate1", "nss").interval, value=1.0, low=0.5, high=1.5
    )
    change = of_gate1(differences=dict.fromkeys(result.baselines, worse))
    statement = verdict_with(result, change).statements[0]
    assert statement.lead.partition(", but")[1:] == ("", "")


def test_a_map_no_better_than_emission_says_so():
    """Where a map agrees, it is said whether emission alone agrees better, or as well as can be told."""
    verdict, result = verdict_of(n_sources=16, clip=0.1)
    emission = [name for name in result.baselines if name.startswith("emission")]
    assert emission == ["emission", "emission at 3.6″"]
    estimate = result.estimate("gate1", "nss")
    (statement, *_) = verdict.statements
    assert statement.explanation == "gate1"
    assert any("brightness, emission or the centre bias?" in a.question for a in statement.answers)
    zero = dataclasses.replace(estimate.interval, value=0.5, low=0.1, high=0.9)
    better = dict.fromkeys(result.baselines, zero)
    for interval, words in (
        ((0.1, 0.9), "agrees with the annotations of its own source."),
        (
            (-0.1, 0.9),
            "of its own source, but it is not shown to agree better than emission alone.",
        ),
        ((-0.9, -0.1), "source, but emission alone agrees better."),
    ):
        low, high = interval
        changed = dataclasses.replace(zero, value=(low + high) / 2, low=low, high=high)
        # at one resolution is enough
        change = of_gate1(differences=better | {emission[1]: changed})
        found = next(s for s in verdict_with(result, change).statements if s.explanation == "gate1")
        assert words in found.lead


def test_following_a_source_is_not_looking_at_it():
    """A map that avoids the marks of one class and hits those of the other follows its source."""
    maps, marks, images = made_up(n_sources=20)
    layers = {name: array.copy() for name, array in maps.layers.items()}
    for array in layers.values():
        array[::2] = 1.2 - 1.2 * array[::2]
    opposed = dataclasses.replace(maps, layers=layers)
    # the sign is part of the class template, so only the spread within a class counts
    result = compare(opposed, marks, images, settings=QUICK)
    verdict = reach_verdict([result], marks)
    interval = result.estimate("gate2", "nss").interval
    assert interval.low < 0 < interval.high
    assert all(s.finding is not Finding.AGREES for s in verdict.statements)
    assert "By class: NSS FR I −" in verdict.statements[0].details


def test_a_map_that_is_source_specific_is_not_said_to_agree():
    verdict, result = planted()
    again = verdict_with(result, lambda e: at(e, -0.2, 0.8) if is_of(e, "gate1") else e)
    assert again.statements[0].finding is Finding.SOURCE_SPECIFIC
    details = again.statements[0].details
    assert "not shown to differ from chance, which is 0" in details
    assert "yet over all sources it is not shown to be above chance" in details
    assert again.statements[1] == verdict.statements[1]
    assert "2 of 3 maps" in again.headline


def test_below_chance_is_said_of_a_map_that_follows():
    _, result = planted()
    verdict = verdict_with(result, lambda e: at(e, -1.2, -0.28) if is_of(e, "gate1") else e)
    statement = verdict.statements[0]
    assert statement.finding is Finding.SOURCE_SPECIFIC
    assert statement.lead.startswith(
        "Gate 1 distinguishes its own source from others, but is lower on the annotations than elsewhere. By "
    )
    assert "below chance, which is 0" in statement.details
    assert "yet over all sources it is below chance" in statement.details
    assert "not shown to be above chance" not in statement.details


def test_below_chance_is_said_of_a_map_that_is_not_shown_to_agree():
    _, result = verdict_of(n_sources=16, agreement=0.0, seed=3)
    verdict = verdict_with(result, lambda e: at(e, -1.2, -0.28) if is_of(e, "gate1") else e)
    below, other = verdict.statements[:2]
    assert below.finding is other.finding is Finding.NOT_SHOWN
    assert below.lead == (
        "Agreement of gate 1 with its own source is not shown; it is lower on the annotations than elsewhere."
    )
    assert "below chance, which is 0." in below.details
    assert other.lead == "Agreement of gate 2 with its own source is not shown."
    assert "below chance" not in other.details


def test_the_lead_carries_a_class_whose_marks_are_avoided():
    _, result = planted()

    def change(estimate, p_value):
        if is_of(estimate, "gate1", "FR II"):
            return at(estimate, -3.0, -1.0)
        if is_of(estimate, "gate1", "FR I"):
            return dataclasses.replace(estimate, p_adjusted=p_value)
        return estimate

    lead = verdict_with(result, lambda e: change(e, 0.01)).statements[0].lead
    assert lead == (
        "Gate 1 agrees with the annotations of its own source, for FR I; for FR II it is lower on the "
        "annotations than elsewhere, but brightness alone agrees better."
    )
    # a class is named as agreeing only with a test of its own
    lead = verdict_with(result, lambda e: change(e, 0.2)).statements[0].lead
    assert "of its own source, over all sources; for FR II it is lower" in lead


def test_other_metrics_that_lead_to_another_conclusion_are_named():
    _, result = planted()
    assert result.metrics == (
        "nss",
        "spearman",
        "auc",
        "relevance_mass_accuracy",
        "relevance_rank_accuracy",
    )

    def change(estimate):
        if estimate.explanation != "gate1" or estimate.class_name != ALL:
            return estimate
        if estimate.metric == "auc":
            test = dataclasses.replace(estimate.within_strata, p_value=0.25)
            return dataclasses.replace(estimate, within_strata=test, p_adjusted=0.75)
        if estimate.metric == "relevance_rank_accuracy":
            return at(estimate, -0.1, 0.3)
        return estimate

    first, second, _ = verdict_with(result, change).statements
    rank = result.estimate("gate1", "relevance_rank_accuracy")
    assert first.lead.endswith(
        " By AUC (p = 0.25, 0.75 adjusted for 3 maps) agreement with its own source is not shown. By relevance rank "
        f"(p = {rank.test.p_value:.4f}, {rank.p_adjusted:.4f} adjusted for 3 maps) it distinguishes its own source "
        "from others."
    )
    assert "By " not in second.lead


@pytest.mark.parametrize("metric", ["auc", "spearman", "correlation"])
def test_a_map_that_equals_the_annotations_agrees(metric):
    """Its value is the same for every source: that is no lack of sources, and the reason is said."""
    maps, marks, images = made_up(n_sources=12, annotators=("a",))
    pairs = align(maps, marks, images)
    pairs = dataclasses.replace(pairs, explanations={"gate1": pairs.density[0].astype(float)})
    settings = ComparisonSettings(metrics=(metric,), n_permutations=999, n_bootstrap=100)
    result = compare_pairs(pairs, settings=settings)
    assert not result.estimate("gate1", metric).interval.known
    (statement,) = reach_verdict([result], marks).statements
    assert statement.finding is Finding.AGREES
    assert statement.lead == "Gate 1 agrees with the annotations of its own source."
    assert "above chance" in statement.details
    assert "there is no interval, since all 12 values are the same" in statement.details
    assert "12 sources are too few" not in statement.details
