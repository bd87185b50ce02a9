"""Gradient methods against analytic maps, finite differences, and the sums that they have to have."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from attnxai.errors import OptionError
from attnxai.explanations import explain
from attnxai.explanations.gradients import GradientShap, IntegratedGradients
from attnxai.explanations.linear_rules import RULES
from attnxai.explanations.rectifiers import RewrittenScores
from attnxai.explanations.score_function import ScoreFunction
from attnxai.explanations.targets import against_the_others
from attnxai.models.architectures import network_from_spec
from attnxai.models.lenet import LeNetSpec
from attnxai.models.model import AttentionModel
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import Aggregation, Normalisation
from tests.explanations import conftest
from tests.explanations.attributed import (
    CLASSES,
    SIDE,
    Linear,
    Quadratic,
    Residual,
    bare,
    explained_by,
    image_of,
    inputs_and_blank,
    maps_of,
    model_of,
    one_pixel,
    sources,
)


def noise():
    """An image in which no two neighbours are equal, so that no maximum has two places."""
    rng = np.random.default_rng(0)
    return image_of(rng.permutation(SIDE**2).reshape(SIDE, SIDE) * 255.0 / SIDE**2)


GRADIENTS = ("saliency", "input_x_gradient", "integrated_gradients", "gradient_shap", "deeplift")


@pytest.mark.parametrize("name", GRADIENTS[1:])
def test_a_linear_network_has_weights_times_differences(name):
    model, images = model_of(Linear()), sources(2)
    seen, blank = inputs_and_blank(model, images)
    weight = model.network.module.weight.detach()[1]
    stack = explain(model, images, name, target="FR II")
    expected = ((seen - blank)[:, 0] * weight).numpy()
    np.testing.assert_allclose(maps_of(stack), expected, rtol=1e-5, atol=1e-6)
    assert list(stack.layers) == [name]
    contrast = explain(model, images, name, target=CLASSES)
    other = ((seen - blank)[:, 0] * model.network.module.weight.detach()[0]).numpy()
    np.testing.assert_allclose(maps_of(contrast), other - expected, rtol=1e-5, atol=1e-6)


def test_without_a_target_it_is_the_predicted_class_against_the_others():
    model, images = model_of(Residual()), sources(3)
    stack = explain(model, images, "saliency")
    for index, name in enumerate(stack.predicted_classes()):
        own = explain(model, images, "saliency", target=against_the_others(name, CLASSES))
        np.testing.assert_array_equal(maps_of(stack)[index], maps_of(own)[index])


def test_saliency_by_finite_differences():
    model, images = model_of(Residual()), [noise()]
    found = maps_of(explain(model, images, "saliency", target="FR I"))[0]
    model.network.double()
    seen, _ = inputs_and_blank(model, images)
    step = 1e-6
    for row, column in ((3, 4), (10, 2), (7, 7)):
        change = torch.zeros_like(seen, dtype=torch.float64)
        change[..., row, column] = step
        with torch.no_grad():
            up, down = (model.network(seen.double() + s * change)[0, 0] for s in (1, -1))
        assert found[row, column] == pytest.approx(abs(float(up - down)) / (2 * step), abs=1e-5)


def test_integrated_gradients_of_a_square():
    """Of w x^2 from x0: w (x^2 - x0^2), which a straight line through the end points gives for each pixel."""
    model, images = model_of(Quadratic()), sources(2)
    seen, blank = inputs_and_blank(model, images)
    weight = model.network.module.weight.detach()[0]
    expected = ((seen**2 - blank**2)[:, 0] * weight).numpy()
    for name in ("integrated_gradients", "deeplift"):
        found = maps_of(explain(model, images, name, target="FR I"))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_gradient_shap_tends_to_integrated_gradients_and_needs_its_seed():
    model, images = model_of(Residual()), sources(2)
    state = np.random.get_state()[1].copy()
    first, again, other = (explain(model, images, "gradient_shap", rng=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(state, np.random.get_state()[1])
    np.testing.assert_array_equal(maps_of(first), maps_of(again))
    assert (maps_of(first) != maps_of(other)).any()
    exact = maps_of(explained_by(bare(IntegratedGradients(tolerance=0.005)), model, images, "FR I"))
    many = maps_of(explained_by(bare(GradientShap(n_samples=800)), model, images, "FR I"))
    assert np.abs(many - exact).max() < 0.15 * np.abs(exact).max()
    alone = explained_by(bare(GradientShap(n_samples=20, batch_size=16)), model, images, "FR I")
    np.testing.assert_array_equal(
        maps_of(explained_by(bare(GradientShap(n_samples=20)), model, images[:1], "FR I"))[0],
        maps_of(alone)[0],
    )


@pytest.mark.parametrize("aggregation", list(Aggregation))
@pytest.mark.parametrize("normalisation", list(Normalisation))
def test_deeplift_adds_up_for_every_gate(normalisation, aggregation):
    model = conftest.build_model(normalisation=normalisation, aggregation=aggregation)
    assert_complete(model, sources(2, conftest.SIDE))


@pytest.mark.parametrize(
    "changes",
    [
        {"extremes_over_batch": True, "padding": "none"},
        {"feature_sum": "sum", "disc": False},
        {"layer_order": "conv_norm_relu"},
        {"binning": 2, "normalisation": "emission"},
        {"group": "C1", "architecture": "attention_gate_cnn", "convolution_bias": True},
        {"group": "D4", "n_gates": 2},
    ],
)
def test_deeplift_adds_up_for_other_specifications(changes):
    assert_complete(conftest.build_model(**changes), sources(2, conftest.SIDE))


@pytest.mark.parametrize(
    ("normalisation", "scale", "bias"),
    [("range_norm", 1.0, 0.0), ("emission", 1.0, -64.0), ("softmax", 1e4, 0.0)],
)
def test_deeplift_has_no_contributions_that_cancel(normalisation, scale, bias):
    """Where gates divide by nearly nothing for blank sky: constant scores, very low ones, or sums that underflow."""
    model = conftest.build_model(normalisation=normalisation)
    model = dataclasses.replace(
        model, preprocessing=dataclasses.replace(model.preprocessing, mean=0.0)
    )
    with torch.no_grad():
        for name, values in model.network.state_dict().items():
            if name.endswith((".running_mean", ".bias")) and "head" not in name:
                values.zero_()
            if name.endswith("psi.weight"):
                values.mul_(scale)
            if name.endswith("psi.bias"):
                values.add_(bias)
    images = sources(2, conftest.SIDE)
    assert_complete(model, images)
    contributions = maps_of(explain(model, images, "deeplift"))
    by_gradients = maps_of(explain(model, images, "integrated_gradients"))
    assert np.abs(contributions).sum() < 10 * np.abs(by_gradients).sum()


def test_a_quotient_by_hand():
    """3 / 2 against 1 / 4: (3 - 1) / 3 from the numerator and (2 - 4) * -7/8 / 3 from the denominator make 5/4."""
    one, other = (torch.tensor(v, requires_grad=True) for v in ([3.0, 1.0], [2.0, 4.0]))
    quotient = RULES["div"](torch.div, one, other)
    assert quotient.tolist() == [1.5, 0.25]
    of_one, of_other = torch.autograd.grad(quotient[0], (one, other))
    assert of_one[0] == pytest.approx(1 / 3)
    assert of_other[0] == pytest.approx(-7 / 24)
    assert 2 * of_one[0] - 2 * of_other[0] == pytest.approx(5 / 4)


@pytest.mark.parametrize("architecture", ["lenet", "steerable_lenet"])
def test_deeplift_adds_up_for_lenets(architecture):
    group = "C1" if architecture == "lenet" else "D4"
    spec = LeNetSpec(architecture=architecture, group=group, side=20, fields=(2, 3), hidden=(6, 5))
    network = network_from_spec(spec, generator=torch.Generator().manual_seed(0)).eval()
    model = AttentionModel(
        name="lenet",
        spec=spec,
        network=network,
        preprocessing=Preprocessing(size=20, mean=0.1, deviation=0.5),
        class_names=CLASSES,
    )
    assert_complete(model, sources(2, 20))


@pytest.mark.parametrize("preactivated", [False, True])
def test_deeplift_adds_up_for_a_residual_network(preactivated):
    assert_complete(model_of(Residual(preactivated=preactivated)), sources(3))


class Mixed(nn.Module):
    """Functions, products and quotients of features, and a softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 3)
        self.norm = nn.Softplus()
        self.head = nn.Linear(4, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = nn.functional.gelu(self.convolution(images))
        attention = torch.softmax(features.mean(dim=1).flatten(1), dim=1)
        squeezed = torch.sigmoid(features.amax(dim=(2, 3))) / (
            1 + self.norm(features.mean(dim=(2, 3)))
        )
        pooled = (features.flatten(2) @ attention[:, :, None])[:, :, 0]
        return torch.log_softmax(self.head(pooled * squeezed - pooled.abs() ** 1.5), dim=1)


def test_deeplift_adds_up_with_products_and_quotients():
    assert_complete(model_of(Mixed()), sources(3))


def assert_complete(model, images) -> None:
    for name in CLASSES:
        stack = explain(model, images, "deeplift", target=name)
        maps = maps_of(stack).astype(np.float64)
        seen, blank = inputs_and_blank(model, images)
        with torch.no_grad():
            scores = [float(model.network(one[None])[0, CLASSES.index(name)]) for one in seen]
            change = np.array(scores) - float(model.network(blank)[0, CLASSES.index(name)])
        size = np.abs(maps).sum(axis=(1, 2))
        assert (np.abs(maps.sum(axis=(1, 2)) - change) <= 1e-5 * size + 1e-6).all()
        assert (size < 1e3 * np.abs(change)).all()
        (facts,) = stack.provenance["explanations"]
        assert facts["measured"]["relative_errors"]["highest"] <= 1e-8


@pytest.mark.filterwarnings("ignore:Setting forward", "ignore:Input Tensor 0")
def test_deeplift_is_that_of_captum_where_captum_has_rules():
    from captum.attr import DeepLift as OfCaptum

    generator = torch.Generator().manual_seed(1)
    # captum's rules do not add up where a rectifier comes right before a pooling
    network = nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 3, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(75, 5),
        nn.ReLU(),
        nn.Linear(5, 2),
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    model = model_of(network)
    # neither image nor reference has ties, which captum gives to one of the highest
    generator = torch.Generator().manual_seed(2)
    image, reference = torch.randn(2, 3, 1, SIDE, SIDE, generator=generator, dtype=torch.float64)
    weights = torch.tensor([[1.0, 0.0]], dtype=torch.float64).repeat(3, 1)
    copied = RewrittenScores(ScoreFunction(model), method="deeplift", linear=True)
    network.double()
    found = OfCaptum(copied).attribute(
        image - copied.blank, reference - copied.blank, additional_forward_args=weights
    )
    expected = OfCaptum(network).attribute(image, reference, target=0)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


class Normed(Residual):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(2, 6)  # type: ignore[assignment]


class Conditional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = Linear()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scores = self.linear(images)
        return scores + 5.0 if images.sum().item() > 0 else torch.relu(scores)


def test_deeplift_refuses_what_has_no_rule_by_name():
    with pytest.raises(
        OptionError,
        match="deeplift has no rule for group_norm in layer norm of the network of the model toy",
    ):
        explain(model_of(Normed()), sources(1), "deeplift")
    with pytest.raises(OptionError, match="condition on values"):
        explain(model_of(Conditional()), [noise()], "deeplift")


def test_guided_backpropagation_by_hand():
    """Of f = a relu(b x) for each pixel and two rectifiers in a row, gradients pass where they are positive."""

    class Chain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = Linear(), Linear()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            hidden = torch.relu(images * self.first.weight[0])
            return torch.relu(self.second(hidden))

    model, images = model_of(Chain()), sources(1)
    seen, _ = inputs_and_blank(model, images)
    a, b = (
        model.network.module.first.weight.detach()[0],
        model.network.module.second.weight.detach()[1],
    )
    active = (seen[0, 0] * a > 0) & (model.network(seen)[0, 1] > 0)
    expected = torch.where(active, b.clamp_min(0), 0.0) * a
    found = maps_of(explain(model, images, "guided", target="FR II"))
    np.testing.assert_allclose(found[0], expected.numpy(), rtol=1e-6)


def test_guided_backpropagation_needs_rectifiers():
    with pytest.raises(OptionError, match="model toy has none"):
        explain(model_of(Linear()), sources(1), "guided")


ALL = (
    *GRADIENTS,
    "guided",
    "gradcam",
    "guided_gradcam",
    "occlusion",
    "island_ablation",
    "smoothgrad",
)


@pytest.mark.parametrize("name", ALL)
def test_the_model_is_as_before_also_after_a_failure(name):
    model = model_of(Residual())
    model.network.train()
    before = {key: value.clone() for key, value in model.network.state_dict().items()}
    explain(model, sources(1), name)
    with pytest.raises(OptionError):
        explain(model, sources(1), name, target="FR III")
    calls = []

    def fail(_module, _inputs):
        calls.append(1)
        if len(calls) > 1:
            raise ValueError("later")

    handle = model.network.module.head.register_forward_pre_hook(fail)
    with pytest.raises(ValueError, match="later"):
        explain(model, sources(3), name)
    handle.remove()
    assert model.network.training
    assert all(one.requires_grad and one.grad is None for one in model.network.parameters())
    assert not any(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
        for module in model.network.modules()
    )
    for key, value in model.network.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)


@pytest.mark.parametrize("name", ALL)
def test_batches_and_progress_and_repeats(name):
    model, images = model_of(Residual()), sources(3)
    steps = []
    stack = explain(model, images, name, on_batch=lambda done, n: steps.append((done, n)))
    assert steps[-1] == (3, 3)
    np.testing.assert_array_equal(maps_of(stack), maps_of(explain(model, images, name)))
    if name != "smoothgrad":
        alone = explain(model, images[:1], name)
        size = np.abs(maps_of(alone)).max()
        np.testing.assert_allclose(maps_of(stack)[0], maps_of(alone)[0], atol=1e-5 * size)


@pytest.mark.parametrize("name", [*GRADIENTS[1:], "island_ablation"])
def test_one_bright_pixel_is_found_where_it_is(name):
    model = model_of(Residual())
    maps = np.abs(maps_of(explain(model, [one_pixel(5, 10)], name, target=CLASSES))[0])
    assert np.unravel_index(maps.argmax(), maps.shape) == (5, 10)
