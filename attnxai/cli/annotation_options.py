"""Options that say which annotations are read, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from attnxai.cli import completion
from attnxai.cli.help import ANNOTATIONS, INPUTS
from attnxai.cli.options import flag, option
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from typer.models import OptionInfo

_SHIP = "expert.csv (a simulated sample) and fanaroff_riley_rule.csv (MiraBest, marked by a rule) ship with attnxai."
FILES_HELP = (
    "Files of any format, folders or patterns such as 'marks/{annotator}/{source}.reg'. " + _SHIP
)
_SHIPPED = ("expert.csv", "fanaroff_riley_rule.csv")


def _annotations_option(help_text: str) -> OptionInfo:
    return option(help_text, INPUTS, "FILE", choices=lambda: _SHIPPED, extensions=(".csv", ".reg"))


AnnotationsOption = Annotated[
    list[str], _annotations_option(f"{FILES_HELP} Repeat the option for several.")
]
SourcesOption = Annotated[
    list[str] | None,
    _annotations_option(
        "Annotations (file, folder or pattern) whose sources are used, such as expert.csv; repeat for several."
    ),
]
HeldOutAnnotationsOption = Annotated[
    list[str] | None,
    _annotations_option(
        "Annotations (file, folder or pattern) to compare maps with, over sources that are held out; repeat for several."
    ),
]
LabelOption = Annotated[
    list[str] | None,
    option(
        "Use only annotations with this label; repeat for several.",
        ANNOTATIONS,
        "NAME",
        choices=completion.label_names,
    ),
]
MergeSpellingsOption = Annotated[
    bool,
    flag(
        "--merge-spellings",
        "Take names of annotators that differ in case, spaces, accents or punctuation alone for one.",
        ANNOTATIONS,
    ),
]
_NAMES = ("annotator", "label_of", "annotator_of", "annotator_from", "format_name")


def annotation_options(
    annotator: Annotated[
        str,
        option(
            "Annotator of marks for which neither their file nor a pattern states one. [default: the name of the file]",
            ANNOTATIONS,
            "NAME",
        ),
    ] = "",
    label_of: Annotated[
        list[str] | None,
        option(
            "Label that a text, tag, color or mask value stands for, such as red=lobe; repeat for several.",
            ANNOTATIONS,
            "WORD=LABEL",
        ),
    ] = None,
    annotator_of: Annotated[
        list[str] | None,
        option(
            "Annotator that a text, tag or color of the marks stands for, such as green=Ann; repeat for several.",
            ANNOTATIONS,
            "WORD=NAME",
        ),
    ] = None,
    annotator_from: Annotated[
        str,
        option(
            "Where annotators are stated: file or folder (its name), or text, tag or color of the marks. [default: what the "
            "format states, then the file]",
            ANNOTATIONS,
            "WHERE",
        ),
    ] = "",
    format_name: Annotated[
        str | None,
        option(
            "Format of the files of annotations, where their content could be of several: {reader_names}. [default: by the "
            "content]",
            ANNOTATIONS,
            "NAME",
            "--format",
            choices=completion.reader_names,
        ),
    ] = None,
) -> None:
    """How annotations are read, which a command takes as ``**given``; see :func:`keywords_of`."""


def keywords_of(given: Mapping[str, Any], *, annotated: bool = True) -> dict[str, Any]:
    """Keyword arguments of functions that read annotations, from a command's options.

    Without annotations, options about them are refused, and the others are left.

    Raises
    ------
    OptionError
        If a label is unknown, a mapping is not one, or the options are about annotations that are not there.
    """
    from attnxai.annotations.naming import Naming, parse_mapping

    others = {name: value for name, value in given.items() if name not in _NAMES}
    if not annotated:
        if useless := [name for name in _NAMES if given.get(name)]:
            option_name = "format" if useless[0] == "format_name" else useless[0]
            raise OptionError(
                f"--{option_name.replace('_', '-')} needs --annotations, which are not given"
            )
        return others
    naming = Naming(
        labels=parse_mapping(given.get("label_of") or (), "--label-of"),
        annotators=parse_mapping(given.get("annotator_of") or (), "--annotator-of"),
        annotator_from=given.get("annotator_from", "").strip().lower(),
    )
    return {
        **others,
        "annotator": given.get("annotator", ""),
        "format_name": given.get("format_name"),
        "naming": naming,
    }
