"""What a file that holds no model is said to be."""

from __future__ import annotations

import collections
import gzip
import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from attnxai.errors import CheckpointError
from attnxai.models.checkpoints import load_model, save_model
from attnxai.models.file_kinds import foreign_file
from tests.models.builders import make_model, random_images, sentence
from tests.models.published_networks import (
    PublishedCNN,
    PublishedLeNet,
    PublishedSteerableLeNet,
    trained,
)

# --- files of other programs -----------------------------------------------------------------------


def made(write: Callable[[Any], object]) -> bytes:
    """What a function writes into a file."""
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def zipped(**members: bytes) -> bytes:
    """An archive with these members, in whose names ``__`` stands for a slash and ``_`` for a dot."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return buffer.getvalue()


def safetensors(header: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + bytes(8)


def tar(buffer: Any) -> None:
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))


HEADER = b'{"weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
LIKE_A_PICKLE = safetensors(b'{"__metadata__":{}}'.ljust(0x0280))
assert LIKE_A_PICKLE.startswith(b"\x80\x02")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (gzip.compress(b"\x80\x02" + bytes(100), mtime=0), "is compressed by gzip"),
        (made(tar), "is a tar archive"),
        (safetensors(HEADER), "is a safetensors file"),
        (LIKE_A_PICKLE, "is a safetensors file"),
        # ir_version 8, producer_name "pytorch", producer_version "2.0"
        (b"\x08\x08\x12\x07pytorch\x1a\x032.0" + bytes(40), "is an ONNX model"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "is an HDF5 file, as Keras writes them"),
        (zipped(config_json=b"{}", model_weights_h5=b"\x89HDF\r\n\x1a\n"), "is a Keras model"),
        # as torch.jit.save lays it out
        (
            zipped(model__data_pkl=b"3", model__code__x_py=b"3", model__constants_pkl=b"3"),
            "is a TorchScript archive",
        ),
        (made(lambda file: np.savez(file, a=np.ones(3))), "is an archive of NumPy arrays (NPZ)"),
        (made(lambda file: np.save(file, np.ones(3))), "is a NumPy array (NPY)"),
        (pickle.dumps({"weights": [1.0, 2.0]}), "is a plain Python pickle"),
        (pickle.dumps(collections.OrderedDict(a=1), protocol=2), "is a plain Python pickle"),
    ],
)
def test_files_of_other_programs(tmp_path, content, text) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes(content)
    said = sentence(file)
    assert text in said
    assert "not a PyTorch checkpoint" in said
    assert "torch.save(network.state_dict(), file)" in said


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2\nsize 1101688\n",
            "is a Git LFS pointer without its content (run git lfs pull)",
        ),
        (
            b"<!DOCTYPE html>\n<html><head>",
            "is a web page (HTML), perhaps the message of a failed download",
        ),
        (b"\xef\xbb\xbf\n  <html lang='en'>", "is a web page (HTML)"),
    ],
)
def test_what_was_downloaded_in_place_of_a_model(tmp_path, content, text) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes(content)
    assert text in sentence(file)


def test_a_real_torchscript_archive(tmp_path) -> None:
    class Twice(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * x

    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(Twice()), tmp_path / "twice.pt")
    assert "is a TorchScript archive" in sentence(tmp_path / "twice.pt")


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_saves_is_not_taken_for_another(tmp_path, zipped, protocol) -> None:
    file = tmp_path / "model.pt"
    torch.save(
        {"a": torch.ones(2)}, file, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol
    )
    assert foreign_file(file) is None


@pytest.mark.parametrize(
    "data",
    [
        *(b"\x08", b"\x80", b"\x93", bytes(64), b"\x08\x08"),
        *(bytes(range(256)) * 20, zipped(readme_txt=b"nothing")),
    ],
)
def test_other_files_are_taken_for_nothing_in_particular(tmp_path, data) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes(data)
    assert foreign_file(file) is None
    said = sentence(file)
    assert "is not a PyTorch checkpoint, or is damaged" in said
    assert "run code" not in said


# --- content of other networks ---------------------------------------------------------------------


def state(names: str) -> dict[str, torch.Tensor]:
    return {name: torch.ones(1) for name in names.split()}


FAMILIES = [
    (
        "a ResNet",
        "conv1.weight bn1.weight bn1.running_mean layer1.0.conv1.weight fc.weight fc.bias",
    ),
    ("a VGG network", "features.0.weight features.0.bias classifier.0.weight classifier.6.weight"),
    (
        "a DenseNet",
        "features.conv0.weight features.denseblock1.denselayer1.conv1.weight classifier.weight",
    ),
    (
        "an EfficientNet",
        "features.0.0.weight features.0.1.weight features.1.0.block.0.0.weight classifier.1.weight",
    ),
    ("an EfficientNet", "conv_stem.weight blocks.0.0.conv_dw.weight conv_head.weight"),
    (
        "a vision transformer (ViT)",
        "class_token conv_proj.weight encoder.pos_embedding heads.head.weight",
    ),
    ("a vision transformer (ViT)", "cls_token pos_embed patch_embed.proj.weight head.weight"),
    ("steerable in its first layer alone", "conv1.weights conv2.weight fc1.weight fc3.weight"),
    ("a network of arXiv 1903.11921", "conv1.weight conv5.weight bnorm5.weight fc3.weight"),
]


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict"])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize(("family", "names"), FAMILIES)
def test_families_of_networks(tmp_path, family, names, prefix, wrapper) -> None:
    content: dict[str, Any] = {prefix + name: value for name, value in state(names).items()}
    if wrapper is not None:
        content = {"epoch": 3, wrapper: content}
    torch.save(content, tmp_path / "net.pt")
    said = sentence(tmp_path / "net.pt")
    assert family in said
    assert "wrap the network with attnxai.wrap" in said
    if wrapper is not None:
        assert f"is a training checkpoint whose {wrapper!r} holds the weights of" in said


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            {"format": "attnxai-training", "version": 1},
            "is the record of a training run: the model is the file",
        ),
        ({"state": {}, "param_groups": []}, "is the state of an optimiser"),
        ({"state_dict": {}}, "training checkpoint whose 'state_dict' is empty"),
        (
            {"state_dict": {"a": torch.ones(1)}, "epoch": 1},
            "it holds 1 entries, 1 of them tensors (a",
        ),
        ({"model": {"a": 1}}, "training checkpoint whose 'model' is neither"),
        ({"epoch": 1, "loss": 0.1}, "it holds 2 entries, 0 of them tensors (epoch, loss, ...)"),
        ({1: torch.ones(1)}, "neither a model of attnxai nor"),
        ({"format": "other", 3: 4}, "neither a model of attnxai nor"),
        (torch.nn.Linear(3, 2).state_dict(), "2 entries, 2 of them tensors (weight, bias, ...)"),
        ([1, 2], "holds a list, not a model"),
        (torch.ones(3), "holds a Tensor, not a model"),
        ("d8", "holds a str, not a model"),
        (None, "holds a NoneType, not a model"),
        ({}, "is empty"),
    ],
)
def test_other_content(tmp_path, content, text) -> None:
    torch.save(content, tmp_path / "net.pt")
    assert text in sentence(tmp_path / "net.pt")


def test_a_real_optimiser(tmp_path) -> None:
    optimiser = torch.optim.AdamW(torch.nn.Linear(2, 2).parameters())
    torch.save(optimiser.state_dict(), tmp_path / "adam.pt")
    assert "is the state of an optimiser, not a model" in sentence(tmp_path / "adam.pt")


def test_weights_of_ours_without_their_specification(tmp_path) -> None:
    torch.save(make_model().network.state_dict(), tmp_path / "net.pt")
    assert "attnxai.save_model" in sentence(tmp_path / "net.pt")


# --- a model within a checkpoint of a training -----------------------------------------------------

BUILDERS: dict[str, Callable[[], torch.nn.Module]] = {
    "range_norm_cnn": PublishedCNN,
    "lenet": PublishedLeNet,
    "steerable_lenet": lambda: PublishedSteerableLeNet("C4"),
}


@pytest.mark.parametrize("name", list(BUILDERS))
@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: {"state_dict": weights, "epoch": 3},
        lambda weights: {"model_state_dict": weights, "optimizer_state_dict": {}, "loss": 0.1},
        lambda weights: {f"module.{key}": value for key, value in weights.items()},
        lambda weights: {
            "state_dict": {f"model.module.{key}": value for key, value in weights.items()},
            "hyper_parameters": {"lr": 0.1},
        },
    ],
    ids=["state_dict", "model_state_dict", "DataParallel", "Lightning"],
)
def test_what_training_wrapped_is_unwrapped(tmp_path, name, wrap) -> None:
    side, seen = (30, 30) if "cnn" in name else (50, 51)
    weights = trained(BUILDERS[name], random_images(2, seen)).state_dict()
    torch.save(weights, tmp_path / f"{name}.pt")
    folder = tmp_path / "wrapped"
    folder.mkdir()
    torch.save(wrap(weights), folder / f"{name}.pt")
    plain, unwrapped = (load_model(place / f"{name}.pt") for place in (tmp_path, folder))
    assert plain.spec == unwrapped.spec
    with torch.no_grad():
        images = random_images(1, side)
        assert torch.equal(plain.network(images), unwrapped.network(images))


def test_a_model_of_ours_within_a_checkpoint(tmp_path) -> None:
    model = make_model()
    save_model(model, tmp_path / "model.pt")
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    torch.save({"model": content, "epoch": 3}, tmp_path / "wrapped.pt")
    assert load_model(tmp_path / "wrapped.pt").spec == model.spec


def test_a_fault_within_is_said_of_the_file(tmp_path) -> None:
    weights = trained(PublishedCNN, random_images(2, 30)).state_dict()
    del weights["conv2b.weight"]
    torch.save({"state_dict": weights}, tmp_path / "tanh.pt")
    assert "lacks conv2b.weight" in sentence(tmp_path / "tanh.pt")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "model.pt is empty; attnxai reads its own files"),
        (b"\x89PNG\r\n\x1a\n", "model.pt is a PNG image, not a PyTorch checkpoint; attnxai reads"),
        (b"{", "model.pt is a JSON text, not a PyTorch checkpoint; attnxai reads"),
        (b"epoch,loss\n1,2\n", "model.pt is a text, not a PyTorch checkpoint; attnxai reads"),
        (
            b"\x01\xff" * 40,
            "checkpoint, or is damaged: its first bytes are not those of a PyTorch file",
        ),
    ],
)
def test_files_of_other_kinds_are_named_for_what_they_are(tmp_path, content, words):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=words):
        load_model(path)
