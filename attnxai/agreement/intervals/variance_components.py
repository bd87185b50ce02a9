"""Variance components of crossed random factors, with or without missing cells.

Sums of squares of the means over every set of factors have expectations that are linear in the variances
of the parts. Solving these equations is the analysis of variance where every cell is filled, and Henderson's
first method (1953) where some are missing.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Equations whose solution loses more digits than this have none that means anything.
_WORST_CONDITION = 1e8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VarianceComponents:
    """What each part of the values contributes to the variance of an estimate.

    Sets of factors are named by their axes; the set of all axes is the part of single cells. Variances are
    unbiased, so that a small one can come out below 0. Degrees of freedom of a factor count its levels by how
    much they weigh (Kish), so that two annotators of unequal diligence have less than one; those
    of interactions count weighted sources by their effective number.
    """

    variances: Mapping[frozenset[int], float]
    contributions: Mapping[frozenset[int], float]
    degrees_of_freedom: Mapping[frozenset[int], float]

    @property
    def mean_squares(self) -> dict[frozenset[int], float]:
        """Mean square of each part in units of the estimate's variance.

        Their sum with alternating signs (one factor +, two -, three +) is the sum of the contributions.
        """
        return {
            subset: sum(part for other, part in self.contributions.items() if other >= subset)
            for subset in self.contributions
        }


def estimate_components(
    values: NDArray[np.float64], coefficients: NDArray[np.float64]
) -> VarianceComponents | None:
    """Estimate the variances of all parts; None where the missing cells leave parts inseparable.

    Values have one axis for each factor, NaN where a cell is missing; every level has a value. Coefficients, of
    the same shape, are how much each cell counts in the estimate whose variance is wanted, 0 where missing.
    """
    defined = np.isfinite(values)
    design = _design_of(values.shape, defined.tobytes(), coefficients.tobytes())
    if design is None:
        return None
    numbers = values[defined]
    numbers = numbers - numbers.mean()
    sums = np.array(
        [
            (np.bincount(level, weights=numbers) ** 2 / count).sum()
            for level, count in zip(design.labels, design.counts, strict=True)
        ]
    )
    solution = np.linalg.solve(design.system, sums) / design.scale
    variances = {
        subset: float(variance)
        for subset, variance in zip(design.subsets, solution, strict=True)
        if subset
    }
    return VarianceComponents(
        variances=variances,
        contributions={part: v * design.squared[part] for part, v in variances.items()},
        degrees_of_freedom=dict(design.freedoms),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Design:
    """What depends on which cells there are and how they count, and not on their values."""

    subsets: tuple[frozenset[int], ...]
    labels: tuple[NDArray[np.intp], ...]
    counts: tuple[NDArray[np.intp], ...]
    system: NDArray[np.float64]
    scale: NDArray[np.float64]
    squared: Mapping[frozenset[int], float]
    freedoms: Mapping[frozenset[int], float]


# a comparison asks for the same few designs hundreds of times
@functools.lru_cache(maxsize=32)
def _design_of(shape: tuple[int, ...], defined: bytes, coefficients: bytes) -> _Design | None:
    """The design of a table, None where the missing cells leave parts inseparable."""
    there = np.frombuffer(defined, dtype=bool).reshape(shape)
    weights = np.frombuffer(coefficients, dtype=np.float64).reshape(shape)[there]
    cells = np.argwhere(there)
    subsets = tuple(_subsets(len(shape)))
    labels = {subset: _labels(cells, subset) for subset in subsets}
    system = np.empty((len(subsets), len(subsets)))
    for row, subset in enumerate(subsets):
        level = labels[subset]
        count = np.bincount(level)
        for column, part in enumerate(subsets):
            pairs = level * (labels[part].max() + 1) + labels[part]
            found, shared = np.unique(pairs, return_counts=True)
            of_level = found // (labels[part].max() + 1)
            system[row, column] = (shared**2 / count[of_level]).sum()
    scale = system.max(axis=0)
    if np.linalg.cond(system / scale) > _WORST_CONDITION:
        return None
    squared, freedoms = {}, {}
    # weighted sources count by their effective number in the parts of single cells as well
    of_sources = np.bincount(cells[:, -1], weights=weights)
    weighted = 1.0
    if not np.allclose(of_sources, of_sources[0], rtol=1e-9, atol=0.0):
        weighted = (1.0 / float((of_sources**2).sum()) - 1.0) / (len(of_sources) - 1)
    for subset in subsets:
        if not subset:
            continue
        squared[subset] = float((np.bincount(labels[subset], weights=weights) ** 2).sum())
        if len(subset) == 1:
            freedoms[subset] = 1.0 / squared[subset] - 1.0
        else:
            freedoms[subset] = float(
                sum(
                    (-1) ** (len(subset) - len(smaller)) * (labels[smaller].max() + 1)
                    for smaller in subsets
                    if smaller <= subset
                )
            )
            if len(shape) - 1 in subset:
                freedoms[subset] *= weighted
    return _Design(
        subsets=subsets,
        labels=tuple(labels[subset] for subset in subsets),
        counts=tuple(np.bincount(labels[subset]) for subset in subsets),
        system=system / scale,
        scale=scale,
        squared=squared,
        freedoms=freedoms,
    )


def satterthwaite_half_width(
    squares: Mapping[frozenset[int], float],
    freedoms: Mapping[frozenset[int], float],
    level: float,
    *,
    most: float = np.inf,
) -> tuple[float, float]:
    """Half-width and degrees of freedom from mean squares, with one t quantile (Satterthwaite 1946).

    The variance is the sum of the mean squares, in units of the estimate's variance, with alternating signs;
    it is not let below that of one factor alone, of which it is a part, nor above ``most``.
    """
    from scipy.special import stdtrit

    variance = sum((-1) ** (len(subset) + 1) * square for subset, square in squares.items())
    single = {subset: square for subset, square in squares.items() if len(subset) == 1}
    largest = max(single.values())
    smallest = min(freedoms[subset] for subset in single)
    variance = min(max(variance, largest), most)
    if variance <= 0:
        return 0.0, smallest
    spread = sum(square**2 / freedoms[subset] for subset, square in squares.items())
    freedom = max(float(variance**2 / spread), smallest)
    return float(stdtrit(freedom, 1.0 - (1.0 - level) / 2) * np.sqrt(variance)), freedom


def strict_half_width(
    squares: Mapping[frozenset[int], float],
    freedoms: Mapping[frozenset[int], float],
    level: float,
) -> float:
    """Half-width that keeps its level however small the risk of error; the last axis is the sources.

    Where the component of annotators comes out as 0 by chance, an interval takes them to be alike. At 95 %
    experiments where it comes out large make up for that; far in the tails they do not. Here each factor has
    its whole mean square (the part of single cells is not taken off it) with the t quantile of its own
    degrees of freedom, and sources, which are many, have their own part alone. Squared half-widths of normal
    means that are added up keep their level at least (Banerjee 1960).
    """
    from scipy.special import stdtrit

    last = max(axis for subset in squares for axis in subset)
    of_sources = frozenset({last})
    parts = {subset: square for subset, square in squares.items() if len(subset) == 1}
    parts[of_sources] = sum(
        (-1) ** (len(subset) - 1) * square for subset, square in squares.items() if last in subset
    )
    tail = 1.0 - (1.0 - level) / 2
    squared = sum(
        stdtrit(freedoms[subset], tail) ** 2 * max(part, 0.0) for subset, part in parts.items()
    )
    return float(np.sqrt(squared))


def _subsets(n: int) -> Iterator[frozenset[int]]:
    for k in range(n + 1):
        for axes in itertools.combinations(range(n), k):
            yield frozenset(axes)


def _labels(cells: NDArray[np.intp], subset: frozenset[int]) -> NDArray[np.intp]:
    """Number of the combination of levels to which each cell belongs."""
    if not subset:
        return np.zeros(len(cells), dtype=np.intp)
    chosen = cells[:, sorted(subset)]
    combined = np.ravel_multi_index(tuple(chosen.T), tuple(chosen.max(axis=0) + 1))
    return np.asarray(np.unique(combined, return_inverse=True)[1], dtype=np.intp).reshape(-1)
