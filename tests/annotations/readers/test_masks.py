"""Label masks: pixel for pixel, upright, with labels by the user's mapping, and the way back."""

from __future__ import annotations

import dataclasses
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

import attnxai
from attnxai.alignment.rasterise import rasterise_annotations
from attnxai.annotations import Naming, write_annotations
from attnxai.annotations.annotation_set import AnnotationSet, Operation
from attnxai.annotations.shapes import ShapeKind
from attnxai.data.grid import RowZero
from attnxai.data.images import SourceImage
from attnxai.errors import AnnotationError, AttnxaiError, LeftOutWarning
from tests.annotations.conftest import SHAPE
from tests.annotations.marks_in_common import PIXEL_SHAPES, marks

MakeImage = Callable[..., SourceImage]


def drawn(values: int = 3) -> np.ndarray:
    """A core in a ring, a lobe in a corner of the image, and pixels that touch at corners."""
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[10:21, 5:16] = 2
    labels[13:18, 8:13] = 0
    labels[15, 10] = 1
    labels[36:, 44:] = 3
    labels[30, 20] = labels[31, 21] = labels[32, 20] = 3
    return np.minimum(labels, values) if values > 1 else (labels > 0).astype(np.uint8)


def covered(annotations: AnnotationSet, image: SourceImage, label: str) -> np.ndarray:
    of_label = [a for a in annotations.annotations if a.label == label]
    return rasterise_annotations(of_label, image.grid, fwhm=3.0).density


NAMING = Naming(labels={"1": "core", "2": "lobe", "3": "hotspot"})


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def make(values: Any, name: str = "g1.fits", mode: str = "", **cards: Any) -> Path:
        path = tmp_path / "ann" / name
        path.parent.mkdir(exist_ok=True)
        if name.endswith(".png"):
            picture = Image.fromarray(values)
            (picture.convert(mode) if mode else picture).save(path)
        else:
            fits.writeto(path, values, fits.Header(cards), overwrite=True)
        return path

    return make


Save = Callable[..., Path]


@pytest.mark.parametrize("top", [False, True])
@pytest.mark.parametrize("name", ["g1.fits", "g1.fits.gz", "g1.png"])
def test_pixel_for_pixel(save: Save, make_image: MakeImage, name: str, top: bool) -> None:
    """Of a picture row 0 is drawn at the top, of a FITS file it is row 0 of the image."""
    image = make_image("g1")
    if top:
        image = dataclasses.replace(
            image, grid=dataclasses.replace(image.grid, row_zero=RowZero.TOP)
        )
    labels = drawn()
    stored = labels if name != "g1.png" or top else np.ascontiguousarray(labels[::-1])
    found = attnxai.read_annotations(save(stored, name), [image], naming=NAMING)
    for value, label in ((1, "core"), (2, "lobe"), (3, "hotspot")):
        np.testing.assert_array_equal(covered(found, image, label), labels == value)
    assert (found.sources, found.annotators) == (("g1",), ("ann",))
    assert found.n_rows == found.n_rows_used == 4
    (hole,) = (a for a in found.annotations if a.operation is Operation.SUBTRACT)
    assert hole.group == "area 1"
    assert {a.other["value"] for a in found.annotations} == {"1", "2", "3"}


@pytest.mark.parametrize(
    ("values", "mode"),
    [
        (drawn(1), ""),
        (drawn(1) * 255, ""),
        (drawn(1).astype(bool), ""),
        (drawn(1) * 255, "RGB"),
        (drawn(1).astype(np.uint16) * 40_000, ""),
    ],
)
@pytest.mark.parametrize("name", ["g1.fits", "g1.png"])
def test_one_value_marks_the_source(
    save: Save, make_image: MakeImage, values: np.ndarray, mode: str, name: str
) -> None:
    image = make_image("g1")
    stored = values[::-1] if name == "g1.png" else values.astype("i4")
    path = save(np.ascontiguousarray(stored), name, mode)
    found = attnxai.read_annotations(path, [image])
    np.testing.assert_array_equal(covered(found, image, "source"), drawn(1))
    assert any("is the only one and marks the source" in note for note in found.notices)
    value = str(int(values.max()))
    named = attnxai.read_annotations(path, [image], naming=Naming(labels={value: "jet"}))
    assert {a.label for a in named.annotations} == {"jet"}


