"""The metrics under one protocol: every map against every target, on the same pixels.

A source permutation needs the metric of each source's map with each other source's annotation. The
functions here give that whole matrix at once; the functions of a single pair, in :mod:`~.ranking`,
:mod:`~.density` and :mod:`~.overlap`, are its one-by-one case, so the two cannot differ.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.density import pairwise_nss
from attnxai.agreement.overlap import (
    pairwise_relevance_mass_accuracy,
    pairwise_relevance_rank_accuracy,
)
from attnxai.agreement.ranking import pairwise_auc, pairwise_spearman

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pairwise = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


class TargetKind(enum.StrEnum):
    """Which form of an annotation a metric compares with."""

    DENSITY = "density"
    MASK = "mask"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A measure of agreement.

    Parameters
    ----------
    name : str
        Its name in files.
    label : str
        Its name in text and figures.
    pairwise : callable
        From maps (n, n_pixels) and targets (m, n_pixels) to values (n, m); NaN where undefined.
    target : TargetKind
        Whether targets are densities or masks.
    chance : float or None
        Value without agreement; None where it is the share of pixels that is marked.
    signed_maps : bool
        Whether maps with negative values are accepted.
    meaning : str
        One sentence for readers.
    """

    name: str
    label: str
    pairwise: Pairwise
    target: TargetKind
    chance: float | None
    signed_maps: bool
    meaning: str


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            name="nss",
            label="NSS",
            pairwise=pairwise_nss,
            target=TargetKind.DENSITY,
            chance=0.0,
            signed_maps=True,
            meaning="mean of the standardised map where people marked, in standard deviations",
        ),
        Metric(
            name="spearman",
            label="Spearman ρ",
            pairwise=pairwise_spearman,
            target=TargetKind.DENSITY,
            chance=0.0,
            signed_maps=True,
            meaning="rank correlation of map and marked density over the pixels of the field",
        ),
        Metric(
            name="auc",
            label="AUC",
            pairwise=pairwise_auc,
            target=TargetKind.MASK,
            chance=0.5,
            signed_maps=True,
            meaning="probability that the map is higher on a marked pixel than on an unmarked one",
        ),
        Metric(
            name="relevance_mass_accuracy",
            label="Relevance mass",
            pairwise=pairwise_relevance_mass_accuracy,
            target=TargetKind.MASK,
            chance=None,
            signed_maps=False,
            meaning="share of the map's sum that lies on marked pixels",
        ),
        Metric(
            name="relevance_rank_accuracy",
            label="Relevance rank",
            pairwise=pairwise_relevance_rank_accuracy,
            target=TargetKind.MASK,
            chance=None,
            signed_maps=True,
            meaning="share of the highest pixels that are marked, taking as many as are marked",
        ),
    )
}

PRIMARY_METRIC = "nss"


def agreement_matrices(
    metric: Metric,
    maps: NDArray[np.float64],
    targets: NDArray[np.floating] | NDArray[np.bool_],
    where: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Metric of every map of every source with every target of every source.

    All pairs are compared over the same pixels: if each pair had its own, the pairs that belong
    together would differ from the others in what they are compared over, and a permutation test would
    find that.

    Parameters
    ----------
    metric : Metric
        What to compute.
    maps : ndarray, shape (n_explanations, n_sources, rows, columns)
        On one common field.
    targets : ndarray, shape (n_annotators, n_sources, rows, columns)
        On the same field.
    where : ndarray of bool, shape (rows, columns)
        Pixels that count.

    Returns
    -------
    ndarray, shape (n_explanations, n_annotators, n_sources, n_sources)
        The last two axes are the source of the map and the source of the target; NaN where undefined.
    """
    n_explanations, n = maps.shape[:2]
    n_annotators = len(targets)
    if not where.any():
        return np.full((n_explanations, n_annotators, n, n), np.nan)
    values = metric.pairwise(
        maps[:, :, where].reshape(n_explanations * n, -1),
        targets[:, :, where].reshape(n_annotators * n, -1).astype(np.float64),
    )
    return values.reshape(n_explanations, n, n_annotators, n).transpose(0, 2, 1, 3)


def own_values(
    metric: Metric,
    maps: NDArray[np.float64],
    targets: NDArray[np.floating] | NDArray[np.bool_],
    valid: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Metric of every source's maps with its own targets, over the source's own valid pixels.

    Parameters
    ----------
    metric, maps, targets
        As in :func:`agreement_matrices`.
    valid : ndarray of bool, shape (n_sources, rows, columns)
        Pixels that count for each source.

    Returns
    -------
    ndarray, shape (n_explanations, n_annotators, n_sources)
    """
    values = np.full((len(maps), len(targets), len(valid)), np.nan)
    for source, where in enumerate(valid):
        if where.any():
            values[:, :, source] = metric.pairwise(
                maps[:, source, where], targets[:, source, where].astype(np.float64)
            )
    return values


def chance_values(
    metric: Metric, targets: NDArray[np.bool_], valid: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Value without agreement for every annotator and source, shape (n_annotators, n_sources).

    For relevance accuracies it is the share of the valid pixels that is marked.
    """
    shape = targets.shape[:2]
    if metric.chance is not None:
        return np.full(shape, metric.chance)
    n_valid = np.maximum(valid.sum(axis=(1, 2)), 1)
    return np.asarray((targets & valid).sum(axis=(2, 3)) / n_valid)


def reason_undefined(
    metric: Metric,
    map_values: NDArray[np.float64],
    target: NDArray[np.floating] | NDArray[np.bool_],
) -> str:
    """Why a metric has no value for a map and a target, both over valid pixels only."""
    if map_values.size == 0:
        return "no valid pixels"
    if not target.any():
        return "the annotation lies outside the pixels that the network sees"
    if metric.target is TargetKind.MASK and target.all():
        return "the annotation covers every pixel"
    if map_values.max() == map_values.min():
        return "the map is constant"
    if not metric.signed_maps and map_values.min() < 0:
        return "the map has negative values, which this metric does not accept"
    if target.max() == target.min():
        return "the annotation is constant"
    return "the values are undefined"
