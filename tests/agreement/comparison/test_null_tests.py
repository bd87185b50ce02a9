"""The tests of a comparison: further nulls, what shows that a null does not suit the data, and alternatives."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import binom

from attnxai.agreement.comparison import ComparisonSettings, compare_pairs, gathering
from attnxai.agreement.comparison.null_tests import (
    MIN_PARTNERS,
    halve_strata,
    large_enough,
    pair_with_others,
)
from attnxai.agreement.comparison.streams import Streams
from attnxai.alignment.pairs import align
from attnxai.metrics import METRICS, TargetKind
from attnxai.nulls import NULLS as ALL_NULLS
from attnxai.nulls import emission_footprint, run_null_test
from tests.builders import made_up

NULLS = [name for name in ALL_NULLS if name != "permutation"]
QUICK = ComparisonSettings(metrics=("nss", "spearman"), n_permutations=199, n_bootstrap=100)


@pytest.fixture(scope="module")
def pairs():
    maps, marks, images = made_up(n_sources=9, side=24, agreement=0.6)
    return align(maps, marks, images)


@pytest.fixture(scope="module")
def against_all(pairs):
    """Against every null there is."""
    settings = dataclasses.replace(QUICK, nulls=tuple(NULLS))
    return compare_pairs(pairs, settings=settings, rng=5)


@pytest.mark.parametrize("name", NULLS)
def test_every_null_is_that_of_its_class(pairs, against_all, name):
    null, streams = ALL_NULLS[name](), Streams(5)
    valid = pairs.valid
    if null.within_emission:
        valid = emission_footprint(pairs.brightness, pairs.valid)
        assert valid.sum() < pairs.valid.sum() / 2
    tables = null.tables(
        [METRICS["nss"], METRICS["spearman"]],
        pairs.explanations["gate2"],
        {TargetKind.DENSITY: pairs.density},
        valid,
        rng=streams.of("null", name, "gate2"),
    )
    for table, metric in zip(tables.mean(axis=1), ("nss", "spearman"), strict=True):
        further = against_all.estimate("gate2", metric).further_test(name)
        assert further.label == null.label
        usable = np.isfinite(table).all(axis=1)
        assert usable.sum() >= 5
        draws = null.draw(
            [None] * usable.sum(),
            n_columns=table.shape[1],
            n_draws=199,
            rng=streams.of("rearranged", name, "held-out", "all"),
        )
        expected = run_null_test(table[usable], draws, null=null.label)
        np.testing.assert_allclose(further.test.values, expected.values, rtol=1e-12)
        assert further.test.p_value == expected.p_value
        assert further.test.n_sources == usable.sum()


def test_further_tests_are_of_maps_and_classes_alike(against_all):
    for estimate in against_all.estimates:
        names = [further.null for further in estimate.further]
        assert names == ([] if estimate.is_baseline else list(NULLS))
    of_class = against_all.estimate("gate2", "nss", class_name="FR I").further_test("symmetries")
    assert of_class.test.n_sources == 5
    with pytest.raises(KeyError, match=f"no test against 'shuffle'; there are {NULLS[0]}"):
        against_all.estimate("gate2", "nss").further_test("shuffle")


def test_further_nulls_are_exported(against_all):
    frame = against_all.to_frame()
    row = frame.query("explanation == 'gate2' and metric == 'nss' and `class` == 'all'").iloc[0]
    for name in NULLS:
        test = against_all.estimate("gate2", "nss").further_test(name).test
        assert row[f"{name} p"] == test.p_value


def test_without_values_there_is_a_reason(pairs):
    flat = dict(pairs.explanations)
    flat["gate1"] = np.full_like(flat["gate1"], 0.5)
    settings = dataclasses.replace(QUICK, nulls=("symmetries",))
    with pytest.warns(UserWarning, match="undefined"):
        result = compare_pairs(dataclasses.replace(pairs, explanations=flat), settings=settings)
    further = result.estimate("gate1", "nss").further_test("symmetries")
    assert further.test is None
    assert further.reason == "no source has a defined value for all of its surrogate maps"
    record = further.to_record()
    assert record["p"] is None
    assert record["not_tested"] == further.reason


@pytest.mark.parametrize("n_sources", [1, 2, 3])
def test_few_sources_are_tested_as_far_as_they_go(n_sources):
    """One source has no other to be paired with, and can be turned all the same."""
    made = align(*made_up(n_sources=n_sources))
    settings = dataclasses.replace(QUICK, nulls=("symmetries", "phase"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimate = compare_pairs(made, settings=settings).estimate("gate2", "nss")
    turned, surrogates = estimate.further
    assert turned.test.n_sources == surrogates.test.n_sources == n_sources
    # eight surrogates of every source, or as many draws as are asked for
    assert turned.test.smallest_p == max(1 / 8**n_sources, 1 / 200)
    # a null that cannot reject anything is not looked at
    assert (turned.rejections_pairing_broken is None) == (n_sources == 1)
    assert (estimate.pooled is None) == (n_sources == 1)


def scene(pairs, rng, *, n=20, centred=0.0, template=0.0, classes=("FR I", "FR II")):
    """Smooth maps and marks that share nothing, or their centre, or what their class brings with it."""
    side = 24
    smooth = gaussian_filter(rng.normal(size=(3, n, side, side)), (0, 0, 2, 2), mode="wrap")
    smooth /= smooth.std()
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    middle = np.exp(-(x**2 + y**2) / 40)
    shapes = gaussian_filter(rng.normal(size=(2, side, side)), (0, 2, 2), mode="wrap")
    shapes /= shapes.std()
    shared = centred * middle + template * shapes[np.arange(n) % 2]
    fields = smooth + shared
    return dataclasses.replace(
        pairs,
        sources=tuple(f"s{i:02d}" for i in range(n)),
        classes=tuple(classes[i % 2] for i in range(n)),
        splits=(pairs.splits[0],) * n,
        explanations={"map": fields[0]},
        baselines={"brightness": smooth[2]},
        density=np.exp(fields[1]).astype(np.float32)[None],
        mask=fields[1][None] > 1,
        present=np.ones((1, n), bool),
        annotators=("ann",),
        valid=np.ones((n, side, side), bool),
        brightness=smooth[2].astype(np.float32),
        source_weights=np.ones(n),
        columns={},
        resolutions={},
    )


def rejections(pairs, null, n_scenes, **options):
    rng = np.random.default_rng(7)
    settings = ComparisonSettings(
        metrics=("nss",), nulls=(null,), n_permutations=199, n_bootstrap=100
    )
    found = []
    for _ in range(n_scenes):
        result = compare_pairs(scene(pairs, rng, **options), settings=settings, rng=rng)
        found.append(result.estimate("map", "nss").further_test(null).rejections_pairing_broken)
    return np.array(found)


@pytest.mark.parametrize("null", ["symmetries", "shift"])
def test_where_nothing_is_shared_few_pairings_are_called_significant(pairs, null):
    shares = rejections(pairs, null, 12)
    # pairings of one scene are not independent of each other; scenes are
    assert shares.mean() <= binom.ppf(0.999, 12 * 20 // 4, 0.05) / (12 * 20 // 4)
    assert shares.min() < 0.1


def test_shifts_of_centred_maps_call_nearly_all_pairings_significant(pairs):
    assert rejections(pairs, "shift", 2, centred=3.0).min() >= 0.9
    # turning and reflecting keep the centre
    assert rejections(pairs, "symmetries", 6, centred=3.0).mean() < 0.2


def test_pairings_are_looked_at_where_annotators_share_the_sources_out(pairs):
    """No pairing has all values, and yet the shifts are seen not to suit centred maps."""
    made = scene(pairs, np.random.default_rng(3), centred=3.0)
    density = np.tile(made.density, (3, 1, 1, 1))
    mask = np.tile(made.mask, (3, 1, 1, 1))
    present = np.arange(3)[:, None] == np.arange(20) % 3
    density[~present], mask[~present] = 0, False
    shared_out = dataclasses.replace(
        made, density=density, mask=mask, present=present, annotators=("a", "b", "c")
    )
    settings = dataclasses.replace(QUICK, metrics=("nss",), nulls=("shift",))
    found = compare_pairs(shared_out, settings=settings).estimate("map", "nss")
    assert found.further_test("shift").rejections_pairing_broken >= 0.9
    whole = compare_pairs(made, settings=settings).estimate("map", "nss")
    assert found.further_test("shift").test.observed == pytest.approx(
        whole.further_test("shift").test.observed, rel=1e-12
    )


def test_pairings_without_a_value_for_some_sources_count(pairs):
    """Marks where other sources have no valid pixels: no pairing is whole, and most of each is looked at."""
    made = scene(pairs, np.random.default_rng(3), centred=3.0)
    density = made.density.copy()
    density[0, :10, 2:] = 0.0
    valid = made.valid.copy()
    valid[10:, :2] = False
    some = dataclasses.replace(made, density=density, valid=valid)
    settings = dataclasses.replace(QUICK, metrics=("nss",), nulls=("symmetries",))
    further = (
        compare_pairs(some, settings=settings).estimate("map", "nss").further_test("symmetries")
    )
    assert further.test.n_sources == 20
    assert further.rejections_pairing_broken is not None


def test_only_the_first_metric_is_looked_at(against_all):
    for name in ("symmetries", "phase"):
        assert (
            against_all.estimate("gate2", "nss").further_test(name).rejections_pairing_broken
            is not None
        )
        assert (
            against_all.estimate("gate2", "spearman").further_test(name).rejections_pairing_broken
            is None
        )


def test_class_templates_make_the_pooled_test_reject_within_classes(pairs):
    settings = ComparisonSettings(metrics=("nss",), n_permutations=499, n_bootstrap=100)
    rng = np.random.default_rng(11)
    with_templates, without = [], []
    for _ in range(4):
        for found, template in ((with_templates, 1.5), (without, 0.0)):
            result = compare_pairs(scene(pairs, rng, template=template), settings=settings, rng=rng)
            found.append(result.estimate("map", "nss").pooled_rejections_pairing_broken)
    assert min(with_templates) > 0.9
    assert np.mean(without) < 0.15


def test_pooled_pairings_are_weighed_like_the_test(pairs):
    """Under weights, permutations within strata are a part of all permutations: 5 % where nothing is shared."""
    settings = ComparisonSettings(metrics=("nss",), n_permutations=999, n_bootstrap=100)
    rng = np.random.default_rng(2)
    found = []
    for _ in range(6):
        made = scene(pairs, rng)
        # marks of which some are worth more with any map, and those weigh least
        sharp = np.linspace(0.2, 3.0, 20)[None, :, None, None]
        density = (made.density**sharp).astype(np.float32)
        weighted = dataclasses.replace(
            made, density=density, source_weights=np.linspace(1.0, 0.05, 20)
        )
        result = compare_pairs(weighted, settings=settings, rng=rng)
        found.append(result.estimate("map", "nss").pooled_rejections_pairing_broken)
    assert 0.01 <= np.mean(found) <= 0.12


def test_what_sizes_share_is_kept_by_the_pairings_of_the_test_within_strata(pairs):
    """Maps and marks with a template of their size: sources of one class and size pass as often as their own."""
    settings = ComparisonSettings(metrics=("nss",), n_permutations=499, n_bootstrap=100)
    rng = np.random.default_rng(4)
    made = scene(pairs, rng, n=40)
    large = (np.arange(40) // 2 % 2).astype(bool)  # half of each class
    y, x = np.mgrid[:24, :24] - 11.5
    disc, ring = np.hypot(x, y) < 4, np.hypot(x, y) > 9
    density = np.where(large[:, None, None], ring, disc) + 0.1 * rng.random((40, 24, 24))
    maps = np.where(large[:, None, None], ring, disc) + rng.normal(size=(40, 24, 24))
    brightness = np.where(large[:, None, None], np.hypot(x, y) < 8, disc).astype(np.float32)
    sized = dataclasses.replace(
        made,
        explanations={"map": maps},
        density=density.astype(np.float32)[None],
        brightness=brightness,
    )
    estimate = compare_pairs(sized, settings=settings, rng=0).estimate("map", "nss")
    assert estimate.pooled_rejections_pairing_broken < 0.2
    assert estimate.within_rejections_pairing_broken > 0.8
    # nothing is left where annotations are permuted within sizes as well
    assert estimate.within_strata.p_value <= 0.01
    assert estimate.p_within_size > 0.05
    halves = dataclasses.replace(settings, strata=("class", "large"))
    known = dataclasses.replace(
        sized, columns={"large": tuple("yes" if big else "no" for big in large)}
    )
    alike = compare_pairs(known, settings=halves, rng=0).estimate("map", "nss").within_strata
    assert alike.p_value == pytest.approx(estimate.p_within_size, abs=0.07)


def test_agreement_with_its_own_annotation_is_no_part_of_the_check(pairs):
    """Maps that are their annotations: neither side of the check pairs a source with its own, so 5 % pass."""
    settings = ComparisonSettings(metrics=("nss",), n_permutations=999, n_bootstrap=100)
    rng, found = np.random.default_rng(8), []
    for _ in range(12):
        made = scene(pairs, rng, n=32)
        # discs of brightness of many sizes, which maps and marks do not know
        radii = rng.uniform(3, 9, size=(32, 1, 1))
        linked = dataclasses.replace(
            made,
            explanations={"map": made.density[0].astype(float)},
            brightness=(np.hypot(*np.mgrid[-11.5:12, -11.5:12]) < radii).astype(np.float32),
        )
        estimate = compare_pairs(linked, settings=settings, rng=rng).estimate("map", "nss")
        assert estimate.within_strata.p_value <= 0.002
        assert estimate.p_within_size <= 0.002
        found.append(
            (estimate.pooled_rejections_pairing_broken, estimate.within_rejections_pairing_broken)
        )
    # permutations in which some sources have their own annotation would leave 0 to 1 %
    pooled, within = np.mean(found, axis=0)
    assert 0.025 <= pooled <= 0.1
    assert 0.025 <= within <= 0.1


def test_pairings_of_fewer_than_half_the_sources_do_not_count(pairs, monkeypatch):
    settings = dataclasses.replace(QUICK, metrics=("nss",), nulls=("symmetries",))
    compute = gathering.null_tables
    for n_undefined, counted in ((4, True), (5, False)):  # of nine

        def with_undefined(*arguments, n_undefined=n_undefined):
            made = compute(*arguments)
            broken = made.pairing_broken.copy()
            broken[:, :n_undefined] = np.nan
            return dataclasses.replace(made, pairing_broken=broken)

        monkeypatch.setattr(gathering, "null_tables", with_undefined)
        found = compare_pairs(pairs, settings=settings).estimate("gate2", "nss")
        further = found.further_test("symmetries")
        assert further.n_pairings == (20 if counted else 0)
        assert (further.rejections_pairing_broken is not None) == counted


def test_nobody_is_paired_with_oneself():
    strata = ["a"] * 10 + ["b"] * 9 + ["c"] * 1 + ["d"] * 12
    assert len(strata) >= MIN_PARTNERS * 4
    partners = pair_with_others(strata, 50, np.random.default_rng(0))
    sources = np.arange(len(strata))
    assert (partners != sources).all()
    for row in partners:
        assert all(strata[p] == strata[s] for p, s in zip(row, sources, strict=True) if s != 19)
    # the one that is alone is paired with many
    assert len(set(partners[:, 19])) > 10
    assert len({tuple(row) for row in partners}) == 50


def test_pairs_stay_within_strata_and_singles_meet_anybody():
    partners = pair_with_others(["a", "a", "b", "b", "c"], 40, np.random.default_rng(0))
    assert (partners != np.arange(5)).all()
    assert set(partners[:, 0]) == {1}
    assert set(partners[:, 3]) == {2}
    assert set(partners[:, 4]) == {0, 1, 2, 3}


def test_pairs_for_the_test_within_strata_keep_what_it_keeps():
    """A source that no permutation moves keeps its annotation; a lone small source meets its whole class."""
    # all of class a are smaller than those of class b, of which all but one have the same size
    strata = ["a"] * 10 + ["b"] * 9 + ["c"]
    finer = halve_strata(strata, [*np.arange(10.0), *[20.0] * 8, 21.0, 5.0])
    assert finer[:10] == [("a", 0)] * 5 + [("a", 1)] * 5
    assert finer[10:] == [("b", None)] * 9 + [("c", None)]
    # of equal or unknown sizes there are no halves
    assert halve_strata("aaaabbbb", [7.0] * 4 + [np.nan] * 4) == [(s, None) for s in "aaaabbbb"]
    partners = pair_with_others(finer, 40, np.random.default_rng(0), keep_single=True)
    assert (partners[:, 19] == 19).all()
    assert set(partners[:, 10]) == set(range(11, 19))
    assert set(partners[:, 0]) == {1, 2, 3, 4}


def test_single_sources_do_not_make_strata_too_small():
    assert large_enough("a" * 8 + "b" * 8)
    assert large_enough("a" * 8 + "b" * 8 + "cdefgh")
    assert not large_enough("a" * 8 + "b" * 7)
    assert not large_enough("abc")


def test_a_few_sources_without_a_class_leave_the_check_of_the_test_as_it_is():
    """They keep their annotations, in the permutations and in the pairings that check them."""
    maps, marks, images = made_up(n_sources=40, side=24, annotators=("ann",))
    maps = dataclasses.replace(maps, scores=None, class_names=())
    unknown = set(maps.sources[::10])
    marks = dataclasses.replace(
        marks, classes={name: c for name, c in marks.classes.items() if name not in unknown}
    )
    images = [
        dataclasses.replace(image, class_name=None) if image.source in unknown else image
        for image in images
    ]
    settings = dataclasses.replace(QUICK, metrics=("nss",), n_permutations=999)
    estimate = compare_pairs(align(maps, marks, images), settings=settings).estimate("gate1", "nss")
    assert estimate.within_strata.n_sources == 40
    assert estimate.pooled_rejections_pairing_broken is not None
    assert estimate.within_rejections_pairing_broken <= 0.2


def test_strata_that_are_too_small_tell_nothing_about_the_pooled_test():
    """With one source less than eight a stratum the share would be that of the pooled test with itself."""
    for n, known in ((16, True), (15, False)):
        made = align(*made_up(n_sources=n, side=24))
        estimate = compare_pairs(made, settings=QUICK, rng=0).estimate("gate1", "nss")
        assert (estimate.pooled_rejections_pairing_broken is not None) == known
        assert estimate.within_strata is not None
    # and nulls of surrogate maps are then judged by pairings of any sources
    settings = dataclasses.replace(QUICK, nulls=("symmetries",))
    for n, within in ((16, True), (15, False)):
        made = align(*made_up(n_sources=n, side=24))
        further = compare_pairs(made, settings=settings, rng=0).estimate("gate1", "nss").further[0]
        assert further.within_strata is within
        assert further.rejections_pairing_broken is not None


@pytest.fixture(scope="module")
def by_alternative(pairs):
    weak = align(*made_up(n_sources=9, side=24, agreement=0.2, seed=4))
    settings = dataclasses.replace(QUICK, nulls=("symmetries",))
    return {
        name: compare_pairs(weak, settings=dataclasses.replace(settings, alternative=name), rng=5)
        for name in ("greater", "less", "two-sided")
    }


def all_tests(result):
    for e in result.estimates:
        yield from (e.pooled, e.within_strata, *(further.test for further in e.further))


def test_alternatives_are_sides_of_the_same_draws(by_alternative):
    n = 0
    for greater, less, both in zip(*map(all_tests, by_alternative.values()), strict=True):
        if greater is None:
            assert less is both is None
            continue
        n += 1
        np.testing.assert_array_equal(greater.values, less.values)
        np.testing.assert_array_equal(greater.values, both.values)
        # what was observed counts on both sides
        assert greater.p_value + less.p_value > 1
        smaller = min(greater.p_value, less.p_value)
        assert both.p_value == pytest.approx(min(1.0, 2 * smaller), rel=1e-15)
        assert both.smallest_p == min(1.0, 2 * greater.smallest_p)
        assert less.smallest_p == greater.smallest_p
        assert {greater.alternative, less.alternative, both.alternative} == set(by_alternative)
    assert n > 50


def test_the_side_is_the_one_that_is_asked_for(pairs):
    turned = {name: 1 - array for name, array in pairs.explanations.items()}
    away = dataclasses.replace(pairs, explanations=turned)
    for alternative, toward, off in (("greater", True, False), ("less", False, True)):
        settings = dataclasses.replace(QUICK, alternative=alternative)
        for found, made in ((toward, pairs), (off, away)):
            test = compare_pairs(made, settings=settings).estimate("gate2", "spearman").pooled
            assert (test.p_value <= 0.05) == found
    settings = dataclasses.replace(QUICK, alternative="two-sided")
    for made in (pairs, away):
        assert (
            compare_pairs(made, settings=settings).estimate("gate2", "nss").pooled.p_value <= 0.05
        )
