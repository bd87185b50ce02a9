"""The words for everything that a comparison can be asked for."""

from __future__ import annotations

import dataclasses
import io
import json
import re

import numpy as np
import pytest
from rich.console import Console

from attnxai.agreement.estimates import FurtherTest
from attnxai.agreement.results import ALL
from attnxai.nulls import NULLS
from attnxai.report.findings import Finding
from attnxai.report.page_tables import verdict_table
from attnxai.report.summary import summarise
from attnxai.report.terminal import _all_in_short, print_report
from attnxai.report.verdict import reach_verdict
from attnxai.statistics.formats import format_number, with_interval
from attnxai.statistics.interval import no_interval
from tests.report.several import EVIL, QUICK, content_of, inverted, part_of, unchanged, verdict_on
from tests.report.verdicts import brightest, is_of, planted, verdict_of, verdict_with

# what a test of less agreement says


def with_alternative(alternative, change, **options):
    settings = dataclasses.replace(QUICK, alternative=alternative)
    return part_of("away.pt", change, settings=settings, **options)


def test_maps_that_look_away_are_found_by_a_test_of_less_agreement():
    content = content_of(with_alternative("less", inverted), contrasts=False)
    (model,) = verdict_on(content).models
    assert [s.finding for s in model.statements] == [Finding.ANTI_CORRELATED] * 3
    assert model.headline.startswith(
        "3 of 3 maps of away.pt agree less with their own source than with others, of which 3 are "
        "anti-correlated with the annotations ("
    )
    statement = model.statements[0]
    assert statement.lead == (
        "Gate 1 is anti-correlated with the annotations: it agrees less with its own source than with "
        "others, and is lower on the annotations than elsewhere."
    )
    assert "16 sources); the test is one-sided, for less agreement." in statement.details
    assert "yet over all sources" not in statement.details


def test_a_test_of_less_agreement_says_nothing_about_more(good):
    content = content_of(with_alternative("less", unchanged), contrasts=False)
    (model,) = verdict_on(content).models
    assert [s.finding for s in model.statements] == [Finding.NOT_SHOWN] * 3
    assert model.headline.startswith(
        "No map of away.pt is shown to agree less with its own source than with others ("
    )
    assert model.statements[0].lead == (
        "Gate 1 is not shown to agree less with its own source than with others."
    )
    both = content_of(content.parts[0], with_alternative("less", inverted), contrasts=False)
    named = dataclasses.replace(both.parts[0].result, model_name="toward.pt")
    headline = reach_verdict([named, both.results[1]], both.annotations).headline
    lowest = min(
        (both.results[1].estimate(name, "nss") for name in named.explanations),
        key=lambda estimate: estimate.interval.value,
    )
    assert headline == (
        "All maps of away.pt and none of toward.pt are shown to agree less with their own source than with others "
        f"(lowest for gate 2 of away.pt: NSS {with_interval(lowest.interval)} against {format_number(lowest.test.mean, 2)} by "
        "permutation, adjusted p = 0.012, the smallest attainable, 16 held-out sources)."
    )


def test_a_two_sided_test_finds_both():
    def one_of_two(layers):
        return {"gate1": 1.2 - 1.2 * layers["gate1"], "gate2": layers["gate2"]}

    content = content_of(with_alternative("two-sided", one_of_two), contrasts=False)
    verdict = verdict_on(content)
    away, agrees, _ = verdict.statements
    assert (away.finding, agrees.finding) == (Finding.ANTI_CORRELATED, Finding.AGREES)
    assert re.search(
        r"1 of 3 maps of away.pt agrees .*, and \d agrees? less with it than with others \(gate 2: .*\)\. "
        r"Brightness alone \(\S+\) agrees better",
        verdict.headline,
    )
    assert "16 sources), two-sided." in agrees.details
    both = reach_verdict(
        [*content.results, dataclasses.replace(content.results[0], model_name="again.pt")],
        content.annotations,
    )
    assert re.search(
        r"^1 of 3 maps each of away.pt and again.pt are shown to agree with the annotations of their own source, and "
        r"\d maps agree less with it than with others \(highest for gate 2 of (away|again).pt: NSS ",
        both.headline,
    )


def changed(content, change):
    """The same content, with some estimates of the first model changed."""
    part = content.parts[0]
    estimates = tuple(change(e) for e in part.result.estimates)
    result = dataclasses.replace(part.result, estimates=estimates)
    return dataclasses.replace(
        content, parts=(dataclasses.replace(part, result=result), *content.parts[1:])
    )


