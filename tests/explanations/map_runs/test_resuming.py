"""Runs over many images that are stopped, killed or meet a full disk, and their leftovers."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attnxai
from attnxai.data.image_list import list_images
from attnxai.errors import (
    AttnxaiWarning,
    JobError,
    LeftOutWarning,
    OptionError,
    OutputError,
)
from attnxai.explanations import chunk, chunk_files, map_run
from attnxai.explanations.map_run import write_map_store
from attnxai.jobs.files import write_file
from tests.explanations.map_runs.conftest import (
    Stopped,
    cube,
    interrupted_after,
    listed,
    module_of,
    tree,
)
from tests.processes import Started

pytestmark = pytest.mark.usefixtures("small_chunks")


@pytest.mark.parametrize(
    ("n", "what"),
    [
        (1, "compute_chunk"), (3, "compute_chunk"), (2, "write_file"), (7, "write_file"), (7, "+write_file"),
        (12, "+write_file"), (1, "write_metadata"), (1, "+write_metadata"), (1, "+write_manifest"),
    ],
)  # fmt: skip
def test_a_run_that_was_stopped_resumes_with_the_same_bytes(
    n: int,
    what: str,
    folder: Path,
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    function = interrupted_after(n, what, monkeypatch)
    with pytest.raises(Stopped):
        write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder))
    assert not (tmp_path / "maps.zarr").exists()
    monkeypatch.setattr(module_of(what.lstrip("+")), what.lstrip("+"), function)
    computed: list[int] = []
    compute = chunk.compute_chunk

    def counted(task: chunk.ChunkTask, *more: Any) -> chunk.ChunkMaps:
        computed.append(task.index)
        return compute(task, *more)

    monkeypatch.setattr(chunk_files, "compute_chunk", counted)
    lines = tmp_path / "maps.zarr.partial" / "progress.jsonl"
    n_finished = len(lines.read_text(encoding="utf-8").splitlines()) - 1 if lines.exists() else 0
    run = write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder))
    assert len(computed) == 5 - max(n_finished, 0)
    assert (run.n_kept > 0) == (n_finished > 0)
    assert tree(tmp_path / "maps.zarr") == tree(undisturbed)


PLUGIN = """
import attnxai
from attnxai.explanations import NetworkInputs

@attnxai.explanations.register_explanation(title="maps of squares")
def squares(model, images, *, target, rng):
    inputs = NetworkInputs.of(model, images)
    return inputs.stack({"squares": inputs.brightness**2 * rng.random((len(images), 1, 1), "float32")})
"""


@pytest.mark.parametrize(
    "kills", [((3, 2),), pytest.param(((2, 1), (5, 2)), marks=pytest.mark.slow)]
)
def test_runs_that_were_killed_resume_with_the_same_bytes(
    kills: tuple[tuple[int, int], ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program, killed at whatever it is doing after so many lines of progress, with other numbers of workers."""
    monkeypatch.undo()
    (tmp_path / "squares.py").write_text(PLUGIN, encoding="utf-8")
    np.save(tmp_path / "cube.npy", cube(700)[:, 60:90, 60:90])

    def start(name: str, n_workers: int) -> Started:
        return Started(
            *("-m", "attnxai", "maps", "--model", "c1.pt", "--images", "cube.npy", "--pad", "--seed", "3"),
            *("--pixel-scale-arcsec", "1.8", "--explain", "squares", "--plugin", "squares.py"),
            *("--output", name, "--workers", str(n_workers)),
            folder=tmp_path / f"output {name}",
            cwd=tmp_path,
        )  # fmt: skip

    first = start("a.zarr", 1)
    assert first.wait() == 0, first.stderr
    for n_lines, n_workers in kills:
        run = start("b.zarr", n_workers)
        progress = tmp_path / "b.zarr.partial" / "progress.jsonl"
        deadline = time.monotonic() + 100
        while not progress.exists() or progress.read_bytes().count(b"\n") < n_lines:
            assert time.monotonic() < deadline, run.stderr
            time.sleep(0.005)
        assert run.end(signal.SIGKILL) < 0
        run.clear()
        assert not (tmp_path / "b.zarr").exists()
    last = start("b.zarr", 3 - kills[-1][1])
    assert last.wait() == 0, last.stderr
    assert "of 700 images are finished already" in last.stderr
    assert tree(tmp_path / "a.zarr") == tree(tmp_path / "b.zarr")


def half_done(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with monkeypatch.context() as patch:
        interrupted_after(4, "compute_chunk", patch)
        with pytest.raises(Stopped):
            write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder))
    return tmp_path / "maps.zarr.partial"


def check_resumed(folder: Path, tmp_path: Path, undisturbed: Path, n_kept: int) -> None:
    """Run to the end: so many images are kept, and the bytes are those of a run that was never stopped."""
    run = write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder))
    assert run.n_kept == n_kept
    assert tree(tmp_path / "maps.zarr") == tree(undisturbed)


def test_a_chunk_with_images_that_changed_is_computed_again_and_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = shutil.copytree(folder, tmp_path / "own")
    half_done(own, tmp_path, monkeypatch)
    file = own / "images" / "s08.npy"
    np.save(file, np.load(file)[::-1])
    os.utime(file, ns=(0, 1))  # whatever the resolution of times
    with pytest.warns(
        AttnxaiWarning, match=r"1 chunk with images .* written since \(images 5 to 9,"
    ):
        run = write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(own))
    assert run.n_kept == 10
    write_map_store(tmp_path / "anew.zarr", "c1.pt", listed(own))
    assert tree(tmp_path / "maps.zarr") == tree(tmp_path / "anew.zarr")


