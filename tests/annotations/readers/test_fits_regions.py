"""FITS region tables: shapes, where pixels count from, coordinates of columns, components, and the way back."""

from __future__ import annotations

import dataclasses
import gzip
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

import attnxai
from attnxai.annotations import write_annotations
from attnxai.annotations.annotation_set import AnnotationSet, Operation
from attnxai.annotations.shapes import Frame, ShapeKind
from attnxai.data.images import SourceImage
from attnxai.errors import AnnotationError
from tests.annotations.marks_in_common import PIXEL_SHAPES, as_rows, marks, regions_in_pixels

MakeImage = Callable[..., SourceImage]
WIDE = 3
# a row: SHAPE, X, Y, R, ROTANG, COMPONENT
ROWS: list[tuple[Any, ...]] = [
    ("CIRCLE", 13, 11, 4, 0, 1),
    ("Ellipse", 20, 16, (6, 3), 20, 2),
    ("!circle", 13, 11, 2, 0, 1),
    ("ANNULUS", 30, 20, (2, 4), 0, 3),
    ("POINT", 9, 8, 0, 0, 4),
    ("BOX", 10, 10, (4, 2), 0, 5),
    ("ROTBOX", 10, 10, (4, 2), 70, 6),
    ("POLYGON", (20, 26, 23), (20, 20, 27), 0, 0, 7),
    ("ROTRECTANGLE", (2, 6), (3, 5), 0, 90, 8),
    ("DIAMOND", 10, 10, (4, 2), 0, 9),
    ("LINE", (1, 5), (2, 9), 0, 0, 11),
    ("PIE", 21, 21, (0, 5), (0, 90), 10),
]


def filled(value: Any, width: int) -> list[float]:
    values = [*value] if isinstance(value, tuple) else [value]
    return [float(v) for v in values] + [0.0] * (width - len(values))


def table(
    rows: Sequence[tuple[Any, ...]] = ROWS,
    *,
    unit: str = "pixel",
    r_unit: str | None = None,
    cards: Mapping[str, Any] | None = None,
    component: bool = True,
    more: Sequence[fits.Column] = (),
) -> fits.BinTableHDU:
    shape, x, y, r, turn, number = zip(*rows, strict=True)
    columns = [
        fits.Column("SHAPE", "16A", array=np.array(shape)),
        fits.Column("X", f"{WIDE}D", unit=unit, array=np.array([filled(v, WIDE) for v in x])),
        fits.Column("Y", f"{WIDE}D", unit=unit, array=np.array([filled(v, WIDE) for v in y])),
        fits.Column("R", "4D", unit=r_unit or unit, array=np.array([filled(v, 4) for v in r])),
        fits.Column("ROTANG", "2D", unit="deg", array=np.array([filled(v, 2) for v in turn])),
        *([fits.Column("COMPONENT", "J", array=np.array(number))] if component else []),
        *more,
    ]
    hdu = fits.BinTableHDU.from_columns(columns, name="REGION")
    hdu.header.update({"HDUCLASS": "ASC", "HDUCLAS1": "REGION", **(cards or {})})
    return hdu


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., AnnotationSet]:
    def make(
        hdu: Any, *images: SourceImage, name: str = "g1.fits", **options: Any
    ) -> AnnotationSet:
        path = tmp_path / "ann" / name
        path.parent.mkdir(exist_ok=True)
        hdus = hdu if isinstance(hdu, list) else [fits.PrimaryHDU(), hdu]
        fits.HDUList(hdus).writeto(path, overwrite=True)
        return attnxai.read_annotations(path, images or None, **options)

    return make


Read = Callable[..., AnnotationSet]


