"""Published checkpoints: the real ones, and state dicts made to look like them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from attnxai.errors import AssumptionWarning, CheckpointError
from attnxai.explanations.gates import attention_maps
from attnxai.models.checkpoints import load_model
from attnxai.models.network import AttentionNetwork
from attnxai.models.preprocessing import FIRST_PREPROCESSING, SYMMETRIC_RANGE
from attnxai.models.published import load_published, looks_published
from attnxai.models.specification import (
    Aggregation,
    Architecture,
    LayerOrder,
    ModelSpec,
    Normalisation,
    Padding,
)
from tests.models.builders import (
    assert_one_sentence,
    make_network,
    random_images,
    scores_and_maps,
)

NAMES = ("1a", "1b", "1c", "2a", "2b", "2c", "3a", "3b", "3c", "4a", "4b")


def published_spec(**changes: Any) -> ModelSpec:
    settings: dict[str, Any] = {
        "architecture": Architecture.ATTENTION_GATE_CNN,
        "fields": (3, 4, 5, 6),
        "kernel_size": 3,
        "gate_channels": 7,
        "padding": Padding.NONE,
        "convolution_bias": True,
        "disc": False,
        "layer_order": LayerOrder.CONV_NORM_RELU,
    }
    settings |= changes
    # the CNN drops features only where it has all its gates
    settings.setdefault("dropout", 0.5 if settings.get("n_gates", 3) == 3 else 0.0)
    return ModelSpec(**settings)


def equivariant_spec(**changes: Any) -> ModelSpec:
    settings: dict[str, Any] = {
        "architecture": Architecture.EQUIVARIANT_ATTENTION,
        "group": "D4",
        "convolution_bias": False,
        "disc": True,
        "layer_order": LayerOrder.CONV_RELU_NORM,
        "dropout": 0.5,
    }
    return published_spec(**(settings | changes))


def as_published(network: AttentionNetwork) -> dict[str, torch.Tensor]:
    """The state dict that the published code would have saved for these weights."""
    ours, spec = network.state_dict(), network.spec
    equivariant = spec.architecture is Architecture.EQUIVARIANT_ATTENTION
    trivial = "irrep_0,0" if spec.symmetry.reflections else "irrep_0"
    content: dict[str, torch.Tensor] = {}
    for name in NAMES:
        layer = f"blocks.{int(name[0]) - 1}.{'abc'.index(name[1])}"
        norm = f"bnorm{name}."
        if equivariant:
            content[f"conv{name}.weights"] = ours[f"{layer}.convolution.weights"].flatten()
            block = trivial if name == "1a" else "regular"
            basis = network.get_submodule(f"{layer}.convolution").basis
            key = f"_basisexpansion.block_expansion_('{block}', 'regular').sampled_basis"
            content[f"conv{name}.{key}"] = basis.flatten(3)  # type: ignore[operator]
            norm += f"batch_norm_[{spec.symmetry.size}]."
        else:
            content[f"conv{name}.weight"] = ours[f"{layer}.convolution.weight"]
            content[f"conv{name}.bias"] = ours[f"{layer}.convolution.bias"]
        for entry in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            content[norm + entry] = ours[f"{layer}.norm.norm.{entry}"]
    for name, tensor in ours.items():
        first, _, rest = name.partition(".")
        if first == "gates":
            number, _, entry = rest.partition(".")
            content[f"attention{int(number) + 1}.{entry}"] = tensor
        elif first == "gate_heads":
            content[f"classifiers.{rest}"] = tensor
        elif first == "head":
            content[f"classifier.{rest}"] = tensor
    for layer in ("fc1", "fc2", "fc3"):  # in the files, and never used
        content[f"{layer}.weight"] = torch.ones(2, 2)
    return content


def test_an_equivariant_network_without_gates_never_ran() -> None:
    content = {
        name: tensor
        for name, tensor in as_published(make_network(equivariant_spec(), 26)).items()
        if not name.startswith(("attention", "classifiers"))
    }
    with pytest.raises(
        CheckpointError, match="without attention gates, of which no published"
    ) as e:
        load_published(content, path="sigmoid.pt", sha256="")
    assert_one_sentence(e.value, names="sigmoid.pt")


def check_same(spec: ModelSpec, folder: Path, name: str) -> None:
    """Save as the published code does, load, and compare with the network it was made of."""
    network = make_network(spec, 26)
    file = folder / name
    torch.save(as_published(network), file)
    loaded = load_model(file)
    assert loaded.spec == spec
    images = random_images(2, 26, seed=4)
    scores, maps = scores_and_maps(network, images)
    loaded_scores, loaded_maps = scores_and_maps(loaded.network, images)
    assert torch.equal(loaded_scores, scores)
    assert list(loaded_maps) == list(maps)
    assert all(torch.equal(loaded_maps[name], maps[name]) for name in maps)


@pytest.mark.parametrize("n_gates", [1, 2, 3])
@pytest.mark.parametrize("aggregation", list(Aggregation))
def test_renamed_weights_give_the_same_outputs(tmp_path, aggregation, n_gates) -> None:
    spec = published_spec(aggregation=aggregation, n_gates=n_gates)
    check_same(spec, tmp_path, "agcnn_range_norm.pt")


@pytest.mark.parametrize("order", list(LayerOrder))
@pytest.mark.parametrize("group", ["C4", "D4"])
def test_renamed_equivariant_weights_give_the_same_outputs(tmp_path, group, order) -> None:
    spec = equivariant_spec(group=group, layer_order=order, n_gates=2, kernel_size=5)
    check_same(spec, tmp_path, "e2_range_norm.pt")


@pytest.mark.parametrize("normalisation", list(Normalisation))
def test_the_normalisation_comes_from_the_name_of_the_file(tmp_path, normalisation) -> None:
    spec = published_spec(normalisation=normalisation)
    check_same(spec, tmp_path, f"AG3_{normalisation.upper()}_ft.pt")


def test_the_name_of_the_folder_does_as_well(tmp_path) -> None:
    content = as_published(make_network(published_spec(), 26))
    for folder, name, expected in (
        ("Exp1-std_mean_norm-Adam", "16.pt", Normalisation.STD_MEAN_NORM),
        ("Exp1-std_mean_norm-Adam", "tanh.pt", Normalisation.TANH),
    ):
        file = tmp_path / folder / name
        file.parent.mkdir(exist_ok=True)
        torch.save(content, file)
        assert load_model(file).require_gates()[0].normalisation is expected


@pytest.mark.parametrize("name", ["model.pt", "sigmoid_or_tanh.pt"])
def test_a_name_without_one_normalisation_is_said(tmp_path, name) -> None:
    network = make_network(published_spec(), 26)
    torch.save(as_published(network), tmp_path / name)
    with pytest.warns(AssumptionWarning, match="range_norm is assumed"):
        model = load_model(tmp_path / name)
    assert model.require_gates()[0].normalisation is Normalisation.RANGE_NORM


def test_the_basis_of_the_file_is_used(tmp_path) -> None:
    content = as_published(make_network(equivariant_spec(), 26))
    images = random_images(1, 26)
    maps = []
    for sign in (1.0, -1.0):
        (key,) = (name for name in content if name.startswith("conv1a._basis"))
        changed = {**content, key: sign * content[key]}
        model = load_published(changed, path="range_norm", sha256="")
        maps.append(scores_and_maps(model.network, images)[1]["gate3"])
    assert (maps[0] - maps[1]).abs().max() > 0.01


def test_what_a_published_file_does_not_say() -> None:
    cnn = load_published(
        as_published(make_network(published_spec(), 26)), path="x_tanh.pt", sha256="ab"
    )
    e2 = load_published(as_published(make_network(equivariant_spec(), 26)), path="tanh", sha256="")
    assert cnn.preprocessing == SYMMETRIC_RANGE
    assert e2.preprocessing == FIRST_PREPROCESSING
    for model in (cnn, e2):
        assert model.training is None
        assert model.trained_on_split == "train"
        assert model.class_names == ("FR I", "FR II")
        assert "does not say what it was trained on" in " ".join(model.notes)
        assert not model.network.training
    assert (cnn.path, cnn.sha256) == ("x_tanh.pt", "ab")


def test_other_state_dicts_do_not_look_published() -> None:
    content: dict[str, Any] = as_published(make_network(published_spec(), 26))
    assert looks_published(content)
    assert not looks_published({**content, "epoch": 3})
    assert not looks_published({k: v for k, v in content.items() if not k.startswith("conv1a")})
    assert not looks_published(list(content))
    assert not looks_published({})


E2_BASIS = "conv1a._basisexpansion.block_expansion_('irrep_0,0', 'regular').sampled_basis"


@pytest.mark.parametrize("architecture", list(Architecture))
def test_every_missing_layer_gives_a_sentence(architecture, tmp_path) -> None:
    equivariant = architecture is Architecture.EQUIVARIANT_ATTENTION
    content = as_published(
        make_network((equivariant_spec if equivariant else published_spec)(), 26)
    )
    hints = ("conv1a.weight", "conv1a.weights")
    optional = tuple(
        name
        for name in content
        if ("_basis" in name and name != E2_BASIS) or name.endswith("num_batches_tracked")
    )
    file = str(tmp_path / "range_norm.pt")
    for name in content:
        if name in (*hints, *optional, "conv1a.bias") or name.startswith("fc"):
            continue
        rest = {key: value for key, value in content.items() if key != name}
        with pytest.raises(CheckpointError) as caught:
            load_published(rest, path=file, sha256="")
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
def test_layers_that_do_not_fit_give_a_sentence(name, change, text, tmp_path) -> None:
    content = as_published(make_network(equivariant_spec(), 26))
    content[name] = change(content.get(name))
    file = tmp_path / "range_norm.pt"
    torch.save(content, file)
    with pytest.raises(CheckpointError) as caught:
        load_model(file)
    assert_one_sentence(caught.value, names=file)
    assert text in str(caught.value)


# --- the published files themselves ----------------------------------------------------------------


@pytest.fixture(scope="module")
def shared_data() -> Path:
    folder = os.environ.get("ATTNXAI_DATA")
    if not folder or not (Path(folder) / "reference_outputs").is_dir():
        pytest.skip("ATTNXAI_DATA does not name the folder of the shared data")
    return Path(folder)


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
    assert model.spec == published_spec(
        fields=(6, 16, 32, 64), gate_channels=64, layer_order=LayerOrder.CONV_NORM_RELU
    )
    expected = _references(shared_data, name)
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
