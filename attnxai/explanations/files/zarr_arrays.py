"""Arrays of Zarr groups (version 3) that are not trusted.

What a group claims is checked before zarr reads it: metadata of a few bytes can claim any shape, and a small chunk can
be inflated to gigabytes.
"""

from __future__ import annotations

import contextlib
import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.short_repr import shown_name
from attnxai.data.wording import counted
from attnxai.errors import MapFileError
from attnxai.explanations.files.damage import MADE_AGAIN, damaged
from attnxai.jobs.files import read_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

METADATA = "zarr.json"
_TYPES = {
    **{name: np.dtype(name) for name in ("bool", "int8", "int16", "int32", "int64", "uint8")},
    **{name: np.dtype(name) for name in ("uint16", "uint32", "uint64")},
    **{name: np.dtype(name) for name in ("float16", "float32", "float64")},
}
_CODECS = (["bytes"], ["bytes", "gzip"], ["bytes", "zstd"])
_MOST_METADATA = 1 << 26
_MOST_CHUNKS_KEPT, _MOST_BYTES_KEPT = 24, 1 << 28
_MOST_INFLATED = 1 << 28
_MOST_INFLATED_PER_BYTE = 64
# what a file of a few bytes takes on a disk
_LEAST_FILE = 4096
_MOST_AXES = 3
_ZSTD = b"\x28\xb5\x2f\xfd"


class Allowance:
    """How many bytes the arrays of a group may still have."""

    def __init__(self, path: Path) -> None:
        sizes = (file.lstat().st_size for file in path.rglob("*") if not file.is_symlink())
        self.left = _MOST_INFLATED + _MOST_INFLATED_PER_BYTE * sum(
            max(size, _LEAST_FILE) for size in sizes
        )

    def take(self, n_bytes: int, where: str) -> None:
        """Refuse more bytes than are left."""
        if n_bytes > self.left:
            raise MapFileError(
                f"{where} claims {n_bytes} bytes of values, more than its files can be trusted with; write it without "
                "compression if that is right"
            )
        self.left -= n_bytes


def array_names_in(path: Path) -> list[str]:
    """Names of the arrays within a group."""
    if not path.is_dir():
        return []
    return sorted(
        child.name
        for child in path.iterdir()
        if (child / METADATA).is_file()
        and metadata_of(child, f"Zarr array {child}").get("node_type") == "array"
    )


def metadata_of(path: Path, where: str) -> dict[str, Any]:
    """Metadata of a group or an array."""
    file = path / METADATA
    try:
        if file.stat().st_size > _MOST_METADATA:
            raise ValueError(f"more than {_MOST_METADATA} bytes")
        found = read_json(file)
        if not isinstance(found, dict) or found.get("zarr_format") != 3:
            raise ValueError("not of version 3")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)[:200]
        raise damaged(where, f"{METADATA} cannot be used ({reason})") from error
    return found


