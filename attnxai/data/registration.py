"""Names and labels under which metrics, nulls, explanation methods and readers are registered."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from attnxai.errors import OptionError


def check_unclaimed(kind: str, name: str, module: str, registry: Mapping[str, Any]) -> None:
    """Refuse a name that another module has registered.

    Running the same cell of a notebook or the same module again replaces what it registered.
    """
    known = registry.get(name)
    if known is not None and known.__module__ != module:
        raise OptionError(
            f"another {kind} called {name} is registered by {known.__module__} already; choose another name"
        )


def check_option_name(kind: str, name: object, module: str, registry: Mapping[str, Any]) -> None:
    """Refuse a name that cannot be given on the command line, or that another module has registered."""
    if not (isinstance(name, str) and re.fullmatch(r"[a-z][a-z0-9_-]*", name)):
        raise OptionError(
            f"{kind} {name!r} needs a name that the command line can read: lower-case letters, digits, - and _, "
            "with a letter first"
        )
    check_unclaimed(kind, name, module, registry)


def check_label(kind: str, name: str, registry: Mapping[str, Any], label: object) -> None:
    """Refuse a label that is empty, or that differs from that of another name in capitals at most."""
    if not (isinstance(label, str) and label.strip()):
        raise OptionError(
            f"{kind} {name} needs a label, its name in text and figures, got {label!r}"
        )
    for other, known in registry.items():
        if other != name and str(known.label).casefold() == label.casefold():
            raise OptionError(
                f"{kind} {name} has the label {label}, which is that of {other}; choose another label"
            )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileReader:
    """A format of files: its name, how its content is recognised, and how it is read.

    A reader that recognises content that may be of another format too is ``asked_last``.
    """

    name: str
    recognises: Callable[[bytes], bool]
    read: Callable[[Any], Any]
    asked_last: bool = False


_Reader = TypeVar("_Reader", bound=FileReader)


class ReaderRegistry(dict[str, _Reader]):
    """Readers of one kind of file by the names of their formats."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def add(self, reader: _Reader) -> None:
        """Register a reader, in the place of one of the same name and module."""
        registered = {name: known.read for name, known in self.items()}
        check_unclaimed(f"reader of {self.kind}", reader.name, reader.read.__module__, registered)
        self.pop(reader.name, None)  # so that it is the last one
        self[reader.name] = reader

    def recognising(self, head: bytes) -> _Reader | None:
        """The reader that recognises a file by its beginning; the last one registered is asked first."""
        asked = sorted(self.values(), key=lambda reader: not reader.asked_last)
        return next((reader for reader in reversed(asked) if reader.recognises(head)), None)

    def formats(self) -> str:
        """Names of the formats, for messages."""
        return ", ".join(self)
