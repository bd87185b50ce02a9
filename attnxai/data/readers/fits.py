"""FITS images: plain, compressed by gzip or bzip2, or tile-compressed."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.image_notes import note
from attnxai.data.readers.fits_beams import beam_in_table, beam_of, is_table_of_beams
from attnxai.data.readers.fits_cards import Cards
from attnxai.data.readers.fits_coordinates import celestial_axes, celestial_wcs
from attnxai.data.readers.fits_stream import BZIP2, GZIP, LARGEST, FoundHDU, layout, opened
from attnxai.data.readers.fits_survey import survey_of
from attnxai.data.readers.planes import axes_of_image, index_of_plane
from attnxai.data.readers.registry import ImageContent, register_reader
from attnxai.data.wording import counted, first_of
from attnxai.errors import ImageError

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS
    from numpy.typing import NDArray

_PACKINGS = ("", ".gz", ".bz2", ".fz")
_EXTENSIONS = (
    *(f"{ending}{packing}" for packing in _PACKINGS for ending in (".fits", ".fit", ".fts")),
    ".fz",
)
# what stands beside an image in many files; where it stands alone, somebody may have named the wrong file
_NO_BRIGHTNESS = re.compile(
    r"MASK|DQ|FLAGS?|QUALITY|WEIGHTS?|WHT|WGT|RMS|NOISE|ERR|ERROR|UNCERT|SIGMA|STD|STDDEV|VAR|VARIANCE|IVAR|PB|"
    r"SENSITIVITY|COVERAGE|PSF|BACKGROUND|BKG",
    re.IGNORECASE,
)


@register_reader(
    "FITS",
    recognises=lambda head: head.startswith((b"SIMPLE", GZIP, BZIP2)),
    extensions=_EXTENSIONS,
    options=("hdu", "plane"),
)
def read_fits(
    path: Path, *, hdu: int | str | None = None, plane: Sequence[int] | None = None
) -> ImageContent:
    """Read the image of a file, and its place on the sky.

    Where several images or planes could be meant, the error lists them. Of a compressed file no more is unpacked than
    its headers claim.
    """
    where = f"image {path}"
    with opened(path, where) as stream:
        found, content, beams = _chosen(stream.hdus(), hdu, where)
    values, header = _decoded(found, content, path)
    cards = Cards(header, where, ImageError)
    axes, on_sky = _axes(cards, values.shape, path)
    kinds = {
        values.ndim - axis: cards.word(f"CTYPE{axis}")
        for axis in range(1, values.ndim + 1)
        if axis not in axes
    }
    names = {
        axis: f"axis {values.ndim - axis}" + (kind and f" ({kind})") for axis, kind in kinds.items()
    }
    index = index_of_plane(values.shape, names, plane, where)
    values = values[tuple(index.get(axis, slice(None)) for axis in range(values.ndim))]
    beam, odd = beam_of(header)
    if beam is None and beams is not None:
        of_stokes = {kind == "STOKES": index[axis] for axis, kind in kinds.items()}
        beam, odd = beam_in_table(
            *beams, channel=of_stokes.get(False, 0), stokes=of_stokes.get(True, 0)
        )
    if odd:
        note(odd, path)
    rows, columns = values.shape
    wcs = celestial_wcs(cards, (rows, columns), axes) if on_sky else None
    return ImageContent(pixels=values, wcs=wcs, beam_arcsec=beam, survey=survey_of(cards))


def _axes(cards: Cards, shape: tuple[int, ...], path: Path) -> tuple[tuple[int, int], bool]:
    """The axes of columns and of rows, from 1 as in FITS, and whether they are those of the sky."""
    rows, columns = axes_of_image(shape)
    axes = len(shape) - columns, len(shape) - rows
    on_sky = celestial_axes(cards)
    if on_sky is None:
        return axes, False
    if max(on_sky) <= len(shape) and not any(shape[-axis] == 1 for axis in set(on_sky) - set(axes)):
        return on_sky, True
    # an axis of length 1 was added without moving the cards of the others
    if typed := [axis for axis in axes if axis not in on_sky and cards.word(f"CTYPE{axis}")]:
        raise cards.refuse(
            f"CTYPE{typed[0]}",
            reason=f"an image needs both axes of the sky, which are {on_sky[0]} and {on_sky[1]}",
        )
    note(
        f"read without a place on the sky, since its axes are {on_sky[0]} and {on_sky[1]}, one of which has a single pixel",
        path,
    )
    return axes, False


_Table = tuple[bytes, bytes]


def _chosen(
    hdus: Iterator[FoundHDU], hdu: int | str | None, where: str
) -> tuple[FoundHDU, bytes, _Table | None]:
    """The HDU with the image that is meant, its data, and header and data of the beams of its planes."""
    chosen: tuple[FoundHDU, bytes] | None = None
    beams: _Table | None = None
    images: list[FoundHDU] = []
    meant: list[FoundHDU] = []
    for found in hdus:
        if found.is_image:
            images.append(found)
        elif hdu == found.number:
            raise ImageError(f"{where} has no image in HDU {hdu}; {_listed(images, hdus)}")
        if found.is_image and _is_meant(found, hdu):
            meant.append(found)
            chosen = chosen or (found, found.read())
        elif beams is None and is_table_of_beams(found):
            beams = found.text, found.read()
    if not images:
        raise ImageError(f"{where} is a FITS file without an image")
    if chosen is None:
        raise ImageError(f"{where} has no HDU {hdu}; {_listed(images, hdus)}")
    if len(meant) > 1:
        which = "images" if hdu is None else f"images in HDUs of the name {hdu}"
        raise ImageError(
            f"{where} has {len(meant)} {which}, {first_of(list(map(str, meant)))}; choose one, such as the first by "
            f"hdu={meant[0].number}"
        )
    if hdu is None and _NO_BRIGHTNESS.fullmatch(chosen[0].name):
        raise ImageError(
            f"{where} has one image, {chosen[0]}, which by its name is none of brightness; choose it by "
            f"hdu={chosen[0].number} if it is meant"
        )
    return *chosen, beams


def _is_meant(found: FoundHDU, hdu: int | str | None) -> bool:
    if isinstance(hdu, str):
        names = [found.name, *(["PRIMARY"] if found.number == 0 else [])]
        return hdu.upper() in map(str.upper, names)
    return hdu is None or hdu == found.number


def _listed(images: list[FoundHDU], rest: Iterator[FoundHDU]) -> str:
    known = [*images, *(found for found in rest if found.is_image)]
    if not known:
        return "there is none in any other"
    return f"its images are {first_of(list(map(str, known)))}"


def read_planes(path: Path, what: str) -> Iterator[tuple[Cards, NDArray[Any]]]:
    """Cards and values of every image of a file that is not compressed; errors begin with ``what`` and the path."""
    where = f"{what} {path}"
    with open(path, "rb") as file:
        head = file.read(3)
    for magic, name, unpack in ((GZIP, "gzip", "gunzip"), (BZIP2, "bzip2", "bunzip2")):
        if head.startswith(magic):
            raise ImageError(f"{where} is compressed by {name}; unpack it by {unpack}")
    with opened(path, where) as stream:
        for found in stream.hdus(most=math.inf):
            if found.is_tiled:
                raise ImageError(f"{where} is compressed by tiles; unpack it by funpack")
            if len(found.shape) < 2:
                continue
            values = _values(found.cards, found.read())
            if values.ndim > 2 and all(side == 1 for side in values.shape[:-2]):
                values = values.reshape(values.shape[-2:])
            yield found.cards, values


def read_array(
    path: Path, what: str, *, prefer: re.Pattern[str]
) -> tuple[NDArray[Any], Cards, WCS | None]:
    """Values (rows, columns), cards and coordinates of an image of something else than brightness, such as a mask.

    Of several images in a file the one is taken whose name alone fits ``prefer``; errors begin with ``what`` and the
    path. Coordinates that cannot be read are None, since such an image does not need them.
    """
    where = f"{what} {path}"
    with opened(path, where) as stream:
        images = [found for found in stream.hdus() if found.is_image]
    named = [found for found in images if prefer.fullmatch(found.name)]
    chosen = named if len(named) == 1 else images
    if len(chosen) != 1:
        listed = f", {first_of(list(map(str, images)))}; keep the one that is meant" * bool(images)
        raise ImageError(f"{where} is a FITS file with {counted(len(images), 'image')}{listed}")
    with opened(path, where) as stream:
        found, content, _ = _chosen(stream.hdus(), chosen[0].number, where)
    values, header = _decoded(found, content, path)
    if sum(side != 1 for side in values.shape) > 2:
        raise ImageError(f"{where} is a cube of {values.shape}; save the plane that is meant")
    cards = Cards(header, where, ImageError)
    rows, columns = (values.shape[axis] for axis in axes_of_image(values.shape))
    wcs = None
    with contextlib.suppress(ImageError):
        axes, on_sky = _axes(cards, values.shape, path)
        wcs = celestial_wcs(cards, (rows, columns), axes) if on_sky else None
    return values.reshape(rows, columns), cards, wcs


def _decoded(found: FoundHDU, content: bytes, path: Path) -> tuple[NDArray[Any], Header]:
    """Physical values of an image, and its header, which tiles have within that of their table."""
    if not found.is_tiled:
        return _values(found.cards, content), found.header
    from attnxai.data.readers.fits_tiles import decompressed

    return decompressed(found.header, found.text, content, path)


def _values(cards: Cards, content: bytes) -> NDArray[Any]:
    """Physical values of the pixels; blank integers are NaN."""
    bitpix, shape = layout(cards)
    if not math.prod(shape):
        return np.empty(shape)
    kind = "f" if bitpix < 0 else "u" if bitpix == 8 else "i"
    stored = np.frombuffer(content, f">{kind}{abs(bitpix) // 8}", count=math.prod(shape))
    stored = stored.reshape(shape)
    scale, zero = cards.number("BSCALE"), cards.number("BZERO")
    if scale == 0:
        raise cards.refuse("BSCALE", "a number other than 0")
    blank = cards.whole("BLANK", low=-LARGEST, high=LARGEST) if bitpix > 0 else None
    is_blank = None if blank is None else stored == blank
    values = stored.astype(stored.dtype.newbyteorder("="))
    if scale not in (None, 1.0) or zero:
        with np.errstate(over="ignore", invalid="ignore"):
            values = values * (1.0 if scale is None else scale) + (zero or 0.0)
    if is_blank is not None and is_blank.any():
        values = np.where(is_blank, np.nan, values)
    return values
