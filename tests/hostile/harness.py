"""What every reader of files from strangers has to keep to, whatever the file holds.

It gives a value or raises an ``AttnxaiError`` whose message can be printed, runs nothing, ends in a few
seconds, and takes no more memory than 50 times the file and a fixed allowance. :func:`check_reader` tests
one file, :func:`fuzz` many, and :func:`in_own_process` runs either where a crash does no harm.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from attnxai.data.registration import READER_FAILED
from attnxai.errors import (
    AttnxaiError,
    AttnxaiWarning,
    CheckpointError,
    SpecificationError,
)

ALLOWANCE = 1 << 30
"""Bytes that a reader may take beside 50 times the file: libraries that it imports, mostly."""
EFFORTS = [
    pytest.param(1, id="short"),
    pytest.param(50, id="long", marks=pytest.mark.slow),
]
"""Factors on the number of examples: ``@pytest.mark.parametrize("effort", EFFORTS)``."""
_LONGEST_MESSAGE = 3000
_EXECUTION = frozenset(
    [
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.spawn",
        "os.fork",
        "os.startfile",
        "pty.spawn",
        "subprocess.Popen",
        "socket.connect",
        "webbrowser.open",
        "ctypes.dlopen",
        "shutil.rmtree",
    ]
)

Reader = Callable[[Path], Any]


class _TookTooLong(BaseException):
    """No ``Exception``, so that a reader that catches all of those does not catch it."""


class _Executed(BaseException):
    pass


_watching = False


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event in _EXECUTION:
        raise _Executed(f"{event} {arguments}"[:500])


sys.addaudithook(_audit)


@contextlib.contextmanager
def nothing_runs() -> Iterator[None]:
    """Fail if a program is started or a connection made."""
    global _watching  # noqa: PLW0603 -- an audit hook cannot be removed
    _watching = True
    try:
        yield
    except _Executed as executed:
        raise AssertionError(f"the reader executed something: {executed}") from executed
    finally:
        _watching = False


@contextlib.contextmanager
def limited_memory(n_bytes: int) -> Iterator[None]:
    """Let the process take this many bytes of address space more, where the system can limit it."""
    status = Path("/proc/self/statm")
    if not status.exists():
        yield
        return
    import resource

    used = int(status.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, hard))


@contextlib.contextmanager
def limited_time(seconds: float) -> Iterator[None]:
    """Interrupt what takes more seconds of the processor, or ten times as many of waiting."""

    def interrupt(*_: object) -> None:
        raise _TookTooLong

    timers = (
        (signal.ITIMER_PROF, signal.SIGPROF, seconds),
        # other processes may take the processor for long
        (signal.ITIMER_REAL, signal.SIGALRM, 10 * seconds),
    )
    before = [signal.signal(number, interrupt) for _, number, _ in timers]
    for timer, _, limit in timers:
        signal.setitimer(timer, limit)
    try:
        yield
    except _TookTooLong:
        raise AssertionError(f"the reader took more than {seconds} s") from None
    finally:
        for (timer, number, _), handler in zip(timers, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)


def check_reader(
    reader: Reader, path: Path, *, allowance: int = ALLOWANCE, seconds: float = 20.0
) -> AttnxaiError | None:
    """Read one file and fail unless the reader keeps to the rules above.

    Returns
    -------
    AttnxaiError or None
        The error with which the file was refused; None where it was read.
    """
    size = path.stat().st_size
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", AttnxaiWarning)
        try:
            with nothing_runs(), limited_time(seconds), limited_memory(50 * size + allowance):
                reader(path)
        except AttnxaiError as error:
            _check_message(error)
            _check_memory(error)
            return error
    return None


def _check_message(error: AttnxaiError) -> None:
    message = str(error)
    message.encode()  # lone surrogates cannot be printed
    assert message.strip(), "an error without a message"
    assert READER_FAILED not in message, f"the reader failed: {message}"
    if isinstance(error, CheckpointError | SpecificationError):
        assert message.isprintable(), f"a message with control characters: {message[:300]!r}"
    assert len(message) <= _LONGEST_MESSAGE, (
        f"a message of {len(message)} characters: {message[:300]}"
    )


def _check_memory(error: BaseException | None) -> None:
    """Fail where a reader was refused memory and took that for damage."""
    while error is not None:
        text = str(error).lower()
        if isinstance(error, MemoryError) or "can't allocate memory" in text:
            raise AssertionError(
                "the reader asked for more memory than the file can need"
            ) from error
        error = error.__cause__ or error.__context__


def fuzz(
    reader: Reader,
    files: st.SearchStrategy[Any],
    *,
    file_name: str,
    examples: int,
    allowance: int = ALLOWANCE,
    seconds: float = 20.0,
) -> None:
    """Let hypothesis write files and check that a reader keeps to the rules for each.

    Parameters
    ----------
    reader : callable
        Takes the path of the file.
    files : strategy
        Of bytes, or of what has them as its ``content``, such as :class:`~tests.hostile.mutations.Damaged`.
    file_name : str
        What the files are called; the ending may matter to the reader.
    examples : int
        How many files; give the test's number times its ``effort``.
    allowance, seconds
        As in :func:`check_reader`.
    """
    with tempfile.TemporaryDirectory(prefix="hostile") as folder:
        path = Path(folder) / file_name

        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(file=files)
        def keeps_to_the_rules(file: Any) -> None:
            path.write_bytes(file if isinstance(file, bytes) else file.content)
            check_reader(reader, path, allowance=allowance, seconds=seconds)

        keeps_to_the_rules()


def in_own_process(
    function: Callable[..., None], *arguments: float | str, seconds: int = 300
) -> None:
    """Run a function of a test module in an interpreter of its own, and fail if it crashes or raises.

    It may take so many seconds of the processor, or ten times as many of waiting.
    """
    place = f"{function.__module__}:{function.__qualname__}"
    run = f"from {__name__} import _run; _run({place!r}, {arguments!r}, seconds={seconds})"
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", run],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=10 * seconds,
        check=False,
    )
    if done.returncode != 0:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"code {done.returncode}"
        last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        raise AssertionError(f"{place} ended with {how}: {last[:500]}\n{done.stderr[-5000:]}")


def _run(place: str, arguments: tuple[float | str, ...], *, seconds: int) -> None:
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))
    module, _, name = place.partition(":")
    getattr(importlib.import_module(module), name)(*arguments)
