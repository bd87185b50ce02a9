"""Reading files of images."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np

from attnxai.data.blanks import without_blanks
from attnxai.data.grid import PixelGrid
from attnxai.data.image_notes import note, noted_beam
from attnxai.data.image_options import ImageKeywords, ImageOptions
from attnxai.data.images import SourceImage, SourceSet, assume, source_id
from attnxai.data.images_on_demand import read_set
from attnxai.data.readers.registry import (
    ImageContent,
    is_image_name,
    known_endings,
    read_content,
)
from attnxai.data.regridding import square_pixels
from attnxai.errors import ImageError

# a scale that is stated differs from another by more
_SAME_SCALE = 0.01


def read_image(
    path: str | Path,
    *,
    source: str | None = None,
    class_name: str | None = None,
    split: str | None = None,
    fill_blank: bool = False,
    prepared: bool | None = None,
    pixel_scale_arcsec: float | None = None,
    hdu: int | str | None = None,
    plane: int | str | Sequence[int] | None = None,
    pad: bool = False,
    match_beam: bool = False,
) -> SourceImage:
    """Read one image file of any format in :data:`attnxai.data.READERS`.

    The format is determined from the content of the file, not from its extension.

    Parameters
    ----------
    path : path
        The file.
    source : str, optional
        Id of the source; the file's name without extension when left out.
    class_name : str, optional
        Its class.
    split : str, optional
        Part of a split that it belongs to.
    fill_blank : bool
        Set NaN and infinite pixels to 0 and leave them out of the footprint instead of refusing. Pixels of survey
        brightness that are blank by their value, such as -999 or a large area of 0, always are, with a note.
    prepared : bool, optional
        Whether pixel values have been clipped and scaled already. Left out, 8-bit files have and all
        others have not.
    pixel_scale_arcsec : float, optional
        Side of a pixel, for files that do not state it; what a file states takes precedence, and is noted where it differs.
    hdu : int or str, optional
        Number, from 0, or name of the HDU of a FITS file; needed where several hold images.
    plane : int, str or sequence of int, optional
        Index of the plane of a cube, from 0: one for each axis that has several, such as ``(0, 3)`` or ``"0,3"``, in the
        order of the FITS axes from the third, or of those of an array before the last two.
    pad, match_beam : bool
        As of :class:`SourceImage`. Images that cannot be brought to another beam, as they are prepared or state no beam, are
        noted.

    Returns
    -------
    SourceImage

    Raises
    ------
    ImageError
        If the file is missing, damaged, no image, blank or constant, or holds several images or planes and none is chosen.
    OptionError
        If an option has a value that cannot be meant.

    Warns
    -----
    AssumptionWarning
        If the file states another pixel scale, or its pixels are not square and were resampled.

    Examples
    --------
    >>> import attnxai
    >>> source, file = next(iter(attnxai.read_annotations("expert.csv").image_files().items()))
    >>> read_image(file).source == source
    True
    """
    options = ImageOptions(
        fill_blank=fill_blank,
        prepared=prepared,
        pixel_scale_arcsec=pixel_scale_arcsec,
        hdu=hdu,
        plane=plane,
        pad=pad,
        match_beam=match_beam,
    )
    path = Path(path)
    content = read_content(path, options)
    return image_of(
        content, path, source=source, class_name=class_name, split=split, options=options
    )


def image_of(
    content: ImageContent,
    path: str | Path,
    *,
    source: str | None,
    options: ImageOptions,
    class_name: str | None = None,
    split: str | None = None,
) -> SourceImage:
    """The image that a reader has found in a file; see :func:`read_image`."""
    fill_blank, prepared = options.fill_blank, options.prepared
    pixel_scale_arcsec = options.pixel_scale_arcsec
    values = np.asarray(content.pixels)
    if values.dtype.kind not in "uifb" or values.ndim != 2 or not values.size:
        raise ImageError(
            f"image {path} holds {values.dtype} values of shape {values.shape}; "
            "an image holds real numbers in two axes"
        )
    is_prepared = values.dtype == np.uint8 if prepared is None else prepared
    values, footprint, notes = without_blanks(values, fill_blank=fill_blank, prepared=is_prepared)
    for text in notes:
        note(text, path)
    squared = None
    wcs = content.wcs if np.isfinite(values).all() else None  # which is refused below
    if wcs is not None:
        squared = square_pixels(
            values, wcs, footprint=footprint, row_zero=content.row_zero, what=f"image {path}"
        )
    if squared is not None:
        assume(f"images have {squared.in_words()}")
        values, footprint, grid = squared.pixels, squared.footprint, squared.grid
    else:
        grid = PixelGrid(
            shape=values.shape,
            wcs=wcs,
            pixel_scale_arcsec=content.pixel_scale_arcsec,
            row_zero=content.row_zero,
        )
    if grid.pixel_scale_arcsec is None and pixel_scale_arcsec is not None:
        grid = dataclasses.replace(grid, pixel_scale_arcsec=pixel_scale_arcsec)
    stated = content.pixel_scale_arcsec if wcs is None else grid.pixel_scale_arcsec
    if stated and pixel_scale_arcsec and abs(pixel_scale_arcsec / stated - 1) > _SAME_SCALE:
        assume(
            f"images state a pixel scale of {stated:.4g} arcsec, which is used; pixel_scale_arcsec "
            f"({pixel_scale_arcsec:g}) is for images that state none"
        )
    beam, side = content.beam_arcsec, (grid.pixel_scale_arcsec or math.inf) * max(values.shape)
    if beam is not None and beam[0] > side:
        note(
            f"its beam of {beam[0]:.4g} arcsec is not used, since it is wider than the image; BMAJ and BMIN are in degrees",
            path,
        )
        beam = None
    return noted_beam(
        SourceImage(
            source=source or source_id(path),
            pixels=values,
            grid=grid,
            prepared=is_prepared,
            class_name=class_name,
            split=split,
            path=str(path),
            footprint=footprint,
            beam_arcsec=beam,
            survey=content.survey,
            pad=options.pad,
            match_beam=options.match_beam,
        )
    )


def image_files(folder: Path) -> list[Path]:
    """Files of a folder whose extensions are those of images, in the order of their names."""
    return sorted(f for f in folder.iterdir() if is_image_name(f.name) and f.is_file())


def read_images(
    paths: str | Path | Iterable[str | Path],
    *,
    labels: str | Path | None = None,
    **reading: Unpack[ImageKeywords],
) -> SourceSet:
    """Read image files, or all images of a folder.

    The pixels of very many (beyond 256 MB) are not kept but read again when they are asked for.

    Parameters
    ----------
    paths : path or iterable of paths
        Files, or one folder whose images are read in the order of their names.
    labels : path, optional
        CSV table with the columns source and class; left out, ``labels.csv`` in the folder, if there is one.
    **reading
        Fields of :class:`~attnxai.data.image_options.ImageOptions`, as in :func:`read_image`.

    Returns
    -------
    SourceSet

    Raises
    ------
    ImageError
        Naming every file that cannot be used; or if there is none.
    DataSetError
        If the table cannot be used, or names none of the images.

    Examples
    --------
    >>> import attnxai
    >>> files = attnxai.read_annotations("expert.csv").image_files()
    >>> images = attnxai.read_images(list(files.values())[:2])
    >>> images.sources == tuple(files)[:2]
    True
    """
    from attnxai.data.label_table import labels_within, with_classes  # which needs this module

    origin = ""
    beside = None
    if isinstance(paths, str | Path):
        root = Path(paths)
        origin = str(root)
        if root.is_dir():
            files, beside = image_files(root), labels_within(root)
            if not files:
                raise ImageError(
                    f"folder {root} holds no images; known extensions are {known_endings()}"
                )
        else:
            files = [root]
    else:
        files = [Path(path) for path in paths]
        if not files:
            raise ImageError(
                'there are no image files to read; name their folder, as in read_images("cutouts")'
            )
    images = read_set(
        (functools.partial(read_image, file, **reading) for file in files), origin=origin
    )
    return with_classes(images, labels, beside)
