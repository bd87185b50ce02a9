"""The rules of DeepLIFT for operations that are not linear; see :mod:`attnxai.explanations.rectifiers`.

Every tensor holds images in the first half of its first axis and their references in the second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

# differences below this, relative to the values, are too small to divide by
_SMALLEST = 1e-7


class Unsupported(Exception):
    """An operation without a rule."""


def _halves_swapped(values: torch.Tensor) -> torch.Tensor:
    if values.ndim == 0 or len(values) % 2:
        raise Unsupported("an operation over the whole batch")
    return torch.cat(values.detach().chunk(2)[::-1])


def _with_gradient(value: torch.Tensor, linear: torch.Tensor) -> torch.Tensor:
    """The value, with the gradient of a linear expression."""
    # exactly the value, however much larger the linear expression is
    return value.detach() + (linear - linear.detach())


def _rescaled(
    function: Callable[[torch.Tensor], torch.Tensor], values: torch.Tensor
) -> torch.Tensor:
    """A function of every number, by the rescale rule."""
    at = values.detach()
    other = _halves_swapped(at)
    with torch.no_grad():
        value = function(at)
        change = value - _halves_swapped(value)
        step = at - other
        small = step.abs() <= _SMALLEST * (at.abs() + other.abs())
    slopes = torch.zeros_like(at)
    if bool(small.any()):
        with torch.enable_grad():
            middle = ((at + other) / 2).requires_grad_()
            output = function(middle)
            if output.requires_grad:
                (slopes,) = torch.autograd.grad(output.sum(), middle)
    ratio = torch.where(small, slopes, change / torch.where(small, 1.0, step))
    return _with_gradient(value, ratio * values)


def _elementwise(
    func: Callable[..., Any], values: torch.Tensor, *args: Any, **kwargs: Any
) -> torch.Tensor:
    if _depends(args, kwargs):
        raise Unsupported(f"{func.__name__} with limits that depend on the image")
    kwargs.pop("inplace", None)
    return _rescaled(lambda x: func(x, *args, **kwargs), values)


def _depends(args: Any, kwargs: Any) -> bool:
    return any(
        isinstance(one, torch.Tensor) and one.requires_grad for one in [*args, *kwargs.values()]
    )


def _product(
    func: Callable[..., Any], one: Any, other: Any, *args: Any, **kwargs: Any
) -> torch.Tensor:
    """Anything linear in each of two factors."""
    if not (_depends((one,), {}) and _depends((other,), {})):
        return func(one, other, *args, **kwargs)  # type: ignore[no-any-return]
    mean_one, mean_other = ((x.detach() + _halves_swapped(x)) / 2 for x in (one, other))
    with torch.no_grad():
        value = func(one, other, *args, **kwargs)
    return _with_gradient(
        value, func(one, mean_other, *args, **kwargs) + func(mean_one, other, *args, **kwargs)
    )


def _einsum(func: Callable[..., Any], equation: Any, *operands: Any) -> torch.Tensor:
    if len(operands) == 1 and isinstance(operands[0], tuple | list):
        operands = tuple(operands[0])
    n_tracked = sum(_depends((one,), {}) for one in operands)
    if n_tracked <= 1:
        return func(equation, *operands)  # type: ignore[no-any-return]
    if not isinstance(equation, str) or len(operands) != 2:
        raise Unsupported("einsum of more than two factors")
    return _product(lambda one, other: func(equation, one, other), *operands)


def _quotient(func: Callable[..., Any], one: Any, other: Any, **kwargs: Any) -> torch.Tensor:
    if not _depends((other,), {}):
        return func(one, other, **kwargs)  # type: ignore[no-any-return]
    if kwargs.get("rounding_mode") is not None:
        raise Unsupported("a rounded quotient")
    with torch.no_grad():
        value = func(one, other, **kwargs)
    return _ratio(one, other, value)


def _ratio(one: Any, other: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """A quotient of the given value, by the rule of products for its numerator, quotient times denominator.

    It divides by the mean of both denominators. Those of blank sky may be tiny, so that contributions by their reciprocals
    would have any size and cancel.
    """
    denominators = other.detach(), _halves_swapped(other)
    mean = (denominators[0] + denominators[1]) / 2
    mean_value = (value + _halves_swapped(value)) / 2
    usable = (denominators[0] * denominators[1] >= 0) & (mean != 0)
    linear = (one - mean_value * other) / torch.where(usable, mean, 1.0)
    if not bool(usable.all()):  # denominators of both signs have a mean near 0
        by_reciprocal = _product(torch.mul, one, _rescaled(torch.reciprocal, other))
        linear = torch.where(usable, linear, by_reciprocal)
    return _with_gradient(value, linear)


def _reversed_quotient(one: torch.Tensor, other: Any) -> torch.Tensor:
    return _quotient(torch.div, other, one)


def _highest(values: torch.Tensor, dim: Any, *, keepdim: bool) -> torch.Tensor:
    """Maximum over axes, by what the image's highest elements gain or the reference's lose."""
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    if not dims or 0 in dims:
        raise Unsupported("an extreme over the whole batch")
    at, other = values.detach(), _halves_swapped(values)
    top, top_other = at.amax(dims, keepdim=True), other.amax(dims, keepdim=True)

    def multiplier(
        x: torch.Tensor, x0: torch.Tensor, highest: torch.Tensor, lower: torch.Tensor
    ) -> torch.Tensor:
        """Of the elements that are highest in ``x``, whose maximum is above that of ``x0``."""
        at_top = (x == highest).to(x)
        gain = highest - x0
        ratio = torch.where(gain > 0, (highest - lower) / torch.where(gain > 0, gain, 1.0), 1.0)
        return at_top * ratio / at_top.sum(dims, keepdim=True)

    # the same for an image and its reference: where both maxima are equal, by the elements of the image
    half = len(at) // 2
    rises = (top[:half] >= top_other[:half]).repeat(2, *(1,) * (at.ndim - 1))
    first = torch.arange(len(at), device=at.device) < half
    from_first = rises == first.reshape(-1, *(1,) * (at.ndim - 1))
    x, x0 = torch.where(from_first, at, other), torch.where(from_first, other, at)
    high, low = torch.where(from_first, top, top_other), torch.where(from_first, top_other, top)
    linear = (multiplier(x, x0, high, low) * values).sum(dims, keepdim=keepdim)
    return _with_gradient(at.amax(dims, keepdim=keepdim), linear)


def _amax(values: torch.Tensor, dim: Any = (), keepdim: bool = False) -> torch.Tensor:
    return _highest(values, dim, keepdim=keepdim)


def _amin(values: torch.Tensor, dim: Any = (), keepdim: bool = False) -> torch.Tensor:
    return -_highest(-values, dim, keepdim=keepdim)


def _max_pool(
    values: torch.Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> torch.Tensor:
    kernel, padding, dilation = _pair(kernel_size), _pair(padding), _pair(dilation)
    if dilation != (1, 1) or ceil_mode or return_indices:
        raise Unsupported("max-pooling with dilation, ceil_mode or return_indices")
    step = kernel if stride is None or stride == [] else _pair(stride)
    if padding != (0, 0):
        rows, columns = padding
        lowest = float(values.detach().min()) - 1.0  # never highest, and finite
        values = nn.functional.pad(values, (columns, columns, rows, rows), value=lowest)
    windows = values.unfold(-2, kernel[0], step[0]).unfold(-2, kernel[1], step[1])
    return _highest(windows, (-2, -1), keepdim=False)


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (tuple(value) * 2)[:2]


def _adaptive_max_pool(values: torch.Tensor, output_size: Any, *_args: Any) -> torch.Tensor:
    if _pair(output_size) != (1, 1):
        raise Unsupported("adaptive max-pooling to more than one pixel")
    return _highest(values, (-2, -1), keepdim=True)


def _exponentials(values: torch.Tensor, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Of values less a constant, and the constant: the same for an image and its reference."""
    top = values.detach().amax(dim, keepdim=True)
    top = torch.maximum(top, _halves_swapped(top))
    return _rescaled(torch.exp, values - top), top


