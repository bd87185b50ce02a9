"""Rank metrics: Spearman's correlation, areas under the ROC curve and average precision.

Ranks are held about their mean, as multiples of one half. Their products with each other and with masks
are then sums of such multiples that fit a float64 without rounding (up to 200,000 pixels), so they come
out the same in whatever order they are added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from attnxai.metrics.density import OF_CORRELATIONS
from attnxai.metrics.metric import Consensus, register_metric
from attnxai.metrics.pixels import (
    PixelRows,
    derived,
    extremes,
    marked,
    marked_pixels,
    n_marked,
    pixels_above_lowest,
    take_pixels,
    totals,
)
from attnxai.metrics.targets import TargetKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEW = 1024  # values that are sorted at once
_SWAPS = 4  # times that neighbours are swapped before all are sorted again


class Ordering(NamedTuple):
    """How the pixels of each row are ordered; arrays of shape (n, n_pixels).

    ``order`` are the pixels from the lowest to the highest, ``below`` counts for every pixel those that are
    strictly lower, and ``tied`` those that have its value, itself among them.
    """

    order: NDArray[np.int32]
    below: NDArray[np.int32]
    tied: NDArray[np.int32]


@derived
def ordering(rows: PixelRows) -> Ordering:
    """Order of the pixels of each row; for rows with values that are not finite it means nothing."""
    n, n_pixels = rows.values.shape
    order, below, tied = np.empty((3, n, n_pixels), np.int32)
    positions = np.arange(n_pixels, dtype=np.int32)
    for i, (values, lowest) in enumerate(zip(rows.values, extremes(rows)[0], strict=True)):
        above = values > lowest
        n_floor = n_pixels - np.count_nonzero(above)
        if n_floor >= n_pixels / 2:  # most of an annotation is not marked, and needs no sorting
            pixels = above.nonzero()[0]
            ascending, new = _ascending(values[pixels])
            ascending = pixels[ascending]
            order[i, :n_floor] = (~above).nonzero()[0]
            below[i], tied[i] = 0, n_floor
        else:
            n_floor, (ascending, new) = 0, _ascending(values)
            tied[i] = 1
        order[i, n_floor:] = ascending
        if new.all():
            below[i][ascending] = positions[n_floor:]
            if n_floor:
                tied[i][ascending] = 1
        else:
            starts = np.concatenate([[0], np.flatnonzero(new) + 1])
            sizes = np.diff(starts, append=ascending.size)
            below[i][ascending] = np.repeat(starts + n_floor, sizes)
            tied[i][ascending] = np.repeat(sizes, sizes)
    return Ordering(order, below, tied)


def _ascending(values: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """``np.argsort(values, kind="stable")``, of many values in a third of its time, and which are above those before."""
    if values.size < _FEW:
        return _checked(values, np.argsort(values, kind="stable"))
    with np.errstate(over="ignore"):
        bits = values.astype(np.float32)
    bits += np.float32(0)  # which leaves no -0
    keys = bits.view(np.int32)
    keys ^= (keys >> 31) & np.int32(0x7FFFFFFF)  # integers in the order of the values
    # numpy sorts 16 bits by counting; the upper half is sorted last and decides
    order = keys.astype(np.uint16).argsort(kind="stable")
    upper = (keys >> 16).astype(np.int16)
    order = order.take(upper.take(order).argsort(kind="stable"))
    # neighbours that are equal in float32 may be in the wrong order
    for _ in range(_SWAPS):
        ordered = values.take(order)
        new = ordered[1:] > ordered[:-1]
        if new.all():
            return order, new
        wrong = np.flatnonzero(ordered[1:] < ordered[:-1])
        if not wrong.size:
            return order, new
        wrong = wrong[np.diff(wrong, prepend=-2) > 1]
        order[wrong], order[wrong + 1] = order[wrong + 1], order[wrong]
    return _checked(values, order.take(values.take(order).argsort(kind="stable")))


def _checked(
    values: NDArray[np.float64], order: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    ordered = values.take(order)
    return order, ordered[1:] > ordered[:-1]


@derived
def centred_ranks(rows: PixelRows) -> NDArray[np.float64]:
    """Mid-ranks of each row, less their mean (n_pixels + 1) / 2; shape (n, n_pixels)."""
    found = ordering(rows)
    ranks = np.empty(found.below.shape)
    for i, row in enumerate(ranks):  # in the processor's cache
        np.multiply(found.tied[i], 0.5, out=row)
        np.add(row, found.below[i], out=row)
        np.subtract(row, 0.5 * rows.n_pixels, out=row)
    return ranks


@derived
def _squared_lengths(rows: PixelRows) -> NDArray[np.float64]:
    """Sums of the squares of centred ranks; each pixel of a tie of t takes (t^2 - 1) / 12 off those without ties."""
    n, tied = float(rows.n_pixels), ordering(rows).tied
    squares = np.einsum("ij,ij->i", tied, tied, dtype=np.float64, casting="safe")
    return np.asarray((n**3 - squares) / 12)


def mid_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks along the last axis from 1, ties sharing the mean of their ranks."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(values, axis=-1), dtype=np.float64)


class _Factors(NamedTuple):
    """Rows of targets on the pixels that some target marks, less a constant, which is their value on all others."""

    pixels: NDArray[np.intp]
    rows: NDArray[np.float64]


def _ranks_on(rows: PixelRows, pixels: NDArray[np.intp]) -> NDArray[np.float64]:
    if pixels.size == rows.n_pixels:
        return centred_ranks(rows)
    found = ordering(rows)
    ranks = 0.5 * found.tied.take(pixels, axis=1)
    ranks += found.below.take(pixels, axis=1)
    ranks -= 0.5 * rows.n_pixels
    return np.asarray(ranks)


@derived
def _rank_factors(targets: PixelRows) -> _Factors:
    pixels, found = pixels_above_lowest(targets), ordering(targets)
    n_lowest = np.take_along_axis(found.tied, found.order[:, :1], axis=1)
    lowest = 0.5 * (n_lowest - targets.n_pixels)
    return _Factors(pixels, _ranks_on(targets, pixels) - lowest)


@derived
def _mask_factors(targets: PixelRows) -> _Factors:
    pixels = pixels_above_lowest(targets)
    return _Factors(pixels, take_pixels(marked(targets), pixels))


def _products(maps: PixelRows, targets: _Factors) -> NDArray[np.float64]:
    """Sums over pixels of the centred ranks of every map times rows of every target; shape (n, m).

    The ranks sum to 0, so a constant in the rows of targets changes nothing. All sums are exact.
    """
    return np.asarray(_ranks_on(maps, targets.pixels) @ targets.rows.T)


def _unit_ranks(rows: PixelRows) -> NDArray[np.float64]:
    return np.asarray(centred_ranks(rows) / np.sqrt(_squared_lengths(rows))[:, None])


@register_metric(
    label="Spearman ρ",
    meaning="rank correlation of map and marked density over the pixels of the field",
    formula="Pearson's correlation of the ranks of m and d, ties at mid-ranks",
    factors=lambda map, target: (_unit_ranks(map), _unit_ranks(target)),
    consensus=Consensus.RANKS,
    **OF_CORRELATIONS,
)
def spearman(maps: PixelRows, targets: PixelRows) -> NDArray[np.float64]:
    """Spearman's rank correlation of a map and a density, ties at mid-ranks.

    Examples
    --------
    >>> spearman([[1, 2], [3, 4]], [[1, 2], [4, 3]])
    0.8
    """
    products = _products(maps, _rank_factors(targets))
    squares = np.outer(_squared_lengths(maps), _squared_lengths(targets))
    return np.clip(products / np.sqrt(squares), -1.0, 1.0)


def _n_pairs(targets: PixelRows) -> NDArray[np.float64]:
    """Pairs of a marked pixel and one that is not; shape (m,)."""
    count = n_marked(targets)
    return np.asarray(count * (targets.n_pixels - count))


@register_metric(
    label="AUC",
    meaning="probability that the map is higher on a marked pixel than on an unmarked one",
    formula="(R - k (k + 1) / 2) / (k (n - k)), with R the sum of the ranks of m on marked pixels",
    target=TargetKind.MASK,
    chance=0.5,
    bounds=(0.0, 1.0),
    shows_avoidance=True,
    factors=lambda map, target: (centred_ranks(map), marked(target) / _n_pairs(target)[:, None]),
)
def auc(maps: PixelRows, targets: PixelRows) -> NDArray[np.float64]:
    """Probability that a map is higher on a marked pixel than on an unmarked one, ties counting half.

    Examples
    --------
    >>> auc([[1, 2], [3, 4]], [[False, True], [False, True]])
    0.75
    """
    products = _products(maps, _mask_factors(targets))
    return 0.5 + products / _n_pairs(targets)


def average_precision_by_chance(targets: PixelRows) -> NDArray[np.float64]:
    """Mean average precision of masks with pixels in random order; shape (m,).

    With k of n pixels marked it is (H + (k - 1) (n - H) / (n - 1)) / n, with H = 1 + 1/2 + ... + 1/n:
    somewhat above the share of pixels that is marked (Bestgen 2015).
    """
    n, k = targets.n_pixels, n_marked(targets)
    if n < 2:
        return np.asarray(k / max(n, 1))
    harmonic = (1 / np.arange(1, n + 1)).sum()
    return np.asarray(np.where(k > 0, (harmonic + (k - 1) * (n - harmonic) / (n - 1)) / n, 0.0))


@register_metric(
    label="Average precision",
    meaning="mean precision over the marked pixels when pixels are taken from the highest down",
    formula="precision among the pixels at least as high in m, mean over the marked pixels",
    target=TargetKind.MASK,
    chance_of=average_precision_by_chance,
    chance_formula="that of a random order",
    bounds=(0.0, 1.0),
)
def average_precision(maps: PixelRows, targets: PixelRows) -> NDArray[np.float64]:
    """Mean precision of a map over the marked pixels, each at the threshold that just takes it.

    It is the area under the precision-recall curve, in steps. Tied pixels are taken together, as in
    scikit-learn, and nothing is interpolated.

    Examples
    --------
    >>> round(average_precision([[1, 2], [3, 4]], [[False, True], [False, True]]), 6)
    0.833333
    """
    # how many pixels are at least as high: what is taken when a pixel is
    taken = np.ascontiguousarray((maps.n_pixels - ordering(maps).below).T)
    values = np.full((len(maps), len(targets)), np.nan)
    for column, pixels in enumerate(marked_pixels(targets)):
        if pixels.size:
            values[:, column] = _mean_precision(np.sort(taken[pixels].T, axis=1))
    return values


def _mean_precision(taken: NDArray[np.int32]) -> NDArray[np.float64]:
    """Mean of the precision at every marked pixel, from sorted counts (n, k) of pixels taken."""
    k = taken.shape[1]
    hits = np.broadcast_to(np.arange(1, k + 1), taken.shape)
    tied = taken[:, 1:] == taken[:, :-1]
    if tied.any():
        # tied pixels are taken together, so each has the hits of the last of them
        last = np.where(tied, k, hits[:, :-1])
        ends = np.concatenate([last, hits[:, -1:]], axis=1)
        hits = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    return np.asarray((hits / taken).mean(axis=1))


def _groups(
    targets: PixelRows, others: PixelRows
) -> list[tuple[NDArray[np.float64], slice | list[int]]]:
    """Marks of all sources together, and the targets that have them in common."""
    rows: dict[bytes, list[int]] = {}
    weights: dict[bytes, NDArray[np.float64]] = {}
    for j, (own, other) in enumerate(zip(marked(targets), others.values, strict=True)):
        together = own + other
        key = together.tobytes()
        weights.setdefault(key, together)
        rows.setdefault(key, []).append(j)
    return [(weights[key], _without_gaps(rows[key])) for key in rows]


def _without_gaps(rows: list[int]) -> slice | list[int]:
    """Rows as a slice where they follow on each other: nothing is copied then."""
    whole = slice(rows[0], rows[-1] + 1)
    return whole if len(rows) == whole.stop - whole.start else rows


def _beaten(maps: PixelRows, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of the weights on pixels that are lower, and half of those that are tied; (n, n_pixels)."""
    found = ordering(maps)
    beaten = np.empty((len(maps), maps.n_pixels))
    up_to = np.zeros(maps.n_pixels + 1)
    for i, (order, below, tied) in enumerate(zip(*found, strict=True)):
        np.cumsum(weights[order], out=up_to[1:])
        beaten[i] = 0.5 * (up_to[below] + up_to[below + tied])
    return beaten


