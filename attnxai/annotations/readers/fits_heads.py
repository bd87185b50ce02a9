"""What a FITS file holds, from its beginning: an image, or a table of regions."""

from __future__ import annotations

import re

from attnxai.annotations.readers.compression import unpacked_head
from attnxai.annotations.readers.registry import AnnotationFile
from attnxai.errors import AnnotationError

_CARD, _BLOCK = 80, 2880
_EXTENSION = re.compile(rb"XTENSION= *'(\w+)")
_NAXIS = re.compile(rb"(Z?)NAXIS(\d*) *= *(\d{1,12})\b")
_END = b"END" + b" " * (_CARD - 3)
_NAMED = re.compile(rb"(?:EXTNAME|HDUCLAS1) *= *'REGION *'", re.IGNORECASE)
_COLUMN = re.compile(rb"TTYPE\d+ *= *'(\w+) *'")
_OF_REGIONS = {b"SHAPE", b"X", b"Y"}
# columns of an annotation table, which has a shape, too
_OF_MARKS = {b"SOURCE", b"ANNOTATOR", b"LABEL"}


def headers_of(head: bytes) -> list[bytes]:
    """Cards of the HDUs that begin in the beginning of a FITS file; none for other files."""
    head = unpacked_head(head)
    if not head.startswith(b"SIMPLE"):
        return []
    starts = [0, *(i for i in range(_BLOCK, len(head), _BLOCK) if _EXTENSION.match(head, i))]
    return [
        head[start:stop].partition(_END)[0]
        for start, stop in zip(starts, [*starts[1:], len(head)], strict=True)
    ]


def has_image(cards: bytes) -> bool:
    """Whether an HDU holds an image of two axes or more, also a compressed one."""
    extension = _EXTENSION.match(cards)
    is_table = extension is not None and extension[1] != b"IMAGE"
    sides = {
        int(number or 0): int(length)
        for tiled, number, length in _NAXIS.findall(cards)
        if bool(tiled) is is_table and len(number) < 4
    }
    n_axes = sides.pop(0, 0)
    return n_axes >= 2 and all(sides.get(axis, 0) > 0 for axis in range(1, min(n_axes, 99) + 1))


def has_regions(cards: bytes) -> bool:
    """Whether an HDU holds a table of regions, by its name or its columns."""
    extension = _EXTENSION.match(cards)
    if extension is None or extension[1] != b"BINTABLE":
        return False
    columns = {name.upper() for name in _COLUMN.findall(cards)}
    return bool(_NAMED.search(cards)) or (columns >= _OF_REGIONS and not columns & _OF_MARKS)


def check_one_kind(file: AnnotationFile, content: bytes) -> None:
    """Refuse a file with an image and a table of regions, of which the user has not said which is meant."""
    headers = headers_of(content)
    if not file.format_named and any(map(has_image, headers)) and any(map(has_regions, headers)):
        raise AnnotationError(
            f"annotation file {file.path} holds an image and a table of regions; say which is meant by --format (in "
            "Python format) 'FITS regions' or 'FITS mask'"
        )
