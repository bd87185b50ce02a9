"""Pin every requirement of the package to the lowest version that it allows: constraints for pip, for ``make oldest``.

Used as ``python release/oldest.py > build/oldest.txt``. What the requirements require in turn stays free, and so do the
tools of the documentation, whose pages are built with the versions of ``constraints.txt`` only.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[[^]]*\])?\s*>=\s*(?P<lowest>[\w.]+)")


def requirements(root: Path = ROOT, *, without: tuple[str, ...] = ("docs",)) -> Iterator[str]:
    """Requirements of the package and of its extras, except of those named and of the package itself."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    yield from project["dependencies"]
    for extra, required in project["optional-dependencies"].items():
        if extra not in without:
            yield from (one for one in required if not one.startswith(f"{project['name']}["))


def lowest(root: Path = ROOT) -> Iterator[str]:
    """Lines of constraints; a SystemExit names a requirement without a lowest version."""
    for requirement in requirements(root):
        found = REQUIREMENT.match(requirement)
        if found is None:
            sys.exit(
                f"{requirement!r} in pyproject.toml states no lowest version; write NAME>=VERSION"
            )
        yield f"{found['name']}=={found['lowest']}"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in sorted(set(lowest())))
