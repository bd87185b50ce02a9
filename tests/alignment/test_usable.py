"""Marks that cannot count: of weight 0, or outside their image."""

from __future__ import annotations

import dataclasses
import importlib
import warnings
from typing import Any

import numpy as np
import pytest
from astropy.wcs import WCS

from attnxai.alignment.pairs import align
from attnxai.alignment.rasterise import draw_annotations
from attnxai.alignment.usable import usable_annotations
from attnxai.annotations.annotation_set import Annotation
from attnxai.annotations.shapes import Frame, Shape, ShapeKind
from attnxai.data.grid import PixelGrid
from attnxai.errors import AlignmentError, AnnotationError, AssumptionWarning, LeftOutWarning
from tests.builders import circle, made_up

FWHM = 5.4


def with_marks(marks, *more, replaced=()):
    return dataclasses.replace(marks, annotations=(*(replaced or marks.annotations), *more))


def usable(marks, images):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = usable_annotations(marks, images, FWHM)
    assert [f"{c.message}." for c in caught] == list(found.notices)
    assert all(c.category is LeftOutWarning for c in caught)
    return found


def test_nothing_is_said_where_all_marks_count():
    _, marks, images = made_up(n_sources=2)
    assert usable_annotations(marks, images, FWHM) is marks


def test_marks_are_placed_on_their_image_once_and_again_where_some_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    maps, marks, images = made_up(n_sources=3)
    gone = circle("source_01", "ann", -500.0, 4.0)
    placed: dict[str, list[str]] = {"usable": [], "rasterise": []}
    for module, name in (("usable", "place_on_pixels"), ("rasterise", "place_all")):
        place = getattr(importlib.import_module(f"attnxai.alignment.{module}"), name)

        def counting(shapes, grid, *, source, place=place, seen=placed[module]):
            if shapes:
                seen.append(source)
            return place(shapes, grid, source=source)

        monkeypatch.setattr(f"attnxai.alignment.{module}.{name}", counting)
    first = align(maps, marks, images)
    assert placed == {"usable": list(marks.sources), "rasterise": []}
    with pytest.warns(LeftOutWarning):
        second = align(maps, with_marks(marks, gone), images)
    # with the very same marks of a source alone
    assert placed["rasterise"] == ["source_01"]
    assert first.density.tobytes() == second.density.tobytes()
    drawn = draw_annotations(maps, range(3), marks, {i.source: i.grid for i in images}, FWHM)
    assert drawn.density.tobytes() == first.density.tobytes()
    assert drawn.mask.tobytes() == first.mask.tobytes()


def test_single_marks_of_weight_0_are_named_and_change_nothing():
    maps, marks, images = made_up(n_sources=2, annotators=("ann",))
    ghost = circle("source_00", "ann", 4.0, 4.0, weight=0.0, line=9)
    found = usable(with_marks(marks, ghost), images)
    assert found.annotations == marks.annotations
    assert found.notices == (
        "1 of 3 marks has weight 0 and is left out: source_00 by ann (line 9).",
    )
    assert found.left_out == {"weight 0": 1}
    first, second = align(maps, marks, images), align(maps, found, images)
    np.testing.assert_array_equal(first.density, second.density)
    np.testing.assert_array_equal(first.mask, second.mask)


def test_whoever_gave_a_source_weight_0_alone_has_not_marked_it():
    maps, marks, images = made_up(n_sources=3)
    changed = tuple(
        dataclasses.replace(a, weight=0.0)
        if a.source == "source_02" or (a.source, a.annotator) == ("source_00", "bob")
        else a
        for a in marks.annotations
    )
    both = with_marks(marks, replaced=changed)
    found = usable(both, images)
    assert found.notices[0].startswith(
        "3 of 6 marks have weight 0 and are left out: source_00 by bob"
    )
    assert found.notices[1:] == (
        "As all their marks have weight 0, these count as not marked: source_00 by bob.",
        "1 source is left out, as all their marks have weight 0: source_02.",
    )
    with pytest.warns(LeftOutWarning, match="weight 0"):
        pairs = align(maps, both, images)
    assert pairs.sources == ("source_00", "source_01")
    assert pairs.present.tolist() == [[True, True], [False, True]]


