"""One reader a format, found by what a file holds; more can be registered from outside."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attnxai
import attnxai.annotations
from attnxai.annotations.inputs import read_inputs
from attnxai.annotations.readers.registry import columns_of
from attnxai.errors import AnnotationError, OptionError
from attnxai.training.held_out import read_held_out

WriteTable = Callable[..., Path]
BUILT_IN = list(attnxai.annotations.READERS)
MARKS = ("#marks", "s1 ann 3 4", "s1 bob 5 4", "s2 ann 1 2")


@pytest.fixture
def toy():
    """A format of one's own: a line ``#marks``, then a source, an annotator and a place each line."""

    @attnxai.annotations.register_reader(
        "toy marks", recognises=lambda head: head.startswith(b"#marks")
    )
    def read_toy(file):
        marks = []
        for line, row in enumerate(file.text().splitlines()[1:], start=2):
            cells = row.split()
            if len(cells) != 4:
                raise AnnotationError(f"line {line} of {file.path} has {len(cells)} cells, not 4")
            shape = attnxai.annotations.Shape(
                kind=attnxai.annotations.ShapeKind.POINT, x=float(cells[2]), y=float(cells[3])
            )
            marks.append(
                attnxai.annotations.Annotation(
                    source=cells[0], annotator=cells[1], shape=shape, line=line
                )
            )
        return attnxai.annotations.AnnotationSet(annotations=tuple(marks), n_rows=len(marks))

    yield read_toy
    attnxai.annotations.READERS.pop("toy marks")


@pytest.fixture
def path(write_table: WriteTable) -> Path:
    return write_table(*MARKS, name="marks.toy")


@pytest.mark.usefixtures("toy")
class TestToy:
    def test_is_read_with_its_path_and_hash(self, path: Path) -> None:
        read = attnxai.read_annotations(path)
        assert read.sources == ("s1", "s2")
        assert read.annotators == ("ann", "bob")
        assert read.path == str(path)
        assert len(read.sha256) == 64

    def test_serves_a_comparison_and_training(self, path: Path, tmp_path: Path) -> None:
        (tmp_path / "images").mkdir()
        for name in ("s1", "s2", "s3"):
            np.save(tmp_path / "images" / f"{name}.npy", np.random.default_rng(1).random((9, 9)))
        inputs = read_inputs(path, tmp_path / "images")
        assert inputs.images.sources == ("s1", "s2")
        assert read_held_out(path, attnxai.read_images(tmp_path / "images")) == {"s1", "s2"}

    def test_content_decides(self, write_table: WriteTable) -> None:
        assert len(attnxai.read_annotations(write_table(*MARKS, name="table.csv"))) == 3

    def test_its_own_errors_stay(self, write_table: WriteTable) -> None:
        with pytest.raises(AnnotationError, match=r"line 2 of .*has 2 cells, not 4"):
            attnxai.read_annotations(write_table("#marks", "s1 ann", name="bad"))

    def test_is_named_among_the_known_formats(self, write_table: WriteTable) -> None:
        with pytest.raises(
            AnnotationError,
            match=r"is a JSON text; no reader recognises it\. Known formats are "
            + re.escape(", ".join([*BUILT_IN, "toy marks; an"])),
        ):
            attnxai.read_annotations(write_table('{"shapes": []}'))

    def test_a_name_belongs_to_one_module(self, toy: Any) -> None:
        register = attnxai.annotations.register_reader
        with pytest.raises(OptionError, match=re.escape(f"called {BUILT_IN[0]} is registered by")):
            register(BUILT_IN[0], recognises=lambda head: True)(toy)
        register("toy marks", recognises=lambda head: False)(toy)  # as when a cell is run again
        assert list(attnxai.annotations.READERS)[-1] == "toy marks"


