"""Tables of text as programs and spreadsheets write them: separators, comments, numbers with a decimal comma."""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Callable, Sequence

from attnxai.data.csv_table import decode_csv, parse_csv
from attnxai.data.wording import counted
from attnxai.errors import AttnxaiError

# spaces come last, since they may also stand behind the others
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", " ": "spaces"}
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_END_OF_LINE = re.compile(r"\r\n?")
_SEP = re.compile(r"^\"?sep=(.)\"?,*$", re.IGNORECASE)
_NAME = re.compile(r"[\w.()\[\]/+-]+(?: [\w.()\[\]/+-]+)*")
_RULER = re.compile(r"-+|=+")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_MINUS = str.maketrans({"\u2212": "-", "\u2013": "-", "\ufe63": "-", "\u00a0": " ", "\u202f": " "})
_Score = Callable[[Sequence[str]], int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableOfText:
    """Header and rows of a table, with what was assumed about it in ``notes``.

    ``rows`` has the line on which each row begins, counted from 1, and its cells, as many as there are columns where
    further ones are empty.
    """

    header: list[str]
    rows: list[tuple[int, list[str]]]
    delimiter: str
    notes: list[str]


def decode_text(content: bytes, what: str, error: type[AttnxaiError]) -> str:
    """Text in UTF-8, or in UTF-16 with a byte order mark, as spreadsheets save it, with line feeds at the ends of lines."""
    return _END_OF_LINE.sub("\n", decode_csv(content, what, error, _encoding_of(content)))


def _encoding_of(head: bytes) -> str:
    return "utf-16" if head.startswith(_UTF_16) else "utf-8-sig"


def read_table_of_text(
    text: str, what: str, error: type[AttnxaiError], *, n_known: _Score
) -> TableOfText:
    r"""Find header, separator and comments of a table.

    Comments are lines before the header that begin with ``#``, and later ones of a single cell that does; a line below the
    header of which all cells are dashes is one, too.

    Parameters
    ----------
    text : str
        The whole table.
    what : str
        The file in errors, such as ``"annotation table marks.csv"``.
    error : type
        Kind of the errors.
    n_known : callable
        How many names of a header are known; the separator with most of them is that of the table.

    Examples
    --------
    >>> from attnxai.errors import AnnotationError
    >>> table = read_table_of_text(
    ...     "# by hand\nx;y\n1,5;2\n", "table", AnnotationError, n_known=lambda names: len({*names} & {"x", "y"})
    ... )
    >>> table.header, table.rows, table.notes
    (['x', 'y'], [(3, ['1,5', '2'])], ['Its columns are separated by semicolons.', '1 line of comments is skipped.'])
    """
    stated, n_comments, at, first_line = "", 0, 0, 1
    header_line = ""
    commented: tuple[str, int, int] | None = None
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line = text[at:end].strip().strip("\ufeff")
        if found := _SEP.match(line):
            stated = found[1] if found[1] in DELIMITERS else stated
        elif line.startswith("#"):
            n_comments += 1
            commented = line.lstrip("# "), end + 1, first_line + 1
        elif line.strip(',;|\t" '):
            header_line = line
            break
        at, first_line = end + 1, first_line + 1
    delimiter = stated or _delimiter_of(header_line, n_known)
    header: list[str] | None = None
    if commented is not None and _score(header_line, delimiter, n_known) == 0:
        other = _delimiter_of(commented[0], n_known)
        if _score(commented[0], other, n_known) >= 2:  # the header itself is a comment
            delimiter, header = other, _cells(commented[0], other)
            at, first_line, n_comments = *commented[1:], n_comments - 1
    first, numbered = parse_csv(text[at:], what, error, delimiter=delimiter, first_line=first_line)
    rows = list(numbered)
    if header is None:
        header = first
    else:
        rows.insert(0, (first_line, first))
    return _tidied(header, rows, delimiter, n_comments)


def _tidied(
    header: list[str], rows: list[tuple[int, list[str]]], delimiter: str, n_comments: int
) -> TableOfText:
    """The table without comments between its rows and without empty columns at its end."""
    kept = [row for row in rows if not (row[1][0].startswith("#") and not any(row[1][1:]))]
    if kept and all(_RULER.fullmatch(cell) for cell in kept[0][1] if cell):
        del kept[0]
    n_comments += len(rows) - len(kept)
    n_columns = len(header)
    while (
        n_columns
        and not header[n_columns - 1]
        and not any(any(r[n_columns - 1 :]) for _, r in kept)
    ):
        n_columns -= 1
    n_trailing = 0
    for number, (line, cells) in enumerate(kept):
        if len(cells) > n_columns and not any(cells[n_columns:]):
            n_trailing += len(cells) > len(header)
            kept[number] = line, cells[:n_columns]
    notes = [f"Its columns are separated by {DELIMITERS[delimiter]}."] if delimiter != "," else []
    if n_comments:
        verb = "is" if n_comments == 1 else "are"
        notes.append(f"{counted(n_comments, 'line')} of comments {verb} skipped.")
    if n_trailing and delimiter != " ":
        notes.append(
            f"{counted(n_trailing, 'row ends', 'rows end')} with empty cells that have no column."
        )
    return TableOfText(header=header[:n_columns], rows=kept, delimiter=delimiter, notes=notes)


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        by_spaces = delimiter == " "
        reader = csv.reader([line], delimiter=delimiter, skipinitialspace=by_spaces)
        return [cell.strip() for cell in next(reader, [])]
    except csv.Error:
        return []


def _score(line: str, delimiter: str, n_known: _Score) -> int:
    cells = _cells(line, delimiter)
    known = n_known(cells)
    # words of prose and of JSON stand between spaces, too
    is_header = delimiter != " " or (2 * known >= len(cells) and all(map(_NAME.fullmatch, cells)))
    return known if is_header else 0


def _delimiter_of(line: str, n_known: _Score) -> str:
    """The separator with which most names of a header are known; a comma if none is."""
    return max(DELIMITERS, key=lambda delimiter: _score(line, delimiter, n_known))


def header_score(head: bytes, n_known: _Score) -> int:
    """How many known columns the header of a table has, from the beginning of its file; 0 for other files."""
    text = head.decode(_encoding_of(head), errors="replace")
    best = 0
    for raw in _END_OF_LINE.sub("\n", text).split("\n")[:200]:
        line = raw.strip().strip("\ufeff")
        if not line or _SEP.match(line):
            continue
        is_comment = line.startswith("#")
        line = line.lstrip("# ") if is_comment else line
        score = _score(line, _delimiter_of(line, n_known), n_known)
        best = max(best, score if not is_comment or score >= 2 else 0)
        if not is_comment:
            break
    return best


class Numbers:
    """Numbers in the cells of one table, with a decimal point or, where it has other separators, a decimal comma.

    ``n_commas`` and ``n_minus`` count cells that were read so, and those with another sign for the minus.
    """

    def __init__(self, delimiter: str = ",") -> None:
        self._takes_commas = delimiter != ","
        self.n_commas = self.n_minus = 0

    def __call__(self, text: str) -> float:
        """The number in a cell; a ValueError where there is none."""
        if "_" in text:  # Python admits them
            raise ValueError(text)
        try:
            return float(text)
        except ValueError:
            plain = text.translate(_MINUS).strip()
            comma = self._takes_commas and _DECIMAL_COMMA.fullmatch(plain)
            value = float(plain.replace(",", ".") if comma else plain)
            self.n_commas += bool(comma)
            self.n_minus += plain != text
            return value

    def notes(self) -> list[str]:
        """What was read in other than the usual way."""
        found = []
        if n := self.n_commas:
            found.append(
                f"{counted(n, 'number')} with a decimal comma {'is' if n == 1 else 'are'} read."
            )
        if n := self.n_minus:
            found.append(
                f"{counted(n, 'number')} with another sign for the minus {'is' if n == 1 else 'are'} read."
            )
        return found
