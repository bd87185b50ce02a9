"""The words follow from the numbers, and none is stronger than the test behind it."""

from __future__ import annotations

import dataclasses
import re
import warnings

import numpy as np
import pytest

from attnxai.agreement.comparison import ComparisonSettings, compare, compare_pairs
from attnxai.agreement.estimates import FurtherTest
from attnxai.agreement.multiplicity import Correction
from attnxai.agreement.results import ALL
from attnxai.alignment.pairs import align
from attnxai.cli.completion import EXPLANATION_NAMES
from attnxai.data.wording import listed
from attnxai.errors import AssumptionWarning
from attnxai.explanations.stack import Split
from attnxai.metrics import METRICS
from attnxai.report.figures.text import shown_explanation
from attnxai.report.findings import Finding, Side, finding_of, is_miscalibrated, side_of_chance
from attnxai.report.verdict import reach_verdict
from attnxai.report.wording import (
    group_phrase,
    in_sentence,
    label_of_map,
    map_in_sentence,
    method_of_map,
    name_of_map,
    names_of_maps,
)
from attnxai.statistics.formats import format_number, with_interval
from attnxai.statistics.interval import no_spread_interval
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


def test_planted_agreement_is_stated_with_its_numbers():
    verdict, result = planted()
    assert [s.finding for s in verdict.statements] == [Finding.AGREES] * 3
    assert verdict.headline.startswith(
        "All 3 maps of made-up agree with the annotations of their own source by NSS; "
    )
    statement = verdict.statements[0]
    estimate = result.estimate("gate1", "nss")
    assert statement.lead.startswith("Gate 1 agrees with the annotations")
    for text in (
        with_interval(estimate.interval),
        format_number(estimate.within_strata.mean, 2),
        "16 sources",
        "same class",
    ):
        assert text in statement.details
    assert statement.p_adjusted == pytest.approx(min(1, 3 * estimate.within_strata.p_value))


def test_no_agreement_is_not_shown_which_is_not_the_same_as_absent():
    verdict, _ = verdict_of(n_sources=16, agreement=0.0, seed=3)
    assert {s.finding for s in verdict.statements} == {Finding.NOT_SHOWN}
    assert verdict.headline == (
        "By NSS, agreement of made-up with the annotations of its own source is not shown for any of its 3 maps."
    )
    assert all("is not shown" in s.lead for s in verdict.statements)


def test_too_few_sources_conclude_nothing():
    verdict, _ = verdict_of(n_sources=5)
    assert {s.finding for s in verdict.statements} == {Finding.INCONCLUSIVE}
    assert "too few" in verdict.headline
    assert "smallest attainable p-value is 0.0833" in verdict.statements[0].details
    assert any("too few for confidence intervals" in c for c in verdict.cautions)


def test_the_number_of_maps_counts_for_what_can_be_concluded():
    # 3 + 3 sources: 1/36 is below 0.05, but not for three maps
    verdict, result = verdict_of(n_sources=6)
    assert result.estimate("gate1", "nss").within_strata.smallest_p == pytest.approx(1 / 36)
    assert {s.finding for s in verdict.statements} == {Finding.INCONCLUSIVE}


def test_baselines_decide_what_is_better():
    verdict, result = planted()
    details = verdict.statements[0].details
    best = brightest(result)
    # the made-up images are narrow blobs at the marks, the maps wide ones
    assert f" {best.capitalize()} agrees better (NSS " in details
    assert "The centre bias" in details
    assert "agrees less" in details
    assert "; brightness alone agrees better." in verdict.headline
    statement = verdict.statements[0]
    assert statement.lead == (
        "Gate 1 agrees with the annotations of its own source, but brightness alone agrees better."
    )
    assert statement.badge == "agrees, brightness better"
    worse = dataclasses.replace(
        result.estimate("gate1", "nss").interval, value=1.0, low=0.5, high=1.5
    )
    change = of_gate1(differences=dict.fromkeys(result.baselines, worse))
    statement = verdict_with(result, change).statements[0]
    assert (statement.badge, statement.lead.partition(", but")[1:]) == ("agrees", ("", ""))


