from __future__ import annotations

import pytest

from attnxai.annotations import Annotation, AnnotationSet, Shape, ShapeKind
from attnxai.annotations.annotator_names import (
    merge_annotators,
    merge_spellings,
    normalise_name,
    spellings_of,
)
from attnxai.errors import OptionError


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
        "The annotators “Ann” and “ann” count as 2 and may be one, as they differ"
    )


def set_of(*names):
    shape = Shape(kind=ShapeKind.POINT, x=1.0, y=2.0)
    marks = tuple(Annotation(source="s", annotator=name, shape=shape) for name in names)
    return AnnotationSet(annotations=marks, annotator_classes={"Ann": {"s": "FR I"}})


def test_names_are_composed_where_annotations_are_made():
    assert set_of("Zoe\u0301", "Zo\u00e9").annotators == ("Zo\u00e9",)


def test_spellings_become_the_one_with_most_marks():
    merged = merge_spellings(set_of("ann", "Ann", "ANN", "ANN", "bob"))
    assert merged.annotators == ("ANN", "bob")
    assert merged.annotator_classes == {"ANN": {"s": "FR I"}}
    (notice,) = merged.notices
    assert "count as those of “ANN”" in notice
    assert len(merged) == 5


def test_annotators_by_a_mapping():
    merged = merge_annotators(set_of("Ann", "bob", "c"), {"Ann": "bob"})
    assert merged.annotators == ("bob", "c")
    with pytest.raises(OptionError, match="unknown annotator 'bop' \\(did you mean bob\\?\\)"):
        merge_annotators(set_of("bob"), {"bop": "x"})
