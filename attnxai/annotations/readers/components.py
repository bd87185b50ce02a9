"""Catalogues of radio components that source finders write: PyBDSF (srl and gaul), Aegean and Selavy.

A component is an elliptical Gaussian, whose full widths at half maximum become the lengths of an ellipse on the sky. It
belongs to the image that shows it. No person marked it, which reports say.
"""

from __future__ import annotations

import csv
import dataclasses
import math
import re
from collections.abc import Mapping, Sequence

from attnxai.annotations.annotation_set import MADE_BY, Annotation, AnnotationSet
from attnxai.annotations.readers.compression import unpacked_head
from attnxai.annotations.readers.ecsv import ecsv_content
from attnxai.annotations.readers.fits_table import columns_of_fits, fits_content
from attnxai.annotations.readers.marks import OUTSIDE
from attnxai.annotations.readers.registry import HEAD_BYTES, AnnotationFile, register_reader
from attnxai.annotations.readers.votable import is_votable, votable_content
from attnxai.annotations.shapes import LIMITS, Frame, Label, Limits, Shape, ShapeKind
from attnxai.annotations.sky_frames import to_icrs
from attnxai.annotations.sky_matching import images_at
from attnxai.annotations.table_columns import arcsec_per_unit, split_name
from attnxai.annotations.table_content import TableContent
from attnxai.data.csv_dialects import Numbers
from attnxai.data.csv_table import Faults, parse_rows
from attnxai.data.wording import counted
from attnxai.errors import AnnotationError

_KIND = "radio components that {} fitted, not marked by a person"
_SKY = LIMITS[Frame.ICRS]
_PLACES = (("ra", _SKY["x"]), ("dec", _SKY["y"]))
_SIZES = ("major", "minor", "angle")
_SIZELESS = "nothing fitted, so that it has no size"
# above this, full widths in degrees are arcsec in truth: larger than any field that such a finder is run on
_LARGEST_DEG = 0.5
_KEPT = ("gausid", "sourceid", "islid", "scode", "island", "source", "componentid", "islandid")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Finder:
    """Folded names of the columns of a source finder, and the unit of its lengths where none is stated."""

    name: str
    needs: tuple[str, ...]
    columns: Mapping[str, str]
    unit: str


_FINDERS = (
    _Finder(
        name="PyBDSF",
        needs=("islid",),
        columns={"ra": "ra", "dec": "dec", "maj": "major", "min": "minor", "pa": "angle"},
        unit="deg",
    ),
    _Finder(
        name="Aegean",
        needs=("island", "source"),
        columns={"ra": "ra", "dec": "dec", "a": "major", "b": "minor", "pa": "angle"},
        unit="arcsec",
    ),
    _Finder(
        name="Selavy",
        needs=("componentid", "islandid"),
        columns={
            "radegcont": "ra",
            "decdegcont": "dec",
            "majaxis": "major",
            "minaxis": "minor",
            "posang": "angle",
        },
        unit="arcsec",
    ),
)


def _finder_of(header: Sequence[str]) -> _Finder | None:
    names = {split_name(name)[0] for name in header}
    return next((f for f in _FINDERS if names.issuperset((*f.needs, *f.columns))), None)


def _n_known(header: Sequence[str]) -> int:
    return len(header) if _finder_of(header) else 0


_IN_XML = re.compile(rb"<(?:[\w.-]+:)?FIELD\s[^<>]*?\bname\s*=\s*[\"']([^\"']*)[\"']")
_IN_YAML = re.compile(rb"name: *([\w.\-]+)")


def _recognises(head: bytes) -> bool:
    if head.startswith(b"SIMPLE"):
        return _n_known(columns_of_fits(head)) > 0
    if head.startswith(b"# %ECSV"):
        described = head.partition(b"\n#\n")[0]
        return _n_known([name.decode(errors="replace") for name in _IN_YAML.findall(described)]) > 0
    if is_votable(head):
        return _n_known([name.decode(errors="replace") for name in _IN_XML.findall(head)]) > 0
    return any(
        _n_known(_cells(line)) for line in _lines(head.decode("utf-8-sig", errors="replace"))[:200]
    )


