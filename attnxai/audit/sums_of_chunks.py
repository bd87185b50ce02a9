"""Sums over emission, ring and empty sky of any number of images, read a chunk at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from attnxai.audit.evidence_location_statistics import NO_SUMS
from attnxai.audit.pooled_sums import PooledSums, pooled_sums
from attnxai.audit.zone_sums import ZoneReader, ZoneSums
from attnxai.data.emission import MIN_ISLAND_PIXELS, RING_PIXELS
from attnxai.errors import OptionError
from attnxai.explanations.files.map_store import CHUNK
from attnxai.explanations.gate_pass import read_gates
from attnxai.explanations.inputs import one_thread
from attnxai.models.architectures import input_kind
from attnxai.models.evaluation import evaluating
from attnxai.models.network import AttentionNetwork
from attnxai.models.preprocessing import AssumedOfParts

if TYPE_CHECKING:
    from attnxai.data.images import SourceImage
    from attnxai.explanations.explained_maps import ExplainedMaps
    from attnxai.explanations.gate_pass import GateReader
    from attnxai.explanations.stack import MapStack
    from attnxai.models.model import AttentionModel


def has_gates(model: AttentionModel) -> bool:
    """Whether the scores of a model are split by its gates."""
    return isinstance(model.network, AttentionNetwork) and bool(model.network.gates)


class SumsOfChunks:
    """The sums of :func:`~attnxai.audit.evidence_location_statistics.locate_evidence`, gathered chunk by chunk.

    Those of a network with gates come from the forward pass that makes the maps, others from one of their own.

    Parameters
    ----------
    model : AttentionModel
        The model.
    min_island_pixels, ring_pixels
        As of :func:`~attnxai.audit.evidence_location`.

    Raises
    ------
    OptionError
        If an option is out of its range.
    """

    def __init__(
        self,
        model: AttentionModel,
        *,
        min_island_pixels: int = MIN_ISLAND_PIXELS,
        ring_pixels: float = RING_PIXELS,
    ) -> None:
        if min_island_pixels < 1 or not ring_pixels > 0:
            raise OptionError(
                f"min_island_pixels has to be 1 or more and ring_pixels above 0, got {min_island_pixels} and {ring_pixels}"
            )
        self.model, self.min_island_pixels, self.ring_pixels = model, min_island_pixels, ring_pixels
        self._reader: ZoneReader | None = None
        self._of_gates: list[ZoneSums] = []
        self._pooled: list[PooledSums | None] = []

    def readers(self) -> Sequence[GateReader]:
        """What has to read the forward pass of the next chunk."""
        if not has_gates(self.model):
            return ()
        self._reader = ZoneReader(
            min_island_pixels=self.min_island_pixels, ring_pixels=self.ring_pixels
        )
        return (self._reader,)

    def add(self, images: Sequence[SourceImage]) -> None:
        """Take in a chunk of images, after its readers have read the pass."""
        if self._reader is not None:
            self._of_gates.append(self._reader.sums())
        elif None not in self._pooled:
            with AssumedOfParts().collected():  # which is told of the maps
                found = pooled_sums(
                    self.model,
                    images,
                    min_island_pixels=self.min_island_pixels,
                    ring_pixels=self.ring_pixels,
                )
            self._pooled.append(found)

    def found(self) -> ZoneSums | PooledSums | str:
        """The sums of all images, or why the model has none."""
        if self._of_gates:
            return ZoneSums.joined(self._of_gates)
        pooled = [one for one in self._pooled if one is not None]
        return PooledSums.joined(pooled) if None not in self._pooled and pooled else NO_SUMS

    def beside(self, maps: ExplainedMaps) -> Iterator[MapStack]:
        """The chunks of maps whose passes the readers read, with their sums taken in."""
        n_taken = 0
        for stack in maps.chunks():
            self.add(maps.images[n_taken : n_taken + len(stack)])
            n_taken += len(stack)
            yield stack

    def read(
        self,
        images: Sequence[SourceImage],
        on_batch: Callable[[int, int], None] | None = None,
    ) -> None:
        """Take in images whose maps are there already."""
        assumed = AssumedOfParts()
        device, _ = input_kind(self.model.network)
        for start in range(0, len(images), CHUNK):
            some = images[start : start + CHUNK]
            if readers := self.readers():
                with assumed.collected(), evaluating(self.model.network), one_thread(device):
                    read_gates(self.model, some, readers)
            self.add(some)
            if on_batch is not None:
                on_batch(start + len(some), len(images))
        assumed.warn()
