"""Annotation tables as people have them: read where the meaning is certain, with a note of what was assumed."""

from __future__ import annotations

import re

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from attnxai.annotations import AnnotationSet, Label, ShapeKind
from attnxai.annotations.naming import Naming
from attnxai.annotations.readers.registry import AnnotationFile
from attnxai.annotations.readers.table import parse_table, read_table
from attnxai.annotations.table_columns import n_known_columns
from attnxai.data.csv_dialects import header_score
from attnxai.errors import AnnotationError

HEADER = "source,annotator,shape,x,y,width,height,radius,angle,vertices,frame,label,class"
ROWS = (
    "g0,ann,circle,150.005,30.001,,,8.5,,,icrs,lobe,FR I",
    'g0,ann,polygon,,,,,,,"150.01 30.0; 150.02 30.0; 150.01 30.01",icrs,lobe,FR I',
    "g1,bob,ellipse,151,-30.5,9,5,,12.5,,icrs,core,FR II",
)
PLAIN = "\n".join([HEADER, *ROWS]) + "\n"


def content(read: AnnotationSet) -> list[tuple[object, ...]]:
    return [
        (
            a.source,
            a.annotator,
            a.label,
            a.shape.kind,
            *a.shape.points,
            *a.shape.lengths,
            a.shape.angle,
        )
        for a in read.annotations
    ]


def separated(delimiter: str, *, comma: bool = False) -> str:
    lines = PLAIN.replace('"', "").replace("; ", "@").splitlines()
    cells = [line.split(",") for line in lines]
    if comma:
        cells = [[re.sub(r"(?<=\d)\.(?=\d)", ",", cell) for cell in row] for row in cells]
    quotes = not delimiter.strip(" ")
    quoted = [
        [f'"{c.replace("@", "; ")}"' if "@" in c or quotes else c for c in row] for row in cells
    ]
    return "\n".join(delimiter.join(row) for row in quoted) + "\n"


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        (separated(";"), ["separated by semicolons"]),
        (separated("\t"), ["separated by tabs"]),
        (separated("|"), ["separated by vertical bars"]),
        (
            "\ufeff" + separated(";", comma=True),
            ["separated by semicolons", "11 numbers with a decimal comma are read"],
        ),
        (PLAIN.replace(HEADER, HEADER.title()), []),
        (PLAIN.replace(HEADER, HEADER.upper().replace(",", " , ")), []),
        ("# marked in July\nsep=,\n" + PLAIN, ["1 line of comments is skipped"]),
        ("sep=;\n" + separated(";"), ["separated by semicolons"]),
        (PLAIN.replace("\ng1", "\n# bob starts here\n\ng1"), ["1 line of comments is skipped"]),
        ("# " + PLAIN, []),
        ("# by hand\n# " + PLAIN, ["1 line of comments is skipped"]),
        ("\n".join(f"{line},,," for line in PLAIN.splitlines()), []),
        ("\n".join([HEADER, *(f"{line},,," for line in ROWS)]), ["3 rows end with empty cells"]),
        (PLAIN.replace(",-30", ",\u221230"), ["1 number with another sign for the minus is read"]),
        (PLAIN.replace(",icrs,", ",ICRS,").replace("\n", "\r\n"), []),
        (PLAIN.replace("angle", "angle [deg]").replace("radius", "radius (arcsec)"), ["radius"]),
        (PLAIN.replace(",lobe,", ",Lobes,"), ["The label 'Lobes' is read as lobe (2 rows)"]),
        (PLAIN.replace("annotator", "Observer").replace("class", "FR class"), ["Observer as annotator"]),
        (PLAIN.replace("x,y", "RA,Dec_deg"), ["RA as x and Dec_deg as y"]),
        (PLAIN.replace("\n", "\r"), []),
        (separated(" "), ["separated by spaces"]),
        ("# " + separated("   "), ["separated by spaces"]),
        (PLAIN.replace("\n", f"\n{HEADER}\n").removesuffix(f"{HEADER}\n"), ["The header is repeated (3 rows)"]),
    ],
)  # fmt: skip
def test_other_spellings_of_one_table(text: str, notes: list[str]) -> None:
    read = parse_table(text)
    assert content(read) == content(parse_table(PLAIN))
    assert parse_table(PLAIN).notices == ()
    assert bool(read.notices) is bool(notes)
    for note in notes:
        assert any(note in notice for notice in read.notices), read.notices


@pytest.mark.parametrize(
    "vertices",
    [
        "[(1.5, 2), (3, 4), (5, 0)]",
        "[[1.5, 2], [3, 4], [5, 0]]",
        "[[1.5 2. ]\n [3.  4. ]\n [5.  0. ]]",
        "POLYGON ((1.5 2, 3 4, 5 0))",
    ],
)
def test_vertices_as_programs_write_them(vertices: str) -> None:
    (found,) = parse_table(f'source,annotator,shape,vertices\ng0,a,poly,"{vertices}"\n').annotations
    assert found.shape.kind is ShapeKind.POLYGON
    assert [tuple(p) for p in found.shape.vertices] == [(1.5, 2.0), (3.0, 4.0), (5.0, 0.0)]