@pytest.fixture(scope="module")
def one(good):
    return content_of(good, contrasts=False)


def of_gate1(change, class_name=ALL):
    def apply(e):
        key = (e.explanation, e.metric, e.class_name)
        return dataclasses.replace(e, **change(e)) if key == ("gate1", "nss", class_name) else e

    return apply


def details(content, change):
    return verdict_on(changed(content, of_gate1(change))).statements[0].details


def test_a_map_above_chance_does_not_look_away():
    """It agrees with its own source less than with others, and that alone is said."""
    content = content_of(with_alternative("less", inverted), contrasts=False)

    def above(e):
        return {"above_chance": dataclasses.replace(e.above_chance, value=1.0, low=0.5, high=1.5)}

    statement = verdict_on(changed(content, of_gate1(above))).statements[0]
    assert statement.finding is Finding.LESS
    assert statement.lead == (
        "Gate 1 is higher on the annotations than elsewhere, but agrees less with its own source than "
        "with others."
    )


@pytest.mark.parametrize(
    ("alternative", "words"),
    [
        ("greater", "this test cannot find agreement, however large"),
        ("less", "this test cannot find a lack of agreement, however large"),
        ("two-sided", "this test cannot find a difference, however large"),
    ],
)
def test_tests_that_cannot_find_anything_say_what(one, alternative, words):
    def few(e):
        test = dataclasses.replace(
            e.within_strata, smallest_p=0.1, p_value=0.1, alternative=alternative
        )
        return {"within_strata": test, "p_adjusted": 0.3}

    assert words in details(one, few)


def test_the_pooled_test_is_distrusted_where_it_passes_unrelated_pairings(one):
    warned = (
        "Unreliable: with maps paired with other sources of the same class, 90 % of 200 tests are "
        "significant, where 5 % should be; sources of the same class have something in common."
    )
    assert warned in details(one, lambda _: {"pooled_rejections_pairing_broken": 0.9})
    text = details(one, lambda _: {"pooled_rejections_pairing_broken": 0.2})
    assert "20 % of 200 tests are significant" in text
    for share in (0.19, 0.05, None):
        text = details(one, lambda _, share=share: {"pooled_rejections_pairing_broken": share})
        assert "Unreliable" not in text
        # what was not measured is not passed over
        not_measured = (
            "How often this test rejects on these data with the pairing broken cannot be measured, as strata "
            "have fewer than 8 sources on average; it is not valid where maps and annotations differ between classes."
        )
        assert (not_measured in text) is (share is None)


def test_sources_that_keep_their_own_annotation_are_not_counted_as_permuted(one):
    def half(e):
        test = dataclasses.replace(
            e.within_strata, n_tested=8, observed_tested=4.0, weight_tested=0.5
        )
        excess.append(test.observed - test.mean)
        return {"within_strata": test}

    excess = []
    text = details(one, half)
    kept = "8 of 16 sources permuted, the others keep their own annotation; over the 8 alone, 4.0"
    assert text.count(kept) == 1
    # the others add nothing to the excess, so that of the half is twice that of all
    alone = re.search(r"over the 8 alone, (\S+) against (\S+)\)", text)
    assert float(alone[1]) - float(alone[2].replace("−", "-")) == pytest.approx(
        2 * excess[0], abs=0.1
    )
    assert "keep their own" not in details(one, lambda _: {})


@pytest.mark.parametrize("name", sorted(set(NULLS) - {"permutation"}))
def test_further_nulls_answer_their_own_question(one, name):
    test = one.results[0].estimate("gate1", "nss").pooled
    model = NULLS[name]()

    def answer(**further):
        made = FurtherTest(null=name, label=model.label, n_pairings=19, **further)
        verdict = verdict_on(changed(one, of_gate1(lambda _: {"further": (made,)})))
        found = verdict.statements[0].answers[-1]
        assert found.question == model.question
        return found.answer

    plain = answer(test=test, rejections_pairing_broken=0.05)
    assert f"under the null “{model.label}” (--null {name}; p = " in plain
    passed = " With maps paired with other sources, 5 % of 19 tests are significant, where 5 % should be."
    assert plain.endswith(f"not adjusted, 16 sources).{passed}")
    plain = plain.removesuffix(passed)
    warned = answer(test=test, rejections_pairing_broken=0.85, within_strata=True)
    assert warned.startswith(plain)
    assert "with other sources of the same class, 85 % of 19 tests are significant" in warned
    assert "This null is miscalibrated here." in warned
    assert warned.endswith(model.assumes)
    # where it is not known whether the null suits, what it assumes is said
    assert answer(test=test, rejections_pairing_broken=None) == f"{plain} {model.assumes}"
    assert answer(test=None, reason="no source has a value") == (
        "Not tested: no source has a value."
    )


