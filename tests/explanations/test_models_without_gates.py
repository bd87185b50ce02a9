"""What has no gates has no attention maps, and what mixes a batch is shown one image at a time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from attnxai.data.images import SourceSet, from_array
from attnxai.errors import CheckpointError
from attnxai.explanations.gates import attention_maps
from attnxai.explanations.inputs import NetworkInputs, model_provenance
from attnxai.models.architectures import BuiltSpecification, network_from_spec
from attnxai.models.attention_gate import AttentionGate
from attnxai.models.lenet import LeNetSpec
from attnxai.models.model import AttentionModel
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import (
    Aggregation,
    Architecture,
    ModelSpec,
    Normalisation,
    Padding,
)
from tests.explanations.conftest import SIDE, build_model

CNN_WITHOUT_GATES = ModelSpec(
    architecture=Architecture.ATTENTION_GATE_CNN,
    fields=(1, 1, 1, 1),
    n_gates=0,
    aggregation=Aggregation.CONCATENATED,
    padding=Padding.NONE,
)
LENET = LeNetSpec(architecture=Architecture.STEERABLE_LENET, group="C4", fields=(1, 2))


def without_gates(spec: BuiltSpecification, size: int) -> AttentionModel:
    return AttentionModel(
        name="plain",
        spec=spec,
        network=network_from_spec(spec, generator=torch.Generator().manual_seed(0)).eval(),
        preprocessing=Preprocessing(size=size),
        class_names=("FR I", "FR II"),
    )


def images_of(n: int, side: int) -> SourceSet:
    rng = np.random.default_rng(0)
    return SourceSet(
        from_array(
            rng.random((side, side)) * (1 + 3 * index) / 20,
            source=f"s{index}",
            pixel_scale_arcsec=1.8,
            prepared=True,
        )
        for index in range(n)
    )


@pytest.mark.parametrize(("spec", "size"), [(CNN_WITHOUT_GATES, 150), (LENET, 50)])
def test_maps_of_a_model_without_gates_are_refused_with_a_way_out(spec, size) -> None:
    model = without_gates(spec, size)
    with pytest.raises(CheckpointError) as caught:
        attention_maps(model, images_of(1, 150))
    text = str(caught.value)
    assert "has no attention gates" in text
    assert "choose a method for any network, as with --explain gradcam" in text
    assert str(spec.architecture).replace("_", " ") in text
    assert "\n" not in text


def test_maps_of_a_lenet_lie_on_what_it_sees() -> None:
    spec = LeNetSpec(architecture=Architecture.LENET, fields=(1, 2), disc=True)
    inputs = NetworkInputs.of(without_gates(spec, 50), images_of(2, 60))
    stack = inputs.stack({"input": inputs.brightness})
    # the middle of 50 pixels and an empty row and column, and 99 % of their half width
    squared = (np.arange(50)[:, None] - 25.0) ** 2 + (np.arange(50)[None, :] - 25.0) ** 2
    seen = squared < (0.99 * 25) ** 2 + 4 * np.log(2)
    assert not seen.all()
    assert all(np.array_equal(valid, seen) for valid in stack.valid)
    assert stack.field[0].origin_x == 5.0
    assert [tuple(batch.shape) for batch in inputs.batches(1)] == [(1, 1, 50, 50)] * 2


def test_a_model_with_gates_gives_them() -> None:
    model = build_model()
    assert model.require_gates() == (model.spec, model.network)


@pytest.mark.parametrize(("spec", "size"), [(CNN_WITHOUT_GATES, 150), (LENET, 50)])
def test_what_results_say_about_a_model_without_gates(spec, size) -> None:
    facts = model_provenance(without_gates(spec, size))
    assert facts["architecture"] == str(spec.architecture).replace("_", " ")
    assert facts["group"] == spec.group
    assert facts["specification"] == spec.to_dict()


@pytest.mark.parametrize("normalisation", [Normalisation.RANGE_NORM, Normalisation.STD_MEAN_NORM])
def test_extremes_over_the_batch_never_mix_images(normalisation) -> None:
    model = build_model(normalisation=normalisation, extremes_over_batch=True)
    model.network.double()
    spec, network = model.require_gates()
    gates = [gate for gate in network.modules() if isinstance(gate, AttentionGate)]
    with torch.no_grad():
        for gate in gates:
            assert gate.psi.bias is not None
            gate.psi.bias.fill_(10.0)  # std_mean_norm divides by the largest score
    images = images_of(4, SIDE)
    sizes: list[int] = []
    handle = model.network.register_forward_hook(
        lambda _module, inputs, _output: sizes.append(len(inputs[0]))
    )
    together = attention_maps(model, images, batch_size=4)
    handle.remove()
    assert sizes == [1, 1, 1, 1]
    for index, image in enumerate(images):
        alone = attention_maps(model, [image])
        for name, values in alone.layers.items():
            np.testing.assert_array_equal(together.layers[name][index], values[0])
    # and they are the maps of a network that takes extremes over each image
    per_image = dataclasses.replace(
        model, spec=dataclasses.replace(spec, extremes_over_batch=False)
    )
    for gate in gates:
        gate.normalise.over_batch = False
    expected = attention_maps(per_image, images)
    for name, values in expected.layers.items():
        np.testing.assert_allclose(together.layers[name], values, rtol=0, atol=1e-6)
