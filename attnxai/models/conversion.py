"""Any model file that can be read, as a file of this package."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from attnxai.jobs.files import free_path, output_file
from attnxai.models.architectures import bases_to_keep
from attnxai.models.checkpoints import load_model, save_model


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What was written; ``kept_bases`` names the layers whose bases are in the file, as they cannot be made again."""

    path: Path
    name: str
    sha256: str
    kept_bases: tuple[str, ...]


def convert_model(source: str | Path, output: str | Path, *, overwrite: bool = False) -> Conversion:
    """Write a model of this package from any model file that can be read.

    Weights, preprocessing, notes, training record and temperature stay as they are, and so do the
    scores. Filter bases are left out where they follow from group and kernel, to 1e-6.

    Parameters
    ----------
    source : path
        A model file, a published checkpoint, or the name of a shipped model.
    output : path
        The file to write.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Conversion

    Raises
    ------
    CheckpointError
        If the source cannot be read.
    OptionError
        If the output is not a ``.pt`` file, or exists and is not to be replaced.
    """
    with output_file(Path(output), extensions=(".pt",), overwrite=overwrite, option="output"):
        model = load_model(source)
        note = f"Converted from {Path(model.path).name} (sha256 {model.sha256})."
        path = free_path(Path(output), overwrite=overwrite)
        sha256 = save_model(dataclasses.replace(model, notes=(*model.notes, note)), path)
    return Conversion(
        path=path, name=model.name, sha256=sha256, kept_bases=tuple(bases_to_keep(model.network))
    )
