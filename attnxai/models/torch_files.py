"""Files of ``torch.save``, read without running anything in them and without trusting what they claim.

``torch.load`` rebuilds tensors from whatever sizes, strides and storages a file names. Here every tensor has
to lie within its storage and every storage within the file, so that what is read is never larger than that.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from attnxai.data.pickled_arrays import NUMPY_NAMES
from attnxai.data.pickles import ForbiddenName, PickleFault, StandIn, Unbuilt, unpickle
from attnxai.errors import CheckpointError
from attnxai.jobs.files import write_file
from attnxai.models.file_kinds import LEGACY_TORCH, foreign_file

_STORAGES = {
    "Float": torch.float32,
    "Double": torch.float64,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
    "ComplexFloat": torch.complex64,
    "ComplexDouble": torch.complex128,
}
_LARGEST_FILE = 1 << 32
_MOST_AXES = 8
# torch.save does not compress; an archiver that packs its files again may, weights hardly at all
_MOST_INFLATED = 1 << 26
_MOST_INFLATED_PER_BYTE = 20
# the directory of a zip archive stands at its end, before a comment of up to 64 KiB
_DIRECTORY, _LONGEST_END = b"PK\x05\x06", 1 << 17
_LEGACY_PROTOCOL = 1001
_LIGHTNING = (
    "pytorch_lightning.utilities.parsing",
    "lightning.pytorch.utilities.parsing",
    "lightning_fabric.utilities.data",
    "lightning.fabric.utilities.data",
)
_ASK = "ask its author for the weights alone: torch.save(network.state_dict(), file)"


def read_checkpoint_file(path: str | Path) -> tuple[Any, str]:
    """Content of a ``.pt`` file and its SHA-256, without running anything in it.

    The file is one that ``torch.save`` wrote, in today's format or the one before PyTorch 1.6. It may hold dictionaries,
    lists, tuples, plain values and tensors; ordered dictionaries become ordinary ones, and parameters tensors. Anything
    else is a CheckpointError.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"model file {path} does not exist")
    if path.stat().st_size > _LARGEST_FILE:
        raise CheckpointError(
            f"model file {path} has {path.stat().st_size} bytes; no model that attnxai reads has more than "
            f"{_LARGEST_FILE}"
        )
    try:
        if (kind := foreign_file(path)) is not None:
            raise CheckpointError(f"model file {path} is {kind}")
        with open(path, "rb") as file:
            if file.read(2) == b"PK":
                content = _read_archive(path)
            else:
                content = _read_legacy(path.read_bytes())
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(
            f"model file {path} cannot be read: {error.strerror or error}"
        ) from error
    except ForbiddenName as fault:
        raise CheckpointError(f"model file {path} {_forbidden(fault.name)}; {_ASK}") from fault
    except PickleFault as fault:
        raise CheckpointError(
            f"model file {path} is not a PyTorch checkpoint, or is damaged: {fault}"
        ) from fault
    except Exception as error:  # a damaged archive can raise anything
        whole = _DIRECTORY in path.read_bytes()[-_LONGEST_END:]
        kind = "is not a PyTorch checkpoint, or is damaged" if whole else "is truncated"
        raise CheckpointError(f"model file {path} {kind}") from error
    return content, file_sha256(path)


