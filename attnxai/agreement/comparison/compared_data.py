"""What a result was computed from, which its report shows beside the numbers."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from attnxai.data.short_repr import short_repr

if TYPE_CHECKING:
    from attnxai.alignment.pairs import AlignedPairs
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.data.images import SourceSet
    from attnxai.explanations.stack import MapStack


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparedData:
    """Maps, annotations and images of a comparison.

    Parameters
    ----------
    maps : MapStack
        The maps of one model.
    annotations : AnnotationSet
        The annotations.
    images : SourceSet
        The images of the sources.
    pairs : AlignedPairs
        All of them on one grid.
    seed : int or None
        Seed of the comparison; None where it was given a generator.
    """

    maps: MapStack
    annotations: AnnotationSet
    images: SourceSet
    pairs: AlignedPairs
    seed: int | None

    __repr__ = short_repr
