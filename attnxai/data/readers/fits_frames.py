"""Celestial frames of FITS headers: names that the standard has, and those in which they are written as well."""

from __future__ import annotations

import re

from attnxai.data.readers.fits_cards import Cards

_LOW, _HIGH = 1850.0, 2150.0
_EQUINOX = re.compile(r"([JB]?)(\d{4}(?:\.\d*)?)")
_NAMES: dict[str, tuple[str, float | None]] = {
    **dict.fromkeys(("ICRS", "ICRF", "ICRF2", "ICRF3"), ("ICRS", None)),
    "FK5": ("FK5", None),
    "J2000": ("FK5", 2000.0),
    "FK5J2000": ("FK5", 2000.0),
    "FK4": ("FK4", None),
    "B1950": ("FK4", 1950.0),
    "FK4B1950": ("FK4", 1950.0),
    "FK4NOE": ("FK4-NO-E", None),
}
_KNOWN = "ICRS, FK5, FK4, FK4-NO-E and Galactic (GLON and GLAT)"


def equatorial_frame(cards: Cards) -> tuple[str, float | None, list[str]]:
    """Frame and equinox of right ascension and declination as the standard writes them, and what was assumed.

    The frame is empty and the equinox None where the header does not state them.
    """
    notes: list[str] = []
    keyword = "RADESYS" if "RADESYS" in cards else "RADECSYS"
    stated = cards.text(keyword) or ""
    frame, implied = _frame(cards, keyword, stated)
    if stated and stated != frame:
        notes.append(f"{keyword} {stated!r} is read as {frame}")
    if frame == "ICRS":
        return frame, None, notes
    card = "EQUINOX" if "EQUINOX" in cards else "EPOCH"
    system, equinox = _equinox(cards, card, notes)
    if implied is not None and equinox not in (None, implied):
        raise cards.refuse(keyword, reason=f"{card} states the equinox {equinox:g}; correct one")
    if system and frame and not frame.startswith(system):
        raise cards.refuse(card, reason=f"{keyword} states {frame}; correct one of them")
    if system and not frame:
        # the letter says more than the standard's rule, which goes by the year 1984
        frame = system
    return frame, equinox if equinox is not None else implied, notes


def _frame(cards: Cards, keyword: str, stated: str) -> tuple[str, float | None]:
    if not stated:
        return "", None
    short = re.sub(r"\.0\b|[\s/(),:_-]", "", stated.upper())
    if short not in _NAMES:
        raise cards.refuse(keyword, reason=f"known frames are {_KNOWN}")
    return _NAMES[short]


def _equinox(cards: Cards, card: str, notes: list[str]) -> tuple[str, float | None]:
    """Frame that a letter before the year stands for, and the year."""
    text = cards.word(card)
    found = _EQUINOX.fullmatch(text.upper().replace(" ", ""))
    if not found:
        return "", cards.number(card, low=_LOW, high=_HIGH)
    year = float(found[2])
    if not _LOW <= year <= _HIGH:
        raise cards.refuse(card, f"a year from {_LOW:g} to {_HIGH:g}")
    system = {"J": "FK5", "B": "FK4", "": ""}[found[1]]
    notes.append(f"{card} {text!r} is read as {year:g}{system and f' ({system})'}")
    return system, year
