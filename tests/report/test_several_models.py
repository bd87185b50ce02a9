"""Reports of several models: the page, the numbers and the words about differences."""

from __future__ import annotations

import csv
import dataclasses
import functools
import html
import io
import json
import re

import pytest
from rich.console import Console

from attnxai.agreement.multiplicity import Correction
from attnxai.explanations.stack import Split
from attnxai.report import document
from attnxai.report.contrasts import difference_sentences, difference_summary
from attnxai.report.document import page_values, write_content
from attnxai.report.figures.agreement import draw_agreement
from attnxai.report.page import render_page
from attnxai.report.page_tables import contrasts_table
from attnxai.report.tables.latex import escape
from attnxai.report.terminal import print_report
from attnxai.report.verdict import reach_verdict
from attnxai.statistics.formats import p_equals, with_interval
from attnxai.statistics.interval import no_interval
from tests.report.pages import FIRST_SCREEN, SOURCES_TABLE, Page, probed
from tests.report.several import EVIL, content_of, part_of, random_maps, verdict_on


@pytest.fixture(scope="module")
def written(two, tmp_path_factory):
    folder = tmp_path_factory.mktemp("several") / "out"
    write_content(two, folder)
    return folder


def test_the_figure_comes_before_a_long_table(written):
    """Six maps: the table with their findings would take the first screen."""
    page = (written / "index.html").read_text(encoding="utf-8")
    assert page.count('href="figures/agreement.pdf"') == 1
    assert page.index('href="figures/agreement.pdf"') < page.index('<div class="verdicts">')


def test_the_page_of_two_models(written, two):
    page = Page(written)
    assert len(set(page.ids)) == len(page.ids)
    assert {"models", "classes-1", "classes-2", "sources-1", "nulls-2"} <= set(page.ids)
    for link in filter(None, page.links):
        if not link.startswith("https://"):
            assert link[1:] in page.ids if link.startswith("#") else (written / link).is_file()
    names = {path.name for path in (written / "figures").iterdir()}
    numbered = [f"{kind}-{n}" for kind in ("classes", "sources", "nulls") for n in (1, 2)]
    single = ["agreement", "contrasts", "classes-1", "classes-2"]
    expected = {"agreement", "all_metrics", "contrasts", *numbered}
    expected |= {f"{name}_one_column" for name in single}
    captions = {"captions.md", "captions.tex"}
    assert names == {f"{name}.{kind}" for name in expected for kind in ("png", "pdf")} | captions
    for name in single:
        assert page.links.count(f"figures/{name}_one_column.pdf") == 1
    text = page.text
    verdict = verdict_on(two)
    assert f"Do good.pt and {EVIL} agree with the annotations?" in text
    for sentence in (verdict.headline, *verdict.contrasts, *(m.headline for m in verdict.models)):
        assert sentence in text
    for statement in verdict.statements:
        assert statement.lead in text
        assert all(answer.answer in text for answer in statement.answers)


def test_the_contents_have_one_entry_for_each_model(written):
    page = (written / "index.html").read_text(encoding="utf-8")
    contents = page.partition('<nav class="contents"')[2].partition("</nav>")[0]
    assert re.findall(r'href="#([^"]+)">([^<]+)</a>', contents)[5:9] == [
        ("models", "Comparison of models"),
        ("classes-1", "good.pt in detail"),
        ("classes-2", f"{html.escape(EVIL).replace('&quot;', '&#34;')} in detail"),
        ("audit", "Audits"),
    ]


def test_names_of_models_are_escaped(written):
    text = (written / "index.html").read_text(encoding="utf-8")
    assert EVIL not in text
    assert "<img src=x" not in text
    assert text.count("&lt;img src=x onerror=&#34;alert(1)&#34;&gt;&amp;.pt") > 10
    alternatives = [image.get("alt", "") for image in Page(written).images]
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
    # the first model is the third column, and there are 16 sources
    script = SOURCES_TABLE.replace("COLUMN", "2")
    log = probed(chromium, written, tmp_path, width=500, script=script)
    assert log == [True, True, 16, 10, 8, True, True, True, False, True]


