"""The LeNets of Scaife & Porter (2021, arXiv 2102.08252): ordinary, and steerable under C_N or D_N.

They have no attention gates, so their maps have to come from attribution methods.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import ClassVar

import torch
from torch import nn

from attnxai.errors import SpecificationError
from attnxai.models.row_linear import RowLinear
from attnxai.models.specification import Architecture, NetworkSpec
from attnxai.models.steerable import SharedBases, SpecifiedNetwork, pool_over_group, soft_disc

_MOST = 65536
DISC_MARGIN = 1.0
# Width in pixels of the Gaussian behind each pooling of a steerable LeNet (Zhang 2019,
# arXiv 1904.11486), as e2cnn has it by default.
_BLUR = 0.6


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LeNetSpec(NetworkSpec):
    """Everything needed to rebuild a LeNet, except its weights.

    An ordinary LeNet (``LENET``) has convolutions with bias and plain max-pooling; a steerable one
    (``STEERABLE_LENET``) steerable convolutions without bias, max-pooling with a Gaussian blur, and pooling over the group.
    Images have ``side`` pixels, and the first linear layer takes no other; ``trailing_pixels`` empty rows below and columns
    on the right, of ``empty_value`` after preprocessing, are added to them. ``hidden`` are the widths of the two linear
    layers before the last. With ``disc``, the image is multiplied by a soft disc of 99 % of its width.
    """

    architectures: ClassVar = (Architecture.LENET, Architecture.STEERABLE_LENET)

    architecture: Architecture
    group: str = "C1"
    side: int = 50
    trailing_pixels: int = 1
    empty_value: float = 0.0
    fields: tuple[int, ...] = (6, 16)
    kernel_size: int = 5
    convolution_padding: int = 1
    hidden: tuple[int, ...] = (120, 84)
    disc: bool = False
    n_classes: int = 2
    dropout: float = 0.5

    def __post_init__(self) -> None:
        group = self._settle()
        self._settle_numbers("fields", 2, _MOST)
        self._settle_numbers("hidden", 2, _MOST)
        if self.architecture is Architecture.LENET and group.size != 1:
            raise SpecificationError(
                f"an ordinary LeNet has no symmetry group, got {self.group}; use the architecture "
                "steerable_lenet"
            )
        if not 0 <= self.convolution_padding < self.kernel_size:
            raise SpecificationError(
                f"convolution_padding has to lie between 0 and {self.kernel_size - 1}, got "
                f"{self.convolution_padding}"
            )
        if not math.isfinite(self.empty_value):
            raise SpecificationError(f"empty_value has to be finite, got {self.empty_value}")
        if not 8 <= self.side <= _MOST or not 0 <= self.trailing_pixels <= self.side:
            raise SpecificationError(
                f"side has to be 8 or more (got {self.side}) and trailing_pixels 0 to the side (got "
                f"{self.trailing_pixels})"
            )
        if self.flattened_side < 1:
            raise SpecificationError(
                f"images of {self.side} pixels are too small for two kernels of {self.kernel_size} and "
                "two poolings"
            )

    @property
    def gate_names(self) -> tuple[str, ...]:
        """No gates."""
        return ()

    @property
    def flattened_side(self) -> int:
        """Side of the maps that the first linear layer takes."""
        side = self.side + self.trailing_pixels
        for _ in self.fields:
            side = (side + 2 * self.convolution_padding - self.kernel_size + 1) // 2
        return side


def blurred_max_pool(features: torch.Tensor) -> torch.Tensor:
    """Halve the side of every channel of (batch, channels, height, width) without aliasing.

    A dense maximum over 2 x 2 pixels, then a Gaussian with stride 2.
    """
    reach = round(4 * _BLUR)
    squares = torch.arange(-reach, reach + 1, dtype=torch.float32).square()
    blur = torch.exp(-(squares[:, None] + squares[None, :]) / (2 * _BLUR**2))
    blur = (blur / blur.sum()).to(device=features.device, dtype=features.dtype)
    dense = nn.functional.max_pool2d(features, 2, stride=1)
    batch, channels = dense.shape[:2]
    blurred = nn.functional.conv2d(
        dense.flatten(0, 1)[:, None], blur[None, None], stride=2, padding=reach
    )
    return blurred[:, 0].reshape(batch, channels, *blurred.shape[2:])


class LeNet(SpecifiedNetwork):
    """Two convolutions (``convolutions.0`` and ``.1``) with a pooling after each, and three linear layers."""

    spec: LeNetSpec

    def _build(self, shared: SharedBases, generator: torch.Generator | None) -> None:
        spec = self.spec
        self.convolutions = nn.ModuleList(
            shared.convolution(
                f"convolutions.{index}",
                fields_in,
                fields_out,
                steerable=spec.architecture is Architecture.STEERABLE_LENET,
                lifting=index == 0,
                generator=generator,
                padding=spec.convolution_padding,
            )
            for index, (fields_in, fields_out) in enumerate(
                zip((1, spec.fields[0]), spec.fields, strict=True)
            )
        )
        widths = (spec.fields[1] * spec.flattened_side**2, *spec.hidden, spec.n_classes)
        self.linears = nn.ModuleList(
            RowLinear(before, after) for before, after in itertools.pairwise(widths)
        )
        self.dropout = nn.Dropout(spec.dropout)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores of shape (batch, n_classes)."""
        spec = self.spec
        height, width = images.shape[-2:]
        if (height, width) != (spec.side, spec.side):
            raise SpecificationError(
                f"this LeNet takes images of {spec.side} x {spec.side} pixels, got {height} x {width}"
            )
        trailing = (0, spec.trailing_pixels) * 2
        features = nn.functional.pad(images, trailing, value=spec.empty_value)
        if spec.disc:
            features = features * soft_disc(*features.shape[-2:], margin=DISC_MARGIN).to(features)
        for convolution in self.convolutions:
            features = torch.relu(convolution(features))
            if spec.architecture is Architecture.STEERABLE_LENET:
                features = blurred_max_pool(features)
            else:
                features = nn.functional.max_pool2d(features, 2)
        features = pool_over_group(features, spec.symmetry.size).flatten(1)
        for linear in self.linears[:2]:
            features = torch.relu(linear(features))
        return self.linears[2](self.dropout(features))  # type: ignore[no-any-return]