def test_indexed_and_transparent_pictures(tmp_path: Path, make_image: MakeImage) -> None:
    """Indices count, not their colours, and what is transparent is not marked."""
    image = make_image("g1")
    upright = np.ascontiguousarray(drawn()[::-1])
    indexed = Image.fromarray(upright)
    indexed.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    indexed.save(tmp_path / "g1.png")
    found = attnxai.read_annotations(tmp_path / "g1.png", [image], naming=NAMING)
    np.testing.assert_array_equal(covered(found, image, "lobe"), drawn() == 2)
    white = np.full((*SHAPE, 4), 255, dtype=np.uint8)
    white[..., 3] = 255 * (upright > 0)
    Image.fromarray(white).save(tmp_path / "g1.png")
    found = attnxai.read_annotations(tmp_path / "g1.png", [image])
    np.testing.assert_array_equal(covered(found, image, "source"), drawn() > 0)


def test_values_without_a_label(save: Save, make_image: MakeImage) -> None:
    found = attnxai.read_annotations(
        save(drawn()), [make_image("g1")], naming=Naming(labels={"1": "core"})
    )
    assert sorted({str(a.label) for a in found.annotations}) == ["core", "other"]
    assert any("Some marks state no label" in note for note in found.notices), found.notices


def test_the_image_of_a_mask_among_others(tmp_path: Path, make_image: MakeImage) -> None:
    """By its name, and without the words that name nobody; blank pixels mark nothing."""
    values = drawn().astype("f4")
    values[0, :3] = np.nan
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(np.ones(SHAPE), name="SCI"),
        fits.ImageHDU(np.ones(SHAPE)),
    ]
    mask = fits.ImageHDU(values[None], name="SEGMAP")
    (tmp_path / "bob").mkdir()
    path = tmp_path / "bob" / "g1_mask.fits"
    fits.HDUList([*hdus[::2], mask]).writeto(path)
    found = attnxai.read_annotations(path, [make_image("g1")], naming=NAMING)
    assert (found.sources, found.annotators) == (("g1",), ("bob",))
    assert "3 blank pixels of the mask mark nothing." in found.notices
    fits.HDUList([*hdus[::2], hdus[2]]).writeto(path, overwrite=True)
    with pytest.raises(AttnxaiError, match=r"a FITS file with 2 images, HDU 1 .*; keep the one"):
        attnxai.read_annotations(path)


@pytest.mark.parametrize(
    ("values", "name", "fault"),
    [
        (
            drawn()[:-1],
            "g1.fits",
            "has 50 x 39 pixels, but the image of 'g1' has 50 x 40; give a mask",
        ),
        (
            drawn() * 0.5,
            "g1.fits",
            "holds 1, and a mask|holds 0.5, and a mask holds a whole number",
        ),
        (-drawn().astype("i2"), "g1.fits", "holds -3; labels of a mask are numbers from 1"),
        (drawn() * 0, "g1.fits", "marks nothing: all of its pixels are 0"),
        (
            np.arange(2000).reshape(SHAPE),
            "g1.fits",
            "has 1999 values in 1,999 areas, mostly of one pixel",
        ),
        (np.dstack([drawn(), drawn() * 2, drawn()]), "g1.png", "g1.png is in colour; give every"),
    ],
)
def test_faults(
    save: Save, make_image: MakeImage, values: np.ndarray, name: str, fault: str
) -> None:
    with pytest.raises(AttnxaiError, match=fault):
        attnxai.read_annotations(save(values, name), [make_image("g1")])


def test_a_mask_of_another_place(save: Save, make_image: MakeImage) -> None:
    """Coordinates of a mask have to be those of the image; where they cannot be read they do not matter."""
    image = make_image("g1", 150.0)
    assert image.grid.wcs is not None
    cards = {**image.grid.wcs.to_header()}
    attnxai.read_annotations(save(drawn(1), **cards), [image])
    attnxai.read_annotations(save(drawn(1), **{**cards, "CRPIX1": "abc"}), [image])
    moved = {**cards, "CRPIX1": cards["CRPIX1"] + 2}
    with pytest.raises(AnnotationError, match="by their coordinates its corners are 2 pixels from"):
        attnxai.read_annotations(save(drawn(1), **moved), [image])
    flipped = {**cards, "CDELT2": -cards["CDELT2"]}
    with pytest.raises(AnnotationError, match="lies elsewhere on the sky than the image of 'g1'"):
        attnxai.read_annotations(save(drawn(1), **flipped), [image])


