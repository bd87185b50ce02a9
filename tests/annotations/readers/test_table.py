from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.annotations.readers.table import parse_table
from attnxai.annotations.shapes import Frame, Label, ShapeKind
from attnxai.annotations.table_columns import COLUMNS
from attnxai.errors import AnnotationError

GOOD = {"source": "s1", "annotator": "ann", "shape": "point", "x": "3", "y": "4", "label": "core"}


def cells(**values: Any) -> str:
    row = {**GOOD, **values}
    return ",".join(
        f'"{row[c]}"' if set(str(row.get(c, ""))) & set(',"\n') else str(row.get(c, ""))
        for c in COLUMNS
    )


def table(*rows: dict[str, Any]) -> str:
    return "\n".join([",".join(COLUMNS), *(cells(**row) for row in rows)]) + "\n"


def parse(*rows: dict[str, Any]) -> AnnotationSet:
    return parse_table(table(*rows), path="t.csv")


def listed_in(error: AnnotationError) -> list[str]:
    """Faults that an error lists, one a line."""
    return [line.removeprefix("  ") for line in str(error).splitlines()[1:]]


def faults(*rows: dict[str, Any]) -> list[str]:
    with pytest.raises(AnnotationError) as caught:
        parse(*rows)
    return listed_in(caught.value)


