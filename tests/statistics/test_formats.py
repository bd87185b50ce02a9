"""How numbers are written."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnxai.statistics.formats import (
    all_with_intervals,
    decimals_of,
    decimals_together,
    format_interval,
    format_number,
    format_p,
    format_share,
    format_value,
    p_equals,
    with_interval,
)
from attnxai.statistics.interval import Interval


def interval(value, low=np.nan, high=np.nan):
    return Interval(value=value, low=low, high=high, n_units=40)


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        ((0.0098, 0.0021, 0.0534), 4),
        ((0.31, 0.12), 2),
        ((0.95, 0.045), 3),
        # four digits of the largest at most
        ((0.95, 0.000045), 4),
        ((6.71, 0.0004), 3),
        ((671.2, 0.0004), 2),
        ((0.0, np.nan, -0.003), 4),
        ((0.0, np.nan), 2),
        ((1e-15,), 9),
    ],
)
def test_small_values_of_a_column_without_intervals_keep_their_digits(values, decimals):
    found = [interval(value) for value in values]
    assert decimals_together([*found, None]) == [decimals] * (len(values) + 1)
    assert decimals_together(found, 1) == [1] * len(values)
    # with one interval in the column its width decides
    assert decimals_together([*found, interval(3.0, 2.8, 3.2)]) == [2] * (len(values) + 1)


@pytest.mark.parametrize(
    ("half", "decimals"),
    [
        (0.12, 2),
        (0.0995, 2),
        (0.0994, 3),
        (0.0123, 3),
        (1.2, 1),
        (12.0, 0),
        (1200.0, 0),
        (1e-15, 9),
    ],
)
def test_decimals_give_two_digits_of_half_the_width(half, decimals):
    assert decimals_of(interval(0.0, -half, half)) == decimals
    if 0 < decimals < 9:
        digits = f"{half:.{decimals}f}".replace(".", "").lstrip("0")
        assert len(digits) == 2


def test_a_value_and_its_ends_have_the_same_decimals():
    assert with_interval(interval(0.4237, 0.3012, 0.5461)) == "0.42 [0.30, 0.55]"
    assert with_interval(interval(0.42371, 0.41371, 0.43371)) == "0.424 [0.414, 0.434]"
    assert with_interval(interval(-1234.56, -1434.5, -1034.5)) == "−1,235 [−1,434, −1,034]"
    assert format_interval(interval(0.5)) == "no interval"
    assert with_interval(interval(0.51234), 3) == "0.512"
    assert with_interval(interval(0.5, 0.5, 0.5), 1) == "0.5 [0.5, 0.5]"
    assert format_value(interval(0.5, -0.5, 1.5), signed=True) == "+0.5"
    assert format_interval(interval(0.5, -0.5, 1.5), signed=True) == "[−0.5, +1.5]"


@pytest.mark.parametrize(
    ("value", "low", "high", "reference", "text"),
    [
        (0.18, 0.003, 0.35, 0.0, "0.180 [0.003, 0.350]"),
        (-0.18, -0.35, -0.0004, 0.0, "−0.1800 [−0.3500, −0.0004]"),
        (0.68, 0.5034, 0.85, 0.5, "0.680 [0.503, 0.850]"),
        (0.32, 0.15, 0.4966, 0.5, "0.320 [0.150, 0.497]"),
        # a value close to its lower end
        (0.004, 0.001, 0.5, 0.0, "0.004 [0.001, 0.500]"),
        # 0 lies inside, or is an end
        (0.18, -0.003, 0.35, 0.0, "0.18 [0.00, 0.35]"),
        (0.18, 0.0, 0.35, 0.0, "0.18 [0.00, 0.35]"),
        # what is no reference may be rounded to
        (0.68, 0.5034, 0.85, 0.0, "0.68 [0.50, 0.85]"),
    ],
)
def test_no_number_of_an_interval_that_excludes_its_reference_is_printed_as_it(
    value, low, high, reference, text
):
    made = Interval(value=value, low=low, high=high, n_units=40, reference=reference)
    assert with_interval(made) == text


@given(
    ends=st.tuples(st.floats(-2, 2), st.floats(-2, 2), st.floats(-2, 2)),
    reference=st.sampled_from([0.0, 0.05, 0.5]),
)
def test_rounding_keeps_an_interval_on_its_side_of_the_reference(ends, reference):
    low, value, high = sorted(ends)
    made = Interval(value=value, low=low, high=high, n_units=40, reference=reference)
    decimals = decimals_of(made)
    if decimals is None or not made.excludes(reference):
        return
    # what lies nearer than the last decimal that is ever written may coincide
    if min(abs(low - reference), abs(high - reference)) < 1e-8:
        return
    shown = [round(number, decimals) for number in (low, value, high)]
    assert all(number > reference for number in shown) == (low > reference)
    assert all(number < reference for number in shown) == (high < reference)


@given(value=st.floats(-1e12, 1e12), decimals=st.integers(0, 9), signed=st.booleans())
def test_numbers_read_back(value, decimals, signed):
    text = format_number(value, decimals, signed=signed)
    read = float(text.replace(",", "").replace("−", "-"))
    assert read == pytest.approx(value, abs=0.5 * 10.0**-decimals + 1e-3)
    assert not (read == 0 and text[0] == "−")
    assert (text[0] == "+") == (signed and value > 0)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_what_is_missing_is_a_dash(value):
    assert format_number(value) == format_p(value) == "–"


@given(p=st.floats(1e-12, 1.0))
def test_p_values_stay_on_their_side_of_the_levels(p):
    text = format_p(p)
    if text == "< 0.0001":
        assert p <= 0.00005
        assert p_equals(p) == "p < 0.0001"
        return
    shown = float(text)
    assert shown > 0
    # two significant digits, and four decimals at most
    assert abs(shown - p) <= max(0.00005, 0.05 * 10 ** np.floor(np.log10(p))) + 1e-12
    assert len(text.partition(".")[2]) <= 4 or shown > 0.05 >= round(p, 3)
    # 0.05 itself is on the side of what is found
    assert (shown > 0.05) == (p > 0.05) or 0 < p - 0.05 < 1e-9
    assert p_equals(p) == f"p = {text}"


def test_a_p_value_just_above_the_level_is_not_printed_as_the_level():
    assert [format_p(p) for p in (0.05, 0.049996, 0.05003, 0.050004)] == [
        "0.050",
        "0.050",
        "0.05003",
        "0.050004",
    ]
    assert [format_p(p) for p in (0.0994, 0.0999, 0.1, 0.00994, 0.00999)] == [
        "0.099",
        "0.10",
        "0.10",
        "0.0099",
        "0.010",
    ]


def test_the_smallest_p_value_of_ten_thousand_draws_is_shown():
    assert format_p(1 / 10_001) == "0.0001"


def test_values_of_a_column_have_the_decimals_of_the_most_precise():
    narrow, wide, wider = interval(3, 2.66, 3.34), interval(6, 4.9, 7.1), interval(60, 46, 74)
    assert decimals_together([narrow, wide, wider]) == [2, 2, 1]
    assert all_with_intervals([narrow, None, wide]) == [
        "3.00 [2.66, 3.34]",
        "–",
        "6.00 [4.90, 7.10]",
    ]
    # without an interval it has the fewest of the column, and two where none has one
    assert decimals_together([interval(0.5), None, wide, wider]) == [1, 1, 1, 1]
    assert decimals_together([interval(0.5)]) == [2]
    assert decimals_together([], 3) == []
    # a value that needs more to differ from 0 does not change the others
    near = interval(0.18, 0.0003, 0.35)
    assert decimals_together([near, interval(0.5, 0.3, 0.7)]) == [4, 2]


@given(halves=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=6))
def test_a_column_shows_two_or_three_digits_of_every_half_width(halves):
    found = [interval(1e6, 1e6 - half, 1e6 + half) for half in halves]
    for half, decimals in zip(halves, decimals_together(found), strict=True):
        own = decimals_of(interval(1e6, 1e6 - half, 1e6 + half))
        assert decimals in (own, own + 1)
        if decimals == own:
            assert not any(decimals_of(other) > own for other in found)


def test_shares():
    assert format_share(0.95) == "95 %"
    assert format_share(-0.314) == "−31 %"
    assert [format_share(share) for share in (0.0, 0.004, 0.00004, 0.9996, 1.0)] == [
        "0 %",
        "0.4 %",
        "0.004 %",
        "99.96 %",
        "100 %",
    ]