def _forbidden(name: str) -> str:
    if name.startswith(("torch._utils._rebuild_", "torch.Q", "torch.storage.")):
        return f"holds sparse, quantised, nested, meta or other tensors that are not plain ({name})"
    return (
        f"holds Python objects that would have to run code to be loaded ({name}); it was not loaded"
    )


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(content: Any, path: str | Path) -> None:
    """``torch.save`` that leaves either the old file or the whole new one."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_file(path, buffer.getvalue())


# --- the two formats -------------------------------------------------------------------------------


def _read_archive(path: Path) -> Any:
    """A zip archive: a pickle, and a member for each storage."""
    with zipfile.ZipFile(path) as archive:
        members = {member.filename: member for member in archive.infolist()}
        claimed = sum(member.file_size for member in archive.infolist())
        most = _MOST_INFLATED + _MOST_INFLATED_PER_BYTE * path.stat().st_size
        if len(members) < len(archive.infolist()):
            raise PickleFault("it holds a member twice")
        if claimed > most:
            raise PickleFault(
                f"its members claim {claimed} bytes, more than a file of its size can hold"
            )

        def member(name: str) -> bytes:
            # read() without a size would inflate more than the member claims
            with archive.open(members[name]) as file:
                content = file.read(members[name].file_size)
            if len(content) != members[name].file_size:
                raise PickleFault(f"its member {name} is truncated")
            return content

        pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(pickles) != 1:
            raise PickleFault(f"it holds {len(pickles)} members data.pkl instead of one")
        (root,) = (name.removesuffix("data.pkl") for name in pickles)
        if f"{root}byteorder" in members and member(f"{root}byteorder") != b"little":
            raise PickleFault("its numbers are in the byte order of another machine")

        def values(storage: _Storage) -> bytes:
            return member(f"{root}data/{storage.key}")

        return _with_tensors(member(pickles[0]), values)


def _read_legacy(content: bytes) -> Any:
    """Pickles one after the other, and then the storages."""
    if not content.startswith(b"\x80") or LEGACY_TORCH not in content[:32]:
        raise PickleFault("its first bytes are not those of a PyTorch file")
    end = 0
    header = []
    for _ in range(3):
        value, end = unpickle(content, {}, start=end)
        header.append(value)
    if header[1] != _LEGACY_PROTOCOL:
        raise PickleFault(f"it has protocol {header[1]!r}")
    if not isinstance(header[2], dict) or header[2].get("little_endian") is not True:
        raise PickleFault("its numbers are in the byte order of another machine")
    # the storages stand behind it in no order: a first look finds out how large they are
    start, storages = end, _Storages()
    _, end = unpickle(content, _WITHOUT_TENSORS, leaves=_LEAVES, persistent=storages, start=start)
    keys, at = unpickle(content, {}, start=end)
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(storages.known):
        raise PickleFault("its storages are not those of its tensors")
    places = {}
    for key in map(str, keys):
        storage = storages.known[key]
        if int.from_bytes(content[at : at + 8], "little") != storage.n_values:
            raise PickleFault(f"its storage {key} is not as long as its tensors say")
        places[key] = content[at + 8 : at + 8 + storage.n_bytes]
        at += 8 + storage.n_bytes
    return _with_tensors(content, lambda storage: places[storage.key], start=start)


def _with_tensors(content: bytes, values: Callable[[_Storage], bytes], *, start: int = 0) -> Any:
    storages = _Storages(values)
    return unpickle(content, _NAMES, leaves=_LEAVES, persistent=storages, start=start)[0]


# --- tensors ---------------------------------------------------------------------------------------


@dataclasses.dataclass(slots=True, eq=False)
class _Storage:
    """The values that one or several tensors lie in."""

    key: str
    dtype: torch.dtype
    n_values: int
    values: torch.Tensor | None = None

    @property
    def n_bytes(self) -> int:
        return self.n_values * self.dtype.itemsize

    def fill(self, content: bytes) -> None:
        if len(content) != self.n_bytes:
            raise PickleFault(
                f"its storage {self.key} has {len(content)} bytes instead of {self.n_bytes}"
            )
        if not content:
            self.values = torch.empty(0, dtype=self.dtype)
        elif self.dtype is torch.bool:  # a byte may be anything
            self.values = torch.frombuffer(bytearray(content), dtype=torch.uint8) != 0
        else:
            self.values = torch.frombuffer(bytearray(content), dtype=self.dtype)


class _Storages:
    """The storages that a pickle refers to; without ``values`` they stay empty."""

    def __init__(self, values: Callable[[_Storage], bytes] | None = None) -> None:
        self.known: dict[str, _Storage] = {}
        self._values = values

    def __call__(self, reference: Any) -> _Storage:
        kind, dtype, key, _, n_values, *view = reference
        if kind != "storage" or type(dtype) is not torch.dtype or view not in ([], [None]):
            raise PickleFault("it refers to something else than a storage of plain values")
        if type(key) not in (str, int) or not _is_size(n_values):
            raise PickleFault("it refers to a storage of no size")
        key = str(key)
        if key not in self.known:
            storage = _Storage(key=key, dtype=dtype, n_values=n_values)
            if self._values is not None:
                storage.fill(self._values(storage))
            self.known[key] = storage
        storage = self.known[key]
        if (storage.dtype, storage.n_values) != (dtype, n_values):
            raise PickleFault(f"it describes its storage {key} in two ways")
        return storage


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**48


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> torch.Tensor:
    """The tensor of this size and stride, which has to lie within its storage and not repeat it."""
    if not isinstance(storage, _Storage) or storage.values is None:
        raise PickleFault("it holds a tensor without a storage")
    if not (
        isinstance(size, tuple)
        and isinstance(stride, tuple)
        and len(size) == len(stride) <= _MOST_AXES
        and all(map(_is_size, (offset, *size, *stride)))
    ):
        raise PickleFault("it holds a tensor with an invalid size")
    n_values = math.prod(size)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if n_values and (n_values > storage.n_values or last >= storage.n_values):
        raise PickleFault(
            f"it holds a tensor of size {size} and stride {stride} from {offset} in a storage of "
            f"{storage.n_values} values"
        )
    if not n_values:
        if max(size) > 2**31:
            raise PickleFault("it holds a tensor with an invalid size")
        return torch.empty(size, dtype=storage.dtype)
    return storage.values.as_strided(size, stride, offset)


def _parameter(data: Any, *_: Any) -> torch.Tensor:
    if not isinstance(data, torch.Tensor):
        raise PickleFault("it holds a parameter that is not a tensor")
    return data


def _dictionary(items: Any = ()) -> dict[Any, Any]:
    """``OrderedDict`` and ``Counter``, whose items may come with them."""
    pairs = list(items.items()) if isinstance(items, dict) else [tuple(item) for item in items]
    if not all(isinstance(key, str | int) for key, _ in pairs):
        raise PickleFault("it has a key that is neither text nor a number")
    return dict(pairs)


class _Attributes(Unbuilt):
    """An object of which only the attributes matter, which follow in the pickle: a dictionary of them."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__()
        if arguments:
            raise PickleFault("it makes an object in another way than its class does")

    def built(self, state: Any) -> dict[str, Any]:
        return _dictionary(state)


