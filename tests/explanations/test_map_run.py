"""Runs over many images: the bytes of a store, whatever has interrupted it, and how many images are held at once."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attnxai
from attnxai.data.image_list import ImageBatch, ImageList, list_images
from attnxai.data.images import SourceImage
from attnxai.errors import (
    AlignmentError,
    AttnxaiError,
    AttnxaiWarning,
    CheckpointError,
    ImageError,
    InUseError,
    LeftOutWarning,
    OptionError,
    OutputError,
)
from attnxai.explanations import chunk, chunk_files, map_run
from attnxai.explanations.files import formats, map_chunks, map_store
from attnxai.explanations.map_run import write_map_store
from attnxai.jobs.files import write_file
from attnxai.jobs.locks import locked
from tests.explanations.files.test_formats import check_same
from tests.processes import Started

N = 22


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of five images, so that few have several."""
    for module in (map_store, map_run, map_chunks):
        monkeypatch.setattr(module, "CHUNK", 5)


def cube(n: int) -> np.ndarray:
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:150, :150]
    places = rng.uniform(55, 95, (n, 2, 1, 1))
    blobs = np.exp(-((x - places[:, 0]) ** 2 + (y - places[:, 1]) ** 2) / 40)
    return np.asarray(blobs + rng.normal(0, 0.01, blobs.shape), np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, of which the third is blank, the seventh damaged, the eighth too small, and a whole chunk is missing."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "images").mkdir()
    for i, pixels in enumerate(cube(N)):
        np.save(folder / "images" / f"s{i:02d}.npy", pixels)
    np.save(folder / "images" / "s02.npy", np.full((150, 150), np.nan, np.float32))
    (folder / "images" / "s06.npy").write_bytes(b"\x93NUMPY\x01")
    np.save(folder / "images" / "s07.npy", np.eye(20))
    for i in range(10, 15):
        (folder / "images" / f"s{i}.npy").write_bytes(b"nothing")
    return folder


def listed(folder: Path) -> ImageList:
    return list_images(folder / "images", pixel_scale_arcsec=1.8)


def tree(path: Path) -> dict[str, bytes]:
    return {
        file.relative_to(path).as_posix(): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file()
    }


@pytest.fixture(scope="module")
def undisturbed(folder: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        for module in (map_store, map_run, map_chunks):
            patch.setattr(module, "CHUNK", 5)
        write_map_store(folder / "undisturbed.zarr", "c1.pt", listed(folder))
    return folder / "undisturbed.zarr"


def test_maps_are_those_of_explain_and_bad_images_have_reasons(
    folder: Path, undisturbed: Path
) -> None:
    maps = formats.read_map_chunks(undisturbed)
    bad = ["s02", "s06", "s07", "s10", "s11", "s12", "s13", "s14"]
    assert list(maps.unusable) == bad
    assert "is blank" in maps.unusable["s02"]
    assert "has 20 x 20 pixels" in maps.unusable["s07"]
    files = [folder / "images" / f"{source}.npy" for source in maps.sources]
    assert len(files) == N - len(bad)
    images = attnxai.read_images(files, pixel_scale_arcsec=1.8)
    expected = attnxai.explain(attnxai.load_model("c1.pt"), images)
    found = maps.read(0, len(maps))
    for name, values in expected.layers.items():
        # another composition of batches adds in another order
        np.testing.assert_allclose(found.layers[name], values, atol=2e-6)
    np.testing.assert_array_equal(found.brightness, expected.brightness)
    assert found.provenance == expected.provenance
    assert [part.sources[0] for part in maps.chunks()] == ["s00", "s05", "s15", "s20"]


def test_what_was_written_is_counted(folder: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int, int]] = []
    run = write_map_store(
        tmp_path / "maps.zarr", "c1.pt", listed(folder), on_progress=lambda *n: seen.append(n)
    )
    assert (run.n_images, run.n_unusable, run.n_kept) == (N, 8, 0)
    assert run.layers == ("gate1", "gate2", "gate3")
    assert seen[0] == (0, N, 0)
    assert seen[-1] == (N, N, 0)
    assert [n for n, _, _ in seen] == sorted(n for n, _, _ in seen)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["maps.zarr"]


@pytest.mark.parametrize("n_workers", [1, 2])
def test_bytes_do_not_depend_on_workers(
    n_workers: int, folder: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if n_workers == 2:  # whose chunks are those of the package
        monkeypatch.undo()
        write_map_store(tmp_path / "one.zarr", "c1.pt", listed(folder))
        undisturbed = tmp_path / "one.zarr"
    write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder), n_workers=n_workers)
    assert tree(tmp_path / "maps.zarr") == tree(undisturbed)


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_bytes_do_not_depend_on_batches(
    batch_size: int,
    folder: Path,
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def size(n: int) -> int:
        asked.append(n)
        return batch_size

    monkeypatch.setattr("attnxai.explanations.inputs.images_at_once", size)
    write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder))
    assert asked
    assert tree(tmp_path / "maps.zarr") == tree(undisturbed)


class Stopped(BaseException):
    """An interruption, at a moment that a test has chosen."""


def module_of(name: str) -> Any:
    return chunk_files if name in {"compute_chunk", "write_file"} else map_run


