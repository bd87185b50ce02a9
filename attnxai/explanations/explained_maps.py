"""Maps of any number of images, made a chunk at a time and not kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from attnxai.explanations.chunk import seed_of_chunk
from attnxai.explanations.explaining import chosen_methods, explain_part, note_unmatched
from attnxai.explanations.files.map_store import CHUNK
from attnxai.explanations.method import check_explained
from attnxai.models.preprocessing import AssumedOfParts

if TYPE_CHECKING:
    import numpy as np

    from attnxai.data.images import SourceImage
    from attnxai.explanations.gate_pass import GateReader
    from attnxai.explanations.method import ExplanationMethod
    from attnxai.explanations.stack import MapStack
    from attnxai.models.model import AttentionModel


def no_readers() -> Sequence[GateReader]:
    """Nothing else reads the forward pass."""
    return ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExplainedMaps:
    """Maps of a model, which are made anew whenever they are gone through, so that only those of a chunk are in memory.

    They are those of :func:`attnxai.explain` for all images at once; methods that draw draw for each chunk what they
    draw for the same chunk of a store with the same seed.

    Parameters
    ----------
    model, images, method, rng, on_batch
        As of :func:`attnxai.explain`.
    readers : callable
        Makes what else reads the forward pass of a chunk.
    """

    model: AttentionModel
    images: Sequence[SourceImage]
    method: str | ExplanationMethod | Sequence[str | ExplanationMethod]
    rng: np.random.Generator | int = 0
    readers: Callable[[], Sequence[GateReader]] = no_readers
    on_batch: Callable[[int, int], None] | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids of the images."""
        return tuple(image.source for image in self.images)

    def __len__(self) -> int:
        return len(self.images)

    def chunks(self) -> Iterator[MapStack]:
        """The maps, chunk by chunk."""
        chosen = chosen_methods(self.method)
        check_explained(self.model, self.images, None)
        note_unmatched(self.model, self.images)
        assumed = AssumedOfParts()
        for index, start in enumerate(range(0, len(self), CHUNK)):
            images = self.images[start : start + CHUNK]
            seed = seed_of_chunk(self.rng, index) if isinstance(self.rng, int) else self.rng
            with assumed.collected():
                stack = explain_part(
                    self.model,
                    images,
                    chosen,
                    target=None,
                    rng=seed,
                    readers=self.readers(),
                    on_batch=self._after(start, len(images)),
                )
            yield stack
        assumed.warn()

    def _after(self, start: int, n_images: int) -> Callable[[int, int], None] | None:
        """Progress of a chunk, as progress of all."""
        show = self.on_batch
        if show is None:
            return None
        return lambda n_done, n: show(start * n // n_images + n_done, len(self) * n // n_images)
