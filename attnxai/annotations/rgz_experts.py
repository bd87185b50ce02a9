"""Three radio astronomers' markings of the same hundred fields, as the Radio Galaxy Zoo analysis has them.

Each expert saw fields of 3 arcmin and said which radio contours belong to one source and where its host
galaxy is. The contours' boxes were made by machine, so that two experts who mean the same component
give the same numbers; which boxes were put together, and where the host was seen, is human.

Boxes are given on a grid of 132 x 132 and hosts on one of 424 x 424 positions, counted from 1, over the same
field; the origin is the top left corner, with north up and east left.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from attnxai.annotations.annotation_set import Annotation, AnnotationSet
from attnxai.annotations.shapes import Frame, Label, Shape, ShapeKind
from attnxai.data.short_repr import short_repr
from attnxai.errors import AnnotationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = ("expert", "first_id", "cls_idx", "comp_idx", "kind", "a", "b", "c", "d")
RADIO_GRID = 132
HOST_GRID = 424
FIELD_ARCSEC = 180.0
NO_HOST = -99.0
KIND = "radio components that astronomers put together into sources, and their hosts"
NOTICE = (
    "Boxes were made by machine around contours; which of them belong together, and where the host is, "
    "three astronomers said."
)
_J2000 = re.compile(r"J(\d{2})(\d{2})(\d{2}(?:\.\d+)?)([+-])(\d{2})(\d{2})(\d{2}(?:\.\d+)?)$")
# Boxes of one contour are equal to all digits that the file has.
_DIGITS = 6


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MarkedSource:
    """One source as one expert marked it.

    Parameters
    ----------
    boxes : tuple of (float, float, float, float)
        xmin, xmax, ymin and ymax of its radio components, on the grid of 132 x 132.
    hosts : tuple of (float, float)
        Clicks on its host, on the grid of 424 x 424; empty when no host was seen.
    """

    boxes: tuple[tuple[float, float, float, float], ...]
    hosts: tuple[tuple[float, float], ...]

    def distance_to_centre(self) -> float:
        """Distance of the nearest box centre from the centre of the field, in arcsec."""
        centre = (RADIO_GRID + 1) / 2
        return min(
            math.hypot((xmin + xmax) / 2 - centre, (ymin + ymax) / 2 - centre)
            for xmin, xmax, ymin, ymax in self.boxes
        ) * (FIELD_ARCSEC / RADIO_GRID)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExpertSample:
    """What several experts marked on the same fields.

    Parameters
    ----------
    markings : mapping of (str, str) to tuple of MarkedSource
        By expert and field; an empty tuple where the expert saw no source, no entry where the expert did
        not look.
    path, sha256 : str
        The file and its hash.
    n_rows : int
        Rows read.
    n_superseded : int
        Rows of looks at a field that the same expert repeated later (a higher ``cls_idx``); the last look
        counts.
    """

    markings: Mapping[tuple[str, str], tuple[MarkedSource, ...]]
    path: str = ""
    sha256: str = ""
    n_rows: int = 0
    n_superseded: int = 0

    __repr__ = short_repr

    @property
    def experts(self) -> tuple[str, ...]:
        """Experts in alphabetical order."""
        return tuple(sorted({expert for expert, _ in self.markings}))

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields in alphabetical order."""
        return tuple(sorted({field for _, field in self.markings}))

    def present(self) -> NDArray[np.bool_]:
        """Who looked at which field, shape (n_experts, n_fields)."""
        return np.array([[(e, f) in self.markings for f in self.fields] for e in self.experts])

    def central(self, expert: str, field: str) -> MarkedSource | None:
        """The source with the component nearest to the centre; None when there is none."""
        sources = self.markings.get((expert, field), ())
        return min(sources, key=MarkedSource.distance_to_centre) if sources else None

    def numbers(self) -> dict[str, NDArray[np.float64]]:
        """Plain numbers of each expert and field, shape (n_experts, n_fields) each.

        Returns
        -------
        dict of str to ndarray
            ``sources`` and ``components`` in the field; of the central source ``central components``,
            ``host seen`` (1 or 0), and ``host x`` and ``host y``, the first click's place from the centre
            of the field in arcsec, right and down. NaN where the expert did not look or there is none.
        """
        names = ("sources", "components", "central components", "host seen", "host x", "host y")
        found = {name: np.full((len(self.experts), len(self.fields)), np.nan) for name in names}
        scale, middle = FIELD_ARCSEC / HOST_GRID, (HOST_GRID + 1) / 2
        for (row, expert), (column, field) in itertools.product(
            enumerate(self.experts), enumerate(self.fields)
        ):
            sources = self.markings.get((expert, field))
            if sources is None:
                continue
            found["sources"][row, column] = len(sources)
            found["components"][row, column] = len({box for s in sources for box in s.boxes})
            central = self.central(expert, field)
            if central is None:
                continue
            found["central components"][row, column] = len(central.boxes)
            found["host seen"][row, column] = bool(central.hosts)
            if central.hosts:
                found["host x"][row, column] = (central.hosts[0][0] - middle) * scale
                found["host y"][row, column] = (central.hosts[0][1] - middle) * scale
        return found

    def masks(self) -> NDArray[np.bool_]:
        """Pixels inside the boxes of the central source, shape (n_experts, n_fields, 132, 132)."""
        shape = (len(self.experts), len(self.fields), RADIO_GRID, RADIO_GRID)
        masks = np.zeros(shape, dtype=bool)
        position = np.arange(1, RADIO_GRID + 1)
        for row, expert in enumerate(self.experts):
            for column, field in enumerate(self.fields):
                central = self.central(expert, field)
                for xmin, xmax, ymin, ymax in central.boxes if central else ():
                    in_x = (position >= xmin) & (position <= xmax)
                    in_y = (position >= ymin) & (position <= ymax)
                    masks[row, column] |= in_y[:, None] & in_x
        return masks

    def pair_ratings(self) -> tuple[NDArray[np.float64], tuple[str, ...]]:
        """Whether each expert put two components of a field into one source.

        Units are all pairs of the boxes that any expert used in the field.

        Returns
        -------
        ndarray, shape (n_experts, n_pairs)
            1 for together, 0 for apart or not used, NaN where the expert did not look.
        tuple of str
            Field of each pair; pairs of one field are no independent units.
        """
        ratings, of_pair = [], []
        for field in self.fields:
            groups = {
                expert: [set(source.boxes) for source in self.markings[expert, field]]
                for expert in self.experts
                if (expert, field) in self.markings
            }
            boxes = sorted(set().union(*(box for sets in groups.values() for box in sets)))
            for pair in itertools.combinations(boxes, 2):
                ratings.append(
                    [
                        float(any(set(pair) <= together for together in groups[expert]))
                        if expert in groups
                        else np.nan
                        for expert in self.experts
                    ]
                )
                of_pair.append(field)
        return np.array(ratings).reshape(-1, len(self.experts)).T, tuple(of_pair)

    def to_annotations(self) -> AnnotationSet:
        """Boxes and hosts as shapes on the sky, to compare with maps of the same sources.

        Boxes carry the label ``source`` and hosts ``host``; fields keep their names as source ids.
        """
        annotations: list[Annotation] = []
        for (expert, field), sources in sorted(self.markings.items()):
            for number, source in enumerate(sources, start=1):
                shapes = [(_box_on_sky(field, box), Label.SOURCE) for box in source.boxes]
                shapes += [(_host_on_sky(field, host), Label.HOST) for host in source.hosts]
                annotations += [
                    Annotation(
                        source=field,
                        annotator=expert,
                        shape=shape,
                        label=label,
                        other={"source_number": str(number)},
                    )
                    for shape, label in shapes
                ]
        n_empty = sum(not sources for sources in self.markings.values())
        notices = [NOTICE]
        if n_empty:
            notices.append(f"{n_empty} of {len(self.markings)} looks at a field found no source.")
        if self.n_superseded:
            rows = "1 row is" if self.n_superseded == 1 else f"{self.n_superseded} rows are"
            notices.append(f"{rows} left out because the expert looked at the field again later.")
        return AnnotationSet(
            annotations=tuple(annotations),
            kind=KIND,
            path=self.path,
            sha256=self.sha256,
            n_rows=self.n_rows,
            notices=tuple(notices),
        )