def interrupted_after(n: int, what: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Stop at a call of a function of the module, before or (with a + before its name) after it has been carried out."""
    name, after = what.lstrip("+"), what.startswith("+")
    module = module_of(name)
    function = getattr(module, name)
    calls = 0

    def stopping(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == n and not after:
            raise Stopped
        result = function(*args, **kwargs)
        if calls == n:
            raise Stopped
        return result

    monkeypatch.setattr(module, name, stopping)
    return function  # type: ignore[no-any-return]


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


def test_runs_that_were_killed_resume_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program, killed twice at whatever it is doing, with other numbers of workers."""
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
    for n_lines, n_workers in ((2, 1), (5, 2)):
        run = start("b.zarr", n_workers)
        progress = tmp_path / "b.zarr.partial" / "progress.jsonl"
        deadline = time.monotonic() + 100
        while not progress.exists() or progress.read_bytes().count(b"\n") < n_lines:
            assert time.monotonic() < deadline, run.stderr
            time.sleep(0.005)
        assert run.end(signal.SIGKILL) < 0
        run.clear()
        assert not (tmp_path / "b.zarr").exists()
    last = start("b.zarr", 2)
    assert last.wait() == 0, last.stderr
    assert "of 700 images are finished already" in last.stderr
    assert tree(tmp_path / "a.zarr") == tree(tmp_path / "b.zarr")


def half_done(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with monkeypatch.context() as patch:
        interrupted_after(4, "compute_chunk", patch)
        with pytest.raises(Stopped):
            write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder))
    return tmp_path / "maps.zarr.partial"


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
        run = write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder))
    assert run.n_kept == 10
    assert tree(tmp_path / "maps.zarr") == tree(undisturbed)


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


def test_a_second_run_into_the_same_store_is_refused(folder: Path, tmp_path: Path) -> None:
    with (
        locked(tmp_path / ".maps.zarr.lock", output=tmp_path / "maps.zarr"),
        pytest.raises(InUseError, match="another run is writing to"),
    ):
        write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder))


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
            AttnxaiError, match=r"No space left on device.*[Rr]un the same command again"
        ):
            write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder))
    run = write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder))
    assert run.n_kept == 5
    assert tree(tmp_path / "maps.zarr") == tree(undisturbed)


def test_a_folder_that_holds_other_files_is_not_used_for_unfinished_maps(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "maps.zarr.partial").mkdir()
    (tmp_path / "maps.zarr.partial" / "thesis.tex").write_text("mine", encoding="utf-8")
    with pytest.raises(OptionError, match=r"holds other files, such as thesis\.tex"):
        write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder), overwrite=True)
    assert (tmp_path / "maps.zarr.partial" / "thesis.tex").exists()


def test_nothing_is_left_where_no_image_can_be_used(folder: Path, tmp_path: Path) -> None:
    bad = list_images(folder / "images" / "s1[0-4].npy")
    with pytest.raises(ImageError, match=r"none of 5 images of .* can be used"):
        write_map_store(tmp_path / "maps.zarr", "c1.pt", bad)
    assert not list(tmp_path.iterdir())


def test_what_is_wrong_with_the_request_is_said_as_it_is(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "maps.zarr"
    for given, error, message in (
        ({"target": "quasar"}, OptionError, "target 'quasar' is not a class"),
        ({"method": "nonsense"}, OptionError, "unknown explanation method"),
        ({"model": "lenet.pt"}, CheckpointError, "model"),
    ):
        chosen: dict[str, Any] = {"model": "c1.pt", "images": listed(folder), **given}
        with pytest.raises(error, match=message):
            write_map_store(path, **chosen)
    with pytest.raises(OptionError, match=r"should end in \.zarr"):
        write_map_store(tmp_path / "maps.npz", "c1.pt", listed(folder))


def test_images_are_held_a_chunk_at_a_time(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live images are counted whenever one is made."""
    import gc
    import weakref

    live = most = 0
    read = ImageBatch.read

    def gone() -> None:
        nonlocal live
        live -= 1

    def counted(batch: Any) -> Iterator[SourceImage | ImageError]:
        nonlocal live, most
        for image in read(batch):
            if isinstance(image, SourceImage):
                live += 1
                weakref.finalize(image.pixels, gone)
                gc.collect()
                most = max(most, live)
            yield image

    monkeypatch.setattr(ImageBatch, "read", counted)
    write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder))
    # a chunk, and the one image that is read when it is given up
    assert 3 <= most <= 6


def test_methods_that_draw_give_the_same_for_any_number_of_images(
    folder: Path, tmp_path: Path
) -> None:
    """The first chunk draws what explain draws, the others something else, and the seed is that of the run."""
    images = list_images(folder / "images" / "s1[5-9].npy", pixel_scale_arcsec=1.8)
    write_map_store(tmp_path / "a.zarr", "c1.pt", images, "smoothed_gates", seed=4)
    expected = attnxai.explain(attnxai.load_model("c1.pt"), images.read(), "smoothed_gates", rng=4)
    check_same(attnxai.read_maps(tmp_path / "a.zarr"), expected)
    repeated = ImageList.of(
        attnxai.SourceSet(
            SourceImage(source=f"{n}{one.source}", pixels=one.pixels, grid=one.grid)
            for n in "ab"
            for one in images.read()
        )
    )
    write_map_store(tmp_path / "b.zarr", "c1.pt", repeated, "smoothed_gates", seed=4)
    found = attnxai.read_maps(tmp_path / "b.zarr")
    layer = next(iter(found.layers.values()))
    assert found.provenance["explanations"][0]["seed"] == 4
    assert not np.array_equal(layer[:5], layer[5:])
    np.testing.assert_allclose(layer[:5], layer[5:], atol=0.2)


def test_a_method_with_other_layers_for_some_images_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    from attnxai.explanations import EXPLANATIONS, NetworkInputs, register_explanation

    @register_explanation(title="maps with odd names")
    def odd(model: Any, images: Any, *, target: Any, rng: Any) -> Any:
        inputs = NetworkInputs.of(model, images)
        return inputs.stack({images[0].source: inputs.brightness})

    try:
        with pytest.raises(AlignmentError, match="have other layers, sizes or provenance"):
            write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder), "odd")
    finally:
        del EXPLANATIONS["odd"]


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
