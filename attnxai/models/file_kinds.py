"""What a file is that holds no model of this package: told by its first bytes or by its entries."""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from attnxai.data.foreign_content import UNKNOWN_KIND, describe_content
from attnxai.data.short_repr import shown_name

# torch.save before its zip format: a number, pickled, stands at the beginning.
LEGACY_TORCH = bytes.fromhex("6cfc9c46f9206aa85019")
_ONNX_SECOND_FIELDS = b"\x12\x1a\x22\x28\x32\x3a\x42"
_READ = "attnxai reads its own files and those that torch.save(network.state_dict(), file) writes"
_WRAPPERS = ("state_dict", "model_state_dict", "model", "network", "net", "weights")
# "model.module." is two of them
_MOST_PREFIXES = 4
_FAMILIES: tuple[tuple[str, frozenset[str]], ...] = tuple(
    (name, frozenset(keys.split()))
    for name, keys in (
        ("a ResNet", "conv1.weight layer1.0.conv1.weight fc.weight"),
        ("a DenseNet", "features.conv0.weight features.denseblock1.denselayer1.conv1.weight"),
        ("an EfficientNet", "features.0.0.weight features.1.0.block.0.0.weight"),
        ("an EfficientNet", "conv_stem.weight conv_head.weight"),
        ("a VGG network", "features.0.weight classifier.0.weight classifier.6.weight"),
        ("a vision transformer (ViT)", "class_token conv_proj.weight"),
        ("a vision transformer (ViT)", "cls_token patch_embed.proj.weight"),
        ("a vision transformer (ViT)", "vit.embeddings.cls_token"),
        (
            "the LeNet of arXiv 2102.08252 that is steerable in its first layer alone",
            "conv1.weights conv2.weight fc1.weight",
        ),
        ("a network of arXiv 1903.11921", "conv5.weight bnorm5.weight fc3.weight"),
    )
)


def foreign_file(path: Path) -> str | None:
    """What a file is whose first bytes say that PyTorch did not write it, with what to do about it.

    None when it may be a checkpoint or nothing is known of it.
    """
    with open(path, "rb") as file:
        start = file.read(512)
    kind = _kind_by_first_bytes(start, path)
    if not start:
        return f"empty; {_READ}"
    return f"{kind}, not a PyTorch checkpoint; {_READ}" if kind is not None else None


def _kind_by_first_bytes(start: bytes, path: Path) -> str | None:
    if start[257:262] == b"ustar":
        return "a tar archive"
    if _is_safetensors(start, path.stat().st_size):
        return "a safetensors file"
    if start[:1] == b"\x08" and start[2:3] in _each(_ONNX_SECOND_FIELDS):
        return "an ONNX model"
    if start[:1] == b"\x80" and start[1:2] in _each(b"\x02\x03\x04\x05"):
        return None if LEGACY_TORCH in start[:64] else "a plain Python pickle"
    if start.startswith(b"PK"):
        return _foreign_archive(path)
    kind = describe_content(start)
    return (
        None
        if kind == UNKNOWN_KIND
        else kind.replace("an HDF5 file", "an HDF5 file, as Keras writes them")
    )


def _each(values: bytes) -> tuple[bytes, ...]:
    return tuple(bytes([value]) for value in values)


def _is_safetensors(start: bytes, size: int) -> bool:
    """Eight bytes give the length of a JSON header, which follows."""
    header = int.from_bytes(start[:8], "little")
    return len(start) > 9 and start[8:9] == b"{" and 2 <= header <= size - 8


def _foreign_archive(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # noqa: BLE001 -- a damaged archive can raise anything, and is refused later
        return None
    inner = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inner and any(name.startswith("code/") for name in inner):
        return "a TorchScript archive"
    if names and all(name.endswith(".npy") for name in names):
        return "an archive of NumPy arrays (NPZ)"
    if "model.weights.h5" in names:
        return "a Keras model"
    return None


def has_format(content: Any, name: str) -> bool:
    """Whether content is a dictionary that names this format."""
    stated = content.get("format") if isinstance(content, Mapping) else None
    return isinstance(stated, str) and stated == name


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What in a checkpoint may be a model: a state dict, or its entries whose names begin with a prefix, without it."""

    content: Any
    state: Any
    prefix: str = ""

    def left_out(self) -> dict[str, Any]:
        """Entries of the state dict that do not begin with the prefix."""
        return {
            str(name): value
            for name, value in self.state.items()
            if not str(name).startswith(self.prefix)
        }


def candidates(content: Any) -> Iterator[Candidate]:
    """Where in the content of a checkpoint a model may be: itself, or what training wrapped it in.

    Entries whose names begin with the same word, such as ``module.`` or ``model.``, are also given without it.
    """
    yield Candidate(content=content, state=content)
    if not isinstance(content, Mapping):
        return
    inner = [content[name] for name in _WRAPPERS if isinstance(content.get(name), Mapping)]
    for state in inner:
        yield Candidate(content=state, state=state)
    for state in (content, *inner):
        yield from _without_prefix(Candidate(content=state, state=state), _MOST_PREFIXES)


def _without_prefix(candidate: Candidate, most: int) -> Iterator[Candidate]:
    parts: dict[str, dict[str, Any]] = {}
    for name, value in candidate.content.items():
        first, dot, rest = name.partition(".") if isinstance(name, str) else ("", "", "")
        if dot and rest:
            parts.setdefault(f"{first}.", {})[rest] = value
    for first, part in parts.items():
        inner = dataclasses.replace(candidate, content=part, prefix=candidate.prefix + first)
        yield inner
        if most > 1:
            yield from _without_prefix(inner, most - 1)


def describe_entries(content: Any) -> str:
    """What the content of a checkpoint is, as the end of a sentence that begins with the file."""
    if not isinstance(content, Mapping):
        return f"holds a {type(content).__name__}, not a model"
    if not content:
        return "is empty"
    if has_format(content, "attnxai-training"):
        return (
            "is the record of a training run: the model is the file that attnxai train --output names, and "
            "the same command finishes a run that was interrupted"
        )
    if set(content) == {"state", "param_groups"}:
        return "is the state of an optimiser, not a model; save that of the network"
    for name in _WRAPPERS:
        if isinstance(content.get(name), Mapping):
            return f"is a training checkpoint whose {name!r} {_describe_state(content[name])}"
    return _describe_state(content)


def _describe_state(state: Mapping[Any, Any]) -> str:
    if not state:
        return "is empty"
    for candidate in candidates(state):
        names = {name for name in candidate.content if isinstance(name, str)}
        for family, keys in _FAMILIES:
            if keys <= names:
                return (
                    f"holds the weights of {family}, without the code that they belong to; load them in Python "
                    "and wrap the network with attnxai.wrap, for the command line in a file that --plugin names"
                )
        if any(name.startswith(("blocks.0.0.convolution.", "convolutions.0.")) for name in names):
            return (
                "holds the weights of a network of attnxai without its specification; write it with "
                "attnxai.save_model"
            )
    first = ", ".join(map(shown_name, list(state)[:4]))
    tensors = sum(isinstance(value, torch.Tensor) for value in state.values())
    return (
        "is neither a model of attnxai nor a published attention network or LeNet: it holds "
        f"{len(state)} entries, {tensors} of them tensors ({first}, ...); weights of a network of your own are loaded "
        "in Python and wrapped with attnxai.wrap, for the command line in a file that --plugin names"
    )
