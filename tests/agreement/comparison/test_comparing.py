"""The whole comparison: estimates, groups, reproducibility, and what cannot be concluded."""

from __future__ import annotations

import dataclasses
import itertools
import re
import warnings

import numpy as np
import pytest

from attnxai.agreement.comparison import ComparisonSettings, compare, compare_pairs
from attnxai.alignment.pairs import align
from attnxai.cli.completion import null_names
from attnxai.errors import FewSourcesWarning, OptionError, UndefinedValuesWarning
from attnxai.explanations.stack import BRIGHTNESS, CENTRE_BIAS, Split
from attnxai.metrics import DEFAULT_METRICS, METRICS, nss, spearman
from attnxai.report.wording import label_of_map
from attnxai.statistics.formats import decimals_together, with_interval
from tests.agreement.comparison.alike import assert_alike
from tests.builders import made_up
from tests.nulls.fields import SMALL_NULLS

QUICK = ComparisonSettings(n_permutations=499, n_bootstrap=500)


def test_estimates_are_means_of_what_single_pairs_give():
    maps, marks, images = made_up(n_sources=10)
    pairs = align(maps, marks, images)
    result = compare_pairs(pairs, settings=QUICK)
    expected = [
        np.mean(
            [
                spearman(pairs.explanations["gate1"][s], pairs.density[a, s], pairs.valid[s])
                for a in range(2)
            ]
        )
        for s in range(10)
    ]
    np.testing.assert_allclose(result.source_means("gate1", "spearman"), expected, atol=1e-12)
    estimate = result.estimate("gate1", "spearman")
    assert estimate.interval.value == pytest.approx(np.mean(expected))
    assert estimate.interval.low < estimate.interval.value < estimate.interval.high
    difference = estimate.differences[BRIGHTNESS]
    bright = result.source_means(BRIGHTNESS, "spearman")
    assert difference.value == pytest.approx(np.mean(np.array(expected) - bright))


def test_arguments_in_another_order_are_refused():
    maps, marks, images = made_up(n_sources=3)
    message = (
        "maps, annotations and images, in this order, got AnnotationSet, MapStack and SourceSet"
    )
    with pytest.raises(OptionError, match=message):
        compare(marks, maps, images)


def test_agreement_is_found_where_it_is_and_not_where_it_is_not():
    for agreement, found in ((1.0, True), (0.0, False)):
        maps, marks, images = made_up(n_sources=16, agreement=agreement, seed=3)
        result = compare(maps, marks, images, settings=QUICK)
        for metric in DEFAULT_METRICS:
            test = result.estimate("gate2", metric).within_strata
            assert (test.p_value <= 0.01) == found


def test_same_seed_same_result_whatever_the_order_of_the_sources():
    maps, marks, images = made_up(n_sources=12, side=24)
    order = np.random.default_rng(1).permutation(12)
    shuffled = dataclasses.replace(
        maps,
        sources=tuple(maps.sources[i] for i in order),
        layers={name: array[order] for name, array in maps.layers.items()},
        brightness=maps.brightness[order],
        valid=maps.valid[order],
        scores=maps.scores[order],
    )
    turned_round = dataclasses.replace(marks, annotations=marks.annotations[::-1])
    names = ("symmetries", "shift", "variogram")
    small = tuple(null for null in SMALL_NULLS if null.name in names)
    settings = dataclasses.replace(QUICK, nulls=small, n_permutations=99, n_bootstrap=100)
    first = compare(maps, marks, images, settings=settings, rng=5)
    second = compare(shuffled, turned_round, images, settings=settings, rng=5)
    assert first.sources == second.sources
    assert_alike(first.to_record(), second.to_record())
    third = compare(maps, marks, images, settings=settings, rng=6)
    test, other = (r.estimate("gate1", "nss").within_strata for r in (first, third))
    assert not np.array_equal(test.values, other.values)


def test_no_number_changes_with_what_else_is_asked_for():
    maps, marks, images = made_up(n_sources=12)
    few = compare(maps, marks, images, settings=dataclasses.replace(QUICK, metrics=("auc",)), rng=5)
    many = compare(
        maps,
        marks,
        images,
        settings=dataclasses.replace(QUICK, metrics=("nss", "auc"), nulls=("symmetries",)),
        rng=5,
    )
    for name in few.explanations:
        one, other = few.estimate(name, "auc"), many.estimate(name, "auc")
        np.testing.assert_array_equal(one.test.values, other.test.values)
        assert one.share_of_noise_ceiling == other.share_of_noise_ceiling
        assert one.interval == other.interval


