"""The registry of metrics.

Every metric is a function of one pair in :mod:`~.ranking`, :mod:`~.density`, :mod:`~.overlap` and the
modules beside them, and a function of all pairs of maps and targets at once, which is what
:class:`~.metric.Metric` holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.metrics.density import (
    pairwise_correlation,
    pairwise_nss,
    pairwise_similarity,
    similarity_of_uniform,
)
from attnxai.agreement.metrics.information import (
    negative_kl_of_uniform,
    pairwise_information_gain,
    pairwise_negative_kl,
)
from attnxai.agreement.metrics.kendall import pairwise_kendall
from attnxai.agreement.metrics.metric import Metric, TargetKind
from attnxai.agreement.metrics.overlap import (
    iou_by_chance,
    pairwise_iou,
    pairwise_relevance_mass_accuracy,
    pairwise_relevance_rank_accuracy,
    pairwise_top_intersection,
    top_intersection_by_chance,
)
from attnxai.agreement.metrics.pointing import pairwise_pointing_game
from attnxai.agreement.metrics.precision import (
    average_precision_by_chance,
    pairwise_average_precision,
)
from attnxai.agreement.metrics.ranking import pairwise_auc, pairwise_spearman
from attnxai.agreement.metrics.shuffled import pairwise_shuffled_auc

if TYPE_CHECKING:
    from numpy.typing import NDArray


def share_marked(targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the pixels of masks (m, n_pixels) that is marked; shape (m,)."""
    return np.asarray((targets > 0).mean(axis=1))


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
            default=True,
            shows_avoidance=True,
            meaning="mean of the standardised map where people marked, in standard deviations",
        ),
        Metric(
            name="spearman",
            label="Spearman ρ",
            pairwise=pairwise_spearman,
            target=TargetKind.DENSITY,
            chance=0.0,
            signed_maps=True,
            default=True,
            bounds=(-1.0, 1.0),
            shows_avoidance=True,
            meaning="rank correlation of map and marked density over the pixels of the field",
        ),
        Metric(
            name="auc",
            label="AUC",
            pairwise=pairwise_auc,
            target=TargetKind.MASK,
            chance=0.5,
            signed_maps=True,
            default=True,
            bounds=(0.0, 1.0),
            shows_avoidance=True,
            meaning="probability that the map is higher on a marked pixel than on an unmarked one",
        ),
        Metric(
            name="relevance_mass_accuracy",
            label="Relevance mass",
            pairwise=pairwise_relevance_mass_accuracy,
            target=TargetKind.MASK,
            chance=None,
            chance_of=share_marked,
            chance_formula="k / n",
            signed_maps=False,
            default=True,
            bounds=(0.0, 1.0),
            shows_avoidance=True,
            meaning="share of the map's sum that lies on marked pixels",
        ),
        Metric(
            name="relevance_rank_accuracy",
            label="Relevance rank",
            pairwise=pairwise_relevance_rank_accuracy,
            target=TargetKind.MASK,
            chance=None,
            chance_of=share_marked,
            chance_formula="k / n",
            signed_maps=True,
            default=True,
            bounds=(0.0, 1.0),
            meaning="share of the highest pixels that are marked, taking as many as are marked",
        ),
        Metric(
            name="shuffled_auc",
            label="Shuffled AUC",
            pairwise=pairwise_shuffled_auc,
            target=TargetKind.MASK,
            chance=0.5,
            signed_maps=True,
            needs_others=True,
            bounds=(0.0, 1.0),
            shows_avoidance=True,
            meaning=(
                "probability that the map is higher on a pixel marked on this source than on one marked "
                "on another source"
            ),
        ),
        Metric(
            name="correlation",
            label="Correlation r",
            pairwise=pairwise_correlation,
            target=TargetKind.DENSITY,
            chance=0.0,
            signed_maps=True,
            bounds=(-1.0, 1.0),
            shows_avoidance=True,
            meaning="linear correlation of map and marked density over the pixels of the field",
        ),
        Metric(
            name="information_gain",
            label="Information gain",
            pairwise=pairwise_information_gain,
            target=TargetKind.DENSITY,
            chance=0.0,
            signed_maps=False,
            needs_others=True,
            meaning=(
                "bits that the map, as a distribution, tells about where people mark, beyond where they "
                "mark on other sources"
            ),
        ),
        Metric(
            name="negative_kl",
            label="−KL divergence",
            pairwise=pairwise_negative_kl,
            target=TargetKind.DENSITY,
            chance=None,
            chance_of=negative_kl_of_uniform,
            chance_formula="that of a uniform map",
            signed_maps=False,
            bounds=(-np.inf, 0.0),
            meaning=(
                "minus the Kullback-Leibler divergence of the map, as a distribution, from the marked "
                "density, in bits: 0 where they are the same"
            ),
        ),
        Metric(
            name="pointing_game",
            label="Pointing game",
            pairwise=pairwise_pointing_game,
            target=TargetKind.MASK,
            chance=None,
            chance_of=share_marked,
            chance_formula="k / n",
            signed_maps=True,
            bounds=(0.0, 1.0),
            meaning="whether the highest pixel of the map is marked",
        ),
        Metric(
            name="iou",
            label="IoU",
            pairwise=pairwise_iou,
            target=TargetKind.MASK,
            chance=None,
            chance_of=iou_by_chance,
            chance_formula="that of k pixels at random",
            signed_maps=True,
            bounds=(0.0, 1.0),
            meaning=(
                "intersection over union of the marked pixels and as many of the highest pixels of the "
                "map"
            ),
        ),
        Metric(
            name="top_intersection",
            label="Top 5 %",
            pairwise=pairwise_top_intersection,
            target=TargetKind.DENSITY,
            chance=None,
            chance_of=top_intersection_by_chance,
            chance_formula="0.05",
            signed_maps=True,
            bounds=(0.0, 1.0),
            meaning=(
                "share of the highest 5 % of the map's pixels that are among the highest 5 % of the "
                "marked density"
            ),
        ),
        Metric(
            name="similarity",
            label="Similarity",
            pairwise=pairwise_similarity,
            target=TargetKind.DENSITY,
            chance=None,
            chance_of=similarity_of_uniform,
            chance_formula="that of a uniform map",
            signed_maps=False,
            fast=False,
            bounds=(0.0, 1.0),
            meaning="what map and marked density have in common when both are scaled to sum 1",
        ),
        Metric(
            name="average_precision",
            label="Average precision",
            pairwise=pairwise_average_precision,
            target=TargetKind.MASK,
            chance=None,
            chance_of=average_precision_by_chance,
            chance_formula="that of a random order",
            signed_maps=True,
            fast=False,
            bounds=(0.0, 1.0),
            meaning="mean precision over the marked pixels when pixels are taken from the highest down",
        ),
        Metric(
            name="kendall",
            label="Kendall τ",
            pairwise=pairwise_kendall,
            target=TargetKind.DENSITY,
            chance=0.0,
            signed_maps=True,
            fast=False,
            bounds=(-1.0, 1.0),
            shows_avoidance=True,
            meaning=(
                "pairs of pixels that map and marked density order alike, less those they do not, as a "
                "share of the pairs that neither ties (tau-b)"
            ),
        ),
        Metric(
            name="dice",
            label="Dice",
            pairwise=pairwise_relevance_rank_accuracy,
            target=TargetKind.MASK,
            chance=None,
            chance_of=share_marked,
            chance_formula="k / n",
            signed_maps=True,
            bounds=(0.0, 1.0),
            meaning=(
                "Dice coefficient of the marked pixels and as many of the highest pixels of the map: the "
                "same number as relevance rank accuracy"
            ),
        ),
    )
}

PRIMARY_METRIC = "nss"
DEFAULT_METRICS = tuple(name for name, metric in METRICS.items() if metric.default)
FAST_METRICS = tuple(name for name, metric in METRICS.items() if metric.fast and name != "dice")
"""Metrics whose cost over all pairs is that of products of matrices; Dice, a second name, left out."""
