"""Published LeNets against the same networks built without the package."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from attnxai.data.images import from_array
from attnxai.errors import CheckpointError
from attnxai.models.checkpoints import load_model
from attnxai.models.lenet import LeNetSpec
from attnxai.models.model import AttentionModel
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.published import looks_published
from attnxai.models.specification import Architecture
from tests.models.builders import assert_one_sentence, random_images
from tests.models.published_networks import (
    PublishedLeNet,
    PublishedSteerableLeNet,
    in_double,
    run,
    saved,
    trained,
)

EMPTY = -0.0031 / 0.0350


def assert_same(
    theirs: nn.Module, model: AttentionModel, images: torch.Tensor, *, trailing: int, empty: float
) -> None:
    """In 64 bits to 1e-6, in 32 bits to 1e-5 of the largest score."""
    padded = functional.pad(images, (0, trailing, 0, trailing), value=empty)
    with torch.no_grad():
        expected = run(theirs.eval(), padded)
        scores = model.network(images)
        exact = run(in_double(theirs), padded.double())
        ours = model.network.double()(images.double())
    scale = float(exact.abs().max())
    assert float(exact.std(dim=0).max()) > 1e-4 * scale, "scores that never change prove nothing"
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-5 * scale)
    torch.testing.assert_close(ours, exact, rtol=0, atol=1e-6 * scale)


def test_the_ordinary_lenet(tmp_path) -> None:
    images = random_images(3, 50, seed=1)
    theirs = trained(PublishedLeNet, random_images(2, 51))
    model = saved(theirs, tmp_path / "mirabest_lenet.pt")
    assert model.spec == LeNetSpec(
        architecture=Architecture.LENET, empty_value=EMPTY, disc=True, side=50, trailing_pixels=1
    )
    assert model.name == "published LeNet"
    assert_same(theirs, model, images, trailing=1, empty=EMPTY)


@pytest.mark.parametrize("kernel_size", [3, 5, 9])
def test_the_ordinary_lenet_of_150_pixels(tmp_path, kernel_size) -> None:
    images = random_images(2, 150, seed=2)
    theirs = trained(
        lambda: PublishedLeNet(side=150, kernel_size=kernel_size, padding=kernel_size // 2), images
    )
    model = saved(theirs, tmp_path / "lenet.pt")
    assert isinstance(model.spec, LeNetSpec)
    assert (model.spec.side, model.spec.trailing_pixels) == (150, 0)
    assert_same(theirs, model, images, trailing=0, empty=0.0)


@pytest.mark.parametrize(
    "group",
    ["C4", "C8", "D2", "D4", *(pytest.param(g, marks=pytest.mark.slow) for g in ("C16", "D16"))],
)
def test_steerable_lenets(tmp_path, group) -> None:
    images = random_images(2, 50, seed=3)
    theirs = trained(lambda: PublishedSteerableLeNet(group), random_images(2, 51))
    model = saved(theirs, tmp_path / "mirabest_dnlenet.pt")
    assert model.spec == LeNetSpec(
        architecture=Architecture.STEERABLE_LENET, group=group, empty_value=EMPTY
    )
    assert model.name == f"published {group} LeNet"
    assert_same(theirs, model, images, trailing=1, empty=EMPTY)


@pytest.mark.parametrize("kernel_size", [3, 7])
def test_steerable_lenets_of_150_pixels(tmp_path, kernel_size) -> None:
    images = random_images(1, 150, seed=4).repeat(2, 1, 1, 1)
    images[1] *= 0.5
    theirs = trained(
        lambda: PublishedSteerableLeNet(
            "C4", side=150, kernel_size=kernel_size, padding=kernel_size // 2
        ),
        images,
        steps=1,
    )
    model = saved(theirs, tmp_path / "lenet.pt")
    assert model.preprocessing.size == 150
    assert_same(theirs, model, images, trailing=0, empty=0.0)


def test_saved_in_evaluation_as_published(tmp_path) -> None:
    theirs = trained(lambda: PublishedSteerableLeNet("C4"), random_images(2, 51)).eval()
    assert "conv1.filter" in theirs.state_dict()
    model = saved(theirs, tmp_path / "lenet.pt")
    assert_same(theirs, model, random_images(2, 50, seed=5), trailing=1, empty=EMPTY)


def test_prepared_images_come_to_the_network_as_published(tmp_path) -> None:
    """Crop the middle 50 of 150 pixels, add an empty row and column, standardise."""
    theirs = trained(PublishedLeNet, random_images(2, 51)).eval()
    model = saved(theirs, tmp_path / "lenet.pt")
    pixels = np.random.default_rng(0).integers(0, 256, (150, 150)).astype(np.float32)
    image = from_array(pixels, source="a", pixel_scale_arcsec=1.8, prepared=True)
    view = model.preprocessing.view(image)
    inputs = torch.from_numpy(model.preprocessing.standardise(view.brightness))[None, None]
    by_hand = np.zeros((51, 51), np.float32)
    by_hand[:50, :50] = pixels[50:100, 50:100] / 255
    standardised = torch.from_numpy((by_hand - 0.0031) / 0.0350)[None, None]
    with torch.no_grad():
        expected = theirs(standardised)
        torch.testing.assert_close(model.network(inputs), expected, rtol=1e-5, atol=1e-4)


def test_networks_trained_on_frdeep_are_told_by_their_name(tmp_path) -> None:
    theirs = trained(PublishedLeNet, random_images(2, 51))
    model = saved(theirs, tmp_path / "frdeepf_lenet.pt")
    assert model.preprocessing == Preprocessing(
        size=50, mean=0.0019, deviation=0.0270, beam_arcsec=5.4
    )
    assert model.trained_on_split is None
    assert "FRDEEP" in " ".join(model.notes)
    assert_same(theirs, model, random_images(2, 50), trailing=1, empty=-0.0019 / 0.0270)
    other = saved(theirs, tmp_path / "mirabest_lenet.pt")
    assert other.preprocessing == Preprocessing(
        size=50, mean=0.0031, deviation=0.0350, beam_arcsec=5.4
    )
    assert other.trained_on_split == "train"


# --- faults ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def steerable() -> dict[str, torch.Tensor]:
    return trained(lambda: PublishedSteerableLeNet("D4"), random_images(2, 51)).state_dict()


@pytest.fixture(scope="module")
def ordinary() -> dict[str, torch.Tensor]:
    return trained(PublishedLeNet, random_images(2, 51)).state_dict()


LIFTING = "conv1._basisexpansion.block_expansion_('irrep_0,0', 'regular').sampled_basis"
REGULAR = "conv2._basisexpansion.block_expansion_('regular', 'regular').sampled_basis"


@pytest.mark.parametrize(
    ("name", "change", "text"),
    [
        ("fc1.weight", lambda t: t[:, :400], "takes 400 values, which neither"),
        ("fc1.bias", None, "lacks fc1.bias"),
        ("fc2.bias", lambda t: t[:3], "linears.1.bias of shape"),
        ("fc3.weight", lambda t: t * float("inf"), "not finite"),
        ("conv1.weights", lambda t: t[:-1], "do not fit together"),
        (LIFTING, None, "lacks the filter basis of conv1"),
        (REGULAR, None, "lacks the filter basis of conv2"),
        (REGULAR, lambda t: t[:, :4], "basis of convolutions.1 has shape"),
        (REGULAR, lambda t: t * float("nan"), "not finite"),
        ("mask.mask", lambda t: t * 0.5, "mask.mask"),
        ("mask.mask", lambda t: torch.ones(1, 1, 1, 1), "which neither"),
    ],
)
def test_layers_that_do_not_fit(steerable, tmp_path, name, change, text) -> None:
    content = dict(steerable)
    if change is None:
        del content[name]
    else:
        content[name] = change(content[name])
    file = tmp_path / "lenet.pt"
    torch.save(content, file)
    with pytest.raises(CheckpointError) as caught:
        load_model(file)
    assert_one_sentence(caught.value, names=file)
    assert text in str(caught.value)


def test_what_looks_like_one(ordinary, steerable) -> None:
    assert looks_published(ordinary)
    assert looks_published(steerable)
    assert not looks_published({**ordinary, "conv3.weight": torch.ones(1)})
    assert not looks_published({k: v for k, v in ordinary.items() if not k.startswith("fc2")})
    assert not looks_published({**ordinary, "epoch": 3})
