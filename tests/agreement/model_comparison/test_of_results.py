"""Results against each other: what they have in common, one family, and what is said of the rest."""

from __future__ import annotations

import dataclasses
import json
import types
import warnings

import matplotlib as mpl
import numpy as np
import pytest

from attnxai.agreement.model_comparison.models import paired_differences
from attnxai.agreement.model_comparison.of_results import contrast_results
from attnxai.agreement.multiplicity import Correction
from attnxai.errors import FewSourcesWarning, OptionError, UndefinedValuesWarning
from tests.report.tables.latex_reader import read_table

mpl.use("Agg")

QUICK = {"n_bootstrap": 100, "n_draws": 199}
HELD_OUT, TRAINING, UNKNOWN, VALIDATION = "held-out", "training", "unknown", "validation"


def result(
    name,
    *,
    sources=range(12),
    splits=HELD_OUT,
    annotators=("ann", "bob"),
    maps=("gate 1", "mean"),
    metrics=("nss", "spearman"),
    shift=0.0,
    weights=None,
    settings=None,
):
    """What a comparison of results asks of one; values depend on the names alone."""

    def value(metric, map_name, annotator, source):
        seed = [*f"{name}{metric}{map_name}{annotator}".encode(), source]
        own = np.random.default_rng(seed).normal()
        return own + shift * (map_name == "gate 1") + 0.5 * np.sin(source)

    names = (*maps, "brightness")
    sources = list(sources)
    return types.SimpleNamespace(
        model_name=name,
        sources=tuple(f"s{source:02d}" for source in sources),
        splits=(splits,) * len(sources) if isinstance(splits, str) else tuple(splits),
        annotators=annotators,
        explanations=maps,
        baselines=("brightness",),
        metrics=metrics,
        values=np.array(
            [
                [[[value(m, e, a, s) for s in sources] for a in annotators] for e in names]
                for m in metrics
            ]
        ),
        source_weights=np.ones(len(sources)) if weights is None else np.asarray(weights),
        settings=settings or {"fwhm_arcsec": 5.4},
    )


def table_of(made, metric, map_name, *, annotators, sources):
    values = made.values[made.metrics.index(metric), made.explanations.index(map_name)]
    rows = [made.annotators.index(name) for name in annotators]
    return values[np.ix_(rows, [made.sources.index(name) for name in sources])]


# --- what is compared ------------------------------------------------------------------------------


def test_it_is_one_family_of_paired_differences():
    results = [result("d8.pt", shift=1.5), result("c8.pt"), result("c1.pt")]
    found = contrast_results(results, rng=3, **QUICK)
    assert found.models == ("d8.pt", "c8.pt", "c1.pt")
    assert (found.metric, found.group, found.maps) == ("nss", HELD_OUT, ("gate 1", "mean"))
    assert found.annotators == ("ann", "bob")
    assert found.notes == ()
    values = {
        f"{r.model_name}: {m}": table_of(
            r, "nss", m, annotators=found.annotators, sources=found.sources
        )
        for r in results
        for m in found.maps
    }
    pairs = [
        (f"{a}: {m}", f"{b}: {m}")
        for m in found.maps
        for a, b in (("d8.pt", "c8.pt"), ("d8.pt", "c1.pt"), ("c8.pt", "c1.pt"))
    ]
    assert found.contrasts == paired_differences(values, pairs=pairs, rng=3, **QUICK)
    one = found.contrast("d8.pt", "c1.pt", "mean")
    assert (one.first, one.second) == ("d8.pt: mean", "c1.pt: mean")
    assert one.difference_others is not None
    # six tests instead of three cost something
    alone = contrast_results(
        [changed(r, explanations=("mean",), values=r.values[:, 1:]) for r in results],
        rng=3,
        **QUICK,
    )
    assert alone.contrasts.contrasts[1].p_value == one.p_value
    assert alone.contrasts.contrasts[1].p_adjusted <= one.p_adjusted


def changed(made, **changes):
    return types.SimpleNamespace(**{**vars(made), **changes})


def test_only_what_all_have_is_compared_and_the_rest_is_noted():
    a = result("a", sources=range(14), annotators=("bob", "ann"), maps=("gate 2", "gate 1"))
    b = result("b", sources=range(2, 16), maps=("gate 1", "mean"), metrics=("spearman", "auc"))
    c = result("c", sources=range(3, 14), annotators=("ann", "cyd"))
    found = contrast_results([a, b, c], **QUICK)
    assert found.sources == tuple(f"s{i:02d}" for i in range(3, 14))
    assert (found.annotators, found.maps, found.metric) == (("ann",), ("gate 1",), "spearman")
    expected = table_of(
        a, "spearman", "gate 1", annotators=["ann"], sources=found.sources
    ) - table_of(b, "spearman", "gate 1", annotators=["ann"], sources=found.sources)
    one = found.contrast("a", "b", "gate 1")
    assert one.difference.value == pytest.approx(expected.mean())
    assert one.difference_others is None
    assert found.notes == (
        "All models have 11 sources (held-out) in common, out of 14 of a, 14 of b, 11 of c.",
        "Not all models have the annotators bob, cyd: left out.",
        "Not all models have the maps gate 2, mean: left out.",
    )


