"""Which files annotations are read from: names, folders and patterns, and whose marks of which source a file holds."""

from __future__ import annotations

import dataclasses
import glob
import re
from collections.abc import Iterable
from pathlib import Path

from attnxai.annotations.sample import resolve_annotations
from attnxai.data.readers import is_image_name
from attnxai.errors import AnnotationError

_FIELD = re.compile(r"\{(\w*)\}")
_FIELDS = ("annotator", "source")
_MOST_FILES = 100_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file of annotations; ``annotator`` and ``source`` are what a pattern says of it, empty without one."""

    path: Path
    annotator: str = ""
    source: str = ""


def find_annotation_files(names: str | Path | Iterable[str | Path]) -> list[FoundFile]:
    """Files that names, folders and patterns stand for, each once, in the order of the names.

    Parameters
    ----------
    names : path or iterable of paths
        A file, the name of a shipped table, a folder (all files in it and in its folders, without hidden ones), or a
        pattern: ``{annotator}`` and ``{source}`` in a path stand for a part of it, ``*`` for anything.

    Returns
    -------
    list of FoundFile

    Raises
    ------
    AnnotationError
        If there is no such file, a folder is empty or a Zarr store, or a pattern has an unknown field.

    Examples
    --------
    >>> [found.path.name for found in find_annotation_files("expert.csv")]
    ['expert.csv']
    """
    names = [names] if isinstance(names, str | Path) else list(names)
    found: dict[Path, FoundFile] = {}
    for name in names:
        for file in _files_of(name):
            found.setdefault(file.path.absolute(), file)
    if not found:
        raise AnnotationError("no annotation file is named; name one")
    return list(found.values())


def _files_of(name: str | Path) -> list[FoundFile]:
    path = Path(name)
    if str(name) and path.is_dir():
        return [FoundFile(path=file) for file in _in_folder(path)]
    text = str(name)
    if not path.exists() and ("{" in text or "*" in text):
        return _matching(text)
    return [FoundFile(path=resolve_annotations(name))]


def _in_folder(folder: Path) -> list[Path]:
    """Files below a folder; images only if there is nothing else, as masks are images too."""
    if (folder / "zarr.json").is_file():
        raise AnnotationError(
            f"{folder} is a Zarr store, such as attnxai maps writes of maps; give it as maps (--maps, in Python maps), and "
            "name a table or a folder of annotations"
        )
    found = []
    for path in sorted(folder.rglob("*")):
        if (
            not any(part.startswith(".") for part in path.relative_to(folder).parts)
            and path.is_file()
        ):
            found.append(path)
            if len(found) > _MOST_FILES:
                raise AnnotationError(
                    f"folder {folder} holds more than {_MOST_FILES:,} files; name the folder or the files of annotations"
                )
    if not found:
        raise AnnotationError(f"folder {folder} holds no files; name a folder of annotation files")
    others = [path for path in found if not is_image_name(path.name)]
    return others or found


def _matching(pattern: str) -> list[FoundFile]:
    """Files that fit a pattern, with what stands in the places of its fields."""
    fields = _FIELD.findall(pattern)
    if unknown := [field for field in fields if field not in _FIELDS]:
        raise AnnotationError(
            f"the pattern {pattern!r} has the unknown field {{{unknown[0]}}}; known fields are "
            "{annotator} and {source}"
        )
    if twice := [field for field in _FIELDS if fields.count(field) > 1]:
        raise AnnotationError(f"the pattern {pattern!r} has the field {{{twice[0]}}} twice")
    # everything but fields and stars is taken literally
    parts = _FIELD.split(pattern)
    literal = [glob.escape(part).replace("[*]", "*") for part in parts[::2]]
    wildcard = "*".join(literal)
    expression = "".join(
        f"(?P<{part}>[^/]+)" if i % 2 else re.escape(part).replace(r"\*", "[^/]*")
        for i, part in enumerate(parts)
    )
    found = []
    for name in sorted(glob.glob(wildcard)):  # noqa: PTH207 -- patterns may be absolute
        values = re.fullmatch(expression, name)
        if values is not None and Path(name).is_file():
            found.append(FoundFile(path=Path(name), **values.groupdict()))
    if not found:
        where = "" if Path(pattern).is_absolute() else f" in {Path.cwd()}"
        raise AnnotationError(
            f"no file fits the pattern {pattern!r}{where}; {{annotator}} and {{source}} stand for a part of a path, "
            "* for anything"
        )
    return found
