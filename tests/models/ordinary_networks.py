"""Networks as a user has them: of plain torch, trained for seconds on simulated sources."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from attnxai.data.images import SourceImage
from attnxai.data.simulation import CLASS_NAMES, Survey, simulate_source
from attnxai.models.preprocessing import Preprocessing

PREPROCESSING = Preprocessing(size=48, pixel_scale_arcsec=5.4, mean=0.02, deviation=0.1)
SURVEY = Survey(side=50, pixel_scale_arcsec=5.4, beam_arcsec=13.5)


class BasicBlock(nn.Module):
    """Two convolutions and a shortcut, with one rectifier used twice, in place."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.downsample: nn.Module | None = None
        if stride > 1 or before != after:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)  # type: ignore[no-any-return]


class ResidualNetwork(nn.Module):
    """A small residual network without names that anyone could expect; everything but layers is functional."""

    def __init__(self, channels: int = 1, n_outputs: int = 2) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, 8, 5, stride=2, padding=2)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.third = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.fourth = nn.Conv2d(16, 16, 3, padding=1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(n) for n in (8, 16))
        self.score = nn.Linear(16, n_outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norms[0](self.first(x)))
        x = x + torch.relu(self.second(x))
        x = torch.relu(self.norms[1](self.third(x)))
        x = x + torch.relu(self.fourth(x))
        return self.score(x.mean(dim=(2, 3)))  # type: ignore[no-any-return]


class ResNet(nn.Module):
    """The residual network of torchvision, with its names of layers."""

    def __init__(self, width: int = 8, channels: int = 3, n_outputs: int = 2) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(BasicBlock(width, width), BasicBlock(width, width))
        self.layer2 = nn.Sequential(
            BasicBlock(width, 2 * width, 2), BasicBlock(2 * width, 2 * width)
        )
        self.layer3 = nn.Sequential(
            BasicBlock(2 * width, 4 * width, 2), BasicBlock(4 * width, 4 * width)
        )
        self.layer4 = nn.Sequential(
            BasicBlock(4 * width, 8 * width, 2), BasicBlock(8 * width, 8 * width)
        )
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(8 * width, n_outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))  # type: ignore[no-any-return]


@functools.cache
def sources(n: int, seed: int) -> tuple[SourceImage, ...]:
    """Simulated sources of both classes in turn."""
    rng = np.random.default_rng(seed)
    return tuple(
        simulate_source(CLASS_NAMES[i % 2], source=f"s{seed}_{i}", rng=rng, survey=SURVEY).image
        for i in range(n)
    )


def seeded(make: Callable[..., nn.Module], **options: int) -> nn.Module:
    """A network whose first weights are the same in every test."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make(**options)


def fit(network: nn.Module, *, channels: int, n_images: int = 96, epochs: int = 8) -> nn.Module:
    """Train on simulated sources, a turned and mirrored copy of each in every pass."""
    images = sources(n_images, 1)
    views = np.stack([PREPROCESSING.view(image).brightness for image in images])
    inputs = torch.from_numpy(PREPROCESSING.standardise(views))[:, None].expand(
        -1, channels, -1, -1
    )
    labels = torch.arange(n_images) % 2
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    rng = np.random.default_rng(0)
    network.train()
    for _ in range(epochs):
        for batch in np.array_split(rng.permutation(n_images), 4):
            turned = torch.rot90(inputs[batch], int(rng.integers(4)), (2, 3))
            scores = network(turned.flip(3) if rng.random() < 0.5 else turned)
            if scores.shape[1] == 1:
                loss = nn.functional.binary_cross_entropy_with_logits(
                    scores[:, 0], labels[batch].float()
                )
            else:
                loss = nn.functional.cross_entropy(scores, labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network.eval()


@functools.cache
def trained(make: Callable[..., nn.Module], *, channels: int = 1, n_outputs: int = 2) -> nn.Module:
    """A trained network, once for all tests, which leave it as it is."""
    return fit(seeded(make, channels=channels, n_outputs=n_outputs), channels=channels)
