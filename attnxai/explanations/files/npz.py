"""Maps as NumPy archives (NPZ): arrays, and a header as plain JSON; nothing is pickled.

The arrays are not compressed, so that a file of maps is as large as what it holds; compressed archives of other
programs are read up to a limit.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.readers.npy import parse_npy
from attnxai.data.short_repr import shown_name
from attnxai.data.wording import did_you_mean
from attnxai.errors import MapFileError
from attnxai.explanations.files.damage import MADE_AGAIN, damaged
from attnxai.explanations.files.header import (
    arrays_of,
    checked_header,
    header_of,
    parse_header,
    stack_of,
)
from attnxai.explanations.files.loose import LooseMaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from attnxai.data.images import SourceImage
    from attnxai.explanations.stack import MapStack

_HEADER, _SOURCES, _ENDING = "header.json", "sources", ".npy"
_MOST_INFLATED = 1 << 28
_MOST_INFLATED_PER_BYTE = 8
# the same in every run
_DATE = (1980, 1, 1, 0, 0, 0)


def write(path: Path, stack: MapStack, images: Sequence[SourceImage] | None) -> None:  # noqa: ARG001
    """Write a stack; where images lie on the sky has no place in this format."""
    header = json.dumps(header_of(stack), indent=1) + "\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(_HEADER, _DATE), header)
        for name, values in arrays_of(stack).items():
            member = zipfile.ZipInfo(f"{name}{_ENDING}", _DATE)
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(values), allow_pickle=False)


def read(path: Path) -> MapStack | LooseMaps:
    """Read an archive that :func:`write` or another program has written."""
    where = f"file of maps {path}"
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path, where)
            if _HEADER not in members:
                return _loose(archive, members, where)
            header = checked_header(parse_header(archive.read(_HEADER), where), where)

            def array(name: str) -> NDArray[Any]:
                if f"{name}{_ENDING}" not in members:
                    raise damaged(where, f"it lacks the array {shown_name(name)}")
                return _array(archive, name, where)

            return stack_of(header, array, where)
    except (MapFileError, MemoryError):
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError,
            NotImplementedError, KeyError, OverflowError, UnicodeError) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise MapFileError(
            f"{where} cannot be read, it may be truncated or damaged: {reason}; {MADE_AGAIN}"
        ) from error


def _members(archive: zipfile.ZipFile, path: Path, where: str) -> list[str]:
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        twice, _ = Counter(names).most_common(1)[0]
        raise damaged(where, f"it holds {shown_name(twice)} twice")
    size = path.stat().st_size
    claimed = sum(member.file_size for member in members)
    if claimed > _MOST_INFLATED + _MOST_INFLATED_PER_BYTE * size:
        raise MapFileError(
            f"{where} has {size} bytes and claims to hold {claimed}; save it without compression, by numpy.savez, if "
            "that is right"
        )
    return names


def _loose(archive: zipfile.ZipFile, members: list[str], where: str) -> LooseMaps:
    names = [name.removesuffix(_ENDING) for name in members if name.endswith(_ENDING)]
    if len(names) < len(members):
        other = next(name for name in members if not name.endswith(_ENDING))
        raise MapFileError(
            f"{where} holds {shown_name(other)}, which is not an array; maps are saved by numpy.savez"
        )
    sources = _array(archive, _SOURCES, where, kinds="U") if _SOURCES in names else None
    arrays = {name: _array(archive, name, where) for name in names if name != _SOURCES}
    return LooseMaps.of_arrays(arrays, sources, where)


def _array(archive: zipfile.ZipFile, name: str, where: str, *, kinds: str = "uifb") -> NDArray[Any]:
    content = archive.read(f"{name}{_ENDING}")
    right = "it should hold names, as text"
    if kinds != "U":
        hint = did_you_mean(name, (_SOURCES,))
        right = f"maps are arrays of real numbers, and ids of sources the array {_SOURCES!r}{hint}"
    return parse_npy(
        content, f"the array {shown_name(name)} of {where}", MapFileError, right=right, kinds=kinds
    )
