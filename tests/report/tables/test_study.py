"""Tables of a study for readers."""

from __future__ import annotations

import pytest

from attnxai.report.tables.study import footnotes, main_table, markdown, reader_tables, trends_table
from attnxai.report.tables.text import cells_of
from attnxai.study.convergence import DEFINITION
from attnxai.study.tables import trend_rows
from tests.study.builders import made_result, made_runs


@pytest.fixture(scope="module")
def result():
    return made_result()


def test_tables_for_readers(result):
    tables = {table.title: table for table in reader_tables(result)}
    fit = tables["Fit and time"]
    assert fit.columns[1].heading == "Epochs until reference loss"
    c4 = [cells_of(column)[1] for column in fit.columns]
    assert c4[0] == ("C4",)
    assert "5 of 5 reached it" in c4[1]
    assert any(line.startswith("Δ −") for line in c4[1])
    assert any(line.startswith("p = ") for line in c4[1])
    # equivalents of the epochs do not repeat their test
    assert not any("p = " in line for cell in c4[2:5] for line in cell)
    assert "Performance on validation images" in tables
    networks = tables["Networks"]
    assert networks.columns[-1].heading == "Channels, of C1"
    assert (len(networks.columns), networks.n_rows) == (6, 7)
    assert networks.columns[4].heading == "10⁹ multiply-adds"
    assert networks.columns[4].cells[0] * 10**9 == result.plan.matches["C1"].size.operations
    assert trends_table(result).n_rows == len(
        [row for row in trend_rows(result) if row["quantity"] not in ("published_epochs", "images_seen", "steps")]
    )  # fmt: skip


def test_a_slope_without_an_interval_has_one_decimal_more_than_its_quantity():
    result = made_result(made_runs(("C1", "C4", "C8"), n_seeds=2, annotated=False))
    columns = {column.heading: column.cells for column in trends_table(result).columns}
    slopes = dict(
        zip(columns["Quantity"], columns["Change per doubling of the order"], strict=True)
    )
    accuracy = result.summary.quantity("accuracy")
    assert len(slopes[accuracy.label].partition(".")[2]) == accuracy.digits + 1


def test_no_trends_without_three_groups():
    result = made_result(made_runs(("C1", "D4"), annotated=False), annotations="")
    assert trends_table(result) is None
    assert not [table for table in reader_tables(result) if "Agreement" in table.title]


def test_footnotes_define_what_is_counted(result):
    text = " ".join(footnotes(result))
    assert DEFINITION in text
    assert f"{result.summary.reference:.3f}, derived from the baseline" in text
    assert "Equal between groups: channels of every block" in text
    given = made_result(made_runs(("C1", "C4")), reference_loss=0.5)
    assert "The reference loss is 0.5, as given." in " ".join(footnotes(given))


def test_markdown_holds_hypotheses_tables_and_limits(result):
    text = markdown(result)
    for hypothesis in result.hypotheses:
        assert hypothesis.lead in text
    for table in reader_tables(result):
        assert f"### {table.title}" in text
    for caution in result.cautions:
        assert caution in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert all(line.endswith(" |") for line in rows)


def test_the_main_table_holds_the_quantities_of_the_hypotheses(result):
    table = main_table(result)
    assert len(table.columns) == 5
    d8 = [cells_of(column)[5] for column in table.columns]
    assert d8[0][0] == "D8"
    assert d8[2][1].startswith("[")
    assert d8[2][2].startswith("p\u00a0=\u00a0")
