"""Toroidal shifts: the Fourier row equals rolling the map, metric by metric."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attnxai.metrics import DEFAULT_METRICS, METRICS, TargetKind, leave_one_out_centre_bias
from attnxai.nulls import ToroidalShift, shifted_values
from attnxai.nulls.footprints import centred_rectangle
from tests.nulls.fields import disc

METRIC_NAMES = sorted(METRICS)
PRODUCTS = sorted(name for name, metric in METRICS.items() if metric.factors)


def rolled_values(metric, map, target, others=None):
    rows, columns = map.shape
    values = np.empty(map.shape)
    for i in range(rows):
        for j in range(columns):
            moved = np.roll(map, (i, j), axis=(0, 1)).reshape(1, -1)
            values[i, j] = metric.evaluate(
                moved,
                target.reshape(1, -1).astype(float),
                None if others is None else others.reshape(1, -1),
            )[0, 0]
    return values


@pytest.mark.parametrize("name", METRIC_NAMES)
@pytest.mark.parametrize("tied", [False, True])
def test_all_shifts_equal_rolling(name, tied):
    metric = METRICS[name]
    rng = np.random.default_rng(0)
    map = rng.integers(0, 4, (6, 5)).astype(float) if tied else rng.random((6, 5))
    density = rng.random((6, 5)).round(1)
    target = density > 0.6 if metric.target == "mask" else density
    others = rng.integers(0, 5, (6, 5)).astype(float)
    np.testing.assert_allclose(
        shifted_values(metric, map, target, others),
        rolled_values(metric, map, target, others),
        rtol=1e-10,
        atol=1e-12,
    )


@settings(max_examples=40, deadline=None)
@given(
    map=arrays(np.float64, (4, 5), elements=st.integers(0, 5).map(float)),
    mask=arrays(bool, (4, 5)),
    name=st.sampled_from(PRODUCTS),
)
def test_undefined_values_are_undefined_under_all_shifts(map, mask, name):
    metric = METRICS[name]
    others = np.roll(mask, 1).astype(float)
    values = shifted_values(metric, map, mask, others)
    expected = rolled_values(metric, map, mask, others)
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-9)
    assert np.isfinite(values).all() or np.isnan(values).all()


def test_default_metrics_are_products():
    assert set(DEFAULT_METRICS) <= set(PRODUCTS)


def problem(shape=(7, 6), seed=0):
    rng = np.random.default_rng(seed)
    maps = rng.random((3, *shape))
    targets = {
        "density": rng.random((2, 3, *shape)),
        "mask": rng.random((2, 3, *shape)) > 0.7,
    }
    return maps, targets, np.ones(maps.shape, bool)


def test_tables_with_all_shifts():
    maps, targets, valid = problem()
    metrics = [METRICS[name] for name in METRIC_NAMES]
    null = ToroidalShift(n_shifts=None)
    tables = null.tables(metrics, maps, targets, valid, rng=np.random.default_rng(0))
    assert tables.shape == (len(metrics), 2, 3, 42)
    for m, metric in enumerate(metrics):
        own = targets[metric.target]
        others = leave_one_out_centre_bias(metric.target, own)[1, 1]
        expected = rolled_values(metric, maps[1], own[1, 1], others)
        np.testing.assert_allclose(tables[m, 1, 1], expected.ravel(), rtol=1e-10, atol=1e-12)


def test_some_shifts_are_distinct_and_start_with_none():
    maps, targets, valid = problem((10, 11))
    null = ToroidalShift(n_shifts=20)
    nss = METRICS["nss"]
    table = null.tables([nss], maps, targets, valid, rng=np.random.default_rng(1))[0, 0]
    assert table.shape == (3, 21)
    for s in range(3):
        whole = rolled_values(nss, maps[s], targets["density"][0, s]).ravel()
        assert table[s, 0] == pytest.approx(whole[0])
        which = [int(np.abs(whole - value).argmin()) for value in table[s]]
        np.testing.assert_allclose(whole[which], table[s], rtol=1e-10)
        assert len(set(which)) == 21
    again = null.tables([nss], maps, targets, valid, rng=np.random.default_rng(1))[0, 0]
    np.testing.assert_array_equal(table, again)


def test_only_the_rectangle_that_is_valid_for_all_counts():
    maps, targets, valid = problem((12, 12))
    valid[:] = disc(12)
    valid[2, 5, 1] = False
    table = ToroidalShift(n_shifts=None).tables(
        [METRICS["spearman"]], maps, targets, valid, rng=np.random.default_rng(0)
    )[0, 0]
    rows, columns = centred_rectangle(valid.all(axis=0))
    expected = rolled_values(
        METRICS["spearman"], maps[0, rows, columns], targets["density"][0, 0, rows, columns]
    )
    assert table.shape == (3, expected.size)
    np.testing.assert_allclose(table[0], expected.ravel(), rtol=1e-10, atol=1e-12)


def test_sampled_shifts_are_all_different_and_none_is_no_shift():
    """Of 30 pixels of different values, marked at one, every shift has a value of its own."""
    map = np.arange(30.0).reshape(5, 6) ** 2
    mask = np.zeros((1, 1, 5, 6), bool)
    mask[0, 0, 2, 3] = True
    rng = np.random.default_rng(0)
    for n_shifts in (28, 28, 28, 10):
        table = ToroidalShift(n_shifts=n_shifts).tables(
            [METRICS["auc"]], map[None], {TargetKind.MASK: mask}, np.ones((1, 5, 6), bool), rng=rng
        )[0, 0, 0]
        assert len(np.unique(table.round(9))) == len(table) == n_shifts + 1
        assert table[0] == pytest.approx(15 / 29)