def test_mean_null_and_difference_are_those_of_the_table(one):
    """Where one map has a wide interval, and so fewer decimals alone than beside others."""

    def wide(e):
        value = e.interval.value
        interval = dataclasses.replace(e.interval, low=value - 3, high=value + 3)
        differences = {
            name: dataclasses.replace(d, low=d.value - 5, high=d.value + 5)
            for name, d in e.differences.items()
        }
        return {"interval": interval, "differences": differences}

    content = changed(one, of_gate1(wide))
    verdict = verdict_on(content)
    table = verdict_table(content.parts, verdict)
    columns = {column.heading: column.cells for column in table.columns}
    (minus,) = (cells for heading, cells in columns.items() if heading.startswith("Minus "))
    for row, statement in enumerate(verdict.models[0].statements):
        value, permuted = columns["NSS [95 %]"][row], columns["Permuted"][row]
        assert f"NSS {value} over 16 sources" in statement.details
        assert f"{value.split()[0]} against {permuted} when" in statement.details
        assert f"map minus baseline {minus[row]})" in statement.details


def test_mean_and_null_have_the_decimals_of_the_interval(one):
    def numbers(observed, low, high, null):
        def change(e):
            test = dataclasses.replace(
                e.within_strata, observed=observed, values=np.full(99, float(null))
            )
            interval = dataclasses.replace(e.interval, value=observed, low=low, high=high)
            return {"within_strata": test, "interval": interval}

        return details(one, change)

    text = numbers(0.602, -1.4, 2.6, 1.834)
    assert "NSS 0.60 [−1.40, 2.60] over" in text  # as in the table, where others have two
    assert (
        "0.60 against 1.83 when annotations are permuted across sources of the same class" in text
    )
    # two means that differ are not printed as the same number
    assert "0.602 against 0.604 when" in numbers(0.602, -1.4, 2.6, 0.604)


def test_the_terminal_marks_nulls_that_do_not_suit():
    settings = dataclasses.replace(QUICK, nulls=("symmetries", "shift"))
    content = content_of(part_of("a.pt", settings=settings), contrasts=False)
    shares = {"symmetries": 0.05, "shift": 0.85}

    def marked(e):
        return {
            "further": tuple(
                dataclasses.replace(f, rejections_pairing_broken=shares[f.null]) for f in e.further
            )
        }

    stream = io.StringIO()
    content = changed(content, of_gate1(marked))
    print_report(content.results, verdict_on(content), Console(file=stream, width=400))
    lines = [line.strip() for line in stream.getvalue().splitlines()]
    start = next(i for i, line in enumerate(lines) if "under other nulls" in line)
    row = next(line for line in lines[start:] if line.startswith("Gate 1"))
    assert re.fullmatch(r"Gate 1 +\d\.\d{2,4} +\d\.\d{2,4} \*", row)


def test_ceilings_are_put_into_words(one):
    text = details(one, lambda _: {})
    ceiling = one.results[0].noise_ceiling("nss")
    assert f"Each annotator reaches NSS {ceiling.lower.value:.2f} [" in text
    assert f"the consensus of both reaches {ceiling.upper.value:.2f} [" in text
    assert "(an upper bound for every map)" in text
    share = one.results[0].estimate("gate1", "nss").share_of_noise_ceiling
    reached = re.search(r"this map reaches ([\d.]+) % \[", text)
    assert reached
    assert float(reached[1]) == pytest.approx(100 * share.of_lower.value, abs=0.5)
    assert " of the former and " in text

    def below(e):
        share = e.share_of_noise_ceiling
        low = dataclasses.replace(share.of_lower, value=-0.1, low=-0.2, high=0.1)
        return {"share_of_noise_ceiling": dataclasses.replace(share, of_lower=low)}

    text = details(one, below)
    assert text.endswith(" This map lies below chance, so it has no share.")
    assert "of the former" not in text

    none = no_interval(np.nan, 16, reason="annotators do not agree")

    def no_share(e):
        return {
            "share_of_noise_ceiling": dataclasses.replace(
                e.share_of_noise_ceiling, of_lower=none, of_upper=none
            )
        }

    text = details(one, no_share)
    assert text.endswith("No share: annotators do not agree.")
    assert "this map reaches" not in text
    auc = part_of("a.pt", settings=dataclasses.replace(QUICK, metrics=("auc",)))
    answers = verdict_on(content_of(auc, contrasts=False)).statements[0].details
    assert "(a reference, not a bound)" in answers


