"""Safe, strict, versioned loading and saving of models."""

from __future__ import annotations

import hashlib
import pickle
import secrets
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from attnxai.errors import AttnxaiError, CheckpointError
from attnxai.models.model import AttentionModel, TrainingRecord
from attnxai.models.network import AttentionNetwork
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import ModelSpec

FORMAT = "attnxai-model"
VERSION = 1
_ENTRIES: dict[str, type | tuple[type, ...]] = {
    "specification": dict,
    "weights": dict,
    "preprocessing": dict,
    "class_names": (list, tuple),
}


def read_checkpoint_file(path: str | Path) -> tuple[Any, str]:
    """Read a ``.pt`` file without running anything in it.

    Returns
    -------
    content : object
        Tensors and plain values.
    sha256 : str
        Hash of the file.

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, no checkpoint, or asks for code.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"model file {path} does not exist")
    # a zip archive, or a pickle of protocol 2 or later: torch.save writes nothing else
    if not _starts_with(path, b"PK", b"\x80"):
        raise CheckpointError(f"model file {path} is no PyTorch checkpoint, or it is damaged")
    try:
        with warnings.catch_warnings():
            # torch warns about the old formats that published checkpoints come in
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error)
        if "Unsupported global" in reason or "Unsupported class" in reason or "GLOBAL" in reason:
            raise CheckpointError(
                f"model file {path} holds Python objects that would have to run code to be loaded "
                f"({_global_named_in(reason)}); it was not loaded. Ask its author for the weights "
                "alone: torch.save(network.state_dict(), file)"
            ) from error
        raise CheckpointError(
            f"model file {path} is no PyTorch checkpoint, or it is damaged"
        ) from error
    except Exception as error:  # torch raises many kinds for damaged files
        # the directory of a zip archive stands at its end
        truncated = _starts_with(path, b"PK") and not zipfile.is_zipfile(path)
        kind = "is truncated" if truncated else "is no PyTorch checkpoint, or it is damaged"
        raise CheckpointError(f"model file {path} {kind}") from error
    return content, file_sha256(path)


def _starts_with(path: Path, *beginnings: bytes) -> bool:
    with open(path, "rb") as file:
        return file.read(2).startswith(beginnings)


def _global_named_in(reason: str) -> str:
    for marker in ("Unsupported global: GLOBAL ", "GLOBAL "):
        if marker in reason:
            return reason.split(marker, maxsplit=1)[1].split(maxsplit=1)[0]
    return "unsupported objects"


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_model(path: str | Path) -> AttentionModel:
    """Load a model file of this package or a published checkpoint.

    A name that is no local file but one of the shipped models (such as ``d8.pt``) gives that model.

    Parameters
    ----------
    path : path
        A ``.pt`` file.

    Returns
    -------
    AttentionModel
        In evaluation mode, on the CPU.

    Raises
    ------
    CheckpointError
        Saying what the file lacks.

    Examples
    --------
    >>> from attnxai.models.checkpoints import load_model
    >>> load_model("d8.pt").spec.group
    'D8'
    """
    from attnxai.models.published import load_published, looks_published
    from attnxai.models.zoo import resolve_model

    file = resolve_model(path).path
    content, sha256 = read_checkpoint_file(file)
    if isinstance(content, Mapping) and content.get("format") == FORMAT:
        return _load_ours(content, Path(file), sha256)
    if looks_published(content):
        return load_published(content, path=str(file), sha256=sha256)
    raise CheckpointError(f"model file {file} {_what_it_is(content)}")


def _what_it_is(content: Any) -> str:
    if not isinstance(content, Mapping):
        return f"holds a {type(content).__name__}, not a model"
    keys = [str(key) for key in list(content)[:4]]
    return (
        "is neither a model of attnxai nor a published attention network: it holds "
        f"{len(content)} entries ({', '.join(keys)}, ...)"
        if keys
        else "is empty"
    )


def _load_ours(content: Mapping[str, Any], path: Path, sha256: str) -> AttentionModel:
    version = content.get("version")
    if not isinstance(version, int) or version != VERSION:
        raise CheckpointError(
            f"model file {path} has format version {version!r}; this attnxai reads version {VERSION}"
        )
    for name, kind in _ENTRIES.items():
        if name not in content:
            raise CheckpointError(f"model file {path} lacks its {name.replace('_', ' ')}")
        if not isinstance(content[name], kind):
            raise CheckpointError(
                f"model file {path}: its {name.replace('_', ' ')} is a "
                f"{type(content[name]).__name__}, which does not fit"
            )
    if not all(isinstance(name, str) for name in content["class_names"]):
        raise CheckpointError(f"model file {path}: its class names are not all text")
    stated = content.get("name")
    try:
        spec = ModelSpec.from_dict(content["specification"])
        preprocessing = Preprocessing.from_dict(content["preprocessing"])
        training = content.get("training")
        record = TrainingRecord.from_dict(training) if training is not None else None
        network = AttentionNetwork(spec)
        load_weights(network, content["weights"])
        return AttentionModel(
            name=stated if isinstance(stated, str) and stated else path.stem,
            spec=spec,
            network=network.eval(),
            preprocessing=preprocessing,
            class_names=tuple(content["class_names"]),
            training=record,
            path=str(path),
            sha256=sha256,
        )
    except AttnxaiError as error:
        raise CheckpointError(f"model file {path}: {error}") from error


def load_weights(network: AttentionNetwork, weights: Mapping[str, Any]) -> None:
    """Put weights into a network, naming every one that is missing, unknown or of another shape."""
    expected = network.state_dict()
    problems = [f"lacks {name}" for name in expected if name not in weights]
    problems += [f"has the unknown {name}" for name in weights if name not in expected]
    for name, tensor in expected.items():
        if name not in weights:
            continue
        given = weights[name]
        if not isinstance(given, torch.Tensor):
            problems.append(f"holds no tensor for {name}")
        elif (
            given.is_floating_point() != tensor.is_floating_point()
            or given.is_complex()
            or given.layout is not torch.strided
        ):
            problems.append(f"has {name} as {given.dtype} in {given.layout} layout")
        elif given.shape != tensor.shape:
            problems.append(
                f"has {name} of shape {tuple(given.shape)} instead of {tuple(tensor.shape)}"
            )
        elif given.is_floating_point() and not bool(torch.isfinite(given).all()):
            problems.append(f"has values in {name} that are not finite")
    if problems:
        more = f" and {len(problems) - 4} more faults" if len(problems) > 4 else ""
        raise CheckpointError(
            f"its weights do not fit its specification: it {', '.join(problems[:4])}{more}"
        )
    network.load_state_dict(dict(weights))


def save_model(model: AttentionModel, path: str | Path) -> str:
    """Write a model file, whole or not at all.

    Parameters
    ----------
    model : AttentionModel
        The model.
    path : path
        Where to write it.

    Returns
    -------
    str
        SHA-256 of the file.
    """
    content = {
        "format": FORMAT,
        "version": VERSION,
        "name": model.name,
        "specification": model.spec.to_dict(),
        "weights": {
            name: tensor.detach().cpu().contiguous()
            for name, tensor in model.network.state_dict().items()
        },
        "preprocessing": model.preprocessing.to_dict(),
        "class_names": list(model.class_names),
        "training": model.training.to_dict() if model.training is not None else None,
    }
    write_atomically(content, path)
    return file_sha256(path)


def write_atomically(content: Any, path: str | Path) -> None:
    """``torch.save`` that leaves either the old file or the whole new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # opened like any file, so that whoever may read its neighbours may read it
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(temporary, "xb") as file:
            torch.save(content, file)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
