"""The survey or the telescope of a FITS image, by its header."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attnxai.data.readers.fits_cards import Cards

# which headers name in a card that is for something else
_SURVEYS = re.compile(
    r"\b(NVSS|FIRST|VLASS|RACS|EMU|POSSUM|MIGHTEE|MGCLS|LoTSS|LoLSS|TGSS|SUMSS|MGPS|GLEAM|WENSS|APERTIF)(?![A-Za-z])"
)
_NAMING = ("OBJECT", "OBSERVER", "PROJECT", "FILNAM01", "ORIGIN")
_INSTEAD = ("TELESCOP", "INSTRUME", "ORIGIN")


def survey_of(cards: Cards) -> str:
    """Name of the survey, or else of the telescope, the instrument or the origin; empty where none is stated.

    ``SURVEY`` goes before the name of a known survey in another card, such as ``OBSERVER = 'NVSS GRP'``.
    """
    if stated := cards.word("SURVEY"):
        return " ".join(stated.split())
    for keyword in _NAMING:
        if named := _SURVEYS.search(cards.word(keyword)):
            return named[1]
    return next((" ".join(word.split()) for name in _INSTEAD if (word := cards.word(name))), "")
