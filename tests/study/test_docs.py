"""The pages of the study say what its files hold and how its numbers are defined."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import re
from pathlib import Path

import pandas as pd
import pytest

from attnxai.data.csv_table import write_frame
from attnxai.models.specification import ModelSpec, Preset
from attnxai.report.study_document import record_of
from attnxai.report.tables.study import main_table, markdown
from attnxai.report.tables.text import render_markdown
from attnxai.study.convergence import (
    DEFINITION,
    DEFINITION_OF_CENSORING,
    DEFINITION_OF_REFERENCE,
)
from attnxai.study.data import DataRequest
from attnxai.study.hypotheses import Outcome, TrendOutcome
from attnxai.study.matching import Equal
from attnxai.study.measurement import MeasureOn, RunMeasurement, StudyRun
from attnxai.study.plan import MeasureSettings, StudyPlan
from attnxai.study.results import DataFacts, StudyResult
from attnxai.study.statistics import MIN_SEEDS
from attnxai.study.summary import N_DRAWS
from attnxai.study.tables import group_rows, run_rows, trend_rows
from attnxai.training.history import EpochResult
from attnxai.training.settings import TrainingSettings
from tests.study.builders import made_result

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def text():
    return (DOCS / "explanation" / "study.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def result():
    return made_result()


def test_definitions_are_the_same_everywhere(text):
    quoted = " ".join(re.sub(r"^> ", "", text, flags=re.MULTILINE).split())
    for definition in (DEFINITION, DEFINITION_OF_REFERENCE, DEFINITION_OF_CENSORING):
        assert definition in quoted


def test_columns_are_documented(text, result):
    quantities = {quantity.name for quantity in result.summary.quantities}
    names = {re.sub(r":.*", ":", name) for name in quantities}
    for name in names:
        assert f"`{name}" in text, name
    endings = re.findall(r"`NAME(\w*)`", text)
    described = {f"{name}{ending}" for name in quantities for ending in endings}
    for column in (*group_rows(result)[0], *run_rows(result)[0]):
        assert column in described or f"`{column}`" in text, column
    for column in trend_rows(result)[0]:
        assert f"`{column}`" in text, column


def test_keys_of_the_record_are_documented(text, result):
    record = record_of(result)
    parts = [record, record["data"], record["hypotheses"][0], record["quantities"][0]]
    for key in {key for part in parts for key in part}:
        assert f"`{key}`" in text, key


def test_choices_and_outcomes_are_documented(text):
    for choice in (*Equal, *Outcome, *TrendOutcome):
        assert f"`{choice}`" in text, choice
    assert f"Fewer than {MIN_SEEDS} seeds" in text
    assert f"{N_DRAWS:,}" in text


# --- the study on MiraBest: its page from its files ------------------------------------------------

MIRABEST = DOCS / "study_mirabest"


def rows_of(name):
    """Rows of a file, with numbers to the last digit."""
    with open(MIRABEST / f"{name}.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield {column: as_value(text) for column, text in row.items()}


def as_value(text):
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def as_run(row, history):
    """One run from a row of ``runs.csv``, whose agreement is the mean over the sources already."""
    names = ("accuracy", "f1:", "auc", "ece", "prediction_", "attention_")
    measurement = RunMeasurement(
        values={name: value for name, value in row.items() if name.startswith(names)},
        n_images=row["n_images"],
        sources=("all",),
        agreement={  # empty where a map is defined for too few sources
            n: (math.nan if v == "" else v,)
            for n, v in row.items()
            if n.startswith(("nss", "spearman"))
        },
    )
    return StudyRun(
        group=row["group"],
        seed=row["seed"],
        history=history,
        measurement=measurement,
        model_sha256=row["model_sha256"],
    )


@pytest.fixture(scope="module")
def mirabest():
    plan = json.loads((MIRABEST / "plan.json").read_text(encoding="utf-8"))
    histories = {}
    for row in rows_of("history"):
        key = row.pop("group"), row.pop("seed")
        histories.setdefault(key, []).append(EpochResult(**row))
    specifications = {g: ModelSpec.from_dict(s) for g, s in plan["specifications"].items()}
    study = StudyPlan(
        groups=tuple(plan["groups"]),
        seeds=tuple(plan["seeds"]),
        specification=specifications[plan["baseline"]],
        preset=Preset(plan["preset"]),
        equal=Equal(plan["equal"]),
        settings=TrainingSettings(**plan["training"]),
        measuring=MeasureSettings(measure_on=MeasureOn(plan["measuring"]["measure_on"])),
        data=DataRequest(),
        reference_loss=plan["reference_loss"],
    )
    assert {group: match.spec for group, match in study.matches.items()} == specifications
    return StudyResult.of(
        study,
        [as_run(row, tuple(histories[row["group"], row["seed"]])) for row in rows_of("runs")],
        DataFacts(
            name="MiraBest",
            citation="",
            licence="",
            sha256="",
            class_names=("FR I", "FR II"),
            n_train=798,
            n_validation=199,
            n_test=153,
        ),
    )


def check_same_table(made, shipped):
    """The same texts, and the same numbers up to what versions of NumPy and SciPy round in another way."""
    tables = [pd.read_csv(path, keep_default_na=False, na_values=[""]) for path in (made, shipped)]
    pd.testing.assert_frame_equal(*tables, rtol=1e-9, atol=0.0)


@pytest.mark.parametrize(("name", "rows"), [("study", group_rows), ("runs", run_rows)])
def test_the_files_of_the_study_on_mirabest_hold_its_numbers(mirabest, name, rows, tmp_path):
    write_frame(pd.DataFrame(rows(mirabest)), tmp_path / "made.csv")
    check_same_table(tmp_path / "made.csv", MIRABEST / f"{name}.csv")


def test_the_trends_of_the_study_on_mirabest_are_those_of_its_runs(mirabest, tmp_path):
    rows = [row | {"groups": " ".join(row["groups"])} for row in trend_rows(mirabest)]
    write_frame(pd.DataFrame(rows), tmp_path / "made.csv")
    check_same_table(tmp_path / "made.csv", MIRABEST / "trends.csv")


def test_the_tables_of_the_study_on_mirabest_are_made_from_its_files(mirabest):
    page = (DOCS / "explanation" / "study_mirabest.md").read_text(encoding="utf-8")
    outcomes, means, trends, *_ = tables_of(page)
    statements = [
        (f"Equivariance {claim}", outcome)
        for claim, outcome in zip(*outcomes.values(), strict=True)
    ]
    assert statements == [
        (h.statement.removesuffix("."), h.lead.partition(";")[0].partition(" (5 seeds")[0])
        for h in mirabest.hypotheses
    ]
    assert [means] == tables_of(render_markdown(main_table(mirabest)) + "\n")
    all_trends = tables_of(markdown(mirabest))[-1]
    assert list(trends) == list(all_trends)
    assert set(zip(*trends.values(), strict=True)) <= set(zip(*all_trends.values(), strict=True))


def tables_of(text):
    """Tables of Markdown, however wide their columns are: for each heading its cells."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, _, *rows = (
            [" ".join(cell.split()) for cell in line.strip().strip("|").split("|")]
            for line in block.splitlines()
        )
        found.append(dict(zip(head, zip(*rows, strict=True), strict=True)))
    return found
