"""Counted nouns."""

from __future__ import annotations


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun, in the singular where there is one of it.

    Parameters
    ----------
    n : int
        How many.
    noun : str
        One of them.
    plural : str, optional
        Several of them; the noun and an s when left out.

    Returns
    -------
    str

    Examples
    --------
    >>> counted(1, "source"), counted(0, "source"), counted(2, "class", "classes")
    ('1 source', '0 sources', '2 classes')
    """
    return f"{n} {noun if n == 1 else plural or noun + 's'}"
