"""The rules for readers are really checked: readers that break each of them are found out."""

from __future__ import annotations

import ctypes
import gzip
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import strategies as st

from attnxai.errors import DataSetError
from tests.hostile.harness import check_reader, fuzz, in_own_process
from tests.hostile.mutations import Edit, damaged


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(b"content")
    return tmp_path / "file"


def test_a_value_and_an_error_of_ours_are_both_well(file: Path) -> None:
    def refuse(path: Path) -> None:
        raise DataSetError(f"{path} is no data set")

    assert check_reader(Path.read_bytes, file) is None
    assert "is no data set" in str(check_reader(refuse, file))


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        (lambda path: _raise(KeyError("key")), "key"),
        (lambda path: os.system("true"), "executed something: os.system"),  # noqa: S605
        (lambda path: subprocess.run(["true"], check=True), "executed something: subprocess.Popen"),
        (lambda path: _raise(DataSetError("")), "without a message"),
        (lambda path: _raise(DataSetError("\ud800")), "surrogates not allowed"),
        (lambda path: _raise(DataSetError("x " * 5000)), "a message of 10000 characters"),
        (lambda path: bytearray(2 << 30), None),
    ],
)
def test_what_breaks_a_rule(file: Path, reader, text: str | None) -> None:
    with pytest.raises((KeyError, AssertionError, UnicodeEncodeError, MemoryError), match=text):
        check_reader(reader, file)


def test_refused_memory_is_no_damage(file: Path) -> None:
    def reader(path: Path) -> None:
        try:
            bytearray(2 << 30)
        except Exception as error:
            raise DataSetError(f"{path} is damaged") from error

    with pytest.raises(AssertionError, match="more memory than the file can need"):
        check_reader(reader, file)


def test_memory_that_a_large_file_may_take(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(4 << 20))
    assert check_reader(lambda path: bytearray(100 << 20), tmp_path / "large", allowance=0) is None
    with pytest.raises(MemoryError):
        check_reader(lambda path: bytearray(300 << 20), tmp_path / "large", allowance=0)


@pytest.mark.parametrize("pause", [0.0, 5.0])
def test_an_endless_reader(file: Path, pause: float) -> None:
    def reader(path: Path) -> None:
        while True:
            try:
                time.sleep(pause)
            except Exception:  # noqa: BLE001, S112
                continue

    with pytest.raises(AssertionError, match=r"more than 0.1 s"):
        check_reader(reader, file, seconds=0.1)


def fails_for_a_word(path: Path | str) -> None:
    if b"word" in Path(path).read_bytes():
        raise KeyError


def test_fuzzing_finds_a_fault() -> None:
    with pytest.raises(KeyError):
        fuzz(fails_for_a_word, damaged([b"valid"], words=[b"word"]), file_name="f", examples=100)
    packed = damaged([b"valid"], words=[b"word"], wrap=gzip.compress)
    fuzz(fails_for_a_word, packed, file_name="f.gz", examples=20)
    fuzz(fails_for_a_word, st.binary(max_size=3), file_name="f", examples=20)


def crash(address: int) -> None:
    ctypes.string_at(address)


def spin() -> None:
    while True:
        pass


def fine() -> None:
    pass


def test_a_crash_is_a_failed_test() -> None:
    in_own_process(fine)
    with pytest.raises(AssertionError, match="ended with signal 11"):
        in_own_process(crash, 0)


def test_an_error_is_named_first() -> None:
    with pytest.raises(AssertionError, match=r"ended with code 1: .*FileNotFoundError: .*no-file"):
        in_own_process(fails_for_a_word, "no-file")


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of processor time there")
def test_what_takes_too_long_is_ended() -> None:
    with pytest.raises(AssertionError, match="ended with signal"):
        in_own_process(spin, seconds=2)


@pytest.mark.parametrize(
    ("edit", "result"),
    [
        (Edit("truncate", 0.5), b"12, "),
        (Edit("delete", 0.3, 3), b"124.5"),
        (Edit("repeat", 0.0, 2), b"1212, 34.5"),
        (Edit("insert", 0.2, data=b"x"), b"1x2, 34.5"),
        (Edit("flip", 0.0, 1), b"02, 34.5"),
        (Edit("overwrite", 0.9, data=b"xyz"), b"12, 34.xyz"),
        (Edit("number", 0.6, data=b"nan"), b"12, nan"),
        (Edit("word", 0.0, data=b"x"), b"x, 34.5"),
    ],
)
def test_edits(edit: Edit, result: bytes) -> None:
    assert edit.apply(b"12, 34.5") == result
    assert edit.apply(b"") in {b"", edit.data}
