"""Run jobs in this process, in parallel in worker processes that end with it, or in a Dask cluster.

A job is a function of a module and an argument; both are pickled for a worker process. Workers are started
by ``spawn``, so a script that asks for more than one of them has to guard its own code with
``if __name__ == "__main__":``, as the documentation of :mod:`multiprocessing` explains.
"""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from multiprocessing import connection, resource_tracker
from typing import Any

from attnxai.errors import AttnxaiError, JobError, OptionError
from attnxai.jobs.plugins import LOADED
from attnxai.jobs.worker import EventKind, Job, JobEvent, Outcome, perform, serve

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_PATIENCE_S = 5.0


def run_jobs(
    jobs: Sequence[Job],
    *,
    n_workers: int = 1,
    threads: int = 1,
    scheduler: str | None = None,
    finished: Mapping[str, Any] | None = None,
    keep_going: bool = False,
    keep_results: bool = True,
    on_event: Callable[[JobEvent], None] | None = None,
    on_result: Callable[[str, Any], None] | None = None,
) -> dict[str, Any]:
    """Run all jobs that are not in ``finished``; their results by name, in the order of the jobs.

    With one worker the jobs run in this process, one after the other. ``threads`` is for the numerical
    libraries of worker processes. With ``keep_going`` the other jobs run when one has failed; without it
    the first failure ends all of them. ``on_event`` and ``on_result`` are called in this process; large results
    that ``on_result`` has taken need not be kept.

    With the address of a Dask ``scheduler``, such as ``tcp://host:8786``, jobs run on the workers of its cluster, two a
    worker at a time, however many there are. The workers have to see files under the same paths as this process. Jobs
    report no progress, and the job of a worker that is lost is run by another one, so that it may be run twice.

    A job that ends with an :class:`~attnxai.errors.AttnxaiError`, or whose process ends, is named in a
    :class:`~attnxai.errors.JobError`; any other error of a job that has no log is raised as it is. No job
    that has ended is tried twice.
    """
    if n_workers < 1:
        raise OptionError(f"n_workers has to be 1 or more, got {n_workers}")
    if scheduler is not None and n_workers > 1:
        raise OptionError(
            f"n_workers={n_workers} is for processes of this machine, and scheduler={scheduler} for those of a cluster; give "
            "one of them"
        )
    results = {job.name: finished[job.name] for job in jobs if finished and job.name in finished}
    remaining = [job for job in jobs if job.name not in results]

    def tell(event: JobEvent) -> None:
        if on_event is not None:
            on_event(event)

    n_workers = min(n_workers, len(remaining))
    if scheduler is not None and remaining:
        from attnxai.jobs.dask_jobs import in_cluster

        outcomes = in_cluster(remaining, tell, scheduler, threads)
    elif n_workers <= 1:
        outcomes = _in_this_process(remaining, tell)
    else:
        outcomes = _in_workers(remaining, tell, n_workers, threads)
    failures: dict[str, str] = {}
    with contextlib.closing(outcomes):
        for job, outcome in outcomes:
            if outcome.error is None:
                results[job.name] = outcome.result if keep_results else None
                if on_result is not None:
                    on_result(job.name, outcome.result)
                tell(JobEvent(job=job.name, kind=EventKind.FINISHED))
                continue
            failures[job.name] = outcome.reason
            tell(JobEvent(job=job.name, kind=EventKind.FAILED, text=outcome.reason))
            if not keep_going:
                _raise(jobs, failures, outcome.error)
    if failures:
        _raise(jobs, failures, None)
    return {job.name: results[job.name] for job in jobs}


def _raise(jobs: Sequence[Job], failures: Mapping[str, str], error: Exception | None) -> None:
    first = next(job.name for job in jobs if job.name in failures)
    log = next(job.log for job in jobs if job.name == first)
    if error is not None and not isinstance(error, AttnxaiError) and log is None:
        raise error
    sentences = [f"{first} was not finished: {failures[first].rstrip('.')}"]
    if log is not None:
        sentences.append(f"Its log is {log}")
    if len(failures) > 1:
        sentences.append(f"{len(failures)} of {len(jobs)} jobs failed")
    run_again = "Run the same command again to resume"
    if os.strerror(errno.ENOSPC) in sentences[0]:
        run_again = "Free space, then run the same command again to resume"
    raise JobError(". ".join([*sentences, run_again])) from error


def _in_this_process(
    jobs: Sequence[Job], tell: Callable[[JobEvent], None]
) -> Generator[tuple[Job, Outcome]]:
    for job in jobs:
        tell(JobEvent(job=job.name, kind=EventKind.STARTED))
        yield job, perform(job, tell)


def _in_workers(
    jobs: Sequence[Job], tell: Callable[[JobEvent], None], n_workers: int, threads: int
) -> Generator[tuple[Job, Outcome]]:
    waiting = list(reversed(jobs))
    workers: dict[connection.Connection, _Worker] = {}
    try:
        while waiting or workers:
            while waiting and len(workers) < n_workers:
                worker = _Worker(threads)
                workers[worker.connection] = worker
                worker.begin(waiting.pop(), tell)
            for ready in connection.wait(list(workers)):
                worker = workers[ready]  # type: ignore[index]
                message = worker.receive()
                if isinstance(message, JobEvent):
                    tell(message)
                    continue
                yield worker.job, message
                if waiting and worker.process.is_alive():
                    worker.begin(waiting.pop(), tell)
                else:
                    worker.end()
                    del workers[worker.connection]
    finally:
        # twice, as an exception within a finaliser is lost
        for _ in range(2):
            for worker in workers.values():
                worker.process.terminate()
            for worker in workers.values():
                worker.process.join(_PATIENCE_S)
        for worker in workers.values():
            if worker.process.is_alive():
                worker.process.kill()
            worker.end()


class _Worker:
    """A process that runs one job after another."""

    job: Job

    def __init__(self, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, tuple(LOADED)), daemon=True)
        with _environment(threads), _interruptions_delayed():
            self.process.start()
        theirs.close()

    def begin(self, job: Job, tell: Callable[[JobEvent], None]) -> None:
        self.job = job
        tell(JobEvent(job=job.name, kind=EventKind.STARTED))
        # a process that has ended is noticed when its next message is received
        with contextlib.suppress(BrokenPipeError):
            self.connection.send(job)

    def receive(self) -> JobEvent | Outcome:
        """The next message of the process; where it has ended, an outcome with the reason."""
        try:
            message: JobEvent | Outcome = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return Outcome(error=JobError(self._how_it_ended()))
        return message

    def _how_it_ended(self) -> str:
        code = self.process.exitcode or 0
        if code < 0:
            cause = ", as happens when memory runs out" if -code == 9 else ""
            return f"its process was ended by signal {-code}{cause}"
        lines: list[str] = []
        if self.job.log is not None and self.job.log.is_file():
            text = self.job.log.read_text(encoding="utf-8", errors="replace")
            lines = [line.strip() for line in text[-5000:].splitlines() if line.strip()]
        return f"its process ended with code {code} ({lines[-1] if lines else 'no message'})"

    def end(self) -> None:
        """Let the process end, and wait for it."""
        self.connection.close()
        self.process.join()
        self.process.close()


@contextlib.contextmanager
def _environment(threads: int) -> Iterator[None]:
    """Start a process with the environment variables that set the number of threads of its libraries."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _interruptions_delayed() -> Iterator[None]:
    """Start a process that Ctrl-C does not reach: the mask is inherited, and this process handles it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # when it starts, it unblocks the signal
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
