"""Marks with one label as a target of their own: cores, jets, lobes or hotspots, beside all marks together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.alignment.rasterise import DrawnAnnotations, draw_annotations
from attnxai.annotations.annotation_set import Operation
from attnxai.annotations.shapes import Label
from attnxai.data.short_repr import short_repr
from attnxai.explanations.stack import CENTRE_BIAS

if TYPE_CHECKING:
    from attnxai.alignment.pairs import AlignedPairs
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.data.grid import PixelGrid
    from attnxai.explanations.stack import MapStack


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelTargets:
    """What annotators marked with one label, on the field of the maps: the sources and annotators that have any."""

    label: Label
    sources: tuple[str, ...]
    annotators: tuple[str, ...]
    drawn: DrawnAnnotations

    __repr__ = short_repr

    def of(self, pairs: AlignedPairs) -> AlignedPairs:
        """The maps of these sources with these targets; the centre bias is that of the label."""
        place = {source: i for i, source in enumerate(pairs.sources)}
        chosen = pairs.select(np.array([place[source] for source in self.sources], dtype=np.intp))
        return dataclasses.replace(
            chosen,
            annotators=self.annotators,
            density=self.drawn.density,
            mask=self.drawn.mask,
            present=self.drawn.present,
            baselines={**chosen.baselines, CENTRE_BIAS: self.drawn.centre_bias},
            looks=(),
        )


def labels_in_use(annotations: AnnotationSet) -> tuple[Label, ...]:
    """Labels of the marks that add something, in the order of :class:`~attnxai.annotations.Label`."""
    used = {a.label for a in annotations.annotations if a.operation is Operation.ADD}
    return tuple(label for label in Label if label in used)


def targets_of_label(
    label: Label,
    pairs: AlignedPairs,
    maps: MapStack,
    annotations: AnnotationSet,
    grids: Mapping[str, PixelGrid],
) -> LabelTargets:
    """Draw the marks with one label of the sources of aligned pairs.

    What is subtracted is taken from them as it is from all marks, whatever its own label.
    """
    own = marks_of_label(label, pairs.sources, annotations)
    sources = tuple(sorted(own.sources))
    place = {source: i for i, source in enumerate(maps.sources)}
    return LabelTargets(
        label=label,
        sources=sources,
        annotators=own.annotators,
        drawn=draw_annotations(
            maps, [place[source] for source in sources], own, grids, pairs.fwhm_arcsec
        ),
    )


def marks_of_label(
    label: Label, sources: Sequence[str], annotations: AnnotationSet
) -> AnnotationSet:
    """The marks with one label of some sources, with what is subtracted from them."""
    known = set(sources)
    holding = {
        (a.source, a.annotator)
        for a in annotations.annotations
        if a.label == label and a.operation is Operation.ADD and a.source in known
    }
    marks = tuple(
        a
        for a in annotations.annotations
        if (a.source, a.annotator) in holding
        and (a.label == label or a.operation is Operation.SUBTRACT)
    )
    return dataclasses.replace(annotations, annotations=marks, repeats=())