def test_all_shapes_count_from_1(read: Read) -> None:
    found = read(table())
    first, ellipse, hole, outer, inner, point, box, turned, polygon, wide, diamond, line, pie = (
        found.annotations
    )
    assert (first.shape.x, first.shape.y, first.shape.radius) == (12, 10, 4)
    assert (hole.operation, hole.group) == (Operation.SUBTRACT, first.group)
    assert first.group == "component 1"
    assert (ellipse.shape.width, ellipse.shape.height, ellipse.shape.angle) == (12, 6, 20)
    assert (outer.shape.radius, inner.shape.radius) == (4, 2)
    assert outer.group == inner.group == "ring 4"
    assert (point.shape.x, point.shape.y) == (8, 7)
    assert (box.shape.width, box.shape.height, box.shape.angle) == (4, 2, 0)
    assert turned.shape.angle == 70
    assert list(polygon.shape.vertices) == [(19, 19), (25, 19), (22, 26)]
    assert (wide.shape.x, wide.shape.width, wide.shape.height, wide.shape.angle) == (3, 4, 2, 90)
    assert set(np.round(diamond.shape.vertices, 9).ravel()) == {7, 8, 9, 10, 11}
    assert list(line.shape.vertices) == [(0, 1), (4, 8)]
    assert len(pie.shape.vertices) > 10
    assert (found.sources, found.annotators, found.n_rows) == (("g1",), ("ann",), len(ROWS))


def test_what_is_excluded_from_a_ring(read: Read) -> None:
    rows = [("ANNULUS", 30, 20, (2, 4), 0, 1), ("!box", 30, 20, (9, 1), 0, 1), ROWS[1]]
    found = read(table(rows)).annotations
    assert [a.group for a in found] == ["ring 1", "ring 1", "ring 1", ""]
    assert [str(a.operation) for a in found] == ["add", "subtract", "subtract", "add"]
    alone = read(table([("!circle", 30, 20, 4, 0, 1), ROWS[1]])).annotations
    assert [(a.group, str(a.operation)) for a in alone] == [("", "subtract"), ("", "add")]


def test_a_file_of_astropy_regions_counts_from_0(tmp_path: Path) -> None:
    """Its shorter polygons are filled up by zeros."""
    from regions import CircleAnnulusPixelRegion, PixCoord, PolygonPixelRegion, Regions

    there = [
        *regions_in_pixels(),
        PolygonPixelRegion(PixCoord([1, 8, 8, 6, 1], [2, 2, 9, 12, 9])),
        CircleAnnulusPixelRegion(PixCoord(30, 20), 2, 4),
    ]
    Regions(there).write(tmp_path / "g1.fits", format="fits")
    found = attnxai.read_annotations(tmp_path / "g1.fits")
    x, y = np.meshgrid(np.arange(0, 40, 0.25) + 0.01, np.arange(0, 40, 0.25) + 0.01)
    everywhere = PixCoord(x, y)
    own = [a.shape.to_regions()[0].contains(everywhere) for a in found.annotations]
    own[4] &= ~own.pop()
    for mine, other in zip(own, there, strict=True):
        np.testing.assert_array_equal(mine, other.contains(everywhere))
    assert any("counted from 0, as astropy regions writes" in note for note in found.notices)
    assert any("Zeros at the end of polygons" in note for note in found.notices)


@pytest.mark.parametrize("turn", [0.0, 0.4])
@pytest.mark.parametrize("flip", [1, -1])
def test_coordinates_of_columns(read: Read, make_image: MakeImage, turn: float, flip: int) -> None:
    """As in the sky pixels of CIAO: 1-based, with a projection of their own, on another image."""
    step = 0.5 / 3600
    cards = {
        "TCTYP2": "RA---TAN",
        "TCRVL2": 150.0,
        "TCRPX2": 4096.5,
        "TCDLT2": -step * flip,
        "TCTYP3": "DEC--TAN",
        "TCRVL3": 40.0,
        "TCRPX3": 4096.5,
        "TCDLT3": step,
        "RADESYS": "ICRS",
        "MTYPE1": "sky",
    }
    rows = [
        ("ELLIPSE", 4100.0, 4110.0, (30, 12), np.degrees(turn), 1),
        ("PIE", 4096.5, 4096.5, (0, 20), (0, 90), 2),
        ("POLYGON", (4096.5, 4120.5, 4096.5), (4096.5, 4096.5, 4130.5), 0, 0, 3),
    ]
    found = read(table(rows, cards=cards), make_image("g1", 150.0))
    own = WCS({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 40.0}
              | {"CRPIX1": 4096.5, "CRPIX2": 4096.5, "CDELT1": -step * flip, "CDELT2": step})  # fmt: skip
    ellipse, pie, polygon = (a.shape for a in found.annotations)
    assert ellipse.frame is Frame.ICRS
    centre = own.all_pix2world([[4100.0, 4110.0]], 1)[0]
    assert (ellipse.x, ellipse.y) == pytest.approx(tuple(centre), abs=1e-8)
    assert (ellipse.width, ellipse.height) == pytest.approx((30, 12), rel=1e-5)
    assert (ellipse.angle - flip * (np.degrees(turn) + 90)) % 180 == pytest.approx(0, abs=0.01) or (
        ellipse.angle - flip * (np.degrees(turn) + 90)
    ) % 180 == pytest.approx(180, abs=0.01)
    corners = own.all_world2pix(np.array(pie.vertices), 1) - 4096.5
    assert corners.min() == pytest.approx(0, abs=0.01)  # the quarter of +x and +y
    assert corners.max() == pytest.approx(20, abs=0.01)
    np.testing.assert_allclose(
        own.all_world2pix(np.array(polygon.vertices), 1),
        [(4096.5, 4096.5), (4120.5, 4096.5), (4096.5, 4130.5)],
        atol=1e-5,
    )


