"""Names of morphological classes, however they are spelt, and the confidence in them."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable

_FANAROFF_RILEY = re.compile(r"^fr[\s_-]*(i{1,2}|[12])$", re.IGNORECASE)
MORPHOLOGIES = ("FR I", "FR II", "hybrid")
"""Classes of the FR task and hybrids, as they are spelt here."""
_NUMERALS = {"i": "FR I", "1": "FR I", "ii": "FR II", "2": "FR II"}


class Confidence(enum.StrEnum):
    """Which MiraBest sources, by the confidence of Miraghaei & Best (2017) in their class."""

    ALL = "all"
    CONFIDENT = "confident"
    UNCERTAIN = "uncertain"


def canonical_class(name: str) -> str:
    """Spell Fanaroff-Riley classes in one way; other names stay as they are."""
    match = _FANAROFF_RILEY.match(name.strip())
    return _NUMERALS[match[1].lower()] if match else name.strip()


def ordered_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Distinct classes in the order in which a network scores them.

    FR I, FR II and hybrid come in this order where there are no others; else the order is
    alphabetical, and so does not depend on that of the images.
    """
    distinct = set(names)
    if distinct <= set(MORPHOLOGIES):
        return tuple(name for name in MORPHOLOGIES if name in distinct)
    return tuple(sorted(distinct))
