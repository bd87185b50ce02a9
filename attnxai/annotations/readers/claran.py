"""Component associations by the volunteers of Radio Galaxy Zoo, as the ClaRAN release lists them.

Positions of components are machine-measured; which components belong to one source, and how far the
volunteers agreed on it (the consensus level), is human. A row is a source, not a place where anyone
looked.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

import numpy as np

from attnxai.annotations.annotation_set import Annotation, AnnotationSet
from attnxai.annotations.readers.registry import AnnotationFile, columns_of, register_reader
from attnxai.annotations.shapes import Frame, Label, Shape, ShapeKind
from attnxai.annotations.sky_matching import match_positions
from attnxai.data.csv_table import Faults, decimal, parse_csv
from attnxai.errors import AnnotationError

COLUMNS = frozenset({"catalog_id", "first_id", "num_cpnts", "cpnts_ras", "cpnts_decs", "cl"})
ANNOTATOR = "Radio Galaxy Zoo consensus"
NOTICE = (
    "Points are radio components that volunteers associated into one source; their positions were "
    "measured by machine, and nothing records where anyone looked."
)
KIND = "associations of radio components into sources by Radio Galaxy Zoo volunteers"
_MOST_COMPONENTS = 10_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueSource:
    """One row of the catalogue.

    Parameters
    ----------
    line : int
        Where it stands.
    ra, dec : tuple of float
        Its components, in degrees.
    consensus : float
        How far the volunteers agreed, 0 to 1.
    """

    line: int
    ra: tuple[float, ...]
    dec: tuple[float, ...]
    consensus: float

    def mean_position(self) -> tuple[float, float]:
        """Mean over components, safe across right ascension 0."""
        ra, dec = np.radians(self.ra), np.radians(self.dec)
        x, y, z = (
            (np.cos(dec) * np.cos(ra)).mean(),
            (np.cos(dec) * np.sin(ra)).mean(),
            np.sin(dec).mean(),
        )
        return (
            math.degrees(math.atan2(y, x)) % 360.0,
            math.degrees(math.atan2(z, math.hypot(x, y))),
        )


@register_reader(
    "ClaRAN catalogue", recognises=lambda head: set(columns_of(head)) >= COLUMNS, needs_images=True
)
def read_claran(file: AnnotationFile) -> AnnotationSet:
    """Give every image the nearest catalogue source, its components as points.

    Returns
    -------
    AnnotationSet
        With the consensus level as the weight of each source.

    Raises
    ------
    AnnotationError
        If the catalogue has bad rows, or no image has a source.
    """
    catalogue = parse_claran(file.text(), path=file.path)
    match = match_positions(
        [source.mean_position() for source in catalogue],
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
    """Parse the catalogue.

    Raises
    ------
    AnnotationError
        If it has no rows, or listing its bad rows with line, column, value and what would be right.
    """
    header, numbered = parse_csv(text, f"catalogue {path}", AnnotationError)
    if twice := sorted({name for name in COLUMNS if header.count(name) > 1}):
        raise AnnotationError(f"catalogue {path} has the column {twice[0]} twice; take one out")
    rows, faults, n_rows = [], Faults(), 0
    for line, cells in numbered:
        n_rows += 1
        before = len(faults)
        if len(cells) != len(header):
            faults.add_row(line, ": it has more or fewer cells than the header")
            continue
        row = dict(zip(header, cells, strict=True))
        values = _values(row, line, faults)
        if len(faults) == before:
            rows.append(
                CatalogueSource(
                    line=line,
                    ra=values["cpnts_ras"],
                    dec=values["cpnts_decs"],
                    consensus=values["cl"][0],
                )
            )
    if faults:
        raise AnnotationError(
            f"{faults.n_rows} of {n_rows} rows of catalogue {path} cannot be used:", faults.lines()
        )
    if not rows:
        raise AnnotationError(f"catalogue {path} has a header but no rows")
    return rows


def _values(row: Mapping[str, str], line: int, faults: Faults) -> dict[str, tuple[float, ...]]:
    """Numbers of a row; what is wrong with them is added to the faults."""
    checks: dict[str, tuple[Callable[[float], bool], bool, str]] = {
        "num_cpnts": (
            lambda v: 0 < v <= _MOST_COMPONENTS and v == int(v),
            False,
            "a number of components above 0",
        ),
        "cpnts_ras": (
            lambda v: 0 <= v <= 360,
            True,
            "right ascensions in degrees, 0 to 360, separated by ;",
        ),
        "cpnts_decs": (
            lambda v: -90 <= v <= 90,
            True,
            "declinations in degrees, -90 to 90, separated by ;",
        ),
        "cl": (lambda v: 0 <= v <= 1, False, "a consensus level from 0 to 1"),
    }
    values: dict[str, tuple[float, ...]] = {}
    for column, (is_right, is_list, right) in checks.items():
        try:
            parts = row[column].split(";") if is_list else [row[column]]
            values[column] = tuple(decimal(part) for part in parts)
            good = all(is_right(value) for value in values[column])
        except ValueError:
            good = False
        if not good:
            faults.add(line, column, row[column], right)
            values.pop(column, None)
    if len(values) < len(checks):
        return values
    count = int(values["num_cpnts"][0])
    n_ra, n_dec = len(values["cpnts_ras"]), len(values["cpnts_decs"])
    if not n_ra == n_dec == count:
        faults.add(
            line,
            "num_cpnts",
            row["num_cpnts"],
            f"as many as there are right ascensions ({n_ra}) and declinations ({n_dec})",
        )
    return values
