"""Annotation tables in workbooks of Excel and LibreOffice (xlsx), of which formulas are never computed."""

from __future__ import annotations

import io
import itertools
import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.annotations.readers.registry import AnnotationFile, register_reader
from attnxai.annotations.readers.table_writer import typed_columns
from attnxai.annotations.table import annotations_of_table
from attnxai.annotations.table_columns import n_known_columns
from attnxai.annotations.table_content import (
    MOST_COLUMNS,
    TableContent,
    check_size,
    choose_part,
    text_of_cell,
)
from attnxai.annotations.writers import HELD, register_writer
from attnxai.data.csv_table import Faults
from attnxai.data.images import SourceImage
from attnxai.data.wording import counted, printable
from attnxai.errors import AnnotationError

NAME = "Excel workbook"
_HEADER_ROWS = 50
_MOST_RATIO = 200
_MOST_UNPACKED = 1 << 29
_CHUNK = 1 << 20
_MOST_CHARACTERS = 32_767
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s>/]")
_MERGED = re.compile(
    rb'<(?:\w+:)?mergeCell\s[^>]{0,99}?ref="([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})"'
)
_LONGEST_REFERENCE = 200
_Row = tuple[int, list[str]]


def _recognises(head: bytes) -> bool:
    return head.startswith(b"PK\x03\x04") and (
        b"[Content_Types].xml" in head or b"xl/" in head or b"docProps/" in head
    )


@register_reader(NAME, recognises=_recognises)
def read_workbook(file: AnnotationFile) -> AnnotationSet:
    """Read the sheet with an annotation table; an AnnotationError lists row, column and value of every fault."""
    return annotations_of_table(workbook_content(file), file)


def workbook_content(file: AnnotationFile) -> TableContent:
    """The sheet of a workbook that is meant, from the first row that names columns of an annotation table.

    Raises
    ------
    AnnotationError
        If the file is damaged or none, would unpack to far more than it is, or if several sheets could be meant.
    """
    import openpyxl

    what, content = f"workbook {file.path}", file.unpacked()
    has_formulas = _checked(content, what)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and validation
            book = openpyxl.load_workbook(
                io.BytesIO(content), read_only=True, data_only=True, keep_links=False
            )
            headers = {sheet.title: _header_of(sheet) for sheet in book.worksheets}
            name, note = choose_part(
                {title: header is not None for title, header in headers.items()},
                file.part,
                str(file.path),
                "sheet",
                NAME,
            )
            sheet, found = book[name], headers[name]
            if found is None:
                raise AnnotationError(
                    f"sheet {printable(name)!r} of {what} names no columns of an annotation table in its first "
                    f"{_HEADER_ROWS} rows; it needs source, annotator, shape and label"
                )
            number, header = found
            rows = list(_rows(sheet, first=number + 1, n_columns=len(header) + 1))
            notes = [note] if note else []
            if number > 1:
                notes.append(f"Its columns are named in row {number}; what is above is not read.")
            if n_filled := _fill_merged(sheet, rows, len(header), what):
                verb = "is" if n_filled == 1 else "are"
                notes.append(f"{counted(n_filled, 'merged cell')} {verb} read as the value above.")
            if has_formulas:
                notes += _formulas(content, name, number, rows, header, what)
    except (AnnotationError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:150]
        raise AnnotationError(f"{what} is damaged, or not an Excel workbook: {reason}") from error
    n_columns = len(header)
    return TableContent(
        header=header,
        rows=[(n, cells if cells[n_columns] else cells[:n_columns]) for n, cells in rows],
        what=f"sheet {printable(name)!r} of {what}",
        item="row",
        delimiter=";",  # numbers that are kept as text may have a decimal comma
        notes=notes,
    )


def _checked(content: bytes, what: str) -> bool:
    """Refuse an archive that holds no workbook or too much; whether it holds formulas."""
    has_formulas = False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            if not any(part.filename.endswith("workbook.xml") for part in parts):
                raise AnnotationError(
                    f"{what} is a ZIP archive without a workbook of Excel (xlsx); unpack it, or save the table as xlsx or CSV"
                )
            unpacked = sum(part.file_size for part in parts)
            if unpacked > min(_MOST_UNPACKED, _MOST_RATIO * len(content)) or len(parts) > 10_000:
                raise AnnotationError(
                    f"{what} would unpack to {unpacked:,} bytes, far more than the {len(content):,} that it has"
                )
            for part in parts:
                if not part.filename.endswith((".xml", ".rels")):
                    continue
                before = b""
                with archive.open(part) as stream:
                    while chunk := stream.read(_CHUNK):
                        text = before + chunk
                        if (
                            b"<!DOCTYPE" in text
                            or b"<!ENTITY" in text
                            or (not before and b"\0" in text)
                        ):
                            raise AnnotationError(
                                f"{what} defines entities of XML in {part.filename[:60]!r}, as no spreadsheet does"
                            )
                        has_formulas = has_formulas or _FORMULA.search(text) is not None
                        before = chunk[-16:]
    except (AnnotationError, MemoryError):
        raise
    except Exception as error:  # of zipfile and of what unpacks
        raise AnnotationError(f"{what} is damaged: {str(error)[:150]}") from error
    return has_formulas


