"""The last feature map of a network, which Grad-CAM explains where no other is named."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from attnxai.explanations.layers import CountedCalls, FunctionCall, is_feature_map


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LastFeatures:
    """The last feature map before pooling: a module with this output, or the call of a function.

    Parameters
    ----------
    name : str
        The outermost module with this output, or ``after`` the last module before it.
    layer : torch.nn.Module or FunctionCall
        Where it is made.
    is_branch : bool
        Whether scores depend on the image by another path as well.
    """

    name: str
    layer: nn.Module | FunctionCall
    is_branch: bool


class _Recorded(CountedCalls):
    """Feature maps, from that of the last convolution on, with as many cells."""

    def __init__(self) -> None:
        super().__init__(self._append)
        self.found: list[tuple[int, str, torch.Tensor]] = []
        self.module = ""

    def _append(self, position: int, output: torch.Tensor) -> None:
        if self.found and output.requires_grad and output.shape[2:] == self.found[0][2].shape[2:]:
            self.found.append((position, self.module, output))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = super().__torch_function__(func, types, args, kwargs)
        # those of one cell belong to the head, or weight channels
        if func is nn.functional.conv2d and is_feature_map(output) and output[0, 0].numel() > 1:
            self.found = [(self.n_calls - 1, self.module, output)]
        return output


def last_features(network: nn.Module, named: nn.Module, blank: torch.Tensor) -> LastFeatures | None:
    """Find the last feature map on which scores depend, by a pass of a blank image.

    It has as many cells as the output of the last convolution: what is pooled afterwards is coarser. In a residual
    network it is the output of the last block.

    Parameters
    ----------
    network : torch.nn.Module
        Gives class scores.
    named : torch.nn.Module
        The part of it whose modules are named.
    blank : Tensor, shape (1, channels, rows, columns)
        An image.

    Returns
    -------
    LastFeatures or None
        None without a two-dimensional convolution.
    """
    names = {module: name for name, module in named.named_modules() if name}
    # outputs may be changed in place afterwards, which gives them another step
    last_of: dict[nn.Module, tuple[torch.Tensor, Any]] = {}

    def finished(module: nn.Module, _inputs: Any, output: Any) -> None:
        if module in names:
            recorded.module = names[module]
            if isinstance(output, torch.Tensor):
                last_of[module] = output, output.grad_fn

    def made_by(module: nn.Module, found: torch.Tensor) -> bool:
        output, step = last_of.get(module, (None, None))
        return output is found and step is found.grad_fn

    with torch.enable_grad():
        image = blank.clone().requires_grad_() * 1.0
    with torch.enable_grad(), _Recorded() as recorded:
        handle = register_module_forward_hook(finished)
        try:
            scores = network(image)
        finally:
            handle.remove()
    needed = _steps(scores, None)
    for position, before, output in reversed(recorded.found):
        if output.grad_fn in needed:
            layer = next((module for module in names if made_by(module, output)), None)
            return LastFeatures(
                name=f"after {before}" if layer is None else names[layer],
                layer=layer or FunctionCall(position=position),
                is_branch=image.grad_fn in _steps(scores, output.grad_fn),
            )
    return None


def _steps(scores: torch.Tensor, without: Any) -> set[Any]:
    """Steps of the calculation of scores, except what only leads to one of them."""
    found: set[Any] = {without, None}
    waiting: list[Any] = [scores.grad_fn]
    while waiting:
        step = waiting.pop()
        if step not in found:
            found.add(step)
            waiting += [before for before, _ in step.next_functions]
    return found - {without}