def test_headline_figure_and_table_of_two_models_stand_on_the_first_screen(
    good, chromium, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        document, "_drawers", lambda content: [functools.partial(draw_agreement, content.results)]
    )
    write_content(content_of(good, part_of("bad.pt", random_maps)), tmp_path / "out")
    log = probed(chromium, tmp_path / "out", tmp_path, width=1200, script=FIRST_SCREEN)
    assert log[2:] == [True] * 3


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
    found = Page(tmp_path)
    assert len(set(found.ids)) == len(found.ids)
    assert "models" not in found.ids
    text = found.text
    assert "Do good.pt, trained.pt and unknown.pt agree with the annotations?" in text
    assert "Comparison of models" not in text
    assert "Table of trained.pt, over 10 held-out sources" in text
    assert (
        "Table of unknown.pt, over 16 sources (whether the model was trained on them is not known)"
        in text
    )
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
    good = two.results[0]
    best = max(
        (good.estimate(name, "nss") for name in good.explanations), key=lambda e: e.interval.value
    )
    assert headline.startswith(
        f"All maps of good.pt and none of {EVIL} are shown to agree with the annotations of their own source (highest "
        f"for gate 2 of good.pt: NSS {with_interval(best.interval)} against {best.test.mean:.2f} by permutation, "
        f"adjusted {p_equals(best.p_adjusted)}, 16 held-out sources). Of 3 differences 3 are significant: "
        "good.pt is higher for all 3 maps (most for "
    )
    assert best.explanation == "gate2"
    contrasts = two.contrasts[0]
    largest = max(contrasts.contrasts.contrasts, key=lambda c: abs(c.interval.value))
    assert f", by {with_interval(largest.interval)}, adjusted p" in headline
    assert "difference" not in verdict_on(three).headline
    few = [dataclasses.replace(result, estimates=untested(result)) for result in two.results]
    start = (
        f"No conclusion about the agreement of good.pt and {EVIL} with the annotations is possible"
    )
    assert reach_verdict(few, two.annotations).headline == f"{start}: x."
    other = dataclasses.replace(few[1], estimates=untested(few[1], "y"))
    assert reach_verdict([few[0], other], two.annotations).headline == f"{start}."
    half = reach_verdict([two.results[0], few[1]], two.annotations).headline
    assert f"16 held-out sources); no conclusion is possible for {EVIL}." in half


def untested(result, reason="x"):
    return tuple(
        dataclasses.replace(e, within_strata=None, pooled=None, p_adjusted=None, not_tested=reason)
        for e in result.estimates
    )


def test_differences_that_are_shown_have_a_sentence_each(two):
    contrasts = two.contrasts[0]
    sentences = verdict_on(two).contrasts
    first = contrasts.contrasts.contrasts[0]
    assert first.found
    assert sentences[0].startswith(f"NSS of gate 1 is higher for good.pt than for {EVIL}, by ")
    assert "for others too, adjusted over 3 differences)" in sentences[0]
    assert len(sentences) == 5
    assert sentences[3] == (
        "Each interval is of one difference alone, and the p-values are adjusted over all 3; those for other annotators are the "
        "larger the fewer annotators there are: p can be near 0.05 where the interval is far from 0."
    )
    assert "Compared over 16 held-out sources for every model" in sentences[4]


def test_the_better_model_is_named_whatever_the_order(good):
    turned = content_of(part_of("bad.pt", random_maps), good)
    sentence = verdict_on(turned).contrasts[0]
    assert sentence.startswith("NSS of gate 1 is higher for good.pt than for bad.pt, by ")
    (numbers,) = re.findall(r", by (\S+) \[(\S+), (\S+)\] \(p = ", sentence)
    value, low, high = map(float, numbers)
    assert 0 < low < value < high


def test_p_values_at_the_floor_of_the_sign_flips_are_said_to_be_the_smallest(two):
    of_metric = two.contrasts[0]
    first, *others = of_metric.contrasts.contrasts
    assert first.smallest_p == pytest.approx(1 / 500)

    def with_p(p_adjusted):
        twin = dataclasses.replace(first, p_adjusted=p_adjusted, p_value=first.smallest_p)
        found = dataclasses.replace(of_metric.contrasts, contrasts=(twin, *others))
        changed = dataclasses.replace(of_metric, contrasts=found)
        return dataclasses.replace(two, contrasts=(changed,))

    at_floor = with_p(first.smallest_p)
    sentence = verdict_on(at_floor).contrasts[0]
    assert "(p = 0.0020, the smallest attainable, for these annotators and " in sentence
    cell = str(contrasts_table(at_floor).columns[1].cells[0])
    assert "'p = 0.0020', 'the smallest attainable', 'adjusted" in cell
    assert "(p = 0.0040 for these annotators" in verdict_on(with_p(0.004)).contrasts[0]


