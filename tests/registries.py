"""Registries without the examples of the documentation, and public names as users write them."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import attnxai
from attnxai.annotations import READERS as ANNOTATION_READERS
from attnxai.annotations import WRITERS
from attnxai.data import READERS as IMAGE_READERS
from attnxai.explanations import EXPLANATIONS
from attnxai.explanations.labels import LABELS
from attnxai.metrics import METRICS
from attnxai.models import MODELS
from attnxai.nulls import NULLS


@contextlib.contextmanager
def names_free(*names: str) -> Iterator[None]:
    """Take names out of all registries for a block, and take out afterwards what it registered."""
    registries: tuple[dict[str, Any], ...] = (METRICS, NULLS, EXPLANATIONS, MODELS, LABELS)
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


def public_names():
    """Every public name as users write it, by the shortest path to it."""
    named, inside = {}, set()
    namespaces = [(attnxai, "attnxai")]
    for module, path in namespaces:
        members = {name: getattr(module, name) for name in getattr(module, "__all__", ())}
        found = {
            f"{path}.{name}": one for name, one in members.items() if not inspect.ismodule(one)
        }
        named |= {name: one for name, one in found.items() if id(one) not in inside}
        inside |= set(map(id, found.values()))
        namespaces += [
            (one, f"{path}.{name}")
            for name, one in members.items()
            if inspect.ismodule(one) and one is not attnxai.errors
        ]
    return named