def test_nothing_but_weight_0_is_refused_with_that_reason():
    _, marks, images = made_up(n_sources=2)
    ghosts = tuple(dataclasses.replace(a, weight=0.0) for a in marks.annotations)
    with pytest.raises(
        AnnotationError,
        match=r"^4 of 4 marks of made-up.csv have weight 0, .* leave the weight empty",
    ):
        usable_annotations(with_marks(marks, replaced=ghosts), images, FWHM)


def test_a_mark_outside_its_image_is_named_with_its_place():
    _, marks, images = made_up(n_sources=2, annotators=("ann",))
    found = usable(with_marks(marks, circle("source_01", "ann", 900.0, 20.0, line=7)), images)
    assert found.annotations == marks.annotations
    (notice,) = found.notices
    assert notice.startswith(
        "1 of 3 marks lies outside its image and is left out: source_01 by ann (line 7), at"
    )
    assert notice.endswith("at pixel 900, 20 of 32 x 32.")
    assert found.left_out == {"outside the image": 1}


@pytest.mark.parametrize(
    ("shape", "reaches"),
    [
        (Shape(kind=ShapeKind.CIRCLE, x=40.0, y=10.0, radius=10.0), True),
        (Shape(kind=ShapeKind.CIRCLE, x=40.0, y=10.0, radius=5.0), False),
        # a Gaussian of 5.4 arcsec, that is 3 pixels, ends 3.8 pixels from its centre
        (Shape(kind=ShapeKind.POINT, x=34.0, y=10.0), True),
        (Shape(kind=ShapeKind.POINT, x=36.0, y=10.0), False),
        (Shape(kind=ShapeKind.LINE, vertices=((-90.0, 10.0), (90.0, 10.0))), True),
        (Shape(kind=ShapeKind.LINE, vertices=((-90.0, -10.0), (90.0, -10.0))), False),
        # the corner of the box around it reaches the image, the shape does not
        (Shape(kind=ShapeKind.POLYGON, vertices=((40.0, 25.0), (40.0, 40.0), (25.0, 40.0))), False),
    ],
)
def test_a_mark_counts_if_anything_of_it_reaches_the_image(shape, reaches):
    _, marks, images = made_up(n_sources=1, annotators=("ann",))
    mark = Annotation(source="source_00", annotator="ann", shape=shape)
    more = with_marks(marks, mark)
    if reaches:
        assert usable_annotations(more, images, FWHM) is more
    else:
        assert usable(more, images).annotations == marks.annotations


@pytest.mark.parametrize("ra", [170.0, 330.0])
def test_a_position_elsewhere_on_the_sky_is_outside(ra):
    """Even where the projection cannot show it."""
    _, marks, images = made_up(n_sources=1, annotators=("ann",))
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [150.0, 20.0]
    wcs.wcs.cdelt, wcs.wcs.crpix = [-5e-4, 5e-4], [16.5, 16.5]
    images = [dataclasses.replace(images[0], grid=PixelGrid(shape=(32, 32), wcs=wcs))]

    def at(x):
        shape = Shape(kind=ShapeKind.CIRCLE, frame=Frame.ICRS, x=x, y=20.0, radius=5.0)
        return Annotation(source="source_00", annotator="ann", shape=shape, line=5)

    assert len(usable_annotations(with_marks(marks, at(150.0)), images, FWHM)) == 2
    found = usable(with_marks(marks, at(ra)), images)
    assert "source_00 by ann (line 5), at " in found.notices[0]
    assert f"{ra:.4f}, 20.0000 degrees" in found.notices[0]


def test_only_marks_outside_are_refused():
    _, marks, images = made_up(n_sources=2, annotators=("ann",))
    away = tuple(circle(a.source, "ann", 500.0, 500.0, line=a.line) for a in marks.annotations)
    with pytest.raises(
        AlignmentError,
        match=r"^2 of 2 marks of made-up.csv lie outside their image, such as source_00 by ann \(line 2\), at "
        r"pixel 500, 500 of 32 x 32; check their coordinates and frame",
    ):
        usable_annotations(with_marks(marks, replaced=away), images, FWHM)
    mixed = (away[0], dataclasses.replace(away[1], weight=0.0))
    with pytest.raises(AlignmentError, match=r"1 of 2 marks .*, and the other 1 have weight 0"):
        usable_annotations(with_marks(marks, replaced=mixed), images, FWHM)


