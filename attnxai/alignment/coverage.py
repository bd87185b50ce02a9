"""How much of every pixel an area covers, where pixel centres lie on whole numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.annotations.shapes import ShapeKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from attnxai.annotations.pixel_shapes import PixelShape

    _Floats = NDArray[np.float64]

# what is worked on at a time, some 100 bytes each
_MOST_PIECES = 1_000_000
# pixels of ellipses, rows of polygons, and corners or columns of a polygon that are worked on together
_MOST_TOGETHER = 30_000
_MOST_STACKED = 1024
_MOST_SMALL = 64
_CUTS_AT_CROSSINGS = 32
_CUTS_OF_TANGLES = 8
# pieces less wide than this, in pixels, are taken as upright
_SHORTEST = 1e-6
_ROUNDING = 1e-10


Window = tuple[slice, slice]
"""Rows and columns of a part of the field."""


def window_of(bounds: Sequence[float], shape: tuple[int, int], margin: float = 0.0) -> Window:
    """Pixels that something between lowest and highest x, lowest and highest y may reach."""
    x0, x1, y0, y1 = bounds

    def part(low: float, high: float, size: int) -> slice:
        first, last = low - margin - 0.5, high + margin + 0.5
        return slice(int(min(max(first, 0.0), size)), int(min(max(last + 1, 0.0), size)))

    return part(y0, y1, shape[0]), part(x0, x1, shape[1])


def area_coverages(
    areas: Sequence[PixelShape], shape: tuple[int, int]
) -> list[tuple[Window, _Floats]]:
    """Covered fraction of the pixels of a field, for shapes with an area, many together as each alone takes longer.

    Parameters
    ----------
    areas : sequence of PixelShape
        Circles, ellipses, boxes and polygons in pixels of the field.
    shape : (int, int)
        Rows and columns of the field.

    Returns
    -------
    list of (window, coverage)
        Rows and columns beyond which nothing is covered (two slices), and covered fractions of the pixels there,
        from 0 to 1; see :func:`ellipse_coverage`, :func:`polygon_coverage`.
    """
    windows = [window_of(area.bounds, shape) for area in areas]
    found: list[_Floats] = []
    ellipses: list[int] = []
    polygons: list[int] = []
    for i, (area, window) in enumerate(zip(areas, windows, strict=True)):
        rows, columns = _size(window)
        found.append(np.zeros((max(rows, 0), max(columns, 0))))
        if min(rows, columns) <= 0:
            continue
        if area.kind is ShapeKind.BOX and area.angle_deg % 90 == 0:
            found[i] = _upright_box(area, window)
        else:
            is_polygon = area.kind in (ShapeKind.BOX, ShapeKind.POLYGON)
            (polygons if is_polygon else ellipses).append(i)
    sizes = [_size(window) for window in windows]
    starts = [(window[1].start, window[0].start) for window in windows]
    for i, covered in zip(
        ellipses,
        _ellipse_coverages(
            np.array([areas[i].points[0] for i in ellipses]).reshape(-1, 2)
            - np.array([starts[i] for i in ellipses]).reshape(-1, 2),
            np.array([(areas[i].width, areas[i].height) for i in ellipses]).reshape(-1, 2),
            np.array([areas[i].angle_deg for i in ellipses]),
            [sizes[i] for i in ellipses],
        ),
        strict=True,
    ):
        found[i] = covered
    outlines = [areas[i].outline() - starts[i] for i in polygons]
    for i, covered in zip(
        polygons, _polygon_coverages(outlines, [sizes[i] for i in polygons]), strict=True
    ):
        found[i] = covered
    return list(zip(windows, found, strict=True))


def _size(window: Window) -> tuple[int, int]:
    rows, columns = window
    return rows.stop - rows.start, columns.stop - columns.start


def _upright_box(box: PixelShape, window: Window) -> _Floats:
    x, y = box.points[0].tolist()
    rows, columns = window
    width, height = (box.width, box.height)[:: 1 if box.angle_deg % 180 == 0 else -1]
    n_rows, n_columns = _size(window)
    x, y = x - columns.start, y - rows.start
    across = _overlap(x - width / 2, x + width / 2, n_columns)
    return np.outer(_overlap(y - height / 2, y + height / 2, n_rows), across)


def _overlap(low: float, high: float, size: int) -> _Floats:
    """How much of each pixel of a row lies between two coordinates."""
    edges = np.clip(np.arange(size + 1) - 0.5, low, high)
    return np.asarray(np.diff(edges))


def ellipse_coverage(
    centre: tuple[float, float],
    axes: tuple[float, float],
    angle_deg: float,
    shape: tuple[int, int],
) -> NDArray[np.float64]:
    """Covered fraction of every pixel, for an ellipse.

    Parameters
    ----------
    centre : (float, float)
        Its centre (x, y).
    axes : (float, float)
        Full lengths of its width and height, above 0.
    angle_deg : float
        Of the width axis, from +x towards +y.
    shape : (int, int)
        Rows and columns.

    Returns
    -------
    ndarray, shape (rows, columns)
        From 0 to 1, exact up to rounding.

    Examples
    --------
    >>> ellipse_coverage((1.0, 0.0), (2.0, 2.0), 0.0, (1, 3)).round(3)
    array([[0.457, 1.   , 0.457]])
    """
    (covered,) = _ellipse_coverages(
        np.array([centre]), np.array([axes]), np.array([angle_deg]), [shape]
    )
    return covered


def _ellipse_coverages(
    centres: _Floats, axes: _Floats, angles_deg: _Floats, sizes: Sequence[tuple[int, int]]
) -> list[_Floats]:
    """:func:`ellipse_coverage` of many: those of about one size together."""
    found: list[_Floats] = [np.zeros(0)] * len(sizes)
    by_size: dict[tuple[int, int], list[int]] = {}
    for i, (rows, columns) in enumerate(sizes):
        by_size.setdefault((_next_size(rows), _next_size(columns)), []).append(i)
    cos, sin = np.cos(np.radians(angles_deg)), np.sin(np.radians(angles_deg))
    for (rows, columns), members in by_size.items():
        step = max(1, _MOST_TOGETHER // (rows * columns))
        for at in range(0, len(members), step):
            some = members[at : at + step]
            x = (np.arange(columns + 1) - 0.5 - centres[some, :1])[:, None, :]
            y = (np.arange(rows + 1) - 0.5 - centres[some, 1:])[:, :, None]
            c, s = cos[some][:, None, None], sin[some][:, None, None]
            width, height = (axes[some, k][:, None, None] for k in (0, 1))
            # corners of the pixels, turned and scaled so that the ellipse is the unit disc
            u, v = (x * c + y * s) * (2 / width), (y * c - x * s) * (2 / height)
            level = _shared_with_disc(u[:, :, :-1], v[:, :, :-1], u[:, :, 1:], v[:, :, 1:])
            upright = _shared_with_disc(u[:, :-1], v[:, :-1], u[:, 1:], v[:, 1:])
            around = level[:, :-1] + upright[:, :, 1:] - level[:, 1:] - upright[:, :, :-1]
            around *= width * height / 4
            for i, covered in zip(some, around, strict=True):
                found[i] = _clean(covered[: sizes[i][0], : sizes[i][1]])
    return found


def _next_size(n: int) -> int:
    """A length not much above ``n``, of which there are few."""
    step = max(2, 1 << max(n.bit_length() - 3, 0))
    return -(-n // step) * step


def _clean(covered: _Floats) -> _Floats:
    """Without what rounding leaves of pixels that are covered not at all, or wholly."""
    lowest = _ROUNDING * covered.max(initial=0.0)
    covered = np.where(covered < lowest, 0.0, covered)
    covered[covered > 1.0 - _ROUNDING] = 1.0
    return covered


def _shared_with_disc(x0: _Floats, y0: _Floats, x1: _Floats, y1: _Floats) -> _Floats:
    """Signed area that the unit disc shares with the triangle of its centre and a segment."""
    dx, dy = x1 - x0, y1 - y0
    length_squared, along, cross = dx * dx + dy * dy, x0 * dx + y0 * dy, x0 * dy - y0 * dx
    # where the segment enters the circle and leaves it, as shares of its length
    half_chord = np.sqrt(np.maximum(length_squared - cross * cross, 0.0))
    enters = np.clip((-along - half_chord) / length_squared, 0.0, 1.0)
    leaves = np.clip((-along + half_chord) / length_squared, 0.0, 1.0)
    xa, ya, xb, yb = x0 + enters * dx, y0 + enters * dy, x0 + leaves * dx, y0 + leaves * dy
    # the end itself, lest rounding opens a sector of 1e-16 there
    xb, yb = np.where(leaves == 1, x1, xb), np.where(leaves == 1, y1, yb)
    sectors = np.arctan2(x0 * ya - y0 * xa, x0 * xa + y0 * ya)
    sectors += np.arctan2(xb * y1 - yb * x1, xb * x1 + yb * y1)
    return np.asarray((sectors + xa * yb - ya * xb) / 2)


def polygon_coverage(vertices: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Covered fraction of every pixel, for a polygon by the rule of non-zero winding.

    What the outline goes around twice in one direction is covered once; what it goes around once in
    each direction is not covered.

    Parameters
    ----------
    vertices : ndarray, shape (n_vertices, 2)
        Corners (x, y) in their order; the last is joined to the first.
    shape : (int, int)
        Rows and columns.

    Returns
    -------
    ndarray, shape (rows, columns)
        From 0 to 1. Exact up to rounding, except in pixels where sides cross, which are right to about 0.01, and for
        outlines of thousands of long sides that cross everywhere, whose total is right to about 1 %.

    Examples
    --------
    >>> square = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])
    >>> polygon_coverage(np.concatenate([square, square]), (3, 3))
    array([[0.25, 0.5 , 0.25],
           [0.5 , 1.  , 0.5 ],
           [0.25, 0.5 , 0.25]])
    """
    (covered,) = _polygon_coverages([np.asarray(vertices, dtype=np.float64)], [shape])
    return covered


