"""How image files are read: what may be assumed of them, and which of their parts is meant."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypedDict

from attnxai.data.grid import check_scale
from attnxai.errors import OptionError


class ImageKeywords(TypedDict, total=False):
    """The fields of :class:`ImageOptions`, as keyword arguments of functions that read images."""

    fill_blank: bool
    prepared: bool | None
    pixel_scale_arcsec: float | None
    hdu: int | str | None
    plane: int | str | Sequence[int] | None
    pad: bool
    match_beam: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageOptions:
    """How image files are read.

    Parameters
    ----------
    fill_blank, prepared, pixel_scale_arcsec
        See :func:`attnxai.data.read_image`.
    hdu : int or str, optional
        Number of the HDU, from 0, or its name; digits are a number.
    plane : int, str or sequence of int, optional
        Index of the plane of a cube, from 0, one for each axis that has several; kept as a tuple.
    pad, match_beam
        See :class:`attnxai.data.SourceImage`.

    Raises
    ------
    OptionError
        If a value cannot be meant.

    Examples
    --------
    >>> options = ImageOptions(hdu="1", plane="0,3")
    >>> options.hdu, options.plane
    (1, (0, 3))
    """

    fill_blank: bool = False
    prepared: bool | None = None
    pixel_scale_arcsec: float | None = None
    hdu: int | str | None = None
    plane: int | str | Sequence[int] | None = None
    pad: bool = False
    match_beam: bool = False

    def __post_init__(self) -> None:
        check_scale(self.pixel_scale_arcsec)
        object.__setattr__(self, "hdu", _hdu(self.hdu))
        object.__setattr__(self, "plane", _plane(self.plane))

    def given(self) -> dict[str, object]:
        """The options that differ from their defaults, by name."""
        return {
            field.name: value
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) != field.default
        }


def _is_index(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _hdu(given: object) -> int | str | None:
    value = given.strip() if isinstance(given, str) else given
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        value = int(value)
    if not (value is None or _is_index(value) or (isinstance(value, str) and value)):
        raise OptionError(f"hdu has to be the number of an HDU, from 0, or its name, got {given!r}")
    return value  # type: ignore[return-value]  # as has been checked


def _plane(given: object) -> tuple[int, ...] | None:
    value = given
    if isinstance(value, str):
        parts = [part.strip() for part in value.split(",")]
        value = [int(part) if part.isdecimal() and len(part) < 10 else None for part in parts]
    if _is_index(value):
        value = [value]
    if value is None:
        return None
    if not (isinstance(value, Sequence) and value and all(map(_is_index, value))):
        raise OptionError(
            f"plane has to be the index of a plane, from 0, or several with commas between them, got {given!r}"
        )
    return tuple(value)
