"""NumPy arrays (NPY), without pickles and without archives of several."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.readers.planes import MOST_AXES, axes_of_image, pick_plane
from attnxai.data.readers.registry import ImageContent, register_reader
from attnxai.errors import AttnxaiError, ImageError
from attnxai.jobs.files import read_input

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAGIC = b"\x93NUMPY"


@register_reader(
    "NumPy",
    recognises=lambda head: head.startswith(_MAGIC),
    extensions=(".npy",),
    options=("plane",),
)
def read_npy(path: Path, *, plane: Sequence[int] | None = None) -> ImageContent:
    """Read one array of plain numbers, or the plane of a cube along its last two axes."""
    # in memory, so that a claimed length of the header allocates nothing
    content = read_input(path, f"image {path}", ImageError)
    right = "an image holds real numbers in two axes"
    values = parse_npy(content, f"image {path}", ImageError, right=right)
    if values.ndim >= 2 and values.size:
        axes = axes_of_image(values.shape)
        names = {axis: f"axis {axis}" for axis in range(values.ndim) if axis not in axes}
        values = pick_plane(values, names, plane, f"image {path}")
    return ImageContent(pixels=values)


def parse_npy(
    content: bytes, where: str, error: type[AttnxaiError], *, right: str, kinds: str = "uifb"
) -> NDArray[Any]:
    """Array of the bytes of an NPY file; ``where`` begins its errors, and ``right`` says what it should hold.

    Its values are of one of the ``kinds`` of NumPy; text has to be of fixed length.
    """
    stream = io.BytesIO(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about headers of Python 2, which read as well
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[np.lib.format.read_magic(stream)]
            shape, is_fortran, dtype = read_header(stream)
        n_bytes = math.prod(shape) * dtype.itemsize
    except Exception as reason:  # of Python's parser as well, which can raise anything
        raise error(
            f"{where} cannot be read: its NPY header is damaged, or of a version that plain arrays do not need"
        ) from reason
    is_shape = len(shape) <= MOST_AXES and all(type(n) is int and n >= 0 for n in shape)
    # beside an axis of length 0, others may claim any length
    is_shape = is_shape and (0 not in shape or math.prod(n or 1 for n in shape) < 2**31)
    if dtype.kind not in kinds or not is_shape or not dtype.itemsize:
        raise error(f"{where} holds {str(dtype)[:60]} values of shape {str(shape)[:60]}; {right}")
    left = len(content) - stream.tell()
    if left < n_bytes:
        raise error(
            f"{where} is truncated: its header claims {n_bytes} bytes of values, and {left} follow"
        )
    values = np.frombuffer(content, dtype, count=math.prod(shape), offset=stream.tell())
    return values.reshape(shape, order="F" if is_fortran else "C")
