"""Files in the formats of ``torch.save`` whose tensors claim whatever a test wants."""

from __future__ import annotations

import dataclasses
import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch._utils import _rebuild_tensor_v2

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


@dataclasses.dataclass(frozen=True)
class Storage:
    """A reference to a storage, with what is claimed of it."""

    key: Any = "0"
    n_values: Any = 4
    kind: Any = torch.FloatStorage
    word: str = "storage"


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor with what is claimed of it."""

    size: Any = (4,)
    stride: Any = (1,)
    offset: Any = 0
    storage: Any = Storage()

    def __reduce__(self) -> Any:
        arguments: Any = (self.storage, self.offset, self.size, self.stride, False, OrderedDict())
        return _rebuild_tensor_v2, arguments


class _Pickler(pickle.Pickler):
    def persistent_id(self, item: Any) -> Any:
        if isinstance(item, Storage):
            return (item.word, item.kind, item.key, "cpu", item.n_values)
        return None


def pickled(content: Any) -> bytes:
    """A pickle in which storages are persistent ids."""
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=2).dump(content)
    return buffer.getvalue()


def archive(
    content: Any,
    storages: Mapping[str, bytes] = {"0": bytes(16)},
    *,
    members: Mapping[str, bytes] = {},
    compression: int = zipfile.ZIP_STORED,
    root: str = "archive",
) -> bytes:
    """A zip archive as torch writes it; ``content`` may be a pickle already."""
    data = content if isinstance(content, bytes) else pickled(content)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression=compression) as file:
        file.writestr(f"{root}/data.pkl", data)
        file.writestr(f"{root}/byteorder", b"little")
        for key, values in storages.items():
            file.writestr(f"{root}/data/{key}", values)
        for name, values in members.items():
            file.writestr(name, values)
        file.writestr(f"{root}/version", b"3\n")
    return buffer.getvalue()


def legacy(
    content: Any,
    storages: Mapping[str, bytes] = {"0": bytes(16)},
    *,
    n_values: Mapping[str, int] = {},
    protocol: Any = PROTOCOL,
    system: Any = {"little_endian": True},  # noqa: B006
    keys: Any = None,
) -> bytes:
    """The format before PyTorch 1.6."""
    data = content if isinstance(content, bytes) else pickled(content)
    parts = [pickled(MAGIC), pickled(protocol), pickled(system), data]
    parts.append(pickled(list(storages) if keys is None else keys))
    for key, values in storages.items():
        parts += [struct.pack("<q", n_values.get(key, len(values) // 4)), values]
    return b"".join(parts)
