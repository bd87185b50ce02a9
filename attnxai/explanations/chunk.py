"""The maps of one chunk of images: a function of plain values, for this process, another, or another machine."""

from __future__ import annotations

import dataclasses
import functools
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from attnxai.data.image_list import ImageBatch
from attnxai.data.image_notes import grouped_notes
from attnxai.data.images import SourceImage
from attnxai.data.wording import counted
from attnxai.errors import AttnxaiWarning, CheckpointError, ImageError
from attnxai.explanations.explaining import explain
from attnxai.explanations.files.map_store import encoded_chunk, layout_of, place_of
from attnxai.explanations.stack import MapStack
from attnxai.jobs.plugins import load_plugins
from attnxai.models.checkpoints import load_model
from attnxai.models.device_memory import check_device
from attnxai.models.model import AttentionModel
from attnxai.models.prepared import Prepared, prepared
from attnxai.models.wrapped_network import weights_sha256


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChunkTask:
    """What the maps of a chunk are made of, which can be pickled and sent to another process or machine.

    Parameters
    ----------
    model : str
        File or name of the model.
    model_sha256 : str
        Its hash; another model is refused.
    index : int
        Number of the chunk, from 0.
    batch : ImageBatch
        Its images, as :meth:`attnxai.data.ImageList.batch` gives them.
    methods : tuple of str
        Names of explanation methods.
    target : str or tuple of str, optional
        As of :func:`attnxai.explain`.
    seed : int
        Seed of the run.
    device : str
        Where the network runs.
    plugins : tuple of str
        Plug-ins that are loaded first.

    Examples
    --------
    >>> import attnxai
    >>> folder = next(iter(attnxai.read_annotations("expert.csv").image_files().values())).parent
    >>> batch = attnxai.data.list_images(folder).batch(0, 64)
    >>> ChunkTask(model="c1.pt", model_sha256=attnxai.load_model("c1.pt").sha256, index=0, batch=batch).methods
    ('gates',)
    """

    model: str
    model_sha256: str
    index: int
    batch: ImageBatch
    methods: tuple[str, ...] = ("gates",)
    target: str | tuple[str, ...] | None = None
    seed: int = 0
    device: str = "cpu"
    plugins: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChunkMaps:
    """The maps of a chunk, encoded, and what there is to say of its images: made by ``compute_chunk``.

    Parameters
    ----------
    files : mapping of str to bytes
        Content of the file of the chunk by array; empty where no image can be used.
    table : mapping
        Plain values by position in the chunk: ``reasons`` of images without maps, ``rows`` of the others with their
        ``places``, ``splits`` and ``scores``, and the ``layout`` that all chunks share.
    notes : tuple of str
        Warnings.

    Examples
    --------
    >>> ChunkMaps(files={}, table={"reasons": {0: "it is blank"}}, notes=()).notes
    ()
    """

    files: dict[str, bytes]
    table: dict[str, Any]
    notes: tuple[str, ...]


