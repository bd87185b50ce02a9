"""Toroidal shifts of maps: what leaves the field on one side comes back on the other.

Metrics that are sums of products of a map and an annotation are computed for all shifts at once, as one
correlation by Fourier transforms; so are rank metrics, since ranks shift with their pixels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.errors import OptionError
from attnxai.metrics import PixelRows
from attnxai.metrics.evaluation import centre_biases
from attnxai.nulls.footprints import centred_rectangle
from attnxai.nulls.null_model import NullModel, register_null
from attnxai.nulls.surrogates import empty_tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.metrics.metric import Metric
    from attnxai.metrics.targets import Targets

    Array = NDArray[np.float64]

_CHUNK = 128  # surrogates of a map that are held at a time when a metric is not a product


def shifted_values(
    metric: Metric,
    map: NDArray[np.floating],
    target: NDArray[np.floating] | NDArray[np.bool_],
    others: NDArray[np.float64] | None = None,
) -> Array:
    """A metric under every toroidal shift of a map.

    Parameters
    ----------
    metric : Metric
        What to compute; by Fourier transforms if it has :attr:`~attnxai.metrics.Metric.factors`.
    map, target : ndarray, shape (rows, columns)
        A map, and the density or mask that the metric compares with.
    others : ndarray, shape (rows, columns), optional
        Leave-one-out centre bias, for metrics that need it.

    Returns
    -------
    ndarray, shape (rows, columns)
        Entry (i, j) is the value when the map is moved by i rows and j columns, as by
        :func:`numpy.roll`; all NaN where the metric is undefined.

    Examples
    --------
    >>> from attnxai.metrics import METRICS
    >>> map, target = np.eye(3), np.eye(3)[:, [2, 0, 1]]
    >>> shifted_values(METRICS["relevance_rank_accuracy"], map, target).round(6)[0]
    array([0., 1., 0.])
    """
    from scipy.fft import irfft2, rfft2

    shape = map.shape
    rows, target_rows = PixelRows(map.reshape(1, -1)), PixelRows(target.reshape(1, -1))
    elsewhere = None if others is None else others.reshape(1, -1)
    if metric.factors is None:
        shifts = np.arange(map.size)
        field = rows.values.reshape(shape)
        values = _one_by_one(metric, field, target_rows.values, elsewhere, shifts)
        return np.asarray(values.reshape(shape))
    observed = metric.evaluate(rows, target_rows, elsewhere)[0, 0]
    if not np.isfinite(observed):  # why it is undefined does not depend on the shift
        return np.full(shape, np.nan)
    first, second = (factor.reshape(shape) for factor in metric.factors(rows, target_rows))
    values = np.asarray(irfft2(np.conj(rfft2(first)) * rfft2(second), shape))
    if metric.of_product is not None:
        values = metric.of_product(values)
    # the constant follows from the observed value
    return np.asarray(values + (observed - values[0, 0]))


def _one_by_one(
    metric: Metric,
    map: Array,
    targets: Array,
    others: Array | None,
    shifts: NDArray[np.intp],
) -> Array:
    """A metric under some shifts, for targets (m, n_pixels); shape (m, n_shifts)."""
    rows, columns = map.shape
    values = np.empty((len(targets), len(shifts)))
    for start in range(0, len(shifts), _CHUNK):
        some = shifts[start : start + _CHUNK]
        y = (np.arange(rows)[None, :] - some[:, None] // columns) % rows
        x = (np.arange(columns)[None, :] - some[:, None] % columns) % columns
        moved = map[y[:, :, None], x[:, None, :]].reshape(len(some), -1)
        values[:, start : start + len(some)] = metric.evaluate(moved, targets, others).T
    return values


@register_null
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToroidalShift(NullModel):
    """Shift maps over the field; what leaves on one side comes back on the other.

    Compared is the largest rectangle about the field's centre whose pixels are valid for all sources:
    the full field where nothing is cut off.

    Parameters
    ----------
    n_shifts : int or None
        Number of shifts beside the observed position, drawn without replacement for each source; None for
        all.

    Raises
    ------
    OptionError
        If ``n_shifts`` is below 1.

    Examples
    --------
    >>> import attnxai
    >>> null = attnxai.nulls.ToroidalShift(n_shifts=99)
    >>> null.name, attnxai.ComparisonSettings(nulls=(null,)).null_names
    ('shift', ('shift',))
    """

    name = "shift"
    label = "toroidal shift"
    question = "Does the map lie where the annotation lies, rather than anywhere on the field?"
    assumes = (
        "Maps could lie anywhere on their field, which is periodic. Rejects far too often when maps and "
        "annotations are both centred, as in cutouts of single sources."
    )

    n_shifts: int | None = 999

    def __post_init__(self) -> None:
        if self.n_shifts is not None and self.n_shifts < 1:
            raise OptionError(f"n_shifts has to be 1 or more, got {self.n_shifts}")

    def tables(
        self,
        metrics: Sequence[Metric],
        maps: NDArray[np.float64],
        targets: Targets,
        valid: NDArray[np.bool_],
        *,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Metrics of every source under shifts, the observed position first; see :class:`NullModel`."""
        rows, columns = centred_rectangle(np.asarray(valid.all(axis=0)))
        inside = np.asarray(maps, dtype=np.float64)[:, rows, columns]
        n_pixels = inside[0].size
        n_columns = n_pixels if self.n_shifts is None else min(self.n_shifts + 1, n_pixels)
        tables = empty_tables(metrics, targets, n_columns)
        needed = centre_biases(metrics, targets)
        if n_pixels == 0:
            return tables
        for source, stream in enumerate(rng.spawn(len(maps))):
            shifts = np.arange(n_pixels)
            if n_columns < n_pixels:
                drawn = stream.choice(n_pixels - 1, size=n_columns - 1, replace=False) + 1
                shifts = np.concatenate([[0], drawn])
            for m, metric in enumerate(metrics):
                kind = metric.target
                own = targets[kind][:, source, rows, columns].astype(np.float64)
                elsewhere = needed[kind][:, source, rows, columns] if metric.needs_others else None
                if metric.factors is not None:
                    for a, target in enumerate(own):
                        other = None if elsewhere is None else elsewhere[a]
                        values = shifted_values(metric, inside[source], target, other)
                        tables[m, a, source] = values.ravel()[shifts]
                else:
                    tables[m, :, source] = _one_by_one(
                        metric,
                        inside[source],
                        own.reshape(len(own), -1),
                        None if elsewhere is None else elsewhere.reshape(len(own), -1),
                        shifts,
                    )
        return tables
