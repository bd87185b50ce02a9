"""What tests of several rooms need: the real data where there are any, and a browser."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


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


@pytest.fixture
def without_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without any data set."""
    monkeypatch.delenv("ATTNXAI_DATA", raising=False)
