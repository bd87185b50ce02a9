"""Aligned pairs of many sources, whose pixels are made when a block of them is wanted and not kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from attnxai.alignment.labels import marks_of_label
from attnxai.alignment.looks import draw_looks
from attnxai.alignment.pairs import MapFacts, facts_of, notes_of, with_fields
from attnxai.alignment.placement import n_unchecked, notes_on_constant
from attnxai.alignment.rasterise import draw_annotations, places_of
from attnxai.alignment.source_facts import check_sources
from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.data.emission import emission_mask
from attnxai.data.grids_on_demand import GridOnDemand
from attnxai.errors import AlignmentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.alignment.pairs import AlignedPairs
    from attnxai.alignment.places import KnownPlaces
    from attnxai.alignment.rasterise import DrawnAnnotations
    from attnxai.annotations.annotation_set import Annotation
    from attnxai.annotations.shapes import Label
    from attnxai.data.grid import PixelGrid
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockOnDemand:
    """Some sources of :class:`PairsOnDemand`, which has pixels when they are asked for, in this or another process.

    ``facts`` are the pairs without pixels, ``marks`` those of these sources, ``places`` the same in pixels of their images,
    and ``grids`` hold those of these.
    """

    facts: AlignedPairs
    marks: AnnotationSet
    maps: MapSource
    grids: Mapping[str, PixelGrid]
    with_emission: bool
    places: KnownPlaces

    def __reduce__(self) -> tuple[Callable[..., BlockOnDemand], tuple[Any, ...]]:
        """Another process gets the maps of these sources alone, and few grids, to their last digit."""
        stack = self.maps.select(self.facts.sources)
        # later looks have no places, nor have marks that are there twice
        without = {mark.source for mark in self.marks.repeats}
        without |= {
            s for s, own in self.marks.by_source().items() if len(self.places[s]) < len(own)
        }
        # in one order, since pickles are compared
        grids = {source: GridOnDemand.of(self.grids[source]) for source in sorted(without)}
        return _block, (self.facts, self.marks, stack, grids, self.with_emission, self.places)

    def pairs(self) -> AlignedPairs:
        """The pairs; the centre bias is that of these sources."""
        stack, drawn = self._drawn()
        return self._with_fields(stack, drawn)

    def drawn(self) -> tuple[AlignedPairs, int]:
        """The pairs without maps and baselines, and the number of marks whose centre lies outside the field."""
        stack, drawn = self._drawn()
        found = dataclasses.replace(
            self.facts,
            explanations={},
            baselines={},
            density=drawn.density,
            mask=drawn.mask,
            present=drawn.present,
            valid=stack.valid,
            brightness=stack.brightness,
        )
        return found, drawn.n_outside

    def _drawn(self) -> tuple[MapStack, DrawnAnnotations]:
        stack = self.maps.select(self.facts.sources)
        drawn = draw_annotations(
            *self._given(stack), annotators=self.facts.annotators, known=self.places
        )
        return stack, drawn

    def _with_fields(self, stack: MapStack, drawn: DrawnAnnotations) -> AlignedPairs:
        looks = draw_looks(*self._given(stack), annotators=self.facts.annotators)
        return with_fields(self.facts, stack, drawn, looks, with_emission=self.with_emission)

    def _given(
        self, stack: MapStack
    ) -> tuple[MapStack, range, AnnotationSet, Mapping[str, PixelGrid], float]:
        return stack, range(len(stack)), self.marks, self.grids, self.facts.fwhm_arcsec


def _block(
    facts: AlignedPairs,
    marks: AnnotationSet,
    maps: MapStack,
    grids: Mapping[str, PixelGrid],
    with_emission: bool,
    places: KnownPlaces,
) -> BlockOnDemand:
    return BlockOnDemand(
        facts=facts,
        marks=marks,
        maps=maps,
        grids=grids,
        with_emission=with_emission,
        places=places,
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairsOnDemand:
    """Aligned pairs of all sources without pixels (``whole``), and of blocks of them with pixels.

    Made by :meth:`of`. ``marks`` and ``repeats`` are those of each source, on images with these ``grids``, and ``places``
    those of all marks, which are found once, since that takes longer than drawing them; ``n_constant``
    is the number of images that are constant where the maps lie, so that their place could not be checked.
    """

    whole: AlignedPairs
    maps: MapSource
    annotations: AnnotationSet
    marks: Mapping[str, Sequence[Annotation]]
    repeats: Mapping[str, Sequence[Annotation]]
    grids: Mapping[str, PixelGrid]
    places: KnownPlaces
    with_emission: bool
    n_constant: int

    @classmethod
    def of(
        cls,
        maps: MapSource,
        annotations: AnnotationSet,
        images: Sequence[SourceImage],
        *,
        fwhm_arcsec: float,
        use_source_weights: bool,
        places: KnownPlaces | None = None,
    ) -> PairsOnDemand:
        """Read the maps once, and check where they lie.

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
        places : dict, optional
            What :func:`~attnxai.alignment.usable.usable_annotations` found.
        """
        by_id = {image.source: image for image in images}
        check_sources(maps.sources, annotations, by_id)
        marks = annotations.by_source()
        repeats: dict[str, list[Annotation]] = {}
        for mark in annotations.repeats:
            repeats.setdefault(mark.source, []).append(mark)
        facts, with_emission, n_constant = _facts_of_maps(maps, marks, by_id)
        given = facts_of(
            facts,
            annotations,
            by_id,
            fwhm_arcsec=fwhm_arcsec,
            use_source_weights=use_source_weights,
        )
        grids = {source: image.grid for source, image in by_id.items()}
        found = cls(
            whole=given,
            maps=maps,
            annotations=annotations,
            marks=marks,
            repeats=repeats,
            grids=grids,
            places=places_of(annotations, grids, places),
            with_emission=with_emission,
            n_constant=n_constant,
        )
        one = found.block(np.arange(1)).pairs()
        named = dataclasses.replace(
            given,
            explanations=one.explanations,
            baselines=one.baselines,
            resolutions=one.resolutions,
        )
        return dataclasses.replace(found, whole=named.without_pixels())

    def block(self, positions: NDArray[np.intp]) -> BlockOnDemand:
        """Some of the sources."""
        facts = self.whole.select(positions)
        marks = AnnotationSet(
            annotations=tuple(mark for s in facts.sources for mark in self.marks[s]),
            repeats=tuple(mark for s in facts.sources for mark in self.repeats.get(s, ())),
        )
        return BlockOnDemand(
            facts=facts,
            marks=marks,
            maps=self.maps,
            grids=self.grids,
            with_emission=self.with_emission,
            places={
                source: {mark: placed[mark] for mark in self.marks[source]}
                for source in facts.sources
                for placed in [self.places[source]]
            },
        )

    def of_label(self, label: Label) -> PairsOnDemand:
        """The same maps with the marks of one label, of the sources and annotators that have any."""
        own = marks_of_label(label, self.whole.sources, self.annotations)
        marks = own.by_source()
        sources = [i for i, source in enumerate(self.whole.sources) if source in marks]
        chosen = self.whole.select(np.array(sources, dtype=np.intp))
        marked = {(a.annotator, a.source) for a in own.annotations}
        whole = dataclasses.replace(
            chosen,
            annotators=own.annotators,
            present=np.array([[(a, s) in marked for s in chosen.sources] for a in own.annotators]),
        )
        return dataclasses.replace(
            self, whole=whole.without_pixels(), annotations=own, marks=marks, repeats={}
        )

    def notes(self, *, n_outside: int, any_visible: bool) -> tuple[str, ...]:
        """What was left out or assumed, from what drawing all blocks has shown.

        ``n_outside`` marks have their centre outside the field, and ``any_visible`` says whether any lies on its valid
        pixels.
        """
        found = notes_of(
            self.whole,
            len(self.maps.sources),
            len(self.annotations),
            self.maps.select(self.whole.sources[:1]).field_shape,
            n_outside=n_outside,
            any_visible=any_visible,
            notes=notes_on_constant(self.n_constant),
        )
        return tuple(found)


def _facts_of_maps(
    maps: MapSource, marks: Mapping[str, object], by_id: Mapping[str, SourceImage]
) -> tuple[MapFacts, bool, int]:
    """What maps say about their sources, whether emission is a baseline, and the number of unchecked images."""
    # in the order of their ids, so that sums do not depend on the order of files
    names = sorted(source for source in maps.sources if source in marks)
    facts: list[MapFacts] = []
    bright = dark = False
    n_constant = 0
    for start in range(0, len(names), _AT_A_TIME):
        stack = maps.select(names[start : start + _AT_A_TIME])
        # a mistake that all sources share shows in the first of them
        n_constant += n_unchecked(stack, range(len(stack)), by_id, shared=start == 0)
        emission = emission_mask(stack.brightness)
        bright, dark = bright or bool(emission.any()), dark or not emission.all()
        facts.append(MapFacts.of(stack))
    if not facts:
        raise AlignmentError("there are no maps of annotated sources")
    return facts[0].join(facts[1:]), bright and dark, n_constant
