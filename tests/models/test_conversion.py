"""Any model that can be read, written as a file of ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from attnxai.data.grid import PixelGrid
from attnxai.data.images import SourceImage
from attnxai.errors import CheckpointError, OptionError
from attnxai.models.checkpoints import load_model, save_model
from attnxai.models.conversion import convert_model, with_positions
from attnxai.models.model import AttentionModel
from attnxai.models.torch_files import file_sha256
from tests.data.skies import make_wcs
from tests.models.builders import make_model, random_images
from tests.models.published_networks import (
    PublishedCNN,
    PublishedEquivariant,
    PublishedLeNet,
    PublishedSteerableLeNet,
    trained,
)

SOURCES: dict[str, tuple[Callable[[], Any], int, int]] = {
    "std_mean_norm_cnn": (PublishedCNN, 30, 30),
    "no_gates": (lambda: PublishedCNN(n_gates=0), 150, 150),
    "range_norm_e2": (lambda: PublishedEquivariant("D4", side=30), 30, 30),
    "lenet": (PublishedLeNet, 51, 50),
    "frdeep_steerable_lenet": (lambda: PublishedSteerableLeNet("C4"), 51, 50),
}


def written(folder: Path, name: str) -> Path:
    build, side, _ = SOURCES[name]
    file = folder / f"{name}.pt"
    torch.save(trained(build, random_images(2, side)).state_dict(), file)
    return file


def assert_equal(before: AttentionModel, after: AttentionModel, side: int) -> None:
    images = random_images(2, side, seed=3).double()
    with torch.no_grad():
        old, new = before.network.double()(images), after.network.double()(images)
    torch.testing.assert_close(new, old, rtol=0, atol=1e-6 * float(old.abs().max()))


@pytest.mark.parametrize("name", list(SOURCES))
def test_scores_stay_and_so_does_what_is_known(tmp_path, name) -> None:
    source, output = written(tmp_path, name), tmp_path / "ours.pt"
    done = convert_model(source, output)
    before, after = load_model(source), load_model(output)
    assert done.kept_bases == ()
    assert (done.name, done.sha256) == (before.name, file_sha256(output))
    for field in ("name", "spec", "preprocessing", "class_names", "trained_on_split", "training"):
        assert getattr(after, field) == getattr(before, field), field
    assert after.notes[:-1] == before.notes
    assert after.notes[-1] == f"Converted from {name}.pt (sha256 {before.sha256})."
    assert_equal(before, after, SOURCES[name][2])
    content = torch.load(output, weights_only=True)
    assert content["version"] == 1
    assert "bases" not in content


def test_the_name_of_the_file_does_not_matter_any_more(tmp_path) -> None:
    convert_model(written(tmp_path, "std_mean_norm_cnn"), tmp_path / "tanh.pt")
    spec, _ = load_model(tmp_path / "tanh.pt").require_gates()
    assert spec.normalisation == "std_mean_norm"


def with_other_bases(folder: Path, factor: float, layers: tuple[str, ...]) -> Path:
    content = trained(
        lambda: PublishedEquivariant("C4", side=30), random_images(2, 30)
    ).state_dict()
    for name in content:
        if name.startswith(tuple(f"{layer}._basis" for layer in layers)):
            content[name] = factor * content[name]
    file = folder / "tanh.pt"
    torch.save(content, file)
    return file


def test_bases_that_are_not_ours_are_kept_once(tmp_path) -> None:
    layers = ("conv2a", "conv3b", "conv4b")
    source, output = with_other_bases(tmp_path, 1.25, layers), tmp_path / "ours.pt"
    done = convert_model(source, output)
    assert done.kept_bases == tuple(
        f"blocks.{layer}.convolution" for layer in ("1.0", "2.1", "3.1")
    )
    content = torch.load(output, weights_only=True)
    assert content["version"] == 2, "an earlier version would read other weights out of it"
    assert set(content["bases"]) == set(done.kept_bases)
    assert len({basis.data_ptr() for basis in content["bases"].values()}) == 1
    before, after = load_model(source), load_model(output)
    assert_equal(before, after, 30)
    convert_model(output, tmp_path / "again.pt")
    again = load_model(tmp_path / "again.pt")
    assert_equal(before, again, 30)
    assert again.notes[-1].startswith("Converted from ours.pt")
    plain = save_model(make_model(), tmp_path / "plain.pt")
    assert plain != done.sha256


@pytest.mark.parametrize(("factor", "kept"), [(1 + 1e-8, 0), (1 + 1e-5, 1)])
def test_bases_that_differ_by_their_rounding_are_ours(tmp_path, factor, kept) -> None:
    source = with_other_bases(tmp_path, factor, ("conv3a",))
    assert len(convert_model(source, tmp_path / "ours.pt").kept_bases) == kept


def test_a_model_of_ours_stays_what_it_is(tmp_path) -> None:
    model = dataclasses.replace(
        make_model(group="D4"), temperature=1.5, notes=("Made by hand.",), trained_on_split="test"
    )
    save_model(model, tmp_path / "model.pt")
    convert_model(tmp_path / "model.pt", tmp_path / "ours.pt")
    after = load_model(tmp_path / "ours.pt")
    assert (after.temperature, after.trained_on_split) == (1.5, "test")
    assert after.notes[0] == "Made by hand."
    assert after.training == model.training
    assert_equal(model, after, 16)


def test_nothing_is_replaced_unless_it_is_asked_for(tmp_path) -> None:
    source, output = written(tmp_path, "lenet"), tmp_path / "ours.pt"
    output.write_text("dear", encoding="utf-8")
    with pytest.raises(
        OptionError, match="exists already; name another file or pass overwrite=True"
    ):
        convert_model(source, output)
    assert output.read_text(encoding="utf-8") == "dear"
    convert_model(source, output, overwrite=True)
    assert load_model(output).spec == load_model(source).spec
    sha256 = convert_model(source, source, overwrite=True).sha256
    assert load_model(source).sha256 == sha256


@pytest.mark.parametrize("name", ["ours", "ours.pth", "ours.onnx"])
def test_the_output_is_a_pt_file(tmp_path, name) -> None:
    with pytest.raises(OptionError, match=r"should end in \.pt"):
        convert_model(written(tmp_path, "lenet"), tmp_path / name)


def test_what_cannot_be_read_leaves_no_file(tmp_path) -> None:
    (tmp_path / "bad.pt").write_text("no model", encoding="utf-8")
    with pytest.raises(CheckpointError):
        convert_model(tmp_path / "bad.pt", tmp_path / "ours.pt")
    assert not (tmp_path / "ours.pt").exists()


# --- optional entries that do not fit --------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "value", "text"),
    [
        ("notes", "text", "notes of the file should be a list of texts"),
        ("notes", [1], "notes of the file should be a list of texts"),
        ("bases", [torch.ones(1)], "bases of the file should be a dictionary"),
        ("bases", {"blocks.0.0.convolution": 3}, "its bases are not all tensors"),
        ("bases", {3: torch.ones(1)}, "bases of the file should be a dictionary"),
        ("weights", {5: torch.ones(1)}, "weights of the file should be a dictionary"),
        ("trained_on_split", 3, "trained_on_split of the file should be text, got 3"),
        ("bases", {"blocks.0.0.convolution": torch.ones(1)}, "has shape"),
        ("bases", {"blocks.9.0.convolution": torch.ones(1)}, "no such steerable layers"),
    ],
)
def test_optional_entries_of_the_wrong_kind(tmp_path, entry, value, text) -> None:
    save_model(make_model(), tmp_path / "model.pt")
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    torch.save({**content, entry: value}, tmp_path / "bad.pt")
    with pytest.raises(CheckpointError, match=text):
        load_model(tmp_path / "bad.pt")


# --- positions of the training sources -------------------------------------------------------------


def placed(source: str, ra: float | None, seed: int = 0) -> SourceImage:
    wcs = None if ra is None else make_wcs((16, 16), centre=(ra, 30.0))
    pixels = (
        np.random.default_rng([seed, ord(source)]).integers(0, 256, (16, 16)).astype(np.float32)
    )
    grid = PixelGrid(shape=(16, 16), wcs=wcs, pixel_scale_arcsec=1.8)
    return SourceImage(source=source, pixels=pixels, grid=grid, prepared=True)


@pytest.fixture
def trained_on() -> tuple[AttentionModel, list[SourceImage]]:
    """A model that was trained on a and b, validated on c, and knows what it saw; and images of a, b, c and d."""
    model = make_model()
    assert model.training is not None
    images = [placed("a", 10.0), placed("b", None), placed("c", 20.0), placed("d", 30.0)]
    prints = [model.preprocessing.view(image).fingerprint() for image in images]
    record = dataclasses.replace(
        model.training, train_fingerprints=tuple(prints[:2]), validation_fingerprints=(prints[2],)
    )
    return dataclasses.replace(model, training=record), images


def test_positions_are_added_and_nothing_else_changes(tmp_path, trained_on) -> None:
    model, images = trained_on
    save_model(model, tmp_path / "model.pt")
    done = convert_model(tmp_path / "model.pt", tmp_path / "ours.pt", images=images)
    before, after = load_model(tmp_path / "model.pt"), load_model(tmp_path / "ours.pt")
    assert (done.n_seen, done.n_positions) == (3, 2)
    assert after.training is not None
    assert after.training.train_positions[0] == pytest.approx((10.0, 30.0))
    assert after.training.train_positions[1] is None
    assert after.training.validation_positions[0] == pytest.approx((20.0, 30.0))
    without = dataclasses.replace(after.training, train_positions=(), validation_positions=())
    assert without == before.training
    weights = after.network.state_dict()
    for name, values in before.network.state_dict().items():
        assert torch.equal(weights[name], values), name
    # sources of which no image is given have no position
    of_one = with_positions(model, images[:1]).training
    assert of_one is not None
    assert of_one.n_positions == 1


def test_positions_that_cannot_be_added(trained_on) -> None:
    model, images = trained_on
    with pytest.raises(CheckpointError, match="tiny has no training record"):
        with_positions(dataclasses.replace(model, training=None), images)
    with pytest.raises(CheckpointError, match=r"none of the 3 sources .* among the 2 images"):
        with_positions(model, [images[1], images[3]])
    with pytest.raises(CheckpointError, match="image a is not the one of a that tiny was trained"):
        with_positions(model, [placed("a", 10.0, seed=1), *images[1:]])
