"""Convolutions whose filters are steerable under a group, on the kernel bases of e2cnn.

e2cnn solves the kernel constraint and samples the basis; from there on a steerable convolution is an
ordinary one whose filter is a weighted sum of basis filters. Keeping only the basis of one input and
one output field, shared by all layers of a network, makes building a network fast and its file small.
A network can also be built on bases that come with its weights, without e2cnn.
"""

from __future__ import annotations

import abc
import functools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from attnxai.errors import SpecificationError
from attnxai.models.bases import steerable_basis
from attnxai.models.convolution_paths import fourier_is_faster
from attnxai.models.prepared import (
    PreparableModule,
    convolve,
    convolved_image,
    is_followed,
    takes_compiled,
)
from attnxai.models.specification import NetworkSpec, SymmetryGroup

if TYPE_CHECKING:
    from attnxai.models.fourier_convolution import FourierConvolution
    from attnxai.models.group_fourier import Harmonics


class FilterBasis(nn.Module):
    """Filters of shape (n_basis, size_out, size_in, k, k) from one field to one field, shared by convolutions.

    A module of its own, so that moving a network moves the basis once and not once for each layer. It is
    ``given`` if it came with the weights instead of following from group and kernel. The ``group`` may be unknown.
    """

    filters: torch.Tensor

    def __init__(
        self, filters: torch.Tensor, *, group: SymmetryGroup | None = None, given: bool = False
    ) -> None:
        super().__init__()
        # not persistent: files hold weights, and the basis follows from group and kernel size
        self.register_buffer("filters", filters, persistent=False)
        self.group, self.given = group, given

    @functools.cached_property
    def harmonics(self) -> Harmonics | None:
        """Harmonics of filters between regular fields; None of other filters."""
        return self._harmonics(self.filters)

    @functools.cached_property
    def adjoint_harmonics(self) -> Harmonics | None:
        """Harmonics of the filters of adjoint convolutions: inputs and outputs swapped, turned by 180 degrees."""
        return self._harmonics(self.filters.transpose(1, 2).flip(3, 4))

    def _harmonics(self, filters: torch.Tensor) -> Harmonics | None:
        from attnxai.models.group_fourier import find_harmonics

        if self.group is None or filters.shape[2] != self.group.size:
            return None
        return find_harmonics(filters.float().cpu().contiguous().numpy(), self.group)


