"""Marks that can be compared: of a weight above 0, and within their image."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from attnxai.alignment.rasterise import centre_of, rasterise_density
from attnxai.annotations.shapes import Frame
from attnxai.data.grid import GridTransform
from attnxai.data.wording import counted, first_of
from attnxai.errors import AlignmentError, AnnotationError, LeftOutWarning, OptionError

if TYPE_CHECKING:
    from attnxai.annotations.annotation_set import Annotation, AnnotationSet
    from attnxai.data.images import SourceImage

WEIGHTLESS = "weight 0"
OUTSIDE = "outside the image"


def usable_annotations(
    annotations: AnnotationSet, images: Iterable[SourceImage], fwhm_arcsec: float
) -> AnnotationSet:
    """Annotations without the marks that cannot count: those of weight 0, and those outside their image.

    Marks of a second or further round are left out first. Each is named in the notices and in a LeftOutWarning; if none is left, an error says why. Marks of sources
    without an image are kept.
    """
    if not 0 < fwhm_arcsec < math.inf:
        raise OptionError(f"fwhm_arcsec has to be above 0, got {fwhm_arcsec}")
    annotations = annotations.first_round()
    by_id = {image.source: image for image in images}
    weightless = [a for a in annotations.annotations if a.weight == 0]
    places = {
        id(a): _place_outside(a, by_id[a.source], fwhm_arcsec)
        for a in annotations.annotations
        if a.weight > 0 and a.source in by_id
    }
    outside = [a for a in annotations.annotations if places.get(id(a))]
    if not weightless and not outside:
        return annotations
    n, n_lost = len(annotations), len(weightless) + len(outside)
    if len(weightless) == n:
        raise AnnotationError(
            f"{n} of {n} marks of {_name(annotations)} have weight 0, so there is nothing to compare; give the "
            "marks that count a weight above 0, or leave the weight empty, which stands for 1"
        )
    where = [f"{_named(a)}, {places[id(a)]}" for a in outside]
    if n_lost == n:
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
    lost = set(map(id, (*weightless, *outside)))
    kept = tuple(a for a in annotations.annotations if id(a) not in lost)
    notices += _nothing_left(kept, weightless, outside)
    for notice in notices:
        warnings.warn(notice.rstrip("."), LeftOutWarning, stacklevel=3)
    reasons = ((WEIGHTLESS, weightless), (OUTSIDE, outside))
    return dataclasses.replace(
        annotations,
        annotations=kept,
        left_out={**annotations.left_out, **{why: len(those) for why, those in reasons if those}},
        notices=(*annotations.notices, *notices),
    )


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


def _is(marks: Sequence[Annotation]) -> str:
    return "is" if len(marks) == 1 else "are"


def _name(annotations: AnnotationSet) -> str:
    return annotations.path or "the annotation set"


def _named(annotation: Annotation) -> str:
    line = f" (line {annotation.line})" if annotation.line else ""
    return f"{annotation.source} by {annotation.annotator}{line}"


def _place_outside(annotation: Annotation, image: SourceImage, fwhm_arcsec: float) -> str:
    """Where a mark lies of which nothing reaches the image; empty if something does.

    Points and lines reach as far as their profile. Where the image states no scale, a pixel is taken as 1 arcsec.
    """
    rows, columns = image.grid.shape
    shape = annotation.shape
    on_sky = "{:.4f}, {:.4f} degrees".format(*shape.points[0])
    try:
        regions = shape.to_pixel_regions(image.grid, source=image.source)
    except AlignmentError:
        if image.grid.wcs is None:
            raise
        # as far from the image as its projection cannot show
        return f"at {on_sky}"
    centres = [centre_of(region) for region in regions]
    if any(-0.5 <= x <= columns - 0.5 and -0.5 <= y <= rows - 0.5 for x, y in centres):
        return ""
    fwhm = fwhm_arcsec / (image.grid.pixel_scale_arcsec or 1.0)
    drawn = rasterise_density(
        regions, [1.0] * len(regions), GridTransform(), (rows, columns), fwhm=fwhm
    )
    if drawn.any():
        return ""
    x, y = centres[0]
    sky = f", {on_sky}" if shape.frame is Frame.ICRS else ""
    return f"at pixel {x:.0f}, {y:.0f} of {columns} x {rows}{sky}"
