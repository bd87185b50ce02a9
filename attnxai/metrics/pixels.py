"""Rows of valid pixels of maps and targets, and what metrics derive from them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from attnxai.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Derived = TypeVar("Derived")

CONSTANT_BELOW = 2.0**-48
"""A row is constant if its range is at most this share (16 rounding errors) of its largest magnitude."""
_LARGE = 2.0**256  # squares of this, and of one over it, are far from the ends of float64


class PixelRows:
    """Rows of pixels, with what several metrics derive from them, such as ranks, computed once.

    Parameters
    ----------
    values : ndarray, shape (n, n_pixels)
        Maps or targets; not copied if float64 and row after row in memory already, and not to be changed
        afterwards: the attribute is read-only. No metric depends on their scale, so rows whose largest magnitude is above
        1e77 or below 1e-77 are multiplied by a power of two, as their squares would overflow or vanish. That is exact, except
        that values above 1e77 leave no room for those of a magnitude of 1e-385 of the largest and below, which become 0.

    Examples
    --------
    >>> from attnxai.metrics import auc, spearman
    >>> maps = PixelRows(np.array([[1.0, 2.0, 3.0, 4.0]]))
    >>> targets = PixelRows(np.array([[0.0, 1.0, 0.0, 1.0]]))
    >>> auc.evaluate(maps, targets), spearman.evaluate(maps, targets).round(4)
    (array([[0.75]]), array([[0.4472]]))
    """

    __slots__ = ("_derived", "values")

    def __init__(self, values: NDArray[Any]) -> None:
        # row after row in memory: picking pixels leaves pixel after pixel, on which sums and minima of
        # rows take many times as long
        rows = np.asarray(values, dtype=np.float64, order="C")
        if rows.ndim != 2:
            raise OptionError(f"rows of pixels need shape (n, n_pixels), got {rows.shape}")
        self.values: NDArray[np.float64] = rows.view()
        self._derived: dict[tuple[Hashable, ...], Any] = {}
        # masks and float32 hold nothing so large or so small
        if np.asarray(values).dtype.itemsize >= rows.itemsize:
            exponents = _exponents(*extremes(self))
            if exponents.any():
                self.values = np.ldexp(rows, exponents[:, None])
                self._derived.clear()
        self.values.flags.writeable = False

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n_pixels(self) -> int:
        """Number of pixels of each row."""
        return int(self.values.shape[1])

    def once(self, derive: Callable[..., Derived], *arguments: Hashable) -> Derived:
        """``derive(self, *arguments)``, computed at the first call."""
        key = (derive, *arguments)
        if key not in self._derived:
            self._derived[key] = derive(self, *arguments)
        derived: Derived = self._derived[key]
        return derived


def derived(derive: Callable[[PixelRows], Derived]) -> Callable[[PixelRows], Derived]:
    """Make a function of rows that is computed once for every :class:`PixelRows`."""

    @functools.wraps(derive)
    def of_rows(rows: PixelRows) -> Derived:
        return rows.once(derive)

    return of_rows


def pixels_of(fields: NDArray[Any], where: NDArray[np.bool_]) -> NDArray[Any]:
    """Some pixels of fields (..., rows, columns), as a contiguous array (..., n_pixels)."""
    flat = fields.reshape(*fields.shape[:-2], -1)
    return np.take(flat, np.flatnonzero(where), axis=-1)


def at_ordinary_scale(values: NDArray[Any]) -> NDArray[Any]:
    """Rows (..., n_pixels), those of extreme scale multiplied by a power of two."""
    if values.dtype != np.float64:
        return values
    exponents = _exponents(*_extremes(values))
    return np.ldexp(values, exponents[..., None]) if exponents.any() else values


@derived
def extremes(rows: PixelRows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest and largest value of each row, 0 without pixels; shapes (n,)."""
    return _extremes(rows.values)


