"""Density metrics: NSS, linear correlation, similarity, and in bits KL divergence and information gain.

NSS is that of Peters et al. (2005); all are as in Bylinskii et al. (2019) but for zeros in the metrics in bits.
A map, scaled to sum 1, is read there as the distribution of marks. A single marked pixel of value 0 would make the
divergence infinite. The saliency benchmarks add a constant such as 2^-52 inside the logarithm; the metric then
counts zeros, each marked one costing up to 52 bits, and changes with the constant. Here the map is mixed with a
uniform distribution instead, whose share is stated and the same for every map and for the centre bias. It
bounds what a marked pixel can cost, by log2(n_pixels / uniform_share) bits.

Kuemmerer et al. (2015) fit a nonlinearity, a blur and a centre bias to every model before they compute
information gain. Nothing is fitted here, since that would tune a map on what it is tested with. So a map also
loses bits for being wider or narrower than the marks.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.errors import OptionError
from attnxai.metrics.metric import Consensus, register_metric
from attnxai.metrics.pixels import (
    PixelRows,
    centred,
    derived,
    deviations,
    extremes,
    marked_pixels,
    pixels_above_lowest,
    take_pixels,
    totals,
)
from attnxai.metrics.targets import TargetKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNIFORM_SHARE = 0.01
"""Probability that a mark lies anywhere on the field, whatever the map says."""
_SMALL = 1e-100  # squares of this, and of one over it, neither vanish nor overflow
_RELATIVE = 1e-3  # share of its mean above which a deviation keeps its digits
_VARYING = (
    1 + 1e-9
)  # times its lowest value, which the mean of a map exceeds that is surely not constant
OF_CORRELATIONS: dict[str, Any] = {
    "target": TargetKind.DENSITY,
    "chance": 0.0,
    "bounds": (-1.0, 1.0),
    "varying_targets": True,
    "shows_avoidance": True,
}
"""What correlation coefficients have in common."""


def standardised(rows: PixelRows) -> NDArray[np.float64]:
    """Rows less their mean, in units of their standard deviation; shape (n, n_pixels)."""
    return np.asarray(centred(rows) / deviations(rows)[:, None])


def shares(rows: PixelRows) -> NDArray[np.float64]:
    """Rows scaled to sum 1; shape (n, n_pixels)."""
    return np.asarray(rows.values / totals(rows)[:, None])


def _products(maps: PixelRows, targets: PixelRows) -> NDArray[np.float64]:
    """Sums over pixels of every map times every target, both less their means; shape (n, m).

    Maps less their mean sum to 0, so any constant can be taken off a target.
    """
    pixels, rows = targets.once(_less_constant)
    return np.asarray(take_pixels(centred(maps), pixels) @ rows.T)


def _less_constant(targets: PixelRows) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Targets less a constant each, and the pixels on which some of them is not 0 then.

    With the lowest value taken off, the many unmarked pixels are 0. Where most are marked, differences from it can be large
    beside those from the mean, and digits would be lost.
    """
    pixels = pixels_above_lowest(targets)
    if 2 * pixels.size > targets.n_pixels:
        return np.arange(targets.n_pixels), centred(targets)
    return pixels, take_pixels(targets.values, pixels) - extremes(targets)[0][:, None]


def _marks_of(target: NDArray[Any]) -> tuple[NDArray[np.intp], Any]:
    """Pixels of a mask or a density (n_pixels,) that are marked, and their shares; NaN where none is or one is negative."""
    if target.dtype == bool:
        pixels = target.nonzero()[0]
        return pixels, 1 / pixels.size if pixels.size else math.nan
    pixels = (target > 0).nonzero()[0]
    weights = target[pixels]
    total = weights.sum()
    ordinary = _SMALL < total < 1 / _SMALL and target.min() >= 0
    return pixels, weights / (total if ordinary else math.nan)


def sum_unless_constant(map: NDArray[np.float64]) -> float:
    """Sum of a map (n_pixels,); NaN where it may be constant, is negative somewhere, or of extreme scale."""
    low, total = map.min(), map.sum()
    ordinary = low >= 0 and total > _VARYING * low * map.size and _SMALL < total < 1 / _SMALL
    return float(total) if ordinary else math.nan


def _nss_of_pair(map: NDArray[np.float64], target: NDArray[Any]) -> float:
    mean = map.sum() / map.size
    above = map - mean
    deviation = math.sqrt(above @ above / map.size)
    if not (_SMALL < deviation < 1 / _SMALL and deviation > _RELATIVE * abs(mean)):
        return math.nan
    if target.dtype == bool:
        marked = above[target.nonzero()[0]]
        return float(marked.sum() / marked.size / deviation) if marked.size else math.nan
    total, lowest = target.sum(), target.min()
    # digits would be lost where the lowest value makes up most of a target
    ordinary = _SMALL < total < 1 / _SMALL and 0 <= 2 * lowest * target.size <= total
    return float(above @ target / total / deviation) if ordinary else math.nan


