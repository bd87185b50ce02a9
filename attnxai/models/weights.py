"""Weights from a file, and the network that they fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from attnxai.data.short_repr import shown_name
from attnxai.errors import CheckpointError
from attnxai.models.architectures import BuiltSpecification, Network, network_from_spec
from attnxai.models.bases import cached_file, is_large
from attnxai.models.steerable import SteerableConv2d

# batch norms of PyTorch before 0.4 did not count, and evaluation does not need it
_COUNTER = "num_batches_tracked"


def network_with_weights(
    spec: BuiltSpecification,
    weights: Mapping[Any, Any],
    *,
    bases: Mapping[str, torch.Tensor] | None = None,
) -> Network:
    """Build the network of a specification from a file, in evaluation mode, once its weights are known to fit.

    A few bytes can describe a network that fits into no memory, so shapes are compared on a network without memory
    first. Counts of batches may be missing from ``weights``; ``bases`` are those that came with them.
    """
    bases = bases or {}
    with torch.device("meta"):
        skeleton = network_from_spec(spec)
    steerable = {
        f"{name}.weights": layer
        for name, layer in skeleton.named_modules()
        if isinstance(layer, SteerableConv2d)
    }
    _refuse(_problems(skeleton.state_dict(), weights, of_any_basis=frozenset(steerable)))
    without = {
        name: layer
        for name, layer in steerable.items()
        if name.removesuffix(".weights") not in bases
    }
    _refuse(_problems_of_bases(spec, weights, without))
    if without and is_large(spec.symmetry, spec.kernel_size) and not _cached(spec):
        raise CheckpointError(
            f"the filter basis of {spec.group} with a kernel of {spec.kernel_size} x {spec.kernel_size} "
            "pixels is too large to be built for a file; such a file has to hold its bases, as "
            "attnxai.save_model writes them"
        )
    network = network_from_spec(spec, bases=bases)
    load_weights(network, weights)
    return network.eval()


def load_weights(network: nn.Module, weights: Mapping[Any, Any]) -> None:
    """Put weights into a network, naming every one that is missing, unknown or of another shape."""
    expected = network.state_dict()
    _refuse(_problems(expected, weights))
    counters = {name: value for name, value in expected.items() if name.endswith(_COUNTER)}
    network.load_state_dict(
        counters
        | {
            name: tensor
            for name, tensor in weights.items()
            if not _is_rounded_counter(name, tensor)
        }
    )


def _is_rounded_counter(name: Any, tensor: Any) -> bool:
    """Whether a count of batches was converted with the weights, in half precision perhaps to infinity."""
    return (
        str(name).endswith(_COUNTER)
        and isinstance(tensor, torch.Tensor)
        and tensor.is_floating_point()
    )


def notes_on_precision(weights: Mapping[Any, Any]) -> list[str]:
    """A note where weights of a file are not in 32 bits, in which networks compute."""
    others = sorted(
        {
            str(tensor.dtype).removeprefix("torch.")
            for name, tensor in weights.items()
            if isinstance(tensor, torch.Tensor)
            and tensor.is_floating_point()
            and tensor.dtype != torch.float32
            and not str(name).endswith(_COUNTER)
        }
    )
    return [f"Weights in {' and '.join(others)} were converted to float32."] if others else []


def _cached(spec: BuiltSpecification) -> bool:
    file = cached_file(spec.symmetry, spec.kernel_size, lifting=False)
    return file is not None and file.is_file()


def _refuse(problems: list[str]) -> None:
    if problems:
        more = f" and {len(problems) - 4} more faults" if len(problems) > 4 else ""
        raise CheckpointError(
            f"its weights do not fit its specification: it {', '.join(problems[:4])}{more}"
        )


def _problems(
    expected: Mapping[str, torch.Tensor],
    weights: Mapping[Any, Any],
    *,
    of_any_basis: frozenset[str] = frozenset(),
) -> list[str]:
    """What does not fit; ``of_any_basis`` names weights whose last axis the basis has still to tell."""
    problems = [
        f"lacks {name}" for name in expected if name not in weights and not name.endswith(_COUNTER)
    ]
    problems += [f"has the unknown {shown_name(name)}" for name in weights if name not in expected]
    for name, tensor in expected.items():
        if name not in weights or _is_rounded_counter(name, weights[name]):
            continue
        given = weights[name]
        n_axes = tensor.ndim - (name in of_any_basis)
        if not isinstance(given, torch.Tensor):
            problems.append(f"holds no tensor for {name}")
        elif given.is_floating_point() != tensor.is_floating_point() or given.is_complex():
            problems.append(f"has {name} as {given.dtype}")
        elif given.ndim != tensor.ndim or given.shape[:n_axes] != tensor.shape[:n_axes]:
            problems.append(
                f"has {name} of shape {tuple(given.shape)} instead of {tuple(tensor.shape)}"
            )
        elif given.is_floating_point() and not bool(torch.isfinite(given.to(tensor.dtype)).all()):
            problems.append(f"has values in {name} that are not finite")
    return problems


def _problems_of_bases(
    spec: BuiltSpecification, weights: Mapping[Any, Any], steerable: Mapping[str, SteerableConv2d]
) -> list[str]:
    """Whether bases of one kernel can have as many filters as there are weights.

    There are |G| filters between regular fields for each one that lifts, and of those at most one for
    each pixel.
    """
    n_filters = {
        name: weights[name].shape[-1] / layer.basis.shape[2] for name, layer in steerable.items()
    }
    wrong = [
        name
        for name, n in n_filters.items()
        if n != next(iter(n_filters.values())) or not 1 <= n <= spec.kernel_size**2
    ]
    return [
        f"has {name} of shape {tuple(weights[name].shape)}, which no basis of {spec.group} with a kernel "
        f"of {spec.kernel_size} x {spec.kernel_size} pixels has"
        for name in wrong
    ]