def test_counts_of_photons_are_no_mask(save: Save) -> None:
    """Unless the user says that they are; and a table of regions behind a large image is seen."""
    counts = np.random.default_rng(1).poisson(0.05, (300, 300)).astype("i4")
    path = save(counts)
    with pytest.raises(
        AnnotationError, match=r"areas, mostly of one pixel, as a map of brightness"
    ):
        attnxai.read_annotations(path)
    assert len(attnxai.read_annotations(path, format="FITS mask")) > 1000
    column = fits.Column("SHAPE", "8A", array=np.array(["CIRCLE"]))
    numbers = [fits.Column(name, "D", array=np.array([9.0])) for name in ("X", "Y", "R")]
    table = fits.BinTableHDU.from_columns([column, *numbers], name="REGION")
    fits.HDUList([fits.PrimaryHDU(np.kron(drawn(), np.ones((9, 9), int))), table]).writeto(
        path, overwrite=True
    )
    assert path.stat().st_size > 65536 * 2
    with pytest.raises(AnnotationError, match="holds an image and a table of regions; say which"):
        attnxai.read_annotations(path)
    assert len(attnxai.read_annotations(path, format="FITS mask")) > 1
    assert len(attnxai.read_annotations(path, format="FITS regions")) == 1


def test_without_images(save: Save) -> None:
    found = attnxai.read_annotations(save(drawn(1), "g1.png"))
    assert found.sources == ("g1",)
    assert any(
        "Rows are counted from the top of the pictures; name the images (--images" in note
        for note in found.notices
    )


@pytest.mark.parametrize("format_name", ["FITS mask", "PNG mask"])
@pytest.mark.parametrize("top", [False, True])
def test_round_trip(
    tmp_path: Path, save: Save, make_image: MakeImage, format_name: str, top: bool
) -> None:
    image = make_image("g1", 150.0)
    grid = dataclasses.replace(image.grid, row_zero=RowZero.TOP if top else RowZero.BOTTOM)
    image = dataclasses.replace(image, grid=grid)
    found = attnxai.read_annotations(save(drawn()), [image], naming=NAMING)
    plain = [dataclasses.replace(a, other={}) for a in found.annotations]
    found = dataclasses.replace(found, annotations=tuple(plain))
    (path,) = write_annotations(found, tmp_path / "out", format_name, images=[image])
    assert path.parent.name == "ann"
    again = attnxai.read_annotations(path, [image])
    assert sorted(a.shape.vertices for a in again.annotations) == sorted(
        a.shape.vertices for a in found.annotations
    )
    assert [a.label for a in again.annotations] == [a.label for a in found.annotations]


def test_writing_shapes(tmp_path: Path, make_image: MakeImage) -> None:
    """Areas become pixels; where they overlap the smaller one keeps them, and points have no place."""
    image = make_image("g1")
    circle, box = (PIXEL_SHAPES[kind] for kind in (ShapeKind.CIRCLE, ShapeKind.BOX))
    tiny = dataclasses.replace(circle, x=12.4, y=9.6, radius=0.2)
    three = marks(circle, tiny, box, PIXEL_SHAPES[ShapeKind.POINT])
    with pytest.warns(LeftOutWarning) as caught:
        (path,) = write_annotations(three, tmp_path, "FITS mask", images=[image])
    said = [str(one.message) for one in caught]
    assert "FITS mask has no place for 1 point; left out" in said
    assert (
        "1 pixel of masks lie in areas of several labels, of which the smallest keeps them" in said
    )
    labels = fits.getdata(path)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    inside = (x - 12.25) ** 2 + (y - 9.5) ** 2 < 3.5**2
    assert labels[10, 12] == 1
    assert ((labels == 3) == (inside & ~((x == 12) & (y == 10)))).all()
    assert (labels == 2).sum() == 18


def test_large_masks(tmp_path: Path) -> None:
    """A thousand sources in an image of four million pixels, as segmentation programs number them."""
    labels = np.zeros((2000, 2000), dtype="i4")
    for number in range(1024):
        row, column = divmod(number, 32)
        labels[row * 60 + 5 : row * 60 + 45, column * 60 + 5 : column * 60 + 35] = number + 1
    written = io.BytesIO()
    fits.PrimaryHDU(labels).writeto(written)
    (tmp_path / "g1.fits").write_bytes(written.getvalue())
    start = time.process_time()
    assert len(attnxai.read_annotations(tmp_path / "g1.fits")) == 1024
    assert time.process_time() - start < 10


def test_a_mask_of_nothing_among_others(save: Callable[..., Path]) -> None:
    save(drawn() * 0, "g1.fits")
    read = attnxai.read_annotations(save(drawn(1), "g2.fits").parent)
    assert read.sources == ("g2",)
    assert "1 of 2 files hold no marks: g1.fits." in read.notices
