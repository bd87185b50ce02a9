"""The expert sample of Radio Galaxy Zoo as annotations of images at the same positions.

Where a field lies on the sky is stated by a table beside the sample: of ``expert_sample.csv`` it is called
``expert_sample_positions.csv``, with the columns ``first_id``, ``ra`` and ``dec`` (degrees). Without it the
J2000 names of the fields state their centres.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from attnxai.annotations.annotation_set import Annotation, AnnotationSet
from attnxai.annotations.readers.registry import AnnotationFile, columns_of, register_reader
from attnxai.annotations.rgz_experts import (
    COLUMNS,
    FIELD_ARCSEC,
    HOST_GRID,
    RADIO_GRID,
    ExpertRow,
    RowKind,
    last_looks,
    parse_expert_sample,
)
from attnxai.annotations.shapes import LIMITS, Frame, Label, Shape, ShapeKind
from attnxai.annotations.sky_matching import match_positions
from attnxai.data.csv_table import Faults, decimal, parse_csv, parse_rows, read_csv
from attnxai.errors import AnnotationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

KIND = "radio components that astronomers associated into sources, and their hosts"
NOTICE = (
    "Boxes were made by machine around contours; three astronomers decided which of them belong together and "
    "where the host is."
)
_J2000 = re.compile(r"J(\d{2})(\d{2})(\d{2}(?:\.\d+)?)([+-])(\d{2})(\d{2})(\d{2}(?:\.\d+)?)$")
_LATER = "the expert looked at the field again later"
_NO_SOURCE = "the expert saw no source"
_NO_HOST = "the expert saw no host"
_TWICE = "the same box again in one source"
_TOO_FAR = "no image within the match radius"
_NOT_NEAREST = "another field is nearer to the image"


@register_reader(
    "Radio Galaxy Zoo expert sample",
    recognises=lambda head: set(COLUMNS) <= set(columns_of(head)),
    needs_images=True,
)
def read_rgz_experts(file: AnnotationFile) -> AnnotationSet:
    """Boxes and hosts as shapes on the sky, for the images that show the fields.

    Every field belongs to the image whose centre is nearest, within the match radius, and every image takes the
    nearest field. Boxes carry the label ``source`` and hosts ``host``.
    """
    rows = parse_expert_sample(file.text(), path=file.path)
    fields = sorted({row.field for row in rows})
    places, said = _positions(file.path, fields)
    match = match_positions(
        [places[field] for field in fields],
        file.images or (),
        radius_arcsec=file.match_radius_arcsec,
        path=file.path,
    )
    image_of = {fields[number]: image for number, image in match.image_of.items()}
    too_far = {fields[number] for number in match.too_far}
    last = {row for looked in last_looks(rows).values() for row in looked}
    left_out = dict.fromkeys((_LATER, _NO_SOURCE, _NO_HOST, _TWICE, _TOO_FAR, _NOT_NEAREST), 0)
    used: list[ExpertRow] = []
    seen: set[tuple[object, ...]] = set()
    for row in rows:
        box = (row.expert, row.field, row.number, row.values)
        if row not in last:
            left_out[_LATER] += 1
        elif not row.values:
            left_out[_NO_HOST if row.kind is RowKind.HOST else _NO_SOURCE] += 1
        elif row.kind is RowKind.BOX and box in seen:
            left_out[_TWICE] += 1
        elif row.field not in image_of:
            left_out[_TOO_FAR if row.field in too_far else _NOT_NEAREST] += 1
        else:
            seen.add(box)
            used.append(row)
    if not used:
        raise AnnotationError(
            f"none of the {len(fields)} fields of {file.path} lies within "
            f"{file.match_radius_arcsec:g} arcsec of the centre of any image"
        )
    return AnnotationSet(
        annotations=tuple(
            Annotation(
                source=image_of[row.field].source,
                annotator=row.expert,
                shape=shape,
                label=Label.SOURCE if row.kind is RowKind.BOX else Label.HOST,
                line=row.line,
                other={"source_number": str(row.number)},
            )
            for row, shape in zip(used, shapes_on_sky(used, places), strict=True)
        ),
        kind=KIND,
        n_rows=len(rows),
        left_out={reason: count for reason, count in left_out.items() if count},
        notices=tuple(notice for notice in (NOTICE, said, match.note) if notice),
    )


def shapes_on_sky(
    rows: Sequence[ExpertRow], places: Mapping[str, tuple[float, float]]
) -> list[Shape]:
    """Boxes and hosts on the sky; ``places`` has the centre of every field (ra, dec in degrees)."""
    middles, sizes = [], []
    for row in rows:
        scale = FIELD_ARCSEC / (RADIO_GRID if row.kind is RowKind.BOX else HOST_GRID)
        centre = ((RADIO_GRID if row.kind is RowKind.BOX else HOST_GRID) + 1) / 2
        x0, x1, y0, y1 = row.values if row.kind is RowKind.BOX else np.repeat(row.values, 2)
        middles.append(((x0 + x1) / 2 - centre, (y0 + y1) / 2 - centre) * np.array(scale))
        sizes.append(((x1 - x0) * scale, (y1 - y0) * scale))
    centres = np.array([places[row.field] for row in rows])
    right, down = np.array(middles).T
    ra, dec = _offset(*centres.T, east_arcsec=-right, north_arcsec=-down)
    shapes = []
    for row, x, y, (width, height) in zip(rows, ra.tolist(), dec.tolist(), sizes, strict=True):
        if row.kind is RowKind.HOST or not (width > 0 and height > 0):
            shapes.append(Shape(kind=ShapeKind.POINT, frame=Frame.ICRS, x=x, y=y))
        else:
            # the width runs east, and position angles count from north
            shapes.append(
                Shape(
                    kind=ShapeKind.BOX,
                    frame=Frame.ICRS,
                    x=x,
                    y=y,
                    width=float(width),
                    height=float(height),
                    angle=90.0,
                )
            )
    return shapes


def _offset(
    ra_deg: NDArray[np.float64],
    dec_deg: NDArray[np.float64],
    *,
    east_arcsec: NDArray[np.float64],
    north_arcsec: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions at an offset, along the axes of a sphere whose equator runs through the centre."""
    turn = np.radians(dec_deg)
    east, north = np.radians(east_arcsec / 3600), np.radians(north_arcsec / 3600)
    x, y, z = np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)
    ahead, up = x * np.cos(turn) - z * np.sin(turn), x * np.sin(turn) + z * np.cos(turn)
    return (
        (ra_deg + np.degrees(np.arctan2(y, ahead))) % 360.0,
        np.degrees(np.arcsin(np.clip(up, -1.0, 1.0))),
    )


