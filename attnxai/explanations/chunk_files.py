"""The files of a chunk in the folder of a run: a job computes and writes them, on whatever machine, and they are found again."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from pathlib import Path
from typing import Any

from attnxai.data.image_list import ImageBatch, ImageReference
from attnxai.errors import OptionError
from attnxai.explanations.chunk import ChunkTask, compute_chunk
from attnxai.explanations.files.map_store import file_of_chunk
from attnxai.jobs.files import read_json, write_file
from attnxai.jobs.worker import Report

STORE, TABLES, PROGRESS = "store", "tables", "progress.jsonl"


def mark_of_run(work: Path, run: str) -> Path:
    """The file that is in a folder while a run uses it, so that no job of an earlier one writes there."""
    return work / f"run-{run}"


def run_chunk(argument: tuple[ChunkTask, str, str], report: Report) -> dict[str, Any]:
    """Compute a chunk, write its files into the folder of a run, and return the record of both.

    ``absent`` are files of images that cannot be opened here, on the machine ``host``.

    Raises
    ------
    OptionError
        If this machine does not see the folder, or another run has begun in it.
    """
    task, folder, run = argument
    work = Path(folder)

    def on_image(n_done: int, n_all: int) -> None:
        report(done=n_done, total=n_all)

    _check_run(work, run)
    made = compute_chunk(task, on_image)
    _check_run(work, run)
    for name, content in made.files.items():
        write_file(work / STORE / name / file_of_chunk(task.index), content)
    write_file(table_of_chunk(work, task.index), json.dumps(made.table))
    bad = [task.batch.images[position] for position in made.table["reasons"]]
    return {
        "sha256": sha256_of_chunk(work, task.index),
        "n_unusable": len(bad),
        "notes": list(made.notes),
        "host": socket.gethostname(),
        "absent": [
            image.path
            for image in bad
            if isinstance(image, ImageReference) and not os.access(image.path, os.R_OK)
        ],
    }


def _check_run(work: Path, run: str) -> None:
    if mark_of_run(work, run).exists():
        return
    place, host = work.absolute(), socket.gethostname()
    if any(work.glob(mark_of_run(work, "*").name)):
        raise OptionError(
            f"another run has begun in {place}, so that this one writes nothing there from {host}"
        )
    what = "is another one" if work.is_dir() else "is missing"
    raise OptionError(
        f"folder {place}, where unfinished maps are kept, {what} on {host}; all machines have to see the output under the "
        "same path"
    )


def mark_of_images(batch: ImageBatch) -> str:
    """What differs if files of images were written since: a hash of their sizes and times of change."""
    digest = hashlib.sha256()
    for path in dict.fromkeys(one.path for one in batch.images if isinstance(one, ImageReference)):
        try:
            found = Path(path).stat()
            digest.update(f"{found.st_size} {found.st_mtime_ns}\n".encode())
        except (OSError, ValueError):  # the chunk says why the image cannot be read
            digest.update(b"missing\n")
    return digest.hexdigest()


def table_of_chunk(work: Path, index: int) -> Path:
    """File of what there is to say of the images of a chunk."""
    return work / TABLES / f"{index}.json"


def files_of_chunk(work: Path, index: int) -> list[Path]:
    """Files of a finished chunk; raises what reading its table raises."""
    table = table_of_chunk(work, index)
    arrays = read_json(table).get("layout", {}).get("arrays", {})
    return [table, *(work / STORE / name / file_of_chunk(index) for name in sorted(arrays))]


def sha256_of_chunk(work: Path, index: int) -> str | None:
    """Hash of the files of a chunk; None where they are not all there."""
    digest = hashlib.sha256()
    try:
        for file in files_of_chunk(work, index):
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    except (OSError, ValueError, AttributeError, TypeError):
        return None
    return digest.hexdigest()
