"""Jobs, their events, and the worker process that runs them."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import logging
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from attnxai.errors import AttnxaiError, AttnxaiWarning, JobError
from attnxai.jobs.plugins import load_plugins

_PARENT_GONE, _ASKED_TO_END = 130, 143
_REPORT_EVERY_S = 0.2

logger = logging.getLogger("attnxai")


class Report(Protocol):
    """Called by a job to report its progress."""

    def __call__(self, text: str = "", *, done: int = 0, total: int = 0) -> None:
        """Report the number of finished steps, of all steps, and what is being done."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A function of a module, to be called with ``argument`` and a :class:`Report`.

    ``name`` is its name in messages and in a store. Warnings, log messages and the traceback of an error
    are appended to the file ``log``, and in a worker process everything that is printed.
    """

    name: str
    function: Callable[[Any, Report], Any]
    argument: Any = None
    log: Path | None = None


class EventKind(enum.StrEnum):
    """Kind of an event."""

    STARTED = "started"
    PROGRESS = "progress"
    FINISHED = "finished"
    FAILED = "failed"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """An event of a job.

    ``done`` and ``total`` count steps, and are 0 where the job does not count them; ``text`` says what the
    job is at, or why it failed.
    """

    job: str
    kind: EventKind
    done: int = 0
    total: int = 0
    text: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Result of a job, or its error."""

    result: Any = None
    error: Exception | None = None

    @property
    def reason(self) -> str:
        """Why the job failed, in one sentence."""
        name = "" if isinstance(self.error, AttnxaiError) else f"{type(self.error).__name__}: "
        return f"{name}{self.error}"


def perform(job: Job, tell: Callable[[JobEvent], None]) -> Outcome:
    """Run a job in this process; ``tell`` is called with its progress, but not more often than is of use."""
    said, last = "", 0.0

    def report(text: str = "", *, done: int = 0, total: int = 0) -> None:
        nonlocal said, last
        now = time.monotonic()
        if text != said or done == total or now - last >= _REPORT_EVERY_S:
            said, last = text, now
            tell(JobEvent(job=job.name, kind=EventKind.PROGRESS, done=done, total=total, text=text))

    with _logging_to(job.log):
        try:
            return Outcome(result=job.function(job.argument, report))
        except Exception as error:
            if job.log is not None:
                # a traceback is of use only where the user cannot put the error right
                logger.error("%s", error, exc_info=not isinstance(error, AttnxaiError))
            return Outcome(error=error)


@contextlib.contextmanager
def _logging_to(path: Path | None) -> Iterator[None]:
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)

    def log_warning(message: Any, category: Any, *_: Any, **__: Any) -> None:
        kind = "note" if issubclass(category, AttnxaiWarning) else category.__name__
        logger.warning("%s: %s", kind, message)

    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", AttnxaiWarning)
            warnings.showwarning = log_warning
            yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
        handler.close()


def serve(connection: Connection, plugins: Sequence[str]) -> None:
    """Main function of a worker process: load plug-ins, and run jobs until there are no more."""
    _leave_with_parent()
    # until then there are no temporary files, and a request to end just ends the process
    load_plugins(plugins)
    # by an exception, so that temporary files are removed
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_ASKED_TO_END))
    while True:
        try:
            job: Job = connection.recv()
        except EOFError:
            return
        with _printing_to(job.log):
            outcome = perform(job, connection.send)
        connection.send(sendable(outcome))


def sendable(outcome: Outcome) -> Outcome:
    """An outcome that can be pickled; its error keeps the traceback as a note."""
    error = outcome.error
    if error is not None:
        if not isinstance(error, AttnxaiError):
            error.add_note("".join(traceback.format_exception(error)))
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301
        except Exception:  # noqa: BLE001
            return Outcome(error=JobError(outcome.reason))
        return outcome
    try:
        pickle.dumps(outcome)
    except Exception as fault:  # noqa: BLE001
        return Outcome(error=JobError(f"its result cannot be handed over: {fault}"))
    return outcome


@contextlib.contextmanager
def _printing_to(path: Path | None) -> Iterator[None]:
    """Append what this process prints, its libraries included, to a file."""
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open(path, "a", encoding="utf-8"))
        for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
            kept = os.dup(descriptor)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, descriptor)
            stack.callback(stream.flush)
            os.dup2(file.fileno(), descriptor)
        yield


def _leave_with_parent() -> None:
    """Ignore Ctrl-C, which the parent process handles, and end when that has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os._exit(_PARENT_GONE)

        threading.Thread(target=follow, daemon=True).start()
