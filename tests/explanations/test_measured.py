"""Ranges of what methods measure of images."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.errors import AlignmentError, OptionError
from attnxai.explanations.measured import joined_facts, measured_ranges


def test_ranges_of_parts_are_those_of_all():
    rng = np.random.default_rng(0)
    values = {"error": rng.random(20).tolist(), "of": {"gate1": rng.integers(9, size=20).tolist()}}
    parts = [
        {"error": values["error"][part], "of": {"gate1": values["of"]["gate1"][part]}}
        for part in (slice(7), slice(7, 20))
    ]
    first, second = ({"name": "a", "measured": measured_ranges(part)} for part in parts)
    assert joined_facts(first, second)["measured"] == measured_ranges(values)
    assert measured_ranges(values)["of"] == {
        "gate1": {"lowest": min(values["of"]["gate1"]), "highest": max(values["of"]["gate1"])}
    }


def test_values_that_are_not_finite_are_left_out_of_ranges():
    some, none = measured_ranges([np.inf, 0.5, np.nan, 0.25]), measured_ranges([np.inf])
    assert some == {"lowest": 0.25, "highest": 0.5}
    assert none == {"lowest": None, "highest": None}
    first, second = ({"measured": {"error": one}} for one in (some, none))
    assert joined_facts(second, first) == joined_facts(first, second) == first
    assert joined_facts(second, second) == second


def test_any_names_can_be_measured():
    facts = {"measured": measured_ranges({"lowest": [1.0, 2.0], "highest": [3.0]})}
    assert joined_facts(facts, facts) == facts
    other = {"measured": measured_ranges({"further": [4.0]})}
    assert joined_facts(facts, other)["measured"].keys() == {"lowest", "highest", "further"}


def test_what_differs_is_named():
    with pytest.raises(AlignmentError, match=r"options\.n is 3 for some images and 4 for others"):
        joined_facts({"options": {"n": 3}}, {"options": {"n": 4}})
    with pytest.raises(AlignmentError, match=r"^layers\.1 is 'b' for some"):
        joined_facts({"layers": ["a", "b"]}, {"layers": ["a", "c"]})
    for wrong in (1.0, [[1.0]], "text", ["a"]):
        with pytest.raises(OptionError, match=r"measured\.error of an explanation has to be"):
            measured_ranges({"error": wrong})