def test_training_sources_are_no_evidence():
    verdict, _ = verdict_of(n_sources=12, splits=(Split.TRAINING,) * 12)
    assert any("no evidence" in caution for caution in verdict.cautions)
    mixed = (Split.TRAINING,) * 2 + (Split.HELD_OUT,) * 10
    verdict, result = verdict_of(n_sources=12, splits=mixed)
    assert any("rests on the 10 held-out sources; 2 more" in c for c in verdict.cautions)
    assert result.verdict_group == "held-out"
    verdict, _ = verdict_of(n_sources=12, splits=(Split.UNKNOWN,) * 12)
    assert any("not known whether the model was trained" in c for c in verdict.cautions)


@pytest.mark.parametrize(
    ("annotators", "words"),
    [
        (("a",), "one annotator, so inter-annotator agreement cannot be estimated"),
        (("a", "b", "c"), "The result is about these 3 annotators"),
        (("a", "b", "c"), "3 annotators are too few to estimate how much others would differ"),
        (("a", "b", "c", "d"), "The result is about annotators like these 4"),
    ],
)
def test_annotators_limit_the_conclusion(annotators, words):
    verdict, _ = verdict_of(n_sources=10, annotators=annotators)
    assert any(words in caution for caution in verdict.cautions)


def test_simulated_data_are_named():
    verdict, _ = verdict_of(n_sources=10, marks_change={"simulated": True})
    assert "simulated annotations" in verdict.headline
    assert verdict.cautions[0].startswith("Sources and annotators are simulated")


def test_without_classes_it_is_said_what_stands_in_for_them():
    verdict, result = verdict_of(n_sources=40, classes=())
    details = verdict.statements[0].details
    assert "the same predicted class and annotated size" in details
    assert any("between class scores; the other 20 keep their own" in c for c in result.notes)


def test_without_classes_and_scores_nothing_is_concluded():
    maps, marks, images = made_up(n_sources=12, classes=())
    maps = dataclasses.replace(maps, scores=None, class_names=())
    with pytest.warns(AssumptionWarning, match="class column"):
        result = compare(maps, marks, images, settings=QUICK)
    verdict = reach_verdict([result], marks)
    assert {s.finding for s in verdict.statements} == {Finding.INCONCLUSIVE}
    assert "the maps come without class scores" in verdict.headline


def test_names_of_maps():
    assert name_of_map("gate2") == "Gate 2"
    assert name_of_map("mean") == "The mean of the gates"
    assert name_of_map("integrated gradients") == "integrated gradients"
    assert names_of_maps(["gate2"]) == "Gate 2"
    assert names_of_maps(["mean"]) == "The mean of the gates"
    assert names_of_maps(["gate1", "gate2", "gate3"]) == "Gates 1, 2 and 3"
    assert names_of_maps(["gate2", "gate3", "mean"]) == "Gates 2 and 3 and the mean of the gates"
    assert names_of_maps(["integrated gradients"]) == "integrated gradients"


def test_words_inside_sentences():
    labels = {name: in_sentence(metric.label) for name, metric in METRICS.items()}
    assert labels["relevance_mass_accuracy"] == "relevance mass"
    assert labels["spearman"] == "Spearman ρ"
    assert labels["auc"] == "AUC"
    assert {"IoU", "−KL divergence", "shuffled AUC", "correlation r"} <= set(labels.values())
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert group_phrase("validation", 1) == "source that the model was validated on"
    assert group_phrase("validation", 5) == "sources that the model was validated on"


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


