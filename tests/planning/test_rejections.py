"""Power of the source permutation: against formulas, against the test itself, and at no effect."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from attnxai.agreement.effect_components import Components
from attnxai.agreement.intervals.crossed import crossed_interval
from attnxai.errors import OptionError
from attnxai.nulls import SourcePermutation, run_null_test
from attnxai.planning.rejections import class_sizes, count_rejections

PLAIN = Components(effect=0.3, sd_source=1.0)


def share(components, sizes, *, n_annotators=1, level=0.05, n=4000, seed=0):
    count = count_rejections(
        components,
        sizes,
        n_annotators,
        level=level,
        n_simulations=n,
        rng=np.random.default_rng(seed),
    )
    return count / n


def share_of_whole_tests(components, sizes, *, level, n_experiments, n_draws=999, seed=0):
    """The same by whole matrices and the test that the package runs."""
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    strata = np.repeat(np.arange(len(sizes)), sizes).tolist()
    rejected = 0
    for _ in range(n_experiments):
        matrix = components.spread_permuted(1) * rng.normal(size=(n, n))
        matrix += rng.normal(size=(n, 1)) + rng.normal(size=n)  # good maps, easy annotations
        np.fill_diagonal(
            matrix,
            np.diag(matrix)
            + components.effect
            + math.sqrt(components.spread_own(1) ** 2 - components.spread_permuted(1) ** 2)
            * rng.normal(size=n),
        )
        draws = SourcePermutation(within_strata=True).draw(strata, n_draws=n_draws, rng=rng)
        rejected += run_null_test(matrix, draws, null="within class").p_value <= level
    return rejected / n_experiments


# --- against formulas ------------------------------------------------------------------------------


@pytest.mark.parametrize("n_sources", [60, 150])
@pytest.mark.parametrize("level", [0.05, 0.0125])
def test_many_sources_come_to_the_power_of_a_z_test(n_sources, level):
    n = 10_000
    found = share(PLAIN, class_sizes(n_sources, (1, 1)), level=level, n=n)
    # a class less one source: its mean is taken off
    shift = PLAIN.effect * math.sqrt(n_sources - 2)
    # the effect on the diagonal widens the null
    spread = math.sqrt(1 + 2 * PLAIN.effect**2 / n_sources)
    expected = stats.norm.sf(stats.norm.isf(level) * spread - shift)
    assert found == pytest.approx(expected, abs=0.025)


def test_spread_of_sources_beyond_that_of_pairs_flattens_power():
    wide = dataclasses.replace(PLAIN, sd_source=2.0, sd_pairing=1.0)
    found = share(wide, (50, 50), n=10_000)
    expected = stats.norm.sf((stats.norm.isf(0.05) - PLAIN.effect * math.sqrt(98)) / 2)
    assert found == pytest.approx(expected, abs=0.025)


def test_the_null_of_few_sources_is_that_of_all_their_permutations():
    """Maps that score nothing with any other annotation: the variance of all permutations, by definition."""
    effect, n_sources, n = 0.4, 8, 20_000
    alone = Components(effect=effect, sd_source=1.0, sd_pairing=1e-9)
    own = effect + np.random.default_rng(1).normal(size=(n, n_sources))
    matrices = own[:, :, None] * np.eye(n_sources)
    centred = matrices - matrices.mean(axis=1, keepdims=True)
    centred -= centred.mean(axis=2, keepdims=True)
    deviation = np.sqrt((centred**2).sum(axis=(1, 2)) / (n_sources - 1))
    excess = own.sum(axis=1) - own.mean(axis=1)
    expected = np.mean(excess >= stats.norm.isf(0.05) * deviation)
    assert share(alone, (n_sources,), n=n) == pytest.approx(expected, abs=0.015)


def test_power_of_one_class_is_near_that_of_a_t_test():
    n, effect, n_sources = 10_000, 0.5, 30
    found = share(Components(effect=effect, sd_source=1.0), (n_sources,), n=n)
    freedom, shift = n_sources - 1, effect * math.sqrt(n_sources)
    expected = stats.nct.sf(stats.t.isf(0.05, freedom), freedom, shift)
    assert found == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("sizes", [(4, 4), (5, 5), (20, 20), (3, 9, 8)])
@pytest.mark.parametrize("level", [0.05, 0.0125])
def test_without_an_effect_the_level_is_the_power(sizes, level):
    n = 4000
    found = share(dataclasses.replace(PLAIN, effect=0.0), sizes, level=level, n=n)
    # a normal tail is a little off with few sources: a tenth of the level
    low, high = stats.binom.ppf([0.0005, 0.9995], n, level) / n
    assert low - 0.1 * level <= found <= high + 0.1 * level


# --- against the test itself -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "effect", "level"),
    [((4, 3), 1.2, 0.05), ((6, 6), 0.8, 0.05), ((12, 8), 0.6, 0.05), ((15, 15), 0.5, 0.0125)],
)
def test_power_is_that_of_the_test(sizes, effect, level):
    components = Components(effect=effect, sd_source=1.3, sd_pairing=1.0)
    n = 400
    expected = share_of_whole_tests(components, sizes, level=level, n_experiments=n)
    found = share(components, sizes, level=level, n=10_000)
    assert 0.2 < expected < 0.95
    assert abs(found - expected) < 4 * math.sqrt(expected * (1 - expected) / n)


def test_few_sources_cannot_find_anything():
    huge = Components(effect=100.0, sd_source=1.0)
    assert share(huge, (3, 2)) == 0.0  # the smallest p is 1/12
    assert share(huge, (3, 3)) == 1.0  # 1/36
    assert share(huge, (3, 3), level=0.0125) == 0.0
    assert share(huge, (1, 1, 1)) == 0.0
    # a class of one source has no partner to permute with, and changes nothing
    assert share(PLAIN, (10, 10, 1)) == share(PLAIN, (10, 10))


def test_annotators_lower_what_they_differ_in():
    noisy = Components(effect=0.4, sd_source=0.5, sd_residual=1.5)
    few, many = share(noisy, (15, 15)), share(noisy, (15, 15), n_annotators=5)
    assert many > few + 0.2
    averaged = Components(effect=0.4, sd_source=math.sqrt(0.25 + 2.25 / 5))
    assert share(averaged, (15, 15)) == pytest.approx(many, abs=0.001)
    # what annotators differ in throughout is in permuted annotations too
    biased = dataclasses.replace(noisy, sd_annotator=3.0)
    assert share(biased, (15, 15)) == few


def test_sources_of_a_pilot_are_drawn_with_the_spread_that_is_asked_for():
    deviations = np.random.default_rng(3).exponential(size=40)
    before = deviations.copy()
    drawn = dataclasses.replace(PLAIN, deviations=deviations)
    assert share(drawn, (40, 40)) == pytest.approx(share(PLAIN, (40, 40)), abs=0.03)
    np.testing.assert_array_equal(deviations, before)
    # of two sources as well, whose own spread is 1
    drawn_of_two = dataclasses.replace(PLAIN, deviations=np.array([3.0, 5.0]))
    assert share(drawn_of_two, (40, 40)) == pytest.approx(share(PLAIN, (40, 40)), abs=0.03)
    scaled = dataclasses.replace(PLAIN, deviations=100 * deviations + 7)
    assert share(scaled, (40, 40)) == share(drawn, (40, 40))


# --- precision -------------------------------------------------------------------------------------


def test_half_widths_by_hand_and_as_crossed_intervals_turn_out():
    parts = Components(effect=1.0, sd_source=0.8, sd_annotator=0.5, sd_residual=0.6)
    n, k = 40, 6
    these, others = parts.half_widths(n, k)
    assert these == pytest.approx(stats.t.ppf(0.975, 39) * math.sqrt((0.64 + 0.36 / 6) / 40))
    rng = np.random.default_rng(2)
    widths = []
    for _ in range(200):
        values = 0.8 * rng.normal(size=n) + 0.5 * rng.normal(size=(k, 1))
        interval = crossed_interval(values + 0.6 * rng.normal(size=(k, n)))
        widths.append((interval.high - interval.low) / 2)
    assert others == pytest.approx(math.sqrt(np.mean(np.square(widths))), rel=0.1)
    wide = dataclasses.replace(parts, sd_value=2.0)
    assert wide.half_widths(n, 1)[0] == pytest.approx(
        stats.t.ppf(0.975, 39) * math.sqrt((4 + 0.36) / 40)
    )
    assert math.isnan(wide.half_widths(n, 1)[1])
    assert np.isnan(wide.half_widths(7, 3)).all()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sd_source": -1.0}, "sd_source has to be a number that is not negative, got -1"),
        ({"sd_residual": math.nan}, "sd_residual has to be"),
        ({"effect": math.inf}, "effect has to be a finite number"),
        ({"sd_source": 0.0}, "without any spread"),
        ({"deviations": np.ones(3)}, "deviations are all the same"),
    ],
)
def test_components_that_make_no_sense(values, words):
    with pytest.raises(OptionError, match=words):
        Components(**({"effect": 1.0, "sd_source": 1.0} | values))


def test_the_smallest_p_value_may_be_the_level():
    """Four sources have 24 permutations: an overwhelming effect has p = 1/24."""
    strong = dataclasses.replace(PLAIN, effect=100.0)
    assert share(strong, (4,), level=1 / 24, n=50) == 1.0
    assert share(strong, (4,), level=1 / 25, n=50) == 0.0


def test_class_sizes_add_up():
    assert class_sizes(11, (0.5, 0.5)) == (6, 5)
    # 2.6 and 7.4: the larger remainder is rounded up
    assert class_sizes(10, (26, 74)) == (3, 7)
    for n in range(2, 40):
        sizes = class_sizes(n, (20, 13, 7))
        assert sum(sizes) == n
        np.testing.assert_allclose(sizes, np.array([20, 13, 7]) / 40 * n, atol=1)
