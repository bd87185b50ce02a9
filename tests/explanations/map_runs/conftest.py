"""Images of which some cannot be used, maps of them, and runs that are stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attnxai.data.image_list import ImageList, list_images
from attnxai.explanations import chunk_files, map_run
from attnxai.explanations.files import map_chunks, map_store
from attnxai.explanations.map_run import write_map_store

N = 22


@pytest.fixture
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
