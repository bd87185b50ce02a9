"""Integrated gradients along the straight path from blank sky to an image, with as many steps as it needs."""

from __future__ import annotations

import dataclasses
import itertools

import torch

from attnxai.explanations.score_function import ScoreFunction

_POINTS = 2
"""Points of the Gauss-Legendre rule in each section of a path."""
_NARROWEST = 2.0**-18
"""Width of sections that are never halved: where they miss the difference, the scores jump."""
_FIRST_SECTIONS = (0.0, 1 / 64, 1 / 16, 1 / 4, 1.0)
"""Scores change fastest near blank sky, where a faint source takes the attention over."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Section:
    """The part of an image's path between two shares of its brightness, and the scores at its ends."""

    image: int
    start: float
    end: float
    score_start: float
    score_end: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PathIntegral:
    """Integrated gradients of a batch.

    ``maps`` (n, channels, rows, columns) add up to ``differences`` of scores (n,) but for ``errors`` (n,);
    ``n_gradients`` (n,) were evaluated.
    """

    maps: torch.Tensor
    differences: torch.Tensor
    errors: torch.Tensor
    n_gradients: torch.Tensor

    @property
    def relative_errors(self) -> torch.Tensor:
        """Size of the errors, relative to the differences."""
        size = self.differences.abs().clamp_min(torch.finfo(self.differences.dtype).tiny)
        return self.errors.abs() / size


def integrated(
    function: ScoreFunction,
    images: torch.Tensor,
    weights: torch.Tensor,
    *,
    tolerance: float,
    max_gradients: int,
    batch_size: int,
) -> PathIntegral:
    """Integrate gradients from blank sky to ``images``, which are differences from it.

    What a section of the path contributes has to be the difference of the scores at its ends; a section that misses
    it by more than its part of the tolerance is halved, until all fit or ``max_gradients`` are evaluated.
    """
    from captum.attr import IntegratedGradients

    method = IntegratedGradients(function)
    n_images = len(images)

    def ends(places: list[tuple[int, float]]) -> list[float]:
        found: list[float] = []
        for at in range(0, len(places), batch_size):
            some = places[at : at + batch_size]
            index = [image for image, _ in some]
            share = images.new_tensor([place for _, place in some])[:, None, None, None]
            found += function(share * images[index], weights[index]).double().tolist()
        return found

    places = [(image, place) for image in range(n_images) for place in _FIRST_SECTIONS]
    scores = dict(zip(places, ends(places), strict=True))
    differences = torch.tensor([scores[i, 1.0] - scores[i, 0.0] for i in range(n_images)])
    n_gradients = torch.zeros(n_images, dtype=torch.int64)
    maps, errors = torch.zeros_like(images), torch.zeros(n_images, dtype=torch.float64)
    waiting = [
        _Section(i, a, b, scores[i, a], scores[i, b])
        for a, b in itertools.pairwise(_FIRST_SECTIONS)
        for i in range(n_images)
    ]
    n_at_once = max(1, batch_size // _POINTS)
    while waiting:
        halved: list[_Section] = []
        for at in range(0, len(waiting), n_at_once):
            some = waiting[at : at + n_at_once]
            index = [section.image for section in some]
            shares = images.new_tensor([[section.start, section.end] for section in some])
            low, high = (shares[:, k, None, None, None] * images[index] for k in (0, 1))
            parts = method.attribute(
                high, low, additional_forward_args=weights[index], n_steps=_POINTS
            ).detach()
            for section, part in zip(some, parts, strict=True):
                i = section.image
                n_gradients[i] += _POINTS
                error = float(part.double().sum()) - (section.score_end - section.score_start)
                allowed = tolerance * abs(float(differences[i])) / 4
                wide = section.end - section.start > _NARROWEST
                if abs(error) > allowed and wide and n_gradients[i] < max_gradients:
                    halved.append(section)
                else:
                    maps[i] += part
                    errors[i] += error
        middles = ends([(s.image, (s.start + s.end) / 2) for s in halved])
        waiting = [
            half
            for s, score in zip(halved, middles, strict=True)
            for half in (
                _Section(s.image, s.start, (s.start + s.end) / 2, s.score_start, score),
                _Section(s.image, (s.start + s.end) / 2, s.end, score, s.score_end),
            )
        ]
    return PathIntegral(maps=maps, differences=differences, errors=errors, n_gradients=n_gradients)