def test_training_and_held_out_sources_are_apart():
    maps, marks, images = made_up(n_sources=20)
    splits = (Split.TRAINING,) * 11 + (Split.HELD_OUT,) * 9
    result = compare(dataclasses.replace(maps, splits=splits), marks, images, settings=QUICK)
    assert result.groups == ("held-out", "training", "all")
    assert result.verdict_group == "held-out"
    values = result.source_means("gate1", "nss")
    assert result.estimate("gate1", "nss").interval.value == pytest.approx(values[11:].mean())
    training = result.estimate("gate1", "nss", group="training")
    assert training.interval.value == pytest.approx(values[:11].mean())
    assert training.within_strata.n_sources == 11
    everything = result.estimate("gate1", "nss", group="all")
    assert everything.interval.n_units == 20


def test_classes_are_reported_on_their_own():
    maps, marks, images = made_up(n_sources=20)
    result = compare(maps, marks, images, settings=QUICK)
    assert result.class_names == ("all", "FR I", "FR II")
    values = result.source_means("gate1", "auc")
    estimate = result.estimate("gate1", "auc", class_name="FR I")
    assert estimate.interval.value == pytest.approx(values[::2].mean())
    assert estimate.pooled.n_sources == 10
    assert estimate.within_strata is None


def test_the_centre_bias_is_not_tested_and_says_why():
    maps, marks, images = made_up(n_sources=10)
    estimate = compare(maps, marks, images, settings=QUICK).estimate(CENTRE_BIAS, "nss")
    assert estimate.pooled is None
    assert "other sources' annotations" in estimate.not_tested


def test_undefined_values_are_counted_named_and_left_out():
    maps, marks, images = made_up(n_sources=12)
    layers = {name: array.copy() for name, array in maps.layers.items()}
    layers["gate1"][3] = 0.5
    with pytest.warns(UndefinedValuesWarning, match=r"gate1 on source_03 \(the map is constant\)"):
        result = compare(dataclasses.replace(maps, layers=layers), marks, images, settings=QUICK)
    named = {(u.source, u.explanation, u.reason) for u in result.undefined}
    assert named == {("source_03", "gate1", "the map is constant")}
    # every metric and the partial correlation, of two annotators
    assert len(result.undefined) == 2 * (len(DEFAULT_METRICS) + 1)
    estimate = result.estimate("gate1", "nss")
    assert estimate.n_undefined == 1
    assert estimate.interval.n_units == 11
    # it leaves the permutation in both roles
    assert estimate.within_strata.n_sources == 11
    assert result.estimate("gate2", "nss").within_strata.n_sources == 12
    assert np.isnan(result.source_means("gate1", "nss")[3])


def test_signed_maps_are_refused_by_relevance_mass_alone():
    maps, marks, images = made_up(n_sources=10)
    signed = {name: array - 0.3 for name, array in maps.layers.items()}
    with pytest.warns(UndefinedValuesWarning, match="negative values"):
        result = compare(dataclasses.replace(maps, layers=signed), marks, images, settings=QUICK)
    assert {u.metric for u in result.undefined} == {"relevance_mass_accuracy"}
    mass = result.estimate("gate1", "relevance_mass_accuracy")
    assert np.isnan(mass.interval.value)
    assert mass.pooled is None
    assert mass.not_tested
    assert result.estimate("gate1", "nss").within_strata is not None


@pytest.mark.parametrize("n_sources", [1, 2, 3, 5])
def test_too_few_sources_give_a_result_and_a_warning(n_sources):
    maps, marks, images = made_up(n_sources=n_sources)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = compare(maps, marks, images, settings=QUICK)
    texts = [str(w.message) for w in caught if issubclass(w.category, FewSourcesWarning)]
    assert any("too few for a confidence interval" in text for text in texts)
    estimate = result.estimate("gate2", "nss")
    assert np.isfinite(estimate.interval.value)
    assert not estimate.interval.known
    if n_sources == 5:
        # three of one class and two of the other
        assert estimate.within_strata.smallest_p == 1 / 12
        assert any(
            "p-value is 0.083," in text and "cannot be significant" in text for text in texts
        )


