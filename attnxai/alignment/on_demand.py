"""Aligned pairs of many sources, whose pixels are made when a block of them is wanted and not kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from attnxai.alignment.labels import marks_of_label
from attnxai.alignment.looks import draw_looks
from attnxai.alignment.pairs import MapFacts, check_sources, facts_of, notes_of, with_fields
from attnxai.alignment.placement import n_unchecked, notes_on_constant
from attnxai.alignment.rasterise import draw_annotations
from attnxai.data.emission import emission_mask
from attnxai.errors import AlignmentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.alignment.pairs import AlignedPairs
    from attnxai.annotations.annotation_set import Annotation, AnnotationSet
    from attnxai.annotations.shapes import Label
    from attnxai.data.images import SourceImage
    from attnxai.explanations.stack import MapStack

_AT_A_TIME = 64


class MapSource(Protocol):
    """Maps of many sources, in memory or in a store."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids of the sources."""

    def select(self, sources: Iterable[str]) -> MapStack:
        """The maps of some of them, in this order."""


class PairsOnDemand:
    """Aligned pairs of all sources without pixels (``whole``), and of blocks of them with pixels.

    Parameters
    ----------
    maps : MapSource
        Maps of some sources.
    annotations : AnnotationSet
        Those of :func:`~attnxai.alignment.usable.usable_annotations`, on one image of every source.
    images : sequence of SourceImage
        The images.
    fwhm_arcsec, use_source_weights
        As in :func:`attnxai.align`, as are the errors.
    """

    def __init__(
        self,
        maps: MapSource,
        annotations: AnnotationSet,
        images: Sequence[SourceImage],
        *,
        fwhm_arcsec: float,
        use_source_weights: bool,
    ) -> None:
        self._maps, self._annotations = maps, annotations
        self._by_id = {image.source: image for image in images}
        check_sources(maps.sources, annotations, self._by_id)
        self._marks = annotations.by_source()
        self._repeats: dict[str, list[Annotation]] = {}
        for mark in annotations.repeats:
            self._repeats.setdefault(mark.source, []).append(mark)
        self._n_outside: dict[tuple[str, ...], int] = {}
        self._any_visible = False
        self._with_emission = False
        self._n_constant = 0
        self.whole = self._facts(fwhm_arcsec, use_source_weights=use_source_weights)

    def _facts(self, fwhm_arcsec: float, *, use_source_weights: bool) -> AlignedPairs:
        """What is known of all sources: the maps are read once, and checked."""
        # in the order of their ids, so that sums do not depend on the order of files
        names = sorted(source for source in self._maps.sources if source in self._marks)
        facts: MapFacts | None = None
        bright = dark = False
        for start in range(0, len(names), _AT_A_TIME):
            stack = self._maps.select(names[start : start + _AT_A_TIME])
            # a mistake that all sources share shows in the first of them
            self._n_constant += n_unchecked(
                stack, range(len(stack)), self._by_id, shared=start == 0
            )
            emission = emission_mask(stack.brightness)
            bright, dark = bright or bool(emission.any()), dark or not emission.all()
            own = MapFacts.of(stack)
            facts = own if facts is None else facts.join(own)
        if facts is None:
            raise AlignmentError("there are no maps of annotated sources")
        self._with_emission = bright and dark
        whole = facts_of(
            facts,
            self._annotations,
            self._by_id,
            fwhm_arcsec=fwhm_arcsec,
            use_source_weights=use_source_weights,
        )
        one = self._block(whole.select(np.arange(1)))
        self._field_shape = one.valid.shape[1:]
        self._n_outside.clear()
        self._any_visible = False
        return dataclasses.replace(
            whole,
            explanations=one.explanations,
            baselines=one.baselines,
            resolutions=one.resolutions,
        ).without_pixels()

    def block(self, positions: NDArray[np.intp]) -> AlignedPairs:
        """Some of the sources with their pixels; the centre bias is that of each other."""
        return self._block(self.whole.select(positions))

    def _block(self, facts: AlignedPairs) -> AlignedPairs:
        marks = dataclasses.replace(
            self._annotations,
            annotations=tuple(mark for s in facts.sources for mark in self._marks[s]),
            repeats=tuple(mark for s in facts.sources for mark in self._repeats.get(s, ())),
        )
        pairs, n_outside = self.made_with(facts, marks)
        self._n_outside[facts.sources] = n_outside
        self._any_visible |= bool((pairs.mask & pairs.valid).any())
        return pairs

    def made_with(self, facts: AlignedPairs, marks: AnnotationSet) -> tuple[AlignedPairs, int]:
        """Sources with their pixels and these marks, and the number of marks whose centre lies outside the field."""
        stack = self._maps.select(facts.sources)
        given = (stack, range(len(stack)), marks, self._by_id, facts.fwhm_arcsec)
        drawn = draw_annotations(*given, annotators=facts.annotators)
        looks = draw_looks(*given, annotators=facts.annotators)
        made = with_fields(facts, stack, drawn, looks, with_emission=self._with_emission)
        return made, drawn.n_outside

    def of_label(self, label: Label) -> LabelOnDemand:
        """The same maps with the marks of one label, of the sources and annotators that have any."""
        own = marks_of_label(label, self.whole.sources, self._annotations)
        by_source = own.by_source()
        sources = [i for i, source in enumerate(self.whole.sources) if source in by_source]
        chosen = self.whole.select(np.array(sources, dtype=np.intp))
        marked = {(a.annotator, a.source) for a in own.annotations}
        whole = dataclasses.replace(
            chosen,
            annotators=own.annotators,
            present=np.array([[(a, s) in marked for s in chosen.sources] for a in own.annotators]),
        )
        return LabelOnDemand(
            whole=whole.without_pixels(), marks=by_source, make=self.made_with, annotations=own
        )

    def notes(self) -> tuple[str, ...]:
        """What was left out or assumed; how many centres lie outside is counted once all blocks were made."""
        found = notes_of(
            self.whole,
            len(self._maps.sources),
            len(self._annotations),
            self._field_shape,
            n_outside=sum(self._n_outside.values()),
            any_visible=self._any_visible,
            notes=notes_on_constant(self._n_constant),
        )
        return tuple(found)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelOnDemand:
    """Aligned pairs of the marks of one label, from :meth:`PairsOnDemand.of_label`."""

    whole: AlignedPairs
    annotations: AnnotationSet
    marks: Mapping[str, list[Annotation]]
    make: Callable[[AlignedPairs, AnnotationSet], tuple[AlignedPairs, int]]

    def block(self, positions: NDArray[np.intp]) -> AlignedPairs:
        """Some of the sources with their pixels."""
        facts = self.whole.select(positions)
        own = tuple(mark for source in facts.sources for mark in self.marks[source])
        return self.make(facts, dataclasses.replace(self.annotations, annotations=own))[0]

    def notes(self) -> tuple[str, ...]:
        """None beside those of all marks."""
        return ()
