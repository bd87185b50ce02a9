"""Published checkpoints: the real ones, and state dicts made to look like them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from attnxai.errors import AssumptionWarning, CheckpointError
from attnxai.explanations.gates import attention_maps
from attnxai.models.checkpoints import load_model
from attnxai.models.preprocessing import FIRST_PREPROCESSING, SYMMETRIC_RANGE
from attnxai.models.published import PublishedFile, load_published, looks_published
from attnxai.models.specification import Architecture, LayerOrder, ModelSpec, Normalisation, Padding
from tests.models.builders import assert_one_sentence, random_images, scores_and_maps
from tests.models.published_networks import PublishedCNN, PublishedEquivariant, trained


@pytest.fixture(scope="module")
def cnn() -> dict[str, torch.Tensor]:
    return trained(PublishedCNN, random_images(2, 26)).state_dict()


@pytest.fixture(scope="module")
def equivariant() -> dict[str, torch.Tensor]:
    network = trained(lambda: PublishedEquivariant("D4", side=26), random_images(2, 26))
    return network.state_dict()


def test_an_equivariant_network_without_gates_never_ran(equivariant) -> None:
    content = {
        name: tensor
        for name, tensor in equivariant.items()
        if not name.startswith(("attention", "classifiers"))
    }
    with pytest.raises(
        CheckpointError, match="without attention gates, of which no published"
    ) as caught:
        load_published(content, PublishedFile(path="sigmoid.pt", sha256=""))
    assert_one_sentence(caught.value, names="sigmoid.pt")


@pytest.mark.parametrize(
    ("folder", "name", "expected"),
    [
        ("runs", "AG3_SOFTMAX_ft.pt", Normalisation.SOFTMAX),
        ("Exp1-std_mean_norm-Adam", "16.pt", Normalisation.STD_MEAN_NORM),
        ("Exp1-std_mean_norm-Adam", "tanh.pt", Normalisation.TANH),
    ],
)
def test_the_normalisation_comes_from_the_name_of_the_file_or_folder(
    tmp_path, cnn, folder, name, expected
) -> None:
    (tmp_path / folder).mkdir()
    torch.save(cnn, tmp_path / folder / name)
    assert load_model(tmp_path / folder / name).require_gates()[0].normalisation is expected


@pytest.mark.parametrize("name", ["model.pt", "sigmoid_or_tanh.pt"])
def test_a_name_without_one_normalisation_is_said(tmp_path, cnn, name) -> None:
    torch.save(cnn, tmp_path / name)
    with pytest.warns(AssumptionWarning, match="range_norm is assumed"):
        model = load_model(tmp_path / name)
    assert model.require_gates()[0].normalisation is Normalisation.RANGE_NORM


def test_the_basis_of_the_file_is_used(equivariant) -> None:
    images = random_images(1, 26)
    maps = []
    for sign in (1.0, -1.0):
        changed = {**equivariant, E2_BASIS: sign * equivariant[E2_BASIS]}
        model = load_published(changed, PublishedFile(path="range_norm", sha256=""))
        maps.append(scores_and_maps(model.network, images)[1]["gate3"])
    assert (maps[0] - maps[1]).abs().max() > 0.01


def test_what_a_published_file_does_not_say(cnn, equivariant) -> None:
    ordinary = load_published(cnn, PublishedFile(path="x_tanh.pt", sha256="ab"))
    e2 = load_published(equivariant, PublishedFile(path="tanh", sha256=""))
    assert ordinary.preprocessing == FIRST_PREPROCESSING
    assert e2.preprocessing == dataclasses.replace(FIRST_PREPROCESSING, size=26)
    # published equivariant networks see 150 pixels
    assert (ordinary.trained_on_split, e2.trained_on_split) == ("train", None)
    for model in (ordinary, e2):
        assert model.training is None
        assert model.class_names == ("FR I", "FR II")
        assert "does not say what it was trained on" in " ".join(model.notes)
        assert not model.network.training
    assert (ordinary.path, ordinary.sha256) == ("x_tanh.pt", "ab")


def test_other_state_dicts_do_not_look_published(cnn) -> None:
    assert looks_published(cnn)
    assert not looks_published({**cnn, "epoch": 3})
    assert not looks_published({k: v for k, v in cnn.items() if not k.startswith("conv1a")})
    assert not looks_published(list(cnn))
    assert not looks_published({})


E2_BASIS = "conv1a._basisexpansion.block_expansion_('irrep_0,0', 'regular').sampled_basis"


@pytest.mark.parametrize("network", ["cnn", "equivariant"])
def test_every_missing_layer_gives_a_sentence(network, request, tmp_path) -> None:
    content = request.getfixturevalue(network)
    hints = ("conv1a.weight", "conv1a.weights", "conv1a.bias", "dummy", "mask.mask")
    optional = tuple(
        name
        for name in content
        if ("_basis" in name and name != E2_BASIS)
        or name.endswith("num_batches_tracked")
        or "indices_" in name
    )
    file = str(tmp_path / "range_norm.pt")
    for name in content:
        if name in (*hints, *optional) or name.startswith("fc"):
            continue
        rest = {key: value for key, value in content.items() if key != name}
        with pytest.raises(CheckpointError) as caught:
            load_published(rest, PublishedFile(path=file, sha256=""))
        assert_one_sentence(caught.value, names=file)
        layer = name.split(".", maxsplit=1)[0]
        assert any(word in str(caught.value) for word in (layer, "fit", "head")), name


@pytest.mark.parametrize(
    ("name", "change", "text"),
    [
        ("conv2b.weights", lambda t: t[:-1], "do not fit together"),
        ("conv2b.weights", lambda t: t * float("nan"), "not finite"),
        ("attention2.theta.weight", lambda t: t[:, :1], "fit"),
        ("attention1.phi.weight", lambda t: t[0, 0, 0, 0], "gates.0.phi.weight of shape ()"),
        ("bnorm2a.batch_norm_[8].weight", lambda t: t[0], "do not fit together"),
        ("classifier.weight", lambda t: t[:, :1], "a classifier of 1 inputs"),
        ("bnorm3a.batch_norm_[8].running_var", lambda t: t[:1], "running_var"),
        (E2_BASIS, lambda t: t[:, :, :, :4], "kernel_size"),
        (
            E2_BASIS,
            lambda t: t * float("inf"),
            "basis of blocks.0.0.convolution has values that are not finite",
        ),
        (E2_BASIS, lambda t: t[:-1], "blocks.0.0.convolution.weights of shape"),
        (E2_BASIS, lambda t: t[:, :, :0], "basis of blocks.0.0.convolution has shape"),
        (E2_BASIS, lambda t: t[:, :, :, :8], "its basis of the layer conv1a has shape"),
        (E2_BASIS.replace("1a", "7x"), lambda t: torch.ones(1), "unknown layer conv7x"),
        ("mask.mask", lambda t: torch.ones(1, 1, 26, 26), "disc (mask.mask) is not the published"),
        ("mask.mask", lambda t: torch.ones(26, 26), "disc (mask.mask) is not the published"),
    ],
)
def test_layers_that_do_not_fit_give_a_sentence(equivariant, name, change, text, tmp_path) -> None:
    content = {**equivariant, name: change(equivariant.get(name))}
    file = tmp_path / "range_norm.pt"
    torch.save(content, file)
    with pytest.raises(CheckpointError) as caught:
        load_model(file)
    assert_one_sentence(caught.value, names=file)
    assert text in str(caught.value)


# --- the published files themselves ----------------------------------------------------------------


@pytest.fixture(scope="module")
def mirabest(shared_data):
    from attnxai.data.mirabest import read_mirabest

    return read_mirabest(shared_data)


def _references(shared_data: Path, name: str) -> dict[str, np.ndarray]:
    with np.load(shared_data / "reference_outputs" / f"{name}.npz") as archive:
        return {key: archive[key] for key in archive.files}


@pytest.mark.shared_data
def test_published_cnn_gives_the_published_outputs(shared_data, mirabest) -> None:
    name = "bowles2021_mirabest_ag3_range_norm_ft"
    model = load_model(shared_data / "published_checkpoints" / f"{name}.pt")
    assert model.spec == ModelSpec(
        architecture=Architecture.ATTENTION_GATE_CNN,
        kernel_size=3,
        padding=Padding.NONE,
        convolution_bias=True,
        disc=False,
        layer_order=LayerOrder.CONV_NORM_RELU,
    )
    expected = _references(shared_data, name)
    assert model.preprocessing == SYMMETRIC_RANGE
    assert "as the mean of its first batch norm shows" in " ".join(model.notes)
    assert "does not use: fc1, fc2, fc3." in " ".join(model.notes)
    images = mirabest.select(str(file).removesuffix(".png") for file in expected["images"])
    stack = attention_maps(model, images)
    for gate in ("gate1", "gate2", "gate3"):
        assert stack.layers[gate].shape == expected[gate].shape
        np.testing.assert_allclose(stack.layers[gate], expected[gate], rtol=0, atol=1e-4)
    assert stack.scores is not None
    probabilities = expected["logits"].astype(np.float64)
    # saturated: only the smaller of the two still tells
    smaller = probabilities.min(axis=1)
    sign = np.where(probabilities[:, 1] < probabilities[:, 0], 1.0, -1.0)
    log_ratio = sign * (np.log(smaller) - np.log1p(-smaller))
    given = stack.scores[:, 1] - stack.scores[:, 0]
    assert smaller.min() > 0
    np.testing.assert_allclose(given, log_ratio, rtol=0, atol=1e-3)


@pytest.mark.slow
@pytest.mark.shared_data
def test_published_cnn_classifies_as_published(shared_data, mirabest) -> None:
    name = "bowles2021_mirabest_ag3_range_norm_ft.pt"
    model = load_model(shared_data / "published_checkpoints" / name)
    images = [image for image in mirabest if image.split == "test"]
    assert len(images) == 153
    predicted = attention_maps(model, images).predicted_classes()
    assert predicted is not None
    right = sum(
        image.class_name == prediction for image, prediction in zip(images, predicted, strict=True)
    )
    assert right == 130


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "group", "normalisation"),
    [
        ("e2attention_C4_sigmoid_ft", "C4", Normalisation.SIGMOID),
        ("e2attention_D4_range_norm_ft", "D4", Normalisation.RANGE_NORM),
    ],
)
def test_published_equivariant_networks(shared_data, mirabest, name, group, normalisation) -> None:
    model = load_model(shared_data / "reference_outputs" / f"{name}_state_dict.pt")
    spec, _ = model.require_gates()
    assert (spec.group, spec.normalisation) == (group, normalisation)
    assert spec.layer_order is LayerOrder.CONV_RELU_NORM
    assert spec.padding is Padding.NONE
    expected = _references(shared_data, name)
    images = mirabest.select(str(file).removesuffix(".png") for file in expected["images"])
    stack = attention_maps(model, images)
    for gate in ("gate1", "gate2", "gate3"):
        np.testing.assert_allclose(stack.layers[gate], expected[gate], rtol=0, atol=1e-4)
    assert stack.scores is not None
    np.testing.assert_allclose(stack.scores, expected["logits"], rtol=1e-3)