def test_significant_but_avoiding_the_marks_is_not_agreement():
    """Seven sources have no interval, and relevance mass no fixed chance: neither may say 'agrees'."""
    verdict, result = verdict_of(n_sources=7, classes=("FR I",))
    assert result.estimate("gate1", "nss").pooled.p_value < 0.01
    assert {s.finding for s in verdict.statements} == {Finding.SOURCE_SPECIFIC}
    assert "there is no interval that shows it to be above chance" in verdict.statements[0].details
    mass = ComparisonSettings(
        metrics=("relevance_mass_accuracy",), n_permutations=999, n_bootstrap=500
    )
    maps, marks, images = made_up(n_sources=20)
    around = {name: 1.05 - array for name, array in maps.layers.items()}
    result = compare(dataclasses.replace(maps, layers=around), marks, images, settings=mass)
    estimate = result.estimate("gate1", "relevance_mass_accuracy")
    low = dataclasses.replace(estimate.within_strata, p_value=0.001)
    changed = tuple(
        dataclasses.replace(e, within_strata=low, p_adjusted=0.003) if e is estimate else e
        for e in result.estimates
    )
    verdict = reach_verdict([dataclasses.replace(result, estimates=changed)], marks)
    assert estimate.above_chance.high < 0
    assert verdict.statements[0].finding is Finding.SOURCE_SPECIFIC


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


def test_better_means_better_than_brightness_at_every_resolution():
    verdict, result = planted()
    assert "brightness alone agrees better" in verdict.headline
    estimate = result.estimate("gate1", "nss")
    brightness = [name for name in result.baselines if name.startswith("brightness")]
    above = dataclasses.replace(estimate.interval, value=1.0, low=0.5, high=1.5)
    open_ = dataclasses.replace(estimate.interval, value=1.0, low=-0.1, high=2.1)
    for intervals, words in (
        (dict.fromkeys(brightness, above), "1 of them better than brightness alone"),
        ({brightness[0]: above, brightness[1]: open_}, "none is shown to agree better"),
    ):
        change = of_gate1(differences={**estimate.differences, **intervals})
        assert words in verdict_with(result, change).headline


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
    for interval, badge, words in (
        ((0.1, 0.9), "agrees", "agrees with the annotations of its own source."),
        (
            (-0.1, 0.9),
            "agrees, not better than emission",
            "of its own source, but it is not shown to agree better than emission alone.",
        ),
        ((-0.9, -0.1), "agrees, emission better", "source, but emission alone agrees better."),
    ):
        low, high = interval
        changed = dataclasses.replace(zero, value=(low + high) / 2, low=low, high=high)
        # at one resolution is enough
        change = of_gate1(differences=better | {emission[1]: changed})
        found = next(s for s in verdict_with(result, change).statements if s.explanation == "gate1")
        assert found.badge == badge
        assert words in found.lead


def test_a_map_without_values_is_not_called_few_sources():
    maps, marks, images = made_up(n_sources=12)
    flat = {name: np.full_like(array, 0.5) for name, array in maps.layers.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = compare(dataclasses.replace(maps, layers=flat), marks, images, settings=QUICK)
    verdict = reach_verdict([result], marks)
    assert "NSS is undefined for all of its maps" in verdict.headline


def test_classes_on_opposite_sides_of_chance_are_named():
    maps, marks, images = made_up(n_sources=20)
    layers = {name: array.copy() for name, array in maps.layers.items()}
    layers["gate1"][::2] = 1.2 - 1.2 * layers["gate1"][::2]
    result = compare(dataclasses.replace(maps, layers=layers), marks, images, settings=QUICK)
    headline = reach_verdict([result], marks).headline
    expected = (
        "Gate 1 and the mean of the gates are higher on the annotations than elsewhere for FR II, and lower "
        "for FR I."
    )
    assert headline.endswith(expected)
    assert "Gate 2" not in headline


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


def test_the_baseline_that_is_named_is_one_that_decides():
    _, result = planted()
    best = brightest(result)
    other = next(n for n in result.baselines if n.startswith("brightness") and n != best)
    ends = {"above": (0.5, 1.5), "open": (-0.5, 1.5), "below": (-1.5, -0.5)}

    def details(**sides):
        def change(estimate):
            if not is_of(estimate, "gate1"):
                return estimate
            differences = dict(estimate.differences)
            for name, difference in estimate.differences.items():
                if name.startswith("brightness"):
                    low, high = ends[sides["best"] if name == best else sides["others"]]
                    differences[name] = dataclasses.replace(
                        difference, value=(low + high) / 2, low=low, high=high
                    )
            return dataclasses.replace(estimate, differences=differences)

        return verdict_with(result, change).statements[0].details

    assert f" {best.capitalize()} agrees better (" in details(best="below", others="above")
    assert f" {best.capitalize()} agrees less (" in details(best="above", others="above")
    for side, words in (("below", "agrees better"), ("open", "cannot be distinguished from it")):
        text = details(best="above", others=side)
        assert f" {best.capitalize()} {words}" not in text
        assert f" {other.capitalize()} {words} (" in text


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        (Split.HELD_OUT, "1 held-out source is too few to test"),
        (Split.TRAINING, "trained on this source."),
        (Split.VALIDATION, "by its results on this source."),
        (Split.UNKNOWN, "trained on this source; if it was, it is no evidence"),
    ],
)
def test_one_source_is_singular(splits, words):
    verdict, _ = verdict_of(n_sources=1, splits=(splits,))
    text = " ".join([verdict.headline, *verdict.cautions, *(s.details for s in verdict.statements)])
    assert words in text
    assert "1 source is too few for confidence intervals" in text
    assert not re.search(r"\b1 (\S+ )?(sources|maps)\b", text)