def _positions(path: str, fields: Sequence[str]) -> tuple[dict[str, tuple[float, float]], str]:
    """Centres of the fields, and where they come from."""
    beside = Path(path).with_name(f"{Path(path).stem}_positions.csv")
    if not beside.is_file():
        return {field: field_centre(field) for field in fields}, ""
    places = _read_positions(beside)
    missing = [field for field in fields if field not in places]
    if missing:
        raise AnnotationError(
            f"{beside} states no position of {len(missing)} of {len(fields)} fields, such as "
            f"{missing[0]!r}; add them, or take the file away to use the positions in their names"
        )
    return places, f"Positions of the fields come from {beside.name}."


def _read_positions(path: Path) -> dict[str, tuple[float, float]]:
    what = f"table of positions {path}"
    header, rows = parse_csv(read_csv(path, what, AnnotationError), what, AnnotationError)
    wanted = ("first_id", "ra", "dec")
    if missing := [name for name in wanted if header.count(name) != 1]:
        raise AnnotationError(f"{what} needs one column {missing[0]}; it needs {', '.join(wanted)}")
    places: dict[str, tuple[float, float]] = {}
    limits_on_sky = LIMITS[Frame.ICRS]

    def parse(row: dict[str, str], line: int, faults: Faults) -> None:
        before, values = len(faults), []
        for column, limits in (("ra", limits_on_sky["x"]), ("dec", limits_on_sky["y"])):
            try:
                values.append(decimal(row[column]))
            except ValueError:
                values.append(math.nan)
            if right := limits.expected(values[-1]):
                faults.add(line, column, row[column], right)
        ra, dec = values
        if len(faults) == before and places.setdefault(row["first_id"], (ra, dec)) != (ra, dec):
            field = row["first_id"][:60]
            text = f": the field {field!r} has another position on an earlier line; give one"
            faults.add_row(line, text)

    parse_rows(header, rows, what, AnnotationError, parse)
    return places


def field_centre(field: str) -> tuple[float, float]:
    """Right ascension and declination in degrees that the J2000 name of a field states."""
    found = _J2000.search(field)
    if found is None:
        raise AnnotationError(
            f"field {field[:60]!r} does not end in a J2000 position such as J002617.4+114711; state its "
            "place in a table of positions beside the sample"
        )
    hours, minutes, seconds, sign, degrees, arcmin, arcsec = found.groups()
    ra = 15.0 * (int(hours) + int(minutes) / 60 + float(seconds) / 3600)
    dec = int(degrees) + int(arcmin) / 60 + float(arcsec) / 3600
    if not (ra < 360 and dec <= 90):
        raise AnnotationError(f"field {field[:60]!r} ends in no position on the sky")
    return ra, -dec if sign == "-" else dec