def whole_array(
    path: Path, name: str, allowance: Allowance, where: str, *, is_complete: bool
) -> NDArray[Any]:
    """An array of a group, that has all of its chunks if ``is_complete``; other programs leave out empty ones."""
    place = f"the array {shown_name(name)} of {where}"
    folder = path.joinpath(*name.split("/"))
    if not (folder / METADATA).is_file():
        raise damaged(where, f"it lacks the array {shown_name(name)}")
    found = metadata_of(folder, place)
    shape, chunk, n_bytes = _layout(found, place)
    chunk_bytes = n_bytes * math.prod(chunk)
    allowance.take(n_bytes * math.prod(shape), place)
    allowance.take(chunk_bytes, place)
    codecs = _codec_names(found, place)
    files = _files(folder)
    n_chunks = math.prod(-(-side // of) for side, of in zip(shape, chunk, strict=True))
    if is_complete and len(files) != n_chunks:
        raise damaged(place, f"it should have {counted(n_chunks, 'chunk')} and has {len(files)}")
    for file in files:
        _check_chunk(file, chunk_bytes, codecs, place)
    values = _values(folder, ..., place)
    if values.shape != shape:
        raise damaged(place, "it has another shape than it claims")
    return values


def texts(path: Path, name: str, n: int, allowance: Allowance, where: str) -> tuple[str, ...]:
    """An array of ``n`` texts of a group."""
    place = f"the array {shown_name(name)} of {where}"
    folder = path / name
    found = metadata_of(folder, place)
    shape, chunk = _sides(found.get("shape"), place), _chunk_of(found, place)
    if found.get("data_type") != "string" or shape != (n,) or len(chunk) != 1:
        raise damaged(place, f"it should be an array of {counted(n, 'text')}")
    _codec_names(found, place, (["vlen-utf8", "zstd"],))
    # a value has four bytes for its length
    allowance.take(4 * n, place)
    files = _files(folder)
    if len(files) != -(-n // chunk[0]):
        raise damaged(place, f"it has {counted(len(files), 'chunk')}")
    for file in files:
        n_bytes = _zstd_size(_content(file, place))
        if n_bytes < 4:
            raise damaged(place, f"its chunk {file.name} states no size")
        allowance.take(n_bytes, place)
    values = _values(folder, ..., place)
    if values.shape != (n,) or not all(isinstance(value, str) for value in values):
        raise damaged(place, "it holds something else than texts")
    return tuple(map(str, values))


class ArrayOfChunks:
    """An array (n, rows, columns) of a group that is read a chunk of its first axis at a time.

    The last chunks are kept, since blocks of a comparison are made of the same 16 or so, one after the other.
    """

    def __init__(
        self, path: Path, name: str, sources: Sequence[str], n_chunk: int, where: str
    ) -> None:
        n, self._sources = len(sources), sources
        self._place = f"the array {shown_name(name)} of {where}"
        self._folder, self._n_chunk = path / name, n_chunk
        if not (self._folder / METADATA).is_file():
            raise damaged(where, f"it lacks the array {shown_name(name)}")
        found = metadata_of(self._folder, self._place)
        shape, chunk, n_bytes = _layout(found, self._place)
        if len(shape) != _MOST_AXES or shape[0] != n or chunk != (n_chunk, *shape[1:]):
            raise damaged(self._place, "it has another shape, or other chunks")
        self.shape = shape[0], shape[1], shape[2]
        self._chunk_bytes = n_bytes * math.prod(chunk)
        self._codecs = _codec_names(found, self._place)
        self._kept: dict[int, NDArray[Any]] = {}
        self._array: Any = None

    def rows(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Values of some rows, shape (n_rows, rows, columns), each chunk read once."""
        parts, places = [], []
        for index in np.unique(rows // self._n_chunk):
            places.append(np.flatnonzero(rows // self._n_chunk == index))
            parts.append(self._kept_chunk(int(index))[rows[places[-1]] % self._n_chunk])
        if len(parts) == 1:
            return np.asarray(parts[0])
        values = np.empty((len(rows), *self.shape[1:]), parts[0].dtype)
        for place, part in zip(places, parts, strict=True):
            values[place] = part
        return values

    def _kept_chunk(self, index: int) -> NDArray[Any]:
        chunk = self._kept.pop(index) if index in self._kept else self._chunk(index)
        n_kept = min(_MOST_CHUNKS_KEPT, _MOST_BYTES_KEPT // max(chunk.nbytes, 1))
        while len(self._kept) > max(n_kept - 1, 0):
            del self._kept[next(iter(self._kept))]
        self._kept[index] = chunk
        return chunk

    def _chunk(self, index: int) -> NDArray[Any]:
        file = self._folder / "c" / str(index) / "0" / "0"
        first = index * self._n_chunk
        own = self._sources[first : first + self._n_chunk]
        place = f"{self._place} (file {file}, with the maps of {own[0]!r} to {own[-1]!r})"
        if not file.is_symlink() and not file.exists():
            raise damaged(place, f"it lacks the chunk {index}")
        allowed = max(
            _MOST_INFLATED, _MOST_INFLATED_PER_BYTE * max(file.lstat().st_size, _LEAST_FILE)
        )
        if self._chunk_bytes > allowed:
            raise damaged(
                place,
                f"it claims {self._chunk_bytes} bytes a chunk, more than its files can be trusted with",
            )
        _check_chunk(file, self._chunk_bytes, self._codecs, place)
        with _told_of(place):
            if self._array is None:
                self._array = _opened(self._folder)
            return np.asarray(self._array[first : first + self._n_chunk])


def _values(folder: Path, where: Any, place: str) -> NDArray[Any]:
    """What zarr reads of an array whose metadata and chunks have been checked."""
    with _told_of(place):
        return np.asarray(_opened(folder)[where])


def _opened(folder: Path) -> Any:
    import zarr

    return zarr.open_array(store=str(folder), mode="r", zarr_format=3)


@contextlib.contextmanager
def _told_of(place: str) -> Iterator[None]:
    """Name the array where zarr cannot read it."""
    try:
        yield
    except (MemoryError, MapFileError):
        raise
    except Exception as error:  # of the codecs, which can raise anything
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise MapFileError(
            f"{place} cannot be read, it may be damaged: {reason}; {MADE_AGAIN}"
        ) from error


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.name != METADATA and not file.is_dir()]


def _layout(found: dict[str, Any], place: str) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Shape of the array and of its chunks, and bytes of a value."""
    data_type = found.get("data_type")
    if not isinstance(data_type, str) or data_type not in _TYPES:
        raise MapFileError(
            f"{place} holds {str(data_type)[:60]} values; maps are arrays of real numbers"
        )
    shape = found.get("shape")
    sides = [_sides(shape, place), _chunk_of(found, place)]
    if len(sides[0]) != len(sides[1]) or len(sides[0]) > _MOST_AXES:
        raise MapFileError(
            f"{place} has shape {str(shape)[:60]}; maps are arrays of shape (n_sources, height, width), or (height, "
            "width) under the id of their source"
        )
    return sides[0], sides[1], _TYPES[data_type].itemsize


def _chunk_of(found: dict[str, Any], place: str) -> tuple[int, ...]:
    grid = found.get("chunk_grid")
    settings = grid.get("configuration") if isinstance(grid, dict) else None
    return _sides(settings.get("chunk_shape") if isinstance(settings, dict) else None, place)


def _sides(given: Any, place: str) -> tuple[int, ...]:
    if isinstance(given, list) and all(type(n) is int and 0 < n < 1 << 48 for n in given):
        return tuple(given)
    raise damaged(place, f"its shape or that of its chunks is {str(given)[:60]}")


def _codec_names(
    found: dict[str, Any], place: str, known: Sequence[list[str]] = _CODECS
) -> list[str]:
    codecs = found.get("codecs")
    names = [
        str(one.get("name") if isinstance(one, dict) else one)
        for one in (codecs if isinstance(codecs, list) else [])
    ]
    if names not in known:
        raise MapFileError(
            f"{place} has the codecs {', '.join(map(shown_name, names)) or 'none'}; known are bytes, alone or with gzip "
            "or zstd after it, and no shards"
        )
    return names


def _check_chunk(file: Path, n_bytes: int, codecs: list[str], place: str) -> None:
    """Refuse a chunk that would be inflated to another size than its array claims."""
    content = _content(file, place)
    if "gzip" in codecs:
        try:
            unpacker = zlib.decompressobj(wbits=31)
            n_found = len(unpacker.decompress(content, n_bytes + 1))
            # further members would be unpacked, too
            n_found += len(unpacker.unused_data)
        except zlib.error as error:
            raise damaged(place, f"its chunk {file.name}: {error}") from error
    elif "zstd" in codecs:
        n_found = _zstd_size(content)
    else:
        n_found = len(content)
    if n_found != n_bytes:
        raise damaged(place, f"its chunk {file.name} has another size than the array claims")


def _content(file: Path, place: str) -> bytes:
    try:
        if file.is_symlink() or not file.is_file():
            raise damaged(place, f"its chunk {file.name} is not a file")
        return file.read_bytes()
    except OSError as error:
        raise MapFileError(
            f"{place} cannot be read: the chunk {file.name}: {error.strerror or error}"
        ) from error


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