def test_classes_that_are_not_held_fixed_are_mentioned():
    words = "Annotations are permuted across classes"
    for strata, said in ((("size",), True), (("class",), False), (("class", "size"), False)):
        verdict, _ = verdict_of(n_sources=16, settings=dataclasses.replace(QUICK, strata=strata))
        assert any(words in caution for caution in verdict.cautions) == said
    verdict, _ = verdict_of(n_sources=12, classes=(), settings=QUICK)
    assert not any(words in caution for caution in verdict.cautions)


def test_a_size_that_is_not_held_fixed_is_mentioned_with_the_rates():
    _, result = planted()

    def cautions(rates):
        def change(e):
            rate = rates.get(e.explanation)
            return dataclasses.replace(e, within_rejections_pairing_broken=rate)

        return verdict_with(result, change).cautions

    said = "; --strata class --strata size tests for agreement beyond size."
    assert (
        "The permutations do not control for angular size: with the pairing broken among sources of similar size and the same "
        "class, the tests of the maps by NSS are significant for 4 % to 15 % of 200 permuted data sets each, where 5 % should be"
        + said
    ) in cautions({"gate1": 0.15, "gate2": 0.04})
    assert "The permutations do not control for angular size" + said in cautions({})
    verdict, _ = verdict_of(
        n_sources=16, settings=dataclasses.replace(QUICK, strata=("class", "size"))
    )
    assert not any("angular size" in caution for caution in verdict.cautions)
    verdict, _ = verdict_of(n_sources=12, classes=())
    assert not any("angular size" in caution for caution in verdict.cautions)


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


def test_values_that_are_the_same_for_few_sources_show_nothing():
    estimate = verdict_of(n_sources=12)[1].estimate("gate1", "nss")
    above = no_spread_interval(1.0, 12, 12)
    assert side_of_chance(dataclasses.replace(estimate, above_chance=above)) is Side.ABOVE
    below = no_spread_interval(-1.0, 12, 12)
    assert side_of_chance(dataclasses.replace(estimate, above_chance=below)) is Side.BELOW
    few = no_spread_interval(1.0, 7, 7)
    assert side_of_chance(dataclasses.replace(estimate, above_chance=few)) is Side.UNKNOWN


def test_ties_are_not_called_lower_than_permutations():
    """A constant table gives p = 1 on either side; a value at the lower end is said to be there."""
    _, result = planted()
    words = "lower than under nearly all permutations"

    def details(observed, values):
        test = dataclasses.replace(
            result.estimate("gate1", "nss").within_strata,
            observed=observed,
            values=np.asarray(values),
            p_value=1.0,
            exhaustive=False,
        )
        return (
            verdict_with(result, of_gate1(within_strata=test, p_adjusted=1.0)).statements[0].details
        )

    assert words not in details(1.0, np.ones(99))
    text = details(0.0, np.linspace(1, 2, 99))
    assert f"{words} (p = 0.0100 on the lower side, which was not the alternative tested)." in text
    assert "--alternative" not in text


