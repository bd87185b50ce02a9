"""Self-consistency: against single calls of the metrics, and from marks to the numbers of a report."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest

import attnxai
from attnxai.agreement.comparison import ComparisonSettings, compare_pairs
from attnxai.agreement.noise_ceiling import noise_ceilings, self_consistencies
from attnxai.alignment.looks import Look
from attnxai.annotations import Annotation, AnnotationSet, Label, Shape, merge_annotators
from attnxai.errors import OptionError
from attnxai.metrics import METRICS, auc, information_gain, nss, spearman
from attnxai.statistics.bootstrap import bootstrap_counts, mean_interval
from tests.builders import circle, made_up

SHAPE = (7, 8)
QUICK = ComparisonSettings(metrics=("nss", "auc"), n_permutations=19, n_bootstrap=200)


def looked_at(seed=0, n_annotators=2, n_sources=5):
    """First and second looks with tie-free densities, and a row of pixels that does not count."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n_annotators, n_sources, *SHAPE))
    first, second = (truth + 0.5 * rng.random(truth.shape) for _ in range(2))
    valid = np.ones((n_sources, *SHAPE), bool)
    valid[:, 0] = False
    present = np.ones(truth.shape[:2], bool)
    present[1, 4] = False
    again = np.ones_like(present)
    again[0, 2] = False
    look = Look(round=2, density=second.astype(np.float32), mask=second > 1, present=again)
    return first, first > 1.0, present, valid, look


def test_the_later_look_is_scored_as_a_prediction_of_the_first():
    first, mask, present, valid, look = looked_at()
    names = ("nss", "auc", "spearman", "information_gain")
    found = self_consistencies(
        [METRICS[name] for name in names], first, mask, present, valid, [look]
    )
    for a, s in np.argwhere(present & look.present):
        where, second = valid[s], look.density[a, s]
        others = np.array(
            [first[a, t] / first[a, t].sum() for t in range(5) if t != s and present[a, t]]
        ).sum(axis=0)
        expected = [
            nss(second, first[a, s], where),
            auc(second, mask[a, s], where),
            spearman(second, first[a, s], where),
            information_gain(second, first[a, s], where, others=others),
        ]
        np.testing.assert_allclose(found[:, a, s], expected, rtol=1e-6, err_msg=str((a, s)))
    assert np.isnan(found[:, ~(present & look.present)]).all()


def test_it_is_the_ceiling_of_two_annotators_of_whom_one_is_the_other_again():
    """The same number as the lower noise ceiling would give, so that both can be compared."""
    first, mask, _, valid, look = looked_at(n_annotators=1 + 1)
    present = np.ones((2, 5), bool)
    look = dataclasses.replace(look, present=np.ones((2, 5), bool))
    metrics = list(METRICS.values())
    found = self_consistencies(metrics, first, mask, present, valid, [look])
    both = np.stack([first[0], look.density[0].astype(float)])
    ceilings = noise_ceilings(metrics, both, np.stack([mask[0], look.mask[0]]), present, valid)
    for metric, values in zip(metrics, found, strict=True):
        expected = ceilings[metric.name].lower_values[0]
        np.testing.assert_allclose(values[0], expected, rtol=1e-9, err_msg=metric.name)


def test_several_later_looks_are_averaged_and_one_without_a_value_is_missing():
    first, mask, present, valid, look = looked_at()
    third = dataclasses.replace(look, round=3, density=np.ones_like(look.density))
    third = dataclasses.replace(third, density=third.density[..., ::-1])  # constant: no value
    metric = [METRICS["nss"]]
    one = self_consistencies(metric, first, mask, present, valid, [look])
    np.testing.assert_array_equal(
        self_consistencies(metric, first, mask, present, valid, [look, third]), one
    )
    exact = dataclasses.replace(
        third, density=first.astype(np.float32), present=np.ones_like(present)
    )
    itself = self_consistencies(metric, first, mask, present, valid, [exact])
    mean = self_consistencies(metric, first, mask, present, valid, [look, exact])
    both = present & look.present
    np.testing.assert_allclose(mean[:, both], (one + itself)[:, both] / 2)
    np.testing.assert_array_equal(mean[:, present & ~both], itself[:, present & ~both])


