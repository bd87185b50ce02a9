"""Power of the within-class source permutation, by simulation.

The effect is the mean value of maps with their own annotations less the mean with permuted ones. Three standard
deviations decide whether the primary test detects it: that of sources beyond permuted pairs (``sd_source``), that of
one source between annotators (``sd_residual``, which averaging over annotators lowers), and that of permuted pairs
(``sd_pairing``), the width of the null. What makes a map, an annotation or an annotator (``sd_annotator``) score high
with any partner is in both means and cancels; the last widens an interval that generalises to other annotators.

Experiments are simulated. Each draws the values of its sources, and the null's mean and variance are those
that all permutations of such a matrix have (Hoeffding 1951), with a normal tail; with few sources the
matrix is drawn as a whole and every permutation counted. A design whose smallest attainable p-value is
above the level has no power, and none is simulated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.errors import OptionError
from attnxai.nulls.p_values import RELATIVE_TIE
from attnxai.nulls.source_permutation import SourcePermutation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.agreement.effect_components import Components

# Up to this many permutations all are counted, in whole matrices.
_MOST_COUNTED = 3000
# Values of a simulated block of experiments, to bound memory.
_BLOCK = 4_000_000


def class_sizes(n_sources: int, shares: Sequence[float]) -> tuple[int, ...]:
    """Sources of each class, nearest to their shares."""
    weights = np.asarray(shares, dtype=np.float64)
    if weights.ndim != 1 or not weights.size or not (weights > 0).all():
        raise OptionError(f"shares of classes have to be above 0, got {list(shares)}")
    wanted = weights / weights.sum() * n_sources
    sizes = np.floor(wanted).astype(int)
    order = np.argsort(-(wanted - sizes), kind="stable")
    sizes[order[: n_sources - sizes.sum()]] += 1
    return tuple(int(size) for size in sizes)


def count_rejections(
    components: Components,
    sizes: Sequence[int],
    n_annotators: int,
    *,
    level: float,
    n_simulations: int,
    rng: np.random.Generator,
) -> int:
    """How many simulated experiments with classes of these sizes reach the level of one test."""
    kept = [size for size in sizes if size > 1]  # a single source has no partner to permute with
    n_possible = math.prod(math.factorial(size) for size in sizes)
    if 1 / n_possible > level:
        return 0
    count = _count_exactly if n_possible <= _MOST_COUNTED else _count_by_moments
    block = max(1, _BLOCK // (sum(sizes) * (n_possible if count is _count_exactly else 1)))
    rejected = 0
    for start in range(0, n_simulations, block):
        n = min(block, n_simulations - start)
        rejected += count(components, kept, n_annotators, level, n, rng)
    return rejected


def _own_values(
    components: Components, n_annotators: int, shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float64]:
    spread = components.spread_own(n_annotators)
    if components.deviations is None:
        return components.effect + spread * rng.standard_normal(shape)
    pool = components.deviations - components.deviations.mean()
    pool = pool * (spread / math.sqrt(float((pool**2).mean())))
    return np.asarray(components.effect + pool[rng.integers(len(pool), size=shape)])


def _count_by_moments(
    components: Components,
    sizes: Sequence[int],
    n_annotators: int,
    level: float,
    n_experiments: int,
    rng: np.random.Generator,
) -> int:
    from scipy.special import ndtri

    spread = components.spread_permuted(n_annotators)
    excess, variance = np.zeros(n_experiments), np.zeros(n_experiments)
    for n in sizes:
        own = _own_values(components, n_annotators, (n_experiments, n), rng)
        permuted = spread * math.sqrt((n - 1) / n) * rng.standard_normal(n_experiments)
        above = (1 - 1 / n) * own.sum(axis=1) + permuted
        # sum of squares of the matrix without its row and column means: along the effect, across it on
        # the diagonal, and off the diagonal
        squares = above**2 / (n - 1)
        if n > 2:
            freedom = (n - 2) * (n**2 - n + 1) / n
            squares += (1 - 2 / n) * n * own.var(axis=1)
            squares += spread**2 * rng.chisquare(freedom, n_experiments)
        excess += above
        variance += squares / (n - 1)
    return int(np.count_nonzero(excess >= float(ndtri(1 - level)) * np.sqrt(variance)))


def _count_exactly(
    components: Components,
    sizes: Sequence[int],
    n_annotators: int,
    level: float,
    n_experiments: int,
    rng: np.random.Generator,
) -> int:
    n = sum(sizes)
    strata = np.repeat(np.arange(len(sizes)), sizes).tolist()
    draws = SourcePermutation(within_strata=True).draw(strata, n_draws=_MOST_COUNTED, rng=rng)
    matrices = components.spread_permuted(n_annotators) * rng.standard_normal((n_experiments, n, n))
    diagonal = np.arange(n)
    matrices[:, diagonal, diagonal] = _own_values(components, n_annotators, (n_experiments, n), rng)
    null = matrices[:, diagonal, draws.choices].sum(axis=2)
    observed = matrices[:, diagonal, diagonal].sum(axis=1, keepdims=True)
    tie = RELATIVE_TIE * np.abs(null).max(axis=1, keepdims=True)
    p_values = np.count_nonzero(null >= observed - tie, axis=1) / null.shape[1]
    return int(np.count_nonzero(p_values <= level))