class TestGoodRows:
    def test_every_shape(self) -> None:
        read = parse(
            {},
            {"shape": "circle", "radius": "2.5"},
            {"shape": "ellipse", "width": "8", "height": "3", "angle": "30"},
            {"shape": "box", "width": "8", "height": "3"},
            {"shape": "polygon", "x": "", "y": "", "vertices": "0 0; 4 0; 4 3.5"},
            {"shape": "line", "x": "", "y": "", "vertices": "0 0;4 1;"},
        )
        point, circle, ellipse, box, polygon, line = (a.shape for a in read.annotations)
        assert (point.kind, point.x, point.y) == (ShapeKind.POINT, 3.0, 4.0)
        assert (circle.kind, circle.radius) == (ShapeKind.CIRCLE, 2.5)
        assert (ellipse.kind, ellipse.width, ellipse.height, ellipse.angle) == (
            ShapeKind.ELLIPSE,
            8.0,
            3.0,
            30.0,
        )
        assert (box.kind, box.width, box.height, box.angle) == (ShapeKind.BOX, 8.0, 3.0, 0.0)
        assert polygon.kind is ShapeKind.POLYGON
        assert polygon.vertices == ((0.0, 0.0), (4.0, 0.0), (4.0, 3.5))
        assert (line.kind, line.vertices) == (ShapeKind.LINE, ((0.0, 0.0), (4.0, 1.0)))
        assert all(a.shape.frame is Frame.PIXEL for a in read.annotations)
        assert read.notices == ()

    def test_rows_read_are_rows_used(self) -> None:
        read = parse({}, {"source": "s2"}, {"annotator": "other"})
        assert read.n_rows == len(read) == 3
        assert read.left_out == {}
        assert [a.line for a in read.annotations] == [2, 3, 4]
        assert read.sources == ("s1", "s2")
        assert read.annotators == ("ann", "other")
        assert read.kind == "shapes drawn by annotators"
        assert not read.simulated

    def test_sky_positions(self) -> None:
        read = parse(
            {"frame": "icrs", "x": "359.99", "y": "-89.9"},
            {"frame": "ICRS", "shape": "line", "x": "", "y": "", "vertices": "0 90; 360 -90"},
        )
        assert all(a.shape.frame is Frame.ICRS for a in read.annotations)
        assert read.annotations[0].shape.y == -89.9

    @pytest.mark.parametrize("label", list(Label))
    def test_every_label_in_any_case(self, label: Label) -> None:
        assert parse({"label": label.upper()}).annotations[0].label is label

    @pytest.mark.parametrize(
        ("weight", "expected"), [("", 1.0), ("0", 0.0), ("1", 1.0), ("0.25", 0.25), ("1e-3", 1e-3)]
    )
    def test_weight(self, weight: str, expected: float) -> None:
        assert parse({"weight": weight}).annotations[0].weight == expected

    def test_operation_group_and_round(self) -> None:
        circle = {"shape": "circle", "radius": "2.5"}
        first, second = parse(
            {}, circle | {"operation": "Subtract", "group": "ring 1", "round": "2"}
        ).annotations
        assert (first.operation, first.group, first.round) == ("add", "", 1)
        assert (second.operation, second.group, second.round) == ("subtract", "ring 1", 2)
        assert faults(
            circle | {"operation": "minus", "round": "1.5"},
            circle | {"round": "0"},
            {"operation": "subtract"},
        ) == [
            "line 2, column operation: 'minus' is not one of add, subtract",
            "lines 2, 3, column round: '1.5' (the first of 2) is not a whole number from 1",
            "line 4, column operation: 'subtract' is not add, as a point has no area",
        ]

    def test_spaces_around_cells_do_not_count(self) -> None:
        read = parse_table(
            "source , annotator,shape,x,y,label\n s1 , ann , Point , 3 , 4 , Core \n"
        )
        annotation = read.annotations[0]
        assert (annotation.source, annotation.annotator) == ("s1", "ann")
        assert annotation.shape.kind is ShapeKind.POINT

    def test_order_of_columns_is_free_and_unneeded_ones_may_lack(self) -> None:
        read = parse_table("label,y,x,shape,annotator,source\ncore,4,3,point,ann,s1\n")
        assert (read.annotations[0].shape.x, read.annotations[0].shape.y) == (3.0, 4.0)

    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
    def test_line_ends_of_every_system(self, newline: str) -> None:
        read = parse_table(table({}, {"y": "5"}).replace("\n", newline))
        assert [a.line for a in read.annotations] == [2, 3]

    def test_classes_are_spelt_in_one_way(self) -> None:
        read = parse(
            {"class": "FRII"}, {"class": "fr-2"}, {"class": ""}, {"source": "s2", "class": "WAT"}
        )
        assert read.classes == {"s1": "FR II", "s2": "WAT"}

    def test_source_may_be_an_image_file(self) -> None:
        read = parse(
            {"source": "images/J1.5+03.8.fits.gz"},
            {"source": "J1.5+03.8"},
            {"source": "s2", "image": "other/name.png"},
        )
        assert read.sources == ("J1.5+03.8", "s2")
        assert read.images == {"J1.5+03.8": "images/J1.5+03.8.fits.gz", "s2": "other/name.png"}

    def test_image_files_are_relative_to_the_table(self) -> None:
        read = parse_table(table({"image": "images/a.png"}), path="some/where/t.csv")
        assert read.image_files() == {"s1": Path("some/where/images/a.png")}

    def test_simulated_annotators_are_said_to_be(self) -> None:
        read = parse({"annotator": "simulated_1"}, {"annotator": "Simulated 2"})
        assert read.simulated
        assert "simulated" in read.kind
        assert not parse({"annotator": "simulated_1"}, {"annotator": "ann"}).simulated


class TestNotices:
    def test_further_columns_are_kept_and_named(self) -> None:
        text = (
            "source,annotator,shape,x,y,label,comment,telescope\ns1,ann,point,1,2,core,faint,VLA\n"
        )
        read = parse_table(text)
        assert read.notices == (
            "Further columns are kept, and strata can be made of them: comment, telescope.",
        )
        assert read.annotations[0].other == {"comment": "faint", "telescope": "VLA"}

    def test_column_without_a_name(self) -> None:
        read = parse_table("source,annotator,shape,x,y,label,\ns1,ann,point,1,2,core,a\n")
        assert read.notices == (
            "Further columns are kept, and strata can be made of them: one without a name.",
        )

    def test_values_that_a_shape_has_no_use_for(self) -> None:
        read = parse(
            {"radius": "3"},
            {"radius": "4"},
            {"shape": "circle", "radius": "2", "angle": "10"},
            {"shape": "ellipse", "width": "2", "height": "1", "vertices": "0 0; 1 1"},
            {"shape": "line", "vertices": "0 0; 1 1", "y": ""},
        )
        assert set(read.notices) == {
            "A point has no radius; the value was not used (2 rows).",
            "A circle has no angle; the value was not used (1 row).",
            "An ellipse has no vertices; the value was not used (1 row).",
            "A line has no x; the value was not used (1 row).",
        }
        assert read.annotations[0].shape.radius == 0.0


