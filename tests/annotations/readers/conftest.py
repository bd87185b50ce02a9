"""Files of annotations, if nothing else is said under a name that says nothing of their format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import attnxai
from attnxai.annotations import AnnotationSet
from attnxai.data.images import SourceImage

Read = Callable[..., AnnotationSet]


@pytest.fixture
def read(tmp_path: Path, request: pytest.FixtureRequest) -> Read:
    """Write content, or what a function makes of a path, and read it: as ``FILE`` of the module where it has one."""
    path = tmp_path / getattr(request.module, "FILE", "marks.data")
    path.parent.mkdir(exist_ok=True)

    def make(
        content: bytes | str | Callable[[Path], Any], *images: SourceImage, **options: Any
    ) -> AnnotationSet:
        if callable(content):
            content(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return attnxai.read_annotations(path, options.pop("images", images or None), **options)

    return make


@pytest.fixture
def read_json(read: Read) -> Read:
    """Write what JSON holds, and read it."""

    def make(content: Any, *images: SourceImage, **options: Any) -> AnnotationSet:
        return read(json.dumps(content).encode(), *images, **options)

    return make
