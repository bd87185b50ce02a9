"""Nulls that compare surrogates of each source's map with the source's own annotations."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.errors import OptionError
from attnxai.metrics import PixelRows
from attnxai.metrics.evaluation import centre_biases
from attnxai.nulls.null_model import NullModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.metrics import Metric, TargetKind
    from attnxai.metrics.targets import Targets

MIN_PIXELS = 16
"""Sources with fewer pixels to compare have no test: their surrogates are too much alike."""


def empty_tables(
    metrics: Sequence[Metric], targets: Targets, n_columns: int
) -> NDArray[np.float64]:
    """Tables of NaN, shape (n_metrics, n_annotators, n_sources, n_columns)."""
    n_annotators, n_sources = targets[metrics[0].target].shape[:2]
    return np.full((len(metrics), n_annotators, n_sources, n_columns), np.nan)


class SurrogateNull(NullModel):
    """Base of nulls that compare surrogates of each source's map with the source's annotations.

    A subclass has the attributes of :class:`NullModel` and the method :meth:`surrogates`; see
    :func:`register_null`.

    Examples
    --------
    >>> import attnxai
    >>> from attnxai.nulls import NULLS
    >>> sorted(name for name, null in NULLS.items() if issubclass(null, attnxai.nulls.SurrogateNull))
    ['moran', 'phase', 'rotation', 'symmetries', 'variogram']
    """

    __slots__ = ()

    @abc.abstractmethod
    def surrogates(
        self, map: NDArray[np.float64], where: NDArray[np.bool_], rng: np.random.Generator
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """The map of one source and its surrogates.

        Parameters
        ----------
        map : ndarray, shape (rows, columns)
            The map.
        where : ndarray of bool, same shape
            Its valid pixels; of a null within emission, those of the emission.
        rng : numpy.random.Generator
            Source of randomness, of this source.

        Returns
        -------
        used : ndarray of bool, shape (rows, columns)
            Pixels that are compared.
        surrogates : ndarray, shape (n_columns, n_used)
            The map itself first. Without pixels (n_used = 0) where the source cannot be used; sources with fewer
            than 16 are not used either.
        """

    def target_values(
        self,
        fields: NDArray[Any],
        kind: TargetKind,  # noqa: ARG002  all kinds alike, unless they are interpolated
        used: NDArray[Any],
    ) -> NDArray[Any]:
        """Targets (n_annotators, rows, columns) on the pixels that are compared."""
        return fields[:, used]

    def check(self, valid: NDArray[np.bool_]) -> None:
        """Raise an error for valid pixels (n_sources, rows, columns) that the null cannot work on."""

    def tables(
        self,
        metrics: Sequence[Metric],
        maps: NDArray[np.float64],
        targets: Targets,
        valid: NDArray[np.bool_],
        *,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Metrics of every surrogate of every source's map with its own targets; see :class:`NullModel`."""
        self.check(valid)
        tables = None
        wanted = {metric.target: targets[metric.target] for metric in metrics}
        needed = centre_biases(metrics, targets)
        # a stream for every source: none depends on the others
        for source, stream in enumerate(rng.spawn(len(maps))):
            map = np.asarray(maps[source], dtype=np.float64)
            used, surrogates = _checked(self.surrogates(map, valid[source], stream), map)
            if tables is None:
                tables = empty_tables(metrics, targets, len(surrogates))
            if len(surrogates) != tables.shape[3]:
                raise OptionError(
                    f"source number {source + 1} has {len(surrogates)} surrogates, but the first has "
                    f"{tables.shape[3]}; all sources need the same number"
                )
            if surrogates.shape[1] < MIN_PIXELS:
                continue
            # what metrics share, such as ranks, is computed once
            rows = PixelRows(surrogates)
            own, elsewhere = (
                {
                    kind: PixelRows(self.target_values(array[:, source], kind, used))
                    for kind, array in arrays.items()
                }
                for arrays in (wanted, needed)
            )
            for m, metric in enumerate(metrics):
                kind = metric.target
                tables[m, :, source] = metric.evaluate(rows, own[kind], elsewhere.get(kind)).T
        return empty_tables(metrics, targets, 1) if tables is None else tables


def _checked(made: Any, map: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """What a null made of a map; refused unless the map is first, since p-values would be wrong."""
    if not (isinstance(made, tuple) and len(made) == 2):
        raise OptionError(
            f"surrogates has to return the pixels used and the surrogates, got {type(made).__name__}"
        )
    used, surrogates = np.asarray(made[0]), np.asarray(made[1])
    is_mask = used.dtype == bool  # others are places between pixels
    if is_mask and used.shape != map.shape:
        raise OptionError(
            f"surrogates returned pixels used of shape {used.shape} for a map of shape {map.shape}"
        )
    n_used = int(used.sum()) if is_mask else used.shape[-1]
    if surrogates.ndim != 2 or not len(surrogates) or surrogates.shape[1] != n_used:
        raise OptionError(
            f"surrogates returned an array of shape {surrogates.shape} for {n_used} pixels used; it should be "
            f"(n_columns, {n_used}), with the map itself in the first row"
        )
    if is_mask and n_used >= MIN_PIXELS:
        own = map[used]
        # single precision is enough
        if not np.allclose(
            surrogates[0], own, rtol=0, atol=1e-6 * np.abs(own).max(), equal_nan=True
        ):
            raise OptionError(
                "the first row of the surrogates is not the map on the pixels used; put the observed map first"
            )
    return used, surrogates


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SampledSurrogateNull(SurrogateNull):
    """Base of nulls that draw surrogates at random.

    Parameters
    ----------
    n_surrogates : int
        Number of surrogates of each source.

    Raises
    ------
    OptionError
        If there is no surrogate.

    Examples
    --------
    >>> import attnxai
    >>> from attnxai.nulls import NULLS
    >>> sorted(name for name, null in NULLS.items() if issubclass(null, attnxai.nulls.SampledSurrogateNull))
    ['moran', 'phase', 'variogram']
    """

    n_surrogates: int = 99

    def __post_init__(self) -> None:
        if self.n_surrogates < 1:
            raise OptionError(f"n_surrogates has to be 1 or more, got {self.n_surrogates}")

    @abc.abstractmethod
    def sample(
        self, values: NDArray[np.float64], used: NDArray[np.bool_], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Surrogates of the values (n_pixels,) on the pixels used; shape (n_surrogates, n_pixels)."""

    def pixels(self, where: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The valid pixels that are compared; none where the source cannot be used."""
        return where

    def surrogates(
        self, map: NDArray[np.float64], where: NDArray[np.bool_], rng: np.random.Generator
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """The map and what :meth:`sample` makes of it; see :class:`SurrogateNull`."""
        used = self.pixels(where)
        values = map[used]
        if values.size < MIN_PIXELS:
            return np.zeros_like(where), np.empty((self.n_surrogates + 1, 0))
        return used, np.vstack([values[None], self.sample(values, used, rng)])
