"""Means over sources, of values that may be undefined: how audits look up what they are of, and write them into tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.errors import OptionError
from attnxai.statistics.bootstrap import mean_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.statistics.interval import Interval


def position_of(what: str, name: str, known: Sequence[str]) -> int:
    """Position of a map, measure or class among those that there are, or an error that lists them."""
    if name not in known:
        raise OptionError(f"unknown {what} {name!r}; there are {', '.join(known)}")
    return known.index(name)


def largest_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest value along the last axis; NaN where none is defined."""
    return np.asarray(np.fmax.reduce(values, axis=-1))


def mean_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the defined values along the last axis; NaN where there are none."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nansum(values, axis=-1) / np.sum(~np.isnan(values), axis=-1))


def mean_over_draws(values: NDArray[np.float64], counts: NDArray[np.float64]) -> Interval:
    """Mean over sources of the means over draws of values (n_draws, n_sources), over resamples of the sources."""
    return mean_interval(mean_defined(values.T), counts)


def interval_columns(interval: Interval, name: str = "") -> dict[str, float]:
    """Columns of a table: ``name``, ``name_low`` and ``name_high``, or ``value``, ``low`` and ``high``."""
    ends = f"{name}_" if name else ""
    return {
        name or "value": interval.value,
        f"{ends}low": interval.low,
        f"{ends}high": interval.high,
    }
