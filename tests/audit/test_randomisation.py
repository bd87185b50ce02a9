"""Random weights, layer by layer, on networks of which it is known what their maps depend on."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from scipy import stats
from skimage.metrics import structural_similarity
from torch import nn

import attnxai
from attnxai.audit.randomisation import (
    label_randomisation,
    randomise_,
    trained_layers,
    weight_randomisation,
)
from attnxai.audit.randomisation_result import MEASURES, RandomisationResult
from attnxai.audit.same_classes import rank_correlation
from attnxai.errors import OptionError
from attnxai.explanations.gates import attention_maps
from attnxai.explanations.inputs import NetworkInputs
from attnxai.explanations.method import ExplanationMethod
from attnxai.explanations.targets import against_the_others
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import Normalisation
from attnxai.models.steerable import FieldBatchNorm
from attnxai.statistics.bootstrap import bootstrap_counts
from tests.builders import simulated
from tests.models.builders import make_model, random_images

SIDE = 16


def method(function, name="by_hand"):
    return ExplanationMethod(name=name, title="maps by hand", function=function, uses_target=True)


def _brightness(model, images, *, target, rng):
    inputs = NetworkInputs.of(model, images)
    return inputs.stack({"input": inputs.brightness}, scores=_scores(model, inputs))


def _scores(model, inputs):
    return torch.cat([model.network(batch) for batch in inputs.batches()]).double()


def test_layers_stand_in_the_order_of_the_forward_pass():
    network = make_model(side=SIDE).network
    layers = trained_layers(network, random_images(1, SIDE))
    assert list(layers) == [
        "blocks.0.0", "blocks.1.0", "blocks.2.0", "blocks.3.0", "gates.0", "gates.1", "gates.2", "head",
    ]  # fmt: skip
    held = [name for own in layers.values() for name in own]
    assert len(held) == len(set(held))
    weighted = {
        n for n, m in network.named_modules() if any(True for _ in m.parameters(recurse=False))
    }
    assert set(held) == weighted
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_layers_of_any_network_take_their_normalisation_with_them():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(4, 2)
            self.unused = nn.Linear(3, 3)
            self.norm = nn.BatchNorm2d(4)
            self.first = nn.Conv2d(1, 4, 3)
            self.scale = nn.Parameter(torch.ones(3))

        def forward(self, x):
            return self.last(torch.relu(self.norm(self.first(x))).mean(dim=(2, 3))) * self.scale[:2]

    layers = trained_layers(Odd(), torch.zeros(1, 1, 8, 8))
    assert layers == {"network": ("",), "first": ("first", "norm"), "last": ("last",)}


def test_everything_is_drawn_anew_and_nothing_else():
    model = make_model(side=SIDE)
    layers = trained_layers(model.network, random_images(1, SIDE))
    before = {k: v.clone() for k, v in model.network.state_dict().items()}
    randomise_(model.network, layers["blocks.3.0"], torch.Generator().manual_seed(0))
    after = model.network.state_dict()
    changed = {k for k, v in after.items() if not torch.equal(before[k], v)}
    assert changed
    assert all(name.startswith("blocks.3.0.") for name in changed)
    norm = next(m for m in model.network.blocks[3].modules() if isinstance(m, FieldBatchNorm)).norm
    assert torch.equal(norm.running_mean, torch.zeros_like(norm.running_mean))
    assert torch.equal(norm.running_var, torch.ones_like(norm.running_var))
    assert torch.equal(norm.weight, torch.ones_like(norm.weight))


def test_random_filters_have_the_variance_of_new_ones():
    layer = nn.Sequential(nn.Conv2d(8, 50, 3), nn.Linear(400, 90))
    randomise_(layer, ["0", "1"], torch.Generator().manual_seed(1))
    assert float(layer[0].weight.detach().var()) == pytest.approx(2 / 72, rel=0.1)
    assert float(layer[1].weight.detach().var()) == pytest.approx(2 / 400, rel=0.1)
    assert not layer[0].bias.any()


@pytest.fixture(scope="module")
def model():
    return make_model(side=SIDE)


@pytest.fixture(scope="module")
def images():
    return simulated(9, side=24)


@pytest.mark.parametrize("mode", ["cascading", "independent"])
def test_the_model_of_the_user_is_not_changed(model, images, mode):
    before = {k: v.clone() for k, v in model.network.state_dict().items()}
    weight_randomisation(model, images[:2], mode=mode, n_draws=1)
    assert all(torch.equal(before[k], v) for k, v in model.network.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.network.modules())


def test_a_map_that_shows_the_input_survives_and_gates_do_not(model, images):
    found = weight_randomisation(model, images, ["gates", method(_brightness)], n_draws=1)
    assert found.layers == ("gate1", "gate2", "gate3", "mean", "input")
    assert found.survives("input") is True
    np.testing.assert_allclose(found.values[0, :, :, 4], 1.0)
    np.testing.assert_allclose(found.values[2, :, :, 4], 1.0)
    assert "The map input does not depend on what was learned" in found.summary()
    assert found.interval("gate1", absolute=True).value < 0.9


def test_a_gate_ignores_the_layers_that_come_after_it(model, images):
    """The head cannot change a gate; each gate is one layer and changes its own map alone."""
    found = weight_randomisation(model, images[:3], n_draws=1, mode="independent")
    of = dict(zip(found.steps, found.values[0, :, 0].mean(axis=2), strict=True))
    np.testing.assert_allclose(of["head"], 1.0)
    np.testing.assert_allclose(of["gates.0"][1:3], 1.0)
    assert of["gates.0"][0] < 1.0 - 1e-6
    assert found.survives("gate1") is None
    assert "least when head is" in found.summary()


def test_steps_cascade_from_the_last_layer_to_the_first(model, images):
    found = weight_randomisation(model, images[:3], n_draws=1)
    assert found.steps[0] == "head"
    assert found.steps[-1] == "blocks.0.0"
    np.testing.assert_allclose(found.values[0, 0, 0], 1.0)
    # gate 1 becomes random last of the gates
    at = found.steps.index("gates.1")
    np.testing.assert_allclose(found.values[0, at, 0, 0], 1.0)


def test_attention_confined_to_emission_survives_on_the_field(images):
    model = make_model(side=SIDE, normalisation=Normalisation.EMISSION)
    found = weight_randomisation(model, images, n_draws=1, n_bootstrap=300)
    field = found.interval("gate3", absolute=True).value
    emission = found.interval("gate3", "spearman_on_emission", absolute=True).value
    assert emission < field


def test_measures_are_those_of_the_libraries(model, images):
    found = weight_randomisation(model, images[:2], n_draws=1, rng=3)
    again = weight_randomisation(model, images[:2], n_draws=1, rng=3)
    np.testing.assert_array_equal(found.values, again.values)
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 5, 40).astype(float), rng.random(40)
    assert rank_correlation(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)
    assert np.isnan(rank_correlation(np.ones(5), rng.random(5)))
    # ssim of a map with the reversed one, both from 0 to 1
    square = rng.random((12, 12))
    assert structural_similarity(square, square, data_range=1.0) == 1.0


def test_the_class_explained_stays_that_of_the_trained_model(model, images):
    asked = []

    def noting(model, images, *, target, rng):
        asked.append(target)
        return _brightness(model, images, target=target, rng=rng)

    weight_randomisation(model, images[:4], method(noting), n_draws=1)
    predicted = attention_maps(model, images[:4]).predicted_classes()
    assert asked[0] is None
    assert predicted is not None
    classes = model.class_names
    assert set(asked[1:]) == {against_the_others(name, classes) for name in predicted}


def made_up(level, n=12, spread=0.05, layers=("gate1", "gate2")):
    rng = np.random.default_rng(1)
    values = level + spread * rng.standard_normal((len(MEASURES), 3, 2, len(layers), n))
    return RandomisationResult(
        model_name="d8",
        sources=tuple(f"s{i}" for i in range(n)),
        mode="cascading",
        steps=("head", "gates.0", "blocks.0.0"),
        layers=layers,
        values=np.clip(values, -1, 1),
        counts=bootstrap_counts(n, 300, rng),
    )


@pytest.mark.parametrize(
    ("level", "spread", "survives"),
    [(0.9, 0.05, True), (-0.9, 0.05, True), (0.1, 0.05, False), (0.5, 0.2, None)],
)
def test_the_rule(level, spread, survives):
    found = made_up(level, spread=spread)
    assert found.survives("gate1") is survives
    record = json.loads(json.dumps(found.to_record()))
    assert record["maps"]["gate1"]["survives"] is survives
    frame = found.to_frame()
    assert len(frame) == 6
    last = frame[(frame["map"] == "gate2") & (frame["step"] == 3)].iloc[0]
    assert last["spearman"] == found.interval("gate2").value
    assert found.by_draw("gate2").mean() == pytest.approx(last["spearman"])


def control_of(model, **settings):
    record = dataclasses.replace(model.training, settings={"random_labels": True, **settings})
    return dataclasses.replace(model, name="control", training=record)


def test_controls_trained_on_random_labels_are_compared_as_draws(model, images):
    other = control_of(make_model(side=SIDE, normalisation=Normalisation.SIGMOID))
    found = label_randomisation(
        model, [control_of(model), other], images, ["gates", method(_brightness)]
    )
    assert found.values.shape[1:4] == (1, 2, 5)
    own = found.values[0, 0, 0]
    np.testing.assert_allclose(own[np.isfinite(own)], 1.0)
    assert found.survives("input") is True
    assert found.by_draw("gate1")[0] == pytest.approx(1.0)
    text = found.summary()
    answer, head, *_ = text.splitlines()
    assert answer.startswith(("Not shown for", "No for"))
    assert head == "2 networks trained on random labels, on 9 sources."
    assert "does not depend on what was learned: with labels random" in text
    json.dumps(found.to_record())


def test_controls_have_to_be_controls_with_the_same_input(model, images):
    with pytest.raises(OptionError, match="the model tiny was not trained on random labels"):
        label_randomisation(model, model, images[:1])
    wide = control_of(make_model(side=SIDE + 8))
    with pytest.raises(OptionError, match="differ in their field or classes"):
        label_randomisation(model, wide, images[:1])
    with pytest.raises(OptionError, match="needs a control"):
        label_randomisation(model, [], images[:1])


def test_a_network_from_elsewhere_is_randomised_and_left_as_it_was(images):
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )
    before = {k: v.clone() for k, v in module.state_dict().items()}
    wrapped = attnxai.wrap(
        module, preprocessing=Preprocessing(size=SIDE), class_names=("FR I", "FR II")
    )
    found = weight_randomisation(wrapped, images[:3], "cam", n_draws=1)
    assert len(found.steps) == 3
    assert found.steps[0].endswith("7")
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())


def test_mistakes_are_named(model, images):
    with pytest.raises(OptionError, match="n_draws of 1 or more"):
        weight_randomisation(model, images[:1], n_draws=0)
    with pytest.raises(OptionError, match="unknown measure 'pearson'"):
        made_up(0.1).interval("gate1", "pearson")
    with pytest.raises(OptionError, match="unknown map 'gate9'"):
        made_up(0.1).interval("gate9")
