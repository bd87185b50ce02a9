"""Maps of any number of images, written to a store chunk by chunk; a run that was interrupted is resumed."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import secrets
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import attnxai
from attnxai.data.image_list import ImageBatch, ImageList
from attnxai.data.short_repr import short_repr
from attnxai.data.wording import counted, first_of
from attnxai.errors import (
    AlignmentError,
    AttnxaiError,
    AttnxaiWarning,
    ImageError,
    JobError,
    OutputError,
)
from attnxai.explanations.chunk import ChunkTask, grouped_reasons, without_numbers
from attnxai.explanations.chunk_files import (
    STORE,
    TABLES,
    files_of_chunk,
    mark_of_images,
    mark_of_run,
    run_chunk,
    sha256_of_chunk,
    table_of_chunk,
)
from attnxai.explanations.explaining import chosen_methods
from attnxai.explanations.files.map_store import CHUNK, StoreTables, write_metadata
from attnxai.explanations.files.zarr_folder import PARTIAL
from attnxai.explanations.map_folder import MAP_FOLDER, REPLACED, begun, claimed
from attnxai.explanations.measured import joined_facts
from attnxai.explanations.targets import check_target
from attnxai.jobs.files import named_faults, read_json
from attnxai.jobs.output_folder import write_manifest
from attnxai.jobs.plugins import LOADED
from attnxai.jobs.runner import run_jobs
from attnxai.jobs.store import ResultStore
from attnxai.jobs.worker import EventKind, Job, JobEvent
from attnxai.models.checkpoints import load_model
from attnxai.models.model import AttentionModel
from attnxai.models.wrapped_network import weights_sha256

_N_EXAMPLES = 10


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MapRun:
    """What a run has written.

    Parameters
    ----------
    n_images, n_unusable : int
        All images, and those without maps.
    unusable : mapping of str to str
        The first of these, with the reason.
    layers : tuple of str
        Names of the layers.
    n_kept : int
        Images whose maps an earlier run had finished.
    notes : tuple of str
        What had to be assumed of images.

    Examples
    --------
    >>> run = MapRun(n_images=3, n_unusable=1, unusable={"s2": "it is blank"}, layers=("gate1",), n_kept=0, notes=())
    >>> run.unusable["s2"]
    'it is blank'
    """

    n_images: int
    n_unusable: int
    unusable: Mapping[str, str]
    layers: tuple[str, ...]
    n_kept: int
    notes: tuple[str, ...]

    __repr__ = short_repr


def write_map_store(
    path: str | Path,
    model: str | Path,
    images: ImageList,
    method: str | Sequence[str] = "gates",
    *,
    target: str | Sequence[str] | None = None,
    seed: int = 0,
    device: str = "cpu",
    n_workers: int = 1,
    scheduler: str | None = None,
    overwrite: bool = False,
    option: str = "path",
    on_progress: Callable[[int, int, int], None] | None = None,
) -> MapRun:
    """Write the maps of any number of images, of which a chunk is in memory at a time.

    What is finished lies in a folder beside the store, with the ending ``.partial``, until all of it is. The same call
    resumes from there, after whatever has ended it, and the store has the same bytes as that of an undisturbed run, with
    any number of workers, in a cluster as well.

    Parameters
    ----------
    path : path
        The store, which ends in ``.zarr``.
    model : path
        File or name of a model.
    images : ImageList
        The images. Those that cannot be read or do not fit the model get a reason instead of maps.
    method : str or sequence of str
        Names of explanation methods.
    target : str or sequence of str, optional
        As of :func:`attnxai.explain`.
    seed : int
        Seed of methods that draw.
    device : str
        Where the network runs.
    n_workers : int
        Number of processes.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://host:8786``, whose workers compute the chunks. They have to see images,
        model and output under the same paths.
    overwrite : bool
        Replace an existing store when the new one is finished, and begin anew where the unfinished maps of another call
        are.
    option : str
        What errors call the path.
    on_progress : callable, optional
        Called with the numbers of finished images, of all, and of those that an earlier run had finished.

    Returns
    -------
    MapRun

    Raises
    ------
    OptionError
        If the path cannot be written, exists, or holds the unfinished maps of another call; if a method is unknown, or the
        target is not a class of the model; if the scheduler does not answer, or its workers differ from this machine.
    InUseError
        If another run writes to it.
    OutputError
        If the disk is full. What is finished stays.
    ImageError
        If no image can be used, or a worker cannot open one that this machine can.
    JobError
        If workers end while they compute a chunk, or the scheduler is lost.

    Examples
    --------
    >>> import attnxai
    >>> folder = next(iter(attnxai.read_annotations("expert.csv").image_files().values())).parent
    >>> images = attnxai.data.list_images(folder / "*_01.fits*")
    >>> run = write_map_store(getfixture("tmp_path") / "maps.zarr", "c1.pt", images)
    >>> run.n_images, run.n_unusable, run.layers
    (2, 0, ('gate1', 'gate2', 'gate3'))
    >>> attnxai.read_maps(getfixture("tmp_path") / "maps.zarr").sources == images.sources
    True
    """
    path = Path(path)
    path = path.resolve() if path.is_symlink() else path
    methods = tuple(one.name for one in chosen_methods(method))
    loaded = load_model(model)
    check_target(target, loaded.class_names, loaded.name)
    with claimed(path, overwrite=overwrite, option=option):
        work = path.with_name(path.name + PARTIAL)
        goal = target if target is None or isinstance(target, str) else tuple(target)
        task = {
            "model": str(model),
            "model_sha256": loaded.sha256 or weights_sha256(loaded.network),
            "methods": methods,
            "target": goal,
            "seed": seed,
            "device": device,
            "plugins": tuple(LOADED),
        }
        with named_faults(path):
            progress = begun(work, _identity(loaded, images, task), overwrite, option)
            run = _Run(work, images, task, progress, on_progress)
            try:
                with named_faults(path):
                    run.compute(n_workers, scheduler)
                    found = run.finish(path)
            except AttnxaiError as error:
                if not progress.results:
                    shutil.rmtree(work, ignore_errors=True)
                if not isinstance(error, OutputError):
                    raise
                remedy = "so run the same command again when it can be written"
                if os.strerror(errno.ENOSPC) in str(error):  # the number is lost between processes
                    remedy = "so free space, then run the same command again"
                raise OutputError(f"{error}; what is finished is kept, {remedy}") from error
    return found


def _identity(model: AttentionModel, images: ImageList, task: Mapping[str, Any]) -> dict[str, Any]:
    """What has to be the same for finished chunks to be used, as messages name it."""
    return {
        "version": attnxai.__version__,
        "model": f"{model.name} ({task['model_sha256'][:12]})",
        "images": f"{images.origin} ({counted(len(images), 'image')}, {images.sha256()[:12]})",
        "explanations": ", ".join(task["methods"]),
        "target": str(task["target"]),
        "seed": task["seed"],
        "device": str(task["device"]).partition(":")[0],
    }


def _name(index: int) -> str:
    return f"chunk {index}"


class _Run:
    """A run in the folder of its unfinished results."""

    def __init__(
        self,
        work: Path,
        images: ImageList,
        task: Mapping[str, Any],
        progress: ResultStore,
        on_progress: Callable[[int, int, int], None] | None,
    ) -> None:
        self._work, self._images, self._task = work, images, task
        self._progress = progress
        self._n_chunks = -(-len(images) // CHUNK)
        for mark in work.glob(mark_of_run(work, "*").name):
            mark.unlink()
        # before they are read: what is written meanwhile counts as changed
        self._marks = [mark_of_images(self._batch(index)) for index in range(self._n_chunks)]
        self._done = self._verified()
        self._n_kept = sum(map(self._size, self._done))
        self._layout: dict[str, Any] | None = None
        self._partly: dict[str, float] = {}
        self._on_progress = on_progress

    def _size(self, index: int) -> int:
        return min(CHUNK, len(self._images) - index * CHUNK)

    def _batch(self, index: int) -> ImageBatch:
        return self._images.batch(index * CHUNK, (index + 1) * CHUNK)

    def _verified(self) -> set[int]:
        """Finished chunks whose files are what was written, of the same images; all other files are removed."""
        known = self._progress.results
        done, damaged, changed, files = set(), [], [], set()
        for index in range(self._n_chunks):
            record = known.get(_name(index))
            if record is None:
                continue
            if record["sha256"] != sha256_of_chunk(self._work, index):
                damaged.append(index)
            elif record.get("images", self._marks[index]) != self._marks[index]:
                changed.append(index)
            else:
                done.add(index)
                files.update(files_of_chunk(self._work, index))
        self._remove_others(files)
        are = "is" if len(damaged) == 1 else "are"
        for again, why in (
            (damaged, f"that {are} damaged or missing"),
            (changed, "with images whose files were written since"),
        ):
            if again:
                what = first_of(
                    [f"{i * CHUNK} to {i * CHUNK + self._size(i) - 1}" for i in again], 3
                )
                warnings.warn(
                    f"{self._work} has {counted(len(again), 'chunk')} {why} (images {what}, counted from 0); the maps "
                    "are computed again",
                    AttnxaiWarning,
                    stacklevel=2,
                )
        return done

    def _remove_others(self, files: set[Path]) -> None:
        """Remove what is not of finished chunks: of unfinished ones, or temporary files of processes that were killed."""
        for part in (STORE, TABLES):
            for file in sorted((self._work / part).rglob("*"), reverse=True):
                if file.is_dir() and not file.is_symlink():
                    with contextlib.suppress(OSError):  # which is not empty
                        file.rmdir()
                elif file not in files:
                    file.unlink()

    def compute(self, n_workers: int, scheduler: str | None) -> None:
        """Compute what is not finished."""
        run = secrets.token_hex(8)
        mark_of_run(self._work, run).touch()
        jobs = [
            Job(
                name=_name(index),
                function=run_chunk,
                argument=(
                    ChunkTask(
                        index=index,
                        batch=self._batch(index),
                        **self._task,
                    ),
                    str(self._work),
                    run,
                ),
            )
            for index in range(self._n_chunks)
            if index not in self._done
        ]
        self._tell()
        try:
            run_jobs(
                jobs,
                n_workers=n_workers,
                scheduler=scheduler,
                on_event=self._on_event,
                on_result=self._keep,
            )
        except JobError as error:
            # what is wrong with the request is said as it is; resuming would not help
            cause = error.__cause__
            if not isinstance(cause, AttnxaiError) or isinstance(cause, OutputError | JobError):
                raise
            if scheduler is None:
                raise cause from None
            raise type(cause)(f"{cause} (on a worker of the cluster at {scheduler})") from None
        mark_of_run(self._work, run).unlink()

    def _keep(self, job: str, record: dict[str, Any]) -> None:
        """Keep the record of a finished chunk, unless images are missing on the machine that computed it alone."""
        host = record.pop("host")
        here = [path for path in record.pop("absent") if os.access(path, os.R_OK)]
        if here:
            raise ImageError(
                f"image {here[0]} cannot be opened by a worker on {host}, which had to read it, and can be here; all machines have "
                f"to see the images under the same path, and have to be permitted to read them ({job})"
            )
        index = int(job.rpartition(" ")[2])
        layout = read_json(table_of_chunk(self._work, index)).get("layout")
        if layout is not None:
            # chunks that do not fit together are found at once, and not when all are finished
            self._layout = self._joined(self._layout or layout, layout)
        self._progress.add(job, {**record, "images": self._marks[index]})

    def _joined(self, layout: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
        """What chunks have in common."""
        try:
            joined: dict[str, Any] = joined_facts(layout, other)
        except AlignmentError as error:
            raise AlignmentError(
                f"maps by {', '.join(self._task['methods'])} do not make one store: {error}; a method has to give the same layers, "
                "sizes and provenance for all images, except for what it puts under 'measured'"
            ) from error
        return joined

    def _on_event(self, event: JobEvent) -> None:
        index = int(event.job.rpartition(" ")[2])
        if event.kind is EventKind.PROGRESS and event.total:
            self._partly[event.job] = self._size(index) * event.done / event.total
        elif event.kind is EventKind.FINISHED:
            self._partly.pop(event.job, None)
            self._done.add(index)
        self._tell()

    def _tell(self) -> None:
        if self._on_progress is not None:
            n_done = sum(map(self._size, self._done)) + int(sum(self._partly.values()))
            self._on_progress(n_done, len(self._images), self._n_kept)

    def finish(self, path: Path) -> MapRun:
        """Write the metadata, and put the store where it belongs."""
        layout, tables, n_unusable = self._gathered()
        examples: dict[str, str] = {}
        for source, reason in zip(tables.sources, tables.reasons, strict=True):
            if reason and len(examples) < _N_EXAMPLES:
                examples[source] = reason
        if layout is None:
            shutil.rmtree(self._work)
            raise ImageError(
                f"none of {counted(len(self._images), 'image')} of {self._images.origin} can be used:\n  "
                + first_of(grouped_reasons(tables.sources, tables.reasons), 3, separator="\n  ")
            )
        store = self._work / STORE
        self._remove_others(
            {f for i in range(self._n_chunks) for f in files_of_chunk(self._work, i)}
        )
        write_metadata(store, layout, tables)
        names = (f.relative_to(store).as_posix() for f in store.rglob("*") if f.is_file())
        write_manifest(store, MAP_FOLDER, names)
        if path.exists():
            path.rename(self._work / REPLACED)
        store.rename(path)
        shutil.rmtree(self._work)
        return MapRun(
            n_images=len(self._images),
            n_unusable=n_unusable,
            unusable=examples,
            layers=tuple(layout["header"]["layers"]),
            n_kept=self._n_kept,
            notes=tuple(self._notes()),
        )

    def _notes(self) -> Iterator[str]:
        """What had to be assumed, of the first chunk of which it is said, and of how many more it is."""
        alike: dict[str, list[str]] = {}
        for index in range(self._n_chunks):
            for note in self._progress.results[_name(index)]["notes"]:
                alike.setdefault(without_numbers(note), []).append(note)
        for first, *others in alike.values():
            further = f"{counted(len(others), 'further chunk')} of {CHUNK} images"
            yield f"{first} (the like is said of {further})" if others else first

    def _gathered(self) -> tuple[dict[str, Any] | None, StoreTables, int]:
        """What all chunks have in common, and the tables of all."""
        layout, n_unusable = None, 0
        sources = self._images.sources
        reasons, splits = [""] * len(sources), [""] * len(sources)
        places = np.full((len(sources), 3), np.nan)
        scores = None
        for index in range(self._n_chunks):
            table = read_json(table_of_chunk(self._work, index))
            for position, reason in table["reasons"].items():
                reasons[index * CHUNK + int(position)] = reason
            n_unusable += len(table["reasons"])
            if "layout" not in table:
                continue
            if layout is None:
                layout = table["layout"]
                if layout["scored"]:
                    scores = np.full((len(sources), len(layout["header"]["class_names"])), np.nan)
            layout = self._joined(layout, table["layout"])
            rows = index * CHUNK + np.array(table["rows"])
            places[rows] = table["places"]
            for row, split in zip(rows, table["splits"], strict=True):
                splits[row] = split
            if scores is not None:
                scores[rows] = table["scores"]
        tables = StoreTables(
            sources=sources,
            reasons=tuple(reasons),
            splits=tuple(splits),
            places=places,
            scores=scores,
        )
        return layout, tables, n_unusable
