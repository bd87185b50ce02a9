"""Rank correlations of maps with each other."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from scipy import stats

from attnxai.audit.between_maps import map_agreement
from attnxai.data.grid import GridTransform
from attnxai.errors import OptionError
from attnxai.metrics.partial import partial_spearman
from attnxai.statistics.formats import format_number
from tests.audit.models import WeightedSum, model_of, stack_of

SIDE = 12


@pytest.fixture(scope="module")
def stack():
    rng = np.random.default_rng(4)
    model = model_of(WeightedSum(np.ones((SIDE, SIDE))), SIDE)
    brightness = rng.random((9, SIDE, SIDE))
    one = rng.random(brightness.shape)
    layers = {
        "one": one,
        "near": one + 0.1 * rng.random(brightness.shape),
        "bright": one + 2 * brightness,
        "flat": np.zeros_like(one),
        "coarse": rng.random((9, SIDE // 2, SIDE // 2)),
    }
    geometry = dict.fromkeys(layers, GridTransform())
    geometry["coarse"] = GridTransform(step=2.0, origin_x=0.5, origin_y=0.5)
    valid = np.ones(brightness.shape, bool)
    valid[:, 0] = False
    return stack_of(model, brightness, layers, geometry=geometry, valid=valid)


def test_values_are_those_of_scipy_and_of_the_partial_correlation(stack):
    found = map_agreement(stack)
    position = 3
    valid = stack.valid[position]
    first, second = (stack.layers[name][position] for name in ("one", "bright"))
    wanted = stats.spearmanr(first[valid], second[valid]).statistic
    assert found.values[0, 0, 2, position] == pytest.approx(wanted)
    partial = partial_spearman(first, second, stack.brightness[position], valid)
    assert found.values[1, 0, 2, position] == pytest.approx(partial)
    assert partial > wanted


def test_the_matrix_is_symmetric_and_constant_maps_have_no_value(stack):
    found = map_agreement(stack)
    matrix = found.matrix()
    np.testing.assert_allclose(matrix, matrix.T)
    np.testing.assert_allclose(np.diag(matrix)[[0, 1, 2, 4]], 1.0)
    assert np.isnan(matrix[3]).all()
    assert matrix[0, 1] > 0.9
    assert abs(matrix[0, 4]) < 0.2


def test_a_source_without_valid_pixels_has_no_value(stack):
    valid = stack.valid.copy()
    valid[3] = False
    found = map_agreement(dataclasses.replace(stack, valid=valid))
    assert np.isnan(found.values[..., 3]).all()
    kept = [0, 1, 2, 4, 5, 6, 7, 8]
    np.testing.assert_array_equal(found.values[..., kept], map_agreement(stack).values[..., kept])


def test_the_summary_names_the_pairs(stack):
    found = map_agreement(stack)
    text = found.summary()
    low, high = np.nanmin(found.matrix()), np.nanmax(found.matrix()[~np.eye(5, dtype=bool)])
    assert f"pairs of maps agree by {format_number(low, 2)} to {format_number(high, 2)};" in text
    assert "The maps one and near agree most" in text
    assert "coarse agree least" in text
    frame = found.to_frame()
    assert len(frame) == 10
    row = frame[(frame["map"] == "one") & (frame["other_map"] == "near")].iloc[0]
    interval = found.interval("one", "near")
    assert (row["spearman"], row["spearman_ci_low"]) == (interval.value, interval.low)
    json.dumps(found.to_record(), allow_nan=False)
    assert found.passes is None


def test_one_map_has_none_to_agree_with(stack):
    model = model_of(WeightedSum(np.ones((SIDE, SIDE))), SIDE)
    alone = stack_of(model, stack.brightness, {"one": stack.layers["one"]})
    assert "no two maps" in map_agreement(alone).summary()
    with pytest.raises(OptionError, match="n_bootstrap has to be 1 or more"):
        map_agreement(alone, n_bootstrap=0)
    with pytest.raises(OptionError, match="unknown map 'two'"):
        map_agreement(alone).interval("one", "two")