class SharedBases:
    """The bases of a network's layers, each kept once however many layers use it.

    Bases that came with the weights are ``given`` under the names of their layers. Every other layer has the basis
    of :func:`~attnxai.models.bases.steerable_basis`.
    """

    def __init__(
        self,
        group: SymmetryGroup,
        kernel_size: int,
        given: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        self.group, self.kernel_size = group, kernel_size
        self._waiting = dict(given or {})
        self._shared: list[FilterBasis] = []

    def of_layer(self, layer: str, *, lifting: bool) -> FilterBasis:
        """The basis of one layer; one that was given for it has to fit the group and the kernel."""
        if torch.empty(0).device.type == "meta":  # a network whose shapes alone matter
            size, k = self.group.size, self.kernel_size
            # there are |G| filters between regular fields for each one that lifts
            size_in = 1 if lifting else size
            return FilterBasis(torch.empty(size_in, size, size_in, k, k), group=self.group)
        given = self._waiting.pop(layer, None)
        if given is None:
            filters = steerable_basis(self.group, self.kernel_size, lifting=lifting)
        else:
            self._check_shape(layer, given, lifting=lifting)
            filters = given.detach().to(torch.float32).contiguous()
        for basis in self._shared:
            same = basis.filters is filters or torch.equal(basis.filters, filters)
            if same and basis.given is (given is not None):
                return basis
        # of those that are shared already it is known, and nan equals nothing
        if not bool(torch.isfinite(filters).all()):
            raise SpecificationError(f"the basis of {layer} has values that are not finite")
        self._shared.append(FilterBasis(filters, group=self.group, given=given is not None))
        return self._shared[-1]

    def convolution(
        self,
        layer: str,
        fields_in: int,
        fields_out: int,
        *,
        steerable: bool,
        lifting: bool,
        generator: torch.Generator | None,
        padding: int | None = None,
        bias: bool = True,
    ) -> nn.Module:
        """A steerable convolution, or an ordinary one; by default its padding keeps the size."""
        padding = self.kernel_size // 2 if padding is None else padding
        if not steerable:
            return nn.Conv2d(fields_in, fields_out, self.kernel_size, padding=padding, bias=bias)
        basis = self.of_layer(layer, lifting=lifting)
        return SteerableConv2d(basis, fields_in, fields_out, generator=generator, padding=padding)

    def check_none_is_left(self) -> None:
        """Refuse bases for layers that the network does not have."""
        if self._waiting:
            raise SpecificationError(
                f"there are bases for {', '.join(sorted(self._waiting))}, but no such steerable layers"
            )

    def _check_shape(self, layer: str, basis: torch.Tensor, *, lifting: bool) -> None:
        size, k = self.group.size, self.kernel_size
        shape = (size, 1 if lifting else size, k, k)
        if basis.ndim != 5 or tuple(basis.shape[1:]) != shape or len(basis) < 1:
            raise SpecificationError(
                f"the basis of {layer} has shape {tuple(basis.shape)}, which does not fit the group "
                f"{self.group.name} and a kernel of {k} x {k}"
            )
        if not basis.is_floating_point() or basis.layout is not torch.strided:
            raise SpecificationError(f"the basis of {layer} holds {basis.dtype}, not real numbers")


class SteerableConv2d(PreparableModule):
    """A convolution between feature fields whose filter is a weighted sum of basis filters.

    Channels are field-major: channel = field * size + element. The ``generator`` draws the first weights in the
    manner of He et al. (2015), with every basis filter contributing the same variance; without one they are zeros,
    to be loaded. ``padding`` zeros stand on every side; as many as keep the size when left out.
    """

    def __init__(
        self,
        basis: FilterBasis,
        fields_in: int,
        fields_out: int,
        *,
        generator: torch.Generator | None = None,
        padding: int | None = None,
    ) -> None:
        super().__init__()
        self.shared = basis
        filters = self.basis
        self.padding = filters.shape[-1] // 2 if padding is None else padding
        weights = torch.zeros(fields_out, fields_in, filters.shape[0])
        if generator is not None:
            power = filters.square().sum(dim=(2, 3, 4)).mean(dim=1).clamp_min(1e-12)
            deviation = (2.0 / (fields_in * filters.shape[0] * power)).sqrt()
            weights = torch.randn(weights.shape, generator=generator) * deviation
        self.weights = nn.Parameter(weights)

    @property
    def basis(self) -> torch.Tensor:
        """The basis filters, (n_basis, size_out, size_in, k, k)."""
        return self.shared.filters

    def dense_filter(self) -> torch.Tensor:
        """The filter of the equivalent ordinary convolution, (channels_out, channels_in, k, k)."""
        fields_out, fields_in, n_basis = self.weights.shape
        _, size_out, size_in, k, _ = self.basis.shape
        filters = self.weights.reshape(-1, n_basis) @ self.basis.reshape(n_basis, -1)
        filters = filters.reshape(fields_out, fields_in, size_out, size_in, k, k)
        return filters.permute(0, 2, 1, 3, 4, 5).reshape(
            fields_out * size_out, fields_in * size_in, k, k
        )

    def gains_by_fourier(self, n_pixels: int) -> bool:
        """Whether images of so many pixels go by a Fourier transform over the group, where compiled loops can take them."""
        basis, (fields_out, fields_in, _) = self.shared, self.weights.shape
        side = self.basis.shape[-1]
        return (
            basis.group is not None
            and self.padding == side // 2
            and fourier_is_faster(basis.group, side, fields_in, fields_out, n_pixels)
            and basis.harmonics is not None
            and (not torch.is_grad_enabled() or basis.adjoint_harmonics is not None)
        )

    def by_fourier(self, *, adjoint: bool = False) -> FourierConvolution:
        """The same convolution, or its adjoint, without its dense filter."""
        from attnxai.models.fourier_convolution import FourierConvolution

        kept, basis, weights = self.kept, self.shared, self.weights
        harmonics = basis.adjoint_harmonics if adjoint else basis.harmonics
        if harmonics is None:  # where gains_by_fourier is false
            raise SpecificationError(
                "filters of this basis have no harmonics, so they cannot be applied by a Fourier transform over the group"
            )
        make = functools.partial(
            FourierConvolution, harmonics, weights.transpose(0, 1) if adjoint else weights
        )
        if kept is None:  # gradients after the block of prepared
            return make()
        return kept.get(self, "adjoint" if adjoint else "fourier", (weights,), make)

    def fourier_convolution(self, features: torch.Tensor) -> FourierConvolution | None:
        """The same convolution without its dense filter, where it is faster and can take these features."""
        if torch.is_grad_enabled() or not self._takes_fourier(features):
            return None
        return self.by_fourier()

    def _takes_fourier(self, features: torch.Tensor) -> bool:
        n_pixels = features.shape[2] * features.shape[3]
        return (
            self.kept is not None and takes_compiled(features) and self.gains_by_fourier(n_pixels)
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Convolve (batch, fields_in * size_in, height, width)."""
        fourier = self.fourier_convolution(features)
        if fourier is not None:
            return fourier(features)
        if torch.is_grad_enabled() and self._takes_fourier(features) and not is_followed():
            from attnxai.models.convolution_gradients import FourierConvolutionWithGradients

            given = (features, self.weights, self)
            return FourierConvolutionWithGradients.apply(*given)  # type: ignore[no-any-return, no-untyped-call]
        return self.convolve_densely(features)

    def convolve_densely(self, features: torch.Tensor) -> torch.Tensor:
        """The same by the dense filter."""
        kept = self.prepared
        if kept is None:
            return nn.functional.conv2d(features, self.dense_filter(), padding=self.padding)
        filters = kept.get(self, "filter", (self.weights, self.basis), self.dense_filter)
        if filters.shape[1] == 1 and features.device.type == "cpu":
            return convolved_image(features, filters, self.padding)
        if self.padding == filters.shape[-1] // 2:
            return convolve(features, filters)
        return nn.functional.conv2d(features, filters, padding=self.padding)


class FieldBatchNorm(nn.Module):
    """Batch norm whose statistics are shared by the ``size`` = |G| channels of a field."""

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

    def statistics(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and variance (fields,) by which these features are normalised: their own in training."""
        if self.training:
            # sums are many times faster than torch.var_mean, and need 32 bits where features have fewer
            values = features.float().flatten(2)
            shape = (len(values), -1, self.size)
            mean, square = (
                sums.reshape(shape).mean(dim=(0, 2))
                for sums in (values.mean(dim=2), (values * values).mean(dim=2))
            )
            return mean, (square - mean * mean).clamp_min(0.0)
        return self.norm.running_mean, self.norm.running_var  # type: ignore[return-value]

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """What it is made of in evaluation: weight, bias, mean and variance (fields,)."""
        norm = self.norm
        return norm.weight, norm.bias, norm.running_mean, norm.running_var  # type: ignore[return-value]

    def scale_and_shift(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Factor and summand (fields * size,) by which features are normalised in evaluation."""
        weight, bias, mean, variance = (values.detach().double() for values in self.tensors)
        scale = weight / (variance + self.norm.eps).sqrt()
        by_field = torch.stack([scale, bias - mean * scale])
        scale, shift = by_field.repeat_interleave(self.size, dim=1).float()
        return scale, shift

    def of_constant(
        self, values: torch.Tensor, statistics: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        """What is made of features (fields * size,) that are the same at every pixel."""
        mean, variance = statistics
        fields = values.reshape(-1, self.size) - mean[:, None]
        fields = fields / (variance[:, None] + self.norm.eps).sqrt()
        found: torch.Tensor = fields * self.norm.weight[:, None] + self.norm.bias[:, None]
        return found.flatten()


def pool_over_group(features: torch.Tensor, size: int) -> torch.Tensor:
    """Maximum over the |G| channels of every field, which the group permutes: one invariant value at every pixel."""
    if size == 1:
        return features
    batch, channels, height, width = features.shape
    return features.reshape(batch, channels // size, size, height, width).amax(dim=2)


def soft_disc(height: int, width: int, *, margin: float = 0.0) -> torch.Tensor:
    """Disc inscribed in the image, falling off smoothly at its rim; shape (height, width).

    One inside, ``exp((r0^2 - r^2) / 4)`` outside the radius r0 = (side - 1) / 2 in pixels, less ``margin`` percent.
    """
    y = torch.arange(height, dtype=torch.float64) - (height - 1) / 2
    x = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
    radius_squared = y[:, None] ** 2 + x[None, :] ** 2
    limit = ((min(height, width) - 1) / 2 * (1 - margin / 100)) ** 2
    return torch.exp(-torch.clamp(radius_squared - limit, min=0.0) / 4.0).to(torch.float32)


class SpecifiedNetwork(PreparableModule, abc.ABC):
    """A network with class scores (batch, n_classes) of images (batch, 1, height, width), built from its ``spec``.

    ``bases`` that came with the weights are given under the names of their layers. The ``generator`` draws the
    first weights; without one they wait to be loaded.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        *,
        bases: Mapping[str, torch.Tensor] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.spec: Any = spec
        shared = SharedBases(spec.symmetry, spec.kernel_size, bases)
        # torch fills ordinary layers at random as it makes them, from the global state
        with torch.random.fork_rng(devices=()):
            self._build(shared, generator)
        shared.check_none_is_left()
        if generator is not None:
            for module in self.modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    _he_normal_(module.weight, generator)
                    if module.bias is not None:
                        nn.init.zeros_(module.bias)

    @abc.abstractmethod
    def _build(self, shared: SharedBases, generator: torch.Generator | None) -> None:
        """Make the layers."""


def _he_normal_(weight: torch.Tensor, generator: torch.Generator) -> None:
    """Fill an ordinary filter or matrix in place with normal values of variance 2 / fan-in."""
    deviation = math.sqrt(2.0 / weight[0].numel())
    with torch.no_grad():
        weight.copy_(torch.randn(weight.shape, generator=generator) * deviation)
