"""What annotations and images say about their sources: whether they are the same, classes, weights and further columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.errors import AlignmentError, AnnotationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.annotations.annotation_set import Annotation, AnnotationSet
    from attnxai.data.images import SourceImage

_LIMIT_LISTED = 5


def check_sources(
    sources: Sequence[str], annotations: AnnotationSet, by_id: Mapping[str, SourceImage]
) -> None:
    """Refuse maps of sources without an image, and annotations of sources without a map."""
    without = [source for source in sources if source not in by_id]
    if without:
        raise AlignmentError(
            f"{len(without)} of {len(sources)} sources with a map have no image, such as "
            f"{without[0]!r}; give the images that the maps explain"
        )
    check_overlap(annotations, sources, "map")


def weights_of(sources: Sequence[str], annotations: AnnotationSet) -> NDArray[np.float64]:
    """Weights that the annotations state for sources, an AnnotationError where they state none."""
    missing = [s for s in sources if s not in annotations.source_weights]
    if missing:
        raise AnnotationError(
            f"sources cannot be weighted: the annotations state no weight for {len(missing)} of "
            f"them, such as {missing[0]}"
        )
    weights = np.array([annotations.source_weights[s] for s in sources], dtype=np.float64)
    if not weights.any():
        raise AnnotationError(
            f"sources cannot be weighted: the annotations state weight 0 for {len(weights)} of {len(weights)}; "
            "compare without source weights, or state weights above 0"
        )
    return weights


def columns_of(
    sources: Sequence[str], used: Sequence[Annotation]
) -> dict[str, tuple[str | None, ...]]:
    """Further columns of the table in which no source has two values."""
    values: dict[str, dict[str, set[str]]] = {}
    for annotation in used:
        for name, value in annotation.other.items():
            kept = values.setdefault(name, {}).setdefault(annotation.source, set())
            if value.strip():
                kept.add(value.strip())
    return {
        name: tuple(next(iter(by_source.get(source, ())), None) for source in sources)
        for name, by_source in values.items()
        if all(len(found) <= 1 for found in by_source.values()) and any(by_source.values())
    }


def check_inputs(
    annotations: AnnotationSet, images: Sequence[SourceImage], *, use_source_weights: bool
) -> None:
    """Refuse, before maps are computed, what :func:`align` would refuse of annotations and images."""
    by_id = {image.source: image for image in images}
    check_overlap(annotations, tuple(by_id))
    for source in annotations.sources:
        class_of(source, annotations, by_id)
    if use_source_weights:
        weights_of(annotations.sources, annotations)


def check_overlap(annotations: AnnotationSet, sources: Sequence[str], what: str = "image") -> None:
    """Refuse annotations of sources that have no image, or no map, with an example of either side."""
    known = set(sources)
    unknown = [s for s in annotations.sources if s not in known]
    if len(unknown) == len(annotations.sources):
        raise AlignmentError(
            f"none of the {len(unknown)} annotated sources (such as {unknown[0]!r}) is among the "
            f"{len(known)} {what}s (such as {next(iter(sources), '')!r}); ids are file names without "
            "folder and extension"
        )
    if unknown:
        listed = ", ".join(repr(s) for s in unknown[:_LIMIT_LISTED])
        more = f" and {len(unknown) - _LIMIT_LISTED} more" if len(unknown) > _LIMIT_LISTED else ""
        raise AlignmentError(
            f"{len(unknown)} of {len(annotations.sources)} annotated sources have no {what}: "
            f"{listed}{more}; add their {what}s or take their rows out of the table"
        )


def class_of(
    source: str, annotations: AnnotationSet, by_id: Mapping[str, SourceImage]
) -> str | None:
    """Class of a source, an AlignmentError where annotations and image contradict each other."""
    stated = annotations.classes.get(source)
    known = by_id[source].class_name
    if stated and known and stated != known:
        raise AlignmentError(
            f"source {source!r} is {stated!r} in the annotations but {known!r} in the data set or the "
            "labels of its image; correct one of them or leave the class of the annotations empty"
        )
    return stated or known
