"""What attribution methods share: scores as a function of an image, batches, and the stack of their maps."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch

from attnxai.data.grid import GridTransform
from attnxai.data.images import SourceImage
from attnxai.explanations.inputs import NetworkInputs
from attnxai.explanations.method import register_explanation
from attnxai.explanations.score_function import ScoreFunction
from attnxai.explanations.stack import MapStack
from attnxai.explanations.targets import class_weights
from attnxai.models.model import AttentionModel


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Images of which maps are made.

    ``differences`` from blank sky (n, channels, rows, columns), the ``weights`` (n, n_classes) of the class scores that
    are explained, and the ``brightness`` (n, rows, columns) that the network sees.
    """

    differences: torch.Tensor
    weights: torch.Tensor
    brightness: np.ndarray[Any, np.dtype[np.float32]]

    def __len__(self) -> int:
        return len(self.differences)


MapsOf: TypeAlias = Callable[[Batch, np.random.Generator], torch.Tensor]
"""Maps of a batch, of shape (n, channels, rows, columns)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attribution(abc.ABC):
    """An attribution method with its options; the ``function`` of an explanation method.

    Parameters
    ----------
    batch_size : int
        Images, or changed versions of them, in one pass of the network. Maps do not depend on it.
    layer : str
        Name of the layer that its maps make.
    """

    batch_size: int = 16
    layer: str

    def __call__(
        self,
        model: AttentionModel,
        images: Sequence[SourceImage],
        *,
        target: str | Sequence[str] | None,
        rng: np.random.Generator,
        on_batch: Callable[[int, int], None] | None = None,
    ) -> MapStack:
        """Maps of some images, of the class score or difference of two that ``target`` names."""
        inputs = NetworkInputs.of(model, images)
        function = ScoreFunction(model)
        facts: dict[str, Any] = {}
        maps_of = self.prepare(function, facts)
        maps: list[torch.Tensor] = []
        scores: list[torch.Tensor] = []
        brightness, n_done = inputs.brightness, 0
        for batch in inputs.batches(self.batch_size):
            found = function.network(batch)
            given = Batch(
                differences=batch - function.blank,
                weights=class_weights(target, found, model.class_names),
                brightness=brightness[n_done : n_done + len(batch)],
            )
            with _without_notices():
                maps.append(maps_of(given, rng).detach().sum(dim=1).float().cpu())
            scores.append(found.cpu().double())
            n_done += len(batch)
            if on_batch is not None:
                on_batch(n_done, len(images))
        stack = inputs.stack(
            {self.layer: torch.cat(maps)},
            geometry={self.layer: self.geometry(function)},
            scores=torch.cat(scores),
        )
        options = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in {"layer", "batch_size"}
        }
        details = {"options": options} if options else {}
        return dataclasses.replace(
            stack, provenance={**stack.provenance, "explanations": [details | facts]}
        )

    @abc.abstractmethod
    def prepare(self, function: ScoreFunction, facts: dict[str, Any]) -> MapsOf:
        """What makes the maps of each batch; it may add to the facts that provenance states of all images.

        What each image has a value of its own of goes into lists in their entry ``measured``.
        """

    def geometry(self, function: ScoreFunction) -> GridTransform:  # noqa: ARG002
        """How the pixels of maps lie on the input of the network: on the same pixels."""
        return GridTransform()


_Kind = TypeVar("_Kind", bound=Attribution)


CAPTUM = "Kokhlikyan et al. 2020 (arXiv 2009.07896) for captum"
"""What to cite for methods that captum computes."""


def register_attribution(
    title: str, *references: str, label: str = "", uses_rng: bool = False
) -> Callable[[type[_Kind]], type[_Kind]]:
    """Register an attribution method, with the default values of its options, under the name of its layer.

    ``references`` are the publications to cite, and ``label`` words for its maps within a sentence.
    """

    def register(kind: type[_Kind]) -> type[_Kind]:
        method = kind()  # type: ignore[call-arg]  # subclasses name their layer
        register_explanation(
            name=method.layer,
            title=title,
            label=label,
            uses_target=True,
            uses_rng=uses_rng,
            reports_progress=True,
            references=references,
        )(method)
        return kind

    return register


@contextlib.contextmanager
def _without_notices() -> Iterator[None]:
    """Without what captum warns of at every call: hooks that it sets and removes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Setting (forward, )?backward hooks")
        warnings.filterwarnings(
            "ignore", message="Input Tensor 0 did not already require gradients"
        )
        yield
