"""The models that ship with the package."""

from __future__ import annotations

import dataclasses
from importlib import resources
from pathlib import Path

from attnxai.errors import CheckpointError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedModel:
    """A model file, and whether it is one that ships."""

    path: str
    shipped: bool


def shipped_models() -> dict[str, Path]:
    """Names and files of the models that ship with the package."""
    folder = Path(str(resources.files("attnxai") / "models" / "shipped"))
    return {file.stem: file for file in sorted(folder.glob("*.pt"))}


def resolve_model(name: str | Path) -> ResolvedModel:
    """Find a model by the path of a file or by the name of a shipped model.

    A file that exists always wins. Otherwise ``d8``, ``D8`` and ``d8.pt`` give the shipped model d8.

    Raises
    ------
    CheckpointError
        If it is neither.
    """
    path = Path(name)
    if path.is_file():
        return ResolvedModel(path=str(path), shipped=False)
    models = shipped_models()
    key = path.name.lower().removesuffix(".pt")
    if path.name == str(name) and key in models:
        return ResolvedModel(path=str(models[key]), shipped=True)
    raise CheckpointError(
        f"model {str(name)!r} is neither a file nor one of the shipped models "
        f"({', '.join(models) or 'none ship with this build'})"
    )