def _softmax(values: torch.Tensor, dim: int, **_kwargs: Any) -> torch.Tensor:
    powers, _ = _exponentials(values, dim)
    # the sum of all powers may be 0 where the scores of an image and its reference have nothing in common
    return _ratio(powers, powers.sum(dim, keepdim=True), torch.softmax(values.detach(), dim))


def _log_softmax(values: torch.Tensor, dim: int, **_kwargs: Any) -> torch.Tensor:
    powers, top = _exponentials(values, dim)
    return values - top - _rescaled(torch.log, powers.sum(dim, keepdim=True))


def _step(func: Callable[..., Any], values: torch.Tensor, limit: Any) -> torch.Tensor:
    """A comparison with a number, 1 where it holds: the mask of emission of a network."""
    if isinstance(limit, torch.Tensor):
        raise Unsupported("a comparison of two tensors")
    return _rescaled(lambda x: func(x, limit).to(x), values)


def _batch_norm(
    func: Callable[..., Any], values: torch.Tensor, *args: Any, **kwargs: Any
) -> torch.Tensor:
    training = kwargs.get("training", args[4] if len(args) > 4 else False)
    if training:
        raise Unsupported("batch norm by the statistics of the batch")
    return func(values, *args, **kwargs)  # type: ignore[no-any-return]


