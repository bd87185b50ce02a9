"""Maps as a Zarr group (version 3): one chunk a source, and a header among the attributes.

What a group claims is checked before zarr reads it: metadata of a few bytes can claim any shape, and a small chunk can
be inflated to gigabytes.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.short_repr import shown_name
from attnxai.data.wording import counted
from attnxai.errors import MapFileError
from attnxai.explanations.files.header import (
    LAYERS,
    arrays_of,
    checked_header,
    header_of,
    stack_of,
)
from attnxai.explanations.files.loose import LooseMaps
from attnxai.jobs.files import read_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.images import SourceImage
    from attnxai.explanations.stack import MapStack

METADATA = "zarr.json"
_ATTRIBUTE, _SOURCES = "attnxai", "sources"
_TYPES = {
    **{name: np.dtype(name) for name in ("bool", "int8", "int16", "int32", "int64", "uint8")},
    **{name: np.dtype(name) for name in ("uint16", "uint32", "uint64")},
    **{name: np.dtype(name) for name in ("float16", "float32", "float64")},
}
_CODECS = (["bytes"], ["bytes", "gzip"], ["bytes", "zstd"])
_MOST_METADATA = 1 << 26
_MOST_INFLATED = 1 << 28
_MOST_INFLATED_PER_BYTE = 64
# what a file of a few bytes takes on a disk
_LEAST_FILE = 4096
_MOST_AXES = 3
_ZSTD = b"\x28\xb5\x2f\xfd"


def write(path: Path, stack: MapStack, images: Sequence[SourceImage] | None) -> None:  # noqa: ARG001
    """Write a stack into a folder that is empty; where images lie on the sky has no place in this format."""
    import zarr
    from zarr.codecs import ZstdCodec

    root = zarr.create_group(
        store=str(path), zarr_format=3, attributes={_ATTRIBUTE: header_of(stack)}
    )
    for name, values in arrays_of(stack).items():
        array = root.create_array(
            name,
            shape=values.shape,
            dtype=values.dtype,
            chunks=(1, *values.shape[1:]),
            compressors=ZstdCodec(level=3),
            fill_value=0,
            # a chunk that is missing is a sign of damage
            config={"write_empty_chunks": True},
        )
        array[:] = values


def is_group(path: Path) -> bool:
    """Whether a folder is one of Zarr, of any version."""
    return any((path / name).is_file() for name in (METADATA, ".zgroup", ".zarray"))


def read(path: Path) -> MapStack | LooseMaps:
    """Read a group that :func:`write` or another program has written."""
    where = f"Zarr group of maps {path}"
    if not (path / METADATA).is_file():
        raise MapFileError(f"{where} is of version 2; write it in version 3")
    root = _metadata(path, where)
    if root.get("node_type") != "group":
        raise MapFileError(f"{where} is an array; maps are a group of arrays")
    attributes = root.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise MapFileError(f"{where} is damaged: its attributes are not a dictionary")
    if _ATTRIBUTE in attributes:
        header = checked_header(attributes[_ATTRIBUTE], where)
        allowance = _Allowance(path)
        return stack_of(
            header, lambda name: _array(path, name, allowance, where, is_complete=True), where
        )
    names = _array_names(path) or [f"{LAYERS}/{name}" for name in _array_names(path / LAYERS)]
    allowance = _Allowance(path)
    arrays = {
        name.removeprefix(f"{LAYERS}/"): _array(path, name, allowance, where, is_complete=False)
        for name in names
    }
    return LooseMaps.of_arrays(arrays, attributes.get(_SOURCES), where)


class _Allowance:
    """How many bytes the arrays of a group may still have."""

    def __init__(self, path: Path) -> None:
        sizes = (file.lstat().st_size for file in path.rglob("*") if not file.is_symlink())
        self.left = _MOST_INFLATED + _MOST_INFLATED_PER_BYTE * sum(
            max(size, _LEAST_FILE) for size in sizes
        )

    def take(self, n_bytes: int, where: str) -> None:
        if n_bytes > self.left:
            raise MapFileError(
                f"{where} claims {n_bytes} bytes of values, more than its files can be trusted with; write it without "
                "compression if that is right"
            )
        self.left -= n_bytes


def _array_names(path: Path) -> list[str]:
    if not path.is_dir():
        return []
    return sorted(
        child.name
        for child in path.iterdir()
        if (child / METADATA).is_file()
        and _metadata(child, f"Zarr array {child}").get("node_type") == "array"
    )


def _metadata(path: Path, where: str) -> dict[str, Any]:
    file = path / METADATA
    try:
        if file.stat().st_size > _MOST_METADATA:
            raise ValueError(f"more than {_MOST_METADATA} bytes")
        found = read_json(file)
        if not isinstance(found, dict) or found.get("zarr_format") != 3:
            raise ValueError("not of version 3")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)[:200]
        raise MapFileError(f"{where} is damaged: {METADATA} cannot be used ({reason})") from error
    return found


def _array(
    path: Path, name: str, allowance: _Allowance, where: str, *, is_complete: bool
) -> NDArray[Any]:
    """An array of a group, that has all of its chunks if ``is_complete``; other programs leave out empty ones."""
    place = f"the array {shown_name(name)} of {where}"
    folder = path.joinpath(*name.split("/"))
    if not (folder / METADATA).is_file():
        raise MapFileError(f"{where} is damaged: it lacks the array {shown_name(name)}")
    found = _metadata(folder, place)
    shape, chunk, n_bytes = _layout(found, place)
    chunk_bytes = n_bytes * math.prod(chunk)
    allowance.take(n_bytes * math.prod(shape), place)
    allowance.take(chunk_bytes, place)
    codecs = _codec_names(found, place)
    files = [file for file in folder.rglob("*") if file.name != METADATA and not file.is_dir()]
    n_chunks = math.prod(-(-side // of) for side, of in zip(shape, chunk, strict=True))
    if is_complete and len(files) != n_chunks:
        raise MapFileError(
            f"{place} is damaged: it should have {counted(n_chunks, 'chunk')} and has {len(files)}"
        )
    for file in files:
        _check_chunk(file, chunk_bytes, codecs, place)
    import zarr

    try:
        array = zarr.open_array(store=str(folder), mode="r", zarr_format=3)
        values = np.asarray(array[...])
    except (MemoryError, MapFileError):
        raise
    except Exception as error:  # of the codecs, which can raise anything
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise MapFileError(f"{place} cannot be read, it may be damaged: {reason}") from error
    if values.shape != shape:
        raise MapFileError(f"{place} is damaged: it has another shape than it claims")
    return values


def _layout(found: dict[str, Any], place: str) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Shape of the array and of its chunks, and bytes of a value."""
    data_type = found.get("data_type")
    if not isinstance(data_type, str) or data_type not in _TYPES:
        raise MapFileError(
            f"{place} holds {str(data_type)[:60]} values; maps are arrays of real numbers"
        )
    grid = found.get("chunk_grid")
    settings = grid.get("configuration") if isinstance(grid, dict) else None
    chunk = settings.get("chunk_shape") if isinstance(settings, dict) else None
    shape = found.get("shape")
    sides = [_sides(one, place) for one in (shape, chunk)]
    if len(sides[0]) != len(sides[1]) or len(sides[0]) > _MOST_AXES:
        raise MapFileError(
            f"{place} has shape {str(shape)[:60]}; maps are arrays of shape (n_sources, height, width), or (height, "
            "width) under the id of their source"
        )
    return sides[0], sides[1], _TYPES[data_type].itemsize


