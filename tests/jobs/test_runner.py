"""Jobs run here or side by side, say how far they are, and never outlive the process that asked for them."""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
import signal
import sys
import time
import warnings
from pathlib import Path

import pytest

from attnxai.errors import AttnxaiWarning, JobError, OptionError
from attnxai.jobs.files import write_file
from attnxai.jobs.runner import run_jobs
from attnxai.jobs.store import ResultStore
from attnxai.jobs.worker import EventKind, Job
from tests.processes import wait_for

BOTH = pytest.mark.parametrize("n_workers", [1, 2])


def jobs_of(function, *arguments, log=None):
    return [
        Job(
            name=f"job{i}",
            function=function,
            argument=argument,
            log=log / f"job{i}.log" if log is not None else None,
        )
        for i, argument in enumerate(arguments)
    ]


def invert(number, report):
    report("inverting", done=1, total=2)
    return 1 / number


def about_this_process(number, report):
    return number, os.getpid(), os.environ.get("OMP_NUM_THREADS")


@BOTH
def test_results_are_in_the_order_of_the_jobs(n_workers):
    kept, events = {}, []
    jobs = jobs_of(invert, 1, 2, 4, 5)
    found = run_jobs(
        jobs,
        n_workers=n_workers,
        finished={"job1": "finished before", "another": 0},
        on_event=events.append,
        on_result=kept.__setitem__,
    )
    assert list(found.items()) == [
        ("job0", 1.0),
        ("job1", "finished before"),
        ("job2", 0.25),
        ("job3", 0.2),
    ]
    assert kept == {"job0": 1.0, "job2": 0.25, "job3": 0.2}
    for name in kept:
        of_job = [event for event in events if event.job == name]
        assert [event.kind for event in of_job] == ["started", "progress", "finished"]
        assert (of_job[1].text, of_job[1].done, of_job[1].total) == ("inverting", 1, 2)
    assert run_jobs([], n_workers=n_workers) == {}


def test_workers_are_used_again_and_have_their_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    running, most = set(), 0

    def follow(event):
        nonlocal most
        if event.kind is EventKind.STARTED:
            running.add(event.job)
        elif event.kind is EventKind.FINISHED:
            running.discard(event.job)
        most = max(most, len(running))

    found = run_jobs(
        jobs_of(about_this_process, *range(6)), n_workers=2, threads=3, on_event=follow
    )
    assert [number for number, _, _ in found.values()] == list(range(6))
    processes = {process for _, process, _ in found.values()}
    assert len(processes) <= 2
    assert os.getpid() not in processes
    assert {threads for _, _, threads in found.values()} == {"3"}
    assert most == 2
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert not multiprocessing.active_children()


@BOTH
def test_a_single_job_runs_in_this_process(n_workers):
    ((_, process, _),) = run_jobs(jobs_of(about_this_process, 0), n_workers=n_workers).values()
    assert process == os.getpid()


def test_there_is_at_least_one_worker():
    with pytest.raises(OptionError, match="n_workers has to be 1 or more, got 0"):
        run_jobs([], n_workers=0)


# --- failures --------------------------------------------------------------------------------------


@BOTH
def test_a_fault_of_the_program_is_raised_as_it_is(n_workers):
    done = {}
    with pytest.raises(ZeroDivisionError) as caught:
        run_jobs(jobs_of(invert, 1, 0, 3), n_workers=n_workers, on_result=done.__setitem__)
    assert "job1" not in done
    assert not multiprocessing.active_children()
    if n_workers > 1:
        assert "in invert" in "".join(caught.value.__notes__)


def refuse(text, report):
    if text:
        raise OptionError(text)
    return "well"


@BOTH
def test_a_failed_job_does_not_stop_the_others(n_workers, tmp_path):
    events = []
    with pytest.raises(
        JobError, match=r"job0 was not finished: the images are gone\. Its log is .*job0\.log"
    ) as caught:
        run_jobs(
            jobs_of(refuse, "the images are gone", "", "so are these", log=tmp_path / "logs"),
            n_workers=n_workers,
            keep_going=True,
            on_event=events.append,
        )
    assert str(caught.value).endswith("2 of 3 jobs failed. Run the same command again to resume")
    kinds = {(event.job, event.kind, event.text) for event in events}
    assert ("job0", "failed", "the images are gone") in kinds
    assert ("job1", "finished", "") in kinds
    log = (tmp_path / "logs" / "job0.log").read_text()
    assert log.endswith("the images are gone\n")
    assert "Traceback" not in log


@BOTH
def test_an_error_that_the_user_can_put_right_names_the_job(n_workers):
    with pytest.raises(JobError, match=r"job1 was not finished: no such map\. Run") as caught:
        run_jobs(jobs_of(refuse, "", "no such map"), n_workers=n_workers)
    assert isinstance(caught.value.__cause__, OptionError)


def end(how, report):
    sys.stderr.write(f"ending by {how}\n")
    sys.stderr.flush()
    if how == "signal":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exit":
        os._exit(3)
    if how == "unpicklable":
        return lambda: None
    return "well"


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("signal", "its process was ended by signal 9, as happens when memory runs out"),
        ("exit", r"its process ended with code 3 \(ending by exit\)"),
        ("unpicklable", "its result cannot be handed over"),
    ],
)
def test_a_job_whose_process_ends_is_named(tmp_path, how, text):
    done = {}
    with pytest.raises(JobError, match=f"job1 was not finished: {text}"):
        run_jobs(
            jobs_of(end, "well", how, "well", "well", log=tmp_path),
            n_workers=2,
            keep_going=True,
            on_result=done.__setitem__,
        )
    assert set(done) == {"job0", "job2", "job3"}


