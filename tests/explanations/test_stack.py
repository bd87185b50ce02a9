"""Stacks of maps: what fits together, and what follows from it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch

from attnxai.data.grid import GridTransform
from attnxai.errors import AlignmentError, OptionError
from attnxai.explanations.stack import MapStack, Split
from tests.builders import made_up


def parts(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    values: dict[str, Any] = {
        "model_name": "m",
        "sources": ("a", "b"),
        "layers": {
            "gate1": rng.random((2, 3, 3)).astype(np.float32),
            "gate2": rng.random((2, 6, 6)).astype(np.float32),
        },
        "geometry": {
            "gate1": GridTransform(step=4.0, origin_x=1.5, origin_y=1.5),
            "gate2": GridTransform(step=2.0, origin_x=0.5, origin_y=0.5),
        },
        "field": (GridTransform(), GridTransform(origin_x=2.0)),
        "brightness": rng.random((2, 12, 11)).astype(np.float32),
        "valid": np.ones((2, 12, 11), bool),
        "field_scale_arcsec": 1.8,
        "splits": (Split.TRAINING, Split.HELD_OUT),
        "scores": np.array([[1.0, 3.0], [2.0, -1.0]]),
        "class_names": ("FR I", "FR II"),
    }
    return values | changes


def test_a_stack_knows_its_sources_and_field() -> None:
    stack = MapStack(**parts())
    assert len(stack) == 2
    assert stack.field_shape == (12, 11)
    assert stack.predicted_classes() == ("FR II", "FR I")


def test_without_scores_there_are_no_predictions() -> None:
    stack = MapStack(**parts(scores=None))
    assert stack.probabilities is None
    assert stack.predicted_classes() is None


def test_probabilities_are_the_softmax_of_scores() -> None:
    probabilities = MapStack(**parts()).probabilities
    assert probabilities is not None
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    np.testing.assert_allclose(probabilities[:, 0], [1 / (1 + math.e**2), 1 / (1 + math.e**-3)])
    scaled = MapStack(**parts(temperature=2.0)).probabilities
    assert scaled is not None
    np.testing.assert_allclose(scaled[:, 0], [1 / (1 + math.e), 1 / (1 + math.e**-1.5)])


def test_probabilities_of_extreme_scores_are_numbers() -> None:
    with np.errstate(all="raise", under="ignore"):
        stack = MapStack(**parts(scores=np.array([[1000.0, -1000.0], [-1000.0, -1000.0]])))
        probabilities = stack.probabilities
    np.testing.assert_array_equal(probabilities, [[1.0, 0.0], [0.5, 0.5]])


def _with_nan(shape: tuple[int, ...]) -> np.ndarray:
    values = np.zeros(shape, np.float32)
    values.flat[3] = np.nan
    return values


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"layers": {}}, "at least one layer"),
        ({"layers": {"gate1": np.zeros((2, 3, 3))}}, "every layer needs its geometry"),
        ({"geometry": {"gate1": GridTransform()}}, "every layer needs its geometry"),
        ({"sources": ("a", "b", "c")}, "one map for each of 3 sources"),
        ({"sources": ("a",)}, "one map for each of 1 sources"),
        (
            {"layers": {"gate1": np.zeros((2, 9)), "gate2": np.zeros((2, 6, 6))}},
            r"layer gate1 has shape \(2, 9\)",
        ),
        (
            {"layers": {"gate1": np.zeros((2, 3, 3)), "gate2": _with_nan((2, 6, 6))}},
            "layer gate2 holds values that are not finite",
        ),
        ({"brightness": np.zeros((3, 12, 11))}, r"brightness has shape \(3, 12, 11\) for 2"),
        ({"valid": np.ones((12, 11), bool)}, "valid has shape"),
        ({"valid": np.ones((2, 11, 12), bool)}, "brightness has shape .* valid"),
        ({"field": (GridTransform(),)}, "field and splits need 2 entries"),
        ({"splits": (Split.UNKNOWN,) * 3}, "field and splits need 2 entries"),
        ({"scores": np.zeros((3, 2))}, "scores have shape .* for 2 sources and 2 classes"),
        ({"scores": np.zeros((2, 3))}, "scores have shape"),
        ({"class_names": ()}, "0 classes"),
        ({"scores": np.array([[0.0, np.nan], [0.0, 1.0]])}, "scores hold values that are not"),
        ({"scores": np.array([["a", "b"], ["c", "d"]])}, "scores holds <U1 values; give an array"),
        ({"brightness": [[1.0], [2.0, 3.0]]}, "brightness is not an array of numbers"),
        ({"valid": np.ones((2, 12, 11), complex)}, "valid holds complex128 values"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, text) -> None:
    with pytest.raises(AlignmentError, match=text):
        MapStack(**parts(**changes))


@pytest.mark.parametrize(
    "name", ["brightness", "Brightness", "emission at 3.6″", "brightness at 5.4″", "centre bias"]
)
def test_the_names_of_baselines_are_reserved(name) -> None:
    maps, places = {name: np.zeros((2, 12, 11))}, {name: GridTransform()}
    with pytest.raises(AlignmentError) as caught:
        MapStack(**parts(layers=maps, geometry=places))
    assert f"the maps {name!r} of " in str(caught.value)
    assert f"give the layer another name, such as 'map of {name}'" in str(caught.value)
    with pytest.raises(AlignmentError, match="have the name of a baseline"):
        MapStack(**parts(means={name: ("gate1", "gate2")}))
    renamed, places = {f"map of {name}": maps[name]}, {f"map of {name}": GridTransform()}
    assert MapStack(**parts(layers=renamed, geometry=places)).layers.keys() == renamed.keys()


def test_tensors_are_taken_for_arrays() -> None:
    arrays = parts()
    tensors = {
        name: torch.from_numpy(np.array(arrays[name])) for name in ("brightness", "valid", "scores")
    }
    layers = {name: torch.from_numpy(values) for name, values in arrays["layers"].items()}
    layers["gate1"].requires_grad_()
    stack = MapStack(**parts(**tensors, layers=layers))
    for name, values in arrays["layers"].items():
        assert isinstance(stack.layers[name], np.ndarray)
        np.testing.assert_array_equal(stack.layers[name], values)
    for name in tensors:
        np.testing.assert_array_equal(getattr(stack, name), arrays[name])
    half = {name: values.detach().bfloat16() for name, values in layers.items()}
    np.testing.assert_allclose(
        MapStack(**parts(layers=half)).layers["gate2"], arrays["layers"]["gate2"], rtol=0.01
    )


def test_arrays_of_a_stack_are_read_only_and_the_callers_stay_as_they_are() -> None:
    given = parts()
    stack = MapStack(**given)
    assert stack.scores is not None
    for array in (*stack.layers.values(), stack.brightness, stack.valid, stack.scores):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    for array in (*given["layers"].values(), given["brightness"], given["valid"], given["scores"]):
        assert array.flags.writeable
    with pytest.raises(dataclasses.FrozenInstanceError):
        stack.model_name = "other"  # type: ignore[misc]


def test_a_layer_has_to_cover_its_field():
    """Coarse maps with the default transform would lie on a corner of the field."""
    maps, _, _ = made_up(n_sources=3)
    coarse = {**maps.geometry, "gate1": GridTransform()}
    with pytest.raises(AlignmentError, match=r"gate1 has 16 rows and covers 16 of the 32 rows"):
        dataclasses.replace(maps, geometry=coarse)
    # three quarters are enough
    dataclasses.replace(maps, geometry={**maps.geometry, "gate2": GridTransform(origin_x=8.0)})
    beside = {**maps.geometry, "gate2": GridTransform(origin_x=9.0)}
    with pytest.raises(AlignmentError, match=r"gate2 has 32 columns and covers 23 of the 32"):
        dataclasses.replace(maps, geometry=beside)
    beside = {**maps.geometry, "gate2": GridTransform(origin_x=40.0)}
    with pytest.raises(AlignmentError, match=r"gate2 has 32 columns and covers 0 of the 32"):
        dataclasses.replace(maps, geometry=beside)
    covering = GridTransform.covering((16, 16), (32, 32))
    assert covering == maps.geometry["gate1"]
    with pytest.raises(OptionError, match="other proportions"):
        GridTransform.covering((16, 8), (32, 32))
