"""Annotation tables as binary tables of FITS."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.annotations.readers.registry import AnnotationFile, register_reader
from attnxai.annotations.table import annotations_of_table
from attnxai.annotations.table_columns import n_known_columns
from attnxai.annotations.table_content import (
    TableContent,
    check_size,
    choose_part,
    numbered,
    text_of_cell,
)
from attnxai.errors import AnnotationError

_CARD, _BLOCK = 80, 2880
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

    what = f"FITS table {file.path}"
    try:
        with (
            warnings.catch_warnings(),
            fits.open(io.BytesIO(file.content), memmap=False, character_as_bytes=True) as hdus,
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
            n_bytes = hdu.header["NAXIS1"] * hdu.header["NAXIS2"]
            if not 0 <= n_bytes <= len(file.content):
                raise AnnotationError(f"{what} claims {n_bytes:,} bytes, more than it has")
            check_size(what, hdu.header["NAXIS2"], len(hdu.columns))
            columns = [_texts(hdu, column, what) for column in hdu.columns]
            return TableContent(
                header=[column.name.strip() for column in hdu.columns],
                rows=list(numbered(columns)),
                what=what,
                item="row",
                units={c.name.strip(): c.unit for c in hdu.columns if c.unit},
                notes=[note] if note else [],
            )
    except (AnnotationError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:150]
        raise AnnotationError(f"{what} is damaged: {reason}") from error


def _texts(hdu: Any, column: Any, what: str) -> list[str]:
    """Cells of a column as text; empty where the header says that a number stands for none."""
    values = hdu.data[column.name]
    if values.ndim > 1 or values.dtype.hasobject:
        raise AnnotationError(
            f"{what} holds arrays in its column {column.name[:60]!r}, but a cell of an annotation table is a number "
            'or text; write positions as "x y; x y; ..."'
        )
    null = column.null
    texts = [text_of_cell(value) for value in values.tolist()]
    return texts if null in (None, "") else ["" if text == str(null) else text for text in texts]
