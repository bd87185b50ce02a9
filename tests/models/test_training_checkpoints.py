"""Published networks as trainers save them: averaged, in half precision, with layers that nothing uses."""

from __future__ import annotations

import argparse
import collections
import pathlib
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from attnxai.errors import AssumptionWarning, CheckpointError
from attnxai.models.checkpoints import load_model, save_model
from attnxai.models.model import AttentionModel
from tests.models.builders import assert_one_sentence, make_model, random_images, scores_and_maps
from tests.models.published_networks import (
    PublishedCNN,
    PublishedEquivariant,
    PublishedLeNet,
    PublishedSteerableLeNet,
    saved,
    trained,
)


@pytest.fixture(scope="module")
def cnn() -> nn.Module:
    return trained(PublishedCNN, random_images(2, 30))


def loaded(content: Any, folder: Path, name: str = "range_norm.pt") -> AttentionModel:
    torch.save(content, folder / name)
    return load_model(folder / name)


def assert_same_network(model: AttentionModel, other: AttentionModel, *, atol: float = 0.0) -> None:
    images = random_images(2, 30, seed=5)
    scores, maps = scores_and_maps(model.network, images)
    expected, expected_maps = scores_and_maps(other.network, images)
    torch.testing.assert_close(scores, expected, rtol=0, atol=atol)
    for gate, values in expected_maps.items():
        torch.testing.assert_close(maps[gate], values, rtol=0, atol=atol)


def refusal(content: Any, folder: Path) -> str:
    torch.save(content, folder / "range_norm.pt")
    with pytest.raises(CheckpointError) as caught:
        load_model(folder / "range_norm.pt")
    assert_one_sentence(caught.value, names=folder / "range_norm.pt")
    return str(caught.value)


# --- what trainers wrap a network in ---------------------------------------------------------------


def test_an_averaged_model(tmp_path, cnn) -> None:
    averaged = torch.optim.swa_utils.AveragedModel(cnn)
    averaged.update_parameters(cnn)
    averaged.update_parameters(cnn)
    assert "n_averaged" in averaged.state_dict()
    model = loaded(averaged.state_dict(), tmp_path)
    assert_same_network(model, saved(cnn, tmp_path / "plain_range_norm.pt"), atol=1e-5)
    assert "The weights are the average of 2 states of a training." in model.notes


def test_an_averaged_model_of_a_parallel_one_within_a_checkpoint(tmp_path, cnn) -> None:
    averaged = torch.optim.swa_utils.AveragedModel(nn.DataParallel(cnn))
    averaged.update_parameters(cnn)
    model = loaded({"model_state_dict": averaged.state_dict(), "epoch": 3}, tmp_path)
    assert_same_network(model, saved(cnn, tmp_path / "plain_range_norm.pt"))
    assert "average of 1 states" in " ".join(model.notes)


def class_of(module: str, name: str, monkeypatch: pytest.MonkeyPatch, *bases: type) -> Any:
    """A class that pickles name as one of another package."""
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        path = ".".join(parts[:end])
        monkeypatch.setitem(sys.modules, path, types.ModuleType(path))
    kind = type(name, bases, {"__module__": module})
    setattr(sys.modules[module], name, kind)
    return kind


