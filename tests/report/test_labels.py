"""The table of labels under the main result of a report."""

from __future__ import annotations

import dataclasses
import io
import re
import warnings

import pytest
from rich.console import Console

import attnxai
from attnxai.annotations import Label
from attnxai.report.content import ReportContent
from attnxai.report.labels import (
    labels_latex_table,
    labels_table,
    labels_words,
    short_labels_table,
)
from attnxai.report.methods import methods_text
from attnxai.report.tables.latex import render_latex
from attnxai.report.tables.text import render_terminal
from attnxai.statistics.formats import (
    decimals_together,
    format_p,
    with_interval,
)
from tests.builders import circle, made_up
from tests.report.pages import Page
from tests.report.several import QUICK


def compared(n_cores, n_jets=0, **options):
    maps, marks, images = made_up(n_sources=12, **options)
    more = [
        circle(mark.source, mark.annotator, 16, 16, 2, label=label)
        for mark in marks.annotations
        for label, n in ((Label.CORE, n_cores), (Label.JET, n_jets))
        if int(mark.source[-2:]) < n
    ]
    marks = dataclasses.replace(marks, annotations=(*marks.annotations, *more))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return attnxai.compare(maps, marks, images, settings=QUICK)


@pytest.fixture(scope="module")
def result():
    return compared(10)


def test_a_row_for_each_label_and_map_below_all_marks(result):
    table = labels_table(result)
    columns = {column.heading: column.cells for column in table.columns}
    assert list(columns) == [
        "Marks", "Map", "NSS [95 %]", "Permuted", "p", "Adjusted p", "All marks", "Sources",
    ]  # fmt: skip
    assert columns["Marks"] == ("all",) * 3 + ("core",) * 3 + ("lobe",) * 3
    assert columns["Map"] == ("Gate 1", "Gate 2", "Mean of the gates") * 3
    assert columns["Sources"] == ("12",) * 3 + ("10",) * 3 + ("12",) * 3
    assert table.rules == (3, 6)
    estimates = [result.estimate(name, "nss") for name in result.explanations]
    estimates += [
        of_label.estimate(name, "nss") for of_label in result.labels for name in result.explanations
    ]
    decimals = decimals_together([estimate.interval for estimate in estimates])
    for row in (0, 4):
        estimate, places = estimates[row], decimals[row]
        assert columns["NSS [95 %]"][row] == with_interval(estimate.interval, decimals=places)
        assert columns["Permuted"][row] == f"{estimate.test.mean:.{places}f}"
        assert columns["p"][row] == format_p(estimate.test.p_value)
        assert columns["Adjusted p"][row] == format_p(estimate.p_adjusted)
    marks = result.labels[0].all_marks["gate2", "nss"]
    assert columns["All marks"][4] == f"{marks.value:.{decimals[4]}f}"
    assert columns["All marks"][:3] == ("",) * 3


def test_the_terminal_and_the_paper_have_the_values_of_every_label(result):
    short, of_paper = short_labels_table(result), labels_latex_table(result)
    assert [column.heading for column in short.columns] == [
        "marks", "sources", "Gate 1", "Gate 2", "Mean of the gates",
    ]  # fmt: skip
    assert [column.cells for column in short.columns[:2]] == [("core", "lobe"), ("10", "12")]
    core = result.labels[0].estimate("gate1")
    found = re.fullmatch(r"(\S+) \((\S+)\)", short.columns[2].cells[0])
    assert float(found[1]) == pytest.approx(core.interval.value, abs=0.005)
    assert found[2] == format_p(core.p_adjusted)
    assert short_labels_table(dataclasses.replace(result, labels=())) is None
    marks, maps, values = of_paper.columns[:3]
    assert marks.cells == ("core",) * 3 + ("lobe",) * 3
    assert maps.cells == ("Gate 1", "Gate 2", "Mean of the gates") * 2
    assert values.cells[0] == core.interval
    assert [column.heading for column in of_paper.columns[3:7]] == [
        "Null mean",
        "p",
        "p adjusted",
        "All marks",
    ]
    text = render_latex(of_paper)
    assert rf"{core.test.mean:.{values.decimals[0]}f}" in text
    by_auc = labels_latex_table(result, "auc")
    assert by_auc.columns[2].cells[0] == result.labels[0].estimate("gate1", "auc").interval
    assert labels_latex_table(dataclasses.replace(result, labels=())) is None


