"""Many sources are compared in blocks: values are those of all together, and tests permute within blocks."""

from __future__ import annotations

import dataclasses
import json
import pickle

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import binom

import attnxai
from attnxai.agreement.comparison import ComparisonSettings, block_jobs, compare_pairs, shown
from attnxai.agreement.comparison.blocks import deal_blocks
from attnxai.alignment import on_demand
from attnxai.alignment.pairs import align
from attnxai.annotations.shapes import Label, Shape, ShapeKind
from attnxai.errors import (
    FewSourcesWarning,
    LeftOutWarning,
    OptionError,
    UndefinedValuesWarning,
)
from attnxai.explanations.stack import Split
from attnxai.jobs.runner import run_jobs
from attnxai.metrics import METRICS, TargetKind, agreement_tables
from attnxai.nulls import SourcePermutation
from attnxai.nulls.p_values import null_means
from tests.builders import made_up

QUICK = ComparisonSettings(
    metrics=("nss", "shuffled_auc", "information_gain"), n_permutations=199, n_bootstrap=100
)
BLOCKS = dataclasses.replace(QUICK, most_together=50)


@pytest.fixture(scope="module")
def pairs():
    return align(*made_up(n_sources=110, agreement=0.3, side=24, clip=0.1))


def test_every_source_is_in_one_block_and_groups_are_spread_evenly():
    groups = ["a"] * 700 + ["b"] * 290 + ["c"] * 12
    blocks = deal_blocks(groups, np.random.default_rng(0))
    assert sorted(np.concatenate(blocks).tolist()) == list(range(len(groups)))
    assert len(blocks) == 11
    for name, least, most in (("a", 63, 64), ("b", 26, 27)):
        sizes = [sum(groups[i] == name for i in block) for block in blocks]
        assert least <= min(sizes) <= max(sizes) <= most
    assert (
        sum(any(groups[i] == "c" for i in block) for block in blocks) == 1
    )  # a small group stays whole
    again = deal_blocks(groups, np.random.default_rng(0))
    assert all(np.array_equal(one, other) for one, other in zip(blocks, again, strict=True))


