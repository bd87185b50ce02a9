"""Component associations by the volunteers of Radio Galaxy Zoo, as the ClaRAN release lists them.

Positions of components are machine-measured; which components belong to one source, and how far the
volunteers agreed on it (the consensus level), is human. A row is a source, not a place where anyone
looked.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from attnxai.annotations.annotation_set import Annotation, AnnotationSet
from attnxai.annotations.shapes import Frame, Label, Shape, ShapeKind
from attnxai.data.images import SourceImage
from attnxai.data.sky import pixel_to_sky
from attnxai.data.wording import counted
from attnxai.errors import AnnotationError

COLUMNS = frozenset({"catalog_id", "first_id", "num_cpnts", "cpnts_ras", "cpnts_decs", "cl"})
ANNOTATOR = "Radio Galaxy Zoo consensus"
NOTICE = (
    "Points are radio components that volunteers associated into one source; their positions were "
    "measured by machine, and nothing records where anyone looked."
)
KIND = "associations of radio components into sources by Radio Galaxy Zoo volunteers"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _CatalogueSource:
    line: int
    catalog_id: str
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


def is_claran_header(columns: Sequence[str]) -> bool:
    """Whether a table's columns are those of the ClaRAN catalogue."""
    return set(columns) >= COLUMNS


def parse_claran(text: str, *, path: str | Path = "") -> list[_CatalogueSource]:
    """Parse the catalogue.

    Raises
    ------
    AnnotationError
        If it has no rows, or listing every bad row with line, column, value and what would be right.
    """
    rows, errors = [], []
    reader = csv.DictReader(io.StringIO(text, newline=""))
    n_rows = 0
    try:
        for row in reader:
            n_rows += 1
            wrong = _faults(row)
            errors += [f"line {reader.line_num}{fault}" for fault in wrong]
            if not wrong:
                rows.append(
                    _CatalogueSource(
                        line=reader.line_num,
                        catalog_id=row["catalog_id"],
                        ra=_degrees(row["cpnts_ras"]),
                        dec=_degrees(row["cpnts_decs"]),
                        consensus=float(row["cl"]),
                    )
                )
    except csv.Error as error:
        raise AnnotationError(
            f"catalogue {path} is no valid CSV: {error} (line {reader.line_num})"
        ) from error
    if errors:
        raise AnnotationError(
            f"{n_rows - len(rows)} of {n_rows} rows of catalogue {path} cannot be used:", errors
        )
    if not rows:
        raise AnnotationError(f"catalogue {path} has a header but no rows")
    return rows


def _degrees(text: str) -> tuple[float, ...]:
    return tuple(float(value) for value in text.split(";"))


def _faults(row: dict[str, str]) -> list[str]:
    """What is wrong with a row of the catalogue."""
    if None in row or None in row.values():
        return [": it has more or fewer cells than the header"]
    checks: dict[str, tuple[Callable[[str], bool], str]] = {
        "num_cpnts": (lambda text: int(text) > 0, "a number of components above 0"),
        "cpnts_ras": (
            lambda text: all(0 <= v <= 360 for v in _degrees(text)),
            "right ascensions in degrees, 0 to 360, separated by ;",
        ),
        "cpnts_decs": (
            lambda text: all(-90 <= v <= 90 for v in _degrees(text)),
            "declinations in degrees, -90 to 90, separated by ;",
        ),
        "cl": (lambda text: 0 <= float(text) <= 1, "a consensus level from 0 to 1"),
    }
    faults = []
    for column, (is_right, right) in checks.items():
        try:
            good = is_right(row[column])
        except ValueError:
            good = False
        if not good:
            faults.append(f", column {column}: {row[column]!r} - {right}")
    if not faults:
        count = int(row["num_cpnts"])
        n_ra, n_dec = len(_degrees(row["cpnts_ras"])), len(_degrees(row["cpnts_decs"]))
        if not n_ra == n_dec == count:
            faults.append(
                f", column num_cpnts: {row['num_cpnts']!r} - as many as there are right ascensions "
                f"({n_ra}) and declinations ({n_dec})"
            )
    return faults


def match_claran(
    text: str,
    images: Sequence[SourceImage],
    *,
    min_components: int = 2,
    match_radius_arcsec: float = 30.0,
    path: str | Path = "",
    sha256: str = "",
) -> AnnotationSet:
    """Give every image the nearest catalogue source, its components as points.

    Parameters
    ----------
    text : str
        The catalogue.
    images : sequence of SourceImage
        Images with celestial coordinates; others are left out and said to be.
    min_components : int
        Sources with fewer components are left out: one component at the centre says nothing about
        where a map should look.
    match_radius_arcsec : float
        Largest distance between the mean position of the components and the image centre.
    path : path
        What to call the catalogue in errors.
    sha256 : str
        Its hash.

    Returns
    -------
    AnnotationSet
        With the consensus level as the weight of each source.

    Raises
    ------
    AnnotationError
        If no image has a source.
    """
    from astropy.coordinates import SkyCoord

    catalogue = parse_claran(text, path=path)
    located = [image for image in images if image.grid.wcs is not None]
    if not located:
        raise AnnotationError(
            f"{path} lists sky positions, but none of the {len(images)} images has celestial "
            "coordinates (WCS)"
        )
    centres = [
        pixel_to_sky(image.grid.wcs, (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2)
        for image in located
    ]
    image_positions = SkyCoord(
        [float(ra) for ra, _ in centres], [float(dec) for _, dec in centres], unit="deg"
    )
    means = [source.mean_position() for source in catalogue]
    positions = SkyCoord([m[0] for m in means], [m[1] for m in means], unit="deg")
    # each catalogue source belongs to its nearest image, and each image takes the nearest of these
    nearest, separation, _ = positions.match_to_catalog_sky(image_positions)
    distance = separation.arcsec
    left_out = {
        "no image within the match radius": int((distance > match_radius_arcsec).sum()),
        "another catalogue source is nearer to the image": 0,
        f"fewer than {min_components} components": 0,
    }
    best: dict[int, int] = {}
    for row in np.argsort(distance, kind="stable"):
        if distance[row] > match_radius_arcsec:
            break
        if int(nearest[row]) in best:
            left_out["another catalogue source is nearer to the image"] += 1
        else:
            best[int(nearest[row])] = int(row)
    annotations, weights = [], {}
    for position in sorted(best):
        image, source = located[position], catalogue[best[position]]
        if len(source.ra) < min_components:
            left_out[f"fewer than {min_components} components"] += 1
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
            f"no source of {path} with {min_components} or more components lies within "
            f"{match_radius_arcsec:g} arcsec of the centre of any image"
        )
    notices = [NOTICE]
    if len(located) < len(images):
        n_without = len(images) - len(located)
        notices.append(
            f"{n_without} of {counted(len(images), 'image')} {'has' if n_without == 1 else 'have'} no "
            "celestial coordinates and could not be matched."
        )
    return AnnotationSet(
        annotations=tuple(annotations),
        source_weights=weights,
        kind=KIND,
        path=str(path),
        sha256=sha256,
        n_rows=len(catalogue),
        left_out={reason: count for reason, count in left_out.items() if count},
        notices=tuple(notices),
    )
