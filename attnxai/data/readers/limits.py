"""How large an image a compressed file may claim to hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from attnxai.errors import ImageError

PIXELS_OF_ANY_FILE = 1 << 24
"""Pixels (4096 x 4096) that any file may hold, however small it is."""


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
