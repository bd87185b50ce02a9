"""Grad-CAM of a feature map, alone and times guided backpropagation."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import nn

from attnxai.data.grid import GridTransform
from attnxai.data.images import assume
from attnxai.errors import OptionError
from attnxai.explanations.attribution import (
    CAPTUM,
    Attribution,
    Batch,
    MapsOf,
    register_attribution,
)
from attnxai.explanations.gradients import GUIDED, GuidedBackprop
from attnxai.explanations.last_features import last_features
from attnxai.explanations.layers import FunctionCall, is_feature_map, layer_geometry_of, outputs_of
from attnxai.explanations.score_function import ScoreFunction
from attnxai.models.architectures import named_layer
from attnxai.models.network import AttentionNetwork, padding_for
from attnxai.models.specification import ModelSpec, Padding
from attnxai.models.wrapped_network import WrappedNetwork

_GRADCAM = "Selvaraju et al. 2017 (arXiv 1610.02391) for Grad-CAM"


@register_attribution("Grad-CAM maps", _GRADCAM)
@dataclasses.dataclass(frozen=True, kw_only=True)
class GradCam(Attribution):
    """Features of a layer, weighted by their mean gradients and rectified (Selvaraju et al. 2017, arXiv 1610.02391).

    Parameters
    ----------
    of : str
        Name of a module of the network. When left out, it is the layer that the model states, or the last feature map
        before pooling; in networks with attention gates that from which the gates take their signal, after its batch
        norm and rectifier.
    rectified : bool
        Whether negative values become 0, as published.
    """

    layer: str = "gradcam"
    of: str = ""
    rectified: bool = True

    def prepare(self, function: ScoreFunction, facts: dict[str, Any]) -> MapsOf:
        """Maps by the gradients of the layer's output."""
        name, layer = self._chosen(function, warns=True)
        facts["network_layer"] = name

        def maps_of(batch: Batch, _rng: np.random.Generator) -> torch.Tensor:
            images = (function.blank + batch.differences).requires_grad_()
            with torch.enable_grad(), outputs_of(layer) as found:
                score = (batch.weights * function.network(images)).sum()
            features, slopes = (found[-1] if found else None), None
            if is_feature_map(features) and features.requires_grad:
                (slopes,) = torch.autograd.grad(score, features, allow_unused=True)
            if not is_feature_map(features) or slopes is None:
                raise OptionError(
                    f"the layer {name} of the network of the model {function.model_name} has no maps that the scores "
                    "depend on; name a convolutional layer"
                )
            maps = (features * slopes.mean(dim=(2, 3), keepdim=True)).sum(dim=1, keepdim=True)
            return torch.relu(maps) if self.rectified else maps

        return maps_of

    def geometry(self, function: ScoreFunction) -> GridTransform:
        """How the layer lies on the input."""
        name, layer = self._chosen(function)
        side = function.blank.shape[-1]
        if isinstance(function.network, AttentionNetwork) and name.startswith("blocks."):
            return _of_block(function.network.spec, int(name.split(".")[1]), side)
        return layer_geometry_of(function.network, layer, side)

    def _chosen(
        self, function: ScoreFunction, *, warns: bool = False
    ) -> tuple[str, nn.Module | FunctionCall]:
        """The layer with its name; ``warns`` if a default is only a part of what scores depend on."""
        network: nn.Module = function.network
        own = self.of
        if isinstance(network, WrappedNetwork):
            own, network = own or network.spec.layer, network.module
        if own:
            return own, named_layer(network, own)
        if isinstance(network, AttentionNetwork):
            block = network.blocks[-1]
            name = f"blocks.{len(network.blocks) - 1}.{len(block) - 1}"  # type: ignore[arg-type]
            if network.spec.zero_sky:
                name = f"{name}.features"
            return name, named_layer(network, name)
        found = last_features(function.network, network, function.blank)
        if found is None:
            raise OptionError(
                f"gradcam needs a convolutional layer, and the network of the model {function.model_name} has none"
            )
        if found.is_branch and warns:
            assume(
                f"{function.model_name}: Grad-CAM explains the feature map {found.name}, on one of several paths from the "
                "image to the scores; name a layer after which they have joined with layer in attnxai.wrap"
            )
        return found.name, found.layer


def _of_block(spec: ModelSpec, block: int, side: int) -> GridTransform:
    before = padding_for(side, spec.binning)[0] if spec.padding is Padding.SYMMETRIC else 0
    step = spec.binning * 2**block
    origin = (step - 1) / 2 - before
    return GridTransform(step=float(step), origin_x=origin, origin_y=origin)


@register_attribution("guided Grad-CAM maps", _GRADCAM, GUIDED, CAPTUM)
@dataclasses.dataclass(frozen=True, kw_only=True)
class GuidedGradCam(GradCam):
    """Guided backpropagation times Grad-CAM, interpolated linearly (Selvaraju et al. 2017)."""

    layer: str = "guided_gradcam"

    def prepare(self, function: ScoreFunction, facts: dict[str, Any]) -> MapsOf:
        """Products of the maps of both."""
        coarse_of = super().prepare(function, facts)
        guided_of = GuidedBackprop(batch_size=self.batch_size).prepare(function, facts)
        rows, columns = function.blank.shape[2:]
        grid = super().geometry(function)

        def maps_of(batch: Batch, rng: np.random.Generator) -> torch.Tensor:
            coarse = coarse_of(batch, rng)
            return guided_of(batch, rng) * _on_input(coarse, grid, (rows, columns))

        return maps_of

    def geometry(self, function: ScoreFunction) -> GridTransform:  # noqa: ARG002
        """On the pixels of the input."""
        return GridTransform()


def _on_input(maps: torch.Tensor, grid: GridTransform, shape: tuple[int, int]) -> torch.Tensor:
    """Maps (n, 1, rows, columns) at every pixel of the input, linear between their pixels and constant beyond."""
    x, y = grid.to_inner(np.arange(float(shape[1])), np.arange(float(shape[0])))
    height, width = maps.shape[2:]
    # grid_sample counts from -1 to 1 over the outer edges of the pixels
    across = torch.from_numpy((2.0 * x + 1.0) / width - 1.0)
    down = torch.from_numpy((2.0 * y + 1.0) / height - 1.0)
    places = torch.stack(torch.meshgrid(across, down, indexing="xy"), dim=-1).to(maps)
    return nn.functional.grid_sample(
        maps.detach(),
        places.expand(len(maps), -1, -1, -1),
        padding_mode="border",
        align_corners=False,
    )
