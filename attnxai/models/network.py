"""The attention network, equivariant or ordinary, built from its specification."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch
from torch import nn

from attnxai.errors import SpecificationError
from attnxai.models.attention_gate import AttentionGate
from attnxai.models.specification import (
    Aggregation,
    Architecture,
    FeatureSum,
    LayerOrder,
    ModelSpec,
    Padding,
)
from attnxai.models.steerable import (
    FieldBatchNorm,
    FilterBasis,
    SharedBases,
    SteerableConv2d,
    he_normal_,
    pool_over_group,
    soft_disc,
)

N_POOLINGS = 3
# Side to which a network without gates pools the published 150 pixels before it flattens them.
FLATTENED_SIDE = 9


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LayerGeometry:
    """Where the pixels of a gate's map lie on the network's input, along one axis.

    Pixel i of the map is centred on input pixel ``origin + step * i``.
    """

    name: str
    size: int
    step: float
    origin: float


def padding_for(side: int) -> tuple[int, int]:
    """Zeros to add before and after the pixels of an axis, so that three poolings divide it evenly.

    An odd side gets one more after than before, so that nothing of it is dropped; no padding can keep
    its centre between the same pixels.

    Examples
    --------
    >>> padding_for(150), padding_for(152), padding_for(151)
    ((1, 1), (0, 0), (0, 1))
    """
    zeros = -side % 2**N_POOLINGS
    return zeros // 2, zeros - zeros // 2


def gate_geometry(spec: ModelSpec, side: int) -> tuple[LayerGeometry, ...]:
    """Geometry of every gate's map along an axis of ``side`` input pixels, coarsest first.

    The axes are independent of each other: an oblong input has the geometry of its height along one
    and that of its width along the other.
    """
    before, after = padding_for(side) if spec.padding is Padding.SYMMETRIC else (0, 0)
    layers = []
    for index, name in enumerate(spec.gate_names):
        step = 2 ** (N_POOLINGS - 1 - index)
        layers.append(
            LayerGeometry(
                name=name,
                size=(side + before + after) // step,
                step=float(step),
                origin=(step - 1) / 2 - before,
            )
        )
    return tuple(layers)


class ConvolutionLayer(nn.Module):
    """One convolution with its rectifier and batch norm, in the order of the specification."""

    def __init__(
        self,
        spec: ModelSpec,
        fields_in: int,
        fields_out: int,
        *,
        basis: FilterBasis | None,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.norm_last = spec.layer_order is LayerOrder.CONV_RELU_NORM
        size = spec.symmetry.size
        self.convolution: nn.Module
        if basis is not None:
            self.convolution = SteerableConv2d(basis, fields_in, fields_out, generator=generator)
        else:
            plain = nn.Conv2d(
                fields_in,
                fields_out,
                spec.kernel_size,
                padding=spec.kernel_size // 2,
                bias=spec.convolution_bias,
            )
            if generator is not None:
                he_normal_(plain.weight, generator)
                if plain.bias is not None:
                    nn.init.zeros_(plain.bias)
            self.convolution = plain
        self.norm = FieldBatchNorm(fields_out, size)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Convolve, rectify and normalise."""
        features = self.convolution(features)
        if self.norm_last:
            return self.norm(torch.relu(features))  # type: ignore[no-any-return]
        return torch.relu(self.norm(features))


