"""Nouns agree with their numbers."""

from __future__ import annotations

import pytest

from attnxai.data.wording import counted


@pytest.mark.parametrize(
    ("n", "words"), [(0, "0 held-out sources"), (1, "1 held-out source"), (2, "2 held-out sources")]
)
def test_one_is_singular(n, words):
    assert counted(n, "held-out source") == words


def test_plurals_of_their_own():
    assert counted(1, "class", "classes") == "1 class"
    assert counted(3, "class", "classes") == "3 classes"
