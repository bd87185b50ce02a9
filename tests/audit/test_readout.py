"""Reading a network out, and where its maps lie about the middle of the field."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats

from attnxai.audit.readout import (
    field_brightness,
    layer_grids,
    read_out,
    row_correlations,
)
from attnxai.data.images import SourceSet, from_array
from attnxai.errors import AssumptionWarning, OptionError
from attnxai.models.lenet import LeNet, LeNetSpec
from attnxai.models.specification import Architecture, Padding
from tests.audit.models import SIDE, compact_network
from tests.builders import simulated
from tests.models.builders import (
    make_model,
    make_network,
    random_images,
    range_norm_spec,
    tiny_spec,
)


def test_maps_of_an_even_field_are_centred_on_it() -> None:
    grids = layer_grids(range_norm_spec("D4"), (150, 150))
    assert [grid.name for grid in grids] == ["gate1", "gate2", "gate3"]
    assert [grid.shape for grid in grids] == [(38, 38), (76, 76), (152, 152)]
    assert [grid.centre for grid in grids] == [(18.5, 18.5), (37.5, 37.5), (75.5, 75.5)]
    # gate1: the outermost centres are 0.5 pixels inside the field, the others beyond its border
    assert [grid.reach for grid in grids] == [74.0, 74.5, 74.5]
    for grid, step in zip(grids, (4, 2, 1), strict=True):
        area = np.pi * (grid.reach / step) ** 2
        assert grid.disc.sum() == pytest.approx(area, rel=0.02)
        assert torch.equal(grid.disc, grid.disc.flip(0))
        assert torch.equal(grid.disc, grid.disc.T)


def test_maps_of_other_fields_lie_off_their_middle() -> None:
    published = layer_grids(range_norm_spec("D4", padding=Padding.NONE), (150, 150))
    assert [grid.centre for grid in published] == [(18.25, 18.25), (37.0, 37.0), (74.5, 74.5)]
    assert published[0].reach == 71.0
    (coarse, *_) = layer_grids(range_norm_spec("D4"), (151, 150))
    assert coarse.shape == (38, 38)
    assert coarse.centre == (18.375, 18.5)
    (coarse, *_) = layer_grids(range_norm_spec("D4"), (150, 140))
    assert coarse.shape == (38, 36)
    assert coarse.centre == (18.5, 17.5)
    assert coarse.reach == 69.5


@pytest.mark.parametrize("shape", [(64, 64), (65, 65), (64, 51)])
@pytest.mark.parametrize("padding", list(Padding))
def test_grids_have_the_shapes_of_the_maps(shape, padding) -> None:
    network = make_network(tiny_spec(padding=padding), 64)
    found = read_out(network, torch.rand(1, *shape)).maps
    for grid in layer_grids(network.spec, shape):
        assert tuple(found[grid.name].shape[1:]) == grid.shape == tuple(grid.disc.shape)


def test_reading_out_changes_nothing_and_does_not_depend_on_batches() -> None:
    network = compact_network("D2")
    images = random_images(5, SIDE)[:, 0]
    network.train()
    network.blocks[0].eval()
    try:
        modes = {name: module.training for name, module in network.named_modules()}
        state = {name: value.clone() for name, value in network.state_dict().items()}
        first = read_out(network, images, batch_size=2)
        assert modes == {name: module.training for name, module in network.named_modules()}
        assert all(torch.equal(state[k], v) for k, v in network.state_dict().items())
        assert not any(module._forward_hooks for module in network.modules())
    finally:
        network.eval()
    second = read_out(network, images)
    torch.testing.assert_close(first.scores, second.scores, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        torch.testing.assert_close(second.scores.float(), network(images[:, None]))
    assert set(second.maps) == {"gate1", "gate2", "gate3"}


def test_a_model_standardises_what_its_network_sees() -> None:
    model = make_model(side=32)
    images = simulated(2, side=40)
    brightness = field_brightness(model, images)
    assert brightness.shape == (2, 32, 32)
    assert 0 <= brightness.min() < brightness.max() <= 1
    inputs = (brightness - 0.1) / 0.3
    torch.testing.assert_close(
        read_out(model, brightness).scores, read_out(model.network, inputs).scores
    )
    assert field_brightness(model, images, side=37).shape == (2, 37, 37)
    # also a field that is larger than the part of an image by which it is scaled
    scaled = dataclasses.replace(model.preprocessing, scaling_size=34)
    model = dataclasses.replace(model, preprocessing=scaled)
    assert field_brightness(model, images, side=37).shape == (2, 37, 37)
    with pytest.raises(OptionError, match="no images"):
        field_brightness(model, [])


def test_pixel_scales_that_are_not_stated_are_assumed_aloud() -> None:
    model = make_model(side=32)
    values = np.random.default_rng(0).random((40, 40))
    images = SourceSet([from_array(values, source="a", prepared=True)])
    with pytest.warns(AssumptionWarning, match="1 of 1 images state no pixel scale"):
        field_brightness(model, images)


def test_extremes_over_the_batch_are_those_of_each_image() -> None:
    network = make_network(tiny_spec(extremes_over_batch=True), 32)
    images = random_images(3, 32)[:, 0]
    images[0] *= 20.0
    together = read_out(network, images)
    for index in range(3):
        alone = read_out(network, images[index : index + 1])
        torch.testing.assert_close(alone.maps["gate1"][0], together.maps["gate1"][index])


def test_a_network_without_gates_has_scores_alone() -> None:
    spec = LeNetSpec(architecture=Architecture.STEERABLE_LENET, group="C4", side=20)
    network = LeNet(spec, generator=torch.Generator().manual_seed(0))
    found = read_out(network, torch.rand(2, 20, 20))
    assert found.scores.shape == (2, 2)
    assert dict(found.maps) == {}
    assert layer_grids(spec, (20, 20)) == ()


def test_correlations_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 4, 50))
    expected = [stats.pearsonr(a, b)[0] for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(row_correlations(first, second), expected, rtol=0, atol=1e-12)
    first[2] = 0.5
    assert np.isnan(row_correlations(first, second)).tolist() == [False, False, True, False]
