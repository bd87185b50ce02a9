"""FITS images: plain, compressed by gzip, or tile-compressed."""

from __future__ import annotations

import contextlib
import gzip
import math
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from attnxai.data.readers.fits_cards import Cards
from attnxai.data.readers.fits_coordinates import celestial_wcs
from attnxai.data.readers.registry import (
    PIXELS_OF_ANY_FILE,
    ImageContent,
    check_pixels,
    register_reader,
)
from attnxai.errors import ImageError

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from numpy.typing import NDArray

_BLOCK = 2880
_MOST_HEADER_BLOCKS = 4096
_CARD = 80
_GZIP = b"\x1f\x8b"
_BITPIX = (8, 16, 32, 64, -32, -64)
_MOST_AXES = 32  # as many as an array of NumPy may have
_LARGEST = 2**62
_CHUNK = 1 << 20
_EXTENSIONS = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fts.gz")


@register_reader(
    "FITS", recognises=lambda head: head.startswith((b"SIMPLE", _GZIP)), extensions=_EXTENSIONS
)
def read_fits(path: Path) -> ImageContent:
    """Read the first image of a file, and its place on the sky.

    Of a compressed file no more is unpacked than its headers claim.
    """
    where = f"image {path}"
    with _opened(path) as stream:
        header, text, content = stream.first_image()
    if text:
        from attnxai.data.readers.fits_tiles import decompressed

        values, header = decompressed(header, text, content, path)
    else:
        values = _values(Cards(header, where, ImageError), content)
    if values.ndim > 2:
        if any(side != 1 for side in values.shape[:-2]):
            raise ImageError(
                f"image {path} is a cube of shape {values.shape}; give one plane of it"
            )
        values = values.reshape(values.shape[-2:])
    cards = Cards(header, where, ImageError)
    rows, columns = values.shape
    return ImageContent(
        pixels=values, wcs=celestial_wcs(cards, (rows, columns)), beam_arcsec=_beam(cards)
    )


def read_planes(path: Path, what: str) -> Iterator[tuple[Cards, NDArray[Any]]]:
    """Cards and values of every image of a file that is not compressed; errors begin with ``what`` and the path."""
    with open(path, "rb") as file:
        if file.read(2) == _GZIP:
            raise ImageError(f"{what} {path} is compressed by gzip; unpack it by gunzip")
    with _opened(path, what) as stream:
        for header, tiles, content in stream.images():
            cards = Cards(header, f"{what} {path}", ImageError)
            if tiles:
                raise ImageError(f"{what} {path} is compressed by tiles; unpack it by funpack")
            values = _values(cards, content)
            if values.ndim > 2 and all(side == 1 for side in values.shape[:-2]):
                values = values.reshape(values.shape[-2:])
            yield cards, values


def _beam(cards: Cards) -> tuple[float, float, float] | None:
    major, minor = (cards.number(name, low=0.0, high=180.0) for name in ("BMAJ", "BMIN"))
    angle = cards.number("BPA", low=-360.0, high=360.0)
    return (major * 3600.0, minor * 3600.0, angle or 0.0) if major and minor else None


def _values(cards: Cards, content: bytes) -> NDArray[Any]:
    """Physical values of the pixels; blank integers are NaN."""
    bitpix, shape = _layout(cards)
    if not math.prod(shape):
        return np.empty(shape)
    kind = "f" if bitpix < 0 else "u" if bitpix == 8 else "i"
    stored = np.frombuffer(content, f">{kind}{abs(bitpix) // 8}", count=math.prod(shape))
    stored = stored.reshape(shape)
    scale, zero = cards.number("BSCALE"), cards.number("BZERO")
    if scale == 0:
        raise cards.refuse("BSCALE", "a number other than 0")
    blank = cards.whole("BLANK", low=-_LARGEST, high=_LARGEST) if bitpix > 0 else None
    is_blank = None if blank is None else stored == blank
    values = stored.astype(stored.dtype.newbyteorder("="))
    if scale not in (None, 1.0) or zero:
        with np.errstate(over="ignore", invalid="ignore"):
            values = values * (1.0 if scale is None else scale) + (zero or 0.0)
    if is_blank is not None and is_blank.any():
        values = np.where(is_blank, np.nan, values)
    return values


def _layout(cards: Cards) -> tuple[int, tuple[int, ...]]:
    """Bits of a value and shape of the array (the last axis first, as in NumPy)."""
    bitpix = cards.whole("BITPIX", low=-64, high=64)
    if bitpix not in _BITPIX:
        raise cards.refuse("BITPIX", f"one of {', '.join(map(str, _BITPIX))}")
    n_axes = cards.required("NAXIS", "the number of axes", low=0, high=_MOST_AXES)
    length = "the length of the axis"
    return bitpix, tuple(
        cards.required(f"NAXIS{axis}", length, low=0, high=_LARGEST)
        for axis in range(n_axes, 0, -1)
    )


