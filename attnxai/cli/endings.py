"""Exit codes and error messages of the commands."""

from __future__ import annotations

import codecs
import contextlib
import functools
import inspect
import io
import os
import signal
import sys
import threading
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from attnxai.cli.completion import completer
from attnxai.cli.console import noted_warnings, stderr, verbosity
from attnxai.cli.help import Command
from attnxai.data.registration import REGISTERED
from attnxai.errors import AttnxaiError, LeftOutWarning, OptionError
from attnxai.jobs.plugins import load_plugins

BAD_INPUT = 2
_LARGEST_NUMBER = 1e18
INTERRUPTED = 128 + signal.SIGINT
BROKEN_PIPE = 128 + 13  # SIGPIPE, which not every system has

# what the program itself prints beyond ASCII; names of others are written with their numbers
_PLAIN = {"–": "-", "—": "-", "−": "-", "…": "...", "±": "+/-", "≤": "<=", "≥": ">=", "≠": "!="}
_PLAIN |= {"×": "x", "·": "*", "≈": "~", "°": " deg", "′": "'", "″": '"', "∞": "inf", "→": "->"}
_PLAIN |= {"‘": "'", "’": "'", "“": '"', "”": '"', "↑": "^", "↓": "v", "▲": "^", "▽": "v"}


