"""The annotation table in files that have types and units: ECSV, VOTable, Parquet, workbooks, FITS tables."""

from __future__ import annotations

import csv
import dataclasses
import re
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, Table

import attnxai
from attnxai.annotations import AnnotationSet, write_annotations
from attnxai.annotations.annotation_set import Operation
from attnxai.annotations.shapes import Shape, ShapeKind
from attnxai.errors import AnnotationError
from tests.annotations.marks_in_common import PIXEL_SHAPES, SKY_SHAPES, as_rows, marks

ENDINGS = ["ecsv", "vot", "parquet", "xlsx", "fits"]
Read = Callable[..., AnnotationSet]


def written_as(ending: str, annotations: AnnotationSet, folder: Path) -> list[Path]:
    # regions and masks end in .fits, too
    name = "FITS table" if ending == "fits" else None
    return write_annotations(annotations, folder / f"marks.{ending}", name, overwrite=True)


def rich_marks() -> AnnotationSet:
    found = marks(
        *PIXEL_SHAPES.values(),
        *SKY_SHAPES.values(),
        weight=0.375,
        group="ring, 2",
        round=3,
        annotator="=ö\"'x",
        other={"note": "a;b", "n": "1"},
    )
    hole = dataclasses.replace(found.annotations[1], operation=Operation.SUBTRACT)
    return dataclasses.replace(
        found, annotations=(*found.annotations, hole), classes={"g1": "FR II"}
    )


@pytest.mark.parametrize("ending", ENDINGS)
def test_everything_is_read_back(ending: str, tmp_path: Path) -> None:
    # a workbook keeps 16 digits of a number
    digits = 12 if ending == "xlsx" else 20
    for written in (rich_marks(), marks(*SKY_SHAPES.values()), marks(*PIXEL_SHAPES.values())):
        (path,) = written_as(ending, written, tmp_path)
        read = attnxai.read_annotations(path)
        assert as_rows(read, digits=digits) == as_rows(written, digits=digits)
        assert read.classes == written.classes
        kept = {a.other.get("note") for a in read.annotations}
        assert kept == {a.other.get("note") for a in written.annotations}
        assert read.n_rows == len(read)


@pytest.mark.parametrize("ending", ["csv", "ecsv", "vot", "parquet", "fits"])
def test_a_line_of_thousands_of_vertices(ending: str, tmp_path: Path) -> None:
    """Whose cell is longer than what Python's reader of CSV takes by itself."""
    turn = np.linspace(0.1, 60, 5000)
    x, y = 75 + turn * np.cos(turn), 75 + turn * np.sin(turn)
    line = Shape(kind=ShapeKind.LINE, vertices=tuple(zip(x.tolist(), y.tolist(), strict=True)))
    (path,) = written_as(ending, marks(line, line), tmp_path)
    limit = csv.field_size_limit()
    start = time.process_time()
    first, second = attnxai.read_annotations(path).annotations
    assert time.process_time() - start < 5
    assert first.shape.vertices == second.shape.vertices == line.vertices
    assert csv.field_size_limit() == limit


def observed() -> Table:
    """A table as somebody makes it in a notebook, with units that are not those of this package."""
    table = Table()
    table["Object"] = ["g1", "g2", "g3"]
    table["observer"] = ["Ann", "Bob", "Ann"]
    table["shape"] = ["ellipse", "circle", "none"]
    table["RA"] = MaskedColumn([10.0, 10.5, 0.0], unit="hourangle", mask=[0, 0, 1])
    table["Dec"] = MaskedColumn([2400.0, -30.0, 0.0], unit="arcmin", mask=[0, 0, 1])
    table["width"] = MaskedColumn([0.5, np.nan, np.nan], unit="arcmin", mask=[0, 0, 1])
    table["height"] = MaskedColumn([0.005, 0.0, 0.0], unit="deg", mask=[0, 1, 1])
    table["radius"] = MaskedColumn([0.0, 7500.0, 0.0], unit="mas", mask=[1, 0, 1])
    table["PA"] = [1, 2, 3]
    table["angle"] = MaskedColumn([np.pi / 6, 0.0, 0.0], unit="rad", mask=[0, 1, 1])
    table["label"] = ["lobe", "core", ""]
    table["class"] = ["FRII", "FR I", "FR I"]
    return table


def check_observed(found: AnnotationSet) -> None:
    first, second = found.annotations
    assert first.shape.points[0] == pytest.approx((150.0, 40.0))
    assert first.shape.lengths == pytest.approx((30.0, 18.0))
    assert first.shape.angle == pytest.approx(30.0)
    assert second.shape.points[0] == pytest.approx((157.5, -0.5))
    assert second.shape.radius == pytest.approx(7.5)
    assert found.left_out == {"nothing marked on the source": 1}
    assert found.classes == {"g1": "FR II", "g2": "FR I", "g3": "FR I"}
    assert first.other == {"PA": "1"}


