"""The report as files: whole or not at all, documented, escaped, and right in a browser."""

from __future__ import annotations

import base64
import csv
import dataclasses
import html
import io
import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from attnxai.agreement.comparison import ComparisonSettings, compare
from attnxai.errors import OptionError
from attnxai.report import document
from attnxai.report.content import ReportContent
from attnxai.report.document import page_values, write_content
from attnxai.report.findings import best_brightness
from attnxai.report.methods import methods_text
from attnxai.report.page_tables import estimates_table, verdict_table
from attnxai.report.shown_maps import shown_explanation
from attnxai.report.tables.latex import check_caption, escape
from attnxai.report.terminal import print_report
from attnxai.report.verdict import reach_verdict
from attnxai.statistics.formats import (
    all_with_intervals,
    format_interval,
    format_p,
    format_value,
    with_interval,
)
from tests.builders import made_up
from tests.report.pages import FIRST_SCREEN, SOURCE_PANELS, SOURCES_TABLE, Page, probed

QUICK = ComparisonSettings(n_permutations=199, n_bootstrap=200)
IN_ONE_COLUMN = {"agreement_one_column", "classes_one_column"}
FIGURES = {"agreement", "all_metrics", "classes", "sources", "nulls"} | IN_ONE_COLUMN


def content_of(command="attnxai compare", **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = compare(*made_up(**options), settings=QUICK, rng=4)
    return ReportContent.of(result, images_name="made up", command=command)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "out"
    content = content_of(n_sources=12)
    write_content(content, folder)
    return folder, content


def test_all_files_are_there(written):
    folder, _ = written
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    expected = {"index.html", "summary.json", "per_source.csv", "agreement.tex", "manifest.json"}
    expected |= {"methods.txt", "methods.md", "methods.tex", "references.bib"}
    expected |= {f"figures/{name}.{kind}" for name in FIGURES for kind in ("png", "pdf")}
    expected |= {"figures/captions.md", "figures/captions.tex"}
    assert names == expected
    assert [p.name for p in folder.parent.iterdir()] == ["out"]


def test_captions_of_the_page_are_files_too(written):
    folder, _ = written
    page = Page(folder)
    markdown, latex = (
        (folder / "figures" / f"captions.{ending}").read_text(encoding="utf-8")
        for ending in ("md", "tex")
    )
    captions = [line for line in html.unescape(markdown).splitlines() if line[:1] not in ("#", "")]
    assert captions
    assert all(" ".join(caption.split()) in page.text for caption in captions)
    written_in_latex = re.findall(r"^\\caption\{(.*)\}$", latex, flags=re.MULTILINE)
    assert written_in_latex == [escape(caption) for caption in captions]
    for caption in written_in_latex:
        check_caption(caption)


def test_the_tables_for_papers_have_a_caption(written):
    folder, content = written
    _, caption, *_ = (folder / "agreement.tex").read_text(encoding="utf-8").splitlines()
    (result,) = content.results
    assert caption.startswith(
        f"% caption: NSS of the maps of {result.model_name} and of baselines over 12 held-out sources: mean and 95"
    )
    assert "when annotations are permuted across sources of the same class. P-values are" in caption
    check_caption(caption.removeprefix("% caption: "))


def test_the_page_is_self_contained(written):
    folder, content = written
    page = Page(folder)
    cited = {one.address for one in methods_text(content).references}
    assert len(set(page.ids)) == len(page.ids)
    for image in page.images:
        source = image.get("src") or image.get("href")
        assert source.startswith("data:image/png;base64,")
    assert all(image.get("alt") for image in page.images if "src" in image)
    for link in page.links:
        if link in cited:  # followed by a reader, never loaded
            continue
        assert not link.startswith(("http", "//"))
        if link.startswith("#"):
            assert link[1:] in page.ids
        elif link:
            assert (folder / link).is_file()
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert "@import" not in text
    assert set(re.findall(r"url\((.)", text)) <= {"#"}


def test_narrow_screens_have_the_figures_of_one_column(written):
    folder, _ = written
    page = (folder / "index.html").read_text(encoding="utf-8")
    found = re.findall(
        r'<source media="\(max-width: 34rem\)[^"]*" srcset="data:image/png;base64,([^"]+)">', page
    )
    files = sorted((folder / "figures").glob("*_one_column.png"))
    assert len(files) >= 2
    assert {base64.b64decode(text) for text in found} == {path.read_bytes() for path in files}


def test_the_page_begins_with_the_verdict(written):
    folder, _ = written
    text = Page(folder).text
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    headline = summary["verdict"]["headline"]
    assert text.index(headline) < text.index("What the figure shows")
    for statement in summary["models"][0]["verdict"]["statements"]:
        assert statement["lead"] in text
        for answer in statement["answers"]:
            assert answer["question"] in text
            assert answer["answer"] in text
    for caution in summary["verdict"]["cautions"]:
        assert caution in text


def test_the_first_table_has_the_finding_and_the_numbers_of_every_map(written):
    _, content = written
    (result,), verdict = content.results, reach_verdict(content.results, content.annotations)
    columns = {c.heading: c.cells for c in verdict_table(content.parts, verdict).columns}
    best = best_brightness(result, "nss")
    assert best.startswith("brightness at ")
    assert list(columns) == [
        "Map", "Verdict", "NSS [95 %]", "Permuted", "Adjusted p", f"Minus {best}", "Share of noise ceiling", "Audit",
    ]  # fmt: skip
    assert columns["Map"] == ("Gate 1", "Gate 2", "Mean of the gates")
    assert columns["Verdict"] == tuple(s.badge for s in verdict.statements)
    estimate = result.estimate("gate2", "nss")
    row = [cells[1] for cells in columns.values()]
    share = 100 * estimate.share_of_noise_ceiling.of_lower.value
    assert row[2] == with_interval(estimate.interval)
    assert row[3] == f"{estimate.test.mean:.2f}"
    assert row[4] == format_p(estimate.p_adjusted)
    differences = [result.estimate(n, "nss").differences[best] for n in result.explanations]
    assert row[5] == all_with_intervals(differences)[1]
    assert float(row[6].partition(" % [")[0]) == pytest.approx(share, abs=0.5)
    page = (written[0] / "index.html").read_text(encoding="utf-8")
    assert "that of the mean decides" in page
    assert page.index('href="figures/agreement.pdf"') < page.index('<div class="verdicts">')
    beneath = (
        "Minus brightness: the NSS of the map minus that of the brightness baseline that agrees best, by which the two are "
        f"compared: {best}."
    )
    assert f"{beneath} Share of noise ceiling: of its lower value" in page
    smallest = format_p(3 * estimate.test.smallest_p)
    adjusted = "P-values are adjusted by Holm&#39;s method over the 3 maps"
    drawn = f"the smallest attainable with {estimate.test.n_draws} permutations is {smallest}"
    about = "They are about these 2 annotators; the intervals allow for others only as far as these differ among themselves."
    assert f"{adjusted}; {drawn}. {about} Minus" in page
    ceiling = result.noise_ceiling("nss")
    (of_names, of_nss, *_) = (c.cells for c in estimates_table(result).columns)
    rows = {name[0]: lines for name, lines in zip(of_names, of_nss, strict=True)}
    for edge in ("lower", "upper"):
        own = getattr(ceiling, edge)
        lines = rows[f"noise ceiling, {edge}"]
        assert lines == (format_value(own), format_interval(own))


def test_summary_holds_the_numbers(written):
    folder, content = written
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["format"] == "attnxai-report"
    assert summary["seed"] == 4
    assert summary["command"] == "attnxai compare"
    (model,) = summary["models"]
    assert model["sha256"] == "0" * 64
    assert summary["annotations"]["sha256"] == "1" * 64
    assert summary["images"]["sha256"] == content.images.sha256()
    assert {"python", "numpy", "torch", "attnxai"} <= set(summary["versions"])
    assert model["sources"] == {
        "n": 12,
        "by_group": {"held-out": 12},
        "by_class": {"FR I": 6, "FR II": 6},
    }
    assert summary["annotations"]["n_rows_read"] == summary["annotations"]["n_rows_used"]
    assert len(model["results"]) == len(content.results[0].estimates)
    record = model["results"][0]
    estimate = content.results[0].estimates[0]
    assert record["value"] == estimate.interval.value
    assert record["p_pooled"] == estimate.pooled.p_value
    assert record["p_smallest_pooled"] == estimate.pooled.smallest_p
    pairs = content.parts[0].pairs
    right = sum(p == c for p, c in zip(pairs.predicted, pairs.classes, strict=True))
    assert model["accuracy"] == {"held-out": {"n_correct": right, "n": 12}}


def test_keys_of_the_summary_are_documented(written):
    folder, _ = written
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    page = Path(document.__file__).parents[2] / "docs" / "reference" / "report.md"
    text = page.read_text(encoding="utf-8")
    for key in (*summary, *summary["models"][0]["results"][0]):
        assert f"`{key}`" in text, f"{key} is not in docs/reference/report.md"


def test_per_source_table(written):
    folder, content = written
    with (folder / "per_source.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12 * 2
    row = next(r for r in rows if r["source"] == "source_03" and r["annotator"] == "bob")
    (result,) = content.results
    expected = result.values[
        result.metrics.index("auc"),
        result.explanations.index("gate1"),
        1,
        result.sources.index("source_03"),
    ]
    assert float(row["gate1:auc"]) == pytest.approx(expected, rel=1e-12)


def test_same_content_gives_the_same_bytes(written, tmp_path):
    folder, _ = written
    write_content(content_of(n_sources=12), tmp_path / "again")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            again = tmp_path / "again" / path.relative_to(folder)
            assert again.read_bytes() == path.read_bytes(), path.name


def test_figures_have_the_sizes_of_journal_columns(written):
    from PIL import Image

    folder, _ = written
    for name in FIGURES:
        with Image.open(folder / "figures" / f"{name}.png") as picture:
            width = 84 if name in IN_ONE_COLUMN else 177
            assert picture.width / 300 * 25.4 == pytest.approx(width, abs=0.2)
            assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
            values = np.asarray(picture.convert("L"))
        assert values.std() > 5
        pdf = (folder / "figures" / f"{name}.pdf").read_bytes()
        assert pdf.startswith(b"%PDF")
        assert b"/FontFile2" in pdf


@pytest.mark.usefixtures("undrawn")
def test_text_from_files_is_escaped(tmp_path):
    evil = "<script>alert(1)</script>"
    content = content_of(n_sources=10, annotators=(evil, 'q"uote'), command=f"attnxai {evil}")
    write_content(content, tmp_path / "out")
    text = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert evil not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    Page(tmp_path / "out")


@pytest.mark.parametrize(
    ("n_sources", "are"), [(1, "source is"), (2, "sources are"), (5, "sources are")]
)
def test_few_sources_have_no_intervals(tmp_path, request, n_sources, are):
    if n_sources > 1:  # the smallest report is drawn
        request.getfixturevalue("undrawn")
    write_content(content_of(n_sources=n_sources), tmp_path / "out")
    text = Page(tmp_path / "out").text
    reason = f"which have no intervals ({n_sources} {are} too few, 8 are needed)"
    assert f"n = {n_sources} held-out {are.split()[0]}, {reason}" in text
    assert f"the {are} too few for intervals" in text
    assert "bootstrap intervals over sources" not in text
    # beneath the verdicts, the main table and the partial correlations
    assert text.count(f"No interval: {n_sources} {are} too few, 8 are needed") >= 3
    assert ("over the one held-out source" in text) is (n_sources == 1)
    assert not re.search(r"\b1 (held-out )?(sources|annotators|maps)\b", text)


def test_the_reason_for_a_missing_interval_stands_below_the_table():
    content = content_of(n_sources=5)
    values = page_values(content, reach_verdict(content.results, content.annotations))
    reason = content.results[0].estimate("gate1", "nss").interval.note
    assert reason.startswith("no interval: 5 ")
    for table in (
        values["verdict_table"],
        values["parts"][0]["main"],
        values["partial_correlations"],
    ):
        assert table.note.startswith(f"N{reason[1:]}")
    content = content_of(n_sources=12)
    values = page_values(content, reach_verdict(content.results, content.annotations))
    assert values["parts"][0]["main"].note == ""


def test_a_score_below_chance_is_no_share_of_the_ceiling(written):
    _, content = written
    (part,) = content.parts

    def below(e):
        share = e.share_of_noise_ceiling
        if share is None or e.explanation != "gate1":
            return e
        low = dataclasses.replace(share.of_lower, value=-0.1, low=-0.2, high=0.1)
        return dataclasses.replace(
            e, share_of_noise_ceiling=dataclasses.replace(share, of_lower=low)
        )

    changed = dataclasses.replace(
        part.result, estimates=tuple(below(e) for e in part.result.estimates)
    )
    content = dataclasses.replace(content, parts=(dataclasses.replace(part, result=changed),))
    values = page_values(content, reach_verdict(content.results, content.annotations))
    columns = {column.heading: column.cells for column in values["verdict_table"].columns}
    first, *others = columns["Share of noise ceiling"]
    assert first == "–"
    assert all("%" in cell for cell in others)
    nss = next(c for c in values["parts"][0]["main"].columns if c.heading == "NSS")
    assert "of the ceiling" not in str(nss.cells[0])
    assert "of the ceiling" in str(nss.cells[1])


def test_accuracies_say_which_images_they_are_of(written):
    _, content = written

    def said(**facts):
        (model,) = content.provenance.models
        provenance = dataclasses.replace(content.provenance, models=({**model, **facts},))
        changed = dataclasses.replace(content, provenance=provenance)
        verdict = reach_verdict(content.results, content.annotations)
        return page_values(changed, verdict)["parts"][0]["recorded_accuracy"]

    epoch = "92.0 % accuracy on its validation images, which also chose the epoch"
    assert said(validation_accuracy=0.9196) == [epoch]
    assert said(validation_accuracy=0.9196, temperature=1.7, test_accuracy=0.85) == [
        f"{epoch} and the temperature",
        "85.0 % on its test images",
    ]
    assert said(validation_accuracy=None) == []


@pytest.mark.usefixtures("undrawn")
def test_a_report_without_classes(tmp_path):
    write_content(content_of(n_sources=9, classes=()), tmp_path / "out")
    assert not (tmp_path / "out" / "figures" / "classes.png").exists()
    Page(tmp_path / "out")


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_report_leaves_nothing(tmp_path, monkeypatch, error):
    def interrupted(*args, **kwargs):
        raise error

    monkeypatch.setattr(document, "draw_nulls", interrupted)
    with pytest.raises(error):
        write_content(content_of(n_sources=9), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("undrawn")
def test_an_interrupted_replacement_keeps_the_old_report(tmp_path, monkeypatch):
    content = content_of(n_sources=9)
    write_content(content, tmp_path / "out")
    before = (tmp_path / "out" / "index.html").read_bytes()
    monkeypatch.setattr(document, "page_values", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_content(content, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out" / "index.html").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_report_is_replaced_only_on_request(tmp_path, written):
    folder, content = written
    with pytest.raises(OptionError, match="holds a report already"):
        write_content(content, folder)
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(OptionError, match="holds other files than a report"):
        write_content(content, tmp_path, overwrite=True)


@pytest.mark.browser
@pytest.mark.parametrize("width", [500, 1920])
def test_the_page_works_in_a_browser(written, chromium, tmp_path, width):
    folder, _ = written
    script = SOURCES_TABLE.replace("COLUMN", "4")
    log = probed(chromium, folder, tmp_path, width=width, script=script)
    assert log == [True, True, 12, 10, 6, True, True, True, False, True]


def test_headline_figure_and_table_stand_on_the_first_screen(written, chromium, tmp_path):
    assert probed(chromium, written[0], tmp_path, width=1200, script=FIRST_SCREEN)[2:] == [True] * 3


def test_panels_switch_maps_step_and_have_addresses(written, chromium, tmp_path):
    folder, content = written
    log = probed(chromium, folder, tmp_path, width=1200, script=SOURCE_PANELS)[2:]
    first = shown_explanation(content.results[0])
    second = next(name for name in content.results[0].explanations if name != first)
    # the contours and the picture of each
    assert log[:4] == [[first] * 2, [second] * 2, [2], [second] * 2]
    assert log[4:8] == [[1], [2], "#source-source_02", [2, 5]]
    heading, row = (line.split(",") for line in log[8])
    assert heading[:2] == ['"Source"', '"Class"']
    assert row[0] == '"source_00"'
    value = content.results[0].source_means("gate1", "nss")[0]
    assert row[heading.index('"Gate 1"')] == f'"{value:.2f}"'
    assert log[9] == 1 + 12 + 1


def test_the_methods_paragraph_reads_as_sentences(written):
    _, content = written
    text = methods_text(content).plain
    assert (
        "NSS (Peters et al. 2005), Spearman ρ, AUC, relevance mass (Arras et al. 2022) and relevance"
        in text
    )
    assert "(2 annotators) for 12 held-out sources" in text
    assert "with 95 % intervals by crossed variance components" in text
    kind = "true components, as two annotators would mark them"
    marks = dataclasses.replace(content.annotations, kind=kind)
    again = methods_text(dataclasses.replace(content, annotations=marks)).plain
    assert f"with {kind} for 12 held-out sources" in again


def test_per_cent_is_written_one_way(written):
    folder, _ = written
    page = Page(folder).text
    # what people read: neither style before it nor script after it
    text = page[page.index("attnxai report") : page.index("use strict")]
    assert "95 % interval" in text
    assert not re.search(r"\d%", text)


def test_the_terminal_shows_a_line_for_every_map(written):
    _, content = written
    verdict = reach_verdict(content.results, content.annotations)
    stream = io.StringIO()
    print_report(content.results, verdict, Console(file=stream, width=4000), verbose=True)
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    leads = [statement.lead for statement in verdict.statements]
    start = lines.index(leads[0])
    assert lines[start : start + len(leads)] == leads
    assert lines.index(verdict.headline) > lines.index(f"- {verdict.cautions[-1]}")
    assert "made-up: 12 held-out sources" in lines[0]
    assert any("mean [95 % interval]" in line for line in lines)
    assert any("the baseline of brightness that agrees best" in line for line in lines)
    ceiling = content.results[0].noise_ceiling("nss")
    for edge in ("lower", "upper"):
        shown = with_interval(getattr(ceiling, edge))
        assert any(line.split() == ["noise", "ceiling,", edge, *shown.split()] for line in lines)


@pytest.mark.usefixtures("undrawn")
def test_figures_may_be_png_alone(tmp_path, written):
    _, content = written
    write_content(content, tmp_path / "out", figures="png")
    names = {path.name for path in (tmp_path / "out" / "figures").iterdir()}
    captions = {"captions.md", "captions.tex"}
    assert names == {f"{name}.png" for name in FIGURES} | captions
    links = [link for link in Page(tmp_path / "out").links if link.startswith("figures/")]
    assert {link.removeprefix("figures/") for link in links} == names - captions
    with pytest.raises(OptionError, match="unknown format of figures 'svg'"):
        write_content(content, tmp_path / "other", figures="svg")
    assert not (tmp_path / "other").exists()
