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

from attnxai.data.wording import printable
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


@contextlib.contextmanager
def stage(text: str) -> Iterator[None]:
    """Show what is being done, with ``--verbose`` as a line with the time it took."""
    if not verbosity.verbose:
        with stderr.status(f"{text}…"):
            yield
        return
    started = time.monotonic()
    stderr.print(f"{text}…")
    yield
    stderr.print(f"{text}: {time.monotonic() - started:.1f} s")


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


class Steps:
    """Progress bars on the error stream; with ``--verbose`` a line with the time of each."""

    def __init__(self, bar: Progress) -> None:
        self.bar = bar

    def __call__(self, text: str) -> Callable[[int, int], None]:
        """Begin a bar; what is returned is called with the numbers of finished and of all steps."""
        task = self.bar.add_task(text, total=None)
        started = time.monotonic()

        def show(n_done: int, n_all: int) -> None:
            self.bar.update(task, completed=n_done, total=n_all)
            if verbosity.verbose and n_done == n_all:
                self.bar.console.print(f"{text}: {time.monotonic() - started:.1f} s")

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