def field_centre(field: str) -> tuple[float, float]:
    """Right ascension and declination in degrees that the J2000 name of a field states.

    Raises
    ------
    AnnotationError
        If the name states none.

    Examples
    --------
    >>> field_centre("FIRSTJ120000.0+300000")
    (180.0, 30.0)
    """
    found = _J2000.search(field)
    if found is None:
        raise AnnotationError(
            f"field {field!r} does not end in a J2000 position such as J002617.4+114711"
        )
    hours, minutes, seconds, sign, degrees, arcmin, arcsec = found.groups()
    ra = 15.0 * (int(hours) + int(minutes) / 60 + float(seconds) / 3600)
    dec = int(degrees) + int(arcmin) / 60 + float(arcsec) / 3600
    return ra, -dec if sign == "-" else dec


def read_expert_sample(path: str | Path) -> ExpertSample:
    """Read the experts' markings.

    Parameters
    ----------
    path : path
        A CSV file with the columns ``expert``, ``first_id``, ``cls_idx``, ``comp_idx``, ``kind`` and
        ``a`` to ``d``: xmin, xmax, ymin and ymax of a ``RADIO`` row, x and y of an ``IR`` row (-99 for no
        host), nothing for a row whose kind begins with ``NONE:`` (no source seen). ``cls_idx`` counts an
        expert's looks at a field, of which the last one is used; rows with one ``comp_idx`` are one source.

    Returns
    -------
    ExpertSample

    Raises
    ------
    AnnotationError
        If the file is missing or no such table, or listing every bad row with its line, what it holds and
        what would be right.
    """
    file = Path(path)
    try:
        content = file.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise AnnotationError(f"expert sample {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise AnnotationError(
            f"expert sample {path} is not UTF-8 text (byte {error.start})"
        ) from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise AnnotationError(
            f"expert sample {path} lacks the columns {', '.join(missing)}; it needs {', '.join(COLUMNS)}"
        )
    faults: list[str] = []
    looks: dict[tuple[str, str], dict[int, list[dict[str, str]]]] = {}
    n_rows = 0
    for row in reader:
        n_rows += 1
        fault = _fault(row)
        if fault:
            faults.append(f"line {reader.line_num}{fault}")
            continue
        look = looks.setdefault((row["expert"], row["first_id"]), {})
        look.setdefault(int(row["cls_idx"]), []).append(row)
    markings = {}
    n_superseded = 0
    for (expert, field), numbered in looks.items():
        last = numbered.pop(max(numbered))
        n_superseded += sum(len(rows) for rows in numbered.values())
        markings[expert, field] = _marked_sources(last)
        faults += [
            f"{expert}, {field}: a host without radio components - at least one RADIO row"
            for source in markings[expert, field]
            if not source.boxes
        ]
    if faults:
        raise AnnotationError(f"expert sample {path} cannot be used:", faults)
    if not n_rows:
        raise AnnotationError(f"expert sample {path} has a header but no rows")
    return ExpertSample(
        markings=markings,
        path=str(path),
        sha256=hashlib.sha256(content).hexdigest(),
        n_rows=n_rows,
        n_superseded=n_superseded,
    )