@pytest.mark.parametrize("system", ["ICRS", "FK5", ""])
def test_positions_in_degrees(read: Read, make_image: MakeImage, system: str) -> None:
    cards = {"RADESYS": system} if system else {"EQUINOX": 2000.0}
    rows = [("CIRCLE", 150.0, 40.0, 3, 0, 1), ("ROTBOX", 150.0, 40.0, (8, 3), 30, 2)]
    found = read(table(rows, unit="deg", r_unit="arcsec", cards=cards), make_image("g1", 150.0))
    circle, box = (a.shape for a in found.annotations)
    assert (circle.x, circle.y) == pytest.approx((150, 40), abs=1e-5)
    assert circle.radius == 3
    assert box.angle % 180 == pytest.approx(120, abs=0.01)


def test_arrays_of_any_length(read: Read) -> None:
    """Vertices in the heap of a table, as many as a polygon has."""

    def array(*rows: list[float]) -> np.ndarray:
        cells = np.empty(len(rows), dtype=object)
        cells[:] = [np.array(row) for row in rows]
        return cells

    columns = [
        fits.Column("SHAPE", "8A", array=np.array(["POLYGON", "CIRCLE"])),
        fits.Column("X", "PD()", array=array([3, 9, 4], [5])),
        fits.Column("Y", "PD()", array=array([3, 4, 9], [6])),
        fits.Column("R", "D", array=np.array([0.0, 2.0])),
    ]
    polygon, circle = read(fits.BinTableHDU.from_columns(columns, name="REGION")).annotations
    assert list(polygon.shape.vertices) == [(2, 2), (8, 3), (3, 8)]
    assert (circle.shape.x, circle.shape.y) == (4, 5)
    columns[1] = fits.Column("X", "PD()", array=array([3, 9], [5]))
    with pytest.raises(AnnotationError, match="row 1: it has 2 values of X and 3 of Y"):
        read(fits.BinTableHDU.from_columns(columns, name="REGION"))


def test_words_of_further_columns(read: Read) -> None:
    more = [
        fits.Column("LABEL", "20A", array=np.array(["lobe", "<b>blob"])),
        fits.Column("ANNOTATOR", "20A", array=np.array(["Bob", ""])),
    ]
    found = read(table([ROWS[0], ROWS[4]], more=more))
    assert [(a.annotator, a.label) for a in found.annotations] == [
        ("Bob", "lobe"),
        ("ann", "other"),
    ]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (("SECTOR", 1, 2, 0, (0, 90), 2), "'sector' is not a shape that can be used; known are"),
        (("!POINT", 1, 2, 0, 0, 2), "a point cannot be excluded"),
        (("CIRCLE", np.nan, 2, 3, 0, 2), "its X or Y is not a number"),
        (("CIRCLE", 1, 2, np.inf, 0, 2), "the radius of a circle has to be"),
        (("ELLIPSE", 1, 2, (3, 4), np.nan, 2), "the angle of an ellipse has to be"),
        (("PIE", 1, 2, (3, 4), np.inf, 2), "its ROTANG is not a number"),
        (("POLYGON", (1, 1), (1, 1), 0, 0, 2), "the vertices of a polygon have to be"),
        (("BOX", 1, 2, (3, 4), 0, 1), "it is included in component 1 with row 1"),
    ],
)
def test_faults_name_the_row(read: Read, row: tuple[Any, ...], fault: str) -> None:
    with pytest.raises(AnnotationError) as caught:
        read(table([ROWS[0], row, ROWS[4]]))
    assert fault in str(caught.value)
    assert "1 row of annotation file" in str(caught.value)
    assert "row 2: " in str(caught.value)


