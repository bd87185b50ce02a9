"""One target a label: against a comparison restricted to the label, and against all marks by hand."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest

import attnxai
from attnxai.agreement.comparison import ComparisonSettings, compare_pairs
from attnxai.agreement.multiplicity import adjust
from attnxai.alignment.labels import labels_in_use, targets_of_label
from attnxai.annotations import Label
from attnxai.explanations.stack import CENTRE_BIAS, Split
from attnxai.metrics import nss
from tests.builders import circle, made_up

QUICK = ComparisonSettings(metrics=("nss", "auc"), n_permutations=199, n_bootstrap=200)
N_CORES, N_JETS = 10, 3


def labelled(n_sources=14, *, splits=Split.HELD_OUT, **options):
    """Lobes on all sources as they are marked, cores beside them on ten, and jets on three by one annotator."""
    maps, marks, images = made_up(n_sources=n_sources, splits=splits, **options)
    rng = np.random.default_rng(4)
    more = []
    for mark in marks.annotations:
        number = int(mark.source[-2:])
        if number < N_CORES:
            at = np.array([mark.shape.x, mark.shape.y]) + rng.normal(0, 3, 2)
            more.append(circle(mark.source, mark.annotator, *at, 1.5, label=Label.CORE))
        if number < N_JETS and mark.annotator == "ann":
            more.append(circle(mark.source, "ann", 16, 16, 2, label=Label.JET))
    return maps, dataclasses.replace(marks, annotations=(*marks.annotations, *more)), images


def compared(inputs, settings=QUICK, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return attnxai.compare(*inputs, settings=settings, **options)


@pytest.fixture(scope="module")
def inputs():
    return labelled()


@pytest.fixture(scope="module")
def result(inputs):
    return compared(inputs)


def test_a_label_has_the_numbers_of_a_comparison_with_it_alone(inputs, result):
    maps, marks, images = inputs
    alone = compared((maps, marks.with_labels([Label.CORE]), images))
    core, jet, lobe = result.labels
    assert [one.label for one in result.labels] == ["core", "jet", "lobe"]
    assert (core.n_sources, jet.n_sources, lobe.n_sources) == (10, 3, 14)
    for name in (*result.explanations, *result.baselines):
        own, expected = core.estimate(name), alone.estimate(name, "nss")
        for end in (
            "value",
            "low",
            "high",
        ):  # products of other numbers of rows differ in the last digits
            assert getattr(own.interval, end) == pytest.approx(getattr(expected.interval, end))
        assert own.interval.n_units == 10
        assert (own.test is None) == own.is_baseline
        if own.test is not None:
            assert own.test.observed == pytest.approx(expected.test.observed)
            assert own.test.mean == pytest.approx(expected.test.mean, abs=0.2)
            assert own.test.null == expected.test.null == "within class"


def test_all_marks_are_over_the_same_sources_and_annotators(inputs, result):
    pairs, core = result.data.pairs, result.labels[0]
    target = targets_of_label(
        Label.CORE, pairs, inputs[0], inputs[1], {i.source: i.grid for i in inputs[2]}
    )
    map_ = pairs.explanations["gate2"]
    every = [[nss(map_[s], pairs.density[a, s]) for s in range(10)] for a in range(2)]
    own = [[nss(map_[s], target.drawn.density[a, s]) for s in range(10)] for a in range(2)]
    assert core.all_marks["gate2", "nss"].value == pytest.approx(np.mean(every))
    assert core.all_marks["gate2", "nss"].n_units == 10
    difference = core.minus_all_marks["gate2", "nss"]
    assert difference.value == pytest.approx(np.mean(own) - np.mean(every))
    assert difference.low < difference.value < difference.high
    # ann alone marked jets
    jet = result.labels[1]
    of_ann = [nss(map_[s], pairs.density[0, s]) for s in range(N_JETS)]
    assert jet.all_marks["gate2", "nss"].value == pytest.approx(np.mean(of_ann))


@pytest.mark.parametrize("metric", ["nss", "auc"])
def test_p_values_are_adjusted_over_all_labels_and_maps(result, metric):
    estimates = [
        e
        for one in result.labels
        for e in one.estimates
        if not e.is_baseline and e.metric == metric
    ]
    p_values = [e.test.p_value for e in estimates]
    assert len(p_values) == 9
    np.testing.assert_allclose([e.p_adjusted for e in estimates], adjust(p_values, "holm"))
    assert {e.n_family for e in estimates} == {9}
    maps, marks, images = labelled()
    other = dataclasses.replace(maps, model_name="another")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        both = attnxai.compare_models(
            [maps, other], marks, images, settings=dataclasses.replace(QUICK, correction="max_t")
        )
    family = [
        e
        for r in both.results
        for one in r.labels
        for e in one.estimates
        if not e.is_baseline and e.metric == metric
    ]
    assert {(e.n_family, str(e.correction)) for e in family} == {(18, "holm")}
    expected = adjust([e.test.p_value for e in family], "holm")
    np.testing.assert_allclose([e.p_adjusted for e in family], expected)


def test_the_main_result_does_not_depend_on_labels(inputs, result):
    maps, marks, images = inputs
    one_label = tuple(dataclasses.replace(a, label=Label.LOBE) for a in marks.annotations)
    plain = compared((maps, dataclasses.replace(marks, annotations=one_label), images))
    assert plain.labels == ()
    record, expected = result.to_record(), plain.to_record()
    assert len(record.pop("labels")) == 3
    assert expected.pop("labels") == []
    assert record == expected


def test_few_sources_have_no_interval_and_a_coarse_test(result):
    jet = result.labels[1].estimate("gate1")
    assert "3 sources are too few" in jet.interval.note
    # two of one class and one of the other
    assert jet.test.smallest_p == pytest.approx(1 / 2)
    with pytest.raises(
        KeyError, match=r"no estimate of 'gate9' for the label jet; there are gate1"
    ):
        result.labels[1].estimate("gate9")


def test_one_source_has_no_test(inputs):
    maps, marks, images = inputs
    kept = tuple(a for a in marks.annotations if a.label != Label.JET or a.source == "source_00")
    jet = compared((maps, dataclasses.replace(marks, annotations=kept), images)).labels[1]
    assert jet.n_sources == 1
    assert jet.estimate("gate1").test is None
    assert "fewer than two sources" in jet.estimate("gate1").not_tested


def test_sources_are_those_that_conclusions_rest_on():
    maps, marks, images = labelled()
    splits = tuple(Split.TRAINING if i < 12 else Split.HELD_OUT for i in range(14))
    found = compared((dataclasses.replace(maps, splits=splits), marks, images))
    core, _, lobe = found.labels
    assert (core.group, core.n_sources, core.estimates) == ("held-out", 0, ())
    assert lobe.n_sources == 2
    assert core.to_record()["results"] == []


def test_labels_of_a_consensus(inputs):
    found = compared(inputs, dataclasses.replace(QUICK, consensus="union"))
    core = found.labels[0].estimate("gate2")
    target = targets_of_label(
        Label.CORE, found.data.pairs, inputs[0], inputs[1], {i.source: i.grid for i in inputs[2]}
    )
    map_ = found.data.pairs.explanations["gate2"]
    union = target.drawn.mask.any(axis=0)
    assert core.interval.value == pytest.approx(
        np.mean([nss(map_[s], union[s]) for s in range(10)])
    )
    assert "bootstrap" in core.interval.method


def test_what_is_subtracted_is_subtracted_from_every_label():
    maps, marks, images = labelled()
    hole = circle("source_01", "bob", 16, 16, 30, label=Label.JET)
    marks = dataclasses.replace(
        marks,
        annotations=(*marks.annotations, dataclasses.replace(hole, operation="subtract")),
    )
    pairs = attnxai.align(maps, marks, images)
    grids = {image.source: image.grid for image in images}
    core = targets_of_label(Label.CORE, pairs, maps, marks, grids)
    assert not core.drawn.mask[1, 1].any()
    assert core.drawn.mask[0, 1].any()
    assert labels_in_use(marks) == (Label.CORE, Label.JET, Label.LOBE)
    jet = targets_of_label(Label.JET, pairs, maps, marks, grids)
    assert (jet.sources, jet.annotators) == (("source_00", "source_01", "source_02"), ("ann",))
    made = core.of(pairs)
    np.testing.assert_array_equal(made.baselines[CENTRE_BIAS], core.drawn.centre_bias)
    assert made.sources == core.sources


def test_every_step_is_counted(inputs):
    steps = []
    compared(inputs, on_step=lambda n, total: steps.append((n, total)))
    assert [n for n, _ in steps] == list(range(1, steps[-1][1] + 1))
    assert len({total for _, total in steps}) == 1


@pytest.mark.slow
def test_independent_maps_rarely_agree_with_any_label():
    """Family-wise over labels and maps: at most 5 % of data sets, of which 300 leave a band of 2.5 %."""
    settings = dataclasses.replace(QUICK, metrics=("nss",), n_permutations=499, n_bootstrap=100)
    found = 0
    for seed in range(300):
        maps, marks, images = labelled(n_sources=14, seed=seed, agreement=0.0, side=24)
        labels = compared((maps, marks, images), settings).labels
        found += any(e.p_adjusted <= 0.05 for one in labels for e in one.estimates if e.p_adjusted)
    assert found / 300 <= 0.075


def test_pairs_alone_have_no_labels(result):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert compare_pairs(result.data.pairs, settings=QUICK).labels == ()
