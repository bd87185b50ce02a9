"""Symmetry of every group, exact where it should be and measured everywhere."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from attnxai.audit.equivariance import expected_symmetry, symmetry_errors
from attnxai.audit.equivariance_result import Symmetry
from attnxai.audit.readout import field_brightness, read_out
from attnxai.errors import OptionError, UndefinedValuesWarning
from attnxai.models.checkpoints import load_model
from attnxai.models.elements import (
    IDENTITY,
    GroupElement,
    Interpolation,
    elements_outside,
    group_elements,
    transform_images,
)
from attnxai.models.lenet import LeNet, LeNetSpec
from attnxai.models.specification import (
    Architecture,
    Padding,
    SymmetryGroup,
    paper_spec,
)
from tests.audit.models import SIDE, compact_network, settled_on
from tests.builders import simulated
from tests.models.builders import (
    GROUPS,
    TRANSPOSITION,
    make_model,
    make_network,
    random_images,
    range_norm_spec,
    smooth_images,
    tiny_spec,
)

TOLERANCE = 1e-5
EIGHTH = GroupElement(rotation_deg=45)
QUARTER = GroupElement(rotation_deg=90)


def exactly(errors) -> tuple[float, float]:
    """Largest errors of scores and maps over the elements that should be exact."""
    exact = [kind is Symmetry.EXACT for kind in errors.expected]
    return float(errors.score_errors[exact].max()), float(errors.map_errors[exact].max())


# --- what is exact ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*GROUPS[:-1], pytest.param(GROUPS[-1], marks=pytest.mark.slow)])
def test_elements_that_fit_the_grid_are_exact_in_every_group(name) -> None:
    network, group = compact_network(name), SymmetryGroup.from_name(name)
    errors = symmetry_errors(network, random_images(2, SIDE, seed=11)[:, 0])
    assert errors.elements == group_elements(group)
    n_exact = sum(kind is Symmetry.EXACT for kind in errors.expected)
    assert n_exact == sum(element.on_grid for element in errors.elements)
    assert max(exactly(errors)) <= TOLERANCE
    assert np.nanmax(errors.spread_errors[errors.positions(Symmetry.EXACT)], initial=0.0) < 1e-3
    rough = errors.positions(Symmetry.APPROXIMATE)
    assert len(rough) == group.size - n_exact
    if len(rough):
        assert errors.score_errors[rough].min() > 100 * TOLERANCE
        assert errors.map_errors[rough].min() > 1000 * TOLERANCE


@pytest.mark.parametrize("name", GROUPS)
def test_what_they_are_off_by_is_rounding(name) -> None:
    network = copy.deepcopy(compact_network(name)).double()
    fitting = [element for element in group_elements(network.spec.symmetry) if element.on_grid]
    images = random_images(2, 40, seed=6)[:, 0].double()
    errors = symmetry_errors(network, images, elements=fitting)
    assert max(exactly(errors)) <= 1e-12


@pytest.mark.parametrize("name", ["C4", "D4"])
def test_the_paper_preset_is_exact(name) -> None:
    network = make_network(paper_spec(name, fields=(2, 3, 4, 4), gate_channels=8), 62)
    errors = symmetry_errors(network, random_images(2, 62, seed=3)[:, 0])
    assert max(exactly(errors)) <= TOLERANCE
    published = paper_spec(name, fields=(2, 3, 4, 4), gate_channels=8, published_form=True)
    errors = symmetry_errors(make_network(published, 62), random_images(2, 62, seed=3)[:, 0])
    index = errors.elements.index(QUARTER)
    assert errors.expected[index] is Symmetry.APPROXIMATE
    assert errors.map_errors[index].min() > 1e-3


def test_an_oblong_image_that_is_turned_with_its_frame_is_exact() -> None:
    network = compact_network("D4")
    images = random_images(2, 72, seed=1)[:, 0, :, :58]
    upright = read_out(network, images)
    lying = read_out(network, torch.rot90(images, 1, (-2, -1)))
    torch.testing.assert_close(lying.scores, upright.scores, rtol=TOLERANCE, atol=0)
    for name, maps in upright.maps.items():
        turned = torch.rot90(maps, 1, (-2, -1))
        torch.testing.assert_close(lying.maps[name], turned, rtol=0, atol=TOLERANCE)


# --- what is not -----------------------------------------------------------------------------------


def test_the_published_form_is_not_exact() -> None:
    spec = range_norm_spec("D4", padding=Padding.NONE, fields=(2, 2, 4, 4))
    network = make_network(spec, SIDE)
    errors = symmetry_errors(network, random_images(2, 150, seed=11)[:, 0])
    for element, kind, scores, maps in zip(
        errors.elements, errors.expected, errors.score_errors, errors.map_errors, strict=True
    ):
        if element in (IDENTITY, TRANSPOSITION):
            assert kind is Symmetry.EXACT
            assert max(scores, maps.max()) <= TOLERANCE
        else:
            assert kind is Symmetry.APPROXIMATE
            assert maps.max() > 1e-3
            assert scores > 1e-4


@pytest.mark.parametrize("name", ["C4", "D8"])
@pytest.mark.parametrize("shape", [(65, 65), (64, 52), (63, 50)])
def test_odd_and_oblong_fields_have_errors_that_are_measured(name, shape) -> None:
    network = compact_network(name)
    images = random_images(2, 65, seed=2)[:, 0, : shape[0], : shape[1]]
    errors = symmetry_errors(network, images)
    assert errors.shape == shape
    assert np.isfinite(errors.score_errors).all()
    assert np.isfinite(errors.map_errors).all()
    assert max(exactly(errors)) <= TOLERANCE
    rough = errors.positions(Symmetry.APPROXIMATE)
    assert QUARTER in [errors.elements[index] for index in rough]
    assert errors.score_errors[rough].min() > 10 * TOLERANCE
    assert errors.map_errors[rough].min() > 100 * TOLERANCE
    exact = {errors.elements[index].name for index in errors.positions(Symmetry.EXACT)}
    rotations = {(64, 52): {"180°"}}.get(shape, set())
    reflections = {
        (65, 65): {TRANSPOSITION.name},
        (64, 52): {"reflected", "reflected, 180°"},
        (63, 50): {"reflected"},
    }[shape]
    assert exact == (rotations | reflections if name == "D8" else rotations)


def test_a_rotation_by_45_degrees_holds_approximately_in_d8_and_not_in_c1() -> None:
    images = smooth_images(4, SIDE)
    scores, unlike = {}, {}
    for name in ("C1", "D8"):
        found = [
            symmetry_errors(settled_on(images, name, seed=seed), images, elements=[EIGHTH])
            for seed in range(4)
        ]
        scores[name] = np.mean([errors.score_errors[0] for errors in found])
        unlike[name] = np.mean([1.0 - errors.map_correlations[0] for errors in found])
    assert scores["D8"] < 0.5 * scores["C1"]
    assert unlike["D8"] < 0.6 * unlike["C1"]


def test_trained_networks_differ_more() -> None:
    images = simulated(4)
    found = {
        name: symmetry_errors(load_model(f"{name}.pt"), images, elements=[EIGHTH, QUARTER])
        for name in ("d8", "c1")
    }
    unlike = {
        name: 1.0 - errors.map_correlations.mean(axis=(1, 2)) for name, errors in found.items()
    }
    assert unlike["d8"][1] < 1e-9
    assert unlike["c1"][1] > 0.1
    assert unlike["d8"][0] < unlike["c1"][0]
    assert found["d8"].expected == (Symmetry.APPROXIMATE, Symmetry.EXACT)
    assert found["c1"].expected == (Symmetry.ABSENT, Symmetry.ABSENT)


@pytest.mark.parametrize(
    ("changes", "shape", "element", "expected"),
    [
        ({}, (150, 150), IDENTITY, Symmetry.EXACT),
        ({}, (150, 150), QUARTER, Symmetry.EXACT),
        ({}, (150, 150), EIGHTH, Symmetry.APPROXIMATE),
        ({}, (150, 150), GroupElement(rotation_deg=30), Symmetry.ABSENT),
        ({}, (151, 151), QUARTER, Symmetry.APPROXIMATE),
        ({}, (151, 151), TRANSPOSITION, Symmetry.EXACT),
        ({}, (150, 140), QUARTER, Symmetry.APPROXIMATE),
        ({}, (150, 140), TRANSPOSITION, Symmetry.APPROXIMATE),
        ({}, (150, 140), GroupElement(rotation_deg=180), Symmetry.EXACT),
        ({}, (150, 141), GroupElement(rotation_deg=180), Symmetry.APPROXIMATE),
        ({"padding": Padding.NONE}, (150, 150), QUARTER, Symmetry.APPROXIMATE),
        ({"padding": Padding.NONE}, (152, 152), QUARTER, Symmetry.EXACT),
        ({"padding": Padding.NONE}, (148, 148), QUARTER, Symmetry.APPROXIMATE),
        ({"binning": 3}, (144, 144), QUARTER, Symmetry.EXACT),
        ({"binning": 3}, (150, 150), QUARTER, Symmetry.EXACT),
        ({"binning": 3}, (151, 151), QUARTER, Symmetry.APPROXIMATE),
        ({"binning": 3, "padding": Padding.NONE}, (152, 152), QUARTER, Symmetry.APPROXIMATE),
        ({"binning": 3, "padding": Padding.NONE}, (144, 144), QUARTER, Symmetry.EXACT),
    ],
)
def test_what_is_expected(changes, shape, element, expected) -> None:
    assert expected_symmetry(range_norm_spec("D8", **changes), element, shape) is expected


# --- the numbers themselves ------------------------------------------------------------------------


def test_errors_of_a_quarter_turn_by_hand() -> None:
    network, images = compact_network("C1"), random_images(3, SIDE, seed=9)[:, 0]
    errors = symmetry_errors(network, images, elements=[QUARTER])
    before = read_out(network, images)
    after = read_out(network, torch.from_numpy(np.rot90(images.numpy(), axes=(1, 2)).copy()))
    f, g = before.scores.numpy(), after.scores.numpy()
    change = np.sqrt(np.mean((f - g) ** 2))
    assert errors.score_errors[0] == pytest.approx(change / np.sqrt(np.mean(f**2)))
    assert errors.spread_errors[0] == pytest.approx(change / np.sqrt(f.var(axis=0).mean()))
    for layer, name in enumerate(errors.layers):
        wanted = np.rot90(before.maps[name].numpy(), axes=(1, 2))
        found = after.maps[name].numpy()
        for image in range(3):
            largest = np.abs(found[image] - wanted[image]).max() / np.ptp(wanted[image])
            assert errors.map_errors[0, layer, image] == pytest.approx(largest)
            expected = stats.pearsonr(found[image].ravel(), wanted[image].ravel())[0]
            assert errors.map_correlations[0, layer, image] == pytest.approx(expected)
    assert not errors.back_score_changes.any()
    assert not errors.back_image_errors.any()


def test_errors_of_45_degrees_by_scipy() -> None:
    """With scipy's rotation of image and maps, within discs that are drawn here."""
    network, images = compact_network("C1"), smooth_images(2, SIDE, seed=9)
    errors = symmetry_errors(
        network, images, elements=[EIGHTH], interpolation=Interpolation.BILINEAR
    )

    def rotated(stack: np.ndarray, angle: float, mode: str) -> np.ndarray:
        turned = [
            ndimage.rotate(one, angle, reshape=False, order=1, mode=mode, prefilter=False)
            for one in stack.astype(np.float64)
        ]
        return np.array(turned)

    once = rotated(images.numpy(), 45, "grid-constant")
    twice = rotated(once, -45, "grid-constant")
    before = read_out(network, images)
    after, back = (read_out(network, torch.from_numpy(z).float()) for z in (once, twice))
    for readout, changes in ((after, errors.score_changes), (back, errors.back_score_changes)):
        expected = np.sqrt(np.mean((readout.scores - before.scores).numpy() ** 2))
        assert changes[0] == pytest.approx(expected, rel=1e-3)
    for layer, name in enumerate(errors.layers):
        start = before.maps[name].numpy()
        side = start.shape[1]
        y, x = np.mgrid[:side, :side] - (side - 1) / 2
        # the outermost centres of the map are nearer to the middle than the border of the field
        disc = x**2 + y**2 <= ((side - 1) / 2) ** 2 + 1e-9
        wanted = rotated(start, 45, "nearest")
        for image in range(2):
            pairs = (
                (after, wanted, errors.map_errors, errors.map_correlations),
                (back, start, errors.back_map_errors, errors.back_map_correlations),
            )
            for readout, target, of_errors, correlations in pairs:
                found, aim = readout.maps[name].numpy()[image][disc], target[image][disc]
                largest = np.abs(found - aim).max() / np.ptp(start[image])
                assert of_errors[0, layer, image] == pytest.approx(largest, abs=1e-3)
                expected = stats.pearsonr(found, aim)[0]
                assert correlations[0, layer, image] == pytest.approx(expected, abs=1e-3)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    disc = x**2 + y**2 <= ((SIDE - 1) / 2) ** 2
    inside = images.numpy()[:, disc]
    lost = np.mean((twice[:, disc] - inside) ** 2) / inside.var(axis=1).mean()
    assert errors.back_image_errors[0] == pytest.approx(np.sqrt(lost), rel=1e-4)


