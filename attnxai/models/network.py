"""The attention network, equivariant or ordinary, built from its specification."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn

from attnxai.data.emission import emission_mask
from attnxai.errors import SpecificationError
from attnxai.models.attention_gate import AttentionGate
from attnxai.models.prepared import (
    PreparableModule,
    cells_with_emission,
    convolved,
    halved,
    takes_compiled,
)
from attnxai.models.row_linear import RowLinear
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
    SharedBases,
    SpecifiedNetwork,
    SteerableConv2d,
    pool_over_group,
    soft_disc,
)

if TYPE_CHECKING:
    from attnxai.models.fourier_convolution import Epilogue
    from attnxai.models.prepared import Prepared

N_POOLINGS = 3
# Side to which a network without gates pools the published 150 pixels before it flattens them.
FLATTENED_SIDE = 9
# Input above this shows emission, where empty sky is 0: far below a grey level, above rounding.
_FAINTEST = 1e-3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LayerGeometry:
    """Where the pixels of a gate's map lie on the network's input, along one axis.

    Pixel i of the map is centred on input pixel ``origin + step * i``.
    """

    name: str
    size: int
    step: float
    origin: float


def padding_for(side: int, binning: int = 1) -> tuple[int, int]:
    """Zeros to add before and after the pixels of an axis, so that binning and three poolings divide it evenly.

    An odd side gets one more after than before, so that nothing of it is dropped; no padding can keep its centre
    between the same pixels.
    """
    zeros = -side % (binning * 2**N_POOLINGS)
    return zeros // 2, zeros - zeros // 2


def gate_geometry(spec: ModelSpec, side: int) -> tuple[LayerGeometry, ...]:
    """Geometry of every gate's map along an axis of ``side`` input pixels, coarsest first.

    The axes are independent of each other: an oblong input has the geometry of its height along one
    and that of its width along the other.
    """
    before, after = padding_for(side, spec.binning) if spec.padding is Padding.SYMMETRIC else (0, 0)
    layers = []
    for index, name in enumerate(spec.gate_names):
        step = spec.binning * 2 ** (N_POOLINGS - 1 - index)
        layers.append(
            LayerGeometry(
                name=name,
                size=(side + before + after) // step,
                step=float(step),
                origin=(step - 1) / 2 - before,
            )
        )
    return tuple(layers)


class ConvolutionLayer(PreparableModule):
    """One convolution with its rectifier and batch norm, in the order of the specification."""

    def __init__(self, spec: ModelSpec, convolution: nn.Module, fields: int) -> None:
        super().__init__()
        self.norm_last = spec.layer_order is LayerOrder.CONV_RELU_NORM
        self.convolution = convolution
        self.norm = FieldBatchNorm(fields, spec.symmetry.size)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Convolve, rectify and normalise."""
        kept = self._at_once(features)
        if kept is not None:
            epilogue = kept.get(self, "epilogue", self.norm.tensors, self._epilogue)
            return convolved(self.convolution, features, epilogue)
        features = self.convolution(features)
        if self.norm_last:
            return self.norm(torch.relu(features))  # type: ignore[no-any-return]
        return torch.relu(self.norm(features))

    def _at_once(self, features: torch.Tensor) -> Prepared | None:
        """Where to keep what follows the convolution, if all of it can be done in one pass."""
        skipped = (self.convolution, self.norm, self.norm.norm)
        return None if self.training or not takes_compiled(features, *skipped) else self.prepared

    def _epilogue(
        self, shift: torch.Tensor | None = None, relative_to: torch.Tensor | None = None
    ) -> Epilogue:
        """What follows the convolution, to which a ``shift`` (channels,) is added first.

        What becomes of ``relative_to`` (channels,), the convolution of empty sky, is taken off.
        """
        from attnxai.models.fourier_convolution import Epilogue

        scale, offset = self.norm.scale_and_shift()
        one, zero = torch.ones_like(scale), torch.zeros_like(scale)
        shift = zero if shift is None else shift
        before = (one, shift) if self.norm_last else (scale, scale * shift + offset)
        after = (scale, offset) if self.norm_last else (one, zero)
        if relative_to is not None:
            empty = relative_to if self.norm_last else scale * relative_to + offset
            after = after[0], -torch.relu(empty) * after[0]
        return Epilogue(*before, *after, rectified=True)


class RelativeFeatures(NamedTuple):
    """Features (batch, channels, height, width) less those of empty sky, and these, (channels,)."""

    values: torch.Tensor
    empty: torch.Tensor


class RelativeLayer(ConvolutionLayer):
    """The same layer, of features relative to empty sky: they are 0 wherever the sky is empty, up to the rim.

    What lies beyond the rim is empty sky, and not features of 0. They leave through ``features``, a module for hooks.
    """

    def __init__(self, spec: ModelSpec, convolution: nn.Module, fields: int) -> None:
        super().__init__(spec, convolution, fields)
        self.features = nn.Identity()

    def forward(self, relative: RelativeFeatures) -> RelativeFeatures:  # type: ignore[override]
        """Convolve, rectify and normalise features and those of empty sky alike."""
        kept = self._at_once(relative.values)
        if kept is not None:
            own = (*self.norm.tensors, *self.convolution.parameters(recurse=False))
            make = functools.partial(self._of_empty_sky, relative.empty)
            epilogue, empty = kept.get(
                self, "epilogue", own, make, values=relative.empty.numpy().tobytes()
            )
            values = convolved(self.convolution, relative.values, epilogue)
            return RelativeFeatures(self.features(values), empty)
        shift = self._convolved(relative.empty)
        bias: torch.Tensor | None = getattr(self.convolution, "bias", None)
        values = self.convolution(relative.values) + shift[:, None, None]
        empty = shift if bias is None else shift + bias
        if self.norm_last:
            values, empty = torch.relu(values), torch.relu(empty)
        empty = self.norm.of_constant(empty, self.norm.statistics(values))
        values = self.norm(values)
        if not self.norm_last:
            values, empty = torch.relu(values), torch.relu(empty)
        return RelativeFeatures(self.features(values - empty[:, None, None]), empty)

    def _of_empty_sky(self, empty: torch.Tensor) -> tuple[Epilogue, torch.Tensor]:
        """What follows the convolution, and the features that it makes of those of empty sky."""
        shift = self._convolved(empty)
        bias: torch.Tensor | None = getattr(self.convolution, "bias", None)
        after = (self._epilogue(shift if bias is None else shift + bias)).apply_(
            torch.zeros(1, len(shift), 1, 1)
        )
        # the bias of an ordinary convolution is added by itself
        epilogue = self._epilogue(shift, relative_to=shift if bias is None else shift + bias)
        return epilogue, after.flatten()

    def _convolved(self, values: torch.Tensor) -> torch.Tensor:
        """The convolution of features (channels,) that are the same at every pixel, without its bias."""
        convolution = self.convolution
        weight: torch.Tensor = (
            convolution.dense_filter()
            if isinstance(convolution, SteerableConv2d)
            else convolution.weight  # type: ignore[assignment]
        )
        return weight.sum(dim=(2, 3)) @ values


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearHead:
    """Class scores as a linear function of the gated sums.

    They are ``bias`` (batch, n_classes) plus, for each gate, ``weights`` (batch, n_classes, channels) times the sums.
    """

    weights: tuple[torch.Tensor, ...]
    bias: torch.Tensor


