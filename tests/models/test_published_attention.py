"""Published attention networks of all variants, against the same networks built without the package."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import pytest
import torch
from torch import nn

from attnxai.models.model import AttentionModel
from attnxai.models.published.attention import PUBLISHED
from attnxai.models.specification import Aggregation, LayerOrder, Padding
from tests.models.builders import random_images, scores_and_maps
from tests.models.published_networks import (
    PublishedCNN,
    PublishedEquivariant,
    in_double,
    run,
    saved,
    trained,
)


def assert_same(theirs: nn.Module, model: AttentionModel, images: torch.Tensor) -> None:
    """Scores and maps, in 64 bits to 1e-6; theirs sees one image at a time."""
    theirs = in_double(theirs)
    scores, maps = scores_and_maps(model.network.double(), images.double())
    assert list(maps) == list(model.spec.gate_names)
    for index, image in enumerate(images.double()):
        with torch.no_grad():
            expected, expected_maps = run(theirs, image[None])
        scale = float(expected.abs().max())
        torch.testing.assert_close(scores[index], expected[0], rtol=0, atol=1e-6 * scale)
        for name, values in expected_maps.items():
            scale = float(values.abs().max())
            torch.testing.assert_close(maps[name][index], values[0], rtol=0, atol=1e-6 * scale)
            assert values.std() > 1e-9, "a flat map proves nothing"


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("n_gates", [1, 2, 3])
@pytest.mark.parametrize("aggregation", list(Aggregation))
def test_attention_gated_cnns(tmp_path, aggregation, n_gates, norm_first) -> None:
    images = random_images(2, 30, seed=4)
    order = LayerOrder.CONV_NORM_RELU if norm_first else LayerOrder.CONV_RELU_NORM
    options = {"n_gates": n_gates, "aggregation": aggregation, "norm_first": norm_first}
    for normalisation in PUBLISHED:
        build = functools.partial(PublishedCNN, normalisation=normalisation, **options)
        theirs = trained(build, images)
        model = saved(theirs, tmp_path / f"AG{n_gates}_{normalisation}.pt")
        spec, _ = model.require_gates()
        assert (spec.normalisation, spec.layer_order) == (normalisation, order)
        assert (spec.n_gates, spec.aggregation) == (n_gates, aggregation)
        assert spec.dropout == (0.5 if n_gates == 3 else 0.0)
        assert_same(theirs, model, images)


@pytest.mark.parametrize("norm_first", [True, False])
def test_cnns_without_gates(tmp_path, norm_first, recwarn) -> None:
    images = random_images(2, 150, seed=6)
    theirs = trained(lambda: PublishedCNN(n_gates=0, norm_first=norm_first), images, steps=2)
    model = saved(theirs, tmp_path / "AG0.pt")
    assert not recwarn.list, "without gates there is no normalisation to assume"
    assert model.spec.gate_names == ()
    assert model.name == "published CNN without gates"
    assert_same(theirs, model, images)


EQUIVARIANT: list[tuple[str, int, dict[str, Any]]] = [
    ("C2", 9, {"n_gates": 1, "aggregation": "concat", "normalisation": "tanh"}),
    ("C4", 3, {"n_gates": 2, "aggregation": "mean", "normalisation": "std_mean_norm"}),
    ("C8", 5, {"n_gates": 3, "aggregation": "deep_sup", "normalisation": "softmax"}),
    ("D1", 5, {"n_gates": 3, "normalisation": "sigmoid"}),
    ("D2", 7, {"n_gates": 3, "normalisation": "sigmoid"}),
    ("D4", 5, {"n_gates": 3, "normalisation": "range_norm", "norm_first": True}),
    ("C3", 5, {"n_gates": 2, "normalisation": "range_norm"}),
]
LARGE: list[tuple[str, int, dict[str, Any]]] = [
    ("C16", 5, {"normalisation": "sigmoid"}),
    ("D4", 9, {"normalisation": "sigmoid"}),
    ("D8", 5, {"normalisation": "range_norm"}),
    ("D16", 5, {"normalisation": "range_norm", "fields": (1, 1, 2, 2)}),
]


@pytest.mark.parametrize(
    ("group", "kernel_size", "options"),
    [*EQUIVARIANT, *(pytest.param(*case, marks=pytest.mark.slow) for case in LARGE)],
)
def test_equivariant_networks(tmp_path, group, kernel_size, options) -> None:
    side = 30
    images = random_images(2, side, seed=7)
    theirs = trained(
        lambda: PublishedEquivariant(group, side=side, kernel_size=kernel_size, **options), images
    )
    model = saved(theirs, tmp_path / f"{options['normalisation']}.pt")
    spec, _ = model.require_gates()
    assert (spec.group, spec.kernel_size, spec.padding) == (group, kernel_size, Padding.NONE)
    assert model.preprocessing.size == side
    assert_same(theirs, model, images)


@pytest.mark.parametrize("n_gates", [*(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2)), 3])
def test_equivariant_networks_of_all_conventions(tmp_path, n_gates) -> None:
    side = 22
    images = random_images(1, side, seed=8)
    for aggregation, normalisation in itertools.product(Aggregation, PUBLISHED):
        options = {"n_gates": n_gates, "aggregation": aggregation, "normalisation": normalisation}
        build = functools.partial(PublishedEquivariant, "C4", side=side, kernel_size=3, **options)
        theirs = trained(build, images)
        assert_same(theirs, saved(theirs, tmp_path / f"{normalisation}.pt"), images)


def test_files_saved_in_evaluation_hold_expanded_filters_as_well(tmp_path) -> None:
    side = 22
    images = random_images(2, side, seed=9)
    theirs = trained(lambda: PublishedEquivariant("D4", side=side), images)
    theirs.eval()
    assert any(name.endswith(".filter") for name in theirs.state_dict())
    assert_same(theirs, saved(theirs, tmp_path / "range_norm.pt"), images)
