"""What all networks of this package have in common, and how to make one from its specification."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, TypeAlias

import torch

from attnxai.data.wording import unknown_name
from attnxai.errors import OptionError
from attnxai.models.bases import is_large, steerable_basis
from attnxai.models.lenet import LeNet, LeNetSpec
from attnxai.models.network import AttentionNetwork
from attnxai.models.prepared import compiled_kernels
from attnxai.models.specification import Architecture, ModelSpec, NetworkSpec
from attnxai.models.steerable import SteerableConv2d
from attnxai.models.wrapped_network import WrappedNetwork, WrappedSpec

BuiltSpecification: TypeAlias = ModelSpec | LeNetSpec
"""From which :func:`network_from_spec` builds a network."""

Specification: TypeAlias = BuiltSpecification | WrappedSpec
"""All have ``architecture``, ``group``, ``symmetry``, ``n_classes``, ``gate_names``, ``to_dict``."""

Network: TypeAlias = AttentionNetwork | LeNet | WrappedNetwork
"""All take (batch, 1, height, width) and give (batch, n_classes); their ``spec`` describes them."""

# Bases that differ by less give scores that differ by their rounding alone.
_SAME_BASIS = 1e-6


def specification_from_dict(values: Mapping[str, Any]) -> BuiltSpecification:
    """Rebuild a specification from plain values, refusing names and types that it does not know."""
    stated = values.get("architecture")
    if isinstance(stated, str) and stated in (Architecture.LENET, Architecture.STEERABLE_LENET):
        return LeNetSpec.from_dict(values)
    return ModelSpec.from_dict(values)


def network_from_spec(
    spec: BuiltSpecification,
    *,
    bases: Mapping[str, torch.Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> Network:
    """Build the network that a specification describes.

    ``bases`` that belong to the weights are given under the names of their layers; the others follow from group and
    kernel. The ``generator`` draws the first weights; without one they wait to be loaded.
    """
    if isinstance(spec, LeNetSpec):
        return LeNet(spec, bases=bases, generator=generator)
    return AttentionNetwork(spec, bases=bases, generator=generator)


def input_kind(network: torch.nn.Module) -> tuple[torch.device, torch.dtype]:
    """Device and precision of a network's input: those of its weights, or single precision on the CPU without any."""
    for tensor in itertools.chain(network.parameters(), network.buffers()):
        if tensor.is_floating_point():
            return tensor.device, tensor.dtype
    return torch.device("cpu"), torch.float32


def computation_of(network: torch.nn.Module) -> dict[str, Any]:
    """How features are computed in evaluation: where this is equal, the same images have the same bytes.

    Returns
    -------
    dict
        ``device`` and ``precision`` of the weights, and ``compiled`` if compiled loops fuse layers and steerable
        convolutions go by a Fourier transform over the group where that is faster.
    """
    device, dtype = input_kind(network)
    compiled = device.type == "cpu" and dtype is torch.float32 and compiled_kernels() is not None
    return {
        "device": device.type,
        "precision": str(dtype).removeprefix("torch."),
        "compiled": compiled,
    }


def named_layer(network: torch.nn.Module, name: str) -> torch.nn.Module:
    """The submodule of this name, such as ``layer4.1.conv2``.

    Raises
    ------
    OptionError
        If there is none.
    """
    known: dict[str, torch.nn.Module] = {
        known: module for known, module in network.named_modules() if known
    }
    if name not in known:
        raise OptionError(unknown_name("layer", name, known))
    return known[name]


def has_given_bases(network: Network) -> bool:
    """Whether filter bases of a network came with its weights."""
    return any(
        isinstance(layer, SteerableConv2d) and layer.shared.given for layer in network.modules()
    )


def bases_to_keep(network: Network) -> dict[str, torch.Tensor]:
    """Bases that came with the weights of a network and cannot be made again from its specification.

    Those that are too large to be sampled when a file is read are kept as well. They stand under the names of their
    layers; those of layers that share one are the same object.
    """
    kept: dict[str, torch.Tensor] = {}
    known: dict[int, torch.Tensor | None] = {}
    for name, layer in network.named_modules():
        if not isinstance(layer, SteerableConv2d) or isinstance(network, WrappedNetwork):
            continue
        if id(layer.shared) not in known:
            known[id(layer.shared)] = _unless_ours(layer, network.spec)
        if (basis := known[id(layer.shared)]) is not None:
            kept[name] = basis
    return kept


def _unless_ours(layer: SteerableConv2d, spec: NetworkSpec) -> torch.Tensor | None:
    basis = layer.basis.detach().cpu()
    if is_large(spec.symmetry, spec.kernel_size):
        return basis
    if not layer.shared.given:
        return None
    lifting = basis.shape[2] == 1
    ours = steerable_basis(spec.symmetry, spec.kernel_size, lifting=lifting).to(basis.dtype)
    if ours.shape == basis.shape and float((ours - basis).abs().max()) <= _SAME_BASIS:
        return None
    return basis
