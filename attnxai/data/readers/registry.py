"""The registry of readers of image files, and the reading of a file with one of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.data.foreign_content import describe_content
from attnxai.data.grid import RowZero
from attnxai.data.image_options import ImageOptions
from attnxai.data.registration import FileReader, ReaderRegistry
from attnxai.data.wording import unknown_name
from attnxai.errors import ImageError, OptionError
from attnxai.jobs.files import check_regular

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import NDArray

HEAD_BYTES = 4096
"""Bytes at the beginning of a file that a reader is recognised by."""


OF_FORMATS = ("hdu", "plane")
"""Fields of ImageOptions that only some formats have."""
PIXELS_OF_ANY_FILE = 1 << 24
"""Pixels (4096 x 4096) that any compressed file may hold, however small it is."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageContent:
    """What a reader finds in a file.

    Parameters
    ----------
    pixels : ndarray, shape (rows, columns)
        Brightness.
    wcs : astropy.wcs.WCS, optional
        Celestial coordinate system of the two axes.
    pixel_scale_arcsec : float, optional
        Side of a pixel, where the file states it without a WCS.
    row_zero : RowZero
        Where row 0 is drawn.
    beam_arcsec : (float, float, float), optional
        Major and minor axis (FWHM, arcsec) and position angle (degrees) of the beam.
    survey : str
        Survey or telescope that the file names.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> content = attnxai.data.ImageContent(pixels=np.zeros((4, 4)), pixel_scale_arcsec=1.8)
    >>> str(content.row_zero), content.beam_arcsec
    ('bottom', None)
    """

    pixels: NDArray[Any]
    wcs: WCS | None = None
    pixel_scale_arcsec: float | None = None
    row_zero: RowZero = RowZero.BOTTOM
    beam_arcsec: tuple[float, float, float] | None = None
    survey: str = ""

    def __post_init__(self) -> None:
        if self.row_zero not in list(RowZero):
            choices = ", ".join(f"RowZero.{choice.name}" for choice in RowZero)
            raise OptionError(f"row_zero has to be one of {choices}, got {self.row_zero!r}")


_Read = Callable[..., ImageContent]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageReader(FileReader):
    """A format of image files; in a folder only files with one of the ``extensions`` are taken for images.

    ``read`` takes the path and, as keyword arguments, the fields of ImageOptions that ``options`` names.
    """

    read: _Read
    extensions: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


READERS: ReaderRegistry[ImageReader] = ReaderRegistry("images", ImageError)
"""All readers by name, also those that :func:`register_reader` added; the last one is asked first."""


def register_reader(
    name: str,
    *,
    recognises: Callable[[bytes], bool],
    extensions: tuple[str, ...] = (),
    options: tuple[str, ...] = (),
) -> Callable[[_Read], _Read]:
    r"""Make a function the reader of a format of image files.

    The function takes the path of a file and gives an :class:`ImageContent`, or raises an ImageError; any other
    exception becomes an ImageError that names the format and the file. Readers that were registered later are
    tried first.

    Parameters
    ----------
    name : str
        What to call the format.
    recognises : callable
        Takes the first 4096 bytes of a file and says whether it is of this format.
    extensions : tuple of str
        How names of such files end, with the dot. In a folder only files with a known ending are taken for
        images; which reader reads them is decided by their content.
    options : tuple of str
        Which of ``hdu`` and ``plane`` the function takes as keyword arguments, for formats that hold several images
        or cubes; each is None unless it was given.

    Raises
    ------
    OptionError
        If another module has registered a reader of this name, an ending has no dot, or an option is not known.

    Examples
    --------
    >>> import numpy as np
    >>> @register_reader("rows", recognises=lambda head: head.startswith(b"#rows"), extensions=(".rows",))
    ... def read_rows(path):
    ...     return ImageContent(pixels=np.loadtxt(path, skiprows=1, ndmin=2))
    >>> READERS.pop("rows").extensions
    ('.rows',)
    """
    if wrong := [ending for ending in extensions if not ending.startswith(".") or len(ending) < 2]:
        raise OptionError(f"the extension {wrong[0]!r} of image files has to begin with a dot")
    if unknown := [option for option in options if option not in OF_FORMATS]:
        raise OptionError(
            unknown_name("option of a reader", unknown, OF_FORMATS, "options of readers")
        )

    def register(read: _Read) -> _Read:
        lower = tuple(ending.lower() for ending in extensions)
        READERS.add(
            ImageReader(
                name=name, recognises=recognises, read=read, extensions=lower, options=options
            )
        )
        return read

    return register


def known_endings() -> str:
    """Endings of image files, for messages."""
    return ", ".join(ending for reader in READERS.values() for ending in reader.extensions)


def is_image_name(name: str) -> bool:
    """Whether a file in a folder is taken for an image, by its ending."""
    return without_ending(name) != name


def without_ending(name: str) -> str:
    """A file's name without the longest known ending; a name that is nothing else stays."""
    extensions = [
        ending
        for reader in READERS.values()
        for ending in reader.extensions
        if name.lower().endswith(ending) and len(name) > len(ending)
    ]
    return name[: -len(max(extensions, key=len))] if extensions else name


def read_content(path: Path, options: ImageOptions | None = None) -> ImageContent:
    """Read an image file with the reader that recognises its content."""
    options = options or ImageOptions()
    check_regular(path, f"image {path}", ImageError)
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError:
        raise ImageError(f"image {path} does not exist") from None
    except OSError as error:
        raise ImageError(f"image {path} cannot be read: {error.strerror or error}") from error
    reader = READERS.recognising(head, f"image {path}")
    if reader is None:
        raise ImageError(
            f"image {path} is {describe_content(head)}, which is not read; known formats are "
            f"{READERS.formats()}"
        )
    if "hdu" not in reader.options and options.hdu is not None:
        raise ImageError(
            f"image {path} is of the format {reader.name}, without HDUs; leave hdu out"
        )
    if "plane" not in reader.options and any(options.plane or ()):  # type: ignore[arg-type]
        raise ImageError(f"image {path} has a single plane; leave plane out, or give 0")
    with reader.failures(f"image {path}", ImageError):
        content = reader.read(path, **{name: getattr(options, name) for name in reader.options})
        if not isinstance(content, ImageContent):
            raise TypeError(f"it returned {type(content).__name__}, not ImageContent")
    return content


def check_pixels(path: Path, shape: Sequence[int], n_file_bytes: int) -> None:
    """Refuse a compressed image that claims more pixels than its file can be trusted with.

    A megabyte can be inflated to a gigabyte of zeros. More than 4096 x 4096 pixels are read where the file has
    a byte for each of them, as real images have.
    """
    if math.prod(shape) > max(PIXELS_OF_ANY_FILE, n_file_bytes):
        raise ImageError(
            f"image {path} claims {' x '.join(map(str, shape))} pixels in a compressed file of "
            f"{n_file_bytes} bytes, which only an empty or a hostile image can hold; save it "
            "uncompressed if it is right"
        )
