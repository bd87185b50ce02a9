"""What is printed of objects that hold arrays fits on a few lines."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import attnxai
from attnxai.agreement.comparison import ComparisonSettings, compare
from attnxai.alignment.pairs import align
from attnxai.annotations.inputs import Inputs
from attnxai.data.short_repr import short_repr, shown_name
from tests.builders import made_up


@dataclasses.dataclass
class Things:
    values: object = None
    names: tuple[str, ...] = ()

    __repr__ = short_repr


@pytest.mark.parametrize(
    ("thing", "shown"),
    [
        (Things(), "Things()"),
        (Things(values=np.zeros((2, 3), bool)), "Things(values=<2 x 3 bool>)"),
        (Things(values=np.float64(0.5)), "Things(values=<scalar float64>)"),
        (Things(names=("a", "b")), "Things(names=('a', 'b'))"),
        (Things(names=tuple("abcde")), "Things(names=<5: 'a', ...>)"),
        (Things(values={"k": np.ones(4)}), "Things(values={'k': <4 float64>})"),
        (Things(values="x" * 100), f"Things(values='{'x' * 56}...)"),
        (Things(values=Things(names=("a",))), "Things(values=Things(names=('a',)))"),
    ],
)
def test_short_values_as_they_are_and_sizes_of_long_ones(thing, shown):
    assert repr(thing) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [("conv1.weight", "conv1.weight"), ("a\nb", "a\\nb"), ("x" * 100, "x" * 57 + "...")],
)
def test_names_from_files_are_on_one_line(name, shown):
    assert shown_name(name) == shown


def test_what_a_session_prints(tmp_path):
    maps, marks, images = made_up()
    pairs = align(maps, marks, images)
    result = compare(
        maps, marks, images, settings=ComparisonSettings(n_permutations=99, n_bootstrap=100)
    )
    inputs = Inputs(annotations=marks, images=images, data_name="made up")
    shipped = attnxai.read_annotations("expert.csv")
    model = attnxai.load_model("d8.pt")
    for thing in (
        maps,
        marks,
        shipped,
        images,
        images[0],
        pairs,
        inputs,
        model,
        result,
        *result.estimates,
    ):
        assert len(repr(thing)) < 1500, repr(thing)
        assert "\n" not in repr(thing)
    assert repr(maps).startswith("MapStack(model_name='made-up', sources=<12: 'source_00', ...>")
    assert "brightness=<12 x 32 x 32 float32>" in repr(maps)
    assert repr(images[0]).startswith("SourceImage(source='source_00', pixels=<32 x 32 float32>, ")
