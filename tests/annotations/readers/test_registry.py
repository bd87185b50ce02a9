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
PEAKS = ("#peaks", "s1 ann 3 4", "s1 bob 5 4", "s2 ann 1 2")


@pytest.fixture
def toy():
    """A format of one's own: a line ``#peaks``, then a source, an annotator and a place each line."""

    @attnxai.annotations.register_reader(
        "peaks", recognises=lambda head: head.startswith(b"#peaks")
    )
    def read_peaks(file):
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

    yield read_peaks
    attnxai.annotations.READERS.pop("peaks")


@pytest.fixture
def path(write_table: WriteTable) -> Path:
    return write_table(*PEAKS, name="marks.peaks")


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
        assert len(attnxai.read_annotations(write_table(*PEAKS, name="table.csv"))) == 3

    def test_its_own_errors_stay(self, write_table: WriteTable) -> None:
        with pytest.raises(AnnotationError, match=r"line 2 of .*has 2 cells, not 4"):
            attnxai.read_annotations(write_table("#peaks", "s1 ann", name="bad"))

    def test_is_named_among_the_known_formats(self, write_table: WriteTable) -> None:
        with pytest.raises(
            AnnotationError,
            match=r"is a JSON text; no reader recognises it\. Known formats are "
            + re.escape(", ".join([*BUILT_IN, "peaks; an"])),
        ):
            attnxai.read_annotations(write_table('{"shapes": []}'))

    def test_a_name_belongs_to_one_module(self, toy: Any) -> None:
        register = attnxai.annotations.register_reader
        with pytest.raises(OptionError, match=re.escape(f"called {BUILT_IN[0]} is registered by")):
            register(BUILT_IN[0], recognises=lambda head: True)(toy)
        register("peaks", recognises=lambda head: False)(toy)  # as when a cell is run again
        assert list(attnxai.annotations.READERS)[-1] == "peaks"


def test_every_format_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "annotations.md").read_text(encoding="utf-8")
    for name in BUILT_IN:
        assert name.removesuffix(" (CSV)").lower() in page.lower()


def test_readers_that_need_images_say_so(write_table: WriteTable) -> None:
    @attnxai.annotations.register_reader(
        "map", recognises=lambda head: head.startswith(b"#map"), needs_images=True
    )
    def read_map(file):
        shape = attnxai.annotations.Shape(kind=attnxai.annotations.ShapeKind.POINT)
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
        (b"x" * 200_000, ()),
        (b"\xff\xfe\x00", ("\ufffd\ufffd\x00",)),
    ],
)
def test_columns_of_a_header(head: bytes, columns: tuple[str, ...]) -> None:
    assert columns_of(head) == columns
