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
from attnxai.explanations.attribution import Attribution, Batch, MapsOf
from attnxai.explanations.averaging import smoothed
from attnxai.explanations.method import EXPLANATIONS, register_explanation
from attnxai.explanations.path_integrals import integrated
from attnxai.explanations.rectifiers import RewrittenScores
from attnxai.explanations.score_function import ScoreFunction

# Contributions may miss the difference of scores by this much of it, or of a hundredth of their magnitudes where
# they nearly cancel.
_COMPLETE = 1e-4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Saliency(Attribution):
    """Absolute gradient of the score (Simonyan et al. 2014, arXiv 1312.6034)."""

    layer: str = "saliency"

    def prepare(self, function: ScoreFunction, facts: dict[str, Any]) -> MapsOf:  # noqa: ARG002
        """Gradients by captum."""
        from captum.attr import Saliency as OfCaptum

        method = OfCaptum(function)
        return lambda batch, _rng: method.attribute(
            batch.differences, additional_forward_args=batch.weights
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputXGradient(Attribution):
    """Difference from blank sky times the gradient of the score (Shrikumar et al. 2016, arXiv 1605.01713)."""

    layer: str = "input_x_gradient"

    def prepare(self, function: ScoreFunction, facts: dict[str, Any]) -> MapsOf:  # noqa: ARG002
        """Products by captum."""
        from captum.attr import InputXGradient as OfCaptum

        method = OfCaptum(function)
        return lambda batch, _rng: method.attribute(
            batch.differences, additional_forward_args=batch.weights
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class IntegratedGradients(Attribution):
    """Gradients integrated from blank sky to the image (Sundararajan et al. 2017, arXiv 1703.01365).

    Parameters
    ----------
    tolerance : float
        How far the sum of a map may lie from the difference of the scores of image and blank sky, relative to it.
        More steps are taken where the sum misses it.
    max_gradients : int
        Gradients of an image after which no step is halved any more; a warning says how far its sum lies off.
    """

    layer: str = "integrated_gradients"
    tolerance: float = 0.01
    max_gradients: int = 200

    def __post_init__(self) -> None:
        if not 0 < self.tolerance < 1 or self.max_gradients < 1:
            raise OptionError(
                f"tolerance has to lie between 0 and 1 and max_gradients to be 1 or more, got {self.tolerance:g} and "
                f"{self.max_gradients}"
            )

    def prepare(self, function: ScoreFunction, facts: dict[str, Any]) -> MapsOf:
        """Integrals by captum, section by section."""
        facts |= {"n_gradients": [], "relative_errors": []}

        def maps_of(batch: Batch, _rng: np.random.Generator) -> torch.Tensor:
            found = integrated(
                function,
                batch.differences,
                batch.weights,
                tolerance=self.tolerance,
                max_gradients=self.max_gradients,
                batch_size=self.batch_size,
            )
            errors = found.relative_errors
            facts["n_gradients"] += found.n_gradients.tolist()
            facts["relative_errors"] += errors.tolist()
            if n_far := int((errors > self.tolerance).sum()):
                warnings.warn(
                    f"integrated gradients of {n_far} of {counted(len(batch), 'image')} miss the difference of scores "
                    f"from blank sky by up to {100.0 * float(errors.max()):.2g} %: the scores jump on the way from blank sky, or "
                    f"{self.max_gradients} gradients are too few; deeplift adds up exactly",
                    ApproximationWarning,
                    stacklevel=2,
                )
            return found.maps

        return maps_of


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
                for n in _portions(self.n_samples, self.batch_size):
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


def _portions(n: int, most: int) -> Iterator[int]:
    for start in range(0, n, most):
        yield min(most, n - start)


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeepLift(Attribution):
    """Contributions by the rules of DeepLIFT, with blank sky as reference (Shrikumar et al. 2017, arXiv 1704.02685).

    Contributions add up to the difference of the scores of image and blank sky; see
    :mod:`attnxai.explanations.rectifiers` for the rules.
    """

    layer: str = "deeplift"
    batch_size: int = 4

    def prepare(self, function: ScoreFunction, facts: dict[str, Any]) -> MapsOf:
        """Contributions by captum in a copy of the network, with rules for all that is not linear."""
        from captum.attr import DeepLift as OfCaptum

        copied = RewrittenScores(function, method="deeplift", linear=True)
        method = OfCaptum(copied)
        facts["relative_errors"] = []

        def maps_of(batch: Batch, _rng: np.random.Generator) -> torch.Tensor:
            differences, weights = batch.differences.double(), batch.weights.double()
            blank = torch.zeros_like(differences)
            maps: torch.Tensor = method.attribute(
                differences, blank, additional_forward_args=weights
            ).detach()
            change = copied(differences, weights) - copied(blank, weights)
            error = (maps.sum(dim=(1, 2, 3)) - change).abs()
            scale = torch.maximum(change.abs(), 0.01 * maps.abs().sum(dim=(1, 2, 3)))
            relative = error / scale.clamp_min(torch.finfo(scale.dtype).tiny)
            facts["relative_errors"] += relative.tolist()
            if not bool((relative <= _COMPLETE).all()):
                raise OptionError(
                    f"the contributions by deeplift of the model {function.model_name} miss the difference of "
                    f"scores from blank sky by {float(relative.max()):.2g} of it: its network depends on the image in "
                    "a way that has no rule, such as a condition on values; use integrated_gradients instead"
                )
            return maps

        return maps_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class GuidedBackprop(Attribution):
    """Gradients that pass rectifiers where they are positive only (Springenberg et al. 2015, arXiv 1412.6806)."""

    layer: str = "guided"

    def prepare(self, function: ScoreFunction, facts: dict[str, Any]) -> MapsOf:  # noqa: ARG002
        """Gradients by captum in a copy of the network."""
        from captum.attr import GuidedBackprop as OfCaptum

        method = OfCaptum(RewrittenScores(function, method="guided"))
        return lambda batch, _rng: method.attribute(
            batch.differences, additional_forward_args=batch.weights
        )


def _register(name: str, title: str, method: Attribution, *, uses_rng: bool = False) -> None:
    register_explanation(
        name=name, title=title, uses_target=True, uses_rng=uses_rng, reports_progress=True
    )(method)


_register("saliency", "saliency maps", Saliency())
_register("input_x_gradient", "maps of input times gradient", InputXGradient())
_register("integrated_gradients", "maps of integrated gradients", IntegratedGradients())
_register("gradient_shap", "gradient SHAP maps", GradientShap(), uses_rng=True)
_register("deeplift", "DeepLIFT maps", DeepLift())
_register("guided", "maps by guided backpropagation", GuidedBackprop())
_smoothgrad = smoothed(EXPLANATIONS["saliency"], name="smoothgrad")
EXPLANATIONS["smoothgrad"] = dataclasses.replace(_smoothgrad, title="SmoothGrad maps")
