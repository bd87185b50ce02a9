"""Sources whose class is not known: what stands in for it, and where nothing does."""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from attnxai.agreement.comparison import ComparisonSettings, compare_pairs
from attnxai.agreement.comparison.strata import annotated_sizes, size_bins, strata_of
from attnxai.alignment.pairs import align
from attnxai.errors import AssumptionWarning, FewSourcesWarning
from attnxai.metrics.density import nss
from attnxai.nulls import SourcePermutation, run_null_test
from tests.builders import made_up

QUICK = ComparisonSettings(metrics=("nss",), n_permutations=199, n_bootstrap=100)


def without_classes(n_sources=40, **options):
    """Pairs whose classes nobody stated; the model gives scores."""
    maps, marks, images = made_up(n_sources=n_sources, classes=(), **options)
    return align(maps, marks, images)


def without_scores(pairs):
    return dataclasses.replace(pairs, scores=None, class_names=())


def test_predicted_class_and_annotated_size_stand_in_for_the_class():
    pairs = without_classes()
    result = compare_pairs(pairs, settings=QUICK)
    assert result.settings["strata"] == ["predicted class", "annotated size"]
    estimate = result.estimate("gate1", "nss")
    assert estimate.test is estimate.within_strata
    assert estimate.test.null == "within predicted class and annotated size"
    assert estimate.p_adjusted is not None
    note = next(note for note in result.notes if "The class of 40 sources is not known" in note)
    assert "the others keep their own annotation" in note
    assert (estimate.test.n_sources, estimate.test.n_tested) == (40, 20)
    record = estimate.to_record()
    assert record["n_tested_within_strata"] == 20
    assert record["n_tested_pooled"] == 40
    # a share of a class's sources is in each, and the unsure ones are alone
    margins = np.abs(pairs.scores[:, 0] - pairs.scores[:, 1])
    of_sure = Counter(
        stratum
        for stratum, margin in zip(result.strata, margins, strict=True)
        if margin >= np.median(margins)
    )
    assert len(of_sure) == 4
    assert {name for name, _ in of_sure} == {"FR I", "FR II"}
    for stratum, margin, source in zip(result.strata, margins, result.sources, strict=True):
        assert (stratum[1] == f"not permuted ({source})") == (margin < np.median(margins))


def test_the_unsure_half_keeps_its_annotation():
    pairs = without_classes(n_sources=8, annotators=("ann",))
    scores = np.array([[9, 0], [8, 0], [0, 7], [0, 6], [0.1, 0], [0, 0.2], [0.3, 0], [0, 0.4]])
    pairs = dataclasses.replace(pairs, scores=scores)
    with pytest.warns(FewSourcesWarning, match="smallest attainable p-value is 0.25"):
        test = compare_pairs(pairs, settings=QUICK).estimate("gate2", "nss").test
    # two FR I and two FR II are left to permute, in one bin each
    value = np.array([[nss(m, d) for d in pairs.density[0]] for m in pairs.explanations["gate2"]])
    means = []
    for first, second in itertools.product(((0, 1), (1, 0)), ((2, 3), (3, 2))):
        means.append(value[np.arange(8), [*first, *second, 4, 5, 6, 7]].mean())
    np.testing.assert_allclose(np.sort(test.values), np.sort(means))
    assert test.exhaustive
    # over the four alone, by hand
    assert test.observed_tested == pytest.approx(value[:4, :4].diagonal().mean())
    assert test.mean_tested == pytest.approx((value[:2, :2].mean() + value[2:4, 2:4].mean()) / 2)
    assert (test.n_sources, test.n_tested) == (8, 4)
    assert test.p_value == pytest.approx(np.mean(np.array(means) >= means[0] - 1e-9))


def test_without_class_and_scores_no_test_decides():
    pairs = without_scores(without_classes(n_sources=12))
    with pytest.warns(
        AssumptionWarning, match="there is no test of .* add a class column to the annotation table"
    ):
        result = compare_pairs(pairs, settings=QUICK)
    estimate = result.estimate("gate1", "nss")
    assert estimate.test is None
    assert estimate.within_strata is None
    assert estimate.p_adjusted is None
    assert "without class scores" in estimate.not_tested
    # the pooled test is reported all the same
    assert 0 < estimate.pooled.p_value <= 1
    assert estimate.to_record()["p_pooled"] == estimate.pooled.p_value
    assert result.settings["strata"] == ["class"]
    assert set(result.strata) == {None}


def test_strata_that_are_named_decide_without_classes_and_say_what_they_take_for_granted():
    pairs = without_scores(without_classes(n_sources=24))
    result = compare_pairs(pairs, settings=dataclasses.replace(QUICK, strata=("size",)))
    assert result.settings["strata"] == ["size"]
    assert result.estimate("gate1", "nss").test.null == "within size"
    assert any(
        "same size have nothing else in common that depends on their class" in n
        for n in result.notes
    )
    # class is asked for beside it: it cannot be controlled for
    with pytest.warns(AssumptionWarning, match="there is no test of"):
        both = compare_pairs(pairs, settings=dataclasses.replace(QUICK, strata=("class", "size")))
    assert both.estimate("gate1", "nss").test is None


