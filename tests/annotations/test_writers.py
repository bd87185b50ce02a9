"""Writers: the format that a path names, what a format cannot hold, and the annotation table."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import attnxai
from attnxai.alignment.rasterise import rasterise_annotations
from attnxai.annotations import WRITERS, register_writer, write_annotations
from attnxai.annotations.annotation_set import Annotation, AnnotationSet, Operation
from attnxai.annotations.shape_conversion import as_polygon, in_frame
from attnxai.annotations.shapes import Frame, Label, Shape, ShapeKind
from attnxai.annotations.writers import FileNames
from attnxai.data.images import SourceImage
from attnxai.errors import AnnotationError, LeftOutWarning, OptionError
from tests.annotations.marks_in_common import PIXEL_SHAPES, SKY_SHAPES, as_rows, marks

MakeImage = Callable[..., SourceImage]


@pytest.fixture
def dots() -> Iterator[list[AnnotationSet]]:
    """A format of polygons and points in pixels, without anything else; gives what its writer got."""
    got = []

    @register_writer(
        "dots", extension=".dots", frames=[Frame.PIXEL], shapes=[ShapeKind.POINT, ShapeKind.POLYGON]
    )
    def write_dots(annotations, images):
        got.append(annotations)
        return {f"{source}.dots": b"." for source in annotations.sources}

    yield got
    WRITERS.pop("dots")


class TestTable:
    def test_everything_is_read_back(self, tmp_path: Path) -> None:
        shapes = [*PIXEL_SHAPES.values(), *SKY_SHAPES.values()]
        annotations = dataclasses.replace(
            marks(
                *shapes, weight=0.1 + 0.2, group="ring, 2", round=3, other={"note": "a;b", "n": "1"}
            ),
            classes={"g1": "FR II"},
            images={"g1": "images/g1.fits"},
            path=str(tmp_path / "elsewhere" / "x.csv"),
        )
        hole = dataclasses.replace(annotations.annotations[1], operation=Operation.SUBTRACT)
        annotations = dataclasses.replace(annotations, annotations=(*annotations.annotations, hole))
        (path,) = write_annotations(annotations, tmp_path / "out" / "marks.csv")
        read = attnxai.read_annotations(path)
        assert as_rows(read, digits=20) == as_rows(annotations, digits=20)
        assert read.classes == annotations.classes
        assert {a.other["note"] for a in read.annotations} == {"a;b"}
        found = read.image_files()["g1"].resolve()
        assert found == (tmp_path / "elsewhere" / "images" / "g1.fits").resolve()

    @pytest.mark.parametrize(
        "name", ["=1+1", "'=1+1", "''=x", "-5", "@a", "'a", "a\nb", 'a"b', "ö,;"]
    )
    def test_text_that_a_spreadsheet_would_run(self, tmp_path: Path, name: str) -> None:
        annotations = marks(PIXEL_SHAPES[ShapeKind.POINT], annotator=name, group=name)
        (path,) = write_annotations(annotations, tmp_path / "marks.csv")
        (_, row) = csv.reader(io.StringIO(path.read_text(encoding="utf-8")))
        assert all(not cell.startswith(("=", "@", "+")) for cell in row)
        (read,) = attnxai.read_annotations(path).annotations
        assert (read.annotator, read.group) == (name, name)

    def test_classes_of_annotators(self, tmp_path: Path) -> None:
        two = [marks(PIXEL_SHAPES[ShapeKind.POINT], annotator=name) for name in "ab"]
        annotations = dataclasses.replace(
            two[0],
            annotations=two[0].annotations + two[1].annotations,
            classes={},
            annotator_classes={"a": {"g1": "FR I"}, "b": {"g1": "FR II"}},
        )
        (path,) = write_annotations(annotations, tmp_path / "marks.csv")
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        assert [row["class"] for row in rows] == ["FR I", "FR II"]

    def test_further_columns_with_known_names(self, tmp_path: Path) -> None:
        annotations = marks(PIXEL_SHAPES[ShapeKind.POINT], other={"class": "odd", "": "x"})
        (path,) = write_annotations(annotations, tmp_path / "marks.csv")
        read = attnxai.read_annotations(path)
        assert read.annotations[0].other == {"class (further)": "odd", "(further)": "x"}
        assert not read.classes


class TestChoice:
    def test_by_name_and_by_ending(self, tmp_path: Path, dots: list[AnnotationSet]) -> None:
        annotations = marks(PIXEL_SHAPES[ShapeKind.POINT])
        assert write_annotations(annotations, tmp_path / "a.DOTS") == [tmp_path / "a.DOTS"]
        assert write_annotations(annotations, tmp_path / "b", "Dot") == [tmp_path / "b" / "g1.dots"]
        with pytest.raises(OptionError, match=r"a\.xyz names no format, since no format has its"):
            write_annotations(annotations, tmp_path / "a.xyz")
        with pytest.raises(OptionError, match=r"unknown format 'dosts' \(did you mean dots\?\)"):
            write_annotations(annotations, tmp_path / "a.xyz", "dosts")

    def test_nothing_is_replaced(self, tmp_path: Path, dots: list[AnnotationSet]) -> None:
        annotations = marks(PIXEL_SHAPES[ShapeKind.POINT])
        (tmp_path / "a.dots").write_text("mine")
        with pytest.raises(OptionError, match="exists already"):
            write_annotations(annotations, tmp_path / "a.dots")
        write_annotations(annotations, tmp_path / "a.dots", overwrite=True)
        assert (tmp_path / "a.dots").read_text() == "."

    def test_several_files_need_a_folder(self, tmp_path: Path, dots: list[AnnotationSet]) -> None:
        point = PIXEL_SHAPES[ShapeKind.POINT]
        both = marks(point).annotations + marks(point, source="g2").annotations
        with pytest.raises(OptionError, match="make 2 files of dots; name a folder"):
            write_annotations(AnnotationSet(annotations=both), tmp_path / "a.dots")

    def test_names_belong_to_a_module(self, dots: list[AnnotationSet]) -> None:
        name = "annotation table (CSV)"
        with pytest.raises(OptionError, match=r"called annotation table .* is registered by"):
            register_writer(name, extension=".x")(lambda annotations, images: {})
        with pytest.raises(OptionError, match="unknown kind of content 'colour'"):
            register_writer("x", extension=".x", holds=["colour"])

    def test_names_of_files(self) -> None:
        names = FileNames()
        assert names("../../etc/passwd") == "_.._etc_passwd"
        assert names("a/b") == "a_b"
        assert names("a:b") == "a_b_2"
        assert names("A\\B") == "A_B_3"
        assert names("a/b") == "a_b"
        assert names("..") == "unnamed"
        assert names("J0926+29.5") == "J0926+29.5"


@pytest.mark.parametrize(("name", "ending"), [("DS9", ".reg"), ("CASA", ".crtf")])
def test_sources_in_pixels_have_files_of_their_own(tmp_path: Path, name: str, ending: str) -> None:
    point = PIXEL_SHAPES[ShapeKind.CIRCLE]
    both = marks(point).annotations + marks(point, source="a/../b", annotator="=<b>").annotations
    files = write_annotations(AnnotationSet(annotations=both), tmp_path / "regions", name)
    assert [file.name for file in files] == [f"g1{ending}", f"a_.._b{ending}"]
    read = attnxai.read_annotations(tmp_path / "regions")
    assert {(a.source, a.annotator) for a in read.annotations} == {("g1", "Ann"), ("b", "=<b>")}


class TestFitting:
    def test_what_has_no_place_is_counted(self, tmp_path: Path, dots: list[AnnotationSet]) -> None:
        first = marks(*PIXEL_SHAPES.values(), weight=0.5, group="x", other={"a": "b"})
        hole = dataclasses.replace(first.annotations[1], operation=Operation.SUBTRACT)
        annotations = dataclasses.replace(
            first, annotations=(*first.annotations, hole), classes={"g1": "FR I"}
        )
        with pytest.warns(LeftOutWarning) as caught:
            write_annotations(annotations, tmp_path, "dots")
        assert str(caught[0].message) == (
            "dots has no place for 1 line, the weights of 7 marks, the subtraction of 1 mark, the groups of 7 marks, "
            "the classes of 1 source and further columns of 7 marks; left out"
        )
        assert [a.shape.kind for a in dots[0].annotations] == ["point"] + ["polygon"] * 4

    def test_classes_are_counted_by_source(
        self, tmp_path: Path, write_table: Callable[..., Path]
    ) -> None:
        header = "source,annotator,shape,x,y,label,class"
        stated = [
            write_table(header, f"a,{name},point,1,2,core,{of}", name=f"{name}.csv")
            for name, of in (("ann", "FR I"), ("bob", "FR II"))  # a tie: the source has none
        ]
        with pytest.warns(LeftOutWarning, match="no place for the classes of 1 source; left out"):
            write_annotations(attnxai.read_annotations(stated), tmp_path / "stated.reg")
        none = [
            write_table(header, f"a,{name},point,1,2,core,", name=f"{name}_none.csv")
            for name in ("ann", "bob")
        ]
        write_annotations(attnxai.read_annotations(none), tmp_path / "none.reg")

    def test_nothing_to_write(self, tmp_path: Path, dots: list[AnnotationSet]) -> None:
        with pytest.raises(AnnotationError, match=r"dots can hold none .* no place for 1 line"):
            write_annotations(marks(PIXEL_SHAPES[ShapeKind.LINE]), tmp_path, "dots")

    def test_areas_need_polygons(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dots: list[AnnotationSet]
    ) -> None:
        points = dataclasses.replace(WRITERS["dots"], shapes=(ShapeKind.POINT,))
        monkeypatch.setitem(WRITERS, "dots", points)
        box, point = PIXEL_SHAPES[ShapeKind.BOX], PIXEL_SHAPES[ShapeKind.POINT]
        with pytest.warns(LeftOutWarning, match="dots has no place for 2 boxes; left out"):
            write_annotations(marks(box, point, box), tmp_path, "dots")
        assert [a.shape for a in dots[0].annotations] == [point]

    def test_images_are_needed(
        self, tmp_path: Path, dots: list[AnnotationSet], make_image: MakeImage
    ) -> None:
        annotations = marks(SKY_SHAPES[ShapeKind.POINT])
        with pytest.raises(AnnotationError, match=r"'g1' lie on the sky, .* no image of it is"):
            write_annotations(annotations, tmp_path, "dots")
        with pytest.raises(AnnotationError, match="its image has no celestial coordinates"):
            write_annotations(annotations, tmp_path, "dots", images=[make_image("g1")])
        image = make_image("g1", 150.0)
        write_annotations(annotations, tmp_path, "dots", images=[image])
        (converted,) = dots[0].annotations
        (region,) = SKY_SHAPES[ShapeKind.POINT].on_pixels(image.grid).to_regions()
        assert (converted.shape.x, converted.shape.y) == (region.center.x, region.center.y)


@pytest.mark.parametrize("kind", ShapeKind)
def test_to_pixels_and_back(kind: ShapeKind, make_image: MakeImage) -> None:
    images = {"g1": make_image("g1", 150.0)}
    annotation = Annotation(source="g1", annotator="a", shape=SKY_SHAPES[kind], label=Label.LOBE)
    back = in_frame(in_frame(annotation, Frame.PIXEL, images), Frame.ICRS, images)
    (there,), (again,) = (
        as_rows(AnnotationSet(annotations=(one,)), digits=12) for one in (annotation, back)
    )
    assert there[:9] == again[:9]
    assert again[9:] == pytest.approx(there[9:], abs=2e-4)


@pytest.mark.parametrize("kind", ["circle", "ellipse", "box"])
@pytest.mark.parametrize("shapes", [PIXEL_SHAPES, SKY_SHAPES], ids=["pixel", "sky"])
def test_outlines_cover_the_same(
    kind: str, shapes: dict[ShapeKind, Shape], make_image: MakeImage
) -> None:
    image = make_image("g1", 150.0)
    shape = shapes[ShapeKind(kind)]

    def covered(one: Shape) -> np.ndarray:
        mark = Annotation(source="g1", annotator="a", shape=one)
        return rasterise_annotations([mark], image.grid, fwhm=3.0).density

    exact, outline = covered(shape), covered(as_polygon(shape))
    assert exact.sum() > 15
    np.testing.assert_allclose(exact, outline, atol=0.02)
