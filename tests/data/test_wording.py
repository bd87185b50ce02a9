"""Nouns agree with their numbers."""

from __future__ import annotations

import pytest

from attnxai.data.wording import counted, first_of, is_text, listed, printable, unknown_name


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


@pytest.mark.parametrize(
    ("words", "text"), [("", ""), ("a", "a"), ("ab", "a and b"), ("abc", "a, b and c")]
)
def test_lists_of_words(words, text):
    assert listed(list(words)) == text


def test_what_no_terminal_obeys():
    assert is_text("Zoé \U0001f600")
    assert not is_text("\udcff")
    assert printable("source \x1b]0;title\x07 1\n") == "source ?]0;title? 1\n"
    assert printable("\u202eabc\udcff\tZoé") == "?abc?\tZoé"


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ("Lobes", "unknown label 'Lobes' (did you mean lobe?); known labels are Core, lobe"),
        (
            ["cor", "x"],
            "unknown labels 'cor' (did you mean Core?), 'x'; known labels are Core, lobe",
        ),
        ("x" * 100_000, f"unknown label '{'x' * 100_000}'; known labels are Core, lobe"),
    ],
)
def test_unknown_names_come_with_the_closest_and_all_that_are_known(names, text):
    assert unknown_name("label", names, ["Core", "lobe"]) == text


def test_where_nothing_is_known_there_is_nothing_to_mean():
    assert unknown_name("strata", "x", [], "strata") == "unknown strata 'x'; known strata are none"
