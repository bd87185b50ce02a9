from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.mirabest_files import write_batches, write_wcs_table


@pytest.fixture
def mirabest_folder(tmp_path: Path) -> Path:
    """A data folder with eight tiny batches and their table of coordinate systems."""
    folder = tmp_path / "data"
    names = write_batches(folder / "batches")
    write_wcs_table(folder / "mirabest_wcs.csv", names, without=names[4])
    return folder


@pytest.fixture
def pixels() -> Any:
    """Pixels without any symmetry."""
    return np.random.default_rng(4).normal(size=(12, 17)).astype(np.float32)