@pytest.mark.parametrize(
    "vertices", ["[1 2; 3 4; 5 0", "[(1, 2, 3), (4, 5, 6)]", "POLYGON ((1 2), (3 4))"]
)
def test_vertices_that_are_no_pairs(vertices: str) -> None:
    with pytest.raises(AnnotationError, match="is not a list of positions"):
        parse_table(f'source,annotator,shape,vertices\ng0,a,polygon,"{vertices}"\n')


@pytest.mark.parametrize(
    "text",
    [
        '[{"source": 1, "label": ["lobe"], "x": 3, "y": 4}]',
        "The source has a label of its own, and x and y",
        "A list of what every annotator says of the source and its label",
        '<shape label="lobe" source="g1" x="1" y="2">',
    ],
)
def test_prose_and_json_are_no_tables(text: str) -> None:
    assert header_score(text.encode(), n_known_columns) == 0


@pytest.mark.parametrize("ruler", ["", "------,---,----,--,---,---\n"])
def test_units_in_a_row_of_their_own(ruler: str) -> None:
    text = f"source,annotator,shape,ra,dec,r\n{ruler},,-,[deg],deg,arcmin\ng0,a,circle,150,30,0.5\n"
    read = parse_table(text)
    assert (read.annotations[0].shape.points[0], read.annotations[0].shape.radius) == (
        (150, 30),
        30,
    )
    assert f"The units of its columns stand in line {3 if ruler else 2}." in read.notices
    with pytest.raises(AnnotationError, match="column source is empty"):
        parse_table(text.replace("arcmin", "10"))


def test_hours_in_the_name_of_a_column() -> None:
    (found,) = parse_table("source,annotator,ra [h],dec (deg)\ng0,a,10,30\n").annotations
    assert found.shape.points[0] == (150.0, 30.0)


def test_a_shape_that_lacks_a_column() -> None:
    with pytest.raises(
        AnnotationError, match=r"line 2: there is no column height, which a box needs$"
    ):
        parse_table("source,annotator,shape,x,y,width\ng0,a,rectangle,1,2,3\n")


def test_line_numbers_count_comments() -> None:
    assert [a.line for a in parse_table("# a\nsep=,\n\n" + PLAIN).annotations] == [5, 6, 7]
    assert [a.line for a in parse_table("# a\n# " + PLAIN).annotations] == [3, 4, 5]


def test_a_source_may_begin_with_the_sign_of_comments() -> None:
    read = parse_table("source,annotator,shape,x,y,label\n#7,ann,point,1,2,core\n")
    assert read.sources == ("#7",)


def test_sexagesimal_positions_and_missing_columns() -> None:
    read = parse_table(
        "Source,Observer,RA,DEC,r\ng0,ann,10:00:05.1,+29:59:57,8\ng1,ann,10h04m05.2s,29d59m58s,8\n"
        "g2,ann,10ʰ00ᵐ05.1ˢ,-00 00 57,\n"
    )
    first, second, third = read.annotations
    for found, text in ((first, "10:00:05.1 +29:59:57"), (second, "10h04m05.2s 29d59m58s"), (third, "10:00:05.1 -0:00:57")):  # fmt: skip
        there = SkyCoord(text, unit=("hourangle", "deg"))
        assert found.shape.points[0] == pytest.approx((there.ra.deg, there.dec.deg), abs=1e-12)
    assert first.shape.kind is ShapeKind.CIRCLE
    assert third.shape.kind is ShapeKind.POINT
    assert first.shape.radius == 8.0
    assert {a.label for a in read.annotations} == {Label.OTHER}
    said = " ".join(read.notices)
    for note in (
        "read by other names: Observer as annotator, RA as x, DEC as y and r as radius",
        "no column label, which counts as other (3 rows)",
        "no column shape; what has a radius is read as a circle (2 rows)",
        "right ascensions and declinations are read as ICRS (3 rows)",
        "are read as hours, minutes and seconds",
    ):
        assert note in said


