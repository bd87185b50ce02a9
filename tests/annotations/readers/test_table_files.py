"""Annotation tables as files: what makes a table, its encoding, and what is no table."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from attnxai.annotations.readers import open_annotations, read_annotations
from attnxai.annotations.readers.table import parse_table
from attnxai.annotations.table_columns import COLUMNS
from attnxai.errors import AnnotationError
from tests.annotations.readers.test_table import table

CATALOGUE_HEADER = "catalog_id,first_id,num_cpnts,num_peaks,cpnts_ras,cpnts_decs,cl"


class TestBadFiles:
    @pytest.mark.parametrize("missing", [("source", "image"), ("x", "vertices", "label")])
    def test_missing_column(self, missing: tuple[str, ...]) -> None:
        header = ",".join(name for name in COLUMNS if name not in missing)
        lacking = " source" if "source" in missing else "s label, x"
        with pytest.raises(AnnotationError, match=rf"table t\.csv lacks the column{lacking}; its"):
            parse_table(header + "\ns1\n", path="t.csv")

    def test_several_missing_columns(self) -> None:
        with pytest.raises(
            AnnotationError, match=r"columns annotator, label, x, y; its header is source"
        ):
            parse_table("source,shape\na,b\n")

    def test_column_twice(self) -> None:
        with pytest.raises(AnnotationError, match="has the column label, x twice; take one"):
            parse_table("source,annotator,shape,x,x,label,label\n")

    def test_unnamed_columns_twice(self) -> None:
        with pytest.raises(AnnotationError, match="has the column one without a name twice"):
            parse_table("source,annotator,shape,x,y,label,,\ns1,ann,point,1,2,core,a,b\n")

    def test_empty(self) -> None:
        with pytest.raises(AnnotationError, match=r"annotation table t\.csv is empty"):
            parse_table("", path="t.csv")

    @pytest.mark.parametrize("rest", ["", "\n\n", ",,,,,,,,,,,,,,\n"])
    def test_header_alone(self, rest: str) -> None:
        with pytest.raises(AnnotationError, match="has a header but no rows"):
            parse_table(table() + rest)

    @pytest.mark.parametrize("end", ['"open', '"closed" too early'])
    def test_quotes_that_do_not_match(self, end: str) -> None:
        text = table({}) + f"s1,ann,point,1,2,,,,,,,core,,,{end}\n"
        with pytest.raises(AnnotationError, match=r"is not valid CSV: .*begins on line 3"):
            parse_table(text)


class TestReading:
    def test_file_with_its_hash(self, write_table: Callable[..., Path]) -> None:
        path = write_table(*table({}).splitlines())
        read = read_annotations(path)
        assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert read.path == str(path)
        assert len(read) == 1

    def test_byte_order_mark(self, write_table: Callable[..., Path]) -> None:
        path = write_table(*table({}).splitlines(), encoding="utf-8-sig")
        assert path.read_bytes().startswith(b"\xef\xbb\xbf")
        assert read_annotations(path).sources == ("s1",)

    def test_other_encodings(self, write_table: Callable[..., Path]) -> None:
        lines = table({"annotator": "Jörg"}).splitlines()
        path = write_table(*lines, encoding="utf-16")
        assert read_annotations(path).annotators == ("Jörg",)
        path = write_table(*lines, encoding="latin-1")
        with pytest.raises(AnnotationError, match=r"table\.csv is not UTF-8 text \(byte \d+\)"):
            read_annotations(path)

    def test_names_in_any_script(self, write_table: Callable[..., Path]) -> None:
        path = write_table(*table({"annotator": "Jörg", "source": "源1"}).splitlines())
        read = read_annotations(path)
        assert (read.annotators, read.sources) == (("Jörg",), ("源1",))

    @pytest.mark.parametrize(
        ("content", "refusal"),
        [
            (b"\x00" * 10, r"; no reader recognises it\. Known formats are "),
            (b"\x89PNG\r\n" + b"\xff" * 300_000, r"; no reader recognises it\. Known formats are "),
            (b"x" * 300_000, r"is a text; no reader"),
            (b"source,annotator,shape,label\n" + b"x" * 300_000, r"1 cell, but the header has"),
            (b"", r"t\.csv is empty; an annotation table needs the columns source, x and y"),
            (b"\n \n", r"t\.csv is empty; an annotation table needs the columns source, x and y"),
        ],
        ids=["zeros", "picture", "long header", "long row", "empty", "blank"],
    )
    def test_what_is_no_table(self, tmp_path: Path, content: bytes, refusal: str) -> None:
        path = tmp_path / "t.csv"
        path.write_bytes(content)
        with pytest.raises(AnnotationError, match=refusal):
            read_annotations(path)

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(AnnotationError, match=r"annotation file .*gone\.csv' does not exist"):
            read_annotations(tmp_path / "gone.csv")

    def test_formats_are_known_by_their_columns(self, write_table: Callable[..., Path]) -> None:
        def name(header: str, encoding: str = "utf-8") -> str:
            return str(open_annotations(write_table(header, encoding=encoding))[0][0].name)

        assert name(CATALOGUE_HEADER) == "ClaRAN catalogue"
        assert name(CATALOGUE_HEADER, "utf-8-sig") == "ClaRAN catalogue"
        assert name(",".join(COLUMNS)) == "annotation table (CSV)"
        assert name("Source;Shape;x;y") == "annotation table (CSV)"
        with pytest.raises(AnnotationError, match="needs the columns source, x and y"):
            name(CATALOGUE_HEADER.replace("cl", "level"))

    def test_catalogue_needs_images(self, write_table: Callable[..., Path]) -> None:
        with pytest.raises(
            AnnotationError,
            match=r"\(ClaRAN catalogue\) lists positions on the sky; name the images \(--images, ",
        ):
            read_annotations(write_table(CATALOGUE_HEADER))
