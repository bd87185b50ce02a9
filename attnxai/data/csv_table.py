"""CSV tables: reading with line numbers, and writing so that a spreadsheet runs nothing."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.data.wording import printable
from attnxai.errors import AttnxaiError
from attnxai.jobs.files import write_file

if TYPE_CHECKING:
    import pandas as pd

# Spreadsheets take a cell that begins with one of these for a formula, the full-width signs included.
_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)")


def decode_csv(content: bytes, what: str, error: type[AttnxaiError]) -> str:
    """Text of a CSV file in UTF-8, with or without a byte order mark.

    Parameters
    ----------
    content : bytes
        Content of the file.
    what : str
        What to call the file in the error, such as ``"annotation table marks.csv"``.
    error : type
        Exception to raise.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        raise error(
            f"{what} is not UTF-8 text (byte {reason.start}); save it as CSV UTF-8"
        ) from reason


def parse_csv(
    text: str, what: str, error: type[AttnxaiError]
) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    r"""Header of a table, and its rows one by one.

    Spaces around cells are taken off. Rows without any content are skipped.

    Parameters
    ----------
    text : str
        The table.
    what, error
        See :func:`decode_csv`.

    Returns
    -------
    list of str
        Names of the columns.
    iterator of (int, list of str)
        The line on which each row begins, counted from 1 (a cell in quotes may span several lines), and
        its cells, of which there may be more or fewer than columns.

    Examples
    --------
    >>> header, rows = parse_csv('a,b\n1,"2\n3"\n\n4,5\n', "table t.csv", AttnxaiError)
    >>> header, list(rows)
    (['a', 'b'], [(2, ['1', '2\n3']), (5, ['4', '5'])])
    """
    rows = _rows(text, what, error)
    try:
        _, header = next(rows)
    except StopIteration:
        raise error(f"{what} is empty") from None
    return header, rows


def _rows(text: str, what: str, error: type[AttnxaiError]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield line, stripped
            line = reader.line_num + 1
    except csv.Error as reason:
        raise error(
            f"{what} is no valid CSV: {reason} (in the row that begins on line {line})"
        ) from reason


class Faults:
    """What is wrong with the rows of a table: the first faults in words, and how many rows have any."""

    _MOST_LISTED = 15
    _LONGEST_VALUE = 60

    def __init__(self) -> None:
        self.listed: list[str] = []
        self.n_rows = 0
        self._n_faults = 0
        self._last_line = 0

    def __len__(self) -> int:
        return self._n_faults

    def add(self, line: int, column: str, value: str, right: str) -> None:
        """A value, and what would be right in its place."""
        shown = repr(value)
        if len(shown) > self._LONGEST_VALUE:
            shown = f"{shown[: self._LONGEST_VALUE - 3]}..."
        self.add_row(line, f", column {column}: {shown} - {right}")

    def add_row(self, line: int, text: str) -> None:
        """A fault of a row, in words that follow the number of its line."""
        self._n_faults += 1
        self.n_rows += line != self._last_line
        self._last_line = line
        if len(self.listed) < self._MOST_LISTED:
            self.listed.append(f"line {line}{text}")

    def lines(self) -> list[str]:
        """The faults, and how many more there are."""
        more = self._n_faults - len(self.listed)
        return [*self.listed, f"and {more} more"] if more else list(self.listed)


def decimal(text: str) -> float:
    """A number written in decimals.

    Raises
    ------
    ValueError
        If it is none, or has underscores, which Python admits and a table holds by mistake only.
    """
    if "_" in text:
        raise ValueError(text)
    return float(text)


def spreadsheet_cell(value: Any) -> Any:
    """A value as it is written into a CSV file.

    Text that a spreadsheet would evaluate as a formula gets an apostrophe in front, which spreadsheets take
    for the mark of text, and control characters become ``?``. Numbers stay numbers, also where they are text.

    Examples
    --------
    >>> spreadsheet_cell("=1+1"), spreadsheet_cell("-J12"), spreadsheet_cell("-0.5"), spreadsheet_cell(-0.5)
    ("'=1+1", "'-J12", '-0.5', -0.5)
    """
    if not isinstance(value, str):
        return value
    is_formula = value.startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(value)
    return ("'" if is_formula else "") + printable(value)


def write_frame(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV in UTF-8, with cells as :func:`spreadsheet_cell` gives them."""
    safe = frame.map(spreadsheet_cell)
    safe.columns = [spreadsheet_cell(name) for name in frame.columns]
    write_file(path, safe.to_csv(index=False))