def _alone(rule: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A rule that does not need the function that it replaces."""
    return lambda _func, *args, **kwargs: rule(*args, **kwargs)


_ELEMENTWISE = (
    "abs", "celu", "clamp", "clamp_max", "clamp_min", "clip", "cos", "elu", "erf", "exp", "gelu", "hardsigmoid",
    "hardswish", "hardtanh", "leaky_relu", "log", "log1p", "logsigmoid", "mish", "pow", "reciprocal", "relu6", "rsqrt",
    "selu", "sigmoid", "silu", "sin", "softplus", "softsign", "sqrt", "square", "tanh", "threshold",
)  # fmt: skip

RULES: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(
        ("mul", "multiply", "imul", "rmul", "matmul", "rmatmul", "bmm", "mm"), _product
    ),
    **dict.fromkeys(("div", "divide", "true_divide", "truediv", "idiv", "itruediv"), _quotient),
    **dict.fromkeys(("rdiv", "rtruediv"), _alone(_reversed_quotient)),
    "einsum": _einsum,
    "amax": _alone(_amax),
    "amin": _alone(_amin),
    "max_pool2d": _alone(_max_pool),
    "adaptive_max_pool2d": _alone(_adaptive_max_pool),
    "softmax": _alone(_softmax),
    "log_softmax": _alone(_log_softmax),
    "gt": _step,
    "batch_norm": _batch_norm,
}
"""Rule of every operation that is not linear, by the name of its function without underscores."""

_OF_SEVERAL = frozenset(
    ("add", "iadd", "radd", "sub", "isub", "rsub", "where", "to", "type_as", "view_as", "reshape_as", "expand_as")
)  # fmt: skip
_LINEAR = frozenset(
    (
        "neg", "positive", "sum", "mean", "cumsum", "conv1d", "conv2d", "conv3d", "conv_transpose2d", "linear", "cat",
        "concat", "stack", "reshape", "view", "flatten", "unflatten", "permute", "transpose", "t",
        "movedim", "squeeze", "unsqueeze", "expand", "contiguous", "clone", "type", "double",
        "float", "pad", "interpolate", "upsample", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool2d", "getitem",
        "split", "chunk", "unbind", "flip", "rot90", "roll", "repeat", "repeat_interleave", "dropout", "dropout2d",
        "feature_dropout", "unfold", "fold", "narrow", "select", "index_select", "swapaxes", "broadcast_to", "tile",
        "pixel_shuffle", "pixel_unshuffle", "grid_sample", "diagonal", "get", "requires_grad", "zeros_like", "ones_like",
        "empty_like", "full_like", "new_zeros", "new_ones", "new_full", "new_empty",
    )
)  # fmt: skip


def is_linear(name: str, n_tensors: int) -> bool:
    """Whether an operation with so many tensors that depend on the image is linear in them, or ignores their values.

    The ``name`` is that of its function without underscores at the ends.
    """
    return name in _OF_SEVERAL or (name in _LINEAR and n_tensors <= 1)
