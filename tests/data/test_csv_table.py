"""Tables with line numbers, and cells that no spreadsheet runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from attnxai.data.csv_table import (
    Faults,
    decimal,
    parse_csv,
    parse_rows,
    read_csv,
    spreadsheet_cell,
    write_frame,
)
from attnxai.errors import AnnotationError, DataSetError


def whole(row: dict[str, str], line: int, faults: Faults) -> int | None:
    if row["a"].isdecimal():
        return int(row["a"]) or None
    faults.add(line, "a", row["a"], "a whole number")
    return None


def test_lines_of_rows() -> None:
    header, rows = parse_csv('a,b\n1,"2\n3"\n\n , \n4, 5 \n', "table t.csv", DataSetError)
    assert header == ["a", "b"]
    assert list(rows) == [(2, ["1", "2\n3"]), (6, ["4", "5"])]
    assert parse_rows(header, [(2, ["1", ""]), (6, ["0", ""])], "t", DataSetError, whole) == [1]
    with pytest.raises(DataSetError, match="row that begins on line 1"):
        parse_csv('"a,b\n', "table t.csv", DataSetError)


def test_faults_are_raised_together() -> None:
    rows = [(2, ["x" * 100]), (3, ["1"]), (4, []), *((line, ["-"]) for line in range(5, 25))]
    with pytest.raises(AnnotationError) as caught:
        parse_rows(["a"], rows, "table t.csv", AnnotationError, whole)
    shown = f"'{'x' * 56}..."
    assert str(caught.value).splitlines() == [
        "22 of 23 rows of table t.csv cannot be used:",
        f"  lines 2, 5, 6, 7, 8 and 16 more, column a: {shown} (the first of 21) is not a whole number",
        "  line 4: 0 cells, but the header has 1 columns",
    ]


def test_long_lists_of_faults_are_cut_and_counted() -> None:
    faults = Faults()
    for line in range(2, 32):
        faults.add(line, f"column {line % 20}", "x", "a number")
    lines = str(faults.error(AnnotationError, "no:")).splitlines()
    assert len(lines) == 17
    assert lines[-1] == "  and 5 more"
    assert sum(line.count("lines ") for line in lines) == 10


def test_a_row_with_two_faults_is_one_row() -> None:
    faults = Faults()
    for line, column in ((2, "a"), (2, "b"), (3, "a")):
        faults.add(line, column, "x", "a number")
    assert (faults.n_rows, len(faults)) == (2, 3)


def test_a_table_needs_rows_and_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"table t\.csv has a header but no rows"):
        parse_rows(["a"], [], "table t.csv", DataSetError, whole)
    with pytest.raises(DataSetError, match="table t cannot be read: No such file"):
        read_csv(tmp_path / "t", "table t", DataSetError)
    (tmp_path / "t").write_bytes(b"\xff\xfe")
    with pytest.raises(DataSetError, match=r"table t is not UTF-8 text \(byte 0\)"):
        read_csv(tmp_path / "t", "table t", DataSetError)


@pytest.mark.parametrize("text", ["1_000", "one", "1,5", "0x10"])
def test_what_is_no_decimal_number(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        decimal(text)
    assert decimal("-1.5e3") == -1500.0


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("-J12", "'-J12"),
        ("＝A1", "'＝A1"),
        ("-0.5", "-0.5"),
        (-0.5, -0.5),
        ("+1e5", "+1e5"),
        ("a\x1b[2J", "a?[2J"),
    ],
)
def test_cells_that_a_spreadsheet_would_run(value: Any, cell: Any, tmp_path: Path) -> None:
    assert spreadsheet_cell(value) == cell
    write_frame(pd.DataFrame({"=x": [value]}), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == f"'=x\n{cell}\n"
