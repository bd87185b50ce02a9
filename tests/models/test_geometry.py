"""Where the pixels of maps lie, and that nothing of an image is cropped in silence."""

from __future__ import annotations

import pytest
import torch

from attnxai.models.network import AttentionNetwork, gate_geometry, padding_for
from attnxai.models.specification import Aggregation, Architecture, ModelSpec, Padding, paper_spec
from tests.models.builders import make_network, random_images, scores_and_maps, tiny_spec


def brightness_network(padding: Padding) -> AttentionNetwork:
    """A network whose maps are its input, max-pooled: every filter is one pixel, every norm idle."""
    spec = ModelSpec(
        architecture=Architecture.ATTENTION_GATE_CNN,
        fields=(1, 1, 1, 1),
        convolutions=(1, 1, 1, 1),
        gate_channels=1,
        kernel_size=3,
        disc=False,
        padding=padding,
        aggregation=Aggregation.CONCATENATED,
    )
    network = AttentionNetwork(spec).eval()
    with torch.no_grad():
        for block in network.blocks:
            weight = block[0].convolution.weight  # type: ignore[index]
            weight.zero_()
            weight[0, 0, 1, 1] = 1.0
        for gate in network.gates:
            gate.theta.weight.fill_(1.0)  # type: ignore[union-attr, operator]
            gate.phi.weight.zero_()  # type: ignore[union-attr, operator]
            gate.psi.weight.fill_(1.0)  # type: ignore[union-attr, operator]
            gate.psi.bias.zero_()  # type: ignore[union-attr, operator]
    return network


def bright_pixels(height: int, width: int, places: list[tuple[int, int]]) -> torch.Tensor:
    images = torch.zeros(len(places), 1, height, width)
    for image, (row, column) in zip(images, places, strict=True):
        image[0, row, column] = 1.0
    return images


@pytest.mark.parametrize("side", [16, 18, 20, 22, 150])
@pytest.mark.parametrize("padding", list(Padding))
def test_a_bright_pixel_lights_the_map_pixel_that_covers_it(padding, side) -> None:
    network = brightness_network(padding)
    positions = list(range(side)) if side < 50 else list(range(side - 40, side))
    row = side // 2 - 3
    images = bright_pixels(side, side, [(row, position) for position in positions])
    _, maps = scores_and_maps(network, images)
    for layer in gate_geometry(network.spec, side):
        values = maps[layer.name]
        assert values.shape[1:] == (layer.size, layer.size)
        lit: dict[int, list[int]] = {}
        for position, bright in zip(positions, values, strict=True):
            if not bright.any():
                # the published form drops the last rows and columns of odd sizes
                assert padding is Padding.NONE
                assert position > layer.origin + layer.step * (layer.size - 0.5)
                continue
            ((i, j),) = bright.nonzero().tolist()
            assert abs(layer.origin + layer.step * j - position) <= layer.step / 2
            assert abs(layer.origin + layer.step * i - row) <= layer.step / 2
            lit.setdefault(j, []).append(position)
        whole = {j: found for j, found in lit.items() if len(found) == layer.step}
        assert len(whole) >= 10 / layer.step
        for j, found in whole.items():
            # half a pixel would be good enough; the mean position is exact
            assert sum(found) / len(found) == pytest.approx(layer.origin + layer.step * j)


@pytest.mark.parametrize(
    ("height", "width"),
    [(15, 15), (17, 17), (19, 19), (21, 21), (23, 23), (20, 26), (17, 24), (9, 31)],
)
def test_every_pixel_of_odd_and_oblong_images_lights_every_map(height, width) -> None:
    network = brightness_network(Padding.SYMMETRIC)
    places = [(row, column) for row in range(height) for column in range(width)]
    _, maps = scores_and_maps(network, bright_pixels(height, width, places))
    rows, columns = (gate_geometry(network.spec, side) for side in (height, width))
    for along_y, along_x in zip(rows, columns, strict=True):
        values = maps[along_y.name]
        assert values.shape[1:] == (along_y.size, along_x.size)
        for (row, column), bright in zip(places, values, strict=True):
            ((i, j),) = bright.nonzero().tolist()
            assert abs(along_y.origin + along_y.step * i - row) <= along_y.step / 2
            assert abs(along_x.origin + along_x.step * j - column) <= along_x.step / 2


