"""Model files: what is written can be read, and everything else gets one clear sentence."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from attnxai.errors import CheckpointError
from attnxai.models.checkpoints import load_model, save_model
from attnxai.models.model import TrainingRecord
from attnxai.models.specification import Aggregation, Architecture, LayerOrder, Normalisation
from attnxai.models.torch_files import read_checkpoint_file
from tests.models.builders import make_model, random_images, sentence


@pytest.fixture
def refused(tmp_path):
    """Writes content as a model file and gives the sentence with which it is refused."""

    def refuse(content: object) -> str:
        file = tmp_path / "bad.pt"
        torch.save(content, file)
        return sentence(file)

    return refuse


# --- round trip ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"group": "D4", "aggregation": Aggregation.DEEP_SUPERVISION, "n_gates": 2},
        {
            "group": "C1",
            "architecture": Architecture.ATTENTION_GATE_CNN,
            "convolution_bias": True,
            "layer_order": LayerOrder.CONV_NORM_RELU,
            "normalisation": Normalisation.STD_MEAN_NORM,
            "aggregation": Aggregation.MEAN,
            "n_classes": 3,
        },
    ],
)
def test_a_loaded_model_gives_identical_outputs(tmp_path, changes) -> None:
    model = make_model(**changes)
    file = tmp_path / "some" / "folder" / "model.pt"
    sha256 = save_model(model, file)
    loaded = load_model(file)
    images = random_images(2, 16)
    with torch.no_grad():
        assert torch.equal(loaded.network(images), model.network(images))
    assert not loaded.network.training
    for name in ("name", "spec", "preprocessing", "class_names", "training"):
        assert getattr(loaded, name) == getattr(model, name)
    assert loaded.path == str(file)
    assert loaded.sha256 == sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_model_without_training_record(tmp_path) -> None:
    save_model(make_model(training=False), tmp_path / "model.pt")
    assert load_model(tmp_path / "model.pt").training is None


def test_a_file_without_a_name_is_called_by_its_own(tmp_path, content) -> None:
    for name in (None, "", 3, torch.ones(2)):
        torch.save({**content, "name": name}, tmp_path / "mine.pt")
        assert load_model(tmp_path / "mine.pt").name == "mine"


def test_weights_in_half_precision_are_read(tmp_path, content) -> None:
    weights = {
        name: value.half() if value.is_floating_point() else value
        for name, value in content["weights"].items()
    }
    torch.save({**content, "weights": weights}, tmp_path / "half.pt")
    network = load_model(tmp_path / "half.pt").network
    assert all(parameter.dtype is torch.float32 for parameter in network.parameters())


def test_files_hold_no_basis(content) -> None:
    assert not any("basis" in name for name in content["weights"])


def test_loading_leaves_the_global_random_state(tmp_path) -> None:
    save_model(make_model(), tmp_path / "model.pt")
    before = torch.get_rng_state()
    load_model(tmp_path / "model.pt")
    assert torch.equal(torch.get_rng_state(), before)


# --- files that are no checkpoint ------------------------------------------------------------------


def test_a_missing_file(tmp_path) -> None:
    text = sentence(tmp_path / "none.pt")
    assert "neither a file nor one of the shipped models" in text
    (tmp_path / "models").mkdir()
    assert "models' is a folder, neither a file nor one of the shipped" in sentence(
        tmp_path / "models"
    )
    with pytest.raises(CheckpointError, match="does not exist"):
        read_checkpoint_file(tmp_path / "none.pt")


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_truncated_file(tmp_path, share) -> None:
    file = tmp_path / "cut.pt"
    save_model(make_model(), file)
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    assert "is truncated" in sentence(file)


@pytest.mark.parametrize("share", [0.1, 0.6])
def test_a_truncated_file_of_the_old_format(tmp_path, content, share) -> None:
    file = tmp_path / "old.pt"
    torch.save(content, file, _use_new_zipfile_serialization=False)
    assert load_model(file).spec.group == "C4"
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    assert "damaged" in sentence(file)


class RunsCode:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"echo ran > '{self.marker}'",)


@pytest.mark.parametrize("way", ["zip", "old", "pickle", "protocol 0", "inside"])
def test_code_in_a_file_is_not_run(tmp_path, content, way) -> None:
    marker, file = tmp_path / "marker", tmp_path / "evil.pt"
    evil = RunsCode(marker)
    pickle.loads(pickle.dumps(evil))  # noqa: S301
    assert marker.exists(), "otherwise its absence below would prove nothing"
    marker.unlink()
    if way == "zip":
        torch.save(evil, file)
    elif way == "old":
        torch.save(evil, file, _use_new_zipfile_serialization=False)
    elif way == "inside":
        torch.save({**content, "class_names": [evil, "b"]}, file)
    else:
        file.write_bytes(pickle.dumps(evil, protocol=0 if way == "protocol 0" else 2))
    text = sentence(file)
    assert not marker.exists()
    if way != "protocol 0":
        assert "would have to run code to be loaded" in text or "not a PyTorch checkpoint" in text
    if way in ("zip", "inside"):
        assert "system" in text


def test_a_pickled_network_is_asked_for_its_weights_alone(refused) -> None:
    text = refused(torch.nn.Sequential(torch.nn.Linear(2, 2)))
    assert "run code" in text
    assert "state_dict" in text
    assert "Sequential" in text


# --- content that is no model ----------------------------------------------------------------------


@pytest.mark.parametrize("version", [3, 0, None, "1", 1.5, True, torch.ones(2)])
def test_another_version(refused, content, version) -> None:
    text = refused({**content, "version": version})
    assert "format version" in text
    assert "reads versions 1 and 2" in text


@pytest.mark.parametrize("name", ["specification", "weights", "preprocessing", "class_names"])
def test_missing_entries_and_wrong_types(refused, content, name) -> None:
    missing = {key: value for key, value in content.items() if key != name}
    assert f"the file lacks {name}" in refused(missing)
    for value in (None, 3, "text", torch.ones(2)):
        assert f"{name} of the file should be a" in refused({**content, name: value})


@pytest.mark.parametrize(
    ("entry", "changes", "text"),
    [
        ("specification", {"depth": 3}, "'depth', which this version"),
        ("specification", {"group": "E8"}, "unknown group 'E8'"),
        ("specification", {"fields": [2, 2, 2, 2]}, "do not fit its specification"),
        ("preprocessing", {"stretch": 1}, "stretch"),
    ],
)
def test_descriptions_that_do_not_fit(refused, content, entry, changes, text) -> None:
    assert text in refused({**content, entry: {**content[entry], **changes}})


@pytest.mark.parametrize("names", [["only one"], ["a", "b", "c"], []])
def test_a_wrong_number_of_class_names(refused, content, names) -> None:
    assert f"{len(names)} class names for 2 classes" in refused({**content, "class_names": names})


def test_two_classes_of_one_name(refused, content) -> None:
    assert "two of its classes have one name: 'a', 'a'" in refused(
        {**content, "class_names": ["a", "a"]}
    )


def test_class_names_that_are_no_text(refused, content) -> None:
    assert "class_names of the file should be a list of texts" in refused(
        {**content, "class_names": [1, "b"]}
    )


def test_a_temperature_is_kept_and_written_only_where_it_differs_from_one(tmp_path) -> None:
    model = dataclasses.replace(make_model(), temperature=1.7)
    save_model(model, tmp_path / "warm.pt")
    assert load_model(tmp_path / "warm.pt").temperature == 1.7
    save_model(make_model(), tmp_path / "plain.pt")
    assert "temperature" not in torch.load(tmp_path / "plain.pt", weights_only=True)
    assert load_model(tmp_path / "plain.pt").temperature == 1.0


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "1", None, True])
def test_a_temperature_that_is_none(refused, content, value) -> None:
    text = refused({**content, "temperature": value})
    assert "temperature" in text
    assert str(value) in text


# --- weights ---------------------------------------------------------------------------------------

WEIGHT = "blocks.1.0.convolution.weights"


def _nan(weights: dict[str, Any]) -> None:
    weights[WEIGHT] = weights[WEIGHT].clone()
    weights[WEIGHT][0, 0, 0] = float("nan")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda w: w.pop(WEIGHT), f"lacks {WEIGHT}"),
        (lambda w: w.update(extra=torch.ones(1)), "unknown extra"),
        (lambda w: w.update({WEIGHT: w[WEIGHT][:1]}), f"{WEIGHT} of shape"),
        (lambda w: w.update({WEIGHT: w[WEIGHT].flatten()}), f"{WEIGHT} of shape"),
        (_nan, f"values in {WEIGHT} that are not finite"),
        (lambda w: w.update({WEIGHT: w[WEIGHT] / 0}), "not finite"),
        (lambda w: w.update({WEIGHT: None}), f"no tensor for {WEIGHT}"),
        (lambda w: w.update({WEIGHT: w[WEIGHT].tolist()}), f"no tensor for {WEIGHT}"),
        (lambda w: w.update({WEIGHT: w[WEIGHT].long()}), f"{WEIGHT} as torch.int64"),
        (lambda w: w.update({WEIGHT: w[WEIGHT].to(torch.complex64)}), "as torch.complex64"),
        (lambda w: [w.pop(name) for name in list(w)], "more faults"),
    ],
)
def test_weights_that_do_not_fit(refused, content, change, text) -> None:
    weights = dict(content["weights"])
    change(weights)
    message = refused({**content, "weights": weights})
    assert "its weights do not fit its specification" in message
    assert text in message


# --- training record -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [f.name for f in dataclasses.fields(TrainingRecord) if f.default is dataclasses.MISSING]
)
def test_fields_of_the_training_record(refused, content, name) -> None:
    record = dict(content["training"])
    missing = {key: value for key, value in record.items() if key != name}
    assert f"training record lacks {name}" in refused({**content, "training": missing})
    text = refused({**content, "training": {**record, name: 3}})
    assert f"{name} of the training record should be " in text


@pytest.mark.parametrize("record", [3, "text", [1], torch.ones(2)])
def test_a_training_record_of_another_kind(refused, content, record) -> None:
    assert "training record is a" in refused({**content, "training": record})


def test_fingerprints_are_written_where_there_are_any(content, tmp_path) -> None:
    assert not {name for name in content["training"] if "fingerprints" in name}
    model = make_model()
    assert model.training is not None
    record = dataclasses.replace(
        model.training,
        train_fingerprints=("0123456789abcdef", "00ff00ff00ff00ff"),
        validation_fingerprints=("fedcba9876543210",),
    )
    save_model(dataclasses.replace(model, training=record), tmp_path / "model.pt")
    assert load_model(tmp_path / "model.pt").training == record


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"train_fingerprints": 3},
            "train_fingerprints of the training record should be a list of texts",
        ),
        (
            {"train_fingerprints": ["0", 1]},
            "train_fingerprints of the training record should be a list of texts",
        ),
        (
            {"validation_fingerprints": "0"},
            "validation_fingerprints of the training record should be a list of texts",
        ),
        ({"train_fingerprints": ["0"]}, "1 train_fingerprints for 2 sources"),
        ({"train_fingerprints": ["0", "1"]}, "0 validation_fingerprints for 1 sources"),
    ],
)
def test_fingerprints_that_do_not_fit(refused, content, changes, text) -> None:
    assert text in refused({**content, "training": {**content["training"], **changes}})


def test_positions_are_written_where_there_are_any(content, tmp_path) -> None:
    assert not {name for name in content["training"] if "positions" in name}
    model = make_model()
    assert model.training is not None
    assert model.training.n_positions == 0
    record = dataclasses.replace(
        model.training, train_positions=((0.25, -90.0), None), validation_positions=((360.0, 1.5),)
    )
    assert record.train_positions == ((0.25, -90.0), None)
    assert (record.n_positions, record.n_sources) == (2, 3)
    save_model(dataclasses.replace(model, training=record), tmp_path / "model.pt")
    assert load_model(tmp_path / "model.pt").training == record


KIND_OF_POSITIONS = (
    "train_positions of the training record should be a list of pairs of numbers, or of nothing"
)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"train_positions": 3}, KIND_OF_POSITIONS),
        ({"train_positions": [[1.0, 2.0], [1.0]]}, KIND_OF_POSITIONS),
        ({"train_positions": [[1.0, 2.0], [1.0, 2.0, 3.0]]}, KIND_OF_POSITIONS),
        ({"train_positions": [[1.0, "2"], None]}, KIND_OF_POSITIONS),
        ({"train_positions": [[1.0, 1e300], None]}, KIND_OF_POSITIONS),
        ({"train_positions": [[float("nan"), 1.0], None]}, KIND_OF_POSITIONS),
        ({"train_positions": torch.ones(2, 2)}, KIND_OF_POSITIONS),
        ({"train_positions": [None]}, "1 train_positions for 2 sources"),
        ({"train_positions": [None, None]}, "0 validation_positions for 1 sources"),
        *(
            ({"train_positions": [None, place], "validation_positions": [None]}, shown)
            for place, shown in (
                ([361.0, 0.0], "is (361.0, 0.0); it should be a right ascension from 0 to 360"),
                ([-0.5, 0.0], "position of 'b' in train_positions"),
                ([1.0, 90.1], "a declination from -90 to 90 degrees"),
            )
        ),
    ],
)
def test_positions_that_do_not_fit(refused, content, changes, text) -> None:
    assert text in refused({**content, "training": {**content["training"], **changes}})


@pytest.mark.parametrize("value", ["good", None, True, torch.ones(1)])
def test_a_metric_that_is_no_number(refused, content, value) -> None:
    record = {**content["training"], "metrics": {"validation_accuracy": value}}
    text = refused({**content, "training": record})
    assert "validation_accuracy of metrics of the training record should be a number" in text


# --- writing ---------------------------------------------------------------------------------------


def test_a_failing_save_leaves_the_old_file(tmp_path, monkeypatch) -> None:
    file = tmp_path / "model.pt"
    save_model(make_model(), file)
    before = file.read_bytes()

    def half(content: object, handle: Any) -> None:
        handle.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(KeyboardInterrupt):
        save_model(make_model(group="C1"), file)
    assert file.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["model.pt"]


def test_saving_does_not_change_the_model(tmp_path) -> None:
    model = make_model()
    before = copy.deepcopy(model.network.state_dict())
    save_model(model, tmp_path / "model.pt")
    after = model.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
