"""Files of annotations that are compressed by gzip or bzip2, unpacked in memory up to a limit."""

from __future__ import annotations

import bz2
import gzip
import io
import zlib

from attnxai.errors import AnnotationError

_GZIP, _BZIP2 = b"\x1f\x8b", b"BZh"
_MOST_UNPACKED, _MOST_RATIO = 1 << 26, 8
_MOST_OF_HEAD = 1 << 18
# the first block of bzip2 is unpacked as a whole
_PACKED_HEAD = 1 << 20


def unpacked_head(content: bytes) -> bytes:
    """The beginning of a file, unpacked where it is compressed; empty if that is damaged."""
    try:
        if content.startswith(_GZIP):
            return zlib.decompressobj(31).decompress(content[:_PACKED_HEAD], _MOST_OF_HEAD)
        if content.startswith(_BZIP2):
            return bz2.BZ2Decompressor().decompress(content[:_PACKED_HEAD], _MOST_OF_HEAD)
    except (zlib.error, OSError):
        return b""
    return content


def unpacked(content: bytes, what: str) -> bytes:
    """Content of a file that may be compressed.

    Raises
    ------
    AnnotationError
        If it is damaged, ends too early, or unpacks to more than 64 MiB and eight times its size.
    """
    if not content.startswith((_GZIP, _BZIP2)):
        return content
    most = max(_MOST_UNPACKED, _MOST_RATIO * len(content))
    packed, program = io.BytesIO(content), "gunzip" if content.startswith(_GZIP) else "bunzip2"
    try:
        with gzip.GzipFile(fileobj=packed) if program == "gunzip" else bz2.BZ2File(packed) as file:
            found = file.read(most + 1)
    except (EOFError, OSError, ValueError, zlib.error) as error:
        raise AnnotationError(f"{what} is damaged, or not whole: {error}") from error
    if len(found) > most:
        raise AnnotationError(f"{what} unpacks to more than {most:,} bytes; unpack it by {program}")
    return found
