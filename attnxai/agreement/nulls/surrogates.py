"""Tables of nulls that rearrange every source's map by itself."""

from __future__ import annotations

import abc
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.metrics import leave_one_out_centre_bias
from attnxai.agreement.metrics.pixels import PixelRows
from attnxai.agreement.nulls.base import NullDraws, draw_choices
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.agreement.metrics import Metric, TargetKind
    from attnxai.agreement.metrics.targets import Others, Targets


class RearrangedMaps(abc.ABC):
    """What all nulls have in common that rearrange every source by itself."""

    __slots__ = ()

    @property
    def permutes_sources(self) -> bool:
        """Whether the columns of its tables are the annotations of sources: they are not."""
        return False

    @property
    @abc.abstractmethod
    def n_columns(self) -> int | None:
        """Rearrangements of each source, the observed one among them; None when the field decides."""

    def draw(
        self,
        strata: Sequence[Hashable],
        *,
        n_columns: int | None = None,
        n_draws: int,
        rng: np.random.Generator,
    ) -> NullDraws:
        """Draw a rearrangement for every source; all combinations when there are no more than draws.

        Parameters
        ----------
        strata : sequence of hashable
            Stratum of every source; each is rearranged by itself, so only their number matters.
        n_columns : int, optional
            Number of columns of the table, where the field decides over it.
        n_draws : int
            How many.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        NullDraws

        Raises
        ------
        OptionError
            If the number of columns is not known, or that of draws below 1.
        """
        known = n_columns if n_columns is not None else self.n_columns
        if known is None:
            raise OptionError("n_columns is needed: the number of columns of the table")
        return draw_choices(len(strata), known, n_draws=n_draws, rng=rng)


def empty_tables(
    metrics: Sequence[Metric], targets: Targets, n_columns: int
) -> NDArray[np.float64]:
    """Tables without a value, shape (n_metrics, n_annotators, n_sources, n_columns)."""
    n_annotators, n_sources = targets[metrics[0].target].shape[:2]
    return np.full((len(metrics), n_annotators, n_sources, n_columns), np.nan)


def others_needed(
    metrics: Sequence[Metric], targets: Targets, others: Others | None
) -> dict[TargetKind, NDArray[np.float64]]:
    """What is marked on the other sources, as given or else made, in the forms that metrics need."""
    kinds = {metric.target for metric in metrics if metric.needs_others}
    given = others or {}
    return {
        kind: given[kind] if kind in given else leave_one_out_centre_bias(kind, targets[kind])
        for kind in kinds
    }


def values_of_surrogates(
    metrics: Sequence[Metric], surrogates: NDArray[np.float64], targets: Targets, others: Others
) -> NDArray[np.float64]:
    """Metrics of several surrogates of a map with several targets.

    Parameters
    ----------
    metrics : sequence of Metric
        What to compute.
    surrogates : ndarray, shape (n_columns, n_pixels)
        Versions of one map.
    targets, others : mapping of TargetKind to ndarray, shape (n_annotators, n_pixels)
        What was marked on this source and on others, in each form that the metrics need.

    Returns
    -------
    ndarray, shape (n_metrics, n_annotators, n_columns)
    """
    # what metrics share, such as ranks, is computed once
    rows = PixelRows(surrogates)
    own = {kind: PixelRows(values) for kind, values in targets.items()}
    elsewhere = {kind: PixelRows(values) for kind, values in others.items()}
    return np.stack([m.evaluate(rows, own[m.target], elsewhere.get(m.target)).T for m in metrics])


class SurrogateMaps(RearrangedMaps):
    """Nulls that compare surrogates of a source's map, on pixels of their own, with its annotations."""

    __slots__ = ()

    @abc.abstractmethod
    def surrogates(
        self, map_values: NDArray[np.float64], where: NDArray[np.bool_], stream: np.random.Generator
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Versions of the map of one source.

        Parameters
        ----------
        map_values : ndarray, shape (rows, columns)
            The map.
        where : ndarray of bool, same shape
            Its valid pixels.
        stream : numpy.random.Generator
            Of this source.

        Returns
        -------
        used : ndarray of bool, same shape
            Pixels that are compared.
        surrogates : ndarray, shape (n_surrogates, n_used)
            The observed one first; without columns where the source cannot be used.
        """

    def check(self, valid: NDArray[np.bool_]) -> None:
        """Refuse valid pixels (n_sources, rows, columns) that the null cannot work on."""

    def tables(
        self,
        metrics: Sequence[Metric],
        maps: NDArray[np.float64],
        targets: Targets,
        valid: NDArray[np.bool_],
        *,
        others: Others | None = None,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Metrics of every version of every source's map with its own targets, the map itself first.

        Parameters
        ----------
        metrics, maps, targets, valid, others, rng
            As in :class:`~attnxai.agreement.nulls.NullModel`. For nulls within a footprint the valid
            pixels are the footprints.

        Returns
        -------
        ndarray, shape (n_metrics, n_annotators, n_sources, n_surrogates)
            NaN for sources that cannot be used, and for metrics that refuse the surrogates.
        """
        self.check(valid)
        tables = None
        needed = others_needed(metrics, targets, others)
        # a stream for every source: what one does leaves the others as they are
        for source, stream in enumerate(rng.spawn(len(maps))):
            where, surrogates = self.surrogates(
                np.asarray(maps[source], dtype=np.float64), valid[source], stream
            )
            if tables is None:
                tables = empty_tables(metrics, targets, len(surrogates))
            if not surrogates.size:
                continue
            own = {m.target: targets[m.target][:, source][:, where] for m in metrics}
            elsewhere = {kind: values[:, source][:, where] for kind, values in needed.items()}
            tables[:, :, source] = values_of_surrogates(metrics, surrogates, own, elsewhere)
        return empty_tables(metrics, targets, self.n_columns or 1) if tables is None else tables
