"""The attention gate of Schlemper et al. (2019), and its normalisations as named functions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from attnxai.models.prepared import PreparableModule, convolve, takes_compiled
from attnxai.models.specification import Normalisation

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Keeps a gate whose scores are all equal from becoming 0 / 0; far below any score difference.
_SMALLEST_RANGE = 1e-12


def _lowest(scores: torch.Tensor, over_batch: bool) -> torch.Tensor:
    return scores.amin() if over_batch else scores.amin(dim=(1, 2, 3), keepdim=True)


def _highest(scores: torch.Tensor, over_batch: bool) -> torch.Tensor:
    return scores.amax() if over_batch else scores.amax(dim=(1, 2, 3), keepdim=True)


def sigmoid(scores: torch.Tensor, over_batch: bool = False) -> torch.Tensor:  # noqa: ARG001
    """Logistic function of every score."""
    return torch.sigmoid(scores)


def tanh(scores: torch.Tensor, over_batch: bool = False) -> torch.Tensor:  # noqa: ARG001
    """Hyperbolic tangent of every score; the map is signed."""
    return torch.tanh(scores)


def softmax(scores: torch.Tensor, over_batch: bool = False) -> torch.Tensor:  # noqa: ARG001
    """Softmax over the pixels of each image; a map sums to one."""
    return torch.softmax(scores.flatten(2), dim=2).reshape(scores.shape)


def range_norm(scores: torch.Tensor, over_batch: bool = False) -> torch.Tensor:
    """(q - min) / (max - min): a map runs from 0 to 1."""
    low, high = _lowest(scores, over_batch), _highest(scores, over_batch)
    return (scores - low) / (high - low).clamp_min(_SMALLEST_RANGE)


def std_mean_norm(scores: torch.Tensor, over_batch: bool = False) -> torch.Tensor:
    """((q - min) / max(q) - 0.5) / 0.25, with the maximum of q itself; the map is signed."""
    low, high = _lowest(scores, over_batch), _highest(scores, over_batch)
    return ((scores - low) / high - 0.5) / 0.25


def emission(scores: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Softplus of the scores where an image shows emission, divided by its sum; 0 elsewhere."""
    # in 64 bits: a softplus of scores below -87 is 0 in 32, as scores of networks with random weights may all be
    weights = nn.functional.softplus(scores.double()) * where
    total = weights.sum(dim=(2, 3), keepdim=True)
    return (weights / total.clamp_min(torch.finfo(total.dtype).tiny)).to(scores.dtype)


def _emission_at_once(scores: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """The same by a compiled loop, which passes by empty sky."""
    from attnxai.models.compiled_kernels import attend_to_emission

    out = torch.empty_like(scores, memory_format=torch.contiguous_format)
    flat = (values.contiguous().numpy().reshape(-1) for values in (out, scores, where))
    attend_to_emission(*flat, len(scores), scores[0].numel())
    return out


NORMALISATIONS: dict[Normalisation, Callable[[torch.Tensor, bool], torch.Tensor]] = {
    Normalisation.SIGMOID: sigmoid,
    Normalisation.TANH: tanh,
    Normalisation.SOFTMAX: softmax,
    Normalisation.RANGE_NORM: range_norm,
    Normalisation.STD_MEAN_NORM: std_mean_norm,
}


class GateNormalisation(PreparableModule):
    """Turns the scores of a gate into its attention map.

    A module of its own so that a forward hook on it reads the map. With ``over_batch``, as published, extremes are
    taken over the whole batch instead of over each image: a map then depends on which images share its batch, and so
    does not explain a prediction on its own.
    """

    def __init__(self, normalisation: Normalisation, *, over_batch: bool = False) -> None:
        super().__init__()
        self.normalisation = normalisation
        self.over_batch = over_batch

    def forward(self, scores: torch.Tensor, where: torch.Tensor | None = None) -> torch.Tensor:
        """(batch, 1, height, width) to the same shape; ``where`` is 1 on emission, everywhere if not given."""
        if self.normalisation is Normalisation.EMISSION:
            if self.prepared is not None and where is not None and takes_compiled(scores):
                return _emission_at_once(scores, where)
            return emission(scores, torch.ones_like(scores) if where is None else where)
        normalise = NORMALISATIONS[self.normalisation]
        if self.prepared is None or self.over_batch:
            return normalise(scores, self.over_batch)
        # torch computes the last few of many values otherwise than those before
        return torch.cat([normalise(one, False) for one in torch.split(scores, 1)])


class AttentionGate(PreparableModule):
    """Weigh features by where a coarser, later layer says to look."""

    def __init__(
        self,
        channels: int,
        channels_signal: int,
        channels_between: int,
        normalisation: Normalisation,
        *,
        over_batch: bool = False,
    ) -> None:
        super().__init__()
        self.theta = nn.Conv2d(channels, channels_between, 1, bias=False)
        self.phi = nn.Conv2d(channels_signal, channels_between, 1, bias=False)
        self.psi = nn.Conv2d(channels_between, 1, 1, bias=True)
        self.normalise = GateNormalisation(normalisation, over_batch=over_batch)

    def forward(
        self, features: torch.Tensor, signal: torch.Tensor, where: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Gated features, of the shape of ``features``; ``where`` (batch, 1, height, width) is 1 on emission."""
        if self.prepared is not None and takes_compiled(features, self.phi, self.theta, self.psi):
            signal = convolve(signal, self.phi.weight)
            scores = self._scored_at_once(features, signal, where)
        else:
            signal = self.phi(signal)
            coarse = nn.functional.interpolate(
                signal, size=features.shape[2:], mode="bilinear", align_corners=False
            )
            scores = self.psi(torch.relu(self.theta(features) + coarse))
        attention: torch.Tensor = self.normalise(scores, where)
        return attention * features

    def _scored_at_once(
        self, features: torch.Tensor, coarse: torch.Tensor, where: torch.Tensor | None
    ) -> torch.Tensor:
        """Scores in one pass over the pixels, without the many channels between; only where there may be attention."""
        from attnxai.models.compiled_kernels import score_gates

        scores = features.new_empty(len(features), *features.shape[2:])
        where = torch.ones_like(scores) if where is None else where[:, 0].contiguous()
        score_gates(
            scores.numpy(), features.contiguous().numpy(), coarse.contiguous().numpy(),
            self.theta.weight.detach().flatten().numpy(), self.psi.weight.detach().flatten().numpy(),
            self.psi.bias.detach().numpy(), where.numpy(),  # type: ignore[union-attr]
            *_between(coarse.shape[2], features.shape[2]), *_between(coarse.shape[3], features.shape[3]),
        )  # fmt: skip
        return scores[:, None]


@functools.lru_cache(maxsize=64)
def _between(
    n_coarse: int, n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Between which of the coarse pixels of an axis each of n pixels lies, and its share of the second."""
    place = np.maximum((np.arange(n) + 0.5) * n_coarse / n - 0.5, 0)
    first = np.minimum(place.astype(np.int64), n_coarse - 1)
    return first, np.minimum(first + 1, n_coarse - 1), (place - first).astype(np.float32)
