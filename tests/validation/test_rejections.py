"""How often nulls reject maps that share nothing with annotations, and maps that do.

At their level where they are exact; and where they are not, far too often: a null that breaks what maps and
annotations share for other reasons than agreement, such as both lying at the centre, has to be seen to do so.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from attnxai.agreement.metrics import METRICS, TargetKind
from attnxai.agreement.nulls import PhaseSurrogates, run_null_test
from attnxai.validation.cells import binomial_band
from attnxai.validation.rejections import (
    LEVELS,
    METRIC_NAMES,
    POWER_NULLS,
    POWER_SCENE,
    LevelCase,
    NullKind,
    PowerCase,
    run_tests,
)
from attnxai.validation.scenes import Scene, simulate_sources
from tests.agreement.nulls.fields import blobs, density, everywhere

PROMISED = [(null, scene) for null in NullKind for scene in null.scenes if null.holds_in(scene)]
BROKEN = [(null, scene) for null in NullKind for scene in null.scenes if not null.holds_in(scene)]
# one promise of each kind in the short run; all of them in the slow one
SHORT = [
    (NullKind.POOLED, Scene.NOTHING),
    (NullKind.POOLED, Scene.CENTRE),
    (NullKind.POOLED, Scene.DIRECTION),
    (NullKind.WITHIN_CLASS, Scene.CENTRE),
    (NullKind.WITHIN_CLASS, Scene.CENTRE_AND_CLASS),
    (NullKind.SYMMETRIES, Scene.NOTHING),
    (NullKind.SYMMETRIES, Scene.SIZE),
    (NullKind.ROTATION, Scene.CENTRE_AND_CLASS),
    (NullKind.SHIFT, Scene.NOTHING),
    (NullKind.PHASE, Scene.NOTHING),
    (NullKind.VARIOGRAM, Scene.NOTHING),
    (NullKind.MORAN, Scene.NOTHING),
]
N_SHORT = {NullKind.VARIOGRAM: 25, NullKind.PHASE: 40, NullKind.SHIFT: 50, NullKind.MORAN: 50}


def rejections(null, scene, n, *, n_sources=10, seed=0):
    return LevelCase(null=null, scene=scene, n_sources=n_sources).count(seed, 0, n)


@pytest.mark.parametrize(("null", "scene"), SHORT)
def test_level_is_kept(null, scene):
    n = N_SHORT.get(null, 80)
    counts = rejections(null, scene, n)
    for metric in METRIC_NAMES:
        for level, rejected in zip(LEVELS, counts[metric], strict=True):
            low, high = binomial_band(n, level)
            assert low <= rejected <= high, (metric, level)


@pytest.mark.parametrize(
    ("null", "scene"), [b for b in BROKEN if b[1] is not Scene.CENTRE_AND_CLASS]
)
def test_nulls_that_break_what_is_shared_reject_too_often(null, scene):
    n, n_sources = 20, 12
    if null.model.permutes_sources:
        # what classes or sources share shows with more sources, which cost little here
        n, n_sources = 30, 50
    elif null is NullKind.VARIOGRAM:
        n, n_sources = 12, 16
    rejected = rejections(null, scene, n, n_sources=n_sources)["nss"][1]
    assert rejected > stats.binom.ppf(0.999, n, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("null", "scene"), PROMISED)
def test_level_is_kept_over_many_experiments(null, scene):
    n = 400 if null.is_costly else 1000
    counts = rejections(null, scene, n, seed=1)
    for metric in METRIC_NAMES:
        for level, rejected in zip(LEVELS, counts[metric], strict=True):
            low, high = binomial_band(n, level)
            assert low <= rejected <= high, (metric, level)


@pytest.mark.slow
@pytest.mark.parametrize(("null", "scene"), BROKEN)
def test_nulls_that_do_not_fit_reject_too_often_in_both_metrics(null, scene):
    n = 100
    counts = rejections(null, scene, n, n_sources=20, seed=1)
    for metric in METRIC_NAMES:
        assert counts[metric][1] > binomial_band(n, 0.05)[1]


def test_other_maps_and_settings_keep_the_level_too():
    """Scattered bumps for rotation; plain amplitude-adjusted surrogates for random phases."""
    n_sources, n = 8, 60
    rng = np.random.default_rng(0)
    rejected = dict.fromkeys(("rotation", "phase"), 0)
    for _ in range(n):
        maps, targets = (blobs(rng, n_sources, 16, spread=3.0, sigma=1.5) for _ in range(2))
        closed = simulate_sources(
            Scene.NOTHING, n_sources, ground=NullKind.PHASE.ground, rng=rng, n_annotators=1
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
        PowerCase(null=null, n_sources=12, strength=strength).count(0, 0, n)
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
    assert null.holds_in(POWER_SCENE)


def test_more_sources_have_more_power():
    powers = [
        PowerCase(null=NullKind.WITHIN_CLASS, n_sources=n, strength=0.15).count(0, 0, 40)["nss"][0]
        for n in (10, 30, 90)
    ]
    assert powers[0] < powers[1] < powers[2]


def test_a_metric_is_averaged_over_annotators():
    made = simulate_sources(Scene.NOTHING, 6, rng=np.random.default_rng(3))
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
    case = LevelCase(null=NullKind.SYMMETRIES, scene=Scene.DIRECTION, n_sources=4)
    whole, first, rest = case.count(5, 0, 12), case.count(5, 0, 7), case.count(5, 7, 12)
    for name, counts in whole.items():
        sums = [a + b for a, b in zip(first[name], rest[name], strict=True)]
        assert counts == pytest.approx(sums, rel=1e-12)
    assert case.count(6, 0, 12) != whole


def test_nulls_of_a_ground_meet_the_same_maps(monkeypatch):
    from attnxai.validation import rejections as module

    seen = []

    def watch(null, made, *arguments):
        seen.append(made.maps)
        return run_tests(null, made, *arguments)

    monkeypatch.setattr(module, "run_tests", watch)
    for null in (NullKind.POOLED, NullKind.SYMMETRIES, NullKind.SHIFT):
        LevelCase(null=null, scene=Scene.CENTRE, n_sources=4).count(0, 0, 1)
    assert (seen[0] == seen[1]).all()
    assert (seen[0] != seen[2]).any()
