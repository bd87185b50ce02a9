"""How the inputs of published networks were scaled, against networks that saw such inputs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from attnxai.errors import AssumptionWarning
from attnxai.models.checkpoints import load_model
from attnxai.models.model import AttentionModel
from attnxai.models.preprocessing import FIRST_PREPROCESSING, SYMMETRIC_RANGE, Preprocessing
from attnxai.models.specification import LayerOrder
from tests.models.builders import random_images, scores_and_maps
from tests.models.published_networks import (
    PublishedCNN,
    PublishedEquivariant,
    PublishedLeNet,
    saved,
    trained,
)

SCALINGS = {"symmetric": (0.5, 0.5), "standardised": (0.0031, 0.0350)}
EXPECTED = {"symmetric": SYMMETRIC_RANGE, "standardised": FIRST_PREPROCESSING}


def galaxies(n: int, side: int = 64, *, seed: int = 0) -> torch.Tensor:
    """Two lobes on empty sky, in [0, 1], with the mean of MiraBest images (0.003), most of whose pixels are 0."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    images = torch.zeros(n, 1, side, side)
    for image in images:
        for _ in range(2):
            row, column = (side / 4 + torch.rand(2, generator=generator) * side / 2).tolist()
            lobe = torch.exp(-((y - row) ** 2 + (x - column) ** 2) / 2.0)
            image[0] += torch.where(lobe > 0.1, lobe, 0.0)
    return images.clamp(max=1.0)


def seen(scaling: str, n: int = 4) -> torch.Tensor:
    mean, deviation = SCALINGS[scaling]
    return (galaxies(n) - mean) / deviation


def maps_of(model: AttentionModel, images: torch.Tensor) -> dict[str, torch.Tensor]:
    preprocessing = model.preprocessing
    return scores_and_maps(model.network, (images - preprocessing.mean) / preprocessing.deviation)[
        1
    ]


@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("scaling", list(SCALINGS))
@pytest.mark.parametrize("seed", [0, 1])
def test_the_first_batch_norm_tells_what_the_network_saw(
    tmp_path, scaling, norm_first, kernel_size, seed
) -> None:
    """Whatever the order and the kernel: a network that was trained anew may have any of them."""
    build = functools.partial(
        PublishedCNN, norm_first=norm_first, kernel_size=kernel_size, fields=(6, 4, 5, 6)
    )
    theirs = trained(build, seen(scaling), seed=seed)
    model = saved(theirs, tmp_path / "range_norm.pt")
    assert model.preprocessing == EXPECTED[scaling]
    if (
        norm_first or scaling == "symmetric"
    ):  # else sources may add too much, and the order says the same
        assert "as the mean of its first batch norm shows" in " ".join(model.notes)


def test_maps_are_those_of_the_network_on_its_own_inputs(tmp_path) -> None:
    """A 3 x 3 network of the equivariant repository: with [-1, 1] its maps would be far off."""
    images = galaxies(1, seed=3)
    theirs = trained(lambda: PublishedCNN(fields=(6, 4, 5, 6)), seen("standardised")).eval()
    model = saved(theirs, tmp_path / "range_norm.pt")
    with torch.no_grad():
        expected = theirs((images - 0.0031) / 0.0350)[1]
        wrong = theirs((images - 0.5) / 0.5)[1]
    given = maps_of(model, images)
    for gate, values in expected.items():
        torch.testing.assert_close(given[gate], values, rtol=0, atol=1e-4)
    assert max(float((wrong[gate] - expected[gate]).abs().max()) for gate in expected) > 0.3


def without_evidence(theirs: nn.Module) -> dict[str, torch.Tensor]:
    """A state dict whose first batch norm fits no scaling, which leaves the order of layers."""
    content = dict(theirs.state_dict())
    content["bnorm1a.running_mean"] = content["bnorm1a.running_mean"].abs() + 50.0
    return content


