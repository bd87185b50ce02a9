"""Component associations by the volunteers of Radio Galaxy Zoo, as the ClaRAN release lists them.

Positions of components were measured by machine. Volunteers decided which components belong to one source,
and the consensus level says how far they agreed. A row is a source, not a place where anyone looked.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from attnxai.annotations.annotation_set import Annotation, AnnotationSet
from attnxai.annotations.readers.registry import AnnotationFile, columns_of, register_reader
from attnxai.annotations.shapes import LIMITS, Frame, Label, Limits, Shape, ShapeKind
from attnxai.annotations.sky_matching import match_positions
from attnxai.data.csv_table import Faults, decimal, parse_csv, parse_rows
from attnxai.data.positions import mean_position
from attnxai.errors import AnnotationError

COLUMNS = frozenset({"catalog_id", "first_id", "num_cpnts", "cpnts_ras", "cpnts_decs", "cl"})
ANNOTATOR = "Radio Galaxy Zoo consensus"
NOTICE = (
    "Points are radio components that volunteers associated into one source; their positions were "
    "measured by machine, and nothing records where anyone looked."
)
KIND = "associations of radio components into sources by Radio Galaxy Zoo volunteers"
_LISTS = ("cpnts_ras", "cpnts_decs")
_LIMITS = {
    "num_cpnts": Limits(1, 10_000, "a number of components"),
    "cpnts_ras": LIMITS[Frame.ICRS]["x"],
    "cpnts_decs": LIMITS[Frame.ICRS]["y"],
    "cl": Limits(0, 1, "a consensus level"),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueSource:
    """One row of the catalogue: its components in degrees, and the consensus of the volunteers, 0 to 1."""

    line: int
    ra: tuple[float, ...]
    dec: tuple[float, ...]
    consensus: float


@register_reader(
    "ClaRAN catalogue", recognises=lambda head: set(columns_of(head)) >= COLUMNS, needs_images=True
)
def read_claran(file: AnnotationFile) -> AnnotationSet:
    """Give every image the nearest catalogue source, its components as points.

    The consensus level is the weight of the source.
    """
    catalogue = parse_claran(file.text(), path=file.path)
    match = match_positions(
        [mean_position([*zip(one.ra, one.dec, strict=True)]) for one in catalogue],
        file.images or (),
        radius_arcsec=file.match_radius_arcsec,
        path=file.path,
    )
    annotations, weights, n_few = [], {}, 0
    for row, image in match.image_of.items():
        source = catalogue[row]
        if len(source.ra) < file.min_components:
            n_few += 1
            continue
        weights[image.source] = source.consensus
        annotations += [
            Annotation(
                source=image.source,
                annotator=ANNOTATOR,
                shape=Shape(kind=ShapeKind.POINT, frame=Frame.ICRS, x=ra, y=dec),
                label=Label.OTHER,
                line=source.line,
            )
            for ra, dec in zip(source.ra, source.dec, strict=True)
        ]
    if not annotations:
        raise AnnotationError(
            f"no source of {file.path} with {file.min_components} or more components lies within "
            f"{file.match_radius_arcsec:g} arcsec of the centre of any image"
        )
    left_out = {
        "no image within the match radius": len(match.too_far),
        "another catalogue source is nearer to the image": len(match.not_nearest),
        f"fewer than {file.min_components} components": n_few,
    }
    return AnnotationSet(
        annotations=tuple(annotations),
        source_weights=weights,
        kind=KIND,
        n_rows=len(catalogue),
        left_out={reason: count for reason, count in left_out.items() if count},
        notices=tuple(notice for notice in (NOTICE, match.note) if notice),
    )


def parse_claran(text: str, *, path: str = "") -> list[CatalogueSource]:
    """Parse the catalogue; an AnnotationError lists the rows that cannot be used."""
    header, numbered = parse_csv(text, f"catalogue {path}", AnnotationError)
    if twice := sorted({name for name in COLUMNS if header.count(name) > 1}):
        raise AnnotationError(f"catalogue {path} has the column {twice[0]} twice; take one out")
    return parse_rows(header, numbered, f"catalogue {path}", AnnotationError, _source)


def _source(row: Mapping[str, str], line: int, faults: Faults) -> CatalogueSource:
    before = len(faults)
    values: dict[str, tuple[float, ...]] = {}
    for column, limits in _LIMITS.items():
        parts = row[column].split(";") if column in _LISTS else [row[column]]
        try:
            values[column] = tuple(decimal(part) for part in parts)
        except ValueError:
            values[column] = (math.nan,)
        if any(limits.expected(value) for value in values[column]):
            more = ", or several of them separated by ;" if column in _LISTS else ""
            faults.add(line, column, row[column], f"{limits}{more}")
    (count,), (consensus,) = values["num_cpnts"], values["cl"]
    ra, dec = (values[column] for column in _LISTS)
    if len(faults) == before and not len(ra) == len(dec) == count:
        right = f"the number of right ascensions ({len(ra)}) and declinations ({len(dec)})"
        faults.add(line, "num_cpnts", row["num_cpnts"], right)
    return CatalogueSource(line=line, ra=ra, dec=dec, consensus=consensus)
