from __future__ import annotations

from typing import Any

import pytest

from attnxai.annotations import Annotation, Label, Shape, ShapeKind
from attnxai.annotations.annotation_set import parse_labels
from attnxai.errors import AnnotationError, OptionError

POINT = Shape(kind=ShapeKind.POINT)


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
    with pytest.raises(AnnotationError, match=f"has to be from 0 to 1, got {weight}"):
        Annotation(source="s", annotator="a", shape=POINT, weight=weight)


def test_labels_from_their_names() -> None:
    assert parse_labels(None) is None
    assert parse_labels(["Core", "lobe"]) == (Label.CORE, Label.LOBE)
    with pytest.raises(OptionError, match="unknown label 'halo'; labels are core, jet, lobe"):
        parse_labels(["halo"])