def compute_chunk(task: ChunkTask, on_image: Callable[[int, int], None] | None = None) -> ChunkMaps:
    """Compute the maps of a chunk; the same task gives the same bytes wherever it runs.

    Parameters
    ----------
    task : ChunkTask
        What they are made of.
    on_image : callable, optional
        Called with the number of finished images and of all, counted anew by each method.

    Returns
    -------
    ChunkMaps
        An image that cannot be read or does not fit the model has a reason instead of maps.

    Raises
    ------
    CheckpointError
        If the model is not that of the task.

    Examples
    --------
    >>> import attnxai
    >>> folder = next(iter(attnxai.read_annotations("expert.csv").image_files().values())).parent
    >>> batch = attnxai.data.list_images(folder).batch(0, 2)
    >>> model = attnxai.load_model("c1.pt")
    >>> made = compute_chunk(ChunkTask(model="c1.pt", model_sha256=model.sha256, index=0, batch=batch))
    >>> sorted(made.files), made.table["reasons"]
    (['brightness', 'gate1', 'gate2', 'gate3', 'valid'], {})
    """
    load_plugins(task.plugins)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AttnxaiWarning)
        model, kept = _model(task.model, task.model_sha256, task.device)
        reasons: dict[int, str] = {}
        images: dict[int, SourceImage] = {}
        with grouped_notes():
            for position, image in enumerate(task.batch.read()):
                if isinstance(image, ImageError):
                    reasons[position] = str(image)
                else:
                    images[position] = image
            with prepared(model.network, kept):
                stack = _explained(task, model, images, reasons, on_image)
    table: dict[str, Any] = {"reasons": reasons}
    files: dict[str, bytes] = {}
    if stack is not None:
        files = encoded_chunk(stack, list(images))
        table |= {
            "rows": list(images),
            "places": [place_of(grid) for grid in stack.field],
            "splits": [str(split) for split in stack.splits],
            "scores": None if stack.scores is None else stack.scores.astype(float).tolist(),
            "layout": layout_of(stack),
        }
    for other in caught:
        if not issubclass(other.category, AttnxaiWarning):
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    ours = [str(one.message) for one in caught if issubclass(one.category, AttnxaiWarning)]
    return ChunkMaps(files=files, table=table, notes=tuple(dict.fromkeys(ours)))


def _explained(
    task: ChunkTask,
    model: AttentionModel,
    images: dict[int, SourceImage],
    reasons: dict[int, str],
    on_image: Callable[[int, int], None] | None,
) -> MapStack | None:
    """Maps of the images that fit the model; the others move to the reasons."""
    seed = seed_of_chunk(task.seed, task.index)

    def explained(chosen: Sequence[SourceImage]) -> MapStack:
        stack = explain(
            model, chosen, task.methods, target=task.target, rng=seed, on_batch=on_image
        )
        return dataclasses.replace(stack, provenance=_with_seed(stack.provenance, task.seed))

    if not images:
        return None
    try:
        return explained(list(images.values()))
    except ImageError:
        for position, image in list(images.items()):
            try:
                model.preprocessing.view(image)
            except ImageError as error:
                reasons[position] = str(error)
                del images[position]
        if not images:
            return None
        return explained(list(images.values()))


def seed_of_chunk(seed: int, index: int) -> int:
    """Seed of a chunk of a run: the first draws what :func:`attnxai.explain` draws for the same images."""
    if index == 0:
        return seed
    return int(np.random.SeedSequence([seed, index]).generate_state(1, np.uint64)[0] >> 1)


def _with_seed(provenance: Any, seed: int) -> dict[str, Any]:
    """A provenance with the seed of the run in place of that of a chunk."""
    explanations = [
        {**one, "seed": seed} if "seed" in one else one for one in provenance["explanations"]
    ]
    return {**provenance, "explanations": explanations}


@functools.lru_cache(maxsize=1)
def _model(name: str, sha256: str, device: str) -> tuple[AttentionModel, Prepared]:
    """The model, which a process reads once, and what its layers make of their weights."""
    model = load_model(name)
    found = model.sha256 or weights_sha256(model.network)
    if found != sha256:
        raise CheckpointError(
            f"model {name} has changed since the run began, or is another one here: its hash is {found[:12]}, not "
            f"{sha256[:12]}; begin anew with one model"
        )
    check_device(device)
    model.network.to(device)
    return model, Prepared()


def without_numbers(note: str) -> str:
    """A note without what differs from chunk to chunk, so that it is shown once."""
    return re.sub(r"\d+|\([^)]*\)", "#", note)


def grouped_reasons(sources: Sequence[str], reasons: Sequence[str]) -> list[str]:
    """Reasons, with the number of further images for which the same is said but for names and numbers."""
    alike: dict[str, list[str]] = {}
    for source, reason in zip(sources, reasons, strict=True):
        if reason:
            alike.setdefault(without_numbers(reason.replace(source, "")), []).append(reason)
    return [
        first
        if not more
        else f"{first} (and {counted(len(more), 'more image')} for the same reason)"
        for first, *more in alike.values()
    ]
