"""Bases of steerable filters: sampled by e2cnn once, then read from the user's cache.

A basis follows from the group and the kernel alone, so model files hold weights and no bases. Solving
for one takes e2cnn seconds; reading it back takes milliseconds and needs no e2cnn.
"""

from __future__ import annotations

import contextlib
import functools
import secrets
import warnings
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from attnxai.data.download import cache_folder
from attnxai.models.e2cnn_numpy2 import import_e2cnn

if TYPE_CHECKING:
    import types

    from numpy.typing import NDArray

    from attnxai.models.specification import SymmetryGroup

# bytes of the basis of C32 or D16 with a kernel of 7 pixels, which is built in half a minute
_LARGEST = 160_000_000


@functools.lru_cache(maxsize=32)
def steerable_basis(group: SymmetryGroup, kernel_size: int, *, lifting: bool) -> torch.Tensor:
    """Basis of the filters between two fields, as e2cnn samples it with its default settings.

    From a scalar image to a regular field with ``lifting``, else from regular to regular; of shape
    (n_basis, size_out, size_in, kernel_size, kernel_size). Shared between callers and not to be changed.
    """
    file = cached_file(group, kernel_size, lifting=lifting)
    shape = (group.size, 1 if lifting else group.size, kernel_size, kernel_size)
    values = _read(file, shape) if file is not None else None
    if values is None:
        values = sampled_by_e2cnn(group, kernel_size, lifting=lifting)
        if file is not None:
            _write(values, file)
    return torch.from_numpy(values)


def is_large(group: SymmetryGroup, kernel_size: int) -> bool:
    """Whether sampling the basis between regular fields takes minutes, or gigabytes of memory.

    Sampling takes about seven times the memory of the basis, which for D64 is 2 GB and for D64 with a kernel of 9
    pixels 17 GB.
    """
    # |G| filters for each one that lifts, which are about half as many as pixels; of |G|^2 k^2 values
    return 4 * group.size**3 * kernel_size**4 // 2 > _LARGEST


def cached_file(group: SymmetryGroup, kernel_size: int, *, lifting: bool) -> Path | None:
    """Where the user's cache keeps a basis; None where there can be no cache.

    A basis that another version of e2cnn sampled is another file.
    """
    kind = "lifting" if lifting else "regular"
    version = metadata.version("e2cnn")
    try:
        folder = cache_folder()
    except (OSError, RuntimeError):  # no home folder
        return None
    return folder / "bases" / f"{group.name}_{kernel_size}x{kernel_size}_{kind}_e2cnn_{version}.npy"


def sampled_by_e2cnn(
    group: SymmetryGroup, kernel_size: int, *, lifting: bool
) -> NDArray[np.float32]:
    """Let e2cnn solve for a basis and sample it on the pixel grid; see :func:`steerable_basis`."""
    e2cnn = import_e2cnn()
    # which e2cnn changes where it builds the representations of a group
    with np.printoptions():
        return _sampled(e2cnn, group, kernel_size, lifting=lifting)


def _sampled(
    e2cnn: types.ModuleType, group: SymmetryGroup, kernel_size: int, *, lifting: bool
) -> NDArray[np.float32]:
    n = group.order
    if group.reflections:
        space = e2cnn.gspaces.Flip2dOnR2() if n == 1 else e2cnn.gspaces.FlipRot2dOnR2(n)
    else:
        space = e2cnn.gspaces.TrivialOnR2() if n == 1 else e2cnn.gspaces.Rot2dOnR2(n)
    regular = e2cnn.nn.FieldType(space, [space.regular_repr])
    scalar = e2cnn.nn.FieldType(space, [space.trivial_repr])
    with warnings.catch_warnings():
        # e2cnn indexes with uint8, which torch calls deprecated
        warnings.simplefilter("ignore")
        convolution = e2cnn.nn.R2Conv(
            scalar if lifting else regular, regular, kernel_size, bias=False, initialize=False
        )
    (block,) = (
        module
        for module in convolution.basisexpansion.children()
        if hasattr(module, "sampled_basis")
    )
    # a copy: e2cnn keeps its own for the next convolution, in whatever precision that then has
    basis: NDArray[np.float32] = block.sampled_basis.detach().to(torch.float32).numpy().copy()
    return basis.reshape(*basis.shape[:3], kernel_size, kernel_size)


def _read(file: Path, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """A basis of the cache, or None when it is missing or damaged."""
    try:
        # mapped first: a header that claims too much is found out before memory is asked for
        mapped = np.load(file, mmap_mode="r", allow_pickle=False)
        if mapped.ndim != 5 or mapped.shape[1:] != shape or mapped.dtype != np.float32:
            return None
        values: NDArray[np.float32] = np.array(mapped)
    except (OSError, ValueError, EOFError, OverflowError):
        return None
    # there are |G| filters between regular fields for each one that lifts
    whole = len(values) > 0 and len(values) % shape[1] == 0
    return values if whole and bool(np.isfinite(values).all()) else None


def _write(values: NDArray[np.float32], file: Path) -> None:
    """Keep a basis for the next process, whole or not at all; silently not where that is forbidden."""
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb") as handle:
            np.save(handle, values, allow_pickle=False)
        temporary.replace(file)
    except OSError:
        pass
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
