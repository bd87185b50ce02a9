"""Stores of maps: Zarr groups (version 3) in chunks of images, with dimensions that xarray knows.

An array of every layer, ``brightness`` and ``valid`` have the axes source, row and column, and are cut into chunks of
:data:`CHUNK` images, each a file; what is one value an image lies in short tables beside them. A store has a row for
every image, also for those without maps: these are NaN there, and ``reason`` says why.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.grid import GridTransform
from attnxai.data.plain_values import checked_fields
from attnxai.data.short_repr import shown_name
from attnxai.data.wording import counted, is_text
from attnxai.errors import MapFileError, SpecificationError
from attnxai.explanations.files.damage import damaged
from attnxai.explanations.files.header import (
    BRIGHTNESS,
    FORMAT,
    LAYERS,
    VALID,
    Header,
    array_names,
    arrays_of,
    check_facts,
    header_of,
    stack_of,
)
from attnxai.explanations.files.zarr_arrays import Allowance, ArrayOfChunks, texts, whole_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.explanations.stack import MapStack

FORMAT_VERSION = 2
CHUNK = 64
"""Images in a chunk: always as many, so that files do not depend on how they were made."""
ATTRIBUTE = "attnxai"
SOURCE, REASON, SPLIT, SCORES, CLASS = "source", "reason", "split", "scores", "class"
FIELD = ("field_step", "field_x", "field_y")
_RESERVED = (SOURCE, REASON, SPLIT, SCORES, CLASS, *FIELD, BRIGHTNESS, VALID, "y", "x")
_TABLE_CHUNK = 1 << 14
_MEANINGS = {
    SOURCE: "source",
    REASON: "why the image has no maps; empty where it has",
    SPLIT: "how the network used the source: training, validation, held-out or unknown",
    SCORES: "class scores (logits)",
    FIELD[0]: "side of a field pixel in pixels of the image",
    FIELD[1]: "column of the image on which the first column of the field lies",
    FIELD[2]: "row of the image on which the first row of the field lies",
    BRIGHTNESS: "what the network saw, in [0, 1]",
    VALID: "field pixels that the network sees and the survey observed",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoreHeader:
    """What a store says about all of its maps; ``layers`` has the array of each layer, ``geometry`` its place."""

    format: str
    format_version: int
    model_name: str
    n_sources: int
    layers: Mapping[str, str]
    geometry: Mapping[str, tuple[float, ...]]
    field_scale_arcsec: float
    class_names: tuple[str, ...]
    temperature: float
    means: Mapping[str, tuple[str, ...]]
    provenance: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoreTables:
    """What a store has one value of for each of its images; ``scores`` are None where the network has none.

    ``places`` are step and origins (x, y) of the field on the image, shape (n_images, 3), and ``reasons`` are empty for
    images with maps.
    """

    sources: tuple[str, ...]
    reasons: tuple[str, ...]
    splits: tuple[str, ...]
    places: NDArray[np.float64]
    scores: NDArray[np.float64] | None

    @classmethod
    def blank(cls, sources: Sequence[str], n_classes: int) -> StoreTables:
        """Tables that are yet to be filled."""
        n = len(sources)
        return cls(
            sources=tuple(sources),
            reasons=("",) * n,
            splits=("",) * n,
            places=np.full((n, 3), np.nan),
            scores=np.full((n, n_classes), np.nan) if n_classes else None,
        )


def layout_of(stack: MapStack) -> dict[str, Any]:
    """What all chunks of a store have in common, as JSON can hold it: a header, and side and type of every array.

    Raises
    ------
    OptionError
        If the provenance holds what JSON cannot.
    """
    header = header_of(stack)
    for name in ("sources", "field", "splits", "scores"):
        del header[name]
    header["format_version"] = FORMAT_VERSION
    header["layers"] = names_of_layers(stack)
    arrays = {
        name: [*map(int, values.shape[1:]), values.dtype.str]
        for name, values in _arrays(stack).items()
    }
    return {"header": header, "arrays": arrays, "scored": stack.scores is not None}


def names_of_layers(stack: MapStack) -> dict[str, str]:
    """The array of each layer."""
    names = array_names((*_RESERVED, *(f" {layer}" for layer in stack.layers)))
    return {layer: names[f" {layer}"] for layer in stack.layers}


def _arrays(stack: MapStack) -> dict[str, NDArray[Any]]:
    found = arrays_of(stack)
    plain = array_names(stack.layers)
    return {
        of: found[f"{LAYERS}/{plain[layer]}"] for layer, of in names_of_layers(stack).items()
    } | {name: found[name] for name in (BRIGHTNESS, VALID)}


def encoded_chunk(stack: MapStack, rows: Sequence[int]) -> dict[str, bytes]:
    """The files of a chunk, by the names of their arrays: the maps of a stack in some rows of it, nothing in the others."""
    import zarr
    from zarr.storage import MemoryStore

    files = {}
    for name, values in _arrays(stack).items():
        full = np.full((CHUNK, *values.shape[1:]), _fill(values.dtype), values.dtype)
        full[list(rows)] = values
        kept: dict[str, Any] = {}
        array = zarr.create_array(
            store=MemoryStore(kept), **_settings(name, full.shape, full.dtype, full.shape)
        )
        array[...] = full
        files[name] = bytes(kept[file_of_chunk(0)].to_bytes())
    return files


def file_of_chunk(index: int) -> str:
    """File of a chunk within the folder of its array."""
    return f"c/{index}/0/0"


def _fill(kind: np.dtype[Any]) -> Any:
    return False if kind.kind == "b" else np.nan


def _settings(
    name: str, shape: Sequence[int], kind: Any, chunks: Sequence[int], fill: Any = None
) -> dict[str, Any]:
    from zarr.codecs import ZstdCodec

    return {
        "shape": tuple(shape),
        "dtype": kind,
        "chunks": tuple(chunks),
        # the checksum is verified by whatever reads a chunk
        "compressors": ZstdCodec(level=3, checksum=True),
        "fill_value": _fill(kind) if fill is None else fill,
        "config": {"write_empty_chunks": True},
        "attributes": {"long_name": _MEANINGS[name]} if name in _MEANINGS else {},
    }


def write_metadata(path: Path, layout: Mapping[str, Any], tables: StoreTables) -> None:
    """Write everything but the chunks of maps into the folder of a store, whose chunks may be there already."""
    import zarr

    header, n = layout["header"], len(tables.sources)
    root = zarr.create_group(
        store=str(path), zarr_format=3, attributes=_attributes(header, tables), overwrite=False
    )

    def add(name: str, values: Any, dims: tuple[str, ...], kind: Any = None, **more: Any) -> None:
        values = np.asarray(values, dtype=kind)
        is_text = values.dtype.kind == "O"
        chunks = (_TABLE_CHUNK, *values.shape[1:]) if dims[0] == SOURCE else values.shape
        given = _settings(
            name, values.shape, str if is_text else values.dtype, chunks, "" if is_text else None
        )
        given["attributes"] |= more
        root.create_array(name, dimension_names=dims, **given)[...] = values

    add(SOURCE, tables.sources, (SOURCE,), object)
    add(REASON, tables.reasons, (SOURCE,), object)
    add(SPLIT, tables.splits, (SOURCE,), object)
    for name, values in zip(FIELD, tables.places.T, strict=True):
        add(name, values, (SOURCE,))
    if tables.scores is not None:
        add(CLASS, header["class_names"], (CLASS,), object)
        add(SCORES, tables.scores, (SOURCE, CLASS))
    rows, columns, _ = layout["arrays"][BRIGHTNESS]
    for name, side in (("y", rows), ("x", columns)):
        add(name, np.arange(side, dtype=float), (name,), long_name=f"{name} in pixels of the field")
    layers = {of: layer for layer, of in header["layers"].items()}
    for name, (n_rows, n_columns, kind) in layout["arrays"].items():
        dims, about = (SOURCE, "y", "x"), {}
        if name in layers:
            step, origin_x, origin_y = header["geometry"][layers[name]]
            about = {"long_name": f"maps {layers[name]}"}
            if (n_rows, n_columns, step, origin_x, origin_y) != (rows, columns, 1.0, 0.0, 0.0):
                dims = (SOURCE, f"y_{name}", f"x_{name}")
                for axis, side, origin in (
                    (dims[1], n_rows, origin_y),
                    (dims[2], n_columns, origin_x),
                ):
                    places = origin + step * np.arange(side)
                    add(axis, places, (axis,), long_name=f"{axis[0]} in pixels of the field")
        shape = (n, n_rows, n_columns)
        given = _settings(name, shape, np.dtype(kind), (CHUNK, *shape[1:]))
        given["attributes"] |= about
        root.create_array(name, dimension_names=dims, **given)
    with warnings.catch_warnings():
        # it is an extension that zarr and xarray both have, and makes one file of all metadata
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        zarr.consolidate_metadata(str(path))


def _attributes(header: Mapping[str, Any], tables: StoreTables) -> dict[str, Any]:
    n, n_bad = len(tables.sources), sum(map(bool, tables.reasons))
    explained = [str(one["title"]) for one in header["provenance"].get("explanations", ())]
    return {
        "title": f"Maps of {header['model_name']} for {counted(n, 'image')}",
        "comment": "An array for each layer: maps on their own pixels, whose coordinates y and x are pixels of the field "
        "that the network saw. Pixel (y, x) of the field lies on row field_y + field_step * y and column "
        "field_x + field_step * x of the image. Images with a reason have no maps.",
        "model": header["model_name"],
        "explanations": explained,
        "field_scale_arcsec": header["field_scale_arcsec"],
        "n_unusable": n_bad,
        ATTRIBUTE: {**header, "n_sources": n},
    }


def write_stack(path: Path, stack: MapStack) -> None:
    """Write a stack as a store into a folder that is empty."""
    layout = layout_of(stack)
    n = len(stack)
    for start in range(0, n, CHUNK):
        part = stack.take(range(start, min(start + CHUNK, n)))
        for name, content in encoded_chunk(part, range(len(part))).items():
            file = path / name / file_of_chunk(start // CHUNK)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    tables = StoreTables(
        sources=stack.sources,
        reasons=("",) * n,
        splits=tuple(map(str, stack.splits)),
        places=np.array([place_of(grid) for grid in stack.field]),
        scores=None if stack.scores is None else stack.scores.astype(np.float64),
    )
    write_metadata(path, layout, tables)


def place_of(grid: GridTransform) -> list[float]:
    """Step and origins (x, y) of a grid."""
    return [float(grid.step), float(grid.origin_x), float(grid.origin_y)]


class MapStore:
    """A store that is read in parts.

    Raises
    ------
    MapFileError
        If it is damaged, or is not one.
    """

    def __init__(self, path: Path, attributes: Mapping[str, Any], where: str) -> None:
        self.where = where
        self.header = header = _checked(attributes, where)
        n, allowance = header.n_sources, Allowance(path)

        def numbers(name: str, *sides: int) -> NDArray[np.float64]:
            found = whole_array(path, name, allowance, where, is_complete=True)
            if found.shape != (n, *sides) or found.dtype.kind != "f":
                raise damaged(where, f"{name} has another shape or type")
            return found

        sources, reasons, splits = (
            texts(path, name, n, allowance, where) for name in (SOURCE, REASON, SPLIT)
        )
        self.tables = StoreTables(
            sources=sources,
            reasons=reasons,
            splits=splits,
            places=np.stack([numbers(name) for name in FIELD], axis=1),
            scores=numbers(SCORES, len(header.class_names)) if (path / SCORES).is_dir() else None,
        )
        if len(set(sources)) < n or not all(sources) or not all(map(is_text, sources)):
            raise damaged(where, "its sources need different names")
        self._arrays = {
            name: ArrayOfChunks(path, name, sources, CHUNK, where)
            for name in (*header.layers.values(), BRIGHTNESS, VALID)
        }

    @property
    def field_shape(self) -> tuple[int, int]:
        """Rows and columns of the field."""
        return self._arrays[VALID].shape[1:]

    @property
    def usable(self) -> NDArray[np.intp]:
        """Rows of the images that have maps."""
        return np.flatnonzero([not reason for reason in self.tables.reasons])

    def stack(self, rows: Sequence[int] | NDArray[np.intp]) -> MapStack:
        """The maps of some rows, in their order; every chunk is read once."""
        rows = np.asarray(rows, dtype=np.intp)
        header, tables = self.header, self.tables
        fields = {
            field.name: getattr(header, field.name)
            for field in dataclasses.fields(header)
            if field.name != "n_sources"
        }
        of_rows = Header(
            **fields,
            sources=tuple(tables.sources[i] for i in rows),
            field=tuple(tables.places[rows].tolist()),
            splits=tuple(tables.splits[i] for i in rows),
            scores=None if tables.scores is None else tables.scores[rows],
        )
        return stack_of(
            of_rows,
            lambda name: self._arrays[name.removeprefix(f"{LAYERS}/")].rows(rows),
            self.where,
        )


def _checked(attributes: Mapping[str, Any], where: str) -> StoreHeader:
    try:
        values = checked_fields(StoreHeader, attributes, f"the header of {where}", all_needed=True)
        header = StoreHeader(**values)
        check_facts(header.provenance, f"the provenance of {where}")
    except SpecificationError as error:
        raise MapFileError(f"{where} cannot be used: {error}") from error
    if header.format != FORMAT or header.format_version != FORMAT_VERSION:
        raise MapFileError(
            f"{where} has the format {shown_name(header.format)} {header.format_version}, and {FORMAT} "
            f"{FORMAT_VERSION} is known; write it again with this version of attnxai"
        )
    if not all(map(is_text, (header.model_name, *header.layers, *header.class_names))):
        raise damaged(where, "it holds text that is not Unicode")
    if not header.n_sources or not header.layers:
        raise MapFileError(f"{where} holds no maps")
    odd = [of for of in header.layers.values() if of != next(iter(array_names([of]).values()))]
    if odd or len(set(header.layers.values()) - set(_RESERVED)) < len(header.layers):
        raise damaged(where, "its layers need arrays with different names")
    return header
