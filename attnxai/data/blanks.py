"""Pixels that were not observed and hold a number all the same, such as 0 beyond the edge of a field, or -999."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# areas of one value; 0.7 to the power of 49 pixels, as of coarsely digitised noise, is nearly none
_AREAS = ((7, 7), (3, 25), (25, 3))
# of the other pixels, on either side of a value that lies among them
_SHARE = 0.05
_MOST_VALUES = 4
# of pixels with a value far from all others
_FEWEST = 5
_SENTINELS = (-999.0, -9999.0, 999.0, 9999.0, -32768.0, 32767.0)


def without_blanks(
    values: NDArray[Any], *, fill_blank: bool, prepared: bool
) -> tuple[NDArray[Any], NDArray[np.bool_] | None, list[str]]:
    """An image with 0 in its blank pixels.

    Parameters
    ----------
    values : ndarray, shape (rows, columns)
        Brightness.
    fill_blank : bool
        Whether all NaN and infinite pixels are blank.
    prepared : bool
        Whether the values have been clipped and scaled, so that no other pixels are blank. Else those of
        :func:`beyond_field` and :func:`blank_values` are.

    Returns
    -------
    values : ndarray, shape (rows, columns)
    footprint : ndarray of bool, shape (rows, columns), or None
        The other pixels; None where none, or all, are blank or without a value.
    notes : list of str
        A clause for each reason that is not NaN.
    """
    unknown = ~np.isfinite(values)
    blank = unknown & fill_blank
    notes: list[str] = []
    if not prepared:
        by_value, notes = blank_values(values)
        beyond = beyond_field(values) & ~blank
        if beyond.any() and not beyond.all():
            notes.append("pixels without a value that reach the edge are taken for blank")
        blank = blank | by_value | beyond
    if not blank.any() or (blank | unknown).all():
        return values, None, notes
    return np.where(blank, 0, values), ~blank, notes


def beyond_field(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels without a value (NaN) that reach the edge of an image, as those beyond the field of a mosaic do.

    Parameters
    ----------
    values : ndarray, shape (rows, columns)
        Brightness.

    Returns
    -------
    ndarray of bool, shape (rows, columns)

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((4, 5))
    >>> image[0, :2] = image[2, 2] = np.nan
    >>> np.argwhere(beyond_field(image)).tolist()
    [[0, 0], [0, 1]]
    """
    unknown = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    if not unknown.any():
        return unknown
    from scipy.ndimage import label

    areas, _ = label(unknown, structure=np.ones((3, 3)))
    edges = np.concatenate([areas[0], areas[-1], areas[:, 0], areas[:, -1]])
    reaching = np.unique(edges[edges > 0])
    return np.asarray(np.isin(areas, reaching))


def blank_values(values: NDArray[Any]) -> tuple[NDArray[np.bool_], list[str]]:
    """Which pixels of survey brightness are blank by their value, and what to say of each value.

    Two kinds of values mean blank pixels. One lies among the others, with at least 5 % of these on either side, and
    fills an area of 7 x 7 or 3 x 25 pixels; the pixels that touch such areas and have the value are blank, not
    those elsewhere. The other lies further from all others than these reach, and at least five pixels have it (one of
    -999, -32768 and the like, or above 1e19). Values at the end of the range, such as the 0 of a clipped
    image, are neither.

    Parameters
    ----------
    values : ndarray, shape (rows, columns)
        Brightness; NaN and infinite pixels are left aside.

    Returns
    -------
    blank : ndarray of bool, shape (rows, columns)
    notes : list of str
        A clause for each value.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).normal(size=(60, 60))
    >>> image[:, :10] = 0
    >>> blank, notes = blank_values(image)
    >>> int(blank.sum()), notes
    (600, ['pixels of the value 0 over an area are taken for blank'])
    """
    blank = np.zeros(values.shape, bool)
    notes: list[str] = []
    with np.errstate(invalid="ignore"):  # signalling NaN
        values = values.astype(np.float64)
    finite = np.isfinite(values)
    for value in _candidates(values, finite):
        same = values == value
        others = values[finite & ~same & ~blank]
        if not others.size:
            continue
        low, high = float(others.min()), float(others.max())
        with np.errstate(over="ignore"):
            is_far = low < high and not low - (high - low) <= value <= high + (high - low)
        if is_far and same.sum() >= (1 if value in _SENTINELS or abs(value) > 1e19 else _FEWEST):
            blank |= same
            notes.append(f"pixels of the value {value:g}, far from all others, are taken for blank")
        elif min((others < value).mean(), (others > value).mean()) >= _SHARE:
            found = _areas(same)
            if found.any():
                blank |= found
                notes.append(f"pixels of the value {value:g} over an area are taken for blank")
    return blank, notes


def _candidates(values: NDArray[np.float64], finite: NDArray[np.bool_]) -> list[float]:
    """The lowest and the highest value, and those of most squares of 2 x 2 equal pixels; the extreme ones first."""
    if not finite.any():
        return []
    corner = values[1:, 1:]
    equal = (corner == values[:-1, 1:]) & (corner == values[1:, :-1]) & (corner == values[:-1, :-1])
    found, counts = np.unique(corner[equal & finite[1:, 1:]], return_counts=True)
    most = found[np.argsort(counts)[::-1][:_MOST_VALUES]].tolist()
    shown = values[finite]
    ends = [float(shown.min()), float(shown.max())]
    return sorted(set(ends + most), key=abs, reverse=True)


def _areas(same: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels that hang together with an area without gaps; areas may lie at the edge."""
    from scipy import ndimage

    solid = np.zeros(same.shape, bool)
    for shape in _AREAS:
        solid |= ndimage.binary_erosion(same, np.ones(shape, bool))
    if not solid.any():
        return solid
    return np.asarray(ndimage.binary_propagation(solid, mask=same))
