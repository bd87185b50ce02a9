"""Occlusion and ablation against plain loops over their parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from attnxai.errors import OptionError
from attnxai.explanations import explain
from attnxai.explanations.perturbation import (
    Occlusion,
    PatchAblation,
    SuperpixelAblation,
)
from tests.explanations.attributed import (
    CLASSES,
    SIDE,
    Linear,
    Residual,
    image_of,
    inputs_and_blank,
    model_of,
    sources,
)
from tests.explanations.conftest import SIDE as GATED_SIDE
from tests.explanations.conftest import build_model


def losses(model, image, parts, weights):
    """What the score loses without each part of an image, on its pixels."""
    seen, blank = inputs_and_blank(model, [image])
    weights = torch.tensor(weights)
    found = np.zeros((SIDE, SIDE))
    with torch.no_grad():
        full = (model.network(seen)[0] * weights).sum()
        for part in parts:
            without = torch.where(torch.from_numpy(part), blank, seen)
            found[part] += float(full - (model.network(without)[0] * weights).sum())
    return found


def maps_by(function, model, images, target):
    with torch.no_grad():
        stack = function(model, images, target=target, rng=np.random.default_rng(0))
    return next(iter(stack.layers.values()))


def squares(side, starts):
    row, column = np.indices((SIDE, SIDE))
    for top in starts:
        for left in starts:
            yield (row >= top) & (row < top + side) & (column >= left) & (column < left + side)


@pytest.mark.parametrize("window", [2, 4, 6])
def test_occlusion_by_a_plain_loop(window):
    model, images = model_of(Residual()), sources(2)
    found = maps_by(Occlusion(window=window), model, images, CLASSES)
    windows = list(squares(window, range(-window // 2, SIDE, window // 2)))
    holding = np.sum(windows, axis=0)
    assert (holding == 4).all()
    for index, image in enumerate(images):
        expected = losses(model, image, windows, [1.0, -1.0]) / 4
        np.testing.assert_allclose(found[index], expected, atol=2e-6)


@pytest.mark.parametrize("side", [1, 5])
def test_patches_by_a_plain_loop(side):
    model, images = model_of(Residual()), sources(2)
    found = maps_by(PatchAblation(side=side, batch_size=7), model, images, "FR II")
    for index, image in enumerate(images):
        expected = losses(model, image, squares(side, range(0, SIDE, side)), [0.0, 1.0])
        np.testing.assert_allclose(found[index], expected, atol=2e-6)


def test_islands_by_a_plain_loop():
    model, images = model_of(Residual()), sources(2)
    pixels = np.zeros((SIDE, SIDE))
    pixels[3, 3] = pixels[4, 4] = 200.0  # one island, joined at a corner
    pixels[10, 10] = 100.0
    images.append(image_of(pixels, "corner"))
    found = explain(model, images, "island_ablation", target="FR I").layers["island_ablation"]
    for index, image in enumerate(images):
        labels, n = ndimage.label(image.pixels > 0, np.ones((3, 3)))
        parts = [labels == k for k in range(1, n + 1)]
        # single pixels are noise, unless an image has no larger island
        parts = [part for part in parts if part.sum() >= 5] or parts
        np.testing.assert_allclose(found[index], losses(model, image, parts, [1.0, 0.0]), atol=2e-6)
        assert not found[index][~np.any(parts, axis=0)].any()
    assert found[2][3, 3] == found[2][4, 4] != 0


def test_superpixels_by_a_plain_loop():
    model, images = model_of(Residual()), sources(1)
    method = SuperpixelAblation(side=4)
    (labels,) = method.partitions(model.preprocessing.view(images[0]).brightness)
    assert 8 <= len(np.unique(labels)) <= 24
    found = maps_by(method, model, images, "FR I")
    parts = [labels == label for label in np.unique(labels)]
    np.testing.assert_allclose(found[0], losses(model, images[0], parts, [1.0, 0.0]), atol=2e-6)


@pytest.mark.parametrize("name", ["occlusion", "patch_ablation", "superpixel_ablation"])
def test_blank_parts_are_exactly_0_and_not_evaluated(name):
    model = model_of(Linear(100), 100)
    pixels = np.zeros((100, 100))
    pixels[40:44, 60:63] = 255.0
    n_seen = []
    handle = model.network.register_forward_pre_hook(lambda _m, given: n_seen.append(len(given[0])))
    found = explain(model, [image_of(pixels)], name, target="FR I").layers[name][0]
    handle.remove()
    rows, columns = np.nonzero(found)
    assert 30 <= rows.min() <= rows.max() <= 55
    assert 50 <= columns.min() <= columns.max() <= 75
    assert sum(n_seen) < 60  # of 625 patches


def test_by_default_parts_follow_the_side_of_the_field():
    for side, expected in ((150, 6), (48, 2), (8, 1)):
        brightness = np.zeros((side, side), np.float32)
        (labels,) = PatchAblation().partitions(brightness)
        assert (labels[0] == labels[0, 0]).sum() == expected
        windows = Occlusion().partitions(brightness)
        assert len(windows) == 4
        assert (windows[0][0] == windows[0][0, 0]).sum() == 2 * expected


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Occlusion(window=5), "even number of pixels, got 5"),
        (lambda: Occlusion(window=0), "2 pixels or more, got 0"),
        (lambda: PatchAblation(side=0), "1 pixels or more, got 0"),
        (lambda: SuperpixelAblation(side=-1), "1 pixels or more, got -1"),
    ],
)
def test_sides_that_are_no_sides(make, message):
    with pytest.raises(OptionError, match=message):
        make()


def test_networks_that_take_extremes_over_a_batch_see_each_image_alone():
    model = build_model(extremes_over_batch=True, padding="none")
    images = sources(2, GATED_SIDE)
    stack = explain(model, images, "island_ablation", target="FR I")
    seen, blank = inputs_and_blank(model, images)
    for index, image in enumerate(images):
        labels, n = ndimage.label(image.pixels > 0, np.ones((3, 3)))
        for part in (k for k in range(1, n + 1) if (labels == k).sum() >= 5):
            without = torch.where(torch.from_numpy(labels == part), blank, seen[index, None])
            with torch.no_grad():
                loss = model.network(seen[index, None]) - model.network(without)
            found = stack.layers["island_ablation"][index][labels == part]
            np.testing.assert_allclose(found, float(loss[0, 0]), atol=2e-6)
    assert all(gate.normalise.over_batch for gate in model.network.gates)
