"""
A network of your own
=====================

Train a small residual network of plain PyTorch on simulated sources, and compare its maps with annotations.

The part that concerns attnxai is ``main``; everything before it stands for a network that you have.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

import attnxai
from attnxai.data.simulation import CLASS_NAMES, Survey, simulate_source

PREPROCESSING = attnxai.models.Preprocessing(
    size=48, pixel_scale_arcsec=5.4, mean=0.02, deviation=0.1
)
SURVEY = Survey(side=50, pixel_scale_arcsec=5.4, beam_arcsec=13.5)


class Block(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, padding=1)
        self.second = nn.Conv2d(after, after, 3, padding=1)
        self.shortcut = nn.Conv2d(before, after, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features of half the side, with a stride of 2."""
        return torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))


def train(n_images: int = 128, n_epochs: int = 10) -> nn.Module:
    """A network that tells FR I from FR II, trained for seconds."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = nn.Sequential(
        Block(1, 8, 2), Block(8, 16, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 2)
    )
    labels = torch.arange(n_images) % 2
    images = [
        simulate_source(CLASS_NAMES[label], source=f"training_{i}", rng=rng, survey=SURVEY).image
        for i, label in enumerate(labels)
    ]
    views = np.stack([PREPROCESSING.view(image).brightness for image in images])
    inputs = torch.from_numpy(PREPROCESSING.standardise(views))[:, None]
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(n_epochs):
        for batch in rng.permutation(n_images).reshape(8, -1):
            loss = nn.functional.cross_entropy(network(inputs[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return network


def main(network: nn.Module) -> attnxai.AgreementResult:
    """Compare Grad-CAM maps with the sample that ships; ``write_report`` of the result makes the page."""
    model = attnxai.wrap(
        network,
        preprocessing=PREPROCESSING,
        class_names=CLASS_NAMES,
        name="my network",
        layer="1",  # the last block, as by default
    )
    annotations = attnxai.read_annotations("expert.csv")
    images = attnxai.read_images(annotations.image_files().values())
    maps = attnxai.explain(model, images, "gradcam")
    settings = attnxai.ComparisonSettings(
        metrics=("nss", "spearman", "auc")
    )  # for maps with a sign
    return attnxai.compare(maps, annotations, images, settings=settings)


if __name__ == "__main__":
    result = main(train())
    result.plot(metric="nss")
    print(result.summary())
