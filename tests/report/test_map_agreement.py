"""Figures of maps that are compared with each other, and of maps under noise."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import pyplot as plt

from attnxai.audit.between_maps import MapAgreement
from attnxai.audit.stability import NoiseStability
from attnxai.statistics.bootstrap import bootstrap_counts

LAYERS = ("gate1", "gate2", "evidence")


def agreement(n=10):
    rng = np.random.default_rng(0)
    values = rng.uniform(-0.2, 0.9, (2, 3, 3, n))
    values = (values + values.swapaxes(1, 2)) / 2
    return MapAgreement(
        model_name="d8",
        sources=tuple(f"s{i}" for i in range(n)),
        layers=LAYERS,
        values=values,
        counts=bootstrap_counts(n, 200, rng),
    )


def stability(n=10):
    rng = np.random.default_rng(1)
    return NoiseStability(
        model_name="d8",
        sources=tuple(f"s{i}" for i in range(n)),
        layers=LAYERS,
        levels=np.full(n, 0.01),
        correlations=rng.uniform(0.5, 1.0, (3, 3, 2, n)),
        probability_changes=rng.uniform(0, 0.1, (2, n)),
        same_class=np.ones((2, n)),
        counts=bootstrap_counts(n, 200, rng),
    )


def test_the_matrix_shows_both_correlations():
    result = agreement()
    ax = result.plot()
    try:
        shown = np.asarray(ax.images[0].get_array())
        assert shown[1, 0] == pytest.approx(result.interval("gate2", "gate1").value)
        partial = result.interval("gate1", "gate2", "partial_spearman").value
        assert shown[0, 1] == pytest.approx(partial)
        assert len(ax.texts) == 6
        assert ax.texts[0].get_text() == f"{partial:.2f}"
    finally:
        plt.close(ax.figure)


def test_stability_has_a_row_for_every_map():
    result = stability()
    ax = result.plot()
    try:
        assert [label.get_text() for label in ax.get_yticklabels()] == list(LAYERS)
        points = {
            round(float(line.get_xdata()[0]), 9) for line in ax.lines if len(line.get_xdata()) == 1
        }
        for layer in LAYERS:
            assert round(result.correlation(layer).value, 9) in points
    finally:
        plt.close(ax.figure)
