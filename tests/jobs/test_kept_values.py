"""Values that wait on disk come back as they were, or not at all."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import numpy as np
import pytest

from attnxai.errors import JobError
from attnxai.jobs import kept_values
from attnxai.jobs.kept_values import KeptValues
from tests.jobs.limits import largest_file


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def filled(path: Path | None, n: int = 5) -> KeptValues:
    values = KeptValues(path)
    for number in range(n):
        values.append({"number": number, "array": np.arange(number)})
    return values


def numbers(values: KeptValues) -> list[int]:
    found = list(values)
    assert [one["array"].tolist() for one in found] == [list(range(one["number"])) for one in found]
    return [one["number"] for one in found]


@pytest.mark.parametrize("name", [None, "folder/values"])
def test_values_come_in_their_order_again_and_again(tmp_path, name):
    values = filled(name and tmp_path / name)
    assert values.fault is None
    assert numbers(values) == numbers(values) == [0, 1, 2, 3, 4]
    values.append({"number": 5, "array": np.arange(5)})
    assert numbers(values) == [0, 1, 2, 3, 4, 5]


def test_values_of_a_temporary_file_are_not_in_memory():
    values = KeptValues()
    for _ in range(3):
        values.append(bytes(1 << 20))
    assert not values._in_memory
    assert [len(one) for one in values] == 3 * [1 << 20]
    values.close()
    with pytest.raises(ValueError, match="closed file"):
        list(values)


def test_the_first_values_of_a_file_are_used_again(tmp_path):
    path = tmp_path / "values"
    values = filled(path)
    name, end = values.name, values._files[0]._ends[3]
    values.close()
    again = KeptValues.again(path, name, 3)
    assert again is not None
    assert again.name == name
    assert path.stat().st_size == end
    assert (len(again), numbers(again)) == (3, [0, 1, 2])
    again.append({"number": 9, "array": np.arange(9)})
    assert numbers(again) == [0, 1, 2, 9]
    again.close()
    more = KeptValues.again(path, name, 4)
    assert more is not None
    assert numbers(more) == [0, 1, 2, 9]
    more.close()
    assert KeptValues.again(path, name, 5) is None
    # a new one replaces it
    new = filled(path, 1)
    assert numbers(new) == [0]
    new.close()
    assert KeptValues.again(path, name, 1) is None
    assert KeptValues.again(tmp_path / "other", name, 1) is None


CHANGES = ("name", "content", "signature", "cut", "length", "order", "of another", "key")


@pytest.mark.parametrize("change", CHANGES)
def test_files_that_were_changed_are_not_read(tmp_path, monkeypatch, change):
    path = tmp_path / "values"
    values = filled(path)
    name, content, ends = values.name, path.read_bytes(), [0, *values._files[0]._ends]
    at = {
        "name": ends[1] - 1,
        "content": ends[3] - 3,
        "signature": ends[2] + 12,
        "length": ends[2] + 5,
    }
    if change == "key":
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
        filled(tmp_path / "another")
    elif change == "order":
        first, second = content[ends[1] : ends[2]], content[ends[2] : ends[3]]
        path.write_bytes(content[: ends[1]] + second + first + content[ends[3] :])
    elif change == "of another":
        filled(tmp_path / "another")
        other = (tmp_path / "another").read_bytes()
        path.write_bytes(content[: ends[2]] + other[ends[2] : ends[3]] + content[ends[3] :])
    elif change == "cut":
        path.write_bytes(content[: ends[3] + 60])
    else:
        i = at[change]
        path.write_bytes(content[:i] + bytes([content[i] ^ 8]) + content[i + 1 :])
    if change not in ("key", "name"):
        with pytest.raises(
            JobError, match=r"values does not hold what was written to it: .* run the same"
        ):
            list(values)
    values.close()
    monkeypatch.setattr(kept_values.pickle, "loads", lambda _: pytest.fail("it was unpickled"))
    assert KeptValues.again(path, name, 5) is None


def test_two_runs_do_not_share_a_file(tmp_path):
    path = tmp_path / "values"
    first = filled(path)
    assert KeptValues.again(path, first.name, 3) is None
    second = filled(path)
    assert isinstance(second.fault, BlockingIOError)
    for values in (first, second):
        values.append({"number": 5, "array": np.arange(5)})
        assert numbers(values) == [0, 1, 2, 3, 4, 5]
    assert not second._in_memory


def test_values_that_cannot_be_pickled_wait_in_memory(tmp_path):
    """As those of a metric or null that was made within a function."""
    for path in (None, tmp_path / "values"):
        values = filled(path, 2)
        local = lambda: 1
        for value in (local, 2):
            values.append(value)
        assert "local" in str(values.fault) or "lambda" in str(values.fault)
        assert list(values)[2:] == [local, 2]
        assert len(values) == 4


class Piecewise(io.FileIO):
    """A file of a system that writes and reads a few bytes at once."""

    def write(self, data):
        return super().write(data[:7])

    def read(self, n=-1):
        return super().read(min(n, 5))


def test_systems_may_write_and_read_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_values.io, "FileIO", Piecewise)
    values = filled(tmp_path / "values")
    assert values.fault is None
    name = values.name
    assert numbers(values) == [0, 1, 2, 3, 4]
    values.close()
    monkeypatch.undo()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    again = KeptValues.again(tmp_path / "values", name, 5)
    assert again is not None
    assert numbers(again) == [0, 1, 2, 3, 4]


def test_space_that_runs_out_when_the_disk_is_waited_for_is_told(tmp_path, monkeypatch):
    def synced(number):
        def sync(_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(kept_values.os, "fsync", sync)
        values.sync()

    values = filled(tmp_path / "values")
    values.sync()
    synced(errno.EINVAL)
    with pytest.raises(OSError, match="No space left"):
        synced(errno.ENOSPC)


@pytest.mark.parametrize("limit", range(10, 900, 89))
def test_where_disks_are_full_values_wait_in_memory(tmp_path, limit):
    for path in (None, tmp_path / "values"):
        with largest_file(limit):
            values = filled(path)
            assert isinstance(values.fault, OSError)
            assert (
                values._in_memory or path is not None
            )  # what one file has no space for, the other may
        values.append({"number": 5, "array": np.arange(5)})
        assert (len(values), numbers(values)) == (6, [0, 1, 2, 3, 4, 5])


def test_where_a_file_cannot_be_written_values_wait_in_a_temporary_one(tmp_path):
    (tmp_path / "file").write_text("")
    values = filled(tmp_path / "file" / "values")
    assert isinstance(values.fault, OSError)
    assert numbers(values) == [0, 1, 2, 3, 4]
    assert not values._in_memory


def test_where_the_disk_of_a_file_is_full_further_values_wait_in_a_temporary_one(
    tmp_path, monkeypatch
):
    values = filled(tmp_path / "values", 3)

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(values._files[0], "_write", full)
    for number in (3, 4):
        values.append({"number": number, "array": np.arange(number)})
    assert str(values.fault).endswith("No space left on device")
    assert (len(values), len(values._files), numbers(values)) == (5, 2, [0, 1, 2, 3, 4])
    assert not values._in_memory


def test_without_a_home_values_wait_in_a_temporary_file(tmp_path, monkeypatch):
    monkeypatch.setattr(
        kept_values, "user_key", lambda **_: (_ for _ in ()).throw(RuntimeError("no home"))
    )
    values = filled(tmp_path / "values")
    assert isinstance(values.fault, RuntimeError)
    assert not values._in_memory
    assert numbers(values) == [0, 1, 2, 3, 4]
    monkeypatch.setattr(
        kept_values.tempfile, "TemporaryFile", lambda: (_ for _ in ()).throw(PermissionError("no"))
    )
    assert numbers(filled(None)) == [0, 1, 2, 3, 4]
