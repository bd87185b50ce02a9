"""Exact evidence: the class scores of a gated network as sums over pixels.

Where the head of a network is linear in its gated sums, a class score is the sum over gates and pixels of attention times
features times weights, plus a bias. Nothing is approximated, unlike with gradients or occlusion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from attnxai.data.grid import GridTransform
from attnxai.explanations.gate_pass import GateBatch, MapReader
from attnxai.explanations.gates import layer_geometry
from attnxai.explanations.inputs import NetworkInputs
from attnxai.explanations.method import register_gate_explanation
from attnxai.explanations.stack import MapStack
from attnxai.explanations.targets import class_weights


class EvidenceReader(MapReader):
    """Maps called ``name`` over all gates, on the grid of the finest, and by gate."""

    def __init__(
        self,
        target: str | Sequence[str] | None,
        *,
        name: str,
        relative: bool = False,
        magnitude: bool = False,
    ) -> None:
        self.target, self.name = target, name
        self.relative, self.magnitude = relative, magnitude

    def begin(self, inputs: NetworkInputs) -> None:
        """Prepare for a pass of these inputs."""
        self.inputs = inputs
        self.layers: dict[str, list[torch.Tensor]] = {}
        self.scores: list[torch.Tensor] = []

    def read(self, batch: GateBatch) -> None:
        """Weigh the evidence for every class by the target."""
        found = batch.relative_evidence if self.relative else batch.evidence
        chosen = class_weights(self.target, found.scores, self.inputs.model.class_names)
        for gate, maps in found.maps.items():
            weighted = torch.einsum("nk,nkhw->nhw", chosen, maps).cpu()
            self.layers.setdefault(gate, []).append(weighted)
        self.scores.append(found.scores.cpu().double())

    def stack(self) -> MapStack:
        """The maps of all images."""
        by_gate = {gate: torch.cat(maps) for gate, maps in self.layers.items()}
        geometry = layer_geometry(self.inputs.model)
        finest = list(geometry)[-1]
        stacked = {self.name: _sum_on_finest(by_gate, geometry, finest)} | {
            f"{self.name} {gate}": maps for gate, maps in by_gate.items() if len(by_gate) > 1
        }
        if self.magnitude:
            stacked = {layer: maps.abs() for layer, maps in stacked.items()}
        return self.inputs.stack(
            stacked,
            geometry=dict(zip(stacked, (geometry[finest], *geometry.values()), strict=False)),
            means={},
            scores=torch.cat(self.scores),
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


@register_gate_explanation(title="evidence maps", uses_target=True)
def evidence(target: str | Sequence[str] | None) -> MapReader:
    """Contribution of every pixel of every gate to a class score, and their sum."""
    return EvidenceReader(target, name="evidence")


@register_gate_explanation(title="evidence maps relative to empty sky", uses_target=True)
def evidence_relative(target: str | Sequence[str] | None) -> MapReader:
    """Contribution of every pixel less that of the same pixel in an image of empty sky."""
    return EvidenceReader(target, name="evidence relative", relative=True)


@register_gate_explanation(title="magnitudes of evidence", uses_target=True)
def evidence_magnitude(target: str | Sequence[str] | None) -> MapReader:
    """Magnitude of the evidence relative to empty sky, a map without a sign."""
    return EvidenceReader(target, name="evidence magnitude", relative=True, magnitude=True)
