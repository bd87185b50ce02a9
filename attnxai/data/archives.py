"""Files of a gzipped tar archive, read in memory: nothing is unpacked, followed or written."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from attnxai.errors import DataSetError

ARCHIVE_EXTENSIONS = (".tar.gz", ".tgz")
# images of radio galaxies are mostly zeros and packed to a thirtieth; read, they take five times as much
_MOST_INFLATED = 1 << 27
_MOST_INFLATED_PER_BYTE = 8
_BLOCK = 512
_LONGEST_NAME = 4096
_REGULAR, _LONG_NAME, _EXTENDED = (b"0", b"\0", b"7"), b"L", b"x"


def read_archive(path: Path, *, wanted: Callable[[str], bool]) -> dict[PurePosixPath, bytes]:
    """Read files of a gzipped tar archive into memory, in one pass and without unpacking it.

    ``wanted`` says of a file's name, without its folder, whether it is read. Folders, links, sparse files and
    devices are passed over. An archive that is damaged, holds a path twice, or inflates to more than 128 MiB and
    8 times its size is refused with a DataSetError.
    """
    found: dict[PurePosixPath, bytes] = {}
    most = _MOST_INFLATED + _MOST_INFLATED_PER_BYTE * path.stat().st_size
    try:
        with gzip.open(path, "rb") as file:
            inflated = _Inflated(file, most)
            for place, is_file, length in _members(inflated):
                padding = -length % _BLOCK
                if not is_file or not wanted(place.name):
                    inflated.skip(length + padding)
                    continue
                if place in found:
                    raise DataSetError(f"archive {path} holds {place} twice")
                found[place] = inflated.take(length)
                inflated.skip(padding)
            # the checksum stands at the end
            while inflated.take_some(1 << 16):
                pass
    except _TooLarge:
        raise DataSetError(
            f"archive {path} inflates to more than {most} bytes; unpack it, and name the folder"
        ) from None
    except (DataSetError, PermissionError):
        raise
    except Exception as error:  # a damaged archive can raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataSetError(
            f"archive {path} cannot be read, it may be truncated: {reason}"
        ) from error
    return found


class _TooLarge(Exception):
    """More would have to be unpacked than is allowed."""


class _Inflated:
    """The unpacked content of a gzipped file, read in order and up to a limit."""

    def __init__(self, file: gzip.GzipFile, most: int) -> None:
        self._file, self._left = file, most

    def take_some(self, length: int) -> bytes:
        """Up to ``length`` bytes, fewer only at the end of the file."""
        if length > self._left:
            raise _TooLarge
        taken = self._file.read(length)
        self._left -= len(taken)
        return taken

    def take(self, length: int) -> bytes:
        taken = self.take_some(length)
        if len(taken) < length:
            raise EOFError("it ends within a file")
        return taken

    def skip(self, length: int) -> None:
        if length > self._left:
            raise _TooLarge
        while length:
            length -= len(self.take(min(length, 1 << 16)))


def _members(inflated: _Inflated) -> Iterator[tuple[PurePosixPath, bool, int]]:
    """Path, whether it is a regular file, and length of each member; the content is left to the caller."""
    name: str | None = None
    regular = True
    header = inflated.take(_BLOCK)
    # an end without blocks of zeros is an end as well
    while header.strip(b"\0"):
        if len(header) < _BLOCK or _octal(header[148:156]) != sum(
            header[:148] + b" " * 8 + header[156:]
        ):
            raise ValueError("a header has a wrong checksum")
        kind, length = header[156:157], _octal(header[124:136])
        if kind in (_LONG_NAME, _EXTENDED):
            if length > _LONGEST_NAME:
                raise ValueError(f"a header of {length} bytes")
            data = inflated.take(length + -length % _BLOCK)[:length]
            if kind == _LONG_NAME:
                name = _text(data)
            else:
                records = _records(data)
                name = records.get("path", name)
                regular = not any(key.startswith("GNU.sparse") for key in records)
            header = inflated.take(_BLOCK)
            continue
        # the prefix is a part of the POSIX format alone
        folder = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
        own = name or (f"{folder}/" if folder else "") + _text(header[:100])
        is_file = regular and kind in _REGULAR and not own.endswith("/")
        yield PurePosixPath(own), is_file, length
        name, regular = None, True
        header = inflated.take_some(_BLOCK)


def _octal(field: bytes) -> int:
    if field[:1] == b"\x80":  # GNU's form for what octal digits cannot hold
        return int.from_bytes(field[1:], "big")
    return int(field.strip(b" \0") or b"0", 8)


def _text(field: bytes) -> str:
    return field.split(b"\0", maxsplit=1)[0].decode("utf-8", errors="replace")


def _records(data: bytes) -> dict[str, str]:
    """``LENGTH KEY=VALUE`` lines of an extended header."""
    records = {}
    while data.strip(b"\0"):
        length = int(data[: data.index(b" ")])
        record, data = data[:length], data[length:]
        if not 4 < length == len(record):
            raise ValueError("a damaged extended header")
        key, _, value = record.partition(b" ")[2].rstrip(b"\n").partition(b"=")
        records[_text(key)] = _text(value)
    return records
