"""Tables of the options of every command, which ``python -m attnxai.cli.documentation docs`` writes into the pages.

They are made of the options themselves, so that a page and ``--help`` agree; :mod:`attnxai.cli.option_notes` adds links
and what is refused.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from attnxai.cli import completion
from attnxai.cli.annotation_options import annotation_options
from attnxai.cli.endings import in_every_command
from attnxai.cli.help import groups_of, limits
from attnxai.cli.main import app
from attnxai.cli.option_notes import LINKS, REFUSED, UNITS
from attnxai.cli.options import reading_options
from attnxai.cli.training_options import training_options
from attnxai.errors import OptionError
from attnxai.report.documentation import with_part

FOLDER = "reference/commands"


def names_of(options: Callable[..., None]) -> tuple[str, ...]:
    """Names of the options that commands take from a function."""
    return tuple(inspect.signature(options).parameters)


EVERY = "index.md#options-of-every-command"
_SEVERAL = (
    "explain",
    "target",
    "data_dir",
    "overwrite",
    "label",
    "merge_spellings",
    "n_bootstrap",
    "seed",
)
# options that several commands share, by the section that describes them: the command of which its rows are taken, their names
SHARED: dict[str, tuple[str, tuple[str, ...]]] = {
    "index.md#options-for-images": ("compare", names_of(reading_options)),
    "index.md#options-for-annotations": ("compare", names_of(annotation_options)),
    "index.md#options-of-several-commands": ("compare", (*_SEVERAL, "threads", "device")),
    "train.md#options-of-training": ("train", names_of(training_options)),
    EVERY: ("compare", names_of(in_every_command)),
}
_OF_ONE_KIND = ("index.md#options-for-images", "index.md#options-for-annotations")
_VALUES = {
    "FILE": "file",
    "FOLDER": "folder",
    "PATH": "file or folder",
    "PIXELS": "integer",
    "MODEL": "file or name",
    "REPORT": "file or folder",
    "NAME": "name",
    "CLASS": "name",
    "FORMAT": "name",
    "WHERE": "name",
    "HDU": "integer or name",
    "MODULE": "file or module",
    "SPLIT": "name or file",
    "N": "integer",
    "FILES": "files or folders",
    "IMAGES": "files or folders",
}
_MOST_NAMES = 8
_CODE = re.compile(
    r"'([^']+)'|((?<![\w/-])--[a-z][a-z-]+|\b[\w*-]+\.(?:csv|pt|png|json|html)\b|(?<!\w)\.(?:fits|npz|zarr|png|pdf|py|tar\.gz)\b"
    r"|\bATTNXAI_DATA\b|\b[a-z]+=\w+\b|\battnxai (?:compare|audit)(?: --maps)?\b)"
)
_NAMES = re.compile(r"\{(\w+_names)\}")
_WORD = re.compile(r"[\w.-]+")
_DEFAULT = re.compile(r"\s*\[default: ([^\]]+)\]")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """A command, and the types of its parameters by their names."""

    parameters: Mapping[str, Any]
    types: Mapping[str, tuple[Any, Any]]


@functools.cache
def commands() -> dict[str, Documented]:
    """Every command of the program that does something, by the words that call it, such as ``models card``."""
    found: dict[str, Documented] = {}

    def walk(application: typer.Typer, command: Any, words: tuple[str, ...]) -> None:
        for group in application.registered_groups:
            walk(
                cast("typer.Typer", group.typer_instance),
                command.commands[group.name],
                (*words, str(group.name)),
            )
        for info in application.registered_commands:
            function = cast("Callable[..., Any]", info.callback)
            name = info.name or function.__name__
            types = {
                one.name: typing.get_args(one.annotation)[:2]
                for one in inspect.signature(function).parameters.values()
                if typing.get_origin(one.annotation) is Annotated
            }
            parameters = {one.name: one for one in command.commands[name].params}
            found[" ".join((*words, name))] = Documented(parameters=parameters, types=types)

    walk(app, typer.main.get_command(app), ())
    return found


def page_of(command: str) -> str:
    """The page of a command, within the documentation."""
    return f"{FOLDER}/{command.split(maxsplit=1)[0]}.md"


def options_markdown(name: str, command: Documented) -> str:
    """The options of a command in the groups of its help, and links to those that others have too.

    Where a command has all options of a section whose title says what they do, their names are not repeated.
    """
    left = dict(command.parameters)
    lines: list[str] = []
    shared: dict[str, list[str]] = {}
    for target, (home, names) in SHARED.items():
        if target.startswith(f"{name}.md"):
            continue
        for one in names:
            described = commands()[home].parameters[one]
            # other commands may have an option of the same name with another meaning
            if one in left and _row(left[one]) == _row(described):
                shared.setdefault(target, []).append(_names(left.pop(one)))
    for group, members in groups_of(left.values()).items():
        lines += [f"**{group}**", "", _table(members, command, name), ""]
    shared.pop(EVERY)  # which nobody looks for here
    listed = [
        f"- [{_title(target)}]({target}): "
        + (
            "all"
            if target in _OF_ONE_KIND and len(names) == len(SHARED[target][1])
            else ", ".join(names)
        )
        for target, names in shared.items()
    ]
    return "\n".join([*lines, *(["**Described elsewhere**", "", *listed] if listed else [])])


def _row(parameter: Any) -> tuple[Any, ...]:
    return parameter.help, parameter.default, parameter.metavar, tuple(parameter.opts)


def shared_markdown(target: str) -> str:
    """The options that several commands share and that a section describes."""
    home, names = SHARED[target]
    command = commands()[home]
    return _table([command.parameters[one] for one in names], command, "")


def _title(target: str) -> str:
    return target.partition("#")[2].replace("-", " ").capitalize()


def _table(parameters: Iterable[Any], command: Documented, name: str) -> str:
    # without padding: one option, one line of a diff
    rows = [["Option", "Value", "Default", "Meaning"], 4 * ["---"]]
    for one in parameters:
        annotation, info = command.types[one.name]
        choices = _choices(annotation, info, one.metavar)
        value = _value(one, annotation, info)
        rows.append([_names(one), value, _default(one), _meaning(one, choices, name)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper()}`"
    names = sorted([*parameter.opts, *parameter.secondary_opts], key=lambda one: one[1] != "-")
    return ", ".join(f"`{name}`" for name in names)


def _value(parameter: Any, annotation: Any, info: Any) -> str:
    """What an option takes, with its unit and limits."""
    kind, metavar = _kind(annotation), parameter.metavar or ""
    if kind is bool:
        return "flag"
    unit = f" in {UNITS[metavar]}" if metavar in UNITS else ""
    if kind not in (int, float):
        text = f"`{metavar}`" if "=" in metavar else _VALUES.get(metavar, "text")
        return ("name" if issubclass(kind, enum.Enum) else text) + unit
    number = f"{'integer' if kind is int else 'number'}{unit}"
    return f"{number}, {limits(info.min, info.max)}" if info.min is not None else number


def _kind(annotation: Any) -> Any:
    """The type of a value of an option that may be left out or repeated."""
    kinds = [kind for kind in typing.get_args(annotation) if kind is not types.NoneType]
    return _kind(kinds[0]) if kinds else annotation


def _choices(annotation: Any, info: Any, metavar: str | None) -> list[str]:
    """Names that an option takes; a shell completes others by files too."""
    if issubclass(kind := _kind(annotation), enum.Enum):
        return [str(value) for value in kind]
    completed = info.autocompletion and metavar in {"NAME", "FORMAT"}
    return list(info.autocompletion("")) if completed else []


def _default(parameter: Any) -> str:
    value = parameter.default
    if parameter.required:
        return "required"
    if stated := _DEFAULT.search(parameter.help or ""):
        values = stated[1].split(", ")
        if all(map(_WORD.fullmatch, values)) and values != ["all"]:
            return ", ".join(f"`{value}`" for value in values)
        return _with_code(stated[1])
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or value == "":
        return "none"
    return f"`{value.value if isinstance(value, enum.Enum) else value}`"


def _meaning(parameter: Any, choices: Sequence[str], command: str) -> str:
    """The help of an option with links, and what is refused."""
    text = _DEFAULT.sub("", parameter.help or "").strip().rstrip(".")

    def names(found: re.Match[str]) -> str:
        known = completion.listed(found[1]).split(", ")
        return "" if len(known) > _MOST_NAMES else ", ".join(known)

    before, colon, after = re.sub(r": ?(?=[;.]|$)", "", _NAMES.sub(names, text)).partition(": ")
    listing, *rest = re.split(r"(?=[.;])", after)
    if choices:
        known = "|".join(map(re.escape, choices))
        listing = re.sub(rf"(?<![\w-])({known})(?![\w-])", r"`\1`", listing)
    text = _with_code("".join((before, colon, listing, *rest)))
    name = parameter.name.upper() if parameter.param_type_name == "argument" else parameter.opts[0]
    for phrase, target in _noted(LINKS, name, command, ()):
        if phrase not in text:
            raise OptionError(f"the help of {name} of attnxai {command} does not say {phrase!r}")
        text = text.replace(phrase, f"[{phrase}]({target})", 1)
    if refused := _noted(REFUSED, name, command, ""):
        text += f". Refused: {refused}"
    return text.replace("|", "\\|")


def _noted(notes: Mapping[str, Any], name: str, command: str, none: Any) -> Any:
    """What is noted of an option of a command, or else of the option in all of them."""
    return notes.get(f"{command} {name}", notes.get(name, none))


def _with_code(text: str) -> str:
    return _CODE.sub(lambda found: f"`{found[1] or found[2]}`", text)


def pages_with_options(docs: Path) -> dict[Path, str]:
    """The pages of all commands, with the tables of their options as they are now."""
    pages: dict[Path, str] = {}

    def put(name: str, part: str, text: str) -> None:
        path = docs / name
        page = pages.get(path) or path.read_text(encoding="utf-8")
        pages[path] = with_part(page, f"options {part}", text)

    for name, command in commands().items():
        put(page_of(name), name, options_markdown(name, command))
    for target in SHARED:
        page, _, section = target.partition("#")
        if page == "index.md":
            put(f"{FOLDER}/{page}", section, shared_markdown(target))
    return pages


def main() -> None:
    """Write the tables into the pages of the folder that is named on the command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m attnxai.cli.documentation docs")
    try:
        for path, text in pages_with_options(Path(sys.argv[1])).items():
            path.write_text(text, encoding="utf-8")
    except OptionError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