def _header_of(sheet: Any) -> tuple[int, list[str]] | None:
    """Row and names of the columns, in the first row that names those of an annotation table; None if none does."""
    best: tuple[int, int, list[str]] | None = None
    for number, cells in _rows(sheet, first=1, last=_HEADER_ROWS, n_columns=MOST_COLUMNS):
        names = cells
        while names and not names[-1]:
            names = names[:-1]
        score = n_known_columns(names)
        if score and (best is None or score > best[0]):
            best = score, number, names
    return best and best[1:]


def _rows(sheet: Any, *, first: int, n_columns: int, last: int | None = None) -> Iterable[_Row]:
    """Rows with some content as text, each of so many columns."""
    sheet.reset_dimensions()  # which a file may state at will
    n = 0
    values = sheet.iter_rows(min_row=first, max_row=last, max_col=n_columns, values_only=True)
    for number, row in enumerate(values, start=first):
        cells = [text_of_cell(value) for value in row]
        if any(cells):
            n += 1
            check_size(f"sheet {printable(sheet.title)!r}", n, 1)
            yield number, cells


def _fill_merged(sheet: Any, rows: Sequence[_Row], n_columns: int, what: str) -> int:
    """Give cells that are merged over several rows the value of the first of them, and count those."""
    from openpyxl.utils import column_index_from_string

    found: set[tuple[bytes, ...]] = set()
    with sheet._get_source() as stream:  # noqa: SLF001 -- openpyxl leaves them out of what it reads row by row
        before = b""
        while chunk := stream.read(_CHUNK):
            found.update(_MERGED.findall(before + chunk))
            before = chunk[-_LONGEST_REFERENCE:]
    stored, n_filled, n_left = dict(rows), 0, len(rows) * n_columns
    for left, top, right, bottom in found:
        columns = range(
            column_index_from_string(left.decode()) - 1,
            min(column_index_from_string(right.decode()), n_columns),
        )
        covered = range(int(top) + 1, min(int(bottom), rows[-1][0]) + 1 if rows else 0)
        n_left -= len(columns) * len(covered)
        if n_left < 0:
            raise AnnotationError(f"{what} has merged cells that overlap; split them")
        for number in covered:
            for column in columns:
                value = stored[int(top)][column] if int(top) in stored else ""
                if value and number in stored and not stored[number][column]:
                    stored[number][column] = value
                    n_filled += 1
    return n_filled


def _formulas(
    content: bytes, name: str, first: int, rows: Sequence[_Row], header: Sequence[str], what: str
) -> list[str]:
    """A note on formulas whose stored values were read; an error where a file stores none."""
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, keep_links=False)
    sheet = book[name]
    sheet.reset_dimensions()
    stored = dict(rows)
    faults, n_read = Faults("row"), 0
    computed = sheet.iter_rows(min_row=first + 1, max_col=len(header))
    for number, row in enumerate(computed, start=first + 1):
        for column, cell in enumerate(row):
            if cell.data_type != "f":
                continue
            if number in stored and stored[number][column]:
                n_read += 1
            else:
                faults.add_row(
                    number,
                    f", column {header[column][:40]}: a formula whose value the file does not store; open and save it in a "
                    "spreadsheet program, or write the value",
                )
    if faults:
        raise faults.error(
            AnnotationError, f"{counted(faults.n_rows, 'row')} of {what} cannot be used:"
        )
    verb = "is" if n_read == 1 else "are"
    return (
        [f"{counted(n_read, 'cell')} with a formula {verb} read as the value that is stored."]
        if n_read
        else []
    )


@register_writer(NAME, extension=".xlsx", holds=HELD, by_ending=True)
def write_workbook(annotations: AnnotationSet, _: Mapping[str, SourceImage]) -> dict[str, bytes]:
    """One sheet of all annotations; text stays text, whatever it looks like."""
    import openpyxl
    from openpyxl.cell import WriteOnlyCell

    columns, _units = typed_columns(annotations)
    longest = max(
        (len(c) for cells in columns.values() for c in cells if isinstance(c, str)), default=0
    )
    if longest > _MOST_CHARACTERS:
        raise AnnotationError(
            f"a cell of an {NAME} holds {_MOST_CHARACTERS:,} characters, but the vertices of a shape take "
            f"{longest:,}; write CSV"
        )
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("annotations")
    sheet.append(list(columns))

    def cell(value: Any) -> Any:
        if value == "" or not isinstance(value, str):
            return None if value == "" else value
        made = WriteOnlyCell(sheet, value=value)
        made.data_type = "s"
        return made

    for row in itertools.zip_longest(*columns.values()):
        sheet.append([cell(value) for value in row])
    stream = io.BytesIO()
    book.save(stream)
    return {"annotations.xlsx": stream.getvalue()}