def _extremes(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if values.shape[-1] == 0:
        return np.zeros(values.shape[:-1]), np.zeros(values.shape[:-1])
    return values.min(axis=-1), values.max(axis=-1)


def _exponents(lowest: NDArray[np.float64], highest: NDArray[np.float64]) -> NDArray[np.int32]:
    """By which powers of two rows are to be multiplied: 0 for ordinary ones."""
    largest = np.maximum(highest, -lowest)
    if ((largest > 1 / _LARGE) & (largest < _LARGE)).all():
        return np.zeros(largest.shape, np.int32)
    wanted = np.frexp(np.clip(largest, 1 / _LARGE, _LARGE))[1]
    usable = np.isfinite(largest) & (largest > 0)
    return np.where(usable, wanted - np.frexp(largest)[1], 0)


def rows_of(values: NDArray[Any] | PixelRows) -> PixelRows:
    """Values as rows of pixels, unless they are such already."""
    return values if isinstance(values, PixelRows) else PixelRows(values)


@derived
def is_constant(rows: PixelRows) -> NDArray[np.bool_]:
    """Which rows are constant to within rounding, empty, or not finite somewhere; shape (n,).

    All metrics use this rule, those of ranks as well: the order of values that differ by rounding alone is not
    information. See :data:`CONSTANT_BELOW`.
    """
    low, high = extremes(rows)
    negligible = CONSTANT_BELOW * np.maximum(np.abs(low), np.abs(high))
    with np.errstate(invalid="ignore"):
        return np.asarray(~(np.isfinite(low) & np.isfinite(high) & (high - low > negligible)))


@derived
def centred(rows: PixelRows) -> NDArray[np.float64]:
    """Rows less their mean; shape (n, n_pixels)."""
    deviations = rows.values - rows.values.mean(axis=1, keepdims=True)
    # the mean is rounded; where values differ little the rest of it would be a large part of them
    deviations -= deviations.mean(axis=1, keepdims=True)
    return np.asarray(deviations)


@derived
def deviations(rows: PixelRows) -> NDArray[np.float64]:
    """Population standard deviation of each row; shape (n,)."""
    found = centred(rows)
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", found, found) / max(rows.n_pixels, 1)))


@derived
def totals(rows: PixelRows) -> NDArray[np.float64]:
    """Sum of each row, NaN where it is not above 0; shape (n,)."""
    total = rows.values.sum(axis=1)
    return np.where(total > 0, total, np.nan)


@derived
def marked(rows: PixelRows) -> NDArray[np.float64]:
    """Rows as masks: 1 where a row is above 0, else 0; shape (n, n_pixels)."""
    values = rows.values
    above = values > 0
    return values if np.array_equal(values, above) else above.astype(np.float64)


@derived
def pixels_above_lowest(rows: PixelRows) -> NDArray[np.intp]:
    """Pixels on which some row is above its lowest value: for most annotations, few of all; shape (n_found,)."""
    return np.flatnonzero((rows.values > extremes(rows)[0][:, None]).any(axis=0))


def take_pixels(values: NDArray[Any], pixels: NDArray[np.intp]) -> NDArray[Any]:
    """Some pixels of rows (n, n_pixels), in ascending order; the rows themselves where these are all."""
    return values if pixels.size == values.shape[1] else values.take(pixels, axis=1)


@derived
def n_marked(rows: PixelRows) -> NDArray[np.float64]:
    """Number of marked pixels of each row; shape (n,)."""
    return np.asarray(marked(rows).sum(axis=1))


@derived
def marked_pixels(rows: PixelRows) -> list[NDArray[np.intp]]:
    """Indices of the marked pixels of each row."""
    return [np.flatnonzero(row > 0) for row in rows.values]


def numbers_of(name: str, values: Any) -> NDArray[np.float64]:
    """An array of what a user gave; ``name`` is what an error calls it."""
    if np.ma.isMaskedArray(values):
        raise OptionError(
            f"{name} is a masked array, whose mask would be lost; give its data, and leave masked pixels out "
            "with valid (or fill missing ratings with NaN)"
        )
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise OptionError(f"{name} needs to be an array of numbers: {error}") from error


def marks_of(name: str, values: Any) -> NDArray[Any]:
    """The same, but masks as they are."""
    mask = (
        isinstance(values, np.ndarray) and values.dtype == bool and not np.ma.isMaskedArray(values)
    )
    return values if mask else numbers_of(name, values)


def checked_pixels(name: str, values: NDArray[Any], *, signed: bool = False) -> PixelRows:
    """One row of the valid pixels of what a user gave, shape (n_pixels,); ``name`` is what an error calls it."""
    rows = PixelRows(values[None])
    if values.dtype == bool:
        return rows
    (low,), (high,) = extremes(rows)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise OptionError(
            f"{name} needs finite values on all valid pixels; exclude the others with valid"
        )
    if not signed and low < 0:
        raise OptionError(f"{name} has negative values; a mask or a density has none")
    return rows