@pytest.mark.parametrize("damage", ["flipped", "cut", "lost", "table", "progress"])
def test_a_damaged_chunk_is_computed_again_and_named(
    damage: str, folder: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = half_done(folder, tmp_path, monkeypatch)
    file = work / "store" / "gate2" / "c" / "1" / "0" / "0"
    message = r"1 chunk that is damaged or missing \(images 5 to 9, counted from 0\)"
    if damage == "lost":
        file.unlink()
    elif damage == "progress":
        file = work / "progress.jsonl"
        file.write_text(
            file.read_text(encoding="utf-8").replace('{"job": "chunk 1"', '{"job": "chunk 9"'),
            encoding="utf-8",
        )
        message = "has 1 damaged line; the jobs are run again"
    else:
        file = work / "tables" / "1.json" if damage == "table" else file
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 4
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else content)
    with pytest.warns(AttnxaiWarning, match=message):
        check_resumed(folder, tmp_path, undisturbed, 10)


def test_unfinished_maps_of_another_call_are_refused_or_replaced(
    folder: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half_done(folder, tmp_path, monkeypatch)
    path = tmp_path / "maps.zarr"
    few = list_images(folder / "images" / "s0[0-5].npy", pixel_scale_arcsec=1.8)
    for given, named in (
        (("d8.pt", listed(folder)), "made with model C1"),
        (("c1.pt", few), "made with images"),
        (("c1.pt", list_images(folder / "images", pixel_scale_arcsec=2.0)), "made with images"),
        (("c1.pt", listed(folder), "evidence"), "made with explanations gates, not evidence"),
    ):
        with pytest.raises(
            OptionError,
            match=named + r".*, or another output, or pass overwrite=True to begin anew",
        ):
            write_map_store(path, *given)
    # with the same call, overwrite resumes; with another it begins anew
    assert write_map_store(path, "c1.pt", listed(folder), overwrite=True).n_kept == 15
    assert tree(path) == tree(undisturbed)
    half_done(folder, tmp_path / "other", monkeypatch)
    assert (
        write_map_store(tmp_path / "other" / "maps.zarr", "c1.pt", few, overwrite=True).n_kept == 0
    )


def test_finished_maps_stay_until_others_are_complete(
    folder: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "maps.zarr"
    few = list_images(folder / "images" / "s0[0-5].npy", pixel_scale_arcsec=1.8)
    write_map_store(path, "c1.pt", few)
    before = tree(path)
    with pytest.raises(
        OptionError, match="holds a map folder already; name another folder or pass"
    ):
        write_map_store(path, "c1.pt", listed(folder))
    with monkeypatch.context() as patch:
        interrupted_after(2, "compute_chunk", patch)
        with pytest.raises(Stopped):
            write_map_store(path, "c1.pt", listed(folder), overwrite=True)
    assert tree(path) == before
    (path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OptionError, match=r"holds other files than maps, such as mine\.txt"):
        write_map_store(path, "c1.pt", listed(folder), overwrite=True)
    (path / "mine.txt").unlink()
    write_map_store(path, "c1.pt", listed(folder), overwrite=True)
    assert tree(path) == tree(undisturbed)
    # a stack in memory may replace a store, and the other way round
    with pytest.warns(LeftOutWarning, match="no maps of 8 of 22 images"):
        stack = attnxai.read_maps(path, attnxai.read_images(folder / "images" / "s00.npy"))
    stack.write(path, overwrite=True)
    assert attnxai.read_maps(path).sources == ("s00",)


def test_a_full_disk_keeps_what_is_finished(
    folder: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def full(path: Path, content: bytes | str) -> None:
        nonlocal calls
        calls += 1
        if calls > 8:
            raise OutputError(f"{path} cannot be written: {os.strerror(errno.ENOSPC)}")
        write_file(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(chunk_files, "write_file", full)
        with pytest.raises(
            JobError,
            match=r"No space left on device\. Free space, then run the same command again to res",
        ):
            write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder))
    check_resumed(folder, tmp_path, undisturbed, 5)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "so free space, then run the same command again"),
        (errno.EROFS, "so run the same command again when it can be written"),
    ],
)
def test_a_store_that_cannot_be_written_at_the_end(
    number: int,
    remedy: str,
    folder: Path,
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(map_run, "write_metadata", refuse)
        with pytest.raises(
            OutputError,
            match=rf"maps\.zarr cannot be written: .*; what is finished is kept, {remedy}$",
        ):
            write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder))
    check_resumed(folder, tmp_path, undisturbed, 22)


def test_leftovers_of_a_finished_run_do_no_harm(
    folder: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the store was put in its place, and before the rest was removed."""
    with monkeypatch.context() as patch:

        def stop(path: Path) -> None:
            raise Stopped

        patch.setattr(shutil, "rmtree", stop)
        with pytest.raises(Stopped):
            write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder))
    assert tree(tmp_path / "maps.zarr") == tree(undisturbed)
    with pytest.raises(OptionError, match="holds a map folder already"):
        write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder))
    write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder), overwrite=True)
    assert tree(tmp_path / "maps.zarr") == tree(undisturbed)
    assert json.loads((tmp_path / "maps.zarr" / "manifest.json").read_text(encoding="utf-8"))[
        "files"
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["maps.zarr"]
