"""How numbers and groups of sources are written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.agreement.results import ALL

if TYPE_CHECKING:
    from attnxai.agreement.intervals.over_sources import Interval

_GROUPS = {
    "held-out": ("held-out source", "held-out sources"),
    "training": (
        "source that the model was trained on",
        "sources that the model was trained on",
    ),
    "validation": (
        "source that the model was chosen by",
        "sources that the model was chosen by",
    ),
    "unknown": (
        "source (whether the model was trained on it is not known)",
        "sources (whether the model was trained on them is not known)",
    ),
    ALL: ("source, held-out or not", "sources, held-out or not"),
}
_PROPER_NAMES = ("Spearman",)
_SHORT_GROUPS = {"unknown": "not known if trained on"}


def group_phrase(group: str, n: int = 2) -> str:
    """Words for a group of n sources.

    Examples
    --------
    >>> group_phrase("held-out"), group_phrase("training", 1)
    ('held-out sources', 'source that the model was trained on')
    """
    one, several = _GROUPS[group]
    return one if n == 1 else several


def group_name(group: str) -> str:
    """Few words for a group of sources."""
    return _SHORT_GROUPS.get(group, group)


def format_number(value: float, digits: int = 3) -> str:
    """Number with a proper minus sign; a dash where there is none.

    Examples
    --------
    >>> format_number(-1.23456, 2)
    '\u22121.23'
    """
    if not math.isfinite(value):
        return "–"
    text = f"{value:.{digits}f}"
    if not text.strip("-0."):
        text = text.removeprefix("-")  # what rounds to 0 has no sign
    return text.replace("-", "\u2212")


def format_interval(interval: Interval, digits: int = 3) -> str:
    """Ends of an interval, or that there is none."""
    if not interval.known:
        return "no interval"
    return f"[{format_number(interval.low, digits)}, {format_number(interval.high, digits)}]"


def with_interval(interval: Interval, digits: int = 2) -> str:
    """Value with the ends of its interval, where it has one."""
    value = format_number(interval.value, digits)
    return f"{value} {format_interval(interval, digits)}" if interval.known else value


def strata_words(strata: Sequence[str]) -> str:
    """What sources share that are exchanged for one another.

    Examples
    --------
    >>> strata_words(["class"]), strata_words(["class", "survey", "size"])
    ('class', 'class, survey and size')
    """
    return listed(list(strata))


def format_p(p_value: float) -> str:
    """P-value with four digits, and as a power of ten where these are not enough.

    Examples
    --------
    >>> format_p(1 / 10001), format_p(2e-6)
    ('0.0001', '2.0e-06')
    """
    return f"{p_value:.4f}" if p_value >= 0.00005 else f"{p_value:.1e}"


def format_share(share: float) -> str:
    """Share in per cent, with the space that the SI asks for.

    Examples
    --------
    >>> format_share(0.95)
    '95 %'
    """
    return f"{format_number(share * 100, 0)} %"


def in_sentence(label: str) -> str:
    """Label of a metric as it stands inside a sentence: names and abbreviations keep their capitals.

    Examples
    --------
    >>> in_sentence("Relevance mass"), in_sentence("Spearman \u03c1"), in_sentence("NSS")
    ('relevance mass', 'Spearman \u03c1', 'NSS')
    """
    first = label.split(maxsplit=1)[0]
    if label[0] == "\u2212" or first in _PROPER_NAMES or first[1:] != first[1:].lower():
        return label
    return label[0].lower() + label[1:]


def listed(words: Sequence[str]) -> str:
    """Words as a list: commas, and an "and" before the last.

    Examples
    --------
    >>> listed(["NSS"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('NSS', 'a and b', 'a, b and c')
    """
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