def test_groups_are_never_mixed_in_silence():
    a = result("a", splits=[HELD_OUT] * 9 + [TRAINING] * 3)
    b = result("b", splits=[TRAINING] * 1 + [HELD_OUT] * 11)
    found = contrast_results([a, b], **QUICK)
    assert found.group == HELD_OUT
    assert found.sources == tuple(f"s{i:02d}" for i in range(1, 9))
    assert found.notes == (
        "All models have 8 sources (held-out) in common, out of 12 of a, 12 of b.",
    )
    everything = contrast_results([a, b], group="all", **QUICK)
    assert len(everything.sources) == 12
    assert "(held-out, training)" in everything.notes[0]


@pytest.mark.parametrize(
    ("first", "second", "group"),
    [
        ((UNKNOWN, HELD_OUT), (UNKNOWN, TRAINING), UNKNOWN),
        ((VALIDATION, HELD_OUT), (VALIDATION, VALIDATION), VALIDATION),
        ((TRAINING, HELD_OUT), (TRAINING, UNKNOWN), TRAINING),
    ],
)
def test_without_held_out_sources_the_next_best_group_is_taken_and_noted(first, second, group):
    splits_by_result = [[one] * 8 + [other] * 4 for one, other in (first, second)]
    found = contrast_results(
        [result(n, splits=e) for n, e in zip("ab", splits_by_result, strict=True)], **QUICK
    )
    assert found.group == group
    assert len(found.sources) == 8
    assert found.notes[0].startswith("No source is held-out for every model")
    assert f"the group {group}, in which all of them have the same 8" in found.notes[0]


def test_a_group_that_is_asked_for_is_taken_without_a_note():
    results = [result(n, splits=[HELD_OUT] * 2 + [TRAINING] * 10) for n in "ab"]
    found = contrast_results(results, group=TRAINING, **QUICK)
    assert found.group == TRAINING
    assert len(found.notes) == 1  # on the number of sources


def test_order_of_the_sources_makes_no_difference():
    a, b = result("a"), result("b")
    order = np.random.default_rng(0).permutation(12)
    turned = changed(
        b,
        sources=tuple(b.sources[i] for i in order),
        values=b.values[..., order],
        annotators=b.annotators[::-1],
    )
    turned.values = turned.values[:, :, ::-1]
    assert contrast_results([a, turned], **QUICK) == contrast_results([a, b], **QUICK)


# --- weights and undefined values ------------------------------------------------------------------


def test_weights_are_those_of_the_results():
    weights = np.arange(12) + 1.0
    a, b = result("a", weights=weights), result("b", sources=range(1, 12), weights=weights[1:])
    found = contrast_results([a, b], **QUICK)
    difference = table_of(
        a, "nss", "mean", annotators=found.annotators, sources=found.sources
    ) - table_of(b, "nss", "mean", annotators=found.annotators, sources=found.sources)
    expected = np.average(difference.mean(axis=0), weights=weights[1:])
    assert found.contrast("a", "b", "mean").difference.value == pytest.approx(expected)
    given = contrast_results(
        [result("a"), b], weights=dict(zip(a.sources, weights, strict=True)), **QUICK
    )
    assert given.contrasts == found.contrasts
    with pytest.raises(
        OptionError, match="weigh the source s01 differently \\(1 for a, 2 for b\\)"
    ):
        contrast_results([result("a"), b], **QUICK)
    with pytest.raises(OptionError, match="weights lack 10 of 11 sources, such as s02"):
        contrast_results([a, b], weights={"s01": 1.0}, **QUICK)


def test_undefined_values_leave_their_pair_and_are_counted():
    a, b = result("a"), result("b")
    a.values[0, 0, :, 4] = np.nan
    with pytest.warns(UndefinedValuesWarning, match="a: gate 1 and b: gate 1"):
        found = contrast_results([a, b], **QUICK)
    one = found.contrast("a", "b", "gate 1")
    assert (one.n_sources, one.n_dropped) == (11, 1)
    assert found.contrast("a", "b", "mean").n_dropped == 0


def test_few_sources_are_said():
    with pytest.warns(FewSourcesWarning, match="with 4 sources"):
        found = contrast_results([result(n, sources=range(4)) for n in "ab"], **QUICK)
    assert not found.contrast("a", "b", "mean").found


# --- what cannot be compared -----------------------------------------------------------------------


