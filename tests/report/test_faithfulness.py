"""Figures of deletion, insertion and ROAD."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import pyplot as plt

from attnxai.audit.curves import Faithfulness, shifted_name
from attnxai.report.faithfulness import faithfulness_curves
from attnxai.statistics.bootstrap import bootstrap_counts


def made_up(n=12):
    """A map that is faithful and one that is not, by curves that are drawn."""
    rng = np.random.default_rng(0)
    layers, tests = ("gate1", "gate2"), ("deletion", "insertion", "road")
    fractions = np.logspace(-3, 0, 7)
    curves = np.full((3, 6, n, 7), 0.7) + 0.02 * rng.standard_normal((3, 6, n, 7))
    curves[[0, 2], 0] -= np.linspace(0.1, 0.5, 7)
    curves[1, 0] += 0.2
    return Faithfulness(
        model_name="d8",
        sources=tuple(f"s{i}" for i in range(n)),
        target="predicted class",
        tests=tests,
        layers=layers,
        fractions=fractions,
        probability=curves,
        score=4 * curves,
        ends=np.zeros((2, 2, n)),
        n_draws=1,
        counts=bootstrap_counts(n, 300, rng),
    )


def test_the_figure_shows_the_gains() -> None:
    result = made_up()
    ax = result.plot()
    try:
        points = [line for line in ax.lines if len(line.get_xdata()) == 1 and line.get_xdata()[0]]
        shown = [float(line.get_xdata()[0]) for line in points]
        wanted = [
            result.gain(layer, shifted_name(layer), test).value
            for layer in result.layers
            for test in result.tests
        ]
        assert shown == pytest.approx(wanted)
        assert [label.get_text() for label in ax.get_yticklabels()] == ["gate1", "gate2"]
    finally:
        plt.close(ax.figure)


def test_curves_have_a_panel_for_every_test() -> None:
    result = made_up()
    figure = faithfulness_curves(result, "score")
    panels = figure.axes
    assert [panel.get_title(loc="left") for panel in panels] == ["deletion", "insertion", "ROAD"]
    for panel, own in zip(panels, result.score, strict=True):
        assert len(panel.lines) == 4
        np.testing.assert_allclose(np.asarray(panel.lines[0].get_ydata()), own[0].mean(axis=0))
    assert panels[0].get_xscale() == "log"
