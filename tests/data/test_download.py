from __future__ import annotations

import hashlib
import http.server
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from attnxai.data import download, mirabest
from attnxai.data.download import cache_folder, fetch_mirabest
from attnxai.errors import DataSetError

CONTENT = b"not galaxies, but the bytes that were asked for"


class Server(http.server.ThreadingHTTPServer):
    """Serves one content for every path and counts how often."""

    n_asked = 0
    content = CONTENT


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every GET."""

    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.n_asked += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """An archive of the right checksum on this machine's own network."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{running.server_address[1]}/archive"
        monkeypatch.setattr(mirabest, "ARCHIVE_URL", url)
        md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
        monkeypatch.setattr(mirabest, "ARCHIVE_MD5", md5)
        logging.getLogger("pooch").setLevel(logging.WARNING)
        yield running
        running.shutdown()
        thread.join()


def test_archive_is_fetched_once(server: Server, tmp_path: Path) -> None:
    path = fetch_mirabest(tmp_path / "new", progress=False)
    assert path == tmp_path / "new" / mirabest.ARCHIVE_NAME
    assert path.read_bytes() == CONTENT
    assert fetch_mirabest(tmp_path / "new", progress=False) == path
    assert server.n_asked == 1


def test_archive_goes_into_the_cache_by_default(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "cache_folder", lambda: tmp_path / "cache")
    assert fetch_mirabest(progress=False).parent == tmp_path / "cache"
    assert server.n_asked == 1


def test_other_content_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:-1]
    with pytest.raises(DataSetError, match=r"could not be fetched from .*data_dir"):
        fetch_mirabest(tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_damaged_file_in_the_cache_is_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / mirabest.ARCHIVE_NAME).write_bytes(b"truncated")
    assert fetch_mirabest(tmp_path, progress=False).read_bytes() == CONTENT
    assert server.n_asked == 1


def test_unreachable_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    # nobody listens there any more
    monkeypatch.setattr(mirabest, "ARCHIVE_URL", f"http://127.0.0.1:{port}/archive")
    with pytest.raises(DataSetError, match=f"could not be fetched from http://127.0.0.1:{port}"):
        fetch_mirabest(tmp_path, progress=False)


def test_cache_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    own = cache_folder()
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder().name == "attnxai"
    assert cache_folder().is_absolute()
    assert cache_folder() != own


def test_tests_and_the_processes_they_start_share_another_cache(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The whole of a test run has one, in the folder that pytest makes for the run."""
    code = "from attnxai.data.download import cache_folder; print(cache_folder())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == cache_folder()
    workers = "PYTEST_XDIST_WORKER" in os.environ
    run = tmp_path_factory.getbasetemp().parent if workers else tmp_path_factory.getbasetemp()
    assert cache_folder().is_relative_to(run)