BAD_CELLS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"source": ""}, "source", "", "a source id or the name of an image file"),
    ({"source": "images/"}, "source", "images/", "a source id or the name of an image file"),
    ({"annotator": " "}, "annotator", "", "a name"),
    ({"shape": "square"}, "shape", "square", "one of point, circle, ellipse, box, polygon, line"),
    ({"shape": ""}, "shape", "", "one of point, circle"),
    ({"label": "blob"}, "label", "blob", "one of core, jet, lobe, hotspot, host, source"),
    ({"label": ""}, "label", "", "one of core"),
    ({"frame": "image"}, "frame", "image", "one of pixel, icrs"),
    ({"x": ""}, "x", "", "a number for a point"),
    ({"y": "four"}, "y", "four", "a number"),
    ({"x": "3,5"}, "x", "3,5", "a number; write a decimal point, not a comma"),
    ({"x": "1_0"}, "x", "1_0", "a number"),
    ({"x": "nan"}, "x", "nan", "a coordinate from -1000000 to 1000000 pixels"),
    ({"y": "-inf"}, "y", "-inf", "a coordinate from -1000000 to 1000000 pixels"),
    ({"shape": "circle"}, "radius", "", "a number for a circle"),
    ({"shape": "circle", "radius": "0"}, "radius", "0", "a length from 1e-06"),
    ({"shape": "circle", "radius": "-2"}, "radius", "-2", "a length from 1e-06"),
    ({"shape": "circle", "radius": "inf"}, "radius", "inf", "a length from"),
    ({"shape": "circle", "radius": "nan"}, "radius", "nan", "a length from"),
    ({"shape": "circle", "radius": "-inf"}, "radius", "-inf", "a length from"),
    ({"shape": "ellipse", "width": "3"}, "height", "", "a number for an ellipse"),
    ({"shape": "ellipse", "width": "0", "height": "1"}, "width", "0", "a length from 1e-06"),
    ({"shape": "box", "width": "3", "height": "-1"}, "height", "-1", "a length from 1e-06"),
    ({"shape": "box", "width": "3", "height": "1", "angle": "N"}, "angle", "N", "a number"),
    ({"shape": "box", "width": "3", "height": "1", "angle": "inf"}, "angle", "inf", "an angle"),
    ({"weight": "1.01"}, "weight", "1.01", "a number from 0 to 1"),
    ({"weight": "-0.1"}, "weight", "-0.1", "a number from 0 to 1"),
    ({"weight": "high"}, "weight", "high", "a number"),
    ({"weight": "0,5"}, "weight", "0,5", "a number; write a decimal point, not a comma"),
    ({"weight": "nan"}, "weight", "nan", "a number from 0 to 1"),
    ({"x": "1e308"}, "x", "1e308", "a coordinate from -1000000 to 1000000 pixels"),
    (
        {"shape": "circle", "radius": "1e-12"},
        "radius",
        "1e-12",
        "a length from 1e-06 to",
    ),
    (
        {"shape": "circle", "radius": "1e9"},
        "radius",
        "1e9",
        "a length from 1e-06 to 1000000 pixels",
    ),
    (
        {"shape": "box", "width": "1e-300", "height": "5", "frame": "icrs"},
        "width",
        "1e-300",
        "a length from 1e-06 to 324000 arcsec",
    ),
    (
        {"shape": "ellipse", "width": "3", "height": "1", "angle": "1e308"},
        "angle",
        "1e308",
        "an angle from -360 to 360 degrees",
    ),
    (
        {"shape": "line", "vertices": "0 0; 1e7 1"},
        "vertices",
        "0 0; 1e7 1",
        "each with a coordinate from -1000000 to 1000000 pixels (number 2 has 10000000.0)",
    ),
    ({"frame": "icrs", "x": "360.1"}, "x", "360.1", "a right ascension from 0 to 360 degrees"),
    ({"frame": "icrs", "x": "-0.1"}, "x", "-0.1", "a right ascension from 0 to 360 degrees"),
    ({"frame": "icrs", "y": "90.5"}, "y", "90.5", "a declination from -90 to 90 degrees"),
    ({"frame": "icrs", "y": "-91"}, "y", "-91", "a declination from -90 to 90 degrees"),
    ({"x": "10:20:30"}, "x", "10:20:30", "a number"),
    ({"frame": "icrs", "x": "10:60:30"}, "x", "10:60:30", "a number"),
    ({"frame": "icrs", "x": "24:00:00.1"}, "x", "24:00:00.1", "a right ascension from 0 to 360"),
    ({"shape": "polygon"}, "vertices", "", 'a list of positions "x y; x y; ..." for a polygon'),
    ({"shape": "polygon", "vertices": "0 0; 1 1"}, "vertices", "0 0; 1 1", "3 or more different"),
    (
        {"shape": "polygon", "vertices": "0 0; 1 1; 0 0"},
        "vertices",
        "0 0; 1 1; 0 0",
        "3 or more different",
    ),
    (
        {"shape": "line", "vertices": "0 0"},
        "vertices",
        "0 0",
        "a list of 2 or more different positions",
    ),
    ({"shape": "line", "vertices": "5 5; 5 5"}, "vertices", "5 5; 5 5", "2 or more different"),
    ({"shape": "line", "vertices": "0 0; 1"}, "vertices", "0 0; 1", "a list of positions"),
    ({"shape": "line", "vertices": "0 0; 1 2 3"}, "vertices", "0 0; 1 2 3", "a list of positions"),
    ({"shape": "line", "vertices": "0 0;; 1 1"}, "vertices", "0 0;; 1 1", "a list of positions"),
    ({"shape": "line", "vertices": "0 0; a b"}, "vertices", "0 0; a b", "a list of positions"),
    (
        {"shape": "line", "vertices": "0 0; 1,5 2"},
        "vertices",
        "0 0; 1,5 2",
        "; write a decimal point, not a comma",
    ),
    ({"shape": "line", "vertices": "0 0; nan 1"}, "vertices", "0 0; nan 1", "(number 2 has nan)"),
    (
        {"shape": "line", "frame": "icrs", "vertices": "0 0; 400 1"},
        "vertices",
        "0 0; 400 1",
        "each with a right ascension from 0 to 360 degrees (number 2 has 400.0)",
    ),
    (
        {"shape": "line", "frame": "icrs", "vertices": "0 0; 4 -100"},
        "vertices",
        "0 0; 4 -100",
        "each with a declination from -90 to 90 degrees (number 2 has -100.0)",
    ),
]


