"""Where code that is not part of this package can be found."""

from __future__ import annotations

import functools
import hashlib
import sys
from importlib import metadata
from pathlib import Path


def origin_of(code: object) -> dict[str, str | None]:
    """Module, distribution with its version, and file with its hash of a registered function or class.

    Empty for code of this package. A module without a file, such as that of a notebook, is known by its name
    alone.
    """
    module: str = getattr(code, "__module__", None) or type(code).__module__
    package = module.partition(".")[0]
    if package == __name__.partition(".")[0]:
        return {}
    source = getattr(sys.modules.get(module), "__file__", None)
    path = Path(source) if source and Path(source).is_file() else None
    return {
        "module": module,
        "distribution": _distribution(package),
        "file": path.name if path else None,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest() if path else None,
    }


@functools.cache  # what is installed is read from many files
def _distribution(package: str) -> str | None:
    names = metadata.packages_distributions().get(package, [package])
    try:
        return f"{names[0]} {metadata.version(names[0])}"
    except metadata.PackageNotFoundError:
        return None
