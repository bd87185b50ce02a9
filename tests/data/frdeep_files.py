"""A tiny FR-DEEP: batches of made-up images in the published forms."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.data.mirabest_files import published_pickle

SIDE = 150
N_TRAIN_BATCHES = 11


def pixels_of(number: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Image of the source with a running number: all different, mostly 0, not symmetric."""
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    pixels[60 + number % 11, 40 + number] = 255
    pixels[75, 70:77] = 90 + number
    return pixels


def filename_of(label: int, number: int) -> str:
    """File name as in FR-DEEP: number, catalogue and class."""
    return f"{number}_{'CoNFIG' if number % 2 else 'FRICAT'}_FR{label + 1}.png"


def batch_of(number: int, *, size: int = 2, flat: bool = True, **values: Any) -> dict[str, Any]:
    """A batch with an FR I and an FR II; ``None`` takes a column out."""
    numbers = range(size * number, size * (number + 1))
    labels = [n % 2 for n in numbers]
    content = {
        "batch_label": f"training batch {number} of {N_TRAIN_BATCHES}",
        "labels": labels,
        "data": [pixels_of(n).ravel() if flat else pixels_of(n) for n in numbers],
        "filenames": [filename_of(label, n) for label, n in zip(labels, numbers, strict=True)],
    } | values
    return {key: value for key, value in content.items() if value is not None}


def write_batch(path: Path, *, labels: Any, data: Any, filenames: Any) -> None:
    """Write one batch of images that are given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"labels": labels, "data": data, "filenames": filenames}
    path.write_bytes(published_pickle(content))


def write_frdeep(
    folder: Path, *, n_train: int = N_TRAIN_BATCHES, names: Any = ("FRI", "FRII"), **values: Any
) -> None:
    """Write training batches, a test batch and, unless ``names`` is None, their class names."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n_train + 1):
        name = f"data_batch_{number + 1}" if number < n_train else "test_batch"
        (folder / name).write_bytes(published_pickle(batch_of(number, **values)))
    if names is not None:
        meta = {"label_names": list(names), "num_vis": SIDE * SIDE}
        (folder / "batches.meta").write_bytes(published_pickle(meta))


def write_archive(path: Path, folder: Path) -> None:
    """Pack a folder with its name, as the published archives are."""
    with tarfile.open(path, "w:gz") as archive:
        for file in sorted(folder.iterdir()):
            content = file.read_bytes()
            member = tarfile.TarInfo(f"{folder.name}/{file.name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
