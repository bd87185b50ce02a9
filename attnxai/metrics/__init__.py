"""How well a map agrees with an annotation: the metrics, and their values over stacks of sources.

Every metric is a :class:`Metric`, called with a map and a target::

    attnxai.metrics.nss(map, density)

and registered under its name in :data:`METRICS`. :func:`register_metric` adds another.
"""

from attnxai.metrics.concordance import kendall
from attnxai.metrics.density import correlation, information_gain, negative_kl, nss, similarity
from attnxai.metrics.evaluation import agreement_tables, chance_values, own_tables
from attnxai.metrics.metric import METRICS, Consensus, Metric, register_metric
from attnxai.metrics.overlap import (
    dice,
    iou,
    pointing_game,
    relevance_mass_accuracy,
    relevance_rank_accuracy,
    top_intersection,
    widened_mask,
)
from attnxai.metrics.partial import partial_spearman
from attnxai.metrics.pixels import PixelRows
from attnxai.metrics.ranking import auc, average_precision, shuffled_auc, spearman
from attnxai.metrics.targets import TargetKind, leave_one_out_centre_bias

DEFAULT_METRICS = tuple(
    metric.name for metric in (nss, spearman, auc, relevance_mass_accuracy, relevance_rank_accuracy)
)
"""Metrics that a comparison computes unless others are named; conclusions rest on the first."""
PRIMARY_METRIC = DEFAULT_METRICS[0]

__all__ = [
    "DEFAULT_METRICS",
    "METRICS",
    "PRIMARY_METRIC",
    "Consensus",
    "Metric",
    "PixelRows",
    "TargetKind",
    "agreement_tables",
    "auc",
    "average_precision",
    "chance_values",
    "correlation",
    "dice",
    "information_gain",
    "iou",
    "kendall",
    "leave_one_out_centre_bias",
    "negative_kl",
    "nss",
    "own_tables",
    "partial_spearman",
    "pointing_game",
    "register_metric",
    "relevance_mass_accuracy",
    "relevance_rank_accuracy",
    "shuffled_auc",
    "similarity",
    "spearman",
    "top_intersection",
    "widened_mask",
]
