from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.annotations.inputs import read_inputs
from attnxai.annotations.readers import read_annotations
from attnxai.annotations.readers.claran import (
    ANNOTATOR,
    KIND,
    NOTICE,
    parse_claran,
    read_claran,
)
from attnxai.annotations.readers.registry import AnnotationFile, find_reader
from attnxai.annotations.shapes import Frame, Label, ShapeKind
from attnxai.data.images import SourceImage
from attnxai.data.mirabest import DATA_DIR_VARIABLE
from attnxai.errors import AnnotationError
from tests.annotations.readers.test_table import listed_in

HEADER = "catalog_id,first_id,num_cpnts,num_peaks,cpnts_ras,cpnts_decs,ang_extent,cl,training"
ARCSEC = 1 / 3600
TOO_FAR = "no image within the match radius"
NOT_NEAREST = "another catalogue source is nearer to the image"
TOO_FEW = "fewer than 2 components"
MakeImage = Callable[..., SourceImage]


def row(
    ras: list[float], decs: list[float] | None = None, *, count: int | None = None, cl: float = 0.75
) -> str:
    decs = decs or [40.0] * len(ras)
    n = count if count is not None else len(ras)
    listed_ra, listed_dec = ";".join(map(repr, ras)), ";".join(map(repr, decs))
    return f"1,FIRSTJ,{n},{n},{listed_ra},{listed_dec},30.0,{cl},1"


def catalogue(*rows: str) -> str:
    return "\n".join([HEADER, *rows]) + "\n"


def check_sum(read: AnnotationSet) -> None:
    assert read.n_rows == len(read.source_weights) + sum(read.left_out.values())


def match_claran(text: str, images: list[SourceImage], **options: Any) -> AnnotationSet:
    return read_claran(
        AnnotationFile(path="c.csv", content=text.encode(), images=images, **options)
    )


class TestParsing:
    def test_header(self) -> None:
        for header, known in ((HEADER, True), ("source,x,y", False), ("", False)):
            reader = find_reader(header.encode(), "c.csv")
            assert (reader is not None and reader.read is read_claran) is known

    def test_one_component_is_the_value_itself(self) -> None:
        (source,) = parse_claran(catalogue(row([10.0], [20.0], cl=0.5)))
        assert (source.ra, source.dec, source.consensus, source.line) == ((10.0,), (20.0,), 0.5, 2)

    @pytest.mark.parametrize(
        ("bad", "column", "value", "right"),
        [
            (row([10.0]).replace("10.0", "east"), "cpnts_ras", "east", "a right ascension from 0"),
            (row([10.0]).replace("10.0", ""), "cpnts_ras", "", "a right ascension from 0"),
            (
                row([370.0]),
                "cpnts_ras",
                "370.0",
                "a right ascension from 0 to 360 degrees, or several",
            ),
            (row([10.0, float("nan")]), "cpnts_ras", "10.0;nan", "a right ascension from 0"),
            (
                row([10.0], [91.0]),
                "cpnts_decs",
                "91.0",
                "a declination from -90 to 90 degrees, or several of them",
            ),
            (row([10.0], cl=1.5), "cl", "1.5", "a consensus level from 0 to 1"),
            (row([10.0], cl=float("nan")), "cl", "nan", "a consensus level from 0 to 1"),
            (row([10.0], count=0), "num_cpnts", "0", "a number of components from 1 to 10000"),
            (row([10.0]).replace("J,1,", "J,one,"), "num_cpnts", "one", "a number of components"),
            (
                row([1.0, 2.0], count=3),
                "num_cpnts",
                "3",
                "right ascensions (2) and declinations (2)",
            ),
            (row([1.0, 2.0], [1.0, 2.0, 3.0]), "num_cpnts", "2", "declinations (3)"),
        ],
    )
    def test_bad_values(self, bad: str, column: str, value: str, right: str) -> None:
        with pytest.raises(
            AnnotationError, match=r"1 of 3 rows of catalogue c\.csv cannot"
        ) as caught:
            parse_claran(catalogue(row([10.0]), bad, row([11.0])), path="c.csv")
        (fault,) = listed_in(caught.value)
        verb = f": {value!r} is not " if value else " is empty, but has to be "
        assert fault.startswith(f"line 3, column {column}{verb}")
        assert right in fault

    @pytest.mark.parametrize("bad", ["1,FIRSTJ,1", row([10.0]) + ",more"])
    def test_number_of_cells(self, bad: str) -> None:
        with pytest.raises(AnnotationError) as caught:
            parse_claran(catalogue(row([10.0]), bad))
        (fault,) = listed_in(caught.value)
        assert fault.startswith("line 3: ")
        assert "cells, but the header has" in fault

    def test_every_bad_row_is_listed(self) -> None:
        rows = [row([370.0], cl=-1.0), row([10.0]), row([10.0], count=5), "1,2"]
        with pytest.raises(AnnotationError, match=r"^3 of 4 rows") as caught:
            parse_claran(catalogue(*rows))
        lines = [fault.split(",")[0].split(":")[0] for fault in listed_in(caught.value)]
        assert lines == ["line 2", "line 2", "line 4", "line 5"]

    def test_header_alone(self) -> None:
        with pytest.raises(AnnotationError, match=r"catalogue c\.csv has a header but no rows"):
            parse_claran(catalogue(), path="c.csv")


