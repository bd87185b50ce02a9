"""Label masks: images with a whole number for every pixel, where 0 stands for what is not marked.

Pixels of one number that touch each other, also at corners, are one area, whose outline runs along the edges of pixels.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.annotations.annotation_set import Annotation, AnnotationSet, Operation
from attnxai.annotations.pixel_outlines import pixels_within, trace_areas
from attnxai.annotations.readers.fits_heads import (
    check_one_kind,
    has_image,
    has_regions,
    headers_of,
)
from attnxai.annotations.readers.marks import MarkList
from attnxai.annotations.readers.registry import AnnotationFile, register_reader
from attnxai.annotations.shapes import Frame, Label, Shape, ShapeKind
from attnxai.annotations.writers import FileNames, register_writer
from attnxai.data.grid import RowZero
from attnxai.data.images import SourceImage
from attnxai.data.readers.fits import read_array
from attnxai.data.readers.png import MAGIC, read_numbers
from attnxai.data.sky import pixel_to_sky, sky_to_pixel
from attnxai.data.wording import counted
from attnxai.errors import AnnotationError, LeftOutWarning, NoMarksError

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import NDArray

_NAMES = re.compile(r"MASKS?|LABELS?|SEG|SEGM|SEGMENTATION|SEGMAP|REGIONS?|DATA|SCI", re.IGNORECASE)
_NO_ANNOTATORS = ("mask", "masks", "label", "labels", "seg", "segm", "segmentation", "segmap")
_LABEL_CARD = "LABEL"
_LABEL_TEXT = "Labels"
_VALUES = {label: number for number, label in enumerate(Label, start=1)}
# a mask has few labels, and few areas of one pixel
_MOST_VALUES, _MOST_AREAS = 32, 200
# coordinates of one image that are farther apart belong to different pixels
_FARTHEST = 0.5


def _is_mask(head: bytes) -> bool:
    headers = headers_of(head)
    return any(map(has_image, headers)) and not any(map(has_regions, headers))


@register_reader("FITS mask", recognises=_is_mask, uses_images=True)
def read_fits_mask(file: AnnotationFile) -> AnnotationSet:
    """Read the image of a FITS file as labels; row 0 is row 0 of the array of the marked image."""
    check_one_kind(file, file.content)
    values, cards, wcs = read_array(Path(file.path), "label mask", prefer=_NAMES)
    names = {
        number: cards.word(f"{_LABEL_CARD}{number}")
        for number in range(1, 100)
        if f"{_LABEL_CARD}{number}" in cards
    }
    return _annotations(file, values, names, row_zero=None, wcs=wcs)


@register_reader("PNG mask", recognises=lambda head: head.startswith(MAGIC), uses_images=True)
def read_png_mask(file: AnnotationFile) -> AnnotationSet:
    """Read a grey or indexed picture as labels; its first row is drawn at the top."""
    values, text = read_numbers(file.unpacked(), Path(file.path), "label mask")
    pairs = re.findall(r"(\d{1,9})=(\w{1,20})", text.get(_LABEL_TEXT, "")[:2000])
    return _annotations(
        file, values, {int(number): name for number, name in pairs}, row_zero=RowZero.TOP
    )


def _annotations(
    file: AnnotationFile,
    values: NDArray[Any],
    names: Mapping[int, str],
    *,
    row_zero: RowZero | None,
    wcs: WCS | None = None,
) -> AnnotationSet:
    """Areas of a mask; ``row_zero`` is None where its rows are those of the image."""
    what = f"label mask {file.path}"
    marks = MarkList(file, "area", no_annotators=_NO_ANNOTATORS)
    labels = _whole_numbers(values, what, marks)
    image = marks.image_for()
    if image is not None and labels.shape != image.grid.shape_of_file:
        rows, columns = image.grid.shape_of_file
        raise AnnotationError(
            f"{what} has {labels.shape[1]} x {labels.shape[0]} pixels, but the image of {image.source!r} has "
            f"{columns} x {rows}; give a mask of the whole image, with the same pixels"
        )
    if image is not None and wcs is not None:
        _check_place(wcs, image, what)
    if row_zero is not None and image is None and file.images is None:
        marks.note(
            "Rows are counted from the top of the pictures; name the images (--images, in Python images) to have them "
            "counted as in FITS."
        )
    if row_zero is not None and image is not None and image.grid.row_zero is not row_zero:
        labels = labels[::-1]
    try:
        areas = trace_areas(labels)
    except AnnotationError as error:
        raise AnnotationError(f"{what}: {error}") from error
    found = sorted({area.value for area in areas})
    n_single = sum(len(a.outline) == 4 and np.ptp(a.outline, axis=0).max() == 1 for a in areas)
    is_scattered = len(found) > _MOST_VALUES or len(areas) > _MOST_AREAS
    if is_scattered and n_single > len(areas) / 2 and not file.format_named:
        raise AnnotationError(
            f"{what} has {counted(len(found), 'value')} in {len(areas):,} areas, mostly of one pixel, as a map of brightness "
            "or a mask with smoothed edges has; give every label one number, or say by --format (in Python format) that it is a mask"
        )
    words = {value: _words(file, value, names.get(value, ""), len(found) == 1) for value in found}
    if len(found) == 1 and words[found[0]].get("text") == [str(Label.SOURCE)] and not names:
        marks.note(
            f"The value {found[0]} is the only one and marks the source; --label-of (in Python Naming), such as "
            f"{found[0]}=lobe, changes that."
        )
    for number, area in enumerate(areas, start=1):
        group = f"area {number}" if area.holes else ""
        for outline, operation in [
            (area.outline, Operation.ADD),
            *((hole, Operation.SUBTRACT) for hole in area.holes),
        ]:
            shape = {"kind": ShapeKind.POLYGON, "vertices": outline.tolist()}
            marks.add(shape, line=number, words=words[area.value], operation=operation, group=group)
    return marks.annotation_set(kind="areas of masks")


def _check_place(wcs: WCS, image: SourceImage, what: str) -> None:
    """Refuse a mask whose pixels lie elsewhere on the sky than those of the image."""
    grid = image.grid
    if grid.wcs is None:
        return
    rows, columns = grid.shape_of_file
    corners = np.array([[0, 0], [columns - 1, 0], [0, rows - 1], [columns - 1, rows - 1]]).T
    x, y = sky_to_pixel(grid.wcs, *pixel_to_sky(wcs, *corners))
    if grid.file_pixels is not None:
        x, y = grid.file_pixels.from_grid(x, y)
    away = np.hypot(*(np.array([x, y]) - corners))
    if not (away <= _FARTHEST).all():
        shown = f"{away.max():.3g} pixels from" if np.isfinite(away).all() else "off"
        raise AnnotationError(
            f"{what} lies elsewhere on the sky than the image of {image.source!r}: by their coordinates its corners are {shown} "
            "those of the image; give a mask on the pixels of the image"
        )


def _words(file: AnnotationFile, value: int, name: str, only: bool) -> dict[str, list[str]]:
    """Words of a value: itself, what the file calls it, and the source where there is no other value."""
    words = {"value": [str(value)]}
    if name:
        words["text"] = [name]
    elif only and file.naming.label(words) is None:
        words["text"] = [str(Label.SOURCE)]
    return words


def _whole_numbers(values: NDArray[Any], what: str, marks: MarkList) -> NDArray[np.int64]:
    if values.dtype.kind == "f":
        blank = ~np.isfinite(values)
        if blank.any():
            marks.note(f"{counted(int(blank.sum()), 'blank pixel')} of the mask mark nothing.")
        values = np.where(blank, 0, values)
        odd = values[values != np.rint(values)]
        if odd.size:
            raise AnnotationError(
                f"{what} holds {odd[0]:g}, and a mask holds a whole number for every pixel; is it an image of brightness?"
            )
    low, high = values.min(), values.max()
    if low < 0 or high > np.iinfo(np.int32).max:
        odd_value = low if low < 0 else high
        raise AnnotationError(f"{what} holds {odd_value:g}; labels of a mask are numbers from 1")
    if not high:
        raise NoMarksError(f"{what} marks nothing: all of its pixels are 0")
    return values.astype(np.int64)


_mask_writer = functools.partial(
    register_writer,
    frames=[Frame.PIXEL],
    shapes=[kind for kind in ShapeKind if kind.has_area],
    holds=("operation", "group"),
    needs_images=True,
)


@_mask_writer("FITS mask", extension=".fits")
def write_fits_mask(
    annotations: AnnotationSet, images: Mapping[str, SourceImage]
) -> dict[str, bytes]:
    """A mask for every annotator and source, in folders of the annotators; cards name the labels."""
    from astropy.io import fits

    files = {}
    for name, labels, image in _masks(annotations, images):
        hdu = fits.PrimaryHDU(labels)
        if image.grid.wcs is not None and image.grid.file_pixels is None:
            hdu.header.update(image.grid.wcs.to_header(relax=True))
        for label, number in _VALUES.items():
            if (labels == number).any():
                hdu.header[f"{_LABEL_CARD}{number}"] = str(label)
        written = io.BytesIO()
        hdu.writeto(written)
        files[f"{name}.fits"] = written.getvalue()
    return files


@_mask_writer("PNG mask", extension=".png")
def write_png_mask(
    annotations: AnnotationSet, images: Mapping[str, SourceImage]
) -> dict[str, bytes]:
    """A mask for every annotator and source, upright as the image is drawn; a text in it names the labels."""
    from PIL import Image, PngImagePlugin

    files = {}
    for name, labels, image in _masks(annotations, images):
        upright = labels if image.grid.row_zero is RowZero.TOP else labels[::-1]
        text = PngImagePlugin.PngInfo()
        text.add_text(_LABEL_TEXT, ", ".join(f"{n}={label}" for label, n in _VALUES.items()))
        written = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(upright)).save(written, format="PNG", pnginfo=text)
        files[f"{name}.png"] = written.getvalue()
    return files


def _masks(
    annotations: AnnotationSet, images: Mapping[str, SourceImage]
) -> list[tuple[str, NDArray[np.uint8], SourceImage]]:
    """Name, labels and image of every mask: where areas of several labels overlap, the smallest keeps its pixels."""
    names, folders = FileNames(), FileNames()
    found = []
    n_shared = 0
    for (source, annotator), marks in annotations.by_source_and_annotator().items():
        image = images[source]
        drawn = _areas(marks, image.grid.shape_of_file)
        if not drawn:
            continue
        labels = np.zeros(image.grid.shape_of_file, dtype=np.uint8)
        for mark, pixels in sorted(drawn, key=lambda one: -int(one[1].sum())):
            number = _VALUES[mark.label]
            n_shared += int((~np.isin(labels[pixels], (0, number))).sum())
            labels[pixels] = number
        found.append((f"{folders(annotator)}/{names(source)}", labels, image))
    if n_shared:
        warnings.warn(
            f"{counted(n_shared, 'pixel')} of masks lie in areas of several labels, of which the smallest keeps them",
            LeftOutWarning,
            stacklevel=5,
        )
    return found


def _areas(
    marks: Sequence[Annotation], shape: tuple[int, int]
) -> list[tuple[Annotation, NDArray[np.bool_]]]:
    """Pixels of every area that is added, less what is subtracted from it."""
    pixels = [(mark, _pixels(mark.shape, shape)) for mark in marks]
    less = [(mark.group, area) for mark, area in pixels if mark.operation is Operation.SUBTRACT]
    found = []
    for mark, area in pixels:
        if mark.operation is Operation.ADD:
            for group, taken in less:
                if group in ("", mark.group):
                    area = area & ~taken  # noqa: PLW2901
            found.append((mark, area))
    return found


def remaining_marks(
    annotations: AnnotationSet, images: Mapping[str, SourceImage]
) -> Iterator[tuple[Annotation, NDArray[np.bool_] | None]]:
    """:func:`remaining_pixels` of every source and annotator."""
    for (source, _), marks in annotations.by_source_and_annotator().items():
        yield from remaining_pixels(marks, images[source].grid.shape_of_file)


def remaining_pixels(
    marks: Sequence[Annotation], shape: tuple[int, int]
) -> list[tuple[Annotation, NDArray[np.bool_] | None]]:
    """Marks of an annotator on a source that add, with the pixels of those from which others are subtracted.

    Parameters
    ----------
    marks : sequence of Annotation
        In pixels.
    shape : (int, int)
        Rows and columns of the image.

    Returns
    -------
    list of (Annotation, ndarray of bool or None)
        None where nothing is subtracted; pixels have their holes, so that their marks need no group and have none. What is
        subtracted as a whole is left out, with a warning.
    """
    groups = {mark.group for mark in marks if mark.operation is Operation.SUBTRACT}
    cut = [mark for mark in marks if mark.shape.has_area and ("" in groups or mark.group in groups)]
    left = {id(mark): pixels for mark, pixels in _areas(cut, shape)}
    adding = [mark for mark in marks if mark.operation is Operation.ADD]
    gone = {key for key, pixels in left.items() if not pixels.any()}
    if gone:
        warnings.warn(
            f"{counted(len(gone), 'area')} from which all is subtracted {'is' if len(gone) == 1 else 'are'} left out",
            LeftOutWarning,
            stacklevel=5,
        )
    return [
        (dataclasses.replace(mark, group=""), left[id(mark)]) if id(mark) in left else (mark, None)
        for mark in adding
        if id(mark) not in gone
    ]


def _pixels(shape: Shape, of: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels whose centres an area holds, or that of its own centre where it holds none."""
    from attnxai.annotations.pixel_shapes import place_all
    from attnxai.data.grid import PixelGrid

    (placed,) = place_all([shape], PixelGrid(shape=of))
    pixels = pixels_within(placed.outline(360), of)
    if not pixels.any():
        x, y = (round(float(value)) for value in placed.centres[0])
        if 0 <= y < of[0] and 0 <= x < of[1]:
            pixels[y, x] = True
    return pixels
