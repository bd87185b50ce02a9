"""The restoring beam of a FITS image: in its header, in the history that AIPS writes, or in the table that CASA does."""

from __future__ import annotations

import contextlib
import math
import re
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astropy.io.fits import Header

    from attnxai.data.readers.fits_stream import FoundHDU

_NUMBER = r"\s*=\s*([-+]?\d*\.?\d+(?:[EDed][-+]?\d+)?)"
_AIPS = re.compile(
    rf"AIPS\s+CLEAN\s+BMAJ{_NUMBER}\s+BMIN{_NUMBER}(?:\s+BPA{_NUMBER})?", re.IGNORECASE
)
_LARGEST_DEG = 180.0
_TABLE = "BEAMS"
_MOST_BYTES_OF_TABLE = 1 << 24
Beam = tuple[float, float, float]


def beam_of(header: Header) -> tuple[Beam | None, str]:
    """Axes (FWHM, arcsec) and position angle of the beam, and what is to be noted.

    Nothing rests on the beam for which an image could be refused, so that cards which cannot be used are left out.
    """
    cards = {name: _value(header, name) for name in ("BMAJ", "BMIN", "BPA")}
    if cards["BMAJ"] is not None:
        beam = _beam(*cards.values())
        wrong = ", ".join(f"{name} {value}" for name, value in cards.items() if value is not None)
        return beam, "" if beam else f"its beam is not used, since its cards state none ({wrong})"
    # AIPS adds a line for every image that it cleans; the last is of this one
    with contextlib.suppress(Exception):  # damaged cards, about which astropy raises what it likes
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            lines = [str(line) for line in header["HISTORY"]] if "HISTORY" in header else []
        for line in reversed(lines):
            if found := _AIPS.search(line):
                values = (text and float(text.upper().replace("D", "E")) for text in found.groups())
                return _beam(*values), ""
    return None, ""


def _value(header: Header, name: str) -> Any:
    """What a card holds; None without a card, and short text in place of a number."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if name not in header:
                return None
            value = header[name]
    except Exception:  # noqa: BLE001 -- astropy raises what it likes about a card that it cannot parse
        return "unreadable"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return repr(value)[:20] if isinstance(value, str | bool) else "empty"


def _beam(major: Any, minor: Any, angle: Any) -> Beam | None:
    """The beam of three cards in degrees, of which all have to be usable; a round one needs no angle."""

    def number(value: Any) -> float:
        is_number = isinstance(value, int | float) and math.isfinite(value)
        return float(value) if is_number else math.nan

    major_deg, minor_deg = number(major), number(minor)
    if not (0 < major_deg <= _LARGEST_DEG and 0 < minor_deg <= _LARGEST_DEG):
        return None
    angle_deg = 0.0 if angle is None else number(angle)
    if not abs(angle_deg) <= 360.0:
        if major_deg != minor_deg:
            return None
        angle_deg = 0.0
    return major_deg * 3600.0, minor_deg * 3600.0, angle_deg


def is_table_of_beams(found: FoundHDU) -> bool:
    """Whether an HDU is a table of the beams of all planes, as CASA and ASKAPsoft write it."""
    columns = (found.cards.word(f"TTYPE{number}") for number in range(1, 10))
    return (
        found.cards.word("XTENSION") == "BINTABLE"
        and found.name == _TABLE
        and "BMAJ" in columns
        and found.n_bytes <= _MOST_BYTES_OF_TABLE
    )


def beam_in_table(
    text: bytes, content: bytes, *, channel: int, stokes: int
) -> tuple[Beam | None, str]:
    """The beam of a plane in the table of an image's beams, and what is to be noted.

    ``text`` and ``content`` are header and data of the table; channel and Stokes parameter count from 0.
    """
    from astropy import units
    from astropy.io import fits

    beam = None
    with contextlib.suppress(Exception), warnings.catch_warnings():  # of a table that is none
        warnings.simplefilter("ignore")
        table = fits.BinTableHDU.fromstring(text + content)
        rows = table.data
        for name, at in (("CHAN", channel), ("POL", stokes)):
            if name in table.columns.names and len(rows) > 1:
                rows = rows[rows[name] == at]
        if len(rows) == 1:
            values = (
                float(rows[name][0]) * units.Unit(table.columns[name].unit or "deg").to("deg")
                for name in ("BMAJ", "BMIN", "BPA")
            )
            beam = _beam(*values)
    odd = f"its beam is not used, since its table {_TABLE} states none for the plane"
    return beam, "" if beam else odd
