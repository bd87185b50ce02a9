from __future__ import annotations

from typing import Any

import pytest

from attnxai.annotations import Annotation, AnnotationSet, Label, Operation, Shape, ShapeKind
from attnxai.annotations.annotation_set import parse_labels
from attnxai.annotations.readers.table import parse_table
from attnxai.errors import AnnotationError, OptionError

POINT = Shape(kind=ShapeKind.POINT, x=1.0, y=2.0)
TABLE = """\
source,annotator,shape,x,y,label,class
s1,ann,point,3,4,core,
s2,ann,point,3,4,core,FR I
s1,b,point,3,4,core,
s1,ann,point,3,9,core,
"""


@pytest.mark.parametrize("name", ["source", "annotator"])
@pytest.mark.parametrize("value", ["", " \t", None, 3])
def test_an_annotation_has_a_source_and_an_annotator(name: str, value: Any) -> None:
    values: dict[str, Any] = {"source": "s", "annotator": "a", name: value}
    with pytest.raises(AnnotationError) as caught:
        Annotation(shape=POINT, line=7, **values)
    expected = f"the {name} of an annotation on line 7 has to be a name, got {value!r}"
    assert str(caught.value) == expected


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan"), float("inf")])
def test_weights_lie_between_0_and_1(weight: float) -> None:
    with pytest.raises(AnnotationError, match=f"has to be a number from 0 to 1, got {weight}"):
        Annotation(source="s", annotator="a", shape=POINT, weight=weight)


def test_operation_group_and_round() -> None:
    circle = Shape(kind=ShapeKind.CIRCLE, x=1.0, y=2.0, radius=3.0)
    given: dict[str, Any] = {"operation": "subtract", "group": "ring", "round": 2.0}
    found = Annotation(source="s", annotator="a", shape=circle, file="a.reg", **given)
    assert found.operation is Operation.SUBTRACT
    assert (found.group, found.round, found.file) == ("ring", 2, "a.reg")
    assert type(found.round) is int


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"round": 0}, "the round of an annotation has to be a whole number from 1, got 0"),
        ({"round": 1.5}, "has to be a whole number from 1, got 1.5"),
        ({"round": float("inf")}, "has to be a whole number from 1, got inf"),
        ({"round": "2"}, "has to be a whole number from 1, got '2'"),
        ({"operation": "minus"}, "the operation .* one of add, subtract, got 'minus'"),
        ({"operation": "subtract"}, "subtracts has to be an area, got a point"),
        ({"group": 3}, "the group of an annotation has to be text, got 3"),
        ({"file": None}, "the file of an annotation has to be text, got None"),
    ],
)
def test_operation_group_and_round_are_checked(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        Annotation(source="s", annotator="a", shape=POINT, **wrong)


def test_rows_are_told_apart_by_file_and_line() -> None:
    marks = tuple(
        Annotation(source="s", annotator="a", shape=POINT, label=label, file=file, line=line)
        for file, line, label in [
            ("a.csv", 2, Label.CORE),
            ("b.csv", 2, Label.CORE),
            ("a.csv", 3, Label.LOBE),
            ("a.csv", 3, Label.LOBE),
        ]
    )
    every = AnnotationSet(annotations=marks)
    assert every.n_rows_used == 3
    assert every.with_labels([Label.LOBE]).left_out == {"another label than those asked for": 2}


def test_labels_from_their_names() -> None:
    assert parse_labels(None) is None
    assert parse_labels(["Core", "lobe"]) == (Label.CORE, Label.LOBE)
    with pytest.raises(OptionError, match="unknown label 'halo'; known labels are core, jet, lobe"):
        parse_labels(["halo"])


class TestAnnotationSet:
    @pytest.fixture
    def read(self) -> AnnotationSet:
        return parse_table(TABLE, path="t.csv")

    def test_of_one_annotator_and_source(self, read: AnnotationSet) -> None:
        assert [a.shape.y for a in read.of("s1", "ann")] == [4.0, 9.0]
        assert [a.line for a in read.of("s1", "b")] == [4]
        assert read.of("s2", "b") == ()

    def test_by_source_and_annotator(self) -> None:
        of = [("s2", "b"), ("s1", "b"), ("s2", "a"), ("s2", "b")]
        marks = [Annotation(source=s, annotator=a, shape=POINT) for s, a in of]
        found = AnnotationSet(annotations=tuple(marks))
        assert found.by_source() == {"s2": [marks[0], *marks[2:]], "s1": [marks[1]]}
        groups = found.by_source_and_annotator()
        assert list(groups) == [("s2", "a"), ("s2", "b"), ("s1", "b")]
        assert groups["s2", "b"] == [marks[0], marks[3]]

    def test_select(self, read: AnnotationSet) -> None:
        chosen = read.select(["s2"])
        assert chosen.sources == ("s2",)
        assert chosen.n_rows == 4
        assert chosen.classes == {"s2": "FR I"}
        with pytest.raises(AnnotationError, match=r"t\.csv holds no annotations to use"):
            read.select(["s3"])

    def test_empty_set(self) -> None:
        with pytest.raises(AnnotationError, match="the annotation set holds no annotations to use"):
            AnnotationSet(annotations=())

    def test_defaults(self) -> None:
        annotation = Annotation(source="a", annotator="b", shape=POINT)
        assert (annotation.label, annotation.weight, annotation.line) == (Label.SOURCE, 1.0, 0)
        assert annotation.other == {}
        read = AnnotationSet(annotations=(annotation,))
        assert (read.sources, read.annotators, read.image_files()) == (("a",), ("b",), {})


def test_further_rounds_are_split_off() -> None:
    marks = tuple(
        Annotation(source="s", annotator="a", shape=POINT, round=n, line=n) for n in (1, 2, 3)
    )
    first = AnnotationSet(annotations=marks).first_round()
    assert [a.round for a in first.annotations] == [1]
    assert first.left_out == {"a further look at the source": 2}
    assert first.notices[0].startswith("2 of 3 marks are of a second or further look")
    assert first.first_round() is first
    with pytest.raises(AnnotationError, match="holds no first round"):
        AnnotationSet(annotations=marks[1:]).first_round()
