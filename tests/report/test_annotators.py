"""What a report says of annotators who looked at sources again."""

from __future__ import annotations

import dataclasses
import warnings

import pytest

import attnxai
from attnxai.annotations import Shape
from attnxai.report.annotators import (
    consistency_table,
    consistency_words,
    pairwise_table,
    pairwise_words,
)
from attnxai.report.content import ReportContent
from attnxai.report.page_tables import estimates_table
from attnxai.report.tables.text import render_html
from attnxai.report.terminal import _main_table
from attnxai.statistics.formats import format_value, with_interval
from tests.builders import made_up
from tests.report.pages import Page
from tests.report.several import EVIL, QUICK


def marked(names=("ann", EVIL), *, again=range(10)):
    """Maps, annotations and images whose annotators look at some sources again."""
    maps, marks, images = made_up(n_sources=12, annotators=names)
    repeats = tuple(
        dataclasses.replace(a, shape=dataclasses.replace(a.shape, x=a.shape.x + 1), round=2)
        for a in marks.annotations
        if int(a.source[-2:]) in again and (a.annotator == names[0] or a.source < "source_03")
    )
    return maps, dataclasses.replace(marks, annotations=(*marks.annotations, *repeats)), images


@pytest.fixture(scope="module")
def result():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return attnxai.compare(*marked(), settings=QUICK)


def test_self_consistency_stands_below_the_noise_ceiling(result):
    found = result.self_consistency("nss").interval
    table = estimates_table(result)
    names = [str(cell) for cell in table.columns[0].cells]
    assert "self-consistency" in names[-1]
    assert "noise ceiling, upper" in names[-2]
    assert table.rules[-1] == len(names) - 3
    cell = table.columns[1].cells[-1]
    assert cell[0] == format_value(found)
    assert "n = 10" in cell
    of_class = estimates_table(result, class_name="FR I").columns[1].cells[-1]
    assert "n = 5" in of_class
    shown = _main_table(result)
    assert shown.columns[0].cells[-1] == "self-consistency"
    assert str(shown.columns[1].cells[-1]).startswith(format_value(found))


def test_every_annotator_has_a_row_and_names_are_escaped(result):
    table = consistency_table(result)
    names, nss = table.columns[0].cells, table.columns[1].cells
    assert names == (EVIL, "ann", "all")
    assert [cell[-1] for cell in nss] == ["n = 3", "n = 10", "n = 10"]
    assert nss[0][1] == "no interval"
    assert "8 sources or more" in table.note
    assert "<img" not in render_html(table)


def test_it_is_said_beside_the_noise_ceiling(result):
    found, ceiling = result.self_consistency("nss").interval, result.noise_ceiling("nss")
    words = consistency_words(result)
    assert f"2 annotators agree with their own first looks at {with_interval(found)} " in words
    assert (
        f"over 10 sources, and each annotator with the consensus of the others at {ceiling.lower.value:.2f}"
        in words
    )


def test_nobody_who_looked_again_has_no_table(good):
    assert consistency_table(good.result) is None
    assert consistency_words(good.result) == ""
    assert "self-consistency" not in str(estimates_table(good.result).columns[0].cells)


def test_the_page_shows_one_annotator_who_looked_again(tmp_path, monkeypatch):
    monkeypatch.setattr("attnxai.report.document._drawers", lambda *_: [])
    maps, marks, images = marked(("ann",))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = attnxai.compare(maps, marks, images, settings=QUICK)
    result.write_report(tmp_path / "report")
    text = Page(tmp_path / "report").text
    assert "1 annotator agrees with the own first look at" in text
    assert "the lower noise ceiling" not in text
    assert "10 of 22 marks are of a second or further look" in text


def of_three(names=("ann", EVIL, "carl"), change=lambda a: a):
    maps, marks, images = made_up(n_sources=12, annotators=names)
    marks = dataclasses.replace(marks, annotations=tuple(map(change, marks.annotations)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ReportContent.of(attnxai.compare(maps, marks, images, settings=QUICK))


def test_who_disagrees_with_whom():
    def moved(mark):
        x = mark.shape.x + (4 if mark.annotator == EVIL else 0)
        return dataclasses.replace(mark, shape=dataclasses.replace(mark.shape, x=x))

    content = of_three(change=moved)
    found = content.results[0].annotator_agreement.pairwise
    table = pairwise_table(content)
    assert table.columns[0].heading == "Mean IoU"
    assert table.columns[0].cells == (EVIL, "ann", "carl")
    assert table.columns[1].cells == (
        ("",),
        (f"{found.iou[0, 1]:.2f}", "n = 12"),
        (f"{found.iou[0, 2]:.2f}", "n = 12"),
    )
    words = pairwise_words(content)
    assert words.startswith("Intersection over union of the regions")
    assert f"{EVIL} and " in words
    assert "agree least" in words
    assert "<img" not in render_html(table)


def test_points_are_compared_as_densities():
    content = of_three(
        change=lambda a: dataclasses.replace(a, shape=Shape(kind="point", x=a.shape.x, y=a.shape.y))
    )
    found = content.results[0].annotator_agreement.pairwise
    table = pairwise_table(content)
    assert table.columns[0].heading == "Similarity"
    assert table.columns[2].cells[0][0] == f"{found.similarity[0, 1]:.2f}"
    assert "some marks are points" in pairwise_words(content)


def test_many_annotators_are_a_list_of_pairs():
    table = pairwise_table(of_three(names=tuple(f"ann {i}" for i in range(9))))
    assert table.n_rows == 12
    values = [float(cell) for cell in table.columns[1].cells]
    assert values == sorted(values)


def test_two_annotators_need_no_matrix():
    assert pairwise_table(of_three(names=("ann", "bob"))) is None
