"""What the state dicts of all published networks share: bases, discs, names of files, faults."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import torch

from attnxai.errors import AttnxaiError, CheckpointError
from attnxai.models.architectures import Specification
from attnxai.models.model import AttentionModel
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.steerable import soft_disc
from attnxai.models.weights import network_with_weights

StateDict: TypeAlias = Mapping[str, torch.Tensor]

_CLASS_NAMES = ("FR I", "FR II")
_SPLIT_NOTE = (
    "The model's file does not say what it was trained on; for images of MiraBest the training part of "
    "the published split is assumed, as in the paper."
)
_BASIS = re.compile(r"(\w+)\._basisexpansion\.block_expansion_\((.+)\)\.sampled_basis")


def published_model(
    spec: Specification,
    weights: StateDict,
    *,
    bases: StateDict,
    preprocessing: Preprocessing,
    name: str,
    path: str,
    sha256: str,
    unlike_paper: str = "",
) -> AttentionModel:
    """The model of a published file: its network, and what is known of its training.

    ``weights`` and ``bases`` are under the names of our layers; ``unlike_paper`` is a note on a model that
    was not trained on MiraBest, so that no split is assumed.
    """
    classes = tuple(f"class {i}" for i in range(spec.n_classes))
    return AttentionModel(
        name=f"published {name}",
        spec=spec,
        network=network_with_weights(spec, weights, bases=bases),
        preprocessing=preprocessing,
        class_names=_CLASS_NAMES if len(classes) == len(_CLASS_NAMES) else classes,
        trained_on_split=None if unlike_paper else "train",
        path=path,
        sha256=sha256,
        notes=(unlike_paper or _SPLIT_NOTE,),
    )


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
    disc = content.get("mask.mask")
    if disc is None:
        return None
    side = int(disc.shape[-1]) if disc.ndim == 4 else 0
    if disc.shape == (1, 1, side, side) and disc.is_floating_point():
        expected = soft_disc(side, side, margin=margin)
        if torch.allclose(disc[0, 0].to(expected.dtype), expected, atol=1e-5 + _rounding(disc)):
            return side
    raise CheckpointError("its disc (mask.mask) is not the published one")


def _rounding(values: torch.Tensor) -> float:
    """By how much numbers up to 1 were rounded: in half precision more than networks differ by."""
    return float(torch.finfo(values.dtype).eps)


def names_of(path: str) -> tuple[str, str]:
    """The name of a file and that of its folder, in small letters: both may describe a model."""
    place = Path(path).absolute()
    return place.name.lower(), place.parent.name.lower()
