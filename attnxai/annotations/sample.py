"""The annotated sample of simulated sources that ships with the package."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from attnxai.errors import AnnotationError
from attnxai.jobs.files import check_regular

TABLE_NAME = "expert.csv"


def sample_folder() -> Path:
    """Folder ``reference_annotations``: inside the installed package, or beside it in a checkout."""
    package = Path(str(resources.files("attnxai")))
    installed = package / "reference_annotations"
    return installed if installed.is_dir() else package.parent / "reference_annotations"


def resolve_annotations(name: str | Path) -> Path:
    """Find an annotation file by its path or by the name of the sample's table."""
    path = Path(name)
    if str(name):
        check_regular(path, f"annotation file {str(name)!r}", AnnotationError)
    if path.is_file():
        return path
    shipped = sample_folder() / TABLE_NAME
    if str(name) == TABLE_NAME and shipped.is_file():
        return shipped
    raise AnnotationError(
        f"annotation file {str(name)!r} does not exist"
        + ("" if path.is_absolute() else f" in {Path.cwd()}")
        + f"; the sample that ships is called {TABLE_NAME}"
    )


def is_shipped(name: str | Path) -> bool:
    """Whether a name gives the sample's table rather than a local file."""
    return not Path(name).is_file() and str(name) == TABLE_NAME