@pytest.mark.parametrize(
    ("frame", "astropy_frame"),
    [("fk5", "fk5"), ("J2000", "fk5"), ("fk4", "fk4"), ("B1950", "fk4"), ("Galactic", "galactic")],
)
def test_other_frames_become_icrs(frame: str, astropy_frame: str) -> None:
    """Both ends of the long axis of a box lie where astropy places them."""
    rows = f"g0,ann,box,150.2,30.1,60,4,,35,,{frame},lobe,\n"
    rows += f'g0,ann,line,,,,,,,"150.2 30.1; 150.3 30.2",{frame},jet,\n'
    box, line = parse_table(f"{HEADER}\n{rows}").annotations
    there = SkyCoord([150.2, 150.3], [30.1, 30.2], unit="deg", frame=astropy_frame)
    icrs = there.icrs
    assert box.shape.points[0] == pytest.approx((icrs.ra[0].deg, icrs.dec[0].deg), abs=1e-9)
    assert np.array(line.shape.vertices) == pytest.approx(
        np.array([icrs.ra.deg, icrs.dec.deg]).T, abs=1e-9
    )
    import astropy.units as u

    end = there[0].directional_offset_by(35 * u.deg, 30 * u.arcsec).icrs
    found = icrs[0].directional_offset_by(box.shape.angle * u.deg, 30 * u.arcsec)
    assert found.separation(end).arcsec < 0.01
    assert box.shape.width == 60.0


def test_units_of_lengths() -> None:
    rows = "g0,ann,ellipse,150,30,1.5,0.5,,0,,icrs,lobe,\n"
    text = HEADER.replace("width", "width_arcmin").replace("height", "Height (deg)")
    (mark,) = parse_table(f"{text}\n{rows}").annotations
    assert mark.shape.lengths == (90.0, 1800.0)
    with pytest.raises(AnnotationError, match="column width: its unit is pix, but positions are"):
        parse_table(f"{HEADER.replace('width', 'width_px')}\n{rows}")
    with pytest.raises(AnnotationError, match="its unit is arcsec, but positions are pixels"):
        parse_table("source,annotator,shape,x,y,r_arcsec,label\na,b,circle,1,2,3,core\n")


def test_columns_called_as_here_come_first() -> None:
    read = parse_table("source,annotator,shape,x,y,RA,DEC,label\ns1,a,point,1,2,150,30,core\n")
    assert read.annotations[0].shape.points == ((1.0, 2.0),)
    assert read.annotations[0].other == {"RA": "150", "DEC": "30"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source,annotator,x,y,width,height,label\na,b,1,2,3,4,core\n", "could be ellipse or box here"),
        ("source,annotator,vertices,label\na,b,1 2;3 4;5 6,core\n", "could be polygon or line here"),
        ("source,annotator,shape,x,y,label\na,b,point,1:2:3,2,core\n", "'1:2:3' is not a number"),
        ("source;annotator;shape;x;y;label\na;b;point;1.000,5;2;core\n", "is not a number"),
        ("source,annotator,shape,ra,dec,label\na,b,point,10:00:61,30,core\n", "is not a number"),
        ("source,annotator,shape,ra,dec,frame,label\na,b,point,1,2,pixel,core\n", "one of pixel"),
        ("source,annotator,shape,label\na,b,point,core\n", "there is no column x, which a point needs"),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_asked_about(text: str, message: str) -> None:
    with pytest.raises(AnnotationError, match=re.escape(message)):
        parse_table(text)


def test_an_annotator_may_be_stated_elsewhere() -> None:
    text = b"source,shape,x,y,label\ns1,point,1,2,core\n"
    read = read_table(AnnotationFile(path="marks/ann.csv", content=text))
    assert read.annotators == ("ann",)
    assert "no column annotator; that of its rows is ann" in read.notices[0]
    stated = read_table(AnnotationFile(path="marks/ann.csv", content=text, annotator="Ann B"))
    assert stated.annotators == ("Ann B",)


def test_words_that_the_user_states() -> None:
    naming = Naming(labels={"blob": "hotspot"}, annotators={"a1": "Ann"})
    text = b"source,annotator,shape,x,y,label\ns1,A1,point,1,2,Blob\n"
    (mark,) = read_table(AnnotationFile(path="t.csv", content=text, naming=naming)).annotations
    assert (mark.annotator, mark.label) == ("Ann", Label.HOTSPOT)


def test_sources_on_which_nothing_was_marked() -> None:
    read = parse_table(
        "source,annotator,shape,x,y,label,class\ns1,ann,none,,,,FR II\ns2,ann,point,1,2,core,FR I\n"
    )
    assert read.left_out == {"nothing marked on the source": 1}
    assert read.n_rows == 2
    assert read.classes == {"s1": "FR II", "s2": "FR I"}
    with pytest.raises(AnnotationError, match="marks nothing: all rows say that there is nothing"):
        parse_table("source,annotator,shape,x,y,label\ns1,ann,none,,,\n")


def test_the_mark_of_text_in_spreadsheets_is_taken_off() -> None:
    read = parse_table("source,annotator,shape,x,y,label,comment\n'=1+1,'@me,point,1,2,core,'-x\n")
    (mark,) = read.annotations
    assert (mark.source, mark.annotator, mark.other) == ("=1+1", "@me", {"comment": "-x"})


def test_an_image_names_its_source() -> None:
    read = parse_table("image,annotator,shape,x,y,label\ncut/g7.fits,ann,point,1,2,core\n")
    assert read.sources == ("g7",)
    assert read.images == {"g7": "cut/g7.fits"}
