"""P-values adjusted over all maps of all models, against scipy and against hand calculations."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import binomtest, false_discovery_control

from attnxai.agreement.comparison import ComparisonSettings, adjust_over_maps, compare_pairs
from attnxai.alignment.pairs import align
from attnxai.errors import AssumptionWarning, OptionError
from attnxai.explanations.stack import Split
from tests.builders import made_up

QUICK = ComparisonSettings(metrics=("nss", "auc"), n_permutations=499, n_bootstrap=100)


def result_of(name="first", *, agreement=0.25, seed=1, change=None, settings=QUICK):
    maps, marks, images = made_up(n_sources=14, agreement=agreement, seed=seed)
    maps = dataclasses.replace(maps, model_name=name)
    if change is not None:
        maps = change(maps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compare_pairs(align(maps, marks, images), settings=settings, rng=2)


@pytest.fixture(scope="module")
def results():
    """Two models with the same annotations."""
    maps = made_up(n_sources=14, agreement=0.0, seed=9)[0]

    def other_maps(made):
        return dataclasses.replace(made, layers=maps.layers)

    return [result_of("first"), result_of("second", change=other_maps)]


def family(results, metric="nss", class_name="all", group="held-out"):
    return [
        result.estimate(name, metric, group=group, class_name=class_name)
        for result in results
        for name in result.explanations
    ]


def p_values(estimates):
    return np.array([e.test.p_value for e in estimates])


def adjusted(estimates):
    return np.array([e.p_adjusted for e in estimates])


def holm_by_hand(p):
    """Holm (1979): the k-th smallest times (n - k + 1), none below the one before."""
    found, largest = np.empty(len(p)), 0.0
    for k, place in enumerate(np.argsort(p)):
        largest = max(largest, min(1.0, (len(p) - k) * p[place]))
        found[place] = largest
    return found


@pytest.mark.parametrize("class_name", ["all", "FR I", "FR II"])
@pytest.mark.parametrize("metric", ["nss", "auc"])
def test_several_results_are_one_family(results, metric, class_name):
    expected = {
        "holm": holm_by_hand,
        "bh": false_discovery_control,
        "none": lambda p: p,
    }
    for correction, by_hand in expected.items():
        made = family(adjust_over_maps(results, correction), metric, class_name)
        assert len(made) == 6
        assert {e.n_family for e in made} == {6}
        np.testing.assert_allclose(adjusted(made), by_hand(p_values(made)), rtol=1e-14)


def test_one_result_is_a_family_of_its_maps(results):
    for result in results:
        alone = family([result])
        assert {e.n_family for e in alone} == {3}
        np.testing.assert_allclose(adjusted(alone), holm_by_hand(p_values(alone)))


def test_baselines_are_no_claims(results):
    for result in adjust_over_maps(results, "holm"):
        for name in result.baselines:
            estimate = result.estimate(name, "nss")
            assert estimate.p_adjusted is None
            assert estimate.n_family == 0


def test_nothing_but_the_adjusted_values_changes(results):
    for before, after in zip(results, adjust_over_maps(results, "bh"), strict=True):
        assert len(before.estimates) == len(after.estimates)
        for one, other in zip(before.estimates, after.estimates, strict=True):
            same = dataclasses.replace(
                other,
                p_adjusted=one.p_adjusted,
                p_within_size_adjusted=one.p_within_size_adjusted,
                p_adjusted_monte_carlo=one.p_adjusted_monte_carlo,
                n_family=one.n_family,
                correction=one.correction,
            ).to_record()
            assert one.to_record() == same
    assert {e.n_family for e in family(results)} == {3}


def test_a_test_that_was_not_made_leaves_the_family():
    def flat(maps):
        layers = {name: array.copy() for name, array in maps.layers.items()}
        layers["gate1"][:] = 0.5
        return dataclasses.replace(maps, layers=layers)

    result = result_of(change=flat)
    gone, *others = family([result])
    assert (gone.test, gone.p_adjusted) == (None, None)
    assert {e.n_family for e in others} == {2}
    np.testing.assert_allclose(adjusted(others), holm_by_hand(p_values(others)))


def step_down_by_hand(estimates):
    """Westfall & Young (1993), one hypothesis after the other and one draw after the other."""
    tests = [e.test for e in estimates]
    sign = -1 if tests[0].alternative == "less" else 1

    def scaled(test, value):
        z = sign * (value - np.mean(test.values)) / np.std(test.values)
        return abs(z) if test.alternative == "two-sided" else z

    observed = [scaled(test, test.observed) for test in tests]
    order = sorted(range(len(tests)), key=lambda i: -observed[i])
    found, largest = {}, 0.0
    for k, first in enumerate(order):
        n_reached = 0
        for draw in range(tests[0].n_draws):
            highest = max(scaled(tests[i], tests[i].values[draw]) for i in order[k:])
            n_reached += highest >= observed[first] - 1e-9
        largest = max(largest, (n_reached + 1) / (tests[0].n_draws + 1))
        found[first] = max(largest, tests[first].p_value)
    return np.array([found[i] for i in range(len(tests))])


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
def test_max_t_takes_the_largest_of_every_draw(alternative):
    settings = dataclasses.replace(
        QUICK, metrics=("nss",), alternative=alternative, n_permutations=99
    )
    maps = made_up(n_sources=14, agreement=0.0, seed=9)[0]
    results = [
        result_of(settings=settings),
        result_of(
            "second",
            settings=settings,
            change=lambda made: dataclasses.replace(made, layers=maps.layers),
        ),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = family(adjust_over_maps(results, "max_t"))
    np.testing.assert_allclose(adjusted(made), step_down_by_hand(made), rtol=1e-12)
    assert (adjusted(made) >= p_values(made)).all()


def test_maps_that_are_alike_cost_nothing_under_max_t():
    def alike(maps):
        return dataclasses.replace(
            maps,
            layers=dict.fromkeys(maps.layers, maps.layers["gate1"]),
            geometry=dict.fromkeys(maps.geometry, maps.geometry["gate1"]),
        )

    result = result_of(change=alike)
    (joint,) = adjust_over_maps([result], "max_t")
    made = family([joint])
    np.testing.assert_allclose(adjusted(made), p_values(made))
    # which Holm's method does not know
    assert (adjusted(family([result])) > p_values(made)).all()


def test_a_null_without_spread_does_not_decide_for_the_others():
    """Where all draws have the same value, rounding alone would make some of them stand far out."""
    result = result_of(agreement=1.0)
    flat, *others = family([result])
    draws = np.arange(flat.test.n_draws)
    test = dataclasses.replace(
        flat.within_strata,
        observed=0.25,
        # equal up to rounding, as sums in another order are
        values=np.where(draws == 7, np.nextafter(0.25, 1), 0.25),
        p_value=1.0,
    )
    changed = tuple(
        dataclasses.replace(e, within_strata=test) if e is flat else e for e in result.estimates
    )
    (joint,) = adjust_over_maps([dataclasses.replace(result, estimates=changed)], "max_t")
    made = family([joint])
    assert made[0].p_adjusted == 1.0
    np.testing.assert_allclose(adjusted(made[1:]), step_down_by_hand(others))


def is_constant(maps):
    """One source whose map says nothing, so that it is not permuted."""
    layers = {name: array.copy() for name, array in maps.layers.items()}
    layers["gate1"][3] = 0.5
    return dataclasses.replace(maps, layers=layers)


def test_holm_replaces_max_t_where_tests_are_over_other_sources():
    result = result_of(change=is_constant)
    with pytest.warns(AssumptionWarning, match="max-T adjusts .* Holm's method is used"):
        (made,) = adjust_over_maps([result], "max_t")
    np.testing.assert_allclose(
        adjusted(family([made])), holm_by_hand(p_values(family([made]))), rtol=1e-14
    )
    # the class in which nothing is missing keeps max-T
    of_class = family([made], class_name="FR I")
    np.testing.assert_allclose(adjusted(of_class), step_down_by_hand(of_class), rtol=1e-12)


def test_holm_replaces_max_t_where_models_differ_in_strata():
    """Under the same seed, other strata have other draws, though their number is the same."""
    settings = dataclasses.replace(QUICK, metrics=("nss",), strata=("size",))
    first = result_of(settings=settings)

    def others_are_large(maps):
        brightness = maps.brightness.copy()
        brightness[2:5] = gaussian_filter(brightness[2:5], (0, 3, 3))
        return dataclasses.replace(maps, brightness=brightness)

    second = result_of("second", settings=settings, change=others_are_large)
    assert first.strata != second.strata
    with pytest.warns(AssumptionWarning, match="Holm"):
        made = family(adjust_over_maps([first, second], "max_t"))
    np.testing.assert_allclose(adjusted(made), holm_by_hand(p_values(made)))


def test_the_groups_that_conclusions_rest_on_are_one_family():
    """One model's sources are held out, of the other's nothing is known: both verdicts are looked at."""
    first = result_of()
    second = result_of(
        "second",
        change=lambda maps: dataclasses.replace(maps, splits=(Split.UNKNOWN,) * 14),
    )
    assert (first.verdict_group, second.verdict_group) == ("held-out", "unknown")
    joint = adjust_over_maps([first, second], "holm")
    made = [
        result.estimate(name, "nss", group=group)
        for result, group in zip(joint, ("held-out", "unknown"), strict=True)
        for name in result.explanations
    ]
    assert {e.n_family for e in made} == {6}
    np.testing.assert_allclose(adjusted(made), holm_by_hand(p_values(made)))
    # each group has draws of its own
    with pytest.warns(AssumptionWarning, match="Holm"):
        adjust_over_maps([first, second], "max_t")


def test_other_groups_are_families_of_their_own():
    def half_known(maps):
        splits = (Split.TRAINING,) * 6 + (Split.HELD_OUT,) * 8
        return dataclasses.replace(maps, splits=splits)

    results = [result_of(change=half_known), result_of("second", change=half_known)]
    joint = adjust_over_maps(results, "holm")
    for group in ("held-out", "training", "all"):
        made = family(joint, group=group)
        assert {e.n_family for e in made} == {6}
        np.testing.assert_allclose(adjusted(made), holm_by_hand(p_values(made)))


def test_unknown_corrections_are_refused():
    with pytest.raises(OptionError, match="known corrections are holm, bh, max_t, none"):
        ComparisonSettings(correction="bonferroni")


@pytest.mark.parametrize("correction", ["holm", "bh", "none", "max_t"])
def test_adjusted_p_values_have_the_monte_carlo_interval_of_their_family(results, correction):
    made = family(adjust_over_maps(results, correction))
    own = np.array([e.test.monte_carlo_interval for e in made]).T
    found = np.array([e.p_adjusted_monte_carlo for e in made]).T
    if correction == "max_t":
        n_extreme = np.rint(adjusted(made) * 500).astype(int) - 1
        shares = [binomtest(int(n), 499).proportion_ci(0.95, method="exact") for n in n_extreme]
        expected = np.array([(share.low, share.high) for share in shares]).T
    else:
        by_hand = {"holm": holm_by_hand, "bh": false_discovery_control, "none": lambda p: p}
        expected = np.array([by_hand[correction](ends) for ends in own])
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert (found[0] <= adjusted(made)).all()
    assert (adjusted(made) <= found[1]).all()
    record = made[0].to_record()
    assert (record["p_adjusted_monte_carlo_low"], record["p_adjusted_monte_carlo_high"]) == tuple(
        found[:, 0]
    )
    assert record["p_monte_carlo_high_within_strata"] == own[1, 0]


@pytest.mark.parametrize("correction", ["holm", "max_t"])
def test_p_values_within_halves_of_size_are_adjusted_over_the_same_maps(results, correction):
    """Max-T needs draws that all tests share, and these are not kept."""
    estimates = family(adjust_over_maps(results, correction))
    p = np.array([estimate.p_within_size for estimate in estimates], dtype=float)
    assert len(p) == 2 * len(results[0].explanations)
    assert np.isfinite(p).all()
    found = [estimate.p_within_size_adjusted for estimate in estimates]
    np.testing.assert_allclose(found, holm_by_hand(p))
