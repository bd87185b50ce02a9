"""Random rotations, reflections, scalings and shifts of a batch of images, on its device."""

from __future__ import annotations

import math

import torch
from torch import nn

from attnxai.training.settings import TrainingSettings


def augmented(
    images: torch.Tensor, settings: TrainingSettings, *, generator: torch.Generator
) -> torch.Tensor:
    """Change every image of (batch, channels, side, side) in its own way; new pixels are 0.

    The factor of magnification is uniform in its logarithm. Random numbers are drawn on the CPU, so that a
    seed means the same on every device.
    """
    n, side = images.shape[0], images.shape[-1]
    angle = torch.rand(n, generator=generator) * (2 * math.pi)
    flip = 1.0 - 2.0 * (torch.rand(n, generator=generator) < 0.5).float()
    exponent = 2 * torch.rand(n, generator=generator) - 1
    # the grid runs from -1 to 1 over the side
    shift = (2 * torch.rand(n, 2, generator=generator) - 1) * (2 * settings.shift / side)
    if not settings.rotate:
        angle = torch.zeros(n)
    if not settings.reflect:
        flip = torch.ones(n)
    scale = settings.scale**exponent
    cosine, sine = torch.cos(angle) / scale, torch.sin(angle) / scale
    rows = [
        torch.stack([cosine * flip, -sine, shift[:, 0]], dim=1),
        torch.stack([sine * flip, cosine, shift[:, 1]], dim=1),
    ]
    matrix = torch.stack(rows, dim=1).to(device=images.device, dtype=images.dtype)
    grid = nn.functional.affine_grid(matrix, list(images.shape), align_corners=False)
    return nn.functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )
