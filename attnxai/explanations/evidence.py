"""Exact evidence: the class scores of a gated network as sums over pixels.

Where the head of a network is linear in its gated sums, a class score is the sum over gates and pixels of attention times
features times weights, plus a bias. Nothing is approximated, unlike with gradients or occlusion.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch

from attnxai.data.grid import GridTransform
from attnxai.data.images import SourceImage
from attnxai.explanations.gates import layer_geometry
from attnxai.explanations.inputs import NetworkInputs
from attnxai.explanations.method import register_explanation
from attnxai.explanations.stack import MapStack
from attnxai.explanations.targets import class_weights
from attnxai.models.model import AttentionModel
from attnxai.models.network import AttentionNetwork
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import FeatureSum, Normalisation

# scores of a gate that differ by less, relative to the largest, differ by rounding alone
_ROUNDING = 64.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchEvidence:
    """Evidence in some images, for every class.

    ``bias`` (batch, n_classes) plus the sums over pixels of all ``maps``, of shape (batch, n_classes, height, width) by
    gate, are the ``scores`` (batch, n_classes).
    """

    maps: Mapping[str, torch.Tensor]
    bias: torch.Tensor
    scores: torch.Tensor


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class _GateRecord:
    """What passes through a gate in the last forward pass, each of shape (batch, channels, height, width)."""

    features: torch.Tensor
    attention: torch.Tensor
    gated: torch.Tensor


@contextlib.contextmanager
def _recorded(network: AttentionNetwork) -> Iterator[list[_GateRecord]]:
    nothing = torch.empty(0)
    records = [
        _GateRecord(features=nothing, attention=nothing, gated=nothing) for _ in network.gates
    ]
    handles = []

    def recorder(record: _GateRecord) -> Callable[..., None]:
        def keep(
            _module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor
        ) -> None:
            record.features, record.gated = inputs[0], output

        return keep

    def attention_recorder(record: _GateRecord) -> Callable[..., None]:
        def keep(_module: torch.nn.Module, _inputs: object, output: torch.Tensor) -> None:
            record.attention = output

        return keep

    try:
        for gate, record in zip(network.gates, records, strict=True):
            handles.append(gate.register_forward_hook(recorder(record)))
            normalise = gate.normalise
            handles.append(normalise.register_forward_hook(attention_recorder(record)))  # type: ignore[union-attr]
        yield records
    finally:
        for handle in handles:
            handle.remove()


def blank_features(network: AttentionNetwork, preprocessing: Preprocessing) -> list[torch.Tensor]:
    """Response of every gate, (1, channels, height, width), to an image of empty sky, for :func:`evidence_batches`.

    Gated features; with the normalisation ``emission``, which has no map without emission, the features that are to be
    gated by the map of each image. Scores that are all equal have no map under ``range_norm``: 0 / 0, which counts
    as 0.
    """
    like = next(network.parameters())
    side = preprocessing.size
    blank = preprocessing.standardise(np.zeros((1, 1, side, side), np.float32))
    constant: list[bool] = []
    handles = []

    def look(_module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        scores = inputs[0]
        limit = _ROUNDING * torch.finfo(scores.dtype).eps * scores.abs().max()
        constant.append(bool(scores.max() - scores.min() <= limit))

    try:
        for gate in network.gates:
            handles.append(gate.normalise.register_forward_pre_hook(look))  # type: ignore[union-attr]
        with _recorded(network) as records:
            network(torch.from_numpy(blank).to(device=like.device, dtype=like.dtype))
    finally:
        for handle in handles:
            handle.remove()
    if network.spec.normalisation is Normalisation.EMISSION:
        return [record.features for record in records]
    no_map = network.spec.normalisation is Normalisation.RANGE_NORM
    return [
        record.gated * 0.0 if no_map and same else record.gated
        for record, same in zip(records, constant, strict=True)
    ]


def evidence_batches(
    network: AttentionNetwork,
    batches: Iterator[torch.Tensor],
    *,
    blank: Sequence[torch.Tensor] | None = None,
) -> Iterator[BatchEvidence]:
    """Evidence in batches of input images, each from one forward pass.

    With the ``blank`` features of :func:`blank_features`, it is relative to empty sky: the contributions of the same
    pixels in an image of empty sky are subtracted from the maps and added to the bias.
    """
    mean = network.spec.feature_sum is FeatureSum.MEAN
    gate_blank = network.spec.normalisation is Normalisation.EMISSION
    with _recorded(network) as records:
        for batch in batches:
            scores = network(batch)
            head = network.linear_head([_pooled(record.gated, mean) for record in records])
            maps, bias = {}, head.bias
            for index, (name, weights) in enumerate(
                zip(network.spec.gate_names, head.weights, strict=True)
            ):
                values = records[index].gated
                if blank is not None:
                    empty = blank[index]
                    if gate_blank:
                        empty = empty * records[index].attention
                    bias = bias + (weights @ _pooled(empty, mean)[:, :, None])[:, :, 0]
                    values = values - empty
                flat = weights @ values.flatten(2)
                n_pixels = flat.shape[2] if mean else 1
                maps[name] = (flat / n_pixels).reshape(*flat.shape[:2], *values.shape[2:])
            yield BatchEvidence(maps=maps, bias=bias, scores=scores)


def _pooled(features: torch.Tensor, mean: bool) -> torch.Tensor:
    return features.mean(dim=(2, 3)) if mean else features.sum(dim=(2, 3))


def _evidence(
    model: AttentionModel,
    images: Sequence[SourceImage],
    target: str | Sequence[str] | None,
    on_batch: Callable[[int, int], None] | None,
    *,
    name: str,
    relative: bool,
    magnitude: bool = False,
) -> MapStack:
    """Maps called ``name`` over all gates, on the grid of the finest, and by gate."""
    spec, network = model.require_gates()
    inputs = NetworkInputs.of(model, images)
    blank = blank_features(network, model.preprocessing) if relative else None
    layers: dict[str, list[torch.Tensor]] = {gate: [] for gate in spec.gate_names}
    scores = []
    n_passed = 0
    for found in evidence_batches(network, inputs.batches(), blank=blank):
        chosen = class_weights(target, found.scores, model.class_names)
        for gate, maps in found.maps.items():
            layers[gate].append(torch.einsum("nk,nkhw->nhw", chosen, maps).cpu())
        scores.append(found.scores.cpu().double())
        n_passed += len(chosen)
        if on_batch is not None:
            on_batch(n_passed, len(images))
    by_gate = {name: torch.cat(maps) for name, maps in layers.items()}
    geometry = layer_geometry(model)
    finest = spec.gate_names[-1]
    total = _sum_on_finest(by_gate, geometry, finest)
    stacked = {name: total} | {
        f"{name} {gate}": maps for gate, maps in by_gate.items() if len(by_gate) > 1
    }
    if magnitude:
        stacked = {layer: maps.abs() for layer, maps in stacked.items()}
    return inputs.stack(
        stacked,
        geometry=dict(zip(stacked, (geometry[finest], *geometry.values()), strict=False)),
        means={},
        scores=torch.cat(scores),
    )


def _sum_on_finest(
    layers: Mapping[str, torch.Tensor], geometry: Mapping[str, GridTransform], finest: str
) -> torch.Tensor:
    """Sum of layers on the grid of the finest, with each pixel of a coarser one shared out evenly."""
    total = torch.zeros_like(layers[finest])
    for name, maps in layers.items():
        ratio = round(geometry[name].step / geometry[finest].step)
        fine = maps.repeat_interleave(ratio, dim=1).repeat_interleave(ratio, dim=2) / ratio**2
        # without padding, pooling has dropped the last rows and columns of an odd side
        total[:, : fine.shape[1], : fine.shape[2]] += fine
    return total


@register_explanation(title="evidence maps", uses_target=True, reports_progress=True)
def evidence(
    model: AttentionModel,
    images: Sequence[SourceImage],
    *,
    target: str | Sequence[str] | None,
    rng: np.random.Generator,  # noqa: ARG001 -- nothing is drawn
    on_batch: Callable[[int, int], None] | None = None,
) -> MapStack:
    """Contribution of every pixel of every gate to a class score, and their sum."""
    return _evidence(model, images, target, on_batch, name="evidence", relative=False)


@register_explanation(
    title="evidence maps relative to empty sky", uses_target=True, reports_progress=True
)
def evidence_relative(
    model: AttentionModel,
    images: Sequence[SourceImage],
    *,
    target: str | Sequence[str] | None,
    rng: np.random.Generator,  # noqa: ARG001 -- nothing is drawn
    on_batch: Callable[[int, int], None] | None = None,
) -> MapStack:
    """Contribution of every pixel less that of the same pixel in an image of empty sky."""
    return _evidence(model, images, target, on_batch, name="evidence relative", relative=True)


@register_explanation(title="magnitudes of evidence", uses_target=True, reports_progress=True)
def evidence_magnitude(
    model: AttentionModel,
    images: Sequence[SourceImage],
    *,
    target: str | Sequence[str] | None,
    rng: np.random.Generator,  # noqa: ARG001 -- nothing is drawn
    on_batch: Callable[[int, int], None] | None = None,
) -> MapStack:
    """Magnitude of the evidence relative to empty sky, a map without a sign."""
    return _evidence(
        model, images, target, on_batch, name="evidence magnitude", relative=True, magnitude=True
    )
