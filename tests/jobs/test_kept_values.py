"""Values that wait on disk come back as they were, or not at all."""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
from pathlib import Path

import numpy as np
import pytest

from attnxai.errors import JobError
from attnxai.jobs import kept_values
from attnxai.jobs.kept_values import KeptValues


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
    assert len(pickle.dumps(vars(values)["_in_memory"])) < 100
    assert [len(one) for one in values] == 3 * [1 << 20]


def test_the_first_values_of_a_file_are_used_again(tmp_path):
    path = tmp_path / "values"
    name = filled(path).name
    again = KeptValues.again(path, name, 3)
    assert again is not None
    assert again.name == name
    assert numbers(again) == [0, 1, 2]
    again.append({"number": 9, "array": np.arange(9)})
    assert numbers(again) == [0, 1, 2, 9]
    more = KeptValues.again(path, name, 4)
    assert more is not None
    assert numbers(more) == [0, 1, 2, 9]
    assert KeptValues.again(path, name, 5) is None
    # a new one replaces it
    new = filled(path, 1)
    assert numbers(new) == [0]
    assert KeptValues.again(path, name, 1) is None
    assert KeptValues.again(tmp_path / "other", name, 1) is None


@pytest.mark.parametrize("fault", ["name", "content", "signature", "cut", "length", "order", "key"])
def test_files_that_were_changed_are_not_read(tmp_path, monkeypatch, fault):
    path = tmp_path / "values"
    values = filled(path)
    name, content = values.name, path.read_bytes()
    ends = [0, *vars(values)["_signed"]._ends]
    if fault == "key":
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
        filled(tmp_path / "another")
    elif fault == "order":
        first, second = content[ends[1] : ends[2]], content[ends[2] : ends[3]]
        path.write_bytes(content[: ends[1]] + second + first + content[ends[3] :])
    elif fault == "cut":
        path.write_bytes(content[: ends[3] + 60])
    else:
        at = {
            "name": ends[1] - 1,
            "content": ends[3] - 3,
            "signature": ends[2] + 12,
            "length": ends[2] + 5,
        }
        path.write_bytes(
            content[: at[fault]] + bytes([content[at[fault]] ^ 8]) + content[at[fault] + 1 :]
        )
    assert KeptValues.again(path, name, 5) is None
    monkeypatch.setattr(kept_values.pickle, "loads", lambda _: pytest.fail("it was unpickled"))
    assert KeptValues.again(path, name, 5) is None
    if fault in ("content", "signature", "length", "cut", "order"):
        monkeypatch.undo()
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        with pytest.raises(JobError, match=r"values was changed while it was used; run the same"):
            list(values)


@contextlib.contextmanager
def largest_file(n_bytes):
    """No file can grow beyond a size, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(os.name != "posix", reason="sizes of files are limited by POSIX")
@pytest.mark.parametrize("limit", range(10, 900, 89))
def test_where_a_disk_is_full_values_wait_in_memory(tmp_path, limit):
    for path in (None, tmp_path / "values"):
        with largest_file(limit):
            values = filled(path)
        assert isinstance(values.fault, OSError)
        values.append({"number": 5, "array": np.arange(5)})
        assert numbers(values) == [0, 1, 2, 3, 4, 5]


def test_where_no_file_can_be_made_values_wait_in_memory(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    values = filled(tmp_path / "file" / "values")
    assert isinstance(values.fault, OSError)
    assert values.name == b""
    assert numbers(values) == [0, 1, 2, 3, 4]
    monkeypatch.setattr(
        kept_values.tempfile, "TemporaryFile", lambda: (_ for _ in ()).throw(PermissionError("no"))
    )
    assert numbers(filled(None)) == [0, 1, 2, 3, 4]
