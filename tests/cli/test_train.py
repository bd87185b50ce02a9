"""``attnxai train`` as a user meets it, on a tiny MiraBest."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import time

import pytest

from attnxai.models.checkpoints import load_model
from tests.cli.test_compare import attnxai, refused
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
    assert "1 are held out" in done.stdout
    assert "epoch   2" in done.stderr
    assert not (place / "m.progress.pt").exists()
    with open(place / "m.history.csv", encoding="utf-8", newline="") as file:
        history = list(csv.DictReader(file))
    assert [row["epoch"] for row in history] == ["0", "1"]
    model = load_model(place / "m.pt")
    record = model.training
    assert model.spec.group == "C1"
    assert held_out not in record.train_sources + record.validation_sources
    assert not any(name.startswith("3") for name in record.train_sources)
    assert record.command.startswith("attnxai train --output m.pt --group C1")
    assert "validation accuracy" in attnxai("models", "info", "m.pt", cwd=place, check=0).stdout
    refused(
        attnxai("train", "--output", "m.pt", *COMMON, cwd=place), "exists already", "--overwrite"
    )


def test_killed_and_run_again(place):
    """A run that was cut off ends with the weights of one that was not."""
    arguments = ["train", *COMMON, "--epochs", "4", "--output"]
    attnxai(*arguments, "whole.pt", cwd=place, check=0)
    process = subprocess.Popen(
        [sys.executable, "-m", "attnxai", *arguments, "cut.pt"],
        cwd=place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not (place / "cut.progress.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (place / "cut.pt").exists()
    attnxai(*arguments, "cut.pt", cwd=place, check=0)
    whole, cut = (load_model(place / name).network.state_dict() for name in ("whole.pt", "cut.pt"))
    assert all((whole[name] == cut[name]).all() for name in whole)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--images", "folder"], "only 'mirabest' can be trained on"),
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
