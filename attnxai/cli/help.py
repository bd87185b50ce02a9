"""Help in plain text: options in groups, names never cut, at the width of the terminal."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand, TyperGroup

ARGUMENTS = "Arguments"
INPUTS = "Inputs"
OUTPUT = "Output"
IMAGES = "Images"
STATISTICS = "Statistics"
NETWORK = "Network"
TRAINING = "Training"
MACHINE = "Machine"
GENERAL = "General"
# groups that only one command has follow the inputs
_FIRST = (ARGUMENTS, INPUTS)
_LAST = (OUTPUT, IMAGES, NETWORK, TRAINING, STATISTICS, MACHINE, GENERAL)
_ORDER = {name: place for place, name in enumerate(_FIRST, -len(_FIRST))}
_ORDER |= {name: place for place, name in enumerate(_LAST, 1)}
# however the library calls them
_TYPES = re.compile(r" (<?(int|integer|float|path|str|text)( range)?>?)$", re.IGNORECASE)
_SHORT = {"int": "N", "integer": "N", "float": "X", "path": "PATH", "str": "TEXT", "text": "TEXT"}


def _write_options(command: Any, context: Any, formatter: Any) -> None:
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is None:
            continue
        if parameter.param_type_name == "argument":
            groups.setdefault(ARGUMENTS, []).append(record)
            continue
        group = getattr(parameter, "rich_help_panel", None) or GENERAL
        groups.setdefault(group, []).append((_short(record[0]), record[1]))
    for name in sorted(groups, key=lambda name: _ORDER.get(name, 0)):
        with formatter.section(name):
            formatter.write_dl(groups[name])


def _short(names: str) -> str:
    """Names of an option with a short metavar.

    Examples
    --------
    >>> _short("--n-bootstrap <int range>"), _short("-o, --output FOLDER"), _short("--equal <a|b>")
    ('--n-bootstrap N', '-o, --output FOLDER', '--equal a|b')
    """
    names = _TYPES.sub(lambda found: f" {_SHORT[found[2].lower()]}", names)
    return re.sub(r" [<\[](.+)[>\]]$", r" \1", names)


class Command(TyperCommand):
    """A command whose help names its options in groups."""

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
