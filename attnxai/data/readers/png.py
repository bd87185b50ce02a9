"""PNG pictures in shades of grey."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from attnxai.data.grid import RowZero
from attnxai.data.readers.registry import ImageContent, check_pixels, register_reader
from attnxai.errors import ImageError
from attnxai.jobs.files import read_input

_MAGIC = b"\x89PNG\r\n\x1a\n"


@register_reader("PNG", recognises=lambda head: head.startswith(_MAGIC), extensions=(".png",))
def read_png(path: Path) -> ImageContent:
    """Read a picture; one in colour is refused unless its channels are equal.

    Pillow may try no other format than PNG, so that a file which pretends to be one reaches none of its other
    plugins, of which that for PostScript runs Ghostscript.
    """
    from PIL import Image, UnidentifiedImageError

    content = read_input(path, f"image {path}", ImageError)
    # the first chunk gives width and height
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    check_pixels(path, (height, width), len(content))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about large pictures, which are checked above
            with Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
                values = _grey_values(picture)
    except UnidentifiedImageError as error:
        raise ImageError(f"image {path} cannot be read, its header is damaged") from error
    except Exception as error:  # a damaged file can raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"image {path} cannot be read, it is damaged: {reason}") from error
    if values is None:
        raise ImageError(
            f"image {path} is in colour; a map of brightness is grey, so save it with one channel"
        )
    return ImageContent(pixels=values, row_zero=RowZero.TOP)


def _grey_values(picture: Any) -> Any:
    """Brightness of every pixel, or None where channels differ."""
    if picture.mode not in ("RGB", "RGBA", "P", "LA"):
        return np.asarray(picture)
    values = np.asarray(picture.convert("RGB"))
    return None if (values != values[..., :1]).any() else values[..., 0]
