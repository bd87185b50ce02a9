"""Counted nouns, and text from files made fit to be shown."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

# explicit directional formatting, which reorders what a terminal shows
_BIDIRECTIONAL = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
# control characters, halves of surrogate pairs, line and paragraph separators
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun, in the singular where there is one of it."""
    return f"{n} {noun if n == 1 else plural or noun + 's'}"


def listed(words: Sequence[str]) -> str:
    """Words as a list: commas, and an "and" before the last."""
    if not words:
        return ""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def first_of(items: Sequence[str], most: int = 10, separator: str = ", ") -> str:
    """The first items of a list, and how many more there are."""
    more = len(items) - most
    before = separator if "\n" in separator else " "
    return separator.join(items[:most]) + (f"{before}and {more} more" if more > 0 else "")


def is_text(text: str) -> bool:
    """Whether text can be written as UTF-8, which halves of surrogate pairs cannot.

    Python reads bytes of a file name that are no UTF-8, and escapes of JSON, as such halves.
    """
    return not any("\ud800" <= c <= "\udfff" for c in text)


def printable(text: str) -> str:
    """Text that cannot control a terminal: every control character becomes ``?``.

    Names of sources, annotators and models come from files of strangers, and an escape sequence in one
    could set the title of the window, move the cursor or hide what follows.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        "?"
        if (unicodedata.category(c) in _UNPRINTABLE and c not in "\n\t") or c in _BIDIRECTIONAL
        else c
        for c in text
    )
