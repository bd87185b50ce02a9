"""Atomic writes, JSON from untrusted files, and checks of output paths."""

from __future__ import annotations

import contextlib
import glob
import json
import math
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from attnxai.errors import AttnxaiError, OptionError, OutputError
from attnxai.jobs.locks import locked, try_lock

_PARTIAL = ".partial-"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@contextlib.contextmanager
def named_faults(path: Path) -> Iterator[None]:
    """Turn an :class:`OSError` without a file name, as when a disk is full, into an OutputError with one."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or isinstance(error, AttnxaiError):
            raise
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error


def read_input(path: Path, what: str, error: type[AttnxaiError]) -> bytes:
    """Content of a file that a user has named; what cannot be read is an ``error`` about ``what``.

    Pipes and devices, which may never end, are refused.
    """
    check_regular(path, what, error)
    try:
        return path.read_bytes()
    except OSError as reason:
        raise error(f"{what} cannot be read: {reason.strerror or reason}") from reason
    except MemoryError as reason:
        n_bytes = path.stat().st_size
        raise error(f"{what} has {n_bytes} bytes, more than fit into memory") from reason


def check_regular(path: Path, what: str, error: type[AttnxaiError]) -> None:
    """Refuse what exists but is neither a file nor a link to one."""
    if path.exists() and not path.is_file():
        kind = (
            "a folder; name a file in it"
            if path.is_dir()
            else "a pipe or a device; save it as a file"
        )
        raise error(f"{what} is {kind}")


def write_file(path: str | Path, content: bytes | str) -> None:
    """Write a file (text in UTF-8) atomically: a reader finds the old or the new content, never a part.

    Its folder is made where it is missing; a link to a file is written through. If there is no space, the
    old file is kept.
    """
    path = Path(path)
    target = _target(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # a name that is not Unicode, as a path can be, is written with its numbers
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    with named_faults(path):
        while not _written(target, data):
            pass


def _written(target: Path, data: bytes) -> bool:
    # opened like any other file, so that it has the usual permissions
    temporary = target.with_name(f".{target.name}{_PARTIAL}{secrets.token_hex(8)}")
    try:
        with open(temporary, "xb") as file:
            # the lock shows that the process that writes it is alive
            try_lock(file.fileno())
            file.write(data)
        with contextlib.suppress(FileNotFoundError):  # removed by another process as a leftover
            temporary.replace(target)
            return True
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return False


@contextlib.contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """The path of a temporary file that takes its place when the block ends without an error.

    For files that are too large to be held in memory twice; :func:`output_file` locks them.
    """
    target = _target(path)
    temporary = target.with_name(f".{target.name}{_PARTIAL}{secrets.token_hex(8)}")
    try:
        with named_faults(path):
            yield temporary
            temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def clear_partial_files(target: Path) -> None:
    """Remove the temporary files that killed processes have left of a file."""
    for file in target.parent.glob(f".{glob.escape(target.name)}{_PARTIAL}*"):
        with contextlib.suppress(OSError), open(file, "r+b") as left:
            if try_lock(left.fileno()):
                file.unlink()


def read_json(path: Path) -> Any:
    """Content of a JSON file; a :class:`ValueError` where it is not JSON, nested too deeply or not Unicode.

    Numbers that are not finite, which JSON does not have, are refused as well.
    """
    return parse_json(path.read_text(encoding="utf-8"))


def parse_json(text: str) -> Any:
    """The same of text."""
    try:
        content = json.loads(text, parse_float=_finite, parse_constant=_finite)
        if _SURROGATE.search(text):
            # halves of a pair, which cannot be written or printed again
            json.dumps(content, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it holds text that is not Unicode") from None
    return content


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]} is not finite")
    return value


def check_output_file(
    path: Path, *, extensions: Sequence[str], overwrite: bool = False, option: str = "--output"
) -> None:
    """Refuse a file that cannot be written, has none of the extensions, or exists and should not be replaced."""
    if not path.name.endswith(tuple(extensions)):
        which = extensions[0] if len(extensions) == 1 else f"one of {', '.join(extensions)}"
        raise OptionError(f"{option} {str(path)!r} should end in {which}")
    if path.is_dir():
        raise OptionError(f"{option} {path} is a folder; name a file")
    if path.exists() and not overwrite:
        raise OptionError(
            f"{option} {path} exists already; name another file or {to_replace(option)}"
        )
    _check_folder(_target(path).parent, named=path, option=option)


def to_replace(option: str) -> str:
    """How to replace what is there, where an output is named by an option, or else by a Python argument."""
    return "add --overwrite" if option.startswith("--") else "pass overwrite=True"


@contextlib.contextmanager
def output_file(
    path: Path, *, extensions: Sequence[str], overwrite: bool = False, option: str = "--output"
) -> Iterator[None]:
    """Check that a file can be written, and lock it against other runs while the block runs."""
    check_output_file(path, extensions=extensions, overwrite=overwrite, option=option)
    target = _target(path)
    with (
        made_folder(target.parent, named=path, option=option),
        locked(target.with_name(f".{target.name}.lock"), output=path),
    ):
        check_output_file(path, extensions=extensions, overwrite=overwrite, option=option)
        clear_partial_files(target)
        yield


def free_path(path: Path, *, overwrite: bool = False) -> Path:
    """The given path, or one with the next free number where another file has appeared meanwhile."""
    free, number = path, 1
    while free.exists() and not overwrite:
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free


def _target(path: Path) -> Path:
    return path.resolve() if path.is_symlink() else path


@contextlib.contextmanager
def made_folder(
    folder: Path, *, named: Path | None = None, option: str = "--output"
) -> Iterator[None]:
    """Make a folder; what was made and is still empty is removed if the block ends with an error."""
    _check_folder(folder, named=named or folder, option=option)
    absolute = folder.absolute()
    made: list[Path] = []
    try:
        for place in reversed([p for p in (absolute, *absolute.parents) if not p.exists()]):
            with contextlib.suppress(FileExistsError):  # made by somebody else meanwhile
                place.mkdir()
                made.append(place)
        yield
    except BaseException:
        # what somebody else has put there stays
        with contextlib.suppress(OSError):
            for place in reversed(made):
                place.rmdir()
        raise


def _check_folder(folder: Path, *, named: Path, option: str) -> None:
    """Refuse paths that are not folders, and folders that cannot be made or written to."""
    absolute = folder.absolute()
    if os.path.lexists(folder) and not folder.is_dir():
        is_link = folder.is_symlink() and not folder.exists()
        what = "is a link to nothing" if is_link else "is a file"
        raise OptionError(f"{option} {folder} {what}; name a folder")
    ancestor = next(place for place in (absolute, *absolute.parents) if place.exists())
    if not ancestor.is_dir() or not os.access(ancestor, os.W_OK | os.X_OK):
        raise OptionError(
            f"{option} {named} cannot be written: {ancestor} is not a folder that can be written to"
        )
