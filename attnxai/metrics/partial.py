"""Partial rank correlation of map and target, controlling for brightness.

The ranks of map and target, each less what a linear fit of the ranks of the covariates explains of it, are
correlated. It estimates how much more map and target share than what follows from both following the
brightness, and is exact only where ranks depend on each other linearly. A nonlinear dependence on a covariate,
or one that was measured with noise, leaves a remainder in both that looks like agreement. A permutation across
sources breaks the dependence of the target on brightness too, and is not a null for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.errors import OptionError
from attnxai.metrics.pixels import PixelRows, checked_pixels, is_constant, numbers_of
from attnxai.metrics.ranking import centred_ranks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# a remainder shorter than this share is rounding: ranks that differ in one pair of pixels leave 1e-6
_DETERMINED = 1e-10


def _basis(covariates: Sequence[PixelRows]) -> NDArray[np.float64]:
    """Orthonormal rows that span the centred ranks of covariates."""
    basis = np.empty((0, covariates[0].n_pixels))
    for rows in covariates:
        for ranks in centred_ranks(rows)[~is_constant(rows)]:
            remainder, length = _remainders(ranks[None], basis)
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


def _partial(
    maps: PixelRows, targets: PixelRows, covariates: Sequence[PixelRows]
) -> NDArray[np.float64]:
    """Partial rank correlation of every map with every target; shape (n, m)."""
    if not all(np.isfinite(rows.values).all() for rows in covariates):
        raise OptionError(
            "covariates need finite values on all valid pixels; exclude the others with valid"
        )
    basis = _basis(covariates)
    if not len(basis):  # nothing is controlled for, and the plain correlation is another quantity
        return np.full((len(maps.values), len(targets.values)), np.nan)
    map_rows, map_lengths = _remainders(centred_ranks(maps), basis)
    target_rows, target_lengths = _remainders(centred_ranks(targets), basis)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = (map_rows @ target_rows.T) / np.outer(map_lengths, target_lengths)
    values[is_constant(maps) | (map_lengths == 0)] = np.nan
    values[:, is_constant(targets) | (target_lengths == 0)] = np.nan
    return np.clip(values, -1.0, 1.0)


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
        Real values.
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
    rows = checked_pixels("map", maps[use], signed=True)
    own = checked_pixels("target", targets[use])
    return float(_partial(rows, own, [PixelRows(stack[:, use])])[0, 0])


def partial_values(
    maps: Sequence[NDArray[np.float64]],
    targets: NDArray[np.floating],
    covariates: Sequence[Sequence[NDArray[np.floating]]],
    valid: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Partial rank correlation of each source's maps with its own targets, over its own valid pixels.

    ``maps`` and ``covariates`` have one entry for each explanation: maps (n_sources, rows, columns), and arrays
    of that shape to control for (for a layer, the brightness at pixel scale and at the layer's resolution). Ranks
    of an array that is given several times are computed once. Targets are (n_annotators, n_sources, rows,
    columns); the result is (n_explanations, n_annotators, n_sources), NaN where undefined.
    """
    values = np.full((len(maps), len(targets), len(valid)), np.nan)
    arrays = {id(array): array for some in covariates for array in some}
    for source, where in enumerate(valid):
        if not where.any():
            continue
        target_rows = PixelRows(targets[:, source, where])
        fixed = {key: PixelRows(array[source, where][None]) for key, array in arrays.items()}
        for e, (own, some) in enumerate(zip(maps, covariates, strict=True)):
            map_rows = PixelRows(own[source, where][None])
            values[e, :, source] = _partial(map_rows, target_rows, [fixed[id(a)] for a in some])[0]
    return values
