"""Gzipped tar archives, also such as no archiver writes."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path


def pack(
    path: Path, members: Mapping[str, bytes], *, form: int = tarfile.PAX_FORMAT, **types: bytes
) -> Path:
    """An archive of files; ``types`` makes links or other things of some."""
    with tarfile.open(path, "w:gz", format=form) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.type = types.get(name, tarfile.REGTYPE)
            if member.type == tarfile.REGTYPE:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            else:
                member.linkname = content.decode()
                archive.addfile(member)
    return path


def header_of(name: str, size: int | bytes, *, kind: bytes = b"0") -> bytes:
    """The header of a member with a right checksum, whatever the size."""
    field = size if isinstance(size, bytes) else b"%011o\0" % size
    header = name.encode().ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + field
    header += b"00000000000\0" + b" " * 8 + kind
    header = header.ljust(257, b"\0") + b"ustar\x0000"
    header = header.ljust(512, b"\0")
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]
