"""Attention maps of a network's gates, from the same forward pass as its prediction."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from attnxai.data.grid import GridTransform
from attnxai.data.images import SourceImage
from attnxai.explanations.gate_pass import GateBatch, MapReader
from attnxai.explanations.inputs import NetworkInputs
from attnxai.explanations.method import register_gate_explanation
from attnxai.explanations.stack import MEAN_LAYER, MapStack
from attnxai.models.model import AttentionModel
from attnxai.models.network import gate_geometry


def layer_geometry(model: AttentionModel) -> dict[str, GridTransform]:
    """How the pixels of every gate's map lie on the input of a model that has gates."""
    spec, _ = model.require_gates()
    return {
        layer.name: GridTransform(step=layer.step, origin_x=layer.origin, origin_y=layer.origin)
        for layer in gate_geometry(spec, model.preprocessing.size)
    }


class GateMapReader(MapReader):
    """Maps of all gates and their mean, with a suffix to their names, each changed by a function."""

    def __init__(
        self, suffix: str = "", change: Callable[[torch.Tensor], torch.Tensor] | None = None
    ) -> None:
        self.suffix, self.change = suffix, change

    def begin(self, inputs: NetworkInputs) -> None:
        """Prepare for a pass of these inputs."""
        self.inputs = inputs
        self.maps: dict[str, list[torch.Tensor]] = {}
        self.scores: list[torch.Tensor] = []

    def read(self, batch: GateBatch) -> None:
        """Keep the maps of the gates."""
        for name, maps in batch.attention.items():
            self.maps.setdefault(name, []).append(maps.cpu().float())
        self.scores.append(batch.scores.cpu().double())

    def stack(self) -> MapStack:
        """The maps of all images."""
        change, suffix = self.change, self.suffix
        layers = {f"{name}{suffix}": torch.cat(maps) for name, maps in self.maps.items()}
        if change is not None:
            layers = {name: change(maps) for name, maps in layers.items()}
        geometry = layer_geometry(self.inputs.model)
        return self.inputs.stack(
            layers,
            geometry={name: geometry[name.removesuffix(suffix)] for name in layers},
            means={f"{MEAN_LAYER}{suffix}": tuple(layers)} if len(layers) > 1 else {},
            scores=torch.cat(self.scores),
        )


def _centred(maps: torch.Tensor) -> torch.Tensor:
    """Every map (n, height, width) less its own median, the mean of the two middle values."""
    return maps - maps.flatten(1).quantile(0.5, dim=1)[:, None, None]


@register_gate_explanation(title="attention maps")
def gates(target: str | Sequence[str] | None) -> MapReader:  # noqa: ARG001 -- a gate has one map for all classes
    """Attention maps of all gates."""
    return GateMapReader()


@register_gate_explanation(title="attention maps less their median")
def gates_centred(target: str | Sequence[str] | None) -> MapReader:  # noqa: ARG001
    """Attention maps, each less its own median, the attention that most of the sky has."""
    return GateMapReader(" centred", _centred)


@register_gate_explanation(title="magnitudes of attention maps")
def gates_magnitude(target: str | Sequence[str] | None) -> MapReader:  # noqa: ARG001
    """Absolute difference of each attention map from its own median.

    A gate and one minus it serve a linear head alike, so that nothing fixes the sign of a map; its magnitude needs
    none.
    """
    return GateMapReader(" magnitude", lambda maps: _centred(maps).abs())


def attention_maps(
    model: AttentionModel,
    images: Sequence[SourceImage],
    *,
    batch_size: int = 16,
    on_batch: Callable[[int, int], None] | None = None,
) -> MapStack:
    """Maps of all gates of a model for some images: the explanation method ``gates``.

    Parameters
    ----------
    model : AttentionModel
        The model; its mode, device and hooks are the same afterwards.
    images : sequence of SourceImage
        The images; each passes through the model's own preprocessing.
    batch_size : int
        Images in one forward pass; the maps do not depend on it. A network that takes extremes over
        the whole batch sees one image at a time.
    on_batch : callable, optional
        Called with the number of finished images and of all images.

    Returns
    -------
    MapStack
        With the gates as layers, the class scores of the same pass, and where each map lies.

    Raises
    ------
    ImageError
        If an image does not fit the model.
    CheckpointError
        If the model has no gates.

    Examples
    --------
    >>> import attnxai
    >>> files = attnxai.read_annotations("expert.csv").image_files()
    >>> images = attnxai.read_images(list(files.values())[:2])
    >>> model = attnxai.load_model("d8.pt")
    >>> maps = attention_maps(model, images)
    >>> list(maps.layers), len(maps)
    (['gate1', 'gate2', 'gate3'], 2)
    """
    return gates(model, images, batch_size=batch_size, on_batch=on_batch)
