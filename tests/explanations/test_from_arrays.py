"""Stacks of arrays that were made elsewhere."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from astropy.stats import sigma_clipped_stats

import attnxai
from attnxai.data.grid import GridTransform
from attnxai.data.images import SourceSet, from_array
from attnxai.errors import AlignmentError, AssumptionWarning
from attnxai.explanations.from_arrays import maps_from_arrays
from attnxai.explanations.stack import Split
from attnxai.models.preprocessing import Preprocessing

N, ROWS, COLUMNS = 5, 24, 30


def noisy_images(n: int = N, shape: tuple[int, int] = (ROWS, COLUMNS)) -> SourceSet:
    """Survey images with a blob in the lower left of each, away from all symmetries."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[: shape[0], : shape[1]]
    return SourceSet(
        from_array(
            rng.normal(0.0, 0.01, shape)
            + np.exp(-((x - 6 - i) ** 2 / 18 + (y - 4 - i / 2) ** 2 / 8)),
            source=f"s{i}",
            pixel_scale_arcsec=1.5,
        )
        for i in range(n)
    )


IMAGES = noisy_images()
MAPS = np.random.default_rng(2).random((N, ROWS, COLUMNS)).astype(np.float32)


@pytest.mark.parametrize(
    "arrays",
    [
        MAPS,
        list(MAPS),
        torch.from_numpy(MAPS),
        dict(zip(IMAGES.sources[::-1], MAPS[::-1], strict=True)),
        {"map": MAPS},
        {"map": tuple(MAPS)},
        {"map": dict(zip(IMAGES.sources, MAPS, strict=True))},
    ],
    ids=["array", "list", "tensor", "by source", "by layer", "layer, list", "layer, source"],
)
def test_every_form_of_maps_makes_the_same_stack(arrays: Any) -> None:
    stack = maps_from_arrays(IMAGES, arrays)
    assert stack.sources == IMAGES.sources
    assert list(stack.layers) == ["map"]
    np.testing.assert_array_equal(stack.layers["map"], MAPS)
    assert stack.geometry["map"] == GridTransform()
    assert stack.splits == (Split.UNKNOWN,) * N
    assert stack.named_means == {}


def test_without_preprocessing_the_field_is_the_whole_image_clipped_at_its_noise() -> None:
    stack = maps_from_arrays(IMAGES, MAPS)
    assert stack.field == (GridTransform(),) * N
    assert stack.field_scale_arcsec == 1.5
    assert stack.valid.all()
    for image, seen in zip(IMAGES, stack.brightness, strict=True):
        sigma = sigma_clipped_stats(image.pixels.astype(float), sigma=3)[2]
        clipped = np.where(image.pixels < 3 * sigma, 0, image.pixels.astype(float))
        expected = np.floor(255 * clipped / clipped.max()) / 255
        np.testing.assert_array_equal(seen, expected.astype(np.float32))


def test_a_preprocessing_states_what_the_network_saw() -> None:
    rule = Preprocessing(size=12, pixel_scale_arcsec=1.5)
    stack = maps_from_arrays(IMAGES, MAPS[:, ::4, ::4][:, :, :6], preprocessing=rule)
    view = rule.view(IMAGES[2])
    assert stack.field[2] == view.transform
    np.testing.assert_array_equal(stack.brightness[2], view.brightness)
    assert stack.geometry["map"] == GridTransform(step=2.0, origin_x=0.5, origin_y=0.5)


def test_layers_of_several_resolutions_cover_the_field_or_lie_where_it_is_said() -> None:
    coarse, padded = MAPS[:, ::6, ::6], np.pad(MAPS, ((0, 0), (1, 1), (1, 1)))
    at = GridTransform(origin_x=-1.0, origin_y=-1.0)
    stack = maps_from_arrays(
        IMAGES,
        {"coarse": coarse, "padded": padded},
        geometry={"coarse": GridTransform(step=6.0, origin_x=2.5, origin_y=2.5), "padded": at},
    )
    assert stack.geometry["padded"] == at
    with pytest.warns(
        AssumptionWarning, match=r"'map' have 4 x 5 pixels and the images 24 x 30; .*--field"
    ):
        assert maps_from_arrays(IMAGES, coarse).geometry["map"].step == 6.0
    # a preprocessing states the field
    square = Preprocessing(size=24, pixel_scale_arcsec=1.5)
    assert (
        maps_from_arrays(IMAGES, MAPS[:, ::6, :24:6], preprocessing=square).geometry["map"].step
        == 6.0
    )
    with pytest.raises(AlignmentError, match="states nothing about the layer 'padded'"):
        maps_from_arrays(IMAGES, {"padded": padded}, geometry={"coarse": at})


