"""Short representations of objects that hold arrays or many items."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

_LONGEST_TEXT = 60
_MOST_ITEMS = 4
_MOST_NAMES = 8


def short_repr(instance: Any) -> str:
    """What a dataclass holds: short values as they are, of long ones the size.

    A dataclass uses it with ``__repr__ = short_repr`` in its body. Fields that have their default value are
    left out.
    """
    shown = [
        f"{field.name}={short_value(value)}"
        for field in dataclasses.fields(instance)
        if field.repr and not _is_default(field, value := getattr(instance, field.name))
    ]
    return f"{type(instance).__name__}({', '.join(shown)})"


class ArrayResult:
    """Base of frozen dataclasses whose arrays are read-only; they are made with ``repr=False``."""

    __slots__ = ()

    __repr__ = short_repr

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            values = getattr(self, field.name)
            if isinstance(values, np.ndarray):
                view = values.view()
                view.setflags(write=False)
                object.__setattr__(self, field.name, view)


def shown_name(name: object) -> str:
    """A name from a file on one line, without quotes: escaped where it cannot be printed, and cut."""
    text = repr(str(name))[1:-1]
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 3]}..."


def listed_names(names: Iterable[object]) -> str:
    """The first names of a file, separated by commas, and how many more there are."""
    shown = [shown_name(name) for name in names]
    more = f" and {len(shown) - _MOST_NAMES} more" if len(shown) > _MOST_NAMES else ""
    return ", ".join(shown[:_MOST_NAMES]) + more


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    if field.default_factory is not dataclasses.MISSING:
        return isinstance(value, Mapping | Sequence | AbstractSet) and not value
    return value is field.default or (
        isinstance(value, str | int | float | tuple) and bool(value == field.default)
    )


def short_value(value: Any) -> str:
    """A value as it is, if its representation is short; else its type and size, or its beginning."""
    if isinstance(value, int) and value.bit_length() > 1000:  # of more digits than Python prints
        return f"<a whole number of {value.bit_length()} bits>"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        size = " x ".join(map(str, value.shape)) or "scalar"
        return f"<{size} {str(value.dtype).removeprefix('torch.')}>"
    if isinstance(value, Mapping):
        items = [f"{key!r}: {short_value(item)}" for key, item in list(value.items())[:_MOST_ITEMS]]
        return _bounded(f"{{{', '.join(items)}}}", value, items)
    if isinstance(value, Sequence | AbstractSet) and not isinstance(value, str | bytes):
        if type(value).__repr__ not in (tuple.__repr__, list.__repr__, frozenset.__repr__):
            return _cut(repr(value))
        items = [short_value(item) for item in list(value)[:_MOST_ITEMS]]
        if isinstance(value, list):
            return _bounded(f"[{', '.join(items)}]", value, items)
        comma = "," if len(value) == 1 else ""
        return _bounded(f"({', '.join(items)}{comma})", value, items)
    return _cut(repr(value))


def _bounded(whole: str, value: Any, items: list[str]) -> str:
    if len(value) <= _MOST_ITEMS and len(whole) <= _LONGEST_TEXT:
        return whole
    return f"<{len(value)}: {_cut(items[0])}, ...>"


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 3]}..."
