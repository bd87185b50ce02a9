"""Metrics of stacks of maps: of every map with every target, and of every map with its own.

A permutation across sources needs the metric of each source's map with each other source's annotation, so all
pairs are computed at once. Metrics that are computed together share ranks and other derived rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.metrics.pixels import PixelRows, at_ordinary_scale, pixels_of
from attnxai.metrics.targets import (
    TargetKind,
    leave_one_out_centre_bias,
    sums_over_others,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.metrics.metric import Metric
    from attnxai.metrics.targets import Target, Targets

_CHUNK = 64  # maps whose ranks and other parts are held at a time


def agreement_tables(
    metrics: Sequence[Metric],
    maps: NDArray[np.floating] | Sequence[NDArray[np.floating]],
    targets: Targets,
    where: NDArray[np.bool_],
    *,
    elsewhere: Mapping[TargetKind, NDArray[np.float64]] | None = None,
) -> NDArray[np.float64]:
    """Several metrics of each source's maps with the targets of every source.

    All pairs are compared over the same pixels: if each pair had its own, the pairs that belong together would
    differ from the others in what they are compared over, and a permutation test would detect that.

    Parameters
    ----------
    metrics : sequence of Metric
        What to compute; together they cost less than one after the other.
    maps : ndarray, shape (n_explanations, n_sources, rows, columns)
        On one common field; or a sequence of arrays of one shape.
    targets : mapping of TargetKind to ndarray, shape (n_annotators, n_sources, rows, columns)
        Densities and masks on the same field, as the metrics need.
    where : ndarray of bool, shape (rows, columns)
        Pixels that count.
    elsewhere : mapping of TargetKind to ndarray, shape (n_annotators, rows, columns), optional
        Sums over further sources, if the sources are one block of a larger set: see
        :func:`~attnxai.metrics.leave_one_out_centre_bias`.

    Returns
    -------
    ndarray, shape (n_metrics, n_explanations, n_annotators, n_sources, n_sources)
        The last two axes are the source of the map and the source of the target; NaN where undefined.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> from attnxai.metrics import METRICS, TargetKind
    >>> rng = np.random.default_rng(0)
    >>> density = rng.random((1, 3, 4, 4))  # one annotator, three sources
    >>> targets = {TargetKind.DENSITY: density, TargetKind.MASK: density > 0.5}
    >>> table = attnxai.metrics.agreement_tables([METRICS["nss"]], density, targets, np.ones((4, 4), bool))
    >>> table.shape  # metrics, maps, annotators, source of the map, source of the target
    (1, 1, 1, 3, 3)
    >>> table[0, 0, 0].argmax(axis=1)
    array([0, 1, 2])
    """
    n_explanations, n = len(maps), len(maps[0])
    n_annotators = len(next(iter(targets.values())))
    values = np.full((len(metrics), n_explanations * n, n_annotators * n), np.nan)
    if where.any() and metrics:
        kinds = {metric.target for metric in metrics}
        fields = {
            kind: at_ordinary_scale(targets[kind].reshape(n_annotators, n, -1)) for kind in kinds
        }
        pixels = np.flatnonzero(where)
        picked = {kind: np.take(array, pixels, axis=-1) for kind, array in fields.items()}
        others = {k: sums_over_others(k, picked[k], fields[k]) for k in _need_others(metrics)}
        further = elsewhere or {}
        for kind in set(others) & set(further):
            others[kind] += further[kind].reshape(n_annotators, 1, -1)[..., pixels]
        target_rows, other_rows = (
            {kind: PixelRows(rows.reshape(-1, len(pixels))) for kind, rows in arrays.items()}
            for arrays in (picked, others)
        )
        del fields, picked, others
        for start in range(0, n_explanations * n, _CHUNK):
            some = range(start, min(start + _CHUNK, n_explanations * n))
            # only these maps are copied
            rows = PixelRows(np.stack([np.take(maps[i // n][i % n], pixels) for i in some]))
            for m, metric in enumerate(metrics):
                values[m, some.start : some.stop] = metric.evaluate(
                    rows, target_rows[metric.target], other_rows.get(metric.target)
                )
    shape = (len(metrics), n_explanations, n, n_annotators, n)
    return values.reshape(shape).transpose(0, 1, 3, 2, 4)


def _need_others(metrics: Sequence[Metric]) -> set[TargetKind]:
    return {metric.target for metric in metrics if metric.needs_others}


def centre_biases(
    metrics: Sequence[Metric],
    targets: Targets,
    elsewhere: Mapping[TargetKind, NDArray[np.float64]] | None = None,
) -> dict[TargetKind, NDArray[np.float64]]:
    """The centre bias of the kinds of target for which metrics need it."""
    further = elsewhere or {}
    return {
        k: leave_one_out_centre_bias(k, targets[k], further.get(k)) for k in _need_others(metrics)
    }


class SourceRows:
    """Valid pixels ``where`` of one source's maps and targets, as rows, so that what is derived of them is derived once.

    ``source`` is its position, and ``maps`` its maps.
    """

    def __init__(
        self,
        source: int,
        where: NDArray[np.bool_],
        maps: NDArray[np.floating] | Sequence[NDArray[np.floating]],
        targets: Targets,
    ) -> None:
        self.source, self._where, self._targets = source, where, targets
        self.maps = PixelRows(np.stack([one[source][where] for one in maps]))
        self._rows: dict[TargetKind, PixelRows] = {}

    def targets(self, kind: TargetKind) -> PixelRows:
        """Its targets of a kind, one of each annotator."""
        if kind not in self._rows:
            self._rows[kind] = PixelRows(
                pixels_of(self._targets[kind][:, self.source], self._where)
            )
        return self._rows[kind]


def own_tables(
    metrics: Sequence[Metric],
    maps: NDArray[np.floating] | Sequence[NDArray[np.floating]],
    targets: Targets,
    valid: NDArray[np.bool_],
    *,
    elsewhere: Mapping[TargetKind, NDArray[np.float64]] | None = None,
    on_source: Callable[[SourceRows], None] | None = None,
) -> NDArray[np.float64]:
    """Several metrics of each source's maps with its own targets, over its own valid pixels.

    Parameters
    ----------
    metrics, maps, targets, elsewhere
        As in :func:`agreement_tables`.
    valid : ndarray of bool, shape (n_sources, rows, columns)
        Pixels that count for each source.
    on_source : callable, optional
        Called with the rows of every source that has valid pixels, for what else is computed of them.

    Returns
    -------
    ndarray, shape (n_metrics, n_explanations, n_annotators, n_sources)
        NaN where undefined.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> from attnxai.metrics import METRICS, TargetKind
    >>> maps = np.array([[[[4.0, 3.0], [2.0, 1.0]]]])  # one map of one source
    >>> marks = {TargetKind.MASK: np.array([[[[True, False], [False, False]]]])}
    >>> attnxai.metrics.own_tables([METRICS["auc"]], maps, marks, np.ones((1, 2, 2), bool)).item()
    1.0
    """
    n_annotators = len(next(iter(targets.values())))
    values = np.full((len(metrics), len(maps), n_annotators, len(valid)), np.nan)
    others = centre_biases(metrics, targets, elsewhere)
    for source, where in enumerate(valid):
        if not where.any():
            continue
        rows = SourceRows(source, where, maps, targets)
        other_rows = {
            kind: PixelRows(pixels_of(some[:, source], where)) for kind, some in others.items()
        }
        for m, metric in enumerate(metrics):
            values[m, :, :, source] = metric.evaluate(
                rows.maps, rows.targets(metric.target), other_rows.get(metric.target)
            )
        if on_source is not None:
            on_source(rows)
    return values


def chance_values(metric: Metric, targets: Target, valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Value without agreement for every annotator and source.

    It is the number ``chance`` of the metric or, where that depends on the annotation, what its ``chance_of`` gives: for
    shares of pixels, the share that is marked.

    Parameters
    ----------
    metric : Metric
        Which metric.
    targets : ndarray, shape (n_annotators, n_sources, rows, columns)
        Densities or masks, as the metric compares with.
    valid : ndarray of bool, shape (n_sources, rows, columns)
        Pixels that count for each source.

    Returns
    -------
    ndarray, shape (n_annotators, n_sources)
        NaN where it depends on an annotation that is empty, or no pixel is valid.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> from attnxai.metrics import METRICS
    >>> mask = np.zeros((1, 1, 4, 4), bool)
    >>> mask[..., :2, :2] = True  # a quarter of the pixels
    >>> attnxai.metrics.chance_values(METRICS["relevance_mass_accuracy"], mask, np.ones((1, 4, 4), bool))
    array([[0.25]])
    """
    shape = targets.shape[:2]
    if metric.chance_of is None:
        return np.full(shape, metric.chance, dtype=np.float64)
    values = np.full(shape, np.nan)
    for source, where in enumerate(valid):
        if where.any():
            values[:, source] = metric.chance_of(PixelRows(pixels_of(targets[:, source], where)))
    return values