@register_metric(
    label="NSS",
    meaning="mean of the standardised map where annotators marked, in standard deviations",
    formula="sum(d z) / sum(d), with z = (m - mean(m)) / sd(m)",
    target=TargetKind.DENSITY,
    chance=0.0,
    unit="standard deviations of the map",
    shows_avoidance=True,
    factors=lambda map, target: (standardised(map), shares(target)),
    of_pair=_nss_of_pair,
    consensus=Consensus.EQUAL_SUMS,
    consensus_is_bound=True,
)
def nss(maps: PixelRows, targets: PixelRows) -> NDArray[np.float64]:
    """Normalised scanpath saliency: the mean of the standardised map, weighted by the target.

    The map is standardised over the valid pixels with their population standard deviation.

    Examples
    --------
    >>> round(nss([[0, 0], [0, 4]], [[False, False], [False, True]]), 6)
    1.732051
    """
    return maps.once(_products, targets) / totals(targets) / deviations(maps)[:, None]


@register_metric(
    label="Correlation r",
    meaning="linear correlation of map and marked density over the pixels of the field",
    formula="Pearson's correlation of m and d",
    factors=lambda map, target: (standardised(map), standardised(target) / target.n_pixels),
    consensus=Consensus.STANDARDISED,
    consensus_is_bound=True,
    **OF_CORRELATIONS,
)
def correlation(maps: PixelRows, targets: PixelRows) -> NDArray[np.float64]:
    """Pearson's linear correlation of a map and a density, "CC" of the saliency literature.

    Examples
    --------
    >>> round(correlation([[0, 1], [2, 3]], [[0, 1], [2, 5]]), 6)
    0.956183
    """
    scale = maps.n_pixels * np.outer(deviations(maps), deviations(targets))
    return np.clip(maps.once(_products, targets) / scale, -1.0, 1.0)


def _similarity_of_pair(map: NDArray[np.float64], target: NDArray[Any]) -> float:
    pixels, own = _marks_of(target)
    if not pixels.size:
        return math.nan
    return float(np.minimum(map[pixels] / sum_unless_constant(map), own).sum())


def similarity_of_uniform(targets: PixelRows) -> NDArray[np.float64]:
    """Similarity of densities with a constant map; shape (m,)."""
    return np.asarray(np.minimum(shares(targets), 1 / max(targets.n_pixels, 1)).sum(axis=1))


@register_metric(
    label="Similarity",
    meaning="what map and marked density have in common when both are scaled to sum 1",
    formula="sum of min(p(m), p(d))",
    target=TargetKind.DENSITY,
    chance_of=similarity_of_uniform,
    chance_formula="that of a uniform map",
    bounds=(0.0, 1.0),
    signed_maps=False,
    of_pair=_similarity_of_pair,
    consensus=Consensus.EQUAL_SUMS,
)
def similarity(maps: PixelRows, targets: PixelRows) -> NDArray[np.float64]:
    """Histogram intersection of a map and a density that are both scaled to sum 1.

    Its value for a constant map, which is that by chance, depends on how far the density spreads.

    Examples
    --------
    >>> similarity([[1, 1], [1, 5]], [[0, 0], [1, 1]])
    0.625
    """
    pixels_first = np.ascontiguousarray(shares(maps).T)
    values = np.empty((len(maps), len(targets)))
    for column, pixels in enumerate(marked_pixels(targets)):
        own = targets.values[column, pixels] / totals(targets)[column]
        values[:, column] = np.minimum(pixels_first[pixels], own[:, None]).sum(axis=0)
    return values


def _log_shares(rows: PixelRows, uniform_share: float) -> NDArray[np.float64]:
    """Logarithms to base 2 of rows scaled to sum 1 and mixed with a uniform distribution."""
    scaled = rows.values * ((1 - uniform_share) / totals(rows))[:, None]
    scaled += uniform_share / max(rows.n_pixels, 1)
    return np.asarray(np.log2(scaled, out=scaled))


@derived
def _own_information(targets: PixelRows) -> NDArray[np.float64]:
    """Sum of t log2 t for densities scaled to sum 1, NaN for empty ones; shape (m,)."""
    values = np.full(len(targets), np.nan)
    for j, pixels in enumerate(marked_pixels(targets)):
        if pixels.size:
            own = targets.values[j, pixels] / totals(targets)[j]
            own = own[own > 0]  # a quotient that is too small for a number adds nothing
            values[j] = own @ np.log2(own)
    return values


