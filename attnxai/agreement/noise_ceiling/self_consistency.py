"""Self-consistency: how well annotators who look at a source again agree with themselves.

The later look is scored as a prediction of the first, by the metric and over the pixels by which an annotator is scored
against the consensus of the others (:mod:`~.ceiling`), which for two annotators is one look of another person. So the two
figures can be compared: what annotators differ by beyond what one of them differs by from look to look.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.noise_ceiling.ceiling import mean_vote, votes_of
from attnxai.errors import OptionError
from attnxai.metrics import TargetKind, own_tables
from attnxai.metrics.pixels import pixels_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.alignment.looks import Look
    from attnxai.metrics import Consensus, Metric


def self_consistencies(
    metrics: Sequence[Metric],
    density: NDArray[np.floating],
    mask: NDArray[np.bool_],
    present: NDArray[np.bool_],
    valid: NDArray[np.bool_],
    looks: Sequence[Look],
) -> NDArray[np.float64]:
    """Agreement of every annotator's later looks with the own first one.

    Parameters
    ----------
    metrics : sequence of Metric
        What to compute.
    density, mask : ndarray, shape (n_annotators, n_sources, rows, columns)
        First looks: how strongly, and whether, each pixel is marked.
    present : ndarray of bool, shape (n_annotators, n_sources)
        Which annotator marked which source.
    valid : ndarray of bool, shape (n_sources, rows, columns)
        Pixels that count.
    looks : sequence of Look
        Later ones, such as :attr:`attnxai.alignment.AlignedPairs.looks`.

    Returns
    -------
    ndarray, shape (n_metrics, n_annotators, n_sources)
        Mean over the later looks; NaN where there is none, or the metric is undefined.

    Examples
    --------
    >>> from attnxai.alignment.looks import Look
    >>> from attnxai.metrics import METRICS
    >>> first = np.eye(4)[None, None]
    >>> there = np.ones((1, 1), bool)
    >>> look = Look(round=2, density=first, mask=first > 0, present=there)
    >>> everywhere = np.ones((1, 4, 4), bool)
    >>> self_consistencies([METRICS["correlation"]], first, first > 0, there, everywhere, [look])
    array([[[1.]]])
    """
    wrong = [look.density.shape for look in looks if look.density.shape != density.shape]
    if wrong:
        raise OptionError(
            f"looks need the shape of the first ones, {density.shape}, got {wrong[0]}"
        )
    there = np.asarray(present, dtype=bool)
    fields = there[:, :, None, None]
    targets = {
        TargetKind.DENSITY: np.where(fields, density, np.zeros((), density.dtype)),
        TargetKind.MASK: mask & fields,
    }
    alike: dict[Consensus, list[int]] = {}
    for m, metric in enumerate(metrics):
        alike.setdefault(metric.consensus, []).append(m)
    total, n_looks = np.zeros((2, len(metrics), *there.shape))
    annotators = np.arange(len(there))
    for look in looks:
        again = np.asarray(look.present & there)
        # other sources are not computed, but are the others that some metrics need
        where = np.asarray(valid) & np.asarray(again.any(axis=0))[:, None, None]
        for kind, members in alike.items():
            tables = own_tables(
                [metrics[m] for m in members], _as_votes(look, again, where, kind), targets, where
            )
            values = np.where(again, tables[:, annotators, annotators], np.nan)
            defined = np.isfinite(values)
            total[members] += np.where(defined, values, 0.0)
            n_looks[members] += defined
    return np.where(n_looks > 0, total / np.maximum(n_looks, 1), np.nan)


def _as_votes(
    look: Look, again: NDArray[np.bool_], valid: NDArray[np.bool_], kind: Consensus
) -> NDArray[np.float64]:
    """Later looks as the consensus of one annotator; constant, so without a score, where there is none."""
    predictions = np.zeros(look.density.shape)
    for annotator, source in np.argwhere(again):
        where = valid[source]
        if where.any():
            marked = pixels_of(look.density[[annotator], source], where).astype(np.float64)
            votes = votes_of(marked, kind)
            if np.isfinite(votes).all():
                predictions[annotator, source, where] = mean_vote(votes)
    return predictions
