"""What sources have to share to be exchanged for one another."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.nulls import combine_strata, emission_footprint, quantile_strata
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.alignment.pairs import AlignedPairs

CLASS = "class"
SIZE = "size"
ANNOTATORS = "annotators"
N_SIZE_BINS = 3


def strata_of(
    pairs: AlignedPairs, keys: Sequence[str], order: NDArray[np.intp]
) -> tuple[tuple[str, ...], tuple[Hashable, ...]]:
    """Stratum of every source.

    Parameters
    ----------
    pairs : AlignedPairs
        The sources.
    keys : sequence of str
        ``class``, ``size``, ``annotators`` (who marked the source) or columns of the annotation table.
    order : ndarray of int
        Positions of the sources, in the order wanted.

    Returns
    -------
    keys : tuple of str
        Those that are known for some source; all that were given if none is.
    strata : tuple
        Of every source; None for sources of which none of the keys is known.

    Raises
    ------
    OptionError
        If a key is no such column.
    """
    found: dict[str, Sequence[Hashable]] = {}
    for key in keys:
        if key == CLASS:
            found[key] = [pairs.classes[i] for i in order]
        elif key == SIZE:
            sizes = angular_sizes(pairs.brightness, pairs.valid, pairs.pixel_scale_arcsec)
            bins = quantile_strata(sizes[order].tolist(), n_bins=N_SIZE_BINS)
            found[key] = [None if value < 0 else value for value in bins]
        elif key == ANNOTATORS:
            names = np.array(pairs.annotators)
            found[key] = [" + ".join(names[pairs.present[:, i]]) for i in order]
        elif key in pairs.columns:
            found[key] = [pairs.columns[key][i] for i in order]
        else:
            there = [CLASS, SIZE, ANNOTATORS, *pairs.columns]
            raise OptionError(
                f"sources cannot be stratified by {key!r}: it is no column of the annotation table with "
                f"one value for each source; known are {', '.join(there)}"
            )
    known = {
        key: values for key, values in found.items() if any(value is not None for value in values)
    }
    if not known:
        return tuple(keys), (None,) * len(order)
    combined = combine_strata(known)
    return tuple(known), tuple(
        None if all(value is None for value in stratum) else stratum for stratum in combined
    )


def size_halves(pairs: AlignedPairs, order: NDArray[np.intp]) -> tuple[int, ...]:
    """Whether each source is larger than the median; -1 where no emission is found."""
    sizes = angular_sizes(pairs.brightness, pairs.valid, pairs.pixel_scale_arcsec)
    return quantile_strata(sizes[order].tolist(), n_bins=2)


def angular_sizes(
    brightness: NDArray[np.floating], valid: NDArray[np.bool_], pixel_scale_arcsec: float
) -> NDArray[np.float64]:
    """Angular size of every source's emission, from its second moments.

    Four times the standard deviation of the brightness along the axis on which it is longest, over the
    pixels of :func:`~attnxai.agreement.nulls.emission_footprint`: the length of a uniform ellipse with the
    same moments. Neighbours in the field count.

    Parameters
    ----------
    brightness : ndarray, shape (n_sources, rows, columns)
        Images.
    valid : ndarray of bool, same shape
        Pixels that count.
    pixel_scale_arcsec : float
        Side of a pixel.

    Returns
    -------
    ndarray, shape (n_sources,)
        In arcsec; NaN where no emission is found.

    Examples
    --------
    A bar of eight by two pixels; 4 times the root of 64 / 12 is 9.24:

    >>> image = np.zeros((1, 8, 12))
    >>> image[0, 3:5, 2:10] = 1.0
    >>> angular_sizes(image, np.ones(image.shape, bool), 1.0).round(3)
    array([9.238])
    """
    sizes = np.full(len(brightness), np.nan)
    for source, where in enumerate(emission_footprint(brightness, valid)):
        if not where.any():
            continue
        y, x = np.nonzero(where)
        background = float(np.median(brightness[source][valid[source]]))
        light = np.maximum(brightness[source][where].astype(np.float64) - background, 0.0)
        light /= light.sum()
        dx, dy = x - (light * x).sum(), y - (light * y).sum()
        xx = (light * dx**2).sum() + 1 / 12
        yy = (light * dy**2).sum() + 1 / 12
        spread = np.hypot(xx - yy, 2 * (light * dx * dy).sum())
        sizes[source] = 4.0 * np.sqrt((xx + yy + spread) / 2) * pixel_scale_arcsec
    return sizes
