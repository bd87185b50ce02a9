"""Maps in Zarr groups (version 3): stores, the groups of earlier versions, and the arrays of other programs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.data.wording import counted, first_of
from attnxai.errors import LeftOutWarning, MapFileError
from attnxai.explanations.files.damage import MADE_AGAIN, damaged
from attnxai.explanations.files.header import LAYERS, checked_header, stack_of
from attnxai.explanations.files.loose import LooseMaps
from attnxai.explanations.files.map_chunks import MapChunks
from attnxai.explanations.files.map_store import (
    ATTRIBUTE,
    FORMAT_VERSION,
    MapStore,
    write_stack,
)
from attnxai.explanations.files.zarr_arrays import (
    METADATA,
    Allowance,
    array_names_in,
    metadata_of,
    whole_array,
)

if TYPE_CHECKING:
    from attnxai.data.images import SourceImage
    from attnxai.explanations.stack import MapStack

ENDING, PARTIAL = ".zarr", ".partial"
"""Of stores, and of what is added to it while a store is unfinished."""
_SOURCES = "sources"


def write(path: Path, stack: MapStack, images: Sequence[SourceImage] | None) -> None:  # noqa: ARG001
    """Write a stack into a folder that is empty; where images lie on the sky has no place in this format."""
    write_stack(path, stack)


def is_group(path: Path) -> bool:
    """Whether a folder is one of Zarr, of any version."""
    return any((path / name).is_file() for name in (METADATA, ".zgroup", ".zarray"))


def check_finished(path: Path, where: str) -> None:
    """Refuse a folder that is named as a store, or as what attnxai maps has not finished, and is neither.

    Raises
    ------
    MapFileError
        Which says how to finish it.
    """
    partial = path.with_name(f"{path.name}{PARTIAL}")
    again = "run the same attnxai maps command again, which goes on where it ended"
    if path.name.lower().endswith(f"{ENDING}{PARTIAL}"):
        raise MapFileError(f"{where} is an unfinished store; {again}")
    if path.suffix.lower() != ENDING:
        return
    if not path.exists() and partial.is_dir():
        raise MapFileError(f"{where} is unfinished: there is only {partial.name}; {again}")
    if path.is_dir() and not is_group(path):
        raise MapFileError(
            f"{where} is an unfinished or damaged store: it has no {METADATA}; {MADE_AGAIN}"
        )


def open_store(path: Path) -> MapStore | None:
    """The store in a folder; None where there is something else.

    Raises
    ------
    MapFileError
        If it is damaged.
    """
    if not (path / METADATA).is_file():
        return None
    where = f"Zarr group of maps {path}"
    header = _attributes(path, where).get(ATTRIBUTE)
    if not isinstance(header, dict) or header.get("format_version") != FORMAT_VERSION:
        return None
    return MapStore(path, header, where)


def read(path: Path) -> MapStack | MapChunks | LooseMaps:
    """Read a group that :func:`write` or another program has written; of a store the maps are read later."""
    where = f"Zarr group of maps {path}"
    if not (path / METADATA).is_file():
        raise MapFileError(f"{where} is of version 2; write it in version 3")
    store = open_store(path)
    if store is not None:
        return MapChunks.of_store(_noted(store))
    attributes = _attributes(path, where)
    allowance = Allowance(path)
    if ATTRIBUTE in attributes:  # one chunk a source, and all the rest in the header
        header = checked_header(attributes[ATTRIBUTE], where)
        return stack_of(
            header, lambda name: whole_array(path, name, allowance, where, is_complete=True), where
        )
    names = array_names_in(path) or [f"{LAYERS}/{name}" for name in array_names_in(path / LAYERS)]
    arrays = {
        name.removeprefix(f"{LAYERS}/"): whole_array(
            path, name, allowance, where, is_complete=False
        )
        for name in names
    }
    return LooseMaps.of_arrays(arrays, attributes.get(_SOURCES), where)


def _attributes(path: Path, where: str) -> dict[str, Any]:
    root = metadata_of(path, where)
    if root.get("node_type") != "group":
        raise MapFileError(f"{where} is an array; maps are a group of arrays")
    attributes = root.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise damaged(where, "its attributes are not a dictionary")
    return attributes


def _noted(store: MapStore) -> MapStore:
    """The same store, with a warning about images that have no maps."""
    tables = store.tables
    without = [f"{s} ({r})" for s, r in zip(tables.sources, tables.reasons, strict=True) if r]
    if without:
        warnings.warn(
            f"{store.where} has no maps of {len(without)} of {counted(len(tables.sources), 'image')}, which are left "
            f"out: {first_of(without, 3)}",
            LeftOutWarning,
            stacklevel=4,
        )
    return store
