from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attnxai.data.grid import PixelGrid
from attnxai.data.images import SourceImage
from tests.data.skies import make_wcs

SHAPE = (40, 50)


@pytest.fixture
def make_image() -> Callable[..., SourceImage]:
    """Makes an image with a place on the sky, or none."""

    def make(source: str, ra: float | None = None, dec: float = 40.0, **values: Any) -> SourceImage:
        pixels = np.random.default_rng(len(source)).normal(size=SHAPE).astype(np.float32)
        wcs = make_wcs(SHAPE, centre=(ra, dec)) if ra is not None else None
        grid = PixelGrid(shape=SHAPE, wcs=wcs)
        return SourceImage(source=source, pixels=pixels, grid=grid, **values)

    return make


@pytest.fixture
def write_table(tmp_path: Path) -> Callable[..., Path]:
    """Writes lines into a file."""

    def write(*lines: str, name: str = "table.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding=encoding)
        return path

    return write
