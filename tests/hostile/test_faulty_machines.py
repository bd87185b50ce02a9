"""Disks that are full or read-only, two runs into one folder, and kills at random moments.

A command ends in one sentence or with whole results; run again, it ends with those of a run that nothing has disturbed.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
import torch

import attnxai
from attnxai.models.torch_files import read_checkpoint_file
from tests.builders import made_up
from tests.data.mirabest_files import write_batches, write_wcs_table
from tests.study.conftest import write_marks

MARKED = [f"{one}_0.1000_0050.00" for one in ("100_150.000+30.000", "102_150.300+30.300")]
TRAINING = ["--data-dir", "data", "--batch-size", "4", "--threads", "1", "--size", "32"]
FEW_DRAWS = ["--n-permutations", "200", "--n-bootstrap", "200", "--figures", "png"]
COMMANDS = {
    "plan": ["plan", "--agreement", "0.3", "--output", "out"],
    "compare": [
        *("compare", "--model", "d8.pt", "--annotations", "expert.csv", "--threads", "1"),
        *(*FEW_DRAWS, "--output", "out"),
    ],
    "compare blocks": [
        *("compare", "--maps", "data/maps.zarr", "--images", "data/images"),
        *("--annotations", "data/marks.csv", "--workers", "2"),
        *("--metric", "nss", *FEW_DRAWS, "--output", "out"),
    ],
    "train": ["train", "--group", "C1", *TRAINING, "--epochs", "3", "--output", "m.pt"],
    "study": [
        *("study", "--group", "C1,C2", "--n-seeds", "2", *TRAINING, "--epochs", "2"),
        *("--precision", "float32", "--n-angles", "1", "--reference-loss", "50", "--workers", "2"),
        *("--hold-out", "marks.csv", "--annotations", "marks.csv", "--output", "out"),
    ],
    "validate": [
        *("validate", "--quick", "--n-experiments", "20", "--null", "pooled", "--workers", "2"),
        *("--output", "out"),
    ],
}  # fmt: skip


# which keeps sums of blocks whenever there are any, and not every minute
PROGRAM = """
from attnxai.agreement.comparison import kept_sums
from attnxai.cli.main import app

if __name__ == "__main__":
    kept_sums._EVERY_S, kept_sums._MOST_OF_TIME = 0.0, 1e9
    app(prog_name="attnxai")
"""


@pytest.fixture(autouse=True)
def _own_key(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def begun(start, name, folder):
    """Start a command in a folder."""
    return start("-c", PROGRAM, *COMMANDS[name], cwd=folder)


@pytest.fixture
def disk(tmp_path):
    """A disk of its own, which :func:`sized` gives another size, or makes read-only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder],
            check=False,
            capture_output=True,
        )
    except OSError:
        pytest.skip("there is no program mount")
    if done.returncode:
        pytest.skip("this user may not mount disks")
    yield folder
    sized(folder, "rw")
    subprocess.run(["umount", "--lazy", folder], check=True)


def sized(folder, option):
    subprocess.run(["mount", "-o", f"remount,{option}", folder], check=True)


