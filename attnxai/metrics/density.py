"""Density metrics: NSS (Peters et al. 2005), linear correlation and similarity, as in Bylinskii et al. (2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.metrics.metric import Consensus, register_metric
from attnxai.metrics.pixels import PixelRows, centred, deviations, marked_pixels, totals
from attnxai.metrics.targets import TargetKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    """Sums over pixels of every map times every target, both less their means; shape (n, m)."""
    return np.asarray(centred(maps) @ centred(targets).T)


@register_metric(
    label="NSS",
    meaning="mean of the standardised map where annotators marked, in standard deviations",
    formula="sum(d z) / sum(d), with z = (m - mean(m)) / sd(m)",
    target=TargetKind.DENSITY,
    chance=0.0,
    unit="standard deviations of the map",
    shows_avoidance=True,
    factors=lambda map, target: (standardised(map), shares(target)),
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
