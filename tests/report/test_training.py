"""Curves of a training run."""

from __future__ import annotations

import numpy as np

from attnxai.report.training import plot_history
from tests.training.test_history import HISTORY, LOSSES


def test_curves_show_every_epoch_and_mark_the_kept_one() -> None:
    figure = plot_history(HISTORY, title="D8, seed 0")
    loss, accuracy = figure.axes
    training, validation, kept = (np.array(line.get_xydata()) for line in loss.lines)
    np.testing.assert_array_equal(validation, np.column_stack([range(1, 6), LOSSES]))
    np.testing.assert_allclose(training[:, 1], np.array(LOSSES) + 0.1)
    np.testing.assert_array_equal(kept, [[3, 0.3]])
    np.testing.assert_allclose(np.array(accuracy.lines[1].get_xydata()), [[3, 0.7]])
    assert loss.get_title(loc="left") == "D8, seed 0"
