"""Runs over many images in a Dask cluster: the bytes of a store, lost workers, and what workers cannot see."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attnxai.data.image_list import list_images
from attnxai.errors import (
    AssumptionWarning,
    AttnxaiWarning,
    CheckpointError,
    ImageError,
    OptionError,
)
from attnxai.explanations import EXPLANATIONS, map_run
from attnxai.explanations.chunk_files import mark_of_run, run_chunk
from attnxai.explanations.map_run import MapRun, write_map_store
from attnxai.jobs.plugins import LOADED, load_plugins
from attnxai.jobs.runner import run_jobs
from attnxai.models.checkpoints import load_model
from tests.explanations.map_runs.conftest import cube, tree

N = 300
PLUGIN = """
import os, signal
from pathlib import Path
import attnxai
from attnxai.explanations import NetworkInputs

@attnxai.explanations.register_explanation(title="maps of cubes")
def cubes(model, images, *, target, rng):
    try:
        Path("kill").rmdir()  # by one process alone, which is killed
        os.kill(os.getpid(), signal.SIGKILL)
    except FileNotFoundError:
        pass
    inputs = NetworkInputs.of(model, images)
    return inputs.stack({"cubes": inputs.brightness**3 * rng.random((len(images), 1, 1), "float32")})
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Five chunks of small images, and maps of them that this process has made by a plug-in."""
    folder = tmp_path_factory.mktemp("many")
    pixels = cube(N)[:, 60:90, 60:90]
    pixels[70] = np.nan
    np.save(folder / "cube.npy", pixels)
    (folder / "cubes_of_brightness.py").write_text(PLUGIN, encoding="utf-8")
    with contextlib.chdir(folder):
        load_plugins(["cubes_of_brightness.py"])
        try:
            write(folder / "here.zarr")
            yield folder
        finally:
            LOADED.remove(str(folder / "cubes_of_brightness.py"))
            del sys.modules["cubes_of_brightness"], EXPLANATIONS["cubes"]


def write(path: Path, **options: Any) -> MapRun:
    with pytest.warns(AssumptionWarning, match="is taken for 300 images"):
        images = list_images("cube.npy", pixel_scale_arcsec=1.8, pad=True)
    return write_map_store(path, "c1.pt", images, "cubes", seed=3, **options)


def test_bytes_are_those_of_one_process_though_a_worker_is_killed(
    folder: Path, cluster: Any
) -> None:
    (folder / "kill").mkdir()
    with pytest.warns(AttnxaiWarning, match=r"worker tcp://\S+ was lost"):
        run = write(folder / "there.zarr", scheduler=cluster.scheduler_address)
    assert not (folder / "kill").exists()
    assert list(run.unusable) == ["cube_070"]
    assert tree(folder / "there.zarr") == tree(folder / "here.zarr")
    assert not (folder / "there.zarr.partial").exists()


def test_a_run_that_was_interrupted_resumes_with_the_same_bytes(folder: Path, cluster: Any) -> None:
    def interrupt(n_done: int, n_all: int, n_kept: int) -> None:
        if n_done > n_kept:
            raise KeyboardInterrupt

    address = cluster.scheduler_address
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            write(folder / "again.zarr", scheduler=address, on_progress=interrupt)
    # two chunks, of which the last one is smaller
    assert write(folder / "again.zarr", scheduler=address).n_kept in {2 * 64, 64 + 300 % 64}
    assert tree(folder / "again.zarr") == tree(folder / "here.zarr")


@pytest.mark.slow
def test_bytes_are_those_of_one_process_though_the_program_is_killed(
    folder: Path, cluster: Any, start: Any
) -> None:
    def started() -> Any:
        return start(
            *("-m", "attnxai", "maps", "--model", "c1.pt", "--images", "cube.npy", "--pad"),
            *("--pixel-scale-arcsec", "1.8", "--explain", "cubes", "--plugin", "cubes_of_brightness.py"),
            *("--seed", "3", "--output", "killed.zarr", "--scheduler", cluster.scheduler_address),
            cwd=folder,
        )  # fmt: skip

    run = started()
    progress = folder / "killed.zarr.partial" / "progress.jsonl"
    run.wait_for(progress.exists, "the first chunk")
    run.end(signal.SIGKILL)
    assert not (folder / "killed.zarr").exists()
    run = started()
    assert run.wait() == 0, run.stderr
    assert "of 300 images are finished already" in run.stderr
    assert "1 of 300 images cannot be used" in run.stderr
    assert tree(folder / "killed.zarr") == tree(folder / "here.zarr")


# --- what workers do not see -----------------------------------------------------------------------


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for i, pixels in enumerate(cube(3)):
        np.save(tmp_path / f"s{i}.npy", pixels)
    return tmp_path


def test_images_that_a_worker_alone_cannot_open_are_no_bad_images(
    images: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker is another process, for which the file is away while this one is told that it is there."""
    listed = list_images(images, pixel_scale_arcsec=1.8)
    hidden = images / "s1.npy"
    hidden.rename(images / "away")
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: str(path) == str(hidden) or access(path, mode)
    )
    with pytest.raises(
        ImageError,
        match=rf"image .*s1\.npy cannot be opened by a worker on {socket.gethostname()}, .*; all machines have to",
    ):
        write_map_store(images / "m.zarr", "c1.pt", listed, scheduler=cluster.scheduler_address)
    assert not list(images.glob("*m.zarr*"))
    monkeypatch.undo()
    # missing for all, it is a bad image
    run = write_map_store(images / "m.zarr", "c1.pt", listed, scheduler=cluster.scheduler_address)
    assert list(run.unusable) == ["s1"]


