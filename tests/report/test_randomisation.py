"""The figure of maps under random weights."""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt

from tests.audit.test_randomisation import made_up


def test_the_figure_shows_every_step() -> None:
    result = made_up(0.4)
    ax = result.plot()
    try:
        lines = {line.get_label(): np.asarray(line.get_ydata()) for line in ax.lines}
        wanted = [result.interval("gate2", step=step).value for step in range(3)]
        np.testing.assert_allclose(lines["gate2"], wanted)
        assert [text.get_text() for text in ax.get_xticklabels()] == list(result.steps)
        assert len(ax.collections) == 2
    finally:
        plt.close(ax.figure)
