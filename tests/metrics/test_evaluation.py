"""Metrics over all sources at once: tables, others' marks, chance, reasons."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.metrics import (
    METRICS,
    PixelRows,
    TargetKind,
    agreement_tables,
    chance_values,
    leave_one_out_centre_bias,
    own_tables,
)
from attnxai.metrics.pixels import pixels_of
from tests.metrics.test_registry import RANK_METRICS, value_of

ALL_METRICS = list(METRICS.values())
CHANCE_IS_UNIFORM = [
    name for name, metric in METRICS.items() if metric.chance_formula == "that of a uniform map"
]


def made_up(seed=7, *, n_explanations=2, n_annotators=3, n_sources=4, shape=(6, 5)):
    rng = np.random.default_rng(seed)
    maps = rng.random((n_explanations, n_sources, *shape))
    mask = rng.random((n_annotators, n_sources, *shape)) < 0.4
    density = (mask * rng.random(mask.shape)).astype(np.float32)
    return maps, {TargetKind.DENSITY: density, TargetKind.MASK: mask}


@pytest.mark.parametrize("name", METRICS)
def test_matrices_hold_the_single_pair_values(name):
    maps, targets = made_up()
    metric = METRICS[name]
    target = targets[metric.target]
    others = leave_one_out_centre_bias(metric.target, target)
    where = np.random.default_rng(0).random((6, 5)) < 0.8
    matrices = agreement_tables([metric], maps, targets, where)[0]
    assert matrices.shape == (2, 3, 4, 4)
    for e, a, s, t in np.ndindex(matrices.shape):
        expected = value_of(name, maps[e, s], target[a, t], where, others=others[a, t])
        assert matrices[e, a, s, t] == pytest.approx(expected, abs=1e-10, nan_ok=True)
    nowhere = agreement_tables([metric], maps, targets, np.zeros((6, 5), bool))[0]
    assert np.isnan(nowhere).all()


@pytest.mark.parametrize("name", METRICS)
def test_own_values_use_the_own_footprint(name):
    maps, targets = made_up(8)
    metric = METRICS[name]
    target = targets[metric.target]
    others = leave_one_out_centre_bias(metric.target, target)
    valid = np.random.default_rng(1).random((4, 6, 5)) < 0.7
    valid[2] = False
    values = own_tables([metric], maps, targets, valid)[0]
    for e, a, s in np.ndindex(values.shape):
        expected = value_of(name, maps[e, s], target[a, s], valid[s], others=others[a, s])
        assert values[e, a, s] == pytest.approx(expected, abs=1e-10, nan_ok=True)
    assert np.isnan(values[:, :, 2]).all()


def test_several_metrics_together_are_what_each_is_alone(monkeypatch):
    monkeypatch.setattr("attnxai.metrics.evaluation._CHUNK", 3)
    maps, targets = made_up(9)
    where = np.random.default_rng(0).random((6, 5)) < 0.8
    valid = np.broadcast_to(where, (4, 6, 5))
    tables = agreement_tables(ALL_METRICS, maps, targets, where)
    own = own_tables(ALL_METRICS, maps, targets, valid)
    assert tables.shape == (len(METRICS), 2, 3, 4, 4)
    for metric, table, values in zip(ALL_METRICS, tables, own, strict=True):
        alone = agreement_tables([metric], maps, targets, where)[0]
        np.testing.assert_allclose(table, alone, rtol=1e-12)
        diagonal = np.diagonal(table, axis1=2, axis2=3)
        np.testing.assert_allclose(values, diagonal, rtol=1e-10, atol=1e-12, err_msg=metric.name)
    assert agreement_tables([], maps, targets, where).shape == (0, 2, 3, 4, 4)


def test_rank_metrics_are_the_same_to_the_last_bit_however_maps_are_grouped(monkeypatch):
    maps, targets = made_up(10, n_sources=9, shape=(20, 21))
    where = np.ones((20, 21), bool)
    metrics = [METRICS[name] for name in RANK_METRICS]
    expected = agreement_tables(metrics, maps, targets, where)
    monkeypatch.setattr("attnxai.metrics.evaluation._CHUNK", 1)
    found = agreement_tables(metrics, maps, targets, where)
    for metric, one, other in zip(metrics, expected, found, strict=True):
        # these sum up shares of ties, which are thirds and the like
        if metric.name not in ("top_intersection", "average_precision"):
            np.testing.assert_array_equal(one, other, err_msg=metric.name)


def test_another_order_of_sources_only_permutes():
    maps, targets = made_up(11, n_sources=6)
    where = np.ones((6, 5), bool)
    order = np.random.default_rng(0).permutation(6)
    expected = agreement_tables(ALL_METRICS, maps, targets, where)
    moved = {kind: array[:, order] for kind, array in targets.items()}
    found = agreement_tables(ALL_METRICS, maps[:, order], moved, where)
    np.testing.assert_allclose(found, expected[:, :, :, order][..., order], rtol=1e-10, atol=1e-12)


def test_marks_of_others_leave_the_own_source_out():
    _, targets = made_up(12, n_sources=5)
    mask, density = targets[TargetKind.MASK], targets[TargetKind.DENSITY].copy()
    density[0, 3] = 0.0  # not marked by this annotator
    counts = leave_one_out_centre_bias(TargetKind.MASK, mask)
    shares = leave_one_out_centre_bias(TargetKind.DENSITY, density)
    for a, s in np.ndindex(3, 5):
        rest = [t for t in range(5) if t != s]
        np.testing.assert_array_equal(counts[a, s], mask[a, rest].sum(axis=0))
        scaled = [d / d.sum() for d in density[a, rest].astype(float) if d.any()]
        np.testing.assert_allclose(shares[a, s], np.sum(scaled, axis=0), rtol=1e-12)
    alone = leave_one_out_centre_bias(TargetKind.DENSITY, density[:, :1])
    assert not alone.any()
    # nothing is left over by rounding where no other source is marked
    apart = np.zeros((1, 3, 1, 3), np.float32)
    apart[0, [0, 1, 2], 0, [0, 1, 2]] = 0.1
    assert (np.diagonal(leave_one_out_centre_bias(TargetKind.DENSITY, apart)[0, :, 0]) == 0).all()


@pytest.mark.parametrize("exponent", [-1000, 1000])
def test_densities_of_extreme_scale_make_the_same_tables(exponent):
    maps, targets = made_up(16)
    density = targets[TargetKind.DENSITY].astype(float)
    metrics = [m for m in ALL_METRICS if m.target is TargetKind.DENSITY]
    where = np.random.default_rng(0).random((6, 5)) < 0.8
    valid = np.broadcast_to(where, (4, 6, 5))
    for tables in (agreement_tables, own_tables):
        pixels = where if tables is agreement_tables else valid
        expected, found = (
            tables(metrics, maps, {TargetKind.DENSITY: np.ldexp(density, e)}, pixels)
            for e in (0, exponent)
        )
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("metric", ALL_METRICS, ids=repr)
@pytest.mark.parametrize("missing", [np.nan, np.inf])
def test_a_target_that_is_not_finite_has_no_value_and_changes_no_other(metric, missing):
    rng = np.random.default_rng(21)
    maps, marks = rng.random((2, 30)), (rng.random((3, 30)) < 0.3) * rng.random((3, 30))
    others = rng.random((3, 30))
    expected = metric.evaluate(maps, marks, others)
    marks[1, 4] = missing
    found = metric.evaluate(maps, marks, others)
    assert np.isnan(found[:, 1]).all()
    np.testing.assert_allclose(found[:, [0, 2]], expected[:, [0, 2]], rtol=1e-12)


def test_sums_of_targets_that_no_metric_needs_change_nothing():
    maps, targets = made_up(15)
    metrics, where = [METRICS["auc"], METRICS["information_gain"]], np.ones((6, 5), bool)
    needed = {TargetKind.DENSITY: np.ones((3, 6, 5))}
    both = {**needed, TargetKind.MASK: np.ones((3, 6, 5))}
    for tables, pixels in ((agreement_tables, where), (own_tables, np.repeat(where[None], 4, 0))):
        np.testing.assert_array_equal(
            tables(metrics, maps, targets, pixels, elsewhere=both),
            tables(metrics, maps, targets, pixels, elsewhere=needed),
        )


def test_one_source_has_no_others():
    maps, targets = made_up(14, n_sources=1)
    for metric in ALL_METRICS:
        values = agreement_tables([metric], maps, targets, np.ones((6, 5), bool))[0]
        assert np.isnan(values).all() == metric.needs_others


def test_chance_is_what_random_maps_give():
    rng = np.random.default_rng(9)
    mask = rng.random((1, 2, 12, 12)) < 0.2
    targets = {TargetKind.MASK: mask, TargetKind.DENSITY: mask * rng.random(mask.shape)}
    valid = np.ones((2, 12, 12), bool)
    maps = np.tile(rng.random((3000, 1, 12, 12)), (1, 2, 1, 1))
    for name, metric in METRICS.items():
        if name in (*CHANCE_IS_UNIFORM, "information_gain"):
            continue  # their chance is that of a uniform map, or of the centre bias
        chance = chance_values(metric, targets[metric.target], valid)
        assert chance.shape == (1, 2)
        values = own_tables([metric], maps, targets, valid)[0, :, 0, 0]
        error = values.std() / np.sqrt(len(values))
        assert chance[0, 0] == pytest.approx(values.mean(), abs=4 * error), (
            f"the chance of {name} is not its mean over random maps; if it is the value of a constant map, give it "
            "the chance_formula 'that of a uniform map'"
        )


@pytest.mark.parametrize("name", CHANCE_IS_UNIFORM)
def test_chance_of_distributions_is_that_of_a_uniform_map(name):
    maps, targets = made_up(15)
    maps = 1 + 1e-9 * maps
    density = targets[TargetKind.DENSITY]
    valid = np.random.default_rng(1).random((4, 6, 5)) < 0.7
    chance = chance_values(METRICS[name], density, valid)
    values = own_tables([METRICS[name]], maps, targets, valid)[0]
    np.testing.assert_allclose(chance, values[0], atol=1e-7)
    if name == "negative_kl":
        uniform = np.ones(int(valid[0].sum()))
        uniform[0] += 1e-9
        expected = METRICS[name](uniform, density[0, 0][valid[0]])
        assert chance[0, 0] == pytest.approx(expected, abs=1e-7)


def test_chance_by_hand():
    mask = np.zeros((1, 1, 1, 4), bool)
    mask[..., :2] = True
    valid = np.ones((1, 1, 4), bool)
    expected = {
        "auc": 0.5,
        "pointing_game": 0.5,
        # of two pixels of four at random both are marked in 1/6, one in 4/6 of the cases
        "iou": 1 / 6 + 4 / 6 * 1 / 3,
        # precision over all six orders of two marks among four pixels
        "average_precision": (1 + 5 / 6 + 3 / 4 + 7 / 12 + 1 / 2 + 5 / 12) / 6,
    }
    for name, chance in expected.items():
        assert chance_values(METRICS[name], mask, valid)[0, 0] == pytest.approx(chance), name
    assert np.isnan(chance_values(METRICS["iou"], mask, ~valid)).all()
    density = mask.astype(float)
    # a map of four equal pixels is one bit away from a density on two of them
    assert chance_values(METRICS["negative_kl"], density, valid)[0, 0] == pytest.approx(-1.0)
    assert chance_values(METRICS["similarity"], density, valid)[0, 0] == pytest.approx(0.5)
    # of 4 pixels the highest 5 % are 1
    assert chance_values(METRICS["top_intersection"], density, valid)[0, 0] == 0.25
    # a field of one pixel, which is marked
    alone = chance_values(METRICS["average_precision"], mask[..., :1], valid[..., :1])
    assert alone[0, 0] == 1.0
    empty = chance_values(METRICS["negative_kl"], 0 * density, valid)
    assert np.isnan(empty).all()


@pytest.mark.parametrize("name", METRICS)
def test_every_undefined_value_has_its_reason(name):
    metric = METRICS[name]
    map = np.array([1.0, 2.0, 3.0, 4.0])
    target = np.array([0.0, 1.0, 0.0, 2.0])
    others = np.ones(4)
    cases = {
        "no valid pixels": (map[:0], target[:0], others[:0]),
        "not finite": (np.array([1.0, np.nan, 2.0, 3.0]), target, others),
        "outside the pixels": (map, 0 * target, others),
        "map is constant": (0 * map + 0.3, target, others),
    }
    if metric.target is TargetKind.MASK:
        cases["covers every pixel"] = (map, target + 1, others)
    if metric.varying_targets:
        cases["annotation is constant"] = (map, np.ones(4), others)
    signed = (map - 2, target, others)
    if metric.signed_maps:
        assert np.isfinite(value_of(name, *signed[:2], others=others))
    else:
        cases["negative values"] = signed
    if metric.needs_others:
        cases["other source"] = (map, target, 0 * others)
    assert np.isfinite(metric.evaluate(map[None], target[None], others[None])).all()
    for reason, (values, marks, rest) in cases.items():
        assert reason in metric.reason_undefined(values, marks, rest)
        assert np.isnan(metric.evaluate(values[None], marks[None], rest[None])).all(), reason
        if np.isfinite(values).all():
            assert np.isnan(value_of(name, values, marks, others=rest)), reason
    # what lies where it does not count is not there
    assert np.isnan(value_of(name, map, target, target == 0))
    if metric.needs_others:
        assert "other source" in metric.reason_undefined(map, target)


def test_picked_pixels_lie_row_after_row():
    fields = np.random.default_rng(0).random((4, 3, 6, 7))
    where = fields[0, 0] > 0.4
    for some in (fields, fields[:, 1], fields[2:, 0].astype(np.float32), fields[1:, 2] > 0.5):
        picked = pixels_of(some, where)
        assert np.array_equal(picked, some[..., where])
        assert picked.flags.c_contiguous
    across = PixelRows(fields[:, 1, where])
    assert across.values.flags.c_contiguous
    assert np.array_equal(across.values, fields[:, 1, where])