@register_reader("PyBDSF catalogue", recognises=_recognises, needs_images=True)
def read_components(file: AnnotationFile) -> AnnotationSet:
    """Read components and give each the image that shows it; those that no image shows are counted."""
    content = _content(file)
    finder = _finder_of(content.header)
    if finder is None:
        raise AnnotationError(
            f"{content.what} lacks columns of a catalogue of components, such as RA, DEC, Maj, Min, PA and Isl_id"
        )
    folded = [split_name(name) for name in content.header]
    roles = [finder.columns.get(name, name) for name, _ in folded]
    units = {
        role: content.units.get(name, "") or unit
        for role, name, (_, unit) in zip(roles, content.header, folded, strict=True)
    }
    reader = _Components(content, finder, roles, units)
    rows = parse_rows(
        roles, content.rows, content.what, AnnotationError, reader.place, item=content.item
    )
    return reader.annotation_set(rows, file)


def _content(file: AnnotationFile) -> TableContent:
    head = unpacked_head(file.content)[:HEAD_BYTES]
    if head.startswith(b"SIMPLE"):
        return fits_content(file, _n_known)
    if head.startswith(b"# %ECSV"):
        return ecsv_content(file)
    if is_votable(head):
        return votable_content(file, _n_known)
    return _of_text(file)


def _of_text(file: AnnotationFile) -> TableContent:
    """A table of text whose columns are named in a comment or its first row, separated by commas or spaces."""
    what = f"catalogue {file.path}"
    header: list[str] = []
    rows: list[tuple[int, list[str]]] = []
    frame = ""
    for number, line in enumerate(_lines(file.text()), start=1):
        if not header and _n_known(cells := _cells(line)):
            header, by_commas = cells, "," in line
        elif re.match(r"#\s*equinox\s*:\s*1950", line, re.IGNORECASE):
            frame = "fk4"
        elif header and line.strip() and not line.startswith("#"):
            rows.append((number, _cells(line, by_commas=by_commas)))
    if not header:
        raise AnnotationError(f"{what} names no columns of a catalogue of components")
    return TableContent(header=header, rows=rows, what=what, frame=frame)


def _lines(text: str) -> list[str]:
    return re.split(r"\r\n|\r|\n", text)


def _cells(line: str, *, by_commas: bool | None = None) -> list[str]:
    text = line.lstrip("# \t") if by_commas is None else line
    if by_commas or (by_commas is None and "," in text):
        try:
            return [cell.strip() for cell in next(csv.reader([text], skipinitialspace=True), [])]
        except csv.Error:
            return []
    return text.split()


@dataclasses.dataclass(slots=True, eq=False)
class _Component:
    line: int
    ra: float
    dec: float
    row: Mapping[str, str]


