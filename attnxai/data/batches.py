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
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.archives import ARCHIVE_ENDINGS, read_archive
from attnxai.data.pickled_arrays import NUMPY_NAMES
from attnxai.data.pickles import PickleFault, unpickle
from attnxai.data.short_repr import short_repr, short_value
from attnxai.errors import AttnxaiWarning, DataSetError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEST_BATCH = "test_batch"
META = "batches.meta"
COLUMNS = ("labels", "data", "filenames")
_LARGEST_BATCH = 1 << 32
_TRAIN_BATCH = re.compile(r"data_batch_(\d{1,6})|train_batch")


def read_pickle(content: bytes, *, name: str) -> Any:
    """Unpickle arrays, numbers, text and containers of them, and nothing that could run code.

    Parameters
    ----------
    content : bytes
        The pickle, also one of Python 2.
    name : str
        What to call it in errors.

    Raises
    ------
    DataSetError
        If it is damaged or asks for anything else.
    """
    try:
        value, _ = unpickle(content, NUMPY_NAMES, leaves=(np.ndarray,))
    except PickleFault as fault:
        raise DataSetError(f"{name} was refused: {fault}") from fault
    return value


def load_batch(content: bytes, *, name: str, needs: Sequence[str] = COLUMNS) -> dict[str, Any]:
    """Unpickle one batch and check that it is one.

    Parameters
    ----------
    content : bytes
        The pickle.
    name : str
        What to call it in errors, such as ``MiraBest batch data_batch_1``.
    needs : sequence of str
        Columns that have to be there, of ``labels``, ``data`` and ``filenames``.

    Returns
    -------
    dict
        With at least these columns, sequences of one length.

    Raises
    ------
    DataSetError
        If it was refused or is no batch.
    """
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
    """The label as a plain number, if it is one of 0 to ``n_classes - 1``.

    Raises
    ------
    DataSetError
        If it is not, naming the batch.
    """
    if not isinstance(label, int | np.integer) or not 0 <= label < n_classes:
        raise DataSetError(
            f"{name} has the unknown label {short_value(label)}; labels are 0 to {n_classes - 1}{hint}"
        )
    return int(label)


def image_values(data: Any) -> NDArray[Any] | None:
    """The pixels of one image of a batch: an array, or whole numbers in up to three nested lists.

    Returns
    -------
    ndarray or None
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
    """The files of one data set in batches.

    Parameters
    ----------
    origin : Path
        Folder or archive that they lie in.
    train : mapping
        From the name of each training batch to its content, in the order of their numbers.
    test : bytes or None
        Content of the test batch, if there is one.
    meta : bytes or None
        Content of ``batches.meta``, if there is one.
    """

    origin: Path
    train: Mapping[str, bytes]
    test: bytes | None
    meta: bytes | None

    __repr__ = short_repr

    def batches(self) -> dict[str, bytes]:
        """All batches, the test batch last."""
        return {**self.train, **({TEST_BATCH: self.test} if self.test is not None else {})}


def is_batch(name: str) -> bool:
    """Whether a file's name is that of a batch."""
    return name == TEST_BATCH or _TRAIN_BATCH.fullmatch(name) is not None


def find_batches(path: str | Path) -> BatchFiles | None:
    """Find the batches of a data set.

    Parameters
    ----------
    path : path
        A ``.tar.gz`` archive with batches in one of its folders, a folder of batches, or a folder with
        one such folder in it.

    Returns
    -------
    BatchFiles or None
        None where there are no batches.

    Raises
    ------
    DataSetError
        If there are batches in several folders, or the archive is damaged.
    """
    path = Path(path)
    if path.is_file() and path.name.lower().endswith(ARCHIVE_ENDINGS):
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
    """The bytes of a batch.

    Raises
    ------
    DataSetError
        If it has more than 4 GiB, which no batch of images has.
    """
    if file.stat().st_size > _LARGEST_BATCH:
        raise DataSetError(
            f"{file} has {file.stat().st_size} bytes; no batch of images has as many"
        )
    return file.read_bytes()


def _batch_names(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir() if is_batch(file.name) and file.is_file()]


def _refuse_several(path: Path, folders: Sequence[str]) -> None:
    raise DataSetError(
        f"{path} holds batches in several folders ({', '.join(folders)}), such as one a survey; name "
        "one of the folders" + (", unpacked" if path.is_file() else "")
    )


def _number(name: str) -> int:
    match = _TRAIN_BATCH.fullmatch(name)
    return int(match[1]) if match and match[1] else 0


def _sorted_out(origin: Path, contents: Mapping[str, bytes]) -> BatchFiles:
    train = sorted((name for name in contents if _TRAIN_BATCH.fullmatch(name)), key=_number)
    numbers = [_number(name) for name in train if _number(name)]
    if len(set(numbers)) != len(numbers):
        raise DataSetError(f"{origin} holds several batches of one number: {', '.join(train)}")
    if numbers and (lacking := sorted(set(range(1, numbers[-1])) - set(numbers))):
        named = ", ".join(f"data_batch_{number}" for number in lacking[:10])
        warnings.warn(
            f"{origin} has batches up to {train[-1]} but lacks {named}"
            + (f" and {len(lacking) - 10} more" if len(lacking) > 10 else ""),
            AttnxaiWarning,
            stacklevel=4,
        )
    return BatchFiles(
        origin=origin,
        train={name: contents[name] for name in train},
        test=contents.get(TEST_BATCH),
        meta=contents.get(META),
    )
