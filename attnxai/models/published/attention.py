"""State dicts of Bowles et al. 2021: attention-gated CNNs and equivariant attention networks."""

from __future__ import annotations

import dataclasses

import torch

from attnxai.data.images import assume
from attnxai.errors import CheckpointError
from attnxai.models.model import AttentionModel
from attnxai.models.network import FLATTENED_SIDE
from attnxai.models.preprocessing import FIRST_PREPROCESSING, SYMMETRIC_RANGE, Preprocessing
from attnxai.models.published.state_dicts import (
    StateDict,
    bases_of,
    group_and_kernel,
    names_of,
    published_model,
    side_of_disc,
)
from attnxai.models.specification import (
    Aggregation,
    Architecture,
    LayerOrder,
    ModelSpec,
    Normalisation,
    Padding,
    SymmetryGroup,
)

_BLOCKS = (3, 3, 3, 2)
_LAYERS = {
    f"conv{block + 1}{letter}": f"blocks.{block}.{index}"
    for block, n_layers in enumerate(_BLOCKS)
    for index, letter in enumerate("abc"[:n_layers])
}
_GATES = ("attention1", "attention2", "attention3")
_PUBLISHED = [member for member in Normalisation if member is not Normalisation.EMISSION]
_NORM_ENTRIES = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def looks_like_attention(content: StateDict) -> bool:
    """Whether a state dict has the first layer of these networks."""
    return "conv1a.weight" in content or "conv1a.weights" in content


def load_attention(content: StateDict, *, path: str, sha256: str) -> AttentionModel:
    """Rebuild a network of Bowles et al. (2021); see :func:`attnxai.models.published.load_published`."""
    equivariant = "conv1a.weights" in content
    spec = _specification(content, path, equivariant=equivariant)
    layers = {theirs: f"{ours}.convolution" for theirs, ours in _LAYERS.items()}
    form = spec.group if equivariant else "CNN"
    return published_model(
        spec,
        _renamed(content, spec),
        bases=bases_of(content, layers),
        preprocessing=_preprocessing(content, spec),
        name=f"{form} {spec.normalisation if spec.n_gates else 'without gates'}",
        path=path,
        sha256=sha256,
    )


def _preprocessing(content: StateDict, spec: ModelSpec) -> Preprocessing:
    if spec.architecture is Architecture.EQUIVARIANT_ATTENTION:
        side = side_of_disc(content, margin=0.0) or FIRST_PREPROCESSING.size
        return dataclasses.replace(FIRST_PREPROCESSING, size=side)
    # larger kernels came with the equivariant networks, and were trained as these were
    return SYMMETRIC_RANGE if spec.kernel_size == 3 else FIRST_PREPROCESSING


def _specification(content: StateDict, path: str, *, equivariant: bool) -> ModelSpec:
    n_gates = _count_gates(content)
    if equivariant and n_gates == 0:
        raise CheckpointError(
            "it is an equivariant network without attention gates, of which no published form runs"
        )
    if equivariant:
        group, kernel_size = group_and_kernel(content, "conv1a")
    else:
        group, kernel_size = "C1", int(content["conv1a.weight"].shape[2])
    norm = _norm_prefix(group, equivariant=equivariant)
    fields = tuple(int(content[f"bnorm{block}a.{norm}weight"].shape[0]) for block in (1, 2, 3, 4))
    means = torch.cat([tensor for name, tensor in content.items() if name.endswith("running_mean")])
    head = "classifier.weight" if "classifier.weight" in content else "classifiers.0.weight"
    n_classes = int(content[head].shape[0])
    return ModelSpec(
        architecture=Architecture.EQUIVARIANT_ATTENTION
        if equivariant
        else Architecture.ATTENTION_GATE_CNN,
        group=group,
        fields=fields,
        convolutions=_BLOCKS,
        kernel_size=kernel_size,
        gate_channels=int(content["attention1.psi.weight"].shape[1]) if n_gates else 64,
        n_gates=n_gates,
        normalisation=_normalisation(path) if n_gates else Normalisation.RANGE_NORM,
        aggregation=_aggregation(content, fields, n_gates, n_classes),
        # after a rectifier no mean can be negative
        layer_order=LayerOrder.CONV_NORM_RELU
        if bool((means < 0).any())
        else LayerOrder.CONV_RELU_NORM,
        padding=Padding.NONE,
        convolution_bias="conv1a.bias" in content,
        disc=equivariant,
        n_classes=n_classes,
        # the CNN drops features only where it has all its gates
        dropout=0.5 if equivariant or n_gates == len(_GATES) else 0.0,
    )


