"""Methods for any network, on networks of plain PyTorch that were trained in seconds."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from torch import nn

import attnxai
from attnxai.classification.prediction import class_labels, class_scores
from attnxai.data.emission import emission_mask
from attnxai.data.simulation import CLASS_NAMES
from attnxai.explanations.stack import MapStack
from attnxai.models.model import AttentionModel
from attnxai.models.wrapped import wrap
from tests.models.ordinary_networks import PREPROCESSING, ResidualNetwork, ResNet, sources, trained

MAKERS: dict[str, tuple[Callable[..., nn.Module], int]] = {
    "ResidualNetwork": (ResidualNetwork, 1),
    "ResNet": (ResNet, 3),
}
NAMES = tuple(MAKERS)


def model_of(name: str, **options: Any) -> AttentionModel:
    make, channels = MAKERS[name]
    module = trained(make, channels=channels)
    return wrap(
        module, preprocessing=PREPROCESSING, class_names=CLASS_NAMES, channels=channels, **options
    )


@functools.cache
def explained(name: str, method: str) -> MapStack:
    return attnxai.explain(model_of(name), sources(12, 2), method)


@pytest.mark.parametrize("name", NAMES)
def test_the_networks_have_learned_something(name: str) -> None:
    images = sources(40, 2)
    scores = class_scores(model_of(name), images)
    assert (scores.argmax(axis=1) == class_labels(model_of(name), images)).mean() > 0.75


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["cam", "gradcam", "occlusion"])
def test_maps_of_any_network_have_scores_and_a_place(name: str, method: str) -> None:
    stack = explained(name, method)
    assert list(stack.layers) == [method]
    np.testing.assert_allclose(
        np.asarray(stack.scores), class_scores(model_of(name), sources(12, 2)), atol=1e-4
    )
    (maps,) = stack.layers.values()
    assert maps.std() > 0


def test_grad_cam_of_the_averaged_layer_is_the_rectified_class_activation_map() -> None:
    """Selvaraju et al. (2017): for such networks the two are the same."""
    model = model_of("ResNet", layer="layer4")
    images = sources(6, 2)
    both = attnxai.explain(model, images, ["cam", "gradcam"])
    assert both.geometry["cam"] == both.geometry["gradcam"]
    np.testing.assert_allclose(
        both.layers["gradcam"], np.maximum(both.layers["cam"], 0.0), atol=1e-6
    )


@pytest.mark.parametrize("name", NAMES)
def test_occlusion_of_empty_sky_changes_nothing(name: str) -> None:
    stack = explained(name, "occlusion")
    maps = np.abs(stack.layers["occlusion"])
    assert maps.shape[1:] == (48, 48)
    emission = emission_mask(stack.brightness)
    assert (maps * emission).sum() / emission.sum() > 2 * (maps * ~emission).sum() / (
        ~emission
    ).sum()
