"""What maps are compared with: annotations as densities or masks, and the leave-one-out centre bias."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from attnxai.metrics.pixels import at_ordinary_scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Target = NDArray[np.floating] | NDArray[np.bool_]
    Targets = Mapping["TargetKind", Target]


class TargetKind(enum.StrEnum):
    """The form of an annotation that a metric compares with."""

    DENSITY = "density"
    MASK = "mask"


def leave_one_out_centre_bias(
    kind: TargetKind, targets: Target, elsewhere: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Sum of each annotator's targets over all sources but one, for each source that is left out.

    Shuffled AUC takes its negatives from it; information gain is measured relative to it.

    Parameters
    ----------
    kind : TargetKind
        Masks are counted. Densities are scaled to sum 1 over the field first, so that each source counts once.
    targets : ndarray, shape (n_annotators, n_sources, rows, columns)
        0 everywhere for sources that an annotator did not mark; these do not count.
    elsewhere : ndarray, shape (n_annotators, rows, columns), optional
        Sums over further sources, by :func:`sums_of_targets`, if the sources are one block of a larger set.

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
    found = sums_over_others(kind, fields, fields).reshape(targets.shape)
    return found if elsewhere is None else found + elsewhere[:, None]


def sums_of_targets(kind: TargetKind, targets: Target) -> NDArray[np.float64]:
    """Sum of each annotator's targets over all sources, as :func:`leave_one_out_centre_bias` adds them up."""
    fields = at_ordinary_scale(targets.reshape(*targets.shape[:2], -1))
    rows, scales = _scaled(kind, fields, fields)
    total = np.zeros((rows.shape[0], rows.shape[2]))
    for source in range(rows.shape[1]):
        total += rows[:, source] * scales[:, source, None]
    return total.reshape(len(targets), *targets.shape[2:])


def _scaled(kind: TargetKind, rows: Target, fields: Target) -> tuple[Target, NDArray[np.float64]]:
    """Rows and what each is multiplied by: masks are counted, densities scaled to sum 1 over the field."""
    if kind is TargetKind.MASK:
        return rows > 0, np.ones(fields.shape[:2])
    total = fields.sum(axis=2, dtype=np.float64)
    return rows, np.asarray(1 / np.where(total > 0, total, 1.0))


def sums_over_others(kind: TargetKind, rows: Target, fields: Target) -> NDArray[np.float64]:
    """Sums over the other sources of some pixels (n_annotators, n_sources, n_pixels) of targets.

    ``fields`` are the whole targets, over which densities are scaled to sum 1.
    """
    rows, scales = _scaled(kind, rows, fields)
    others = np.empty(rows.shape)
    running = np.zeros((rows.shape[0], rows.shape[2]))
    # sums of the sources before and of those after: a difference from the sum of all would leave rounding
    # errors where no other source is marked
    for source in range(rows.shape[1]):
        others[:, source] = running
        running += rows[:, source] * scales[:, source, None]
    running[:] = 0.0
    for source in reversed(range(rows.shape[1])):
        others[:, source] += running
        running += rows[:, source] * scales[:, source, None]
    return others
