"""Registries as they are without the examples of the documentation, which a contributor may have added."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from attnxai.annotations import READERS as ANNOTATION_READERS
from attnxai.annotations import WRITERS
from attnxai.data import READERS as IMAGE_READERS
from attnxai.explanations import EXPLANATIONS
from attnxai.metrics import METRICS
from attnxai.models import MODELS
from attnxai.nulls import NULLS


@contextlib.contextmanager
def names_free(*names: str) -> Iterator[None]:
    """Take names out of all registries for a block, and take out afterwards what it registered."""
    registries: tuple[dict[str, Any], ...] = (METRICS, NULLS, EXPLANATIONS, MODELS)
    registries += (ANNOTATION_READERS, IMAGE_READERS, WRITERS)
    before = [dict(registry) for registry in registries]
    for registry in registries:
        for name in names:
            registry.pop(name, None)
    try:
        yield
    finally:
        for registry, known in zip(registries, before, strict=True):
            registry.clear()
            registry.update(known)
