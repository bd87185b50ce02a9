"""Density metrics in bits: Kullback-Leibler divergence, and information gain over a centre bias.

A map, scaled to sum 1, is read as the distribution of where people mark. Such a map must not say "never"
where somebody marked: a single marked pixel of value 0 would make the divergence infinite. The saliency
benchmarks add a constant such as 2^-52 inside the logarithm instead; the metric then counts zeros, each
marked one costing up to 52 bits, and changes with the constant. Here the map is mixed with a uniform
distribution: with probability ``uniform_share`` a mark may lie anywhere. The share is stated, is the same
for every map and for the centre bias, and bounds what a marked pixel can cost, by log2(n_pixels /
uniform_share) bits.

Kuemmerer et al. (2015) fit a nonlinearity, a blur and a centre bias to every model before they compute
information gain. Nothing is fitted here, since that would tune a map on what it is tested with: a map
loses bits for being wider or narrower than what people mark, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.metrics.pixels import (
    PixelRows,
    blanked,
    marked_pixels,
    rows_of,
    single_pair,
    totals,
    without_mass,
)
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

UNIFORM_SHARE = 0.01
"""Probability that a mark lies anywhere on the field, whatever the map says."""


def _log_shares(rows: PixelRows, uniform_share: float) -> NDArray[np.float64]:
    """Logarithms to base 2 of rows scaled to sum 1 and mixed with a uniform distribution."""
    scaled = rows.values * ((1 - uniform_share) / totals(rows))[:, None]
    scaled += uniform_share / max(rows.n_pixels, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log2(scaled, out=scaled))


def _own_information(targets: PixelRows) -> NDArray[np.float64]:
    """Sum of t log2 t for densities scaled to sum 1, NaN for empty ones; shape (m,)."""
    values = np.full(len(targets), np.nan)
    for j, pixels in enumerate(marked_pixels(targets)):
        if pixels.size:
            shares = targets.values[j, pixels] / totals(targets)[j]
            shares = shares[shares > 0]  # marks too weak for a number, next to others, add nothing
            values[j] = shares @ np.log2(shares)
    return values


def _information_of_bias(
    targets: PixelRows, others: PixelRows, uniform_share: float
) -> NDArray[np.float64]:
    """Sum of t log2 c for densities and their centre bias, both scaled to sum 1; shape (m,)."""
    floor = uniform_share / max(others.n_pixels, 1)
    values = np.empty(len(targets))
    for j, pixels in enumerate(marked_pixels(targets)):
        shares = targets.values[j, pixels] / totals(targets)[j]
        bias = others.values[j, pixels] * ((1 - uniform_share) / totals(others)[j]) + floor
        with np.errstate(divide="ignore"):
            values[j] = shares @ np.log2(bias)
    return values


def _expected_logarithms(
    maps: PixelRows, targets: PixelRows, uniform_share: float
) -> NDArray[np.float64]:
    """Sum of t log2 m for every map and density, in bits; shape (n, m)."""
    logarithms = maps.once(_log_shares, uniform_share)
    never = np.isneginf(logarithms)
    if never.any():
        values = np.where(never, 0.0, logarithms) @ targets.values.T / totals(targets)
        values[never.astype(np.float64) @ targets.values.T > 0] = -np.inf
        return np.asarray(values)
    return np.asarray(logarithms @ targets.values.T / totals(targets))


def _check_share(uniform_share: float) -> None:
    if not 0 <= uniform_share < 1:
        raise OptionError(f"uniform_share has to be at least 0 and below 1, got {uniform_share}")


def pairwise_kl_divergence(
    maps: NDArray[np.float64] | PixelRows,
    targets: NDArray[np.float64] | PixelRows,
    *,
    uniform_share: float = UNIFORM_SHARE,
) -> NDArray[np.float64]:
    """KL divergence of every map (n, n_pixels) from every density (m, n_pixels), in bits."""
    _check_share(uniform_share)
    maps, targets = rows_of(maps), rows_of(targets)
    expected = maps.once(_expected_logarithms, targets, uniform_share)
    values = targets.once(_own_information) - expected
    return blanked(np.asarray(values), without_mass(maps), np.isnan(totals(targets)))


def kl_divergence(
    map: ArrayLike,
    target: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    uniform_share: float = UNIFORM_SHARE,
) -> float:
    """Kullback-Leibler divergence of a map from a density, KL(target || map), in bits.

    The lower, the better. Among metrics that a comparison can ask for it is ``negative_kl``, with its
    sign turned.

    Parameters
    ----------
    map : array_like
        Values that are nowhere negative.
    target : array_like, same shape
        Density or mask.
    valid : array_like of bool, optional
        Pixels to use; all when left out.
    uniform_share : float
        How much of a uniform distribution the map is mixed with. With 0 the divergence is infinite
        where the map is 0 on a marked pixel.

    Returns
    -------
    float
        From 0 to log2(n_pixels / uniform_share); NaN when the map is signed or constant or the target
        empty.

    Raises
    ------
    OptionError
        If ``uniform_share`` is not at least 0 and below 1.

    Examples
    --------
    >>> kl_divergence([[1, 1], [2, 4]], [[0, 0], [1, 1]], uniform_share=0)
    0.5
    """
    return single_pair(pairwise_kl_divergence, map, target, valid, uniform_share=uniform_share)


def pairwise_negative_kl(
    maps: NDArray[np.float64] | PixelRows, targets: NDArray[np.float64] | PixelRows
) -> NDArray[np.float64]:
    """Minus the KL divergence of every map (n, n_pixels) from every density (m, n_pixels), in bits."""
    return -pairwise_kl_divergence(maps, targets)


def negative_kl_of_uniform(targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minus the KL divergence from densities (m, n_pixels) of a uniform map, in bits; shape (m,)."""
    rows = rows_of(targets)
    return np.asarray(-(rows.once(_own_information) + np.log2(max(rows.n_pixels, 1))))


