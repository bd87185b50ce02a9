"""Files are there whole or not at all, and nothing of somebody else is replaced."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pytest

from attnxai.errors import AttnxaiError, DataSetError, InUseError, OptionError, OutputError
from attnxai.jobs.files import (
    check_output_file,
    clear_partial_files,
    free_path,
    named_faults,
    output_file,
    read_input,
    read_json,
    write_file,
)
from attnxai.jobs.locks import try_lock
from tests.jobs.limits import largest_file


def test_text_and_bytes_are_written_into_folders_that_are_made(tmp_path) -> None:
    write_file(tmp_path / "a" / "b.txt", "ρ = 0.5\r\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"\xcf\x81 = 0.5\r\n"
    write_file(tmp_path / "a" / "b.txt", b"\x00")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"\x00"
    write_file(tmp_path / "a" / "b.txt", "not Unicode: \ud800")
    assert (tmp_path / "a" / "b.txt").read_text() == "not Unicode: \\ud800"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.txt"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_devices_and_folders_are_not_read(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, kind in (
        (tmp_path / "pipe", "a pipe or a device; save it as a file"),
        (Path(os.devnull), "a pipe or a device; save it as a file"),
        (tmp_path, "a folder; name a file in it"),
    ):
        with pytest.raises(DataSetError, match=rf"^table is {kind}$"):
            read_input(path, "table", DataSetError)


def test_a_read_error_names_the_file(tmp_path) -> None:
    with pytest.raises(DataSetError, match=r"^table cannot be read: No such file"):
        read_input(tmp_path / "none", "table", DataSetError)
    memory = Path("/proc/self/mem")  # a file whose first byte cannot be read
    if memory.exists():
        with pytest.raises(DataSetError, match=r"^table cannot be read: Input/output error$"):
            read_input(memory, "table", DataSetError)


def test_what_cannot_be_written_leaves_the_old_file(tmp_path) -> None:
    path = tmp_path / "a.txt"
    write_file(path, "old")
    with (
        largest_file(1000),
        pytest.raises(OutputError, match=r"a\.txt cannot be written: File too large") as caught,
    ):
        write_file(path, b"x" * 5000)
    assert isinstance(caught.value, AttnxaiError)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_files_can_be_read_like_their_neighbours(tmp_path) -> None:
    (tmp_path / "usual").touch()
    write_file(tmp_path / "ours", "x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_link_is_written_through(tmp_path) -> None:
    (tmp_path / "far").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to("far/file.txt")
    for text in ("made", "replaced"):
        write_file(link, text)
        assert link.is_symlink()
        assert (tmp_path / "far" / "file.txt").read_text() == text
    assert [file.name for file in (tmp_path / "far").iterdir()] == ["file.txt"]


def test_faults_are_named_unless_they_are() -> None:
    place = Path("somewhere")
    with (
        pytest.raises(OutputError, match="somewhere cannot be written: No space left on device"),
        named_faults(place),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(FileNotFoundError), named_faults(place):
        Path("no such file").read_text()
    with pytest.raises(DataSetError, match="as it is"), named_faults(place):
        raise DataSetError("as it is")


def test_what_a_killed_process_left_is_cleared_and_what_lives_stays(tmp_path) -> None:
    pytest.importorskip("fcntl")
    target = tmp_path / "m[1].pt"
    names = [f".{target.name}.partial-{n}" for n in "ab"]
    for name in (*names, ".m1.pt.partial-a", ".m[1].pt", "m[1].pt.partial-a"):
        (tmp_path / name).touch()
    with open(tmp_path / names[1], "r+b") as file:
        assert try_lock(file.fileno())
        clear_partial_files(target)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [names[1], ".m1.pt.partial-a", ".m[1].pt", "m[1].pt.partial-a"]
    )


def test_what_is_being_written_is_not_cleared(tmp_path, monkeypatch) -> None:
    pytest.importorskip("fcntl")
    path = tmp_path / "a.txt"
    seen: list[Path] = []

    def lock_and_clear(handle):
        held = try_lock(handle)
        if not seen:
            seen.append(path)
            clear_partial_files(path)
            seen.extend(tmp_path.iterdir())
        return held

    monkeypatch.setattr("attnxai.jobs.files.try_lock", lock_and_clear)
    write_file(path, "x")
    assert len(seen) == 2
    assert seen[1].name.startswith(".a.txt.partial-")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 1_000_000, "nested too deeply"),
        ("{", "Expecting"),
        ("", "Expecting"),
        (b"\xff", "decode"),
        ('{"a": 1e999}', "the number 1e999 is not finite"),
        ("[-Infinity]", "the number -Infinity is not finite"),
        ("[NaN]", "the number NaN is not finite"),
        ('{"\\ud800": 1}', "text that is not Unicode"),
        ('["x\\udC00"]', "text that is not Unicode"),
        ("9" * 5000, "integer string"),
    ],
)
def test_no_json_is_a_value_error(tmp_path, text, words) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=words):
        read_json(path)
    path.write_text('["\\ud83d\\ude00", "\\\\ud800", 1e5]')
    assert read_json(path) == ["😀", "\\ud800", 1e5]
    path.write_text('{"a": [1]}')
    assert read_json(path) == {"a": [1]}


# --- files that are asked for ----------------------------------------------------------------------


def output(path, **options):
    with output_file(path, extensions=(".pt",), **options):
        pass


def test_what_cannot_be_an_output_is_refused_at_the_start(tmp_path) -> None:
    (tmp_path / "folder.pt").mkdir()
    (tmp_path / "m.pt").touch()
    for name, options, words in (
        ("m.txt", {}, "'.*m.txt' should end in .pt"),
        ("folder.pt", {"overwrite": True}, "is a folder; name a file"),
        ("m.pt", {}, "exists already; name another file or add --overwrite"),
        ("m.pt/new.pt", {}, "is a file; name a folder"),
        ("m.pt/new/new.pt", {}, "m.pt is not a folder that can be written to"),
    ):
        with pytest.raises(OptionError, match=f"--output .*{words}"):
            output(tmp_path / name, **options)
    output(tmp_path / "m.pt", overwrite=True)
    with pytest.raises(OptionError, match=r"--figure '.*' should end in one of \.png, \.pdf"):
        check_output_file(tmp_path / "m", extensions=(".png", ".pdf"), option="--figure")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.pt", "m.pt"]


def test_a_folder_is_made_and_goes_with_a_failure(tmp_path) -> None:
    path = tmp_path / "a" / "b" / "m.pt"
    with pytest.raises(IsADirectoryError), output_file(path, extensions=(".pt",)):
        path.parent.read_text()
    assert not list(tmp_path.iterdir())
    with output_file(path, extensions=(".pt",)):
        write_file(path, "x")
    assert [file.name for file in path.parent.iterdir()] == ["m.pt"]


def test_two_runs_do_not_write_one_file(tmp_path) -> None:
    path, link = tmp_path / "m.pt", tmp_path / "link.pt"
    link.symlink_to(path)
    with output_file(path, extensions=(".pt",)):
        for name in (path, link):
            with pytest.raises(InUseError, match="another run is writing"):
                output(name)
    output(path)


def test_a_file_that_appears_meanwhile_is_kept(tmp_path) -> None:
    path = tmp_path / "m.pt"
    assert free_path(path) == path
    path.touch()
    assert free_path(path) == tmp_path / "m-2.pt"
    (tmp_path / "m-2.pt").touch()
    assert free_path(path) == tmp_path / "m-3.pt"
    assert free_path(path, overwrite=True) == path


def test_limits_are_given_back() -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with largest_file(10):
        pass
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == before
