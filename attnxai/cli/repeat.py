"""``attnxai repeat``."""

from __future__ import annotations

import dataclasses
import functools
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attnxai.cli.console import console, details, stderr, verbosity
from attnxai.cli.endings import add_command, check_numbers, command
from attnxai.cli.help import INPUTS
from attnxai.cli.options import option, output_option
from attnxai.errors import AttnxaiError, OptionError, OutputError
from attnxai.jobs.files import free_path
from attnxai.jobs.plugins import is_loaded

if TYPE_CHECKING:
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.data.images import SourceSet
    from attnxai.report.record import InputHash

DEFAULT_FOLDER = "attnxai-repeat"
DIFFERENT = 1
_MOST_SHOWN = 5
# what the command of a page cannot choose: where is written and computed, and how much is printed; who answers at the
# address of a Dask scheduler can run code here
_LEFT_OUT = {
    "--scheduler": 1,
    "--output": 1,
    "-o": 1,
    "--overwrite": 0,
    "--quiet": 0,
    "-q": 0,
    "--verbose": 0,
    "-v": 0,
}
_PATHS = ("annotations", "model", "maps", "images", "labels", "data_dir", "audit", "split")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """What ``attnxai compare`` checks and records when it repeats a report."""

    words: tuple[str, ...]
    inputs: Mapping[str, InputHash]
    remedy: str

    @property
    def command(self) -> str:
        """The command that is run."""
        return shlex.join(["attnxai", *self.words])

    def check(
        self, annotations: AnnotationSet, images: SourceSet, models: Mapping[str, str | None]
    ) -> None:
        """Refuse other inputs than those of the report, before anything is computed with them."""
        from attnxai.report.record import check_inputs_unchanged

        check_inputs_unchanged(self.inputs, annotations, images, models, remedy=self.remedy)


