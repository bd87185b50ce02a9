"""NumPy arrays (NPY), without pickles and without archives of several."""

from __future__ import annotations

import io
import math
import warnings
from pathlib import Path

import numpy as np

from attnxai.data.readers.registry import ImageContent, register_reader
from attnxai.errors import ImageError
from attnxai.jobs.files import read_input

_MAGIC = b"\x93NUMPY"
_MOST_AXES = 32  # of an array of any version of NumPy


@register_reader("NumPy", recognises=lambda head: head.startswith(_MAGIC), extensions=(".npy",))
def read_npy(path: Path) -> ImageContent:
    """Read one array of plain numbers."""
    # in memory, so that a claimed length of the header allocates nothing
    stream = io.BytesIO(read_input(path, f"image {path}", ImageError))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about headers of Python 2, which read as well
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[np.lib.format.read_magic(stream)]
            shape, is_fortran, dtype = read_header(stream)
        n_bytes = math.prod(shape) * dtype.itemsize
    except Exception as error:  # of Python's parser as well, which can raise anything
        raise ImageError(
            f"image {path} cannot be read: its NPY header is damaged, or of a version that images do not "
            "need"
        ) from error
    is_shape = len(shape) <= _MOST_AXES and all(type(n) is int and n >= 0 for n in shape)
    if dtype.kind not in "uifb" or not is_shape:
        raise ImageError(
            f"image {path} holds {str(dtype)[:60]} values of shape {str(shape)[:60]}; an image holds real "
            "numbers in two axes"
        )
    content = stream.read()
    if len(content) < n_bytes:
        raise ImageError(
            f"image {path} is truncated: its header claims {n_bytes} bytes of pixels, and "
            f"{len(content)} follow"
        )
    values = np.frombuffer(content, dtype, count=math.prod(shape))
    return ImageContent(pixels=values.reshape(shape, order="F" if is_fortran else "C"))
