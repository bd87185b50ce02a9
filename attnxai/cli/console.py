"""What all commands share: the consoles, progress bars, and how errors end a command."""

from __future__ import annotations

import contextlib
import functools
import shlex
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.text import Text

from attnxai.data.wording import printable
from attnxai.errors import AssumptionWarning, AttnxaiError, AttnxaiWarning

BAD_INPUT = 2
INTERRUPTED = 130


class SafeConsole(Console):
    """A console that prints text from files as text: no control characters, markup or emoji codes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render, as rich does, and make the text of every segment printable."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)


console = SafeConsole()
stderr = SafeConsole(stderr=True, soft_wrap=True)


class Resumable(KeyboardInterrupt):
    """An interruption of something that the same command goes on with; its text says with what."""


@contextlib.contextmanager
def resumable(kept: Callable[[], str]) -> Iterator[None]:
    """Let an interruption within the block end the command with a word on what is kept.

    Parameters
    ----------
    kept : callable
        Called when interrupted: what the same command goes on with; nothing was kept where it is empty.
    """
    try:
        yield
    except KeyboardInterrupt:
        text = kept()
        if not text:
            raise
        raise Resumable(text) from None


def command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the package's way of ending: one clear sentence and an exit code."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            with noted_warnings():
                return function(*args, **kwargs)
        except AttnxaiError as error:
            stderr.print(Text("Error: ", style="bold red"), end="")
            stderr.print(str(error))
            raise typer.Exit(BAD_INPUT) from None
        except OSError as error:
            if error.filename is None:
                raise
            stderr.print(Text("Error: ", style="bold red"), end="")
            stderr.print(f"{error.strerror}: {error.filename}")
            raise typer.Exit(BAD_INPUT) from None
        except Resumable as interruption:
            stderr.print(f"Interrupted; run the same command again to go on: {interruption}.")
            raise typer.Exit(INTERRUPTED) from None
        except KeyboardInterrupt:
            stderr.print("Interrupted; nothing that looks finished was left behind.")
            raise typer.Exit(INTERRUPTED) from None

    return wrapped


@contextlib.contextmanager
def noted_warnings() -> Iterator[None]:
    """Show this package's warnings as they come, a line each, once each."""
    shown: set[str] = set()
    previous = warnings.showwarning

    def show(message: Any, category: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(message, AttnxaiWarning):
            if str(message) not in shown:
                shown.add(str(message))
                stderr.print(Text("Note: ", style="yellow"), end="")
                stderr.print(str(message))
        else:
            previous(message, category, *args, **kwargs)

    with warnings.catch_warnings():
        warnings.simplefilter("always", AttnxaiWarning)
        warnings.showwarning = show
        yield


@contextlib.contextmanager
def collected_assumptions() -> Iterator[list[str]]:
    """Collect what had to be assumed, for the report; it is shown all the same."""
    assumed: list[str] = []
    previous = warnings.showwarning

    def show(message: Any, category: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(message, AssumptionWarning) and str(message) not in assumed:
            assumed.append(str(message))
        previous(message, category, *args, **kwargs)

    warnings.showwarning = show
    try:
        yield assumed
    finally:
        warnings.showwarning = previous


def progress_bar() -> Progress:
    """A progress bar on the error stream that disappears when it is done."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=stderr,
        transient=True,
    )


def typed_command() -> str:
    """The command as it was typed, for records."""
    return shlex.join(["attnxai", *sys.argv[1:]])
