"""Reports of several models, and the words for everything that a comparison can be asked for."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import re
import subprocess
import warnings

import numpy as np
import pytest
from rich.console import Console

from attnxai.agreement.comparison import ComparisonSettings, adjust_over_maps, compare_pairs
from attnxai.agreement.estimates import FurtherTest
from attnxai.agreement.model_comparison.of_results import contrast_results
from attnxai.agreement.multiplicity import Correction
from attnxai.agreement.results import ALL
from attnxai.alignment.pairs import align
from attnxai.annotations.inputs import Inputs
from attnxai.explanations.stack import Split
from attnxai.nulls import NULLS
from attnxai.report.content import ModelPart, ReportContent
from attnxai.report.document import page_values, write_content
from attnxai.report.findings import Finding
from attnxai.report.methods import methods_paragraph
from attnxai.report.page import render_page
from attnxai.report.provenance import describe
from attnxai.report.summary import summarise
from attnxai.report.tables.latex_text import escape
from attnxai.report.terminal import print_report
from attnxai.report.verdict import reach_verdict
from attnxai.statistics.interval import no_interval
from tests.builders import made_up
from tests.report.test_document import PROBE, parsed

QUICK = ComparisonSettings(metrics=("nss", "auc"), n_permutations=499, n_bootstrap=200)
EVIL = '<img src=x onerror="alert(1)">&.pt'
HELD_OUT = (Split.HELD_OUT,) * 16


def inverted(layers):
    """Maps that are lowest where their source is marked."""
    return {name: 1.2 - 1.2 * array for name, array in layers.items()}


def random_maps(layers):
    other = made_up(n_sources=16, agreement=0.0, seed=9)[0]
    return {name: other.layers[name] for name in layers}


def unchanged(layers):
    return layers


def part_of(name, change=unchanged, *, settings=QUICK, splits=HELD_OUT):
    maps, marks, images = made_up(n_sources=16)
    maps = dataclasses.replace(maps, model_name=name, layers=change(maps.layers), splits=splits)
    pairs = align(maps, marks, images)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = compare_pairs(pairs, settings=settings, rng=1)
    return ModelPart(result=result, pairs=pairs, maps=maps)


def content_of(*parts, contrasts=True, command="attnxai compare", notes=()):
    _, marks, images = made_up(n_sources=16)
    results = adjust_over_maps([part.result for part in parts], "holm")
    made = ()
    if contrasts:
        made = tuple(
            contrast_results(results, metric=name, n_draws=499, n_bootstrap=200)
            for name in results[0].metrics
        )
    inputs = Inputs(annotations=marks, images=images, data_name="made up")
    return ReportContent(
        parts=tuple(
            dataclasses.replace(part, result=result)
            for part, result in zip(parts, results, strict=True)
        ),
        annotations=marks,
        images=images,
        provenance=describe(
            [part.maps for part in parts],
            inputs.annotations,
            inputs.images,
            images_name=inputs.data_name,
            seed=1,
            command=command,
        ),
        contrasts=made,
        notes=notes,
    )


def verdict_on(content):
    return reach_verdict(
        content.results,
        content.annotations,
        contrasts=content.contrasts[0] if content.contrasts else None,
        notes=content.limits(),
        copies_recognised=[True] * len(content.parts),
    )


@pytest.fixture(scope="module")
def good():
    return part_of("good.pt")


@pytest.fixture(scope="module")
def two(good):
    """One model whose maps lie where people mark, and one with maps of other sources."""
    return content_of(good, part_of(EVIL, random_maps))


@pytest.fixture(scope="module")
def written(two, tmp_path_factory):
    folder = tmp_path_factory.mktemp("several") / "out"
    write_content(two, folder)
    return folder


def test_the_page_of_two_models(written, two):
    page = parsed(written)
    assert len(set(page.ids)) == len(page.ids)
    assert {"models", "classes-1", "classes-2", "sources-1", "nulls-2"} <= set(page.ids)
    for link in filter(None, page.links):
        assert (written / link).is_file()
    names = {path.name for path in (written / "figures").iterdir()}
    numbered = [f"{kind}-{n}" for kind in ("classes", "sources", "nulls") for n in (1, 2)]
    assert names == {
        f"{name}.{kind}"
        for name in ("agreement", "all_metrics", "contrasts", *numbered)
        for kind in ("png", "pdf")
    }
    text = " ".join(" ".join(page.text).split())
    verdict = verdict_on(two)
    assert f"Do good.pt and {EVIL} agree with the annotations?" in text
    for sentence in (verdict.headline, *verdict.contrasts, *(m.headline for m in verdict.models)):
        assert sentence in text
    for statement in verdict.statements:
        assert statement.lead in text
        assert all(answer.answer in text for answer in statement.answers)


def test_names_of_models_are_escaped(written):
    text = (written / "index.html").read_text(encoding="utf-8")
    assert EVIL not in text
    assert "<img src=x" not in text
    assert text.count("&lt;img src=x onerror=&#34;alert(1)&#34;&gt;&amp;.pt") > 10
    alternatives = [image.get("alt", "") for image in parsed(written).images]
    assert any(EVIL in text for text in alternatives)


def test_the_summary_of_two_models(written, two):
    summary = json.loads((written / "summary.json").read_text(encoding="utf-8"))
    assert [model["name"] for model in summary["models"]] == ["good.pt", EVIL]
    good, other = summary["models"]
    assert len(good["results"]) == len(other["results"]) == len(two.results[0].estimates)
    assert good["verdict"]["statements"][0]["finding"] == "agrees"
    assert other["verdict"]["statements"][0]["finding"] == "not shown"
    assert {r["n_family"] for r in good["results"] if not r["is_baseline"]} == {6}
    assert [contrasts["metric"] for contrasts in summary["contrasts"]] == ["nss", "auc"]
    first = summary["contrasts"][0]
    assert first["models"] == ["good.pt", EVIL]
    assert len(first["contrasts"]) == 3
    gate1 = first["contrasts"][0]
    assert (gate1["map"], gate1["first"], gate1["second"]) == ("gate1", "good.pt", EVIL)
    means = [result.source_means("gate1", "nss") for result in two.results]
    assert gate1["difference"] == pytest.approx((means[0] - means[1]).mean())
    assert summary["verdict"]["contrasts"] == list(verdict_on(two).contrasts)


def test_the_table_of_sources_of_two_models(written, two):
    with (written / "per_source.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 16 * 2
    assert {row["model"] for row in rows} == {"good.pt", EVIL}
    row = next(
        r for r in rows if (r["model"], r["source"], r["annotator"]) == (EVIL, "source_05", "bob")
    )
    result = two.results[1]
    assert float(row["gate2:auc"]) == pytest.approx(result.values[1, 1, 1, 5], rel=1e-12)


def test_the_tables_for_papers(written):
    text = (written / "agreement.tex").read_text(encoding="utf-8")
    assert text.count("\\toprule") == 3
    assert text.index("% good.pt") < text.index(f"% {escape(EVIL)}") < text.index("% differences")


@pytest.mark.browser
def test_the_page_of_two_models_works_in_a_browser(written, chromium, tmp_path):
    text = (written / "index.html").read_text(encoding="utf-8")
    # the first model is the third column, and there are 16 sources
    probe = PROBE.replace("heads[4]", "heads[2]").replace("cells[4]", "cells[2]")
    assert probe != PROBE
    page = tmp_path / "probe.html"
    page.write_text(text.replace("</body>", probe + "</body>"), encoding="utf-8")
    done = subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu",
            "--disable-background-networking", "--no-first-run",
            f"--user-data-dir={tmp_path / 'profile'}", "--window-size=500,900",
            "--virtual-time-budget=5000", "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    title = done.stdout.split("<title>")[1].split("</title>")[0]
    assert title == "PROBE [16,10,8,true,true,true,false,true,true,true]"


@pytest.fixture(scope="module")
def three(good):
    """Three models that know different things of the sources, and so are not compared with each other."""
    return content_of(
        good,
        part_of("trained.pt", splits=(Split.TRAINING,) * 6 + (Split.HELD_OUT,) * 10),
        part_of("unknown.pt", splits=(Split.UNKNOWN,) * 16),
        contrasts=False,
        notes=("The models are not compared with each other: there is a reason.",),
    )


def test_the_page_of_three_models_without_contrasts(three, tmp_path):
    verdict = verdict_on(three)
    page = render_page("report.html", {}, tmp_path, page_values(three, verdict))
    (tmp_path / "index.html").write_text(page, encoding="utf-8")
    found = parsed(tmp_path)
    assert len(set(found.ids)) == len(found.ids)
    assert "models" not in found.ids
    text = " ".join(" ".join(found.text).split())
    assert "Do good.pt, trained.pt and unknown.pt agree with the annotations?" in text
    assert "Comparison of models" not in text
    assert "trained.pt, 10 held-out sources" in text
    assert "unknown.pt, 16 sources (whether the model was trained on them is not known)" in text
    assert "The models are not compared with each other: there is a reason." in text


def test_cautions_name_the_model_where_they_are_not_of_all(three):
    cautions = verdict_on(three).cautions
    assert (
        "trained.pt: The verdict rests on the 10 held-out sources; 6 more that the model was trained or "
        "selected on are reported separately." in cautions
    )
    (unknown,) = [c for c in cautions if "not known whether" in c]
    assert unknown.startswith("unknown.pt: It is not known whether the model was trained on these")
    about = [c for c in cautions if "The result is about these 2 annotators" in c]
    # ten sources of one model, sixteen of the others
    assert [c.split(":")[0] for c in about] == ["good.pt", "trained.pt", "unknown.pt"]
    assert "sources like these 10." in about[1]


def test_cautions_of_all_models_stand_once(two):
    cautions = verdict_on(two).cautions
    assert len(set(cautions)) == len(cautions)
    assert not any("good.pt:" in caution for caution in cautions)
    assert sum("The result is about these 2 annotators" in caution for caution in cautions) == 1


def test_the_joint_headline_counts_maps_and_differences(two, three):
    headline = verdict_on(two).headline
    assert headline.startswith(
        "Maps that agree with the annotations of their own source: good.pt: 3 of 3 maps; "
        f"{EVIL}: 0 of 3 maps."
    )
    assert headline.endswith(
        "3 of 3 differences between the two models, map by map, are shown over the 16 held-out sources "
        "that all of them share."
    )
    assert "difference" not in verdict_on(three).headline
    few = [dataclasses.replace(result, estimates=untested(result)) for result in two.results]
    headline = reach_verdict(few, two.annotations).headline
    assert f"good.pt: no conclusion; {EVIL}: no conclusion." in headline


def untested(result):
    return tuple(
        dataclasses.replace(e, within_strata=None, pooled=None, p_adjusted=None, not_tested="x")
        for e in result.estimates
    )


def test_differences_that_are_shown_have_a_sentence_each(two):
    contrasts = two.contrasts[0]
    sentences = verdict_on(two).contrasts
    first = contrasts.contrasts.contrasts[0]
    assert first.found
    assert sentences[0].startswith(f"NSS of gate 1 is higher for good.pt than for {EVIL}, by ")
    assert "for others too, adjusted over 3 differences)" in sentences[0]
    assert len(sentences) == 4
    assert "Compared over 16 held-out sources for every model" in sentences[3]


def test_the_better_model_is_named_whatever_the_order(good):
    turned = content_of(part_of("bad.pt", random_maps), good)
    sentence = verdict_on(turned).contrasts[0]
    assert sentence.startswith("NSS of gate 1 is higher for good.pt than for bad.pt, by ")
    assert "−" not in sentence.split("(p = ")[0]


def test_differences_that_are_not_shown_are_counted(good):
    twin = content_of(
        good, part_of("twin.pt", lambda layers: {n: a + 0.0 for n, a in layers.items()})
    )
    verdict = verdict_on(twin)
    assert verdict.headline.endswith(
        "No difference between the two models is shown over the 16 held-out sources that all of them "
        "share."
    )
    assert verdict.contrasts[0] == (
        "3 of 3 differences of NSS are not shown, which is not the same as shown to be zero."
    )
    assert len(verdict.contrasts) == 2


def test_differences_that_could_not_be_shown_are_not_said_to_be_small(two):
    contrasts = two.contrasts[0]
    for change in (
        {"smallest_p": 0.125, "p_adjusted": 0.125},
        {"difference_others": None, "n_sources": 3},
    ):
        found = tuple(
            dataclasses.replace(
                c, **change, difference=no_interval(c.difference.value, 3, reason="too few")
            )
            if "difference_others" in change
            else dataclasses.replace(c, **change)
            for c in contrasts.contrasts.contrasts
        )
        few = dataclasses.replace(
            contrasts, contrasts=dataclasses.replace(contrasts.contrasts, contrasts=found)
        )
        headline = reach_verdict(two.results, two.annotations, contrasts=few).headline
        n = change.get("n_sources", 16)
        assert headline.endswith(
            f"No difference between the two models can be shown over the {n} held-out sources that all of "
            "them share, however large: they are too few."
        )


def test_the_terminal_tells_models_apart(two):
    verdict = verdict_on(two)
    stream = io.StringIO()
    print_report(two.results, verdict, Console(file=stream, width=400))
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    for name in ("good.pt", EVIL):
        assert f"{name}: 16 held-out sources" in lines
    start = lines.index(verdict.headline)
    expected = []
    for model in verdict.models:
        expected += [model.headline, *(statement.lead for statement in model.statements)]
    expected += [*verdict.contrasts, *(f"- {caution}" for caution in verdict.cautions)]
    assert lines[start + 1 : start + 1 + len(expected)] == expected


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
        "anti-correlated with the annotations."
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
    assert model.headline == (
        "No map of away.pt is shown to agree less with its own source than with others."
    )
    assert model.statements[0].lead == (
        "Gate 1 is not shown to agree less with its own source than with others."
    )
    both = content_of(content.parts[0], with_alternative("less", inverted), contrasts=False)
    named = dataclasses.replace(both.parts[0].result, model_name="toward.pt")
    headline = reach_verdict([named, both.results[1]], both.annotations).headline
    assert headline == (
        "Maps that agree less with their own source than with others: toward.pt: 0 of 3 maps; "
        "away.pt: 3 of 3 maps."
    )


def test_a_two_sided_test_finds_both():
    def one_of_two(layers):
        return {"gate1": 1.2 - 1.2 * layers["gate1"], "gate2": layers["gate2"]}

    content = content_of(with_alternative("two-sided", one_of_two), contrasts=False)
    verdict = verdict_on(content)
    away, agrees, _ = verdict.statements
    assert (away.finding, agrees.finding) == (Finding.ANTI_CORRELATED, Finding.AGREES)
    assert re.search(
        r"1 of 3 maps of away.pt agrees .*; \d agrees? less with it than with others; brightness alone agrees better",
        verdict.headline,
    )
    assert "16 sources), two-sided." in agrees.details
    both = reach_verdict(
        [*content.results, dataclasses.replace(content.results[0], model_name="again.pt")],
        content.annotations,
    )
    assert re.search(
        r"away.pt: 1 of 3 maps, \d less than with others; again.pt: 1 of 3", both.headline
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
        "Not to be relied on: with the pairing broken within class, 90 % of the permuted data sets would "
        "pass this test, where 5 % should; sources of the same class share something."
    )
    assert warned in details(one, lambda _: {"pooled_rejections_pairing_broken": 0.9})
    text = details(one, lambda _: {"pooled_rejections_pairing_broken": 0.2})
    assert "20 % of the permuted data sets would pass this test" in text
    for share in (0.19, 0.05, None):
        text = details(one, lambda _, share=share: {"pooled_rejections_pairing_broken": share})
        assert "Not to be relied on" not in text


@pytest.mark.parametrize("name", sorted(set(NULLS) - {"permutation"}))
def test_further_nulls_answer_their_own_question(one, name):
    test = one.results[0].estimate("gate1", "nss").pooled
    model = NULLS[name]()

    def answer(**further):
        made = FurtherTest(null=name, label=model.label, **further)
        verdict = verdict_on(changed(one, of_gate1(lambda _: {"further": (made,)})))
        found = verdict.statements[0].answers[-1]
        assert found.question == model.question
        return found.answer

    plain = answer(test=test, rejections_pairing_broken=0.05)
    assert f"under the null “{model.label}” (--null {name}; p = " in plain
    passed = (
        " With the pairing broken, 5 % of the permuted data sets pass this test, where 5 % should."
    )
    assert plain.endswith(f"not adjusted, 16 sources).{passed}")
    plain = plain.removesuffix(passed)
    warned = answer(test=test, rejections_pairing_broken=0.85, within_strata=True)
    assert warned.startswith(plain)
    assert "broken within class, 85 % of the permuted data sets pass this test" in warned
    assert "This null is miscalibrated here." in warned
    assert warned.endswith(model.assumes)
    # where it is not known whether the null suits, what it assumes is said
    assert answer(test=test, rejections_pairing_broken=None) == f"{plain} {model.assumes}"
    assert answer(test=None, reason="no source has a value") == (
        "Not tested: no source has a value."
    )


def test_the_terminal_marks_nulls_that_do_not_suit():
    settings = dataclasses.replace(QUICK, nulls=("symmetries", "shift"))
    content = content_of(part_of("a.pt", settings=settings), contrasts=False)
    shares = {"symmetries": 0.05, "shift": 0.85}

    def judged(e):
        return {
            "further": tuple(
                dataclasses.replace(f, rejections_pairing_broken=shares[f.null]) for f in e.further
            )
        }

    stream = io.StringIO()
    content = changed(content, of_gate1(judged))
    print_report(content.results, verdict_on(content), Console(file=stream, width=400))
    lines = [line.strip() for line in stream.getvalue().splitlines()]
    start = next(i for i, line in enumerate(lines) if "under other nulls" in line)
    row = next(line for line in lines[start:] if line.startswith("gate1"))
    assert re.fullmatch(r"gate1 +\d\.\d{4} +\d\.\d{4} \*", row)


def test_ceilings_are_put_into_words(one):
    text = details(one, lambda _: {})
    ceiling = one.results[0].noise_ceiling("nss")
    assert f"Each annotator reaches NSS {ceiling.lower.value:.2f} [" in text
    assert f"the consensus of all 2 reaches {ceiling.upper.value:.2f} [" in text
    assert "(an upper bound for every map)" in text
    share = one.results[0].estimate("gate1", "nss").share_of_noise_ceiling
    assert f"this map reaches {100 * share.of_lower.value:.0f} % [" in text
    assert " of the former and " in text

    none = no_interval(np.nan, 16, reason="people do not agree")

    def no_share(e):
        return {
            "share_of_noise_ceiling": dataclasses.replace(
                e.share_of_noise_ceiling, of_lower=none, of_upper=none
            )
        }

    text = details(one, no_share)
    assert text.endswith("No share: people do not agree.")
    assert "this map reaches" not in text
    auc = part_of("a.pt", settings=dataclasses.replace(QUICK, metrics=("auc",)))
    answers = verdict_on(content_of(auc, contrasts=False)).statements[0].details
    assert "(a reference, not a bound)" in answers


def test_without_people_to_agree_nothing_is_asked(one):
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
        (np.nan, np.nan, "brightness at 3.6″: 0.10 (no interval)."),
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


def methods_with(content, **settings):
    """The paragraph for the same numbers, had they been made with other settings."""
    parts = tuple(
        dataclasses.replace(
            part,
            result=dataclasses.replace(
                part.result,
                settings={**part.result.settings, **settings},
                estimates=tuple(
                    dataclasses.replace(e, correction=Correction(settings["correction"]))
                    if e.correction and "correction" in settings
                    else e
                    for e in part.result.estimates
                ),
            ),
        )
        for part in content.parts
    )
    return methods_paragraph(dataclasses.replace(content, parts=parts))


SIDES = {
    "greater": "one-sided)",
    "less": "one-sided, for less agreement)",
    "two-sided": "two-sided)",
}
CORRECTIONS = {
    "holm": "adjusted by Holm's method over the 3 maps for each metric",
    "bh": "adjusted by the method of Benjamini and Hochberg over the 3 maps for each metric",
    "max_t": "adjusted by max-T over the 3 maps for each metric",
    "none": "not adjusted for each metric",
}


@pytest.mark.parametrize(("alternative", "correction"), list(itertools.product(SIDES, CORRECTIONS)))
def test_methods_say_how_it_was_tested(one, alternative, correction):
    text = methods_with(one, alternative=alternative, correction=correction)
    assert f"p = (b + 1)/(B + 1) for sampled ones, {SIDES[alternative]}, " in text
    assert f"{SIDES[alternative]}, {CORRECTIONS[correction]}; conclusions rest on NSS." in text


def test_methods_name_nulls_strata_and_models(one, two):
    text = methods_paragraph(one)
    assert "permuting annotations across sources of the same class (499 permutations" in text
    assert "Further nulls" not in text
    assert "flipping signs" not in text
    text = methods_with(one, nulls=["symmetries", "phase"], strata=["class", "survey"])
    assert "across sources of the same class and survey" in text
    assert (
        "Further nulls (grid symmetries and random phases) used surrogates "
        "of each source's map, with 499 draws each; their p-values are not adjusted."
    ) in text
    several = methods_paragraph(two)
    assert f"the maps of good.pt and {EVIL} with" in several
    assert "(of the first model)" in several
    assert "over the 6 maps for each metric" in several
    assert (
        "Models were compared by differences paired by source over 16 sources, tested by flipping signs "
        "(499 flips, two-sided, adjusted by max-T over all pairs of models and maps; about other annotators "
        "by the crossed interval turned into a test, adjusted by Holm's method)."
    ) in several


def test_summaries_are_plain_values(two):
    text = json.dumps(summarise(two, verdict_on(two)), allow_nan=False)
    assert json.loads(text)["models"][1]["name"] == EVIL