class TestMatching:
    def test_components_become_points_of_the_nearest_image(self, make_image: MakeImage) -> None:
        images = [make_image("a", 150.0), make_image("b", 151.0)]
        text = catalogue(row([150.999, 151.002], [40.001, 39.999], cl=0.6))
        read = match_claran(text, images)
        assert read.sources == ("b",)
        assert read.annotators == (ANNOTATOR,)
        first, second = read.annotations
        assert (first.shape.kind, first.shape.frame) == (ShapeKind.POINT, Frame.ICRS)
        assert (first.shape.x, first.shape.y) == (150.999, 40.001)
        assert (second.shape.x, second.shape.y) == (151.002, 39.999)
        assert {a.label for a in read.annotations} == {Label.OTHER}
        assert {a.line for a in read.annotations} == {2}
        assert {a.weight for a in read.annotations} == {1.0}
        assert read.source_weights == {"b": 0.6}
        assert read.kind == KIND
        assert read.notices == (NOTICE,)
        assert not read.simulated
        assert read.left_out == {}
        check_sum(read)

    def test_position_is_the_mean_and_not_a_component(self, make_image: MakeImage) -> None:
        # each component lies 60 arcsec from the centre, and their mean upon it
        text = catalogue(row([150.0, 150.0], [40 - 60 * ARCSEC, 40 + 60 * ARCSEC]))
        assert match_claran(text, [make_image("a", 150.0)]).sources == ("a",)

    @pytest.mark.parametrize(("offset", "matched"), [(29.5, True), (30.5, False)])
    def test_radius(self, make_image: MakeImage, offset: float, matched: bool) -> None:
        images = [make_image("a", 150.0), make_image("b", 152.0)]
        here = row([150.0, 150.0], [40.0 + offset * ARCSEC] * 2)
        read = match_claran(catalogue(here, row([152.0, 152.0])), images)
        assert read.sources == (("a", "b") if matched else ("b",))
        assert read.left_out == ({} if matched else {TOO_FAR: 1})
        check_sum(read)

    def test_radius_may_be_chosen(self, make_image: MakeImage) -> None:
        text = catalogue(row([150.0, 150.0], [40.0 + 50 * ARCSEC] * 2))
        images = [make_image("a", 150.0)]
        assert match_claran(text, images, match_radius_arcsec=60.0).sources == ("a",)
        with pytest.raises(AnnotationError, match=r"within 10 arcsec of the centre of any image"):
            match_claran(text, images, match_radius_arcsec=10.0)

    def test_an_image_takes_its_nearest_source_alone(self, make_image: MakeImage) -> None:
        far = row([150.0, 150.0], [40.0 + 20 * ARCSEC] * 2, cl=0.1)
        near = row([150.0, 150.0], [40.0 - 5 * ARCSEC] * 2, cl=0.9)
        for rows in ([far, near], [near, far]):
            read = match_claran(catalogue(*rows), [make_image("a", 150.0)])
            assert read.source_weights == {"a": 0.9}
            assert read.left_out == {NOT_NEAREST: 1}
            assert len(read) == 2
            check_sum(read)

    def test_a_source_belongs_to_its_nearest_image_alone(self, make_image: MakeImage) -> None:
        images = [make_image("a", 150.0), make_image("b", 150.0, 40.0 + 40 * ARCSEC)]
        text = catalogue(row([150.0, 150.0], [40.0 + 25 * ARCSEC] * 2))
        read = match_claran(text, images)
        assert read.sources == ("b",)
        check_sum(read)

    def test_single_components_are_left_out_and_counted(self, make_image: MakeImage) -> None:
        images = [make_image("a", 150.0), make_image("b", 151.0)]
        rows = [row([150.0]), row([151.0, 151.0]), row([150.0, 150.0], [40 + 20 * ARCSEC] * 2)]
        read = match_claran(catalogue(*rows), images)
        # the nearest source of a is single: the next one is another galaxy and does not stand in
        assert read.sources == ("b",)
        assert read.left_out == {NOT_NEAREST: 1, TOO_FEW: 1}
        check_sum(read)
        all_of_them = match_claran(catalogue(*rows), images, min_components=1)
        assert all_of_them.sources == ("a", "b")
        assert len(all_of_them) == 3

    def test_fewest_components_may_be_chosen(self, make_image: MakeImage) -> None:
        images = [make_image("a", 150.0), make_image("b", 151.0)]
        text = catalogue(row([150.0] * 2), row([151.0] * 3))
        read = match_claran(text, images, min_components=3)
        assert read.sources == ("b",)
        assert read.left_out == {"fewer than 3 components": 1}

    def test_across_right_ascension_zero(self, make_image: MakeImage) -> None:
        text = catalogue(row([359.998, 0.004]))
        read = match_claran(text, [make_image("a", 180.0), make_image("b", 0.0)])
        assert read.sources == ("b",)

    def test_images_without_a_place_on_the_sky_are_counted(self, make_image: MakeImage) -> None:
        images = [make_image("x"), make_image("a", 150.0), make_image("y")]
        read = match_claran(catalogue(row([150.0, 150.0])), images)
        assert read.sources == ("a",)
        assert read.notices[1:] == (
            "2 of 3 images have no celestial coordinates and could not be matched.",
        )

    def test_no_image_with_a_place_on_the_sky(self, make_image: MakeImage) -> None:
        with pytest.raises(AnnotationError, match="but none of the 2 images has celestial coord"):
            match_claran(catalogue(row([150.0] * 2)), [make_image("x"), make_image("y")])

    def test_nothing_near(self, make_image: MakeImage) -> None:
        with pytest.raises(AnnotationError, match=r"no source of c\.csv with 2 or more components"):
            match_claran(catalogue(row([10.0] * 2)), [make_image("a", 150.0)])

    def test_read_as_any_annotations(
        self, make_image: MakeImage, write_table: Callable[..., Path]
    ) -> None:
        path = write_table(HEADER, row([150.0]), row([150.001, 150.0]))
        read = read_annotations(path, [make_image("a", 150.0)], min_components=1)
        assert read.sources == ("a",)
        assert read.n_rows == 2
        assert len(read.sha256) == 64