def test_size_of_the_emission_comes_on_top_where_it_is_asked_for():
    pairs = without_classes(n_sources=24)
    strata = strata_of(pairs, ("class", "size"))
    assert strata.keys == ("predicted class", "annotated size", "size")
    assert all(len(stratum) == 3 for stratum in strata.of_sources)


def test_strata_of_which_nothing_is_known_decide_nothing():
    pairs = without_classes(n_sources=12)
    dark = dataclasses.replace(pairs, brightness=np.zeros_like(pairs.brightness))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = compare_pairs(dark, settings=dataclasses.replace(QUICK, strata=("size",)))
    estimate = result.estimate("gate1", "nss")
    assert estimate.test is None
    assert (
        estimate.not_tested
        == "size is known for none of the sources, so there is nothing to permute within"
    )


def test_some_classes_known_keep_the_others_apart():
    pairs = without_classes(n_sources=30)
    some = dataclasses.replace(pairs, classes=("FR I",) * 6 + ("FR II",) * 6 + (None,) * 18)
    strata = strata_of(some, ("class",))
    assert strata.keys == ("class (predicted class and annotated size where it is not known)",)
    assert [stratum[0] for stratum in strata.of_sources[:12]] == ["FR I"] * 6 + ["FR II"] * 6
    inferred = [stratum[0] for stratum in strata.of_sources[12:]]
    assert not {"FR I", "FR II"} & set(inferred)
    assert sum("not permuted" in stratum for stratum in inferred) == 9
    assert strata.notes[0].startswith("The class of 18 sources is not known")
    # without scores those without a class keep their annotation
    strata = strata_of(without_scores(some), ("class",))
    assert strata.keys == ("class",)
    assert len(set(strata.of_sources[12:])) == 18
    assert "18 sources is not known and the maps come without class scores" in strata.notes[0]


def test_every_split_has_bins_of_its_own():
    scores = np.stack([np.arange(60.0), np.zeros(60)], axis=1)
    splits = ["training"] * 40 + ["held-out"] * 20
    bins = size_bins(scores, np.arange(60.0), splits)
    assert Counter(bins[:40]) == {
        None: 20, "training 3/4": 10, "training 4/4": 10,
    }  # fmt: skip
    assert Counter(bins[40:]) == {None: 10, "held-out 2/2": 10}


def test_the_margin_is_that_to_the_second_of_several_classes():
    scores = np.array([[5.0, 4.0, -10.0], [-10.0, 4.0, 5.0], [3.0, 0.0, 0.0], [0.0, 0.0, 3.0]])
    bins = size_bins(scores, np.arange(4.0), ["unknown"] * 4)
    assert [number is None for number in bins] == [True, True, False, False]


def test_sources_without_anything_marked_have_no_annotated_size():
    density = np.zeros((2, 3, 9, 9))
    density[0, 0, 4, 2] = density[1, 0, 4, 6] = 1.0
    density[0, 1, 1, 1] = density[0, 1, 7, 7] = 0.5
    sizes = annotated_sizes(density, np.ones((3, 9, 9), bool), 2.0)
    np.testing.assert_allclose(sizes, [4.0, 2 * np.sqrt(18), np.nan])
    assert size_bins(np.eye(3) * 9, sizes, ["unknown"] * 3)[2] is None


def test_class_templates_do_not_pass_for_agreement():
    """Maps and marks share a place by class and nothing else; the model tells most classes."""
    rng = np.random.default_rng(0)
    n, side, n_experiments = 40, 16, 200
    pairs = without_classes(n_sources=n, side=side, annotators=("ann",))
    y, x = np.mgrid[:side, :side]

    def blobs(at):
        return np.exp(-((x - at[:, 0, None, None]) ** 2 + (y - at[:, 1, None, None]) ** 2) / 8)

    rejected = {"unknown": 0, "pooled": 0}
    for _ in range(n_experiments):
        second = rng.random(n) < 0.5
        place = np.where(second, 6.0, 10.0)[:, None]
        maps, marks = (blobs(place + rng.normal(0, 2, (n, 2))) for _ in range(2))
        score = np.where(second, 1, -1) + rng.normal(
            0, 0.7, n
        )  # one prediction in thirteen is wrong
        made = dataclasses.replace(
            pairs,
            density=np.where(marks > 0.05, marks, 0).astype(np.float32)[None],
            scores=score[:, None] * np.array([-1.0, 1.0]),
        )
        flat = maps.reshape(n, -1)
        flat = (flat - flat.mean(axis=1, keepdims=True)) / flat.std(axis=1, keepdims=True)
        target = made.density[0].reshape(n, -1)
        matrix = flat @ (target / target.sum(axis=1, keepdims=True)).T
        strata = strata_of(made, ("class",)).of_sources
        for name in rejected:
            null = SourcePermutation(within_strata=name == "unknown")
            draws = null.draw(strata, n_draws=199, rng=rng)
            rejected[name] += run_null_test(matrix, draws, null=name).p_value <= 0.05
    assert rejected["unknown"] <= stats.binom.ppf(0.99, n_experiments, 0.065)
    assert rejected["pooled"] >= 0.3 * n_experiments
