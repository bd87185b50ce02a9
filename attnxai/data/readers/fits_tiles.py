"""Tile-compressed FITS images (``fpack``), checked before astropy's C code unpacks them.

The decoders of HCOMPRESS and PLIO take sizes from the compressed stream and write or read beyond their arrays
where these are wrong, so such files are refused. That of Rice looks at the end of the stream only after every
32 values, so the length of each stream is measured first. Streams of gzip may hold no more than a tile.
"""

from __future__ import annotations

import array
import io
import re
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.readers.fits_cards import Cards
from attnxai.data.readers.registry import check_pixels
from attnxai.errors import ImageError

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from numpy.typing import NDArray

_METHODS = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "NOCOMPRESS")
_DITHERS = ("NO_DITHER", "SUBTRACTIVE_DITHER_1", "SUBTRACTIVE_DITHER_2")
_SETTINGS = {"BLOCKSIZE": (16.0, 32.0), "BYTEPIX": (1.0, 2.0, 4.0), "NOISEBIT": None}
_WIDTHS = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "E": 4, "D": 8, "P": 8, "Q": 16}
_FORMAT = re.compile(r"([01]?)([LBIJKEDPQ])([BIJKED]?)(?:\(\d+\))?")
_SCALARS = ("ZSCALE", "ZZERO", "ZBLANK")
_MAIN, *_OTHERS = ("COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "UNCOMPRESSED_DATA")
_MOST_COLUMNS = 8
_MOST_AXES = 9
_MOST_PIXELS_OF_RICE = 1 << 20  # in a tile, whose bits are looked at one by one


def decompressed(
    header: Header, text: bytes, content: bytes, path: Path
) -> tuple[NDArray[Any], Header]:
    """Pixels of a tile-compressed image, and its own header.

    ``header`` is that of the table that holds the tiles, ``text`` the same as it stands in the file, and
    ``content`` the table.
    """
    from astropy.io import fits

    cards = Cards(header, f"image {path}", ImageError)
    cards.whole("NAXIS", low=2, high=2)
    cards.whole("BITPIX", low=8, high=8)
    shape, tile = _shapes(cards)
    check_pixels(path, shape, len(content))
    _check_tiles(cards, content, shape, tile)
    primary = fits.PrimaryHDU().header.tostring().encode()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(io.BytesIO(primary + text + content)) as hdus:
                values = np.asarray(hdus[1].data)
                return values.astype(values.dtype.newbyteorder("="), copy=False), hdus[1].header
    except Exception as error:  # a damaged stream can raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _damaged(cards, reason) from error


def _damaged(cards: Cards, reason: object) -> ImageError:
    return ImageError(f"{cards.where} cannot be read, its tiles are damaged: {reason}")


def _shapes(cards: Cards) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Sides of the image and of a tile, in the order of FITS axes."""
    number = "the number of axes of the image"
    n_axes = cards.required("ZNAXIS", number, low=2, high=_MOST_AXES)
    shape, tile = [], []
    for axis in range(1, n_axes + 1):
        side = cards.required(f"ZNAXIS{axis}", "the length of the axis", low=1, high=2**31)
        width = cards.whole(f"ZTILE{axis}", low=1, high=side)
        shape.append(side)
        tile.append(width or (side if axis == 1 else 1))
    return tuple(shape), tuple(tile)


def _check_tiles(
    cards: Cards, content: bytes, shape: tuple[int, ...], tile: tuple[int, ...]
) -> None:
    """Refuse options that are not known, and streams that are not tiles."""
    method = cards.text("ZCMPTYPE") or ""
    if method not in _METHODS:
        raise cards.refuse(
            "ZCMPTYPE", reason="RICE_1 or GZIP_1 are read; unpack others with funpack first"
        )
    if cards.whole("ZBITPIX", low=-64, high=64) not in (8, 16, 32, -32, -64):
        raise cards.refuse("ZBITPIX", "8, 16, 32, -32 or -64")
    if (cards.text("ZQUANTIZ") or _DITHERS[0]) not in _DITHERS:
        raise cards.refuse("ZQUANTIZ", f"one of {', '.join(_DITHERS)}")
    cards.whole("ZDITHER0", low=0, high=10_000)
    cards.whole("ZBLANK", low=-(2**31), high=2**31)
    settings = {"BLOCKSIZE": 32.0, "BYTEPIX": 4.0}
    number = 1
    while (name := cards.text(f"ZNAME{number}")) is not None:
        allowed, value = _SETTINGS.get(name, ()), cards.number(f"ZVAL{number}")
        if value is None or (allowed is not None and value not in allowed):
            raise cards.refuse(f"ZVAL{number}", f"a known value of {name}")
        settings[name] = value
        number += 1
    n_pixels = _pixels_of_tiles(shape, tile)
    is_rice = method.startswith("RICE")
    if is_rice and max(n_pixels) > _MOST_PIXELS_OF_RICE:
        raise cards.refuse("ZTILE1", f"tiles of at most {_MOST_PIXELS_OF_RICE} pixels")
    for name, streams in _streams(cards, content, len(n_pixels)):
        for n, stream in zip(n_pixels, streams, strict=True):
            limit = 8 * n + 1024
            if len(stream) > limit:
                raise _damaged(cards, f"one of {n} pixels has {len(stream)} bytes")
            if not stream:
                continue
            if name == _MAIN and is_rice:
                sizes = int(settings["BLOCKSIZE"]), int(settings["BYTEPIX"])
                if not _holds_rice(stream, n, *sizes):
                    raise _damaged(cards, "a Rice stream ends too early")
            elif name == _OTHERS[0] or (name == _MAIN and method.startswith("GZIP")):
                _check_gzip(cards, stream, limit)


def _pixels_of_tiles(shape: tuple[int, ...], tile: tuple[int, ...]) -> list[int]:
    """Pixels of every tile, the first axis running fastest; the last along an axis may be smaller."""
    counts = np.ones(1, dtype=np.int64)
    for side, width in zip(shape, tile, strict=True):
        starts = np.arange(0, side, width)
        counts = np.multiply.outer(np.minimum(width, side - starts), counts).ravel()
    return counts.tolist()


def _streams(cards: Cards, content: bytes, n_tiles: int) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Columns of compressed data, and their bytes tile by tile."""
    width = cards.whole("NAXIS1", low=1, high=1000) or 0
    n_columns = cards.whole("TFIELDS", low=1, high=_MOST_COLUMNS) or 0
    if cards.whole("NAXIS2", low=1, high=2**31) != n_tiles:
        raise cards.refuse("NAXIS2", f"one row for each of {n_tiles} tiles")
    n_row_bytes = n_tiles * width
    n_bytes = n_row_bytes + (cards.whole("PCOUNT", low=0, high=2**62) or 0)
    heap = content[cards.whole("THEAP", low=n_row_bytes, high=n_bytes) or n_row_bytes : n_bytes]
    rows = np.frombuffer(content, np.uint8, count=n_row_bytes).reshape(n_tiles, width)
    position = 0
    for number in range(1, n_columns + 1):
        name = cards.text(f"TTYPE{number}") or ""
        found = _FORMAT.fullmatch(cards.text(f"TFORM{number}") or "")
        is_stream = name in (_MAIN, *_OTHERS)
        if found is None or is_stream != (found[2] in "PQ") or found[1] == "0":
            raise cards.refuse(f"TFORM{number}", "a format of tile-compressed images")
        if name not in (_MAIN, *_OTHERS, *_SCALARS) or (name == _MAIN and found[3] != "B"):
            raise cards.refuse(f"TTYPE{number}", "a column of tile-compressed images")
        end = position + _WIDTHS[found[2]]
        if end > width:
            raise cards.refuse("NAXIS1", "the width of its columns")
        if is_stream:
            place = np.ascontiguousarray(rows[:, position:end])
            pairs = place.view(">i4" if found[2] == "P" else ">i8").astype(np.int64)
            size = _WIDTHS[found[3] or "B"]
            if (pairs < 0).any() or (pairs > len(heap)).any() or (pairs @ [size, 1] > len(heap)).any():  # fmt: skip
                raise cards.refuse("PCOUNT", reason=f"the heap does not hold all of {name}")
            yield name, (heap[at : at + n * size] for n, at in pairs.tolist())
        position = end
    if position != width:
        raise cards.refuse("NAXIS1", f"{position}, the width of its columns")


def _check_gzip(cards: Cards, stream: bytes, limit: int) -> None:
    try:
        n_bytes = len(zlib.decompressobj(31).decompress(stream, limit + 1))
    except zlib.error as error:
        raise _damaged(cards, error) from error
    if n_bytes > limit:
        raise _damaged(cards, f"one inflates to more than {limit} bytes")


def _holds_rice(stream: bytes, n_values: int, block_size: int, n_bytes: int) -> bool:
    """Whether a stream is long enough for its values, by the algorithm of Rice, Yeh & Miller (1993).

    Blocks of values begin with the number of low bits that each value states after its high bits, which are
    as many zeros before a one.
    """
    code_bits = {1: 3, 2: 4, 4: 5}[n_bytes]
    plain = {1: 6, 2: 14, 4: 25}[n_bytes]
    bits = np.unpackbits(np.frombuffer(stream, np.uint8))
    n_bits = len(bits)
    places = np.where(bits, np.arange(n_bits, dtype=np.int32), np.int32(n_bits))
    next_one = array.array("i", np.minimum.accumulate(places[::-1])[::-1].tobytes())
    at = 8 * n_bytes  # the first value, as it is
    for start in range(0, n_values, block_size):
        if at + code_bits > n_bits:
            return False
        code = int.from_bytes(np.packbits(bits[at : at + code_bits]).tobytes(), "big")
        low_bits = (code >> (8 - code_bits)) - 1
        at += code_bits
        n = min(block_size, n_values - start)
        if low_bits >= plain:
            at += 8 * n_bytes * n
        elif low_bits >= 0:
            for _ in range(n):
                if at >= n_bits:
                    return False
                at = next_one[at] + 1 + low_bits
    return at <= n_bits