def test_what_cannot_be_compared():
    a = result("a")
    for results, reason in (
        ([a], "two or more models, got a"),
        ([], "got none"),
        ([a, result("b"), a], "2 results are of a model called a"),
        ([a, result("b", sources=range(20, 30))], "no source in common: a has 12, the first s00"),
        (
            [a, result("b", annotators=("cyd",))],
            "no annotators in common: a has ann, bob; b has cyd",
        ),
        ([a, result("b", maps=("logits",))], "no maps in common: a has gate 1, mean; b has logits"),
        ([a, result("b", metrics=("auc",))], "no metric in common"),
        (
            [a, result("b", splits=TRAINING)],
            "in one group for all of them: a has 12 held-out; b has 12 training; the group all",
        ),
        (
            [result("a", maps=("b: x", "x")), result("a: b", maps=("b: x", "x"))],
            "ambiguous together",
        ),
    ):
        with pytest.raises(OptionError, match=reason):
            contrast_results(results, **QUICK)
    with pytest.raises(OptionError, match="not all the metric auc: a has nss, spearman"):
        contrast_results([a, result("b")], metric="auc", **QUICK)
    with pytest.raises(
        OptionError,
        match=r"unknown group of sources 'test'.*; known groups of sources are held-out",
    ):
        contrast_results([a, result("b")], group="test", **QUICK)
    with pytest.raises(OptionError, match="12 sources that all models have is training for all"):
        contrast_results([a, result("b")], group=TRAINING, **QUICK)


def test_targets_that_were_made_differently_are_noted():
    found = contrast_results([result("a"), result("b", settings={"fwhm_arcsec": 9.0})], **QUICK)
    assert "(5.4 arcsec for a, 9.0 arcsec for b)" in found.notes[0]


# --- exports ---------------------------------------------------------------------------------------


def test_export():
    found = contrast_results(
        [result("d8_best.pt", shift=3.0), result("c8.pt"), result("c1.pt")],
        metric="spearman",
        correction=Correction.HOLM,
        **QUICK,
    )
    frame, record = found.to_frame(), found.to_record()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert list(frame.columns[:3]) == ["map", "first", "second"]
    assert list(frame["map"]) == ["gate 1"] * 3 + ["mean"] * 3
    assert list(frame["first"]) == ["d8_best.pt", "d8_best.pt", "c8.pt"] * 2
    first = found.contrast("d8_best.pt", "c8.pt", "gate 1")
    assert frame["ci_low"][0] == record["contrasts"][0]["ci_low"] == first.difference_others.low
    assert (record["metric"], record["correction"], record["n_draws"]) == ("spearman", "holm", 199)
    assert set(frame["ci_about"]) == {"other annotators too"}
    assert frame["p_others"][0] == record["contrasts"][0]["p_others"] == first.p_others
    assert frame["p_others_adjusted"][0] == first.p_others_adjusted >= first.p_others
    text = found.summary()
    assert text.startswith("spearman, 12 sources (held-out), 2 annotators\n")
    assert text.count("\n") == 6
    with pytest.raises(KeyError, match=r"in this order, d8_best.pt, c8.pt, c1.pt, and maps gate 1"):
        found.contrast("c8.pt", "d8_best.pt", "mean")


def test_table_and_figure():
    found = contrast_results(
        [result("d8_best.pt", shift=3.0), result("c8.pt"), result("c1")], **QUICK
    )
    read = read_table(found.to_latex(caption="Models", label="tab:models"))
    assert read.header[:3] == ["Map", "First", "Second"]
    assert read.header[6:8] == ["{$p$ (max-T)}", "{$p$ (others, Holm)}"]
    assert [row[:3] for row in read.rows][2:4] == [
        ["Gate 1", "c8.pt", "c1"],
        ["Mean of the gates", r"d8\_best.pt", "c8.pt"],
    ]
    assert read.rules == [3]
    ax = found.plot()
    assert ax.get_xlabel() == "difference in NSS"
    assert ax.get_yticklabels()[3].get_text() == "Mean of the gates: d8_best.pt − c8.pt"
    mpl.pyplot.close("all")
    single = contrast_results([result("a", maps=("mean",)), result("b", maps=("mean",))], **QUICK)
    assert read_table(single.to_latex()).header[0] == "First"
    assert read_table(single.to_latex()).rules == []


def test_results_of_a_whole_comparison():
    import attnxai
    from attnxai.agreement.comparison import ComparisonSettings
    from tests.builders import made_up

    settings = ComparisonSettings(n_permutations=19, n_bootstrap=100)
    results = []
    for name, agreement in (("good.pt", 1.0), ("poor.pt", 0.2)):
        maps, marks, images = made_up(n_sources=12, agreement=agreement)
        maps = dataclasses.replace(maps, model_name=name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results.append(attnxai.compare(maps, marks, images, settings=settings))
    found = contrast_results(results, **QUICK)
    assert set(found.maps) == set(results[0].explanations)
    one = found.contrast("good.pt", "poor.pt", "gate2")
    means = [r.source_means("gate2", found.metric).mean() for r in results]
    assert one.difference.value == pytest.approx(means[0] - means[1])
    assert one.found
    assert one.interval.value > 0
    read = read_table(results[0].to_latex("spearman"))
    assert read.header[0] == "Map"
    assert [row[0] for row in read.rows[:2]] == ["Gate 1", "Gate 2"]
    assert read.rules == [len(results[0].explanations)]
