"""The pages of the study say what its files hold and how its numbers are defined."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from attnxai.report.study_document import record_of
from attnxai.study.claims import Outcome, TrendOutcome
from attnxai.study.convergence import (
    DEFINITION,
    DEFINITION_OF_CENSORING,
    DEFINITION_OF_REFERENCE,
)
from attnxai.study.matching import Equal
from attnxai.study.statistics import MIN_SEEDS
from attnxai.study.summary import N_DRAWS
from attnxai.study.tables import group_rows, run_rows, trend_rows
from tests.study.builders import made_content

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def text():
    return (DOCS / "study.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def content():
    return made_content()


def test_definitions_are_the_same_everywhere(text):
    quoted = " ".join(re.sub(r"^> ", "", text, flags=re.MULTILINE).split())
    for definition in (DEFINITION, DEFINITION_OF_REFERENCE, DEFINITION_OF_CENSORING):
        assert definition in quoted


def test_columns_are_documented(text, content):
    quantities = {quantity.name for quantity in content.summary.quantities}
    names = {re.sub(r":.*", ":", name) for name in quantities}
    for name in names:
        assert f"`{name}" in text, name
    endings = re.findall(r"`NAME(\w*)`", text)
    described = {f"{name}{ending}" for name in quantities for ending in endings}
    for column in (*group_rows(content)[0], *run_rows(content)[0]):
        assert column in described or f"`{column}`" in text, column
    for column in trend_rows(content)[0]:
        assert f"`{column}`" in text, column


def test_keys_of_the_record_are_documented(text, content):
    record = record_of(content)
    parts = [record, record["data"], record["claims"][0], record["quantities"][0]]
    for key in {key for part in parts for key in part}:
        assert f"`{key}`" in text, key


def test_choices_and_outcomes_are_documented(text):
    for choice in (*Equal, *Outcome, *TrendOutcome):
        assert f"`{choice}`" in text, choice
    assert f"Fewer than {MIN_SEEDS} seeds" in text
    assert f"{N_DRAWS:,}" in text
