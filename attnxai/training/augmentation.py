"""Random rotations, reflections and scalings of a batch of images, on its device."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import nn


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """Ranges of the random changes.

    Parameters
    ----------
    rotate : bool
        Rotate by any angle.
    reflect : bool
        Reflect half of the images.
    scale_low, scale_high : float
        Range of magnifications.
    """

    rotate: bool = True
    reflect: bool = True
    scale_low: float = 0.9
    scale_high: float = 1.1

    def apply(self, images: torch.Tensor, *, generator: torch.Generator) -> torch.Tensor:
        """Change every image of (batch, 1, side, side) in its own way; new pixels are 0."""
        n = images.shape[0]
        angle = torch.rand(n, generator=generator) * (2 * math.pi)
        flip = 1.0 - 2.0 * (torch.rand(n, generator=generator) < 0.5).float()
        span = self.scale_high - self.scale_low
        scale = self.scale_low + span * torch.rand(n, generator=generator)
        if not self.rotate:
            angle = torch.zeros(n)
        if not self.reflect:
            flip = torch.ones(n)
        cosine, sine = torch.cos(angle) / scale, torch.sin(angle) / scale
        zero = torch.zeros(n)
        rows = [
            torch.stack([cosine * flip, -sine, zero], dim=1),
            torch.stack([sine * flip, cosine, zero], dim=1),
        ]
        matrix = torch.stack(rows, dim=1).to(device=images.device, dtype=images.dtype)
        grid = nn.functional.affine_grid(matrix, list(images.shape), align_corners=False)
        return nn.functional.grid_sample(
            images, grid, mode="bilinear", padding_mode="zeros", align_corners=False
        )
