"""The corrected dual bootstrap of Schütt et al. (2023), for two or three crossed factors.

Resampling sources and annotators together counts the part that is due to single cells three times, resampling
either alone counts it once, so ``2 (V_sources + V_annotators) - V_both`` counts everything once. With more
factors the same follows from what each set of factors adds to the sets within it. Each term is scaled by n /
(n - 1), without which few annotators look more alike than they are.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.intervals.crossed_table import CrossedMethod, CrossedTable
from attnxai.agreement.intervals.variance_components import satterthwaite_half_width
from attnxai.statistics.bootstrap import IntervalKind, resampled_interval
from attnxai.statistics.interval import (
    CONFIDENCE_LEVEL,
    MIN_UNITS,
    Interval,
    same_everywhere,
)
from attnxai.statistics.resamples import resamples_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]

# Values a block of resamples may hold, so that memory stays small whatever the number of sources.
_BLOCK = 2_000_000


def crossed_bootstrap_intervals(
    values: NDArray[np.float64],
    statistics: Sequence[Statistic],
    *,
    weights: NDArray[np.float64] | None = None,
    level: float = CONFIDENCE_LEVEL,
    n_bootstrap: int = 10_000,
    rng: np.random.Generator | int = 0,
) -> list[Interval]:
    """Intervals of any statistics of several means, all resampled together, by the corrected dual bootstrap.

    Quantities (n_quantities, ..., n_sources) are of the same cells, such as a model's score and a noise
    ceiling; a cell counts only where all are defined. Each statistic maps means (n_bootstrap, n_quantities)
    to statistics (n_bootstrap,). The other parameters are those of :func:`~.crossed.crossed_interval`.

    With sources alone, intervals are percentiles of the bootstrap over them. A statistic that no resample
    changes keeps an interval of no width where the quantities do vary, as the share of something in itself is
    1 whatever the sources. Where one of the quantities is the same everywhere there are no ends, since
    nothing shows how it varies over other sources.
    """
    quantities = np.asarray(values, dtype=np.float64)
    shared = np.where(np.isfinite(quantities).all(axis=0), quantities, np.nan)
    tables = [CrossedTable.of(quantity, weights, level) for quantity in shared]
    first = tables[0]
    means = np.array([[table.mean for table in tables]])
    observed = [float(statistic(means)[0]) for statistic in statistics]
    if first.n_counted < MIN_UNITS:
        return [first.no_interval(level, value=value) for value in observed]
    draws = _resample(tables, n_bootstrap, np.random.default_rng(rng))
    varied = not any(same_everywhere(table.values[np.isfinite(table.values)]) for table in tables)
    return [
        _interval_of(
            value,
            {subset: statistic(means) for subset, means in draws.items()},
            first,
            level,
            varied=varied,
        )
        for value, statistic in zip(observed, statistics, strict=True)
    ]


def _interval_of(
    value: float,
    statistics: Mapping[frozenset[int], NDArray[np.float64]],
    first: CrossedTable,
    level: float,
    *,
    varied: bool,
) -> Interval:
    """Interval of one statistic from its resamples of every set of factors."""
    everything = statistics[max(statistics, key=len)]
    if not np.isfinite(value) or not np.isfinite(everything).all():
        reason = "the statistic is undefined for some resamples"
        return first.no_interval(level, reason, value=value)
    if not varied and same_everywhere(np.append(everything, value)):
        reason = (
            "all values of one of the quantities are the same: their spread says nothing about other "
            "sources"
        )
        return first.no_interval(level, reason, value=value)
    if first.values.ndim == 1:
        return resampled_interval(
            value,
            everything,
            np.empty(0),
            n_units=first.n_sources,
            kind=IntervalKind.PERCENTILE,
            level=level,
            n_effective=first.n_effective,
        )
    half, freedom = dual_half_width(
        {subset: float(np.var(made)) for subset, made in statistics.items()},
        first.sizes,
        level,
    )
    made = first.interval(half, freedom, CrossedMethod.DUAL_BOOTSTRAP, level)
    return dataclasses.replace(made, value=value, low=value - half, high=value + half)


def dual_half_width(
    variances: Mapping[frozenset[int], float], sizes: Sequence[float], level: float
) -> tuple[float, float]:
    """Half-width and degrees of freedom from the variances of resampling each set of factors together.

    Weighted sources count by their effective number in ``sizes``.
    """
    squares, freedoms = dual_mean_squares(variances, sizes)
    return satterthwaite_half_width(squares, freedoms, level, most=max(variances.values()))


def dual_mean_squares(
    variances: Mapping[frozenset[int], float], sizes: Sequence[float]
) -> tuple[dict[frozenset[int], float], dict[frozenset[int], float]]:
    """Mean square of each part, in units of the estimate's variance, and its degrees of freedom."""
    pure: dict[frozenset[int], float] = {}
    for subset in sorted(variances, key=len):
        # what resampling these factors together adds to what fewer of them give
        pure[subset] = variances[subset] - sum(
            part for smaller, part in pure.items() if smaller < subset
        )
    squares, freedoms = {}, {}
    for subset, part in pure.items():
        correction = np.prod([sizes[f] / (sizes[f] - 1) for f in subset])
        squares[subset] = float(part * correction)
        freedoms[subset] = float(np.prod([sizes[f] - 1 for f in subset]))
    return squares, freedoms


