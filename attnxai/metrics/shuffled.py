"""Shuffled AUC: the area under the ROC curve against the marks of the other sources.

Negatives from other sources have the same centre bias as the marks, so a map that is merely high in the middle
gains nothing by it (Tatler et al. 2005, Zhang et al. 2008). All marked pixels of all other sources are used,
each as often as it is marked, rather than a random sample of them.

Over all pairs it is a product of matrices. Against the marks of all sources of an annotator, the source's
own among them, each pixel of a map beats a number of marks that does not depend on the target. The sum of
these numbers over a target's k pixels counts its own marks as negatives, too: against itself a set of k
values wins exactly k^2 / 2, and that is taken off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.metrics.metric import register_metric
from attnxai.metrics.pixels import PixelRows, marked, n_marked, totals
from attnxai.metrics.ranking import ordering
from attnxai.metrics.targets import TargetKind

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _groups(
    targets: PixelRows, others: PixelRows
) -> list[tuple[NDArray[np.float64], slice | list[int]]]:
    """Marks of all sources together, and the targets that have them in common."""
    rows: dict[bytes, list[int]] = {}
    weights: dict[bytes, NDArray[np.float64]] = {}
    for j, (own, other) in enumerate(zip(marked(targets), others.values, strict=True)):
        together = own + other
        key = together.tobytes()
        weights.setdefault(key, together)
        rows.setdefault(key, []).append(j)
    return [(weights[key], _without_gaps(rows[key])) for key in rows]


def _without_gaps(rows: list[int]) -> slice | list[int]:
    """Rows as a slice where they follow on each other: nothing is copied then."""
    whole = slice(rows[0], rows[-1] + 1)
    return whole if len(rows) == whole.stop - whole.start else rows


def _beaten(maps: PixelRows, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of the weights on pixels that are lower, and half of those that are tied; (n, n_pixels)."""
    found = ordering(maps)
    beaten = np.empty((len(maps), maps.n_pixels))
    up_to = np.zeros(maps.n_pixels + 1)
    for i, (order, below, tied) in enumerate(zip(*found, strict=True)):
        np.cumsum(weights[order], out=up_to[1:])
        beaten[i] = 0.5 * (up_to[below] + up_to[below + tied])
    return beaten


@register_metric(
    label="Shuffled AUC",
    meaning=(
        "probability that the map is higher on a pixel marked on this source than on one marked on another "
        "source"
    ),
    formula="AUC with the pixels annotated on other sources in place of the unmarked ones",
    target=TargetKind.MASK,
    chance=0.5,
    bounds=(0.0, 1.0),
    needs_others=True,
    shows_avoidance=True,
)
def shuffled_auc(maps: PixelRows, targets: PixelRows, others: PixelRows) -> NDArray[np.float64]:
    """Probability that a map is higher on a mark of this source than on one of another source.

    Ties count half. A pixel that is marked here and there counts on both sides.

    Notes
    -----
    It is fast when few sums of own and other marks differ, as where each annotator's masks are compared with
    the others of the same annotator. Anything else is right, and slow.

    Examples
    --------
    >>> shuffled_auc([1, 2, 3, 4], [0, 0, 0, 1], others=[0, 1, 2, 1])
    0.875
    """
    masks, count, weight = marked(targets), n_marked(targets), totals(others)
    values = np.empty((len(maps), len(targets)))
    for weights, columns in targets.once(_groups, others):
        wins = _beaten(maps, weights) @ masks[columns].T
        k = count[columns]
        values[:, columns] = (wins - 0.5 * k**2) / (k * weight[columns])
    return values
