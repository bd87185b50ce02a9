"""Names and labels under which metrics, nulls, explanation methods and readers are registered."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from attnxai.data.wording import unknown_name
from attnxai.errors import AttnxaiError, OptionError

_Registered = TypeVar("_Registered")

READER_FAILED = "if the file is valid, report this to the author of the reader"
"""How the message about a reader that failed ends."""

REGISTERED: set[tuple[str, str, str]] = set()
"""Kind, name and module of everything that was registered."""


def check_unclaimed(kind: str, name: str, module: str, registry: Mapping[str, Any]) -> None:
    """Refuse a name that another module has registered, and note who registers it.

    Running the same cell of a notebook or the same module again replaces what it registered.
    """
    known = registry.get(name)
    if known is not None and known.__module__ != module:
        raise OptionError(
            f"another {kind} called {name} is registered by {known.__module__} already; choose another name"
        )
    REGISTERED.add((kind, name, module))


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


def find_by_name(registry: Mapping[str, _Registered], what: str, name: str) -> _Registered:
    """The one of a name, or of the beginning of one, in any case; an OptionError names those that there are.

    Examples
    --------
    >>> find_by_name({"DS9 regions": 1, "FITS": 2}, "format", "ds9")
    1
    """
    wanted = name.casefold()
    exact = [one for key, one in registry.items() if key.casefold() == wanted]
    found = exact or [one for key, one in registry.items() if key.casefold().startswith(wanted)]
    if len(found) != 1:
        raise OptionError(unknown_name(what, name, registry))
    return found[0]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileReader:
    """A format of files: its name, how its content is recognised, and how it is read.

    A reader that recognises content that may be of another format too is ``asked_last``.
    """

    name: str
    recognises: Callable[[bytes], bool]
    read: Callable[[Any], Any]
    asked_last: bool = False

    @contextlib.contextmanager
    def failures(self, file: str, error: type[AttnxaiError]) -> Iterator[None]:
        """Turn exceptions of the reader into an ``error`` that names it and the file.

        Errors that a user can put right, warnings and a lack of memory pass through.
        """
        try:
            yield
        except (AttnxaiError, MemoryError, Warning):
            raise
        except Exception as reason:
            text = " ".join(str(reason).split())[:300]
            # a disk may fail, too
            is_of_system = isinstance(reason, OSError) and reason.errno is not None
            raise error(
                f"{file} cannot be read: the reader of the format {self.name} failed with "
                f"{type(reason).__name__}{text and f' ({text})'}"
                + ("" if is_of_system else f"; {READER_FAILED}")
            ) from reason


_Reader = TypeVar("_Reader", bound=FileReader)


class ReaderRegistry(dict[str, _Reader]):
    """Readers of one kind of file by the names of their formats, and the error that they raise."""

    def __init__(self, kind: str, error: type[AttnxaiError]) -> None:
        super().__init__()
        self.kind, self.error = kind, error

    def add(self, reader: _Reader) -> None:
        """Register a reader, in the place of one of the same name and module."""
        registered = {name: known.read for name, known in self.items()}
        check_unclaimed(f"reader of {self.kind}", reader.name, reader.read.__module__, registered)
        self.pop(reader.name, None)  # so that it is the last one
        self[reader.name] = reader

    def recognising(self, head: bytes, file: str) -> _Reader | None:
        """The reader that recognises a file by its beginning; the last one registered is asked first."""
        newest_first = list(reversed(self.values()))
        for reader in sorted(newest_first, key=lambda reader: reader.asked_last):
            with reader.failures(file, self.error):
                if reader.recognises(head):
                    return reader
        return None

    def formats(self) -> str:
        """Names of the formats, for messages."""
        return ", ".join(self)
