"""The reliability diagram shows the bins, their intervals and their sizes."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from rich.console import Console

from attnxai.classification.metrics import classification_metrics
from attnxai.classification.reliability import Binning, reliability_curve
from attnxai.classification.scoring import class_probabilities
from attnxai.classification.temperature import TemperatureFit
from attnxai.report.classification import plot_reliability, print_temperature
from tests.classification.test_scoring import made_up


@pytest.fixture
def ax():
    figure = Figure()
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_bins_are_drawn(ax):
    scores, labels = made_up(150, 2, signal=2.0)
    curve = reliability_curve(class_probabilities(scores), labels, binning=Binning.EQUAL_WIDTH)
    assert plot_reliability(curve, ax=ax) is ax
    (points,) = [line for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(points.get_xdata(), curve.confidence)
    np.testing.assert_allclose(points.get_ydata(), curve.accuracy)
    across, upright = [c for c in ax.collections if isinstance(c, LineCollection)]
    np.testing.assert_allclose(
        [s[:, 1] for s in upright.get_segments()], np.stack([curve.low, curve.high], axis=1)
    )
    np.testing.assert_allclose(
        [s[:, 0] for s in across.get_segments()], np.stack([curve.lowest, curve.highest], axis=1)
    )
    assert texts(ax) == [*map(str, curve.n_images), "images"]
    low, high = ax.get_ylim()
    assert low < curve.low.min()
    assert high > 1.0


def test_metrics_add_their_calibration_error(ax):
    scores, labels = made_up(60, 3)
    metrics = classification_metrics(scores, labels, ["a", "b", "c"], n_bootstrap=200, rng=0)
    metrics.plot(ax=ax)
    title = ax.get_title(loc="left")
    # the interval is about 0.1 wide on each side
    assert f"Calibration error {metrics.expected_calibration_error.value:.2f}\n" in title
    assert f"{metrics.calibrated.mean:.2f}, 95 % below {metrics.calibrated.high:.2f}" in title
    # the line of calibrated models begins where guessing is
    assert ax.lines[0].get_xdata()[0] == pytest.approx(1 / 3)


def test_counts_of_sure_models_do_not_overlap(ax):
    """Bins whose confidences are all but 1 keep their numbers apart."""
    scores, labels = made_up(200, 2, signal=2.0)
    curve = reliability_curve(class_probabilities(20 * scores), labels)
    plot_reliability(curve, ax=ax)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts[:-1]]
    assert np.ptp(curve.confidence[-3:]) < 0.001
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (12.57, 22.25, "Temperature 16.45, 95 % interval 12.57 to 22.25. Log"),
        (1.0034, 22.25, "Temperature 16.450, 95 % interval 1.003 to 22.250. Log"),
        (0.9966, 22.25, "Temperature 16.45, 95 % interval 1.00 to 22.25. These images do not show"),
        (12.57, np.inf, "Temperature 16.45, 95 % interval 12.57 to infinity. Log"),
    ],
)
def test_an_interval_of_the_temperature_reads_as_1_only_where_1_is_inside(low, high, text):
    scores, labels = made_up(40, 2)
    metrics = classification_metrics(scores, labels, ("FR I", "FR II"), n_bootstrap=200, rng=0)
    fit = TemperatureFit(
        temperature=16.45,
        low=low,
        high=high,
        level=0.95,
        at_bound=False,
        log_loss_before=3.3,
        log_loss_after=0.39,
        log_loss_cross_validated=0.395,
        gain_error=0.7,
        n_images=153,
        n_wrong=23,
    )
    console = Console(file=io.StringIO(), width=500)
    print_temperature(SimpleNamespace(fit=fit, before=metrics, after=metrics), console)
    assert text in console.file.getvalue()


def test_a_figure_of_its_own():
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    scores, labels = made_up(40, 2)
    try:
        ax = plot_reliability(reliability_curve(class_probabilities(scores), labels))
        assert ax.figure.number in plt.get_fignums()
    finally:
        plt.close("all")