@pytest.mark.shared_data
def test_mirabest_with_the_whole_catalogue() -> None:
    folder = os.environ.get(DATA_DIR_VARIABLE)
    if not folder:
        pytest.skip(f"{DATA_DIR_VARIABLE} does not say where the real data lie")
    path = Path(folder) / "rgz" / "claran_full_catalogue.csv"
    if not path.is_file():
        pytest.skip(f"{DATA_DIR_VARIABLE} ({folder}) holds no rgz/claran_full_catalogue.csv")
    inputs = read_inputs(path, "mirabest", data_dir=folder)
    assert len(inputs.images) == 88
    assert set(inputs.annotations.sources) == set(inputs.images.sources)
    splits = [image.split for image in inputs.images]
    assert (splits.count("train"), splits.count("test")) == (72, 16)
    assert {image.class_name for image in inputs.images} == {"FR I", "FR II"}
    assert inputs.notes == ("3 annotated sources are hybrids, neither FR I nor FR II; left out.",)
    left_out = inputs.annotations.left_out
    assert left_out["the source is a hybrid, neither FR I nor FR II"] == 3
    assert inputs.annotations.n_rows == 11_836
    assert sum(left_out.values()) + 88 == 11_836
    for source in inputs.annotations.sources:
        assert len(inputs.annotations.of(source, ANNOTATOR)) >= 2
