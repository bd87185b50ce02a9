"""Intervals, ceilings and partial correlations of a comparison, against the functions that make them."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from scipy import stats

from attnxai.agreement.comparison import ComparisonSettings, compare_pairs
from attnxai.agreement.comparison.streams import Streams
from attnxai.agreement.intervals.crossed import crossed_interval
from attnxai.agreement.noise_ceiling.ceiling import noise_ceilings
from attnxai.agreement.noise_ceiling.share import shares_of_noise_ceiling
from attnxai.alignment.pairs import align
from attnxai.errors import UndefinedValuesWarning
from attnxai.explanations.stack import BRIGHTNESS, CENTRE_BIAS, Split
from attnxai.metrics import METRICS, chance_values, partial_spearman
from attnxai.statistics.bootstrap import bootstrap_counts, mean_interval
from tests.builders import made_up

QUICK = ComparisonSettings(
    metrics=("nss", "auc", "relevance_mass_accuracy"), n_permutations=49, n_bootstrap=300
)
PEOPLE = ("ann", "bob", "cleo")


def made(n_sources=12, *, weights=None, agreement=0.7, annotators=PEOPLE, **options):
    maps, marks, images = made_up(
        n_sources=n_sources, agreement=agreement, annotators=annotators, **options
    )
    if weights is not None:
        named = dict(zip(maps.sources, weights, strict=True))
        marks = dataclasses.replace(marks, source_weights=named)
    return align(maps, marks, images, use_source_weights=weights is not None)


WEIGHTS = np.linspace(0.2, 1.0, 12)


@pytest.fixture(scope="module", params=[False, True], ids=["alike", "weighted"])
def several(request):
    """Three annotators, of whom one left out two sources."""
    pairs = made(weights=WEIGHTS if request.param else None)
    density, mask, present = pairs.density.copy(), pairs.mask.copy(), pairs.present.copy()
    density[2, 3:5], mask[2, 3:5], present[2, 3:5] = 0, False, False
    pairs = dataclasses.replace(pairs, density=density, mask=mask, present=present)
    return pairs, compare_pairs(pairs, settings=QUICK, rng=3)


def own(pairs, result, name, metric):
    """Values (n_annotators, n_sources), with gaps."""
    names = result.explanations + result.baselines
    return result.values[result.metrics.index(metric), names.index(name)]


def same(one, other):
    assert (one.n_units, one.level, one.method) == (other.n_units, other.level, other.method)
    np.testing.assert_allclose(
        [one.value, one.low, one.high], [other.value, other.low, other.high], rtol=1e-12
    )


@pytest.mark.parametrize("metric", QUICK.metrics)
@pytest.mark.parametrize("class_name", ["all", "FR I"])
def test_several_annotators_are_crossed_with_sources(several, metric, class_name):
    pairs, result = several
    # six sources of a class have no interval, as five or seven would
    members = [i for i, c in enumerate(result.classes) if class_name in ("all", c)]
    weights = pairs.source_weights[members]
    chance = chance_values(METRICS[metric], pairs.mask, pairs.valid)
    if metric == "nss":
        chance = np.zeros_like(chance)
    above = (-0.5, 0.5) if metric == "auc" else (-np.inf, np.inf)
    bright = own(pairs, result, BRIGHTNESS, metric)
    for name in result.explanations:
        estimate = result.estimate(name, metric, class_name=class_name)
        values = own(pairs, result, name, metric)
        for interval, of, bounds in (
            (estimate.interval, values, METRICS[metric].bounds),
            (estimate.above_chance, values - chance, above),
            (estimate.differences[BRIGHTNESS], values - bright, (-np.inf, np.inf)),
        ):
            expected = crossed_interval(of[:, members], weights=weights, bounds=bounds)
            same(interval, expected)
    if class_name == "all":
        assert estimate.interval.method.startswith("crossed variance components")


def test_one_annotator_is_studentized_over_sources():
    pairs = made(annotators=("ann",))
    result = compare_pairs(pairs, settings=QUICK, rng=3)
    counts = bootstrap_counts(12, 300, Streams(3).of("bootstrap", "held-out", "all"))
    for metric in QUICK.metrics:
        for name in result.explanations:
            estimate = result.estimate(name, metric)
            values = own(pairs, result, name, metric)[0]
            same(estimate.interval, mean_interval(values, counts))
            bright = own(pairs, result, BRIGHTNESS, metric)[0]
            same(estimate.differences[BRIGHTNESS], mean_interval(values - bright, counts))
            assert "studentized" in estimate.interval.method
            assert estimate.share_of_noise_ceiling is None
    assert result.noise_ceilings == ()
    assert result.noise_ceiling("nss") is None


def test_several_annotators_of_whom_one_marked_a_group_are_sources_alone():
    """What is crossed is decided by the values at hand: here the training sources have one annotator."""
    pairs = made(n_sources=18)
    density, mask, present = pairs.density.copy(), pairs.mask.copy(), pairs.present.copy()
    density[1:, :9], mask[1:, :9], present[1:, :9] = 0, False, False
    splits = (Split.TRAINING,) * 9 + (Split.HELD_OUT,) * 9
    pairs = dataclasses.replace(pairs, density=density, mask=mask, present=present, splits=splits)
    result = compare_pairs(pairs, settings=QUICK)
    assert "studentized" in result.estimate("gate1", "nss", group="training").interval.method
    assert "crossed" in result.estimate("gate1", "nss", group="held-out").interval.method
    assert result.noise_ceiling("nss", group="training") is None
    assert result.noise_ceiling("nss", group="held-out").n_annotators == 3


def test_intervals_end_at_what_a_metric_can_reach():
    """Annotators who differ much, near the best value: symmetric ends would leave the range."""
    pairs = made(n_sources=9, agreement=1.0)
    mask = pairs.mask.copy()
    for a in range(3):
        # the third marks far more than the map shows
        mask[2] = np.roll(mask[2], 3, axis=1 + a % 2)
    result = compare_pairs(dataclasses.replace(pairs, mask=mask), settings=QUICK)
    for estimate in result.estimates:
        if estimate.metric == "auc" and estimate.interval.known:
            assert 0 <= estimate.interval.low <= estimate.interval.high <= 1
            # chance is 1/2: both say the same
            for end in ("value", "low", "high"):
                assert getattr(estimate.above_chance, end) == pytest.approx(
                    getattr(estimate.interval, end) - 0.5, abs=1e-12
                )
    free = crossed_interval(own(pairs, result, "gate2", "auc"))
    assert free.high > 1
    assert result.estimate("gate2", "auc").interval.high == 1


def test_intervals_by_resampling_do_not_change_with_what_else_is_asked_for():
    """Too few sources have two annotators, so the dual bootstrap is used, which draws."""
    pairs = made(n_sources=10)
    density, mask = pairs.density.copy(), pairs.mask.copy()
    present = np.arange(3)[:, None] == np.arange(10) % 3
    density[~present], mask[~present] = 0, False
    pairs = dataclasses.replace(pairs, density=density, mask=mask, present=present)
    few = compare_pairs(pairs, settings=dataclasses.replace(QUICK, metrics=("auc",)))
    many = compare_pairs(pairs, settings=QUICK)
    for one in few.estimates:
        other = many.estimate(one.explanation, "auc", group=one.group, class_name=one.class_name)
        assert one.to_record() == other.to_record() | {"p_adjusted": one.p_adjusted}
    assert "dual bootstrap" in few.estimate("gate1", "auc").interval.method


def test_partial_correlations_hold_brightness_fixed(several):
    pairs, result = several
    np.testing.assert_array_equal(
        np.isnan(result.partial_correlation_values), ~np.broadcast_to(pairs.present, (3, 3, 12))
    )
    coarse = next(name for name in result.baselines if "3.6" in name)
    fixed = {
        "gate1": (BRIGHTNESS, coarse),
        "gate2": (BRIGHTNESS,),
        "mean": (BRIGHTNESS, coarse),
    }
    for e, name in enumerate(result.explanations):
        given = result.partial_correlation(name)
        assert given.controlling_for == fixed[name]
        for s in (0, 7):
            covariates = [pairs.baselines[b][s] for b in fixed[name]]
            for a in range(3):
                expected = partial_spearman(
                    pairs.explanations[name][s], pairs.density[a, s], covariates
                )
                found = result.partial_correlation_values[e, a, s]
                assert found == pytest.approx(expected, abs=1e-10)
                assert found == pytest.approx(
                    of_residuals(pairs.explanations[name][s], pairs.density[a, s], covariates)
                )
        values = result.partial_correlation_values[e]
        expected = crossed_interval(values, weights=pairs.source_weights, bounds=(-1, 1))
        same(given.interval, expected)
        of_class = result.partial_correlation(name, class_name="FR II")
        assert of_class.interval.value == pytest.approx(
            np.average(np.nanmean(values[:, 1::2], axis=0), weights=pairs.source_weights[1::2])
        )
    with pytest.raises(KeyError, match="no partial correlation for 'gate9'"):
        result.partial_correlation("gate9")


def test_sources_of_constant_brightness_have_no_partial_correlation():
    pairs = made(n_sources=14, annotators=("ann",))
    flat = {name: values.copy() for name, values in pairs.baselines.items()}
    for name, values in flat.items():
        if name != CENTRE_BIAS:
            values[:4] = 0.3
    with pytest.warns(UndefinedValuesWarning):
        result = compare_pairs(dataclasses.replace(pairs, baselines=flat), settings=QUICK)
    everywhere = compare_pairs(pairs, settings=QUICK)
    for e, name in enumerate(result.explanations):
        given = result.partial_correlation(name)
        assert (given.interval.n_units, given.n_undefined) == (10, 4)
        assert given.to_record()["n_undefined"] == 4
        assert result.estimate(name, "nss").differences[BRIGHTNESS].n_units == 10
        values = everywhere.partial_correlation_values[e, 0]
        assert np.isfinite(values).all()
        assert given.interval.value == pytest.approx(values[4:].mean(), abs=1e-12)
    named = {
        (u.source, u.explanation, u.reason)
        for u in result.undefined
        if u.metric == "partial_spearman"
    }
    assert named == {
        (source, name, "the brightness is constant")
        for source in pairs.sources[:4]
        for name in result.explanations
    }


def of_residuals(map_values, target, covariates):
    """Pearson correlation of what least squares on the covariates' ranks leave of the ranks."""
    ranks = [stats.rankdata(c.ravel()) for c in (map_values, target, *covariates)]
    design = np.stack([np.ones_like(ranks[0]), *ranks[2:]], axis=1)
    left = [r - design @ np.linalg.lstsq(design, r, rcond=None)[0] for r in ranks[:2]]
    return np.corrcoef(*left)[0, 1]


