"""Images of the same source, which count once, and the annotations of all of them."""

from __future__ import annotations

import dataclasses
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from attnxai.annotations.annotation_set import Annotation, AnnotationSet
from attnxai.annotations.shape_conversion import in_frame
from attnxai.annotations.shapes import Frame
from attnxai.data.images import SourceSet
from attnxai.data.independence import Copies, find_copies
from attnxai.data.wording import counted
from attnxai.errors import LeftOutWarning
from attnxai.explanations.files.map_chunks import MapChunks
from attnxai.explanations.stack import MapStack, Split

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.images import SourceImage

_Maps = TypeVar("_Maps", bound=MapStack | MapChunks)
MARKED_AGAIN = "the annotator marked another image of the source"
NOT_PLACED = "it cannot be placed on the image that stands for the source"
# the first that is known of any image of a source holds for the source
_BY_CAUTION = (Split.TRAINING, Split.VALIDATION, Split.UNKNOWN, Split.HELD_OUT)


def independent_sources(
    annotations: AnnotationSet,
    images: Sequence[SourceImage],
    stacks: Sequence[_Maps] = (),
    *,
    seen: Sequence[NDArray[np.float32]] = (),
) -> tuple[AnnotationSet, SourceSet, list[_Maps]]:
    """Annotations, images and maps in which every source has one image.

    Which images show the same source, and which of them stands for it, is found by
    :func:`~attnxai.data.independence.find_copies` from the images and what networks see of them, ``seen``
    (arrays of shape (n_images, rows, columns)). Marks on the others are carried over to it: as they are where the pixels are
    the same, else over the sky. What an annotator marked on a further image of a source is left out, as are marks that
    cannot be placed; both are counted. A source that was trained on in any of its images was trained on.

    Warns
    -----
    LeftOutWarning
        Where images or marks are left out.
    """
    images = images if isinstance(images, SourceSet) else SourceSet(images)
    marked = set(annotations.sources)
    chosen = [i for i, image in enumerate(images) if image.source in marked]
    used = [images[i] for i in chosen]
    views = [values[chosen] for values in seen]
    copies = find_copies(used, views)
    notices = list(copies.notices)
    if copies.others:
        annotations, further = _merged(annotations, copies, {image.source: image for image in used})
        notices += further
        kept_for = copies.kept_for
        images = SourceSet(
            (image for image in images if image.source not in kept_for),
            origin=images.origin,
        )
        stacks = [_one_map_a_source(maps, copies) for maps in stacks]
    new = [notice for notice in notices if notice not in annotations.notices]
    for notice in new:
        warnings.warn(notice.rstrip("."), LeftOutWarning, stacklevel=3)
    if new:
        annotations = dataclasses.replace(annotations, notices=(*annotations.notices, *new))
    return annotations, images, list(stacks)


def _one_map_a_source(maps: _Maps, copies: Copies) -> _Maps:
    split_of = dict(zip(maps.sources, maps.splits, strict=True))
    for kept, others in copies.others.items():
        known = {split_of[source] for source in (kept, *others) if source in split_of}
        split_of[kept] = next(split for split in _BY_CAUTION if split in known or not known)
    kept_for = copies.kept_for
    sources = [source for source in maps.sources if source not in kept_for]
    splits = tuple(split_of[source] for source in sources)
    if isinstance(maps, MapChunks):
        return cast("_Maps", maps.restricted_to(sources, splits=splits))
    return cast("_Maps", dataclasses.replace(maps.select(sources), splits=splits))


def _merged(
    annotations: AnnotationSet, copies: Copies, by_id: Mapping[str, SourceImage]
) -> tuple[AnnotationSet, list[str]]:
    """Annotations of every source on the image that stands for it, and what has to be said about them."""
    kept_for = copies.kept_for
    rank = {
        source: number
        for kept, others in copies.others.items()
        for number, source in enumerate((kept, *others))
    }
    # every annotator's marks are those on the first image of a source that they marked
    first: dict[tuple[str, str], str] = {}
    for a in sorted(annotations.annotations, key=lambda a: rank.get(a.source, 0)):
        first.setdefault((kept_for.get(a.source, a.source), a.annotator), a.source)
    found: list[Annotation] = []
    repeats: list[Annotation] = []
    lost: list[tuple[Annotation, str]] = []
    for a in (*annotations.annotations, *annotations.repeats):
        kept = kept_for.get(a.source, a.source)
        moved = a if kept == a.source else _moved(a, by_id[a.source], by_id[kept])
        if first.get((kept, a.annotator)) != a.source:
            lost.append((a, MARKED_AGAIN))
        elif moved is None:
            lost.append((a, NOT_PLACED))
        else:
            (found if a.round == 1 else repeats).append(moved)
    classes, weights = dict(annotations.classes), dict(annotations.source_weights)
    others_of = {kept: (kept, *others) for kept, others in copies.others.items()}
    notices = []
    for kept, names in others_of.items():
        if (named := next((name for name in names if name in classes), None)) is not None:
            classes[kept] = classes[named]
        if (named := next((name for name in names if name in weights), None)) is not None:
            weights[kept] = weights[named]
        if len({annotations.classes[name] for name in names if name in annotations.classes}) > 1:
            notices.append(
                f"Images of {kept} have different classes; it counts as {classes[kept]}."
            )
    counts = Counter(reason for _, reason in lost)
    notices += [
        f"{counted(n, 'mark')} on further images of a source {'is' if n == 1 else 'are'} left out, as {reason}."
        for reason, n in counts.items()
    ]
    merged = dataclasses.replace(
        annotations,
        annotations=tuple(found),
        repeats=tuple(repeats),
        classes=classes,
        source_weights=weights,
        left_out={
            **annotations.left_out,
            **Counter(reason for a, reason in lost if a.round == 1),
        },
        copies={**annotations.copies, **copies.others},
    )
    return merged, notices


def _moved(annotation: Annotation, image: SourceImage, onto: SourceImage) -> Annotation | None:
    """A mark on an image, on another one of the same source; None where it is not known where it lies there."""
    a, b = image.grid, onto.grid
    if annotation.shape.frame is Frame.PIXEL and not (
        np.array_equal(image.pixels, onto.pixels) and a.file_pixels == b.file_pixels
    ):
        if a.wcs is None or b.wcs is None:
            return None
        annotation = in_frame(annotation, Frame.ICRS, {image.source: image})
    return dataclasses.replace(annotation, source=onto.source)
