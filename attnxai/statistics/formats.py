"""How numbers are written: one rule for digits, one for p-values, for sentences, tables and summaries alike.

- A value with an interval has as many decimals as give two significant digits of half the interval's width,
  and so have its ends: what is uncertain is not printed as if it were known. Where an interval excludes its reference
  (0 or chance) and one of the three numbers would round to it, they have as many more as it takes to differ from it: what is said
  to be above 0 is not printed as [0.00, 0.35].
- Values in one column have the decimals of the most precise of them, but at most three significant digits of half their own
  interval's width (:func:`decimals_together`). A value without an interval has the fewest decimals of its column. Where
  no value has an interval there are two, or as many as give the smallest two significant digits and the largest four at most.
- What is compared with a value, such as its mean under a null, has the decimals of the value.
- A p-value has two significant digits and at most four decimals; what would round to 0 is ``< 0.0001``. So none is 0. Near
  0.05 it has as many more as are needed to stay on its side.
- Minus is a minus sign, thousands are grouped, and what is missing is a dash. LaTeX has its own signs
  (:mod:`attnxai.report.tables.latex`) and the same digits.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
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


def decimals_together(
    intervals: Sequence[Interval | None], otherwise: int | None = None
) -> list[int]:
    """Decimals of values that are compared with each other, as those of a column, by the rule of this module.

    Parameters
    ----------
    intervals : sequence of Interval or None
        The values with their intervals; None stands for a value that is not known.
    otherwise : int, optional
        Decimals where none of them has an interval; by the rule of this module when left out.

    Examples
    --------
    >>> from attnxai.statistics.interval import Interval
    >>> ends = [(3.14, 4.23), (5.32, 7.81), (1.0, 1.0)]
    >>> found = [Interval(value=sum(pair) / 2, low=pair[0], high=pair[1], n_units=40) for pair in ends]
    >>> decimals_together(found), decimals_together(found[1:]), decimals_together(found[2:])
    ([2, 2, 2], [1, 1], [2])
    >>> decimals_together([Interval(value=value, low=value, high=value, n_units=7) for value in (0.0098, 0.0021)])
    [4, 4]
    """
    if otherwise is None:
        otherwise = _decimals_by_values([one.value for one in intervals if one is not None])
    own = [None if interval is None else decimals_of(interval) for interval in intervals]
    by_width = [
        None if interval is None or decimals is None else _decimals_by_width(interval)
        for interval, decimals in zip(intervals, own, strict=True)
    ]
    most = max((decimals for decimals in by_width if decimals is not None), default=otherwise)
    found = [
        None if decimals is None or width is None else max(decimals, min(most, width + 1))
        for decimals, width in zip(own, by_width, strict=True)
    ]
    fewest = min((decimals for decimals in found if decimals is not None), default=otherwise)
    return [fewest if decimals is None else decimals for decimals in found]


def _decimals_by_values(values: Iterable[float]) -> int:
    """Decimals of values without intervals: two, or more for small ones."""
    exponents = [
        math.floor(math.log10(abs(value))) for value in values if value and math.isfinite(value)
    ]
    if not exponents:
        return 2
    return min(max(2, min(1 - min(exponents), 3 - max(exponents))), MOST_DECIMALS)


def _decimals_by_width(interval: Interval) -> int:
    return decimals_of_half((interval.high - interval.low) / 2)


def rounded(value: float, decimals: int) -> str:
    """A finite number with so many decimals; what rounds to 0 has no sign."""
    text = f"{value:.{decimals}f}"
    return text if text.strip("-0.") else text.removeprefix("-")


def format_number(value: float | None, decimals: int = 2, *, signed: bool = False) -> str:
    """A number for readers, with a plus before what is above 0 if ``signed``; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = rounded(value, decimals)
    whole, point, rest = text.removeprefix("-").partition(".")
    sign = "\u2212" if text.startswith("-") else "+" if signed and value > 0 else ""
    return f"{sign}{int(whole):,}{point}{rest}"


def format_value(
    interval: Interval, otherwise: int = 2, *, decimals: int | None = None, signed: bool = False
) -> str:
    """A value with the decimals that its interval calls for, or so many ``otherwise``; with ``decimals`` these."""
    found = decimals_of(interval) if decimals is None else decimals
    return format_number(interval.value, otherwise if found is None else found, signed=signed)


