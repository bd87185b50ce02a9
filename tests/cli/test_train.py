"""``attnxai train`` as a user meets it, on a tiny MiraBest."""

from __future__ import annotations

import csv
import signal

import numpy as np
import pytest

from attnxai.models.checkpoints import load_model
from tests.cli.program import attnxai, refused
from tests.data.frdeep_files import write_frdeep
from tests.data.mirabest_files import write_batches, write_wcs_table

COMMON = ["--group", "C1", "--data-dir", "data", "--batch-size", "4", "--threads", "1"]


@pytest.fixture
def place(tmp_path):
    """A folder with a tiny MiraBest: 14 training sources that are FR I or FR II."""
    names = write_batches(tmp_path / "data" / "batches")
    write_wcs_table(tmp_path / "data" / "mirabest_wcs.csv", names)
    return tmp_path


def test_train_and_use_a_model(place):
    held_out = "100_150.000+30.000_0.1000_0050.00"
    (place / "mine.txt").write_text(f"{held_out}\n")
    done = attnxai(
        "train", "--output", "m.pt", *COMMON, "--epochs", "2", "--hold-out", "mine.txt", cwd=place, check=0
    )  # fmt: skip
    said = " ".join(done.stdout.split())
    assert "on 14 images of MiraBest, 3 more for validation;" in said
    assert "1 held out" in said
    assert "epoch   2" in done.stderr
    assert not (place / "m.progress.pt").exists()
    with open(place / "m.history.csv", encoding="utf-8", newline="") as file:
        history = list(csv.DictReader(file))
    assert [row["epoch"] for row in history] == ["0", "1"]
    assert [row["images_seen"] for row in history] == ["14", "28"]
    notes = " ".join(done.stderr.split())
    assert "3 validation images of 17 choose the epoch that is kept" in notes
    assert (
        "no temperature can be fitted: 3 images cannot determine it, at least 15 are needed"
        in notes
    )
    assert "no temperature could be fitted" in said
    assert (place / "m.curves.png").read_bytes().startswith(b"\x89PNG")
    model = load_model(place / "m.pt")
    record = model.training
    assert model.spec.group == "C1"
    assert held_out not in record.train_sources + record.validation_sources
    assert not any(name.startswith("3") for name in record.train_sources)
    assert (len(record.train_sources), len(record.validation_sources)) == (14, 3)
    assert record.command.startswith("attnxai train --output m.pt --group C1")
    assert (
        "validation accuracy"
        in attnxai("models", "info", "--model", "m.pt", cwd=place, check=0).stdout
    )
    refused(
        attnxai("train", "--output", "m.pt", *COMMON, cwd=place), "exists already", "--overwrite"
    )


def test_random_labels(place):
    done = attnxai(
        "train", "--output", "m.pt", *COMMON, "--epochs", "1", "--random-labels", cwd=place, check=0
    )
    said = " ".join(done.stdout.split())
    assert "trained on random labels, of which it gives" in said
    assert "temperature" not in said
    assert "permuted at random" in load_model(place / "m.pt").notes[0]


