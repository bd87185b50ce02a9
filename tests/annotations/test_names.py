from __future__ import annotations

import pytest

from attnxai.annotations.names import normalise_name, spellings_of


def test_composed_and_decomposed_letters_are_one_name():
    assert normalise_name("Zoe\u0301") == normalise_name("Zo\u00e9") == "Zo\u00e9"


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["Ann B", "ann b", "Ann  B", "ANN B", "bob"], [("Ann B", "ann b", "Ann  B", "ANN B")]),
        (
            ["Zo\u00e9", "zo\u00e9", "Zoe", "Zoe\u0301"],
            [("Zo\u00e9", "zo\u00e9", "Zoe", "Zoe\u0301")],
        ),
        (["ann_b", "ann-b", "annB", "Ann\u00a0B"], [("ann_b", "ann-b", "annB", "Ann\u00a0B")]),
        (["stra\u00dfe", "STRASSE"], [("stra\u00dfe", "STRASSE")]),
        (["expert_1", "expert_2", "expert_11"], []),
        (["ann", "anna", "hann"], []),
        (["!", "?", "--"], []),
        (["\u4e2d", "\u56fd"], []),
        (["x1", "X1", "y", "Y"], [("x1", "X1"), ("y", "Y")]),
    ],
)
def test_spellings(names, found):
    assert [spelling.names for spelling in spellings_of(names)] == found


def test_sentence():
    (spelling,) = spellings_of(["Ann", "ann"])
    assert spelling.sentence().startswith(
        "The annotators “Ann” and “ann” count as 2 and may be one;"
    )
