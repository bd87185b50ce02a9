"""Names of annotators: one form of Unicode, and names that may be spellings of one."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterable

from attnxai.data.wording import listed


def normalise_name(name: str) -> str:
    r"""A name in Unicode's composed form (NFC), in which equal letters are equal.

    Examples
    --------
    >>> normalise_name("Zoe\u0301") == "Zo\u00e9"
    True
    """
    return unicodedata.normalize("NFC", name)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """Two or more ``names`` that differ in case, spaces, accents or punctuation alone."""

    names: tuple[str, ...]

    def sentence(self) -> str:
        """What to do about it."""
        names = listed([f"“{name}”" for name in self.names])
        return (
            f"The annotators {names} count as {len(self.names)} and may be one; --merge-spellings makes one of "
            "spellings that differ in case, spaces and punctuation."
        )


def spellings_of(names: Iterable[str]) -> tuple[Spelling, ...]:
    """Names that may be spellings of one: they differ in case, spaces, accents or punctuation alone.

    Examples
    --------
    >>> [spelling.names for spelling in spellings_of(["Ann B", "ann  b", "bob"])]
    [('Ann B', 'ann  b')]
    """
    alike: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        alike.setdefault(_key(name), []).append(name)
    return tuple(Spelling(names=tuple(members)) for members in alike.values() if len(members) > 1)


def _key(name: str) -> str:
    """What spellings of a name have in common; the name itself where nothing else is left of it."""
    letters = [
        c
        for c in unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
        if c.isalnum()
    ]
    return "".join(letters) or name