def pairwise_information_gain(
    maps: NDArray[np.float64] | PixelRows,
    targets: NDArray[np.float64] | PixelRows,
    *,
    others: NDArray[np.float64] | PixelRows | None = None,
    uniform_share: float = UNIFORM_SHARE,
) -> NDArray[np.float64]:
    """Information gain of every map (n, n_pixels) for every density (m, n_pixels), in bits.

    Parameters
    ----------
    maps : ndarray or PixelRows, shape (n, n_pixels)
        Values that are nowhere negative.
    targets : ndarray or PixelRows, shape (m, n_pixels)
        Densities.
    others : ndarray or PixelRows, shape (m, n_pixels)
        For each density, the sum or mean of the densities of other sources.
    uniform_share : float
        As in :func:`information_gain`.

    Returns
    -------
    ndarray, shape (n, m)

    Raises
    ------
    OptionError
        If ``others`` is missing.
    """
    _check_share(uniform_share)
    if others is None:
        raise OptionError("information gain needs others: what is marked on the other sources")
    maps, targets, others = rows_of(maps), rows_of(targets), rows_of(others)
    expected = maps.once(_expected_logarithms, targets, uniform_share)
    with np.errstate(invalid="ignore"):
        values = expected - targets.once(_information_of_bias, others, uniform_share)
    undefined = np.isnan(totals(targets)) | np.isnan(totals(others))
    return blanked(np.asarray(values), without_mass(maps), undefined)


def information_gain(
    map: ArrayLike,
    target: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    others: ArrayLike,
    uniform_share: float = UNIFORM_SHARE,
) -> float:
    """How many bits a map tells about where people mark, beyond where they mark on other sources.

    The mean over marks of log2(map / centre bias), both scaled to sum 1 over the valid pixels
    (Kuemmerer et al. 2015); the centre bias is what is marked on the other sources.

    Parameters
    ----------
    map : array_like
        Values that are nowhere negative.
    target : array_like, same shape
        Density or mask.
    valid : array_like of bool, optional
        Pixels to use; all when left out.
    others : array_like, same shape
        Sum or mean of the densities of the other sources.
    uniform_share : float
        How much of a uniform distribution map and centre bias are mixed with.

    Returns
    -------
    float
        In bits; 0 for a map that is no better than the centre bias, below 0 for one that is worse. NaN
        when the map is signed or constant, or the target or ``others`` empty.

    Raises
    ------
    OptionError
        If ``uniform_share`` is not at least 0 and below 1.

    Examples
    --------
    >>> map, bias = [[1, 1], [2, 4]], [[1, 1], [1, 1]]
    >>> information_gain(map, [[0, 0], [1, 1]], others=bias, uniform_share=0)
    0.5
    """
    return single_pair(
        pairwise_information_gain, map, target, valid, others=others, uniform_share=uniform_share
    )
