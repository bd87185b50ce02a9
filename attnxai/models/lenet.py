"""The LeNets of Scaife & Porter (2021, arXiv 2102.08252): ordinary, and steerable under C_N or D_N.

They have no attention gates, so their maps have to come from attribution methods.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from attnxai.data.short_repr import short_value
from attnxai.errors import SpecificationError
from attnxai.models.specification import (
    Architecture,
    SymmetryGroup,
    checked_values,
    plain_values,
)
from attnxai.models.steerable import (
    SharedBases,
    SteerableConv2d,
    he_normal_,
    pool_over_group,
    soft_disc,
)

_MOST = 65536
DISC_MARGIN = 1.0
# Width in pixels of the Gaussian behind each pooling of a steerable LeNet (Zhang 2019,
# arXiv 1904.11486), as e2cnn has it by default.
_BLUR = 0.6


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LeNetSpec:
    """Everything needed to rebuild a LeNet, except its weights.

    Parameters
    ----------
    architecture : Architecture
        ``LENET`` (ordinary convolutions with bias, plain max-pooling) or ``STEERABLE_LENET``
        (steerable convolutions without bias, max-pooling with a Gaussian blur, pooling over the group).
    group : str
        Name of the symmetry group, ``C1`` for the ordinary one.
    side : int
        Side of the images in pixels; the first linear layer takes no other.
    trailing_pixels : int
        Empty rows below and columns right of the image, that make it ``side + trailing_pixels``.
    empty_value : float
        Value of an empty pixel after preprocessing, with which they are filled.
    fields : tuple of 2 ints
        Feature fields of the two convolutions.
    kernel_size, convolution_padding : int
        Side of the kernels, and zeros on every side before a convolution.
    hidden : tuple of 2 ints
        Widths of the two linear layers before the last.
    disc : bool
        Whether the image is multiplied by a soft disc of 99 % of its width.
    n_classes : int
        Classes that the network tells apart.
    dropout : float
        Probability with which values before the last layer are dropped in training.

    Examples
    --------
    >>> LeNetSpec(architecture=Architecture.STEERABLE_LENET, group="D16").flattened_side
    11
    """

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
        group = SymmetryGroup.from_name(self.group)
        object.__setattr__(self, "group", group.name)
        if self.architecture not in (Architecture.LENET, Architecture.STEERABLE_LENET):
            raise SpecificationError(f"{self.architecture!s} is no LeNet")
        object.__setattr__(self, "architecture", Architecture(self.architecture))
        for name in ("fields", "hidden"):
            values = tuple(int(v) for v in getattr(self, name))
            object.__setattr__(self, name, values)
            if len(values) != 2 or not 1 <= min(values) <= max(values) <= _MOST:
                raise SpecificationError(
                    f"{name} needs two numbers from 1 to {_MOST}, got {short_value(values)}"
                )
        if self.architecture is Architecture.LENET and group.size != 1:
            raise SpecificationError(
                f"an ordinary LeNet has no symmetry group, got {self.group}; use the architecture "
                "steerable_lenet"
            )
        if self.kernel_size not in (3, 5, 7, 9):
            raise SpecificationError(f"kernel_size has to be 3, 5, 7 or 9, got {self.kernel_size}")
        if not 0 <= self.convolution_padding < self.kernel_size:
            raise SpecificationError(
                f"convolution_padding has to lie between 0 and {self.kernel_size - 1}, got "
                f"{self.convolution_padding}"
            )
        if not 2 <= self.n_classes <= _MOST or not 0 <= self.dropout < 1:
            raise SpecificationError(
                f"n_classes has to be 2 to {_MOST} (got {self.n_classes}) and dropout to lie in [0, 1) "
                f"(got {self.dropout})"
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
    def symmetry(self) -> SymmetryGroup:
        """The group as an object."""
        return SymmetryGroup.from_name(self.group)

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

    def to_dict(self) -> dict[str, Any]:
        """Plain values that a checkpoint can hold."""
        return plain_values(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LeNetSpec:
        """Rebuild a specification, refusing names and types that it does not know."""
        return cls(**checked_values(cls, values))


def blurred_max_pool(features: torch.Tensor) -> torch.Tensor:
    """Halve the side of features without aliasing: dense maximum over 2 x 2 pixels, Gaussian, stride 2.

    Parameters
    ----------
    features : Tensor, shape (batch, channels, height, width)
        Every channel is pooled on its own.

    Returns
    -------
    pooled : Tensor, shape (batch, channels, height // 2, width // 2)
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


class LeNet(nn.Module):
    """Two convolutions with a pooling after each, and three linear layers.

    Images are (batch, 1, side, side), already through the model's preprocessing; the result is
    (batch, n_classes) scores.

    Parameters
    ----------
    spec : LeNetSpec
        What to build.
    bases : mapping of str to Tensor, shape (n_basis, size_out, size_in, k, k), optional
        Filter bases that belong to the weights, under the names of their convolutions
        (``convolutions.0``).
    generator : torch.Generator, optional
        Draws the first weights. Left out, the weights wait to be loaded.

    Raises
    ------
    SpecificationError
        If a basis does not fit.
    """

    def __init__(
        self,
        spec: LeNetSpec,
        *,
        bases: Mapping[str, torch.Tensor] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.spec = spec
        # torch fills layers at random as it makes them, from the global state
        with torch.random.fork_rng(devices=()):
            self._build(bases, generator)
        if generator is not None:
            for module in self.modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    he_normal_(module.weight, generator)
                    if module.bias is not None:
                        nn.init.zeros_(module.bias)

    def _build(
        self, bases: Mapping[str, torch.Tensor] | None, generator: torch.Generator | None
    ) -> None:
        spec = self.spec
        shared = SharedBases(spec.symmetry, spec.kernel_size, bases)
        convolutions: list[nn.Module] = []
        for index, (fields_in, fields_out) in enumerate(
            zip((1, spec.fields[0]), spec.fields, strict=True)
        ):
            if spec.architecture is Architecture.STEERABLE_LENET:
                basis = shared.of_layer(f"convolutions.{index}", lifting=index == 0)
                convolutions.append(
                    SteerableConv2d(
                        basis,
                        fields_in,
                        fields_out,
                        generator=generator,
                        padding=spec.convolution_padding,
                    )
                )
            else:
                convolutions.append(
                    nn.Conv2d(
                        fields_in, fields_out, spec.kernel_size, padding=spec.convolution_padding
                    )
                )
        shared.check_none_is_left()
        self.convolutions = nn.ModuleList(convolutions)
        widths = (spec.fields[1] * spec.flattened_side**2, *spec.hidden, spec.n_classes)
        self.linears = nn.ModuleList(
            nn.Linear(before, after) for before, after in itertools.pairwise(widths)
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
            disc = soft_disc(*features.shape[-2:], margin=DISC_MARGIN)
            features = features * disc.to(device=features.device, dtype=features.dtype)
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
