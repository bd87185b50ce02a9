"""Contact sheets: which sources stand where, and what is drawn on them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from attnxai.annotations import Annotation, AnnotationSet, Operation, Shape
from attnxai.data import PixelGrid, SourceImage, SourceSet
from attnxai.errors import AnnotationError, OptionError
from attnxai.report import draw_contact_sheet
from attnxai.report.style import ANNOTATOR_COLOURS


def sources(n, side=40):
    rng = np.random.default_rng(0)
    return SourceSet(
        SourceImage(
            source=f"s{i:03d}",
            pixels=rng.normal(size=(side, side)),
            grid=PixelGrid(shape=(side, side)),
        )
        for i in range(n)
    )


def marks(images, x=20.0, y=20.0, names=("ann",)):
    return AnnotationSet(
        annotations=tuple(
            Annotation(
                source=image.source,
                annotator=name,
                shape=Shape(kind="circle", x=x, y=y, radius=6.0),
            )
            for image in images
            for name in names
        )
    )


def colour_of(name):
    return np.array([int(name[i : i + 2], 16) for i in (1, 3, 5)])


def pixels_of(path, colour):
    """Rows and columns of a sheet that have a colour of an annotator."""
    with Image.open(path) as sheet:
        shown = np.asarray(sheet.convert("RGB")).astype(int)
    # the legend below has the colours, too
    return np.argwhere(np.abs(shown[:-120] - colour_of(colour)).max(axis=2) < 40)


def test_thirty_sources_make_a_sheet(tmp_path):
    images, steps = sources(31), []
    found = draw_contact_sheet(
        marks(images), images, tmp_path / "all.png", on_step=lambda *both: steps.append(both)
    )
    assert [path.name for path in found] == ["all.png", "all-2.png"]
    assert steps == [(1, 2), (2, 2)]
    sizes = []
    for path in found:
        with Image.open(path) as sheet:
            sizes.append(sheet.size)
    assert sizes[0][1] > 3 * sizes[1][1]


def test_marks_lie_where_they_were_drawn(tmp_path):
    images = sources(1)
    # to the upper right of the middle: larger x, and larger y as row 0 is at the bottom
    (path,) = draw_contact_sheet(marks(images, x=28.0, y=30.0), images, tmp_path / "one.png")
    places = pixels_of(path, ANNOTATOR_COLOURS[0])
    with Image.open(path) as sheet:
        width, height = sheet.size
    row, column = places.mean(axis=0)
    assert column > 0.55 * width
    assert row < 0.4 * height


def test_every_annotator_has_a_colour(tmp_path):
    images = sources(2)
    drawn = marks(images, names=("ann", "bob"))
    (path,) = draw_contact_sheet(drawn, images, tmp_path / "two.png")
    # both circles are the same, and the second lies over the first
    assert len(pixels_of(path, ANNOTATOR_COLOURS[1])) > 50
    lone = draw_contact_sheet(marks(images), images, tmp_path / "lone.png")
    assert len(pixels_of(lone[0], ANNOTATOR_COLOURS[1])) < 5


def test_what_is_subtracted_is_hatched(tmp_path):
    images = sources(1)
    ring = marks(images, names=("ann",)).annotations[0]
    hole = dataclasses.replace(ring, shape=Shape(kind="circle", x=20.0, y=20.0, radius=4.0))
    drawn = []
    for operation in ("add", "subtract"):
        both = AnnotationSet(
            annotations=(ring, dataclasses.replace(hole, operation=Operation(operation)))
        )
        (path,) = draw_contact_sheet(both, images, tmp_path / f"{operation}.png")
        drawn.append(len(pixels_of(path, ANNOTATOR_COLOURS[0])))
    assert drawn[1] > 1.5 * drawn[0]


def test_what_cannot_be_drawn_or_written_is_refused(tmp_path):
    images = sources(2)
    with pytest.raises(AnnotationError, match="none of the 2 annotated sources has an image"):
        draw_contact_sheet(marks(images), sources(3)[2:], tmp_path / "a.png")
    with pytest.raises(OptionError, match=r"\.png, \.pdf"):
        draw_contact_sheet(marks(images), images, tmp_path / "a.jpg")
    (tmp_path / "a.png").write_bytes(b"mine")
    with pytest.raises(OptionError, match="overwrite=True"):
        draw_contact_sheet(marks(images), images, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"mine"
