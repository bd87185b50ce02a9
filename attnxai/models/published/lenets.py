"""State dicts of Scaife & Porter 2021 (arXiv 2102.08252): ordinary and steerable LeNets.

They come in two forms. Scaife & Porter cut out 50 pixels, add an empty row and column at the end and
pad convolutions by 1; Bowles et al. 2021 (arXiv 2111.04742) trained them again on 150 pixels with
convolutions that keep the size. The width of the first linear layer tells the form. The ordinary
network multiplies its input by a disc; the steerable ones carry one that their forward pass leaves out.
"""

from __future__ import annotations

import dataclasses

import torch

from attnxai.models.lenet import LeNetSpec
from attnxai.models.model import AttentionModel
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.published.inputs import standardised_inputs
from attnxai.models.published.origin import PublishedFile
from attnxai.models.published.state_dicts import (
    Entries,
    StateDict,
    bases_of,
    group_and_kernel,
    published_model,
    side_of_disc,
)
from attnxai.models.specification import Architecture

_CONVOLUTIONS = {"conv1": "convolutions.0", "conv2": "convolutions.1"}
_LINEARS = {"fc1": "linears.0", "fc2": "linears.1", "fc3": "linears.2"}


def looks_like_lenet(content: StateDict) -> bool:
    """Whether a state dict has the layers of these networks and no third convolution."""
    return (
        ("conv1.weight" in content or "conv1.weights" in content)
        and ("conv2.weight" in content or "conv2.weights" in content)
        and {f"{layer}.weight" for layer in _LINEARS} <= set(content)
        and not any(name.startswith(("conv3", "layer", "bn")) for name in content)
    )


def load_lenet(content: StateDict, file: PublishedFile) -> AttentionModel:
    """Rebuild a LeNet of Scaife & Porter (2021); see :func:`attnxai.models.published.load_published`."""
    preprocessing, note = standardised_inputs(file)
    spec = _specification(content, preprocessing)
    steerable = spec.architecture is Architecture.STEERABLE_LENET
    entries = Entries(content)
    return published_model(
        spec,
        _renamed(entries, spec),
        entries=entries,
        bases=bases_of(content, _CONVOLUTIONS),
        preprocessing=dataclasses.replace(preprocessing, size=spec.side),
        name=f"{spec.group} LeNet" if steerable else "LeNet",
        file=file,
        notes=(note,),
        idle=frozenset({"mask"}) if steerable else frozenset(),
    )


def _specification(content: StateDict, preprocessing: Preprocessing) -> LeNetSpec:
    steerable = "conv1.weights" in content
    if steerable != ("conv2.weights" in content):
        raise ValueError("one convolution is steerable and the other is not")
    group = "C1"
    if steerable:
        group, kernel_size = group_and_kernel(content, "conv1")
        bases = bases_of(content, _CONVOLUTIONS)
        lifting, regular = (bases.get(ours) for ours in _CONVOLUTIONS.values())
        if lifting is None or regular is None:
            raise KeyError("the filter basis of conv2")
        first = content["conv1.weights"].numel() // len(lifting)
        fields = (first, content["conv2.weights"].numel() // (first * len(regular)))
    else:
        fields = (int(content["conv1.weight"].shape[0]), int(content["conv2.weight"].shape[0]))
        kernel_size = int(content["conv1.weight"].shape[-1])
    width = int(content["fc1.weight"].shape[1])
    for side, trailing, padding in ((50, 1, 1), (150, 0, kernel_size // 2)):
        spec = LeNetSpec(
            architecture=Architecture.STEERABLE_LENET if steerable else Architecture.LENET,
            group=group,
            side=side,
            trailing_pixels=trailing,
            empty_value=-preprocessing.mean / preprocessing.deviation if trailing else 0.0,
            fields=fields,
            kernel_size=kernel_size,
            convolution_padding=padding,
            hidden=(int(content["fc1.weight"].shape[0]), int(content["fc2.weight"].shape[0])),
            disc=not steerable,
            n_classes=int(content["fc3.weight"].shape[0]),
        )
        inner = side_of_disc(content, margin=1.0)
        if width == fields[1] * spec.flattened_side**2 and inner in (None, side + trailing):
            return spec
    raise ValueError(
        f"the first linear layer takes {width} values, which neither the published images of 50 pixels "
        "nor those of 150 give"
    )


def _renamed(content: StateDict, spec: LeNetSpec) -> dict[str, torch.Tensor]:
    """Weights under the names of :class:`~attnxai.models.lenet.LeNet`."""
    weights = {
        f"{ours}.{entry}": content[f"{theirs}.{entry}"]
        for theirs, ours in _LINEARS.items()
        for entry in ("weight", "bias")
    }
    fields_in = 1
    for (theirs, ours), fields_out in zip(_CONVOLUTIONS.items(), spec.fields, strict=True):
        if spec.architecture is Architecture.STEERABLE_LENET:
            flat = content[f"{theirs}.weights"]
            weights[f"{ours}.weights"] = flat.reshape(fields_out, fields_in, -1)
        else:
            for entry in ("weight", "bias"):
                weights[f"{ours}.{entry}"] = content[f"{theirs}.{entry}"]
        fields_in = fields_out
    return weights
