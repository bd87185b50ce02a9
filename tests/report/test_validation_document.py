"""The page and the tables of a validation."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from pathlib import Path

import pytest

from attnxai.report.documentation import generated_parts, read_rates, with_part
from attnxai.report.tables.text import cells_of, render_markdown
from attnxai.report.validation_document import (
    coverage_tables,
    false_positive_tables,
    markdown,
    power_tables,
    write_validation,
)
from attnxai.statistics.bootstrap import IntervalKind
from attnxai.validation.coverage import CoverageDesign, Distribution
from attnxai.validation.plan import Part, ValidationPlan, run_validation
from attnxai.validation.rates import CoverageRate, FalsePositiveRate, PowerEstimate
from attnxai.validation.rejections import (
    SIGNIFICANCE_LEVELS,
    FalsePositiveDesign,
    NullKind,
    PowerDesign,
)
from attnxai.validation.results import ValidationResult
from attnxai.validation.simulated_data import Scenario


@pytest.fixture(scope="module")
def result():
    plan = ValidationPlan(
        n_experiments=10,
        parts=(Part.FALSE_POSITIVES, Part.COVERAGE),
        nulls=(NullKind.POOLED,),
        quick=True,
    )
    found = ValidationResult.of(plan, run_validation(plan))
    # one count of each verdict, whatever chance has made of them
    rates = [
        dataclasses.replace(cell, n_experiments=1000, rejections=round(1000 * cell.level))
        for cell in found.false_positives
    ]
    rates[1] = dataclasses.replace(rates[1], rejections=600)
    rates[7] = dataclasses.replace(rates[7], rejections=1)
    return dataclasses.replace(found, false_positives=tuple(rates))


def test_what_misleads_is_marked_in_words_and_in_bold(result):
    table = false_positive_tables(result)[0]
    cells = [cells_of(column) for column in table.columns]
    assert [cell[0] for cell in cells[:3]] == [("permutation, pooled",), ("nothing",), ("yes",)]
    assert cells[3][0] == ("1.0/60.0/10.0", "▲ too often")
    assert cells[4][0][1:] == ("▽ too rarely",)
    row = render_markdown(table).splitlines()[2]
    assert " 1.0/**60.0**/10.0<br>**▲ too often** |" in row
    assert " 1.0/*0.1*/10.0<br>*▽ too rarely* |" in row
    # and nothing else is
    assert row.count("*") == 2 * 4 + 2 * 2
    assert "*" not in render_markdown(false_positive_tables(result)[1])


def test_the_gravest_verdict_names_the_cell(result):
    rates = [dataclasses.replace(cell, n_experiments=1000) for cell in result.false_positives[:3]]
    rates[0] = dataclasses.replace(rates[0], rejections=0)
    rates[1] = dataclasses.replace(rates[1], rejections=600)
    both = dataclasses.replace(result, false_positives=tuple(rates))
    assert cells_of(false_positive_tables(both)[0].columns[3])[0][1] == "▲ too often"


def test_tables_have_a_number_in_every_cell(result):
    tables = [*false_positive_tables(result), *coverage_tables(result)]
    assert len(tables) == 2 + 6
    assert power_tables(result) == []
    text = markdown(result)
    for table in tables:
        assert f"### {table.title}" in text
        for column in table.columns[1:]:
            assert all(cell[0] for cell in cells_of(column))


def test_the_page_stands_alone(result, tmp_path):
    steps = []
    write_validation(
        result,
        tmp_path / "results",
        command="attnxai validate --output DIR",
        on_step=lambda done, total: steps.append((done, total)),
    )
    assert steps == [(n, 5) for n in range(1, 6)]
    page = (tmp_path / "results" / "index.html").read_text(encoding="utf-8")
    assert "1 is too high and 1 too low, where" in page
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


def test_a_result_writes_its_report(result, tmp_path):
    page = result.write_report(tmp_path / "results", command="attnxai validate")
    assert page == tmp_path / "results" / "index.html"
    assert "attnxai validate" in page.read_text(encoding="utf-8")


DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_shows_the_documented_rates():
    page = (DOCS / "explanation" / "validation.md").read_text(encoding="utf-8")
    for part, text in generated_parts(DOCS)["explanation/validation.md"].items():
        message = f"{part}: run python -m attnxai.report.documentation docs"
        assert with_part(page, part, text) == page, message


def test_the_page_has_a_row_for_every_null_in_every_scenario():
    rates = read_rates(DOCS / "validation").false_positives
    parts = generated_parts(DOCS)["explanation/validation.md"]
    text = parts["false-positives"] + parts["assumptions-not-met"]
    rows = [tuple(re.split(r" *\| *", line)[1:3]) for line in text.splitlines() if "|" in line]
    found = [row for row in rows if row[0] in {str(null) for null in NullKind}]
    assert sorted(found) == sorted({(str(rate.null), str(rate.scenario)) for rate in rates})
    # where assumptions are not met every rate at 5 % is marked, of 10, 50 and 150 sources
    unmet = [r for r in rates if not r.assumptions_met and r.metric == "nss" and r.n_sources != 20]
    assert parts["assumptions-not-met"].count("**") == 2 * len(unmet) / 3


def test_the_documented_rates_are_those_of_the_full_plan():
    rates, plan = read_rates(DOCS / "validation"), ValidationPlan()
    for null in NullKind:
        cells = Counter(
            (cell.scenario, cell.n_sources) for cell in rates.false_positives if cell.null is null
        )
        designs = [design for design in plan.false_positive_designs if design.null is null]
        assert cells == {(design.scenario, design.n_sources): 6 for design in designs}, (
            f"docs/validation lacks rates of {null}: run attnxai validate --output FOLDER --null {null.option} "
            f"--part {Part.FALSE_POSITIVES} --n-experiments {plan.n_experiments} --seed {plan.seed}, "
            "then python -m attnxai.report.documentation docs FOLDER"
        )
    assert len(rates.coverage) == len(plan.coverage_designs)
    assert len(rates.power) == 2 * len(plan.power_designs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "part", "design", "counted"),
    [
        (
            FalsePositiveRate,
            "false_positives",
            FalsePositiveDesign(null=NullKind.WITHIN_CLASS, scenario=Scenario.CENTRE, n_sources=10),
            lambda counts, rate: counts[rate.metric][SIGNIFICANCE_LEVELS.index(rate.level)],
        ),
        (
            CoverageRate,
            "coverage",
            CoverageDesign(
                distribution=Distribution.LOG_NORMAL,
                n_sources=20,
                n_annotators=1,
                method=IntervalKind.BCA,
            ),
            lambda counts, rate: counts["covered"][0],
        ),
        (
            PowerEstimate,
            "power",
            PowerDesign(null=NullKind.SYMMETRIES, n_sources=10, strength=0.2),
            lambda counts, rate: counts[rate.metric][0],
        ),
    ],
)
def test_documented_counts_are_reproduced(kind, part, design, counted):
    rates = [
        rate
        for rate in getattr(read_rates(DOCS / "validation"), part)
        if all(getattr(rate, f.name) == getattr(design, f.name) for f in dataclasses.fields(design))
    ]
    counts = design.count(0, 0, rates[0].n_experiments)
    for rate in rates:
        shown = rate.covered if kind is CoverageRate else rate.rejections
        assert counted(counts, rate) == shown
