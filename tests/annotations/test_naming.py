from __future__ import annotations

import pytest

from attnxai.annotations.naming import Naming, label_of_word, parse_mapping
from attnxai.annotations.shapes import Label
from attnxai.errors import OptionError


@pytest.mark.parametrize(
    ("word", "label"),
    [
        ("lobe", Label.LOBE),
        ("LOBES", Label.LOBE),
        ("hot-spot", Label.HOTSPOT),
        ("Hot Spots 12", Label.HOTSPOT),
        ("north lobe", Label.LOBE),
        ("core2", Label.CORE),
        ("nucleus", Label.CORE),
        ("core of the lobe", None),
        ("red", None),
        ("", None),
        ("12", None),
        ("robe", None),
    ],
)
def test_words_that_are_labels(word: str, label: Label | None) -> None:
    assert label_of_word(word) is label


def test_what_the_user_states_comes_first() -> None:
    naming = Naming(labels={"LOBE": "jet", "Red ": "core"}, annotators={"a.b.": "Ann"})
    assert naming.label({"text": ["lobe"]}) is Label.JET
    assert naming.label({"text": ["hotspot"], "color": ["red"]}) is Label.CORE
    assert naming.label({"text": ["hotspot"], "color": ["blue"]}) is Label.HOTSPOT
    assert naming.label({"color": ["core"]}) is None
    assert naming.annotator({"tag": ["AB"]}) == "Ann"
    assert naming.annotator({"tag": ["x"]}, "A B") == "Ann"
    assert naming.annotator({}, "Bob") == "Bob"


def test_annotators_from_a_kind_of_words() -> None:
    naming = Naming(annotator_from="color", annotators={"green": "Ann"})
    assert naming.annotator({"color": ["Green"], "tag": ["x"]}, "stated") == "Ann"
    assert naming.annotator({"color": ["red"]}) == "red"
    assert naming.annotator({"tag": ["x"]}, "stated") == ""
    assert Naming(annotator_from="file").annotator({"tag": ["x"]}, "stated") == ""


def test_refusals() -> None:
    with pytest.raises(OptionError, match=r"unknown label 'lob' \(did you mean lobe\?\)"):
        Naming(labels={"red": "lob"})
    for pair in ("red", "=lobe", "red=", "..=lobe"):
        with pytest.raises(OptionError, match="--label-of needs WORD=NAME"):
            parse_mapping([pair], "--label-of")
    with pytest.raises(OptionError, match="names 'Red' twice"):
        parse_mapping(["red=lobe", "Red=core"], "--label-of")