class _Stream:
    """A FITS file, unpacked where it is compressed, read from the beginning to the first image."""

    def __init__(self, path: Path, file: BinaryIO, *, is_compressed: bool, what: str) -> None:
        self._path, self._file, self._is_compressed = path, file, is_compressed
        self._where = f"{what} {path}"
        self._has_begun = False
        self._n_file_bytes = path.stat().st_size
        # what may be skipped of a compressed file before its image
        self._n_to_skip = 8 * max(PIXELS_OF_ANY_FILE, self._n_file_bytes)

    def first_image(self) -> tuple[Header, bytes, bytes]:
        """Header of the first image, the same as it stands where it holds tiles, and data."""
        found = next(self.images(), None)
        if found is None:
            raise self._fault("is a FITS file without an image")
        return found

    def images(self) -> Iterator[tuple[Header, bytes, bytes]]:
        """The same of every image."""
        from astropy.io.fits import Header

        is_primary = True
        while (text := self._header()) is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about letters that are not ASCII
                header = Header.fromstring(text)
            cards = Cards(header, self._where, ImageError)
            if is_primary and cards.flag("GROUPS"):
                raise self._fault(
                    "is a FITS file of visibilities (random groups); make an image of them first"
                )
            extension = "IMAGE" if is_primary else cards.text("XTENSION")
            bitpix, shape = _layout(cards)
            groups = cards.whole("GCOUNT", low=1, high=_LARGEST) or 1
            parameters = cards.whole("PCOUNT", low=0, high=_LARGEST) or 0
            size = abs(bitpix) // 8 * groups * (parameters + math.prod(shape)) if shape else 0
            if extension == "IMAGE" and len(shape) >= 2:
                if groups != 1 or parameters:
                    keyword, right = ("PCOUNT", "0") if parameters else ("GCOUNT", "1")
                    raise cards.refuse(keyword, f"{right} for an image")
                self._check(shape)
                yield header, b"", self._data(size)
            elif extension == "BINTABLE" and cards.flag("ZIMAGE"):
                self._check((size,))
                yield header, text, self._data(size)
            else:
                self._skip(size)
            is_primary = False

    def _fault(self, text: str) -> ImageError:
        return ImageError(f"{self._where} {text}")

    def _check(self, shape: tuple[int, ...]) -> None:
        if self._is_compressed:
            check_pixels(self._path, shape, self._n_file_bytes)

    def _header(self) -> bytes | None:
        """The next header up to its END card; None at the end of the file."""
        blocks: list[bytes] = []
        while len(blocks) < _MOST_HEADER_BLOCKS:
            block = self._read(_BLOCK)
            if not blocks and (not block or not block.startswith((b"SIMPLE", b"XTENSION"))):
                if self._has_begun:
                    return None
                raise self._fault("holds no FITS file within gzip")
            if len(block) < _BLOCK:
                raise self._fault("is truncated within a header")
            self._has_begun = True
            blocks.append(block)
            cards = (block[at : at + _CARD] for at in range(0, _BLOCK, _CARD))
            if any(card.rstrip() == b"END" for card in cards):
                return b"".join(blocks)
        raise self._fault(
            f"has a header without END in its first {_MOST_HEADER_BLOCKS * _BLOCK} bytes"
        )

    def _data(self, size: int) -> bytes:
        """The data of an image, which end with the block that they fill partly."""
        padded = -(-size // _BLOCK) * _BLOCK
        left = padded
        if not self._is_compressed:
            left = self._n_file_bytes - self._file.tell()
        content = self._read(padded) if left >= padded else b""
        if len(content) < padded:
            raise self._fault(
                f"is truncated: its header claims {padded} bytes of pixels, and "
                f"{len(content) or left} follow"
            )
        if self._is_compressed:
            self._read(1)  # where this is the end, the checksum of the file is compared
        return content

    def _skip(self, size: int) -> None:
        padded = -(-size // _BLOCK) * _BLOCK
        if not self._is_compressed:
            self._file.seek(min(padded, self._n_file_bytes), 1)
            return
        self._n_to_skip -= padded
        if self._n_to_skip < 0:
            raise self._fault(
                f"claims {padded} bytes of data before its image, in a compressed file "
                f"of {self._n_file_bytes} bytes; save it uncompressed if that is right"
            )
        while padded > 0 and (chunk := self._read(min(padded, _CHUNK))):
            padded -= len(chunk)

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._fault(
                f"cannot be read, its gzip compression is truncated or damaged: {error}"
            ) from error


@contextlib.contextmanager
def _opened(path: Path, what: str = "image") -> Iterator[_Stream]:
    with open(path, "rb") as file:
        is_compressed = file.read(2) == _GZIP
        file.seek(0)
        if is_compressed:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield _Stream(path, unpacked, is_compressed=True, what=what)  # type: ignore[arg-type]
        else:
            yield _Stream(path, file, is_compressed=False, what=what)