def test_looks_of_another_shape_are_refused():
    first, mask, present, valid, look = looked_at()
    with pytest.raises(OptionError, match=r"looks need the shape of the first ones, \(2, 5, 6, 8"):
        self_consistencies([], first[:, :, 1:], mask[:, :, 1:], present, valid[:, 1:], [look])


def marked_again(n_sources=10, *, rounds=2):
    """A comparison in which ann looks again at all sources but one, and bob at two."""
    maps, marks, images = made_up(n_sources=n_sources)
    rng = np.random.default_rng(3)
    again = []
    for number, mark in enumerate(marks.annotations):
        source = int(mark.source[-2:])
        if source == 0 if mark.annotator == "ann" else source > 1:
            continue
        for later in range(2, rounds + 1):
            dx, dy = rng.normal(0, 0.7, 2)
            shape = dataclasses.replace(mark.shape, x=mark.shape.x + dx, y=mark.shape.y + dy)
            again.append(
                dataclasses.replace(mark, shape=shape, round=later, line=1000 + 10 * number + later)
            )
    every = (*marks.annotations, *again)
    return maps, dataclasses.replace(marks, annotations=every, n_rows=len(every)), images


@pytest.fixture(scope="module")
def compared():
    maps, marks, images = marked_again()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = attnxai.compare(maps, marks, images, settings=QUICK)
        once = attnxai.compare(maps, marks.first_round(), images, settings=QUICK)
        without = attnxai.compare(
            maps,
            dataclasses.replace(
                marks, annotations=tuple(a for a in marks.annotations if a.round == 1)
            ),
            images,
            settings=QUICK,
        )
    return result, once, without


def test_only_first_looks_are_compared_with_maps(compared):
    result, once, without = compared
    np.testing.assert_array_equal(result.values, without.values)
    own, expected = result.to_record(), without.to_record()
    consistencies = own.pop("self_consistencies")
    assert expected.pop("self_consistencies") == []
    assert own == expected
    assert consistencies == once.to_record()["self_consistencies"]
    columns = [name for name in result.per_source_frame() if name.startswith("self-consistency")]
    assert columns == ["self-consistency:nss", "self-consistency:auc"]
    assert not any(name.startswith("self") for name in without.per_source_frame())


def test_numbers_of_a_comparison_are_those_of_the_drawn_looks(compared):
    result = compared[0]
    pairs = result.data.pairs
    (look,) = pairs.looks
    assert look.present.sum(axis=1).tolist() == [9, 2]
    values = result.self_consistency_values
    for a, s in np.argwhere(look.present):
        expected = nss(look.density[a, s], pairs.density[a, s], pairs.valid[s])
        assert values[0, a, s] == pytest.approx(expected)
    both, ann, bob = (result.self_consistency("nss", name) for name in (None, "ann", "bob"))
    assert (both.n_annotators, ann.n_annotators) == (2, 1)
    assert (both.interval.n_units, ann.interval.n_units, bob.interval.n_units) == (9 + 1, 9, 2)
    # every source counts once, whoever looked at it again
    assert both.interval.value == pytest.approx(np.nanmean(np.nanmean(values[0], axis=0)))
    assert ann.interval.value == pytest.approx(np.nanmean(values[0, 0]))
    again = mean_interval(
        values[0, 0], bootstrap_counts(10, 20_000, np.random.default_rng(5)), level=0.95
    )
    assert ann.interval.low == pytest.approx(again.low, abs=0.15 * (again.high - again.low))
    assert ann.interval.high == pytest.approx(again.high, abs=0.15 * (again.high - again.low))
    assert not bob.interval.known
    assert "2 sources are too few" in bob.interval.note
    of_class = result.self_consistency("auc", "ann", class_name="FR II")
    assert of_class.interval.n_units == 5
    assert result.self_consistency("spearman") is None


