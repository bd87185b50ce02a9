"""Consoles, progress bars and notes of all commands."""

from __future__ import annotations

import contextlib
import re
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

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

from attnxai.data.wording import counted, printable
from attnxai.errors import AssumptionWarning, AttnxaiWarning, DeviceWarning, LeftOutWarning


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

    def on_broken_pipe(self) -> None:
        """Let the command handle it."""
        raise BrokenPipeError


console = SafeConsole()
"""Where the results are, and the results of commands that write no file."""
details = SafeConsole()
"""What the files of results hold as well; nothing with ``--quiet``."""
stderr = SafeConsole(stderr=True, soft_wrap=True)


class Verbosity:
    """How much a command prints, and how it names its options; called, it sets this for a block."""

    def __init__(self) -> None:
        self.quiet = self.verbose = False
        self.options: tuple[str, ...] = ()

    @contextlib.contextmanager
    def __call__(
        self, *, quiet: bool, verbose: bool, options: Iterable[str] = ()
    ) -> Iterator[None]:
        """Print less or more in the block, and name arguments of functions as the ``options`` of the command."""
        self.quiet, self.verbose = quiet, verbose
        self.options = tuple(options)
        stderr.quiet = details.quiet = quiet
        try:
            yield
        finally:
            self.quiet = self.verbose = False
            self.options = ()
            stderr.quiet = details.quiet = False

    def with_options(self, text: str) -> str:
        """A message of a Python function with ``--fill-blank`` for ``fill_blank=True``, as on the command line.

        Names of one word, which are words of the language, are left unless a value follows, as in ``hdu=1`` or ``pad=True``.
        """
        for name in self.options:
            if "_" not in name:
                before, after = r"(?<![\w./\\'\"-])", r"(?![\w.'(])"
                text = re.sub(rf"{before}{name}=True{after}", f"--{name}", text)
                text = re.sub(rf"{before}{name}=('?)([\w,-]+)\1{after}", rf"--{name} \2", text)
                continue
            pattern = rf"(?<![\w./\\'\"-]){name}(=True)?(?![\w./\\'\"=-])"
            text = re.sub(pattern, f"--{name.replace('_', '-')}", text)
        return text


verbosity = Verbosity()


# without a terminal, such as in the log of a job
LONG_STAGE_S = 10.0
"""Seconds from which on a finished stage is worth a line."""
BETWEEN_LINES_S = 30.0
"""Seconds between lines on a stage that goes on."""


@contextlib.contextmanager
def stage(text: str) -> Iterator[None]:
    """Show what is being done, with ``--verbose`` as a line with the time it took.

    Without a terminal there is such a line where it took long.
    """
    started = time.monotonic()
    if not verbosity.verbose:
        with stderr.status(f"{text}…"):
            yield
    else:
        stderr.print(f"{text}…")
        yield
    say_finished(text, time.monotonic() - started)


def say_finished(text: str, seconds: float) -> None:
    """A line on a finished stage: with ``--verbose``, or without a terminal where it took long."""
    if verbosity.verbose or (not stderr.is_terminal and seconds >= LONG_STAGE_S):
        stderr.print(f"{text}: {seconds:.1f} s")


@contextlib.contextmanager
def noted_warnings() -> Iterator[None]:
    """Show this package's warnings as they come, a line each, once each.

    With ``--quiet`` only those about what is left out.
    """
    shown: set[str] = set()
    previous = warnings.showwarning

    def show(message: Any, category: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(message, AttnxaiWarning):
            if str(message) not in shown:
                shown.add(str(message))
                quiet = stderr.quiet
                stderr.quiet = quiet and not isinstance(message, LeftOutWarning | DeviceWarning)
                stderr.print(Text("Note: ", style="yellow"), end="")
                stderr.print(verbosity.with_options(str(message)))
                stderr.quiet = quiet
        else:
            previous(message, category, *args, **kwargs)

    with warnings.catch_warnings():
        warnings.simplefilter("always", AttnxaiWarning)
        warnings.showwarning = show
        yield


@contextlib.contextmanager
def collected_assumptions() -> Iterator[list[str]]:
    """Collect assumptions for the report; they are shown as well."""
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


class LinesNowAndThen:
    """When a line on a stage that goes on is due: now and then, and only where there is no terminal."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def is_due(self) -> bool:
        """Whether a line is due; then the next one is due half a minute later."""
        now = time.monotonic()
        if stderr.is_terminal or now - self._said < BETWEEN_LINES_S:
            return False
        self._said = now
        return True


class Steps:
    """Progress bars on the error stream, or lines now and then where it is not a terminal.

    With ``--verbose`` there also is a line with the time of each.
    """

    def __init__(self, bar: Progress) -> None:
        self.bar = bar
        self._lines = LinesNowAndThen()

    def __call__(self, text: str) -> Callable[[int, int], None]:
        """Begin a bar; what is returned is called with the numbers of finished and of all steps."""
        task = self.bar.add_task(text, total=None)
        started = time.monotonic()

        def show(n_done: int, n_all: int) -> None:
            self.bar.update(task, completed=n_done, total=n_all)
            if n_done == n_all:
                say_finished(text, time.monotonic() - started)
            elif self._lines.is_due():
                stderr.print(f"{text}: {n_done:,} of {n_all:,} ({100 * n_done // n_all} %)")

        return show

    def resumed(self, text: str, unit: str) -> Callable[[int, int], None]:
        """Begin a bar of long work; what is returned is first called with the number of units that an earlier run has finished."""
        task = self.bar.add_task(text, total=None)
        began, n_kept, is_finished = time.monotonic(), -1, False

        def show(n_done: int, n_all: int) -> None:
            nonlocal n_kept, is_finished
            if n_kept < 0:
                n_kept = n_done
                self.bar.update(task, completed=n_done, total=n_all)
                if n_kept:
                    stderr.print(f"{text}: {n_kept} of {counted(n_all, unit)} are finished already")
                return
            seconds = time.monotonic() - began
            rate = (n_done - n_kept) / max(seconds, 1e-3)
            speed = f"{rate:.3g} a second" if rate >= 1 else f"{seconds:.0f} s"
            self.bar.update(task, completed=n_done, description=f"{text} ({speed})")
            if n_done == n_all:
                if not is_finished:
                    is_finished = True
                    say_finished(text, seconds)
            elif n_done > n_kept and self._lines.is_due():
                left = (n_all - n_done) / rate
                stderr.print(
                    f"{text}: {n_done} of {counted(n_all, unit)} ({100 * n_done // n_all} %), {speed}, about {left:.0f} s left"
                )

        return show


@contextlib.contextmanager
def progress() -> Iterator[Steps]:
    """Progress bars that disappear when the block ends."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=stderr,
        transient=True,
        disable=not stderr.is_terminal,  # else an empty line is left there
    ) as bar:
        yield Steps(bar)


def progress_by_title(begin: Steps, name: str = "") -> Callable[[str, int, int], None]:
    """Show steps that come with their title: a bar for each, begun when it first comes; ``name`` stands before it."""
    bars: dict[str, Callable[[int, int], None]] = {}

    def show(title: str, n_done: int, n_all: int) -> None:
        if title not in bars:
            bars[title] = begin(f"{name}: {title}" if name else title)
        bars[title](n_done, n_all)

    return show


def typed_command() -> str:
    """The command as it was typed, for records."""
    # a path need not be Unicode, and the files that hold the command are
    words = (word.encode(errors="backslashreplace").decode() for word in sys.argv[1:])
    return shlex.join(["attnxai", *words])