class Stopped(KeyboardInterrupt):
    """A request to end, by a signal other than SIGINT."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


class Application(typer.Typer):
    """The program, whose errors are handled by :func:`ending`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program, as the installed script does."""
        _write_any_text()
        # figures go to files alone, whatever the environment asks for
        os.environ["MPLBACKEND"] = "agg"
        with ending():
            try:
                return super().__call__(*args, **kwargs)
            finally:
                # now, so that a full disk is noticed; there is no stream where it was closed
                if sys.stdout is not None:
                    sys.stdout.flush()


def command(
    help_text: str, *, shared: Sequence[Callable[..., None]] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command its help, the options it shares with others, and the handling of errors.

    ``shared`` are functions whose parameters are options that the command takes as ``**given``. The help is
    given as text since docstrings are not there under ``python -OO``. What this decorates is registered by
    :func:`add_command`.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(
            *args: Any,
            plugin: Sequence[str] | None = None,
            quiet: bool = False,
            verbose: bool = False,
            **kwargs: Any,
        ) -> Any:
            with (
                verbosity(
                    quiet=quiet,
                    verbose=verbose and not quiet,
                    options=inspect.signature(wrapped).parameters,
                ),
                ending(),
                noted_warnings(),
            ):
                if quiet and verbose:
                    raise OptionError("--quiet and --verbose exclude each other; give one of them")
                check_numbers(kwargs)
                _load(plugin or ())
                return function(*args, **kwargs)

        parameters = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for source in (function, *shared, in_every_command)
            for parameter in inspect.signature(source, eval_str=True).parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
        wrapped.help_text = help_text  # type: ignore[attr-defined]
        return wrapped

    return decorate


def check_numbers(given: Mapping[str, Any]) -> None:
    """Refuse numbers that lie above every lower limit, such as infinity, or are longer than C code takes."""
    for name, value in given.items():
        if isinstance(value, int | float) and not abs(value) < _LARGEST_NUMBER:
            option = f"--{name.replace('_', '-')}"
            raise OptionError(f"{option} is too large; give a number below {_LARGEST_NUMBER:g}")


def _load(plugins: Iterable[str]) -> None:
    """Load plug-ins, and say which of them registered nothing: a decorator may have been forgotten."""
    for plugin in plugins:
        known = set(REGISTERED)
        load_plugins([plugin])
        name = Path(plugin).stem if plugin.endswith(".py") else plugin
        new = {module for _, _, module in REGISTERED - known if not module.startswith("attnxai.")}
        if not new and not any(f"{one[2]}.".startswith(f"{name}.") for one in REGISTERED):
            warnings.warn(
                f"Plug-in {plugin} registers nothing; decorate what it should add, as by "
                "attnxai.metrics.register_metric.",
                LeftOutWarning,
                stacklevel=2,
            )


def in_every_command(
    plugin: Annotated[
        list[str] | None,
        typer.Option(
            help="Python module or .py file to import first, which registers models, metrics, nulls, "
            "explanation methods or readers; its code is run. Repeat for several.",
            metavar="MODULE",
            autocompletion=completer(tuple, extensions=(".py",)),
        ),
    ] = None,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            help="Print only errors, what is left out, and the path of the results.",
        ),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Print every step with its duration, and tracebacks."),
    ] = False,
) -> None:
    """Options of every command."""


def add_command(app: typer.Typer, function: Callable[..., Any], name: str | None = None) -> None:
    """Make a function that :func:`command` decorated a command of an application."""
    text = function.help_text  # type: ignore[attr-defined]
    app.command(name, help=text, cls=Command)(function)


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """Turn every error that is not a bug into one sentence and an exit code.

    The exit code is 2 for something that cannot be used, read or written, 128 and the number of the signal
    (130 for Ctrl-C) for an interruption, and 141 when nobody reads the output. A request to end, as ``kill``
    and closed terminals make, ends the block like Ctrl-C.
    """
    try:
        with _signals_raised():
            yield
    except AttnxaiError as error:
        _fail(verbosity.with_options(str(error)), error)
    except BrokenPipeError:
        _abandon(sys.stdout)
        _abandon(sys.stderr)
        raise SystemExit(BROKEN_PIPE) from None
    except OSError as error:
        if error.filename is not None:
            _fail(f"{error.strerror}: {error.filename}", error)
        # files are named where they are written
        _abandon(sys.stdout)
        _fail(f"standard output cannot be written to: {error.strerror or error}", error)
    except MemoryError as error:
        _fail("there is not enough memory for this", error)
    except KeyboardInterrupt as interruption:
        kept = "".join(getattr(interruption, "__notes__", ()))
        _print_error(
            f"Interrupted; run the same command again to resume: {kept}."
            if kept
            else "Interrupted; no incomplete results were left."
        )
        raise SystemExit(getattr(interruption, "exit_code", INTERRUPTED)) from None


@contextlib.contextmanager
def resumable(kept: Callable[[], str]) -> Iterator[None]:
    """Add to the message of an interruption within the block what was kept.

    ``kept`` is called when interrupted: what the same command resumes from, or nothing.
    """
    try:
        yield
    except KeyboardInterrupt as interruption:
        if text := kept():
            interruption.add_note(text)
        raise


def _fail(text: str, error: BaseException) -> None:
    if verbosity.verbose:
        import traceback

        _print_error("".join(traceback.format_exception(error)).rstrip())
    _print_error(text, "Error: ")
    raise SystemExit(BAD_INPUT) from None


def _print_error(text: str, start: str = "") -> None:
    stderr.quiet = False
    # where nothing can be written, only the exit code is left
    with contextlib.suppress(OSError):
        stderr.print(Text(start, style="bold red"), end="")
        stderr.print(text)


def _abandon(stream: Any) -> None:
    """Discard what a stream still holds, so that it does not fail again at the end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


@contextlib.contextmanager
def _signals_raised() -> Iterator[None]:
    """Raise :class:`Stopped` for signals that would end the process without a word."""

    def stop(number: int, _: Any) -> None:
        raise Stopped(number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            # one that is ignored, as under nohup, stays so
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write_any_text() -> None:
    """Replace characters that a terminal's encoding lacks by ASCII."""
    codecs.register_error("attnxai", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="attnxai")


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that cannot be encoded by the closest ASCII characters."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(letter: str) -> str:
    if letter in _PLAIN:
        return _PLAIN[letter]
    if "\u2800" <= letter <= "\u28ff":  # rich's turning wheel
        return "."
    name = unicodedata.name(letter, "").split()
    if name[:1] == ["GREEK"]:
        return name[-1].lower() if "SMALL" in name else name[-1].capitalize()
    decomposed = unicodedata.normalize("NFKD", letter)
    bare = "".join(part for part in decomposed if not unicodedata.combining(part))
    return bare.encode("ascii", "backslashreplace").decode()