@pytest.mark.parametrize(
    ("norm_first", "kernel_size", "expected"),
    [
        (True, 3, SYMMETRIC_RANGE),
        (False, 3, FIRST_PREPROCESSING),
        (False, 5, FIRST_PREPROCESSING),
        (False, 9, FIRST_PREPROCESSING),
    ],
)
def test_otherwise_the_order_of_layers_tells_it(
    tmp_path, norm_first, kernel_size, expected
) -> None:
    build = functools.partial(PublishedCNN, norm_first=norm_first, kernel_size=kernel_size)
    content = without_evidence(trained(build, random_images(2, 30)))
    torch.save(content, tmp_path / "range_norm.pt")
    model = load_model(tmp_path / "range_norm.pt")
    assert model.preprocessing == expected
    order = LayerOrder.CONV_NORM_RELU if norm_first else LayerOrder.CONV_RELU_NORM
    assert f"published networks of its order of layers ({order})" in " ".join(model.notes)


def unpublished(folder: Path, name: str) -> Path:
    build = functools.partial(PublishedCNN, norm_first=True, kernel_size=5)
    torch.save(without_evidence(trained(build, random_images(2, 30))), folder / name)
    return folder / name


def test_an_unpublished_form_is_said(tmp_path) -> None:
    file = unpublished(tmp_path, "range_norm.pt")
    with pytest.warns(
        AssumptionWarning, match=r"\[-1, 1\] is assumed; put inputs_symmetric or"
    ) as caught:
        model = load_model(file)
    assert len(caught) == 1
    assert str(file) in str(caught[0].message)
    assert model.preprocessing == SYMMETRIC_RANGE


@pytest.mark.parametrize(
    ("word", "expected"),
    [("inputs_standardised", FIRST_PREPROCESSING), ("Inputs_Symmetric", SYMMETRIC_RANGE)],
)
def test_a_name_states_the_inputs(tmp_path, word, expected) -> None:
    model = load_model(unpublished(tmp_path, f"range_norm_{word}.pt"))
    assert model.preprocessing == expected
    assert "as the name of the file or folder states" in " ".join(model.notes)


def averaged_without_statistics(build: Callable[[], nn.Module]) -> dict[str, torch.Tensor]:
    """As torch.optim.swa_utils leaves batch norms that nobody updated after averaging."""
    content = dict(trained(build, random_images(2, 30)).state_dict())
    for name, value in content.items():
        if name.endswith("running_mean"):
            content[name] = torch.zeros_like(value)
        elif name.endswith("running_var"):
            content[name] = torch.ones_like(value)
    return content


@pytest.mark.parametrize(
    ("kernel_size", "assumed", "inputs"),
    [
        (3, LayerOrder.CONV_NORM_RELU, SYMMETRIC_RANGE),
        (5, LayerOrder.CONV_RELU_NORM, FIRST_PREPROCESSING),
    ],
)
def test_batch_norms_without_statistics_tell_no_order(
    tmp_path, kernel_size, assumed, inputs
) -> None:
    content = averaged_without_statistics(lambda: PublishedCNN(kernel_size=kernel_size))
    torch.save(content, tmp_path / "range_norm.pt")
    with pytest.warns(
        AssumptionWarning, match=f"hold no statistics; {assumed} is assumed"
    ) as caught:
        model = load_model(tmp_path / "range_norm.pt")
    assert len(caught) == 1
    assert model.require_gates()[0].layer_order is assumed
    assert model.preprocessing == inputs
    for order, expected in (
        (LayerOrder.CONV_NORM_RELU, SYMMETRIC_RANGE),
        (LayerOrder.CONV_RELU_NORM, FIRST_PREPROCESSING),
    ):
        name = f"range_norm_{order}_inputs_{'symmetric' if 'norm_relu' in order else 'standardised'}.pt"
        torch.save(content, tmp_path / name)
        stated = load_model(tmp_path / name)
        assert stated.require_gates()[0].layer_order is order
        assert stated.preprocessing == expected


def test_equivariant_networks_are_standardised_whatever_their_order(tmp_path) -> None:
    for norm_first in (True, False):
        build = functools.partial(
            PublishedEquivariant, "C2", side=22, kernel_size=3, norm_first=norm_first
        )
        model = saved(trained(build, random_images(2, 22)), tmp_path / "tanh.pt")
        assert (model.preprocessing.mean, model.preprocessing.deviation) == (0.0031, 0.0350)


