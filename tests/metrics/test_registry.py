"""What must hold for every metric of the registry, and for any map."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import math
import pickle
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import attnxai
from attnxai.errors import OptionError
from attnxai.metrics import (
    DEFAULT_METRICS,
    METRICS,
    PRIMARY_METRIC,
    PixelRows,
    TargetKind,
    dice,
    nss,
    register_metric,
    relevance_rank_accuracy,
)

RANK_METRICS = (
    *("spearman", "kendall", "auc", "shuffled_auc", "average_precision"),
    *("relevance_rank_accuracy", "iou", "dice", "pointing_game", "top_intersection"),
)
# of a map that marks 6 of 64 pixels, mixed with a uniform one
ON_MARKS = np.log2(0.99 / 6 + 0.01 / 64)
BEST = {
    "nss": np.sqrt(58 / 6),
    "negative_kl": np.log2(6) + ON_MARKS,
    "information_gain": ON_MARKS - np.log2(1 / 64),
    # of the highest round(0.05 * 64) = 3 pixels any 3 of the 6 marked, in both
    "top_intersection": 0.5,
}
"""What a map that is its mask of 6 of 64 pixels scores, where that is not the upper bound of the metric."""


def value_of(name, map, target, valid=None, *, others=None):
    if not METRICS[name].needs_others:
        return METRICS[name](map, target, valid)
    if others is None:
        # a made-up centre bias
        others = np.arange(np.size(map), dtype=float).reshape(np.shape(map)) % 5
    return METRICS[name](map, target, valid, others=others)


def random_pair(seed, *, ties, shape=(9, 11)):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4, shape).astype(float) if ties else rng.random(shape)
    mask = rng.random(shape) < 0.3
    valid = rng.random(shape) < 0.8
    mask[0, 0] = valid[0, 0] = valid[0, 1] = True
    mask[0, 1] = False
    return values, mask, valid


def test_the_registry_describes_every_metric():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.target in TargetKind
        assert metric.meaning
        assert metric.formula
        assert (metric.chance is None) == (metric.chance_of is not None)
        assert (metric.chance is None) == bool(metric.chance_formula)
    assert len({metric.label for metric in METRICS.values()}) == len(METRICS)


def test_default_metrics_start_with_the_primary_one():
    assert DEFAULT_METRICS[0] == PRIMARY_METRIC == "nss"


def test_dice_is_a_second_name():
    assert METRICS[dice.alias_of] is relevance_rank_accuracy
    assert dice.pairwise is relevance_rank_accuracy.pairwise
    assert dice.chance_of is relevance_rank_accuracy.chance_of


@pytest.mark.parametrize("name", METRICS)
def test_metrics_are_documented_and_behave_like_functions(name):
    metric = METRICS[name]
    assert getattr(attnxai.metrics, name) is metric
    text = inspect.getdoc(metric)
    assert re.search(r"\n\nParameters\n-+\nmap : array_like", text)
    assert re.search(r"\n\nReturns\n-+\nfloat or ndarray", text)
    assert ("others :" in text) == metric.needs_others
    assert ">>>" in text or metric.alias_of
    assert max(map(len, text.splitlines())) <= 110
    assert list(inspect.signature(metric).parameters)[:3] == ["map", "target", "valid"]
    assert copy.deepcopy(metric) is metric
    assert pickle.loads(pickle.dumps(metric)) is metric  # noqa: S301
    assert repr(metric) == f"<metric {name}>"


@pytest.mark.parametrize("name", METRICS)
def test_a_stack_gives_the_value_of_each_map(name):
    metric, rng = METRICS[name], np.random.default_rng(4)
    maps, targets = rng.random((3, 6, 5)), rng.random((3, 6, 5)) * (rng.random((3, 6, 5)) < 0.4)
    targets[1] = 0.0
    valid = rng.random((6, 5)) < 0.8
    found = metric(maps, targets, valid)
    assert found.shape == (3,)
    assert np.isnan(found[1])
    np.testing.assert_array_equal(metric(maps, targets, np.stack([valid] * 3)), found)
    marks = targets > 0 if metric.target is TargetKind.MASK else targets / targets.sum((1, 2))[0]
    for i in (0, 2):
        other = marks[2 - i] if metric.target is TargetKind.MASK else targets[2 - i]
        alone = value_of(name, maps[i], targets[i], valid, others=other)
        assert isinstance(alone, float)
        assert found[i] == pytest.approx(alone, rel=1e-12)


def test_what_is_no_metric_is_refused():
    def pairwise(maps, targets):
        """Nothing."""
        return np.zeros((len(maps), len(targets)))

    facts = {"label": "Toy", "meaning": "nothing", "target": "density"}
    with pytest.raises(OptionError, match="unknown: bond; missing: label"):
        register_metric(meaning="nothing", target="mask", bond=7)
    with pytest.raises(OptionError, match="one of density, mask, got 'map'"):
        register_metric(**facts | {"target": "map"})
    with pytest.raises(OptionError, match="either chance"):
        register_metric(**facts)(pairwise)
    with pytest.raises(OptionError, match="chance_formula"):
        register_metric(**facts, chance_of=len)(pairwise)
    with pytest.raises(OptionError, match=r"nss is registered by attnxai\.metrics\.density"):
        register_metric(**facts, name="nss", chance=0.0)(pairwise)
    for name in ("Toy", "toy map", "2d", "a,b"):
        with pytest.raises(OptionError, match=f"metric '{name}' needs a name that the command"):
            register_metric(**facts, name=name, chance=0.0)(pairwise)
    with pytest.raises(OptionError, match="pairwise has the label Nss, which is that of nss"):
        register_metric(**facts | {"label": "Nss"}, chance=0.0)(pairwise)
    with pytest.raises(OptionError, match=r"pairwise needs a label, .*, got ' '"):
        register_metric(**facts | {"label": " "}, chance=0.0)(pairwise)
    for function in (lambda maps, targets: 0, functools.partial(pairwise), METRICS):
        with pytest.raises(OptionError, match="takes a function with a docstring"):
            register_metric(**facts, name="toy", chance=0.0)(function)
    for bounds in ((1.0, 0.0), (0.0, 0.0), (0.5, 1.0), (0.0, math.nan), (0.0,), None):
        with pytest.raises(OptionError, match=r"bounds of metric pairwise .* got bounds"):
            register_metric(**facts, chance=0.2, bounds=bounds)(pairwise)
    with pytest.raises(OptionError, match=r"got bounds .* and chance 'none'"):
        register_metric(**facts, chance="none")(pairwise)
    assert METRICS["nss"] is nss
    assert not {"pairwise", "toy"} & set(METRICS)
    wrong = dataclasses.replace(
        METRICS["auc"], name="wrong", pairwise=lambda maps, targets: np.zeros(3)
    )
    with pytest.raises(OptionError, match=r"wrong returned .* \(3,\) .* should be \(1, 1\)"):
        wrong([1, 2], [0, 1])


SHORT_WAYS = [name for name, metric in METRICS.items() if metric.of_pair]
_UNIT = np.random.default_rng(8).random(400)
MAPS = {
    "ordinary": _UNIT,
    "signed": _UNIT - 0.5,
    "tied": np.round(_UNIT),
    "large": _UNIT * 1e90,
    "very large": _UNIT * 1e200,
    "very small": _UNIT * 1e-200,
    "far from 0": 1e9 + _UNIT,
    "nearly constant": 1 + 1e-15 * _UNIT,
    "constant": np.ones(400),
    "zero": np.zeros(400),
    "few levels of rounding": np.where(_UNIT < 0.5, 1.0, 1.0 + 2**-49),
}
TARGETS = {
    "density": np.maximum(_UNIT[::-1] - 0.8, 0),
    "mask": _UNIT[::-1] > 0.8,
    "full mask": np.ones(400, bool),
    "empty mask": np.zeros(400, bool),
    "empty density": np.zeros(400),
    "very small density": np.maximum(_UNIT[::-1] - 0.8, 0) * 1e-250,
    "one pixel": np.arange(400) == 17,
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("map", MAPS)
@pytest.mark.parametrize("name", SHORT_WAYS)
def test_single_pairs_have_the_values_of_all_pairs(name, map, target):
    metric, values, marks = METRICS[name], MAPS[map], TARGETS[target]
    expected = metric.evaluate(values[None], marks[None])[0, 0]
    assert metric(values, marks) == pytest.approx(expected, rel=1e-11, abs=1e-13, nan_ok=True)


def test_single_pairs_are_short_for_ordinary_maps():
    assert {"nss", "similarity", "negative_kl"} <= set(SHORT_WAYS)
    for name in SHORT_WAYS:
        for marks in (TARGETS["mask"], TARGETS["density"]):
            assert np.isfinite(METRICS[name].of_pair(_UNIT, marks))


@pytest.mark.parametrize("name", METRICS)
def test_a_perfect_map_scores_highest(name):
    mask = np.zeros((8, 8), bool)
    mask[2:4, 3:6] = True
    perfect = mask.astype(float)
    others = np.ones_like(perfect)
    if name == "shuffled_auc":
        others -= mask
    found = value_of(name, perfect, mask, others=others)
    best = BEST.get(name, METRICS[name].bounds[1])
    assert found == pytest.approx(best), f"add what a perfect map scores by {name} to BEST"
    worse = value_of(name, np.roll(perfect, 1), mask, others=others)
    if name == "pointing_game":
        assert worse == pytest.approx(2 / 3)
    assert worse < found


@pytest.mark.parametrize("name", METRICS)
def test_errors_name_what_is_wrong(name):
    for shape in ((2, 3), (2, 2, 2, 2)):
        with pytest.raises(ValueError, match="one shape"):
            value_of(name, np.zeros(shape), np.zeros((2, 2)))
    for wrong in ([["a", "b"]], [[1.0], [1.0, 2.0]]):
        with pytest.raises(OptionError, match="target needs to be an array of numbers"):
            value_of(name, [[1.0, 2.0]], wrong)
        with pytest.raises(OptionError, match="valid needs to be an array of numbers"):
            value_of(name, [[1.0, 2.0]], [[0.0, 1.0]], wrong)
    with pytest.raises(OptionError, match="map is a masked array, whose mask would be lost"):
        value_of(name, np.ma.masked_less([[1.0, 2.0]], 2), [[0.0, 1.0]])
    with pytest.raises(ValueError, match="map needs finite"):
        value_of(name, [[np.nan, 1.0]], [[1.0, 0.0]])
    with pytest.raises(ValueError, match="target needs finite"):
        value_of(name, [[2.0, 1.0]], [[1.0, np.inf]])
    with pytest.raises(ValueError, match="negative"):
        value_of(name, [[2.0, 1.0]], [[1.0, -1.0]])
    # a value that is not finite is no error where it is not valid
    found = value_of(
        name, [[np.nan, 1.0, 2.0, 0.0]], [[0.0, 1.0, 0.0, 0.0]], [[False, True, True, True]]
    )
    assert np.isfinite(found)
    if METRICS[name].needs_others:
        with pytest.raises(ValueError, match="one shape"):
            value_of(name, [[2.0, 1.0]], [[1.0, 0.0]], others=[1.0])
        with pytest.raises(ValueError, match="others has negative"):
            value_of(name, [[2.0, 1.0]], [[1.0, 0.0]], others=[[1.0, -1.0]])
        for call in (METRICS[name], METRICS[name].evaluate):
            with pytest.raises(OptionError, match="needs others"):
                call(np.ones((1, 3)), np.ones((1, 3)))


@given(seed=st.integers(0, 10_000), turns=st.integers(0, 3), flip=st.booleans(), ties=st.booleans())
def test_turning_map_and_target_together_changes_nothing(seed, turns, flip, ties):
    values, mask, valid = random_pair(seed, ties=ties)
    density = np.random.default_rng(seed).integers(0, 5, mask.shape) * mask
    others = np.random.default_rng(seed).integers(0, 3, mask.shape)
    for name, metric in METRICS.items():
        target = mask if metric.target is TargetKind.MASK else density
        arrays = [values, target, valid, others]
        moved = [np.rot90(array, turns) for array in arrays]
        if flip:
            moved = [array[:, ::-1] for array in moved]
        expected = value_of(name, *arrays[:3], others=others)
        found = value_of(name, *moved[:3], others=moved[3])
        same = pytest.approx(expected, rel=1e-10, abs=1e-12, nan_ok=True)
        assert found == same, (
            f"{name} depends on the order of pixels: pixels of equal value have to share ranks"
        )


@given(seed=st.integers(0, 10_000), ties=st.booleans())
def test_rank_metrics_ignore_monotone_changes_of_the_map(seed, ties):
    values, mask, valid = random_pair(seed, ties=ties)
    changed = np.exp(values) + 3.0
    for name in RANK_METRICS:
        # ranks are the same, so numbers are the same to the last bit
        expected = value_of(name, values, mask, valid)
        assert value_of(name, changed, mask, valid) == pytest.approx(expected, abs=0, nan_ok=True)


@pytest.mark.parametrize("name", sorted(set(METRICS) - set(RANK_METRICS)))
def test_other_metrics_depend_on_the_values_of_the_map(name):
    values, mask, valid = random_pair(0, ties=False)
    found, changed = (value_of(name, map, mask, valid) for map in (values, np.exp(5 * values)))
    assert changed != pytest.approx(found), f"{name} depends on ranks alone: add it to RANK_METRICS"


def whole_numbers(seed=4, n_pixels=60):
    """Maps, densities and marks of others, small whole numbers, which any scale of two keeps exactly."""
    rng = np.random.default_rng(seed)
    maps, targets, others = rng.integers(0, 8, (3, 4, n_pixels)).astype(float)
    return maps, targets * (rng.random(targets.shape) < 0.5), others


@pytest.mark.parametrize("exponent", [-1074, -1000, -538, 538, 1000, 1020])
@pytest.mark.parametrize("name", METRICS)
def test_extreme_scales_are_no_matter(name, exponent):
    """Squares of such values, or their sums, are 0 or infinite."""
    maps, targets, others = whole_numbers()
    expected = METRICS[name].evaluate(maps, targets, others)
    assert np.isfinite(expected).all()
    if name != "shuffled_auc":  # whose others are counts
        others = np.ldexp(others, exponent)
    large = (np.ldexp(maps, exponent), np.ldexp(targets, exponent), others)
    np.testing.assert_allclose(METRICS[name].evaluate(*large), expected, rtol=1e-12)
    # one ordinary row beside one that is not
    maps[1], targets[2] = np.ldexp(maps[1], exponent), np.ldexp(targets[2], exponent)
    np.testing.assert_allclose(METRICS[name].evaluate(maps, targets, others), expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["nss", "correlation", *RANK_METRICS])
def test_small_differences_on_a_high_level_are_exact(name):
    maps, targets, others = whole_numbers()
    expected = METRICS[name].evaluate(maps, targets, others)
    found = METRICS[name].evaluate(1 + np.ldexp(maps, -50), targets, others)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    if name == "correlation":
        found = METRICS[name].evaluate(maps, 1 + np.ldexp(targets, -50))
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("level", [1.0, 0.1, 3e-310, -7e300])
@pytest.mark.parametrize("name", METRICS)
def test_maps_that_differ_by_rounding_alone_are_constant(name, level):
    """For ranks too: their order says nothing."""
    metric = METRICS[name]
    _, targets, others = whole_numbers()
    maps = np.full(targets.shape, level)
    maps[:, ::3] = np.nextafter(level, np.inf)
    if abs(level) > 1e-300:
        assert np.isnan(metric.evaluate(maps, targets, others)).all()
        reason = metric.reason_undefined(maps[0], targets[0], others[0])
        assert reason == "the map is constant"
    maps[:, ::3] *= 1 + 1e-13
    found = metric.evaluate(maps, targets, others)
    assert np.isfinite(found).all() == (metric.signed_maps or level > 0)


@pytest.mark.parametrize("name", [name for name, m in METRICS.items() if m.varying_targets])
def test_targets_that_differ_by_rounding_alone_are_constant(name):
    maps, targets, _ = whole_numbers()
    targets = np.where(targets > 3, 0.1, 0.3 - 0.2)
    assert np.isnan(METRICS[name].evaluate(maps, targets)).all()
    assert METRICS[name].reason_undefined(maps[0], targets[0]) == "the annotation is constant"


@pytest.mark.parametrize("name", METRICS)
def test_leaving_pixels_out_is_cropping(name):
    values, mask, _ = random_pair(11, ties=True)
    valid = np.zeros(values.shape, bool)
    valid[2:7, 1:9] = True
    others = np.random.default_rng(1).integers(0, 4, mask.shape)
    inside = (slice(2, 7), slice(1, 9))
    expected = value_of(name, values[inside], mask[inside], others=others[inside])
    assert np.isfinite(expected)
    assert value_of(name, values, mask, valid, others=others) == expected


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("name", METRICS)
def test_all_pairs_at_once_are_the_pairs_one_by_one(name, ties):
    rng = np.random.default_rng(7)
    maps = rng.random((5, 40))
    if ties:
        maps = np.floor(4 * maps)
    maps[3] = 0.4
    targets = rng.random((6, 40)) * (rng.random((6, 40)) < 0.4)
    targets[2] = 0.0
    targets[4] = np.round(targets[4], 1)
    others = rng.integers(0, 3, targets.shape).astype(float)
    metric = METRICS[name]
    found = metric.evaluate(maps, targets, others)
    assert found.shape == (5, 6)
    for i, j in np.ndindex(found.shape):
        expected = value_of(name, maps[i], targets[j], others=others[j])
        assert found[i, j] == pytest.approx(expected, abs=1e-12, nan_ok=True)
    # whatever was derived from the rows before
    rows = [PixelRows(array) for array in (maps, targets, others)]
    for other in METRICS.values():
        other.evaluate(*rows)
    np.testing.assert_array_equal(metric.evaluate(*rows), found)


@pytest.mark.parametrize("name", METRICS)
def test_metrics_leave_the_arrays_of_callers_alone(name):
    rng = np.random.default_rng(3)
    arrays = [rng.random((3, 20)) for _ in range(3)]
    arrays[1] *= arrays[1] > 0.5
    before = [array.copy() for array in arrays]
    for array in arrays:
        array.setflags(write=False)
    METRICS[name].evaluate(*arrays)
    for array, same in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, same)


@pytest.mark.parametrize("name", METRICS)
def test_a_bad_map_spoils_no_other(name):
    rng = np.random.default_rng(5)
    maps = rng.random((3, 20))
    targets = (rng.random((2, 20)) < 0.4).astype(float)
    others = np.ones((2, 20))
    expected = METRICS[name].evaluate(maps, targets, others)
    maps[1, 3] = np.nan
    found = METRICS[name].evaluate(maps, targets, others)
    assert np.isnan(found[1]).all()
    np.testing.assert_allclose(found[[0, 2]], expected[[0, 2]], rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_read_only_and_the_arrays_of_callers_stay_as_they_are(dtype):
    for scale in (1.0, 2.0**-1000 if dtype is np.float64 else 0.5):
        values = np.full((2, 3), scale, dtype)
        with pytest.raises(ValueError, match="read-only"):
            PixelRows(values).values[0, 0] = 2.0
        values[0, 0] = 2.0


def test_rows_derive_what_is_asked_for_once():
    calls = []

    def derive(rows, factor):
        calls.append(factor)
        return factor * rows.values

    rows = PixelRows(np.ones((2, 3), np.float32))
    assert rows.values.dtype == np.float64
    assert rows.once(derive, 2.0) is rows.once(derive, 2.0)
    assert rows.once(derive, 3.0).sum() == 18.0
    assert calls == [2.0, 3.0]
    with pytest.raises(OptionError, match="shape"):
        PixelRows(np.ones(3))