WRITE: dict[str, Callable[[Table, Path], Any]] = {
    "ecsv": lambda table, path: table.write(path, format="ascii.ecsv", overwrite=True),
    "ecsv, commas": lambda table, path: table.write(path, format="ascii.ecsv", delimiter=","),
    "ecsv, quantities": lambda table, path: QTable(table).write(
        path, format="ascii.ecsv", overwrite=True
    ),
    "tabledata": lambda table, path: table.write(path, format="votable"),
    "binary": lambda table, path: table.write(path, format="votable", tabledata_format="binary"),
    "binary2": lambda table, path: table.write(path, format="votable", tabledata_format="binary2"),
    "parquet": lambda table, path: table.write(path, format="parquet", overwrite=True),
    "fits": lambda table, path: in_degrees(table).write(path, format="fits", overwrite=True),
}


def in_degrees(table: Table) -> Table:
    """FITS has no unit for hour angles."""
    table = table.copy()
    if "RA" in table.colnames:
        table["RA"] = table["RA"].filled(0.0) * 15.0
        table["RA"].unit = u.deg
    return table


@pytest.mark.parametrize("how", WRITE)
def test_what_astropy_writes(how: str, read: Read) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = read(lambda path: WRITE[how](observed(), path))
    check_observed(found)


@pytest.mark.parametrize("how", ["ecsv", "tabledata", "binary2", "parquet", "fits"])
def test_faults_name_the_row(how: str, read: Read) -> None:
    table = observed()[:2]
    table["width"][0] = -1.0
    table["label"] = ["lobe", "blob"]
    with pytest.raises(AnnotationError, match=r"2 of 2 rows of .* cannot be used") as caught:
        read(lambda path: WRITE[how](table, path))
    text = str(caught.value)
    item, first = re.search(
        r"(line|row) (\d+), column width: '-1(?:\.0)?' is not a length", text
    ).groups()  # type: ignore[union-attr]
    second = re.search(rf"{item} (\d+), column label: 'blob' is not one of", text)[1]  # type: ignore[index]
    assert int(second) == int(first) + 1
    assert (item, first) == ("row", "1") or (item, how) == ("line", "ecsv")


@pytest.mark.parametrize("how", ["ecsv", "tabledata", "parquet", "fits"])
@pytest.mark.parametrize(
    ("column", "unit", "message"),
    [
        ("width", "km", "column width: its unit is km, but positions are degrees on the sky"),
        ("width", "pix", "column width: its unit is pix, but positions are degrees on the sky"),
        ("angle", "pix", "column angle: its unit is pix, not that of an angle"),
    ],
)
def test_units_that_do_not_fit(how: str, column: str, unit: str, message: str, read: Read) -> None:
    table = observed()
    table[column].unit = unit
    with pytest.raises(AnnotationError, match=message):
        read(lambda path: WRITE[how](table, path))


def test_units_say_that_positions_are_on_the_sky(read: Read) -> None:
    table = Table({"source": ["g1"], "annotator": ["a"], "shape": ["point"], "label": ["core"]})
    table["x"], table["y"] = [150.0] * u.deg, [40.0] * u.deg
    found = read(lambda path: table.write(path, format="ascii.ecsv", overwrite=True))
    assert found.annotations[0].shape.frame == "icrs"
    assert "read as ICRS (1 row)" in " ".join(found.notices)
    table["x"].unit = table["y"].unit = u.pix
    assert (
        read(lambda path: table.write(path, format="ascii.ecsv", overwrite=True))
        .annotations[0]
        .shape.x
        == 150
    )


@pytest.mark.parametrize("how", ["ecsv", "parquet"])
@pytest.mark.parametrize("frame", ["icrs", "fk5", "fk4", "galactic"])
def test_coordinates_of_astropy(how: str, frame: str, read: Read) -> None:
    place = SkyCoord([150.1, 3.0], [40.2, -5.0], unit="deg", frame=frame)
    table = QTable({"source": ["g1", "g2"], "annotator": ["a", "b"], "label": ["core", "core"]})
    table["place"] = place
    found = read(lambda path: WRITE[how](table, path))
    expected = np.stack([place.icrs.ra.deg, place.icrs.dec.deg], axis=1)
    assert np.array([a.shape.points[0] for a in found.annotations]) == pytest.approx(expected)


def test_coordinates_of_an_equinox(read: Read) -> None:
    table = QTable({"source": ["g1"], "annotator": ["a"], "label": ["core"]})
    table["place"] = SkyCoord([150.1], [40.2], unit="deg", frame="fk5", equinox="J1975")
    with pytest.raises(
        AnnotationError, match="positions in the frame 'fk5' of another equinox; write"
    ):
        read(lambda path: table.write(path, format="ascii.ecsv", overwrite=True))


