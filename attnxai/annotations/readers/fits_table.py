"""Annotation tables as binary tables of FITS.

Text is in UTF-8, of which FITS admits the letters of ASCII only; programs that read FITS leave it as it is.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.annotations.naming import folded
from attnxai.annotations.readers.registry import AnnotationFile, register_reader
from attnxai.annotations.readers.table_writer import typed_columns
from attnxai.annotations.sky_frames import FRAMES
from attnxai.annotations.table import annotations_of_table
from attnxai.annotations.table_columns import n_known_columns
from attnxai.annotations.table_content import (
    TableContent,
    check_size,
    choose_part,
    numbered,
    text_of_cell,
)
from attnxai.annotations.writers import HELD, register_writer
from attnxai.data.images import SourceImage
from attnxai.data.wording import printable
from attnxai.errors import AnnotationError

_CARD, _BLOCK = 80, 2880
# longer texts lie behind the rows, each with the length that it has
_LONGEST_TEXT = 64
_EQUINOX = {"fk5": 2000.0, "fk4": 1950.0}
_EXTENSION = re.compile(rb"XTENSION= *'BINTABLE")
_NAME = re.compile(rb"TTYPE\d+ *= *'((?:[^']|'')*)'")
_REGION = re.compile(rb"(?:EXTNAME|HDUCLAS1) *= *'REGION *'|TTYPE\d+ *= *'ROTANG *'", re.IGNORECASE)


def columns_of_fits(head: bytes) -> list[str]:
    """Names of the columns of the first binary table in the beginning of a FITS file; none in a file of regions."""
    if not head.startswith(b"SIMPLE"):
        return []
    at = next((i for i in range(_BLOCK, len(head), _BLOCK) if _EXTENSION.match(head, i)), len(head))
    cards = head[at:].partition(b"END" + b" " * (_CARD - 3))[0]
    if _REGION.search(cards):
        return []
    return [name.decode(errors="replace").strip() for name in _NAME.findall(cards)]


@register_reader("FITS table", recognises=lambda head: n_known_columns(columns_of_fits(head)) > 0)
def read_fits_table(file: AnnotationFile) -> AnnotationSet:
    """Read an annotation table; an AnnotationError lists row, column and value of every fault."""
    return annotations_of_table(fits_content(file, n_known_columns), file)


def fits_content(file: AnnotationFile, n_known: Callable[[Sequence[str]], int]) -> TableContent:
    """The binary table of a file whose columns are those that ``n_known`` counts, with its units.

    Raises
    ------
    AnnotationError
        If the file is damaged, holds arrays in cells, or has several such tables.
    """
    from astropy.io import fits

    what, content = f"FITS table {file.path}", file.unpacked()
    try:
        with (
            warnings.catch_warnings(),
            fits.open(io.BytesIO(content), memmap=False, character_as_bytes=True) as hdus,
        ):
            warnings.simplefilter("ignore")
            tables = {
                f"HDU {i}{f' ({hdu.name})' if hdu.name else ''}": hdu
                for i, hdu in enumerate(hdus)
                if isinstance(hdu, fits.BinTableHDU)
            }
            known = {name: bool(n_known(hdu.columns.names)) for name, hdu in tables.items()}
            part = next(
                (name for name in tables if name.split(" (")[0] == f"HDU {file.part}"), file.part
            )
            name, note = choose_part(known, part, str(file.path), "table", "FITS table")
            hdu = tables[name]
            n_bytes = hdu.header["NAXIS1"] * hdu.header["NAXIS2"] + hdu.header["PCOUNT"]
            if not 0 <= n_bytes <= len(content):
                raise AnnotationError(f"{what} claims {n_bytes:,} bytes, more than it has")
            check_size(what, hdu.header["NAXIS2"], len(hdu.columns))
            columns = [_texts(hdu, i, what, content) for i in range(len(hdu.columns))]
            return TableContent(
                header=[column.name.strip() for column in hdu.columns],
                rows=list(numbered(columns)),
                what=what,
                item="row",
                units={c.name.strip(): c.unit for c in hdu.columns if c.unit},
                frame=_frame(hdu.header, what),
                notes=[note] if note else [],
            )
    except (AnnotationError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:150]
        raise AnnotationError(f"{what} is damaged: {reason}") from error


def _texts(hdu: Any, place: int, what: str, content: bytes) -> list[str]:
    """Cells of a column as text; empty where the header says that a number stands for none."""
    column = hdu.columns[place]
    if column.format.lstrip("1")[:2] in ("PA", "QA"):
        return [text_of_cell(text) for text in _of_heap(hdu, place, what, content)]
    values = hdu.data.field(place)
    if values.ndim > 1 or values.dtype.hasobject:
        raise AnnotationError(
            f"{what} holds arrays in its column {column.name[:60]!r}, but a cell of an annotation table is a number "
            'or text; write positions as "x y; x y; ..."'
        )
    null = column.null
    texts = [text_of_cell(value) for value in values.tolist()]
    return texts if null in (None, "") else ["" if text == str(null) else text for text in texts]


def _of_heap(hdu: Any, place: int, what: str, content: bytes) -> list[bytes]:
    """Texts of any length, which lie behind the rows; astropy would read those in ASCII only."""
    import numpy as np

    spans = np.rec.recarray.field(hdu.data, place).astype(np.int64)
    start = hdu.header.get("THEAP", hdu.header["NAXIS1"] * hdu.header["NAXIS2"])
    heap = content[hdu.fileinfo()["datLoc"] + start :]
    lengths, ends = spans[:, 0], spans.sum(axis=1)
    # texts of several rows may be the same bytes, which would then be read again and again
    if (spans < 0).any() or (ends > len(heap)).any() or int(lengths.sum()) > len(content):
        raise AnnotationError(
            f"{what} claims texts of more bytes than it has in its column {hdu.columns[place].name[:60]!r}"
        )
    return [heap[end - length : end] for length, end in zip(lengths, ends, strict=True)]


def _frame(header: Any, what: str) -> str:
    """The frame of positions on the sky, where the header states another one than the usual."""
    stated = str(header.get("RADESYS", header.get("RADECSYS", "")) or "").strip()
    equinox = header.get("EQUINOX")
    frame = FRAMES.get(folded(stated), "")
    if isinstance(equinox, int | float):
        frame = frame or ("fk4" if equinox == _EQUINOX["fk4"] and not stated else "")
        is_other = equinox not in ((_EQUINOX[frame],) if frame in _EQUINOX else _EQUINOX.values())
        stated = f"{stated} of equinox {equinox:g}".removeprefix(" of ") if is_other else stated
    else:
        is_other = False
    if is_other or (stated and not frame):
        raise AnnotationError(
            f"{what} has positions in {printable(stated)[:40]}; ICRS, FK5 of J2000, FK4 of B1950 and galactic ones are read"
        )
    return frame


@register_writer("FITS table", extension=".fits", holds=HELD)
def write_fits_table(annotations: AnnotationSet, _: Mapping[str, SourceImage]) -> dict[str, bytes]:
    """One table of all annotations, with units where all lie in one frame."""
    from astropy.io import fits

    columns, units = typed_columns(annotations)
    made = [_column(name, values, units.get(name)) for name, values in columns.items()]
    stream = io.BytesIO()
    table = fits.BinTableHDU.from_columns(made, name="ANNOTATIONS")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(stream)
    return {"annotations.fits": stream.getvalue()}


def _column(name: str, values: Sequence[Any], unit: str | None) -> Any:
    import numpy as np
    from astropy.io import fits

    name = name.encode("ascii", errors="backslashreplace").decode()  # as FITS has names
    if name == "round":
        return fits.Column(name, "K", array=np.array([value or 1 for value in values]))
    if not isinstance(values[0], str):
        numbers = [math.nan if value is None else value for value in values]
        return fits.Column(name, "D", unit=unit, array=np.array(numbers, dtype=float))
    texts = [value.encode() for value in values]
    longest = max(1, *map(len, texts))
    if longest <= _LONGEST_TEXT:
        return fits.Column(name, f"{longest}A", array=np.array(texts, dtype=f"S{longest}"))
    letters = np.empty(len(texts), dtype=object)
    letters[:] = [np.frombuffer(text, dtype="S1") for text in texts]
    return fits.Column(name, "PA()", array=letters)
