"""Areas of a mask as outlines along the edges of pixels, and outlines as the pixels whose centres they hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.errors import AnnotationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_EDGES = 4_000_000
"""Edges of pixels that the areas of a mask may have about them."""
MOST_OUTLINES = 100_000
"""Areas and holes that a mask may have."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PixelArea:
    """Pixels of one value that touch each other, also at corners.

    Parameters
    ----------
    value : int
        Their value.
    outline : ndarray, shape (n, 2)
        Corners (x, y) of the outline, half way between pixel centres, anticlockwise where y points up.
    holes : tuple of ndarray
        Outlines of what is left out within it.
    """

    value: int
    outline: NDArray[np.float64]
    holes: tuple[NDArray[np.float64], ...] = ()


def trace_areas(labels: NDArray[np.integer]) -> list[PixelArea]:
    """Areas of a mask with a label in every pixel, where 0 stands for none.

    Parameters
    ----------
    labels : ndarray of int, shape (rows, columns)
        The mask.

    Returns
    -------
    list of PixelArea
        In the order of their first pixels. The polygons of an area, without its holes, cover its pixels exactly.

    Raises
    ------
    AnnotationError
        If there are more than :data:`MOST_OUTLINES` areas and holes, or they have more than :data:`MOST_EDGES` edges.

    Examples
    --------
    >>> (area,) = trace_areas(np.array([[0, 0, 0], [0, 7, 7]]))
    >>> area.value, area.outline.tolist()
    (7, [[0.5, 0.5], [2.5, 0.5], [2.5, 1.5], [0.5, 1.5]])
    """
    from skimage.measure import label

    areas = label(labels, background=0, connectivity=2)  # type: ignore[no-untyped-call]
    if not areas.any():
        return []
    keys, area, following = _edges(np.pad(areas, 1))
    firsts, corners, lengths = _loops(keys, following)
    if len(firsts) > MOST_OUTLINES:
        raise AnnotationError(
            f"it has {len(firsts):,} areas and holes, more than {MOST_OUTLINES:,}; is it a mask?"
        )
    rows, columns = np.divmod(corners, labels.shape[1] + 1)
    x, y = columns - 0.5, rows - 0.5
    ends = np.cumsum(lengths)
    to = np.arange(1, len(x) + 1)
    to[ends - 1] = ends - lengths
    is_outer = np.add.reduceat(x * y[to] - x[to] * y, ends - lengths) > 0
    outlines: dict[int, NDArray[np.float64]] = {}
    holes: dict[int, list[NDArray[np.float64]]] = {}
    parts = np.split(np.stack([x, y], axis=1), ends[:-1])
    for number, outline, outer in zip(area[firsts].tolist(), parts, is_outer.tolist(), strict=True):
        if outer:
            outlines[number] = outline
        else:
            holes.setdefault(number, []).append(outline)
    values = np.zeros(len(outlines) + 1, dtype=np.int64)
    values[areas.ravel()] = labels.ravel()
    return [
        PixelArea(
            value=int(values[number]),
            outline=outlines[number],
            holes=tuple(holes.get(number, ())),
        )
        for number in sorted(outlines)
    ]


def _edges(
    padded: NDArray[np.integer],
) -> tuple[NDArray[np.int64], NDArray[np.integer], NDArray[np.int64]]:
    """Edges with an area on their left: keys (4 x start + direction), areas, and the number of the edge that follows.

    Corners are counted along rows. Directions are +x, +y, -x, -y. Where two edges could follow, that to the right does, so
    that pixels which touch at a corner belong together.
    """
    below, above = padded[:-1], padded[1:]
    # pixels about each corner: to the left and right of an edge in each direction
    southwest, southeast = below[:, :-1], below[:, 1:]
    northwest, northeast = above[:, :-1], above[:, 1:]
    sides = (
        (northeast, southeast),
        (northwest, northeast),
        (southwest, northwest),
        (southeast, southwest),
    )
    starts = [np.flatnonzero((left != 0) & (left != right)) for left, right in sides]
    if (n := sum(map(len, starts))) > MOST_EDGES:
        raise AnnotationError(
            f"its areas have {n:,} edges of pixels, more than the {MOST_EDGES:,} that can be traced; is it a mask?"
        )
    keys = np.concatenate([4 * at + direction for direction, at in enumerate(starts)])
    area = np.concatenate([left.ravel()[at] for (left, _), at in zip(sides, starts, strict=True)])
    order = np.argsort(keys)
    keys, area = keys[order], area[order]
    width = padded.shape[1] - 1
    direction = keys % 4
    ends = keys // 4 + np.array([1, width, -1, -width])[direction]
    following = np.full(len(keys), -1)
    for turn in (-1, 0, 1):
        wanted = 4 * ends + (direction + turn) % 4
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        fits = (following < 0) & (keys[at] == wanted) & (area[at] == area)
        following[fits] = at[fits]
    return keys, area, following


def _loops(
    keys: NDArray[np.int64], following: NDArray[np.int64]
) -> tuple[list[int], NDArray[np.int64], NDArray[np.int64]]:
    """Closed paths along edges: an edge of each, the corners at which all of them turn, and how many each has."""
    after = following.tolist()
    starts, directions = (keys // 4).tolist(), (keys % 4).tolist()
    seen = bytearray(len(after))
    firsts: list[int] = []
    lengths: list[int] = []
    corners: list[int] = []
    for first in range(len(after)):
        if seen[first]:
            continue
        n_before, at = len(corners), first
        # the lowest edge begins at a corner
        corners.append(starts[first])
        seen[first] = 1
        while not seen[to := after[at]]:
            seen[to] = 1
            if directions[to] != directions[at]:
                corners.append(starts[to])
            at = to
        firsts.append(first)
        lengths.append(len(corners) - n_before)
    return firsts, np.array(corners), np.array(lengths)


def pixels_within(
    outline: NDArray[np.float64] | Sequence[tuple[float, float]], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Pixels of an image whose centres lie within a polygon, by non-zero winding.

    Parameters
    ----------
    outline : array_like, shape (n, 2)
        Vertices (x, y).
    shape : (int, int)
        Rows and columns.

    Returns
    -------
    ndarray of bool, shape (rows, columns)

    Examples
    --------
    >>> pixels_within([(0.5, 0.5), (2.5, 0.5), (2.5, 1.5), (0.5, 1.5)], (2, 3)).astype(int)
    array([[0, 0, 0],
           [0, 1, 1]])
    """
    rows, columns = shape
    x0, y0 = np.asarray(outline, dtype=np.float64).T
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    low, high = np.minimum(y0, y1), np.maximum(y0, y1)
    first = np.clip(np.ceil(low), 0, rows).astype(int)
    n_rows = np.maximum(np.clip(np.ceil(high), 0, rows).astype(int) - first, 0)
    side = np.repeat(np.arange(len(x0)), n_rows)
    row = np.arange(len(side)) - np.repeat(np.cumsum(n_rows) - n_rows, n_rows) + first[side]
    slope = (x1 - x0)[side] / (y1 - y0)[side]
    at = x0[side] + (row - y0[side]) * slope
    column = np.clip(np.ceil(at), 0, columns).astype(int)
    winding = np.zeros((rows, columns + 1), dtype=np.int32)
    np.add.at(winding, (row, column), np.where(y1 > y0, 1, -1)[side])
    return np.asarray(np.cumsum(winding, axis=1)[:, :columns] != 0)