class AttentionNetwork(nn.Module):
    """Four blocks of convolutions, and gates that weigh three of them by the last.

    Images are (batch, 1, height, width), already through the model's preprocessing; the result is
    (batch, n_classes) scores. Every module is exactly equivariant under the elements of its group that
    map the pixel grid onto itself when the image is square, its side even and the padding symmetric.

    Parameters
    ----------
    spec : ModelSpec
        What to build.
    bases : mapping of str to Tensor, shape (n_basis, size_out, size_in, k, k), optional
        Filter bases that belong to the weights, under the names of their convolutions
        (``blocks.0.0.convolution``); where every steerable layer has one, e2cnn is not needed.
    generator : torch.Generator, optional
        Draws the first weights. Left out, the weights wait to be loaded.

    Raises
    ------
    SpecificationError
        If a basis does not fit.
    """

    def __init__(
        self,
        spec: ModelSpec,
        *,
        bases: Mapping[str, torch.Tensor] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.spec = spec
        # torch fills ordinary layers at random as it makes them, from the global state
        with torch.random.fork_rng(devices=()):
            self._build_blocks(bases, generator)
            self._build_gates_and_heads()
        if generator is not None:
            self._initialise_gates_and_heads(generator)

    def _build_blocks(
        self, bases: Mapping[str, torch.Tensor] | None, generator: torch.Generator | None
    ) -> None:
        spec = self.spec
        shared = SharedBases(spec.symmetry, spec.kernel_size, bases)
        steerable = spec.architecture is Architecture.EQUIVARIANT_ATTENTION
        blocks: list[nn.Module] = []
        fields_in, lifting = 1, True
        for fields, n_convolutions in zip(spec.fields, spec.convolutions, strict=True):
            layers: list[nn.Module] = []
            for _ in range(n_convolutions):
                name = f"blocks.{len(blocks)}.{len(layers)}.convolution"
                basis = shared.of_layer(name, lifting=lifting) if steerable else None
                layers.append(
                    ConvolutionLayer(spec, fields_in, fields, basis=basis, generator=generator)
                )
                fields_in, lifting = fields, False
            blocks.append(nn.Sequential(*layers))
        shared.check_none_is_left()
        self.blocks = nn.ModuleList(blocks)

    def _build_gates_and_heads(self) -> None:
        spec = self.spec
        gated = spec.fields[2::-1][: spec.n_gates]
        self.gates = nn.ModuleList(
            AttentionGate(
                channels,
                spec.fields[3],
                spec.gate_channels,
                spec.normalisation,
                over_batch=spec.extremes_over_batch,
            )
            for channels in gated
        )
        self.dropout = nn.Dropout(spec.dropout)
        classes = spec.n_classes
        self.gate_heads = nn.ModuleList()
        self.head: nn.Module = nn.Identity()
        if spec.n_gates == 0:
            self.head = nn.Linear(spec.fields[3] * FLATTENED_SIDE**2, classes)
            return
        if spec.aggregation is not Aggregation.CONCATENATED:
            self.gate_heads.extend(nn.Linear(channels, classes) for channels in gated)
        if spec.aggregation is Aggregation.FINE_TUNED:
            self.head = nn.Linear(classes * spec.n_gates, classes)
        elif spec.aggregation is not Aggregation.MEAN:
            self.head = nn.Linear(sum(gated), classes)

    def _initialise_gates_and_heads(self, generator: torch.Generator) -> None:
        for root in (self.gates, self.gate_heads, self.head):
            for module in root.modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    he_normal_(module.weight, generator)
                    if module.bias is not None:
                        nn.init.zeros_(module.bias)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores of shape (batch, n_classes)."""
        size = self.spec.symmetry.size
        height, width = images.shape[-2:]
        if self.spec.disc:
            images = images * self._disc(height, width, images)
        if self.spec.padding is Padding.SYMMETRIC:
            images = nn.functional.pad(images, (*padding_for(width), *padding_for(height)))
        features = images
        pooled = []
        for index, block in enumerate(self.blocks):
            features = block(features)
            pooled.append(pool_over_group(features, size))
            if index < N_POOLINGS:
                features = nn.functional.max_pool2d(features, 2)
        signal = pooled[3]
        if not self.gates:
            return self._scores_without_gates(signal, (height, width))
        sums = []
        for gate, invariant in zip(self.gates, pooled[2::-1], strict=False):
            gated = gate(invariant, signal)
            mean = self.spec.feature_sum is FeatureSum.MEAN
            sums.append(gated.mean(dim=(2, 3)) if mean else gated.sum(dim=(2, 3)))
        return self._aggregate([self.dropout(values) for values in sums])

    def _scores_without_gates(self, features: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
        flattened = nn.functional.max_pool2d(features, 2)
        if flattened.shape[2:] != (FLATTENED_SIDE, FLATTENED_SIDE):
            raise SpecificationError(
                "a network without gates flattens its last features, so it takes images of 150 x 150 "
                f"pixels alone, got {shape[0]} x {shape[1]}"
            )
        return self.head(flattened.flatten(1))  # type: ignore[no-any-return]

    def _disc(self, height: int, width: int, like: torch.Tensor) -> torch.Tensor:
        return soft_disc(height, width).to(device=like.device, dtype=like.dtype)

    def _aggregate(self, sums: list[torch.Tensor]) -> torch.Tensor:
        aggregation = self.spec.aggregation
        if aggregation is Aggregation.CONCATENATED:
            return self.head(torch.cat(sums, dim=1))  # type: ignore[no-any-return]
        heads = [head(values) for head, values in zip(self.gate_heads, sums, strict=True)]
        if aggregation is Aggregation.FINE_TUNED:
            return self.head(torch.relu(torch.cat(heads, dim=1)))  # type: ignore[no-any-return]
        if aggregation is Aggregation.DEEP_SUPERVISION:
            heads.append(self.head(torch.cat(sums, dim=1)))
        return torch.stack(heads).mean(dim=0)
