"""The restoring beam of a FITS image, in its header or in the history that AIPS writes."""

from __future__ import annotations

import contextlib
import math
import re
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astropy.io.fits import Header

_NUMBER = r"\s*=\s*([-+]?\d*\.?\d+(?:[EDed][-+]?\d+)?)"
_AIPS = re.compile(
    rf"AIPS\s+CLEAN\s+BMAJ{_NUMBER}\s+BMIN{_NUMBER}(?:\s+BPA{_NUMBER})?", re.IGNORECASE
)
_LARGEST_DEG = 180.0
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
