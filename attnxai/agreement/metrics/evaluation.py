"""Metrics of every map with every target, on the same pixels.

A source permutation needs the metric of each source's map with each other source's annotation. The
functions here give that whole matrix at once; the functions of a single pair, such as
:func:`attnxai.agreement.metrics.ranking.auc`, are its one-by-one case, so the two cannot differ. Several metrics
asked for together share ranks and other parts, at most a few hundred rows at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.agreement.metrics.metric import Metric, TargetKind
from attnxai.agreement.metrics.pixels import (
    PixelRows,
    at_ordinary_scale,
    is_constant,
    pixels_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Target = NDArray[np.floating] | NDArray[np.bool_]
    Targets = Mapping[TargetKind, Target]
    Others = Mapping[TargetKind, NDArray[np.float64]]

_CHUNK = 64  # maps whose ranks and other parts are held at a time


def leave_one_out_centre_bias(kind: TargetKind, targets: Target) -> NDArray[np.float64]:
    """What each annotator marked on all sources but the one at hand.

    Shuffled AUC takes it for its negatives and information gain for its centre bias.

    Parameters
    ----------
    kind : TargetKind
        Whether targets are masks, of which it is counted how often each pixel is marked, or densities,
        which are scaled to sum 1 on the field first so that each source counts once.
    targets : ndarray, shape (n_annotators, n_sources, rows, columns)
        Sources that an annotator did not mark are 0 everywhere, and do not count.

    Returns
    -------
    ndarray, same shape
        Sums over the other sources.

    Examples
    --------
    >>> masks = np.eye(3, dtype=bool).reshape(1, 3, 1, 3)
    >>> leave_one_out_centre_bias(TargetKind.MASK, masks)[0, 0]
    array([[0., 1., 1.]])
    """
    fields = at_ordinary_scale(targets.reshape(*targets.shape[:2], -1))
    return _sums_over_others(kind, fields, fields).reshape(targets.shape)


def _sums_over_others(kind: TargetKind, rows: Target, fields: Target) -> NDArray[np.float64]:
    """Sums over the other sources of rows, which are some pixels of fields (n_annotators, n_sources, n_pixels)."""
    if kind is TargetKind.MASK:
        rows, scales = rows > 0, np.ones(fields.shape[:2])
    else:
        total = fields.sum(axis=2, dtype=np.float64)
        scales = np.asarray(1 / np.where(total > 0, total, 1.0))
    others = np.empty(rows.shape)
    running = np.zeros((rows.shape[0], rows.shape[2]))
    # sums of those before and of those after: a difference from the sum of all would leave rounding
    # errors where no other source is marked
    for source in range(rows.shape[1]):
        others[:, source] = running
        running += rows[:, source] * scales[:, source, None]
    running[:] = 0.0
    for source in reversed(range(rows.shape[1])):
        others[:, source] += running
        running += rows[:, source] * scales[:, source, None]
    return others


def agreement_tables(
    metrics: Sequence[Metric],
    maps: NDArray[np.floating],
    targets: Targets,
    where: NDArray[np.bool_],
    *,
    others: Others | None = None,
) -> NDArray[np.float64]:
    """Several metrics of every map of every source with every target of every source.

    All pairs are compared over the same pixels: if each pair had its own, the pairs that belong
    together would differ from the others in what they are compared over, and a permutation test would
    find that.

    Parameters
    ----------
    metrics : sequence of Metric
        What to compute; together they cost less than one by one.
    maps : ndarray, shape (n_explanations, n_sources, rows, columns)
        On one common field.
    targets : mapping of TargetKind to ndarray, shape (n_annotators, n_sources, rows, columns)
        Densities and masks on the same field, as the metrics need.
    where : ndarray of bool, shape (rows, columns)
        Pixels that count.
    others : mapping of TargetKind to ndarray, same shape as targets, optional
        What is marked on the other sources, for metrics that need it; by default
        :func:`leave_one_out_centre_bias`.

    Returns
    -------
    ndarray, shape (n_metrics, n_explanations, n_annotators, n_sources, n_sources)
        The last two axes are the source of the map and the source of the target; NaN where undefined.
    """
    n_explanations, n = maps.shape[:2]
    n_annotators = len(next(iter(targets.values())))
    values = np.full((len(metrics), n_explanations * n, n_annotators * n), np.nan)
    if where.any() and metrics:
        kinds = {metric.target for metric in metrics}
        fields = {
            kind: at_ordinary_scale(targets[kind].reshape(n_annotators, n, -1)) for kind in kinds
        }
        pixels = np.flatnonzero(where)
        picked = {kind: np.take(array, pixels, axis=-1) for kind, array in fields.items()}
        target_rows = {kind: _flat_rows(rows) for kind, rows in picked.items()}
        other_rows = {
            kind: _flat_rows(pixels_of(others[kind], where))
            if others is not None and kind in others
            else _flat_rows(_sums_over_others(kind, picked[kind], fields[kind]))
            for kind in _kinds_of_others(metrics)
        }
        flat_maps = maps.reshape(n_explanations * n, *where.shape)
        for start in range(0, len(flat_maps), _CHUNK):
            some = slice(start, start + _CHUNK)
            rows = PixelRows(pixels_of(flat_maps[some], where))
            for m, metric in enumerate(metrics):
                values[m, some] = metric.evaluate(
                    rows, target_rows[metric.target], other_rows.get(metric.target)
                )
    shape = (len(metrics), n_explanations, n, n_annotators, n)
    return values.reshape(shape).transpose(0, 1, 3, 2, 4)


def _kinds_of_others(metrics: Sequence[Metric]) -> set[TargetKind]:
    return {metric.target for metric in metrics if metric.needs_others}


def _flat_rows(rows: NDArray[Any]) -> PixelRows:
    """Rows (n_annotators * n_sources, n_pixels) of arrays (n_annotators, n_sources, n_pixels)."""
    return PixelRows(rows.reshape(-1, rows.shape[-1]))


def agreement_matrices(
    metric: Metric,
    maps: NDArray[np.floating],
    targets: Target,
    where: NDArray[np.bool_],
    *,
    others: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Metric of every map of every source with every target of every source.

    Parameters
    ----------
    metric : Metric
        What to compute.
    maps, where
        As in :func:`agreement_tables`.
    targets : ndarray, shape (n_annotators, n_sources, rows, columns)
        Densities or masks, as the metric needs.
    others : ndarray, same shape as targets, optional
        What is marked on the other sources, if the metric needs it; by default
        :func:`leave_one_out_centre_bias`.

    Returns
    -------
    ndarray, shape (n_explanations, n_annotators, n_sources, n_sources)
        The last two axes are the source of the map and the source of the target; NaN where undefined.
    """
    kind = metric.target
    given = None if others is None else {kind: others}
    return np.asarray(agreement_tables([metric], maps, {kind: targets}, where, others=given)[0])


