"""``attnxai models card`` as a user meets it, on a tiny labelled folder and a tiny MiraBest."""

from __future__ import annotations

import dataclasses
import inspect
import re

import numpy as np
import pytest
from PIL import Image

from attnxai.classification.prediction import class_labels, class_scores
from attnxai.cli.card import card
from attnxai.data.images import SourceSet
from attnxai.data.labelled import read_training_images
from attnxai.models.card_file import read_card
from attnxai.models.checkpoints import load_model, save_model
from attnxai.models.preprocessing import Preprocessing
from attnxai.statistics.formats import with_interval
from attnxai.study.card import N_BOOTSTRAP
from tests.cli.program import attnxai
from tests.data.mirabest_files import write_batches, write_wcs_table
from tests.models.builders import make_model

FOLDER = ["--images", "folder", "--pixel-scale-arcsec", "1.8"]
QUICK = ["--n-bootstrap", "100", "--threads", "1"]


def run(model, *options):
    return attnxai("models", "card", "--model", model, *options, check=None)


def info(model):
    return words(attnxai("models", "info", "--model", model, check=0).stdout)


def words(text):
    return " ".join(text.split())


def squeezed(text):
    """Without spaces and lines of tables, so that folded cells are whole at any width."""
    return re.sub(r"[\s│┃]", "", text)


def model_for(images, validation, *, classes=("FR I", "FR II"), name="tiny"):
    model = make_model(n_classes=len(classes))
    used = SourceSet(i for i in images if i.split != "test")
    record = dataclasses.replace(
        model.training,
        data_sha256=used.sha256(),
        train_sources=tuple(s for s in used.sources if s not in validation),
        validation_sources=tuple(validation),
        settings={"epochs": 2, "seed": 4},
    )
    return dataclasses.replace(
        model,
        name=name,
        training=record,
        class_names=classes,
        preprocessing=Preprocessing(size=16, mean=0.1, deviation=0.3),
    )


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with 26 labelled images, six of them of the test split, and a model trained on them."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(4)
    (tmp_path / "folder").mkdir()
    lines = ["source,class,split"]
    for index in range(26):
        pixels = rng.integers(0, 255, (20, 20)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "folder" / f"s{index:02d}.png")
        lines.append(f"s{index:02d},FR {'I' * (1 + index % 2)},{'test' if index > 19 else 'train'}")
    (tmp_path / "folder" / "labels.csv").write_text("\n".join(lines) + "\n")
    images = read_training_images("folder", pixel_scale_arcsec=1.8).images
    save_model(model_for(images, [f"s{i:02d}" for i in range(8, 20)]), tmp_path / "m.pt")
    return tmp_path


def test_a_card_of_a_folder_of_images(place):
    done = run("m.pt", *FOLDER, *QUICK)
    assert done.returncode == 0, done.words
    made = read_card("m.card.json")
    model = load_model("m.pt")
    images = read_training_images("folder", pixel_scale_arcsec=1.8).images
    part = images.select(model.training.validation_sources)
    right = np.mean(class_scores(model, part).argmax(axis=1) == class_labels(model, part))
    assert made.parts["validation"].values["accuracy"].value == pytest.approx(right)
    assert list(made.parts) == ["validation"]
    assert (made.name, made.sha256, made.measured_on) == ("m", model.sha256, "folder")
    assert (made.n_train, made.n_validation, made.n_held_out) == (8, 12, 0)
    assert made.n_bootstrap == 100
    text = done.words
    assert "Measuring tiny on images of folder: 12 (validation)" in text
    flat = squeezed(done.words)
    for name, value in made.facts().items():
        assert squeezed(f"{name}{value}") in flat, name
    assert "Commandattnxaitrain" in flat
    assert squeezed(f"accuracy{with_interval(made.parts['validation'].values['accuracy'])}") in flat
    assert made.remarks() in text
    assert "Wrote m.card.json" in text
    assert "test" not in text.replace("attnxai train", "")


def test_the_test_split_is_measured_when_asked_for(place):
    before = run("m.pt", *FOLDER, *QUICK)
    done = run("m.pt", *FOLDER, *QUICK, "--test", "--output", "out/with.json")
    assert before.returncode == done.returncode == 0, done.words
    made = read_card("out/with.json")
    assert list(made.parts) == ["validation", "test"]
    assert made.parts["test"].n_images == 6
    assert made.parts["validation"] == read_card("m.card.json").parts["validation"]
    assert "12 (validation), 6 (test)" in done.words


def test_the_same_seed_gives_the_same_card(place):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        done = run("m.pt", *FOLDER, *QUICK, "--seed", seed, "--output", f"{name}.json")
        assert done.returncode == 0, done.words
    a, b, c = (read_card(f"{name}.json") for name in "abc")
    assert a == b
    assert a != c
    assert [m.value for m in a.parts["validation"].values.values()][:6] == [
        m.value for m in c.parts["validation"].values.values()
    ][:6]