def test_scores_names_splits_and_provenance_are_kept() -> None:
    scores = np.arange(2.0 * N).reshape(N, 2)
    stack = maps_from_arrays(
        IMAGES,
        MAPS,
        scores=scores,
        class_names=["FR I", "FR II"],
        splits={"s1": "training"},
        model_name="mine",
        provenance={"program": "mine 1.0"},
    )
    assert stack.model_name == "mine"
    assert stack.predicted_classes() == ("FR II",) * N
    assert stack.splits[:2] == (Split.UNKNOWN, Split.TRAINING)
    assert stack.provenance == {"program": "mine 1.0"}
    assert maps_from_arrays(IMAGES, MAPS, splits="held-out").splits == (Split.HELD_OUT,) * N


def with_value(value: float) -> np.ndarray:
    maps = MAPS.copy()
    maps[3, 2, :2] = value
    return maps


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (MAPS[:4], "the layer 'map' has 4 maps for 5 images; give one map for each"),
        (list(MAPS[:4]), "the layer 'map' has 4 maps for 5 images"),
        (np.moveaxis(MAPS, 0, 2), "has 24 maps for 5 images; move the last axis to the front"),
        (MAPS[:, None], r"take the axis of its only channel away, by maps\[:, 0\]"),
        (MAPS[0], "needs three axes, for sources, rows and columns"),
        (MAPS[:, :, :0], "its maps have no pixels"),
        ({"grad": with_value(np.nan)}, "map 'grad' of 's3' holds 2 values of 720 that are NaN"),
        (with_value(-np.inf), "'s3' holds 2 values of 720 that are NaN or infinite"),
        (np.full_like(MAPS, 0.25), "all 5 maps of the layer 'map' are constant, such as 0.25"),
        (MAPS.swapaxes(1, 2), "30 x 24 pixels.*field, 24 x 30; its rows and columns may be swap"),
        (MAPS[:, :20], "20 x 30 pixels, which are other proportions"),
        (MAPS + 1j, "the layer 'map' holds complex64 values; give an array of real numbers"),
        ([*MAPS[:4], np.full((3, 3), None)], "the map 'map' of 's4' holds object values"),
        ([*MAPS[:4], MAPS[4, :3]], r"of 's4' has shape \(3, 30\) and that of 's0' \(24, 30\)"),
        ([*MAPS[:4], [1.0, [2.0]]], "the map 'map' of 's4' is not an array of numbers"),
        ({"s0": MAPS[0]}, "4 of 5 sources of the layer 'map' have no map, such as 's1'"),
        ({"x": MAPS[0], "y": MAPS[1]}, "2 of 2 sources of the layer 'map' have no image, such as"),
        ({}, "the mapping is empty"),
        ({3: MAPS}, "names of layers, or ids of sources, as keys"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_layer_source_and_remedy(arrays: Any, message: str):
    with pytest.raises(AlignmentError, match=message):
        maps_from_arrays(IMAGES, arrays)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"splits": "test"}, "split 'test' is unknown; splits are training, validation, held-out"),
        ({"splits": ["training"]}, "splits has 1 entries for 5 images"),
        ({"scores": np.zeros((4, 2)), "class_names": ("a", "b")}, "scores have shape"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AlignmentError, match=message):
        maps_from_arrays(IMAGES, MAPS, **options)


