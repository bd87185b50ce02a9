"""Dataclasses as plain values that a file can hold, and checks of what a file gives back."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Mapping
from typing import Any

from attnxai.data.short_repr import short_value, shown_name
from attnxai.errors import SpecificationError

# longer numbers could not even be printed
_LARGEST = 10**18
_TUPLE = re.compile(r"tuple\[(.+), \.\.\.\]")
POSITIONS = "tuple[tuple[float, float] | None, ...]"
"""Type of a list of positions on the sky, of which some are not known."""
_MAPPING = re.compile(r"Mapping\[str, (.+)\]")
_WORDS = {
    "int": "a whole number from 0 to 1e18",
    "float": "a number below 1e18",
    "bool": "true or false",
    "tuple[int, ...]": "a list of whole numbers from 0 to 1e18",
    "tuple[str, ...]": "a list of texts",
    POSITIONS: "a list of pairs of numbers, or of nothing",
}


def to_plain(instance: Any) -> dict[str, Any]:
    """The fields of a dataclass as text, numbers, lists and dictionaries."""
    return {
        field.name: _plain(getattr(instance, field.name)) for field in dataclasses.fields(instance)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def checked_fields(
    kind: type,
    values: Any,
    what: str,
    *,
    all_needed: bool = False,
    ignore_unknown: bool = False,
    types: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Arguments for a dataclass from a file that is not trusted; lists become tuples where the class has them.

    Numbers and texts have to be of the types that the class annotates (``types`` says otherwise for some); an
    enumeration comes as text, which the class has to check itself. Fields with a default may be missing unless
    ``all_needed``.

    Raises
    ------
    SpecificationError
        Naming what is missing, unknown or of another type in ``what``, such as "the preprocessing".
    """
    if not isinstance(values, Mapping):
        raise SpecificationError(f"{what} is a {type(values).__name__}, not a dictionary")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    missing = [
        name
        for name, field in fields.items()
        if name not in values
        and (all_needed or field.default is field.default_factory is dataclasses.MISSING)
    ]
    if missing:
        raise SpecificationError(f"{what} lacks {', '.join(missing)}")
    unknown = sorted((name for name in values if name not in fields), key=str)
    if unknown and not ignore_unknown:
        raise SpecificationError(
            f"{what} holds {', '.join(map(short_value, unknown[:4]))}, which this version of attnxai does not "
            "know; a newer version may"
        )
    checked = {}
    for name, field in fields.items():
        if name in values:
            annotation = (types or {}).get(name, str(field.type))
            checked[name] = _checked(name, values[name], annotation, what)
    return checked


def _checked(name: str, value: Any, annotation: str, what: str) -> Any:
    mapping = _MAPPING.fullmatch(annotation)
    if mapping and isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {
            key: _checked(shown_name(key), item, mapping[1], f"{name} of {what}")
            for key, item in value.items()
        }
    if mapping or not _fits(value, annotation):
        kinds = [one for one in annotation.split(" | ") if one != "None"]
        kinds = [annotation] if annotation in _WORDS else kinds
        words = " or ".join(_WORDS.get(kind, "text") for kind in kinds)
        raise SpecificationError(
            f"{name} of {what} should be {'a dictionary under names' if mapping else words}, got "
            f"{short_value(value)}"
        )
    return tuple(value) if _TUPLE.fullmatch(annotation) else value


def _fits(value: Any, annotation: str) -> bool:
    if match := _TUPLE.fullmatch(annotation):
        return isinstance(value, list | tuple) and all(_fits(item, match[1]) for item in value)
    if annotation == "tuple[float, float]":
        return (
            isinstance(value, list | tuple)
            and len(value) == 2
            and all(_fits(item, "float") for item in value)
        )
    if " | " in annotation:
        return any(_fits(value, one) for one in annotation.split(" | "))
    if annotation == "int":
        return type(value) is int and 0 <= value < _LARGEST
    if annotation == "float":
        return type(value) in (int, float) and abs(value) < _LARGEST
    if annotation == "bool":
        return type(value) is bool
    if annotation in ("Any", "None"):
        return annotation == "Any" or value is None
    return isinstance(value, str)
