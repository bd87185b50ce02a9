"""How numbers are written: one rule for digits, one for p-values, for sentences, tables and summaries alike.

- A value with an interval has as many decimals as give two significant digits of half the interval's width,
  and so have its ends: what is uncertain is not printed as if it were known. Where an interval excludes its reference
  (0 or chance) and one of the three numbers would round to it, they have as many more as it takes to differ from it: what is said
  to be above 0 is not printed as [0.00, 0.35].
- A p-value has two decimals from 0.1 on and four below; what would round to 0 is ``< 0.0001``. So none is 0. Near 0.05
  it has as many more as are needed to stay on its side.
- Minus is a minus sign, thousands are grouped, and what is missing is a dash. LaTeX has its own signs
  (:mod:`attnxai.report.tables.latex`) and the same digits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from attnxai.statistics.interval import SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from attnxai.statistics.interval import Interval

MISSING = "–"
MOST_DECIMALS = 9
SMALLEST_P = 0.0001
"""P-values that round to less are written as being smaller."""


def decimals_of(interval: Interval) -> int | None:
    """Decimals of a value and the ends of its interval, by the rule of this module; None without a width."""
    half = (interval.high - interval.low) / 2
    size = max(abs(interval.low), abs(interval.high))
    if not interval.known or half <= 1e-12 * size:
        return None
    decimals = decimals_of_half(half)
    if interval.excludes(interval.reference):
        numbers = (interval.low, interval.value, interval.high)
        while decimals < MOST_DECIMALS and any(
            rounded(number, decimals) == rounded(interval.reference, decimals) for number in numbers
        ):
            decimals += 1
    return decimals


def decimals_of_half(half: float) -> int:
    """Decimals that give two significant digits of half an interval's width; two where it is unknown."""
    if not math.isfinite(half) or half <= 0:
        return 2
    exponent = int(f"{half:.1e}".partition("e")[2])
    return min(max(1 - exponent, 0), MOST_DECIMALS)


def rounded(value: float, decimals: int) -> str:
    """A finite number with so many decimals; what rounds to 0 has no sign."""
    text = f"{value:.{decimals}f}"
    return text if text.strip("-0.") else text.removeprefix("-")


def format_number(value: float | None, decimals: int = 3, *, signed: bool = False) -> str:
    """A number for readers, with a plus before what is above 0 if ``signed``; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = rounded(value, decimals)
    whole, point, rest = text.removeprefix("-").partition(".")
    sign = "\u2212" if text.startswith("-") else "+" if signed and value > 0 else ""
    return f"{sign}{int(whole):,}{point}{rest}"


def format_value(interval: Interval, otherwise: int = 2, *, signed: bool = False) -> str:
    """A value with the decimals that its interval calls for, or so many ``otherwise``."""
    decimals = decimals_of(interval)
    return format_number(interval.value, otherwise if decimals is None else decimals, signed=signed)


def format_interval(interval: Interval, *, signed: bool = False) -> str:
    """Ends of an interval, or that there is none."""
    if not interval.known:
        return "no interval"
    decimals = decimals_of(interval)
    low, high = (
        format_number(end, 2 if decimals is None else decimals, signed=signed)
        for end in (interval.low, interval.high)
    )
    return f"[{low}, {high}]"


def with_interval(interval: Interval, otherwise: int = 2, *, signed: bool = False) -> str:
    """A value and the ends of its interval, where it has one."""
    value = format_value(interval, otherwise, signed=signed)
    return f"{value} {format_interval(interval, signed=signed)}" if interval.known else value


def format_p(p_value: float | None) -> str:
    """A p-value by the rule of this module."""
    if p_value is None or not math.isfinite(p_value):
        return MISSING
    decimals = 4 if p_value < 0.1 else 2
    while p_value > SIGNIFICANCE_LEVEL >= round(p_value, decimals) and decimals < MOST_DECIMALS:
        decimals += 1
    text = f"{p_value:.{decimals}f}"
    return text if float(text) > 0 else f"< {SMALLEST_P:.4f}"


def p_equals(p_value: float | None) -> str:
    """A p-value as it stands in a sentence."""
    text = format_p(p_value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def value_range(values: Iterable[float], decimals: int = 2) -> str:
    """The smallest and the largest of some values, or one where they are written alike; empty without finite ones.

    Examples
    --------
    >>> value_range([0.613, 0.2, float("nan")])
    '0.20 to 0.61'
    """
    finite = [value for value in values if math.isfinite(value)]
    ends = (format_number(end, decimals) for end in (min(finite), max(finite))) if finite else ()
    return " to ".join(dict.fromkeys(ends))


def format_share(share: float) -> str:
    """A share in per cent, with the space that the SI asks for; only none is 0 %, and only all is 100 %."""
    decimals = 0
    while (
        share not in (0, 1)
        and round(share * 100, decimals) in (0, 100)
        and decimals < MOST_DECIMALS
    ):
        decimals += 1
    return f"{format_number(share * 100, decimals)} %"


def format_effective(n_effective: float | None) -> str:
    """The effective number of weighted units (Kish) beside their number; empty where all weigh the same."""
    return "" if n_effective is None else f"n_eff = {format_number(n_effective, 1)}"


def short_number(value: float) -> str:
    """Two digits; below a thousandth one digit and a power of ten."""
    return f"{value:.0e}" if 0 < abs(value) < 1e-3 else f"{value:.2g}"
