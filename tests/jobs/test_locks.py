"""One process holds a lock; it is free when the process ends in any way."""

from __future__ import annotations

import os
import signal
import socket
import threading

import pytest

from attnxai.errors import InUseError, OutputError
from attnxai.jobs import locks
from attnxai.jobs.locks import locked
from tests.jobs.limits import largest_file

HOLD = """
import sys, time
from pathlib import Path
from attnxai.jobs.locks import locked
with locked(Path(sys.argv[1]), output=Path("out")):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["with locks", "without locks"])
def file_system(request, monkeypatch):
    """A file system that has locks, and one that has none."""
    if request.param == "without locks":
        monkeypatch.setattr(locks, "try_lock", lambda _: None)
    else:
        pytest.importorskip("fcntl")
    return request.param


def test_a_second_holder_is_refused_with_the_name_of_the_first(tmp_path, file_system) -> None:
    path = tmp_path / "lock"
    owner = rf"process {os.getpid()} on {socket.gethostname()}"
    for _ in range(2):  # it is free again afterwards
        with locked(path, output=tmp_path):
            with (
                pytest.raises(InUseError, match=rf"is writing to {tmp_path} \({owner}\)"),
                locked(path, output=tmp_path),
            ):
                pass
            assert path.exists()
        assert not path.exists()


def test_an_error_frees_it(tmp_path, file_system) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "lock", output=tmp_path):
        _ = 1 / 0
    assert not list(tmp_path.iterdir())


def test_a_full_disk_names_it_and_leaves_nothing(tmp_path, file_system) -> None:
    with (
        largest_file(0),
        pytest.raises(OutputError, match=r"lock cannot be written: File too large"),
        locked(tmp_path / "lock", output=tmp_path),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_a_process_that_was_killed_holds_nothing(tmp_path, start, monkeypatch) -> None:
    path = tmp_path / "lock"
    process = start("-c", HOLD, path)
    process.wait_for(lambda: process.stdout == "held\n", "the lock")
    with (
        pytest.raises(InUseError, match=f"process {process.pid}"),
        locked(path, output=tmp_path),
    ):
        pass
    process.end(signal.SIGKILL)
    left = path.read_text()
    path.write_text(f"a much longer name than that of {left}")
    with locked(path, output=tmp_path):
        assert path.read_text() == f"{socket.gethostname()} {os.getpid()}\n"
    # the same where only the file says who holds it
    path.write_text(left)
    monkeypatch.setattr(locks, "try_lock", lambda _: None)
    with locked(path, output=tmp_path):
        pass


# no process of this machine has the number 99999999
@pytest.mark.parametrize(
    "owner", ["elsewhere 1", "elsewhere 99999999", "", "nonsense", f"{socket.gethostname()} 1"]
)
def test_without_locks_only_a_dead_process_of_this_machine_is_taken_over(
    tmp_path, monkeypatch, owner
) -> None:
    monkeypatch.setattr(locks, "try_lock", lambda _: None)
    (tmp_path / "lock").write_text(owner)
    with pytest.raises(InUseError), locked(tmp_path / "lock", output=tmp_path):
        pass
    assert (tmp_path / "lock").read_text() == owner


def test_a_file_that_its_holder_has_removed_is_made_again(tmp_path, monkeypatch) -> None:
    pytest.importorskip("fcntl")
    path, lock = tmp_path / "lock", locks.try_lock
    handles: list[int] = []

    def removed_before(handle):
        if not handles:
            path.unlink()
        handles.append(handle)
        return lock(handle)

    monkeypatch.setattr(locks, "try_lock", removed_before)
    with locked(path, output=tmp_path):
        assert path.exists()
    assert len(handles) == 2


def test_many_threads_hold_it_one_at_a_time(tmp_path) -> None:
    """The file goes each time, so that some wait for one that is not there any more."""
    pytest.importorskip("fcntl")
    inside, most, held = [], [], []

    def work() -> None:
        while True:
            try:
                with locked(tmp_path / "lock", output=tmp_path):
                    inside.append(1)
                    most.append(len(inside))
                    held.append(1)
                    inside.pop()
            except InUseError:
                continue
            return

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 20
    assert max(most) == 1