@command(
    """Repeat a report from its own page, and compare all numbers.

    The command in the page is run again, into another folder. Annotations, images, models and maps have to be those of the
    report, by their hashes. The exit code is 1 if a number differs."""
)
def repeat(
    report: Annotated[
        Path,
        typer.Argument(
            metavar="REPORT",
            help="Folder of a report that attnxai compare wrote, or its page, index.html.",
        ),
    ],
    moved: Annotated[
        list[str] | None,
        option(
            "A file or folder of the command that lies elsewhere now; repeat for several.",
            INPUTS,
            "OLD=NEW",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        output_option(
            "Folder of the new report. [default: attnxai-repeat, or the next free number]", "FOLDER"
        ),
    ] = None,
) -> None:
    """``attnxai repeat``."""
    from attnxai.cli.compare import compare
    from attnxai.report.provenance import installed_versions
    from attnxai.report.record import (
        SUMMARY_NAME,
        differences,
        is_summary_of,
        numbers_of,
        read_record,
        read_summary,
    )

    record, place = read_record(report)
    before = read_summary(place)
    if output is not None and output.exists():
        raise OptionError(f"--output {output} exists already; name a new folder")
    folder = output or free_path(Path(DEFAULT_FOLDER))
    words = command_words(record.arguments, moved or (), report)
    words = (*words, "--output", str(folder))
    given = parsed_options(words, report)
    if given["output"] != folder or given["overwrite"] or given["scheduler"]:
        raise OptionError(
            f"the command in {report} cannot be given another folder; type it without --output, --overwrite and --scheduler"
        )
    _refuse_plugins(given.pop("plugin") or (), report)
    remedy = (
        f"paths of the command are looked for in {Path.cwd()}: run this in the folder in which the report was made, "
        "or say what lies elsewhere by --moved OLD=NEW"
    )
    repetition = Repetition(words=words, inputs=record.inputs, remedy=remedy)
    details.print(f"Running: {repetition.command}", soft_wrap=True)
    _note("version of", differences(record.versions, installed_versions()))
    verbosity.options = (*verbosity.options, *given)
    try:
        compare.__wrapped__(**given, repetition=repetition)  # type: ignore[attr-defined]
    except AttnxaiError as error:
        if remedy in str(error) or not _names_missing(given, str(error)):
            raise
        raise OptionError(f"{error}; {remedy}") from error
    now, _ = read_record(folder)
    after = read_summary(folder)
    if after is None:
        raise OutputError(
            f"{folder / SUMMARY_NAME} was removed or changed as soon as it was written, so the numbers cannot be compared; "
            "repeat the report in a folder that no other program writes to"
        )
    _note("plug-in", differences(record.plugins, now.plugins))
    if now.numbers_sha256 == record.numbers_sha256:
        console.print(
            f"All {now.n_numbers:,} numbers of summary.json are those of {report}.", soft_wrap=True
        )
        _say_new_words(before, after)
        return
    if before is None or not is_summary_of(record, before):
        details.print(
            "Which ones cannot be said: the summary.json of the report is not beside its page."
        )
    else:
        found = differences(numbers_of(before), numbers_of(after))
        for name, old, new in found[:_MOST_SHOWN]:
            details.print(f"{name}: {_short(old)}, now {_short(new)}", soft_wrap=True)
        if len(found) > _MOST_SHOWN:
            details.print(f"and {len(found) - _MOST_SHOWN:,} more")
    console.print(f"Numbers differ from those of {report}.", soft_wrap=True)
    raise typer.Exit(DIFFERENT)


def command_words(arguments: Sequence[str], moved: Sequence[str], report: Path) -> tuple[str, ...]:
    """What is run of the arguments in a record, with files where they lie now.

    Nothing reaches a shell, and what is shown is what is run.
    """
    if not arguments:
        raise OptionError(
            f"{report} was made from Python, not by attnxai compare; run its program again"
        )
    if arguments[0] != "compare":
        raise OptionError(
            f"the record in {report} names the command {arguments[0][:40]!r}; only attnxai compare is repeated"
        )
    words, rest = ["compare"], list(arguments[1:])
    while rest:
        word = rest.pop(0)
        if word in _LEFT_OUT:
            del rest[: _LEFT_OUT[word]]
        elif not word.startswith(("--output=", "-o=", "--scheduler=")):
            words.append(word)
    for one in moved:
        old, equals, new = one.partition("=")
        if not old or not equals or not new:
            raise OptionError(
                f"--moved {one!r} should be OLD=NEW, such as marks.csv=data/marks.csv"
            )
        replaced = [_replaced(word, old.rstrip(os.sep) or old, new) for word in words]
        if replaced == words:
            raise OptionError(f"--moved {one}: the command in {report} does not name {old}")
        words = replaced
    return tuple(words)


def _replaced(word: str, old: str, new: str) -> str:
    """A word whose path, or the folder at its beginning, is another now."""
    name, equals, path = word.partition("=") if word.startswith("--") else ("", "", word)
    if path == old or path.startswith(old + os.sep):
        path = new + path[len(old) :]
    return f"{name}{equals}{path}"


def parsed_options(words: Sequence[str], report: Path) -> dict[str, Any]:
    """Values of the options of ``attnxai compare``, checked as if they were typed; nothing is run."""
    from attnxai.cli.compare import compare

    given: dict[str, Any] = {}

    @functools.wraps(compare)
    def keep(**values: Any) -> None:
        given.update(values)

    alone = typer.Typer(rich_markup_mode=None)
    add_command(alone, keep)
    try:
        typer.main.get_command(alone)(list(words[1:]), standalone_mode=False)
    except Exception as error:
        message = getattr(error, "message", None)
        if not isinstance(message, str):
            raise
        raise OptionError(f"the command in {report} cannot be run: {message}") from error
    if not given:  # such as --help
        raise OptionError(f"the command in {report} compares nothing")
    for name in ("quiet", "verbose"):
        del given[name]
    check_numbers(given)
    return given


def _refuse_plugins(plugins: Sequence[str], report: Path) -> None:
    """Refuse plug-ins that the user has not named: their code would be run."""
    for one in plugins:
        if not is_loaded(one):
            raise OptionError(
                f"{report} was made with the plug-in {one}, whose code would be run; if you trust it, add --plugin "
                f"{shlex.quote(one)}"
            )


def _names_missing(given: Mapping[str, Any], message: str) -> bool:
    """Whether a message names a file of the command that does not exist."""
    values = [given[name] or () for name in _PATHS]
    paths = [one for v in values for one in ([v] if isinstance(v, str | Path) else v)]
    return any(str(path) in message and not Path(path).exists() for path in paths)


def _note(what: str, found: Sequence[tuple[str, Any, Any]]) -> None:
    """Say what is of another version or content than in the report."""
    for name, there, here in found:
        stderr.print(
            f"Note: {what} {_short(name)}: {_short(there)} in the report, {_short(here)} here; numbers may differ"
        )


def _say_new_words(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> None:
    """Say that another version puts the same numbers in other words."""
    old = before.get("verdict") if before is not None else None
    headline = old.get("headline") if isinstance(old, dict) else None
    if isinstance(headline, str) and headline != after["verdict"]["headline"]:
        details.print(f"The headline was: {headline}", soft_wrap=True)


def _short(value: Any) -> str:
    text = "nothing" if value is None else f"{value}"
    return text if len(text) <= 60 else f"{text[:57]}..."
