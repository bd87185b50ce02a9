"""Networks whose attributions are known, models of them, and images with one or a few bright pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from attnxai.data.images import SourceImage, from_array
from attnxai.explanations.stack import MapStack
from attnxai.models.model import AttentionModel
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.wrapped import wrap

SIDE = 16
CLASSES = ("FR I", "FR II")


class Linear(nn.Module):
    """Scores w . x + b."""

    def __init__(self, side: int = SIDE) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.weight = nn.Parameter(torch.randn(2, side, side, generator=generator))
        self.bias = nn.Parameter(torch.tensor([0.3, -0.2]))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.einsum("nij,kij->nk", images[:, 0], self.weight) + self.bias


class Quadratic(Linear):
    """Scores w . x^2."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images * images)


class Residual(nn.Module):
    """An ordinary residual network: rectifiers used twice and in place, an overlapping max-pooling, a strided skip."""

    def __init__(self, *, preactivated: bool = False) -> None:
        super().__init__()
        self.preactivated = preactivated
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.relu = nn.ReLU(inplace=not preactivated)
        self.first = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.second = nn.Conv2d(6, 6, 3, padding=1)
        self.skip = nn.Conv2d(4, 6, 1, stride=2)
        self.head = nn.Linear(6, 2)
        generator = torch.Generator().manual_seed(5)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(0.4 * torch.randn(parameter.shape, generator=generator))
            self.norm.running_var.fill_(0.7)  # type: ignore[union-attr]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.pool(self.relu(self.stem(images)))
        if self.preactivated:
            changed = self.second(self.relu(self.norm(self.first(self.relu(features)))))
            features = changed + self.skip(features)
        else:
            changed = self.second(self.relu(self.norm(self.first(features))))
            features = self.relu(changed + self.skip(features))
        return self.head(features.mean(dim=(2, 3)))  # type: ignore[no-any-return]


def model_of(network: nn.Module, side: int = SIDE, **preprocessing: Any) -> AttentionModel:
    """A model of any network, with blank sky that is not 0."""
    options = {"mean": 0.1, "deviation": 0.5} | preprocessing
    return wrap(
        network.eval(),
        preprocessing=Preprocessing(size=side, **options),
        class_names=CLASSES,
        name="toy",
    )


def image_of(pixels: np.ndarray, source: str = "s0") -> SourceImage:
    return from_array(pixels, source=source, pixel_scale_arcsec=1.8, prepared=True)


def sources(n: int = 2, side: int = SIDE) -> list[SourceImage]:
    """Blank sky with an island of emission and a bright pixel, different in each image."""
    images = []
    for index in range(n):
        rng = np.random.default_rng(index)
        pixels = np.zeros((side, side))
        row, column = rng.integers(2, side - 6, 2)
        pixels[row : row + 3, column : column + 4] = rng.integers(20, 255, (3, 4))
        pixels[side - 2, 1 + index] = 255.0
        images.append(image_of(pixels, f"s{index}"))
    return images


def one_pixel(row: int, column: int, side: int = SIDE) -> SourceImage:
    pixels = np.zeros((side, side))
    pixels[row, column] = 255.0
    return image_of(pixels)


def inputs_and_blank(model: AttentionModel, images: list[SourceImage]) -> tuple[torch.Tensor, ...]:
    """What the network sees of images and of blank sky, by hand."""
    seen = np.stack([model.preprocessing.view(image).brightness for image in images])
    standardised = (seen - model.preprocessing.mean) / model.preprocessing.deviation
    blank = np.full_like(seen[:1], -model.preprocessing.mean / model.preprocessing.deviation)
    return tuple(torch.from_numpy(x.astype(np.float32))[:, None] for x in (standardised, blank))


def maps_of(stack: MapStack) -> np.ndarray:
    """Maps of a stack with one layer."""
    (maps,) = stack.layers.values()
    return np.asarray(maps)


def bare(method: Any) -> Any:
    """The function of a method, called as :class:`ExplanationMethod` does."""

    def call(model: AttentionModel, images: list[SourceImage], **options: Any) -> MapStack:
        with torch.no_grad():
            return method(model, images, **options)  # type: ignore[no-any-return]

    return call


def explained_by(
    method: Any, model: AttentionModel, images: list[SourceImage], target: str, rng: int = 0
) -> MapStack:
    return method(model, images, target=target, rng=np.random.default_rng(rng))  # type: ignore[no-any-return]