@pytest.mark.parametrize("metric", QUICK.metrics)
def test_ceilings_are_those_of_the_sources_at_hand(several, metric):
    pairs, result = several
    for class_name, start, step in (("all", 0, 1), ("FR I", 0, 2), ("FR II", 1, 2)):
        some = slice(start, None, step)
        expected = noise_ceilings(
            [METRICS[metric]],
            pairs.density[:, some],
            pairs.mask[:, some],
            pairs.present[:, some],
            pairs.valid[some],
            weights=pairs.source_weights[some],
        )[metric]
        found = result.noise_ceiling(metric, class_name=class_name)
        same(found.lower, expected.lower)
        same(found.upper, expected.upper)
        assert found.n_annotators == 3
        assert found.upper_is_bound == (metric == "nss")
        assert found.lower.value <= found.upper.value


@pytest.mark.parametrize("metric", QUICK.metrics)
def test_shares_of_the_ceiling_are_those_of_its_function(several, metric):
    pairs, result = several
    ceiling = noise_ceilings(
        [METRICS[metric]], pairs.density, pairs.mask, pairs.present, pairs.valid,
        weights=pairs.source_weights,
    )[metric]  # fmt: skip
    chance = chance_values(METRICS[metric], pairs.mask, pairs.valid)
    for name in result.explanations:
        (expected,) = shares_of_noise_ceiling(
            own(pairs, result, name, metric)[None],
            ceiling,
            chance=chance,
            weights=pairs.source_weights,
            n_bootstrap=300,
            bounds=METRICS[metric].bounds,
            rng=Streams(3).of("share", metric, "held-out", "all"),
        )
        found = result.estimate(name, metric).share_of_noise_ceiling
        same(found.raw, expected.raw)
        same(found.of_lower, expected.of_lower)
        same(found.of_upper, expected.of_upper)
    for name in result.baselines:
        assert result.estimate(name, metric).share_of_noise_ceiling is None
    assert result.estimate("gate1", metric, class_name="FR I").share_of_noise_ceiling is None


