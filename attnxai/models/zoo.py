"""Models by name: files, those that ship with the package, and those that plug-ins register."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from attnxai.data.registration import check_option_name
from attnxai.data.wording import did_you_mean
from attnxai.errors import CheckpointError, OptionError
from attnxai.jobs.plugins import reason_of
from attnxai.models.card_file import card_path, read_card
from attnxai.models.cards import ModelCard

if TYPE_CHECKING:
    from attnxai.models.model import AttentionModel


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedModel:
    """A model file, and whether it is one that ships; or the name of a registered model, and what makes it."""

    path: str
    shipped: bool
    make: Callable[[], AttentionModel] | None = None


MODELS: dict[str, Callable[[], AttentionModel]] = {}
"""Functions that make the models that :func:`register_model` added, by name."""

_Maker = TypeVar("_Maker", bound="Callable[[], AttentionModel]")


def register_model(name: str) -> Callable[[_Maker], _Maker]:
    """Give a model of your own a name, by which the command line and ``load_model`` know it.

    It decorates a function without arguments that returns the model, such as one made by :func:`attnxai.wrap`. The
    function is called when the model is needed.

    Parameters
    ----------
    name : str
        Lower-case letters, digits, - and _, with a letter first.

    Returns
    -------
    callable
        The decorator, which returns the function as it is.

    Raises
    ------
    OptionError
        If the name cannot be given on the command line, or is that of a shipped model or of one of another module.

    Examples
    --------
    >>> import attnxai
    >>> @register_model("mine")
    ... def mine():
    ...     return attnxai.load_model("c1.pt")
    >>> attnxai.load_model("mine").spec.group
    'C1'
    >>> MODELS.pop("mine").__name__
    'mine'
    """

    def register(make: _Maker) -> _Maker:
        check_option_name("model", name, make.__module__, MODELS)
        if name in shipped_models():
            raise OptionError(f"{name} is the name of a shipped model; choose another name")
        MODELS[name] = make
        return make

    return register


def _made(name: str) -> AttentionModel:
    """A registered model, or an error that names it and the line at which it failed."""
    from attnxai.models.model import AttentionModel

    try:
        model = MODELS[name]()
    except (Warning, MemoryError):
        raise
    except Exception as error:
        raise CheckpointError(
            f"the registered model {name} cannot be made: {reason_of(error)}"
        ) from error
    if not isinstance(model, AttentionModel):
        raise CheckpointError(
            f"the function of the registered model {name} has to return a model, such as attnxai.wrap makes, got "
            f"{type(model).__name__}"
        )
    return dataclasses.replace(model, name=name)


def shipped_models() -> dict[str, Path]:
    """Names and files of the models that ship with the package: c1, c2, ..., d16.

    Returns
    -------
    dict of str to Path

    Examples
    --------
    >>> "d8" in shipped_models()
    True
    """
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
    """Find a model by the path of a file, or by the name of a registered or a shipped model.

    A file that exists takes precedence, then a registered model. Otherwise ``d8``, ``D8`` and ``d8.pt`` give the shipped model d8.

    Parameters
    ----------
    name : str or path
        File, or name of a model.

    Returns
    -------
    ResolvedModel

    Raises
    ------
    CheckpointError
        If it is neither, or a folder.

    Examples
    --------
    >>> resolve_model("D8").shipped
    True
    """
    path = Path(name)
    if path.is_file():
        return ResolvedModel(path=str(path), shipped=False)
    if str(name) in MODELS:
        make = functools.partial(_made, str(name))
        return ResolvedModel(path=str(name), shipped=False, make=make)
    models = shipped_models()
    key = path.name.lower().removesuffix(".pt")
    if path.name == str(name) and key in models:
        return ResolvedModel(path=str(models[key]), shipped=True)
    is_what = "is a folder, neither a file" if str(name) and path.is_dir() else "is neither a file"
    hint = did_you_mean(key, [*models, *MODELS])
    if "," in str(name):
        hint = "; to compare several models, name each on its own"
    registered = f" or registered models ({', '.join(MODELS)})" if MODELS else ""
    if not hint and str(name) and not path.suffix:
        hint = "; a model of your own is registered by a plug-in, given with --plugin"
    raise CheckpointError(
        f"model {str(name)!r} {is_what} nor one of the shipped models "
        f"({', '.join(models) or 'none ship with this build'}){registered}{hint}"
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
