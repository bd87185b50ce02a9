"""Convolutions whose filters are steerable under a group, on the kernel bases of e2cnn.

e2cnn solves the kernel constraint and samples the basis; from there on a steerable convolution is an
ordinary one whose filter is a weighted sum of basis filters. Keeping only the basis of one input and
one output field, shared by all layers of a network, makes building a network fast and its file small.
"""

from __future__ import annotations

import functools
import math
import warnings

import torch
from torch import nn

from attnxai.models.e2cnn_numpy2 import import_e2cnn
from attnxai.models.specification import SymmetryGroup


@functools.lru_cache(maxsize=32)
def steerable_basis(group: SymmetryGroup, kernel_size: int, *, lifting: bool) -> torch.Tensor:
    """Basis of the filters between two fields, as e2cnn samples it with its default settings.

    Parameters
    ----------
    group : SymmetryGroup
        Group under which the filters are steerable.
    kernel_size : int
        Side of the filters in pixels.
    lifting : bool
        From a scalar image to a regular field when true, from regular to regular otherwise.

    Returns
    -------
    basis : Tensor, shape (n_basis, size_out, size_in, kernel_size, kernel_size)
        Shared between callers and not to be changed.
    """
    e2cnn = import_e2cnn()
    n = group.order
    if group.reflections:
        space = e2cnn.gspaces.Flip2dOnR2() if n == 1 else e2cnn.gspaces.FlipRot2dOnR2(n)
    else:
        space = e2cnn.gspaces.TrivialOnR2() if n == 1 else e2cnn.gspaces.Rot2dOnR2(n)
    regular = e2cnn.nn.FieldType(space, [space.regular_repr])
    scalar = e2cnn.nn.FieldType(space, [space.trivial_repr])
    with warnings.catch_warnings():
        # e2cnn indexes with uint8, which torch calls deprecated
        warnings.simplefilter("ignore")
        convolution = e2cnn.nn.R2Conv(
            scalar if lifting else regular, regular, kernel_size, bias=False, initialize=False
        )
    (block,) = (
        module
        for module in convolution.basisexpansion.children()
        if hasattr(module, "sampled_basis")
    )
    basis: torch.Tensor = block.sampled_basis.detach().clone()
    return basis.reshape(*basis.shape[:3], kernel_size, kernel_size)


class SteerableConv2d(nn.Module):
    """A convolution between feature fields whose filter is a weighted sum of basis filters.

    Parameters
    ----------
    basis : Tensor, shape (n_basis, size_out, size_in, k, k)
        Basis of the filters from one field to one field.
    fields_in, fields_out : int
        Numbers of fields. Channels are field-major: channel = field * size + element.
    generator : torch.Generator, optional
        Draws the first weights, in the manner of He et al. (2015) with every basis filter contributing
        the same variance; zeros when left out, for weights that are about to be loaded.
    """

    basis: torch.Tensor

    def __init__(
        self,
        basis: torch.Tensor,
        fields_in: int,
        fields_out: int,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        # not persistent: files hold weights, and the basis follows from group and kernel size
        self.register_buffer("basis", basis, persistent=False)
        weights = torch.zeros(fields_out, fields_in, basis.shape[0])
        if generator is not None:
            power = basis.square().sum(dim=(2, 3, 4)).mean(dim=1).clamp_min(1e-12)
            deviation = (2.0 / (fields_in * basis.shape[0] * power)).sqrt()
            weights = torch.randn(weights.shape, generator=generator) * deviation
        self.weights = nn.Parameter(weights)

    def dense_filter(self) -> torch.Tensor:
        """The filter of the equivalent ordinary convolution, (channels_out, channels_in, k, k)."""
        fields_out, fields_in, n_basis = self.weights.shape
        _, size_out, size_in, k, _ = self.basis.shape
        filters = self.weights.reshape(-1, n_basis) @ self.basis.reshape(n_basis, -1)
        filters = filters.reshape(fields_out, fields_in, size_out, size_in, k, k)
        return filters.permute(0, 2, 1, 3, 4, 5).reshape(
            fields_out * size_out, fields_in * size_in, k, k
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Convolve; the size stays as it is."""
        return nn.functional.conv2d(
            features, self.dense_filter(), padding=self.basis.shape[-1] // 2
        )


class FieldBatchNorm(nn.Module):
    """Batch norm whose statistics are shared by the |G| channels of a field.

    Parameters
    ----------
    fields : int
        Number of fields.
    size : int
        Channels of each field, |G|.
    """

    def __init__(self, fields: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.norm = nn.BatchNorm3d(fields)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Normalise (batch, fields * size, height, width)."""
        batch, channels, height, width = features.shape
        fields = features.reshape(batch, channels // self.size, self.size, height, width)
        normalised: torch.Tensor = self.norm(fields)
        return normalised.reshape(batch, channels, height, width)


def pool_over_group(features: torch.Tensor, size: int) -> torch.Tensor:
    """Maximum over the |G| channels of every field: maps that are invariant in their values."""
    batch, channels, height, width = features.shape
    return features.reshape(batch, channels // size, size, height, width).amax(dim=2)


def soft_disc(height: int, width: int) -> torch.Tensor:
    """Disc inscribed in the image, falling off smoothly at its rim.

    Returns
    -------
    disc : Tensor, shape (height, width)
        One inside, ``exp((r0^2 - r^2) / 4)`` outside the radius r0 = (side - 1) / 2 in pixels.

    Examples
    --------
    >>> round(float(soft_disc(150, 150)[0, 75]), 2)
    0.94
    """
    y = torch.arange(height, dtype=torch.float64) - (height - 1) / 2
    x = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
    radius_squared = y[:, None] ** 2 + x[None, :] ** 2
    limit = ((min(height, width) - 1) / 2) ** 2
    return torch.exp(-torch.clamp(radius_squared - limit, min=0.0) / 4.0).to(torch.float32)


def he_normal_(weight: torch.Tensor, generator: torch.Generator) -> None:
    """Fill an ordinary filter or matrix in place with normal values of variance 2 / fan-in."""
    deviation = math.sqrt(2.0 / weight[0].numel())
    with torch.no_grad():
        weight.copy_(torch.randn(weight.shape, generator=generator) * deviation)