def format_compared(number: float | None, interval: Interval, otherwise: int = 2) -> str:
    """A number that is compared with a value, such as its mean under a null, with the decimals of the value."""
    decimals = decimals_of(interval)
    return format_number(number, otherwise if decimals is None else decimals)


def format_interval(
    interval: Interval, *, decimals: int | None = None, signed: bool = False
) -> str:
    """Ends of an interval, or that there is none."""
    if not interval.known:
        return "no interval"
    found = decimals_of(interval) if decimals is None else decimals
    low, high = (
        format_number(end, 2 if found is None else found, signed=signed)
        for end in (interval.low, interval.high)
    )
    return f"[{low}, {high}]"


def with_interval(
    interval: Interval, otherwise: int = 2, *, decimals: int | None = None, signed: bool = False
) -> str:
    """A value and the ends of its interval, where it has one."""
    if decimals is None:
        decimals = decimals_of(interval)
    decimals = otherwise if decimals is None else decimals
    value = format_value(interval, decimals=decimals, signed=signed)
    if not interval.known:
        return value
    return f"{value} {format_interval(interval, decimals=decimals, signed=signed)}"


def all_with_intervals(intervals: Sequence[Interval | None]) -> list[str]:
    """Values of a column with their intervals; a dash where there is none.

    Examples
    --------
    >>> from attnxai.statistics.interval import Interval
    >>> low, high = ({"low": value - half, "high": value + half} for value, half in ((3, 1.1), (6, 0.3)))
    >>> all_with_intervals([Interval(value=3, n_units=9, **low), None, Interval(value=6, n_units=9, **high)])
    ['3.00 [1.90, 4.10]', '–', '6.00 [5.70, 6.30]']
    """
    pairs = zip(intervals, decimals_together(intervals), strict=True)
    return [
        MISSING if interval is None else with_interval(interval, decimals=decimals)
        for interval, decimals in pairs
    ]


def format_p(p_value: float | None) -> str:
    """A p-value by the rule of this module.

    Examples
    --------
    >>> [format_p(p) for p in (0.372, 0.0364, 0.05003, 0.00042, 0.00001, 1.0)]
    ['0.37', '0.036', '0.05003', '0.0004', '< 0.0001', '1.00']
    """
    if p_value is None or not math.isfinite(p_value):
        return MISSING
    decimals = 2 if p_value >= 0.0995 else 3 if p_value >= 0.00995 else 4
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


def shares_with_intervals(intervals: Sequence[Interval | None]) -> list[str]:
    """Shares of a column in per cent with their intervals; a dash where there is none.

    Examples
    --------
    >>> from attnxai.statistics.interval import Interval
    >>> shares_with_intervals([Interval(value=0.919, low=0.872, high=0.949, n_units=198), None])
    ['91.9 % [87.2, 94.9]', '–']
    """
    percents = [interval and in_percent(interval) for interval in intervals]
    written = []
    for percent, decimals in zip(percents, decimals_together(percents, 0), strict=True):
        if percent is None or not math.isfinite(percent.value):
            written.append(MISSING)
            continue
        ends = f" {format_interval(percent, decimals=decimals)}" if percent.known else ""
        written.append(f"{format_value(percent, decimals=decimals)} %{ends}")
    return written


def in_percent(interval: Interval) -> Interval:
    """A share and the ends of its interval in per cent."""
    names = ("value", "low", "high", "reference")
    return dataclasses.replace(interval, **{n: 100 * getattr(interval, n) for n in names})


def format_effective(n_effective: float | None) -> str:
    """The effective number of weighted units (Kish) beside their number; empty where all weigh the same."""
    return "" if n_effective is None else f"n_eff = {format_number(n_effective, 1)}"


def short_number(value: float) -> str:
    """Two digits; below a thousandth one digit, and from a million two, with a power of ten.

    Examples
    --------
    >>> [short_number(value) for value in (0.00042, 0.123, 9.96, 123.4, -5678.0, 1234567.0)]
    ['4e-04', '0.12', '10', '120', '-5700', '1.2e+06']
    """
    if 0 < abs(value) < 1e-3:
        return f"{value:.0e}"
    text = f"{value:.2g}"
    return f"{float(text):.0f}" if 10 <= abs(float(text)) < 1e6 else text
