"""What the state dicts of all published networks share: bases, discs, unused layers, faults."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

import torch

from attnxai.data.images import assume
from attnxai.data.short_repr import listed_names, shown_name
from attnxai.errors import AttnxaiError, CheckpointError
from attnxai.models.architectures import BuiltSpecification
from attnxai.models.model import AttentionModel
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.published.origin import PublishedFile
from attnxai.models.steerable import soft_disc
from attnxai.models.weights import network_with_weights, notes_on_precision

StateDict: TypeAlias = Mapping[str, torch.Tensor]

_CLASS_NAMES = ("FR I", "FR II")
_INDICES = re.compile(r"(bnorm\w+|gpool\d?)\.(in_|out_)?indices_\d+")
_BLUR = re.compile(r"pool\d\.filter")
_BASIS = re.compile(r"(\w+)\._basisexpansion\.block_expansion_\((.+)\)\.sampled_basis")


class Entries(dict[str, torch.Tensor]):
    """A state dict that remembers which of its entries were taken with ``[]``."""

    def __init__(self, content: StateDict) -> None:
        super().__init__(content)
        self.taken: set[str] = set()

    def __getitem__(self, name: str) -> torch.Tensor:
        tensor = super().__getitem__(name)
        self.taken.add(name)
        return tensor


def published_model(
    spec: BuiltSpecification,
    weights: StateDict,
    *,
    entries: Entries,
    bases: StateDict,
    preprocessing: Preprocessing,
    name: str,
    file: PublishedFile,
    notes: tuple[str, ...] = (),
    idle: frozenset[str] = frozenset(),
) -> AttentionModel:
    """The model of a published file: its network, and what is known of its training.

    ``weights`` and ``bases`` are under the names of our layers, ``entries`` what they were taken from; ``idle``
    names the layers that the published forward pass does not use either.
    """
    classes = tuple(f"class {i}" for i in range(spec.n_classes))
    split, on_training = file.training(n_classes=spec.n_classes, side=preprocessing.size)
    network = network_with_weights(spec, weights, bases=bases)
    return AttentionModel(
        name=f"published {name}",
        spec=spec,
        network=network,
        preprocessing=preprocessing,
        class_names=_CLASS_NAMES if len(classes) == len(_CLASS_NAMES) else classes,
        trained_on_split=split,
        path=file.path,
        sha256=file.sha256,
        notes=(on_training, *notes, *notes_on_precision(weights), *_unused(entries, idle, file)),
    )


def _unused(entries: Entries, idle: frozenset[str], file: PublishedFile) -> list[str]:
    """A note on layers of a file that are not in its network.

    A layer of which only a part fits would compute something else with the rest, so that it is refused.
    """
    used = {_layer(name) for name in entries.taken}
    left_out: list[str] = []
    for name, tensor in entries.items():
        layer = _layer(name)
        if name in entries.taken or not tensor.numel() or _is_derived(name, used):
            continue
        if layer in used:
            raise CheckpointError(
                f"its layer {shown_name(layer)} holds {shown_name(name)}, which the published network does "
                "not have"
            )
        if layer not in left_out:
            left_out.append(layer)
    if not left_out:
        return []
    listed = listed_names(left_out)
    if not idle.issuperset(left_out):
        assume(
            f"model file {file.path} holds layers that the published network of its form does not use "
            f"({listed}); they are left out"
        )
    return [f"Layers of the file that the network does not use: {listed}."]


def _layer(name: str) -> str:
    """The layer of an entry: its first word, of one head of several the first two."""
    first, _, rest = name.partition(".")
    return f"{first}.{rest.partition('.')[0]}" if first == "classifiers" else first


def _is_derived(name: str, used: set[str]) -> bool:
    """Whether e2cnn derives an entry from its layers: bases, expanded filters, indices of channels."""
    if any(pattern.fullmatch(name) for pattern in (_BASIS, _INDICES, _BLUR)):
        return True
    return name.endswith(".filter") and _layer(name) in used


@contextlib.contextmanager
def faults_of(path: str, kind: str) -> Iterator[None]:
    """Say every fault of a state dict, which looks like this ``kind``, in one sentence that names the file."""
    looks = f"model file {path} looks like {kind}, but"
    try:
        yield
    except KeyError as error:
        raise CheckpointError(f"{looks} lacks {error.args[0]}") from error
    except AttnxaiError as error:
        raise CheckpointError(f"model file {path}: {error}") from error
    except (IndexError, ValueError, RuntimeError, TypeError, ArithmeticError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{looks} its layers do not fit together: {reason}") from error


def bases_of(content: StateDict, layers: Mapping[str, str]) -> dict[str, torch.Tensor]:
    """Filter bases in a state dict of e2cnn, under the names of our ``layers``, given by those of theirs."""
    bases = {}
    for name, basis in content.items():
        if (match := _BASIS.fullmatch(name)) is None:
            continue
        if match[1] not in layers:
            raise CheckpointError(f"it holds a basis of the unknown layer {match[1]}")
        bases[layers[match[1]]] = _on_pixels(basis, match[1])
    return bases


def group_and_kernel(content: StateDict, lifting: str) -> tuple[str, int]:
    """Name of the group of a network and side of its kernels, from the basis of its first layer."""
    for name, flat in content.items():
        match = _BASIS.fullmatch(name)
        if match is None or match[1] != lifting:
            continue
        basis = _on_pixels(flat, lifting)
        size, kernel_size = int(basis.shape[1]), int(basis.shape[-1])
        if "irrep_0,0" in match[2]:
            return f"D{size // 2}", kernel_size
        return "D1" if size == 2 and _is_mirrored(basis) else f"C{size}", kernel_size
    raise KeyError(f"the filter basis of {lifting}")


def _on_pixels(basis: torch.Tensor, layer: str) -> torch.Tensor:
    """(n_basis, size_out, size_in, k * k) to (n_basis, size_out, size_in, k, k)."""
    k = math.isqrt(basis.shape[-1]) if basis.ndim == 4 else 0
    if k < 1 or basis.shape[-1] != k * k:
        raise CheckpointError(f"its basis of the layer {layer} has shape {tuple(basis.shape)}")
    return basis.reshape(*basis.shape[:3], k, k)


def _is_mirrored(basis: torch.Tensor) -> bool:
    """Whether the second filter of each pair is not a half turn of the first."""
    first, second = basis[:, :, 0].float().unbind(dim=1)
    return not torch.allclose(second, first.rot90(2, (1, 2)), atol=1e-4 + _rounding(basis))


def side_of_disc(content: StateDict, *, margin: float) -> int | None:
    """Side of the disc that a file holds, after a look at whether it is the published one."""
    if "mask.mask" not in content:
        return None
    disc = content["mask.mask"]
    side = int(disc.shape[-1]) if disc.ndim == 4 else 0
    if disc.shape == (1, 1, side, side) and disc.is_floating_point():
        expected = soft_disc(side, side, margin=margin)
        if torch.allclose(disc[0, 0].to(expected.dtype), expected, atol=1e-5 + _rounding(disc)):
            return side
    raise CheckpointError("its disc (mask.mask) is not the published one")


def _rounding(values: torch.Tensor) -> float:
    """By how much numbers up to 1 were rounded: in half precision more than networks differ by."""
    return float(torch.finfo(values.dtype).eps)