def filled(folder):
    """Write data until no byte is free."""
    with contextlib.suppress(OSError), open(folder / "data.bin", "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def with_images(folder):
    """Write a tiny MiraBest, two of whose sources are marked."""
    names = write_batches(folder / "data" / "batches")
    write_wcs_table(folder / "data" / "mirabest_wcs.csv", names)
    write_marks(folder / "marks.csv", MARKED)


def with_many_sources(folder):
    """Write a store of maps, images and marks of 700 sources."""
    maps, marks, images = made_up(n_sources=700, side=24, agreement=0.3)
    (folder / "data" / "images").mkdir(parents=True)
    maps.write(folder / "data" / "maps.zarr")
    attnxai.annotations.write_annotations(marks, folder / "data" / "marks.csv")
    for image in images:
        np.save(folder / "data" / "images" / f"{image.source}.npy", image.pixels)


def prepare(name, folder):
    """Write what a command needs."""
    (with_many_sources if name == "compare blocks" else with_images)(folder)


def files_of(folder):
    """Files of a folder with what they hold, apart from the images."""
    paths = (one.relative_to(folder) for one in folder.rglob("*") if one.is_file())
    given = {"data", "data.bin", "marks.csv"}
    return {one.as_posix(): folder / one for one in paths if one.parts[0] not in given}


def run(start, name, folder):
    """Run a command to its end; its exit code, and its process."""
    process = begun(start, name, folder)
    code = process.wait()
    assert "Traceback" not in process.stderr
    return code, process


def refusal(start, name, folder):
    """What a command says that ends because it cannot do its work, in one line."""
    code, process = run(start, name, folder)
    assert code == 2
    assert process.stderr.count("Error: ") == 1
    return " ".join(process.stderr.split())


# --- disks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("free", ["0", pytest.param("8k", marks=pytest.mark.slow), "40k"])
def test_a_full_disk_is_named_and_nothing_is_left(disk, start, free) -> None:
    if free == "0":
        filled(disk)
    else:
        sized(disk, f"size={free}")
    said = refusal(start, "plan", disk)
    assert said.startswith("Error: out")
    assert said.endswith("cannot be written: No space left on device")
    assert not files_of(disk)
    assert not (disk / "out").exists()


@pytest.mark.parametrize("free", [pytest.param(0, marks=pytest.mark.slow), 120_000])
def test_a_training_on_a_full_disk_goes_on_when_there_is_space(disk, start, free) -> None:
    with_images(disk)
    filled(disk)
    os.truncate(disk / "data.bin", (disk / "data.bin").stat().st_size - free)
    said = refusal(start, "train", disk)
    assert "cannot be written: No space left on device" in said
    assert set(files_of(disk)) <= {"m.progress.pt", "m.history.csv"}
    sized(disk, "size=20m")
    assert run(start, "train", disk)[0] == 0
    assert {"m.pt", "m.history.csv", "m.curves.png"} <= set(files_of(disk))


@pytest.mark.parametrize("name", ["plan", "train", "compare"])
def test_a_read_only_disk_is_refused_before_anything_is_computed(disk, start, name) -> None:
    with_images(disk)
    sized(disk, "ro")
    said = refusal(start, name, disk)
    output = COMMANDS[name][-1]
    assert said.endswith(
        f"--output {output} cannot be written: {disk} is not a folder that can be written to"
    )
    assert not files_of(disk)


# --- two runs, and kills ---------------------------------------------------------------------------


def without_times(name, path):
    """What a file holds, without the seconds that something took."""
    if name.endswith(".pt"):
        return plain(read_checkpoint_file(path)[0])
    if name.endswith(".json"):
        return plain(json.loads(path.read_text(encoding="utf-8")))
    if name.endswith(".csv"):
        with open(path, encoding="utf-8", newline="") as file:
            return [plain(row) for row in csv.DictReader(file)]
    if name.endswith(".jsonl"):  # in the order in which workers finish
        return sorted(path.read_text(encoding="utf-8").splitlines())
    return hashlib.sha256(path.read_bytes()).hexdigest()


def plain(content):
    """Content as JSON has it, tensors by their bytes, without seconds and hashes of files that hold them."""
    if isinstance(content, dict):
        if content.get("quantity") == "seconds":  # the trend of how long training takes
            return "seconds"
        timed = {key for key in content if "seconds" in str(key) or key == "model_sha256"}
        return {str(key): plain(value) for key, value in content.items() if key not in timed}
    if isinstance(content, list | tuple):
        return [plain(value) for value in content]
    if isinstance(content, torch.Tensor):
        values = content.contiguous().numpy()
        return [str(values.dtype), list(values.shape), hashlib.sha256(values.tobytes()).hexdigest()]
    return content


# of the study, which measures how long training takes: what holds or shows these times, and records of progress
TIMED = ("logs/", "measurements.jsonl", "index.html", "study.md", "study.csv", "figures/metrics.")


def compared(folder):
    """What a folder of results holds, file by file."""
    return {
        name: without_times(name, path)
        for name, path in sorted(files_of(folder).items())
        if not any(word in name for word in TIMED) or not (folder / "out" / "models").exists()
    }


def kills(start, name, folder, whole_s, n_kills, moments):
    """Start a command until it was killed so many times or ends; how many times it was killed.

    Half of the kills hit the command alone and half its workers as well.
    """
    for n_killed in range(n_kills):
        process = begun(start, name, folder)
        # not while it starts, which is a third of the shortest command
        time.sleep(whole_s * moments.uniform(0.25, 0.9))
        if n_killed % 2:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        code = process.end(signal.SIGKILL)
        assert "Traceback" not in process.stderr
        if code != -signal.SIGKILL:
            # one that was killed when all was written, or that had less left to do than to be killed
            assert code == 0 or "already" in process.stderr
            return n_killed
    return n_kills


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "n_kills"),
    [("compare", 4), ("compare blocks", 4), ("train", 5), ("validate", 4), ("study", 4)],
)
def test_kills_at_random_moments_leave_the_bytes_of_an_undisturbed_run(
    tmp_path, start, name, n_kills
) -> None:
    """The seed of the moments is fixed."""
    moments = np.random.default_rng(14)
    folders = [tmp_path / one / "place" for one in ("whole", "killed")]
    for folder in folders:
        folder.mkdir(parents=True)
        prepare(name, folder)
    began = time.monotonic()
    assert run(start, name, folders[0])[0] == 0
    whole_s = time.monotonic() - began
    while not kills(start, name, folders[1], whole_s, n_kills, moments):
        # the machine had more to do while the undisturbed run was timed: from the start, killed sooner
        whole_s /= 2
        assert whole_s > 0.5, "the command was faster than the kills"
        shutil.rmtree(folders[1])
        folders[1].mkdir()
        prepare(name, folders[1])
    code, process = run(start, name, folders[1])
    assert code == 0 or "already" in process.stderr
    whole, killed = map(compared, folders)
    assert not list(folders[1].rglob(".attnxai-*"))
    assert list(killed) == list(whole)
    assert [one for one, content in whole.items() if killed[one] != content] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["compare", "study", "train", "validate"])
def test_a_second_run_into_the_same_place_is_refused_and_the_first_ends_whole(
    tmp_path, start, name
) -> None:
    with_images(tmp_path)
    first = begun(start, name, tmp_path)
    first.wait_for(lambda: list(tmp_path.rglob(".*lock")), "its lock")
    said = refusal(start, name, tmp_path)
    assert f"another run is writing to {COMMANDS[name][-1]}" in said
    assert f"process {first.pid} on " in said
    assert first.wait() == 0
    assert not [one for one in files_of(tmp_path) if one.split("/")[-1].startswith(".")]