def test_every_format_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "annotations.md").read_text(
        encoding="utf-8"
    )
    headings = " ".join(re.findall("^## (.*)", page, re.MULTILINE)).lower()
    missing = [name for name in BUILT_IN if name.removesuffix(" (CSV)").lower() not in headings]
    assert not missing, (
        f"add to docs/reference/annotations.md a section with the name in its heading: {missing}"
    )


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            lambda file: {"a": file}["x"],
            r"failed with KeyError \('x'\); if the file is valid, report this",
        ),
        (lambda file: 1 / 0, "failed with ZeroDivisionError"),
        (lambda file: None, r"failed with TypeError \(it returned NoneType, not AnnotationSet\)"),
    ],
)
def test_faults_of_a_reader_name_it_and_the_file(
    answer: Any, text: str, write_table: WriteTable
) -> None:
    attnxai.annotations.register_reader("mine", recognises=lambda head: head == b"#m\n")(answer)
    try:
        with pytest.raises(
            AnnotationError, match=rf"file .*table\.csv cannot be .* of the format mine {text}"
        ) as caught:
            attnxai.read_annotations(write_table("#m"))
        assert caught.value.__cause__ is not None
    finally:
        attnxai.annotations.READERS.pop("mine")


def test_faults_in_recognising_name_the_reader(write_table: WriteTable) -> None:
    def recognises(head: bytes) -> bool:
        raise LookupError(len(head))

    register = attnxai.annotations.register_reader("mine", recognises=recognises)
    register(attnxai.annotations.READERS[BUILT_IN[0]].read)
    try:
        with pytest.raises(AnnotationError, match="of the format mine failed with LookupError"):
            attnxai.read_annotations(write_table("#m"))
    finally:
        attnxai.annotations.READERS.pop("mine")


@pytest.mark.parametrize("error", [OptionError, MemoryError, DeprecationWarning])
def test_what_is_no_fault_of_a_reader_passes(error: Any, write_table: WriteTable) -> None:
    def read(file: Any) -> Any:
        raise error("its own")

    attnxai.annotations.register_reader("mine", recognises=lambda head: head == b"#m\n")(read)
    try:
        with pytest.raises(error, match=r"^its own$"):
            attnxai.read_annotations(write_table("#m"))
    finally:
        attnxai.annotations.READERS.pop("mine")


def test_readers_that_need_images_say_so(write_table: WriteTable) -> None:
    @attnxai.annotations.register_reader(
        "map", recognises=lambda head: head.startswith(b"#map"), needs_images=True
    )
    def read_map(file):
        shape = attnxai.annotations.Shape(kind=attnxai.annotations.ShapeKind.POINT, x=1, y=2)
        marks = [
            attnxai.annotations.Annotation(source=image.source, annotator="a", shape=shape)
            for image in file.images
        ]
        return attnxai.annotations.AnnotationSet(annotations=tuple(marks))

    try:
        path = write_table("#map")
        with pytest.raises(AnnotationError, match=r"\(map\) lists positions on the sky; name the"):
            attnxai.read_annotations(path)
        images = [attnxai.data.from_array(np.eye(4), source="s9")]
        assert attnxai.read_annotations(path, images).sources == ("s9",)
    finally:
        attnxai.annotations.READERS.pop("map")


@pytest.mark.parametrize(
    ("head", "columns"),
    [
        (b"\xef\xbb\xbfa, b ,c\r\n1,2,3\n", ("a", "b", "c")),
        (b'"a\n', ("a",)),
        (b"", ()),
        (b"x" * 200_000, ("x" * 65_536,)),
        (b"\xff\xfe\x00", ("\ufffd\ufffd\x00",)),
    ],
)
def test_columns_of_a_header(head: bytes, columns: tuple[str, ...]) -> None:
    assert columns_of(head) == columns


def test_files_without_marks_among_others_are_noted(tmp_path: Path) -> None:
    header = "# Region file format: DS9 version 4.1\nimage\n"
    (tmp_path / "g1.reg").write_text(f"{header}point(3,4) # text={{core}}\n")
    (tmp_path / "g2.reg").write_text(header)
    found = attnxai.read_annotations(tmp_path)
    assert found.sources == ("g1",)
    assert "1 of 2 files hold no marks: g2.reg." in found.notices
    (tmp_path / "g1.reg").unlink()
    with pytest.raises(AnnotationError, match=r"g2\.reg holds no marks"):
        attnxai.read_annotations(tmp_path)
