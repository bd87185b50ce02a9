"""Kendall's tau-b, over all pairs of maps and targets.

A pair of pixels counts +1 where map and target order it alike, -1 where they do not. Most of a target is one
tie, the unmarked pixels. Pairs of an unmarked and a marked pixel are counted by ranks, as for the AUC, in one
product of matrices for all maps and targets; for a mask these are all pairs. In the pairs of marked pixels
inversions are counted by merging, in O(q log q) for q marked pixels, for many maps at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.metrics.density import OF_CORRELATIONS
from attnxai.metrics.metric import Consensus, register_metric
from attnxai.metrics.pixels import PixelRows, derived
from attnxai.metrics.ranking import centred_ranks, ordering

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 16  # inversions within blocks of this size are counted pair by pair
_CHUNK = 1 << 19  # values that are merged at a time


@register_metric(
    label="Kendall τ",
    meaning=(
        "pairs of pixels that map and marked density order alike, less those they do not, as a share of the "
        "pairs that neither ties (tau-b)"
    ),
    formula="tau-b: concordant less discordant pairs of pixels, over sqrt(N(m) N(d)), N counting pairs not tied",
    consensus=Consensus.RANKS,
    **OF_CORRELATIONS,
)
def kendall(maps: PixelRows, targets: PixelRows) -> NDArray[np.float64]:
    """Kendall's tau-b of a map and a density.

    For a mask it is the AUC on another scale: (2 AUC - 1) sqrt(k (n - k) / N), for k of n pixels marked and N
    pairs of pixels that the map does not tie. For densities it visits every pair, and takes long.

    Examples
    --------
    >>> round(kendall([[1, 2], [3, 4]], [[1, 2], [4, 3]]), 6)
    0.666667
    """
    found = ordering(targets)
    above_floor = (found.below > 0).astype(np.float64)
    scores = 2.0 * (centred_ranks(maps) @ above_floor.T)
    for column in range(len(targets)):
        below = found.below[column]
        ascending = found.order[column, np.count_nonzero(below == 0) :]
        # a mask has one value above its floor, and nothing left to order
        if ascending.size > 1 and below[ascending[0]] != below[ascending[-1]]:
            scores[:, column] += _scores(maps, ascending, below[ascending])
    scale = np.sqrt(np.outer(_pairs_not_tied(maps), _pairs_not_tied(targets)))
    return np.clip(scores / scale, -1.0, 1.0)


@derived
def _pairs_not_tied(rows: PixelRows) -> NDArray[np.float64]:
    n_pixels = rows.n_pixels
    tied_with = ordering(rows).tied - 1
    return np.asarray(0.5 * (n_pixels * (n_pixels - 1.0) - tied_with.sum(axis=1, dtype=np.float64)))


def _scores(
    maps: PixelRows, pixels: NDArray[np.int32], target: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Concordant less discordant pairs of every map with sorted values of a target; shape (n,)."""
    size = pixels.size
    edges = np.concatenate([[0], np.flatnonzero(np.diff(target)) + 1, [size]])
    groups = np.diff(edges).astype(np.float64)
    tied_targets = float((groups * (groups - 1)).sum() / 2)
    # a key that sorts by the target first, and by the map where the target is tied
    offset = np.repeat(np.arange(groups.size) * np.int64(maps.n_pixels), np.diff(edges))
    scores = np.empty(len(maps))
    step = max(1, _CHUNK // size)
    for start in range(0, len(maps), step):
        some = slice(start, start + step)
        values = ordering(maps).below[some][:, pixels]
        tied_maps = tied_both = np.zeros(len(values))
        with_ties = bool((ordering(maps).tied[some] > 1).any())
        if with_ties:
            tied_maps = _tied_pairs(np.sort(values, axis=1))
        if tied_targets:
            keys = np.sort(values + offset, axis=1)
            if with_ties:
                tied_both = _tied_pairs(keys)
            values = (keys - offset).astype(np.int32)
        comparable = size * (size - 1) / 2 - tied_maps - tied_targets + tied_both
        scores[some] = comparable - 2.0 * _inversions(values)
    return scores


def _tied_pairs(ordered: NDArray[np.integer]) -> NDArray[np.float64]:
    """Number of pairs of equal values in each sorted row."""
    positions = np.arange(ordered.shape[1])
    new = np.ones(ordered.shape, bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    starts = np.maximum.accumulate(np.where(new, positions, 0), axis=1)
    return np.asarray((positions - starts).sum(axis=1), dtype=np.float64)


def _inversions(values: NDArray[np.int32]) -> NDArray[np.float64]:
    """Number of pairs of each row (n, size) of which the first is larger."""
    n, size = values.shape
    padded = _BLOCK
    while padded < size:
        padded *= 2
    rows = np.full((n, padded), np.iinfo(np.int32).max // 2, np.int32)
    rows[:, :size] = values
    blocks = rows.reshape(n, -1, _BLOCK)
    count = np.zeros(n)
    for distance in range(1, min(_BLOCK, size)):
        count += np.count_nonzero(blocks[:, :, :-distance] > blocks[:, :, distance:], axis=(1, 2))
    rows = np.sort(blocks, axis=2).reshape(n, padded)
    width = _BLOCK
    while width < padded:
        # the last bit says which half a value is from; of equal ones the left comes first
        keys = rows.reshape(n, -1, 2, width) * 2
        keys[:, :, 1] += 1
        merged = np.sort(keys.reshape(n, -1, 2 * width), axis=2)
        from_right = (merged & 1).astype(np.float64)
        positions = np.arange(2 * width, dtype=np.float64)
        # every value of the right half moves past the larger ones of the left half: what its sum of
        # positions loses against having all the right half last
        passed = width * (3 * width - 1) / 2 - from_right @ positions
        count += passed.sum(axis=1)
        rows = (merged >> 1).reshape(n, padded)
        width *= 2
    return count
