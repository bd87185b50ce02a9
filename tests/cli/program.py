"""The program, run in this process as a user runs it in another."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from typer.testing import CliRunner

from attnxai.cli.console import console, details, stderr
from attnxai.cli.main import app


@dataclasses.dataclass(frozen=True, kw_only=True)
class Done:
    """What a command has printed, and how it has ended."""

    stdout: str
    stderr: str
    returncode: int

    @property
    def words(self) -> str:
        """All that was printed, with single spaces."""
        return " ".join(f"{self.stdout} {self.stderr}".split())


def attnxai(
    *arguments: Any, cwd: Path | None = None, check: int | None = None, width: int = 200
) -> Done:
    """Run the program, and make sure that it ends with an exit code and no traceback.

    Parameters
    ----------
    arguments : object
        What is typed after ``attnxai``.
    cwd : Path, optional
        The working folder.
    check : int, optional
        The exit code that it has to end with; any when left out.
    width : int
        Of the terminal.
    """
    words = [str(argument) for argument in arguments]
    with contextlib.ExitStack() as stack:
        for one in (console, details, stderr):
            stack.enter_context(mock.patch.object(one, "_width", width))
        stack.enter_context(mock.patch.object(sys, "argv", ["attnxai", *words]))
        stack.enter_context(contextlib.chdir(cwd or os.curdir))
        done = CliRunner().invoke(app, words, env={"COLUMNS": str(width), "NO_COLOR": "1"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert "Traceback" not in done.output
    if check is not None:
        assert done.exit_code == check, done.output
    return Done(stdout=done.stdout, stderr=done.stderr, returncode=done.exit_code)


def refused(done: Done, *texts: str) -> str:
    """Exit code 2, nothing on the output and one clear message, which is returned."""
    assert done.returncode == 2, done.words
    message = " ".join(done.stderr.split())
    assert message.count("Error:") == 1
    for text in texts:
        assert text in message, message
    return message
