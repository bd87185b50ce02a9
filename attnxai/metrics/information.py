"""Density metrics in bits: Kullback-Leibler divergence, and information gain over a centre bias.

A map, scaled to sum 1, is read as the distribution of marks. A single marked pixel of value 0 would make the
divergence infinite. The saliency benchmarks add a constant such as 2^-52 inside the logarithm; the metric then
counts zeros, each marked one costing up to 52 bits, and changes with the constant. Here the map is mixed with a
uniform distribution instead, whose share is stated and the same for every map and for the centre bias. It
bounds what a marked pixel can cost, by log2(n_pixels / uniform_share) bits.

Kuemmerer et al. (2015) fit a nonlinearity, a blur and a centre bias to every model before they compute
information gain. Nothing is fitted here, since that would tune a map on what it is tested with. So a map also
loses bits for being wider or narrower than the marks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.errors import OptionError
from attnxai.metrics.density import shares
from attnxai.metrics.metric import Consensus, register_metric
from attnxai.metrics.pixels import PixelRows, derived, marked_pixels, totals
from attnxai.metrics.targets import TargetKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNIFORM_SHARE = 0.01
"""Probability that a mark lies anywhere on the field, whatever the map says."""


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
    consensus=Consensus.EQUAL_SUMS,
)
def negative_kl(
    maps: PixelRows, targets: PixelRows, *, uniform_share: float = UNIFORM_SHARE
) -> NDArray[np.float64]:
    """Minus the Kullback-Leibler divergence KL(target || map), in bits.

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
    formula="sum of p(d) (log2 q(m) - log2 q(c)), with c the sum of p(d) over the other sources",
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
    """How many bits a map gains about where annotators marked over the centre bias of the other sources.

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
