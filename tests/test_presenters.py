"""Every result finds the functions of the report that show it."""

from __future__ import annotations

import importlib

import pytest

from attnxai.presenters import MARKDOWN, PAGE, PLOT, PRESENTERS, TABLE, presenter_of


@pytest.mark.parametrize(
    ("name", "what", "place"),
    [(name, what, place) for name, of in PRESENTERS.items() for what, place in of.items()],
)
def test_registered_functions_exist(name, what, place):
    assert what in {PLOT, TABLE, PAGE, MARKDOWN}
    module, function = place.split(":")
    assert callable(getattr(importlib.import_module(f"attnxai.report.{module}"), function))


def test_a_derived_class_is_shown_as_what_it_is_derived_from():
    made = type("Mine", (type("TrendTest", (), {}),), {})()
    assert presenter_of(made, PLOT).__name__ == "plot_trend_test"
    with pytest.raises(LookupError, match="no page is registered for Mine"):
        presenter_of(made, PAGE)
    with pytest.raises(LookupError, match="no plot is registered for int"):
        presenter_of(3, PLOT)
