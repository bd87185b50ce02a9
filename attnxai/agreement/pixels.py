"""From a map and a target as users hold them to rows of valid pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray


def single_pair(
    pairwise: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
    map: ArrayLike,
    target: ArrayLike,
    valid: ArrayLike | None,
) -> float:
    """The one-by-one case of a pairwise metric.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite, or a target is negative somewhere.
    """
    map_values = np.asarray(map, dtype=np.float64)
    target_values = np.asarray(target, dtype=np.float64)
    use = np.ones(map_values.shape, bool) if valid is None else np.asarray(valid, dtype=bool)
    if not map_values.shape == target_values.shape == use.shape:
        raise ValueError(
            f"map, target and valid need one shape, got {map_values.shape}, "
            f"{target_values.shape} and {use.shape}"
        )
    map_values, target_values = map_values[use], target_values[use]
    if not (np.isfinite(map_values).all() and np.isfinite(target_values).all()):
        raise ValueError(
            "map and target need finite values on all valid pixels; leave others out by valid"
        )
    if target_values.size and target_values.min() < 0:
        raise ValueError("target has negative values; a mask or density has none")
    if map_values.size == 0:
        return float("nan")
    return float(pairwise(map_values[None], target_values[None])[0, 0])
