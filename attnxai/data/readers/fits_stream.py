"""FITS files read from their beginning, HDU by HDU, unpacked where they are compressed as a whole."""

from __future__ import annotations

import bz2
import contextlib
import dataclasses
import functools
import gzip
import math
import re
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from attnxai.data.readers.fits_cards import Cards
from attnxai.data.readers.planes import MOST_AXES
from attnxai.data.readers.registry import PIXELS_OF_ANY_FILE, check_pixels
from attnxai.errors import ImageError

if TYPE_CHECKING:
    from astropy.io.fits import Header

GZIP, BZIP2 = b"\x1f\x8b", b"BZh"
BITPIX = (8, 16, 32, 64, -32, -64)
LARGEST = 2**62
MOST_HDUS = 1000
_BLOCK = 2880
_INHERITED = re.compile(
    r"(CTYPE|CRVAL|CRPIX|CDELT|CUNIT|CROTA|(PC|CD|PV)\d+_|RADE|EQUINOX|EPOCH|L[AO][NT]POLE|BMAJ|BMIN|BPA|TELESCOP|SURVEY)"
)
_MOST_HEADER_BLOCKS = 4096
_CARD = 80
_CHUNK = 1 << 20


def layout(cards: Cards) -> tuple[int, tuple[int, ...]]:
    """Bits of a value and shape of the array (the last axis first, as in NumPy)."""
    bitpix = cards.whole("BITPIX", low=-64, high=64)
    if bitpix not in BITPIX:
        raise cards.refuse("BITPIX", f"one of {', '.join(map(str, BITPIX))}")
    n_axes = cards.required("NAXIS", "the number of axes", low=0, high=MOST_AXES)
    length = "the length of the axis"
    return bitpix, tuple(
        cards.required(f"NAXIS{axis}", length, low=0, high=LARGEST) for axis in range(n_axes, 0, -1)
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundHDU:
    """An HDU of a file that is being read.

    ``text`` is the header as it stands in the file. ``shape`` is that of the array, the last axis first, or of the image
    in tiles; it is empty where there is none. ``read`` gives the data, ``n_bytes`` of them, once, before the next HDU is
    asked for.
    """

    number: int
    cards: Cards
    header: Header
    text: bytes
    shape: tuple[int, ...]
    is_tiled: bool
    n_bytes: int
    read: Callable[[], bytes]

    @property
    def is_image(self) -> bool:
        """Whether it holds an array of two axes or more."""
        return len(self.shape) >= 2 and math.prod(self.shape) > 0

    @property
    def name(self) -> str:
        """What its header calls it; empty where it has no name."""
        return self.cards.word("EXTNAME")

    def __str__(self) -> str:
        unit = self.cards.word("BUNIT")
        shape = " x ".join(map(str, self.shape))
        return f"HDU {self.number} {self.name}".rstrip() + f" ({shape}{unit and f', {unit}'})"


class FitsStream:
    """A FITS file, read from the beginning; ``where`` names it in errors, such as ``"image a.fits"``."""

    def __init__(self, path: Path, file: BinaryIO, *, packing: str, where: str) -> None:
        self._path, self._file, self._packing, self._where = path, file, packing, where
        self._n_hdus = self._n_unread = 0
        self._n_file_bytes = path.stat().st_size
        # what may be skipped of a compressed file beside its image
        self._n_to_skip = 8 * max(PIXELS_OF_ANY_FILE, self._n_file_bytes)

    def hdus(self, most: float = MOST_HDUS) -> Iterator[FoundHDU]:
        """All HDUs, of which more than ``most`` are refused; what is not read of one is skipped."""
        from astropy.io.fits import Header

        primary = Header()
        while (text := self._header()) is not None:
            self._n_hdus += 1
            if self._n_hdus > most:
                raise self._fault(f"has more than {most} HDUs; save its image in a file of its own")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about letters that are not ASCII
                header = Header.fromstring(text)
            cards = Cards(header, self._where, ImageError)
            if self._n_hdus == 1 and cards.flag("GROUPS"):
                raise self._fault(
                    "is a FITS file of visibilities (random groups); make an image of them first"
                )
            extension = "IMAGE" if self._n_hdus == 1 else cards.text("XTENSION")
            bitpix, shape = layout(cards)
            if self._n_hdus == 1 and not shape:
                primary = header
            elif cards.flag("INHERIT") and "CTYPE1" not in cards:
                # an image whose place the header of the whole file states
                header.extend(
                    card
                    for card in primary.cards
                    if _INHERITED.match(card.keyword) and card.keyword not in header
                )
            groups = cards.whole("GCOUNT", low=1, high=LARGEST) or 1
            parameters = cards.whole("PCOUNT", low=0, high=LARGEST) or 0
            size = abs(bitpix) // 8 * groups * (parameters + math.prod(shape)) if shape else 0
            is_tiled = extension == "BINTABLE" and cards.flag("ZIMAGE")
            if is_tiled:
                shape = _tiled_shape(cards)
            elif extension != "IMAGE":
                shape = ()
            self._n_unread = size
            yield FoundHDU(
                number=self._n_hdus - 1,
                cards=cards,
                header=header,
                text=text,
                shape=shape,
                is_tiled=is_tiled,
                n_bytes=size,
                read=functools.partial(self._data, cards, (size,) if is_tiled else shape),
            )
            self._skip()

    def _fault(self, text: str) -> ImageError:
        return ImageError(f"{self._where} {text}")

    def _header(self) -> bytes | None:
        """The next header up to its END card; None at the end of the file."""
        blocks: list[bytes] = []
        while len(blocks) < _MOST_HEADER_BLOCKS:
            block = self._read(_BLOCK)
            if not blocks and (not block or not block.startswith((b"SIMPLE", b"XTENSION"))):
                if self._n_hdus:
                    return None
                raise self._fault(f"holds no FITS file within {self._packing}")
            if len(block) < _BLOCK:
                raise self._fault("is truncated within a header")
            blocks.append(block)
            if self._n_hdus:
                self._count_skipped(_BLOCK)
            cards = (block[at : at + _CARD] for at in range(0, _BLOCK, _CARD))
            if any(card.rstrip() == b"END" for card in cards):
                return b"".join(blocks)
        raise self._fault(
            f"has a header without END in its first {_MOST_HEADER_BLOCKS * _BLOCK} bytes"
        )

    def _data(self, cards: Cards, shape: tuple[int, ...]) -> bytes:
        """The data of an image, which end with the block that they fill partly."""
        for keyword, right in (("PCOUNT", 0), ("GCOUNT", 1)):
            if cards.whole(keyword, low=0, high=LARGEST) not in (None, right) and len(shape) > 1:
                raise cards.refuse(keyword, f"{right} for an image")
        if self._packing:
            check_pixels(self._path, shape, self._n_file_bytes)
        padded, self._n_unread = -(-self._n_unread // _BLOCK) * _BLOCK, 0
        left = padded
        if not self._packing:
            left = self._n_file_bytes - self._file.tell()
        content = self._read(padded) if left >= padded else b""
        if len(content) < padded:
            raise self._fault(
                f"is truncated: its header claims {padded} bytes of pixels, and "
                f"{len(content) or left} follow"
            )
        return content

    def _skip(self) -> None:
        """Go on to the next header."""
        padded = -(-self._n_unread // _BLOCK) * _BLOCK
        if not self._packing:
            self._file.seek(min(padded, self._n_file_bytes), 1)
            return
        self._count_skipped(padded)
        while padded > 0 and (chunk := self._read(min(padded, _CHUNK))):
            padded -= len(chunk)

    def _count_skipped(self, n_bytes: int) -> None:
        self._n_to_skip -= n_bytes
        if self._packing and self._n_to_skip < 0:
            raise self._fault(
                f"claims {n_bytes} bytes of data beside its image, in a compressed file "
                f"of {self._n_file_bytes} bytes; save it uncompressed if that is right"
            )

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except (EOFError, zlib.error, OSError) as error:
            if not self._packing or (isinstance(error, OSError) and error.errno is not None):
                raise
            raise self._fault(
                f"cannot be read, its {self._packing} compression is truncated or damaged: {error}"
            ) from error


def _tiled_shape(cards: Cards) -> tuple[int, ...]:
    n_axes = cards.whole("ZNAXIS", low=0, high=MOST_AXES) or 0
    sides = (
        cards.whole(f"ZNAXIS{axis}", low=0, high=LARGEST) or 0 for axis in range(n_axes, 0, -1)
    )
    return tuple(sides)


@contextlib.contextmanager
def opened(path: Path, where: str) -> Iterator[FitsStream]:
    """A FITS file, unpacked by gzip or bzip2 as it is read where its content begins so."""
    with contextlib.ExitStack() as stack:
        file: BinaryIO = stack.enter_context(open(path, "rb"))
        head, packing = file.read(3), ""
        file.seek(0)
        if head.startswith(GZIP):
            packing, file = "gzip", stack.enter_context(gzip.GzipFile(fileobj=file))  # type: ignore[assignment]
        elif head == BZIP2:
            packing, file = "bzip2", stack.enter_context(bz2.BZ2File(file))  # type: ignore[assignment]
        yield FitsStream(path, file, packing=packing, where=where)
