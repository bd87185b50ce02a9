"""FITS region tables (ASC-FITS-REGION), as CIAO, XMM-SAS and astropy regions write them.

A row is a shape with the columns SHAPE, X, Y, R, ROTANG and COMPONENT. Pixels count from 1, but from 0 in files of astropy
regions; where the columns X and Y have coordinates on the sky (TCTYP and others), shapes are carried over to it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.annotations.annotation_set import (
    WEIGHT,
    Annotation,
    AnnotationSet,
    Operation,
    expected_round,
)
from attnxai.annotations.readers.fits_heads import check_one_kind, has_regions, headers_of
from attnxai.annotations.readers.fits_region_table import (
    MARKS,
    RegionTable,
    read_region_table,
)
from attnxai.annotations.readers.marks import MarkList
from attnxai.annotations.readers.region_shapes import (
    PIXEL,
    Length,
    Region,
    RegionFault,
    add_regions,
    place_on_sky,
)
from attnxai.annotations.readers.registry import AnnotationFile, register_reader
from attnxai.annotations.shapes import Frame, Shape, ShapeKind
from attnxai.annotations.writers import FileNames, register_writer
from attnxai.data.images import SourceImage
from attnxai.data.wording import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NAME = "FITS regions"
_STATED = ("SOURCE", "ANNOTATOR", "GROUP", "ROUND", "WEIGHT")
_EXPECTED = {"ROUND": expected_round, "WEIGHT": WEIGHT.expected}
_WORDS = {"LABEL": "text", "NAME": "text", "TEXT": "text", "TAG": "tag", "COLOR": "color"}
_ARCSEC = {"deg": 3600.0, "arcmin": 60.0, "arcsec": 1.0}


def _recognises(head: bytes) -> bool:
    return any(has_regions(cards) for cards in headers_of(head))


@register_reader(_NAME, recognises=_recognises, uses_images=True)
def read_fits_regions(file: AnnotationFile) -> AnnotationSet:
    """Read every row as a shape; those that are excluded subtract from what is included with them."""
    what = f"annotation file {file.path}"
    content = file.unpacked()
    table = read_region_table(content, what)
    marks = MarkList(file, "row")
    check_one_kind(file, content)
    regions = []
    for row in range(table.n_rows):
        try:
            regions.append(_region(table, row))
        except RegionFault as fault:
            marks.faults.add_row(row + 1, f": {fault}")
    for note in table.notes:
        marks.note(note)
    _group(regions, table, marks)
    if table.grid is not None:
        place_on_sky(regions, table.grid)
    add_regions(regions, marks)
    return marks.annotation_set()


def _region(table: RegionTable, row: int) -> Region:
    name = table.word("SHAPE", row).lower() if "SHAPE" in table.columns else "point"
    excluded = name.startswith("!")
    name = name.lstrip("!").strip()
    if name not in _SHAPES:
        known = ", ".join(_SHAPES)
        raise RegionFault(
            f"{printable(name)[:40]!r} is not a shape that can be used; known are {known}"
        )
    kind, values = _SHAPES[name](table, row)
    if excluded and not kind.has_area:
        raise RegionFault(f"{kind.with_article} cannot be excluded; take the row away")
    words: dict[str, list[str]] = {}
    for column, of in _WORDS.items():
        if word := table.word(column, row):
            words.setdefault(of, []).append(word)
    fields: dict[str, Any] = {"words": words}
    for column in _STATED:
        if (expected := _EXPECTED.get(column)) is not None:
            for value in table.numbers(column, row)[:1]:
                if right := expected(value):
                    raise RegionFault(f"its {column} is {value:g} instead of {right}")
                fields[column.lower()] = value
        elif word := table.word(column, row):
            fields[column.lower()] = word
    return Region(
        kind=kind, line=row + 1, frame=table.frame, subtract=excluded, fields=fields, **values
    )


def _group(regions: Sequence[Region], table: RegionTable, marks: MarkList) -> None:
    """Give regions of one component a group: what is excluded is so from what is included there."""
    by_component: dict[float, list[Region]] = {}
    for region in regions:
        for number in table.numbers("COMPONENT", region.line - 1)[:1]:
            by_component.setdefault(number, []).append(region)
    for number, members in by_component.items():
        included = [region for region in members if not region.subtract]
        if any("group" in region.fields for region in members):
            continue  # which this package wrote
        for region in included[1:]:
            marks.faults.add_row(
                region.line,
                f": it is included in component {number:g} with row {included[0].line}, which marks where both overlap; "
                "give every included shape a component of its own",
            )
        if len(members) > len(included) > 0:
            # a ring becomes a group of its own
            kind = f"ring {included[0].line}" if len(included[0].rings) > 1 else ""
            for region in members:
                region.fields = {**region.fields, "group": kind or f"component {number:g}"}


_Made = tuple[ShapeKind, dict[str, Any]]
_Make = Callable[[RegionTable, int], _Made]


def _points(table: RegionTable, row: int, fewest: int = 0) -> list[tuple[float, float]]:
    """All positions of a row, 0-based; of ``fewest`` or more vertices without the zeros that fill an array up."""
    x, y = table.numbers("X", row), table.numbers("Y", row)
    if len(x) != len(y) or not x:
        raise RegionFault(f"it has {len(x)} values of X and {len(y)} of Y")
    first = table.first if table.frame == PIXEL else 0.0
    points = list(zip(x, y, strict=True))
    while len(points) > 1 and (not all(map(math.isfinite, points[-1])) or points[-1] == points[-2]):
        points.pop()
    if not all(math.isfinite(value) for point in points for value in point):
        raise RegionFault("its X or Y is not a number")
    n_given = len(points)
    while fewest and len(points) > fewest and points[-1] == (0.0, 0.0):
        points.pop()
    if len(points) < n_given:
        table.notes["Zeros at the end of polygons are taken for what fills their arrays up."] = None
    return [(a - first, b - first) for a, b in points]


def _lengths(table: RegionTable, row: int, n: int, factor: float) -> list[Length]:
    values = table.numbers("R", row)
    if len(values) < n:
        raise RegionFault(f"it has {len(values)} values of R instead of {n}")
    unit = table.units.get("R", "")
    on_sky = table.frame != PIXEL
    if unit in _ARCSEC or (on_sky and not unit):
        return [Length(factor * v * _ARCSEC[unit or "deg"], in_pixels=False) for v in values[:n]]
    if unit not in ("", "pix", "pixel", "pixels"):
        raise RegionFault(
            f"its R is in the unit {printable(unit)[:40]!r}; pixel, deg, arcmin and arcsec can be read"
        )
    return [Length(factor * v, in_pixels=True) for v in values[:n]]


def _angles(table: RegionTable, row: int, n: int) -> list[float]:
    values = (table.numbers("ROTANG", row) + [0.0] * n)[:n]
    factor = 180.0 / math.pi if table.units.get("ROTANG") == "rad" else 1.0
    turn = 0.0 if table.frame == PIXEL else 90.0
    return [value * factor - turn for value in values]


def _rings(kind: ShapeKind, n: int, factor: float, *, turned: bool = True) -> _Make:
    """A shape about a centre, with one or two outlines."""

    def make(table: RegionTable, row: int) -> _Made:
        lengths = _lengths(table, row, n, factor)
        if kind is ShapeKind.CIRCLE:
            rings = sorted(((length, length) for length in lengths), key=lambda ring: ring[0])
        else:
            pairs = zip(lengths[::2], lengths[1::2], strict=True)
            rings = sorted(pairs, key=lambda ring: ring[0])
        angle = _angles(table, row, 1)[0] if turned else -90.0 * (table.frame != PIXEL)
        return kind, {"points": _points(table, row)[:1], "rings": rings, "angle": angle}

    return make


def _rectangle(table: RegionTable, row: int) -> _Made:
    """Between two corners, turned about its middle."""
    points = _points(table, row)
    if len(points) < 2 or table.frame != PIXEL:
        raise RegionFault("a rectangle needs two corners, in pixels")
    (x0, y0), (x1, y1) = points[:2]
    size = Length(abs(x1 - x0), in_pixels=True), Length(abs(y1 - y0), in_pixels=True)
    angle = _angles(table, row, 1)[0] if "rot" in table.word("SHAPE", row).lower() else 0.0
    middle = (x0 + x1) / 2, (y0 + y1) / 2
    return ShapeKind.BOX, {"points": [middle], "rings": [size], "angle": angle}


def _diamond(table: RegionTable, row: int) -> _Made:
    """With corners at half its widths from the middle."""
    if table.frame != PIXEL:
        raise RegionFault("a diamond on the sky cannot be used; draw a polygon")
    ((x, y),) = _points(table, row)[:1]
    width, height = (float(length) / 2 for length in _lengths(table, row, 2, 1.0))
    turn = math.radians(
        _angles(table, row, 1)[0] if "rot" in table.word("SHAPE", row).lower() else 0
    )
    along = width * math.cos(turn), width * math.sin(turn)
    across = -height * math.sin(turn), height * math.cos(turn)
    corners = [
        (x + s * a, y + s * b) for s, (a, b) in ((1, along), (1, across), (-1, along), (-1, across))
    ]
    return ShapeKind.POLYGON, {"points": corners}


def _pie(table: RegionTable, row: int) -> _Made:
    rings = sorted(((r, r) for r in _lengths(table, row, 2, 2.0)), key=lambda ring: ring[0])
    start, stop = [*table.numbers("ROTANG", row), 0.0, 0.0][:2]
    if not math.isfinite(start - stop):
        raise RegionFault("its ROTANG is not a number")
    start, stop = math.fmod(start, 720.0), math.fmod(stop, 720.0)
    sector = None if abs(stop - start) >= 360.0 else (start, stop)
    angle = -90.0 * (table.frame != PIXEL)
    values = {"points": _points(table, row)[:1], "rings": rings, "angle": angle, "sector": sector}
    return ShapeKind.CIRCLE, values


def _vertices(kind: ShapeKind) -> _Make:
    def make(table: RegionTable, row: int) -> _Made:
        if kind is ShapeKind.POINT:
            return kind, {"points": _points(table, row)[:1]}
        return kind, {"points": _points(table, row, 3 if kind is ShapeKind.POLYGON else 2)}

    return make


_SHAPES: Mapping[str, _Make] = {
    "point": _vertices(ShapeKind.POINT),
    "line": _vertices(ShapeKind.LINE),
    "polygon": _vertices(ShapeKind.POLYGON),
    "circle": _rings(ShapeKind.CIRCLE, 1, 2.0, turned=False),
    "annulus": _rings(ShapeKind.CIRCLE, 2, 2.0, turned=False),
    "ellipse": _rings(ShapeKind.ELLIPSE, 2, 2.0),
    "elliptannulus": _rings(ShapeKind.ELLIPSE, 4, 2.0),
    "box": _rings(ShapeKind.BOX, 2, 1.0, turned=False),
    "rotbox": _rings(ShapeKind.BOX, 2, 1.0),
    "rectangle": _rectangle,
    "rotrectangle": _rectangle,
    "diamond": _diamond,
    "rotdiamond": _diamond,
    "rhombus": _diamond,
    "rotrhombus": _diamond,
    "pie": _pie,
}


@register_writer(
    _NAME,
    extension=".fits",
    frames=[Frame.PIXEL],
    shapes=[kind for kind in ShapeKind if kind is not ShapeKind.LINE],
    holds=("weight", "operation", "group", "round"),
)
def write_fits_regions(
    annotations: AnnotationSet, _: Mapping[str, SourceImage]
) -> dict[str, bytes]:
    """One file for each source; a second table names source, annotator and label of every row."""
    names = FileNames()
    return {f"{names(source)}.fits": _file(own) for source, own in annotations.by_source().items()}


def _file(annotations: Sequence[Annotation]) -> bytes:
    from astropy.io import fits

    shapes = [annotation.shape for annotation in annotations]
    n = max(len(shape.points) for shape in shapes)
    # an array is filled up by its last vertex
    points = np.array([[*s.points, *[s.points[-1]] * (n - len(s.points))] for s in shapes]) + 1.0
    names = ["!" * (a.operation is Operation.SUBTRACT) + _word(a.shape) for a in annotations]
    regions = fits.BinTableHDU.from_columns(
        [
            fits.Column("SHAPE", "16A", array=np.array(names)),
            fits.Column("X", f"{n}D", unit="pixel", array=points[:, :, 0]),
            fits.Column("Y", f"{n}D", unit="pixel", array=points[:, :, 1]),
            fits.Column("R", "2D", unit="pixel", array=np.array([_sizes(s) for s in shapes])),
            fits.Column("ROTANG", "D", unit="deg", array=np.array([_turn(s) for s in shapes])),
        ],
        name="REGION",
    )  # fmt: skip
    for keyword, value in (
        *(
            ("HDUNAME", "REGION"),
            ("HDUCLASS", "ASC"),
            ("HDUCLAS1", "REGION"),
            ("HDUCLAS2", "STANDARD"),
        ),
        *(("HDUVERS", "1.2.0"), ("CONTENT", "REGION"), ("ORIGIN", "attnxai")),
    ):
        regions.header[keyword] = value
    texts = {
        "SOURCE": [a.source for a in annotations],
        "ANNOTATOR": [a.annotator for a in annotations],
        "LABEL": [str(a.label) for a in annotations],
        "GROUP": [a.group for a in annotations],
    }
    marks = fits.BinTableHDU.from_columns(
        [
            *(_text_column(name, values) for name, values in texts.items()),
            fits.Column("ROUND", "J", array=np.array([a.round for a in annotations])),
            fits.Column("WEIGHT", "D", array=np.array([float(a.weight) for a in annotations])),
        ],
        name=MARKS,
    )
    written = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), regions, marks]).writeto(written)
    return written.getvalue()


def _text_column(name: str, values: Sequence[str]) -> Any:
    from astropy.io import fits

    encoded = np.array([printable(value).encode(errors="backslashreplace") for value in values])
    return fits.Column(name, f"{max(encoded.dtype.itemsize, 1)}A", array=encoded)


def _word(shape: Shape) -> str:
    return "rotbox" if shape.kind is ShapeKind.BOX else str(shape.kind)


def _sizes(shape: Shape) -> NDArray[np.float64]:
    halved = 2.0 if shape.kind is ShapeKind.ELLIPSE else 1.0
    return np.array([*(length / halved for length in shape.lengths), 0.0, 0.0])[:2]


def _turn(shape: Shape) -> float:
    return float(shape.angle) if shape.kind in (ShapeKind.ELLIPSE, ShapeKind.BOX) else 0.0
