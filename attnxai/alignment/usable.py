"""Marks that can be compared: of a weight above 0, and within their image."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from attnxai.alignment.rasterise import reaches
from attnxai.annotations.annotation_set import Operation
from attnxai.annotations.pixel_shapes import place_on_pixels
from attnxai.annotations.shapes import Frame, ShapeKind
from attnxai.data.wording import counted, first_of
from attnxai.errors import (
    AlignmentError,
    AnnotationError,
    AssumptionWarning,
    LeftOutWarning,
    OptionError,
)

if TYPE_CHECKING:
    from attnxai.alignment.places import Places
    from attnxai.annotations.annotation_set import Annotation, AnnotationSet
    from attnxai.annotations.pixel_shapes import PixelShape
    from attnxai.data.images import SourceImage

WEIGHTLESS = "weight 0"
OUTSIDE = "outside the image"
UNFOUNDED = "subtracted from nothing"

# pixels; shapes are not drawn so small, but lengths in degrees that should be in arcsec are
_SHORTEST_DRAWN = 0.1

# an annotator with fewer shapes may have clicked by accident
_FEWEST_REFUSED = 3


def usable_annotations(
    annotations: AnnotationSet,
    images: Iterable[SourceImage],
    fwhm_arcsec: float,
    *,
    places: Places | None = None,
) -> AnnotationSet:
    """Annotations without the marks that cannot count.

    These are marks of a second or further round, marks of weight 0, marks outside their image, and subtracted marks
    of which nothing is left that they could be subtracted from. Each is named in the notices and in a LeftOutWarning; if
    none is left, an error says why. Marks of sources without an image are kept. Shapes far below a pixel are noted, and
    refused if all are, or all of one kind, frame and annotator. Where marks lie is added to ``places``, for whoever draws them next.
    """
    if not 0 < fwhm_arcsec < math.inf:
        raise OptionError(f"fwhm_arcsec has to be above 0, got {fwhm_arcsec}")
    annotations = annotations.first_round()
    by_id = {image.source: image for image in images}
    weightless = [a for a in annotations.annotations if a.weight == 0]
    beyond: dict[Annotation, str] = {}
    extents: dict[Annotation, float] = {}  # of shapes that are far below a pixel
    for source, placed in _placed(annotations.annotations, by_id):
        if places is not None:
            places.add(source, placed)
        for a, shape in placed.items():
            if place := _place_outside(a, shape, by_id[source], fwhm_arcsec):
                beyond[a] = place
            elif (
                shape is not None
                and a.shape.kind is not ShapeKind.POINT
                and (extent := shape.extent) < _SHORTEST_DRAWN
            ):
                extents[a] = extent
    outside = [a for a in annotations.annotations if a in beyond]
    lost = set(map(id, (*weightless, *outside)))
    unfounded = _unfounded([a for a in annotations.annotations if id(a) not in lost])
    lost |= set(map(id, unfounded))
    kept = tuple(a for a in annotations.annotations if id(a) not in lost)
    n = len(annotations)
    if len(weightless) == n:
        raise AnnotationError(
            f"{n} of {n} marks of {_name(annotations)} have weight 0, so there is nothing to compare; give the "
            "marks that count a weight above 0, or leave the weight empty, which stands for 1"
        )
    where = [f"{_named(a)}, {beyond[a]}" for a in outside]
    if unfounded and not kept:
        raise AnnotationError(
            f"{len(unfounded)} of {n} marks of {_name(annotations)} are subtracted, and no other is left that they "
            f"could be subtracted from, such as {_named(unfounded[0])}; add the shapes of which they are parts, with the "
            "same annotator and group"
        )
    if not kept:
        also = f", and the other {len(weightless)} have weight 0" if weightless else ""
        raise AlignmentError(
            f"{len(outside)} of {n} marks of {_name(annotations)} lie outside their image{also}, such as "
            f"{where[0]}; check their coordinates and frame"
        )
    notices = []
    if weightless:
        notices.append(
            f"{_of(weightless, n)} weight 0 and {_is(weightless)} left out: "
            f"{first_of(list(map(_named, weightless)), separator='; ')}."
        )
    if outside:
        verb = "lies outside its image" if len(outside) == 1 else "lie outside their image"
        notices.append(
            f"{len(outside)} of {n} marks {verb} and {_is(outside)} left out: "
            f"{first_of(where, separator='; ')}."
        )
    if unfounded:
        notices.append(
            f"{len(unfounded)} of {n} marks {_is(unfounded)} to be subtracted from others of {_its(unfounded)} annotator "
            f"and group, of which there are none, and {_is(unfounded)} left out: "
            f"{first_of(list(map(_named, unfounded)), separator='; ')}."
        )
    notices += _nothing_left(kept, weightless, outside)
    repeats, notice = _usable_repeats(annotations, by_id, fwhm_arcsec)
    notices += [notice] if notice else []
    for notice in notices:
        warnings.warn(notice.rstrip("."), LeftOutWarning, stacklevel=3)
    # the annotations may have been here before
    drawn = [a for a in kept if a.source in by_id and a.shape.kind is not ShapeKind.POINT]
    for notice in _far_below_a_pixel(annotations, drawn, extents):
        if notice not in annotations.notices:
            warnings.warn(notice.rstrip("."), AssumptionWarning, stacklevel=3)
            notices.append(notice)
    if not notices:
        return annotations
    reasons = ((WEIGHTLESS, weightless), (OUTSIDE, outside), (UNFOUNDED, unfounded))
    return dataclasses.replace(
        annotations,
        annotations=kept,
        repeats=repeats,
        left_out={**annotations.left_out, **{why: len(those) for why, those in reasons if those}},
        notices=(*annotations.notices, *notices),
    )


def _usable_repeats(
    annotations: AnnotationSet, by_id: Mapping[str, SourceImage], fwhm_arcsec: float
) -> tuple[tuple[Annotation, ...], str]:
    """Marks of further rounds that can count, and a notice of the others, or empty."""
    lost = {id(a) for a in annotations.repeats if a.weight == 0}
    for source, placed in _placed(annotations.repeats, by_id):
        for a, shape in placed.items():
            if _place_outside(a, shape, by_id[source], fwhm_arcsec):
                lost.add(id(a))
    if not lost:
        return annotations.repeats, ""
    return tuple(a for a in annotations.repeats if id(a) not in lost), (
        f"{len(lost)} of {len(annotations.repeats)} marks of further looks {'has' if len(lost) == 1 else 'have'} weight 0 or "
        f"{'lies' if len(lost) == 1 else 'lie'} outside {_its(lost)} image, and {_is(lost)} left out."
    )


def _placed(
    annotations: Sequence[Annotation], by_id: Mapping[str, SourceImage]
) -> Iterator[tuple[str, dict[Annotation, PixelShape | None]]]:
    """For each source the shapes of its marks of a weight above 0 in pixels of its image."""
    of_sources: dict[str, list[Annotation]] = {}
    for a in annotations:
        if a.weight > 0 and a.source in by_id:
            of_sources.setdefault(a.source, []).append(a)
    for source, members in of_sources.items():
        shapes = place_on_pixels([a.shape for a in members], by_id[source].grid, source=source)
        yield source, dict(zip(members, shapes, strict=True))


def _unfounded(marks: Sequence[Annotation]) -> list[Annotation]:
    """Subtracted marks without any that they could be subtracted from."""
    added = [a for a in marks if a.operation is Operation.ADD]
    groups = {(a.source, a.annotator, a.group) for a in added}
    groups |= {(a.source, a.annotator, "") for a in added}
    return [
        a
        for a in marks
        if a.operation is Operation.SUBTRACT and (a.source, a.annotator, a.group) not in groups
    ]


def _far_below_a_pixel(
    annotations: AnnotationSet,
    sized: Sequence[Annotation],
    extents: Mapping[Annotation, float],
) -> list[str]:
    """A notice that names the shapes of a length, ``extents``, far below a pixel.

    An AlignmentError if all are, or all of one kind, frame and annotator, of which there are some.
    """
    short = [a for a in sized if a in extents]
    if not short:
        return []
    alike: dict[tuple[ShapeKind, Frame, str], list[Annotation]] = {}
    for a in sized:
        alike.setdefault((a.shape.kind, a.shape.frame, a.annotator), []).append(a)
    found = {a: f"{_named(a)}, {extents[a]:.2g} pixels" for a in short}
    below = f"shorter than {_SHORTEST_DRAWN:g} pixels of"
    if len(short) == len(sized):
        raise AlignmentError(
            f"{_short_shapes(annotations, short, sized)} {_is(short)} {below} {_its(short)} image, such as "
            f"{found[short[0]]}: {_probably(short)}; positions are points"
        )
    for (kind, frame, annotator), members in alike.items():
        if len(members) >= _FEWEST_REFUSED and all(a in extents for a in members):
            raise AlignmentError(
                f"{_name(annotations)}: all {len(members)} shapes '{kind}' by {annotator} in the frame {frame} are "
                f"{below} their image, such as {found[members[0]]}: {_probably(members)}; positions are points"
            )
    advice = _probably(short)
    which = f"{_short_shapes(annotations, short, sized)} {_is(short)} {below} {_its(short)} image"
    named = first_of(list(found.values()), separator="; ")
    return [f"{which}: {named}. {advice[0].upper()}{advice[1:]}."]


def _short_shapes(
    annotations: AnnotationSet, short: Sequence[Annotation], sized: Sequence[Annotation]
) -> str:
    return f"{len(short)} of {counted(len(sized), 'shape')} of {_name(annotations)} with a length"


def _probably(short: Sequence[Annotation]) -> str:
    """In which other unit the lengths of shapes probably are, by frame."""
    remedies = {
        Frame.ICRS: "lengths on the sky are probably degrees; they have to be in arcsec (degrees times 3600)",
        Frame.PIXEL: "lengths and coordinates in the frame pixel are in pixels of the image",
    }
    frames = {a.shape.frame for a in short}
    return "; ".join(text for frame, text in remedies.items() if frame in frames)


def _nothing_left(
    kept: Sequence[Annotation], weightless: Sequence[Annotation], outside: Sequence[Annotation]
) -> list[str]:
    """Sources, and annotators of other sources, of whose marks none is left, with the reason."""
    sources = {a.source for a in kept}
    pairs = {(a.source, a.annotator) for a in kept}
    reasons: dict[tuple[str, str], set[str]] = {}
    for members, reason in ((weightless, "have weight 0"), (outside, "lie outside the image")):
        for a in members:
            if a.source not in sources:
                reasons.setdefault((a.source, ""), set()).add(reason)
            elif (a.source, a.annotator) not in pairs:
                reasons.setdefault((a.source, a.annotator), set()).add(reason)
    by_reason: dict[tuple[bool, str], list[str]] = {}
    for (source, annotator), why in reasons.items():
        key = bool(annotator), " or ".join(sorted(why))
        by_reason.setdefault(key, []).append(f"{source} by {annotator}" if annotator else source)
    found = []
    for (of_annotator, reason), names in by_reason.items():
        if of_annotator:
            found.append(
                f"As all their marks {reason}, these count as not marked: {first_of(names)}."
            )
        else:
            found.append(
                f"{counted(len(names), 'source is', 'sources are')} left out, as all their marks {reason}: "
                f"{first_of(names)}."
            )
    return found


def _of(marks: Sequence[Annotation], n: int) -> str:
    return f"{len(marks)} of {n} marks {'has' if len(marks) == 1 else 'have'}"


def _is(marks: Collection[object]) -> str:
    return "is" if len(marks) == 1 else "are"


def _name(annotations: AnnotationSet) -> str:
    return annotations.path or "the annotation set"


def _named(annotation: Annotation) -> str:
    line = f" (line {annotation.line})" if annotation.line else ""
    return f"{annotation.source} by {annotation.annotator}{line}"


def _its(marks: Collection[object]) -> str:
    return "its" if len(marks) == 1 else "their"


def _place_outside(
    annotation: Annotation, placed: PixelShape | None, image: SourceImage, fwhm_arcsec: float
) -> str:
    """Where a mark lies of which nothing reaches the image; empty if something does.

    Points and lines reach as far as their profile. Where the image states no scale, a pixel is taken as 1 arcsec.
    """
    rows, columns = image.grid.shape
    fwhm = fwhm_arcsec / (image.grid.pixel_scale_arcsec or 1.0)
    if placed is not None and reaches(placed, (rows, columns), fwhm):
        return ""
    on_sky = "{:.4f}, {:.4f} degrees".format(*annotation.shape.points[0])
    if placed is None:  # as far from the image as its projection cannot show
        return f"at {on_sky}"
    x, y = placed.centres[0]
    sky = f", {on_sky}" if annotation.shape.frame is Frame.ICRS else ""
    return f"at pixel {x:.0f}, {y:.0f} of {columns} x {rows}{sky}"