def _sides(given: Any, place: str) -> tuple[int, ...]:
    if isinstance(given, list) and all(type(n) is int and 0 < n < 1 << 48 for n in given):
        return tuple(given)
    raise MapFileError(f"{place} is damaged: its shape or that of its chunks is {str(given)[:60]}")


def _codec_names(found: dict[str, Any], place: str) -> list[str]:
    codecs = found.get("codecs")
    names = [
        str(one.get("name") if isinstance(one, dict) else one)
        for one in (codecs if isinstance(codecs, list) else [])
    ]
    if names not in _CODECS:
        raise MapFileError(
            f"{place} has the codecs {', '.join(map(shown_name, names)) or 'none'}; known are bytes, alone or with gzip "
            "or zstd after it, and no shards"
        )
    return names


def _check_chunk(file: Path, n_bytes: int, codecs: list[str], place: str) -> None:
    """Refuse a chunk that would be inflated to another size than its array claims."""
    try:
        if file.is_symlink() or not file.is_file():
            raise MapFileError(f"{place} is damaged: its chunk {file.name} is not a file")
        content = file.read_bytes()
    except OSError as error:
        raise MapFileError(
            f"{place} cannot be read: the chunk {file.name}: {error.strerror or error}"
        ) from error
    if "gzip" in codecs:
        try:
            unpacker = zlib.decompressobj(wbits=31)
            n_found = len(unpacker.decompress(content, n_bytes + 1))
            # further members would be unpacked, too
            n_found += len(unpacker.unused_data)
        except zlib.error as error:
            raise MapFileError(f"{place} is damaged: its chunk {file.name}: {error}") from error
    elif "zstd" in codecs:
        n_found = _zstd_size(content)
    else:
        n_found = len(content)
    if n_found != n_bytes:
        raise MapFileError(
            f"{place} is damaged: its chunk {file.name} has another size than the array claims"
        )


def _zstd_size(content: bytes) -> int:
    """Size that the header of a Zstandard frame states (RFC 8878); -1 where it states none."""
    if content[:4] != _ZSTD or len(content) < 5:
        return -1
    descriptor = content[4]
    is_single = descriptor >> 5 & 1
    at = 5 + (1 - is_single) + (0, 1, 2, 4)[descriptor & 3]
    length = (is_single, 2, 4, 8)[descriptor >> 6]
    field = content[at : at + length]
    if not length or len(field) < length:
        return -1
    return int.from_bytes(field, "little") + (256 if length == 2 else 0)
