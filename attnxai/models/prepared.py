"""What the layers of a network make of their weights alone, kept for as long as it is evaluated.

Within a block of :func:`prepared` convolutions between regular fields go by :mod:`~attnxai.models.fourier_convolution` where that
is faster, with gradients or without. Without gradients filters are expanded once; batch norm, rectifier and pooling are
one pass each; and gates that attend to emission alone are computed there alone. Features and gradients differ from those of the
plain layers by rounding. With hooks on what is skipped, on a GPU, in another precision or without numba the plain layers are used.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import nn
from torch.nn.modules import module as torch_module
from torch.overrides import _get_current_function_mode_stack  # torch has no other way to ask
from torch.utils._device import DeviceContext

if TYPE_CHECKING:
    import types

    from attnxai.models.fourier_convolution import Epilogue


_T = TypeVar("_T")


class Prepared:
    """What was made of weights, which is made anew when they change."""

    def __init__(self) -> None:
        self._made: dict[tuple[nn.Module, str], tuple[tuple[Any, ...], Any]] = {}

    def get(
        self,
        module: nn.Module,
        what: str,
        of: tuple[torch.Tensor, ...],
        make: Callable[[], _T],
        *,
        values: bytes = b"",
    ) -> _T:
        """What is made of these tensors of a module, and of these values."""
        key = (values, *((one.data_ptr(), one._version, one.dtype) for one in of))  # noqa: SLF001 -- it counts changes
        known = self._made.get((module, what))
        if known is None or known[0] != key:
            known = self._made[module, what] = key, make()
        return known[1]


class PreparableModule(nn.Module):
    """A layer that keeps what it makes of its weights within a block of :func:`prepared`."""

    kept: Prepared | None = None

    @property
    def prepared(self) -> Prepared | None:
        """Where that is kept; None outside such a block and where gradients are computed."""
        return None if torch.is_grad_enabled() else self.kept


@contextlib.contextmanager
def prepared(network: nn.Module, kept: Prepared | None = None) -> Iterator[None]:
    """Let the layers of a network keep what they make of their weights within the block, in ``kept`` if that is given."""
    layers = [
        layer
        for layer in network.modules()
        if isinstance(layer, PreparableModule) and layer.kept is None
    ]
    kept = Prepared() if kept is None else kept
    try:
        for layer in layers:
            layer.kept = kept
        yield
    finally:
        for layer in layers:
            layer.kept = None


def takes_compiled(features: torch.Tensor, *skipped: nn.Module) -> bool:
    """Whether compiled loops can take these features, and no hook is on the modules that they skip."""
    return (
        features.dtype is torch.float32
        and not torch.is_autocast_enabled("cpu")  # which would change precision on the way
        and features.device.type == "cpu"
        and compiled_kernels() is not None
        and not any(_has_hooks(module) for module in skipped)
        and not torch_module._global_forward_hooks  # noqa: SLF001 -- torch has no other way to ask
        and not torch_module._global_forward_pre_hooks  # noqa: SLF001
    )


def is_followed() -> bool:
    """Whether calls of torch functions are followed, among which a convolution has to be one; not for a default device."""
    modes: list[object] = _get_current_function_mode_stack()  # type: ignore[no-untyped-call]
    return any(not isinstance(mode, DeviceContext) for mode in modes)


def _has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)  # noqa: SLF001


@functools.cache
def compiled_kernels() -> types.ModuleType | None:
    """The compiled loops, or None where numba cannot be imported."""
    try:
        from attnxai.models import compiled_kernels as kernels
    except ImportError:
        return None
    return kernels


def halved(features: torch.Tensor, kept: Prepared | None) -> torch.Tensor:
    """Maxima of squares of two by two pixels of features (batch, channels, height, width)."""
    if kept is None or not takes_compiled(features):
        return nn.functional.max_pool2d(features, 2)
    batch, channels, height, width = features.shape
    out = features.new_empty(batch, channels, height // 2, width // 2)
    kernels = compiled_kernels()
    kernels.halve(  # type: ignore[union-attr]
        out.numpy().reshape(-1), features.contiguous().numpy().reshape(-1), batch * channels, height, width
    )  # fmt: skip
    return out


def cells_with_emission(
    images: torch.Tensor, faintest: float, min_island_pixels: int, binning: int
) -> torch.Tensor:
    """1 in the cells (batch, 1, rows, columns) of images (batch, 1, height, width) with emission above ``faintest``, else 0."""
    batch, _, height, width = images.shape
    out = images.new_empty(batch, 1, height // binning, width // binning)
    kernels = compiled_kernels()
    kernels.find_emission(  # type: ignore[union-attr]
        out.numpy().reshape(-1), images.contiguous().numpy().reshape(-1), batch, height, width,
        np.float32(faintest), min_island_pixels, binning,
    )  # fmt: skip
    return out


def convolved(convolution: nn.Module, features: torch.Tensor, epilogue: Epilogue) -> torch.Tensor:
    """The convolution of features and what follows it."""
    fourier = getattr(convolution, "fourier_convolution", None)
    found = fourier(features) if fourier is not None else None
    if found is not None:
        return found(features, epilogue)  # type: ignore[no-any-return]
    dense = getattr(convolution, "convolve_densely", None)
    if dense is None:
        found = convolve(features, convolution.weight, convolution.bias)  # type: ignore[arg-type]
    else:
        found = dense(features)  # not as a module, which would ask the same again
    return epilogue.apply_(found.contiguous())


def convolve(
    features: torch.Tensor, filters: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """A convolution that keeps the size, by the same algorithm for any number of images.

    On the CPU torch chooses one by the size of the batch, and so another rounding for an image alone.
    """
    padding = filters.shape[-1] // 2
    one_algorithm = (
        features.device.type == "cpu"
        and features.dtype is torch.float32
        and not torch.is_autocast_enabled("cpu")
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    )
    if one_algorithm:
        pair = (padding, padding)
        return torch.mkldnn_convolution(features, filters, bias, pair, (1, 1), (1, 1), 1)
    return nn.functional.conv2d(features, filters, bias, padding=padding)


def convolved_image(images: torch.Tensor, filters: torch.Tensor, padding: int) -> torch.Tensor:
    """A convolution of images of one channel, as one matrix product an image.

    The convolution of torch has few inputs to share here, and is several times slower on some sizes.
    """
    channels, _, side, _ = filters.shape
    padded = nn.functional.pad(images, (padding,) * 4)
    batch, _, height, width = padded.shape
    height, width = height - side + 1, width - side + 1
    of_image, _, of_row, _ = padded.stride()
    shifted = padded.as_strided(
        (batch, side, side, height, width), (of_image, of_row, 1, of_row, 1)
    )
    products = torch.matmul(filters.flatten(1), shifted.reshape(batch, side**2, height * width))
    return products.reshape(batch, channels, height, width)
