"""Batches of images as Python pickles, in a folder or an archive, read without running what is in them.

The form is that of CIFAR-10 (https://www.cs.toronto.edu/~kriz/cifar.html): dictionaries with
``labels``, ``data`` and ``filenames`` in files ``data_batch_1``, ``data_batch_2``, ... and
``test_batch``. Unpickling can run code, so these are read by :mod:`attnxai.data.pickles`, which knows
arrays, plain values and containers and calls nothing of NumPy. Archives are read in memory: nothing is
written anywhere.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.archives import ARCHIVE_EXTENSIONS, read_archive
from attnxai.data.images import source_id
from attnxai.data.pickled_arrays import NUMPY_NAMES
from attnxai.data.pickles import PickleFault, unpickle
from attnxai.data.short_repr import short_repr, short_value
from attnxai.errors import DataSetError
from attnxai.jobs.files import read_input

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEST_BATCH = "test_batch"
META = "batches.meta"
COLUMNS = ("labels", "data", "filenames")
_LARGEST_BATCH = 1 << 32
_TRAIN_BATCH = re.compile(r"data_batch_(\d{1,6})|train_batch")


def read_pickle(content: bytes, *, name: str) -> Any:
    """Arrays, numbers, text and containers of them from a pickle; a DataSetError for anything else."""
    try:
        value, _ = unpickle(content, NUMPY_NAMES, leaves=(np.ndarray,))
    except PickleFault as fault:
        raise DataSetError(f"{name} was refused: {fault}") from fault
    return value


def load_batch(content: bytes, *, name: str, needs: Sequence[str] = COLUMNS) -> dict[str, Any]:
    """A batch with the columns that it ``needs``, sequences of one length; a DataSetError if it is none."""
    batch = read_pickle(content, name=name)
    if not isinstance(batch, dict) or not set(needs) <= set(batch):
        raise DataSetError(f"{name} lacks {', '.join(needs[:-1])} or {needs[-1]}")
    columns = {key: batch[key] for key in COLUMNS if key in batch}
    if not all(
        isinstance(column, list | tuple) or (isinstance(column, np.ndarray) and column.ndim)
        for column in columns.values()
    ):
        listed = f"{', '.join(list(columns)[:-1])} and {list(columns)[-1]}"
        raise DataSetError(f"{name} should hold lists of {listed}")
    lengths = {key: len(column) for key, column in columns.items()}
    if len(set(lengths.values())) != 1:
        raise DataSetError(f"{name} is inconsistent: {lengths}")
    return batch


def check_label(label: Any, n_classes: int, *, name: str, hint: str = "") -> int:
    """The label as a plain number, if it is one of 0 to ``n_classes - 1``; else a DataSetError."""
    if not isinstance(label, int | np.integer) or not 0 <= label < n_classes:
        raise DataSetError(
            f"{name} has the unknown label {short_value(label)}; labels are 0 to {n_classes - 1}{hint}"
        )
    return int(label)


def source_of(filename: Any, *, name: str) -> str:
    """The source id of a file name in a batch; a DataSetError if it is none."""
    if not isinstance(filename, str) or not source_id(filename).strip():
        raise DataSetError(f"{name} has the file name {short_value(filename)}; file names are text")
    return source_id(filename)


def image_values(data: Any) -> NDArray[Any] | None:
    """The pixels of one image of a batch: an array, or whole numbers in up to three nested lists.

    None for anything else.
    """
    if isinstance(data, np.ndarray):
        return data
    try:
        return np.array(data, dtype=np.int64) if _holds_whole_numbers(data, n_axes=3) else None
    except (ValueError, OverflowError):  # lists of different lengths, numbers of more than 64 bits
        return None


def _holds_whole_numbers(data: Any, *, n_axes: int) -> bool:
    # text would become an array as wide as the longest, and numbers within arrays are arrays themselves
    if isinstance(data, list | tuple):
        return n_axes > 0 and all(_holds_whole_numbers(item, n_axes=n_axes - 1) for item in data)
    return type(data) is int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchFiles:
    """Contents of the batches of one data set by name, the test batch last, and of ``batches.meta``.

    ``lacking`` has the numbers of batches that are not there, though one with a higher number is.
    """

    origin: Path
    batches: Mapping[str, bytes]
    meta: bytes | None
    lacking: tuple[int, ...] = ()

    __repr__ = short_repr


def is_batch(name: str) -> bool:
    """Whether a file's name is that of a batch."""
    return name == TEST_BATCH or _TRAIN_BATCH.fullmatch(name) is not None


def find_batches(path: str | Path) -> BatchFiles | None:
    """The batches of an archive, a folder, or a folder with one such folder in it; None where there are none.

    Batches in several folders and a damaged archive are refused with a DataSetError.
    """
    path = Path(path)
    if path.is_file() and path.name.lower().endswith(ARCHIVE_EXTENSIONS):
        members = read_archive(path, wanted=lambda name: is_batch(name) or name == META)
        folders = sorted({place.parent for place in members if is_batch(place.name)})
        if len(folders) > 1:
            _refuse_several(path, [str(folder) for folder in folders])
        if not folders:
            return None
        return _sorted_out(
            path, {p.name: content for p, content in members.items() if p.parent == folders[0]}
        )
    if not path.is_dir():
        return None
    candidates = [path, *sorted(folder for folder in path.iterdir() if folder.is_dir())]
    own = [folder for folder in candidates if _batch_names(folder)]
    if path in own:  # what lies deeper is a matter of its own
        own = [path]
    if len(own) > 1:
        _refuse_several(path, [folder.name for folder in own])
    if not own:
        return None
    names = [*_batch_names(own[0]), *([META] if (own[0] / META).is_file() else [])]
    return _sorted_out(own[0], {name: batch_content(own[0] / name) for name in names})


def batch_content(file: Path) -> bytes:
    """The bytes of a batch; a DataSetError above 4 GiB, which no batch of images has."""
    if file.stat().st_size > _LARGEST_BATCH:
        raise DataSetError(
            f"{file} has {file.stat().st_size} bytes; no batch of images has as many"
        )
    return read_input(file, f"batch {file}", DataSetError)


def _batch_names(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir() if is_batch(file.name) and file.is_file()]


def _refuse_several(path: Path, folders: Sequence[str]) -> None:
    raise DataSetError(
        f"{path} holds batches in several folders ({', '.join(folders)}), such as one for each "
        "survey; name one of the folders" + (", unpacked" if path.is_file() else "")
    )


def _number(name: str) -> int:
    match = _TRAIN_BATCH.fullmatch(name)
    return int(match[1]) if match and match[1] else 0


def _sorted_out(origin: Path, contents: Mapping[str, bytes]) -> BatchFiles:
    train = sorted((name for name in contents if _TRAIN_BATCH.fullmatch(name)), key=_number)
    numbers = [_number(name) for name in train if _number(name)]
    if len(set(numbers)) != len(numbers):
        raise DataSetError(f"{origin} holds several batches of one number: {', '.join(train)}")
    lacking = sorted(set(range(1, max(numbers, default=1))) - set(numbers))
    batches = {name: contents[name] for name in (*train, TEST_BATCH) if name in contents}
    return BatchFiles(
        origin=origin, batches=batches, meta=contents.get(META), lacking=tuple(lacking)
    )