def test_a_single_annotator_nothing_is_asked_of_the_ceiling(one):
    result = dataclasses.replace(one.results[0], noise_ceilings=())
    (statement, *_) = reach_verdict([result], one.annotations).statements
    assert not any("noise ceiling" in a.question for a in statement.answers)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (
            0.1,
            0.3,
            "above 0: something remains that brightness at these resolutions does not account",
        ),
        (-0.3, -0.1, "below 0: what brightness does not account for is anti-correlated"),
        (-0.1, 0.3, "no agreement is shown when controlling for brightness"),
        (np.nan, np.nan, "brightness at 3.6″: 0.10 over 16 sources (no interval)."),
    ],
)
def test_what_is_beyond_brightness_is_put_into_words(one, low, high, words):
    result = one.results[0]
    given = tuple(
        dataclasses.replace(
            g, interval=dataclasses.replace(g.interval, value=0.1, low=low, high=high)
        )
        for g in result.partial_correlations
    )
    made = dataclasses.replace(result, partial_correlations=given)
    (statement, *_) = reach_verdict([made], one.annotations).statements
    assert words in statement.details
    assert "controlling for brightness and brightness at 3.6″" in statement.details


def test_summaries_are_plain_values(two):
    text = json.dumps(summarise(two, verdict_on(two)), allow_nan=False)
    assert json.loads(text)["models"][1]["name"] == EVIL


def test_what_limits_a_result_is_not_cut_within_brackets() -> None:
    reason = "image cutouts/a.fits is truncated. Fetch it again; or leave it out"
    text = (
        f"2 of 9 sources are left out: A1, no map of it ({reason}), A3 (the same). Maps lack these."
    )
    (short,) = _all_in_short([text], [])
    assert short == text.removesuffix(" Maps lack these.")
    assert _all_in_short(["Held out (see x). More follows."], []) == ["Held out (see x)."]


def test_without_classes_it_is_said_what_stands_in_for_them():
    verdict, result = verdict_of(n_sources=40, classes=())
    details = verdict.statements[0].details
    assert "the same predicted class and annotated size" in details
    assert any("between class scores; the others keep their own" in c for c in result.notes)
    # what can be done about it is in the terminal too, which leaves out the reasons
    short = _all_in_short(result.notes, [])
    assert any(
        "state it by a class column of the annotation table or by --labels" in c for c in short
    )


def test_the_baseline_that_is_named_is_one_that_decides():
    _, result = planted()
    best = brightest(result)
    other = next(n for n in result.baselines if n.startswith("brightness") and n != best)
    ends = {"above": (0.5, 1.5), "open": (-0.5, 1.5), "below": (-1.5, -0.5), "wide": (-3.0, 0.4)}

    def details(**sides):
        def change(estimate):
            if not is_of(estimate, "gate1"):
                return estimate
            differences = dict(estimate.differences)
            for name, difference in estimate.differences.items():
                if name.startswith("brightness"):
                    low, high = ends[sides["best"] if name == best else sides["others"]]
                    differences[name] = dataclasses.replace(
                        difference, value=(low + high - (name == best)) / 2, low=low, high=high
                    )
            return dataclasses.replace(estimate, differences=differences)

        return verdict_with(result, change).statements[0].details

    assert f" {best.capitalize()} agrees better (" in details(best="below", others="above")
    assert f" {best.capitalize()} agrees less (" in details(best="above", others="above")
    # better than the best by its interval, but not at every resolution: that one is named
    text = details(best="above", others="open")
    assert f" {best.capitalize()} cannot" not in text
    assert f" {other.capitalize()} cannot be distinguished from it (" in text
    # of another resolution alone nothing is concluded, as one of several is often below 0 by chance
    assert f" {best.capitalize()} cannot be distinguished from it (" in details(
        best="wide", others="below"
    )


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
            verdict_with(result, of_gate1(lambda e: {"within_strata": test, "p_adjusted": 1.0}))
            .statements[0]
            .details
        )

    assert words not in details(1.0, np.ones(99))
    text = details(0.0, np.linspace(1, 2, 99))
    assert f"{words} (p = 0.010 on the lower side, which was not the alternative tested)." in text
    assert "--alternative" not in text
