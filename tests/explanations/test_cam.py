"""Class activation maps: they add up to the score, lie where the features do, and are refused where there are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import attnxai
from attnxai.classification.prediction import class_scores
from attnxai.data.images import from_array
from attnxai.errors import CheckpointError
from attnxai.models.model import AttentionModel
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.wrapped import wrap
from tests.explanations.conftest import build_model
from tests.models.ordinary_networks import PREPROCESSING, ResidualNetwork, ResNet, seeded, sources

CLASSES = ("FR I", "FR II")


def wrapped(module: nn.Module, **options: Any) -> AttentionModel:
    return wrap(module, **{"preprocessing": PREPROCESSING, "class_names": CLASSES, **options})


class Pooled(nn.Module):
    """Features by layers, pooled in one of several ways, and scores by a linear layer or none."""

    def __init__(self, pool: Any, head: nn.Module | None = None) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 2, 5, stride=2, padding=2)
        self.pool, self.head = pool, head or nn.Linear(2, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(torch.relu(self.convolution(images))))  # type: ignore[no-any-return]


AVERAGES: dict[str, Any] = {
    "mean": lambda x: x.mean(dim=(2, 3)),
    "mean of means": lambda x: x.mean(dim=3).mean(dim=2),
    "adaptive": lambda x: nn.functional.adaptive_avg_pool2d(x, 1).flatten(1),
    "flattened": lambda x: x.flatten(2).mean(dim=2),
}


def _bias(module: nn.Module) -> np.ndarray:
    linear = [one for one in module.modules() if isinstance(one, nn.Linear)][-1]
    return linear.bias.detach().double().numpy()


@pytest.mark.parametrize(
    ("make", "options", "dtype", "tolerance"),
    [
        (ResidualNetwork, {}, torch.float64, 1e-10),
        (ResidualNetwork, {}, torch.float32, 1e-5),
        (ResidualNetwork, {}, torch.bfloat16, 0.03),
        (ResNet, {"channels": 3}, torch.float64, 1e-10),
        (ResNet, {"channels": 3}, torch.float32, 1e-5),
    ],
)
def test_maps_and_bias_add_up_to_the_score(
    make: type[nn.Module], options: dict[str, int], dtype: torch.dtype, tolerance: float
) -> None:
    module = seeded(make, **options).to(dtype).eval()
    model = wrapped(module, **options)
    images = sources(3, 2)
    scores, bias = class_scores(model, images), _bias(module)
    stack = attnxai.explain(model, images, "cam", target="FR II")
    maps = stack.layers["cam"].astype(np.float64)
    absolute = np.abs(maps).sum(axis=(1, 2)) + abs(bias[1])
    error = np.abs(maps.sum(axis=(1, 2)) + bias[1] - scores[:, 1])
    assert (error <= tolerance * absolute).all()
    np.testing.assert_allclose(np.asarray(stack.scores), scores, atol=tolerance)
    difference = attnxai.explain(model, images, "cam", target=CLASSES).layers["cam"]
    error = np.abs(difference.sum(axis=(1, 2)) + bias[0] - bias[1] - (scores[:, 0] - scores[:, 1]))
    assert (error <= tolerance * absolute * 2).all()


def test_a_map_by_hand() -> None:
    first, last = nn.Conv2d(1, 1, 1, bias=False), nn.Linear(1, 2)
    module = nn.Sequential(first, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), last)
    with torch.no_grad():
        first.weight.fill_(2.0)
        last.weight[:] = torch.tensor([[1.0], [-3.0]])
    pixels = np.zeros((10, 10), np.float32)
    pixels[3, 4], pixels[7, 1] = 1.0, 0.5
    image = from_array(pixels, source="a", prepared=True, pixel_scale_arcsec=1.8)
    model = wrapped(module, preprocessing=Preprocessing(size=10))
    for target, weight in (("FR I", 1.0), ("FR II", -3.0), (("FR I", "FR II"), 4.0)):
        maps = attnxai.explain(model, [image], "cam", target=target).layers["cam"]
        np.testing.assert_allclose(maps[0], weight * 2.0 * pixels / 100, atol=1e-7)


@pytest.mark.parametrize("how", AVERAGES)
def test_averages_in_any_form_are_found(how: str) -> None:
    model = wrapped(Pooled(AVERAGES[how]))
    stack = attnxai.explain(model, sources(2, 2), "cam")
    assert stack.layers["cam"].shape == (2, 24, 24)
    assert stack.geometry["cam"].step == 2.0
    assert stack.geometry["cam"].origin_x == 0.0


def test_averages_that_are_the_scores_themselves_need_no_linear_layer() -> None:
    module = Pooled(AVERAGES["mean"], nn.Identity())
    images = sources(2, 2)
    stack = attnxai.explain(wrapped(module), images, "cam", target="FR I")
    scores = class_scores(wrapped(module), images)
    np.testing.assert_allclose(stack.layers["cam"].sum(axis=(1, 2)), scores[:, 0], rtol=1e-5)


def test_one_score_for_two_classes_is_shared_by_both() -> None:
    module = seeded(ResidualNetwork, n_outputs=1)
    model = wrapped(module)
    images = sources(2, 2)
    first, second = (
        attnxai.explain(model, images, "cam", target=name).layers["cam"] for name in CLASSES
    )
    np.testing.assert_allclose(first, -second)
    total = second.astype(np.float64).sum(axis=(1, 2)) + _bias(module)[0] / 2
    np.testing.assert_allclose(total, class_scores(model, images)[:, 1], rtol=1e-5)


def test_the_layer_of_grad_cam_plays_no_part() -> None:
    images = sources(2, 2)
    by_name, found = (
        attnxai.explain(wrapped(seeded(ResNet), channels=3, layer=layer), images, "cam")
        for layer in ("layer3", "")
    )
    np.testing.assert_array_equal(by_name.layers["cam"], found.layers["cam"])
    assert by_name.geometry == found.geometry


NO_AVERAGES: dict[str, Any] = {
    "sum": (lambda x: x.sum(dim=(2, 3)), None),
    "maximum": (lambda x: x.amax(dim=(2, 3)), None),
    "two linear layers": (
        AVERAGES["mean"],
        nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2)),
    ),
    "flat": (lambda x: x.flatten(1), nn.Linear(2 * 24 * 24, 2)),
}


@pytest.mark.parametrize("case", NO_AVERAGES)
def test_other_heads_are_refused_by_name(case: str) -> None:
    model = wrapped(Pooled(*NO_AVERAGES[case]), name="mine")
    with pytest.raises(
        CheckpointError,
        match=r"scores of the model mine \(Pooled\) are not a linear layer of the averages .*--explain gradcam",
    ):
        attnxai.explain(model, sources(2, 2), "cam")


def test_every_image_is_checked() -> None:
    """A network whose scores are those of its averages for faint images alone."""

    class Switching(Pooled):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            bright = images.mean(dim=(1, 2, 3)) > 0.5
            return super().forward(images) + bright[:, None] * images.new_tensor([0.5, 0.0])

    pixels = np.zeros((17, 12, 12), np.float32)
    pixels[16], pixels[:, 5, 6] = 0.9, 1.0
    images = [
        from_array(one, source=f"s{i}", prepared=True, pixel_scale_arcsec=1.8)
        for i, one in enumerate(pixels)
    ]
    model = wrapped(Switching(AVERAGES["mean"]), preprocessing=Preprocessing(size=12))
    assert attnxai.explain(model, images[:16], "cam").layers["cam"].shape == (16, 6, 6)
    with pytest.raises(CheckpointError, match="do not add up to the class scores of all images"):
        attnxai.explain(model, images, "cam")


def test_networks_of_this_package_are_refused_by_name() -> None:
    model = build_model()
    pixels = np.random.default_rng(0).random((30, 30)).astype(np.float32)
    image = from_array(pixels, source="a", prepared=True, pixel_scale_arcsec=1.8)
    with pytest.raises(
        CheckpointError, match=r"\(equivariant attention\).*--explain evidence or gradcam"
    ):
        attnxai.explain(model, [image], "cam")
