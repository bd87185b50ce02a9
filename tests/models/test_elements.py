"""Elements of groups: which there are, and what they do to images, against e2cnn, numpy and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from attnxai.errors import OptionError
from attnxai.models.elements import (
    IDENTITY,
    GroupElement,
    Interpolation,
    Outside,
    clipped_again,
    elements_outside,
    group_elements,
    middle_of,
    rotate_images,
    transform_images,
)
from attnxai.models.specification import SymmetryGroup
from tests.models.builders import GROUPS, TRANSPOSITION, group_space, smooth_images

ON_GRID = [
    GroupElement(rotation_deg=angle, reflected=reflected)
    for reflected in (False, True)
    for angle in (0, 90, 180, 270)
]
ANGLES = [22.5, 45.0, 100.0, 337.5]


def by_numpy(image: np.ndarray, element: GroupElement) -> np.ndarray:
    """The same with numpy's own functions."""
    flipped = np.fliplr(image) if element.reflected else image
    return np.rot90(flipped, int(element.rotation_deg // 90))


# --- groups ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_has_all_its_elements_once(name) -> None:
    group = SymmetryGroup.from_name(name)
    found = group_elements(group)
    assert found[0] == IDENTITY
    assert len(set(found)) == len(found) == group.size
    assert all(element.belongs_to(group) for element in found)
    assert {element.inverse for element in found} == set(found)
    quarter_turns = 4 if group.order % 4 == 0 else 2 if group.order % 2 == 0 else 1
    assert sum(g.on_grid for g in found) == quarter_turns * (2 if group.reflections else 1)
    strangers = elements_outside(group)
    assert not any(element.belongs_to(group) for element in strangers)
    assert (GroupElement(rotation_deg=45) in strangers) == (group.order % 8 != 0)


def test_elements_have_an_order_and_names() -> None:
    names = [element.name for element in group_elements(SymmetryGroup.from_name("D2"))]
    assert names == ["0°", "180°", "reflected", "reflected, 180°"]
    names = [element.name for element in elements_outside(SymmetryGroup.from_name("C4"))]
    assert names == ["45°", "reflected"]


@pytest.mark.parametrize("name", GROUPS)
def test_elements_act_on_images_as_those_of_e2cnn_do(name) -> None:
    """In direction, axis and order, so that what is measured here is what the filters were made for."""
    space = group_space(name)
    group = SymmetryGroup.from_name(name)
    images = smooth_images(1, 65, seed=2).double()
    for element in group_elements(group):
        k = round(element.rotation_deg * group.order / 360)
        theirs = {True: (int(element.reflected), k), False: k}[group.reflections]
        if group.size == 2 and group.reflections:
            theirs = int(element.reflected)
        assert space.fibergroup.is_element(theirs)
        expected = space.featurefield_action(images[:, None].numpy(), space.trivial_repr, theirs)
        ours = transform_images(images, element).numpy()
        if element.on_grid:
            np.testing.assert_array_equal(ours, expected[:, 0])
        else:
            # they interpolate by splines of order two, we by cubic convolution
            assert np.abs(ours - expected[:, 0]).max() < 0.02 * images.max()


def test_angles_are_kept_within_one_turn() -> None:
    assert GroupElement(rotation_deg=-90) == GroupElement(rotation_deg=270)
    assert GroupElement(rotation_deg=360.0 - 1e-20) == IDENTITY
    assert GroupElement(rotation_deg=-1e-20) == IDENTITY
    assert GroupElement(rotation_deg=45).inverse.rotation_deg == 315
    with pytest.raises(OptionError, match="finite, got nan"):
        GroupElement(rotation_deg=math.nan)


@pytest.mark.parametrize(
    ("element", "square", "oblong", "off_centre", "on_diagonal", "middle_row"),
    [
        (IDENTITY, True, True, True, True, True),
        (GroupElement(rotation_deg=90), True, False, False, False, False),
        (GroupElement(rotation_deg=180), True, True, False, False, False),
        (GroupElement(rotation_deg=270), True, False, False, False, False),
        (GroupElement(rotation_deg=0, reflected=True), True, True, False, False, False),
        (TRANSPOSITION, True, False, False, True, False),
        (GroupElement(rotation_deg=180, reflected=True), True, True, False, False, True),
        (GroupElement(rotation_deg=270, reflected=True), True, False, False, False, False),
        (GroupElement(rotation_deg=45), False, False, False, False, False),
        (GroupElement(rotation_deg=45, reflected=True), False, False, False, False, False),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_which_grids_an_element_fits(
    element, square, oblong, off_centre, on_diagonal, middle_row
) -> None:
    assert element.fits((6, 6)) is square
    assert element.fits((6, 6), (2.5, 2.5)) is square
    assert element.fits((6, 8)) is oblong
    assert element.fits((6, 6), (2.0, 1.5)) is off_centre
    assert element.fits((6, 6), (2.0, 2.0)) is on_diagonal
    assert element.fits((6, 6), (2.5, 2.0)) is middle_row


@pytest.mark.parametrize("element", ON_GRID, ids=lambda g: g.name)
def test_which_axes_are_reversed(element) -> None:
    """From how the numbers of rows and columns come to run."""
    down, right = np.mgrid[:4, :4]
    rows, columns = by_numpy(down, element), by_numpy(right, element)
    along = (rows[:, 0], columns[0]) if rows[0, 0] == rows[0, 1] else (rows[0], columns[:, 0])
    assert element.reverses == tuple(bool(values[0] > values[1]) for values in along)


# --- images ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("element", ON_GRID, ids=lambda g: g.name)
def test_grid_elements_permute_pixels(element) -> None:
    image = np.arange(25.0).reshape(5, 5)
    images = torch.from_numpy(image).expand(2, 3, 5, 5)
    turned = transform_images(images, element)
    assert turned.shape == images.shape
    np.testing.assert_array_equal(turned[1, 2].numpy(), by_numpy(image, element))
    turned[...] = -1.0
    assert (images >= 0).all(), "the image that was given has changed"


def test_a_bright_pixel_goes_where_it_should() -> None:
    """By hand: a quarter turn counter-clockwise moves the right of the first row to its left."""
    image = torch.zeros(4, 4)
    image[0, 3] = 1.0
    places = {
        GroupElement(rotation_deg=90): (0, 0),
        GroupElement(rotation_deg=180): (3, 0),
        GroupElement(rotation_deg=270): (3, 3),
        GroupElement(rotation_deg=0, reflected=True): (0, 0),
        GroupElement(rotation_deg=90, reflected=True): (3, 0),
    }
    for element, place in places.items():
        assert transform_images(image, element).nonzero().tolist() == [list(place)]


@pytest.mark.parametrize("interpolation", list(Interpolation))
@pytest.mark.parametrize("reflected", [False, True])
@pytest.mark.parametrize("angle", ANGLES)
def test_a_bright_pixel_is_centred_where_it_should_be(angle, reflected, interpolation) -> None:
    """Its light is spread over pixels, but on average over positions its centre is right."""
    side, element = 41, GroupElement(rotation_deg=angle, reflected=reflected)
    offsets = []
    for row, column in [(10, 20), (13, 27), (25, 12), (18, 22), (30, 25)]:
        image = torch.zeros(side, side, dtype=torch.float64)
        image[row, column] = 1.0
        light = transform_images(image, element, interpolation=interpolation).numpy()
        found = np.array(ndimage.center_of_mass(light)) - 20
        right, up = (20 - column if reflected else column - 20), 20 - row
        turn = math.radians(angle)
        to_right = right * math.cos(turn) - up * math.sin(turn)
        to_top = right * math.sin(turn) + up * math.cos(turn)
        offsets.append(found - (-to_top, to_right))
    assert np.abs(offsets).max() < 0.5
    assert np.abs(np.mean(offsets, axis=0)).max() < 0.15


@pytest.mark.parametrize("shape", [(8, 8), (9, 9), (8, 11)])
@pytest.mark.parametrize("interpolation", list(Interpolation))
def test_grid_elements_agree_with_interpolation(interpolation, shape) -> None:
    generator = torch.Generator().manual_seed(4)
    images = torch.rand(2, *shape, generator=generator, dtype=torch.float64)
    for element in ON_GRID:
        if not element.fits(shape):
            continue
        sampled = rotate_images(
            images[None],
            [element.rotation_deg],
            reflected=element.reflected,
            interpolation=interpolation,
        )[0]
        torch.testing.assert_close(sampled, transform_images(images, element), rtol=0, atol=1e-12)


@pytest.mark.parametrize("centre", [None, (3.25, 7.5)])
@pytest.mark.parametrize("outside", list(Outside))
@pytest.mark.parametrize("reflected", [False, True])
def test_bilinear_interpolation_is_that_of_scipy(reflected, outside, centre) -> None:
    rng = np.random.default_rng(3)
    image = rng.random((11, 14))
    angle = math.radians(37.0)
    element = GroupElement(rotation_deg=37.0, reflected=reflected)
    row, column = middle_of(image.shape) if centre is None else centre
    down, right = np.mgrid[:11, :14]
    right, up = right - column, row - down
    from_right = right * math.cos(angle) + up * math.sin(angle)
    from_up = -right * math.sin(angle) + up * math.cos(angle)
    if reflected:
        from_right = -from_right
    mode = {Outside.ZERO: "grid-constant", Outside.NEAREST: "nearest"}[outside]
    expected = ndimage.map_coordinates(
        image, [row - from_up, column + from_right], order=1, mode=mode
    )
    found = transform_images(
        torch.from_numpy(image),
        element,
        centre=centre,
        interpolation=Interpolation.BILINEAR,
        outside=outside,
    )
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-12)


def test_an_oblong_image_keeps_its_frame_and_loses_what_leaves_it() -> None:
    image = torch.zeros(6, 10)
    image[2, 8] = 1.0  # beyond the shorter side
    image[1, 4] = 2.0
    turned = transform_images(image, GroupElement(rotation_deg=90))
    assert turned.shape == image.shape
    torch.testing.assert_close(turned.sum(), torch.tensor(2.0))
    assert turned.argmax() == 3 * 10 + 3


@pytest.mark.parametrize("element", [GroupElement(rotation_deg=30), TRANSPOSITION])
def test_the_inverse_brings_a_smooth_image_back(element) -> None:
    images = smooth_images(2, 61).double()
    back = transform_images(transform_images(images, element), element.inverse)
    assert (back - images).abs().max() < 0.03 * images.max()


def test_every_image_can_have_an_angle_of_its_own() -> None:
    images = smooth_images(3, 33, seed=1)
    turned = rotate_images(images, [20.0, 145.0, 300.0])
    assert turned.dtype == images.dtype
    for image, angle, expected in zip(images, (20.0, 145.0, 300.0), turned, strict=True):
        found = transform_images(image, GroupElement(rotation_deg=angle))
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_whole_numbers_are_not_interpolated() -> None:
    image = torch.arange(9).reshape(3, 3)
    assert transform_images(image, TRANSPOSITION).tolist() == image.T.tolist()
    with pytest.raises(OptionError, match=r"torch\.int64 pixels"):
        transform_images(image, GroupElement(rotation_deg=45))


def test_single_pixels_do_not_become_islands():
    """And the rim of emission keeps its place, where images were clipped."""
    images = torch.zeros(2, 40, 40)
    images[:, 12:28, 12:28] = 0.2
    images[0, 6, 20] = 0.2
    turned = rotate_images(images, [45.0, 45.0])
    clipped = clipped_again(turned, images)
    assert (turned > 0.001).sum() > 1.15 * (clipped > 0).sum()
    assert (clipped[1] > 0).sum() == pytest.approx(16 * 16, rel=0.05)
    assert (clipped[0] > 0).sum() - (clipped[1] > 0).sum() <= 2
    kept = clipped > 0
    torch.testing.assert_close(clipped[kept], turned[kept], rtol=0, atol=0)
    observed = images + 0.01
    torch.testing.assert_close(clipped_again(turned, observed), turned, rtol=0, atol=0)
