"""``attnxai models temperature`` as a user meets it, on a tiny MiraBest."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from attnxai.classification.prediction import class_labels, class_scores
from attnxai.classification.scoring import confusion_matrix, log_loss
from attnxai.classification.temperature import fit_temperature
from attnxai.data.images import SourceSet
from attnxai.data.mirabest import read_mirabest
from attnxai.models.checkpoints import load_model, save_model
from attnxai.models.preprocessing import Preprocessing
from tests.cli.program import attnxai
from tests.data.mirabest_files import write_batches, write_wcs_table
from tests.models.builders import make_model


def run(model, *options):
    return attnxai("models", "temperature", "--model", model, *options, check=None)


def words(text):
    return " ".join(text.split())


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A tiny MiraBest, and a model whose scores are wrong for some of its validation images."""
    monkeypatch.chdir(tmp_path)
    names = write_batches(tmp_path / "data" / "batches")
    write_wcs_table(tmp_path / "data" / "mirabest_wcs.csv", names)
    images = SourceSet(i for i in read_mirabest(tmp_path / "data") if i.split == "train")
    save_model(model_for(images), tmp_path / "m.pt")
    return tmp_path


def model_for(images):
    model = dataclasses.replace(
        make_model(),
        preprocessing=Preprocessing(mean=0.1, deviation=0.3),
        class_names=("FR I", "FR II"),
    )
    labels = class_labels(model, images)
    scores = class_scores(model, images)
    difference = scores[:, 1] - scores[:, 0]
    sign = np.sign(np.corrcoef(difference, labels)[0, 1]) * 3.0 / difference.std()
    with torch.no_grad():
        # spread about 0, so that there are images of both classes on either side
        model.network.head.weight *= sign
        model.network.head.bias.copy_(
            torch.tensor([0.5, -0.5], dtype=torch.float32) * float(sign * difference.mean())
            + model.network.head.bias * sign
        )
    record = dataclasses.replace(
        model.training, train_sources=("elsewhere",), validation_sources=images.sources
    )
    return dataclasses.replace(model, training=record)


def test_a_model_is_calibrated(place):
    done = run(
        "m.pt", "--output", "c.pt", "--data-dir", "data", "--figure", "r.png", "--threads", 1
    )
    assert done.returncode == 0, done.words
    before, after = load_model("m.pt"), load_model("c.pt")
    images = read_mirabest("data").select(before.training.validation_sources)
    labels = class_labels(before, images)
    scores = class_scores(before, images)
    fit = fit_temperature(scores, labels)
    assert 0 < fit.n_wrong < len(labels)
    assert after.temperature == pytest.approx(fit.temperature)
    assert before.temperature == 1.0
    assert after.training == before.training
    for name, tensor in after.network.state_dict().items():
        assert torch.equal(tensor, before.network.state_dict()[name]), name
    np.testing.assert_array_equal(class_scores(after, images), scores)
    text = done.words
    assert f"Calibrating tiny on {len(labels)} of its validation images of MiraBest" in text
    assert f"before (T = 1.00) after (T = {fit.temperature:.2f})" in text
    assert f"log loss {log_loss(scores, labels):.1f}" in text
    assert f"all others: {fit.log_loss_cross_validated:.2f}, against" in text
    assert f"standard error {fit.gain_error:.2f})" in text
    right = np.trace(confusion_matrix(scores, labels)) / len(labels)
    (row,) = [line for line in done.stdout.splitlines() if line.strip().startswith("accuracy")]
    assert row.count(f" {right:.2f} [") == 2
    with Image.open("r.png") as picture:
        assert picture.width > picture.height
    # a second fit gives the same, and says what it begins with
    again = run("c.pt", "--output", "d.pt", "--data-dir", "data")
    assert again.returncode == 0, again.output
    assert load_model("d.pt").temperature == pytest.approx(fit.temperature)
    assert f"before (T = {fit.temperature:.2f})" in again.words


def test_images_that_are_not_its_validation_images(place):
    model = load_model("m.pt")
    sources = model.training.validation_sources
    record = dataclasses.replace(
        model.training, train_sources=sources[:2], validation_sources=("elsewhere",)
    )
    save_model(dataclasses.replace(model, training=record), place / "other.pt")
    done = run("other.pt", "--output", "c.pt", "--data-dir", "data")
    assert done.returncode == 0, done.words
    everything = read_mirabest("data", hybrids=False)
    n = len(everything) - 2
    text = done.words
    assert "no validation images among the images given" in text
    assert f"fitted to {n} images of MiraBest" in text
    (note,) = load_model("c.pt").notes
    assert f"fitted to {n} images" in note


def test_images_that_were_forgotten_are_asked_for(place):
    model = load_model("m.pt")
    record = dataclasses.replace(
        model.training, data="", train_sources=("a", "b"), validation_sources=("c",)
    )
    save_model(dataclasses.replace(model, training=record), place / "other.pt")
    done = run("other.pt", "--output", "c.pt", "--data-dir", "data")
    assert done.returncode == 2
    text = "was trained on other images than MiraBest, such as a; give them with --images"
    assert text in done.words
    assert not (place / "c.pt").exists()


def test_a_folder_with_labels(place):
    """The same images as PNG files give the same temperature."""
    model = load_model("m.pt")
    images = read_mirabest("data").select(model.training.validation_sources)
    (place / "folder").mkdir()
    lines = ["source,class"]
    for image in images:
        pixels = image.pixels.astype(np.uint8)
        Image.fromarray(pixels).save(place / "folder" / f"{image.source}.png")
        lines.append(f"{image.source},{image.class_name}")
    (place / "table.csv").write_text("\n".join(lines) + "\n")
    first = run("m.pt", "--output", "a.pt", "--data-dir", "data")
    second = run(
        "m.pt", "--output", "b.pt", "--images", "folder", "--labels", "table.csv", "--pixel-scale-arcsec", 1.8
    )  # fmt: skip
    assert first.returncode == second.returncode == 0, second.output
    temperature = load_model("a.pt").temperature
    assert load_model("b.pt").temperature == pytest.approx(temperature)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--output", "c.bin"], "should end in .pt"),
        (["--output", "m.pt"], "--output m.pt exists already"),
        (["--output", "c.pt", "--figure", "r.txt"], "should end in one of .png, .pdf, .svg"),
        (["--output", "c.pt", "--device", "nonsense"], "device 'nonsense' cannot be used here"),
        (["--output", "c.pt", "--data-dir", "nowhere"], "nowhere does not exist"),
    ],
)
def test_bad_options(place, arguments, text):
    done = run("m.pt", "--data-dir", "data", *arguments)
    assert done.returncode == 2
    assert text in done.words
    assert not (place / "c.pt").exists()


def test_nothing_is_written_without_a_temperature(place):
    """Images that are all classified correctly fix none."""
    model = load_model("m.pt")
    images = read_mirabest("data").select(model.training.validation_sources)
    scores, labels = class_scores(model, images), class_labels(model, images)
    right = [
        s for s, y, k in zip(images.sources, labels, scores.argmax(axis=1), strict=True) if y == k
    ]
    record = dataclasses.replace(model.training, validation_sources=tuple(right))
    save_model(dataclasses.replace(model, training=record), place / "sure.pt")
    done = run("sure.pt", "--output", "c.pt", "--data-dir", "data")
    assert done.returncode == 2
    assert f"{len(right)} of {len(right)} images are classified correctly" in done.words
    assert not (place / "c.pt").exists()
