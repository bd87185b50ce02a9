"""Where code that is not part of this package can be found."""

from __future__ import annotations

import functools
import hashlib
import sys
from importlib import metadata
from pathlib import Path

from attnxai.jobs import plugins


def origin_of(code: object) -> dict[str, str | None]:
    """Module, distribution with its version, and file with its hash of a registered function or class.

    Empty for code of this package. A module without a file, such as that of a notebook, is known by its name
    alone.
    """
    module: str = getattr(code, "__module__", None) or type(code).__module__
    if module.partition(".")[0] == __name__.partition(".")[0]:
        return {}
    return module_origin(module)


def module_origin(module: str) -> dict[str, str | None]:
    """The same of a module that was imported, by its name."""
    source = getattr(sys.modules.get(module), "__file__", None)
    path = Path(source) if source and Path(source).is_file() else None
    return {
        "module": module,
        "distribution": _distribution(module.partition(".")[0]),
        "file": path.name if path else None,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest() if path else None,
    }


def plugin_origins() -> list[dict[str, str | None]]:
    """The same of every plug-in that was loaded, for reports."""
    names = [Path(place).stem if place.endswith(".py") else place for place in plugins.LOADED]
    return [{"kind": "plug-in", "name": name, **module_origin(name)} for name in names]


@functools.cache  # what is installed is read from many files
def _distribution(package: str) -> str | None:
    names = metadata.packages_distributions().get(package, [package])
    try:
        return f"{names[0]} {metadata.version(names[0])}"
    except metadata.PackageNotFoundError:
        return None
