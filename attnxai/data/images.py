"""Images of single sources, and sets of them."""

from __future__ import annotations

import dataclasses
import hashlib
import unicodedata
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai import presenters
from attnxai.data.grid import PixelGrid
from attnxai.data.readers.registry import without_ending
from attnxai.data.short_repr import short_repr
from attnxai.data.wording import is_text
from attnxai.errors import AssumptionWarning, ImageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

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

    def footprint_sha256(self) -> str:
        """Hash of the footprint; empty where everything was observed."""
        return (
            "" if self.footprint is None else hashlib.sha256(self.footprint.tobytes()).hexdigest()
        )

    def pixel_key(self) -> tuple[object, ...]:
        """What is the same for these pixels in any order, such as turned or mirrored, and quick to compute."""
        return key_of_pixels(self.pixels)

    def with_facts(self, **facts: Any) -> SourceImage:
        """The same image, with other values of some fields, such as ``class_name``."""
        return dataclasses.replace(self, **facts)


def key_of_pixels(pixels: NDArray[np.float32]) -> tuple[object, ...]:
    """What is the same for pixels (rows, columns) in any order; other pixels rarely have it."""
    bits = (np.asarray(pixels, dtype="<f4") + np.float32(0)).view("<u4")  # -0 and 0 are equal
    total, parity = bits.sum(dtype=np.uint64), np.bitwise_xor.reduce(bits, axis=None)
    return tuple(sorted(pixels.shape)), int(total), int(parity)


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