def _norm_prefix(group: str, *, equivariant: bool) -> str:
    return f"batch_norm_[{SymmetryGroup.from_name(group).size}]." if equivariant else ""


def _count_gates(content: StateDict) -> int:
    present = [
        index
        for index, gate in enumerate(_GATES, start=1)
        if any(name.startswith(f"{gate}.") for name in content)
    ]
    return max(present, default=0)


def _aggregation(
    content: StateDict, fields: tuple[int, ...], n_gates: int, n_classes: int
) -> Aggregation:
    if n_gates == 0:
        width, expected = int(content["classifier.weight"].shape[1]), fields[3] * FLATTENED_SIDE**2
        if width != expected:
            raise ValueError(f"a classifier of {width} inputs, not {expected} as for 150 pixels")
        return Aggregation.CONCATENATED
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


def _normalisation(path: str) -> Normalisation:
    """The weights do not tell it; published files carry it in their name or that of their folder."""
    for name in names_of(path):
        found = [member for member in _PUBLISHED if member.value in name]
        if len(found) == 1:
            return found[0]
    assume(
        f"model file {path} does not say how its gates are normalised; range_norm is assumed. Put one "
        f"of {', '.join(_PUBLISHED)} into its name"
    )
    return Normalisation.RANGE_NORM


def _renamed(content: StateDict, spec: ModelSpec) -> dict[str, torch.Tensor]:
    """Weights under the names of :class:`~attnxai.models.network.AttentionNetwork`."""
    equivariant = spec.architecture is Architecture.EQUIVARIANT_ATTENTION
    norm = _norm_prefix(spec.group, equivariant=equivariant)
    weights: dict[str, torch.Tensor] = {}
    fields_in = 1
    for theirs, ours in _LAYERS.items():
        if equivariant:
            flat = content[f"{theirs}.weights"]
            fields_out = spec.fields[int(theirs[4]) - 1]
            weights[f"{ours}.convolution.weights"] = flat.reshape(fields_out, fields_in, -1)
            fields_in = fields_out
        else:
            weights[f"{ours}.convolution.weight"] = content[f"{theirs}.weight"]
            if spec.convolution_bias:
                weights[f"{ours}.convolution.bias"] = content[f"{theirs}.bias"]
        for entry in _NORM_ENTRIES:
            theirs_norm = f"bnorm{theirs.removeprefix('conv')}.{norm}{entry}"
            if theirs_norm in content or entry != "num_batches_tracked":
                weights[f"{ours}.norm.norm.{entry}"] = content[theirs_norm]
    for index, gate in enumerate(_GATES[: spec.n_gates]):
        for entry in ("theta.weight", "phi.weight", "psi.weight", "psi.bias"):
            weights[f"gates.{index}.{entry}"] = content[f"{gate}.{entry}"]
    for name in content:
        if name.startswith("classifiers.") and spec.aggregation is not Aggregation.CONCATENATED:
            weights[f"gate_heads.{name.removeprefix('classifiers.')}"] = content[name]
        elif name.startswith("classifier.") and spec.aggregation is not Aggregation.MEAN:
            weights[f"head.{name.removeprefix('classifier.')}"] = content[name]
    return weights