def test_bicubic_interpolation_does_less_by_itself() -> None:
    network, images = compact_network("D8"), smooth_images(2, SIDE)
    found = {
        kind: symmetry_errors(network, images, elements=[EIGHTH], interpolation=kind)
        for kind in Interpolation
    }
    cubic, linear = found[Interpolation.BICUBIC], found[Interpolation.BILINEAR]
    assert cubic.back_image_errors[0] < 0.8 * linear.back_image_errors[0]
    assert cubic.back_score_errors[0] < linear.back_score_errors[0]


def test_a_model_is_turned_before_it_standardises() -> None:
    model, images = make_model(side=32, group="C2"), simulated(3, side=40)
    errors = symmetry_errors(model, images, elements=[EIGHTH])
    brightness = field_brightness(model, images)
    again = symmetry_errors(model, brightness, elements=[EIGHTH])
    assert errors.to_frame().equals(again.to_frame())
    turned = transform_images(brightness, EIGHTH)
    for one, image in zip(turned, brightness, strict=True):
        one[one < image[image > 0].min() / 2] = 0.0
    change = (
        read_out(model.network, (turned - 0.1) / 0.3).scores
        - read_out(model.network, (brightness - 0.1) / 0.3).scores
    )
    assert errors.score_changes[0] == pytest.approx(float(change.square().mean().sqrt()), rel=1e-5)


