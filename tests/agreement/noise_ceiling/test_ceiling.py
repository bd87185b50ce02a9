"""Noise ceilings: against loops over single pairs, and the bound that a correlation has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from attnxai.agreement.intervals.crossed import crossed_interval
from attnxai.agreement.noise_ceiling.ceiling import noise_ceilings
from attnxai.agreement.noise_ceiling.share import shares_of_noise_ceiling
from attnxai.errors import OptionError
from attnxai.metrics import (
    METRICS,
    Consensus,
    TargetKind,
    auc,
    chance_values,
    nss,
    own_tables,
    spearman,
)

SHAPE = (7, 8)


def noise_ceiling(metric, **data):
    return noise_ceilings([metric], **data)[metric.name]


def share_of_noise_ceiling(values, ceiling, **options):
    return shares_of_noise_ceiling(values[None], ceiling, **options)[0]


def own_values(metric, maps, targets, valid):
    return own_tables([metric], maps, {metric.target: targets}, valid)[0]


def annotated(n_annotators=3, n_sources=12, seed=0, noise=0.5):
    """Annotators who see the same thing with noise of their own; a tie-free density each."""
    rng = np.random.default_rng(seed)
    truth = rng.random((1, n_sources, *SHAPE))
    density = truth + noise * rng.random((n_annotators, n_sources, *SHAPE))
    valid = np.ones((n_sources, *SHAPE), bool)
    valid[:, 0] = False
    return {
        "density": density,
        "mask": density > np.quantile(density, 0.8, axis=(2, 3), keepdims=True),
        "present": np.ones((n_annotators, n_sources), bool),
        "valid": valid,
    }


def test_auc_ceiling_is_a_loop_over_annotators():
    data = annotated()
    found = noise_ceiling(METRICS["auc"], **data)
    for annotator in range(3):
        for source in range(12):
            others = [a for a in range(3) if a != annotator]
            rest = data["density"][others, source].mean(axis=0)
            target, where = data["mask"][annotator, source], data["valid"][source]
            assert found.lower_values[annotator, source] == pytest.approx(auc(rest, target, where))
            everyone = data["density"][:, source].mean(axis=0)
            assert found.upper_values[annotator, source] == pytest.approx(
                auc(everyone, target, where)
            )
    assert found.lower.value == pytest.approx(found.lower_values.mean())
    assert not found.upper_is_bound
    assert found.n_annotators == 3


def test_nss_and_spearman_use_their_own_consensus():
    data = annotated()
    where = data["valid"][0]
    density = data["density"][:, 0][:, where]
    by_sum = (density / density.sum(axis=1, keepdims=True)).mean(axis=0)
    found = noise_ceiling(METRICS["nss"], **data)
    assert found.upper_values[1, 0] == pytest.approx(nss(by_sum, density[1]))
    assert found.upper_is_bound
    ranks = stats.rankdata(density, axis=1)[1:].mean(axis=0)
    found = noise_ceiling(METRICS["spearman"], **data)
    assert found.lower_values[0, 0] == pytest.approx(spearman(ranks, density[0]))
    assert not found.upper_is_bound
    assert METRICS["auc"].consensus is Consensus.MEAN


@pytest.mark.parametrize("name", ["kendall", "spearman"])
def test_annotators_with_larger_numbers_have_no_larger_say_in_rank_metrics(name):
    data = annotated(n_sources=3)
    data["density"] = data["density"] * np.array([1.0, 10.0, 100.0])[:, None, None, None]
    found = noise_ceiling(METRICS[name], **data)
    density = data["density"][:, 0][:, data["valid"][0]]
    ranks = stats.rankdata(density, axis=1).mean(axis=0)
    of_scipy = {"kendall": stats.kendalltau, "spearman": stats.spearmanr}[name]
    for annotator in range(3):
        expected = of_scipy(ranks, density[annotator]).statistic
        assert found.upper_values[annotator, 0] == pytest.approx(expected)


@pytest.mark.parametrize("metric", [METRICS["nss"], METRICS["spearman"], METRICS["correlation"]])
@given(seed=st.integers(0, 10_000), mixture=st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_no_map_beats_the_upper_figure(metric, seed, mixture):
    data = annotated(n_annotators=3, n_sources=4, seed=seed)
    rng = np.random.default_rng(seed + 1)
    best = data["density"].mean(axis=0)
    maps = (1 - mixture) * best + mixture * rng.random(best.shape)
    found = noise_ceiling(metric, **data)
    assert found.upper_is_bound == (metric.name != "spearman")  # these maps have no ties
    scores = own_values(metric, maps[None], data["density"], data["valid"])[0]
    assert (scores.mean(axis=0) <= found.upper_values.mean(axis=0) + 1e-9).all()
    assert found.lower_values.mean() < found.upper_values.mean()


def test_a_map_with_more_ties_can_exceed_the_reference_of_spearman():
    # both annotators rank the same half of the pixels higher, and are opposed within each half
    rng = np.random.default_rng(0)
    high = np.arange(100) >= 50
    within = np.tile(np.arange(50.0), 2)
    first, second = np.where(high, 50, 0) + within, np.where(high, 50, 0) + 49 - within
    second = second + rng.normal(0, 0.6, 100)
    density = np.stack([first + 1, second + 3]).reshape(2, 1, 10, 10)
    found = noise_ceiling(
        METRICS["spearman"],
        density=density,
        mask=density > density.mean(),
        present=np.ones((2, 1), bool),
        valid=np.ones((1, 10, 10), bool),
    )
    two_valued = np.mean([stats.spearmanr(high, one.ravel())[0] for one in density[:, 0]])
    assert two_valued > found.upper_values.mean() + 0.05
    assert not found.upper_is_bound


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_a_ceiling(name):
    metric, data = METRICS[name], annotated()
    found = noise_ceiling(metric, **data)
    assert np.isfinite(found.lower_values).all()
    assert np.isfinite(found.upper_values).all()
    assert found.lower.known
    target = data["density"] if metric.target is TargetKind.DENSITY else data["mask"]
    chance = chance_values(metric, target, data["valid"])
    assert (found.lower_values - chance).mean() > 0
    assert found.upper.value > found.lower.value
    share = share_of_noise_ceiling(found.lower_values, found, chance=chance, n_bootstrap=300)
    assert share.of_lower.value == pytest.approx(1.0)
    assert 0 < share.of_upper.value < 1


def test_a_map_can_exceed_the_reference_of_another_metric():
    data = annotated(noise=3.0)
    found = noise_ceiling(METRICS["relevance_mass_accuracy"], **data)
    shared = data["mask"].sum(axis=0) == data["mask"].sum(axis=0).max(axis=(1, 2), keepdims=True)
    scores = own_values(
        METRICS["relevance_mass_accuracy"], shared[None].astype(float), data["mask"], data["valid"]
    )[0]
    assert np.nanmean(scores) > found.upper.value
    assert not found.upper_is_bound


def test_annotators_who_agree_reach_the_top():
    data = annotated(noise=0.0)
    found = noise_ceiling(METRICS["spearman"], **data)
    assert found.lower.value == pytest.approx(1.0)
    assert found.upper.value == pytest.approx(1.0)


def test_sources_that_one_annotator_marked_have_no_ceiling():
    data = annotated()
    data["present"][1:, 4] = False
    data["present"][2, 5] = False
    found = noise_ceiling(METRICS["nss"], **data)
    assert np.isnan(found.lower_values[:, 4]).all()
    assert np.isfinite(found.lower_values[:2, 5]).all()
    assert np.isnan(found.lower_values[2, 5])
    assert found.lower.n_units == 11
    # of two annotators the others are the other one
    where = data["valid"][5]
    pair = data["density"][:2, 5][:, where]
    assert found.lower_values[0, 5] == pytest.approx(nss(pair[1], pair[0]))


def test_an_empty_annotation_is_no_vote():
    data = annotated()
    data["density"][2, 3] = 0.0
    data["mask"][2, 3] = False
    without = annotated()
    without["present"][2, 3] = False
    for name in ("nss", "auc"):
        found = noise_ceiling(METRICS[name], **data)
        same = noise_ceiling(METRICS[name], **without)
        np.testing.assert_array_equal(found.lower_values, same.lower_values)
        np.testing.assert_array_equal(found.upper_values, same.upper_values)


def test_one_annotator_has_no_ceiling_and_two_have_one_over_sources():
    data = annotated(n_annotators=1)
    found = noise_ceiling(METRICS["nss"], **data)
    assert np.isnan(found.lower.value)
    assert not found.lower.known
    assert "no ceiling" in found.note
    # nor is there one where the metric has values for one of two annotators: the other marked everything
    data = annotated(n_annotators=2)
    data["mask"][0] = True
    found = noise_ceiling(METRICS["auc"], **data)
    assert found.n_annotators == 1
    assert "no ceiling" in found.note
    pair = noise_ceiling(METRICS["spearman"], **annotated(n_annotators=2))
    assert "over sources" in pair.note
    assert "over sources" in pair.lower.method
    assert pair.lower.known


def test_share_of_the_ceiling():
    data = annotated(n_sources=25)
    metric = METRICS["auc"]
    rng = np.random.default_rng(3)
    maps = data["density"].mean(axis=0) + 0.8 * rng.random((25, *SHAPE))
    scores = own_values(metric, maps[None], data["mask"], data["valid"])[0]
    ceiling = noise_ceiling(metric, **data)
    chance = chance_values(metric, data["mask"], data["valid"])
    found = share_of_noise_ceiling(scores, ceiling, chance=chance, n_bootstrap=2000)
    assert found.raw == crossed_interval(scores)
    expected = (scores.mean() - 0.5) / (ceiling.lower_values.mean() - 0.5)
    assert found.of_lower.value == pytest.approx(expected)
    assert found.of_lower.low < expected < found.of_lower.high
    assert found.of_upper.value < found.of_lower.value
    # chance level is a share of 0, whatever the ceiling
    nothing = share_of_noise_ceiling(
        np.full_like(scores, 0.5), ceiling, chance=chance, n_bootstrap=500
    )
    assert nothing.of_lower.value == pytest.approx(0.0)


def test_annotators_themselves_reach_the_whole_ceiling():
    ceiling = noise_ceiling(METRICS["nss"], **annotated(n_sources=20))
    found = share_of_noise_ceiling(ceiling.lower_values, ceiling, n_bootstrap=500)
    assert (found.of_lower.value, found.of_lower.low) == (pytest.approx(1.0), pytest.approx(1.0))


def test_no_share_where_it_means_nothing():
    rng = np.random.default_rng(4)
    data = annotated(n_sources=20)
    data["density"] = rng.random(data["density"].shape)  # annotators who agree on nothing
    ceiling = noise_ceiling(METRICS["spearman"], **data)
    found = share_of_noise_ceiling(np.full((3, 20), 0.2), ceiling)
    assert np.isnan(found.of_lower.value)
    assert "not clearly above chance" in found.of_lower.note
    assert found.raw.value == pytest.approx(0.2)
    unknown = share_of_noise_ceiling(np.full((3, 20), 0.2), ceiling, chance=np.nan)
    assert "no value for chance" in unknown.of_upper.note
    few = noise_ceiling(METRICS["nss"], **annotated(n_sources=5))
    assert not share_of_noise_ceiling(few.lower_values, few).of_lower.known


def test_ends_stay_within_the_bounds_of_the_metric():
    found = noise_ceiling(METRICS["auc"], **annotated(n_annotators=4, noise=0.01))
    assert found.upper.high == 1.0
    free = crossed_interval(found.upper_values)
    assert free.high > 1.0
    assert found.upper.value == free.value


def test_wrong_shapes_are_refused():
    data = annotated()
    with pytest.raises(OptionError, match="valid needs the shape"):
        noise_ceiling(METRICS["nss"], **data | {"valid": data["valid"][0]})
    with pytest.raises(OptionError, match="density and mask"):
        noise_ceiling(METRICS["nss"], **data | {"present": data["present"].T})
    with pytest.raises(OptionError, match="one score for each"):
        share_of_noise_ceiling(np.zeros((2, 12)), noise_ceiling(METRICS["nss"], **data))
