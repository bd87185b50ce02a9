"""Help in plain text: options in groups, names never cut, at the width of the terminal."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from typer.core import TyperCommand, TyperGroup

from attnxai.cli import completion
from attnxai.data.wording import did_you_mean, first_of

ARGUMENTS = "Arguments"
INPUTS = "Inputs"
OUTPUT = "Output"
IMAGES = "Images"
ANNOTATIONS = "Annotations"
MAPS = "Maps"
STATISTICS = "Statistics"
NETWORK = "Network"
TRAINING = "Training"
MACHINE = "Machine"
GENERAL = "General"
# groups that only one command has follow the inputs
_FIRST = (ARGUMENTS, INPUTS)
_LAST = (OUTPUT, IMAGES, ANNOTATIONS, MAPS, NETWORK, TRAINING, STATISTICS, MACHINE, GENERAL)
_ORDER = {name: place for place, name in enumerate(_FIRST, -len(_FIRST))}
_ORDER |= {name: place for place, name in enumerate(_LAST, 1)}
# however the library calls them
_TYPES = re.compile(r" (<?(int|integer|float|path|str|text)( range)?>?)$", re.IGNORECASE)
_NAMES = re.compile(r"\{(\w+_names)\}")
_LIMITS = re.compile(
    r"(?<=[ \[])(?:(?P<low>[\d.e+-]+)<=x<=(?P<high>[\d.e+-]+)|x>=(?P<least>[\d.e+-]+))(?=\]$)"
)
# a default in words, and what the library adds
_TWICE = re.compile(r"\[default: ([^\]]+)\] +\[([^\]]+)\]$")
_ALMOST_0 = 1e-3
_EXTRA = "unexpected extra argument"
_SHORT = {"int": "N", "integer": "N", "float": "X", "path": "PATH", "str": "TEXT", "text": "TEXT"}

_WORDS = (
    (r"Value error, ", ""),
    (r"Input should be greater than or equal to (\S+)", r"should be \1 or more"),
    (r"Input should be less than or equal to (\S+)", r"should be \1 or less"),
    (r"Input should be a valid integer\b.*", "should be a whole number"),
    (r"Input should be a valid number\b.*", "should be a number"),
    (r"Input should be ", "should be "),
)


def groups_of(parameters: Iterable[Any]) -> dict[str, list[Any]]:
    """Arguments and options of a command by their groups, in the order of the help."""
    groups: dict[str, list[Any]] = {}
    for parameter in parameters:
        if parameter.param_type_name == "argument":
            group = ARGUMENTS
        else:
            group = getattr(parameter, "rich_help_panel", None) or GENERAL
        groups.setdefault(group, []).append(parameter)
    return {name: groups[name] for name in sorted(groups, key=lambda name: _ORDER.get(name, 0))}


def _write_options(command: Any, context: Any, formatter: Any) -> None:
    for name, members in groups_of(command.get_params(context)).items():
        records = [record for one in members if (record := one.get_help_record(context))]
        with formatter.section(name):
            formatter.write_dl(
                [
                    (
                        names.split()[0].rstrip(".") if name == ARGUMENTS else _short(names),
                        _with_limits(_NAMES.sub(lambda found: completion.listed(found[1]), text)),
                    )
                    for names, text in records
                ]
            )


def limits(low: float, high: float | None = None) -> str:
    """The limits of a number in words.

    Examples
    --------
    >>> limits(1), limits(100, 10_000_000), limits(1e-6, 0.5)
    ('1 or more', '100 to 10,000,000', 'above 0 to 0.5')
    """
    least = "above 0" if 0 < low < _ALMOST_0 else f"{low:,g}"
    if high is not None:
        return f"{least} to {high:,.9g}"
    return least if least == "above 0" else f"{least} or more"


def _with_limits(text: str) -> str:
    """Help with limits in words.

    Examples
    --------
    >>> _with_limits("Level.  [default: 0.05; 1e-06<=x<=0.5]"), _with_limits("Radius.  [x>=0.0]")
    ('Level.  [default: 0.05; above 0 to 0.5]', 'Radius.  [0 or more]')
    >>> _with_limits("Number of maps. [default: the pilot's, or 1]  [x>=1]")
    "Number of maps. [default: the pilot's, or 1; 1 or more]"
    """

    def words(found: re.Match[str]) -> str:
        low, high = found["low"] or found["least"], found["high"]
        return limits(float(low), float(high) if high else None)

    return _TWICE.sub(r"[default: \1; \2]", _LIMITS.sub(words, text))


def _short(names: str) -> str:
    """Names of an option with a short metavar.

    Examples
    --------
    >>> _short("--n-bootstrap <int range>"), _short("-o, --output FOLDER"), _short("--equal <a|b>")
    ('--n-bootstrap N', '-o, --output FOLDER', '--equal a|b')
    """
    names = _TYPES.sub(lambda found: f" {_SHORT[found[2].lower()]}", names)
    return re.sub(r" [<\[](.+)[>\]]$", r" \1", names)


def _in_plain_words(message: str, cause: object) -> str:
    """What typer says of a value, which are the words of pydantic, in those of this program."""
    for pattern, words in _WORDS:
        message = re.sub(pattern, words, message)
    if message.startswith("should be") and hasattr(cause, "errors"):
        given = cause.errors()[0]["input"]
        return f"{given!r} {message}" if message.endswith("number") else f"{given} {message}"
    if found := re.match(r"'(.*)' is not one of ('.*')", message, re.DOTALL):
        return message.rstrip(".") + did_you_mean(found[1], re.findall(r"'(.*?)'", found[2]))
    return message


def _unquoted(message: str, given: Sequence[str], parameters: Sequence[Any]) -> str:
    """What is said of arguments that no option takes; mostly a shell has made several names of one pattern."""
    options = {
        name: parameter
        for parameter in parameters
        if parameter.param_type_name == "option" and not parameter.is_flag
        for name in parameter.opts
    }
    has_arguments = any(parameter.param_type_name == "argument" for parameter in parameters)
    for at, name in enumerate(() if has_arguments else given):
        names = list(itertools.takewhile(lambda one: not one.startswith("-"), given[at + 1 :]))
        if name not in options or len(names) < 2:
            continue
        remedy = "repeat the option for each" if options[name].multiple else "give one"
        if options[name].name in ("annotations", "images"):
            folders, endings = (
                {Path(one).parent for one in names},
                {Path(one).suffix for one in names},
            )
            pattern = min(folders) / f"*{min(endings)}"
            remedy = f"give a pattern in quotes, as in {name} '{pattern}'"
        return f"{name} takes one value, got {len(names)} ({first_of(names, 3)}); {remedy}"
    before, _, names_in_brackets = message.rpartition("(")
    return f"{before}({first_of(names_in_brackets.rstrip(')').split(), 3, separator=' ')})"


class Command(TyperCommand):
    """A command whose help names its options in groups."""

    def make_context(
        self, info_name: str | None, args: list[str], *more: Any, **kwargs: Any
    ) -> Any:
        """Parse the arguments; a value that cannot be used is refused in the words of this program."""
        given = tuple(args)  # parsing empties the list
        try:
            return super().make_context(info_name, args, *more, **kwargs)
        except Exception as error:
            if isinstance(message := getattr(error, "message", None), str):
                plain = _in_plain_words(message, error.__cause__)
                if _EXTRA in plain:
                    plain = _unquoted(plain, given, self.params)
                error.message = plain  # type: ignore[attr-defined]
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Arguments by their names alone, such as ``FILES...``."""
        return [re.sub(r"[{}]", "", piece) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options."""
        _write_options(self, ctx, formatter)


class Group(TyperGroup):
    """Several commands, each with the first sentence of its help."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options and the commands."""
        _write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, in the order in which they were added."""
        rows = []
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                rows.append((name, (command.help or "").split("\n\n")[0].replace("\n", " ")))
        with formatter.section("Commands"):
            formatter.write_dl(rows)