@register_metric(
    label="Shuffled AUC",
    meaning=(
        "probability that the map is higher on a pixel marked on this source than on one marked on another "
        "source"
    ),
    formula="AUC with the pixels annotated on the annotator's other sources in place of the unmarked ones",
    target=TargetKind.MASK,
    chance=0.5,
    bounds=(0.0, 1.0),
    needs_others=True,
    shows_avoidance=True,
)
def shuffled_auc(maps: PixelRows, targets: PixelRows, others: PixelRows) -> NDArray[np.float64]:
    """Probability that a map is higher on a mark of this source than on one of another source.

    Ties count half. A pixel that is marked here and there counts on both sides.

    Notes
    -----
    Negatives from other sources have the same centre bias as the marks, so a map that is merely high in the
    middle gains nothing from that (Tatler et al. 2005, Zhang et al. 2008). All marked pixels of all other sources
    are used, each as often as it is marked, rather than a random sample of them.

    Examples
    --------
    >>> shuffled_auc([1, 2, 3, 4], [0, 0, 0, 1], others=[0, 1, 2, 1])
    0.875
    """
    masks, count, weight = marked(targets), n_marked(targets), totals(others)
    values = np.empty((len(maps), len(targets)))
    # Against the marks of all sources of an annotator, the source's own among them, each pixel of a map beats a
    # number of marks that does not depend on the target, and over all pairs this is a product of matrices. It
    # counts a target's own k marks as negatives, too: against itself a set wins exactly k^2 / 2. Few sums of own and
    # other marks differ where each annotator's masks are compared with others of the same annotator
    for weights, columns in targets.once(_groups, others):
        wins = _beaten(maps, weights) @ masks[columns].T
        k = count[columns]
        values[:, columns] = (wins - 0.5 * k**2) / (k * weight[columns])
    return values