@pytest.mark.parametrize("side", [17, 150, 151])
def test_the_published_form_crops_and_the_other_does_not(side) -> None:
    image = bright_pixels(side, side, [(side - 1, side - 1)])
    _, cropped = scores_and_maps(brightness_network(Padding.NONE), image)
    _, whole = scores_and_maps(brightness_network(Padding.SYMMETRIC), image)
    assert not cropped["gate1"].any()
    assert all(values.any() for values in whole.values())


@pytest.mark.parametrize(
    ("padding", "side"), [(Padding.NONE, 78), (Padding.SYMMETRIC, 78), (Padding.SYMMETRIC, 77)]
)
def test_the_answer_to_an_impulse_is_centred_on_it(padding, side) -> None:
    """In an equivariant network with random weights, over all positions within the coarsest pixel."""
    spec = tiny_spec(group="C4", kernel_size=5, padding=padding, disc=False, normalisation="tanh")
    network = make_network(spec, side).double()
    with torch.no_grad():
        for gate in network.gates:
            gate.phi.weight.zero_()  # type: ignore[union-attr, operator]
    starts = [(34 + i, 40 + j) for i in range(4) for j in range(4)]
    images = 5.0 * bright_pixels(side, side, [(0, 0), *starts]).double()
    images[0] = 0.0
    _, maps = scores_and_maps(network, images)
    for layer in gate_geometry(spec, side):
        answer = (maps[layer.name][1:] - maps[layer.name][:1]).abs()
        assert answer.amax(dim=(1, 2)).min() > 1e-3
        place = layer.origin + layer.step * torch.arange(layer.size, dtype=torch.float64)
        total = answer.sum(dim=(1, 2))
        rows = (answer.sum(dim=2) * place).sum(dim=1) / total
        columns = (answer.sum(dim=1) * place).sum(dim=1) / total
        expected = torch.tensor(starts, dtype=torch.float64)
        offsets = torch.stack([rows, columns], dim=1) - expected
        assert offsets.abs().max() < layer.step / 2
        assert offsets.mean(dim=0).abs().max() < 0.25


@pytest.mark.parametrize("side", range(9, 41))
def test_padding_makes_every_pooling_even(side) -> None:
    before, after = padding_for(side)
    assert (side + before + after) % 8 == 0
    assert before + after < 8
    assert after - before == side % 2, "the odd zero comes last, and there is none at even sides"


@pytest.mark.parametrize(("side", "padding"), [(150, (1, 1)), (152, (0, 0)), (146, (3, 3))])
def test_even_sides_are_padded_as_ever(side, padding) -> None:
    assert padding_for(side) == padding


def test_geometry_of_the_published_form() -> None:
    layers = gate_geometry(paper_spec("C4", published_form=True), 150)
    assert [(layer.size, layer.step, layer.origin) for layer in layers] == [
        (37, 4.0, 1.5),
        (75, 2.0, 0.5),
        (150, 1.0, 0.0),
    ]
    layers = gate_geometry(paper_spec("C4"), 150)
    assert [(layer.size, layer.step, layer.origin) for layer in layers] == [
        (38, 4.0, 0.5),
        (76, 2.0, -0.5),
        (152, 1.0, -1.0),
    ]


def test_geometry_of_an_odd_side() -> None:
    layers = gate_geometry(paper_spec("C4"), 149)
    assert [(layer.size, layer.step, layer.origin) for layer in layers] == [
        (38, 4.0, 0.5),
        (76, 2.0, -0.5),
        (152, 1.0, -1.0),
    ]
    assert gate_geometry(paper_spec("C4"), 151)[2].origin == 0.0


def test_a_network_without_gates_has_no_geometry_and_takes_150_pixels_alone() -> None:
    spec = ModelSpec(
        architecture=Architecture.ATTENTION_GATE_CNN,
        n_gates=0,
        padding=Padding.NONE,
        aggregation=Aggregation.CONCATENATED,
        fields=(1, 1, 1, 2),
    )
    assert gate_geometry(spec, 150) == ()
    network = AttentionNetwork(spec).eval()
    with torch.no_grad():
        assert network(random_images(1, 150)).shape == (1, 2)
    with pytest.raises(ValueError, match="takes images of 150 x 150 pixels alone, got 80 x 80"):
        network(random_images(1, 80))
