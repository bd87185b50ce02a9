"""Pickles are read again by the user who wrote them alone, and by nobody if they were changed."""

from __future__ import annotations

import os
import pickle
import stat

import numpy as np
import pytest

from attnxai.jobs.signed_pickles import read_signed, write_signed


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_what_was_written_is_read_again_with_a_key_that_nobody_else_can_read(tmp_path, home):
    written = {"table": np.arange(2_000_000.0), "names": ("a", "b"), "rest": None}
    write_signed(tmp_path / "kept" / "sum", written)
    found = read_signed(tmp_path / "kept" / "sum")
    np.testing.assert_array_equal(found.pop("table"), written.pop("table"))
    assert found == written
    key = home / "attnxai" / "signing-key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [file.name for file in key.parent.iterdir()] == [key.name]
    before = key.read_bytes()
    write_signed(tmp_path / "kept" / "sum", 1)
    assert key.read_bytes() == before
    assert read_signed(tmp_path / "kept" / "sum") == 1


class Payload:
    def __reduce__(self):
        return os.mkdir, (os.environ["XDG_STATE_HOME"] + "-executed",)


@pytest.mark.parametrize("change", ["flipped", "cut", "longer", "other key", "no key", "unsigned"])
def test_files_of_others_and_changed_files_are_not_unpickled(change, tmp_path, home):
    file, key = tmp_path / "sum", home / "attnxai" / "signing-key"
    write_signed(file, Payload())
    content = file.read_bytes()
    if change == "flipped":
        file.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    elif change == "cut":
        file.write_bytes(content[:-1])
    elif change == "longer":
        file.write_bytes(content + b".")
    elif change == "other key":
        key.write_bytes(bytes(32))
    elif change == "no key":
        key.unlink()
    else:
        file.write_bytes(pickle.dumps(Payload()))
    assert read_signed(file) is None
    assert not (tmp_path / "state-executed").exists()
    file.write_bytes(content)
    if change not in ("other key", "no key"):
        read_signed(file)
        assert (tmp_path / "state-executed").is_dir()


def test_missing_files_and_changed_classes_are_nothing(tmp_path, monkeypatch):
    assert read_signed(tmp_path / "none") is None
    write_signed(tmp_path / "sum", test_missing_files_and_changed_classes_are_nothing)
    monkeypatch.delitem(globals(), "test_missing_files_and_changed_classes_are_nothing")
    assert read_signed(tmp_path / "sum") is None


def test_a_key_of_another_kind_is_refused(tmp_path, home):
    (home / "attnxai").mkdir(parents=True)
    (home / "attnxai" / "signing-key").write_bytes(b"short")
    with pytest.raises(OSError, match=r"signing-key is not a key of attnxai; remove it"):
        write_signed(tmp_path / "sum", 1)
    assert not (tmp_path / "sum").exists()
