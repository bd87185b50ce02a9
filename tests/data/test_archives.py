"""Gzipped tar archives: what is read of them, and what their headers cannot bring about."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from attnxai.data import archives
from attnxai.data.archives import read_archive
from attnxai.data.batches import is_batch
from attnxai.errors import DataSetError
from tests.data.archive_files import header_of, pack
from tests.hostile.harness import EFFORTS, fuzz
from tests.hostile.mutations import damaged


def test_wanted_files_are_read_in_memory(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar.gz", {"x/one": b"1", "x/two": b"2", "y/one": b"3"})
    found = read_archive(path, wanted=lambda name: name == "one")
    assert found == {PurePosixPath("x/one"): b"1", PurePosixPath("y/one"): b"3"}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["../test_batch", "/etc/test_batch", "a/../../test_batch"])
def test_paths_lead_nowhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    path = pack(tmp_path / "in" / "a.tar.gz", {name: b"content"})
    assert list(read_archive(path, wanted=is_batch).values()) == [b"content"]
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "in", path]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_passed_over(tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    target = str(tmp_path / "secret").encode()
    path = pack(tmp_path / "a.tar.gz", {"test_batch": target}, test_batch=kind)
    assert read_archive(path, wanted=is_batch) == {}


def test_same_path_twice(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        for content in (b"1", b"2"):
            member = tarfile.TarInfo("b/test_batch")
            member.size = 1
            archive.addfile(member, io.BytesIO(content))
    with pytest.raises(DataSetError, match="holds b/test_batch twice"):
        read_archive(tmp_path / "a.tar.gz", wanted=is_batch)


def test_truncated_anywhere(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar.gz", {"b/test_batch": os.urandom(3000)})
    content = path.read_bytes()
    for length in range(0, len(content) - 100, 211):
        path.write_bytes(content[:length])
        with pytest.raises(DataSetError, match=r"a\.tar\.gz cannot be read, it may be truncated"):
            read_archive(path, wanted=is_batch)


@pytest.mark.parametrize(
    "content", [b"text", gzip.compress(b"no archive" * 100, mtime=0)], ids=["text", "gzip"]
)
def test_other_content(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tar.gz").write_bytes(content)
    with pytest.raises(DataSetError, match="cannot be read"):
        read_archive(tmp_path / "a.tar.gz", wanted=is_batch)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize(
    "folder", ["", "d/", "d" * 90 + "/", "e" * 60 + "/" + "f" * 90 + "/", "gä/"]
)
def test_what_tarfile_writes_in_every_format(tmp_path: Path, form: int, folder: str) -> None:
    contents = {
        f"{folder}test_batch": b"t" * 700,
        f"{folder}data_batch_1": b"",
        f"{folder}x": b"no",
    }
    pack(tmp_path / "a.tgz", contents, form=form)
    found = read_archive(tmp_path / "a.tgz", wanted=is_batch)
    assert found == {PurePosixPath(n): c for n, c in contents.items() if not n.endswith("x")}


def test_folders_named_as_files_are_passed_over(tmp_path: Path) -> None:
    pack(tmp_path / "a.tgz", {"test_batch": b""}, test_batch=tarfile.DIRTYPE)
    assert read_archive(tmp_path / "a.tgz", wanted=is_batch) == {}
    (tmp_path / "b.tgz").write_bytes(gzip.compress(header_of("test_batch/", 0) + bytes(1024)))
    assert read_archive(tmp_path / "b.tgz", wanted=is_batch) == {}


def test_an_archive_that_inflates_without_end(tmp_path: Path) -> None:
    """A megabyte that holds a gigabyte, in a file that is wanted and in one that is not."""
    for name in ("test_batch", "other"):
        content = header_of(name, 1 << 30) + bytes(1 << 20)
        packed = gzip.compress(content, 9)
        (tmp_path / "a.tgz").write_bytes(packed + gzip.compress(bytes(8 << 20), 9) * 127)
        with pytest.raises(
            DataSetError, match=r"a\.tgz inflates to more than \d+ bytes; unpack it"
        ):
            read_archive(tmp_path / "a.tgz", wanted=is_batch)


def test_what_is_allowed_grows_with_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_MOST_INFLATED", 10_000)
    path = pack(tmp_path / "a.tgz", {"test_batch": os.urandom(20_000)})
    assert len(read_archive(path, wanted=is_batch)[PurePosixPath("test_batch")]) == 20_000
    path = pack(tmp_path / "a.tgz", {"test_batch": bytes(200_000)})
    with pytest.raises(DataSetError, match="inflates to more than"):
        read_archive(path, wanted=is_batch)


@pytest.mark.parametrize(
    "size", [b"\x80" + b"\xff" * 11, b"\xff" * 12, b"-0000000001\0", b"77777777777\0"]
)
def test_sizes_that_cannot_be(tmp_path: Path, size: bytes) -> None:
    (tmp_path / "a.tgz").write_bytes(gzip.compress(header_of("test_batch", size) + bytes(2048)))
    with pytest.raises(DataSetError, match=r"inflates to more|cannot be read"):
        read_archive(tmp_path / "a.tgz", wanted=is_batch)


def test_sparse_files_are_passed_over(tmp_path: Path) -> None:
    """A tebibyte of nothing, as GNU tar stores it in the format of POSIX."""
    record = b"GNU.sparse.major=1\nGNU.sparse.name=test_batch\nGNU.sparse.realsize=1099511627776\n"
    records = b"".join(b"%d %s\n" % (len(line) + 4, line) for line in record.splitlines())
    content = header_of("x", len(records), kind=b"x") + records.ljust(512, b"\0")
    content += header_of("test_batch", 512) + bytes(512) + bytes(1024)
    (tmp_path / "a.tgz").write_bytes(gzip.compress(content))
    assert read_archive(tmp_path / "a.tgz", wanted=is_batch) == {}


@pytest.mark.parametrize("kind", [b"x", b"L"])
def test_headers_as_long_as_a_file(tmp_path: Path, kind: bytes) -> None:
    content = header_of("x", 1 << 20, kind=kind) + b"1" * (1 << 20) + header_of("test_batch", 0)
    (tmp_path / "a.tgz").write_bytes(gzip.compress(content + bytes(1024)))
    with pytest.raises(DataSetError, match=r"cannot be read.*a header of 1048576 bytes"):
        read_archive(tmp_path / "a.tgz", wanted=is_batch)


def test_damage_is_noticed_by_the_checksum(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tgz", {"test_batch": os.urandom(3000)})
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # of the checksum itself
    path.write_bytes(content)
    with pytest.raises(DataSetError, match="cannot be read"):
        read_archive(path, wanted=is_batch)


def test_an_archive_of_nothing_but_headers_and_of_zeros_after_its_end(tmp_path: Path) -> None:
    for content in (header_of("x", 0) * 2000, bytes(1 << 20)):
        (tmp_path / "a.tgz").write_bytes(gzip.compress(content))
        assert read_archive(tmp_path / "a.tgz", wanted=is_batch) == {}


def unpacked(form: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name in ("d" * 120 + "/test_batch", "d/data_batch_1"):
            member = tarfile.TarInfo(name)
            member.size = 30
            archive.addfile(member, io.BytesIO(bytes(30)))
    return buffer.getvalue()


@pytest.mark.parametrize("effort", EFFORTS)
def test_any_archive(effort: int) -> None:
    valid = [
        unpacked(form) for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
    ]
    words = [
        header_of("test_batch", 30),
        header_of("p", 20, kind=b"x"),
        b"20 path=test_batch\n",
        b"ustar\x0000",
    ]

    def reader(path: Path) -> None:
        read_archive(path, wanted=is_batch)

    packed = damaged(valid, words=words, wrap=lambda content: gzip.compress(content, 1, mtime=0))
    fuzz(reader, packed, file_name="a.tar.gz", examples=300 * effort, allowance=200 << 20)
    damaged_outside = damaged([gzip.compress(content, mtime=0) for content in valid])
    fuzz(reader, damaged_outside, file_name="a.tar.gz", examples=100 * effort, allowance=200 << 20)