def test_the_joint_headline_says_where_differences_have_the_smallest_p(two):
    of_metric = two.contrasts[0]
    first, *others = of_metric.contrasts.contrasts
    others = [dataclasses.replace(c, p_others_adjusted=0.6) for c in others]

    def summary(p_adjusted, correction="max_t", **options):
        twin = dataclasses.replace(
            first,
            p_adjusted=p_adjusted,
            p_others=None,
            p_others_adjusted=None,
            difference_others=None,
        )
        found = dataclasses.replace(
            of_metric.contrasts, contrasts=(twin, *others), correction=Correction(correction)
        )
        return difference_summary(dataclasses.replace(of_metric, contrasts=found), **options)

    interval = with_interval(first.difference)
    assert summary(1 / 500) == (
        f"of 3 differences between the two models 1 is significant: good.pt is higher for gate 1 (by {interval}, adjusted "
        "p = 0.0020, the smallest attainable)"
    )
    assert summary(1 / 500, brevity=4) == (
        f"of 3 differences between the two models 1 is significant (gate 1, good.pt over {EVIL} by {interval}, adjusted "
        "p = 0.0020)"
    )
    assert summary(2 / 500).endswith(", adjusted p = 0.0040)")
    # by Holm's method the smallest of three is that of one times 3
    assert summary(3 / 500, "holm").endswith(", adjusted p = 0.0060, the smallest attainable)")
    assert summary(1 / 500, brevity=1).endswith(", adjusted p = 0.0020)")


def test_the_joint_headline_says_which_of_two_models_is_higher_for_which_maps(two):
    of_metric = two.contrasts[0]
    made = of_metric.contrasts.contrasts
    assert [name for name, *_ in of_metric.keys] == ["gate1", "gate2", "mean"]

    def summary(*values, brevity=0):
        """Of differences of good.pt less the other; 0 for one that is not found."""
        changed = [
            dataclasses.replace(
                contrast,
                p_adjusted=0.004 if value else 0.6,
                p_others=None,
                p_others_adjusted=None,
                difference_others=None,
                difference=dataclasses.replace(
                    contrast.difference, value=value, low=value - 0.25, high=value + 0.25
                ),
            )
            for contrast, value in zip(made, values, strict=True)
        ]
        found = dataclasses.replace(of_metric.contrasts, contrasts=tuple(changed))
        text = difference_summary(dataclasses.replace(of_metric, contrasts=found), brevity=brevity)
        between = "" if brevity > 1 else " between the two models"
        return text.removeprefix(f"of 3 differences{between} ")

    assert summary(-0.5, 3.75, -1.0) == (
        f"3 are significant: good.pt is higher for gate 2 (by 3.75 [3.50, 4.00], adjusted p = 0.0040), {EVIL} for gate 1 and "
        "the mean of the gates"
    )
    assert summary(-0.5, 0.75, -1.0) == (
        f"3 are significant: {EVIL} is higher for gate 1 and the mean of the gates (most for the mean of the gates, by 1.00 "
        "[0.75, 1.25], adjusted p = 0.0040), good.pt for gate 2"
    )
    assert summary(-0.5, 0.75, -1.0, brevity=3) == (
        f"3 are significant: {EVIL} is higher for 2 maps (most for the mean of the gates, by 1.00 [0.75, 1.25], adjusted "
        "p = 0.0040), good.pt for gate 2"
    )
    assert summary(0.5, 0.0, 1.0) == (
        "2 are significant: good.pt is higher for gate 1 and the mean of the gates (most for the mean of the gates, by 1.00 "
        "[0.75, 1.25], adjusted p = 0.0040)"
    )
    assert summary(0.5, 0.75, 1.0) == (
        "3 are significant: good.pt is higher for all 3 maps (most for the mean of the gates, by 1.00 [0.75, 1.25], adjusted "
        "p = 0.0040)"
    )


