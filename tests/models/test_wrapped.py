"""Any torch module as a model: what is taken, what it is left as, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import attnxai
from attnxai.classification.prediction import class_labels, class_scores
from attnxai.errors import (
    AssumptionWarning,
    AttnxaiError,
    CheckpointError,
    OptionError,
    SpecificationError,
)
from attnxai.explanations.inputs import model_provenance
from attnxai.explanations.stack import Split
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.wrapped import wrap
from attnxai.models.wrapped_network import weights_sha256
from tests.models.ordinary_networks import (
    PREPROCESSING,
    ResidualNetwork,
    ResNet,
    seeded,
    sources,
    trained,
)

CLASSES = ("FR I", "FR II")


class Brightness(nn.Module):
    """Without any parameter: mean brightness against its square."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        mean = images.mean(dim=(2, 3))[:, 0]
        return torch.stack([mean, mean**2], dim=1)


class Returning(nn.Module):
    """Returns what a function makes of its images."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, images: torch.Tensor) -> Any:
        return self.function(images)


def wrapped(module: nn.Module, **options: Any) -> attnxai.models.AttentionModel:
    return wrap(module, **{"preprocessing": PREPROCESSING, "class_names": CLASSES, **options})


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (ResidualNetwork, {}),
        (ResNet, {"channels": 3}),
        (ResidualNetwork, {"n_outputs": 1}),
    ],
    ids=["residual", "torchvision", "one score"],
)
def test_a_network_that_was_trained_elsewhere_classifies_as_it_did(
    make: Callable[..., nn.Module], options: dict[str, int]
) -> None:
    channels = options.get("channels", 1)
    module = trained(make, channels=channels, n_outputs=options.get("n_outputs", 2))
    model = wrapped(module, channels=channels)
    images = sources(40, 2)
    scores = class_scores(model, images)
    views = np.stack([PREPROCESSING.view(image).brightness for image in images])
    inputs = torch.from_numpy(PREPROCESSING.standardise(views))[:, None]
    with torch.no_grad():
        own = module(inputs.repeat(1, channels, 1, 1)).double().numpy()
    if options.get("n_outputs") == 1:
        # the sigmoid of the one score is the probability of the second class
        second = 1.0 / (1.0 + np.exp(-own[:, 0]))
        probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(probabilities[:, 1], second, atol=1e-6)
    else:
        np.testing.assert_allclose(scores, own, atol=1e-5)
    assert (scores.argmax(axis=1) == class_labels(model, images)).mean() > 0.75


def test_facts_name_class_parameters_and_weights() -> None:
    module = seeded(ResNet)
    model = wrapped(module, channels=3, layer="layer3", notes=["Trained on simulations."])
    facts = model_provenance(model)
    assert model.name == facts["architecture"] == "ResNet"
    assert facts["n_parameters"] == sum(p.numel() for p in module.parameters())
    assert facts["sha256"] == weights_sha256(model.network)
    assert facts["file"] == ""
    assert facts["specification"] == {
        "architecture": "ResNet",
        "n_classes": 2,
        "channels": 3,
        "one_score": False,
        "layer": "layer3",
    }
    assert facts["notes"] == ["Trained on simulations."]
    with torch.no_grad():
        module.get_parameter("fc.bias").add_(1.0)
    assert model_provenance(model)["sha256"] != facts["sha256"]


def test_training_sources_that_are_not_those_of_any_image_are_noted() -> None:
    images = sources(4, 2)
    with pytest.warns(
        AssumptionWarning, match=r"such as 's9.fits', so all count .* such as 's2_0'"
    ):
        attnxai.explain(wrapped(seeded(ResidualNetwork), train_sources=["s9.fits"]), images, "cam")
    known = wrapped(seeded(ResidualNetwork), train_sources=["s9.fits", images[3].source])
    assert attnxai.explain(known, images, "cam").splits[2:] == (Split.HELD_OUT, Split.TRAINING)


def test_hashes_differ_by_name_shape_and_precision() -> None:
    values = torch.arange(4.0)

    def with_buffer(name: str, buffer: torch.Tensor) -> nn.Module:
        module = nn.Module()
        module.register_buffer(name, buffer)
        return module

    digests = {
        weights_sha256(with_buffer(*given))
        for given in (
            ("a", values),
            ("b", values),
            ("a", values.reshape(2, 2)),
            ("a", values.bfloat16()),
            ("a", torch.tensor(1.0)),
        )
    }
    assert len(digests) == 5
    assert weights_sha256(with_buffer("a", values.clone())) in digests


def test_the_module_is_left_as_it_was() -> None:
    module = seeded(ResidualNetwork).double().train()
    module.norms[1].eval()  # type: ignore[index, union-attr]
    modes = [one.training for one in module.modules()]
    state = {name: value.clone() for name, value in module.state_dict().items()}
    model = wrapped(module)
    scores = class_scores(model, sources(4, 2))
    assert scores.shape == (4, 2)
    assert [one.training for one in module.modules()] == modes
    assert model.network.training
    assert all(torch.equal(state[name], value) for name, value in module.state_dict().items())
    assert not any(one._forward_hooks for one in module.modules())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_modules_of_any_precision(dtype: torch.dtype) -> None:
    images = sources(4, 2)
    expected = class_scores(wrapped(seeded(ResidualNetwork)), images)
    scores = class_scores(wrapped(seeded(ResidualNetwork).to(dtype)), images)
    np.testing.assert_allclose(scores, expected, rtol=0.05, atol=0.02)


def test_modules_without_parameters() -> None:
    model = wrapped(Brightness())
    assert class_scores(model, sources(3, 2)).shape == (3, 2)
    assert model_provenance(model)["n_parameters"] == 0


def test_one_score_without_its_axis_is_taken_also_for_a_single_image() -> None:
    model = wrapped(Returning(lambda images: images.mean(dim=(1, 2, 3)).squeeze()))
    assert class_scores(model, sources(3, 2), batch_size=1).shape == (3, 2)


def test_splits_are_unknown_unless_stated() -> None:
    images = sources(4, 2)
    network = seeded(ResidualNetwork)

    def splits(**options: Any) -> tuple[Split, ...]:
        return attnxai.explain(wrapped(network, **options), images, "cam").splits

    assert splits() == (Split.UNKNOWN,) * 4
    stated = splits(train_sources=["s2_0"], validation_sources={"s2_1"})
    assert stated == (Split.TRAINING, Split.VALIDATION, Split.HELD_OUT, Split.HELD_OUT)


REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "tuple": (
        lambda x: (x, x),
        {},
        r"returns a tuple of 2; wrap a module that returns the class scores alone",
    ),
    "dictionary": (lambda x: {"logits": x}, {}, "returns a dictionary of logits; wrap a module"),
    "number of classes": (
        lambda x: x.new_zeros(len(x), 3),
        {},
        r"returns the shape \(2, 3\) for 2 images and 2 class names; .* \(2, 2\), .* or \(2, 1\), one score for both",
    ),
    "one score for three classes": (
        lambda x: x.new_zeros(len(x), 1),
        {"class_names": ("a", "b", "c")},
        r"returns the shape \(2, 1\) for 2 images and 3 class names; .* \(2, 3\), a score for each class$",
    ),
    "not finite": (
        lambda x: x.new_full((len(x), 2), np.nan),
        {},
        "for blank sky that are not finite",
    ),
    "probabilities": (
        lambda x: x.new_full((len(x), 2), 0.5),
        {},
        "returns probabilities, which add up to 1; wrap it without its last softmax",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_a_score_for_each_class_is_refused(case: str) -> None:
    function, options, match = REFUSED[case]
    with pytest.raises(SpecificationError, match=f"the module Returning .*{match}"):
        wrapped(Returning(function), **options)


def test_channels_and_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(
        SpecificationError, match=r"ResNet fails for images of the shape \(2, 1, 48, 48\)"
    ):
        wrapped(seeded(ResNet))
    flat = nn.Sequential(nn.Conv2d(1, 2, 5), nn.Flatten(), nn.Linear(2 * 28 * 28, 2))
    with pytest.raises(
        SpecificationError, match="give the size that it was trained on in preprocessing"
    ):
        wrapped(flat)
    smaller = dataclasses.replace(PREPROCESSING, size=32)
    assert wrapped(flat, preprocessing=smaller).spec.n_classes == 2


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"channels": 0}, "channels has to be a whole number from 1 to 4096, got 0"),
        ({"class_names": "FR I"}, "class_names needs the names of two classes or more"),
        ({"class_names": ("FR I",)}, "class_names needs the names of two classes or more"),
        ({"class_names": ("FR I", "FR I")}, "two of its classes have one name"),
        ({"preprocessing": 48}, "preprocessing has to be an attnxai.models.Preprocessing, got int"),
        ({"layer": "layer9"}, r"unknown layer 'layer9'.*known layers are .*first"),
        ({"temperature": 0.0}, "temperature has to lie between"),
        ({"train_sources": "s1"}, "train_sources needs the ids of sources"),
        ({"validation_sources": ["s1"]}, "validation_sources need train_sources as well"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], match: str) -> None:
    with pytest.raises(AttnxaiError, match=match):
        wrapped(seeded(ResidualNetwork), **options)


def test_only_modules_are_wrapped() -> None:
    model = wrapped(seeded(ResidualNetwork))
    with pytest.raises(
        SpecificationError, match="is needed, got AttentionModel; it is a model already"
    ):
        wrapped(model)  # type: ignore[arg-type]
    with pytest.raises(SpecificationError, match=r"a torch\.nn\.Module is needed, got str"):
        wrapped("network.pt")  # type: ignore[arg-type]


def test_what_needs_gates_or_a_file_is_refused(tmp_path: Path) -> None:
    model = wrapped(seeded(ResidualNetwork), name="mine")
    for method in ("gates", "evidence"):
        with pytest.raises(
            CheckpointError, match=r"the model mine \(ResidualNetwork\) has no attention gates"
        ):
            attnxai.explain(model, sources(2, 2), method)
    with pytest.raises(CheckpointError, match="the model mine cannot be saved as a model file"):
        attnxai.save_model(model, tmp_path / "mine.pt")
    assert not list(tmp_path.iterdir())


def test_preprocessing_is_at_hand() -> None:
    assert attnxai.models.Preprocessing is Preprocessing
    assert attnxai.wrap is wrap
    assert issubclass(OptionError, AttnxaiError)
