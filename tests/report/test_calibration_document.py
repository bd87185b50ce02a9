"""The page and the tables of a calibration."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pandas as pd
import pytest

from attnxai.report.calibration_document import write_calibration
from attnxai.report.tables.text import cells_of, render_markdown
from attnxai.report.tables.validation import (
    coverage_tables,
    level_tables,
    markdown,
    power_tables,
)
from attnxai.validation.cells import (
    CoverageCell,
    LevelCell,
    PowerCell,
)
from attnxai.validation.coverage import Values
from attnxai.validation.rejections import NullKind
from attnxai.validation.results import CalibrationResult
from attnxai.validation.scenes import Scene
from attnxai.validation.suite import Part, SuitePlan, run_suite


@pytest.fixture(scope="module")
def result():
    plan = SuitePlan(
        n_experiments=10, parts=(Part.LEVELS, Part.COVERAGE), nulls=(NullKind.POOLED,), quick=True
    )
    found = CalibrationResult.of(plan, run_suite(plan))
    # one count of each verdict, whatever chance has made of them
    levels = [
        dataclasses.replace(cell, n_experiments=1000, rejections=round(1000 * cell.level))
        for cell in found.levels
    ]
    levels[1] = dataclasses.replace(levels[1], rejections=600)
    levels[7] = dataclasses.replace(levels[7], rejections=1)
    return dataclasses.replace(found, levels=tuple(levels))


def test_what_misleads_is_marked_in_words_and_in_red(result):
    table = level_tables(result)[0]
    cells = [cells_of(column) for column in table.columns]
    assert [cell[0] for cell in cells[:3]] == [("exchange, pooled",), ("nothing",), ("yes",)]
    assert cells[3][0] == ("1.0 · 60.0 · 10.0", "▲ too often")
    assert cells[4][0][1:] == ("▽ too rarely",)
    row = render_markdown(table).splitlines()[2]
    assert '1.0 · <span style="color: #c62828">60.0</span> · 10.0<br>' in row
    assert '<span style="color: #c62828">▲ too often</span>' in row
    assert '<span style="color: #1565c0">▽ too rarely</span>' in row
    # and nothing else is
    assert row.count("<span") == 4
    assert "<span" not in render_markdown(level_tables(result)[1])


def test_the_gravest_verdict_names_the_cell(result):
    levels = [dataclasses.replace(cell, n_experiments=1000) for cell in result.levels[:3]]
    levels[0] = dataclasses.replace(levels[0], rejections=0)
    levels[1] = dataclasses.replace(levels[1], rejections=600)
    both = dataclasses.replace(result, levels=tuple(levels))
    assert cells_of(level_tables(both)[0].columns[3])[0][1] == "▲ too often"


def test_tables_have_a_number_in_every_cell(result):
    tables = [*level_tables(result), *coverage_tables(result)]
    assert len(tables) == 2 + 6
    assert power_tables(result) == []
    text = markdown(result)
    for table in tables:
        assert f"### {table.title}" in text
        for column in table.columns[1:]:
            assert all(cell[0] for cell in cells_of(column))


def test_the_page_stands_alone(result, tmp_path):
    steps = []
    write_calibration(
        result,
        tmp_path / "results",
        command="attnxai validate --output DIR",
        on_step=lambda done, total: steps.append((done, total)),
    )
    assert steps == [(n, 5) for n in range(1, 6)]
    page = (tmp_path / "results" / "index.html").read_text(encoding="utf-8")
    assert "1 rejects too often and 1 too rarely, where chance alone puts" in page
    assert '<span class="warning">60.0</span>' in page
    assert '<small><span class="warning">▲ too often</span></small>' in page
    assert '<small><span class="note">▽ too rarely</span></small>' in page
    assert "prefers-color-scheme: dark" in page
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page)
    assert "<script" not in page
    for target in re.findall(r"href=\"([^\"#]+)\"", page):
        assert (tmp_path / "results" / target).is_file(), target
    # what was not run is not spoken of
    assert "Power" not in page


DOCS = Path(__file__).parents[2] / "docs"


def documented(kind, part):
    """Cells of the measured levels as the documentation ships them."""
    frame = pd.read_csv(DOCS / "levels" / f"{part}.csv", keep_default_na=False)
    choices = {"null": NullKind, "scene": Scene, "values": Values}
    names = [field.name for field in dataclasses.fields(kind)]
    return tuple(
        kind(**{name: choices.get(name, lambda x: x)(row[name]) for name in names})
        for row in frame.to_dict("records")
    )


def test_the_documented_tables_are_those_of_the_documented_numbers():
    result = CalibrationResult(
        plan=SuitePlan(),
        levels=documented(LevelCell, "levels"),
        coverage=documented(CoverageCell, "coverage"),
        power=documented(PowerCell, "power"),
    )
    page = (DOCS / "levels.md").read_text(encoding="utf-8")
    rows = {re.sub(r"\s+", " ", line) for line in page.splitlines()}
    shown = [level_tables(result)[0], *coverage_tables(result), power_tables(result)[0]]
    for table in shown:
        for row in render_markdown(table).splitlines()[2:]:
            assert re.sub(r"\s+", " ", row) in rows
    # what the page says of its numbers, from the numbers
    assert result.sentences()[0] in re.sub(r"\s+", " ", page)
    # every case of the full suite, as often as it should be
    assert len(result.levels) == 2 * 3 * len(SuitePlan().level_cases)
    assert len(result.coverage) == len(SuitePlan().coverage_cases)
    assert len(result.power) == 2 * len(SuitePlan().power_cases)
