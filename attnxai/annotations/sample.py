"""The annotation tables that ship with the package: the simulated sample, and what a rule says of MiraBest."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from attnxai.errors import AnnotationError
from attnxai.jobs.files import check_regular

TABLE_NAME = "expert.csv"
"""The annotated sample of simulated sources."""

RULE_TABLE_NAME = "fanaroff_riley_rule.csv"
"""Marks that the Fanaroff-Riley rule made of MiraBest."""

SHIPPED = (TABLE_NAME, RULE_TABLE_NAME)


def sample_folder() -> Path:
    """Folder ``reference_annotations``: inside the installed package, or beside it in a checkout."""
    package = Path(str(resources.files("attnxai")))
    installed = package / "reference_annotations"
    return installed if installed.is_dir() else package.parent / "reference_annotations"


def resolve_annotations(name: str | Path) -> Path:
    """Find an annotation file by its path or by the name of a table that ships."""
    path = Path(name)
    if str(name):
        check_regular(path, f"annotation file {str(name)!r}", AnnotationError)
    if path.is_file():
        return path
    shipped = sample_folder() / path.name
    if str(name) in SHIPPED and shipped.is_file():
        return shipped
    raise AnnotationError(
        f"annotation file {str(name)!r} does not exist"
        + ("" if path.is_absolute() else f" in {Path.cwd()}")
        + f"; tables that ship are called {' and '.join(SHIPPED)}"
    )


def is_shipped(name: str | Path) -> bool:
    """Whether a name gives a table that ships rather than a local file."""
    return not Path(name).is_file() and str(name) in SHIPPED


def says_what_ships(name: str | Path) -> str:
    """That a name gives a table that ships, and which."""
    what = (
        "the marks of MiraBest that ship with attnxai (made by a rule, not by a person)"
        if str(name) == RULE_TABLE_NAME
        else "the simulated sample that ships with attnxai (sources and annotators do not exist)"
    )
    return f"{name} is not a local file: using {what}"
