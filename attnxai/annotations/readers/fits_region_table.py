"""The table of regions in a FITS file: its columns, their units, and where their positions lie."""

from __future__ import annotations

import dataclasses
import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attnxai.annotations.naming import folded
from attnxai.annotations.readers.region_shapes import PIXEL, RegionFault
from attnxai.annotations.sky_frames import FRAMES
from attnxai.data.grid import PixelGrid
from attnxai.data.wording import printable
from attnxai.errors import AnnotationError

MARKS = "MARKS"
"""Name of the table that says whose shapes those of the table of regions are, row by row."""


@dataclasses.dataclass(slots=True, eq=False)
class RegionTable:
    """Columns of a table of regions by their names in capitals, one array of values for each row.

    Parameters
    ----------
    columns : mapping of str to sequence
        Cells by the names of the columns.
    n_rows : int
        How many rows there are.
    units : mapping of str to str
        Units of the columns.
    first : float
        Number of the first pixel.
    frame : str
        Of positions, as of a :class:`~.region_shapes.Region`.
    grid : PixelGrid, optional
        Coordinates of the pixels, where the columns state them.
    notes : dict
        Sentences about what was assumed.
    """

    columns: Mapping[str, Sequence[Any]]
    n_rows: int
    units: Mapping[str, str]
    first: float
    frame: str
    grid: PixelGrid | None
    notes: dict[str, None]

    def numbers(self, name: str, row: int) -> list[float]:
        """Values of a cell."""
        if name not in self.columns:
            return []
        cell = self.columns[name][row]
        if isinstance(cell, str):
            raise RegionFault(f"its {name} is text, {printable(cell)[:40]!r}, instead of numbers")
        return [float(value) for value in np.atleast_1d(cell).ravel().tolist()]

    def word(self, name: str, row: int) -> str:
        """Text of a cell, empty where there is none."""
        cell = self.columns[name][row] if name in self.columns else ""
        return cell if isinstance(cell, str) else ""


def read_region_table(content: bytes, what: str) -> RegionTable:
    """The only table of regions of a file, with the columns of :data:`MARKS`.

    Raises
    ------
    AnnotationError
        If the file is damaged, holds several such tables, or the place of its positions cannot be understood.
    """
    from astropy.io import fits

    try:
        with (
            warnings.catch_warnings(),
            fits.open(io.BytesIO(content), memmap=False, character_as_bytes=True) as hdus,
        ):
            warnings.simplefilter("ignore")
            tables = {i: hdu for i, hdu in enumerate(hdus) if isinstance(hdu, fits.BinTableHDU)}
            for hdu in tables.values():
                n_bytes = hdu.header["NAXIS1"] * hdu.header["NAXIS2"] + hdu.header["PCOUNT"]
                if not 0 <= n_bytes <= len(content):
                    raise AnnotationError(f"{what} claims {n_bytes:,} bytes, more than it has")
            found = {
                i: hdu
                for i, hdu in tables.items()
                if hdu.name.upper() == "REGION"
                or {name.upper() for name in hdu.columns.names} >= {"SHAPE", "X", "Y"}
            }
            if not found:
                raise AnnotationError(f"{what} holds no table of regions that can be read")
            if len(found) > 1:
                raise AnnotationError(
                    f"{what} holds {len(found)} tables of regions (HDUs {', '.join(map(str, found))}); keep one of them"
                )
            ((_, hdu),) = found.items()
            names = [name.upper() for name in hdu.columns.names]
            if lacking := {"X", "Y"} - set(names):
                raise AnnotationError(f"{what} lacks the column {min(lacking)} of regions")
            columns = {name.upper(): _cells(hdu, name) for name in hdu.columns.names}
            more = next((h for h in tables.values() if h.name.upper() == MARKS), None)
            if more is not None and more.header["NAXIS2"] == hdu.header["NAXIS2"]:
                columns |= {name.upper(): _cells(more, name) for name in more.columns.names}
            return _placed(hdu, columns, what)
    except (AnnotationError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:150]
        raise AnnotationError(f"{what} is damaged: {printable(reason)}") from error


def _cells(hdu: Any, name: str) -> Sequence[Any]:
    values = np.asarray(hdu.data[name])
    if values.dtype.kind == "S":
        if values.ndim > 1:
            raise ValueError(f"the column {name!r} has several texts in a row")
        return [value.decode(errors="replace").strip("\0 ") for value in values.tolist()]
    return list(values)


def _placed(hdu: Any, columns: Mapping[str, Sequence[Any]], what: str) -> RegionTable:
    """The table, with what its header says about where positions lie."""
    header = hdu.header
    notes: dict[str, None] = {}
    units = {c.name.upper(): folded(str(c.unit or "")) for c in hdu.columns}
    numbers = {name.upper(): i for i, name in enumerate(hdu.columns.names, start=1)}
    x, y = numbers["X"], numbers["Y"]
    first = 1.0
    if str(header.get("ORIGIN", "")).strip().lower() == "astropy/regions":
        first = 0.0
        notes[
            "Pixels are counted from 0, as astropy regions writes them; the format counts from 1."
        ] = None
    grid, frame = None, PIXEL
    system = str(header.get("RADESYS", header.get("RADECSYS", "")) or "").strip()
    if str(header.get(f"TCTYP{x}", "")).strip():
        grid = _grid(header, x, y, system, what)
    elif units["X"].startswith("deg"):
        name = system or ("FK5" if header.get("EQUINOX") == 2000 else "ICRS")
        frame = FRAMES.get(folded(name), "")
        if not frame:
            raise AnnotationError(
                f"{what} has positions in {name[:40]!r}, a frame that is not known; RADESYS has to be ICRS, FK5 or FK4"
            )
    elif units["X"] not in ("", "pix", "pixel", "pixels"):
        raise AnnotationError(
            f"{what} has positions in the unit {units['X'][:40]!r}; pixel and deg can be read"
        )
    elif str(header.get("MTYPE1", "")).strip().lower() in ("sky", "pos", "physical"):
        notes[
            "Physical coordinates are taken for pixels of the image, which they are unless the image is a part of another one."
        ] = None
    n_rows = len(columns["X"])
    return RegionTable(columns, n_rows, units, first, frame, grid, notes)


def _grid(header: Any, x: int, y: int, system: str, what: str) -> PixelGrid:
    """Pixels with the coordinates of the columns."""
    from astropy.wcs import WCS

    cards: dict[str, Any] = {"RADESYS": system} if system else {}
    for axis, column in ((1, x), (2, y)):
        for keyword, here in (
            ("CTYPE", "TCTYP"), ("CRVAL", "TCRVL"), ("CRPIX", "TCRPX"), ("CDELT", "TCDLT"), ("CUNIT", "TCUNI"),
        ):  # fmt: skip
            if f"{here}{column}" in header:
                value = header[f"{here}{column}"]
                cards[f"{keyword}{axis}"] = (
                    value.strip() if isinstance(value, str) else float(value)
                )
    try:
        wcs = WCS(cards)
        if not wcs.has_celestial:
            raise ValueError("no longitude and latitude")
        return PixelGrid(shape=(1, 1), wcs=wcs)
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        raise AnnotationError(
            f"{what} has columns X and Y whose coordinates (TCTYP{x} and others) cannot be used: {printable(reason)}"
        ) from error