def test_five_sources_by_hand():
    maps, marks, images = made_up(n_sources=5)
    pairs = align(maps, marks, images)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        test = compare_pairs(pairs, settings=QUICK).estimate("gate2", "nss").within_strata
    means = []
    for odd in itertools.permutations([0, 2, 4]):
        for even in itertools.permutations([1, 3]):
            partner = [odd[0], even[0], odd[1], even[1], odd[2]]
            values = [
                nss(pairs.explanations["gate2"][s], pairs.density[a, partner[s]])
                for s in range(5)
                for a in range(2)
            ]
            means.append(np.mean(values))
    assert test.exhaustive
    np.testing.assert_allclose(np.sort(test.values), np.sort(means))
    assert test.p_value == pytest.approx(np.mean(np.array(means) >= means[0] - 1e-9))


def test_source_weights_change_estimates():
    maps, marks, images = made_up(n_sources=12, agreement=0.6)
    weights = {name: 0.5 + 0.5 * (i < 3) for i, name in enumerate(maps.sources)}
    pairs = align(
        maps,
        dataclasses.replace(marks, source_weights=weights),
        images,
        use_source_weights=True,
    )
    result = compare_pairs(pairs, settings=QUICK)
    values = result.source_means("gate1", "nss")
    expected = np.average(values, weights=list(weights.values()))
    estimate = result.estimate("gate1", "nss")
    assert estimate.interval.value == pytest.approx(expected)
    assert estimate.pooled.observed == pytest.approx(expected)
    assert result.settings["weighted"]


def test_an_annotator_who_skipped_a_source_is_missing_there():
    maps, marks, images = made_up(n_sources=10)
    kept = tuple(
        a for a in marks.annotations if not (a.source == "source_02" and a.annotator == "bob")
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = compare(maps, dataclasses.replace(marks, annotations=kept), images, settings=QUICK)
    frame = result.per_source_frame().set_index(["source", "annotator"])
    assert np.isnan(frame.loc[("source_02", "bob"), "gate1:nss"])
    alone = frame.loc[("source_02", "ann"), "gate1:nss"]
    assert result.source_means("gate1", "nss")[2] == pytest.approx(alone)
    assert not result.undefined


def test_results_export_themselves():
    maps, marks, images = made_up(n_sources=10)
    result = compare(maps, marks, images, settings=QUICK)
    frame = result.to_frame()
    assert len(frame) == len(result.estimates)
    row = frame.query("explanation == 'gate1' and metric == 'nss' and `class` == 'all'").iloc[0]
    interval = result.estimate("gate1", "nss").interval
    assert (row["ci_low"], row["ci_high"]) == (interval.low, interval.high)
    # rounded as the column of the page and of the terminal
    of_metric = [
        e
        for e in result.estimates
        if (e.metric, e.group, e.class_name) == ("nss", result.verdict_group, "all")
    ]
    places = decimals_together([e.interval for e in of_metric])
    for estimate, decimals in zip(of_metric, places, strict=True):
        value = with_interval(estimate.interval, decimals=decimals)
        assert re.search(
            rf"^ *{estimate.explanation} +nss +{re.escape(value)}", result.summary(), re.MULTILINE
        )
    with pytest.raises(KeyError, match=r"no estimate for .*gate9"):
        result.estimate("gate9", "nss")
    import matplotlib as mpl

    mpl.use("agg")
    ax = result.plot()
    labels = [text.get_text() for text in ax.get_yticklabels()]
    *of_maps, brightness, centre = labels
    assert of_maps == [*map(label_of_map, result.explanations)]
    assert (brightness in result.baselines[:-1], centre) == (True, "centre bias")
    ax.figure.clear()
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"metrics": ("nss", "ssim")},
            f"unknown metric 'ssim'.*; known metrics are {', '.join(sorted(METRICS))}$",
        ),
        ({"metrics": ()}, "no metric is given"),
        ({"n_permutations": 0}, "n_permutations"),
        ({"n_bootstrap": 10}, "n_bootstrap"),
        ({"level": 1.5}, "level"),
        (
            {"nulls": ("shuffle",)},
            f"unknown null 'shuffle'.*; known nulls are {', '.join(null_names())}$",
        ),
        ({"strata": ()}, "class is the usual choice"),
        (
            {"alternative": "more"},
            "unknown alternative 'more'; known alternatives are greater, less, two-sided",
        ),
        ({"correction": "bonferroni"}, "known corrections are holm, bh, max_t, none"),
    ],
)
def test_settings_name_what_is_wrong(options, message):
    with pytest.raises(OptionError, match=message):
        ComparisonSettings(**options)