def sized(source: str, radius: float, **values: Any) -> Annotation:
    shape = Shape(kind=ShapeKind.CIRCLE, x=20.0, y=20.0, radius=radius)
    return Annotation(source=source, annotator="a", shape=shape, **values)


def test_shapes_far_below_a_pixel_are_noted_and_refused_if_all_are() -> None:
    _, marks, images = made_up(n_sources=2)
    first = images[0].source
    some = with_marks(marks, sized(first, 4.0), sized(first, 8 / 3600, line=7))
    with pytest.warns(AssumptionWarning, match="shorter than 0.1 pixels"):
        found = usable_annotations(some, images, FWHM)
    (notice,) = found.notices
    assert notice.startswith(
        f"1 of {sum(a.shape.kind != 'point' for a in some.annotations)} shapes"
    )
    assert "is shorter than 0.1 pixels of its image: " in notice
    assert "(line 7), 0.0044 pixels. Lengths and coordinates in the frame pixel are" in notice
    # once, although a comparison asks twice
    assert usable_annotations(found, images, FWHM) is found
    every = dataclasses.replace(marks, annotations=(sized(first, 8 / 3600), sized(first, 0.04)))
    with pytest.raises(
        AlignmentError, match=r"2 of 2 shapes .* are shorter than 0.1 pixels of their"
    ):
        usable_annotations(every, images, FWHM)


def on_sky(source: str, kind: ShapeKind, size: float, annotator: str) -> Annotation:
    sizes: dict[str, Any] = (
        {"radius": size} if kind is ShapeKind.CIRCLE else {"width": size, "height": size}
    )
    shape = Shape(kind=kind, x=180.0, y=30.0, frame=Frame.ICRS, **sizes)
    return Annotation(source=source, annotator=annotator, shape=shape)


def test_degrees_in_the_circles_of_one_annotator_are_refused_beside_good_marks() -> None:
    _, marks, images = made_up(n_sources=2)
    sky = WCS(naxis=2)
    sky.wcs.ctype, sky.wcs.crval, sky.wcs.crpix = ["RA---TAN", "DEC--TAN"], [180.0, 30.0], [20, 20]
    sky.wcs.cdelt = [-2 / 3600, 2 / 3600]
    grid = PixelGrid(shape=images[0].grid.shape, wcs=sky)
    images = [dataclasses.replace(image, grid=grid) for image in images]
    first = images[0].source
    degrees = [on_sky(first, ShapeKind.CIRCLE, 0.0025, "a")] * 3
    degrees = [dataclasses.replace(a, line=line) for line, a in enumerate(degrees, start=2)]
    arcsec = [on_sky(first, ShapeKind.BOX, 9.0, "a"), on_sky(first, ShapeKind.CIRCLE, 9.0, "b")]
    words = (
        r"all 3 shapes 'circle' by a in the frame icrs are shorter than 0.1 pixels .* \(line 2\), 0.00\d+ pixels: "
        "lengths on the sky are probably degrees; they have to be in arcsec"
    )
    with pytest.raises(AlignmentError, match=words):
        usable_annotations(with_marks(marks, *degrees, *arcsec), images, FWHM)
    for others in (degrees[:2], [*degrees, on_sky(first, ShapeKind.CIRCLE, 9.0, "a")]):
        with pytest.warns(AssumptionWarning, match=rf"^{min(len(others), 3)} of \d+ shapes"):
            usable_annotations(with_marks(marks, *others, *arcsec), images, FWHM)


def test_what_is_subtracted_from_nothing_is_left_out() -> None:
    _, marks, images = made_up(n_sources=2)
    first = images[0].source
    ring = (sized(first, 6.0, group="1"), sized(first, 3.0, group="1", operation="subtract"))
    assert usable_annotations(with_marks(marks, *ring), images, FWHM).left_out == {}
    lone = sized(first, 3.0, group="2", operation="subtract", line=5)
    with pytest.warns(LeftOutWarning, match=r"1 of \d+ marks is to be subtracted from others"):
        found = usable_annotations(with_marks(marks, *ring, lone), images, FWHM)
    assert found.left_out == {"subtracted from nothing": 1}
    assert lone not in found.annotations
    alone = dataclasses.replace(marks, annotations=(lone,))
    with pytest.raises(
        AnnotationError, match=r"1 of 1 marks .* are subtracted, and no other is left"
    ):
        usable_annotations(alone, images, FWHM)