@pytest.mark.parametrize(
    ("options", "n_faint"),
    [
        ({}, 0),
        ({"consensus": "mean"}, 0),
        ({"within": "emission"}, 0),
        ({"within": "emission"}, 30),
    ],
)
def test_values_in_blocks_are_those_of_all_sources_together(pairs, options, n_faint):
    if n_faint:  # these are left out within emission
        brightness = pairs.brightness.copy()
        brightness[:n_faint] *= brightness[:n_faint] > 0.99
        pairs = dataclasses.replace(pairs, brightness=brightness)
    together, blocks = (
        compare_pairs(pairs, settings=dataclasses.replace(settings, **options), rng=0)
        for settings in (QUICK, BLOCKS)
    )
    assert (together.settings["n_blocks"], blocks.settings["n_blocks"]) == (1, 3)
    assert blocks.sources == together.sources
    results = [(together, blocks)]
    if "within" in options:
        results.append((together.within_emission, blocks.within_emission))
        assert blocks.notes == together.notes
        assert len(blocks.within_emission.sources) == len(pairs) - n_faint
    for one, other in results:
        np.testing.assert_allclose(other.values, one.values, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(
            other.partial_correlation_values, one.partial_correlation_values, rtol=1e-12
        )
        for a, b in zip(one.estimates, other.estimates, strict=True):
            np.testing.assert_allclose(b.interval.low, a.interval.low, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(
                b.above_chance.value, a.above_chance.value, rtol=1e-9, atol=1e-12
            )
            assert a.n_undefined == b.n_undefined
            if a.pooled is not None:
                assert b.test.n_sources == a.test.n_sources == b.test.n_tested
                if (
                    a.metric == "nss" or one is together
                ):  # of marks elsewhere only those of a block have a place
                    np.testing.assert_allclose(b.test.observed, a.test.observed, rtol=1e-9)
                if one is together:
                    # that of random permutations is near the mean of all pairs
                    apart = abs(b.pooled.mean - a.pooled.mean)
                    assert apart < 0.1 * abs(a.pooled.observed - a.pooled.mean)
    for a, b in zip(together.noise_ceilings, blocks.noise_ceilings, strict=True):
        np.testing.assert_allclose(
            [b.lower.value, b.upper.low], [a.lower.value, a.upper.low], rtol=1e-9
        )
    if together.annotator_agreement is not None:
        first, second = (r.annotator_agreement.to_record() for r in (together, blocks))
        for one, other in zip(first["reliability"], second["reliability"], strict=True):
            assert one["alpha_value"] == pytest.approx(other["alpha_value"])
        assert first["pairs"][0]["iou"] == pytest.approx(second["pairs"][0]["iou"])
        assert first["overlap"]["value"] == pytest.approx(second["overlap"]["value"])
        assert second["overlap"]["p"] == 1 / 200


def test_the_same_seed_gives_the_same_whatever_the_order_of_the_sources(pairs):
    first = compare_pairs(pairs, settings=BLOCKS, rng=4)
    order = np.random.default_rng(1).permutation(len(pairs))
    second = compare_pairs(pairs.select(order), settings=BLOCKS, rng=4)
    assert json.dumps(first.to_record()) == json.dumps(second.to_record())
    other = compare_pairs(pairs, settings=BLOCKS, rng=5)
    assert other.strata != first.strata  # dealt anew


def test_permutations_stay_within_blocks_and_strata(pairs):
    result = compare_pairs(pairs, settings=BLOCKS, rng=0)
    strata = set(result.strata)
    assert len(strata) == 6  # two classes in each of three blocks
    assert all(
        isinstance(stratum, tuple) and stratum[-1].startswith("block ") for stratum in strata
    )
    # a map that tells blocks apart and nothing else agrees with nothing
    number = np.array([int(stratum[-1].split()[1]) for stratum in result.strata])
    table = number[:, None, None] * np.ones(pairs.valid.shape)
    table += 1e-3 * np.random.default_rng(0).random(table.shape)
    made = dataclasses.replace(pairs, explanations={"map": table}, resolutions={})
    found = compare_pairs(made, settings=dataclasses.replace(BLOCKS, metrics=("nss",)), rng=0)
    assert found.estimate("map", "nss").test.p_value > 0.01


def test_a_source_without_a_value_leaves_the_tests_of_its_block(pairs):
    constant = {name: maps.copy() for name, maps in pairs.explanations.items()}
    for maps in constant.values():
        maps[7] = 1.0
    made = dataclasses.replace(pairs, explanations=constant)
    with pytest.warns(UndefinedValuesWarning, match=pairs.sources[7]):
        result = compare_pairs(made, settings=BLOCKS, rng=0)
    estimate = result.estimate(result.explanations[0], "nss")
    assert estimate.left_test == (pairs.sources[7],)
    assert estimate.test.n_sources == len(pairs) - 1
    assert estimate.spreads is None
    assert {one.source for one in result.undefined} == {pairs.sources[7]}


def large_and_small(**options):
    maps, marks, images = made_up(n_sources=70, agreement=0.3, side=24, clip=0.1)
    settings = dataclasses.replace(QUICK, metrics=("nss",), **options)
    every = dataclasses.replace(settings, most_together=100)
    few = dataclasses.replace(settings, most_together=50)
    return (attnxai.compare(maps, marks, images, settings=one, rng=2) for one in (few, every)), maps


def test_pixels_are_made_block_by_block_and_values_stay_the_same(monkeypatch):
    sizes = []
    original = on_demand.with_fields

    def counted(facts, *args, **given):
        sizes.append(len(facts))
        return original(facts, *args, **given)

    monkeypatch.setattr(on_demand, "with_fields", counted)
    (large, small), maps = large_and_small()
    # for the names of maps, for the values of two blocks, and the sources that are shown
    assert sizes == [1, 35, 35, 70]
    np.testing.assert_allclose(large.values, small.values, rtol=1e-9, atol=1e-12)
    assert large.notes == small.notes
    assert (large.sources, large.classes, large.splits) == (
        small.sources,
        small.classes,
        small.splits,
    )
    assert large.data.pairs.valid.size == 0
    assert large.data.shown.valid.shape == maps.valid.shape
    assert small.data.shown is small.data.pairs


def labelled(marks):
    labels = (Label.CORE, Label.LOBE)
    return dataclasses.replace(
        marks,
        annotations=tuple(
            dataclasses.replace(a, label=labels[i // 2 % 2])
            for i, a in enumerate(marks.annotations)
        ),
    )


def test_blocks_in_two_processes_give_the_same_and_get_only_what_they_need(monkeypatch):
    maps, marks, images = made_up(n_sources=70, agreement=0.3, side=24, clip=0.1)
    marks = labelled(marks)
    settings = dataclasses.replace(BLOCKS, metrics=("nss",), nulls=("rotation",), within="emission")
    steps = []
    one, two = (
        attnxai.compare(
            maps,
            marks,
            images,
            settings=settings,
            n_workers=n,
            on_step=lambda *step: steps.append(step),
        )
        for n in (1, 2)
    )
    assert json.dumps(one.to_record()) == json.dumps(two.to_record())
    assert [label.label for label in two.labels] == ["core", "lobe"]
    assert two.within_emission is not None
    assert steps[-1][0] == steps[-1][1] == len(steps) // 2
    source = on_demand.PairsOnDemand.of(
        maps, marks, images, fwhm_arcsec=5.4, use_source_weights=False
    )
    block = source.block(np.arange(3, 7))
    sent = pickle.loads(pickle.dumps(block))  # noqa: S301
    assert sent.maps.sources == tuple(sent.places) == maps.sources[3:7]
    assert not sent.grids
    np.testing.assert_array_equal(sent.pairs().density, block.pairs().density)


@pytest.mark.slow
def test_blocks_in_a_cluster_give_the_same(cluster):
    maps, marks, images = made_up(n_sources=70, agreement=0.3, side=24, clip=0.1)
    one, other = (
        attnxai.compare(maps, marks, images, settings=BLOCKS, scheduler=address)
        for address in (None, cluster.scheduler_address)
    )
    assert json.dumps(one.to_record()) == json.dumps(other.to_record())


def test_blocks_are_jobs_of_the_cluster_that_is_named(monkeypatch):
    """Jobs go where they are sent; that workers of a cluster give the same is proved in the slow tests."""
    asked = []

    def here(jobs, *, scheduler, **options):
        asked.append((scheduler, len(jobs)))
        return run_jobs(jobs, **options)

    monkeypatch.setattr(block_jobs, "run_jobs", here)
    maps, marks, images = made_up(n_sources=70, agreement=0.3, side=24, clip=0.1)
    settings = dataclasses.replace(BLOCKS, metrics=("nss",))
    one, other = (
        attnxai.compare(maps, marks, images, settings=settings, scheduler=address)
        for address in (None, "tcp://host:8786")
    )
    half = len(asked) // 2
    assert asked[:half] == [(None, n) for _, n in asked[half:]]
    assert {address for address, _ in asked[half:]} == {"tcp://host:8786"}
    assert {n for _, n in asked} == {2}
    assert json.dumps(one.to_record()) == json.dumps(other.to_record())


def test_what_is_wrong_with_the_request_is_said_as_it_is_whichever_process_finds_it():
    maps, marks, images = made_up(n_sources=70, agreement=0.3, side=24, clip=0.1)
    settings = dataclasses.replace(BLOCKS, strata=("redshift",))
    said = []
    for n in (1, 2):
        with pytest.raises(OptionError) as raised:
            attnxai.compare(maps, marks, images, settings=settings, n_workers=n)
        said.append(str(raised.value))
    assert said[0] == said[1]
    assert said[0].startswith("unknown strata 'redshift'")


def sources_tested(result):
    """Sources of every scope with an estimate, and with each test."""
    return {
        (e.group, e.class_name): (
            e.interval.n_units,
            e.pooled and e.pooled.n_sources,
            e.within_strata and e.within_strata.n_sources,
        )
        for e in result.estimates
        if (e.explanation, e.metric) == ("gate1", "nss")
    }


@pytest.mark.parametrize("strata", [("class",), ("size",), ("class", "survey"), ("survey",)])
def test_scopes_and_tests_have_the_sources_that_they_have_together(strata):
    maps, marks, images = made_up(n_sources=116, agreement=0.3, side=20)
    training = {0, 1, 2, 3, 4, 5}
    splits = tuple(Split.TRAINING if i in training else Split.HELD_OUT for i in range(116))
    maps = dataclasses.replace(maps, splits=splits)
    rare = {f"source_{i:02d}": "odd" for i in (20, 50, 90)}
    marks = dataclasses.replace(
        marks,
        classes={**marks.classes, **rare},
        annotations=tuple(
            dataclasses.replace(a, other=surveyed(a.source)) for a in marks.annotations
        ),
    )
    images = [dataclasses.replace(image, class_name=None) for image in images]
    settings = dataclasses.replace(QUICK, metrics=("nss",), strata=strata)
    one, blocks = (
        attnxai.compare(
            maps, marks, images, settings=dataclasses.replace(settings, most_together=n)
        )
        for n in (200, 50)
    )
    assert blocks.settings["n_blocks"] > 1
    assert sources_tested(blocks) == sources_tested(one)
    assert ("all", "odd") in sources_tested(one)


def surveyed(source):
    """A survey that is known for some sources."""
    return {"survey": "FIRST"} if source in ("source_07", "source_31", "source_77") else {}


def test_few_permutations_limit_the_p_value_in_blocks_too():
    maps, marks, images = made_up(n_sources=60, side=20)
    splits = tuple(Split.HELD_OUT if i < 4 else Split.TRAINING for i in range(60))
    maps = dataclasses.replace(maps, splits=splits)
    said = []
    for n in (50, 100):
        with pytest.warns(FewSourcesWarning) as warned:
            found = attnxai.compare(
                maps, marks, images, settings=dataclasses.replace(QUICK, most_together=n)
            )
        assert any("smallest attainable p-value is 0.25" in str(w.message) for w in warned)
        said.append(found.estimate("gate2", "nss").test)
    assert said[0].smallest_p == said[1].smallest_p == 0.25
    assert said[0].p_value >= 0.25
    # 24 permutations of all four
    assert found.estimate("gate2", "nss").pooled.smallest_p == pytest.approx(1 / 24)


def test_sources_that_are_left_out_can_make_blocks_needless():
    maps, marks, images = made_up(n_sources=54, agreement=0.3, side=24)
    marks = labelled(marks)
    outside = {f"source_{i:02d}" for i in range(8)}
    away = Shape(kind=ShapeKind.POINT, x=900.0, y=900.0)
    marks = dataclasses.replace(
        marks,
        annotations=tuple(
            dataclasses.replace(a, shape=away) if a.source in outside else a
            for a in marks.annotations
        ),
    )
    with pytest.warns(LeftOutWarning):
        one, other = (
            attnxai.compare(
                maps, marks, images, settings=dataclasses.replace(QUICK, most_together=n)
            )
            for n in (50, 100)
        )
    assert len(other.sources) == 46
    record = other.to_record()
    record["settings"]["most_together"] = 50
    assert json.dumps(one.to_record()) == json.dumps(record)


def test_single_sources_of_blocks_count_within_emission(pairs):
    """Four sources have emission, of which no block has all."""
    faint = np.array([i not in (3, 8, 60, 100) for i in range(len(pairs))])
    brightness = pairs.brightness.copy()
    brightness[faint] *= brightness[faint] > 0.99
    made = dataclasses.replace(pairs, brightness=brightness)
    settings = (dataclasses.replace(one, within="emission") for one in (QUICK, BLOCKS))
    together, blocks = (compare_pairs(made, settings=one, rng=0) for one in settings)
    assert together.within_emission.sources == blocks.within_emission.sources
    assert len(blocks.within_emission.sources) == 4
    assert blocks.notes == together.notes


@pytest.mark.usefixtures("undrawn")
def test_a_report_of_many_sources_shows_some_of_them(monkeypatch, tmp_path):
    monkeypatch.setattr(shown, "N_SHOWN", 5)
    (large, _), _ = large_and_small()
    page = large.write_report(tmp_path / "out", images_name="made-up images")
    text = page.read_text(encoding="utf-8")
    n_shown = len(large.data.shown)
    assert 5 <= n_shown < 20
    assert text.count("<tbody id=") == n_shown
    assert f"The table has {n_shown} of 70 sources" in text
    assert f"compare up to {large.settings['most_together']} sources alone" in text
    assert '+ " with pictures, of 70 sources";' in text  # also where a filter leaves none of them
    assert "Sources were dealt at random into 2 blocks" in text
    table = (page.parent / "per_source.csv").read_text(encoding="utf-8")
    assert table.count("\n") == 1 + 2 * 70  # two annotators


@pytest.mark.parametrize(
    ("n_sources", "n_strata"), [(60, 1), (120, 2), pytest.param(240, 4, marks=pytest.mark.slow)]
)
def test_false_positive_rate_in_blocks_lies_in_its_binomial_band(n_sources, n_strata):
    """Maps and annotations share the template of their stratum, and nothing else."""
    rng = np.random.default_rng([n_sources, n_strata])
    n_experiments, n_draws = 400, 199
    strata = [i % n_strata for i in range(n_sources)]
    templates = 2 * gaussian_filter(rng.normal(size=(n_strata, 12, 12)), (0, 2, 2))[strata]
    where = np.ones((12, 12), bool)
    null = SourcePermutation()
    p_values = []
    for _ in range(n_experiments):
        maps, marks = gaussian_filter(rng.normal(size=(2, n_sources, 12, 12)), (0, 0, 2, 2))
        targets = {TargetKind.DENSITY: np.exp(4 * (marks + templates))[None]}
        total = None
        for block in deal_blocks(strata, rng, size=30):
            own = {kind: fields[:, block] for kind, fields in targets.items()}
            (table,) = agreement_tables(
                [METRICS["nss"]], (maps + templates)[None, block], own, where
            )
            of_block = [strata[i] for i in block]
            draws = null.draw(of_block, n_draws=n_draws, rng=rng, all_if_few=False)
            means = null_means(table[0, 0], draws, null=null.label)
            total = means if total is None else total + means
        p_values.append(total.test().p_value)
    for level in (0.05, 0.10):
        low, high = binom.ppf([0.0005, 0.9995], n_experiments, level)
        rejected = np.count_nonzero(np.array(p_values) <= level)
        assert low <= rejected <= high
