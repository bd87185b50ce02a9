"""Nouns agree with their numbers."""

from __future__ import annotations

import pytest

from attnxai.data.wording import counted, first_of


@pytest.mark.parametrize(
    ("n", "words"), [(0, "0 held-out sources"), (1, "1 held-out source"), (2, "2 held-out sources")]
)
def test_one_is_singular(n, words):
    assert counted(n, "held-out source") == words


def test_plurals_of_their_own():
    assert counted(1, "class", "classes") == "1 class"
    assert counted(3, "class", "classes") == "3 classes"


def test_long_lists_are_cut():
    assert first_of(["x"] * 10) == ", ".join(["x"] * 10)
    assert first_of(["x"] * 12, 2, separator="\n  ") == "x\n  x\n  and 10 more"
