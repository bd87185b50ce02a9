"""The models that ship with the package."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from attnxai.data.wording import did_you_mean
from attnxai.errors import CheckpointError, OptionError
from attnxai.models.card_file import card_path, read_card
from attnxai.models.cards import ModelCard


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedModel:
    """A model file, and whether it is one that ships."""

    path: str
    shipped: bool


def shipped_models() -> dict[str, Path]:
    """Names and files of the models that ship with the package: c1, c2, ..., d16."""
    folder = Path(str(resources.files("attnxai") / "models" / "shipped"))
    return {file.stem: file for file in sorted(folder.glob("*.pt"), key=_by_order)}


def _by_order(file: Path) -> tuple[str, int, str]:
    """By the letter of the group and then by its order, which text would put as c1, c16, c2."""
    found = re.fullmatch(r"([a-z]+)(\d+)", file.stem)
    return (found[1], int(found[2]), "") if found is not None else (file.stem, 0, file.stem)


def shipped_cards() -> dict[str, ModelCard]:
    """Cards of the models that ship, by the same names, without reading the models."""
    files = {name: card_path(file) for name, file in shipped_models().items()}
    return {name: read_card(file) for name, file in files.items() if file.is_file()}


def resolve_model(name: str | Path) -> ResolvedModel:
    """Find a model by the path of a file or by the name of a shipped model.

    A file that exists takes precedence. Otherwise ``d8``, ``D8`` and ``d8.pt`` give the shipped model d8.

    Raises
    ------
    CheckpointError
        If it is neither, or a folder.
    """
    path = Path(name)
    if path.is_file():
        return ResolvedModel(path=str(path), shipped=False)
    models = shipped_models()
    key = path.name.lower().removesuffix(".pt")
    if path.name == str(name) and key in models:
        return ResolvedModel(path=str(models[key]), shipped=True)
    is_what = "is a folder, neither a file" if str(name) and path.is_dir() else "is neither a file"
    hint = did_you_mean(key, models)
    if "," in str(name):
        hint = "; to compare several models, name each on its own"
    raise CheckpointError(
        f"model {str(name)!r} {is_what} nor one of the shipped models "
        f"({', '.join(models) or 'none ship with this build'}){hint}"
    )


def named_models(models: Sequence[str]) -> dict[str, ResolvedModel]:
    """Find several models, under the names of their files, with as many folders as make them distinct.

    One that is given twice, also under two names, is an OptionError.
    """
    found: dict[Path, str] = {}
    resolved: list[ResolvedModel] = []
    for name in models:
        model = resolve_model(name)
        other = found.setdefault(Path(model.path).resolve(), name)
        if name in models[: len(resolved)]:
            raise OptionError(f"model {name} is given twice; name every model once")
        if other != name:
            raise OptionError(f"models {other} and {name} are the same file; name every model once")
        resolved.append(model)
    return dict(zip(distinct_names(models), resolved, strict=True))


def distinct_names(models: Sequence[str]) -> list[str]:
    """File names of models, with as many folders as it takes to make them distinct."""
    parts = [Path(name).parts for name in models]
    named = []
    for part in parts:
        n = 1
        while n < len(part) and sum(other[-n:] == part[-n:] for other in parts) > 1:
            n += 1
        named.append("/".join(part[-n:]))
    return named