class TestECSV:
    def test_lines_are_those_of_the_file(self, read: Read, tmp_path: Path) -> None:
        found = read(lambda path: WRITE["ecsv"](observed(), path))
        lines = (tmp_path / "marks.data").read_text().splitlines()
        assert lines[found.annotations[1].line - 1].startswith("g2")

    @pytest.mark.parametrize(
        ("header", "message"),
        [
            ("# - {name: x, datatype: float64", "a header that is not valid YAML"),
            ("# just words", "no header of YAML that describes"),
            ("# datatype: 7", "a header that does not describe its columns"),
            (
                "# datatype:\n# - {name: y, datatype: string}",
                "names other columns in its first row",
            ),
            (
                "# datatype:\n# - {name: x, datatype: string, subtype: 'float64[2]'}",
                "holds arrays in its column 'x'",
            ),
            (
                "# delimiter: '|'\n# datatype:\n# - {name: x, datatype: string}",
                r"the delimiter '\|', which is not one of ECSV",
            ),
            ("# " + "a" * 1_000_001, "1,000,00. characters, which is too long"),
            ("# " + "[" * 5000, "a header that is not valid YAML"),
            ("# !!python/object/apply:os.system [false]", "no header of YAML that describes"),
            (
                "# a: &a [x, x]\n# b: &b [*a, *a]\n# c: [*b, *b]",
                "does not describe its columns",
            ),
        ],
    )
    def test_headers_that_are_none(self, header: str, message: str, read: Read) -> None:
        with pytest.raises(AnnotationError, match=message):
            read(f"# %ECSV 1.0\n# ---\n{header}\nx\n1\n".encode())


def votable(body: str, *, before: str = "", fields: str | None = None) -> bytes:
    names = ("source", "annotator", "shape", "label")
    texts = "".join(f'<FIELD name="{n}" datatype="char" arraysize="*"/>' for n in names)
    places = (
        '<FIELD name="alpha" datatype="double" unit="deg" ucd="pos.eq.ra;meta.main" ref="sys"/>'
        '<FIELD name="delta" datatype="double" unit="deg" ucd="pos.eq.dec;meta.main" ref="sys"/>'
    )
    return (
        f'<?xml version="1.0"?>{before}<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        f'<RESOURCE><COOSYS ID="sys" system="eq_FK4" equinox="B1950"/><TABLE name="marks">{texts}'
        f"{places if fields is None else fields}<DATA>{body}</DATA></TABLE></RESOURCE></VOTABLE>"
    ).encode()


ROW = "<TABLEDATA><TR><TD>g1</TD><TD>a</TD><TD>point</TD><TD>core</TD><TD>150.1</TD><TD>40.2</TD></TR></TABLEDATA>"


