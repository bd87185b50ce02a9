"""No reader waits for a pipe that nobody writes to, and a read error names the file that was read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import attnxai
from attnxai.data.batches import batch_content
from attnxai.data.label_table import read_label_table
from attnxai.errors import AttnxaiError
from attnxai.training.held_out import read_held_out
from tests.hostile.harness import limited_time

READERS: dict[str, Any] = {
    "image": attnxai.read_images,
    "annotations": attnxai.read_annotations,
    "labels": read_label_table,
    "sources to hold out": lambda path: read_held_out(path, []),
    "model": attnxai.load_model,
    "batch": batch_content,
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", READERS)
def test_a_pipe_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "pipe.fits"
    os.mkfifo(path)
    with limited_time(2.0), pytest.raises(AttnxaiError) as refused:
        READERS[name](path)
    assert str(path) in str(refused.value)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that cannot be read")
@pytest.mark.parametrize("name", READERS)
def test_a_read_error_names_the_file(name: str) -> None:
    with pytest.raises(AttnxaiError, match=r"/proc/self/mem"):
        READERS[name](Path("/proc/self/mem"))
