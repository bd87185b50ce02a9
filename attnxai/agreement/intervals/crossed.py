"""Intervals when several annotators marked the same sources: two or three crossed factors.

A value for each source and annotator (and each trained model of one kind, the seeds) has several sources of
variance: sources, annotators, models, and their interactions. Resampling cells or sources alone captures only
some of them and gives intervals that are far too short.

The model is a random one: ``x = mean + source + annotator + source:annotator`` with independent parts of mean
zero. What is estimated is the (weighted) mean over sources of each source's mean over the values that it has.

Three methods:

``components`` (the default for two factors)
    The variance of every part from crossed mean squares (Henderson's first method (1953) where cells are
    missing). Each part's share of the squared half-width gets the t quantile of its own degrees of freedom,
    in the spirit of Graybill & Wang (1980): few annotators widen the interval as far as annotators differ,
    and no further.
``mean-squares`` (the default for three factors)
    The same variance, never below what one factor alone gives, with one t quantile at the degrees of freedom
    of Satterthwaite (1946).
``dual-bootstrap``
    The variance from resampling each factor alone and all together, corrected for counting the interaction
    several times and with the bounds of Schütt et al. (2023): for two factors ``2 (V_sources + V_annotators)
    - V_both``, each term with its factor n / (n - 1). Satterthwaite's degrees of freedom. Of a mean these variances
    are known without resamples, if annotators are few and sources count nearly alike (:mod:`.closed_variances`). It
    applies to statistics that are not means, such as ratios.

Values that are all the same have no interval: their spread says nothing about other sources. Where levels
have such unequal weights that a factor has less than one degree of freedom (the second of two annotators
marked fewer sources than the first), the dual bootstrap is used, since t quantiles below one degree of
freedom grow without bound.

In simulations these defaults came nearest to 95 % (the documentation has the table). No method can estimate
from two annotators how much annotators differ; :func:`generalises_to` says what a result is about.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.intervals.closed_variances import closed_variances
from attnxai.agreement.intervals.crossed_table import CrossedMethod, CrossedTable
from attnxai.agreement.intervals.dual_bootstrap import (
    bootstrap_variances,
    dual_half_width,
    dual_mean_squares,
)
from attnxai.agreement.intervals.variance_components import (
    VarianceComponents,
    estimate_components,
    satterthwaite_half_width,
    strict_half_width,
)
from attnxai.errors import OptionError
from attnxai.statistics.bootstrap import mean_interval
from attnxai.statistics.interval import (
    CONFIDENCE_LEVEL,
    MIN_UNITS,
    Interval,
    counted_units,
    no_spread_interval,
    same_everywhere,
)
from attnxai.statistics.resamples import resamples_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CrossedMethod", "crossed_interval", "crossed_p_value", "generalises_to"]
FEW_ANNOTATORS = 3
"""Up to so many annotators tell little of how much others would differ."""
UNBOUNDED = (-np.inf, np.inf)

# Below one degree of freedom t quantiles explode; Kish's number of two equal annotators is 2 up to rounding.
_FEWEST_DEGREES = 1.0 - 1e-9
# A half-width below this share of the values' size is none.
_ROUNDING = 1e-12
_SMALLEST_P = 1e-12


def crossed_interval(
    values: NDArray[np.float64],
    *,
    weights: NDArray[np.float64] | None = None,
    method: CrossedMethod | None = None,
    level: float = CONFIDENCE_LEVEL,
    n_bootstrap: int = 10_000,
    rng: np.random.Generator | int = 0,
    bounds: tuple[float, float] = UNBOUNDED,
) -> Interval:
    """Mean over sources and annotators (and seeds) with an interval for all of them.

    Parameters
    ----------
    values : ndarray, shape (n_sources,), (n_annotators, n_sources) or (n_seeds, n_annotators, n_sources)
        NaN where an annotator did not mark a source or the value is undefined.
    weights : ndarray, shape (n_sources,), optional
        Weight of each source.
    method : CrossedMethod, optional
        See the module for the default. A factor with one level is not a factor; with sources alone the interval
        is that of :func:`~attnxai.statistics.bootstrap.mean_interval`.
    level : float
        Confidence level.
    n_bootstrap : int
        Resamples, where a bootstrap is used.
    rng : numpy.random.Generator or int
        Source of randomness, where a bootstrap is used.
    bounds : (float, float)
        Smallest and largest value that the mean can have (0 and 1 for an AUC); ends beyond them are moved
        there.

    Returns
    -------
    Interval
        Without ends, and with the reason, when sources with a value and a weight are fewer than 8 by their
        effective number, or all values are the same or their variance comes out as 0. The note says where the
        dual bootstrap was used instead of the method asked for.
    """
    method = None if method is None else CrossedMethod(method)
    table = CrossedTable.of(values, weights, level)
    found = _interval(table, method, level, n_bootstrap, np.random.default_rng(rng))
    if not found.known:
        return found
    low, high = np.clip([found.low, found.high], *bounds)
    return dataclasses.replace(found, low=float(low), high=float(high))


def _interval(
    table: CrossedTable,
    method: CrossedMethod | None,
    level: float,
    n_bootstrap: int,
    generator: np.random.Generator,
) -> Interval:
    if table.n_counted < MIN_UNITS:
        return table.no_interval(level)
    if table.values.ndim == 1:
        counts = resamples_of(table.n_sources, n_bootstrap, generator)
        return mean_interval(table.values, counts, weights=table.weights, level=level)
    defined = table.values[np.isfinite(table.values)]
    if same_everywhere(defined):
        return no_spread_interval(
            table.mean,
            table.n_sources,
            defined.size,
            level=level,
            n_effective=table.n_effective,
        )
    spread = _spread_of(table, method, n_bootstrap, generator)
    half, freedom = spread.half_width(level)
    if half <= _ROUNDING * np.abs(defined).max():
        reason = "the variance comes out as 0, which says nothing about other sources"
        return table.no_interval(level, reason)
    made = table.interval(half, freedom, spread.method, level, drawn=spread.drawn)
    return dataclasses.replace(made, note=spread.note)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Spread:
    """Half-width and degrees of freedom at any level, the method used and why, its mean squares, and whether resamples were drawn."""

    half_width: Callable[[float], tuple[float, float]]
    method: CrossedMethod
    squares: Mapping[frozenset[int], float]
    freedoms: Mapping[frozenset[int], float]
    note: str = ""
    drawn: bool = False


def _spread_of(
    table: CrossedTable,
    method: CrossedMethod | None,
    n_bootstrap: int,
    generator: np.random.Generator,
) -> _Spread:
    """How sure the mean of a table of several factors is."""
    if method is None:
        two = table.values.ndim == 2
        method = CrossedMethod.COMPONENTS if two else CrossedMethod.MEAN_SQUARES
    note = ""
    if method is not CrossedMethod.DUAL_BOOTSTRAP:
        components = estimate_components(table.values, table.coefficients)
        note = _fault_of(components, table)
        if components is not None and not note:
            squares, freedoms = components.mean_squares, components.degrees_of_freedom
            return _Spread(
                half_width=lambda level: (
                    satterthwaite_half_width(squares, freedoms, level)
                    if method is CrossedMethod.MEAN_SQUARES
                    else components_half_width(components, level)
                ),
                method=method,
                squares=squares,
                freedoms=freedoms,
            )
    closed = closed_variances(table)
    variances = bootstrap_variances(table, n_bootstrap, generator) if closed is None else closed
    squares, freedoms = dual_mean_squares(variances, table.sizes)
    return _Spread(
        half_width=lambda level: dual_half_width(variances, table.sizes, level),
        method=CrossedMethod.DUAL_BOOTSTRAP,
        squares=squares,
        freedoms=freedoms,
        note=note,
        drawn=closed is None,
    )


def _fault_of(components: VarianceComponents | None, table: CrossedTable) -> str:
    """Why components make no interval; empty where they do."""
    used = "so the corrected dual bootstrap was used"
    if components is not None:
        worst = min(components.degrees_of_freedom, key=components.degrees_of_freedom.__getitem__)
        fewest = components.degrees_of_freedom[worst]
        if fewest >= _FEWEST_DEGREES:
            return ""
        if len(worst) == 1:
            axis = next(iter(worst))
            return (
                f"the {table.values.shape[axis]} {table.names[axis]}s count as unequally as "
                f"{fewest + 1:.1f} that count alike, which is less than one degree of freedom, {used}"
            )
    return (
        f"too few sources have values from several of the {table.names[0]}s to separate the "
        f"variance components, {used}"
    )


def crossed_p_value(
    values: NDArray[np.float64],
    *,
    weights: NDArray[np.float64] | None = None,
    method: CrossedMethod | None = None,
    n_bootstrap: int = 10_000,
    rng: np.random.Generator | int = 0,
    strict: bool = False,
) -> float:
    """Two-sided p-value of a mean of 0, for the population of sources and annotators (and seeds).

    It is the smallest ``1 - level`` at which :func:`crossed_interval` excludes 0 (with the same ``rng``,
    where resamples are drawn). A ``strict`` p-value also needs the distance from 0 of
    :func:`~.variance_components.strict_half_width`. It is for families, which compare it with far less than
    0.05: the variance between two or three annotators can be estimated as 0 by chance, which 95 % intervals
    compensate for on average and tests at a small fraction of 5 % do not.

    The p-value is 1 where all values are 0, and NaN where there is no interval. With sources alone it is at
    least ``1 / (n_bootstrap + 1)``.
    """
    method = None if method is None else CrossedMethod(method)
    table = CrossedTable.of(values, weights, CONFIDENCE_LEVEL)
    if table.n_counted < MIN_UNITS:
        return float("nan")
    defined = table.values[np.isfinite(table.values)]
    if not defined.any():
        return 1.0
    if same_everywhere(defined):
        return float("nan")
    generator = np.random.default_rng(rng)
    if table.values.ndim == 1:
        counts = resamples_of(table.n_sources, n_bootstrap, generator)

        def excludes_zero(risk: float) -> bool:
            found = mean_interval(table.values, counts, weights=table.weights, level=1.0 - risk)
            return not found.low <= 0 <= found.high

        return _smallest_risk(excludes_zero, 1.0 / (n_bootstrap + 1))
    spread = _spread_of(table, method, n_bootstrap, generator)
    if spread.half_width(CONFIDENCE_LEVEL)[0] <= _ROUNDING * np.abs(defined).max():
        return float("nan")

    def half_width(risk: float) -> float:
        half = spread.half_width(1.0 - risk)[0]
        if not strict:
            return half
        return max(half, strict_half_width(spread.squares, spread.freedoms, 1.0 - risk))

    distance = abs(table.mean)
    return _smallest_risk(lambda risk: distance > half_width(risk), _SMALLEST_P)


def _smallest_risk(excludes_zero: Callable[[float], bool], smallest: float) -> float:
    """Where an interval that narrows with the risk of error begins to exclude 0, by bisection."""
    if excludes_zero(smallest):
        return smallest
    inside, outside = np.log(smallest), 0.0
    while outside - inside > 1e-9:
        middle = (inside + outside) / 2
        if excludes_zero(float(np.exp(middle))):
            outside = middle
        else:
            inside = middle
    return float(np.exp(outside))


def generalises_to(
    n_annotators: int, n_sources: int, *, n_effective: float | None = None, consensus: str = ""
) -> str:
    """What a result is about, in a sentence; 1 annotator may be a consensus, of unknown members or as named."""
    if n_annotators < 1 or n_sources < 1:
        raise OptionError(
            f"n_annotators ({n_annotators}) and n_sources ({n_sources}) have to be 1 or more"
        )
    if n_annotators == 1:
        annotators = f"the {consensus}" if consensus else "this annotator's marks"
    elif n_annotators <= FEW_ANNOTATORS:
        annotators = f"these {n_annotators} annotators"
    else:
        annotators = f"annotators like these {n_annotators:,}"
    sources = f"sources like these {n_sources:,}"
    n_counted = counted_units(n_sources, n_effective)
    if n_counted < MIN_UNITS:
        sources = "this source alone" if n_sources == 1 else f"these {n_sources} sources alone"
    if n_counted < n_sources:
        sources += f", which weigh as much as {n_counted:,} equal ones"
    text = f"The result is about {annotators} and this trained model, for {sources}."
    if 2 <= n_annotators <= FEW_ANNOTATORS:
        text += (
            f" {n_annotators} annotators are too few to estimate how much others would differ: the interval "
            "allows for it only as far as they differ among themselves."
        )
    return text


def components_half_width(parts: VarianceComponents, level: float) -> tuple[float, float]:
    """Half-width in which each variance component has a t quantile of its own.

    The second number is the degrees of freedom at which one t quantile would give the same.
    """
    from scipy.special import stdtrit

    tail = 1.0 - (1.0 - level) / 2
    shares = {subset: max(part, 0.0) for subset, part in parts.contributions.items()}
    squared = sum(
        stdtrit(parts.degrees_of_freedom[subset], tail) ** 2 * share
        for subset, share in shares.items()
    )
    half = float(np.sqrt(squared))
    variance = sum(shares.values())
    smallest = min(parts.degrees_of_freedom.values())
    if variance <= 0:
        return 0.0, smallest
    return half, _freedom_of(half / np.sqrt(variance), tail, smallest)


def _freedom_of(quantile: float, tail: float, smallest: float) -> float:
    """Degrees of freedom at which t has a quantile; at most a million."""
    from scipy.special import stdtridf, stdtrit

    most = 1e6
    if quantile >= stdtrit(smallest, tail):
        return smallest
    if quantile <= stdtrit(most, tail):
        return most
    return float(np.clip(stdtridf(tail, quantile), smallest, most))
