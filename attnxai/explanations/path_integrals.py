"""Integrated gradients along the straight path from blank sky to an image, with as many steps as it needs."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from attnxai.explanations.score_function import ScoreFunction

_AT_ONCE = 16
"""Gradients at the beginning, and sections that are halved together."""
_NARROWEST = 2.0**-20
"""Width of sections that are never halved: where they miss the difference, the score jumps."""
_BEYOND_BLANK = 2.0**-14
"""Where the gradient at blank sky is taken: its pixels are all equal, and maxima over them have no gradient."""
_FLOOR = 0.01


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PathIntegral:
    """Integrated gradients of an image.

    ``map`` (channels, rows, columns) adds up to ``difference``, that of the scores at the ends of the path, but for
    ``error``, by the trapezoidal rule from ``n_gradients``. ``scale`` is what errors are relative to: the size of the
    difference, or a hundredth of all that the score changes on the way where that is more.
    """

    map: torch.Tensor
    difference: float
    error: float
    scale: float
    n_gradients: int

    @property
    def relative_error(self) -> float:
        """Size of the error relative to the scale."""
        return abs(self.error) / max(self.scale, float(np.finfo(np.float64).tiny))


def integrated(
    function: ScoreFunction,
    image: torch.Tensor,
    weights: torch.Tensor,
    *,
    tolerance: float,
    max_gradients: int,
    batch_size: int,
) -> PathIntegral:
    """Integrate gradients from blank sky to an image (channels, rows, columns), given as its difference from it.

    As in QUADPACK (Piessens et al. 1983) the sections with the largest errors are halved first, here several at
    once so that passes of the network are full. Errors of sections are exact, since the integral of the slope of the score over a
    section is the difference of the scores at its ends. It ends where neither the sum of the errors nor any of them
    exceeds the tolerance, or with ``max_gradients``. Sections share the gradients at their ends.

    Gradients of networks with rectifiers jump at kinks all along the path. Rules of a higher order gain nothing there.
    """

    def at(shares: np.ndarray) -> tuple[np.ndarray, np.ndarray, torch.Tensor]:
        """Scores, their slopes along the path, and the products of gradient and image."""
        scores, products = [], []
        for some in torch.split(image.new_tensor(shares), batch_size):
            given = (some[:, None, None, None] * image).requires_grad_()
            with torch.enable_grad():
                found = function(given, weights.expand(len(some), -1), image)
                (gradients,) = torch.autograd.grad(found.sum(), given)
            scores.append(found.detach().double().cpu())
            products.append(gradients * image)
        maps = torch.cat(products)
        return torch.cat(scores).numpy(), maps.double().sum(dim=(1, 2, 3)).cpu().numpy(), maps

    n_first = max(2, min(_AT_ONCE, max_gradients))
    # scores change fastest near blank sky, where a faint source takes the attention over
    shares = np.linspace(0.0, 1.0, n_first) ** 3
    scores, slopes, maps = at(np.maximum(shares, _BEYOND_BLANK))
    scores[0] = float(function(0.0 * image[None], weights[None], image))
    while True:
        widths, changes = np.diff(shares), np.diff(scores)
        errors = widths * (slopes[1:] + slopes[:-1]) / 2 - changes
        scale = max(abs(changes.sum()), _FLOOR * np.abs(changes).sum())
        missed = max(abs(errors.sum()), np.abs(errors).max())
        halved = np.flatnonzero((widths > _NARROWEST) & (errors != 0))
        n_more = min(_AT_ONCE, max_gradients - len(shares))
        worst = halved[np.argsort(-np.abs(errors[halved]))][:n_more]
        if missed <= tolerance * scale or not worst.size:
            break
        new = shares[worst] + widths[worst] / 2
        order = np.argsort(np.concatenate([shares, new]))
        found = (new, *at(new))
        shares, scores, slopes = (
            np.concatenate(both)[order]
            for both in zip((shares, scores, slopes), found[:3], strict=True)
        )
        maps = torch.cat([maps, found[3]])[torch.from_numpy(order).to(maps.device)]
    parts = np.zeros(len(shares))
    parts[:-1] += widths / 2
    parts[1:] += widths / 2
    return PathIntegral(
        map=torch.tensordot(torch.from_numpy(parts).to(maps), maps, dims=1),
        difference=float(changes.sum()),
        error=float(errors.sum()),
        scale=float(scale),
        n_gradients=len(shares),
    )
