"""Every metric against scipy, scikit-learn, or its formula written down again, with and without ties."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from attnxai.metrics import METRICS
from tests.metrics.test_registry import random_pair


def uniformly_mixed(values):
    return 0.99 * values / values.sum() + 0.01 / values.size


def among_highest(values, k):
    """Probability of each pixel to be among the k highest, lots deciding between ties."""
    above = values.size - stats.rankdata(values, "max")
    return np.clip((k - above) / (values[:, None] == values).sum(axis=1), 0, 1)


def at_own_area(map, target, others=None):
    return among_highest(map, (target > 0).sum())[target > 0].mean()


def shuffled_auc(map, target, others):
    """Each marked pixel as a positive, and as many times as it is marked elsewhere as a negative."""
    mask = target > 0
    scores = np.concatenate([map[mask], map])
    labels = np.arange(scores.size) < mask.sum()
    weights = np.concatenate([np.ones(mask.sum()), others])
    return roc_auc_score(labels, scores, sample_weight=weights)


def top_intersection(map, target, others):
    k = round(0.05 * map.size)
    return among_highest(map, k) @ among_highest(target, k) / k


REFERENCES = {
    "nss": lambda m, d, _: stats.zscore(m) @ d / d.sum(),
    "correlation": lambda m, d, _: np.corrcoef(m, d)[0, 1],
    "spearman": lambda m, d, _: stats.spearmanr(m, d).statistic,
    "kendall": lambda m, d, _: stats.kendalltau(m, d).statistic,
    "auc": lambda m, d, _: roc_auc_score(d > 0, m),
    "average_precision": lambda m, d, _: average_precision_score(d > 0, m),
    "shuffled_auc": shuffled_auc,
    "relevance_mass_accuracy": lambda m, d, _: m[d > 0].sum() / m.sum(),
    "relevance_rank_accuracy": at_own_area,
    "iou": lambda m, d, _: 1 / (2 / at_own_area(m, d) - 1),
    "top_intersection": top_intersection,
    "pointing_game": lambda m, d, _: (d > 0)[m == m.max()].mean(),
    "similarity": lambda m, d, _: np.minimum(m / m.sum(), d / d.sum()).sum(),
    "negative_kl": lambda m, d, _: -stats.entropy(d, uniformly_mixed(m), base=2),
    "information_gain": lambda m, d, c: (
        stats.entropy(d, uniformly_mixed(c), base=2) - stats.entropy(d, uniformly_mixed(m), base=2)
    ),
}


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("name", METRICS)
def test_metrics_equal_their_references(name, ties):
    key = METRICS[name].alias_of or name
    assert key in REFERENCES, f"add another implementation of {key} to REFERENCES"
    for seed in range(5):
        map, mask, valid = random_pair(seed, ties=ties)
        rng = np.random.default_rng(seed + 100)
        density = mask * (rng.integers(1, 4, mask.shape) if ties else rng.random(mask.shape))
        others = rng.integers(0, 4, mask.shape)
        given = {"others": others} if METRICS[name].needs_others else {}
        expected = REFERENCES[key](map[valid], density[valid], others[valid])
        assert METRICS[name](map, density, valid, **given) == pytest.approx(expected, abs=1e-12)
