"""Whose a mark is, of which source, and with which label, where a format does not say."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attnxai
from attnxai.annotations import Naming, register_reader
from attnxai.annotations.readers import READERS
from attnxai.annotations.readers.marks import MarkList
from attnxai.annotations.readers.registry import AnnotationFile
from attnxai.annotations.shapes import Frame, Label, Shape, ShapeKind
from attnxai.data.grid import PixelGrid, RowZero
from attnxai.data.images import SourceImage
from attnxai.errors import AnnotationError, AssumptionWarning

MakeImage = Callable[..., SourceImage]


@pytest.fixture(autouse=True)
def drawn() -> Iterator[None]:
    """A format with a frame, x, y and words on each line: ``icrs 150 40 lobe``."""

    @register_reader("drawn", recognises=lambda head: head.startswith(b"#drawn"), uses_images=True)
    def read_drawn(file: AnnotationFile) -> Any:
        marks = MarkList(file)
        for line, row in enumerate(file.text().splitlines()[1:], start=2):
            frame, x, y, *words = row.split()
            shape = {"kind": ShapeKind.POINT, "frame": frame, "x": float(x), "y": float(y)}
            marks.add(shape, line=line, words={"text": words[:1], "color": words[1:]})
        return marks.annotation_set()

    yield
    READERS.pop("drawn")


def write(path: Path, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#drawn", *rows]) + "\n")
    return path


@pytest.fixture
def images(make_image: MakeImage) -> list[SourceImage]:
    return [make_image("g1", 150.0), make_image("g1_b", 150.01), make_image("g2", 200.0)]


class TestSources:
    def test_marks_on_the_sky_belong_to_the_image_that_shows_them(
        self, tmp_path: Path, images: list[SourceImage]
    ) -> None:
        path = write(tmp_path / "ann.reg", "icrs 200 40", "icrs 150.006 40", "icrs 10 40")
        read = attnxai.read_annotations(path, images)
        assert [a.source for a in read.annotations] == ["g2", "g1_b"]
        assert read.left_out == {"outside all images": 1}
        assert any("Marks that several images show" in note for note in read.notices)
        only = attnxai.read_annotations(path, [images[2], images[0]])
        assert [a.source for a in only.annotations] == ["g2", "g1"]
        assert not any("several images" in note for note in only.notices)
        assert read.n_rows == 3
        assert read.annotators == ("ann",)

    def test_across_right_ascension_0(self, tmp_path: Path, make_image: MakeImage) -> None:
        images = [make_image("east", 0.002), make_image("west", 359.5)]
        path = write(tmp_path / "ann.reg", "icrs 359.999 40", "icrs 0.001 40", "icrs 359.5 40")
        found = attnxai.read_annotations(path, images).annotations
        assert [a.source for a in found] == ["east", "east", "west"]

    @pytest.mark.parametrize(
        ("name", "source", "annotator"),
        [
            ("marks/g1.reg", "g1", "marks"),
            ("marks/g1.fits.reg", "g1", "marks"),
            ("marks/g1_bob.reg", "g1", "bob"),
            ("marks/bob-g1.reg", "g1", "bob"),
            ("marks/g1_b_bob.reg", "g1_b", "bob"),
        ],
    )
    def test_names_of_files(
        self, tmp_path: Path, images: list[SourceImage], name: str, source: str, annotator: str
    ) -> None:
        read = attnxai.read_annotations(write(tmp_path / name, "pixel 3 4"), images)
        assert [(a.source, a.annotator) for a in read.annotations] == [(source, annotator)]
        assert any("taken from the name of the f" in notice for notice in read.notices)

    def test_a_pattern_says_both(self, tmp_path: Path, images: list[SourceImage]) -> None:
        write(tmp_path / "x" / "g1_1.reg", "pixel 3 4")
        write(tmp_path / "y" / "g2_1.reg", "pixel 3 4")
        read = attnxai.read_annotations(f"{tmp_path}/{{annotator}}/{{source}}_1.reg", images)
        assert [(a.source, a.annotator) for a in read.annotations] == [("g1", "x"), ("g2", "y")]
        assert not any("taken from" in notice for notice in read.notices)

    def test_pixels_without_a_source_are_asked_about(
        self, tmp_path: Path, images: list[SourceImage]
    ) -> None:
        path = write(tmp_path / "ann.reg", "pixel 3 4", "icrs 150 40")
        with pytest.raises(
            AnnotationError, match=r"no source for 1 of 2 marks in pixels.* such as g1\.reg"
        ):
            attnxai.read_annotations(path, images)
        only = attnxai.read_annotations(path, images[:1])
        assert only.sources == ("g1",)

    def test_without_images_the_name_of_the_file_is_the_source(self, tmp_path: Path) -> None:
        read = attnxai.read_annotations(write(tmp_path / "ann" / "g7.reg", "pixel 3 4"))
        assert [(a.source, a.annotator) for a in read.annotations] == [("g7", "ann")]

    def test_images_without_a_place_on_the_sky(self, tmp_path: Path, make_image: MakeImage) -> None:
        path = write(tmp_path / "ann.reg", "icrs 150 40")
        with pytest.raises(AnnotationError, match="none of the 1 images has celestial"):
            attnxai.read_annotations(path, [make_image("g1")])


class TestFolders:
    """With and without images the annotators are the same."""

    @pytest.mark.parametrize("with_images", [False, True])
    @pytest.mark.parametrize(
        ("files", "annotators"),
        [
            # one file of all sources beside a file for each
            (["alice/alice_all.reg", "bob/g1.reg", "bob/g2.reg"], ["alice", "bob"]),
            (["ann/g1.reg", "ann/g1_b.reg", "bob/g1.reg", "bob/g2.reg"], ["ann", "bob"]),
            (["alice.reg", "bob.reg", "carl.reg"], ["alice", "bob", "carl"]),
            (["first/alice.reg", "nvss/bob.reg"], ["alice", "bob"]),
            (["alice.reg", "bob.reg", "more/carl.reg"], ["alice", "bob", "carl"]),
        ],
    )
    def test_of_annotators_or_of_anything_else(
        self,
        tmp_path: Path,
        images: list[SourceImage],
        files: list[str],
        annotators: list[str],
        with_images: bool,
    ) -> None:
        for number, name in enumerate(files):
            write(tmp_path / name, f"icrs {150 + number / 1e5} 40", "icrs 150.01 40")
        read = attnxai.read_annotations(tmp_path, images if with_images else None)
        assert sorted(read.annotators) == annotators

    def test_many_annotators_named_after_files_are_one_notice(self, tmp_path: Path) -> None:
        for number, name in enumerate(("alice", "bob", "carl")):
            write(tmp_path / f"{name}.reg", f"icrs {150 + number / 1e5} 40")
        notices = attnxai.read_annotations(tmp_path).notices
        (named,) = (notice for notice in notices if "annotator" in notice)
        assert named == (
            "3 annotators are named after their files: alice, bob, carl. If folders are the annotators, give "
            "--annotator-from folder (in Python Naming)."
        )
        naming = Naming(annotator_from="folder")
        assert attnxai.read_annotations(tmp_path, naming=naming).annotators == (tmp_path.name,)


@pytest.mark.parametrize(("dec", "warned"), [(40.5, False), (43.0, True)])
def test_marks_of_many_places_without_images(tmp_path: Path, dec: float, warned: bool) -> None:
    path = write(tmp_path / "alice.reg", "icrs 150 40", f"icrs 150 {dec}")
    words = r"alice\.reg lie 3 degrees apart and count as one source, 'alice', .*in Python images"
    with pytest.warns(AssumptionWarning, match=words) if warned else contextlib.nullcontext():
        read = attnxai.read_annotations(path)
    assert read.sources == ("alice",)


def test_annotator_of_the_user(tmp_path: Path, images: list[SourceImage]) -> None:
    path = write(tmp_path / "marks.reg", "icrs 150 40 lobe red", "icrs 200 40 core blue")
    assert attnxai.read_annotations(path, images, annotator="Ann").annotators == ("Ann",)
    naming = Naming(annotator_from="color", annotators={"red": "Ann"})
    assert attnxai.read_annotations(path, images, naming=naming).annotators == ("Ann", "blue")


def test_labels_and_words(tmp_path: Path, images: list[SourceImage]) -> None:
    path = write(tmp_path / "ann.reg", "icrs 150 40 Lobes", "icrs 150 40 blob", "icrs 150 40")
    read = attnxai.read_annotations(path, images)
    assert [a.label for a in read.annotations] == [Label.LOBE, Label.OTHER, Label.OTHER]
    assert read.annotations[1].other == {"text": "blob"}
    (notice,) = [notice for notice in read.notices if "no label" in notice]
    assert notice.startswith(
        "Some marks state no label and count as other (their words are 'blob')"
    )
    mapped = attnxai.read_annotations(path, images, naming=Naming(labels={"blob": "jet"}))
    assert mapped.annotations[1].label is Label.JET


def test_faults_are_listed(tmp_path: Path, images: list[SourceImage]) -> None:
    path = write(tmp_path / "ann.reg", "icrs 400 40", "icrs 150 40", "icrs 150 95")
    with pytest.raises(
        AnnotationError, match=r"2 lines of annotation file .* cannot be used"
    ) as caught:
        attnxai.read_annotations(path, images)
    assert "line 2: the x of a point has to be a right ascension" in str(caught.value)


@pytest.mark.parametrize("row_zero", RowZero)
def test_pictures_lie_on_images(row_zero: RowZero) -> None:
    """A pixel in the second row from the top of an image, shown twice as large."""
    shape = (40, 50)
    grid = PixelGrid(shape=shape, row_zero=row_zero)
    image = SourceImage(
        source="g1", pixels=np.arange(2000, dtype=np.float32).reshape(shape), grid=grid
    )
    file = AnnotationFile(path="g1.json", content=b"", images=[image])
    x, y = MarkList(file).picture_to_pixels("g1.png", [7.0], [3.0], width=100, height=80)
    assert x == pytest.approx(3.0)
    assert y == pytest.approx(1.0 if row_zero is RowZero.TOP else 38.0)
    with pytest.raises(AnnotationError, match=r"picture of 80 x 80 pixels.*50 x 40.*another shape"):
        MarkList(file).picture_to_pixels("g1.png", 1.0, 1.0, width=80, height=80)


def test_without_images_a_picture_is_the_image() -> None:
    file = AnnotationFile(path="g1.json", content=b"")
    marks = MarkList(file)
    x, y = marks.picture_to_pixels("g1.png", 7.0, 3.0, width=100, height=80)
    assert (float(x), float(y)) == (6.5, 2.5)
    marks.add(Shape(kind=ShapeKind.POINT, frame=Frame.PIXEL, x=float(x), y=float(y)), line=1)
    assert any("counted from the top" in notice for notice in marks.annotation_set().notices)


def test_files_know_their_hash() -> None:
    file = AnnotationFile(path="g1.json", content=b"{}")
    assert file.json() == {}
    with pytest.raises(AnnotationError, match="is not valid JSON"):
        dataclasses.replace(file, content=b"{").json()