class AttentionNetwork(SpecifiedNetwork):
    """Four blocks of convolutions (such as ``blocks.0.0.convolution``), and gates that weigh three of them by the last.

    Every module is exactly equivariant under the elements of its group that map the pixel grid onto itself when the
    image is square, its side even and the padding symmetric.
    """

    spec: ModelSpec

    def _build(self, shared: SharedBases, generator: torch.Generator | None) -> None:
        spec = self.spec
        layer = RelativeLayer if spec.zero_sky else ConvolutionLayer
        blocks: list[nn.Module] = []
        fields_in, lifting = 1, True
        for fields, n_convolutions in zip(spec.fields, spec.convolutions, strict=True):
            layers: list[nn.Module] = []
            for _ in range(n_convolutions):
                convolution = shared.convolution(
                    f"blocks.{len(blocks)}.{len(layers)}.convolution",
                    fields_in,
                    fields,
                    steerable=spec.architecture is Architecture.EQUIVARIANT_ATTENTION,
                    lifting=lifting,
                    generator=generator,
                    bias=spec.convolution_bias,
                )
                layers.append(layer(spec, convolution, fields))
                fields_in, lifting = fields, False
            blocks.append(nn.Sequential(*layers))
        self.blocks = nn.ModuleList(blocks)
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
        classes, bias = spec.n_classes, not spec.zero_sky
        self.gate_heads = nn.ModuleList()
        self.head: nn.Module = nn.Identity()
        if spec.n_gates == 0:
            self.head = RowLinear(spec.fields[3] * FLATTENED_SIDE**2, classes)
            return
        if spec.aggregation is not Aggregation.CONCATENATED:
            self.gate_heads.extend(RowLinear(channels, classes, bias=bias) for channels in gated)
        if spec.aggregation is Aggregation.FINE_TUNED:
            self.head = RowLinear(classes * spec.n_gates, classes, bias=bias)
        elif spec.aggregation is not Aggregation.MEAN:
            self.head = RowLinear(sum(gated), classes, bias=bias)

    def forward(
        self, images: torch.Tensor, emission_of: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Class scores of shape (batch, n_classes); with ``emission_of``, on the emission of those images instead."""
        size = self.spec.symmetry.size
        height, width = images.shape[-2:]
        field = self._field(images)
        features = self._binned(field)
        emission = None
        if self.spec.zero_sky:
            emission = self._emission(
                field if emission_of is None else self._field(emission_of), features
            )
        pooled, where = [], []
        empty = features.new_zeros(1)
        for index, block in enumerate(self.blocks):
            if self.spec.zero_sky:
                features, empty = block(RelativeFeatures(features, empty))
            else:
                features = block(features)
            pooled.append(pool_over_group(features, size))
            where.append(emission)
            if index < N_POOLINGS:
                features = halved(features, self.prepared)
                if emission is not None:
                    emission = halved(emission, self.prepared)
        signal = pooled[3]
        if not self.gates:
            return self._scores_without_gates(signal, (height, width))
        sums = []
        for gate, invariant, on in zip(self.gates, pooled[2::-1], where[2::-1], strict=False):
            gated = gate(invariant, signal, on)
            mean = self.spec.feature_sum is FeatureSum.MEAN
            sums.append(gated.mean(dim=(2, 3)) if mean else gated.sum(dim=(2, 3)))
        return self._aggregate([self.dropout(values) for values in sums])

    def _field(self, images: torch.Tensor) -> torch.Tensor:
        """Images within the disc, with the border that binning and poolings need."""
        height, width = images.shape[-2:]
        if self.spec.disc:
            images = images * self._disc(height, width).to(images)
        binning = self.spec.binning
        if self.spec.padding is Padding.SYMMETRIC:
            zeros = (*padding_for(width, binning), *padding_for(height, binning))
            images = nn.functional.pad(images, zeros)
        return images

    def _disc(self, height: int, width: int) -> torch.Tensor:
        kept, make = self.prepared, functools.partial(soft_disc, height, width)
        size = f"{height} x {width}".encode()
        return make() if kept is None else kept.get(self, "disc", (), make, values=size)

    def _binned(self, field: torch.Tensor) -> torch.Tensor:
        """The field as the first convolution takes it."""
        binning = self.spec.binning
        return nn.functional.avg_pool2d(field, binning) if binning > 1 else field

    def _emission(self, field: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """1 in the cells of the binned field that hold emission to which gates may attend, 0 in others."""
        binning, min_island_pixels = self.spec.binning, self.spec.min_island_pixels
        if self.prepared is not None and takes_compiled(field):
            return cells_with_emission(field, _FAINTEST, min_island_pixels, binning)
        bright = field > _FAINTEST
        if min_island_pixels > 1:
            islands = emission_mask(bright.cpu().numpy(), min_island_pixels=min_island_pixels)
            bright = torch.from_numpy(islands)
        emission = bright.to(like)
        return nn.functional.max_pool2d(emission, binning) if binning > 1 else emission

    def _scores_without_gates(self, features: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
        flattened = nn.functional.max_pool2d(features, 2)
        if flattened.shape[2:] != (FLATTENED_SIDE, FLATTENED_SIDE):
            raise SpecificationError(
                "a network without gates flattens its last features, so it takes images of 150 x 150 "
                f"pixels alone, got {shape[0]} x {shape[1]}"
            )
        return self.head(flattened.flatten(1))  # type: ignore[no-any-return]

    def linear_head(self, sums: Sequence[torch.Tensor]) -> LinearHead:
        """What the class scores are of the gated sums (batch, channels), gate by gate, near these sums.

        Without dropout. It is the same everywhere except with the aggregation ``ft``, whose rectifier makes it
        linear piece by piece.
        """
        aggregation, n_images = self.spec.aggregation, len(sums[0])
        widths = [values.shape[1] for values in sums]

        def of(layer: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
            weight: torch.Tensor = layer.weight  # type: ignore[assignment]
            bias: torch.Tensor | None = layer.bias  # type: ignore[assignment]
            if bias is None:
                bias = weight.new_zeros(len(weight))
            return weight.expand(n_images, -1, -1), bias.expand(n_images, -1)

        if aggregation is Aggregation.CONCATENATED:
            weight, bias = of(self.head)
            return LinearHead(weights=torch.split(weight, widths, dim=2), bias=bias)
        own = [of(head) for head in self.gate_heads]
        if aggregation is Aggregation.FINE_TUNED:
            weight, bias = of(self.head)
            weights = []
            parts = torch.split(weight, self.spec.n_classes, dim=2)
            for part, values, head, (w, b) in zip(parts, sums, self.gate_heads, own, strict=True):
                active = part * (head(values) > 0).to(part)[:, None, :]
                weights.append(active @ w)
                bias = bias + (active @ b[:, :, None])[:, :, 0]
            return LinearHead(weights=tuple(weights), bias=bias)
        weights, bias = [w for w, _ in own], torch.stack([b for _, b in own]).sum(dim=0)
        n_heads = len(own)
        if aggregation is Aggregation.DEEP_SUPERVISION:
            weight, further = of(self.head)
            parts = torch.split(weight, widths, dim=2)
            weights = [w + part for w, part in zip(weights, parts, strict=True)]
            bias, n_heads = bias + further, n_heads + 1
        return LinearHead(weights=tuple(w / n_heads for w in weights), bias=bias / n_heads)

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
