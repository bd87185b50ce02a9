"""Blocks of sources: above a number of sources each is compared with the annotations of a sample of the others.

The table of every map with every annotation grows with the square of the number of sources. Above
:data:`MOST_TOGETHER` sources they are dealt at random into blocks of about :data:`BLOCK_SIZE`, and annotations are
permuted within blocks: these are some of all permutations, and they form a group, so a test by them is as exact as one by
all. Only pairs within a block are ever computed, and only the pixels of one block are held.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

MOST_TOGETHER = 500
"""Sources up to which all pairs are computed."""
BLOCK_SIZE = 100
"""Sources of a block, about, where there are more."""
_LEAST_OF_GROUP = 16
"""Sources of one group in a block, at least, as far as the group has so many: halves of size have 8."""


def deal_blocks(
    groups: Sequence[Hashable], rng: np.random.Generator, *, size: int = BLOCK_SIZE
) -> list[NDArray[np.intp]]:
    """Deal sources into blocks of about equal size, at random.

    Parameters
    ----------
    groups : sequence of hashable
        What the sources that should be permuted with each other have in common. A group is spread evenly over the blocks,
        or over as many as get 16 of its sources.
    rng : numpy.random.Generator
        Source of randomness.
    size : int
        Sources of a block, about.

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
    n_blocks = max(1, -(-len(groups) // size))
    members: dict[Hashable, list[int]] = {}
    for source, group in enumerate(groups):
        members.setdefault(group, []).append(source)
    blocks: list[list[int]] = [[] for _ in range(n_blocks)]
    # large groups first, so that small ones even out what these leave
    for own in sorted(members.values(), key=len, reverse=True):
        n_parts = min(n_blocks, max(1, len(own) // _LEAST_OF_GROUP))
        smallest = sorted(range(n_blocks), key=lambda b: len(blocks[b]))[:n_parts]
        for b, part in zip(smallest, np.array_split(rng.permutation(own), n_parts), strict=True):
            blocks[b] += part.tolist()
    return [np.array(sorted(block), dtype=np.intp) for block in blocks if block]
