"""Public names: each is on the page of the API, is described and has an example."""

from __future__ import annotations

import enum
import inspect
import re

from tests.registries import public_names
from tests.test_docs import page


def test_public_names_are_on_the_page_of_the_api() -> None:
    shown = re.findall(r"^   (attnxai\..+)$", page("reference/api.md"), re.MULTILINE)
    named = public_names()
    missing = sorted(set(named) - set(shown))
    assert not missing, f"docs/reference/api.md lacks {', '.join(missing)}"
    assert sorted(shown) == sorted(named)
    for name, described in named.items():
        assert (described.__doc__ or "").strip(), name


def test_public_names_have_examples() -> None:
    """Functions and classes, but for exceptions and choices; doctests run them."""
    without = [
        name
        for name, described in public_names().items()
        if callable(described)
        and not (isinstance(described, type) and issubclass(described, enum.Enum | Exception))
        and "Examples\n--------\n" not in inspect.cleandoc(described.__doc__ or "")
    ]
    assert not without, f"no section Examples: {', '.join(without)}"