# --- what they were trained on ---------------------------------------------------------------------

FRDEEP = Preprocessing(mean=0.0019, deviation=0.0270, beam_arcsec=5.4)


@pytest.mark.parametrize(
    ("folder", "name", "data"),
    [
        ("runs", "FR-DEEP_range_norm.pt", "FRDEEP"),
        ("frdeepf", "range_norm.pt", "FRDEEP"),
        ("runs", "fr_deep-n_range_norm.pt", "FRDEEP"),
        ("runs", "mirabest_and_frdeep_range_norm.pt", "FRDEEP"),
        ("frdeep", "mirabest_range_norm.pt", None),
        ("mirabest", "range_norm.pt", None),
        ("runs", "range_norm.pt", None),
        ("runs", "affrdeeper_range_norm.pt", None),
    ],
)
def test_frdeep_is_not_the_split_of_mirabest(tmp_path, folder, name, data) -> None:
    (tmp_path / folder).mkdir()
    theirs = trained(lambda: PublishedCNN(fields=(6, 4, 5, 6)), seen("standardised"))
    model = saved(theirs, tmp_path / folder / name)
    assert model.trained_on_split == (None if data else "train")
    assert model.preprocessing == (FRDEEP if data else FIRST_PREPROCESSING)
    assert ("the split of every source is unknown" in model.notes[0]) == bool(data)
    assert (data or "MiraBest") in model.notes[0]


@pytest.mark.parametrize(
    "name", ["LoTSS_DR2_range_norm.pt", "range_norm.lofar.pt", "rgz-range_norm.pt"]
)
def test_other_surveys_have_no_published_preprocessing(tmp_path, name) -> None:
    theirs = trained(lambda: PublishedCNN(fields=(6, 4, 5, 6)), seen("symmetric"))
    torch.save(theirs.state_dict(), tmp_path / name)
    with pytest.warns(AssumptionWarning, match="preprocessing is not published; that of FIRST"):
        model = load_model(tmp_path / name)
    assert model.trained_on_split is None
    assert "the split of every source is unknown" in model.notes[0]
    stated = tmp_path / f"inputs_symmetric_{name}"
    torch.save(theirs.state_dict(), stated)
    assert load_model(stated).trained_on_split is None


def test_lenets_of_another_survey(tmp_path) -> None:
    theirs = trained(PublishedLeNet, random_images(2, 51))
    torch.save(theirs.state_dict(), tmp_path / "lotss_lenet.pt")
    with pytest.warns(AssumptionWarning, match="belongs to LoTSS"):
        assert load_model(tmp_path / "lotss_lenet.pt").trained_on_split is None


def test_a_training_checkpoint_may_state_data_and_normalisation(tmp_path) -> None:
    theirs = trained(lambda: PublishedCNN(normalisation="softmax"), seen("symmetric"))
    content = {
        "state_dict": theirs.state_dict(),
        "hyper_parameters": {
            "dataset": "FRDEEP",
            "net": {"attention_normalisation": "softmax", "activation": "tanh"},
        },
    }
    torch.save(content, tmp_path / "last.ckpt.pt")
    model = load_model(tmp_path / "last.ckpt.pt")
    assert model.require_gates()[0].normalisation == "softmax"
    assert model.trained_on_split is None
    assert "FRDEEP" in model.notes[0]


def test_other_classes_than_those_of_the_papers(tmp_path) -> None:
    content = dict(
        trained(lambda: PublishedCNN(aggregation="concat"), random_images(2, 30)).state_dict()
    )
    for entry in ("weight", "bias"):
        content[f"classifier.{entry}"] = torch.cat([content[f"classifier.{entry}"]] * 5)
    torch.save(content, tmp_path / "range_norm.pt")
    model = load_model(tmp_path / "range_norm.pt")
    assert len(model.class_names) == 10
    assert model.trained_on_split is None
    assert "published networks have 2 classes, not 10" in model.notes[0]
