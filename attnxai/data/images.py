"""Images of single sources, and sets of them."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import unicodedata
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from attnxai import presenters
from attnxai.data.blanks import without_blanks
from attnxai.data.grid import PixelGrid
from attnxai.data.image_notes import collect_images, note, noted_beam
from attnxai.data.image_options import ImageKeywords, ImageOptions
from attnxai.data.readers.registry import (
    ImageContent,
    is_image_name,
    known_endings,
    read_content,
    without_ending,
)
from attnxai.data.regridding import square_pixels
from attnxai.data.short_repr import short_repr
from attnxai.data.wording import is_text
from attnxai.errors import AssumptionWarning, ImageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# a scale that is stated differs from another by more
_SAME_SCALE = 0.01
_MINUS = str.maketrans("\u2212\u2013", "--")


def source_id(name: str | Path) -> str:
    """Source id of a file: its name without folder and without a known image ending.

    Letters are composed, since some systems keep the accents of file names apart, and a minus or dash counts as the
    hyphen that an editor or spreadsheet made it of.
    """
    base = str(name).replace("\\", "/").rsplit("/", maxsplit=1)[-1]
    if not base.isascii():
        base = unicodedata.normalize("NFC", base).translate(_MINUS)
    return without_ending(base)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceImage:
    """The image of one source.

    Parameters
    ----------
    source : str
        Id of the source.
    pixels : array_like, shape (rows, columns)
        Brightness; kept as read-only float32.
    grid : PixelGrid
        Where the pixels lie.
    prepared : bool
        True for 8-bit images that have been clipped and scaled already; false for survey brightness,
        to which a model applies its own rule first.
    class_name : str, optional
        Morphological class, such as ``FR I``.
    split : str, optional
        Part of a data set's split that it belongs to: ``train``, ``validation`` or ``test``.
    path : str, optional
        File that the image came from.
    footprint : array_like of bool, shape (rows, columns), optional
        Pixels that were observed; everywhere when left out.
    beam_arcsec : (float, float, float), optional
        Major and minor axis (FWHM, arcsec) and position angle (degrees) of the beam.
    survey : str
        Survey or telescope that it is of, for reports; empty where it is not known.
    pad : bool
        Whether a network may look beyond the border of the image, where it sees blank sky that counts in no number.
        Otherwise images that do not cover its field are refused.
    match_beam : bool
        Whether survey brightness is smoothed to the beam of the images that a network was trained on, where the beam is
        smaller than that.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> grid = attnxai.data.PixelGrid(shape=(64, 64), pixel_scale_arcsec=1.8)
    >>> image = attnxai.SourceImage(source="s1", pixels=np.eye(64), grid=grid, class_name="FR II")
    >>> image.shape, image.pixels.dtype, image.pixels.flags.writeable
    ((64, 64), dtype('float32'), False)
    """

    source: str
    pixels: NDArray[np.float32]
    grid: PixelGrid
    prepared: bool = False
    class_name: str | None = None
    split: str | None = None
    path: str | None = None
    footprint: NDArray[np.bool_] | None = None
    beam_arcsec: tuple[float, float, float] | None = None
    survey: str = ""
    pad: bool = False
    match_beam: bool = False

    __repr__ = short_repr
    _repr_html_ = presenters.repr_html

    def __post_init__(self) -> None:
        source: object = self.source
        if not isinstance(source, str) or not source.strip():
            raise ImageError(f"the source id of an image has to be a name, got {source!r}")
        if not is_text(source):
            raise ImageError(
                f"the source id {source!a} is not valid text; rename the file in UTF-8"
            )
        with np.errstate(over="ignore"):  # what 32 bits cannot hold is infinite, and refused below
            pixels = np.array(self.pixels, dtype=np.float32)
        if pixels.ndim != 2:
            raise self._fault(f"has {pixels.ndim} axes; an image has two")
        if pixels.shape != self.grid.shape:
            raise self._fault(f"has shape {pixels.shape}, but its grid {self.grid.shape}")
        n_bad = int(np.count_nonzero(~np.isfinite(pixels)))
        if n_bad == pixels.size:
            raise self._fault("is blank: all of its pixels are NaN or infinite")
        if n_bad:
            raise self._fault(
                f"has {n_bad} of {pixels.size} pixels that are NaN or infinite; pass fill_blank=True to set "
                "them to 0 and leave them out of every number, or give a cutout without blank pixels"
            )
        observed = pixels
        if self.footprint is not None:
            footprint = np.array(self.footprint, dtype=bool)
            if footprint.shape != pixels.shape:
                raise self._fault(f"has shape {pixels.shape}, but its footprint {footprint.shape}")
            footprint.setflags(write=False)
            object.__setattr__(self, "footprint", footprint)
            observed = pixels[footprint]
        if not observed.size:
            raise self._fault("has an empty footprint: none of its pixels is valid")
        if observed.max() == observed.min():
            raise self._fault(f"is constant ({observed.flat[0]:g} everywhere); there is no source")
        pixels.setflags(write=False)
        object.__setattr__(self, "pixels", pixels)

    def _fault(self, text: str) -> ImageError:
        return ImageError(f"image {self.path or self.source} {text}")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.grid.shape

    def sha256(self) -> str:
        """Hash of the pixel values and their shape."""
        digest = hashlib.sha256(repr(self.pixels.shape).encode())
        digest.update(np.ascontiguousarray(self.pixels, dtype="<f4").tobytes())
        return digest.hexdigest()


class SourceSet(Sequence[SourceImage]):
    """Images of several sources with distinct ids, in a fixed order.

    Parameters
    ----------
    images : iterable of SourceImage
        The images.
    origin : str
        Where they come from, for reports.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> images = attnxai.SourceSet(attnxai.data.from_array(np.eye(3), source=name) for name in ("s2", "s1"))
    >>> images.sources, images["s1"].shape, len(images.select(["s1"]))
    (('s2', 's1'), (3, 3), 1)
    """

    def __init__(self, images: Iterable[SourceImage], *, origin: str = "") -> None:
        self._images = tuple(images)
        self.origin = origin
        self._position: dict[str, int] = {}
        for position, image in enumerate(self._images):
            if image.source in self._position:
                first = self._images[self._position[image.source]]
                raise ImageError(
                    f"two images have the source id {image.source!r}: "
                    f"{first.path or 'the first'} and {image.path or 'the second'}; ids are file "
                    "names without folder and extension, so rename one of them"
                )
            self._position[image.source] = position

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return SourceSet(self._images[index], origin=self.origin)
        if isinstance(index, str):
            return self._images[self._position[index]]
        return self._images[index]

    def __contains__(self, item: object) -> bool:
        return item in self._position if isinstance(item, str) else item in self._images

    _repr_html_ = presenters.repr_html

    def __repr__(self) -> str:
        return f"SourceSet({len(self)} images from {self.origin or 'memory'})"

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids in order."""
        return tuple(image.source for image in self._images)

    def select(self, sources: Iterable[str]) -> SourceSet:
        """The images of the named sources, in the order of the names."""
        return SourceSet((self._images[self._position[s]] for s in sources), origin=self.origin)

    def sha256(self) -> str:
        """Hash of all ids and pixels, independent of their order."""
        digest = hashlib.sha256()
        for image in sorted(self._images, key=lambda image: image.source):
            digest.update(f"{image.source}\n{image.sha256()}\n".encode())
        return digest.hexdigest()


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
    images = SourceSet(
        collect_images(functools.partial(read_image, file, **reading) for file in files),
        origin=origin,
    )
    return with_classes(images, labels, beside)


