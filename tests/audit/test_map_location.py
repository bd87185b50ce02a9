"""Maps on the source, signs by class and levels on empty sky, against hand-made maps and scikit-learn."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from attnxai.audit import map_location
from attnxai.data.grid import GridTransform
from attnxai.errors import OptionError
from attnxai.explanations.stack import MapStack, Split

N, SIDE = 40, 24
CLASSES = ("FR I", "FR II") * (N // 2)
SECOND = np.arange(N) % 2 == 1


def stack_of(layers, **changes) -> MapStack:
    """Maps of sources that show emission on the same 4 x 4 pixels."""
    brightness = np.zeros((N, SIDE, SIDE), np.float32)
    brightness[:, 10:14, 10:14] = 0.5
    facts = {
        "model_name": "m",
        "sources": tuple(f"s{i:02d}" for i in range(N)),
        "layers": layers,
        "geometry": {
            name: GridTransform(step=SIDE / maps.shape[1], origin_x=0.0, origin_y=0.0)
            if maps.shape[1] == SIDE
            else GridTransform(step=2.0, origin_x=0.5, origin_y=0.5)
            for name, maps in layers.items()
        },
        "field": (GridTransform(),) * N,
        "brightness": brightness,
        "valid": np.ones((N, SIDE, SIDE), bool),
        "field_scale_arcsec": 1.8,
        "splits": (Split.HELD_OUT,) * N,
        "class_names": ("FR I", "FR II"),
        "means": {},
    }
    return MapStack(**(facts | changes))


def located(maps: np.ndarray, classes=CLASSES, **options):
    (found,) = map_location(
        stack_of({"gate": maps}), classes, rng=0, ring_pixels=4, n_bootstrap=500, **options
    )
    return found


def test_maps_that_lie_on_the_source_for_one_class_and_off_it_for_the_other() -> None:
    maps = np.ones((N, SIDE, SIDE))
    maps[:, 10:14, 10:14] = np.where(SECOND, 2.0, 0.0)[:, None, None]
    maps[1, 10:14, 10:14] = 0.5  # one of the second class that does not
    found = located(maps)
    assert found.on_source["all"].value == 19 / 40
    assert found.on_source["FR I"].value == 0.0
    share = found.on_source["FR II"]
    expected = binomtest(19, 20).proportion_ci(method="exact")
    assert (share.value, share.n_units) == (0.95, 20)
    assert (share.low, share.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert (found.above, found.below) == (("FR II",), ("FR I",))
    assert found.sign_depends_on_class
    assert not found.level_tells_class
    assert found.passes is False


def test_the_level_is_the_median_on_empty_sky_on_the_grid_of_the_map() -> None:
    rng = np.random.default_rng(3)
    maps = rng.normal(size=(N, SIDE // 2, SIDE // 2)) + SECOND[:, None, None] * 0.1
    maps[:, 5:7, 5:7] = 9.0
    found = located(maps)
    levels = []
    for one in maps:
        empty = []
        for row in range(12):
            for column in range(12):
                # cells 5 and 6 hold emission; 4 pixels of the field are 2 cells, along rows and columns
                away = max(5 - row, row - 6, 0) + max(5 - column, column - 6, 0)
                if away > 2:
                    empty.append(one[row, column])
        levels.append(np.median(empty))
    auc = found.level_auc["FR II"]
    assert auc.value == pytest.approx(roc_auc_score(SECOND, levels), abs=1e-12)
    assert auc.low < auc.value < auc.high
    assert found.level["FR I"] == pytest.approx(np.mean(np.array(levels)[~SECOND]), abs=1e-5)
    assert found.level_tells_class == auc.excludes(0.5)


def test_a_level_that_tells_all_sources_has_no_interval_and_fails() -> None:
    maps = np.full((N, SIDE, SIDE), 0.2) + SECOND[:, None, None] * 0.5
    maps[:, 10:14, 10:14] = 1.0
    found = located(maps)
    assert found.level_auc["FR II"].value == 1.0
    assert not found.level_auc["FR II"].known
    assert found.level_tells_class
    assert not found.sign_depends_on_class
    assert found.passes is False


def test_a_map_that_passes() -> None:
    maps = np.zeros((N, SIDE, SIDE))
    maps[:, 10:14, 10:14] = 1.0
    maps += 1e-9 * SECOND[:, None, None]  # rounding does not tell the class
    found = located(maps)
    assert found.passes is True
    assert found.level_auc["FR II"].value == 0.5
    assert found.to_record()["on_source"]["FR II"]["value"] == 1.0


def test_several_classes_are_told_one_against_the_rest() -> None:
    names = ("FR I", "FR II", "hybrid")
    classes = [names[i % 3] for i in range(N)]
    levels = np.random.default_rng(1).normal(size=N)
    maps = np.broadcast_to(levels[:, None, None], (N, SIDE, SIDE)).copy()
    maps[:, 10:14, 10:14] += 1.0
    stack = stack_of({"gate": maps}, class_names=names)
    (found,) = map_location(stack, classes, rng=0, ring_pixels=4, n_bootstrap=200)
    for name, auc in found.level_auc.items():
        belongs = np.array(classes) == name
        assert auc.value == pytest.approx(roc_auc_score(belongs, levels), abs=1e-12)
    assert tuple(found.level_auc) == names


def test_without_classes_only_what_does_not_depend_on_them_is_said() -> None:
    maps = np.zeros((N, SIDE, SIDE))
    maps[:, 10:14, 10:14] = 1.0
    found = located(maps, classes=None)
    assert list(found.on_source) == ["all"]
    assert found.level_auc == {}
    assert found.passes is None


def test_constant_maps_and_images_without_empty_sky_are_undefined_and_counted() -> None:
    maps = np.zeros((N, SIDE, SIDE))
    maps[3:, 10:14, 10:14] = 1.0
    found = located(maps)
    assert found.n_undefined == 3
    assert found.on_source["all"].n_units == N - 3
    (near,) = map_location(stack_of({"gate": maps}), CLASSES, rng=0, ring_pixels=99, n_bootstrap=50)
    assert near.n_undefined == N
    assert np.isnan(near.level["all"])
    assert near.level_tells_class is False


def test_noise_below_the_least_number_of_pixels_is_no_emission() -> None:
    maps = np.zeros((N, SIDE, SIDE))
    maps[:, 2, 2] = 1.0
    stack = stack_of({"gate": maps})
    brightness = stack.brightness.copy()
    brightness[:, 2, 2] = 0.9
    brightness[:, 10:14, 10:14] = 0.0
    brightness[:, 20, 18:23] = 0.1
    stack = dataclasses.replace(stack, brightness=brightness)
    every, large = (
        map_location(stack, CLASSES, rng=0, min_island_pixels=k, n_bootstrap=50)[0] for k in (1, 5)
    )
    assert every.on_source["all"].value == 1.0
    assert large.on_source["all"].value == 0.0


def test_means_are_located_on_the_field_and_order_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    layers = {"a": rng.normal(size=(N, SIDE, SIDE)), "b": rng.normal(size=(N, SIDE, SIDE))}
    stack = stack_of(layers, means=None)
    found = map_location(stack, CLASSES, rng=2, ring_pixels=4, n_bootstrap=300)
    assert [one.name for one in found] == ["a", "b", "mean"]
    mean = located((layers["a"] + layers["b"]) / 2)
    assert found[2].level == pytest.approx(mean.level, abs=1e-5)
    order = rng.permutation(N)
    moved = dataclasses.replace(
        stack,
        sources=tuple(stack.sources[i] for i in order),
        layers={name: maps[order] for name, maps in stack.layers.items()},
    )
    again = map_location(moved, [CLASSES[i] for i in order], rng=2, ring_pixels=4, n_bootstrap=300)
    before, after = found[0].level_auc["FR II"], again[0].level_auc["FR II"]
    assert (after.value, after.low, after.high) == pytest.approx(
        (before.value, before.low, before.high), rel=1e-12
    )


def test_the_ring_is_the_same_for_a_field_in_coarser_pixels() -> None:
    """Three image pixels to a pixel of the map: by its geometry on the field, or by the place of the field."""
    rng = np.random.default_rng(3)
    maps = rng.normal(size=(N, SIDE // 3, SIDE // 3))
    geometry = {"gate": GridTransform(step=3.0, origin_x=1.0, origin_y=1.0)}
    fine = stack_of({"gate": maps}, geometry=geometry)
    coarse = stack_of(
        {"gate": maps},
        geometry={"gate": GridTransform()},
        field=(geometry["gate"],) * N,
        brightness=fine.brightness.reshape(N, 8, 3, 8, 3).max(axis=(2, 4)),
        valid=np.ones((N, 8, 8), bool),
        field_scale_arcsec=5.4,
    )
    first, second, narrower = (
        map_location(stack, CLASSES, rng=0, ring_pixels=width, n_bootstrap=99)[0].level
        for stack, width in ((fine, 6), (coarse, 6), (coarse, 3))
    )
    assert first == second
    assert first != narrower


def test_mistakes_are_refused() -> None:
    stack = stack_of({"gate": np.zeros((N, SIDE, SIDE))})
    with pytest.raises(OptionError, match="39 entries for 40 sources"):
        map_location(stack, CLASSES[1:], rng=0)
    with pytest.raises(OptionError, match="ring_pixels has to be above 0, got 0"):
        map_location(stack, CLASSES, rng=0, ring_pixels=0)
    with pytest.raises(OptionError, match="min_island_pixels"):
        map_location(stack, CLASSES, rng=0, min_island_pixels=0)


def test_a_level_is_judged_with_eight_sources_of_each_class() -> None:
    """An AUC of 3 of 40 sources has an interval without 0.5 in one of five cases by chance."""
    noise = 1e-3 * np.random.default_rng(0).random((N, SIDE, SIDE))
    stack = stack_of({"gate": noise + np.arange(N)[:, None, None] % 20})
    for n_second, judged in ((7, False), (8, True)):
        classes = ["FR II"] * n_second + ["FR I"] * (N - n_second)
        (found,) = map_location(stack, classes, rng=0, ring_pixels=3, n_bootstrap=99)
        (auc,) = found.level_auc.values()
        assert auc.known == judged
        assert (found.passes is not None) == judged
    assert "too few for a class, 8 are needed" in _level_of(stack, 7).note
    perfect = stack_of({"gate": noise + (np.arange(N) < 7)[:, None, None]})
    assert _level_of(perfect, 7).value == 1.0
    classes = ["FR II"] * 7 + ["FR I"] * (N - 7)
    assert not map_location(perfect, classes, rng=0, ring_pixels=3, n_bootstrap=99)[
        0
    ].level_tells_class


def _level_of(stack, n_second):
    classes = ["FR II"] * n_second + ["FR I"] * (N - n_second)
    (auc,) = map_location(stack, classes, rng=0, ring_pixels=3, n_bootstrap=99)[
        0
    ].level_auc.values()
    return auc
