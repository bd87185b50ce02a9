"""Safe, strict, versioned loading and saving of models."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from attnxai.data.mirabest import BEAM_ARCSEC, is_mirabest_source
from attnxai.data.plain_values import checked_fields
from attnxai.data.short_repr import listed_names, short_value, shown_name
from attnxai.errors import AttnxaiError, CheckpointError
from attnxai.models.architectures import bases_to_keep, specification_from_dict
from attnxai.models.file_kinds import Candidate, candidates, describe_entries, has_format
from attnxai.models.model import AttentionModel, TrainingRecord
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.torch_files import file_sha256, read_checkpoint_file, write_atomically
from attnxai.models.weights import network_with_weights, notes_on_precision
from attnxai.models.wrapped_network import WrappedSpec

FORMAT = "attnxai-model"
# 2 holds bases, without which its weights are another network; all else is version 1
VERSIONS = (1, 2)
# of torch.optim.swa_utils.AveragedModel
_AVERAGED = "n_averaged"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Entries:
    """What a model file holds; what has a default may be missing."""

    specification: Mapping[str, Any]
    weights: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    class_names: tuple[str, ...]
    training: Any = None
    name: Any = None
    trained_on_split: str | None = None
    notes: tuple[str, ...] = ()
    temperature: float = 1.0
    bases: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def load_model(path: str | Path) -> AttentionModel:
    """Load a model file of this package or a published checkpoint.

    A checkpoint of a training that holds one under ``state_dict``, ``model_state_dict`` or the like is
    unwrapped, and a prefix of the names of its network is left out, as Lightning, ``DataParallel`` and
    ``torch.optim.swa_utils.AveragedModel`` write them. What is not read of a file is named in the model's notes. A
    name that is not a local file but that of a registered model or of a shipped one (such as ``d8.pt``) gives that
    model.

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
    >>> import attnxai
    >>> attnxai.load_model("d8.pt").spec.group
    'D8'
    """
    from attnxai.models.published import looks_published
    from attnxai.models.zoo import resolve_model

    found = resolve_model(path)
    if found.make is not None:
        return found.make()
    file = found.path
    content, sha256 = read_checkpoint_file(file)
    for candidate in candidates(content):
        if has_format(candidate.content, FORMAT):
            return _load_ours(candidate.content, Path(file), sha256)
        if looks_published(candidate.content):
            return _load_published(candidate, content, path=str(file), sha256=sha256)
    raise CheckpointError(f"model file {file} {describe_entries(content)}")


def _load_published(
    candidate: Candidate, content: Any, *, path: str, sha256: str
) -> AttentionModel:
    """The network of a candidate, with notes on what else its state dict holds."""
    from attnxai.models.published import PublishedFile, load_published, stated_beside

    left_out = candidate.left_out()
    layers = [
        name
        for name, value in left_out.items()
        if isinstance(value, torch.Tensor) and value.ndim > 1
    ]
    if layers:
        raise CheckpointError(
            f"model file {path} holds a published network under {shown_name(candidate.prefix)} and other "
            f"layers beside it ({listed_names(layers)}); save the state dict of the network alone"
        )
    model = load_published(
        candidate.content,
        PublishedFile(path=path, sha256=sha256, stated=stated_beside(content)),
    )
    averaged = left_out.pop(_AVERAGED, None)
    notes = []
    if isinstance(averaged, torch.Tensor) and averaged.numel() == 1:
        notes.append(f"The weights are the average of {int(averaged)} states of a training.")
    if left_out:
        notes.append(f"Entries of the file beside its network: {listed_names(left_out)}.")
    return dataclasses.replace(model, notes=(*model.notes, *notes))


def _load_ours(content: Mapping[str, Any], path: Path, sha256: str) -> AttentionModel:
    version = content.get("version")
    if type(version) is not int or version not in VERSIONS:
        raise CheckpointError(
            f"model file {path} has format version {short_value(version)}; this attnxai reads versions "
            f"{' and '.join(map(str, VERSIONS))}"
        )
    try:
        entries = _Entries(**checked_fields(_Entries, content, "the file", ignore_unknown=True))
        spec = specification_from_dict(entries.specification)
        if not all(isinstance(basis, torch.Tensor) for basis in entries.bases.values()):
            raise CheckpointError("its bases are not all tensors")
        training = None if entries.training is None else TrainingRecord.from_dict(entries.training)
        return AttentionModel(
            name=entries.name if isinstance(entries.name, str) and entries.name else path.stem,
            spec=spec,
            network=network_with_weights(spec, entries.weights, bases=entries.bases),
            preprocessing=_with_beam(Preprocessing.from_dict(entries.preprocessing), training),
            class_names=entries.class_names,
            training=training,
            trained_on_split=entries.trained_on_split,
            path=str(path),
            sha256=sha256,
            notes=(*entries.notes, *notes_on_precision(entries.weights)),
            temperature=float(entries.temperature),
        )
    except AttnxaiError as error:
        raise CheckpointError(f"model file {path}: {error}") from error


def _with_beam(preprocessing: Preprocessing, training: TrainingRecord | None) -> Preprocessing:
    """The beam of FIRST, where files that were written before beams were kept were trained on MiraBest."""
    sources = training.train_sources if training is not None else ()
    if preprocessing.beam_arcsec is not None or not sources:
        return preprocessing
    if not all(map(is_mirabest_source, sources)):
        return preprocessing
    return dataclasses.replace(preprocessing, beam_arcsec=BEAM_ARCSEC[0])


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

    Raises
    ------
    CheckpointError
        If the model wraps a module whose code is not part of this package.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import attnxai
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sha256 = save_model(attnxai.load_model("d8"), Path(folder) / "mine.pt")
    ...     attnxai.load_model(Path(folder) / "mine.pt").sha256 == sha256
    True
    """
    if isinstance(model.spec, WrappedSpec):
        raise CheckpointError(
            f"the model {model.name} cannot be saved as a model file: such a file holds no code, and that of the "
            f"module {model.spec.module} is your own; save its weights with torch.save, and register a function that "
            "wraps it with attnxai.models.register_model"
        )
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
