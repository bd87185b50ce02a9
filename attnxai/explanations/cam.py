"""Class activation maps of networks that end in global average pooling (Zhou et al. 2016, arXiv 1512.04150).

Where class scores are a linear layer of the means of a feature map over its pixels, each score is a bias plus a sum
over pixels of weights times features: the map adds up to the score.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from attnxai.data.images import SourceImage
from attnxai.errors import CheckpointError
from attnxai.explanations.inputs import NetworkInputs
from attnxai.explanations.layers import (
    CountedCalls,
    FunctionCall,
    layer_geometry_of,
    outputs_of,
)
from attnxai.explanations.method import register_explanation
from attnxai.explanations.stack import MapStack
from attnxai.explanations.targets import class_weights
from attnxai.models.model import AttentionModel
from attnxai.models.wrapped_network import WrappedNetwork

# of the sum of absolute contributions, in units of the precision's rounding
_ROUNDING = 64.0
_EPS_OF_HALF = 1e-5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Average:
    """Mean over pixels of a feature map, and of its magnitude, (batch, channels)."""

    of: FunctionCall
    mean: torch.Tensor
    magnitude: torch.Tensor


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PooledHead:
    """A feature map whose mean over pixels a linear layer turns into the module's output.

    Without a linear layer the means are the output themselves.
    """

    features: FunctionCall
    weight: torch.Tensor | None = None
    bias: torch.Tensor | None = None

    def contributions(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Contribution of every pixel, (batch, n_outputs, height, width), and bias, (n_outputs,)."""
        features = features.to(torch.promote_types(features.dtype, torch.float32))
        shares = features / (features.shape[2] * features.shape[3])
        if self.weight is not None:
            shares = torch.einsum("ok,nkhw->nohw", self.weight.to(shares.dtype), shares)
        nothing = shares.new_zeros(shares.shape[1])
        return shares, nothing if self.bias is None else self.bias.to(shares.dtype)


class _Recorded(CountedCalls):
    """Averages over the feature maps of a forward pass, and its linear layers with their input and output."""

    def __init__(self) -> None:
        super().__init__(self._average)
        self.averages: list[_Average] = []
        self.linear: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor]] = []

    def _average(self, position: int, features: torch.Tensor) -> None:
        if features.shape[2] * features.shape[3] < 2:
            return
        features = features.double()
        average = _Average(
            of=FunctionCall(position=position),
            mean=features.mean(dim=(2, 3)),
            magnitude=features.abs().mean(dim=(2, 3)),
        )
        self.averages.append(average)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = super().__torch_function__(func, types, args, kwargs)
        if func is nn.functional.linear:
            given = dict(zip(("input", "weight", "bias"), args, strict=False)) | (kwargs or {})
            self.linear.append((given["input"], given["weight"], given.get("bias"), output))
        return output


def pooled_head(model: AttentionModel, batch: torch.Tensor) -> PooledHead:
    """Find the feature map and the linear layer by which a model makes its scores, by what passes through for a batch.

    Raises
    ------
    CheckpointError
        If its scores are not a linear layer of averages over a feature map.
    """
    network = model.network
    if not isinstance(network, WrappedNetwork):
        other = "evidence or gradcam" if network.spec.gate_names else "gradcam"
        raise CheckpointError(
            f"the model {model.name} ({model.architecture}) does not end in global average "
            f"pooling and a linear layer, so that it has no class activation maps; use --explain {other} instead"
        )
    with outputs_of(network.module) as output, _Recorded() as recorded:
        network(batch)
    scores = output[-1]
    heads = [
        (values, weight, bias)
        for values, weight, bias, result in reversed(recorded.linear)
        if _same(result, scores, scores)
    ]
    for values, weight, bias in (*heads, (scores, None, None)):
        for average in reversed(recorded.averages):
            if _same(average.mean, values, average.magnitude):
                return PooledHead(features=average.of, weight=weight, bias=bias)
    raise CheckpointError(
        f"the scores of the model {model.name} ({model.architecture}) are not a linear layer of the averages over a feature "
        "map, so that it has no class activation maps; use --explain gradcam instead"
    )


def _same(found: torch.Tensor, given: torch.Tensor, size: torch.Tensor) -> bool:
    """Whether two tensors hold the same values, but for the rounding of numbers of a size."""
    if found.numel() != given.numel():
        return False
    difference = (found.reshape(-1).double() - given.reshape(-1).double()).abs().max()
    return bool(difference <= _rounding(given.dtype) * size.abs().max())


def _rounding(dtype: torch.dtype) -> float:
    """Largest relative error of a sum of many numbers: a few units in half precision, which adds in single."""
    eps = torch.finfo(dtype).eps
    return (_ROUNDING if eps < _EPS_OF_HALF else 4.0) * eps


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PooledScores:
    """Class scores (batch, n_classes) of some images, and the contributions that add up to them.

    The ``bias`` (n_classes,) plus the sums over pixels of the ``maps`` (batch, n_classes, height, width).
    """

    maps: torch.Tensor
    bias: torch.Tensor
    scores: torch.Tensor


def pooled_scores(model: AttentionModel, head: PooledHead, batch: torch.Tensor) -> PooledScores:
    """Class scores of a batch with their contributions.

    Raises
    ------
    CheckpointError
        If the contributions do not add up to the scores.
    """
    with outputs_of(head.features) as features:
        scores = model.network(batch)
    maps, bias = head.contributions(features[-1])
    if len(bias) < scores.shape[1]:  # one score for two classes
        maps, bias = torch.cat([-maps / 2, maps / 2], dim=1), torch.cat([-bias / 2, bias / 2])
    absolute = maps.abs().sum(dim=(2, 3)) + bias.abs()
    difference = (maps.sum(dim=(2, 3)) + bias - scores).abs()
    if bool((difference > _rounding(scores.dtype) * absolute).any()):
        raise CheckpointError(
            f"the averages over a feature map of the model {model.name} ({model.architecture}) do not add up to "
            "the class scores of all images, so that it has no class activation maps; use --explain gradcam instead"
        )
    return PooledScores(maps=maps, bias=bias, scores=scores)


@register_explanation(
    title="class activation maps",
    uses_target=True,
    reports_progress=True,
    references=("Zhou et al. 2016 (arXiv 1512.04150) for class activation maps",),
)
def cam(
    model: AttentionModel,
    images: Sequence[SourceImage],
    *,
    target: str | Sequence[str] | None,
    rng: np.random.Generator,  # noqa: ARG001 -- nothing is drawn
    on_batch: Callable[[int, int], None] | None = None,
) -> MapStack:
    """Contribution of every pixel of the last feature map to a class score; with the bias it adds up to the score.

    For wrapped modules that end in global average pooling and a linear layer, which is checked for every image.
    """
    inputs = NetworkInputs.of(model, images)
    head = pooled_head(model, next(inputs.batches()))
    maps, scores = [], []
    for batch in inputs.batches():
        found = pooled_scores(model, head, batch)
        chosen = class_weights(target, found.scores, model.class_names).to(found.maps.dtype)
        maps.append(torch.einsum("nc,nchw->nhw", chosen, found.maps).cpu())
        scores.append(found.scores.cpu().double())
        if on_batch is not None:
            on_batch(sum(map(len, maps)), len(images))
    geometry = layer_geometry_of(model.network, head.features, model.preprocessing.size)
    return inputs.stack(
        {"cam": torch.cat(maps)}, geometry={"cam": geometry}, means={}, scores=torch.cat(scores)
    )
