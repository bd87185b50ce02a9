"""PNG pictures in shades of grey."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.grid import RowZero
from attnxai.data.readers.registry import ImageContent, check_pixels, register_reader
from attnxai.errors import ImageError
from attnxai.jobs.files import read_input

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC = b"\x89PNG\r\n\x1a\n"
"""How every PNG file begins."""


@register_reader("PNG", recognises=lambda head: head.startswith(MAGIC), extensions=(".png",))
def read_png(path: Path) -> ImageContent:
    """Read a picture; one in colour is refused unless its channels are equal.

    Pillow may try no other format than PNG, so that a file which pretends to be one reaches none of its other
    plugins, of which that for PostScript runs Ghostscript.
    """
    content = read_input(path, f"image {path}", ImageError)
    values, _ = _opened(content, path, "image", _grey_values)
    if values is None:
        raise ImageError(
            f"image {path} is in colour; a map of brightness is grey, so save it with one channel"
        )
    return ImageContent(pixels=values, row_zero=RowZero.TOP)


def read_numbers(content: bytes, path: Path, what: str) -> tuple[NDArray[Any], dict[str, str]]:
    """Numbers of the pixels of a picture, and the texts in it: indices of an indexed one, 0 where it is transparent.

    Raises
    ------
    ImageError
        If it is damaged, or in colour.
    """
    values, text = _opened(content, path, what, _numbers)
    if values is None:
        raise ImageError(
            f"{what} {path} is in colour; give every pixel a number, in an indexed picture or one with a single channel"
        )
    return values, text


def _opened(
    content: bytes, path: Path, what: str, values_of: Callable[[Any], NDArray[Any] | None]
) -> tuple[NDArray[Any] | None, dict[str, str]]:
    """Values of a picture, and the texts in it."""
    from PIL import Image, UnidentifiedImageError

    # the first chunk gives width and height
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    check_pixels(path, (height, width), len(content))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about large pictures, which are checked above
            with Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
                picture.verify()  # the checksums, at which decoding does not look
            with Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
                values = values_of(picture)
                return values, {str(k): str(v) for k, v in getattr(picture, "text", {}).items()}
    except UnidentifiedImageError as error:
        raise ImageError(f"{what} {path} cannot be read, its header is damaged") from error
    except Exception as error:  # a damaged file can raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{what} {path} cannot be read, it is damaged: {reason}") from error


def _numbers(picture: Any) -> NDArray[Any] | None:
    """The number of every pixel, or None where channels differ."""
    if picture.mode not in ("RGB", "RGBA", "LA"):
        return np.asarray(picture)
    values = np.asarray(picture)
    colours = values[..., : 3 if picture.mode.startswith("RGB") else 1]
    if (colours != colours[..., :1]).any():
        return None
    numbers = colours[..., 0]
    return np.where(values[..., -1] == 0, 0, numbers) if picture.mode.endswith("A") else numbers


def _grey_values(picture: Any) -> Any:
    """Brightness of every pixel, or None where channels differ."""
    if picture.mode not in ("RGB", "RGBA", "P", "LA"):
        return np.asarray(picture)
    values = np.asarray(picture.convert("RGB"))
    return None if (values != values[..., :1]).any() else values[..., 0]
