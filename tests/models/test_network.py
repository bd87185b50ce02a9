"""The symmetry of the network, and its conventions."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from attnxai.models.architectures import network_from_spec
from attnxai.models.lenet import LeNetSpec
from attnxai.models.network import AttentionNetwork, RelativeFeatures, gate_geometry
from attnxai.models.specification import (
    Aggregation,
    Architecture,
    FeatureSum,
    LayerOrder,
    Normalisation,
    Padding,
    SymmetryGroup,
)
from tests.models.builders import (
    GROUPS,
    OPERATIONS,
    GridOperation,
    make_network,
    random_images,
    range_norm_spec,
    scores_and_maps,
    tiny_spec,
)

TOLERANCE = 1e-5


# --- symmetry --------------------------------------------------------------------------------------


def _errors(
    network: AttentionNetwork, images: torch.Tensor, operations: Sequence[GridOperation]
) -> list[tuple[float, float]]:
    """Largest change of scores, relative to the largest score, and of any gate map, for each."""
    scores, maps = scores_and_maps(network, images)
    errors = []
    for operation in operations:
        turned_scores, turned_maps = scores_and_maps(network, operation(images))
        change = (turned_scores - scores).abs().max() / scores.abs().max()
        of_maps = [(turned_maps[name] - operation(maps[name])).abs().max() for name in maps]
        errors.append((float(change), float(max(of_maps))))
    return errors


CASES = [(name, 150) for name in GROUPS if name != "D16"]
CASES += [("D4", side) for side in (152, 148, 146)]


@pytest.mark.parametrize(
    ("name", "side"), [*CASES, pytest.param("D16", 150, marks=pytest.mark.slow)]
)
def test_maps_and_scores_follow_every_element_of_the_group_that_fits_the_grid(name, side) -> None:
    group = SymmetryGroup.from_name(name)
    members = [operation for operation in OPERATIONS if operation.belongs_to(group)]
    rotations = 4 if group.order % 4 == 0 else 2 if group.order % 2 == 0 else 1
    assert len(members) == rotations * (2 if group.reflections else 1)
    network = make_network(range_norm_spec(name), side)
    images = random_images(1, side, seed=11)
    for operation, error in zip(members, _errors(network, images, members), strict=True):
        assert max(error) < TOLERANCE, operation
    strangers = [operation for operation in OPERATIONS if operation not in members][:2]
    for operation, error in zip(strangers, _errors(network, images, strangers), strict=True):
        of_scores, of_maps = error
        assert of_scores > 100 * TOLERANCE, operation
        assert of_maps > 1000 * TOLERANCE, operation


@pytest.mark.parametrize("normalisation", list(Normalisation))
@pytest.mark.parametrize("aggregation", list(Aggregation))
def test_symmetry_holds_for_every_convention(normalisation, aggregation) -> None:
    for order, feature_sum in zip(LayerOrder, FeatureSum, strict=True):
        if normalisation is Normalisation.EMISSION:
            feature_sum = FeatureSum.SUM  # noqa: PLW2901 -- its maps add up to 1
        spec = tiny_spec(
            group="D4",
            normalisation=normalisation,
            aggregation=aggregation,
            layer_order=order,
            feature_sum=feature_sum,
        )
        network = make_network(spec, 26).double()
        images = random_images(2, 26, seed=3).double()
        scores, maps = scores_and_maps(network, images)
        for operation in OPERATIONS:
            turned_scores, turned_maps = scores_and_maps(network, operation(images))
            torch.testing.assert_close(turned_scores, scores, rtol=TOLERANCE, atol=1e-7)
            for name, values in maps.items():
                expected = operation(values)
                scale = float(expected.abs().max())
                torch.testing.assert_close(
                    turned_maps[name], expected, rtol=0, atol=TOLERANCE * scale
                )


def test_without_padding_an_uneven_size_is_not_exactly_symmetric() -> None:
    spec = range_norm_spec("D4", padding=Padding.NONE, fields=(2, 2, 4, 4))
    errors = {}
    for side in (150, 152):
        network = make_network(spec, side)
        images = random_images(1, side, seed=11)
        errors[side] = _errors(network, images, OPERATIONS[1:])
    assert max(of_maps for _, of_maps in errors[150]) > 1e-3
    assert max(of_scores for of_scores, _ in errors[150]) > 1e-4
    assert max(max(pair) for pair in errors[152]) < TOLERANCE


# --- conventions -----------------------------------------------------------------------------------


def _gated_sums(network: AttentionNetwork, images: torch.Tensor) -> list[torch.Tensor]:
    """What reaches the heads, through hooks on the gates."""
    gated: list[torch.Tensor] = []
    handles = [
        gate.register_forward_hook(lambda _module, _inputs, output: gated.append(output))
        for gate in network.gates
    ]
    with torch.no_grad():
        network(images)
    for handle in handles:
        handle.remove()
    return gated


@pytest.mark.parametrize("n_gates", [1, 2, 3])
@pytest.mark.parametrize("feature_sum", list(FeatureSum))
@pytest.mark.parametrize("aggregation", list(Aggregation))
def test_aggregations_follow_their_definition(aggregation, feature_sum, n_gates) -> None:
    spec = tiny_spec(
        fields=(2, 3, 4, 2),
        n_gates=n_gates,
        aggregation=aggregation,
        feature_sum=feature_sum,
        n_classes=3,
    )
    network = make_network(spec, 16)
    images = random_images(2, 16)
    gated = _gated_sums(network, images)
    assert [values.shape[1] for values in gated] == [4, 3, 2][:n_gates]
    sums = [values.sum(dim=(2, 3)) for values in gated]
    if feature_sum is FeatureSum.MEAN:
        sums = [v / g[0, 0].numel() for v, g in zip(sums, gated, strict=True)]
    with torch.no_grad():
        heads = [head(values) for head, values in zip(network.gate_heads, sums, strict=False)]
        joined = torch.cat(sums, dim=1)
        if aggregation is Aggregation.FINE_TUNED:
            expected = network.head(torch.cat(heads, dim=1).clamp_min(0))
        elif aggregation is Aggregation.CONCATENATED:
            expected = network.head(joined)
        elif aggregation is Aggregation.MEAN:
            expected = sum(heads) / n_gates
        else:
            expected = (sum(heads) + network.head(joined)) / (n_gates + 1)
        scores = network(images)
    assert scores.shape == (2, 3)
    torch.testing.assert_close(scores, expected, rtol=1e-5, atol=1e-5)


def test_dropout_acts_in_training_only() -> None:
    network = make_network(tiny_spec(dropout=0.5), 16)
    images = random_images(2, 16)
    with torch.no_grad():
        torch.testing.assert_close(network(images), network(images), rtol=0, atol=0)
        network.dropout.train()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            results = torch.stack([network(images) for _ in range(8)])
    assert results.std(dim=0).max() > 0


@pytest.mark.parametrize(
    "spec",
    [
        tiny_spec(),
        tiny_spec(group="C1", architecture="attention_gate_cnn", convolution_bias=True),
        LeNetSpec(architecture=Architecture.LENET, fields=(2, 3), hidden=(7, 5)),
        LeNetSpec(architecture=Architecture.STEERABLE_LENET, group="D4", fields=(2, 3)),
    ],
)
def test_same_generator_same_weights(spec) -> None:
    before = torch.get_rng_state()
    states = [
        network_from_spec(spec, generator=torch.Generator().manual_seed(seed)).state_dict()
        for seed in (1, 1, 2)
    ]
    assert torch.equal(torch.get_rng_state(), before), "the global random state has changed"
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], states[2][name]) for name in states[0])
    assert not any("basis" in name or "filter" in name for name in states[0])


@pytest.mark.parametrize("binning", [2, 3])
def test_binning_is_exactly_symmetric_and_sees_means(binning) -> None:
    spec = tiny_spec(group="D4", binning=binning, normalisation="emission")
    side = 8 * binning * 2
    network = make_network(spec, side).double()
    # sparse, so that islands of all sizes are there
    images = (random_images(2, side, seed=3).double() - 1.0).relu()
    scores, maps = scores_and_maps(network, images)
    assert {name: values.shape[-1] for name, values in maps.items()} == {
        "gate1": 4,
        "gate2": 8,
        "gate3": 16,
    }
    for operation in OPERATIONS:
        turned_scores, turned_maps = scores_and_maps(network, operation(images))
        torch.testing.assert_close(turned_scores, scores, rtol=TOLERANCE, atol=1e-7)
        for name, values in maps.items():
            torch.testing.assert_close(turned_maps[name], operation(values), rtol=1e-6, atol=1e-9)
    # without the soft disc, pixels exchanged within a bin make no difference
    network = make_network(tiny_spec(group="D4", binning=binning, disc=False), side).double()
    exchanged = images.clone()
    exchanged[..., :binning, 0] = images[..., :binning, 0].flip(-1)
    torch.testing.assert_close(network(exchanged), network(images))
    geometry = gate_geometry(spec, side)
    assert [(layer.step, layer.origin) for layer in geometry] == [
        (4.0 * binning, (4 * binning - 1) / 2),
        (2.0 * binning, (2 * binning - 1) / 2),
        (1.0 * binning, (binning - 1) / 2),
    ]


@pytest.mark.parametrize("group", ["C1", "D4"])
@pytest.mark.parametrize("order", list(LayerOrder))
def test_beyond_the_rim_lies_empty_sky_with_emission(group, order) -> None:
    """Features are those of the same source in a wider field, and 0 where no emission is near."""
    spec = tiny_spec(group=group, normalisation="emission", layer_order=order, disc=False)
    network = make_network(spec, 64)
    image = torch.zeros(1, 1, 64, 64)
    image[0, 0, 30:34, 27:38] = torch.rand(4, 11, generator=torch.Generator().manual_seed(1))
    wide = torch.nn.functional.pad(image, (64, 64, 64, 64))
    features = tuple(RelativeFeatures(one, torch.zeros(1)) for one in (image, wide))
    subtracted = []
    for index, block in enumerate(network.blocks):
        narrow, wider = (block(one) for one in features)
        side = 64 // 2**index
        inner = wider.values[..., side : 2 * side, side : 2 * side]
        torch.testing.assert_close(narrow.values, inner, rtol=1e-4, atol=1e-5)
        assert narrow.values.abs().max() > 1e-3
        assert wider.values[..., -1, 0].abs().max() < 1e-5, "far from the source"
        subtracted.append(float(narrow.empty.detach().abs().max()))
        features = tuple(
            RelativeFeatures(torch.nn.functional.max_pool2d(one.values, 2), one.empty)
            for one in (narrow, wider)
        )
    assert max(subtracted) > 1e-2, "there would be nothing to see"


@pytest.mark.parametrize("order", list(LayerOrder))
def test_empty_sky_is_normalised_as_the_images_of_a_batch_are(order) -> None:
    """In training the statistics are those of the batch, for empty sky too."""
    spec = tiny_spec(group="C4", normalisation="emission", layer_order=order, disc=False)
    network = make_network(spec, 32).train()
    images = torch.zeros(2, 1, 32, 32)
    images[:, :, 1:4, 1:4] = 1.0
    found = network.blocks[0](RelativeFeatures(images, torch.zeros(1)))
    assert found.values[..., 20:, 20:].abs().max() < 1e-5
    assert found.values.abs().max() > 1e-3


@pytest.mark.parametrize("aggregation", list(Aggregation))
def test_empty_sky_has_the_score_0_with_emission(aggregation) -> None:
    network = make_network(tiny_spec(normalisation="emission", aggregation=aggregation), 32)
    scores, maps = scores_and_maps(network, torch.zeros(1, 1, 32, 32))
    assert not scores.any()
    assert not any(values.any() for values in maps.values())


@pytest.mark.parametrize("binning", [1, 3])
def test_gates_do_not_attend_to_small_islands(binning) -> None:
    """Unless an image has no larger one; features see all islands."""
    spec = tiny_spec(normalisation="emission", disc=False, min_island_pixels=4, binning=binning)
    network = make_network(spec, 48)
    images = torch.zeros(2, 1, 48, 48)
    images[0, 0, [8, 9, 10, 11], [20, 21, 22, 23]] = 2.0
    images[0, 0, 10:13, 27] = images[1, 0, 30:33, 40] = 3.0
    (scores, maps), (without, _) = (
        scores_and_maps(network, one) for one in (images, images * (images < 3.0))
    )
    for name, values in maps.items():
        side = 48 // values.shape[-1]
        expected = torch.zeros(2, 1, 48, 48)
        expected[0, 0, [8, 9, 10, 11], [20, 21, 22, 23]] = 1.0
        expected[1, 0, 30:33, 40] = 1.0
        cells = torch.nn.functional.max_pool2d(expected, side)
        assert ((values > 0) == (cells[:, 0] > 0)).all(), name
    assert (scores[0] != without[0]).any()


def test_gates_attend_to_the_emission_of_another_image_where_that_is_given() -> None:
    spec = tiny_spec(normalisation="emission", disc=False, min_island_pixels=4)
    network = make_network(spec, 32)
    image = torch.zeros(1, 1, 32, 32)
    image[0, 0, 4:8, 4:8] = 2.0
    other = torch.zeros(1, 1, 32, 32)
    other[0, 0, 20:24, 20:24] = 2.0
    other[0, 0, 2, 28] = 2.0
    maps: list[torch.Tensor] = []
    gate = network.get_submodule("gates.2.normalise")
    gate.register_forward_hook(lambda *passed: maps.append(passed[2]))
    with torch.no_grad():
        network(image, other)
    assert (maps[0] > 0).nonzero()[:, 2:].tolist() == [
        [row, column] for row in range(20, 24) for column in range(20, 24)
    ]


def test_emission_makes_a_gate_blind_to_empty_sky() -> None:
    """A cell of a gate's map is 0 exactly where the image shows nothing, also where convolutions reach."""
    spec = tiny_spec(group="C4", normalisation="emission", disc=False, min_island_pixels=1)
    network = make_network(spec, 32)
    images = torch.zeros(1, 1, 32, 32)
    images[0, 0, 5, 9] = images[0, 0, 20, 20] = 2.0
    _, maps = scores_and_maps(network, images)
    for name, step in (("gate1", 4), ("gate2", 2), ("gate3", 1)):
        on = (maps[name][0].squeeze() > 0).nonzero().tolist()
        assert on == [[5 // step, 9 // step], [20 // step, 20 // step]]
        assert float(maps[name].sum()) == pytest.approx(1.0)