def test_with_many_maps_the_table_of_the_terminal_has_a_row_for_each(result, monkeypatch):
    by_label = short_labels_table(result)
    monkeypatch.setattr("attnxai.report.labels.MOST_COLUMNS", 2)
    by_map = short_labels_table(result)
    assert by_map.columns[0].cells == ("(sources)", "Gate 1", "Gate 2", "Mean of the gates")
    cells = [column.cells for column in by_label.columns[1:]]
    assert [column.cells for column in by_map.columns[1:]] == list(zip(*cells, strict=True))


@pytest.mark.parametrize("n_labels", [2, 12])
def test_the_table_of_the_terminal_fits_80_columns_for_any_number_of_labels(result, n_labels):
    labels = (result.labels * 6)[:n_labels]
    table = short_labels_table(dataclasses.replace(result, labels=labels))
    assert len(table.columns[0].cells) == n_labels
    assert render_terminal(table).fits(Console(file=io.StringIO(), width=80))


def test_its_words(result):
    words = labels_words(result)
    assert words.startswith("The marks of each label as a target of their own")
    assert "permuted across sources of the same class" in words
    assert "their p-values are adjusted over 6 tests of labels and maps together" in words
    assert "oo few" not in words
    assert "smallest" not in words
    assert "Each label was also" in methods_text(ReportContent.of(result)).plain


def test_too_few_sources_are_said_to_be_too_few():
    found = compared(3, 1)
    words = labels_words(found)
    assert "Too few sources for an interval, which needs 8: core (3) and jet (1)." in words
    assert "Not tested: jet (fewer than two sources have a defined value" in words
    assert (
        "The smallest attainable adjusted p-value of core is above 0.05, so that this test cannot"
        in words
    )
    table = labels_table(found)
    # what cannot be significant has no adjusted p-value, which would say nothing about the map
    adjusted = next(c.cells for c in table.columns if c.heading == "Adjusted p")
    assert adjusted[3:9] == ("–",) * 6
    assert "–" not in adjusted[9:]
    short = short_labels_table(found)
    assert not any("(" in column.cells[0] for column in short.columns[2:])
    assert short.note == "Without p: the smallest attainable one is above 0.05."
    values = table.columns[2].cells
    assert ["[" in value for value in values] == [True] * 3 + [False] * 6 + [True] * 3


def test_labels_are_not_tested_where_all_marks_are_not():
    maps, marks, images = made_up(n_sources=9, classes=None)
    marks = dataclasses.replace(
        marks,
        annotations=tuple(
            dataclasses.replace(a, label=Label.CORE) if a.annotator == "ann" else a
            for a in marks.annotations
        ),
    )
    maps = dataclasses.replace(maps, scores=None, class_names=())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = attnxai.compare(maps, marks, images, settings=QUICK)
    words = labels_words(found)
    assert "Not tested: core and lobe (the classes of the sources are not known" in words
    assert "adjusted" not in words


def test_one_label_has_no_table(good):
    assert labels_table(good.result) is None
    assert labels_words(good.result) == ""


def test_the_page_shows_it_under_the_main_result(result, tmp_path, monkeypatch):
    monkeypatch.setattr("attnxai.report.document._drawers", lambda *_: [])
    result.write_report(tmp_path / "report")
    text = Page(tmp_path / "report").text
    assert text.index("Table, over 12 held-out sources") < text.index("Label by label")
    assert text.index("Label by label") < text.index("Controlling for brightness Partial")
