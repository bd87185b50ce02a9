"""Simulated sources share what their scenario says, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.metrics import TargetKind
from attnxai.validation.simulated_data import (
    N_ANNOTATORS,
    Domain,
    Scenario,
    simulate_sources,
    smooth_fields,
)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("sigma", [1.2, 2.0])
def test_fields_have_unit_variance_and_the_autocorrelation_of_their_kernel(periodic, sigma):
    fields = smooth_fields(
        np.random.default_rng(0), 4000, n_pixels=16, sigma=sigma, periodic=periodic
    )
    assert fields.mean() == pytest.approx(0.0, abs=0.02)
    assert fields.var(axis=0) == pytest.approx(np.ones((16, 16)), abs=0.12)
    for distance in (1, 3, 5):
        expected = np.exp(-(distance**2) / (4 * sigma**2))
        along = (fields[:, :, 4] * fields[:, :, 4 + distance]).mean()
        down = (fields[:, 4] * fields[:, 4 + distance]).mean()
        assert along == pytest.approx(expected, abs=0.03)
        assert down == pytest.approx(expected, abs=0.03)
    # only on a closed field are opposite edges neighbours
    edges = (fields[:, :, 0] * fields[:, :, -1]).mean()
    assert edges == pytest.approx(np.exp(-1 / (4 * sigma**2)) if periodic else 0.0, abs=0.05)


def test_fields_come_in_any_shape():
    fields = smooth_fields(np.random.default_rng(0), 2, 3, n_pixels=8, sigma=1.0)
    assert fields.shape == (2, 3, 8, 8)


def correlations(made):
    """Of every map with every source's annotations, averaged over annotators; (sources, sources)."""
    targets = made.targets[TargetKind.DENSITY].mean(axis=0)
    maps, marks = (x.reshape(len(x), -1) for x in (made.maps, targets))
    n = len(maps)
    return np.corrcoef(maps, marks)[:n, n:]


def mean_correlations(scenario, strength=0.0):
    """With the own annotation, with another of the class, and with one of the other class."""
    made = simulate_sources(scenario, 600, strength=strength, rng=np.random.default_rng(1))
    table = correlations(made)
    same = np.equal.outer(made.classes, made.classes)
    own = np.eye(len(table), dtype=bool)
    return table[own].mean(), table[same & ~own].mean(), table[~same].mean()


def test_nothing_is_shared():
    assert mean_correlations(Scenario.NOTHING) == pytest.approx((0, 0, 0), abs=0.03)


@pytest.mark.parametrize("scenario", [Scenario.CENTRE, Scenario.DIRECTION])
def test_all_sources_share_a_place(scenario):
    own, same, other = mean_correlations(scenario)
    assert same > 0.15
    assert (own, other) == pytest.approx((same, same), abs=0.05)


def test_classes_share_a_template():
    own, same, other = mean_correlations(Scenario.CLASS)
    assert same > 0.1
    assert own == pytest.approx(same, abs=0.05)
    assert other < -0.1
    own, same, other = mean_correlations(Scenario.CENTRE_AND_CLASS)
    assert own == pytest.approx(same, abs=0.05)
    assert other < same - 0.1


def test_a_source_shares_its_size():
    own, same, other = mean_correlations(Scenario.SIZE)
    assert own > same + 0.02
    assert same == pytest.approx(other, abs=0.05)


def test_planted_agreement_is_of_the_strength_that_was_asked_for():
    own, same, other = mean_correlations(Scenario.NOTHING, strength=1.0)
    # half of the map's variance is of the marked field; two annotators of noise 1/2 leave 8/9 of theirs
    assert own == pytest.approx(np.sqrt(1 / 2 * 8 / 9), abs=0.03)
    assert (same, other) == pytest.approx((0, 0), abs=0.03)


@pytest.mark.parametrize("domain", Domain)
def test_what_comes_out_can_be_tested(domain):
    made = simulate_sources(Scenario.CENTRE, 7, domain=domain, rng=np.random.default_rng(2))
    density = made.targets[TargetKind.DENSITY]
    assert density.shape == (N_ANNOTATORS, *made.maps.shape)
    assert made.valid.shape == made.maps.shape
    assert (density.min(axis=(2, 3)) == 0).all()
    assert made.classes == (0, 1, 0, 1, 0, 1, 0)
    n_valid = made.valid.sum(axis=(1, 2))
    if domain is Domain.FOOTPRINTS:
        # 0.6 pi 6^2 pixels
        assert n_valid == pytest.approx(np.full(7, 68), abs=6)
        assert any((a != b).any() for a, b in zip(made.valid, made.valid[1:], strict=False))
    else:
        assert made.valid.all()