def test_images_of_different_shapes_need_a_preprocessing() -> None:
    images = [IMAGES[0], noisy_images(2, (20, 20))[1]]
    with pytest.raises(AlignmentError, match="image s0 has 24 x 30 pixels and image s1 20 x 20"):
        maps_from_arrays(images, MAPS[:2])
    rule = Preprocessing(size=16, pixel_scale_arcsec=1.5)
    assert maps_from_arrays(images, MAPS[:2, :16, :16], preprocessing=rule).field_shape == (16, 16)
    with pytest.raises(AlignmentError, match="no images"):
        maps_from_arrays([], MAPS)


def test_images_without_a_scale_are_said_to_be_assumed() -> None:
    images = [from_array(image.pixels, source=image.source) for image in IMAGES]
    with pytest.warns(AssumptionWarning, match="5 of 5 images state no pixel scale"):
        assert maps_from_arrays(images, MAPS).field_scale_arcsec == 1.0


BRIGHT = np.stack([np.clip(image.pixels, 0, 1) for image in IMAGES])


@pytest.mark.parametrize(
    ("turned", "remedy"),
    [
        (BRIGHT[:, ::-1], r"after maps\[:, ::-1\]"),
        (-BRIGHT[:, ::-1, ::-1] + 7, r"after maps\[:, ::-1, ::-1\]"),
        (BRIGHT[:, ::-3, ::3], r"after maps\[:, ::-1\]"),
    ],
)
@pytest.mark.filterwarnings("ignore:the maps of the layer 'map' have 8 x 10 pixels")
def test_maps_that_seem_to_be_turned_are_warned_of(turned: np.ndarray, remedy: str) -> None:
    with pytest.warns(AssumptionWarning, match=f"'map' may be turned.*5 images is .*{remedy}"):
        stack = maps_from_arrays(IMAGES, turned)
    np.testing.assert_array_equal(stack.layers["map"], turned)  # nothing is changed


def test_the_axes_of_square_maps_may_be_swapped() -> None:
    images = noisy_images(shape=(24, 24))
    pixels = np.stack([image.pixels for image in images])
    with pytest.warns(AssumptionWarning, match=r"after maps.swapaxes\(1, 2\);"):
        maps_from_arrays(images, pixels.swapaxes(1, 2))
    # a rotation by 90 degrees is undone by its inverse
    with pytest.warns(AssumptionWarning, match=r"after maps.swapaxes\(1, 2\)\[:, ::-1\];"):
        maps_from_arrays(images, np.rot90(pixels, -1, axes=(1, 2)))


def test_maps_that_lie_right_or_show_something_else_are_not_warned_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for maps in (BRIGHT, -BRIGHT, MAPS, BRIGHT + BRIGHT[:, ::-1]):
            maps_from_arrays(IMAGES, maps)
        maps_from_arrays(IMAGES[:2], BRIGHT[:2, ::-1])  # too few to tell


def test_maps_from_arrays_are_compared_with_annotations() -> None:
    annotations = attnxai.read_annotations("expert.csv")
    files = annotations.image_files()
    images = attnxai.read_images([files[s] for s in annotations.sources[:6]])
    stack = maps_from_arrays(images, [np.sqrt(np.abs(i.pixels)) for i in images], splits="held-out")
    settings = attnxai.ComparisonSettings(metrics=("nss",), n_permutations=99, n_bootstrap=100)
    marks = annotations.select(images.sources)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", attnxai.errors.AttnxaiWarning)
        result = attnxai.compare(stack, marks, images, settings=settings)
    assert result.model_name == "maps"
    assert result.estimates[0].interval.value > 1


def test_maps_under_the_name_of_a_baseline_are_refused() -> None:
    with pytest.raises(AlignmentError, match="'brightness' of maps have the name of a baseline"):
        maps_from_arrays(IMAGES, {"brightness": MAPS})


def test_torch_is_not_needed() -> None:
    code = (
        "import sys, numpy as np, attnxai\n"
        "i = [attnxai.data.from_array(np.eye(8), source='a', pixel_scale_arcsec=1.0, prepared=True)]\n"
        "attnxai.maps_from_arrays(i, [np.eye(8)]); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"