def own_tables(
    metrics: Sequence[Metric],
    maps: NDArray[np.floating],
    targets: Targets,
    valid: NDArray[np.bool_],
    *,
    others: Others | None = None,
) -> NDArray[np.float64]:
    """Several metrics of every source's maps with its own targets, over its own valid pixels.

    Parameters
    ----------
    metrics, maps, targets, others
        As in :func:`agreement_tables`.
    valid : ndarray of bool, shape (n_sources, rows, columns)
        Pixels that count for each source.

    Returns
    -------
    ndarray, shape (n_metrics, n_explanations, n_annotators, n_sources)
        NaN where undefined.
    """
    n_annotators = len(next(iter(targets.values())))
    values = np.full((len(metrics), len(maps), n_annotators, len(valid)), np.nan)
    elsewhere = {
        kind: others[kind]
        if others is not None and kind in others
        else leave_one_out_centre_bias(kind, targets[kind])
        for kind in _kinds_of_others(metrics)
    }
    for source, where in enumerate(valid):
        if not where.any():
            continue
        rows = PixelRows(pixels_of(maps[:, source], where))
        target_rows, other_rows = (
            {kind: PixelRows(pixels_of(array[:, source], where)) for kind, array in arrays.items()}
            for arrays in (targets, elsewhere)
        )
        for m, metric in enumerate(metrics):
            values[m, :, :, source] = metric.evaluate(
                rows, target_rows[metric.target], other_rows.get(metric.target)
            )
    return values


def own_values(
    metric: Metric,
    maps: NDArray[np.floating],
    targets: Target,
    valid: NDArray[np.bool_],
    *,
    others: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Metric of every source's maps with its own targets, over the source's own valid pixels.

    Parameters
    ----------
    metric, maps, targets, others
        As in :func:`agreement_matrices`.
    valid : ndarray of bool, shape (n_sources, rows, columns)
        Pixels that count for each source.

    Returns
    -------
    ndarray, shape (n_explanations, n_annotators, n_sources)
    """
    kind = metric.target
    given = None if others is None else {kind: others}
    return np.asarray(own_tables([metric], maps, {kind: targets}, valid, others=given)[0])


def chance_values(metric: Metric, targets: Target, valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Value without agreement for every annotator and source.

    For region metrics and average precision it is the mean over pixels taken at random. For similarity
    and KL divergence it is the value of a map that is the same everywhere, and for information gain
    that of the centre bias.

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
    """
    shape = targets.shape[:2]
    if metric.chance is not None:
        return np.full(shape, metric.chance)
    values = np.full(shape, np.nan)
    if metric.chance_of is not None:
        for source, where in enumerate(valid):
            if where.any():
                rows = pixels_of(targets[:, source], where).astype(np.float64)
                values[:, source] = metric.chance_of(rows)
    return values


def reason_undefined(
    metric: Metric,
    map_values: NDArray[np.floating],
    target: Target,
    others: NDArray[np.float64] | None = None,
) -> str:
    """Why a metric has no value for a map and a target, all over valid pixels only."""
    if map_values.size == 0:
        return "no valid pixels"
    if not np.isfinite(map_values).all():
        return "the map has values that are not finite"
    if not target.any():
        return "the annotation lies outside the pixels that the network sees"
    if metric.target is TargetKind.MASK and target.all():
        return "the annotation covers every pixel"
    if is_constant(PixelRows(map_values.reshape(1, -1)))[0]:
        return "the map is constant"
    if not metric.signed_maps and map_values.min() < 0:
        return "the map has negative values, which this metric does not accept"
    if metric.needs_others and (others is None or not others.any()):
        return "nothing is marked on the other sources"
    if is_constant(PixelRows(target.reshape(1, -1)))[0]:
        return "the annotation is constant"
    return "the values are undefined"