class _Components:
    """Parses components: all positions, and the sizes of those that an image shows."""

    def __init__(
        self, content: TableContent, finder: _Finder, roles: Sequence[str], units: Mapping[str, str]
    ) -> None:
        self.content, self.finder, self.units = content, finder, units
        self.number = Numbers()
        if twice := [role for role in finder.columns.values() if roles.count(role) > 1]:
            raise AnnotationError(
                f"{content.what} has the column {twice[0]} twice; take one of them out"
            )
        for role in finder.columns.values():
            unit = units.get(role, "")
            if unit and not arcsec_per_unit(unit):
                raise AnnotationError(
                    f"{content.what} states the unit {unit[:30]!r} of its {role}, which is not that of an angle"
                )

    def place(self, row: dict[str, str], line: int, faults: Faults) -> _Component | None:
        """Position of a component in degrees."""
        ra, dec = (self._value(row, line, role, limits, faults) for role, limits in _PLACES)
        return None if ra is None or dec is None else _Component(line, ra, dec, row)

    def _value(
        self, row: Mapping[str, str], line: int, role: str, limits: Limits, faults: Faults
    ) -> float | None:
        try:
            value = self.number(row[role]) * self._factor(role)
        except ValueError:
            value = math.nan
        if limits.expected(value):
            faults.add(line, role, row[role], str(limits))
            return None
        return value

    def _factor(self, role: str) -> float:
        is_length = role in ("major", "minor")
        unit = self.units.get(role, "") or (self.finder.unit if is_length else "deg")
        return arcsec_per_unit(unit) if is_length else arcsec_per_unit(unit) / 3600

    def annotation_set(self, rows: Sequence[_Component], file: AnnotationFile) -> AnnotationSet:
        """Ellipses of the components that an image shows."""
        what, name = self.content.what, self.finder.name
        positions = [(row.ra, row.dec) for row in rows]
        turn = [0.0] * len(rows)
        if self.content.frame and self.content.frame != "icrs":
            ra, dec, turns = to_icrs(self.content.frame, *zip(*positions, strict=True))
            positions, turn = list(zip(ra.tolist(), dec.tolist(), strict=True)), turns.tolist()
        images, _ = images_at(positions, file.images or (), path=str(file.path))
        faults, annotations, n_sizeless = Faults(self.content.item), [], 0
        annotator = file.naming.renamed(file.annotator or name)
        for row, place, image, more in zip(rows, positions, images, turn, strict=True):
            if image is None:
                continue
            if self._has_no_size(row.row):
                n_sizeless += 1
                continue
            sizes = [self._value(row.row, row.line, role, _limits(role), faults) for role in _SIZES]
            major, minor, angle = sizes
            if major is None or minor is None or angle is None:
                continue
            shape = Shape(
                kind=ShapeKind.ELLIPSE,
                frame=Frame.ICRS,
                x=place[0],
                y=place[1],
                width=major,
                height=minor,
                angle=(angle + more + 180.0) % 360.0 - 180.0,
            )
            kept = {column: row.row[column] for column in _KEPT if row.row.get(column)}
            annotations.append(
                Annotation(
                    source=image.source,
                    annotator=annotator,
                    shape=shape,
                    label=Label.OTHER,
                    line=row.line,
                    other={**kept, MADE_BY: "rule"},
                )
            )
        if faults:
            raise faults.error(
                AnnotationError, f"{counted(faults.n_rows, 'row')} of {what} cannot be used:"
            )
        if not annotations:
            if n_sizeless:
                raise AnnotationError(
                    f"none of the {counted(n_sizeless, 'component')} of {what} that images show has a size"
                )
            raise AnnotationError(
                f"none of the {counted(len(rows), 'component')} of {what} lies on any of the "
                f"{counted(len(file.images or ()), 'image')}; name the images (--images, in Python images) that the "
                "catalogue was made from"
            )
        self._check_lengths([a.shape.width for a in annotations], what)
        left_out = {OUTSIDE: len(rows) - len(annotations) - n_sizeless, _SIZELESS: n_sizeless}
        shown = {a.source for a in annotations}
        n_without = sum(image.source not in shown for image in file.images or ())
        notices = [
            f"Components are ellipses of the full widths at half maximum that {name} fitted."
        ]
        if n_without:
            notices.append(
                f"{counted(n_without, 'image shows', 'images show')} no component of {name}."
            )
        return AnnotationSet(
            annotations=tuple(annotations),
            kind=_KIND.format(name),
            n_rows=len(rows),
            left_out={reason: n for reason, n in left_out.items() if n},
            notices=tuple(notices),
        )

    def _has_no_size(self, row: Mapping[str, str]) -> bool:
        """Whether a component is an island to which nothing was fitted."""
        try:
            return self.number(row["major"]) == 0 and self.number(row["minor"]) == 0
        except ValueError:
            return False

    def _check_lengths(self, lengths_arcsec: Sequence[float], what: str) -> None:
        """Refuse lengths in arcsec that would be taken for degrees."""
        middle = sorted(lengths_arcsec)[len(lengths_arcsec) // 2] / 3600
        if self.finder.unit == "deg" and not self.units.get("major") and middle > _LARGEST_DEG:
            raise AnnotationError(
                f"half of the components of {what} are longer than {middle:g} degrees, the unit of {self.finder.name}; "
                "if they are in arcsec, name the columns Maj [arcsec] and Min [arcsec]"
            )


def _limits(role: str) -> Limits:
    return _SKY["angle"] if role == "angle" else _SKY["width"]
