"""Maps of changed networks or images, of the classes of which the first maps were."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.alignment.resample import maps_on_field
from attnxai.explanations.explaining import explain
from attnxai.explanations.targets import against_the_others
from attnxai.metrics.ranking import mid_ranks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.images import SourceImage
    from attnxai.explanations.method import ExplanationMethod
    from attnxai.explanations.stack import MapStack
    from attnxai.models.model import AttentionModel


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SameClasses:
    """How to explain once more what the ``original`` maps explain.

    Without a ``target`` these are the classes that were predicted when the original was made, even if others
    would be predicted now. The ``seed`` is that of the original, so that methods that draw draw the same.
    """

    methods: Sequence[ExplanationMethod]
    target: str | Sequence[str] | None
    seed: int
    original: MapStack

    def explain(
        self, model: AttentionModel, images: Sequence[SourceImage]
    ) -> dict[str, NDArray[np.float64]]:
        """Maps of all images on the field."""
        predicted = self.original.predicted_classes()
        if (
            predicted is None
            or self.target is not None
            or not any(one.uses_target for one in self.methods)
        ):
            stack = explain(model, images, self.methods, target=self.target, rng=self.seed)
            return maps_on_field(stack)
        found: dict[str, NDArray[np.float64]] = {}
        for name in dict.fromkeys(predicted):
            target = against_the_others(name, model.class_names)
            chosen = np.flatnonzero([one == name for one in predicted])
            some = [images[int(position)] for position in chosen]
            own = maps_on_field(explain(model, some, self.methods, target=target, rng=self.seed))
            for layer, maps in own.items():
                whole = found.setdefault(layer, np.empty((len(images), *maps.shape[1:])))
                whole[chosen] = maps
        return found


def rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Spearman's correlation of two rows of values; NaN where one is constant or they are fewer than 3."""
    if first.size < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(mid_ranks(first), mid_ranks(second))[0, 1])