def bootstrap_variances(
    table: CrossedTable, n_bootstrap: int, rng: np.random.Generator
) -> dict[frozenset[int], float]:
    """Variance of a table's mean when each set of factors is resampled, for :func:`dual_half_width`."""
    draws = _resample([table], n_bootstrap, rng)
    return {subset: float(np.var(means[:, 0])) for subset, means in draws.items()}


def _resample(
    tables: Sequence[CrossedTable], n_bootstrap: int, rng: np.random.Generator
) -> dict[frozenset[int], NDArray[np.float64]]:
    """Means of resamples of every set of factors, shape (n_bootstrap, n_quantities) each.

    All sets see the same counts, so that differences between them are not made of chance. A resample
    without any value (its annotators marked none of its sources) is left out.
    """
    sizes = tables[0].values.shape
    axes = range(len(sizes))
    counts = [resamples_of(n, n_bootstrap, rng) for n in sizes]
    defined = np.isfinite(tables[0].values).reshape(-1, sizes[-1]).astype(np.float64)
    numbers = np.concatenate(
        [np.nan_to_num(table.values).reshape(-1, sizes[-1]) for table in tables]
    )
    rows = max(1, _BLOCK // max(defined.size, sizes[-1]))
    subsets = [
        frozenset(subset)
        for k in range(1, len(sizes) + 1)
        for subset in itertools.combinations(axes, k)
    ]
    blocks: dict[frozenset[int], list[NDArray[np.float64]]] = {subset: [] for subset in subsets}
    for start in range(0, n_bootstrap, rows):
        drawn = [own[start : start + rows] for own in counts]  # counts of many sources are not kept
        n = len(drawn[0])
        for subset in subsets:
            cells = np.ones((n, 1))
            for axis in axes[:-1]:
                own = drawn[axis] if axis in subset else np.ones((n, sizes[axis]))
                cells = (cells[:, :, None] * own[:, None, :]).reshape(n, -1)
            number = cells @ defined
            shares = np.where(number > 0, tables[0].weights, 0.0)
            if axes[-1] in subset:
                shares = shares * drawn[-1]
            total = shares.sum(axis=1)
            factor = shares / np.where(number > 0, number, 1.0)
            # sources first: one product of matrices serves all quantities
            of_levels = (factor @ numbers.T).reshape(n, len(tables), -1)
            sums = (of_levels * cells[:, None, :]).sum(axis=2)
            filled = total > 0
            blocks[subset].append(sums[filled] / total[filled, None])
    return {subset: np.concatenate(parts) for subset, parts in blocks.items()}