def from_array(
    pixels: ArrayLike,
    *,
    source: str,
    pixel_scale_arcsec: float | None = None,
    class_name: str | None = None,
    prepared: bool | None = None,
) -> SourceImage:
    """Make a SourceImage of an array whose row 0 is at the bottom.

    Parameters
    ----------
    pixels : array_like, shape (rows, columns)
        Brightness in any linear unit, or, if ``prepared``, clipped and scaled: 0 to 255.
    source : str
        Id of the source.
    pixel_scale_arcsec : float, optional
        Side of a pixel in arcsec.
    class_name : str, optional
        Its class.
    prepared : bool, optional
        Whether values have been clipped and scaled already. Left out, arrays of ``uint8`` have and all others have not.

    Returns
    -------
    SourceImage

    Raises
    ------
    ImageError
        If the array is empty or has other than two axes, or the image is refused.

    Examples
    --------
    >>> from_array(np.eye(3), source="s1", pixel_scale_arcsec=1.8).prepared
    False
    """
    values = np.asarray(pixels)
    if values.ndim != 2 or not values.size:
        raise ImageError(f"image {source} has shape {values.shape}; an image has two axes")
    return SourceImage(
        source=source,
        pixels=values,
        grid=PixelGrid(shape=values.shape, pixel_scale_arcsec=pixel_scale_arcsec),
        prepared=values.dtype == np.uint8 if prepared is None else prepared,
        class_name=class_name,
    )


def assume(message: str, *, stacklevel: int = 3) -> None:
    """Warn that something had to be assumed."""
    warnings.warn(message, AssumptionWarning, stacklevel=stacklevel)
