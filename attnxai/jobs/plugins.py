"""Plug-ins: modules named by the user that register metrics, nulls, explanation methods or readers."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

from attnxai.errors import AttnxaiError, OptionError

_PACKAGE = Path(__file__).parents[1]

LOADED: list[str] = []
"""Names of modules and absolute paths of files that were loaded; worker processes load them too."""


def load_plugins(names: Iterable[str]) -> None:
    """Import plug-ins, given as names of modules or as paths of ``.py`` files.

    A file is imported under its name without ``.py``. While it is, modules that are found nowhere else are looked for in its
    folder.
    """
    for name in names:
        place, path = _place_of(name)
        if place in LOADED:
            continue
        if path is not None:
            _check_file(name, path)
        try:
            if path is None:
                importlib.import_module(name)
            else:
                _import_file(path)
        except (Exception, SystemExit) as error:
            if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
                raise OptionError(
                    f"plug-in {name}: Python finds no module {error.name}; install it, or give the path of "
                    f"a file, such as {error.name}.py"
                ) from error
            raise OptionError(f"plug-in {name} cannot be imported: {reason_of(error)}") from error
        LOADED.append(place)


def _place_of(name: str) -> tuple[str, Path | None]:
    """What LOADED holds of a plug-in, and its file where it is one."""
    path = Path(name).absolute() if name.endswith(".py") or os.sep in name else None
    return (name, None) if path is None else (str(path), path)


def is_loaded(name: str) -> bool:
    """Whether a plug-in was loaded, so that loading it again runs nothing."""
    return _place_of(name)[0] in LOADED


def _check_file(name: str, path: Path) -> None:
    """Refuse what is not a Python file, and a file that would hide another module."""
    if not path.is_file():
        raise OptionError(f"plug-in {name} does not exist or is not a file")
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise OptionError(
            f"plug-in {name} should be a Python file whose name consists of letters, digits and _, and "
            "ends with .py"
        )
    try:
        known = importlib.util.find_spec(path.stem)
        origin = known.origin if known is not None else None
    except ValueError:  # a module without a specification, such as __main__
        origin = path.stem
    if origin is not None and Path(origin).resolve() != path.resolve():
        raise OptionError(
            f"plug-in {name} has the name of another module, {path.stem}; rename the file"
        )


def _import_file(path: Path) -> None:
    if path.stem in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise OptionError("Python has no loader for files that end with .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # for dataclasses and pickles
    folder = str(path.parent)
    sys.path.append(folder)  # after all others, which it cannot hide
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    finally:
        sys.path.reverse()
        sys.path.remove(folder)
        sys.path.reverse()


def reason_of(error: BaseException) -> str:
    """The error and the line of the plug-in, in one line."""
    words = " ".join(str(error).split())
    if not isinstance(error, AttnxaiError):
        words = f"{type(error).__name__}: {words}" if words else type(error).__name__
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and _PACKAGE not in Path(frame.filename).parents
    ]
    return f"{words} (line {frames[0].lineno} of {frames[0].filename})" if frames else words
