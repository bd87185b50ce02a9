"""The header of YAML that astropy writes into ECSV and Parquet: units, masks and coordinates of the columns.

It is read without any of its tags, so that nothing is built of what it names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attnxai.annotations.sky_frames import FRAMES
from attnxai.annotations.table_content import MOST_COLUMNS, TableContent
from attnxai.errors import AnnotationError

_LONGEST = 1_000_000
# Julian dates of J2000 and B1950
_EQUINOX = {"fk5": 2451545.0, "fk4": 2433282.4234591}


def parse_header(lines: Sequence[str], what: str) -> Mapping[str, Any]:
    """The header as plain mappings, lists and values.

    Raises
    ------
    AnnotationError
        If it is too long, no mapping in YAML, or does not describe columns.
    """
    import yaml

    # takes what has a tag for what it is without it
    loader: Any = type("UntaggedLoader", (yaml.SafeLoader,), {})

    def untagged(of: Any, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return of.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return of.construct_sequence(node, deep=True)
        return of.construct_scalar(node)

    def of_pairs(of: Any, node: Any) -> Any:
        pairs = of.construct_sequence(node, deep=True)
        return {
            key: value for pair in pairs if isinstance(pair, dict) for key, value in pair.items()
        }

    loader.add_constructor(None, untagged)
    loader.add_constructor("tag:yaml.org,2002:omap", of_pairs)
    text = "\n".join(lines)
    if len(text) > _LONGEST:
        raise AnnotationError(
            f"{what} has a header of YAML of {len(text):,} characters, which is too long"
        )
    try:
        found = yaml.load(text, loader)  # noqa: S506 -- knows even less than the safe one
    except (
        yaml.YAMLError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RecursionError,
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise AnnotationError(f"{what} has a header that is not valid YAML: {reason}") from error
    if not isinstance(found, dict):
        raise AnnotationError(f"{what} has no header of YAML that describes its columns")
    columns = found.get("datatype")
    if (
        not isinstance(columns, list)
        or not 0 < len(columns) <= MOST_COLUMNS
        or not all(isinstance(column, dict) and "name" in column for column in columns)
    ):
        raise AnnotationError(f"{what} has a header that does not describe its columns")
    return found


def described_by(content: TableContent, described: Mapping[str, Any]) -> TableContent:
    """A table with what its header says: units, frame of coordinates, and which cells are masked.

    Raises
    ------
    AnnotationError
        If columns hold arrays, or positions are in an unknown frame.
    """
    units, floats = {}, set()
    for column in described["datatype"]:
        name = str(column["name"]).strip()
        if "[" in str(column.get("subtype", "")) or column.get("subtype") == "json":
            raise AnnotationError(
                f"{content.what} holds arrays in its column {name[:60]!r}, but a cell of an annotation table is a "
                'number or text; write positions as "x y; x y; ..."'
            )
        if "float" in str(column.get("datatype", "")):
            floats.add(name)
        if column.get("unit"):
            units[name] = str(column["unit"])
    meta = described.get("meta")
    stored = meta.get("__serialized_columns__") if isinstance(meta, dict) else None
    mixed = (
        [of for of in stored.values() if isinstance(of, dict)] if isinstance(stored, dict) else []
    )
    masks = {
        mask: name
        for of in mixed
        if (mask := _name(of.get("mask")))
        and (name := _name(of.get("data")) or _name(of.get("value")))
    }
    header = list(content.header)
    kept = [i for i, name in enumerate(header) if name not in masks]
    places = {name: i for i, name in enumerate(header)}
    masked = {
        places[name]: places[mask]
        for mask, name in masks.items()
        if mask in places and name in places
    }
    nan = [i for i, name in enumerate(header) if name in floats]
    return dataclasses.replace(
        content,
        header=[header[i] for i in kept],
        rows=_plain(content.rows, len(header), kept, masked, nan),
        units={**content.units, **units},
        **_coordinates(mixed, content.what),
    )


def _plain(
    rows: Iterable[tuple[int, list[str]]],
    n_columns: int,
    kept: Sequence[int],
    masked: Mapping[int, int],
    floats: Sequence[int],
) -> Iterable[tuple[int, list[str]]]:
    """Rows whose masked cells and numbers that are none are empty, without the columns of masks."""
    for number, cells in rows:
        if len(cells) != n_columns:
            yield number, cells  # which is a fault of the row
            continue
        for column, mask in masked.items():
            if cells[mask].lower() == "true":
                cells[column] = ""
        for column in floats:
            if cells[column].lower() == "nan":
                cells[column] = ""
        yield number, [cells[i] for i in kept]


def _name(stored: Any) -> str:
    """Name of the column in which a part of another one is stored; empty if it is none."""
    for _ in range(3):
        if not isinstance(stored, dict):
            return ""
        if "name" in stored:
            return str(stored["name"]).strip()
        stored = stored.get("value", stored.get("data"))
    return ""


def _coordinates(mixed: Sequence[Mapping[str, Any]], what: str) -> dict[str, Any]:
    """Frame and columns of the coordinates (SkyCoord) of a table; empty if there are none, or several."""
    found = [of for of in mixed if str(of.get("__class__", "")).endswith(".SkyCoord")]
    if len(found) != 1:
        return {}
    (column,) = found
    stated = str(column.get("frame", "icrs"))
    frame = FRAMES.get(stated, "")
    longitude, latitude = ("l", "b") if frame == "galactic" else ("ra", "dec")
    time = column.get("equinox")
    if not frame or (frame in _EQUINOX and abs(_date(time) - _EQUINOX[frame]) > 1):
        which = f"{stated[:30]!r}" + (" of another equinox" if frame else "")
        raise AnnotationError(f"{what} has positions in the frame {which}; write them in ICRS")
    names = {_name(column.get(longitude)): "x", _name(column.get(latitude)): "y"}
    return {"frame": frame, "meanings": names} if len(names) == 2 and "" not in names else {}


def _date(time: Any) -> float:
    """Julian date of a time as astropy stores it; 0 where it is not understood."""
    parts = [time.get("jd1"), time.get("jd2")] if isinstance(time, dict) else []
    numbers = [part for part in parts if isinstance(part, int | float)]
    return float(sum(numbers)) if len(numbers) == 2 else 0.0
