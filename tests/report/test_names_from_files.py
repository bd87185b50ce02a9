"""Names come from other people's files: nothing that reads a report may run what stands in them."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re

import pytest

from attnxai.agreement.comparison import compare
from attnxai.cli.console import SafeConsole
from attnxai.data.wording import printable
from attnxai.planning.pilot import read_pilot
from attnxai.report import document
from attnxai.report.content import ReportContent
from attnxai.report.document import write_content
from attnxai.report.terminal import print_report
from tests.builders import made_up
from tests.report.pages import Page
from tests.report.test_document import QUICK

MODEL = "=1+1\n\\input{/etc/passwd}%[/red]:smile:\x1b]0;title\x07\u202e.pt"
SOURCES = (
    "=1+1",
    "+1+1",
    "-J12+34",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "-12.5",
    "<script>alert(1)</script>",
)
ANNOTATORS = ("\x1b[2J\x9b31mann", "=HYPERLINK(1)")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    maps, marks, images = made_up(n_sources=12, annotators=ANNOTATORS)
    named = dict(zip(maps.sources, SOURCES, strict=False))
    maps = dataclasses.replace(
        maps, model_name=MODEL, sources=tuple(named.get(s, s) for s in maps.sources)
    )
    marks = dataclasses.replace(
        marks,
        classes={named.get(s, s): name for s, name in marks.classes.items()},
        annotations=tuple(
            dataclasses.replace(a, source=named.get(a.source, a.source)) for a in marks.annotations
        ),
    )
    images = type(images)(
        dataclasses.replace(i, source=named.get(i.source, i.source)) for i in images
    )
    result = compare(maps, marks, images, settings=QUICK, rng=4)
    command = f"attnxai compare --model {MODEL} \udcff"
    content = ReportContent.of(result, images_name="\udcff", command=command)
    folder = tmp_path_factory.mktemp("report") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document, "_drawers", lambda _: [])
        verdict = write_content(content, folder)
    return folder, content, verdict


def test_a_terminal_shows_text_and_obeys_nothing_in_it(written):
    _, content, verdict = written
    text = io.StringIO()
    console = SafeConsole(file=text, width=300, force_terminal=True, color_system=None)
    print_report(content.results, verdict, console)
    shown = re.sub("\x1b\\[[0-9;]*m", "", text.getvalue())  # styles of our own
    assert "\\input{/etc/passwd}%[/red]:smile:?]0;title?.pt" in re.sub(r"\s", "", shown)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", shown)


def test_markup_and_bad_bytes_are_printed_as_they_stand(capsys):
    console = SafeConsole(width=80)
    console.print("model [red]x[/blue] :smile: \udcff.pt")
    assert capsys.readouterr().out == "model [red]x[/blue] :smile: ?.pt\n"
    assert printable("naïve – ρ\n") == "naïve – ρ\n"


def test_a_spreadsheet_finds_no_formula(written):
    folder, content, _ = written
    with open(folder / "per_source.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24
    number = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?")
    for row in rows:
        for cell in (*row, *row.values()):
            assert cell[:1] not in tuple("=+-@\t\r") or number.fullmatch(cell), cell
    assert {row["source"] for row in rows} >= {"'=1+1", "'-J12+34", "'@SUM(A1)", "-12.5"}
    values = [float(row["gate2:spearman"]) for row in rows]
    assert min(values) < 1
    assert values == pytest.approx(
        [
            content.results[0].values[content.results[0].metrics.index("spearman"), 1, a, s]
            for s in range(12)
            for a in range(2)
        ]
    )


def test_a_plan_finds_the_model_in_the_table(written):
    folder, _, _ = written
    pilot = read_pilot(folder)
    assert (pilot.model_name, pilot.n_sources, pilot.n_annotators) == (MODEL, 12, 2)


def test_latex_runs_no_name(written):
    folder, _, _ = written
    text = (folder / "agreement.tex").read_text(encoding="utf-8")
    assert "\\input" not in (folder / "methods.tex").read_text(encoding="utf-8")
    first, second = text.splitlines()[:2]
    assert first.startswith("% =1+1 \\textbackslash{}input\\{/etc/passwd\\}\\%")
    assert "\\input" not in text
    assert second.startswith(("\\", "%"))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)


def test_the_page_holds_no_script_of_a_name(written):
    folder, _, _ = written
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "<script>alert(1)</script>" in "".join(Page(folder).parts)


def test_the_summary_is_json_with_the_names_as_they_are(written):
    folder, _, _ = written
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["models"][0]["name"] == MODEL
    assert summary["annotations"]["annotators"] == sorted(ANNOTATORS)
