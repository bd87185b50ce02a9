"""What tests of several subpackages need: the real data where there are any, and a browser."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.figures import blank_figures
from tests.processes import Started


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real images and annotations; tests that ask for it skip where it is absent."""
    folder = os.environ.get("ATTNXAI_DATA")
    if not folder or not (Path(folder) / "mirabest").is_dir():
        pytest.skip("the real data are not here: set ATTNXAI_DATA to their folder")
    return Path(folder)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Chromium's command."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if command := shutil.which(name):
            return command
    pytest.skip("no Chromium on this machine")


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Any]:
    """Chromium, driven by Playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        launched = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def without_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without any data set."""
    monkeypatch.delenv("ATTNXAI_DATA", raising=False)


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Started]]:
    """Start Python processes that are ended after the test, however that ends."""
    started: list[Started] = []

    def begin(*arguments: Any, cwd: Path | None = None) -> Started:
        folder = tmp_path_factory.mktemp("process")
        started.append(Started(*arguments, folder=folder, cwd=cwd))
        return started[-1]

    yield begin
    for process in started:
        process.clear()


@pytest.fixture
def undrawn() -> Iterator[None]:
    """Figures that are composed, with their texts, and not drawn."""
    with blank_figures():
        yield


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let Ctrl-C interrupt this process, as it does not where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A Dask cluster of two worker processes; its scheduler is in this process."""
    distributed = pytest.importorskip("distributed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as made:
            made.wait_for_workers(2)
            yield made