def test_constant_maps_are_undefined_and_named() -> None:
    network = make_network(tiny_spec(), 32)
    with torch.no_grad():
        network.gates[1].psi.weight.zero_()  # type: ignore[union-attr, operator]
    with pytest.warns(UndefinedValuesWarning, match="2 of 2 maps of gate2 are constant"):
        errors = symmetry_errors(network, random_images(2, 32)[:, 0], elements=[QUARTER])
    assert np.isnan(errors.map_errors[0, 1]).all()
    assert np.isfinite(errors.map_errors[0, [0, 2]]).all()
    frame = errors.to_frame()
    assert np.isnan(frame["gate2_error"][0])
    assert frame["gate1_error"][0] < TOLERANCE


def test_scores_that_are_the_same_for_all_images_have_no_spread() -> None:
    images = random_images(1, 32)[:, 0].expand(3, -1, -1)
    errors = symmetry_errors(make_network(tiny_spec(), 32), images, elements=[EIGHTH])
    assert np.isnan(errors.spread_errors).all()
    assert errors.score_errors[0] > 0


def test_a_lenet_has_nothing_built_into_its_scores() -> None:
    spec = LeNetSpec(architecture=Architecture.STEERABLE_LENET, group="C4", side=20)
    network = LeNet(spec, generator=torch.Generator().manual_seed(0)).eval()
    errors = symmetry_errors(network, random_images(2, 20)[:, 0])
    assert errors.layers == ()
    assert errors.expected == (Symmetry.EXACT, *3 * (Symmetry.ABSENT,))
    assert errors.score_errors[1:].min() > 0.01
    assert "maps" not in errors.summary()


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    network = make_network(tiny_spec(group="C2"), 16)
    symmetry_errors(network, random_images(2, 16)[:, 0], on_element=lambda *both: told.append(both))
    assert told == [(1, 2), (2, 2)]


