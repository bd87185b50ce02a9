"""Copies of networks in which every rectifier is a module that is used once, as DeepLIFT and guided methods need it.

Captum gives its rules for rectifiers to modules, and only where each is used once. Networks call rectifiers as functions,
or one module several times. The copy runs the same code, but each call of a rectifier goes through a module of its own.
No code is rewritten, so that any network with the same calls for every image can be copied.

For DeepLIFT (Shrikumar et al. 2017, arXiv 1704.02685), every other operation that is not linear gets a rule as well. The
batch holds images and, in its second half, their references. A rule replaces the operation by one that is linear in its
inputs and has the same values for an image and its reference, so that contributions add up to the difference of scores:

- a function of one number (sigmoid, softplus, reciprocal, ...) by the ratio of the differences of its values (the rescale
  rule);
- a product by the mean of both orders in which its factors can change, (a + a0) / 2 and (b + b0) / 2, their Shapley value;
- a quotient q = a / b by the same rule for a = q b, so that it changes by (change of a - (q + q0) / 2 change of b) over the mean
  of b and b0;
- a maximum by what the highest element gains or the reference's highest loses, shared evenly between equal elements.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from attnxai.errors import OptionError
from attnxai.explanations.linear_rules import RULES, Unsupported, is_linear
from attnxai.explanations.score_function import ScoreFunction
from attnxai.models.wrapped_network import WrappedNetwork

_RECTIFIERS = {"relu", "relu_"}


class RewrittenScores(nn.Module):
    """The scores of a :class:`ScoreFunction` from a copy of its network, whose rectifiers are modules used once each.

    Parameters
    ----------
    function : ScoreFunction
        The scores; its network stays as it is.
    method : str
        Name of the explanation method, for messages.
    linear : bool
        Replace what is not linear by the rules of DeepLIFT, for batches of images and their references. The copy then
        computes in double precision, since the rules divide by small differences.

    Raises
    ------
    OptionError
        If the network has no rectifier, or an operation without a rule, whose layer is named.
    """

    blank: torch.Tensor

    def __init__(self, function: ScoreFunction, *, method: str, linear: bool = False) -> None:
        super().__init__()
        try:
            network = copy.deepcopy(function.network)
        except (RuntimeError, TypeError) as error:
            raise OptionError(
                f"{method} works on a copy of the network of the model {function.model_name}, which cannot be "
                f"copied: {error}"
            ) from error
        network.requires_grad_(False)
        blank = function.blank
        if linear:
            network, blank = network.double(), blank.double()
        # hidden from Module.apply, by which captum looks for rectifiers
        self._network = (network,)
        self._model_name, self._method, self._linear = function.model_name, method, linear
        # a reference without emission has no attention at all: it is attended to where its image is
        self._shares_emission = linear and function.masks_emission
        self.register_buffer("blank", blank)
        self.rectifiers = nn.ModuleList()
        self._layers: list[str] = []
        parts = network.module if isinstance(network, WrappedNetwork) else network
        for name, module in parts.named_modules():
            module.register_forward_pre_hook(self._entering(name))
            module.register_forward_hook(self._leaving)
        self._count_rectifiers()

    def _count_rectifiers(self) -> None:
        n_images = 2 if self._linear else 1
        example = torch.zeros_like(self.blank.expand(n_images, -1, -1, -1)).requires_grad_()
        with torch.enable_grad():
            self._scores(example, grow=True)
        if not self.rectifiers and not self._linear:
            raise OptionError(
                f"{self._method} changes how gradients pass rectifiers, and the network of the model "
                f"{self._model_name} has none; use another explanation method, such as integrated_gradients"
            )

    def _entering(self, name: str) -> Callable[..., None]:
        return lambda _module, _inputs: self._layers.append(name)

    def _leaving(self, _module: nn.Module, _inputs: Any, _output: Any) -> None:
        self._layers.pop()

    def _next_rectifier(self, modules: Iterator[nn.Module], *, grow: bool) -> nn.Module:
        if grow:
            self.rectifiers.append(nn.ReLU())
            return self.rectifiers[-1]
        found = next(modules, None)
        if found is None:
            raise OptionError(
                f"{self._method} needs a network that calls the same rectifiers for every image; that of the "
                f"model {self._model_name} calls another one in {self._layer()}"
            )
        return found

    def _layer(self) -> str:
        return f"layer {self._layers[-1]}" if self._layers and self._layers[-1] else "its forward"

    def _scores(
        self,
        differences: torch.Tensor,
        emission_of: torch.Tensor | None = None,
        *,
        grow: bool = False,
    ) -> torch.Tensor:
        modules = iter(self.rectifiers)
        self._layers.clear()

        def run(func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
            name = getattr(func, "__name__", "")
            if name in _RECTIFIERS and _tracked(args[0]):
                # a tensor of its own, since captum's hooks replace the gradient of all its uses
                out = self._next_rectifier(modules, grow=grow)(args[0].clone())
                in_place = name.endswith("_") or kwargs.get("inplace") or args[1:2] == (True,)
                return args[0].copy_(out) if in_place else out
            if not self._linear:
                return func(*args, **kwargs)
            try:
                return _by_rules(func, name, args, kwargs)
            except Unsupported as error:
                raise OptionError(
                    f"{self._method} has no rule for {error} in {self._layer()} of the network of the model "
                    f"{self._model_name}; use another explanation method, such as integrated_gradients"
                ) from error

        with _Intercepted(run):
            images = self.blank + differences
            if not self._shares_emission:
                return self._network[0](images)  # type: ignore[no-any-return]
            if emission_of is None:
                emission_of = differences.chunk(2)[0].repeat(2, 1, 1, 1)
            return self._network[0](images, self.blank + emission_of.detach())  # type: ignore[no-any-return]

    def forward(
        self,
        differences: torch.Tensor,
        weights: torch.Tensor,
        emission_of: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Weighted sum of the class scores of each image, as of :class:`ScoreFunction`.

        With the rules of DeepLIFT, emission is that of the first half of the batch unless it is given.
        """
        return (weights * self._scores(differences, emission_of)).sum(dim=1)


class _Intercepted(TorchFunctionMode):
    """Passes every call of a torch function within the block to ``run``, which calls it or something else."""

    def __init__(self, run: Callable[..., Any]) -> None:
        super().__init__()
        self._run = run

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._run(func, args, kwargs or {})


def _tracked(value: Any) -> bool:
    """Whether a value depends on the image: parameters of the copy need no gradient."""
    return isinstance(value, torch.Tensor) and value.requires_grad


def _by_rules(func: Callable[..., Any], name: str, args: Any, kwargs: Any) -> Any:
    values = [*args, *kwargs.values()]
    inner = [one for value in values if isinstance(value, tuple | list) for one in value]
    # what a network detaches it takes for a constant
    if name == "detach" or not any(map(_tracked, [*values, *inner])):
        return func(*args, **kwargs)
    plain = name.strip("_")
    if (rule := RULES.get(plain)) is not None:
        if name.endswith("_") and not name.startswith("_"):  # in place
            return args[0].copy_(rule(func, args[0].clone(), *args[1:], **kwargs))
        return rule(func, *args, **kwargs)
    found = func(*args, **kwargs)
    tensors = [
        one
        for one in (found if isinstance(found, tuple | list) else (found,))
        if isinstance(one, torch.Tensor)
    ]
    if tensors and not is_linear(plain, sum(map(_tracked, values))):
        raise Unsupported(name)
    if plain == "get" and not all(map(_tracked, tensors)):
        raise Unsupported("a tensor that is detached from the image")
    return found