def _path(*parts: Any) -> str:
    if not all(isinstance(part, str) for part in parts):
        raise PickleFault("it holds a path that is not text")
    return "/".join(parts)


_REBUILDING: dict[str, Callable[..., torch.Tensor]] = {
    "torch._utils _rebuild_tensor": _tensor,
    "torch._utils _rebuild_tensor_v2": _tensor,
    "torch._utils _rebuild_parameter": _parameter,
    "torch._utils _rebuild_parameter_with_state": _parameter,
}
_PLAIN: dict[str, Any] = {
    **NUMPY_NAMES,
    "collections OrderedDict": StandIn(_dictionary),
    "collections Counter": StandIn(_dictionary),
    "collections defaultdict": StandIn(lambda *_: {}),
    # what a default dictionary may be made of, and is not needed
    **{
        f"{module} {kind}": StandIn()
        for module in ("builtins", "__builtin__")
        for kind in ("dict", "list", "int", "float")
    },
    # options of a training
    "argparse Namespace": StandIn(_Attributes),
    **{f"{module} AttributeDict": StandIn(_dictionary) for module in _LIGHTNING},
    **{
        f"{module} {kind}": StandIn(_path)
        for module in ("pathlib", "pathlib._local")
        for kind in ("PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath")
    },
    # Lightning before 1.5 names the state of a callback by its class
    **{
        f"pytorch_lightning.callbacks.{module} {kind}": kind
        for module, kind in (
            ("model_checkpoint", "ModelCheckpoint"),
            ("early_stopping", "EarlyStopping"),
        )
    },
    "torch Size": StandIn(lambda values=(): tuple(values)),
    "torch device": StandIn(lambda *parts: ":".join(map(str, parts))),
    **{f"torch {kind}Storage": dtype for kind, dtype in _STORAGES.items()},
    **{f"torch.cuda {kind}Storage": dtype for kind, dtype in _STORAGES.items()},
    **{str(dtype).replace(".", " "): dtype for dtype in _STORAGES.values()},
}
_NAMES = {**_PLAIN, **{name: StandIn(rebuild) for name, rebuild in _REBUILDING.items()}}
_WITHOUT_TENSORS = {**_PLAIN, **{name: StandIn(lambda *_: None) for name in _REBUILDING}}
_LEAVES = (torch.Tensor, torch.dtype, np.ndarray)