def test_footprints_that_differ_do_not_make_independent_maps_agree():
    """Over each pair's own pixels the matching pairs would stand out, and the test reject too often."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    n, side, rejected, n_experiments = 16, 24, 0, 150
    y, x = np.mgrid[:side, :side]
    centre = np.exp(-((x - 11.5) ** 2 + (y - 11.5) ** 2) / 60)
    maps, marks, images = made_up(n_sources=n, side=side, annotators=("ann",), classes=())
    pairs = align(maps, marks, images)
    settings = ComparisonSettings(metrics=("nss",), n_permutations=99, n_bootstrap=100)
    for _ in range(n_experiments):
        smooth = gaussian_filter(rng.normal(size=(2, n, side, side)), (0, 0, 3, 3))
        noise = smooth / smooth.std() + 2 * centre
        valid = np.ones((n, side, side), bool)
        for source in range(n):
            cut = rng.integers(2, 9)
            valid[source] = np.rot90(np.where(y >= cut, True, False), source % 4)
        made = dataclasses.replace(
            pairs,
            explanations={"map": noise[0]},
            baselines={BRIGHTNESS: pairs.baselines[BRIGHTNESS]},
            density=np.exp(noise[1]).astype(np.float32)[None],
            valid=valid,
        )
        result = compare_pairs(made, settings=settings, rng=rng)
        rejected += result.estimate("map", "nss").pooled.p_value <= 0.05
    from scipy.stats import binom

    assert rejected <= binom.ppf(0.999, n_experiments, 0.05)
    assert any("Footprints differ" in note for note in result.notes)


def test_sources_without_weight_do_not_count():
    maps, marks, images = made_up(n_sources=12)
    weights = {name: float(i < 9) for i, name in enumerate(maps.sources)}
    weighted = dataclasses.replace(marks, source_weights=weights)
    pairs = align(maps, weighted, images, use_source_weights=True)
    estimate = compare_pairs(pairs, settings=QUICK).estimate("gate1", "nss")
    assert estimate.interval.n_units == 9
    assert estimate.pooled.n_sources == 9
    note = "3 sources have weight 0 and do not count: source_09, source_10, source_11."
    assert note in pairs.notes


def test_values_above_chance():
    maps, marks, images = made_up(n_sources=12)
    result = compare(maps, marks, images, settings=QUICK)
    for metric, chance in (("nss", 0.0), ("auc", 0.5)):
        estimate = result.estimate("gate1", metric)
        assert estimate.above_chance.value == pytest.approx(estimate.interval.value - chance)
        assert estimate.above_chance.low == pytest.approx(estimate.interval.low - chance)
    mass = result.estimate("gate1", "relevance_mass_accuracy")
    pairs = align(maps, marks, images)
    share = pairs.mask.mean(axis=(2, 3)).mean()
    assert mass.above_chance.value == pytest.approx(mass.interval.value - share)


def test_values_without_any_spread_do_not_end_a_comparison():
    """A map that never hits has nothing to plan from; the comparison goes on without that."""
    maps, marks, images = made_up(n_sources=16)
    layers = {name: array.copy() for name, array in maps.layers.items()}
    layers["gate1"] = 1.1 - layers["gate1"]
    layers["gate1"][:, 0, 0] = 5.0
    settings = dataclasses.replace(QUICK, metrics=("pointing_game",))
    result = compare(dataclasses.replace(maps, layers=layers), marks, images, settings=settings)
    missed = result.estimate("gate1", "pointing_game")
    assert missed.interval.value == 0.0
    assert missed.spreads is None
    assert result.to_record()["results"][0]["spreads"] is None


@pytest.mark.parametrize("name", ["n_permutations", "n_bootstrap"])
@pytest.mark.parametrize("count", [0, float("nan"), float("inf"), 1000.5])
def test_counts_are_whole_numbers(name, count):
    with pytest.raises(OptionError, match=f"^{name} has to be a whole number from .* on, got"):
        ComparisonSettings(**{name: count})