def test_levels_belong_to_what_is_found():
    _, result = planted()
    estimate = dataclasses.replace(result.estimate("gate1", "nss"), p_adjusted=0.05)
    assert finding_of(estimate) is Finding.AGREES
    assert finding_of(dataclasses.replace(estimate, p_adjusted=0.0501)) is Finding.NOT_SHOWN
    # with 0.02 the smallest, Holm's method over 3 maps can reach no 0.05
    coarse = dataclasses.replace(
        estimate,
        p_adjusted=0.2,
        within_strata=dataclasses.replace(estimate.within_strata, smallest_p=0.02),
    )
    for correction, finding in (("holm", Finding.INCONCLUSIVE), ("max_t", Finding.NOT_SHOWN)):
        changed = dataclasses.replace(coarse, correction=Correction(correction))
        assert finding_of(changed) is finding
    further = FurtherTest(
        null="shift", label="shift", test=None, reason="", rejections_pairing_broken=0.2
    )
    assert is_miscalibrated(further)
    assert not is_miscalibrated(dataclasses.replace(further, rejections_pairing_broken=0.19))


def test_only_some_metrics_show_that_annotations_are_avoided():
    """An AUC below 0.5 does; few of the highest pixels on small marks say nothing of the kind."""
    _, result = planted()
    below = at(result.estimate("gate1", "nss"), -0.3, -0.1)
    sides = {"auc": Side.BELOW, "nss": Side.BELOW, "iou": Side.OPEN, "similarity": Side.OPEN}
    for metric, side in sides.items():
        assert side_of_chance(dataclasses.replace(below, metric=metric)) is side


@pytest.mark.parametrize(
    ("name", "words", "method"),
    [
        ("gate3", "gate 3", "gates"),
        ("gate3 magnitude", "gate 3 magnitude", "gates magnitude"),
        ("mean centred", "the mean of the centred gates", "gates centred"),
        ("evidence", "evidence", "evidence"),
        ("evidence gate1", "evidence of gate 1", "evidence"),
        (
            "evidence relative gate2",
            "evidence of gate 2 relative to empty sky",
            "evidence relative",
        ),
        ("evidence magnitude", "magnitude of the evidence", "evidence magnitude"),
        ("gradcam layer4", "Grad-CAM of layer4", "gradcam"),
        ("guided_gradcam", "guided Grad-CAM", "guided_gradcam"),
        ("my own", "my own", "my own"),
    ],
)
def test_maps_of_every_method_have_plain_names(name, words, method):
    assert map_in_sentence(name) == words
    assert method_of_map(name) == method
    assert (
        label_of_map(name)
        == f"{words.removeprefix('the ')[0].upper()}{words.removeprefix('the ')[1:]}"
    )


def test_panels_show_the_map_of_which_the_verdict_speaks():
    """A map that agrees comes first, then one with another finding; of several the farthest from its null."""
    _, result = planted()
    far = {name: result.estimate(name, "nss").test.z for name in result.explanations}
    assert shown_explanation(result) == max(far, key=lambda name: far[name])

    def with_p(p_values, z=None):
        def change(e):
            if e.explanation not in p_values or e.is_baseline:
                return e
            e = dataclasses.replace(e, p_adjusted=p_values[e.explanation])
            if e.explanation == z:
                test = dataclasses.replace(
                    e.test, observed=e.test.observed + 100 * e.test.values.std()
                )
                e = dataclasses.replace(e, pooled=test, within_strata=test)
            return e

        return dataclasses.replace(result, estimates=tuple(map(change, result.estimates)))

    none = dict.fromkeys(result.explanations, 0.5)
    assert shown_explanation(with_p(none)) == "mean"
    assert shown_explanation(with_p(none | {"gate1": 0.01})) == "gate1"
    both = none | {"gate1": 0.01, "gate2": 0.01}
    assert shown_explanation(with_p(both, z="gate2")) == "gate2"
    assert shown_explanation(with_p(both, z="gate1")) == "gate1"


def test_every_attribution_method_of_this_package_has_plain_words():
    for method in set(EXPLANATION_NAMES) - {"gates", "gates_centred", "gates_magnitude"}:
        words = name_of_map(method.replace("evidence_", "evidence "))
        assert words[0].isupper(), method
        assert "_" not in words, method
