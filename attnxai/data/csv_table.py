"""CSV tables: reading with line numbers, and writing so that a spreadsheet runs nothing."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attnxai.data.wording import counted, first_of, printable
from attnxai.errors import AttnxaiError
from attnxai.jobs.files import read_input, write_file

if TYPE_CHECKING:
    import pandas as pd

Rows = Iterable[tuple[int, list[str]]]
_Parsed = TypeVar("_Parsed")

# Spreadsheets take a cell that begins with one of these for a formula, the full-width signs included.
_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_COMMA_HINT = "; a cell that holds a comma needs quotes, and a number a decimal point"


def decode_csv(
    content: bytes, what: str, error: type[AttnxaiError], encoding: str = "utf-8-sig"
) -> str:
    """Text of a CSV file, by default in UTF-8 with or without a byte order mark.

    ``what`` names the file in the ``error``, such as ``"annotation table marks.csv"``.
    """
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as reason:
        raise error(
            f"{what} is not UTF-8 text (byte {reason.start}); save it in UTF-8 (in Excel as CSV UTF-8)"
        ) from reason


def read_csv(path: str | Path, what: str, error: type[AttnxaiError]) -> str:
    """Text of a CSV file, as :func:`decode_csv` gives it."""
    return decode_csv(read_input(Path(path), what, error), what, error)


def parse_csv(
    text: str, what: str, error: type[AttnxaiError], *, delimiter: str = ",", first_line: int = 1
) -> tuple[list[str], Rows]:
    """Header of a table, and its rows one by one with the line on which each begins, counted from ``first_line``.

    A cell in quotes may span several lines. Spaces around cells are taken off, and rows without any
    content are skipped. A row may have more or fewer cells than there are columns.
    """
    rows = _rows(text, what, error, delimiter, first_line)
    try:
        _, header = next(rows)
    except StopIteration:
        raise error(f"{what} is empty; its first line has to name the columns") from None
    return header, rows


def _rows(
    text: str, what: str, error: type[AttnxaiError], delimiter: str, first_line: int
) -> Iterator[tuple[int, list[str]]]:
    by_spaces = delimiter == " "
    lines = (found[0] for found in _LINE.finditer(text))
    reader = csv.reader(lines, strict=True, delimiter=delimiter, skipinitialspace=by_spaces)
    line = first_line
    words: dict[str, str] = {}  # most cells recur, such as names, and are kept once
    try:
        while (cells := _next_row(reader, len(text))) is not None:
            stripped = [words.setdefault(cell, cell) for cell in map(str.strip, cells)]
            if any(stripped):
                yield line, stripped
            line = reader.line_num + first_line
    except csv.Error as reason:
        raise error(
            f"{what} is not valid CSV: {reason} (in the row that begins on line {line})"
        ) from reason


def _next_row(reader: Iterator[list[str]], longest: int) -> list[str] | None:
    """The next row of a table whose cells may be longer than Python's usual limit; None at its end."""
    usual = csv.field_size_limit(max(longest, csv.field_size_limit()))
    try:
        return next(reader, None)
    finally:
        csv.field_size_limit(usual)


