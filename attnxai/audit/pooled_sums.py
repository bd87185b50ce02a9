"""Contributions of emission, ring and empty sky to the class scores of networks that end in global average pooling."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from attnxai.audit.zone_sums import ZoneScores, within_zones
from attnxai.data.emission import MIN_ISLAND_PIXELS, RING_PIXELS, Zone, emission_mask, zones_on_grid
from attnxai.data.images import SourceImage
from attnxai.errors import CheckpointError, OptionError
from attnxai.explanations.cam import PooledHead, pooled_head, pooled_scores
from attnxai.explanations.inputs import NetworkInputs, blank_input, one_thread
from attnxai.explanations.layers import layer_geometry_of
from attnxai.explanations.targets import class_weights
from attnxai.models.architectures import input_kind
from attnxai.models.evaluation import evaluating
from attnxai.models.model import AttentionModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.grid import GridTransform


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PooledSums:
    """What :class:`~attnxai.audit.zone_sums.ZoneSums` is for networks with gates.

    Parameters
    ----------
    model : AttentionModel
        The model.
    geometry : mapping of str to GridTransform
        How the feature map lies on the field.
    areas : ndarray, shape (n_images, 3)
        Share of each zone of the cells of the feature map.
    by_zone : ndarray, shape (n_images, n_classes, 3)
        Contribution of each zone to every class score.
    bias : ndarray, shape (n_classes,)
        The rest of the class scores.
    absolute, relative : ndarray, shape (n_images, 1, 3)
        Magnitude of evidence in each zone, as it is and relative to empty sky.
    """

    model: AttentionModel
    geometry: Mapping[str, GridTransform]
    areas: NDArray[np.float64]
    by_zone: NDArray[np.float64]
    bias: NDArray[np.float64]
    absolute: NDArray[np.float64]
    relative: NDArray[np.float64]

    @property
    def scores(self) -> NDArray[np.float64]:
        """Class scores, shape (n_images, n_classes)."""
        return np.asarray(self.by_zone.sum(axis=2) + self.bias)

    @classmethod
    def joined(cls, parts: Sequence[PooledSums]) -> PooledSums:
        """Those of the images of all parts."""
        arrays: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("areas", "by_zone", "absolute", "relative")
        }
        return dataclasses.replace(parts[0], **arrays)

    def scores_from(self, zone: Zone, images: NDArray[np.bool_]) -> ZoneScores:
        """Class scores of some images from one zone alone.

        The contributions of the other zones are replaced by their means over these images.
        """
        by_zone = self.by_zone[images]
        own = by_zone[:, :, zone]
        n_classes = own.shape[1]
        return ZoneScores(
            own=self.bias + own,
            weights=np.broadcast_to(np.eye(n_classes), (len(own), n_classes, n_classes)),
            others=by_zone.sum(axis=2) - own,
        )


def pooled_sums(
    model: AttentionModel,
    images: Sequence[SourceImage],
    *,
    min_island_pixels: int = MIN_ISLAND_PIXELS,
    ring_pixels: float = RING_PIXELS,
) -> PooledSums | None:
    """Sums for :func:`~attnxai.audit.evidence_location` from one forward pass.

    None for a model whose scores are not a linear layer of averages over a feature map, or whose feature map has no
    measurable place on the image.
    """
    device, _ = input_kind(model.network)
    try:
        with evaluating(model.network), one_thread(device):
            return _sums(NetworkInputs.of(model, images), min_island_pixels, ring_pixels)
    except (CheckpointError, OptionError):
        return None


def _sums(inputs: NetworkInputs, min_island_pixels: int, ring_pixels: float) -> PooledSums:
    model, side = inputs.model, inputs.model.preprocessing.size
    emission = emission_mask(inputs.brightness, min_island_pixels=min_island_pixels)
    head: PooledHead | None = None
    parts: dict[str, list[torch.Tensor]] = {}
    n_read = 0
    for batch in inputs.batches():
        if head is None:
            head = pooled_head(model, batch)
            geometry = layer_geometry_of(model.network, head.features, side)
            empty = pooled_scores(model, head, blank_input(model))
        found = pooled_scores(model, head, batch)
        maps = found.maps.double()
        shape = (maps.shape[2], maps.shape[3])
        here = slice(n_read, n_read + len(batch))
        zones = zones_on_grid(
            emission[here],
            geometry,
            shape,
            places=inputs.places[here],
            ring_pixels=ring_pixels,
        )
        inside = within_zones(zones, maps)
        contrast = class_weights(None, found.scores, ()).double()
        read = {"by_zone": maps.flatten(2) @ inside, "areas": inside.mean(dim=1)}
        for name, evidence in (("absolute", maps), ("relative", maps - empty.maps)):
            magnitude = torch.einsum("nc,nchw->nhw", contrast, evidence).abs()
            read[name] = magnitude.flatten(1)[:, None] @ inside
        for name, values in read.items():
            parts.setdefault(name, []).append(values.cpu())
        n_read += len(batch)
    return PooledSums(
        model=model,
        geometry={"cam": geometry},
        bias=found.bias.cpu().double().numpy(),
        **{name: torch.cat(values).numpy() for name, values in parts.items()},
    )
