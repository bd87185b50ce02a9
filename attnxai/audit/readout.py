"""Class scores and maps of a network, batch by batch, and where the maps lie on its field."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from attnxai.data.images import SourceImage
from attnxai.errors import OptionError
from attnxai.explanations.gate_pass import gate_batches
from attnxai.explanations.inputs import NetworkInputs, network_batches
from attnxai.models.architectures import Network, Specification
from attnxai.models.elements import middle_of
from attnxai.models.evaluation import evaluating
from attnxai.models.model import AttentionModel
from attnxai.models.network import AttentionNetwork, gate_geometry
from attnxai.models.specification import ModelSpec

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerGrid:
    """How the pixels of a gate's map lie about the middle of the field.

    ``centre`` is that middle in rows and columns of the map. ``reach`` is the radius, in field pixels, of the largest circle
    about it that cuts neither the border of the field nor the outermost pixel centres of the map; ``disc`` are the pixels of
    the map within it, which any rotation keeps.
    """

    name: str
    shape: tuple[int, int]
    centre: tuple[float, float]
    reach: float
    disc: torch.Tensor


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Readout:
    """Class scores (logits) in float64, shape (n, n_classes), and maps by gate, shape (n, height, width)."""

    scores: torch.Tensor
    maps: Mapping[str, torch.Tensor]


def layer_grids(spec: Specification, shape: tuple[int, int]) -> tuple[LayerGrid, ...]:
    """Grids of all gates for a field of ``shape`` (rows, columns), coarsest first; none for a LeNet."""
    if not isinstance(spec, ModelSpec):
        return ()
    middle = middle_of(shape)
    grids = []
    for down, right in zip(
        gate_geometry(spec, shape[0]), gate_geometry(spec, shape[1]), strict=True
    ):
        size = (down.size, right.size)
        centre = ((middle[0] - down.origin) / down.step, (middle[1] - right.origin) / right.step)
        reach = min(middle)
        for at, n in zip(centre, size, strict=True):
            reach = min(reach, at * down.step, (n - 1 - at) * down.step)
        grids.append(
            LayerGrid(
                name=down.name,
                shape=size,
                centre=centre,
                reach=reach,
                disc=disc_about(size, centre, reach / down.step),
            )
        )
    return tuple(grids)


def disc_about(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> torch.Tensor:
    """Pixels whose centres lie within a circle."""
    down = torch.arange(shape[0], dtype=torch.float64)[:, None] - centre[0]
    right = torch.arange(shape[1], dtype=torch.float64)[None, :] - centre[1]
    return down**2 + right**2 <= radius**2 + 1e-9


def field_brightness(
    model: AttentionModel, images: Sequence[SourceImage], *, side: int | None = None
) -> torch.Tensor:
    """Brightness in [0, 1] that a model sees of some images, before standardisation, of shape (n_images, side, side).

    ``side`` is the model's own when left out.
    """
    if not len(images):
        raise OptionError("there are no images to transform")
    if side is not None:
        scaled = model.preprocessing.scaling_size
        preprocessing = dataclasses.replace(
            model.preprocessing, size=side, scaling_size=scaled and max(scaled, side)
        )
        model = dataclasses.replace(model, preprocessing=preprocessing)
    return torch.from_numpy(NetworkInputs.of(model, images).brightness)


def read_out(
    model: AttentionModel | Network, fields: torch.Tensor, *, batch_size: int = 16
) -> Readout:
    """Class scores and maps of the same forward passes, in evaluation mode.

    A model standardises the brightness ``fields`` (n, rows, columns) first; a network takes its input as it is.
    """
    network = network_of(model)
    if isinstance(model, AttentionModel):
        fields = torch.from_numpy(model.preprocessing.standardise(fields.numpy()))
    with evaluating(network):
        batches = network_batches(network, fields, batch_size)
        if not isinstance(network, AttentionNetwork):
            return Readout(scores=_scores(network, batches), maps={})
        scores: list[torch.Tensor] = []
        maps: dict[str, list[torch.Tensor]] = {name: [] for name in network.spec.gate_names}
        for batch in gate_batches(network, batches):
            scores.append(batch.scores.cpu().double())
            for name, values in batch.attention.items():
                maps[name].append(values.cpu())
    return Readout(
        scores=torch.cat(scores), maps={name: torch.cat(values) for name, values in maps.items()}
    )


def field_scores(
    model: AttentionModel, fields: torch.Tensor, *, batch_size: int = 32
) -> torch.Tensor:
    """Class scores (n, n_classes) in float64, on the CPU, of brightness ``fields`` (n, rows, columns)."""
    values = torch.from_numpy(model.preprocessing.standardise(fields.numpy()))
    with evaluating(model.network):
        return _scores(model.network, network_batches(model.network, values, batch_size))


def _scores(network: Network, batches: Iterable[torch.Tensor]) -> torch.Tensor:
    return torch.cat([network(batch).cpu().double() for batch in batches])


def network_of(model: AttentionModel | Network) -> Network:
    """The network of a model, or the network itself."""
    return model.network if isinstance(model, AttentionModel) else model


def row_correlations(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Pearson's correlation of every row of one array with the same row of another; NaN where either is constant."""
    rows = []
    for values in (np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)):
        constant = values.max(axis=1) == values.min(axis=1)
        centred = values - values.mean(axis=1, keepdims=True)
        length = np.sqrt((centred**2).sum(axis=1))
        rows.append(centred / np.where(constant, np.nan, length)[:, None])
    return np.asarray(np.clip((rows[0] * rows[1]).sum(axis=1), -1.0, 1.0))
