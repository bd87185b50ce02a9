"""Strata: groups of sources that are exchangeable."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from attnxai.errors import OptionError


def combine_strata(keys: Mapping[str, Sequence[Hashable]]) -> tuple[tuple[Hashable, ...], ...]:
    """Strata of sources that agree in every key.

    Parameters
    ----------
    keys : mapping of str to sequence of hashable
        Value of every source for each key, such as its class, its survey or its size bin.

    Returns
    -------
    tuple of tuple
        Stratum of every source.

    Raises
    ------
    OptionError
        If there is no key or their lengths differ.

    Examples
    --------
    >>> combine_strata({"class": ["FR I", "FR II"], "survey": ["FIRST", "FIRST"]})
    (('FR I', 'FIRST'), ('FR II', 'FIRST'))
    """
    lengths = {name: len(values) for name, values in keys.items()}
    if not keys or len(set(lengths.values())) != 1:
        raise OptionError(
            "strata need one value of every key for every source, got "
            + (", ".join(f"{n} of {name}" for name, n in lengths.items()) or "no key")
        )
    return tuple(zip(*keys.values(), strict=True))


def quantile_strata(values: Sequence[float], *, n_bins: int = 3) -> tuple[int, ...]:
    """Bins of about equally many sources, by a quantity such as their angular size.

    Parameters
    ----------
    values : sequence of float
        The quantity; NaN where unknown.
    n_bins : int
        Number of bins.

    Returns
    -------
    tuple of int
        Bin of every source from 0 for the smallest; -1 where the quantity is unknown. Equal values share
        a bin.

    Raises
    ------
    OptionError
        If ``n_bins`` is below 1.

    Examples
    --------
    >>> quantile_strata([10.0, 80.0, 20.0, float("nan"), 90.0, 30.0], n_bins=2)
    (0, 1, 0, -1, 1, 0)
    """
    if n_bins < 1:
        raise OptionError(f"n_bins has to be 1 or more, got {n_bins}")
    array = np.asarray(values, dtype=np.float64)
    known = np.isfinite(array)
    bins = np.full(array.shape, -1)
    if known.any():
        edges = np.quantile(array[known], np.arange(1, n_bins) / n_bins)
        bins[known] = np.searchsorted(edges, array[known], side="left")
    return tuple(int(value) for value in bins)