def test_an_existing_card_is_kept(place):
    (place / "m.card.json").write_text("mine")
    refused = run("m.pt", *FOLDER, *QUICK)
    assert refused.returncode == 2
    assert "m.card.json exists already; name another file or add --overwrite" in refused.words
    assert (place / "m.card.json").read_text() == "mine"
    done = run("m.pt", *FOLDER, *QUICK, "--overwrite")
    assert done.returncode == 0, done.words
    assert read_card("m.card.json").name == "m"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--output", "c.txt"], "--output 'c.txt' should end in .json"),
        (["--device", "nonsense"], "device 'nonsense' cannot be used here"),
        (["--images", "nowhere"], "'nowhere' does not exist"),
        (["--confidence", "confident"], "does not belong to the images"),
        (["--data-dir", "nowhere"], "does not belong to the images"),
    ],
)
def test_bad_options(place, arguments, text):
    done = run("m.pt", *FOLDER, *QUICK, *arguments)
    assert done.returncode == 2
    assert text in done.words
    assert not list(place.glob("*.json"))


def test_models_that_no_card_can_be_made_of(place):
    save_model(dataclasses.replace(load_model("m.pt"), training=None), place / "bare.pt")
    done = run("bare.pt", *FOLDER, *QUICK)
    assert done.returncode == 2
    assert "tiny has no record of its training" in done.words
    assert "is neither a file nor" in run("none.pt", *FOLDER).words
    assert not list(place.glob("*.json"))


def test_images_that_were_forgotten_are_asked_for(place):
    done = run("m.pt", *QUICK)
    assert done.returncode == 2
    text = done.words
    assert "tiny was trained on other images than MiraBest" in text
    assert "such as s00; give them with --images" in text
    # who names MiraBest means it
    assert (
        "name them with --images"
        not in run("m.pt", "--images", "mirabest", "--data-dir", "nowhere", *QUICK).words
    )


def test_a_name_does_not_write_into_the_package(place):
    done = run("d8", *FOLDER)
    assert done.returncode == 2
    assert (
        "d8 ships with the package, and its card with it; give --output to write another"
        in words(done.words)
    )


def test_mirabest_with_hybrids(tmp_path, monkeypatch):
    """A model that knows hybrids is measured on them; one that does not never sees them."""
    monkeypatch.chdir(tmp_path)
    names = write_batches(tmp_path / "data" / "batches")
    write_wcs_table(tmp_path / "data" / "mirabest_wcs.csv", names)
    for hybrids, classes in ((True, ("FR I", "FR II", "hybrid")), (False, ("FR I", "FR II"))):
        images = read_training_images("mirabest", data_dir="data", hybrids=hybrids).images
        train = [i.source for i in images if i.split == "train"]
        save_model(model_for(images, train[2:], classes=classes), tmp_path / "m.pt")
        done = run("m.pt", "--data-dir", "data", "--overwrite", *QUICK)
        assert done.returncode == 0, done.words
        counts = read_card("m.card.json").parts["validation"].n_by_class
        assert tuple(counts) == classes
        assert sum(counts.values()) == len(train[2:])
        assert all(counts.values())


def test_the_default_is_that_of_the_function():
    assert inspect.signature(card).parameters["n_bootstrap"].default == N_BOOTSTRAP


def test_info_says_whether_there_is_a_card(place):
    assert "card" not in info("m.pt")
    assert run("m.pt", *FOLDER, *QUICK).returncode == 0
    assert "│ card │ m.card.json │" in info("m.pt")
    save_model(dataclasses.replace(load_model("m.pt"), temperature=2.0), place / "m.pt")
    assert "m.card.json, of another model file: its sha256 differs" in info("m.pt")
    (place / "m.card.json").write_text("{}")
    assert "m.card.json is not a model card of attnxai" in info("m.pt")


def test_info_counts_epochs_from_1_and_says_what_is_not_recorded(place):
    model = make_model()
    record = dataclasses.replace(
        model.training,
        data="",
        data_licence="",
        metrics={"epoch": 0.0, "epochs_trained": 1.0, "n_train": 123456.0, "accuracy": 2 / 3},
    )
    save_model(dataclasses.replace(model, training=record), place / "new.pt")
    text = info("new.pt")
    assert "│ epoch kept │ 1 │" in text
    assert "│ epochs trained │ 1 │" in text
    assert "│ trained on │ not recorded │" in text
    assert "│ licence of the data │ not recorded │" in text
    assert "│ n train │ 123456 │" in text
    assert "│ accuracy │ 0.666667 │" in text


def test_names_of_strangers_are_shown_as_they_are(place):
    """Names in square brackets are no markup of the terminal."""
    model = load_model("m.pt")
    record = dataclasses.replace(model.training, data="[bold]x[/bold] [/red]")
    save_model(dataclasses.replace(model, name="[red]n", training=record), place / "[b]m.pt")
    done = run("[b]m.pt", *FOLDER, *QUICK)
    assert done.returncode == 0, done.words
    assert "Measuring [red]n on" in done.words
    assert "[bold]x[/bold] [/red]" in done.words
    assert "Wrote [b]m.card.json" in done.words