def _marked_sources(rows: Sequence[Mapping[str, str]]) -> tuple[MarkedSource, ...]:
    """The sources of one expert's look at one field."""
    boxes: dict[int, list[tuple[float, float, float, float]]] = {}
    hosts: dict[int, list[tuple[float, float]]] = {}
    for row in rows:
        if row["kind"].startswith("NONE:"):
            continue
        number = int(row["comp_idx"])
        boxes.setdefault(number, [])
        if row["kind"] == "RADIO":
            xmin, xmax, ymin, ymax = (round(float(row[name]), _DIGITS) for name in "abcd")
            boxes[number].append((xmin, xmax, ymin, ymax))
        elif float(row["a"]) != NO_HOST:
            hosts.setdefault(number, []).append((float(row["a"]), float(row["b"])))
    return tuple(
        MarkedSource(boxes=tuple(dict.fromkeys(boxes[n])), hosts=tuple(hosts.get(n, ())))
        for n in sorted(boxes)
    )


def _fault(row: Mapping[str, str | None]) -> str:
    """What is wrong with a row, or nothing."""
    if None in row or None in row.values():
        return ": it has more or fewer cells than the header"
    kind = row["kind"] or ""
    if not row["expert"] or not row["first_id"]:
        return ": expert and first_id have to be given"
    for name in ("cls_idx", "comp_idx"):
        if not (row[name] or "").isdecimal():
            return f", column {name}: {row[name]!r} - a whole number"
    if kind.startswith("NONE:"):
        return ""
    if kind not in ("RADIO", "IR"):
        return f", column kind: {kind!r} - RADIO, IR or NONE:..."
    values = []
    for name in "abcd" if kind == "RADIO" else "ab":
        try:
            values.append(float(row[name] or ""))
        except ValueError:
            return f", column {name}: {row[name]!r} - a number"
    if kind == "RADIO":
        inside = all(1 <= value <= RADIO_GRID for value in values)
        if not inside or values[0] > values[1] or values[2] > values[3]:
            return f": box {values} - xmin <= xmax and ymin <= ymax from 1 to {RADIO_GRID}"
    elif values != [NO_HOST, NO_HOST] and not all(1 <= value <= HOST_GRID for value in values):
        return f": host {values} - from 1 to {HOST_GRID}, or {NO_HOST:g} for none"
    return ""


def _on_sky(field: str, right: float, down: float) -> tuple[float, float]:
    """Sky position of a place in the field, in arcsec from its centre (east is left, north is up)."""
    from astropy.coordinates import SkyCoord, SkyOffsetFrame

    ra, dec = field_centre(field)
    frame = SkyOffsetFrame(origin=SkyCoord(ra, dec, unit="deg"))
    place = SkyCoord(-right / 3600, -down / 3600, unit="deg", frame=frame).icrs
    return float(place.ra.deg), float(place.dec.deg)


def _box_on_sky(field: str, box: Sequence[float]) -> Shape:
    scale, centre = FIELD_ARCSEC / RADIO_GRID, (RADIO_GRID + 1) / 2
    xmin, xmax, ymin, ymax = box
    ra, dec = _on_sky(
        field, ((xmin + xmax) / 2 - centre) * scale, ((ymin + ymax) / 2 - centre) * scale
    )
    return Shape(
        kind=ShapeKind.BOX,
        frame=Frame.ICRS,
        x=ra,
        y=dec,
        width=(xmax - xmin) * scale,
        height=(ymax - ymin) * scale,
        angle=90.0,  # the width runs east, and position angles count from north
    )


def _host_on_sky(field: str, host: Sequence[float]) -> Shape:
    scale, centre = FIELD_ARCSEC / HOST_GRID, (HOST_GRID + 1) / 2
    ra, dec = _on_sky(field, (host[0] - centre) * scale, (host[1] - centre) * scale)
    return Shape(kind=ShapeKind.POINT, frame=Frame.ICRS, x=ra, y=dec)