def test_a_model_and_an_output_that_a_worker_does_not_see(
    images: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = list_images(images, pixel_scale_arcsec=1.8)
    address = cluster.scheduler_address

    def elsewhere(jobs: Any, **options: Any) -> Any:
        mark_of_run(images / "m.zarr.partial", jobs[0].argument[2]).unlink()
        return run_jobs(jobs, **options)

    with monkeypatch.context() as patch:
        patch.setattr(map_run, "run_jobs", elsewhere)
        with pytest.raises(
            OptionError,
            match=rf"^folder {images}/m\.zarr\.partial, .* is another one on .*; all mach",
        ):
            write_map_store(images / "m.zarr", "c1.pt", listed, scheduler=address)
    monkeypatch.setattr(map_run, "load_model", lambda name: load_model("c1.pt"))
    with pytest.raises(
        CheckpointError, match=r"nowhere\.pt.*\(on a worker of the cluster at tcp://"
    ):
        write_map_store(images / "m.zarr", "nowhere.pt", listed, scheduler=address)
    assert not list(images.glob("*m.zarr*"))


def test_a_job_of_an_earlier_run_writes_nothing(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of a program that was killed may end while the next one runs."""
    work = images / "m.zarr.partial"
    work.mkdir()
    mark_of_run(work, "xyz").touch()
    with pytest.raises(OptionError, match=rf"^another run has begun in {work}, so that this one"):
        run_chunk((None, str(work), "abc"), lambda *_, **__: None)  # type: ignore[arg-type]
    assert [file.name for file in work.iterdir()] == ["run-xyz"]
    mark_of_run(work, "xyz").unlink()
    work.rmdir()
    monkeypatch.chdir(images)
    with pytest.raises(
        OptionError, match=rf"^folder {work}, .* is missing on {socket.gethostname()}; all"
    ):
        run_chunk((None, work.name, "abc"), lambda *_, **__: None)  # type: ignore[arg-type]


def test_a_cluster_and_processes_exclude_each_other(images: Path, cluster: Any) -> None:
    listed = list_images(images, pixel_scale_arcsec=1.8)
    with pytest.raises(OptionError, match="n_workers=2 is for processes of this machine"):
        write_map_store(
            images / "m.zarr", "c1.pt", listed, n_workers=2, scheduler=cluster.scheduler_address
        )
    assert not list(images.glob("*m.zarr*"))
