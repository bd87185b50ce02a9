"""Processes that a test starts, interrupts and never leaves behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE_S = 120.0


# a background job, as the tests may be, ignores Ctrl-C, and so does what it starts
_AS_IN_A_TERMINAL = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


class Started:
    """A process of its own session, with its output in files.

    Parameters
    ----------
    arguments : sequence of object
        What follows the Python interpreter.
    folder : Path
        Where its output goes.
    cwd : Path, optional
        Its working folder.
    """

    def __init__(self, *arguments: Any, folder: Path, cwd: Path | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._files = folder / "stdout", folder / "stderr"
        with open(self._files[0], "wb") as stdout, open(self._files[1], "wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _AS_IN_A_TERMINAL, *map(str, arguments)],
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def stdout(self) -> str:
        """What it has printed so far."""
        return self._files[0].read_text(encoding="utf-8", errors="replace")

    @property
    def stderr(self) -> str:
        """What it has printed to its error stream so far."""
        return self._files[1].read_text(encoding="utf-8", errors="replace")

    def wait_for(self, sign: Callable[[], object], what: str = "the sign") -> None:
        """Wait until something is true, which it is to be before the process ends."""
        wait_for(sign, what, while_true=lambda: self._process.poll() is None, more=self)

    def end(self, number: int = signal.SIGINT) -> int:
        """Send it a signal, and wait for its exit code."""
        self._process.send_signal(number)
        return self._process.wait(PATIENCE_S)

    def wait(self) -> int:
        """Wait for its exit code."""
        return self._process.wait(PATIENCE_S)

    def clear(self) -> None:
        """End it and what it has started, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def wait_for(
    sign: Callable[[], object],
    what: str = "the sign",
    *,
    while_true: Callable[[], bool] = lambda: True,
    more: Any = None,
) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not sign():
        said = f"\n{more.stdout}\n{more.stderr}" if more is not None else ""
        assert while_true(), f"ended before {what}{said}"
        assert time.monotonic() < deadline, f"no {what} in {PATIENCE_S:.0f} s{said}"
        time.sleep(0.01)
