"""Planted agreement in simulated galaxies: in order of what was planted, repeatable, and near what a comparison finds."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.data.simulation import Component
from attnxai.errors import OptionError
from attnxai.planning import simulation
from attnxai.planning.rejections import count_rejections
from attnxai.planning.simulation import _maps, _marked, _profile, simulate_components


def part(x=0.0, y=0.0, size=10.0):
    return Component(
        label="lobe",
        x_arcsec=x,
        y_arcsec=y,
        major_arcsec=size,
        minor_arcsec=size,
        angle_deg=0.0,
        flux_mjy=1.0,
        side=1,
    )


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


def test_annotators_miss_move_and_scale_what_they_mark():
    rng = np.random.default_rng(0)
    marked = [_marked([part()] * 5, rng) for _ in range(1000)]
    assert np.mean([len(parts) for parts in marked]) == pytest.approx(4.5, abs=0.1)
    moves = [p.x_arcsec for parts in marked for p in parts]
    sizes = [np.log(p.major_arcsec / 10.0) for parts in marked for p in parts]
    assert np.std(moves) == pytest.approx(1.2, rel=0.05)
    assert np.std(sizes) == pytest.approx(0.15, rel=0.05)


def test_marks_have_half_their_height_at_half_the_full_width():
    # pixels of 3.6 arcsec about pixel 37; the beam is all that a point shows
    density = _profile([part(size=0.0)], 7.2)
    assert density[37, 36:39] == pytest.approx([0.5, 1.0, 0.5])


def test_maps_follow_their_own_source_in_the_planted_share_of_their_variance():
    rng = np.random.default_rng(1)
    places = rng.uniform(-100, 100, (2, 60, 2))
    own, others = ([[part(*place)] for place in of_set] for of_set in places)
    maps = _maps(own, others, 0.36, rng)
    correlations = [
        np.corrcoef(map.ravel(), _profile(parts, simulation.LAYER_FWHM_ARCSEC).ravel())[0, 1]
        for map, parts in zip(maps, own, strict=True)
    ]
    assert np.median(correlations) == pytest.approx(0.6, abs=0.03)