def _polygon_coverages(
    outlines: Sequence[_Floats], sizes: Sequence[tuple[int, int]]
) -> list[_Floats]:
    """:func:`polygon_coverage` of many: small ones within their pixels one above the other, as in one tall field."""
    found: list[_Floats] = [np.zeros(0)] * len(sizes)
    stacks: list[list[int]] = []
    n_rows, width = _MOST_STACKED, 0
    order = sorted(range(len(sizes)), key=lambda i: sizes[i][1])
    for i in order:
        corners, (rows, columns) = outlines[i], sizes[i]
        is_small = (
            len(corners) <= _MOST_SMALL
            and columns <= _MOST_SMALL
            and corners[:, 1].min() >= -0.5
            and corners[:, 1].max() <= rows - 0.5
        )
        if not is_small:
            found[i] = _stacked([corners], [sizes[i]])[0]
            continue
        if n_rows + rows > _MOST_STACKED or columns > 1.5 * width + 4:
            stacks.append([])
            n_rows, width = 0, columns
        stacks[-1].append(i)
        n_rows += rows
    for members in stacks:
        covered = _stacked([outlines[i] for i in members], [sizes[i] for i in members])
        for i, one in zip(members, covered, strict=True):
            found[i] = one
    return found


def _stacked(outlines: Sequence[_Floats], sizes: Sequence[tuple[int, int]]) -> list[_Floats]:
    """Coverages of polygons that lie one above the other, each in its own rows; a single one may reach beyond them."""
    columns = max(width for _, width in sizes)
    ends = np.cumsum([height for height, _ in sizes])
    rows = int(ends[-1])
    first_rows = [0, *ends[:-1].tolist()]
    n_corners = [len(outline) for outline in outlines]
    corners = np.concatenate(outlines) + 0.5  # pixel n reaches from n to n + 1
    corners[:, 1] += np.repeat(first_rows, n_corners)
    following = np.arange(1, len(corners) + 1)
    last = np.cumsum(n_corners)
    following[last - 1] = last - n_corners
    sides = np.concatenate([corners, corners[following]], axis=1)
    sides = sides[sides[:, 1] != sides[:, 3]]
    is_falling = sides[:, 1] > sides[:, 3]
    sides = np.column_stack(
        [
            np.where(is_falling[:, None], np.roll(sides, 2, axis=1), sides),
            np.where(is_falling, -1.0, 1.0),
        ]
    )
    sides = sides[(sides[:, 3] > 0) & (sides[:, 1] < rows)]
    # between two cuts every side is whole, and lies within one row of pixels
    cuts = np.unique(np.concatenate([np.arange(rows + 1.0), corners[:, 1].clip(0, rows)]))
    bands = np.stack([cuts[:-1], cuts[1:]])
    covered = np.zeros((2, rows, columns + 2))  # of the pixel itself, and of all to its right
    if _n_pieces(sides, bands) <= _MOST_PIECES:
        crossed, n_pieces = _add_bands(covered, sides, bands, leave_crossed=True)
        if n_pieces:
            n_cuts = min(_CUTS_AT_CROSSINGS, max(1, _MOST_PIECES // n_pieces))
            _add_bands(covered, sides, _cut(crossed, n_cuts))
    else:
        for row in range(rows):
            _add_bands(covered, sides, _cut(np.array([[row], [row + 1.0]]), _CUTS_OF_TANGLES))
    total = covered[0] + np.cumsum(covered[1], axis=1)
    return [
        _clean(total[first : first + height, :width])
        for first, (height, width) in zip(first_rows, sizes, strict=True)
    ]


def _cut(bands: _Floats, n_parts: int) -> _Floats:
    ends = np.linspace(bands[0], bands[1], n_parts + 1, axis=1)
    return np.stack([ends[:, :-1].ravel(), ends[:, 1:].ravel()])


def _spans(sides: _Floats, bands: _Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First band whose middle a side reaches, and the number of bands."""
    middles = bands.mean(axis=0)
    first, last = np.searchsorted(middles, sides[:, 1]), np.searchsorted(middles, sides[:, 3])
    return first, last - first


def _n_pieces(sides: _Floats, bands: _Floats) -> int:
    return int(_spans(sides, bands)[1].sum())


def _counted(starts: NDArray[np.intp], counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """The whole numbers from every start, as many as its count says, one after the other."""
    before = np.cumsum(counts) - counts
    return np.asarray(np.arange(counts.sum()) + np.repeat(starts - before, counts))


def _add_bands(
    covered: _Floats, sides: _Floats, bands: _Floats, *, leave_crossed: bool = False
) -> tuple[_Floats, int]:
    """Add what is covered in some bands of the rows; return those left out because sides cross within them.

    ``sides`` are x and y of the lower end, x and y of the higher, and the direction. The second value is the number
    of pieces of sides in the bands left out.
    """
    first, counts = _spans(sides, bands)
    band = _counted(first, counts)
    x0, y0, x1, y1, turn = np.repeat(sides, counts, axis=0).T
    slope = (x1 - x0) / (y1 - y0)
    low, high = np.minimum(x0, x1), np.maximum(x0, x1)
    ends = np.clip(x0 + (bands[:, band] - y0) * slope, low, high)
    order = np.lexsort((ends.sum(axis=0), band))
    band, ends, turn = band[order], ends[:, order], turn[order]
    n_left = 0
    left = bands[:, :0]
    after = np.cumsum(turn)  # 0 after the last side of each band
    before = after - turn
    edge = (before == 0) != (after == 0)
    if leave_crossed:
        tolerance = 1e-9 * (1 + np.abs(ends[:, 1:]))
        crosses = (np.diff(ends) < -tolerance).any(axis=0) & (np.diff(band) == 0)
        is_left = np.zeros(bands.shape[1], dtype=bool)
        is_left[band[1:][crosses]] = True
        edge &= ~is_left[band]
        left, n_left = bands[:, is_left], int(is_left[band].sum())
    sign = np.where(before == 0, 1.0, -1.0)[edge]
    band, ends = band[edge], ends[:, edge]
    height = (bands[1] - bands[0])[band] * sign
    row = bands.mean(axis=0)[band].astype(np.intp)
    step = max(1, _MOST_PIECES // covered.shape[2])
    for i in range(0, len(row), step):
        part = slice(i, i + step)
        _add_pieces(covered, row[part], height[part], *np.sort(ends[:, part], axis=0))
    return left, n_left


def _add_pieces(
    covered: _Floats, row: NDArray[np.intp], height: _Floats, low: _Floats, high: _Floats
) -> None:
    """Add what lies to the right of straight pieces of outline that go from ``low`` to ``high`` within a row."""
    _, rows, width = covered.shape
    begin, end = (np.floor(x).clip(0, width - 2).astype(np.intp) for x in (low, high))
    column = _counted(begin, end - begin + 1)
    piece = np.repeat(np.arange(len(row)), end - begin + 1)
    # how far the ends lie from the right edge of the pixel; the mean over the piece of what it leaves of the pixel
    near, far = column + 1 - high[piece], column + 1 - low[piece]
    span = far - near
    mean = (_integral(far) - _integral(near)) / np.maximum(span, _SHORTEST)
    share = np.where(span > _SHORTEST, mean, np.clip((near + far) / 2, 0, 1))
    pixels = row[piece] * width + column
    beyond = row * width + end + 1
    covered[0].flat += np.bincount(pixels, height[piece] * share, rows * width)
    covered[1].flat += np.bincount(beyond, height, rows * width)


def _integral(x: _Floats) -> _Floats:
    """Integral up to ``x`` of what is 0 below 0, 1 above 1, and x between."""
    return np.asarray(np.clip(x, 0, 1) ** 2 / 2 + np.maximum(x - 1, 0))
