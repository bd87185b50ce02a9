"""Planted agreement in simulated galaxies: in order of what was planted, repeatable, and near what a comparison finds."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.errors import OptionError
from attnxai.planning import simulation
from attnxai.planning.rejections import count_rejections
from attnxai.planning.simulation import simulate_components


@pytest.fixture(autouse=True)
def few_sources(monkeypatch):
    """Pairs of all sources take most of the time."""
    monkeypatch.setattr(simulation, "N_SOURCES", 50)


def test_more_planted_agreement_is_a_larger_effect():
    effects = [simulate_components(share, rng=1)[1].value for share in (0.05, 0.2, 0.6, 1.0)]
    assert effects == sorted(effects)
    assert effects[0] > 0


def test_without_agreement_there_is_no_effect():
    """A share next to 0 leaves maps of other sources of the class: the interval of the effect contains 0."""
    found = [simulate_components(1e-12, rng=seed)[1] for seed in range(6)]
    assert sum(effect.low <= 0 <= effect.high for effect in found) >= 5


def test_the_same_seed_gives_the_same_components():
    one, other = (simulate_components(0.3, metric="auc", rng=4)[0] for _ in range(2))
    assert one.effect == other.effect
    np.testing.assert_array_equal(one.deviations, other.deviations)
    assert simulate_components(0.3, metric="auc", rng=5)[0].effect != one.effect


def test_every_metric_can_be_planned_with():
    for metric in ("spearman", "relevance_mass_accuracy", "iou", "information_gain"):
        components, effect = simulate_components(0.4, metric=metric, rng=0)
        assert effect.value > 0
        assert components.sd_source > 0


def test_power_rises_with_what_was_planted():
    powers = [
        count_rejections(
            simulate_components(share, rng=0)[0],
            [10, 10],
            1,
            level=0.05,
            n_simulations=500,
            rng=np.random.default_rng(0),
        )
        for share in (0.02, 0.1)
    ]
    assert powers[0] < powers[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"agreement": 0.0}, "a share above 0 and at most 1"),
        ({"agreement": 1.2}, "got 1.2"),
        ({"agreement": 0.5, "metric": "ssim"}, "unknown metric 'ssim'"),
    ],
)
def test_what_cannot_be_simulated_is_named(options, message):
    with pytest.raises(OptionError, match=message):
        simulate_components(**options)
