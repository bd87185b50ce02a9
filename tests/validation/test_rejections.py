"""How often nulls reject independent maps, and related ones.

At their level where their assumptions are met; and far too often where they are not: a null that breaks what maps
and annotations have in common for other reasons than agreement, such as a common centre, has to be seen to do so.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from attnxai.metrics import METRICS, TargetKind
from attnxai.nulls import PhaseSurrogates, run_null_test
from attnxai.validation.experiments import stream_of
from attnxai.validation.rates import binomial_band
from attnxai.validation.rejections import (
    METRIC_NAMES,
    POWER_NULLS,
    POWER_SCENARIO,
    SIGNIFICANCE_LEVELS,
    FalsePositiveDesign,
    NullKind,
    PowerDesign,
    run_tests,
)
from attnxai.validation.simulated_data import Scenario, simulate_sources
from tests.nulls.fields import blobs, density, everywhere

ALL = [(null, scenario) for null in NullKind for scenario in null.scenarios]
PROMISED = [(null, scenario) for null, scenario in ALL if null.is_valid_for(scenario)]
BROKEN = [both for both in ALL if both not in PROMISED]
# one promise of each kind in the short run; all of them in the slow one
SHORT = [
    (NullKind.POOLED, Scenario.NOTHING),
    (NullKind.POOLED, Scenario.CENTRE),
    (NullKind.POOLED, Scenario.DIRECTION),
    (NullKind.WITHIN_CLASS, Scenario.CENTRE),
    (NullKind.WITHIN_CLASS, Scenario.CENTRE_AND_CLASS),
    (NullKind.SYMMETRIES, Scenario.NOTHING),
    (NullKind.SYMMETRIES, Scenario.SIZE),
    (NullKind.ROTATION, Scenario.CENTRE_AND_CLASS),
    (NullKind.SHIFT, Scenario.NOTHING),
    (NullKind.PHASE, Scenario.NOTHING),
    (NullKind.VARIOGRAM, Scenario.NOTHING),
    (NullKind.MORAN, Scenario.NOTHING),
]
N_SHORT = {NullKind.VARIOGRAM: 25, NullKind.PHASE: 40, NullKind.SHIFT: 50, NullKind.MORAN: 50}


def rejections(null, scenario, n, *, n_sources=10, seed=0):
    return FalsePositiveDesign(null=null, scenario=scenario, n_sources=n_sources).count(seed, 0, n)


def assert_levels_are_kept(null, scenario, n, *, seed):
    counts = rejections(null, scenario, n, seed=seed)
    for metric in METRIC_NAMES:
        for level, rejected in zip(SIGNIFICANCE_LEVELS, counts[metric], strict=True):
            low, high = binomial_band(n, level)
            assert low <= rejected <= high, (
                f"{null} rejects {rejected} of {n} at {level:g} with {metric} in the scenario '{scenario}', outside "
                f"{low} to {high}: take it from valid_for in attnxai/validation/rejections.py if its assumptions "
                "are not met there"
            )


@pytest.mark.parametrize(("null", "scenario"), SHORT)
def test_level_is_kept(null, scenario):
    assert_levels_are_kept(null, scenario, N_SHORT.get(null, 80), seed=0)


@pytest.mark.slow
@pytest.mark.parametrize(("null", "scenario"), PROMISED)
def test_level_is_kept_over_many_experiments(null, scenario):
    assert_levels_are_kept(null, scenario, 400 if null.is_costly else 1000, seed=1)


@pytest.mark.parametrize(
    ("null", "scenario"), [b for b in BROKEN if b[1] is not Scenario.CENTRE_AND_CLASS]
)
def test_nulls_that_break_what_is_shared_reject_too_often(null, scenario):
    n, n_sources = 20, 12
    if null.model.permutes_sources:
        # what classes or sources share shows with more sources, which cost little here
        n, n_sources = 30, 50
    elif null is NullKind.VARIOGRAM:
        n, n_sources = 12, 16
    rejected = rejections(null, scenario, n, n_sources=n_sources)["nss"][1]
    assert rejected > stats.binom.ppf(0.999, n, 0.05), needs_place(null, scenario)


def needs_place(null, scenario):
    return (
        f"{null} does not reject too often in the scenario '{scenario}': add it to valid_for of {null} in "
        "attnxai/validation/rejections.py if its assumptions are met there; if not, measure more sources here"
    )


@pytest.mark.slow
@pytest.mark.parametrize(("null", "scenario"), BROKEN)
def test_nulls_that_do_not_fit_reject_too_often_in_both_metrics(null, scenario):
    n = 100
    counts = rejections(null, scenario, n, n_sources=20, seed=1)
    for metric in METRIC_NAMES:
        assert counts[metric][1] > binomial_band(n, 0.05)[1], needs_place(null, scenario)


def test_other_maps_and_settings_keep_the_level_too():
    """Scattered bumps for rotation; plain amplitude-adjusted surrogates for random phases."""
    n_sources, n = 8, 60
    rng = np.random.default_rng(0)
    rejected = dict.fromkeys(("rotation", "phase"), 0)
    for _ in range(n):
        maps, targets = (blobs(rng, n_sources, 16, spread=3.0, sigma=1.5) for _ in range(2))
        closed = simulate_sources(
            Scenario.NOTHING, n_sources, domain=NullKind.PHASE.domain, rng=rng, n_annotators=1
        )
        cases = {
            "rotation": (NullKind.ROTATION.model, maps, density(targets)),
            "phase": (
                PhaseSurrogates(n_surrogates=9, n_iterations=0),
                closed.maps,
                closed.targets,
            ),
        }
        for name, (null, some_maps, some_targets) in cases.items():
            valid = everywhere(n_sources, 16)
            table = null.tables([METRICS["nss"]], some_maps, some_targets, valid, rng=rng)[0, 0]
            draws = null.draw(range(n_sources), n_columns=table.shape[1], n_draws=199, rng=rng)
            rejected[name] += run_null_test(table, draws, null=name).p_value <= 0.1
    low, high = binomial_band(n, 0.1)
    for count in rejected.values():
        assert low <= count <= high


@pytest.mark.parametrize("null", POWER_NULLS)
def test_power_rises_from_the_level_to_one(null):
    n = 40
    found = [
        PowerDesign(null=null, n_sources=12, strength=strength).count(0, 0, n)
        for strength in (0.0, 0.2, 0.8)
    ]
    low, high = binomial_band(n, 0.05)
    for metric in METRIC_NAMES:
        nothing, some, much = (counts[metric][0] for counts in found)
        assert low <= nothing <= high
        assert high < some < much
        assert much >= 0.95 * n


@pytest.mark.parametrize("null", POWER_NULLS)
def test_power_is_measured_where_the_level_is_promised(null):
    assert null.is_valid_for(POWER_SCENARIO)


def test_more_sources_have_more_power():
    powers = [
        PowerDesign(null=NullKind.WITHIN_CLASS, n_sources=n, strength=0.15).count(0, 0, 40)["nss"][
            0
        ]
        for n in (10, 30, 90)
    ]
    assert powers[0] < powers[1] < powers[2]


def test_a_metric_is_averaged_over_annotators():
    made = simulate_sources(Scenario.NOTHING, 6, rng=np.random.default_rng(3))
    found = run_tests(NullKind.WITHIN_CLASS, made, 99, np.random.default_rng(0))["spearman"]
    targets = made.targets[TargetKind.DENSITY]
    by_hand = np.mean(
        [
            stats.spearmanr(map.ravel(), target.ravel()).statistic
            for annotator in targets
            for map, target in zip(made.maps, annotator, strict=True)
        ]
    )
    assert found.observed == pytest.approx(by_hand)


def test_experiments_do_not_depend_on_how_they_are_cut():
    design = FalsePositiveDesign(null=NullKind.SYMMETRIES, scenario=Scenario.DIRECTION, n_sources=4)
    whole, first, rest = design.count(5, 0, 12), design.count(5, 0, 7), design.count(5, 7, 12)
    for name, counts in whole.items():
        sums = [a + b for a, b in zip(first[name], rest[name], strict=True)]
        assert counts == pytest.approx(sums, rel=1e-12)
    assert design.count(6, 0, 12) != whole


def test_nulls_of_a_domain_are_tested_on_the_same_maps(monkeypatch):
    from attnxai.validation import rejections as module

    seen = []

    def watch(null, made, *arguments):
        seen.append(made.maps)
        return run_tests(null, made, *arguments)

    monkeypatch.setattr(module, "run_tests", watch)
    for null in (NullKind.POOLED, NullKind.SYMMETRIES, NullKind.SHIFT):
        FalsePositiveDesign(null=null, scenario=Scenario.CENTRE, n_sources=4).count(0, 0, 1)
    assert (seen[0] == seen[1]).all()
    assert (seen[0] != seen[2]).any()


def test_strengths_share_maps_and_draws_and_nulls_the_maps(monkeypatch):
    from attnxai.validation import rejections as module

    streams = []

    def watch(*names):
        streams.append(names)
        return stream_of(*names)

    monkeypatch.setattr(module, "stream_of", watch)
    for null, strength in (
        (NullKind.SYMMETRIES, 0.2),
        (NullKind.SYMMETRIES, 0.5),
        (NullKind.WITHIN_CLASS, 0.5),
    ):
        PowerDesign(null=null, n_sources=4, strength=strength).run(0, 0)
    maps, draws = streams[::2], streams[1::2]
    assert maps[0] == maps[1] == maps[2]
    assert draws[0] == draws[1] != draws[2]
    assert maps[0] not in draws
