"""A folder of results that a run locks when it starts and fills when everything is computed.

Beside the results lies ``manifest.json``, which names the files that were written. Only these are ever
replaced; whatever else lies in the folder stays.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from attnxai.errors import AttnxaiWarning, InUseError, OptionError
from attnxai.jobs.files import made_folder, named_faults, read_json, to_replace, write_file
from attnxai.jobs.locks import locked

FORMAT = "attnxai-manifest"
MANIFEST_NAME = "manifest.json"
_LOCK_NAME = ".attnxai-lock"
_PARTIAL_NAME = ".attnxai-partial"
_UNFINISHED_NAME = ".attnxai-unfinished"


@contextlib.contextmanager
def claimed_folder(
    folder: Path, *, refuse: Callable[[set[str]], None], option: str = "--output"
) -> Iterator[None]:
    """Make a folder, or use an existing one, and lock it against other runs while the block runs.

    ``refuse`` is called with the names of what lies there and raises an error if they should not be added
    to. What a run that was killed has left there is removed, but for what the next can go on from. A folder
    that was made and is still empty is removed if the block ends with an error.
    """
    if folder.is_dir():
        refuse(_names(folder))
    with made_folder(folder, option=option), locked(folder / _LOCK_NAME, output=folder):
        refuse(_names(folder))
        shutil.rmtree(folder / _PARTIAL_NAME, ignore_errors=True)
        yield


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {_LOCK_NAME, _PARTIAL_NAME, _UNFINISHED_NAME}


class OutputFolder:
    """A folder that this process has locked; see :func:`output_folder`."""

    def __init__(self, path: Path, *, what: str, overwrite: bool) -> None:
        self._path, self._what, self._overwrite = path, what, overwrite
        # what a run has finished before its results; removed when these are written
        self.unfinished = path / _UNFINISHED_NAME

    @property
    def path(self) -> Path:
        """Where the files are, which may be known only when they are written."""
        return self._path

    @contextlib.contextmanager
    def writing(self) -> Iterator[Path]:
        """A hidden folder whose files take their places when the block ends without an error."""
        partial = self._path / _PARTIAL_NAME
        with named_faults(self._path):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            try:
                yield partial
                self._publish(partial)
                shutil.rmtree(self.unfinished, ignore_errors=True)
            finally:
                shutil.rmtree(partial, ignore_errors=True)

    def _publish(self, partial: Path) -> None:
        files = [path for path in partial.rglob("*") if not path.is_dir()]
        names = [path.relative_to(partial).as_posix() for path in files]
        # the page comes last, so that a folder without it is seen to be unfinished
        names.sort(key=lambda name: ("/" not in name, name.endswith(".html"), name))
        earlier = self._earlier_files()
        foreign = [n for n in (MANIFEST_NAME, *names) if not _may_write(self._path, n, earlier)]
        if foreign:
            earlier = set()
            self._set_aside(foreign[0])
        write_manifest(self._path, self._what, {*names, *earlier}, unfinished=True)
        for name in earlier:
            if name not in {*names, MANIFEST_NAME} or name.endswith(".html"):
                _remove(self._path, name)
        for name in names:
            target = self._path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(partial / name, target)
        write_manifest(self._path, self._what, names)

    def _earlier_files(self) -> set[str]:
        """Files that may be replaced; none where a manifest has appeared since the folder was locked."""
        replaced = self._overwrite or is_unfinished(self._path)
        manifest = read_manifest(self._path) if replaced else None
        if manifest is None or manifest[0] != self._what:
            return set()
        return {*manifest[1], MANIFEST_NAME}

    def _set_aside(self, foreign: str) -> None:
        folder = self._path
        for number in itertools.count(2):
            self._path = folder / f"{self._what}-{number}"
            with contextlib.suppress(FileExistsError):
                self._path.mkdir()
                break
        warnings.warn(
            f"{folder / foreign} was not written by {_a(self._what)} and stays as it is; the {self._what} "
            f"was written to {self._path}",
            AttnxaiWarning,
            stacklevel=2,
        )


def _may_write(folder: Path, name: str, earlier: set[str]) -> bool:
    target = folder / name
    if os.path.lexists(target):
        return name in earlier and target.is_file() and not target.is_symlink()
    parents = itertools.takewhile(lambda place: place != folder, target.parents)
    return not any(os.path.lexists(place) and not place.is_dir() for place in parents)


def _remove(folder: Path, name: str) -> None:
    """Remove a file that an earlier run wrote, and its folder if that is empty then."""
    target = folder / name
    inner = list(itertools.takewhile(lambda place: place != folder, target.parents))
    if any(place.is_symlink() for place in (target, *inner)):
        return
    with contextlib.suppress(OSError):
        target.unlink()
        for place in inner:
            place.rmdir()


@contextlib.contextmanager
def output_folder(
    output: str | Path | OutputFolder | None,
    *,
    what: str,
    default: str = "",
    overwrite: bool = False,
    option: str = "--output",
) -> Iterator[OutputFolder]:
    """Lock a folder for results while the block runs; its ``writing`` fills it.

    One that was claimed already is yielded as it is. None stands for ``default``, or the next free number
    of it. ``what`` says what the folder holds, such as ``report``. With ``overwrite`` the files of an
    earlier run are replaced; other files stay. Errors name the folder by ``option``, which is not an option of the
    command line where the folder is an argument in Python.
    """

    def refuse(names: set[str]) -> None:
        refuse_others(folder, names, what=what, overwrite=overwrite, option=option)

    if isinstance(output, OutputFolder):
        yield output
        return
    with contextlib.ExitStack() as stack:
        if output is None:
            folder = _numbered(default, stack)
        else:
            folder = Path(output)
            stack.enter_context(claimed_folder(folder, refuse=refuse, option=option))
        yield OutputFolder(folder, what=what, overwrite=overwrite and output is not None)


def refuse_others(
    folder: Path, names: set[str], *, what: str, overwrite: bool, option: str
) -> None:
    """Refuse a folder that holds results of another kind, or ones that should not be replaced."""
    if not names:
        return
    manifest = read_manifest(folder)
    if manifest is None or manifest[0] != what:
        holds = "other files than" if manifest is None else f"{_a(manifest[0])}, not"
        raise OptionError(f"{option} {folder} holds {holds} {_a(what)}; name another folder")
    if not overwrite and not is_unfinished(folder):
        raise OptionError(
            f"{option} {folder} holds {_a(what)} already; name another folder or {to_replace(option)}"
        )


def _a(what: str) -> str:
    """What a folder holds, with its article."""
    return f"{'an' if what[0] in 'aeiou' else 'a'} {what}"


def _numbered(default: str, stack: contextlib.ExitStack) -> Path:
    """Lock the first free folder of a name, or one in which a killed run has left no results."""

    def refuse(names: set[str]) -> None:
        if names:
            raise InUseError(f"{folder} is in use")

    for number in itertools.count(1):
        folder = Path(default if number == 1 else f"{default}-{number}")
        # an empty folder without a lock may be one that another run has made this moment
        left = (folder / _LOCK_NAME).is_file() or (folder / _UNFINISHED_NAME).is_dir()
        if os.path.lexists(folder) and not left:
            continue
        with contextlib.suppress(InUseError):
            stack.enter_context(claimed_folder(folder, refuse=refuse))
            return folder
    raise AssertionError("numbers do not end")


def read_manifest(folder: Path) -> tuple[str, set[str]] | None:
    """Kind of the results in a folder, such as ``report``, and the paths of the files that were written.

    None where there is no manifest, or none that can be trusted.
    """
    try:
        content = read_json(folder / MANIFEST_NAME)
        if content["format"] != FORMAT:
            return None
        what, files = str(content["what"]), {str(name) for name in content["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # a manifest that somebody else has made should not lead out of the folder
    outside = any(
        PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts for name in files
    )
    return None if outside else (what, files)


def is_unfinished(folder: Path) -> bool:
    """Whether a run was killed while its files took their places, so that the same command may replace them."""
    try:
        return read_json(folder / MANIFEST_NAME)["unfinished"] is True
    except (OSError, ValueError, KeyError, TypeError):
        return False


def write_manifest(folder: Path, what: str, files: Any, *, unfinished: bool = False) -> None:
    """Write which files a run has written, or is about to."""
    content: dict[str, Any] = {"format": FORMAT, "what": what}
    content["files"] = sorted({*files} - {MANIFEST_NAME})
    if unfinished:
        content["unfinished"] = True
    write_file(folder / MANIFEST_NAME, json.dumps(content, indent=1) + "\n")
