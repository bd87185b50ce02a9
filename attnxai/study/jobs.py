"""Run jobs side by side in processes of their own, each with a log, none of which outlives this one.

A job tells how far it is by lines of JSON on its standard output; its standard error goes to its log. Its
standard input is a pipe that nothing is written to: when this process ends, in whatever way, the pipe
closes, and the job ends itself.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from attnxai.errors import JobError

_PATIENCE_S = 5.0
_TAIL = 15


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one process is to do.

    Parameters
    ----------
    name : str
        What to call it.
    arguments : tuple of str
        What follows the Python interpreter.
    log : Path
        File that its messages are appended to.
    """

    name: str
    arguments: tuple[str, ...]
    log: Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """Something that a job has told.

    Parameters
    ----------
    job : str
        Its name.
    kind : str
        ``started``, ``training``, ``epoch``, ``measuring``, ``finished`` or ``failed``.
    done, total : int
        Steps, where the kind has some.
    text : str
        Words to show.
    """

    job: str
    kind: str
    done: int = 0
    total: int = 0
    text: str = ""


def run_jobs(
    jobs: Sequence[Job],
    *,
    n_jobs: int = 1,
    threads: int | None = None,
    on_event: Callable[[JobEvent], None] | None = None,
) -> None:
    """Run all jobs, at most ``n_jobs`` at a time; a job that fails does not stop the others.

    Parameters
    ----------
    jobs : sequence of Job
        In the order in which they are started.
    n_jobs : int
        Processes at a time.
    threads : int, optional
        Threads of each process; as its libraries choose when left out.
    on_event : callable, optional
        Called from this thread with everything that jobs tell.

    Raises
    ------
    JobError
        When all others have ended, naming the jobs that failed, with what the first said and where its
        log is.
    """
    told: queue.Queue[tuple[Job, dict[str, Any] | None]] = queue.Queue()
    waiting = list(reversed(jobs))
    running: dict[str, subprocess.Popen[str]] = {}
    failed: dict[str, str] = {}
    with _all_ended(running):
        while waiting or running:
            while waiting and len(running) < n_jobs:
                job = waiting.pop()
                running[job.name] = _start(job, threads, told)
                _tell(on_event, JobEvent(job=job.name, kind="started"))
            job, message = told.get()
            if message is None:
                process = running[job.name]
                code = process.wait()
                _close(process)
                del running[job.name]
                if code and job.name not in failed:
                    failed[job.name] = _why(job, code)
                kind = "failed" if job.name in failed else "finished"
                _tell(on_event, JobEvent(job=job.name, kind=kind, text=failed.get(job.name, "")))
            elif message.get("kind") == "error":
                failed[job.name] = str(message.get("text", ""))
            else:
                _tell(on_event, _event(job, message))
    if failed:
        first = next(iter(failed))
        log = next(job.log for job in jobs if job.name == first)
        others = f" {len(failed)} of {len(jobs)} jobs failed." if len(failed) > 1 else ""
        raise JobError(
            f"{first} was not finished: {failed[first].rstrip('.')}. Its log is {log}.{others} Run the "
            "same command again to go on"
        )


def _tell(on_event: Callable[[JobEvent], None] | None, event: JobEvent) -> None:
    if on_event is not None:
        on_event(event)


def _event(job: Job, message: dict[str, Any]) -> JobEvent:
    return JobEvent(
        job=job.name,
        kind=str(message.get("kind", "")),
        done=int(message.get("done", 0)),
        total=int(message.get("total", 0)),
        text=str(message.get("text", "")),
    )


def _start(
    job: Job, threads: int | None, told: queue.Queue[tuple[Job, dict[str, Any] | None]]
) -> subprocess.Popen[str]:
    environment = dict(os.environ)
    if threads is not None:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            environment[name] = str(threads)
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with open(job.log, "a", encoding="utf-8") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, *job.arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            env=environment,
            # Ctrl-C is for this process alone, which then ends its jobs
            start_new_session=True,
        )
    threading.Thread(target=_listen, args=(job, process, told), daemon=True).start()
    return process


def _listen(
    job: Job,
    process: subprocess.Popen[str],
    told: queue.Queue[tuple[Job, dict[str, Any] | None]],
) -> None:
    with process.stdout or io.StringIO() as stream:
        for line in stream:
            with contextlib.suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict):
                    told.put((job, message))
    told.put((job, None))


@contextlib.contextmanager
def _all_ended(running: dict[str, subprocess.Popen[str]]) -> Iterator[None]:
    """End what still runs when the block ends, also when it ends with an error."""
    try:
        yield
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _close(process)


def _close(process: subprocess.Popen[str]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _why(job: Job, code: int) -> str:
    """Words for an exit code, with the last line of the log."""
    if code < 0:
        return f"its process was ended by signal {-code}, as happens when memory runs out"
    lines = [
        line
        for line in job.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL:]
        if line.strip()
    ]
    return f"its process ended with code {code} ({lines[-1].strip() if lines else 'no message'})"
