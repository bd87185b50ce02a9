"""Names under which metrics, nulls and readers are registered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attnxai.errors import OptionError


def check_unclaimed(kind: str, name: str, module: str, registry: Mapping[str, Any]) -> None:
    """Raise an error if another module has registered the name.

    Running the same cell of a notebook or the same module again replaces what it registered.

    Parameters
    ----------
    kind, name, module : str
        What is registered, under which name, and by which module.
    registry : mapping
        What there is: classes, functions or other things that know their module.
    """
    known = registry.get(name)
    if known is not None and known.__module__ != module:
        raise OptionError(
            f"a {kind} called {name} is registered by {known.__module__} already; choose another name"
        )
