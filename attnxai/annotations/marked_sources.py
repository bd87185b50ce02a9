"""The densities of all annotators on the sources that have an image."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.annotations.mark_density import Field, points_of_brightness, points_of_marks
from attnxai.annotations.orientation import Orientation, turnings
from attnxai.annotations.placement_evidence import (
    Compared,
    PlacementEvidence,
    Reference,
    weigh_placement,
)
from attnxai.annotations.shapes import Frame
from attnxai.errors import AnnotationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.annotations.annotation_set import Annotation, AnnotationSet
    from attnxai.annotations.orientation import Turning
    from attnxai.data.images import SourceImage

MOST_SOURCES = 100
"""Sources of one annotator that are used; more would change nothing."""
_MOST_PAIRS = 30
_MOST_KEPT = 2000


class MarkedSources:
    """Marks of every annotator on the sources that have an image, as points and densities.

    Parameters
    ----------
    annotations : AnnotationSet
        First rounds alone are used.
    images : sequence of SourceImage
        Images of the sources, or of some.
    rng : numpy.random.Generator
        Chooses sources where an annotator marked more than ``MOST_SOURCES``.

    Raises
    ------
    AnnotationError
        If no annotated source has an image.
    """

    def __init__(
        self, annotations: AnnotationSet, images: Sequence[SourceImage], rng: np.random.Generator
    ) -> None:
        by_id = {image.source: image for image in images}
        known = [source for source in annotations.sources if source in by_id]
        if not known:
            raise AnnotationError(
                f"none of the {len(annotations.sources)} annotated sources (such as {annotations.sources[0]!r}) is "
                f"among the {len(by_id)} images; ids are file names without folder and extension"
            )
        self.n_without_image = len(annotations.sources) - len(known)
        grouped: dict[tuple[str, str], list[Annotation]] = defaultdict(list)
        for mark in annotations.annotations:
            if mark.round == 1 and mark.source in by_id:
                grouped[mark.annotator, mark.source].append(mark)
        # sources of several annotators first, so that annotators keep those that they share
        n_annotators: dict[str, int] = defaultdict(int)
        for _, source in grouped:
            n_annotators[source] += 1
        order = sorted(rng.permutation(known).tolist(), key=lambda source: -n_annotators[source])
        rank = {source: i for i, source in enumerate(order)}
        self._images = by_id
        self._points: dict[tuple[str, str], NDArray[np.float64]] = {}
        self._on_sky: set[tuple[str, str]] = set()
        n_used: dict[str, int] = defaultdict(int)
        for key in sorted(grouped, key=lambda key: rank[key[1]]):
            if n_used[key[0]] == MOST_SOURCES:
                continue
            points = points_of_marks(grouped[key], by_id[key[1]])
            if len(points):
                self._points[key] = points
                n_used[key[0]] += 1
                if any(mark.shape.frame is Frame.ICRS for mark in grouped[key]):
                    self._on_sky.add(key)
        self._field = Field.around(self._points.values())
        self._of_source: dict[str, list[str]] = defaultdict(list)
        self._sources_of: dict[str, list[str]] = defaultdict(list)
        for annotator, source in self._points:
            self._of_source[source].append(annotator)
            self._sources_of[annotator].append(source)
        self._sums: dict[str, NDArray[np.float32]] = {}
        self._summed: frozenset[str] | None = None
        self._brightness: dict[str, NDArray[np.float32] | None] = {}
        self._turnings: dict[tuple[str, bool], Mapping[Orientation, Turning]] = {}
        self._drawn: dict[tuple[str, str], NDArray[np.float32] | None] = {}

    def density(self, annotator: str, source: str) -> NDArray[np.float32] | None:
        """What an annotator marked on a source; None where nothing lies in the field."""
        key = annotator, source
        if key in self._drawn:
            return self._drawn[key]
        drawn = self._field.density(self._points[key])
        if len(self._drawn) < _MOST_KEPT:
            self._drawn[key] = drawn
        return drawn

    def n_shared(self, first: str, second: str) -> int:
        """Sources that both annotators marked."""
        return len(set(self._sources_of[first]) & set(self._sources_of[second]))

    def against_brightness(self, annotator: str) -> PlacementEvidence | None:
        """Evidence by the brightness of the images; None where no source allows it."""
        return self._weigh(annotator, Reference.BRIGHTNESS)

    def against_others(self, annotator: str, trusted: Sequence[str]) -> PlacementEvidence | None:
        """Evidence by the other annotators among those who are trusted; None where no source is shared with one."""
        self._sum_over(trusted)
        return self._weigh(annotator, Reference.OTHERS)

    def _weigh(self, annotator: str, reference: Reference) -> PlacementEvidence | None:
        if not any(True for _ in self._compared(annotator, reference)):
            return None
        cell = self._field.cell_pixels
        return weigh_placement(reference, lambda: self._compared(annotator, reference), cell)

    def _compared(self, annotator: str, reference: Reference) -> Iterator[Compared]:
        for source in self._sources_of[annotator]:
            own = self.density(annotator, source)
            if own is None:
                continue
            if reference is Reference.BRIGHTNESS:
                other = self._brightness_of(source)
            else:
                other = self._others(annotator, source, own)
            if other is None:
                continue
            key = source, (annotator, source) in self._on_sky
            if key not in self._turnings:
                self._turnings[key] = turnings(self._images[source], on_sky=key[1])
            yield Compared(source=source, own=own, reference=other, turnings=self._turnings[key])

    def _sum_over(self, trusted: Sequence[str]) -> None:
        """Keep the sum of the trusted annotators' densities on every source."""
        if self._summed == frozenset(trusted):
            return
        self._sums, self._summed = {}, frozenset(trusted)
        for source, annotators in self._of_source.items():
            members = [name for name in annotators if name in self._summed]
            drawn = [d for name in members if (d := self.density(name, source)) is not None]
            if drawn:
                self._sums[source] = np.sum(drawn, axis=0)

    def _others(
        self, annotator: str, source: str, own: NDArray[np.float32]
    ) -> NDArray[np.float32] | None:
        if source not in self._sums:
            return None
        total = self._sums[source]
        others = total - own if self._summed and annotator in self._summed else total
        # what rounding leaves of a single annotator cannot be a reference
        norm = float(np.linalg.norm(others))
        return others / np.float32(norm) if norm > 0.5 else None

    def _brightness_of(self, source: str) -> NDArray[np.float32] | None:
        if source not in self._brightness:
            points = points_of_brightness(self._images[source])
            self._brightness[source] = self._field.density(points) if len(points) else None
        return self._brightness[source]

    def similarities(self) -> dict[tuple[str, str], tuple[float, int]]:
        """Mean similarity of every two annotators and the number of sources that both marked.

        Of a source with more than 30 annotators, the first 30 are used.
        """
        sums: dict[tuple[str, str], list[float]] = defaultdict(list)
        for source, annotators in self._of_source.items():
            drawn = {
                name: d
                for name in sorted(annotators)[:_MOST_PAIRS]
                if (d := self.density(name, source)) is not None
            }
            if len(drawn) < 2:
                continue
            flat = np.stack([density.ravel() for density in drawn.values()])
            gram = flat @ flat.T
            for (i, first), (j, second) in itertools.combinations(enumerate(drawn), 2):
                sums[first, second].append(float(gram[i, j]))
        return {pair: (float(np.mean(values)), len(values)) for pair, values in sums.items()}