class Faults:
    """What is wrong with the rows of a table: the first faults in words, and how many rows have any.

    Faults of a column for which the same would be right are one entry, with the lines of them all.
    """

    _MOST_LISTED = 15
    _MOST_LINES = 5
    _LONGEST_VALUE = 60

    def __init__(self, item: str = "line") -> None:
        self._item = item
        self._entries: dict[str, tuple[list[int], str]] = {}
        self.n_rows = 0
        self._n_faults = 0
        self._last_line = 0

    def __len__(self) -> int:
        return self._n_faults

    def add(self, line: int, column: str, value: str, right: str) -> None:
        """A value that is not what would be right in its place, such as "a number"."""
        if not value:
            self.add_row(line, f", column {column} is empty, but has to be {right}")
            return
        shown = repr(value)
        if len(shown) > self._LONGEST_VALUE:
            shown = f"{shown[: self._LONGEST_VALUE - 3]}..."
        self._add(line, f", column {column}: {{}} is not {right}", shown)

    def add_row(self, line: int, text: str) -> None:
        """A fault of a row, in words that follow the number of its line."""
        self._add(line, text, "")

    def _add(self, line: int, text: str, shown: str) -> None:
        self._n_faults += 1
        self.n_rows += line != self._last_line
        self._last_line = line
        if text in self._entries or len(self._entries) < self._MOST_LISTED:
            self._entries.setdefault(text, ([], shown))[0].append(line)

    def error(self, kind: type[AttnxaiError], message: str) -> AttnxaiError:
        """An error with the faults, one an entry, and how many more there are."""
        entries = [self._entry(*entry) for entry in self._entries.items()]
        more = self._n_faults - sum(len(lines) for lines, _ in self._entries.values())
        return kind("\n  ".join([message, *entries, *([f"and {more} more"] if more else [])]))

    def _entry(self, text: str, entry: tuple[list[int], str]) -> str:
        lines, shown = entry
        distinct = list(dict.fromkeys(lines))
        if len(distinct) == 1:
            where = f"{self._item} {distinct[0]}"
        else:
            where = f"{self._item}s {first_of([str(line) for line in distinct], self._MOST_LINES)}"
        what = f"{shown} (the first of {len(lines)})" if shown and len(lines) > 1 else shown
        return where + (text.replace("{}", what, 1) if shown else text)


def parse_rows(
    header: Sequence[str],
    rows: Rows,
    what: str,
    error: type[AttnxaiError],
    parse: Callable[[dict[str, str], int, Faults], _Parsed | None],
    *,
    item: str = "line",
) -> list[_Parsed]:
    """What ``parse`` makes of the cells of every row; it adds what is wrong with a row to the faults.

    Rows with more or fewer cells than the header are faults as well. Faults are raised together, and a table
    without rows is refused. ``item`` says what the numbers of rows count.
    """
    faults, parsed = Faults(item), []
    n_rows = 0
    for line, cells in rows:
        n_rows += 1
        if len(cells) == len(header):
            found = parse(dict(zip(header, cells, strict=True)), line, faults)
            if found is not None:
                parsed.append(found)
        else:
            hint = _COMMA_HINT if len(cells) > len(header) else ""
            text = (
                f": {counted(len(cells), 'cell')}, but the header has {len(header)} columns{hint}"
            )
            faults.add_row(line, text)
    if faults:
        raise faults.error(error, f"{faults.n_rows} of {n_rows} rows of {what} cannot be used:")
    if not n_rows:
        raise error(f"{what} has a header but no rows; add a row for each entry")
    return parsed


def decimal(text: str) -> float:
    """A number written in decimals; a ValueError for anything else.

    Python also admits underscores, which a table holds by mistake only.
    """
    if "_" in text:
        raise ValueError(text)
    return float(text)


def spreadsheet_cell(value: Any) -> Any:
    """A value as it is written into a CSV file.

    Text that a spreadsheet would evaluate as a formula gets an apostrophe in front, which spreadsheets take
    for the mark of text, and control characters become ``?``. Numbers stay numbers, also where they are text.
    """
    if not isinstance(value, str):
        return value
    is_formula = value.startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(value)
    return ("'" if is_formula else "") + printable(value)


def plain_cell(text: str) -> str:
    """Text of a cell without the apostrophe that :func:`spreadsheet_cell` puts in front of what looks like a formula.

    Examples
    --------
    >>> plain_cell("'=x"), plain_cell("'x")
    ('=x', "'x")
    """
    return (
        text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA_STARTS) else text
    )


def write_frame(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV in UTF-8, with cells as :func:`spreadsheet_cell` gives them."""
    write_file(path, _safe(frame).to_csv(index=False))


def write_frames(frames: Iterable[pd.DataFrame], path: Path) -> None:
    """The same for a table that comes in one or more parts with the same columns, of which one is held at a time."""
    with open(path, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        for number, frame in enumerate(frames):
            _safe(frame).to_csv(file, index=False, header=number == 0, lineterminator="\n")


def _safe(frame: pd.DataFrame) -> pd.DataFrame:
    safe = frame.map(spreadsheet_cell)
    safe.columns = [spreadsheet_cell(name) for name in frame.columns]
    return safe