def _information_of_bias(
    targets: PixelRows, others: PixelRows, uniform_share: float
) -> NDArray[np.float64]:
    """Sum of t log2 c for densities and their centre bias, both scaled to sum 1; shape (m,)."""
    floor = uniform_share / max(others.n_pixels, 1)
    values = np.empty(len(targets))
    for j, pixels in enumerate(marked_pixels(targets)):
        own = targets.values[j, pixels] / totals(targets)[j]
        bias = others.values[j, pixels] * ((1 - uniform_share) / totals(others)[j]) + floor
        values[j] = own @ np.log2(bias)
    return values


def _expected_logarithms(
    maps: PixelRows, targets: PixelRows, uniform_share: float
) -> NDArray[np.float64]:
    """Sum of t log2 m for every map and density, in bits; shape (n, m)."""
    if not 0 <= uniform_share < 1:
        raise OptionError(f"uniform_share has to be at least 0 and below 1, got {uniform_share}")
    logarithms = maps.once(_log_shares, uniform_share)
    never = np.isneginf(logarithms)
    if never.any():
        values = np.where(never, 0.0, logarithms) @ targets.values.T / totals(targets)
        values[never.astype(np.float64) @ targets.values.T > 0] = -np.inf
        return np.asarray(values)
    return np.asarray(logarithms @ targets.values.T / totals(targets))


def _factors(map: PixelRows, target: PixelRows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return map.once(_log_shares, UNIFORM_SHARE), shares(target)


def _negative_kl_of_pair(map: NDArray[np.float64], target: NDArray[Any]) -> float:
    pixels, own = _marks_of(target)
    mixed = map[pixels] * ((1 - UNIFORM_SHARE) / sum_unless_constant(map))
    mixed += UNIFORM_SHARE / map.size
    bits = own * (np.log2(mixed) - np.log2(own))  # NaN for a share that is too small for a number
    return float(bits.sum()) if pixels.size else math.nan


def negative_kl_of_uniform(targets: PixelRows) -> NDArray[np.float64]:
    """Minus the KL divergence of a constant map from densities, in bits; shape (m,)."""
    return np.asarray(-(_own_information(targets) + np.log2(max(targets.n_pixels, 1))))


@register_metric(
    label="−KL divergence",
    meaning=(
        "minus the Kullback-Leibler divergence of the map, as a distribution, from the marked density, in "
        "bits: 0 where they are the same"
    ),
    formula="-sum of p(d) (log2 p(d) - log2 q(m))",
    target=TargetKind.DENSITY,
    chance_of=negative_kl_of_uniform,
    chance_formula="that of a uniform map",
    bounds=(-np.inf, 0.0),
    unit="bits",
    signed_maps=False,
    factors=_factors,
    of_pair=_negative_kl_of_pair,
    consensus=Consensus.EQUAL_SUMS,
)
def negative_kl(
    maps: PixelRows, targets: PixelRows, *, uniform_share: float = UNIFORM_SHARE
) -> NDArray[np.float64]:
    """Minus the Kullback-Leibler divergence KL(density || map), in bits.

    The sign is turned so that larger values are better.

    Other Parameters
    ----------------
    uniform_share : float
        Share of a uniform distribution that the map is mixed with. With 0 the divergence is infinite
        where the map is 0 on a marked pixel.

    Examples
    --------
    >>> negative_kl([[1, 1], [2, 4]], [[0, 0], [1, 1]], uniform_share=0)
    -0.5
    """
    expected = maps.once(_expected_logarithms, targets, uniform_share)
    return expected - _own_information(targets)


@register_metric(
    label="Information gain",
    meaning=(
        "bits that the map, as a distribution, gains about where annotators marked over the centre bias of "
        "the other sources"
    ),
    formula="sum of p(d) (log2 q(m) - log2 q(c)), with c the sum of p(d) over the annotator's other sources",
    target=TargetKind.DENSITY,
    chance=0.0,
    unit="bits",
    signed_maps=False,
    needs_others=True,
    factors=_factors,
    consensus=Consensus.EQUAL_SUMS,
)
def information_gain(
    maps: PixelRows,
    targets: PixelRows,
    others: PixelRows,
    *,
    uniform_share: float = UNIFORM_SHARE,
) -> NDArray[np.float64]:
    """Information about the marked pixels that a map adds to the centre bias of the other sources, in bits.

    The mean over marks of log2(map / centre bias), both scaled to sum 1 over the valid pixels (Kuemmerer et
    al. 2015). It is 0 for a map that is no better than the centre bias, and below 0 for one that is worse.

    Other Parameters
    ----------------
    uniform_share : float
        Share of a uniform distribution that map and centre bias are mixed with.

    Examples
    --------
    >>> map, bias = [[1, 1], [2, 4]], [[1, 1], [1, 1]]
    >>> information_gain(map, [[0, 0], [1, 1]], others=bias, uniform_share=0)
    0.5
    """
    expected = maps.once(_expected_logarithms, targets, uniform_share)
    return expected - targets.once(_information_of_bias, others, uniform_share)
