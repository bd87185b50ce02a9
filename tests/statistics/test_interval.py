"""What an interval says of a value."""

from __future__ import annotations

from attnxai.statistics.interval import Interval


def test_an_interval_holds_its_ends():
    made = Interval(value=0.4, low=0.0, high=0.5, n_units=40)
    assert [made.excludes(value) for value in (-0.1, 0.0, 0.5, 0.6)] == [True, False, False, True]
    assert not Interval(value=0.4, n_units=4).excludes(0.0)
