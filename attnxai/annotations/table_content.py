"""What a file of some format says a table holds, before the meaning of its columns is known."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attnxai.data.csv_table import Rows
from attnxai.data.wording import counted, first_of, printable
from attnxai.errors import AnnotationError

_PAIR = re.compile(r"[(\[]([^()\[\]]*)[)\]]")
_WELL_KNOWN_TEXT = re.compile(r"(?:POLYGON|LINESTRING)\s*\(+([^()]*)\)+", re.IGNORECASE)
MOST_ROWS = 1_000_000
"""Rows that are read of a format that can claim any number of them in a few bytes."""
MOST_COLUMNS = 1_000
"""Columns that are read of such a format."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableContent:
    """Header and rows of a table as text, with what its file says beside them.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.
    rows : iterable of (int, list of str)
        Number of each row as a user would look it up, and its cells.
    what : str
        The table in errors, such as ``annotation table marks.csv``.
    item : str
        What the number of a row counts: ``line`` or ``row``.
    delimiter : str
        What separates its columns, which decides whether numbers may have a decimal comma.
    units : mapping of str to str
        Units that the file states, by the names of columns.
    meanings : mapping of str to str
        What columns of other names hold, as the file states it.
    frame : str
        Frame of positions on the sky, as of :data:`~.sky_frames.FRAMES`, where the file states it for all rows.
    notes : sequence of str
        What was assumed so far.
    """

    header: Sequence[str]
    rows: Rows
    what: str
    item: str = "line"
    delimiter: str = ","
    units: Mapping[str, str] = dataclasses.field(default_factory=dict)
    meanings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    frame: str = ""
    notes: Sequence[str] = ()


def text_of_cell(value: Any) -> str:
    """A value of a typed table as the text that an annotation table would have in its place.

    What is missing, not a number or masked is empty. Dates are written as in ISO 8601, and hours of the day or longer
    times as ``10:00:05``, since spreadsheets take coordinates for them.

    Examples
    --------
    >>> import datetime as dt
    >>> [text_of_cell(value) for value in (None, float("nan"), 0.1, 3, True, b"ann ", dt.time(10, 0, 5))]
    ['', '', '0.1', '3', 'true', 'ann', '10:00:05']
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace").strip("\0 ")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(float(value))
    if isinstance(value, dt.timedelta):
        seconds = value.total_seconds()
        whole = int(abs(seconds))
        text = (
            f"{whole // 3600:02}:{whole // 60 % 60:02}:{abs(seconds) - whole + whole % 60:02.10g}"
        )
        return f"-{text}" if seconds < 0 else text
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return value.date().isoformat()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value).strip()


def plain_positions(text: str) -> str:
    """Positions as ``x y; x y``, also of a list as Python, NumPy and JSON write it, and of WKT.

    Examples
    --------
    >>> plain_positions("[(1, 2), (3, 4)]"), plain_positions("LINESTRING (1 2, 3 4)")
    ('1  2;3  4', '1 2; 3 4')
    """
    plain = text.strip()
    if known := _WELL_KNOWN_TEXT.fullmatch(plain):
        return known[1].replace(",", ";")
    if plain.startswith(("[", "(")) and not _PAIR.sub("", plain).strip("[](),; \n"):
        return ";".join(pair.replace(",", " ") for pair in _PAIR.findall(plain))
    return plain


def numbered(columns: Sequence[Sequence[str]]) -> Iterable[tuple[int, list[str]]]:
    """Rows of a table that is given by its columns, counted from 1; those without any content are left out."""
    for number, cells in enumerate(zip(*columns, strict=True), start=1):
        if any(cells):
            yield number, list(cells)


def check_size(what: str, n_rows: int, n_columns: int) -> None:
    """Refuse a table that claims more than can be read.

    Raises
    ------
    AnnotationError
        If it has more than ``MOST_ROWS`` rows or ``MOST_COLUMNS`` columns.
    """
    for n, most, name in ((n_rows, MOST_ROWS, "row"), (n_columns, MOST_COLUMNS, "column")):
        if n > most:
            raise AnnotationError(
                f"{what} has {counted(n, name)}, more than the {most:,} that are read; write it as several files"
            )


def choose_part(
    found: Mapping[str, bool], part: str, path: str, kind: str, format_name: str
) -> tuple[str, str]:
    """The sheet or table of a file that is meant.

    Parameters
    ----------
    found : mapping of str to bool
        Names of all parts, and whether each looks like a table that can be read.
    part : str
        The one that the user names; empty if none is named.
    path, kind, format_name : str
        The file, what its parts are called, and the name of its format, for messages.

    Returns
    -------
    name, note : str
        The part, and what to say about the others; empty where there are none.

    Raises
    ------
    AnnotationError
        If no part can be read, or several can and none is named.
    """
    names = list(found)
    shown = first_of([repr(printable(name)[:60]) for name in names])
    if part:
        chosen = [name for name in names if name == part] or [
            name for name in names if name.casefold() == part.casefold()
        ]
        if len(chosen) != 1:
            raise AnnotationError(f"{path} has no {kind} {part[:60]!r}; it has {shown}")
    else:
        chosen = [name for name in names if found[name]]
    if not chosen:
        which = (
            f"none of its {kind}s ({shown}) has" if len(names) > 1 else f"its {kind} does not have"
        )
        raise AnnotationError(
            f"{path} holds no annotations: {which} the columns of an annotation table, which needs source, "
            "annotator, shape and label"
        )
    if len(chosen) > 1:
        several = first_of([repr(printable(name)[:60]) for name in chosen])
        raise AnnotationError(
            f"{path} has several {kind}s with annotations, {several}; name one with the format, such as "
            f'"{format_name}:{printable(chosen[0])[:60]}"'
        )
    others = [printable(name)[:60] for name in names if name != chosen[0]]
    note = (
        f"Of its {kind}s {printable(chosen[0])[:60]} is read, not {first_of(others, 5)}."
        if others
        else ""
    )
    return chosen[0], note
