"""Safe, strict, versioned loading and saving of models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from attnxai.data.short_repr import short_value
from attnxai.errors import AttnxaiError, CheckpointError
from attnxai.models.architectures import bases_to_keep, specification_from_dict
from attnxai.models.file_kinds import candidates, describe_entries, has_format
from attnxai.models.model import AttentionModel, TrainingRecord
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.torch_files import file_sha256, read_checkpoint_file, write_atomically
from attnxai.models.weights import network_with_weights

FORMAT = "attnxai-model"
# 2 holds bases, without which its weights are another network; all else is version 1
VERSIONS = (1, 2)
_ENTRIES: dict[str, type | tuple[type, ...]] = {
    "specification": dict,
    "weights": dict,
    "preprocessing": dict,
    "class_names": (list, tuple),
}


def load_model(path: str | Path) -> AttentionModel:
    """Load a model file of this package or a published checkpoint.

    A checkpoint of a training that holds one under ``state_dict``, ``model_state_dict`` or the like is
    unwrapped, and a prefix that all its names share is left out. A name that is no local file but one of the shipped models (such as ``d8.pt``) gives that model.

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
    for candidate in candidates(content):
        if has_format(candidate, FORMAT):
            return _load_ours(candidate, Path(file), sha256)
        if looks_published(candidate):
            return load_published(candidate, path=str(file), sha256=sha256)
    raise CheckpointError(f"model file {file} {describe_entries(content)}")


def _load_ours(content: Mapping[str, Any], path: Path, sha256: str) -> AttentionModel:
    version = content.get("version")
    if type(version) is not int or version not in VERSIONS:
        raise CheckpointError(
            f"model file {path} has format version {short_value(version)}; this attnxai reads versions "
            f"{' and '.join(map(str, VERSIONS))}"
        )
    for name, kind in _ENTRIES.items():
        if name not in content:
            raise CheckpointError(f"model file {path} lacks its {name.replace('_', ' ')}")
        if not isinstance(content[name], kind):
            raise CheckpointError(
                f"model file {path}: its {name.replace('_', ' ')} is a "
                f"{type(content[name]).__name__}, which does not fit"
            )
    stated = content.get("name")
    split = content.get("trained_on_split")
    try:
        spec = specification_from_dict(content["specification"])
        preprocessing = Preprocessing.from_dict(content["preprocessing"])
        training = content.get("training")
        record = TrainingRecord.from_dict(training) if training is not None else None
        network = network_with_weights(spec, content["weights"], bases=_bases(content))
        return AttentionModel(
            name=stated if isinstance(stated, str) and stated else path.stem,
            spec=spec,
            network=network,
            preprocessing=preprocessing,
            class_names=_texts(content, "class_names"),
            training=record,
            trained_on_split=split if isinstance(split, str) else None,
            path=str(path),
            sha256=sha256,
            notes=_texts(content, "notes"),
            temperature=_temperature(content),
        )
    except AttnxaiError as error:
        raise CheckpointError(f"model file {path}: {error}") from error


def _temperature(content: Mapping[str, Any]) -> float:
    stated = content.get("temperature", 1.0)
    if isinstance(stated, bool) or not isinstance(stated, int | float):
        raise CheckpointError(f"its temperature should be a number, got {short_value(stated)}")
    return float(stated)


def _texts(content: Mapping[str, Any], entry: str) -> tuple[str, ...]:
    values = content.get(entry, ())
    if not isinstance(values, list | tuple) or not all(isinstance(v, str) for v in values):
        raise CheckpointError(f"its {entry.replace('_', ' ')} are not all text")
    return tuple(values)


def _bases(content: Mapping[str, Any]) -> Mapping[str, torch.Tensor]:
    bases = content.get("bases", {})
    if not isinstance(bases, dict) or not all(
        isinstance(name, str) and isinstance(basis, torch.Tensor) for name, basis in bases.items()
    ):
        raise CheckpointError("its bases are not all tensors under the name of a layer")
    return bases


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
    bases = bases_to_keep(model.network)
    content = {
        "format": FORMAT,
        "version": 2 if bases else 1,
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
    # what is optional and as usual is not written, so that earlier versions can read the file
    optional: dict[str, tuple[Any, Any]] = {
        "bases": (bases, {}),
        "temperature": (model.temperature, 1.0),
        "trained_on_split": (model.trained_on_split, None),
        "notes": (list(model.notes), []),
    }
    content |= {name: value for name, (value, usual) in optional.items() if value != usual}
    write_atomically(content, path)
    return file_sha256(path)