def test_differences_that_are_not_shown_are_counted(good):
    twin = content_of(
        good, part_of("twin.pt", lambda layers: {n: a + 0.0 for n, a in layers.items()})
    )
    verdict = verdict_on(twin)
    assert verdict.headline.endswith(
        "No difference between the two models is significant over the 16 held-out sources that both "
        "share (smallest adjusted p = 1.00); brightness alone agrees better than all these maps."
    )
    assert verdict.contrasts[0] == (
        "3 of 3 differences of NSS are not shown; this does not mean that they are zero."
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
            f"No difference between the two models can be shown over the {n} held-out sources that both "
            "share, however large, as they are too few; brightness alone agrees better than all these maps."
        )


def printed(content, *, width=2000, **options):
    stream = io.StringIO()
    print_report(content.results, verdict_on(content), Console(file=stream, width=width), **options)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_the_terminal_ends_with_the_headline_and_the_audit(two):
    verdict = verdict_on(two)
    assert verdict.headline == printed(two)[-1]
    *_, before, last = printed(two, verbose=True)
    assert (before, last) == ("", verdict.headline)
    audited = dataclasses.replace(verdict, audit="Audit: it passes.")
    stream = io.StringIO()
    print_report(two.results, audited, Console(file=stream, width=2000))
    assert stream.getvalue().splitlines()[-2:] == [verdict.headline, "Audit: it passes."]


def test_the_terminal_shows_every_map_of_every_model_once(two):
    lines = printed(two)
    assert lines[0] == "16 held-out sources"
    for name in ("good.pt", EVIL):
        shown = [line for line in lines if line.split("  ")[0].strip() == name]
        assert len(shown) == 3
    assert any(
        line.startswith("good.pt: Gates 1 and 2 and the mean of the gates: agrees")
        for line in lines
    )
    text = " ".join(" ".join(lines).split())
    assert (
        "; p adjusted over 6 maps, the smallest attainable with 499 permutations being 0.012; minus"
        in text
    )
    assert not any(sentence in text for sentence in verdict_on(two).contrasts)


def test_limitations_are_short_unless_all_is_asked_for(two):
    full, short = (printed(two, verbose=verbose) for verbose in (True, False))
    for caution in verdict_on(two).cautions:
        assert f"- {caution}" in full
        (first,) = (
            line for line in short if line.startswith("- ") and caution.startswith(line[2:-1])
        )
        assert len(first) <= len(caution) + 3
    assert "Limitations, in full in the report and with --verbose:" in short
    assert "Limitations:" in full


def test_the_terminal_names_every_model(two):
    verdict = verdict_on(two)
    lines = printed(two, verbose=True)
    for name in ("good.pt", EVIL):
        assert f"{name}: 16 held-out sources" in lines
    start = lines.index(verdict.models[0].headline) - 1
    expected = []
    for model in verdict.models:
        expected += [model.headline, *(statement.lead for statement in model.statements)]
    expected += [verdict.baselines, *verdict.contrasts, "Limitations:"]
    assert lines[start + 1 : start + 1 + len(expected)] == expected


def test_of_many_differences_the_largest_have_a_sentence(two):
    of_metric = two.contrasts[0]
    first = dataclasses.replace(
        of_metric.contrasts.contrasts[0],
        difference_others=None,
        p_others=None,
        p_others_adjusted=None,
    )
    made = [
        dataclasses.replace(
            first, difference=dataclasses.replace(first.difference, value=value, low=0.9 * value)
        )
        for value in (3.0, *range(10, 19))
    ]
    found = dataclasses.replace(of_metric.contrasts, contrasts=tuple(made))
    maps = tuple(f"map {i}" for i in range(10))
    changed = dataclasses.replace(of_metric, contrasts=found, maps=maps)
    sentences = difference_sentences(changed)
    assert [re.findall(r"of (map \d)", text) for text in sentences[:8]] == [
        [f"map {i}"] for i in range(2, 10)
    ]
    assert sentences[8] == (
        "2 smaller differences are significant too; the table under “Comparison of models” has them all."
    )
