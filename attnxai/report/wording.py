"""How numbers and groups of sources are written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from attnxai.agreement.results import ALL

if TYPE_CHECKING:
    from attnxai.agreement.intervals.over_sources import Interval

_GROUPS = {
    "held-out": "held-out sources",
    "training": "sources that the model was trained on",
    "validation": "sources that the model was chosen by",
    "unknown": "sources (whether the model was trained on them is not known)",
    ALL: "sources, held-out or not",
}
_SHORT_GROUPS = {"unknown": "not known if trained on"}


def group_phrase(group: str) -> str:
    """Words for a group of sources."""
    return _GROUPS[group]


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
    return f"{value:.{digits}f}".replace("-", "\u2212")


def format_interval(interval: Interval, digits: int = 3) -> str:
    """Ends of an interval, or that there is none."""
    if not interval.known:
        return "no interval"
    return f"[{format_number(interval.low, digits)}, {format_number(interval.high, digits)}]"


def format_p(p_value: float) -> str:
    """P-value with four digits, and as a power of ten where these are not enough.

    Examples
    --------
    >>> format_p(1 / 10001), format_p(2e-6)
    ('0.0001', '2.0e-06')
    """
    return f"{p_value:.4f}" if p_value >= 0.00005 else f"{p_value:.1e}"