def log_everything(text, report):
    warnings.warn(text, AttnxaiWarning, stacklevel=1)
    logging.getLogger("attnxai.somewhere").info("so far so %s", text)
    return os.getpid()


@BOTH
def test_logs(n_workers, tmp_path):
    jobs = jobs_of(log_everything, "good", "well", log=tmp_path)
    for _ in range(2):
        run_jobs(jobs, n_workers=n_workers)
    lines = [line[24:] for line in (tmp_path / "job1.log").read_text().splitlines()]
    assert lines == ["note: well", "so far so well"] * 2


def print_everything(text, report):
    sys.stdout.write(f"{text}\n")
    os.write(2, b"by a library\n")


def test_what_a_worker_prints_is_in_its_log(tmp_path, capfd):
    run_jobs(jobs_of(print_everything, "one", "two", log=tmp_path), n_workers=2)
    assert sorted((tmp_path / "job1.log").read_text().splitlines()) == ["by a library", "two"]
    assert capfd.readouterr().out == ""


def test_progress_is_not_reported_more_often_than_anybody_can_follow():
    events = []
    run_jobs(jobs_of(count_to, 5000), on_event=events.append)
    steps = [event.done for event in events if event.kind is EventKind.PROGRESS]
    assert len(steps) < 500
    assert steps[-1] == 5000


def count_to(total, report):
    for number in range(total):
        report("counting", done=number + 1, total=total)


# --- interruptions ---------------------------------------------------------------------------------


def wait(file, report):
    write_file(file, str(os.getpid()))  # whole, also where this process is ended at once
    report("waiting")
    time.sleep(60)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_an_interruption_ends_the_workers(tmp_path):
    def interrupt(event):
        if event.text == "waiting":
            raise KeyboardInterrupt

    files = [str(tmp_path / name) for name in ("a", "b")]
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs_of(wait, *files), n_workers=2, on_event=interrupt)
    assert not multiprocessing.active_children()
    for file in files:
        assert not Path(file).exists() or not is_running(int(Path(file).read_text()))


def write_without_end(path, report):
    """Write a file of which a part is there when this process is asked to end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", lambda *_: (report("waiting"), time.sleep(60)))
        write_file(path, "x")


def test_a_worker_that_is_ended_leaves_no_part_of_a_file(tmp_path):
    def interrupt(event):
        if event.text == "waiting":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs(
            jobs_of(write_without_end, *(str(tmp_path / name) for name in "ab")),
            n_workers=2,
            on_event=interrupt,
        )
    assert not list(tmp_path.glob(".*"))


def ignores_interruptions(_, report):
    os.kill(os.getpid(), signal.SIGINT)
    return "well"


def test_workers_leave_interruptions_to_this_process():
    found = run_jobs(jobs_of(ignores_interruptions, 0, 1), n_workers=2)
    assert set(found.values()) == {"well"}


PARENT = """
from attnxai.jobs.runner import run_jobs
from tests.jobs.test_runner import jobs_of, wait
if __name__ == "__main__":
    run_jobs(jobs_of(wait, *FILES), n_workers=2)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_when_this_process_is_killed(tmp_path, start, monkeypatch, how):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    files = [tmp_path / name for name in ("a", "b")]
    script = tmp_path / "script.py"
    script.write_text(PARENT.replace("FILES", repr([str(file) for file in files])))
    process = start(script)
    process.wait_for(lambda: all(file.exists() for file in files), "two workers")
    workers = [int(file.read_text()) for file in files]
    assert all(map(is_running, workers))
    process.end(how)
    wait_for(lambda: not any(map(is_running, workers)), "the end of the workers")


# --- chunks of maps: large results in files of their own -------------------------------------------


def save_chunk(chunk, report):
    path, numbers = Path(chunk[0]), chunk[1]
    content = json.dumps([number**2 for number in numbers]).encode()
    write_file(path, content)
    return {"file": path.name, "sha256": hashlib.sha256(content).hexdigest()}


def intact(folder, result):
    path = folder / result["file"]
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == result["sha256"]


def test_a_run_that_was_cut_off_goes_on_where_it_was(tmp_path):
    chunks = [(str(tmp_path / f"{i}.json"), list(range(3 * i, 3 * i + 3))) for i in range(5)]

    def run(on_event=None):
        store = ResultStore(tmp_path / "finished.jsonl", identity={"model": "d8"})
        finished = {name: r for name, r in store.results.items() if intact(tmp_path, r)}
        run_jobs(
            jobs_of(save_chunk, *chunks),
            finished=finished,
            on_event=on_event,
            on_result=store.add,
        )

    def interrupt(event):
        if (event.job, event.kind) == ("job3", "started"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(interrupt)
    (tmp_path / "1.json").write_bytes(b"spoilt")
    started = []
    run(lambda event: started.append(event.job) if event.kind == "started" else None)
    assert started == ["job1", "job3", "job4"]
    for path, numbers in chunks:
        assert json.loads(Path(path).read_text()) == [number**2 for number in numbers]