def test_one_annotator_who_looks_again_has_a_self_consistency_and_no_ceiling():
    maps, marks, images = marked_again()
    alone = tuple(a for a in marks.annotations if a.annotator == "ann")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = attnxai.compare(
            maps, dataclasses.replace(marks, annotations=alone), images, settings=QUICK
        )
    assert result.noise_ceilings == ()
    assert result.self_consistency("nss").interval.n_units == 9
    assert result.self_consistency("nss", "ann").interval.known


def test_intervals_hold_the_mean_over_sources_like_these():
    """95 % intervals over 12 sources, of which one annotator of three looked at 8 again."""
    maps, marks, images = made_up(n_sources=12, annotators=("a", "b", "c"))
    pairs = attnxai.align(maps, marks, images)
    rng = np.random.default_rng(11)
    look = Look(round=2, density=pairs.density, mask=pairs.mask, present=pairs.present)
    pairs = dataclasses.replace(pairs, looks=(look,))
    result = compare_pairs(pairs, settings=QUICK)
    assert result.self_consistency("auc").interval.value == pytest.approx(1.0)
    assert not result.self_consistency("auc").interval.known  # all values are the same
    from attnxai.agreement.comparison.estimating import ScopeEstimates, scopes_of
    from attnxai.agreement.comparison.streams import Streams
    from attnxai.agreement.comparison.tables import Inputs

    inputs = Inputs.of(pairs, QUICK)
    scope = next(iter(scopes_of(inputs.pairs)))
    held = 0
    for number in range(200):
        made = ScopeEstimates(scope, inputs, None, QUICK, Streams(number))
        values = 3 + rng.normal(0, 1, (1, 12)) + rng.normal(0, 1, (3, 12))
        values[0, :4] = np.nan
        found = made.self_consistencies(np.stack([values, values]))
        overall = next(one for one in found if one.annotator is None)
        held += overall.interval.low <= 3 <= overall.interval.high
    assert held >= 180  # of 200: fewer than 1 in 100 such counts of 95 % intervals


def test_further_looks_go_with_their_annotators_labels_and_sources():
    marks = AnnotationSet(
        annotations=(
            circle("a", "ann", 5, 5),
            circle("b", "bob", 5, 5, label=Label.CORE),
            dataclasses.replace(circle("a", "ann", 6, 5), round=2),
            dataclasses.replace(circle("b", "bob", 6, 5), round=2),
            dataclasses.replace(circle("b", "ann", 6, 5), round=2),
        )
    )
    first = marks.first_round()
    assert [(a.source, a.annotator) for a in first.repeats] == [("a", "ann"), ("b", "bob")]
    assert "3 of 5 marks" in first.notices[0]
    assert "1 of these has no first look of the same annotator" in first.notices[0]
    assert [a.source for a in first.select(["b"]).repeats] == ["b"]
    assert [a.annotator for a in merge_annotators(first, {"bob": "carl"}).repeats] == [
        "ann",
        "carl",
    ]
    assert first.with_labels([Label.CORE]).repeats == ()


def test_further_marks_that_cannot_count_are_noted():
    maps, marks, images = marked_again()
    outside = circle("source_01", "ann", 500, 5)
    point = Shape(kind="point", x=3.0, y=3.0)
    weightless = Annotation(source="source_01", annotator="ann", shape=point, weight=0.0)
    more = tuple(dataclasses.replace(a, round=2) for a in (outside, weightless))
    marks = dataclasses.replace(marks, annotations=(*marks.annotations, *more))
    with pytest.warns(attnxai.errors.LeftOutWarning, match="2 of 13 marks of further looks have"):
        pairs = attnxai.align(maps, marks, images)
    assert pairs.looks[0].present.sum() == 11