def test_a_share_is_taken_from_chance_by_hand(several):
    _, result = several
    people = result.noise_ceiling("auc")
    # the score over all cells, which here have a ceiling each
    estimate = result.estimate("gate1", "auc")
    share = estimate.share_of_noise_ceiling
    assert share.raw.value == pytest.approx(estimate.interval.value)
    assert share.of_lower.value == pytest.approx(
        (estimate.interval.value - 0.5) / (people.lower.value - 0.5)
    )
    assert share.of_upper.value < share.of_lower.value


def test_maps_with_different_gaps_have_shares_of_their_own_cells():
    pairs = made()
    explanations = {name: array.copy() for name, array in pairs.explanations.items()}
    explanations["gate1"][[0, 5]] = 0.5
    explanations["mean"][7] = 0.5
    gaps = dataclasses.replace(pairs, explanations=explanations)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedValuesWarning)
        result = compare_pairs(gaps, settings=QUICK, rng=3)
        whole = compare_pairs(pairs, settings=QUICK, rng=3)
    ceiling = noise_ceilings(
        [METRICS["auc"]], pairs.density, pairs.mask, pairs.present, pairs.valid
    )["auc"]
    for name, left_out in (("gate1", [0, 5]), ("gate2", []), ("mean", [7])):
        share = result.estimate(name, "auc").share_of_noise_ceiling
        values = own(gaps, result, name, "auc")
        kept = np.setdiff1d(np.arange(12), left_out)
        assert np.isnan(values[:, left_out]).all()
        lower = ceiling.lower_values[:, kept].mean()
        assert share.of_lower.value == pytest.approx((values[:, kept].mean() - 0.5) / (lower - 0.5))
        assert share.of_lower.n_units == share.raw.n_units == kept.size
        # a map without gaps has the numbers that it has among maps without
        if not left_out:
            assert share == whole.estimate(name, "auc").share_of_noise_ceiling
