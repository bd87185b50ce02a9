"""A folder is claimed at the start, filled at the end, and holds what others have put there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import threading
from pathlib import Path

import pytest

from attnxai.errors import AttnxaiWarning, InUseError, OptionError, OutputError
from attnxai.jobs.output_folder import (
    MANIFEST_NAME,
    claimed_folder,
    output_folder,
    read_manifest,
    write_manifest,
)
from tests.jobs.limits import largest_file

REPORT = {"index.html": "page", "table.csv": "a,b", "figures/one.png": "1"}


def write(output, files=REPORT, **options):
    """Claim a folder, write files into it and say where they are."""
    with output_folder(output, what="report", **options) as folder:
        fill(folder, files)
    return folder.path


def fill(folder, files=REPORT):
    with folder.writing() as partial:
        for name, text in files.items():
            (partial / name).parent.mkdir(exist_ok=True)
            (partial / name).write_text(text)


def content(folder):
    """Text of every file, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.name != MANIFEST_NAME
    }


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_appear_together_and_the_manifest_names_them(tmp_path) -> None:
    folder = tmp_path / "a" / "out"
    with output_folder(folder, what="report") as output:
        assert output.path == folder
        assert folder.is_dir()
        with output.writing() as partial:
            (partial / "table.csv").write_text("a,b")
            assert content(folder).keys() == {".attnxai-lock", ".attnxai-partial/table.csv"}
    assert content(folder) == {"table.csv": "a,b"}
    assert read_manifest(folder) == ("report", {"table.csv"})
    assert json.loads((folder / MANIFEST_NAME).read_text())["files"] == ["table.csv"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
@pytest.mark.parametrize("when", ["before", "while writing"])
def test_an_error_leaves_nothing(tmp_path, error, when) -> None:
    def fail(partial):
        (partial / "index.html").write_text("x")
        raise error

    def run(output):
        if when == "before":
            raise error
        with output.writing() as partial:
            fail(partial)

    with pytest.raises(error), output_folder(tmp_path / "a" / "out", what="report") as output:
        run(output)
    assert not list(tmp_path.iterdir())


# --- which folder ----------------------------------------------------------------------------------


def test_without_a_name_the_next_free_one_is_claimed_at_the_start(here) -> None:
    (here / "report-2").mkdir()
    (here / "report-3").symlink_to("nowhere")
    claims = [output_folder(None, what="report", default="report") for _ in range(2)]
    with claims[0] as first, claims[1] as second:
        assert (first.path, second.path) == (Path("report"), Path("report-4"))
        fill(second, {"table.csv": "second"})
        fill(first, {"table.csv": "first"})
    assert content(here / "report") == {"table.csv": "first"}
    assert content(here / "report-4") == {"table.csv": "second"}


def test_many_runs_at_once_lose_no_report(here) -> None:
    at_once = threading.Barrier(12)

    def run(number: int) -> None:
        at_once.wait()
        write(None, {"table.csv": str(number)}, default="report")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = {folder.name: content(folder)["table.csv"] for folder in here.iterdir()}
    assert kept.keys() == {"report", *(f"report-{number}" for number in range(2, 13))}
    assert sorted(kept.values(), key=int) == [str(number) for number in range(12)]


def test_a_folder_without_permission_is_refused(here, monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    for output in (None, "out"):
        with pytest.raises(OptionError, match="not a folder that can be written to"):
            write(output, default="report")
    assert not list(here.iterdir())


def test_the_working_folder_is_written_into(here) -> None:
    assert write(".") == Path()
    assert content(here) == REPORT
    write(here / ".", {"table.csv": "new"}, overwrite=True)
    assert content(here) == {"table.csv": "new"}


@pytest.mark.parametrize("output", ["/", "/dev", "/proc"])
def test_the_root_and_mount_points_with_other_files_are_refused(output) -> None:
    with pytest.raises(
        OptionError, match=r"holds other files than a report|not a folder that can be written to"
    ):
        write(output, overwrite=True)


def test_a_link_to_a_folder_is_written_through(here) -> None:
    (here / "far").mkdir()
    (here / "link").symlink_to("far")
    for overwrite in (False, True):
        write("link", overwrite=overwrite)
        assert (here / "link").is_symlink()
        assert content(here / "far") == REPORT


def test_what_is_no_folder_is_refused(here) -> None:
    (here / "file").touch()
    (here / "link").symlink_to("nowhere")
    for output, words in (
        ("file", "is a file; name a folder"),
        ("file/in", "is not a folder that can be written to"),
        ("link", "is a link to nothing"),
    ):
        with pytest.raises(OptionError, match=f"--output {output} .*{words}"):
            write(output, overwrite=True)
    assert sorted(path.name for path in here.iterdir()) == ["file", "link"]


# --- what is replaced ------------------------------------------------------------------------------


def test_a_report_is_replaced_only_on_request_and_nothing_else_is(here) -> None:
    (here / "empty").mkdir()
    write("empty")
    with pytest.raises(OptionError, match=r"holds a report already; .* --overwrite"):
        write("empty")
    (here / "empty" / "notes.txt").write_text("mine")
    (here / "empty" / "figures" / "mine.png").write_text("mine")
    write("empty", {"index.html": "new", "more/two.png": "2"}, overwrite=True)
    assert content(here / "empty") == {
        "index.html": "new",
        "more/two.png": "2",
        "notes.txt": "mine",
        "figures/mine.png": "mine",
    }
    assert read_manifest(here / "empty") == ("report", {"index.html", "more/two.png"})
    # folders that only the earlier report used are gone
    write("empty", overwrite=True)
    assert not (here / "empty" / "more").exists()


def test_what_a_folder_holds_has_its_article(here) -> None:
    with output_folder("old", what="audit") as folder:
        fill(folder)
    for what, words in (("audit", "an audit already;"), ("report", "an audit, not a report;")):
        with pytest.raises(OptionError, match=f"holds {words}"), output_folder("old", what=what):
            pass


def test_other_folders_are_never_written_into(here) -> None:
    (here / "thesis").mkdir()
    (here / "thesis" / "chapter1.tex").touch()
    write_manifest(here / "plan", "plan", ["plan.csv"])
    for output, words in (
        ("thesis", "other files than a report"),
        ("plan", "a plan, not a report"),
    ):
        for overwrite in (False, True):
            with pytest.raises(OptionError, match=f"{output} holds {words}; name another folder"):
                write(output, overwrite=overwrite)
    assert not (here / "thesis" / ".attnxai-lock").exists()


def test_the_page_comes_last(here, monkeypatch) -> None:
    """A folder without it is seen to be unfinished."""
    moved, move = [], shutil.move

    def watch(source, target):
        moved.append(target.name)
        return move(source, target)

    monkeypatch.setattr(shutil, "move", watch)
    write("out", REPORT | {"verdict.txt": "none"})
    assert moved == ["one.png", "table.csv", "verdict.txt", "index.html"]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        "[]",
        '{"format": "attnxai-manifest"}',
        '{"format": "another", "what": "report", "files": []}',
        '{"format": "attnxai-manifest", "what": "report", "files": 3}',
        '{"format": "attnxai-manifest", "what": "report", "files": ["../thesis.tex"]}',
        '{"format": "attnxai-manifest", "what": "report", "files": ["/etc/passwd"]}',
    ],
    ids=["nested", "list", "short", "another", "number", "outside", "absolute"],
)
def test_a_manifest_of_a_stranger_replaces_nothing(here, text) -> None:
    (here / "thesis.tex").write_text("mine")
    (here / "out").mkdir()
    (here / "out" / MANIFEST_NAME).write_text(text)
    with pytest.raises(OptionError, match="holds other files than a report"):
        write("out", overwrite=True)
    assert (here / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize("kind", ["file", "link", "folder", "file for a folder"])
def test_what_appears_meanwhile_is_kept_and_the_report_as_well(here, kind) -> None:
    write("out", {"table.csv": "old", "figures/one.png": "old"})
    with output_folder("out", what="report", overwrite=True) as output:
        place = here / "out" / "index.html"
        if kind == "file":
            place.write_text("mine")
        elif kind == "link":
            place = here / "out" / "table.csv"
            place.unlink()
            place.symlink_to(here / "mine")
        elif kind == "folder":
            place.mkdir()
        else:
            (here / "out" / "figures" / "one.png").unlink()
            (here / "out" / "figures").rmdir()
            (here / "out" / "figures").write_text("mine")
        before = {name: text for name, text in content(here / "out").items() if name[0] != "."}
        with pytest.warns(AttnxaiWarning, match="was not written by a report and stays as it is"):
            fill(output)
    assert output.path == Path("out/report-2")
    after = content(here / "out")
    assert {name: text for name, text in after.items() if "report-2" not in name} == before
    assert content(here / "out" / "report-2") == REPORT


def test_a_report_that_appears_meanwhile_is_kept(here) -> None:
    with output_folder("out", what="report") as output:
        (here / "out" / "table.csv").write_text("another")
        write_manifest(here / "out", "report", ["table.csv"])
        with pytest.warns(AttnxaiWarning, match="stays as it is"):
            fill(output)
    assert (here / "out" / "table.csv").read_text() == "another"
    assert content(output.path) == REPORT


def test_a_folder_that_is_removed_meanwhile_is_made_again(here) -> None:
    with output_folder("out", what="report") as output:
        (here / "out" / ".attnxai-lock").unlink()
        (here / "out").rmdir()
        fill(output)
    assert content(here / "out") == REPORT


# --- runs that fail or are killed ------------------------------------------------------------------


def test_a_full_disk_ends_in_one_sentence_and_keeps_the_old_report(here) -> None:
    write("out")
    with (
        largest_file(100),
        pytest.raises(OutputError, match=r"^out cannot be written: File too large$"),
    ):
        write("out", {**REPORT, "table.csv": "x" * 1000}, overwrite=True)
    assert content(here / "out") == REPORT
    assert sorted(path.name for path in (here / "out").iterdir()) == [
        "figures", "index.html", MANIFEST_NAME, "table.csv",
    ]  # fmt: skip


def test_a_second_run_is_refused_while_the_first_is_at_work(here) -> None:
    with output_folder("out", what="report"):
        for overwrite in (False, True):
            with pytest.raises(InUseError, match="another run is writing to out"):
                write("out", overwrite=overwrite)
    write("out")


def test_a_folder_that_is_claimed_is_not_claimed_twice(here) -> None:
    with output_folder("out", what="report") as output:
        with output_folder(output, what="report") as same:
            assert same is output
        assert (here / "out" / ".attnxai-lock").exists()


KILLED = """
import sys, time
from attnxai.jobs.output_folder import output_folder
output = sys.argv[1] or None
with output_folder(output, what="report", default="report", overwrite=True) as folder:
    with folder.writing() as partial:
        (partial / "index.html").write_text("half")
        print("at work", flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize("output", ["", "out"])
def test_what_a_killed_run_left_is_gone_after_the_next(here, start, output) -> None:
    if output:
        write(output)
    process = start("-c", KILLED, output, cwd=here)
    process.wait_for(lambda: process.stdout == "at work\n", "half a report")
    if not output:  # another run takes the next number
        assert write(None, default="report") == Path("report-2")
    process.end(signal.SIGKILL)
    folder = here / (output or "report")
    assert (folder / ".attnxai-partial" / "index.html").read_text() == "half"
    if output:
        assert {n: t for n, t in content(folder).items() if n[0] != "."} == REPORT
    assert write(output or None, default="report", overwrite=bool(output)) == Path(folder.name)
    assert content(folder) == REPORT
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("output", [None, "report"])
def test_what_a_run_can_go_on_from_stays_until_there_are_results(here, output) -> None:
    with (
        contextlib.suppress(KeyboardInterrupt),
        output_folder(output, what="report", default="report") as folder,
    ):
        folder.unfinished.mkdir()
        (folder.unfinished / "sum").write_text("1")
        raise KeyboardInterrupt
    assert content(here / "report") == {".attnxai-unfinished/sum": "1"}
    with output_folder(output, what="report", default="report") as folder:
        assert folder.path == Path("report")
        assert (folder.unfinished / "sum").read_text() == "1"
        fill(folder)
    assert content(here / "report") == REPORT
    assert not folder.unfinished.exists()


KILLED_WITHIN = """
import os, shutil, signal, sys
from tests.jobs.test_output_folder import REPORT, write

move = shutil.move

def move_and_die(source, target):
    move(source, target)
    if target.name == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)