def test_files_that_are_refused(read: Read, tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"holds 2 tables of regions \(HDUs 1, 2\); keep one"):
        read([fits.PrimaryHDU(), table(), table()])
    with pytest.raises(AnnotationError, match="positions in the unit 'furlong'"):
        read(table(unit="furlong"))
    with pytest.raises(AnnotationError, match=r"coordinates \(TCTYP2 and others\) cannot be used"):
        read(table(cards={"TCTYP2": "RA---TAN", "TCRVL2": 150.0}))
    image = fits.PrimaryHDU(np.ones((4, 4), dtype=np.int16))
    with pytest.raises(
        AnnotationError, match="an image and a table of regions; say which is meant"
    ):
        read([image, table()])
    assert len(read([image, table()], format="FITS regions")) == len(ROWS) + 1
    read(table())
    broken = (tmp_path / "ann" / "g1.fits").read_bytes()
    (tmp_path / "short.fits").write_bytes(broken[:-2880])
    with pytest.raises(AnnotationError, match=r"short.fits is damaged|claims .* more than it has"):
        attnxai.read_annotations(tmp_path / "short.fits")


def test_compressed(tmp_path: Path) -> None:
    fits.HDUList([fits.PrimaryHDU(), table()]).writeto(tmp_path / "g1.fits")
    content = (tmp_path / "g1.fits").read_bytes()
    (tmp_path / "g2.fits.gz").write_bytes(gzip.compress(content))
    plain, packed = (attnxai.read_annotations(tmp_path / n) for n in ("g1.fits", "g2.fits.gz"))
    assert len(plain) == len(packed)
    assert packed.sources == ("g2",)
    (tmp_path / "g3.fits.gz").write_bytes(gzip.compress(content + b"\0" * (1 << 27), 9))
    with pytest.raises(AnnotationError, match=r"unpacks to more than 67,108,864 bytes"):
        attnxai.read_annotations(tmp_path / "g3.fits.gz")


def test_round_trip(tmp_path: Path) -> None:
    shapes = [shape for kind, shape in PIXEL_SHAPES.items() if kind is not ShapeKind.LINE]
    found = marks(*shapes, annotator="Ann, the 1st", weight=0.25, round=2, group="r")
    hole = dataclasses.replace(found.annotations[1], operation=Operation.SUBTRACT)
    found = dataclasses.replace(found, annotations=(*found.annotations, hole))
    (path,) = write_annotations(found, tmp_path / "x.fits", "FITS regions")
    assert as_rows(attnxai.read_annotations(path)) == as_rows(found)
    from regions import Regions

    assert len(Regions.read(path, format="fits")) == len(found)


def test_large_files(read: Read, make_image: MakeImage) -> None:
    rows = [("ELLIPSE", 13 + i * 1e-4, 11, (4, 3), 5, i) for i in range(10_000)]
    cards = {
        "TCTYP2": "RA---TAN",
        "TCRVL2": 150.0,
        "TCRPX2": 13.0,
        "TCDLT2": -5e-4,
        "TCTYP3": "DEC--TAN",
        "TCRVL3": 40.0,
        "TCRPX3": 11.0,
        "TCDLT3": 5e-4,
    }
    start = time.process_time()
    assert len(read(table(rows, cards=cards), make_image("g1", 150.0))) == 10_000
    assert time.process_time() - start < 10
