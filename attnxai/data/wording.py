"""Counted nouns, and text from files made fit to be shown."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

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


def answered(names_by_answer: Mapping[str, Sequence[str]], n_all: int) -> str:
    """For which of some names a question is answered how; ``{}`` in an answer stands for the names.

    Examples
    --------
    >>> answered({"yes for {}": ["gate1", "mean"], "no for {}": ["evidence"]}, 3)
    'Yes for gate1 and mean; no for evidence.'
    >>> answered({"yes for {}": ["gate1", "mean"], "no for {}": []}, 2)
    'Yes for both maps.'
    """
    everything = "both maps" if n_all == 2 else f"all {n_all} maps"
    parts = [
        answer.format(everything if len(names) == n_all > 1 else listed(names))
        for answer, names in names_by_answer.items()
        if names
    ]
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def first_of(items: Sequence[str], most: int = 10, separator: str = ", ") -> str:
    """The first items of a list, and how many more there are."""
    more = len(items) - most
    before = separator if "\n" in separator else " "
    return separator.join(items[:most]) + (f"{before}and {more} more" if more > 0 else "")


def unknown_name(
    what: str, names: str | Sequence[str], known: Iterable[str], plural: str | None = None
) -> str:
    """A refusal of names that are not known: what they are, the close one, and all that are known.

    Examples
    --------
    >>> unknown_name("metric", "aux", ["auc", "nss"])
    "unknown metric 'aux' (did you mean auc?); known metrics are auc, nss"
    """
    names, known = [names] if isinstance(names, str) else names, list(known)
    plural = plural or f"{what}s"
    given = ", ".join(f"{name!r}{did_you_mean(name, known)}" for name in names)
    return (
        f"unknown {what if len(names) == 1 else plural} {given}; known {plural} are "
        f"{', '.join(known) or 'none'}"
    )


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """A hint at the known name that is closest to another, in brackets; empty where none is close."""
    by_lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name[:40].lower(), by_lower, n=1, cutoff=cutoff)
    return f" (did you mean {by_lower[close[0]]}?)" if close else ""


def is_text(text: str) -> bool:
    """Whether text can be written as UTF-8, which halves of surrogate pairs cannot.

    Python reads bytes of a file name that are not UTF-8, and escapes of JSON, as such halves.
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
