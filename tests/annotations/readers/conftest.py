"""Files of annotations under a name that says nothing of their format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import attnxai
from attnxai.annotations import AnnotationSet

Read = Callable[..., AnnotationSet]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write content, or what a function makes of a path, and read it under a name that says nothing."""

    def make(content: bytes | Callable[[Path], Any], **options: Any) -> AnnotationSet:
        path = tmp_path / "marks.data"
        if callable(content):
            content(path)
        else:
            path.write_bytes(content)
        return attnxai.read_annotations(path, **options)

    return make
