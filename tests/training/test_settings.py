"""Settings of training."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from attnxai.errors import OptionError
from attnxai.training.settings import Schedule, TrainingSettings


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"batch_size": 1},
        {"seed": -1},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"validation_share": 0.0},
        {"validation_share": 1.0},
        {"weight_average": 1.0},
        {"patience": -1},
        {"scale": 0.9},
        {"shift": -1.0},
    ],
)
def test_settings_out_of_range_are_refused(change) -> None:
    with pytest.raises(OptionError, match=str(next(iter(change.values())))):
        TrainingSettings(**change)


def test_random_labels_do_not_stop_early() -> None:
    with pytest.raises(OptionError, match="patience has to be 0 with random_labels, got 3"):
        TrainingSettings(random_labels=True, patience=3)


def test_the_learning_rate_rises_over_a_twentieth_and_falls_to_zero() -> None:
    settings = TrainingSettings(learning_rate=1.0)
    rates = [settings.rate(step, 200) for step in range(200)]
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10)
    assert rates[10] == pytest.approx(1.0)
    assert (np.diff(rates[10:]) < 0).all()
    assert rates[105] == pytest.approx(0.5)
    assert 0 < rates[-1] < 1e-3
    flat = dataclasses.replace(settings, schedule=Schedule.CONSTANT)
    assert [flat.rate(step, 200) for step in (0, 9, 10, 199)] == [0.1, 1.0, 1.0, 1.0]