@pytest.mark.parametrize(
    "module",
    [
        "pytorch_lightning.utilities.parsing",
        "lightning.pytorch.utilities.parsing",
        "lightning_fabric.utilities.data",
        "lightning.fabric.utilities.data",
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_a_lightning_checkpoint(tmp_path, cnn, module, zipped, monkeypatch) -> None:
    kind = class_of(module, "AttributeDict", monkeypatch, dict)
    optimiser = torch.optim.Adam(cnn.parameters())
    content = {
        "epoch": 4,
        "global_step": 100,
        "pytorch-lightning_version": "2.4.0",
        "state_dict": {
            **{f"net.{name}": value for name, value in cnn.state_dict().items()},
            "criterion.weight": torch.tensor([0.4, 0.6]),
        },
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {
            "ModelCheckpoint{'monitor': None}": {
                "best_model_score": torch.tensor(0.8),
                "dirpath": pathlib.PosixPath("/runs/1"),
                "scores": collections.defaultdict(list, a=[1]),
            }
        },
        "optimizer_states": [optimiser.state_dict()],
        "hparams_name": "options",
        "hyper_parameters": kind(lr=0.1, options=argparse.Namespace(width=3, dataset="MiraBest")),
    }
    file = tmp_path / "range_norm.ckpt"
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    model = load_model(file)
    assert_same_network(model, saved(cnn, tmp_path / "plain_range_norm.pt"))
    assert "Entries of the file beside its network: criterion.weight." in model.notes


def test_callbacks_of_early_lightning(tmp_path, cnn, monkeypatch) -> None:
    module = "pytorch_lightning.callbacks.model_checkpoint"
    kind = class_of(module, "ModelCheckpoint", monkeypatch)
    state = {f"model.{name}": value for name, value in cnn.state_dict().items()}
    model = loaded({"state_dict": state, "callbacks": {kind: {"best": 0.8}}}, tmp_path)
    assert_same_network(model, saved(cnn, tmp_path / "plain_range_norm.pt"))


def test_two_networks_in_a_file(tmp_path, cnn) -> None:
    state = {
        f"{which}.{name}": value
        for which in ("student", "teacher")
        for name, value in cnn.state_dict().items()
    }
    said = refusal({"state_dict": state}, tmp_path)
    assert "holds a published network under student. and other layers beside it (teacher." in said


def test_a_network_that_is_part_of_another_is_not_taken_for_it(tmp_path, cnn) -> None:
    state = {f"encoder.{name}": value for name, value in cnn.state_dict().items()}
    said = refusal({**state, "decoder.weight": torch.ones(3, 3)}, tmp_path)
    assert (
        "other layers beside it (decoder.weight); save the state dict of the network alone" in said
    )


def test_many_words_are_looked_through_quickly(tmp_path) -> None:
    state = {f"a{i}.b{i}.c{i}.d{i}.e": torch.ones(1) for i in range(1000)}
    assert "neither a model of attnxai nor" in refusal(state, tmp_path)


class _Harmful:
    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit",)


@pytest.mark.parametrize(
    "harmful",
    [
        _Harmful(),
        collections.defaultdict(breakpoint),
        argparse.Namespace(a=_Harmful()),
        {"hparams": [nn.Linear(2, 2)]},
    ],
    ids=["call", "factory", "attribute", "module"],
)
def test_nothing_in_hyper_parameters_is_run(tmp_path, cnn, harmful) -> None:
    state = {f"model.{name}": value for name, value in cnn.state_dict().items()}
    said = refusal({"state_dict": state, "hyper_parameters": harmful}, tmp_path)
    assert "would have to run code to be loaded" in said


# --- half precision --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("counters", [True, False])
def test_other_precisions_are_said(tmp_path, cnn, dtype, counters) -> None:
    content = {
        name: value.to(dtype) if counters or value.is_floating_point() else value
        for name, value in cnn.state_dict().items()
    }
    if counters:  # as a long training leaves them in 16 bits
        content["bnorm1a.num_batches_tracked"] = torch.tensor(1e6).to(dtype)
    model = loaded(content, tmp_path)
    said = f"Weights in {str(dtype).removeprefix('torch.')} were converted to float32."
    assert said in model.notes
    assert all(parameter.dtype is torch.float32 for parameter in model.network.parameters())
    rounded = {
        name: value.float() if value.is_floating_point() else value
        for name, value in content.items()
    }
    assert_same_network(model, loaded(rounded, tmp_path, "same_range_norm.pt"))


def test_mixed_precision_of_an_equivariant_network(tmp_path) -> None:
    theirs = trained(lambda: PublishedEquivariant("D4", side=30), random_images(2, 30))
    content = {
        name: value.half()
        if value.is_floating_point() and name.startswith(("conv", "mask"))
        else value
        for name, value in theirs.state_dict().items()
    }
    model = loaded(content, tmp_path)
    assert "Weights in float16 were converted to float32." in model.notes


def test_full_precision_is_no_note(tmp_path, cnn) -> None:
    assert "float" not in " ".join(loaded(cnn.state_dict(), tmp_path).notes)


def test_the_models_own_files_in_half_precision_say_so_once(tmp_path) -> None:
    save_model(make_model(), tmp_path / "model.pt")
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    content["weights"] = {
        name: value.half() if value.is_floating_point() else value
        for name, value in content["weights"].items()
    }
    torch.save(content, tmp_path / "half.pt")
    model = load_model(tmp_path / "half.pt")
    save_model(model, tmp_path / "again.pt")
    notes = load_model(tmp_path / "again.pt").notes
    assert notes.count("Weights in float16 were converted to float32.") == 1


# --- layers that nothing uses ----------------------------------------------------------------------


def test_what_no_published_forward_pass_uses_is_named(tmp_path, cnn) -> None:
    assert (
        "Layers of the file that the network does not use: fc1, fc2, fc3."
        in loaded(cnn.state_dict(), tmp_path).notes
    )


def test_the_disc_of_a_steerable_lenet_is_named(tmp_path) -> None:
    theirs = trained(lambda: PublishedSteerableLeNet("C4"), random_images(2, 51))
    for network in (theirs, theirs.eval()):
        notes = saved(network, tmp_path / "lenet.pt").notes
        assert "Layers of the file that the network does not use: mask." in notes


def test_files_in_which_everything_is_used(tmp_path) -> None:
    notes = saved(trained(PublishedLeNet, random_images(2, 51)), tmp_path / "lenet.pt").notes
    assert not any("does not use" in note for note in notes)


@pytest.mark.parametrize("aggregation", ["ft", "concat", "mean", "deep_sup"])
@pytest.mark.parametrize("n_gates", [1, 2])
def test_gates_that_no_head_takes(tmp_path, aggregation, n_gates) -> None:
    """A constructor that always makes three gates, of which the network has fewer."""
    options = {"aggregation": aggregation, "n_gates": n_gates}
    theirs = trained(lambda: PublishedCNN(**options), random_images(2, 30))
    spare = PublishedCNN().state_dict()
    content = dict(theirs.state_dict())
    unused = [f"attention{number}" for number in range(n_gates + 1, 4)]
    content |= {name: spare[name] for name in spare if name.startswith(tuple(unused))}
    with pytest.warns(AssumptionWarning, match="attention3") as caught:
        model = loaded(content, tmp_path)
    assert len(caught) == 1
    assert set(model.notes[-1].removesuffix(".").split(": ")[1].split(", ")) == {
        *("fc1", "fc2", "fc3"),
        *unused,
    }
    assert_same_network(model, saved(theirs, tmp_path / "plain_range_norm.pt"))


@pytest.mark.parametrize("name", ["conv4c.weight", "conv5a.weight", "se.0.weight", "\x1b[31m.x"])
def test_layers_of_another_network_are_said(tmp_path, cnn, name) -> None:
    content = {**cnn.state_dict(), name: torch.ones(2, 2)}
    torch.save(content, tmp_path / "range_norm.pt")
    with pytest.warns(AssumptionWarning, match="does not use .* they are left out") as caught:
        model = load_model(tmp_path / "range_norm.pt")
    assert name.partition(".")[0].replace("\x1b", "\\x1b") in str(caught[0].message)
    assert "\x1b" not in " ".join(model.notes)


@pytest.mark.parametrize(
    "name",
    ["attention1.theta.bias", "attention2.W.0.weight", "conv1b.weight_g", "classifiers.1.extra"],
)
def test_a_part_of_a_layer_that_the_published_one_does_not_have(tmp_path, cnn, name) -> None:
    said = refusal({**cnn.state_dict(), name: torch.ones(2)}, tmp_path)
    assert f"holds {name}, which the published network does not have" in said


def test_a_bias_of_some_layers_alone(tmp_path, cnn) -> None:
    content = {name: value for name, value in cnn.state_dict().items() if name != "conv1a.bias"}
    assert "holds conv1b.bias, which" in refusal(content, tmp_path)


def test_many_unused_layers_are_counted(tmp_path, cnn) -> None:
    content = {**cnn.state_dict(), **{f"extra{i}.weight": torch.ones(1) for i in range(20)}}
    with pytest.warns(AssumptionWarning, match="and 15 more"):
        loaded(content, tmp_path)