class TestBadCells:
    @pytest.mark.parametrize(("row", "column", "value", "right"), BAD_CELLS)
    def test_line_column_value_and_what_would_be_right(
        self, row: dict[str, Any], column: str, value: str, right: str
    ) -> None:
        (fault,) = faults({}, row, {})
        verb = f": {value!r} is not " if value else " is empty, but has to be "
        start = f"line 3, column {column}{verb}"
        assert fault.startswith(start)
        assert right in fault.removeprefix(start)

    def test_bad_rows_are_listed_and_counted(self) -> None:
        rows: list[dict[str, Any]] = [{}, *(bad for bad, *_ in BAD_CELLS), {}]
        with pytest.raises(AnnotationError) as caught:
            parse(*rows)
        *listed, more = listed_in(caught.value)
        assert len(listed) == 15
        assert sum("the first of" in row for row in listed) >= 2
        assert re.fullmatch(r"and \d+ more", more)
        text = str(caught.value)
        assert text.startswith(
            f"{len(BAD_CELLS)} of {len(rows)} rows of annotation table t.csv cannot be used:\n"
        )

    def test_several_faults_of_one_row_are_all_listed_and_counted_as_one(self) -> None:
        row = {"annotator": "", "shape": "circle", "x": "a", "radius": "-1", "weight": "7"}
        with pytest.raises(AnnotationError, match="1 of 2 rows") as caught:
            parse({}, row)
        columns = [re.split("[: ]", fault)[3] for fault in listed_in(caught.value)]
        assert sorted(columns) == ["annotator", "radius", "weight", "x"]

    def test_contradictory_class(self) -> None:
        (fault,) = faults({"class": "FR I"}, {"class": "fr1"}, {"class": "FRII"})
        assert fault == (
            "line 4, column class: 'FR II' contradicts 'FR I' on line 2, for the same source and annotator; "
            "give one"
        )

    def test_annotators_may_differ_in_a_class(self) -> None:
        read = parse(
            {"class": "FR I"}, {"annotator": "bob", "class": "FR II"}, {"source": "b", "class": "1"}
        )
        assert read.classes == {"b": "1"}
        assert read.annotator_classes == {"ann": {"s1": "FR I", "b": "1"}, "bob": {"s1": "FR II"}}
        assert "different classes for 1 of 2 sources" in read.notices[0]

    def test_contradictory_image(self) -> None:
        (fault,) = faults({"source": "x/a.png"}, {"source": "a", "image": "y/a.png"})
        assert fault == (
            "line 3, column image: 'y/a.png' contradicts 'x/a.png' on line 2, for the same source; "
            "give one"
        )

    @pytest.mark.parametrize(("n_cells", "hint"), [(5, False), (7, True)])
    def test_number_of_cells(self, n_cells: int, hint: bool) -> None:
        row = ",".join(["s1", "ann", "point", "1", "2", "core", "5"][:n_cells])
        with pytest.raises(AnnotationError) as caught:
            parse_table(f"source,annotator,shape,x,y,label\ns1,ann,point,1,2,core\n{row}\n")
        (fault,) = listed_in(caught.value)
        assert fault.startswith(f"line 3: {n_cells} cells, but the header has 6 columns")
        assert ("a decimal point" in fault) is hint


class TestLineNumbers:
    def test_blank_lines_are_skipped_but_counted(self) -> None:
        header, good = ",".join(COLUMNS), cells()
        read = parse_table(f"{header}\n\n{good}\n,,,,,,,,,,,,,,\n   \n{good}\n\n")
        assert [a.line for a in read.annotations] == [3, 6]
        assert read.n_rows == 2

    def test_a_row_of_several_lines_is_named_by_its_first(self) -> None:
        multi = {"shape": "line", "x": "", "y": "", "vertices": "0 0;\n1 1;\n2 5"}
        read = parse(multi, {}, multi)
        assert [a.line for a in read.annotations] == [2, 5, 6]
        assert read.annotations[0].shape.vertices == ((0.0, 0.0), (1.0, 1.0), (2.0, 5.0))
        (first, second) = faults(multi, {"x": "a"}, {**multi, "label": "none"})
        assert first.startswith("line 5, column x:")
        assert second.startswith("line 6, column label:")

    def test_header_of_several_lines(self) -> None:
        text = 'source,annotator,shape,x,y,label,"of\nno use"\ns1,ann,point,1,2,core,\n'
        assert parse_table(text).annotations[0].line == 3
