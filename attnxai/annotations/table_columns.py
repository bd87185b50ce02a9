"""Columns of annotation tables under other names, and with units."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Mapping, Sequence

from attnxai.annotations.naming import folded
from attnxai.data.wording import listed

REQUIRED = ("source", "annotator", "shape", "label")
COLUMNS = (
    "source",
    "annotator",
    "shape",
    "x",
    "y",
    "width",
    "height",
    "radius",
    "angle",
    "vertices",
    "frame",
    "label",
    "class",
    "weight",
    "image",
    "operation",
    "group",
    "round",
)
GEOMETRY = ("x", "y", "width", "height", "radius", "angle", "vertices")
LENGTHS = ("width", "height", "radius")
SKY_COLUMNS = {"x": ("ra", "raj2000", "alphaj2000", "rightascension"), "y": ("dec", "decj2000", "dej2000", "deltaj2000", "declination", "decl")}  # fmt: skip
# names whose meaning is certain; a position angle, a major axis or an id could mean several things
_SYNONYMS = {
    "source": ("sourceid", "sourcename", "object", "objectid", "objectname", "galaxy", "target"),
    "annotator": ("observer", "expert", "user", "username", "rater", "annotatorid", "annotatorname", "markedby"),
    "shape": ("shapetype", "region", "regiontype", "geometry"),
    "x": ("xpix", "xpixel", "xcenter", "xcentre", "centerx", "centrex"),
    "y": ("ypix", "ypixel", "ycenter", "ycentre", "centery", "centrey"),
    "width": ("w",),
    "height": ("h",),
    "radius": ("r", "rad"),
    "vertices": ("points", "polygon", "corners"),
    "frame": ("coordinateframe", "coordinatesystem", "coordsys", "system", "radesys"),
    "label": ("feature", "component", "part"),
    "class": ("frclass", "frtype", "morphology"),
    "image": ("imagefile", "imagename", "file", "filename", "fitsfile"),
}  # fmt: skip
_BY_NAME = {name: column for column, names in _SYNONYMS.items() for name in names} | {
    name: column for column, names in SKY_COLUMNS.items() for name in names
}
_UNITS = {
    "arcsec": "arcsec", "arcsecs": "arcsec", "asec": "arcsec", "as": "arcsec", "\"": "arcsec",
    "arcmin": "arcmin", "amin": "arcmin", "'": "arcmin",
    "deg": "deg", "degree": "deg", "degrees": "deg",
    "pix": "pix", "pixel": "pix", "pixels": "pix", "px": "pix",
    "rad": "rad", "radian": "rad", "radians": "rad", "mas": "mas",
    "hourangle": "hourangle", "hour": "hourangle", "hours": "hourangle",
}  # fmt: skip
_LONGEST_NAME = 200
_STATED = {**_UNITS, "h": "hourangle", "hr": "hourangle"}
# how VizieR calls sexagesimal text
_OF_TEXT = ("h:m:s", "d:m:s")
ARCSEC_PER = {
    "deg": 3600.0,
    "arcmin": 60.0,
    "arcsec": 1.0,
    "mas": 1e-3,
    "rad": math.degrees(3600.0),
    "hourangle": 54_000.0,
}
# as of the hour angle in a VOTable, which is "15deg"
_SCALED = re.compile(r"(\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*\*?\s*([a-z]+)")
_WITH_UNIT = re.compile(r"^(.*?)\s*(?:[\[(]\s*(.+?)\s*[\])]|[_ ](\w+))$")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """Names of the columns of a table, as this package calls them where it knows them.

    Parameters
    ----------
    names : tuple of str
        One for each column; unknown ones keep their own.
    units : mapping of str to str
        Of columns that state one: ``pix``, one that :func:`arcsec_per_unit` knows, or an unknown one of a column of numbers.
    on_sky : bool
        Whether positions are called right ascension and declination, or have the units of angles.
    notes : tuple of str
        What was assumed.
    """

    names: tuple[str, ...]
    units: Mapping[str, str]
    on_sky: bool
    notes: tuple[str, ...]


def understand_columns(
    header: Sequence[str],
    units: Mapping[str, str] | None = None,
    meanings: Mapping[str, str] | None = None,
) -> Columns:
    """Find the columns of an annotation table among the names of a header.

    Capitals, spaces and punctuation do not matter, and a unit may stand behind a name. Where a name of the table
    stands for itself no other one is taken for it.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.
    units : mapping of str to str, optional
        Units that the file states apart from the names.
    meanings : mapping of str to str, optional
        What the file says that columns of other names hold: ``source``, or ``x`` and ``y`` as right ascension and
        declination.

    Examples
    --------
    >>> columns = understand_columns(["Source", "Observer", "RA", "DEC", "r [arcmin]", "survey"])
    >>> columns.names
    ('source', 'annotator', 'x', 'y', 'radius', 'survey')
    >>> columns.units, columns.on_sky
    ({'radius': 'arcmin'}, True)
    """
    plain = [folded(name) for name in header]
    found: dict[int, tuple[str, str]] = {}
    taken: set[str] = set()
    # first what is called as here, then what may be called otherwise
    of_file = {folded(name): column for name, column in (meanings or {}).items()}
    for known in ({name: name for name in COLUMNS}, _BY_NAME, of_file):
        for place, name in enumerate(header):
            if place in found:
                continue
            base, unit = split_name(name) if plain[place] not in known else (plain[place], "")
            column = known.get(base)
            if column is not None and column not in taken:
                found[place] = column, unit
        taken = {column for column, _ in found.values()}
    names = tuple(found[i][0] if i in found else name for i, name in enumerate(header))
    stated = {column: unit for column, unit in found.values() if unit}
    for i, (column, _) in found.items():
        unit = (units or {}).get(header[i], "").strip()
        if column in GEOMETRY and unit and unit.strip('"').casefold() not in _OF_TEXT:
            stated[column] = _STATED.get(unit.casefold(), unit)
    sky = {
        c
        for i, (c, _) in found.items()
        if {split_name(header[i])[0], plain[i]} & set(SKY_COLUMNS.get(c, ()))
        or (c in SKY_COLUMNS and (arcsec_per_unit(stated.get(c, "")) or c == of_file.get(plain[i])))
    }
    other = [
        f"{header[i][:40]} as {column}"
        for i, (column, _) in sorted(found.items())
        if folded(header[i]) != column
    ]
    notes = (f"Columns are read by other names: {listed(other)}.",) if other else ()
    return Columns(names=names, units=stated, on_sky=sky == {"x", "y"}, notes=notes)


@functools.lru_cache(maxsize=256)
def arcsec_per_unit(unit: str) -> float:
    """How many arcsec a unit of angles has; 0 for other units.

    Examples
    --------
    >>> arcsec_per_unit("arcmin"), arcsec_per_unit("15deg"), arcsec_per_unit("pix")
    (60.0, 54000.0, 0.0)
    """
    word = unit.strip().casefold()
    factor = 1.0
    if (scaled := _SCALED.fullmatch(word)) is not None:
        factor, word = float(scaled[1]), scaled[2]
    return factor * ARCSEC_PER.get(_STATED.get(word, word), 0.0)


def units_in_row(header: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """Units by the names of columns, from a row that holds nothing else; empty for other rows.

    Examples
    --------
    >>> units_in_row(["source", "x", "y"], ["", "[deg]", "deg"]), units_in_row(["x"], ["3"])
    ({'x': 'deg', 'y': 'deg'}, {})
    """
    words = {
        name: cell.strip("[]() ").casefold()
        for name, cell in zip(header, cells, strict=False)
        if cell.strip("-. ")
    }
    return (
        words if len(cells) == len(header) and words and set(words.values()) <= set(_STATED) else {}
    )


def n_known_columns(header: Sequence[str]) -> int:
    """How many columns of an annotation table a header names; 0 where it cannot be one."""
    names = set(understand_columns(header).names) & set(COLUMNS)
    has_place = {"x", "y"} <= names or "vertices" in names
    if len(names & set(REQUIRED)) >= 2 or ({"source", "image"} & names and has_place):
        return len(names)
    return 0


def split_name(name: str) -> tuple[str, str]:
    """A name without its unit, and the unit; empty where it has none."""
    # of longer names, such as a binary file has, the expression would take minutes
    match = _WITH_UNIT.match(name.strip()) if len(name) <= _LONGEST_NAME else None
    # h alone is an hour in brackets only
    units, word = (_STATED, match[2]) if match and match[2] else (_UNITS, match[3] if match else "")
    if match is not None and (unit := units.get(word.casefold())):
        return folded(match[1]), unit
    return folded(name), ""
