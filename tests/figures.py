"""Reports whose figures are composed and not drawn, for tests that read words and numbers alone."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from PIL import Image


@contextlib.contextmanager
def blank_figures() -> Iterator[None]:
    """Let the files of figures hold a single pixel; to lay out, draw and compress them takes most of a report's time."""
    from matplotlib.figure import Figure

    buffer = io.BytesIO()
    Image.new("L", (1, 1), 255).save(buffer, "PNG")

    def savefig(figure: Any, to: Path | io.BytesIO, **options: Any) -> None:
        if isinstance(to, Path):
            to.write_bytes(buffer.getvalue())
        else:
            to.write(buffer.getvalue())

    with mock.patch.object(Figure, "savefig", savefig):
        yield
