"""Names of morphological classes, however they are spelt."""

from __future__ import annotations

import re

_FANAROFF_RILEY = re.compile(r"^fr[\s_-]*(i{1,2}|[12])$", re.IGNORECASE)
_NUMERALS = {"i": "FR I", "1": "FR I", "ii": "FR II", "2": "FR II"}


def canonical_class(name: str) -> str:
    """Spell Fanaroff-Riley classes in one way; other names stay as they are.

    Examples
    --------
    >>> canonical_class("FRII"), canonical_class("fr-1"), canonical_class("WAT")
    ('FR II', 'FR I', 'WAT')
    """
    match = _FANAROFF_RILEY.match(name.strip())
    return _NUMERALS[match[1].lower()] if match else name.strip()
