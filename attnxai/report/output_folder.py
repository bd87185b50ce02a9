"""A folder of results that appears when it is complete, and is replaced as a whole."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_or_nothing(folder: Path) -> Iterator[Path]:
    """A folder beside the wanted one that takes its place when the block ends without an error.

    Parameters
    ----------
    folder : Path
        Where the files are to be; what lies there is replaced.

    Yields
    ------
    partial : Path
        Where to write them.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as place:
    ...     folder = Path(place) / "results"
    ...     with whole_or_nothing(folder) as partial:
    ...         _ = (partial / "table.csv").write_text("a,b")
    ...         before = folder.exists()
    ...     before, [file.name for file in folder.iterdir()]
    (False, ['table.csv'])
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.partial-"))
    try:
        yield partial
        partial.chmod(0o755)
        if folder.exists():
            replaced = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.old-"))
            folder.rename(replaced / folder.name)
            partial.rename(folder)
            shutil.rmtree(replaced)
        else:
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
