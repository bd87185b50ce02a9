"""Attribution methods by gradients, through captum: baseline and reference are blank sky everywhere."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from attnxai.data.wording import counted
from attnxai.errors import ApproximationWarning, OptionError
from attnxai.explanations.attribution import (
    CAPTUM,
    Attribution,
    Batch,
    MapsOf,
    register_attribution,
)
from attnxai.explanations.averaging import smoothed
from attnxai.explanations.measured import MEASURED
from attnxai.explanations.method import EXPLANATIONS
from attnxai.explanations.path_integrals import integrated
from attnxai.explanations.rectifiers import RewrittenScores
from attnxai.explanations.score_function import ScoreFunction

GUIDED = "Springenberg et al. 2015 (arXiv 1412.6806) for guided backpropagation"
# Contributions may miss the difference of scores by this much of it, or of a hundredth of their magnitudes where
# they nearly cancel.
_COMPLETE = 1e-4


def _by_captum(method: Any) -> MapsOf:
    return lambda batch, _rng: method.attribute(
        batch.differences, additional_forward_args=batch.weights
    )


@register_attribution(
    "saliency maps", "Simonyan et al. 2014 (arXiv 1312.6034) for saliency", CAPTUM
)
@dataclasses.dataclass(frozen=True, kw_only=True)
class Saliency(Attribution):
    """Absolute gradient of the score (Simonyan et al. 2014, arXiv 1312.6034)."""

    layer: str = "saliency"

    def prepare(self, function: ScoreFunction, facts: dict[str, Any]) -> MapsOf:  # noqa: ARG002
        """Gradients by captum."""
        from captum.attr import Saliency as OfCaptum

        return _by_captum(OfCaptum(function))


@register_attribution(
    "maps of input times gradient",
    "Shrikumar et al. 2016 (arXiv 1605.01713) for input times gradient",
    CAPTUM,
)
@dataclasses.dataclass(frozen=True, kw_only=True)
class InputXGradient(Attribution):
    """Difference from blank sky times the gradient of the score (Shrikumar et al. 2016, arXiv 1605.01713)."""

    layer: str = "input_x_gradient"

    def prepare(self, function: ScoreFunction, facts: dict[str, Any]) -> MapsOf:  # noqa: ARG002
        """Products by captum."""
        from captum.attr import InputXGradient as OfCaptum

        return _by_captum(OfCaptum(function))


@register_attribution(
    "maps of integrated gradients",
    "Sundararajan et al. 2017 (arXiv 1703.01365) for integrated gradients",
)
@dataclasses.dataclass(frozen=True, kw_only=True)
class IntegratedGradients(Attribution):
    """Gradients integrated from blank sky to the image (Sundararajan et al. 2017, arXiv 1703.01365).

    Networks that attend to emission attend to that of the image all along the path: it appears at once, however faint,
    and no gradient holds a jump.

    Parameters
    ----------
    tolerance : float
        How far the sum of a map may lie from the difference of the scores of image and blank sky, relative to it, or to
        a hundredth of all that the score changes on the way where that is more.
    max_gradients : int
        Gradients of an image at most; a warning says how far its sum lies off then. The maps of all are kept until the
        image is done.
    """

    layer: str = "integrated_gradients"
    tolerance: float = 0.001
    max_gradients: int = 512

    def __post_init__(self) -> None:
        if not 0 < self.tolerance < 1 or self.max_gradients < 2:
            raise OptionError(
                f"tolerance has to lie between 0 and 1 and max_gradients to be 2 or more, got {self.tolerance:g} and "
                f"{self.max_gradients}"
            )

    def prepare(self, function: ScoreFunction, facts: dict[str, Any]) -> MapsOf:
        """Integrals image by image, each in as many full batches as it needs."""
        measured = facts[MEASURED] = {"n_gradients": [], "relative_errors": []}

        def maps_of(batch: Batch, _rng: np.random.Generator) -> torch.Tensor:
            found = [
                integrated(
                    function,
                    image,
                    weights,
                    tolerance=self.tolerance,
                    max_gradients=self.max_gradients,
                    batch_size=self.batch_size,
                )
                for image, weights in zip(batch.differences, batch.weights, strict=True)
            ]
            measured["n_gradients"] += [one.n_gradients for one in found]
            missed = [one.relative_error for one in found]
            measured["relative_errors"] += missed
            _warn_of_missed(
                missed,
                self.tolerance,
                f"the scores jump on the way from blank sky, or {self.max_gradients} gradients are too few",
            )
            return torch.stack([one.map for one in found])

        return maps_of


def _warn_of_missed(relative: list[float], tolerance: float, why: str) -> None:
    if n_far := sum(not one <= tolerance for one in relative):
        warnings.warn(
            f"integrated gradients of {n_far} of {counted(len(relative), 'image')} miss the difference of scores from "
            f"blank sky by up to {100.0 * max(relative):.2g} %: {why}; deeplift adds up exactly",
            ApproximationWarning,
            stacklevel=2,
        )


@register_attribution(
    "gradient SHAP maps",
    "Lundberg & Lee 2017 (arXiv 1705.07874) for GradientSHAP",
    CAPTUM,
    uses_rng=True,
)
@dataclasses.dataclass(frozen=True, kw_only=True)
class GradientShap(Attribution):
    """Expected gradients at random places between blank sky and the image (Lundberg & Lee 2017, arXiv 1705.07874).

    Parameters
    ----------
    n_samples : int
        Places of each image.
    """

    layer: str = "gradient_shap"
    n_samples: int = 32

    def prepare(self, function: ScoreFunction, facts: dict[str, Any]) -> MapsOf:  # noqa: ARG002
        """Means of gradients by captum, image by image, so that what is drawn does not depend on the batch."""
        from captum.attr import GradientShap as OfCaptum

        method = OfCaptum(function)

        def maps_of(batch: Batch, rng: np.random.Generator) -> torch.Tensor:
            maps = []
            for one, weights in zip(
                batch.differences[:, None], batch.weights[:, None], strict=True
            ):
                total = torch.zeros_like(one)
                for start in range(0, self.n_samples, self.batch_size):
                    n = min(self.batch_size, self.n_samples - start)
                    with _drawing_from(rng):
                        part = method.attribute(
                            one,
                            torch.zeros_like(one),
                            n_samples=n,
                            additional_forward_args=weights,
                        )
                    total += part.detach() * (n / self.n_samples)
                maps.append(total)
            return torch.cat(maps)

        return maps_of


@contextlib.contextmanager
def _drawing_from(rng: np.random.Generator) -> Iterator[None]:
    """Let captum, which draws from the global states, draw from here; the states are the same afterwards."""
    state = np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        seed = int(rng.integers(2**32))
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        try:
            yield
        finally:
            np.random.set_state(state)  # noqa: NPY002


@register_attribution(
    "DeepLIFT maps", "Shrikumar et al. 2017 (arXiv 1704.02685) for DeepLIFT", CAPTUM
)
@dataclasses.dataclass(frozen=True, kw_only=True)
class DeepLift(Attribution):
    """Contributions by the rules of DeepLIFT, with blank sky as reference (Shrikumar et al. 2017, arXiv 1704.02685).

    Contributions add up to the difference of the scores of image and blank sky; see
    :mod:`attnxai.explanations.rectifiers` for the rules. Networks that attend to emission attend to that of the image in
    its reference, too, which has no attention otherwise.
    """

    layer: str = "deeplift"
    batch_size: int = 4

    def prepare(self, function: ScoreFunction, facts: dict[str, Any]) -> MapsOf:
        """Contributions by captum in a copy of the network, with rules for all that is not linear."""
        from captum.attr import DeepLift as OfCaptum

        copied = RewrittenScores(function, method="deeplift", linear=True)
        method = OfCaptum(copied)
        errors: list[float] = []
        facts[MEASURED] = {"relative_errors": errors}

        def maps_of(batch: Batch, _rng: np.random.Generator) -> torch.Tensor:
            differences, weights = batch.differences.double(), batch.weights.double()
            blank = torch.zeros_like(differences)
            maps: torch.Tensor = method.attribute(
                differences, blank, additional_forward_args=weights
            ).detach()
            # each by itself: a network may take another way for blank sky
            score, of_blank = (
                copied(one, weights, differences).detach() for one in (differences, blank)
            )
            change = score - of_blank
            scale = torch.maximum(change.abs(), 0.01 * (score.abs() + of_blank.abs()))
            # large contributions that cancel leave nothing of their sum in 32 bits, in which maps are stored
            relative, stored = (
                (one.double().sum(dim=(1, 2, 3)) - change).abs()
                / scale.clamp_min(torch.finfo(scale.dtype).tiny)
                for one in (maps, maps.float())
            )
            errors.extend(relative.tolist())
            if not bool((torch.maximum(relative, stored) <= _COMPLETE).all()):
                raise OptionError(
                    f"the contributions by deeplift of the model {function.model_name} miss the difference of "
                    f"scores from blank sky by {float(torch.maximum(relative, stored).max()):.2g} of it: its network depends on the image in "
                    "a way that has no rule, such as a condition on values; use integrated_gradients instead"
                )
            return maps

        return maps_of


@register_attribution("maps by guided backpropagation", GUIDED, CAPTUM)
@dataclasses.dataclass(frozen=True, kw_only=True)
class GuidedBackprop(Attribution):
    """Gradients that pass rectifiers where they are positive only (Springenberg et al. 2015, arXiv 1412.6806)."""

    layer: str = "guided"

    def prepare(self, function: ScoreFunction, facts: dict[str, Any]) -> MapsOf:  # noqa: ARG002
        """Gradients by captum in a copy of the network."""
        from captum.attr import GuidedBackprop as OfCaptum

        return _by_captum(OfCaptum(RewrittenScores(function, method="guided")))


_smoothgrad = smoothed(EXPLANATIONS["saliency"], name="smoothgrad")
EXPLANATIONS["smoothgrad"] = dataclasses.replace(_smoothgrad, title="SmoothGrad maps")