shutil.move = move_and_die
write("out", {**REPORT, "old.txt": "old"})
"""


@pytest.mark.parametrize("last", ["one.png", "table.csv", "index.html"])
def test_a_run_killed_while_its_files_take_their_places_is_replaced(here, start, last) -> None:
    process = start("-c", KILLED_WITHIN, last, cwd=here)
    assert process.wait() == -signal.SIGKILL
    assert (here / "out" / "index.html").exists() == (last == "index.html")
    (here / "out" / "notes.txt").write_text("mine")
    assert write("out") == Path("out")
    assert content(here / "out") == {**REPORT, "notes.txt": "mine"}
    with pytest.raises(OptionError, match="out holds a report already"):
        write("out")


def test_a_folder_of_work_keeps_what_is_done(here) -> None:
    """A failure takes away only folders that are empty."""

    def refuse(names):
        if "thesis.tex" in names:
            raise OptionError("not mine")

    with pytest.raises(FileNotFoundError), claimed_folder(Path("a/work"), refuse=refuse):
        (here / "a" / "work" / "nowhere" / "blocks").touch()
    assert not (here / "a").exists()
    for error in (None, FileExistsError):
        with (
            contextlib.nullcontext() if error is None else pytest.raises(error),
            claimed_folder(Path("a/work"), refuse=refuse),
        ):
            (here / "a" / "work" / "blocks").touch(exist_ok=False)
    assert [path.name for path in (here / "a" / "work").iterdir()] == ["blocks"]
    (here / "a" / "work" / "thesis.tex").touch()
    with (
        pytest.raises(OptionError, match="not mine"),
        claimed_folder(Path("a/work"), refuse=refuse),
    ):
        pass
