"""Blocks of sources: above a number of sources each is compared with the annotations of a sample of the others.

The table of every map with every annotation grows with the square of the number of sources. Above
:data:`MOST_TOGETHER` sources they are dealt at random into blocks of about :data:`BLOCK_SIZE`, and annotations are
permuted within blocks: these are some of all permutations, and they form a group, so a test by them is as exact as one by
all. Only pairs within a block are ever computed, and only the pixels of one block are held.

The blocks in which a source can come are ten in a row, which share about 1,000 sources whose ids follow each other: their maps
lie side by side in a store, where a chunk has those of many sources and would otherwise be read for every block.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

MOST_TOGETHER = 500
"""Sources up to which all pairs are computed."""
BLOCK_SIZE = 100
"""Sources of a block, about, where there are more."""
_BLOCKS_IN_A_ROW = 10
_LEAST_OF_GROUP = 16
"""Sources of one group in a block, at least, as far as the group has so many: halves of size have 8."""


def deal_blocks(
    groups: Sequence[Hashable],
    rng: np.random.Generator,
    *,
    size: int = BLOCK_SIZE,
    undivided: Collection[Hashable] = (),
) -> list[NDArray[np.intp]]:
    """Deal sources into blocks of about equal size, at random.

    Parameters
    ----------
    groups : sequence of hashable
        What the sources that should be permuted with each other have in common, in the order of their ids. A group is
        spread evenly over the blocks, or over as many as get 16 of its sources.
    rng : numpy.random.Generator
        Source of randomness.
    size : int
        Sources of a block, about.
    undivided : collection of hashable
        Groups that are to be in one block.

    Returns
    -------
    list of ndarray of int
        Positions of the sources of every block, ascending; every source is in one.

    Examples
    --------
    >>> blocks = deal_blocks(["FR I", "FR II"] * 150 + ["rare"] * 20, np.random.default_rng(0))
    >>> [len(block) for block in blocks]
    [95, 75, 75, 75]
    """
    n = len(groups)
    n_blocks = max(1, -(-n // size))
    rows = np.array_split(np.arange(n_blocks), -(-n_blocks // _BLOCKS_IN_A_ROW))
    middles = np.array([(row[0] + row[-1] + 1) / (2 * n_blocks) for row in rows])
    shares = np.array([len(row) / n_blocks for row in rows])
    members: dict[Hashable, list[int]] = {}
    for source, group in enumerate(groups):
        members.setdefault(group, []).append(source)
    blocks: list[list[int]] = [[] for _ in range(n_blocks)]
    filled = np.zeros(len(rows))
    # large groups first, so that small ones even out what these leave
    for own in sorted(members.values(), key=len, reverse=True):
        n_parts = min(n_blocks, max(1, len(own) // _LEAST_OF_GROUP))
        if groups[own[0]] in undivided:
            n_parts = 1
        of_rows: dict[int, list[NDArray[np.intp]]] = {}
        for k, part in enumerate(np.array_split(np.array(own), n_parts)):
            if n_parts == n_blocks:
                row = int(np.searchsorted(shares.cumsum(), (k + 0.5) / n_blocks))
            else:  # beside its own ids, unless these blocks are full
                apart = np.abs(middles - (part.mean() + 0.5) / n)
                full = filled + part.size > shares * n
                row = int(np.argmin(filled / shares if full.all() else np.where(full, 2.0, apart)))
            of_rows.setdefault(row, []).append(part)
            filled[row] += part.size
        for row, parts in of_rows.items():
            smallest = sorted(rows[row].tolist(), key=lambda b: len(blocks[b]))[: len(parts)]
            dealt = np.array_split(rng.permutation(np.concatenate(parts)), len(smallest))
            for b, part in zip(smallest, dealt, strict=True):
                blocks[b] += part.tolist()
    return [np.array(sorted(block), dtype=np.intp) for block in blocks if block]
