"""Reports whose figures are composed and not drawn, for tests that read words and numbers alone."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from PIL import Image


@contextlib.contextmanager
def blank_figures() -> Iterator[None]:
    """Let the files of figures hold a single pixel; to lay out, draw and compress them takes most of a report's time."""
    buffer = io.BytesIO()
    Image.new("L", (1, 1), 255).save(buffer, "PNG")

    def save(figure: object, folder: Path, name: str) -> None:
        for ending in ("png", "pdf"):
            (folder / f"{name}.{ending}").write_bytes(buffer.getvalue())

    with mock.patch("attnxai.report.style.save_figure", save):
        yield
