"""State dicts of Bowles et al. 2021: attention-gated CNNs and equivariant attention networks."""

from __future__ import annotations

import dataclasses
import itertools

import torch

from attnxai.data.images import assume
from attnxai.errors import CheckpointError
from attnxai.models.model import AttentionModel
from attnxai.models.network import FLATTENED_SIDE
from attnxai.models.published.inputs import inputs_of_cnn, order_of_layers, standardised_inputs
from attnxai.models.published.origin import PublishedFile
from attnxai.models.published.state_dicts import (
    Entries,
    StateDict,
    bases_of,
    group_and_kernel,
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
# in every published file, and used by no published forward pass
_IDLE = frozenset({"fc1", "fc2", "fc3"})
PUBLISHED = (
    Normalisation.SIGMOID,
    Normalisation.RANGE_NORM,
    Normalisation.STD_MEAN_NORM,
    Normalisation.TANH,
    Normalisation.SOFTMAX,
)
"""Normalisations of gates that published files have."""
_NORM_ENTRIES = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def looks_like_attention(content: StateDict) -> bool:
    """Whether a state dict has the first layer of these networks."""
    return "conv1a.weight" in content or "conv1a.weights" in content


def load_attention(content: StateDict, file: PublishedFile) -> AttentionModel:
    """Rebuild a network of Bowles et al. (2021); see :func:`attnxai.models.published.load_published`."""
    equivariant = "conv1a.weights" in content
    spec = _specification(content, file, equivariant=equivariant)
    layers = {theirs: f"{ours}.convolution" for theirs, ours in _LAYERS.items()}
    form = spec.group if equivariant else "CNN"
    entries = Entries(content)
    if equivariant:
        preprocessing, note = standardised_inputs(file)
        side = side_of_disc(entries, margin=0.0) or preprocessing.size
        preprocessing = dataclasses.replace(preprocessing, size=side)
    else:
        preprocessing, note = inputs_of_cnn(content, file, spec.layer_order)
    return published_model(
        spec,
        _renamed(entries, spec),
        entries=entries,
        bases=bases_of(content, layers),
        preprocessing=preprocessing,
        name=f"{form} {spec.normalisation if spec.n_gates else 'without gates'}",
        file=file,
        notes=(note,),
        idle=_IDLE,
    )


def _specification(content: StateDict, file: PublishedFile, *, equivariant: bool) -> ModelSpec:
    if equivariant:
        group, kernel_size = group_and_kernel(content, "conv1a")
    else:
        group, kernel_size = "C1", int(content["conv1a.weight"].shape[2])
    norm = _norm_prefix(group, equivariant=equivariant)
    fields = tuple(int(content[f"bnorm{block}a.{norm}weight"].shape[0]) for block in (1, 2, 3, 4))
    head = "classifier.weight" if "classifier.weight" in content else "classifiers.0.weight"
    n_classes = int(content[head].shape[0])
    # the branch without gates takes 150 pixels, and in the equivariant network it does not run
    flattened = None if equivariant else fields[3] * FLATTENED_SIDE**2
    n_gates, aggregation = _gates_and_aggregation(content, fields, n_classes, flattened)
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
        normalisation=_normalisation(file) if n_gates else Normalisation.RANGE_NORM,
        aggregation=aggregation,
        layer_order=order_of_layers(content, file, usual=_usual_order(equivariant, kernel_size)),
        padding=Padding.NONE,
        convolution_bias="conv1a.bias" in content,
        disc=equivariant,
        n_classes=n_classes,
        # the CNN drops features only where it has all its gates
        dropout=0.5 if equivariant or n_gates == len(_GATES) else 0.0,
    )


def _norm_prefix(group: str, *, equivariant: bool) -> str:
    return f"batch_norm_[{SymmetryGroup.from_name(group).size}]." if equivariant else ""


def _usual_order(equivariant: bool, kernel_size: int) -> LayerOrder:
    ordinary = not equivariant and kernel_size == 3
    return LayerOrder.CONV_NORM_RELU if ordinary else LayerOrder.CONV_RELU_NORM


def _gates_and_aggregation(
    content: StateDict, fields: tuple[int, ...], n_classes: int, flattened: int | None
) -> tuple[int, Aggregation]:
    """How many gates the heads of a network take, of those that the file holds, and how they take them."""
    present = [gate for gate in _GATES if any(name.startswith(f"{gate}.") for name in content)]
    held = _GATES.index(present[-1]) + 1 if present else 0
    if not held and flattened is None:
        raise CheckpointError(
            "it is an equivariant network without attention gates, of which no published form runs"
        )
    n_heads = len({name.split(".")[1] for name in content if name.startswith("classifiers.")})
    if "classifier.weight" not in content:
        if "classifier.bias" in content or not held:
            raise KeyError("classifier.weight")
        return min(held, n_heads) or held, Aggregation.MEAN
    width = int(content["classifier.weight"].shape[1])
    for n_gates in range(held, 0, -1):
        if n_heads and width == n_gates * n_classes:
            return n_gates, Aggregation.FINE_TUNED
        if width == sum(fields[2::-1][:n_gates]):
            return n_gates, Aggregation.DEEP_SUPERVISION if n_heads else Aggregation.CONCATENATED
    if width == flattened:
        return 0, Aggregation.CONCATENATED
    expected = "" if held else f", not {flattened} as for 150 pixels"
    raise ValueError(f"a classifier of {width} inputs{expected}")


def _normalisation(file: PublishedFile) -> Normalisation:
    """The weights do not tell it; published files carry it in their name or that of their folder."""
    for text in file.texts:
        found = [member for member in PUBLISHED if member.value in text]
        if len(found) == 1:
            return found[0]
    assume(
        f"model file {file.path} does not say how its gates are normalised; range_norm is assumed. Put one "
        f"of {', '.join(PUBLISHED)} into its name"
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
    if spec.n_gates and spec.aggregation is not Aggregation.CONCATENATED:
        for index, entry in itertools.product(range(spec.n_gates), ("weight", "bias")):
            weights[f"gate_heads.{index}.{entry}"] = content[f"classifiers.{index}.{entry}"]
    if spec.aggregation is not Aggregation.MEAN:
        weights |= {f"head.{entry}": content[f"classifier.{entry}"] for entry in ("weight", "bias")}
    return weights
