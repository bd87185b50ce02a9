"""Pixels of an image as 16-bit levels, packed for a page."""

from __future__ import annotations

import base64
import dataclasses
import zlib
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.emission import SIGMA_PER_MAD
from attnxai.data.short_repr import short_repr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.images import SourceImage

BLANK = 65535
"""Level of a pixel that was not observed."""
_TOP = BLANK - 1
_STEPS_OF_NOISE = 16


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """An image for a page: the brightness of level ``n`` is ``zero + n * step``.

    Parameters
    ----------
    text : str
        Base64 of the zlib stream of all high bytes and then all low bytes of the levels, row by row.
    zero, step : float
        Brightness of level 0, and between levels.
    top : int
        Highest level.
    low, high : float
        Limits of the brightness that is displayed at first.
    """

    text: str
    zero: float
    step: float
    top: int
    low: float
    high: float

    __repr__ = short_repr


def pack(image: SourceImage) -> Picture:
    """Round the brightness of an image to levels, and pack them.

    Levels lie a sixteenth of the noise apart, so that what is lost lies far below it, or the 65,534th part of the range where
    that is more. Images of whole numbers without noise, as those of 8 bit, keep their values.
    """
    values = np.asarray(image.pixels, dtype=np.float64)
    observed = np.ones(values.shape, bool) if image.footprint is None else image.footprint
    used = values[observed]
    zero, most = float(used.min()), float(used.max())
    middle, noise = _level_and_noise(used)
    whole = bool((used == np.round(used)).all()) and most - zero <= _TOP
    step = 1.0 if whole else max((most - zero) / _TOP, noise / _STEPS_OF_NOISE)
    levels = np.full(values.shape, BLANK, np.uint16)
    levels[observed] = np.round((used - zero) / step).astype(np.uint16)
    planes = np.stack([levels >> 8, levels & 255]).astype(np.uint8)
    return Picture(
        text=base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode("ascii"),
        zero=zero,
        step=step,
        top=int(levels[observed].max()),
        low=max(zero, middle - noise),
        high=most,
    )


def display_limits(image: SourceImage) -> tuple[float, float]:
    """Lowest and highest brightness that are displayed at first."""
    values = np.asarray(image.pixels, dtype=np.float64)
    used = values if image.footprint is None else values[image.footprint]
    middle, noise = _level_and_noise(used)
    return max(float(used.min()), middle - noise), float(used.max())


def _level_and_noise(values: NDArray[np.float64]) -> tuple[float, float]:
    middle = float(np.median(values))
    # of the fainter half, which has no sources
    return middle, SIGMA_PER_MAD * float(np.median(middle - values[values <= middle]))
