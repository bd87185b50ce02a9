"""The folder of maps and the one of unfinished maps beside it: for one run at a time, and with nothing else in them."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attnxai.errors import OptionError
from attnxai.explanations.chunk_files import PROGRESS, STORE, TABLES, mark_of_run
from attnxai.jobs.files import made_folder, to_replace
from attnxai.jobs.locks import locked
from attnxai.jobs.output_folder import MANIFEST_NAME, read_manifest, refuse_others
from attnxai.jobs.store import ResultStore

MAP_FOLDER = "map folder"
"""What manifests call maps in a folder."""
REPLACED = "replaced"
"""Where a run moves the maps that it replaces."""


@contextlib.contextmanager
def claimed(path: Path, *, overwrite: bool, option: str) -> Iterator[None]:
    """Lock a store, and refuse to replace what should stay."""

    def check() -> None:
        if path.suffix.lower() != ".zarr":
            raise OptionError(f"{option} {str(path)!r} should end in .zarr")
        if not path.is_dir():
            if path.exists():
                raise OptionError(f"{option} {path} is a file; name a folder")
            return
        names = {one.name for one in path.iterdir()}
        refuse_others(path, names, what=MAP_FOLDER, overwrite=overwrite, option=option)
        _, known = read_manifest(path) or ("", set())
        for file in path.rglob("*"):
            name = file.relative_to(path).as_posix()
            if not file.is_dir() and name not in {*known, MANIFEST_NAME}:
                raise OptionError(
                    f"{option} {path} holds other files than maps, such as {name}; move them, or name another folder"
                )

    check()
    with (
        made_folder(path.parent, named=path, option=option),
        locked(path.with_name(f".{path.name}.lock"), output=path),
    ):
        check()
        yield


def begun(work: Path, identity: Mapping[str, Any], overwrite: bool, option: str) -> ResultStore:
    """The record of finished chunks in a folder that is made, or begun anew where that is asked for."""
    if work.exists():
        others = sorted(
            {one.name for one in work.iterdir()}
            - {STORE, TABLES, PROGRESS, REPLACED}
            - {one.name for one in work.glob(mark_of_run(work, "*").name)}
            if work.is_dir()
            else {work.name}
        )
        others = [name for name in others if not name.startswith(f".{PROGRESS}")]
        if others:
            raise OptionError(
                f"{option}: {work}, where unfinished maps are kept, holds other files, such as {others[0]}; move it, or "
                "name another output"
            )
        # a run that has put its store in its place, and was killed before it removed the rest
        if not (work / STORE).exists() and (work / TABLES).exists():
            shutil.rmtree(work)
    work.mkdir(exist_ok=True)
    file = work / PROGRESS
    try:
        return ResultStore(file, identity=identity)
    except OptionError as error:
        if not overwrite:
            raise OptionError(f"{error}, or {to_replace(option)} to begin anew") from error
    shutil.rmtree(work)
    work.mkdir()
    return ResultStore(file, identity=identity)