def test_what_cannot_be_turned_is_refused() -> None:
    network = make_network(tiny_spec(), 16)
    with pytest.raises(OptionError, match=r"three axes .* got the shape \(2, 1, 16, 16\)"):
        symmetry_errors(network, random_images(2, 16))
    with pytest.raises(OptionError, match="a network alone has no preprocessing"):
        symmetry_errors(network, simulated(2, side=16))
    with pytest.raises(OptionError, match="no images"):
        symmetry_errors(network, torch.zeros(0, 16, 16))


# --- results ---------------------------------------------------------------------------------------


def test_the_table_has_a_row_an_element_and_the_summary_its_extremes() -> None:
    network = compact_network("D8")
    group = network.spec.symmetry
    elements = (*group_elements(group), *elements_outside(group), GroupElement(rotation_deg=30))
    errors = symmetry_errors(network, smooth_images(2, SIDE), elements=elements)
    frame = errors.to_frame()
    assert frame["element"].tolist() == [element.name for element in elements]
    assert frame["expected"].tolist() == [str(kind) for kind in errors.expected]
    np.testing.assert_array_equal(frame["gate2_error"], errors.map_errors[:, 1].max(axis=1))
    np.testing.assert_allclose(
        frame["back_gate3_correlation"], errors.back_map_correlations[:, 2].mean(axis=1)
    )
    assert not frame.isna().any().any()
    text = errors.summary()
    assert text.startswith("D8 on 64 x 64 pixels: 7 of its elements hold exactly")
    assert "8 hold approximately" in text
    assert "30° is not built in" in text
    rough = errors.positions(Symmetry.APPROXIMATE)
    assert f"{errors.spread_errors[rough].max():.2g} of their spread" in text
    lowest = errors.map_correlations[rough].mean(axis=2).min()
    assert f"maps correlate by {lowest:.2f} or more on average" in text
    assert f"maps by {errors.map_errors[errors.positions(Symmetry.EXACT)].max():.1g}" in text
    with pytest.raises(ValueError, match="read-only"):
        errors.map_errors[0] = 0.0


def test_the_summary_says_where_nothing_is_exact() -> None:
    network = compact_network("C1")
    elements = [IDENTITY, *elements_outside(network.spec.symmetry)]
    errors = symmetry_errors(network, smooth_images(2, SIDE), elements=elements)
    text = errors.summary()
    assert "none of its elements but the identity holds exactly" in text
    assert "45°, 90° and reflected are not built in" in text
