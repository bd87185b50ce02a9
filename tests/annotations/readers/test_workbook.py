"""Excel workbooks as annotation tables: sheets, formulas, dates, and archives that are none."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import re
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from attnxai.annotations import AnnotationSet, write_annotations
from attnxai.annotations.shapes import ShapeKind
from attnxai.errors import AnnotationError
from tests.annotations.marks_in_common import PIXEL_SHAPES, marks

Read = Callable[..., AnnotationSet]


def workbook(path: Path, **sheets: Any) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)


HEADER: list[Any] = ["Source", "Annotator", "Shape", "RA", "Dec", "r (arcsec)", "Label", "seen on"]
ROWS: list[Any] = [
    ["g1", "Ann", "circle", "10:00:24", "+40:12:00", 5.5, "lobe", dt.date(2024, 5, 17)],
    ["g2", "Ann", "point", dt.time(10, 0, 24), dt.timedelta(hours=40, minutes=12), None, "core", None],
    [7, "Bob", "circle", "150,1", "40,2", "5,5", "lobe", dt.datetime(2024, 5, 17, 12, 30)],  # noqa: DTZ001 -- as a spreadsheet has it
]  # fmt: skip


class TestWorkbook:
    def test_cells_as_spreadsheets_have_them(self, read: Read) -> None:
        notes = [["marked on 17 May"], [], HEADER, *ROWS]
        found = read(lambda path: workbook(path, Tabelle1=notes, Tabelle2=[]))
        assert [a.source for a in found.annotations] == ["g1", "g2", "7"]
        for annotation in found.annotations:
            assert annotation.shape.points[0] == pytest.approx((150.1, 40.2))
        assert found.annotations[2].shape.radius == 5.5
        assert [a.other["seen on"] for a in found.annotations] == [
            "2024-05-17",
            "",
            "2024-05-17T12:30:00",
        ]
        said = " ".join(found.notices)
        assert "Of its sheets Tabelle1 is read, not Tabelle2." in said
        assert "named in row 3; what is above is not read" in said
        assert "3 numbers with a decimal comma are read" in said

    def test_merged_cells(self, read: Read) -> None:
        import openpyxl

        def merged(path: Path, *ranges: str) -> None:
            workbook(path, marks=[HEADER, ROWS[0], [None, None, *ROWS[0][2:]], ROWS[0]])
            book = openpyxl.load_workbook(io.BytesIO(path.read_bytes()))
            for cells in ranges:
                book["marks"].merge_cells(cells)
            book.save(path)

        found = read(lambda path: merged(path, "A2:A3", "B2:B3", "H2:H4"))
        assert [(a.source, a.annotator) for a in found.annotations] == [("g1", "Ann")] * 3
        assert "4 merged cells are read as the value above." in found.notices
        with pytest.raises(AnnotationError, match="row 3, column source is empty"):
            read(lambda path: merged(path, "C2:C3"))
        overlapping = [f"A2:A{row}" for row in range(9, 22)]
        with pytest.raises(AnnotationError, match="has merged cells that overlap; split them"):
            read(lambda path: merged(path, *overlapping))

    def test_faults_name_sheet_row_and_column(self, read: Read) -> None:
        rows = [*ROWS, ["g4", "Bob", "circle", 1, 2, -3, "lobe"], [None], ["g5", "Bob"]]
        with pytest.raises(AnnotationError) as caught:
            read(lambda path: workbook(path, Marks=[HEADER, *rows]))
        text = str(caught.value)
        assert "rows of sheet 'Marks' of workbook" in text
        assert "row 5, column radius: '-3' is not a length" in text
        assert "row 7, column shape is empty" in text

    def test_several_sheets(self, read: Read) -> None:
        def write(path: Path) -> None:
            workbook(path, Ann=[HEADER, ROWS[0]], Bob=[HEADER, ROWS[2]])

        with pytest.raises(
            AnnotationError, match=r"several sheets .* 'Ann', 'Bob'; .*workbook:Ann"
        ):
            read(write)
        assert read(write, format="excel:bob").sources == ("7",)
        with pytest.raises(AnnotationError, match="has no sheet 'Cid'"):
            read(write, format="excel:Cid")
        with pytest.raises(AnnotationError, match=r"holds no annotations: its sheet does not have"):
            read(lambda path: workbook(path, A=[["what", "ever"], [1, 2]]))

    def test_formulas_are_not_computed(self, read: Read, tmp_path: Path) -> None:
        row = ["g1", "Ann", "circle", "=150+0.1", 40.2, 5, "lobe"]
        with pytest.raises(AnnotationError, match=r"row 2, column RA: a formula whose value the"):
            read(lambda path: workbook(path, A=[HEADER, row]))
        # as a spreadsheet program saves it, with the value beside the formula
        with zipfile.ZipFile(tmp_path / "marks.data") as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        sheet = "xl/worksheets/sheet1.xml"
        stored = re.sub(rb"<v\s*/>|<v></v>", b"<v>150.1</v>", parts[sheet])
        assert stored != parts[sheet]
        found = read(_zipped({**parts, sheet: stored}))
        assert found.annotations[0].shape.x == 150.1
        assert "1 cell with a formula is read as the value that is stored." in found.notices

    def test_what_is_refused(self, read: Read, tmp_path: Path) -> None:
        workbook(tmp_path / "a.xlsx", A=[HEADER, *ROWS])
        content = (tmp_path / "a.xlsx").read_bytes()
        with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        sheet = "xl/worksheets/sheet1.xml"
        bomb = parts[sheet].replace(b"</sheetData>", b" " * 50_000_000 + b"</sheetData>")
        doctype = b'<!DOCTYPE a [<!ENTITY x "y">]>' + parts[sheet]
        for damaged, message in (
            (_zipped({**parts, sheet: bomb}), "would unpack to 50,0.* bytes, far more than"),
            (_zipped({**parts, sheet: doctype}), "defines entities of XML in 'xl/worksheets"),
            (_zipped({"xl/readme.txt": b"x"}), "a ZIP archive without a workbook"),
            (content[:-40], "is damaged"),
            (content[:300] + bytes(300) + content[600:], "is damaged"),
        ):
            with pytest.raises(AnnotationError, match=message):
                read(damaged)

    def test_a_far_cell_costs_nothing(self, read: Read, tmp_path: Path) -> None:
        workbook(tmp_path / "a.xlsx", A=[HEADER, *ROWS])
        with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        sheet = "xl/worksheets/sheet1.xml"
        far = b'<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c></row></sheetData>'
        start = time.process_time()
        found = read(_zipped({**parts, sheet: parts[sheet].replace(b"</sheetData>", far)}))
        assert len(found) == 3
        assert time.process_time() - start < 20

    def test_text_that_would_be_cut(self, tmp_path: Path) -> None:
        vertices = tuple((i + 0.123456789, i / 7) for i in range(3000))
        line = dataclasses.replace(PIXEL_SHAPES[ShapeKind.LINE], vertices=vertices)
        with pytest.raises(AnnotationError, match="holds 32,767 characters, but the vertices"):
            write_annotations(marks(line), tmp_path / "a.xlsx")


def _zipped(parts: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return stream.getvalue()
