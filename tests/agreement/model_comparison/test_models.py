"""Models against each other: against scipy, by brute force, and by level and family-wise error."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from scipy import stats

from attnxai.agreement.intervals.crossed import crossed_interval, crossed_p_value
from attnxai.agreement.model_comparison.models import paired_differences
from attnxai.agreement.multiplicity import Correction, adjust
from attnxai.errors import FewSourcesWarning, OptionError, UndefinedValuesWarning
from attnxai.nulls.p_values import Alternative
from attnxai.statistics.bootstrap import bootstrap_counts, mean_interval

QUICK = {"n_bootstrap": 100}


def models(n_models=3, n_sources=10, seed=0, *, shift=0.0):
    rng = np.random.default_rng(seed)
    shared = 2 * rng.normal(size=n_sources)
    return {
        f"m{i}": shared + rng.normal(size=n_sources) + shift * (i == 0) for i in range(n_models)
    }


# --- one pair --------------------------------------------------------------------------------------


@pytest.mark.parametrize("alternative", list(Alternative))
@pytest.mark.parametrize("seed", range(4))
def test_sign_flips_equal_scipys(alternative, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=9) + 0.5, rng.normal(size=9)
    if seed == 1:
        a, b = np.round(a), np.round(b)  # ties, and differences of zero
    expected = stats.permutation_test(
        (a - b,),
        np.mean,
        permutation_type="samples",
        n_resamples=np.inf,
        alternative=alternative,
        vectorized=False,
    )
    result = paired_differences({"a": a, "b": b}, alternative=alternative, **QUICK)
    (found,) = result.contrasts
    assert result.exhaustive
    assert result.n_draws == 2**9
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-12)
    assert found.p_adjusted == found.p_value
    assert found.difference.value == pytest.approx(expected.statistic)
    assert found.statistic == pytest.approx((a - b).sum() / np.sqrt(((a - b) ** 2).sum()))


def test_weights_are_those_of_the_mean():
    values, weights = models(2, 8, shift=1.0), np.array([1, 2, 1, 3, 0, 1, 1, 2.0])
    terms = (values["m0"] - values["m1"]) * weights
    expected = stats.permutation_test(
        (terms,), np.sum, permutation_type="samples", n_resamples=np.inf, vectorized=False
    )
    with warnings.catch_warnings(action="error"):
        (found,) = paired_differences(values, weights=weights, **QUICK).contrasts
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.difference.value == pytest.approx(terms.sum() / weights.sum())
    assert (found.n_sources, found.n_dropped) == (7, 0)


def test_sampled_flips_come_near_all_of_them_and_repeat():
    values = models(2, 13, shift=0.8)
    exact = paired_differences(values, n_draws=2**13, **QUICK)
    sampled = paired_differences(values, n_draws=4000, rng=5, **QUICK)
    assert exact.exhaustive
    assert not sampled.exhaustive
    p = exact.contrasts[0].p_value
    assert abs(sampled.contrasts[0].p_value - p) < 4 * np.sqrt(p * (1 - p) / 4000) + 1 / 4000
    assert sampled == paired_differences(values, n_draws=4000, rng=5, **QUICK)
    assert sampled.contrasts[0].p_value != pytest.approx(0)


def test_p_is_never_zero():
    values = {"a": np.arange(30.0) + 1, "b": np.zeros(30)}
    result = paired_differences(values, n_draws=99, **QUICK)
    assert result.contrasts[0].p_value == result.contrasts[0].smallest_p == 1 / 100


def test_models_that_are_the_same_show_nothing():
    values = np.random.default_rng(0).normal(size=12)
    (found,) = paired_differences({"a": values, "b": values.copy()}, n_draws=99, **QUICK).contrasts
    assert found.p_value == found.p_adjusted == 1.0
    assert found.difference.value == 0.0


# --- intervals -------------------------------------------------------------------------------------


def test_all_pairs_share_their_resamples():
    values = models(3, 20)
    counts = bootstrap_counts(20, 500, np.random.default_rng(3).spawn(3)[1])
    result = paired_differences(values, n_bootstrap=500, n_draws=99, rng=3)
    for found in result.contrasts:
        difference = values[found.first] - values[found.second]
        assert found.difference == mean_interval(difference, counts)
        assert found.difference_others is None


def test_several_annotators_are_crossed_with_the_sources():
    rng = np.random.default_rng(8)
    values = {name: rng.normal(size=(4, 25)) for name in "ab"}
    values["a"][1, 3] = np.nan  # this annotator's difference is missing, the source is not
    with warnings.catch_warnings(action="error"):
        (found,) = paired_differences(values, n_draws=99, **QUICK).contrasts
    assert found.difference_others == crossed_interval(values["a"] - values["b"])
    assert found.n_sources == 25
    means = np.nanmean(values["a"] - values["b"], axis=0)
    assert found.difference.value == pytest.approx(means.mean())
    assert found.p_others == crossed_p_value(values["a"] - values["b"], strict=True)
    assert found.p_others_adjusted == found.p_others


# --- about other annotators too --------------------------------------------------------------------


def marked(n_models=3, n_annotators=4, n_sources=25, seed=0, *, annotator=0.3, shift=0.0):
    """Values by annotator: models differ by source, and by what suits each annotator."""
    rng = np.random.default_rng(seed)
    shared = 2 * rng.normal(size=n_sources)
    return {
        f"m{i}": shared
        + annotator * rng.normal(size=(n_annotators, 1))
        + rng.normal(size=(1, n_sources))
        + rng.normal(size=(n_annotators, n_sources))
        + shift * (i == 0)
        for i in range(n_models)
    }


@pytest.mark.parametrize(
    ("correction", "used"),
    [
        (Correction.MAX_T, "holm"),
        (Correction.HOLM, "holm"),
        (Correction.BH, "bh"),
        (Correction.NONE, "none"),
    ],
)
def test_p_values_about_others_are_adjusted_over_the_family(correction, used):
    values, weights = marked(4, shift=1.0), np.random.default_rng(1).uniform(0.5, 2, size=25)
    result = paired_differences(values, weights=weights, correction=correction, n_draws=99, **QUICK)
    p_values = [
        crossed_p_value(values[c.first] - values[c.second], weights=weights, strict=True)
        for c in result.contrasts
    ]
    assert [c.p_others for c in result.contrasts] == p_values
    adjusted = adjust(p_values, used)
    assert [c.p_others_adjusted for c in result.contrasts] == pytest.approx(adjusted)
    assert result.to_frame()["p_others_adjusted"].tolist() == pytest.approx(adjusted)


def test_one_sided_p_values_about_others_are_half_and_need_the_sign():
    values = marked(2, shift=0.4)
    both, greater, less = (
        paired_differences(values, alternative=alternative, n_draws=99, **QUICK).contrasts[0]
        for alternative in (Alternative.TWO_SIDED, Alternative.GREATER, Alternative.LESS)
    )
    assert both.difference.value > 0
    assert greater.p_others == both.p_others / 2 < 0.5
    assert less.p_others == 1 - both.p_others / 2
    turned = paired_differences(
        dict(reversed(values.items())), alternative=Alternative.LESS, n_draws=99, **QUICK
    ).contrasts[0]
    assert turned.p_others == pytest.approx(greater.p_others)


def test_a_difference_in_the_other_direction_is_not_found():
    values = marked(2, annotator=0.0, shift=3.0)
    settings = {"n_draws": 999, **QUICK}
    assert paired_differences(values, **settings).contrasts[0].found
    assert paired_differences(values, alternative="greater", **settings).contrasts[0].found
    (less,) = paired_differences(values, alternative="less", **settings).contrasts
    assert less.interval.excludes(0.0)
    assert not less.found


def test_what_suits_these_annotators_is_not_found_for_others():
    """Three annotators prefer a model, to degrees that differ: signs of sources know nothing of that."""
    values = marked(2, 3, 40, annotator=0.0)
    preference = np.array([[3.0], [1.0], [0.4]])
    values["m0"] = values["m0"] + preference
    (found,) = paired_differences(values, n_draws=999, **QUICK).contrasts
    assert found.p_adjusted <= 0.01
    assert found.p_others > 0.05
    assert not found.found


def test_nothing_is_said_of_others_where_one_annotator_marked():
    values = marked(3, 2)
    values["m0"][1] = np.nan  # the pairs with this model have one annotator, the third has two
    result = paired_differences(values, n_draws=99, **QUICK)
    for found in result.contrasts[:2]:
        assert found.difference_others is found.p_others is found.p_others_adjusted is None
    assert result.contrasts[2].p_others == result.contrasts[2].p_others_adjusted


def test_models_that_are_the_same_are_the_same_for_others():
    values = marked(2, 3, 12)
    values["m1"] = values["m0"].copy()
    (found,) = paired_differences(values, n_draws=99, **QUICK).contrasts
    assert found.p_others == found.p_others_adjusted == 1.0
    assert not found.interval.known
    assert not found.found
    few = {name: v[:, :6] for name, v in marked(2, 3).items()}
    (found,) = paired_differences(few, n_draws=99, **QUICK).contrasts
    assert found.p_others is found.p_others_adjusted is None


def test_the_interval_and_its_p_value_see_the_same_resamples():
    values = marked(2, 2, 20)
    for name in values:
        values[name][1, 6:] = np.nan  # less than one degree of freedom: resamples are drawn
    (found,) = paired_differences(values, n_draws=99, rng=3, **QUICK).contrasts
    assert "dual bootstrap" in found.difference_others.method
    assert paired_differences(values, n_draws=99, rng=3, **QUICK).contrasts[0] == found


# --- several pairs ---------------------------------------------------------------------------------


def test_max_t_by_brute_force():
    values = models(3, 7, shift=1.5, seed=3)
    result = paired_differences(values, **QUICK)
    names = list(itertools.combinations(values, 2))
    d = np.stack([values[a] - values[b] for a, b in names])
    null = []
    for signs in itertools.product((1, -1), repeat=7):
        flipped = d * np.array(signs)
        null.append(np.abs(flipped.sum(axis=1)) / np.sqrt((flipped**2).sum(axis=1)))
    null = np.array(null)
    observed = null[0]
    order = np.argsort(-observed)
    before = 0.0
    for place, index in enumerate(order):
        reached = (null[:, order[place:]].max(axis=1) >= observed[index] - 1e-12).mean()
        before = max(before, reached)
        assert result.contrasts[index].p_adjusted == pytest.approx(before)
        assert result.contrasts[index].p_value == pytest.approx(
            (null[:, index] >= observed[index] - 1e-12).mean()
        )


def test_pairs_of_wide_differences_do_not_decide_for_narrow_ones():
    values = models(2, 12, shift=2.0)
    alone = paired_differences(values, **QUICK).contrasts[0]
    noise = np.random.default_rng(9).normal(size=12)
    wide = values | {"wild": values["m1"] + 1000 * noise}
    among = paired_differences(wide, **QUICK).contrast("m0", "m1")
    assert among.p_value == alone.p_value
    assert among.p_adjusted < 3 * alone.p_value


def test_other_corrections():
    values, pairs = models(4, 9), [("m0", "m2"), ("m1", "m2"), ("m3", "m2")]
    against = paired_differences(values, pairs=pairs, correction=Correction.HOLM, **QUICK)
    p_values = [c.p_value for c in against.contrasts]
    np.testing.assert_array_equal(
        [c.p_adjusted for c in against.contrasts], adjust(p_values, "holm")
    )
    plain = paired_differences(values, pairs=pairs, correction=Correction.NONE, **QUICK)
    assert [c.p_adjusted for c in plain.contrasts] == p_values
    with pytest.raises(KeyError, match="m0 minus m2"):
        against.contrast("m2", "m0")


def test_swapping_two_models_turns_the_difference():
    values = models(2, 9, shift=0.7)
    (forth,) = paired_differences(values, **QUICK).contrasts
    (back,) = paired_differences(dict(reversed(values.items())), **QUICK).contrasts
    assert back.difference.value == -forth.difference.value
    assert back.p_value == forth.p_value
    greater = paired_differences(values, alternative=Alternative.GREATER, **QUICK).contrasts[0]
    less = paired_differences(
        dict(reversed(values.items())), alternative=Alternative.LESS, **QUICK
    ).contrasts[0]
    assert greater.p_value == less.p_value


# --- undefined values ------------------------------------------------------------------------------


def test_undefined_sources_leave_their_pairs_and_are_counted():
    values = models(3, 10, shift=0.5)
    values["m1"][[2, 5]] = np.nan
    with pytest.warns(
        UndefinedValuesWarning, match=r"2 of 3 pairs .* at most 2 of 10 \(m0 and m1\)"
    ):
        result = paired_differences(values, **QUICK)
    kept = [i for i in range(10) if i not in (2, 5)]
    alone = paired_differences({k: values[k][kept] for k in ("m0", "m1")}, **QUICK).contrasts[0]
    found = result.contrast("m0", "m1")
    assert (found.n_sources, found.n_dropped) == (8, 2)
    assert found.p_value == alone.p_value
    assert found.smallest_p == alone.smallest_p
    assert found.difference.value == pytest.approx(alone.difference.value)
    assert result.contrast("m0", "m2").n_dropped == 0


def test_a_pair_without_a_source_is_not_tested():
    values = models(3, 16)
    values["m0"][:8], values["m1"][8:] = np.nan, np.nan
    with pytest.warns(UndefinedValuesWarning):
        result = paired_differences(values, **QUICK)
    found = result.contrast("m0", "m1")
    assert found.n_sources == 0
    assert np.isnan([found.p_value, found.p_adjusted, found.smallest_p, found.statistic]).all()
    record = found.to_record()
    assert record["p_value"] is record["difference"] is record["ci_low"] is None
    assert np.isfinite(result.contrast("m0", "m2").p_adjusted)


def test_too_few_sources_are_said():
    with pytest.warns(FewSourcesWarning, match=r"is 0.12, which is above 0.05"):
        paired_differences(models(2, 4), **QUICK)
    nothing = {"a": np.full(3, np.nan), "b": np.ones(3)}
    with (
        pytest.warns(UndefinedValuesWarning),
        pytest.warns(FewSourcesWarning, match="none is tested"),
    ):
        paired_differences(nothing, **QUICK)


def test_what_cannot_be_compared():
    values = models(2, 8)
    with pytest.raises(OptionError, match="two or more, got m0"):
        paired_differences({"m0": values["m0"]})
    with pytest.raises(OptionError, match=r"got 0\) and n_bootstrap"):
        paired_differences(values, n_draws=0)
    with pytest.raises(ValueError, match="same annotators and sources"):
        paired_differences({"a": np.ones(3), "b": np.ones(4)})
    with pytest.raises(ValueError, match="weights need 8"):
        paired_differences(values, weights=[1, 2])


def test_pairs_that_are_asked_for_are_the_family():
    values = models(4, 9)
    wanted = [("m2", "m0"), ("m1", "m3")]
    result = paired_differences(values, pairs=wanted, **QUICK)
    assert [(c.first, c.second) for c in result.contrasts] == wanted
    # pairs that share no model, adjusted together: by brute force over all flips
    d = np.stack([values[a] - values[b] for a, b in wanted])
    null = []
    for signs in itertools.product((1, -1), repeat=9):
        flipped = d * np.array(signs)
        null.append(np.abs(flipped.sum(axis=1)) / np.sqrt((flipped**2).sum(axis=1)))
    null = np.array(null)
    order = np.argsort(-null[0])
    first = (null.max(axis=1) >= null[0][order[0]] - 1e-12).mean()
    second = max(first, (null[:, order[1]] >= null[0][order[1]] - 1e-12).mean())
    assert result.contrasts[order[0]].p_adjusted == pytest.approx(first)
    assert result.contrasts[order[1]].p_adjusted == pytest.approx(second)
    every = paired_differences(values, **QUICK)
    assert result.contrast("m1", "m3").p_value == every.contrast("m1", "m3").p_value
    assert result.contrast("m2", "m0").difference.value == pytest.approx(
        -every.contrast("m0", "m2").difference.value
    )


def test_pairs_that_cannot_be():
    values = models(3, 9)
    for pairs, reason in (
        ([], "pairs is empty"),
        ([("m0", "m9")], "names m9, which is not among the models m0, m1, m2"),
        ([("m0", "m0")], "compares a model with itself"),
        ([("m0", "m1"), ("m1", "m0")], "pair of m1 and m0 comes twice"),
    ):
        with pytest.raises(OptionError, match=reason):
            paired_differences(values, pairs=pairs)


# --- level -----------------------------------------------------------------------------------------


def share_rejected(make, *, n_experiments, seed):
    """For each contrast, whether the plain and the adjusted p-value are at most 0.05."""
    rng = np.random.default_rng(seed)
    plain, adjusted = [], []
    for _ in range(n_experiments):
        result = paired_differences(make(rng), n_draws=199, rng=rng, n_bootstrap=100)
        plain.append([c.p_value <= 0.05 for c in result.contrasts])
        adjusted.append([c.p_adjusted <= 0.05 for c in result.contrasts])
    return np.array(plain), np.array(adjusted)


def test_level_and_family_wise_error_lie_in_their_bands():
    """Four models that do not differ, over 20 sources that do, with heavy tails: six pairs."""

    def make(rng):
        shared = 3 * rng.normal(size=20)
        return {f"m{i}": shared + rng.standard_t(3, size=20) for i in range(4)}

    n = 500
    plain, adjusted = share_rejected(make, n_experiments=n, seed=1)
    low, high = stats.binom.ppf([0.0005, 0.9995], n, 0.05)
    assert low <= plain[:, 0].sum() <= high
    assert low <= adjusted.any(axis=1).sum() <= high
    assert (
        plain.any(axis=1).sum() > high
    )  # without a correction, one of six pairs is found too often


def test_family_wise_error_holds_when_one_model_does_differ():
    """And when the differences of all pairs together are not symmetric about zero."""

    def make(rng):
        made = {f"m{i}": rng.exponential(size=30) for i in range(3)}
        return made | {"better": rng.exponential(size=30) + 2}

    n = 500
    _, adjusted = share_rejected(make, n_experiments=n, seed=2)
    equal = adjusted[:, [0, 1, 3]]  # m0-m1, m0-m2, m1-m2
    assert (
        stats.binomtest(int(equal.any(axis=1).sum()), n, 0.05, alternative="greater").pvalue > 0.001
    )
    assert adjusted[:, [2, 4, 5]].mean() > 0.9


def share_found(n_annotators, n_models, annotator, *, n_experiments, seed, n_maps=4, n_sources=50):
    """How often any difference is found, and would be by sign flips and intervals, without one."""
    rng = np.random.default_rng(seed)
    found = without = 0
    for _ in range(n_experiments):
        shared = 2 * rng.normal(size=n_sources)
        values = {}
        for model in range(n_models):
            of_model = 0.7 * rng.normal(size=n_sources)
            for name in range(n_maps):
                values[f"{model}: {name}"] = (
                    shared
                    + of_model
                    + annotator * rng.normal(size=(n_annotators, 1))
                    + 0.7 * rng.normal(size=(1, n_sources))
                    + rng.normal(size=(n_annotators, n_sources))
                )
        pairs = [
            (f"{a}: {name}", f"{b}: {name}")
            for name in range(n_maps)
            for a, b in itertools.combinations(range(n_models), 2)
        ]
        result = paired_differences(values, pairs=pairs, n_draws=499, n_bootstrap=100, rng=rng)
        found += any(c.found for c in result.contrasts)
        without += any(c.interval.excludes(0.0) and c.p_adjusted <= 0.05 for c in result.contrasts)
    return found, without


@pytest.mark.parametrize("n_annotators", [3, 5])
def test_family_wise_error_of_findings_where_annotators_differ(n_annotators):
    """Twelve contrasts; sign flips and intervals alone find one in a third of the experiments."""
    n = 100
    found, without = share_found(n_annotators, 3, 0.5, n_experiments=n, seed=n_annotators)
    assert found <= stats.binom.ppf(0.9995, n, 0.05)
    assert without > stats.binom.ppf(0.9995, n, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("annotator", [0.0, 0.5])
@pytest.mark.parametrize("n_models", [2, 3])
@pytest.mark.parametrize("n_annotators", [2, 3, 4, 5, 10])
def test_family_wise_error_of_the_documented_table(n_annotators, n_models, annotator):
    n = 600
    found, _ = share_found(n_annotators, n_models, annotator, n_experiments=n, seed=7)
    assert found <= stats.binom.ppf(0.9995, n, 0.05)


@pytest.mark.parametrize("correction", ["holm", "max_t"])
def test_sampled_flips_have_monte_carlo_intervals(correction):
    values = models(3, 20, shift=0.4)
    result = paired_differences(values, n_draws=499, correction=correction, **QUICK)

    def exact(p):
        share = stats.binomtest(round(p * 500) - 1, 499).proportion_ci(0.95, method="exact")
        return share.low, share.high

    own = np.array([exact(c.p_value) for c in result.contrasts])
    np.testing.assert_allclose([c.p_monte_carlo for c in result.contrasts], own, rtol=1e-9)
    of_family = [exact(c.p_adjusted) for c in result.contrasts]
    if correction == "holm":
        of_family = np.transpose([adjust(ends, "holm") for ends in own.T])
    found = [c.p_adjusted_monte_carlo for c in result.contrasts]
    np.testing.assert_allclose(found, of_family, rtol=1e-9)
    assert result.contrasts[0].to_record()["p_adjusted_monte_carlo_high"] == found[0][1]
    every = paired_differences(models(2, 7), n_draws=499, **QUICK).contrasts[0]
    assert every.p_monte_carlo is None
    assert every.to_record()["p_monte_carlo_low"] is None