class TestVOTable:
    def test_ucds_and_frame(self, read: Read) -> None:
        found = read(votable(ROW))
        place = SkyCoord(150.1, 40.2, unit="deg", frame="fk4", equinox="B1950").icrs
        assert found.annotations[0].shape.points[0] == pytest.approx((place.ra.deg, place.dec.deg))
        assert "alpha as x and delta as y" in " ".join(found.notices)
        assert "in the frame fk4 are converted to ICRS (1 row)" in " ".join(found.notices)
        galactic = votable(ROW).replace(b'"eq_FK4" equinox="B1950"', b'"GALACTIC"')
        place = SkyCoord(150.1, 40.2, unit="deg", frame="galactic").icrs
        assert read(galactic).annotations[0].shape.points[0] == pytest.approx(
            (place.ra.deg, place.dec.deg)
        )
        with pytest.raises(AnnotationError, match="has positions in ecl_FK5 B1950; ICRS, FK5"):
            read(votable(ROW).replace(b"eq_FK4", b"ecl_FK5"))
        with pytest.raises(AnnotationError, match="has positions in eq_FK4 J1975; ICRS, FK5"):
            read(votable(ROW).replace(b"B1950", b"J1975"))

    def test_sexagesimal_text_of_vizier(self, read: Read) -> None:
        fields = (
            '<FIELD name="RAJ2000" datatype="char" arraysize="11" unit="&quot;h:m:s&quot;"/>'
            '<FIELD name="DEJ2000" datatype="char" arraysize="11" unit="&quot;d:m:s&quot;"/>'
        )
        body = ROW.replace("150.1", "10 00 24.0").replace("40.2", "+40 12 00")
        found = read(votable(body, fields=fields).replace(b"eq_FK4", b"ICRS"))
        assert found.annotations[0].shape.points[0] == pytest.approx((150.1, 40.2))

    def test_numbers_that_stand_for_none(self, read: Read) -> None:
        fields = (
            '<FIELD name="x" datatype="double"/><FIELD name="y" datatype="double"/>'
            '<FIELD name="round" datatype="int"><VALUES null="-99"/></FIELD>'
            '<FIELD name="radius" datatype="float"/>'
        )
        body = ROW.replace("</TR>", "<TD>-99</TD><TD>NaN</TD></TR>")
        found = read(votable(body, fields=fields))
        assert found.annotations[0].round == 1
        assert found.notices == ()

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (
                votable('<BINARY2><STREAM href="file:///etc/passwd"/></BINARY2>'),
                "has its rows in another place, 'file:///etc/passwd', which is not fetched",
            ),
            (
                votable('<BINARY><x:STREAM xmlns:x="y" href = "http://a.b"/></BINARY>'),
                "which is not fetched",
            ),
            (
                votable(ROW, before='<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
                "defines entities of XML",
            ),
            (votable(ROW).decode().encode("utf-16"), "text in UTF-16"),
            (votable("<FITS><STREAM>QUJD</STREAM></FITS>"), "as FITS within XML"),
            (votable(ROW)[:-30], "is damaged, or not XML"),
            (
                votable("<BINARY2><STREAM encoding='base64'>QUJD</STREAM></BINARY2>"),
                "no rows|damaged",
            ),
            (
                votable("<BINARY><STREAM/></BINARY>").replace(
                    b'<TABLE name="marks"', b'<TABLE name="marks" nrows="99999999999"'
                ),
                "claims 99,999,999,999 rows of",
            ),
            (
                votable("<BINARY><STREAM/></BINARY>").replace(
                    b'arraysize="*"', b'arraysize="999999999"'
                ),
                "claims 0 rows of",
            ),
            (
                votable(ROW, fields="<FIELD name='a'/><FIELD name='b'/>"),
                "there is no column x, which",
            ),
        ],
    )
    def test_what_is_refused(self, content: bytes, message: str, read: Read) -> None:
        with pytest.raises(AnnotationError, match=message):
            read(content)

    def test_one_of_several_tables(self, read: Read) -> None:
        table = re.search(rb"<TABLE .*</TABLE>", votable(ROW))[0]  # type: ignore[index]
        other = b'<TABLE name="survey"><FIELD name="a" datatype="int"/></TABLE>'
        found = read(votable(ROW).replace(table, other + table))
        assert "Of its tables marks is read, not survey." in found.notices
        two = votable(ROW).replace(
            table, table + table.replace(b'"marks"', b'"more"').replace(b"g1", b"g2")
        )
        with pytest.raises(
            AnnotationError,
            match=r"several tables with annotations, 'marks', 'more'; .*\"VOTable:marks\"",
        ):
            read(two)
        assert read(two, format="votable:more").sources == ("g2",)
        with pytest.raises(AnnotationError, match="has no table 'less'; it has 'marks', 'more'"):
            read(two, format="votable:less")


class TestParquet:
    def test_what_pandas_writes(self, read: Read) -> None:
        frame = observed().to_pandas()
        frame["Dec"] /= 60
        frame["RA"] *= 15
        frame["width"] *= 60
        frame["height"] *= 3600
        frame["radius"] /= 1000
        frame["angle"] = np.degrees(frame["angle"])
        frame = frame.astype({"observer": "category"})
        frame.index = [5, 7, 9]
        check_observed(read(frame.to_parquet))
        assert read(frame.to_parquet).annotations[1].line == 2

    def test_nested_columns(self, read: Read) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        table = pa.table(
            {"source": ["g1"], "shape": ["line"], "vertices": [[[1.0, 2.0], [3.0, 4.0]]]}
        )
        with pytest.raises(AnnotationError, match=r"columns within columns or lists \(vertices\)"):
            read(lambda path: parquet.write_table(table, path))

    def test_claims(self, read: Read) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        table = pa.table({"source": pa.array(np.zeros(1_000_001, np.int8))})
        with pytest.raises(AnnotationError, match="1000001 rows, more than the 1,000,000"):
            read(lambda path: parquet.write_table(table, path))
        # one long text that recurs takes few bytes, in the file and in memory
        text = pa.DictionaryArray.from_arrays(
            pa.array(np.zeros(20_000, np.int32)), pa.array(["x" * 1_000_000])
        )
        columns = {"source": ["g1"], "annotator": ["a"], "shape": ["point"], "label": ["core"]}
        table = pa.table(
            {name: values * 20_000 for name, values in columns.items()}
            | {"x": np.arange(20_000.0), "y": np.zeros(20_000), "note": text}
        )
        found = read(lambda path: parquet.write_table(table, path))
        assert len({id(a.other["note"]) for a in found.annotations}) < 10

    def test_damage(self, read: Read) -> None:
        with pytest.raises(AnnotationError, match=r"Parquet table .* is damaged"):
            read(b"PAR1" + b"\0" * 50 + b"PAR1")
