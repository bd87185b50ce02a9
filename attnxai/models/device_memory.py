"""The device that a network runs on, and work on a GPU whose memory may be too small for it."""

from __future__ import annotations

import contextlib
import contextvars
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch

from attnxai.errors import DeviceWarning, OptionError
from attnxai.models.architectures import input_kind

_T = TypeVar("_T")
# images in a batch at the first attempt with fewer; those who pass more take it as a limit as well
_FIRST_LIMIT = 8
_LIMIT: contextvars.ContextVar[int | None] = contextvars.ContextVar("images_at_once", default=None)
# whether an outer call takes care, so that all of its work has batches of one size on one device
_WITHIN: contextvars.ContextVar[bool] = contextvars.ContextVar("in_memory", default=False)


def check_device(name: str) -> None:
    """Refuse a device that this machine does not have."""
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise OptionError(
            f"device {name!r} cannot be used here; 'cpu' always can, and "
            + (
                "'cuda' on this machine"
                if torch.cuda.is_available()
                else "this machine has no CUDA device"
            )
        ) from error


def images_at_once(batch_size: int) -> int:
    """The size of a batch, or what the memory of a GPU has room for."""
    limit = _LIMIT.get()
    return batch_size if limit is None else min(batch_size, limit)


def in_memory(network: torch.nn.Module, run: Callable[[], _T]) -> _T:
    """Run something with a network; anew with smaller batches, and at last on the CPU, where a GPU has too little memory.

    Warns
    -----
    DeviceWarning
        If it ran on the CPU instead. The network is where it was afterwards.
    """
    device, _ = input_kind(network)
    if device.type == "cpu" or _WITHIN.get():
        return run()
    limit: int | None = None
    while True:
        try:
            with _set(_WITHIN, True), _set(_LIMIT, limit):
                return run()
        except torch.cuda.OutOfMemoryError:
            limit = _FIRST_LIMIT if limit is None else limit // 2
        # outside of the except clause, whose error keeps what was computed
        with contextlib.suppress(RuntimeError):
            torch.cuda.empty_cache()
        if limit == 0:
            break
    warnings.warn(
        f"the memory of {device} is too small for one image at a time: everything is computed anew on the CPU; "
        "--device cpu does so at once",
        DeviceWarning,
        stacklevel=2,
    )
    network.to("cpu")
    try:
        return run()
    finally:
        with contextlib.suppress(torch.cuda.OutOfMemoryError):
            network.to(device)


@contextlib.contextmanager
def _set(variable: contextvars.ContextVar[Any], value: Any) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
