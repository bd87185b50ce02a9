"""Evidence: adds up to the class scores exactly, for every gated network and aggregation."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch

from attnxai.data.images import SourceImage, from_array
from attnxai.errors import CheckpointError, OptionError
from attnxai.explanations import explain
from attnxai.explanations.gate_pass import blank_features, gate_batches
from attnxai.explanations.inputs import blank_input
from attnxai.models.model import AttentionModel
from attnxai.models.network import AttentionNetwork
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import Aggregation, FeatureSum, Normalisation
from tests.explanations.conftest import SIDE, build_model
from tests.models.builders import random_images

AGGREGATIONS = tuple(Aggregation)


def network_of(model: AttentionModel) -> AttentionNetwork:
    assert isinstance(model.network, AttentionNetwork)
    return model.network.eval()


@torch.no_grad()
def totals(
    model: AttentionModel, batch: torch.Tensor, *, relative: bool
) -> tuple[torch.Tensor, ...]:
    """Scores, what the evidence adds up to, and the sum of absolute contributions."""
    network = network_of(model)
    blank = blank_features(model) if relative else None
    (passed,) = gate_batches(network, iter([batch]), blank=blank)
    found = passed.relative_evidence if relative else passed.evidence
    summed = found.bias + sum(maps.sum(dim=(2, 3)) for maps in found.maps.values())
    size = found.bias.abs() + sum(maps.abs().sum(dim=(2, 3)) for maps in found.maps.values())
    return network(batch), summed, size


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("feature_sum", list(FeatureSum))
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_it_adds_up_to_the_scores(aggregation, feature_sum, relative) -> None:
    model = build_model(aggregation=aggregation, feature_sum=feature_sum)
    batch = random_images(6, SIDE)
    scores, summed, size = totals(model, batch, relative=relative)
    assert ((scores - summed).abs() <= 1e-5 * size).all()
    model.network.double()
    scores, summed, _ = totals(model, batch.double(), relative=relative)
    torch.testing.assert_close(summed, scores, rtol=0, atol=1e-10)


@pytest.mark.parametrize("normalisation", list(Normalisation))
@pytest.mark.parametrize("n_gates", [1, 2, 3])
def test_for_every_gate(normalisation, n_gates) -> None:
    model = build_model(normalisation=normalisation, n_gates=n_gates)
    model.network.double()
    scores, summed, _ = totals(model, random_images(3, SIDE).double(), relative=True)
    torch.testing.assert_close(summed, scores, rtol=0, atol=1e-9)


def test_one_pixel_by_hand() -> None:
    """Evidence of a pixel is what the score loses when that pixel of the gated features is set to 0."""
    model = build_model(aggregation=Aggregation.CONCATENATED, feature_sum=FeatureSum.MEAN)
    network = network_of(model)
    network.double()
    batch = random_images(1, SIDE).double()
    with torch.no_grad():
        (passed,) = gate_batches(network, iter([batch]))
        found = passed.evidence
        row, column = 2, 5

        def without_pixel(_module, _inputs, output):
            changed = output.clone()
            changed[:, :, row, column] = 0.0
            return changed

        handle = network.gates[1].register_forward_hook(without_pixel)
        lost = found.scores - network(batch)
        handle.remove()
    torch.testing.assert_close(found.maps["gate2"][:, :, row, column], lost, rtol=0, atol=1e-12)


def image_of(pixels: np.ndarray, source: str = "s1") -> SourceImage:
    return from_array(pixels, source=source, pixel_scale_arcsec=1.8)


@pytest.fixture
def images() -> list[SourceImage]:
    rng = np.random.default_rng(3)
    return [image_of(rng.uniform(0, 255, (SIDE, SIDE)), f"s{i}") for i in range(3)]


def test_targets_and_layers(images) -> None:
    model = build_model()
    one, other = model.class_names[:2]
    first, second, both, predicted = (
        explain(model, images, "evidence", target=target)
        for target in (one, other, (one, other), None)
    )
    assert list(first.layers) == ["evidence", "evidence gate1", "evidence gate2", "evidence gate3"]
    assert first.means == {}
    for name, maps in both.layers.items():
        np.testing.assert_allclose(maps, first.layers[name] - second.layers[name], atol=1e-5)
    assert first.scores is not None
    chosen = np.argmax(first.scores, axis=1)
    for i, k in enumerate(chosen):
        expected = (1, -1)[k] * both.layers["evidence"][i]
        np.testing.assert_allclose(predicted.layers["evidence"][i], expected, rtol=1e-6)
    total = sum(first.layers[f"evidence gate{i}"].sum(axis=(1, 2)) for i in (1, 2, 3))
    np.testing.assert_allclose(
        first.layers["evidence"].sum(axis=(1, 2)), total, rtol=1e-4, atol=1e-5
    )


def test_magnitude_is_that_of_the_relative_evidence(images) -> None:
    model = build_model()
    stack = explain(model, images, ["evidence_relative", "evidence_magnitude"])
    for name in ("", " gate1", " gate3"):
        relative = stack.layers[f"evidence relative{name}"]
        np.testing.assert_array_equal(stack.layers[f"evidence magnitude{name}"], np.abs(relative))
    assert [one["name"] for one in stack.provenance["explanations"]] == [
        "evidence_relative",
        "evidence_magnitude",
    ]


def test_empty_sky_has_no_relative_evidence_far_from_a_source() -> None:
    """With sigmoid gates, a pixel that no convolution joins to the source answers as in an image of empty sky."""
    model = build_model(normalisation=Normalisation.SIGMOID, disc=False, side=128)
    pixels = np.zeros((128, 128))
    pixels[3:9, 3:9] = 200.0
    stack = explain(model, [image_of(pixels)], "evidence_relative", target=model.class_names[0])
    maps = np.abs(stack.layers["evidence relative gate3"][0])
    assert maps[:16, :16].max() > 1e-6
    assert maps[-8:, -8:].max() < 1e-3 * maps.max()


def test_a_gate_on_emission_has_evidence_on_emission_alone() -> None:
    model = build_model(normalisation=Normalisation.EMISSION, disc=False, side=32)
    pixels = np.zeros((32, 32))
    pixels[10, 11] = pixels[20, 24] = 255.0
    stack = explain(model, [image_of(pixels)], ["evidence", "evidence_relative"])
    for name in ("evidence gate3", "evidence relative gate3"):
        assert np.argwhere(stack.layers[name][0]).tolist() == [[10, 11], [20, 24]]


@torch.no_grad()
def test_the_response_to_empty_sky_is_kept_until_the_weights_change(images) -> None:
    model = build_model(normalisation=Normalisation.SIGMOID)
    network = network_of(model)
    passed: list[int] = []
    network.register_forward_pre_hook(lambda _module, inputs: passed.append(len(inputs[0])))
    first = explain(model, images, "evidence_relative")
    assert passed == [1, 3]
    explain(model, images, "evidence_relative")
    assert passed == [1, 3, 3]
    before = copy.deepcopy(network.state_dict())
    for gate in network.gates:
        gate.psi.bias.data.add_(1.0)  # type: ignore[union-attr, operator]
    changed, fresh = (
        explain(one, images, "evidence_relative").layers["evidence relative gate3"]
        for one in (model, copy.deepcopy(model))
    )
    np.testing.assert_array_equal(changed, fresh)
    network.load_state_dict(before)
    restored = explain(model, images, "evidence_relative").layers["evidence relative gate3"]
    np.testing.assert_array_equal(restored, first.layers["evidence relative gate3"])
    assert not np.array_equal(restored, changed)
    model = dataclasses.replace(model, preprocessing=Preprocessing(size=SIDE, mean=0.3))
    again = dataclasses.replace(model, network=copy.deepcopy(network))
    for one, other in zip(blank_features(model), blank_features(again), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@torch.no_grad()
def test_gates_on_emission_take_no_pass_of_empty_sky(images) -> None:
    model = build_model(normalisation=Normalisation.EMISSION)
    network = network_of(model)
    (batch,) = gate_batches(network, iter([blank_input(model)]))
    assert all((features == 0).all() for features in batch.gated.values())
    passed: list[int] = []
    network.register_forward_pre_hook(lambda _module, inputs: passed.append(len(inputs[0])))
    explain(model, images, ["evidence", "evidence_relative"])
    assert passed == [3]


def test_networks_without_gates_are_refused(images) -> None:
    model = build_model(
        group="C1",
        architecture="attention_gate_cnn",
        n_gates=0,
        aggregation="concat",
        padding="none",
        side=150,
    )
    with pytest.raises(CheckpointError, match="no attention gates"):
        explain(model, images, "evidence")


def test_hooks_are_gone_after_a_failure(images) -> None:
    model = build_model()
    with pytest.raises(OptionError, match="target 'FR III' is not a class"):
        explain(model, images, "evidence", target=("FR III",))
    network = network_of(model)
    broken = iter([torch.zeros(1, 3, SIDE, SIDE)])
    with pytest.raises(RuntimeError):
        list(gate_batches(network, broken))
    assert not any(
        module._forward_hooks or module._forward_pre_hooks for module in network.modules()
    )
