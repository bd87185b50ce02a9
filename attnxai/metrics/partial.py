"""Partial rank correlation of map and target, controlling for brightness.

The ranks of map and target, each less what a linear fit of the ranks of the covariates explains of it, are
correlated. It estimates how much more map and target share than what follows from both following the
brightness, and is exact only where ranks depend on each other linearly. A nonlinear dependence on a covariate,
or one that was measured with noise, leaves a remainder in both that looks like agreement. A permutation across
sources breaks the dependence of the target on brightness too, and is not a null for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.errors import OptionError
from attnxai.metrics.pixels import PixelRows, checked_pixels, extremes, is_constant, numbers_of
from attnxai.metrics.ranking import centred_ranks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# a remainder shorter than this share is rounding: ranks that differ in one pair of pixels leave 1e-6
_DETERMINED = 1e-10


def _basis(rows: PixelRows, covariates: Sequence[int]) -> NDArray[np.float64]:
    """Orthonormal rows that span the centred ranks of some rows."""
    basis = np.empty((0, rows.n_pixels))
    for i in covariates:
        if is_constant(rows)[i]:
            continue
        remainder, length = _remainders(centred_ranks(rows)[i : i + 1], basis)
        if length[0] > 0:
            basis = np.concatenate([basis, remainder / length[0]])
    return basis


def _remainders(
    rows: NDArray[np.float64], basis: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows less their part in the span of a basis, and their lengths, 0 where nothing is left."""
    remainder = rows
    for _ in range(2):  # the second pass takes off what rounding left of the first
        remainder = remainder - (remainder @ basis.T) @ basis
    whole = np.linalg.norm(rows, axis=1)
    length = np.linalg.norm(remainder, axis=1)
    return remainder, np.where(length > _DETERMINED * whole, length, 0.0)


def partial_correlations(
    maps: PixelRows, targets: PixelRows, controlled: Mapping[int, Sequence[int]]
) -> NDArray[np.float64]:
    """Partial rank correlations of some rows of ``maps`` with every target; shape (n_controlled, n_targets).

    ``controlled`` has, for each of them, the rows of ``maps`` that are controlled for: for a layer, the brightness at pixel
    scale and at the layer's resolution. NaN where undefined.
    """
    values = np.full((len(controlled), len(targets)), np.nan)
    covariates = {i for some in controlled.values() for i in some}
    if not np.isfinite(np.array(extremes(maps))[:, list(covariates)]).all():
        raise OptionError(
            "covariates need finite values on all valid pixels; exclude the others with valid"
        )
    bases = {key: _basis(maps, key) for key in {tuple(some) for some in controlled.values()}}
    # where nothing is controlled for, the plain correlation is another quantity
    left = {
        key: _remainders(centred_ranks(targets), basis)
        for key, basis in bases.items()
        if len(basis)
    }
    for i, (row, some) in enumerate(controlled.items()):
        key = tuple(some)
        if key not in left or is_constant(maps)[row]:
            continue
        own, (length,) = _remainders(centred_ranks(maps)[row : row + 1], bases[key])
        others, lengths = left[key]
        usable = ~is_constant(targets) & (length * lengths > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            values[i] = np.where(usable, (own @ others.T)[0] / (length * lengths), np.nan)
    return np.asarray(np.clip(values, -1.0, 1.0))


def partial_spearman(
    map: ArrayLike,
    target: ArrayLike,
    covariates: ArrayLike | Sequence[ArrayLike],
    valid: ArrayLike | None = None,
) -> float:
    """Rank correlation of a map and a target, controlling for covariates such as brightness.

    Equal to ``pingouin.partial_corr`` with ``method="spearman"``.

    Parameters
    ----------
    map, target : array_like of one shape
        Real numbers.
    covariates : array_like of that shape, or several of them
        What is controlled for, such as the brightness of the image, as it is and smoothed to the resolution
        of the map. One that is constant, or whose ranks follow from those of others, changes nothing beside
        others that vary.
    valid : array_like of bool, same shape, optional
        Pixels that count; all if not given.

    Returns
    -------
    float
        From -1 to 1; NaN where the covariates determine the ranks of map or target, of which a constant map
        is the simplest case, and where all covariates are constant, so that nothing is controlled for.

    Raises
    ------
    OptionError
        If shapes differ, or a value is not finite.

    Examples
    --------
    >>> from attnxai.metrics import spearman
    >>> brightness = [[1, 2, 3], [4, 5, 6]]
    >>> map, target = [[2, 1, 3], [4, 6, 5]], [[2, 1, 4], [3, 6, 5]]
    >>> round(spearman(map, target), 4), round(partial_spearman(map, target, brightness), 4)
    (0.9429, 0.804)
    """
    maps, targets = numbers_of("map", map), numbers_of("target", target)
    use = np.ones(maps.shape, bool) if valid is None else numbers_of("valid", valid) != 0
    stack = numbers_of("covariates", covariates)
    stack = stack[None] if stack.shape == maps.shape else stack
    shapes = (maps.shape, targets.shape, use.shape, stack.shape[1:])
    if len(set(shapes)) != 1:
        raise OptionError(
            "map, target, valid and every covariate need one shape, got "
            + ", ".join(str(shape) for shape in shapes)
        )
    checked_pixels("map", maps[use], signed=True)
    own = checked_pixels("target", targets[use], signed=True)
    rows = PixelRows(np.concatenate([maps[None, use], stack[:, use]]))
    return float(partial_correlations(rows, own, {0: range(1, len(rows))})[0, 0])
