"""The networks of the published papers, for loading their checkpoints.

Sources: Bowles et al. 2021 (arXiv 2012.01248, attention-gated CNN; arXiv 2111.04742, equivariant form).
Their files hold a state dict and nothing else, so what the network was has to follow from names, shapes
and signs of the weights, and the normalisation of the gates from the file's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from attnxai.data.images import assume
from attnxai.errors import CheckpointError
from attnxai.models.model import AttentionModel
from attnxai.models.network import AttentionNetwork
from attnxai.models.preprocessing import FIRST_PREPROCESSING, SYMMETRIC_RANGE
from attnxai.models.specification import (
    Aggregation,
    Architecture,
    LayerOrder,
    ModelSpec,
    Normalisation,
    Padding,
)
from attnxai.models.steerable import SteerableConv2d

_CONVOLUTIONS = ("1a", "1b", "1c", "2a", "2b", "2c", "3a", "3b", "3c", "4a", "4b")
_BLOCKS = (3, 3, 3, 2)
_BASIS = re.compile(r"conv(\d\w)\._basisexpansion\.block_expansion_\((.+)\)\.sampled_basis")
CLASS_NAMES = ("FR I", "FR II")
SPLIT_NOTE = (
    "The model's file does not say what it was trained on; for images of MiraBest the training part of "
    "the published split is assumed, as in the paper."
)


def looks_published(content: Any) -> bool:
    """Whether the content of a file is a state dict of one of the published networks."""
    return (
        isinstance(content, Mapping)
        and "attention1.psi.weight" in content
        and ("conv1a.weight" in content or "conv1a.weights" in content)
        and all(isinstance(value, torch.Tensor) for value in content.values())
    )


def load_published(content: Mapping[str, Any], *, path: str, sha256: str) -> AttentionModel:
    """Rebuild a published network and load its weights.

    Parameters
    ----------
    content : mapping of str to Tensor
        The state dict.
    path, sha256 : str
        The file and its hash.

    Returns
    -------
    AttentionModel

    Raises
    ------
    CheckpointError
        If layers are missing or do not fit together.
    """
    equivariant = "conv1a.weights" in content
    try:
        spec, bases = _specification(content, path, equivariant=equivariant)
        weights = _renamed(content, spec)
    except KeyError as error:
        raise CheckpointError(
            f"model file {path} looks like a published attention network, but lacks {error.args[0]}"
        ) from error
    except (IndexError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"model file {path} looks like a published attention network, but its layers do not fit "
            f"together: {reason}"
        ) from error
    network = AttentionNetwork(spec)
    _put_bases(network, bases, path)
    from attnxai.models.checkpoints import load_weights

    try:
        load_weights(network, weights)
    except CheckpointError as error:
        raise CheckpointError(f"model file {path}: {error}") from error
    return AttentionModel(
        name=f"published {spec.group} {spec.normalisation}"
        if equivariant
        else f"published CNN {spec.normalisation}",
        spec=spec,
        network=network.eval(),
        preprocessing=FIRST_PREPROCESSING if equivariant else SYMMETRIC_RANGE,
        class_names=CLASS_NAMES,
        trained_on_split="train",
        path=path,
        sha256=sha256,
        notes=(SPLIT_NOTE,),
    )


def _specification(
    content: Mapping[str, torch.Tensor], path: str, *, equivariant: bool
) -> tuple[ModelSpec, dict[str, torch.Tensor]]:
    n_gates = sum(f"attention{i}.psi.weight" in content for i in (1, 2, 3))
    bases: dict[str, torch.Tensor] = {}
    group, kernel_size = "C1", 0
    if equivariant:
        dihedral = False
        for name, tensor in content.items():
            if match := _BASIS.fullmatch(name):
                bases[match[1]] = tensor
                dihedral = dihedral or "irrep_0,0" in match[2]
        if "1a" not in bases:
            raise KeyError("the filter basis of conv1a")
        size = int(bases["1a"].shape[1])
        kernel_size = round(bases["1a"].shape[3] ** 0.5)
        group = f"D{size // 2}" if dihedral else f"C{size}"
        fields = tuple(
            int(content[f"bnorm{block}a.batch_norm_[{size}].weight"].shape[0])
            for block in (1, 2, 3, 4)
        )
    else:
        fields = tuple(int(content[f"conv{block}a.weight"].shape[0]) for block in (1, 2, 3, 4))
        kernel_size = int(content["conv1a.weight"].shape[2])
    means = torch.cat([tensor for name, tensor in content.items() if name.endswith("running_mean")])
    # after a rectifier no mean can be negative
    order = LayerOrder.CONV_NORM_RELU if bool((means < 0).any()) else LayerOrder.CONV_RELU_NORM
    n_classes = int(
        content[
            "classifier.weight" if "classifier.weight" in content else "classifiers.0.weight"
        ].shape[0]
    )
    spec = ModelSpec(
        architecture=Architecture.EQUIVARIANT_ATTENTION
        if equivariant
        else Architecture.ATTENTION_GATE_CNN,
        group=group,
        fields=fields,
        convolutions=_BLOCKS,
        kernel_size=kernel_size,
        gate_channels=int(content["attention1.psi.weight"].shape[1]),
        n_gates=n_gates,
        normalisation=_normalisation_from_name(path),
        aggregation=_aggregation(content, fields, n_gates, n_classes),
        layer_order=order,
        padding=Padding.NONE,
        convolution_bias="conv1a.bias" in content,
        disc=equivariant,
        n_classes=n_classes,
    )
    return spec, bases


def _aggregation(
    content: Mapping[str, torch.Tensor], fields: tuple[int, ...], n_gates: int, n_classes: int
) -> Aggregation:
    if "classifier.weight" not in content:
        if "classifier.bias" in content:
            raise KeyError("classifier.weight")
        return Aggregation.MEAN
    width = int(content["classifier.weight"].shape[1])
    if width == n_gates * n_classes:
        return Aggregation.FINE_TUNED
    if width != sum(fields[2::-1][:n_gates]):
        raise ValueError(f"a classifier of {width} inputs")
    heads = "classifiers.0.weight" in content
    return Aggregation.DEEP_SUPERVISION if heads else Aggregation.CONCATENATED


def _normalisation_from_name(path: str) -> Normalisation:
    """The weights do not tell it; published files carry it in their name."""
    stem = Path(path).name.lower()
    found = [member for member in Normalisation if member.value in stem]
    if len(found) == 1:
        return found[0]
    assume(
        f"model file {path} does not say how its gates are normalised; range_norm is assumed. Put one "
        f"of {', '.join(Normalisation)} into its name"
    )
    return Normalisation.RANGE_NORM


def _renamed(content: Mapping[str, torch.Tensor], spec: ModelSpec) -> dict[str, torch.Tensor]:
    """Weights under the names of :class:`AttentionNetwork`."""
    equivariant = spec.architecture is Architecture.EQUIVARIANT_ATTENTION
    norm_of = f"batch_norm_[{spec.symmetry.size}]." if equivariant else ""
    weights: dict[str, torch.Tensor] = {}
    fields_in = 1
    for name in _CONVOLUTIONS:
        block, layer = int(name[0]) - 1, "abc".index(name[1])
        prefix = f"blocks.{block}.{layer}"
        if equivariant:
            flat = content[f"conv{name}.weights"]
            fields_out = spec.fields[block]
            weights[f"{prefix}.convolution.weights"] = flat.reshape(fields_out, fields_in, -1)
            fields_in = fields_out
        else:
            weights[f"{prefix}.convolution.weight"] = content[f"conv{name}.weight"]
            if spec.convolution_bias:
                weights[f"{prefix}.convolution.bias"] = content[f"conv{name}.bias"]
        for entry in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            weights[f"{prefix}.norm.norm.{entry}"] = content[f"bnorm{name}.{norm_of}{entry}"]
    for gate in range(spec.n_gates):
        for entry in ("theta.weight", "phi.weight", "psi.weight", "psi.bias"):
            weights[f"gates.{gate}.{entry}"] = content[f"attention{gate + 1}.{entry}"]
    for name in content:
        if name.startswith("classifiers.") and spec.aggregation is not Aggregation.CONCATENATED:
            weights[f"gate_heads.{name.removeprefix('classifiers.')}"] = content[name]
        elif name.startswith("classifier.") and spec.aggregation is not Aggregation.MEAN:
            weights[f"head.{name.removeprefix('classifier.')}"] = content[name]
    return weights


def _put_bases(network: AttentionNetwork, bases: Mapping[str, torch.Tensor], path: str) -> None:
    """Use the bases that lie in the file: the weights belong to them."""
    for name, basis in bases.items():
        if name not in _CONVOLUTIONS:
            raise CheckpointError(f"model file {path} has a basis of the unknown layer conv{name}")
        layer = network.blocks[int(name[0]) - 1]["abc".index(name[1])]  # type: ignore[index]
        convolution = layer.convolution
        if not isinstance(convolution, SteerableConv2d) or (
            basis.shape != convolution.basis.flatten(3).shape
        ):
            raise CheckpointError(
                f"model file {path}: the basis of layer conv{name} has shape {tuple(basis.shape)}, "
                "which does not fit its group and kernel"
            )
        if not bool(torch.isfinite(basis).all()):
            raise CheckpointError(
                f"model file {path}: the basis of layer conv{name} has values that are not finite"
            )
        convolution.basis = basis.reshape(convolution.basis.shape)