def test_stopped_again_and_again(place, start):
    """A training that is stopped within epochs says what it keeps, and ends as one that is not."""
    arguments = ["train", *COMMON, "--size", "32", "--epochs", "2", "--output"]
    attnxai(*arguments, "whole.pt", cwd=place, check=0)
    record = place / "cut.progress.pt"
    for number, code in ((signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        before = record.stat().st_mtime_ns if record.exists() else 0
        process = start("-c", SAVING_EVERY_STEP, *arguments, "cut.pt", cwd=place)
        process.wait_for(
            lambda before=before: record.exists() and record.stat().st_mtime_ns > before, "a record"
        )
        assert process.end(number) == code
        assert not (place / "cut.pt").exists()
        if number != signal.SIGKILL:
            assert " ".join(process.stderr.split()).endswith(
                "Interrupted; run the same command again to resume: cut.progress.pt keeps what was "
                "trained."
            )
            assert not list(place.glob(".*"))
    done = attnxai(*arguments, "cut.pt", cwd=place, check=0)
    assert "Resuming from cut.progress.pt" in done.stdout
    assert not list(place.glob(".*"))
    whole, cut = (load_model(place / name) for name in ("whole.pt", "cut.pt"))
    weights = cut.network.state_dict()
    assert all((value == weights[name]).all() for name, value in whole.network.state_dict().items())
    assert whole.temperature == cut.temperature


def test_more_epochs_than_before_the_interruption(place, monkeypatch):
    """More epochs are more epochs; what else differs is named, and nothing is said to go on."""
    arguments = ["train", *COMMON, "--size", "32", "--output", "cut.pt", "--epochs"]
    with monkeypatch.context() as patch:

        def stop(*_):
            raise KeyboardInterrupt

        patch.setattr("attnxai.cli.train._Shown.epoch", stop)
        attnxai(*arguments, "2", cwd=place, check=130)
    other = attnxai(*arguments, "3", "--learning-rate", "0.001", cwd=place, check=2)
    said = " ".join(other.stderr.split())
    assert "its settings differ: --learning-rate is 0.005 there and 0.001 here" in said
    assert "epochs is" not in said
    assert "Resuming" not in other.stdout
    other = attnxai(*arguments, "1", cwd=place, check=2)
    assert "its settings differ: epochs is 2 there and 1 here" in " ".join(other.stderr.split())
    done = attnxai(*arguments, "3", cwd=place, check=0)
    assert "Resuming from cut.progress.pt after 1 epoch" in done.stdout
    assert load_model(place / "cut.pt").training.settings["epochs"] == 3
    with open(place / "cut.history.csv", encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 3


def test_more_epochs_for_a_finished_model(place):
    """With the same epochs, or with other settings, it is trained again from the start."""
    arguments = ["train", *COMMON, "--size", "32", "--output", "m.pt", "--overwrite", "--epochs"]

    def trained(*options):
        done = attnxai(*arguments, *options, cwd=place, check=0)
        assert not (place / "m.progress.pt").exists()
        with open(place / "m.history.csv", encoding="utf-8", newline="") as file:
            rows = [row | {"seconds": ""} for row in csv.DictReader(file)]
        return rows, load_model(place / "m.pt"), "Resuming from m.progress.pt after" in done.stdout

    first, _, _ = trained("1")
    rows, _, has_gone_on = trained("1")
    assert (rows, has_gone_on) == (first, False)
    rows, model, has_gone_on = trained("2")
    assert has_gone_on
    assert rows[0] == first[0]
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert "the schedule of 1, then of 2 epochs" in model.notes[0]
    rows, model, has_gone_on = trained("3", "--learning-rate", "0.001")
    assert not has_gone_on
    assert (len(rows), model.notes) == (3, ())
    (place / "m.finished.pt").write_bytes(b"damaged")
    assert not trained("4", "--learning-rate", "0.001")[2]
    # images are looked at by the training, which names what differs
    (place / "mine.txt").write_text(f"{model.training.train_sources[0]}\n")
    refused(
        attnxai(*arguments, "5", "--learning-rate", "0.001", "--hold-out", "mine.txt", cwd=place),
        "m.progress.pt is the record of another training run",
        "its sources differ",
    )


SAVING_EVERY_STEP = """
import functools, time
from attnxai.training import loop

saved = loop.save_progress

def save_and_wait(*arguments):
    saved(*arguments)
    time.sleep(60)

loop.save_progress = save_and_wait
loop.train_model = functools.partial(loop.train_model, save_every_s=0.0)
from attnxai.cli.main import app
app()
"""


def test_files_of_ones_own_are_kept(place):
    """Also those that would be written beside the model."""
    for name in ("m.history.csv", "m.curves.png"):
        (place / name).write_text("mine")
        refused(attnxai("train", "-o", "m.pt", *COMMON, cwd=place), f"{name} exists already")
        (place / name).unlink()
    assert not (place / "m.pt").exists()


def test_a_folder_with_labels(place):
    rng = np.random.default_rng(3)
    (place / "cutouts").mkdir()
    rows = ["source,class,split"]
    for index in range(14):
        pixels = np.zeros((40, 40))
        pixels[18:22, 18:22] = pixels[5 + index : 8 + index, 10:14] = rng.uniform(0.5, 1.0)
        np.save(place / "cutouts" / f"s{index}.npy", pixels)
        split = {0: "test", 1: "validation", 2: "validation"}.get(index, "train")
        rows.append(f"s{index},{'FRI' if index % 2 else 'wat'},{split}")
    (place / "labels.csv").write_text("\n".join(rows) + "\n")
    done = attnxai(
        "train", "--output", "m.pt", "--group", "C1", "--images", "cutouts", "--labels", "labels.csv",
        "--pixel-scale-arcsec", "5", "--epochs", "1", "--citation", "me (2026)", "--licence", "CC0",
        cwd=place, check=0,
    )  # fmt: skip
    said = " ".join(done.stdout.split())
    assert "on 11 images of cutouts, 2 more for validation; 1 test image not used" in said
    model = load_model(place / "m.pt")
    assert model.class_names == ("FR I", "wat")
    assert (model.preprocessing.size, model.preprocessing.pixel_scale_arcsec) == (40, 5.0)
    record = model.training
    assert record.validation_sources == ("s1", "s2")
    assert set(record.train_sources) == {f"s{index}" for index in range(3, 14)}
    assert (record.data, record.data_licence) == ("me (2026)", "CC0")


def test_batches_of_fr_deep(place):
    write_frdeep(place / "frdeep")
    attnxai(
        "train", "--output", "m.pt", "--group", "C1", "--images", "frdeep", "--epochs", "1",
        "--pixel-scale-arcsec", "1.8", cwd=place, check=0,
    )  # fmt: skip
    assert load_model(place / "m.pt").class_names == ("FR I", "FR II")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            ["--images", "folder"],
            "--data-dir does not belong to the images 'folder'",
        ),
        (["--published-form"], "--published-form belongs to --preset paper"),
        (["--weight-average", "1"], "--weight-average has to be at least 0 and below 1, got 1.0"),
        (["--size", "18"], "a field of 18 x 18 pixels; it needs 24 x 24 or more for its binning"),
        (["--binning", "17"], "17"),
        (["--size", "200"], "for which it needs at least 200 x 200"),
        (["--output", "m.bin"], "should end in .pt"),
        (["--group", "E7"], "unknown group 'E7'"),
        (["--device", "nonsense"], "device 'nonsense' cannot be used here"),
        (["--hold-out", "nowhere.txt"], "nowhere.txt"),
        (["--data-dir", "nowhere"], "nowhere does not exist"),
    ],
)
def test_bad_options(place, options, text):
    refused(attnxai("train", "--output", "m.pt", *COMMON, *options, cwd=place), text)
    assert not (place / "m.pt").exists()
