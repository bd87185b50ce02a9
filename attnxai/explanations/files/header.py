"""What a file says about a stack of maps beside its arrays, as plain values, and the stack of both."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.grid import GridTransform
from attnxai.data.plain_values import checked_fields
from attnxai.data.short_repr import shown_name
from attnxai.data.wording import is_text
from attnxai.errors import AlignmentError, MapFileError, OptionError, SpecificationError
from attnxai.explanations.files.damage import damaged
from attnxai.explanations.stack import MapStack, Split
from attnxai.jobs.files import parse_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = "attnxai-maps"
FORMAT_VERSION = 1
BRIGHTNESS, VALID = "brightness", "valid"
LAYERS = "layers"
"""Where formats with named arrays keep the layers: ``layers/gate1``."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The fields of a :class:`MapStack` other than the maps.

    ``layers`` has the name of the array of each layer, ``geometry`` and ``field`` step and origins (x, y) of each
    grid, and ``field`` one entry a source.
    """

    format: str
    format_version: int
    model_name: str
    sources: tuple[str, ...]
    layers: Mapping[str, str]
    geometry: Mapping[str, tuple[float, ...]]
    field: tuple[Any, ...]
    field_scale_arcsec: float
    splits: tuple[str, ...]
    scores: Any
    class_names: tuple[str, ...]
    temperature: float
    means: Mapping[str, tuple[str, ...]]
    provenance: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """The entries of a provenance that reports print."""

    file: str | None = None
    sha256: str | None = None
    architecture: str | None = None
    group: str | None = None
    n_parameters: int = 0
    validation_accuracy: float | None = None
    test_accuracy: float | None = None
    temperature: float | None = None
    copies_recognised: bool | None = None
    n_seen: int = 0
    n_seen_positions: int = 0
    notes: tuple[str, ...] = ()
    code: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    explanations: tuple[Any, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Explained:
    """An entry of the explanations of a provenance."""

    name: str
    title: str
    references: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Origin:
    """Where code that is not of this package can be found."""

    module: str
    distribution: str | None
    file: str | None
    sha256: str | None


def array_names(names: Iterable[str]) -> dict[str, str]:
    """A name for the array or file of each layer or source that every format and file system can hold."""
    safe: dict[str, str] = {}
    used: set[str] = set()
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_+-]+", "_", name)[:100].strip("_") or "maps"
        free, number = plain, 1
        while free.casefold() in used:
            number += 1
            free = f"{plain}_{number}"
        used.add(free.casefold())
        safe[name] = free
    return safe


def header_of(stack: MapStack) -> dict[str, Any]:
    """The header of a stack, which JSON can hold.

    Raises
    ------
    OptionError
        If the provenance holds what JSON cannot.
    """

    def place(grid: GridTransform) -> list[float]:
        return [grid.step, grid.origin_x, grid.origin_y]

    header = Header(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        model_name=stack.model_name,
        sources=stack.sources,
        layers=array_names(stack.layers),
        geometry={name: place(grid) for name, grid in stack.geometry.items()},  # type: ignore[misc]
        field=tuple(place(grid) for grid in stack.field),
        field_scale_arcsec=float(stack.field_scale_arcsec),
        splits=tuple(map(str, stack.splits)),
        scores=None if stack.scores is None else stack.scores.astype(np.float64).tolist(),
        class_names=stack.class_names,
        temperature=float(stack.temperature),
        means=stack.named_means,
        provenance=stack.provenance,
    )
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(header), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"the maps of {stack.model_name} cannot be written: their provenance has to consist of text, finite "
            f"numbers, lists and dictionaries ({error})"
        ) from error
    return plain


def arrays_of(stack: MapStack) -> dict[str, NDArray[Any]]:
    """Arrays of a stack by their names in a file: little-endian floats of 32 or 64 bits, and what is valid."""
    names = array_names(stack.layers)
    arrays = {f"{LAYERS}/{names[name]}": maps for name, maps in stack.layers.items()}
    arrays[BRIGHTNESS] = stack.brightness
    floats = {
        name: values.astype(np.result_type(values.dtype, np.float32).newbyteorder("<"), copy=False)
        for name, values in arrays.items()
    }
    return floats | {VALID: stack.valid.astype(bool, copy=False)}


def parse_header(text: bytes, where: str) -> dict[str, Any]:
    """A header from JSON; ``where`` begins errors."""
    try:
        found = parse_json(text.decode())
    except ValueError as error:
        raise damaged(where, f"its header is not valid JSON ({error})") from error
    if not isinstance(found, dict):
        raise damaged(where, "its header is not a dictionary")
    return found


def checked_header(values: Any, where: str) -> Header:
    """A header from a file that is not trusted; ``where`` begins errors.

    Raises
    ------
    MapFileError
        Naming what is missing or of another type.
    """
    try:
        header = Header(**checked_fields(Header, values, f"the header of {where}", all_needed=True))
        check_facts(header.provenance, f"the provenance of {where}")
    except SpecificationError as error:
        raise MapFileError(f"{where} cannot be used: {error}") from error
    if header.format != FORMAT or header.format_version != FORMAT_VERSION:
        raise MapFileError(
            f"{where} has the format {shown_name(header.format)} {header.format_version}, and {FORMAT} "
            f"{FORMAT_VERSION} is known; write it again with this version of attnxai"
        )
    if len(set(header.sources)) < len(header.sources) or not all(header.sources):
        raise damaged(where, "its sources need different names")
    texts = (header.model_name, *header.sources, *header.layers, *header.class_names)
    if not all(map(is_text, texts)):
        raise damaged(where, "it holds text that is not Unicode")
    return header


def check_facts(provenance: Mapping[str, Any], what: str) -> None:
    """Refuse a provenance whose entries, as reports print them, are of another type."""
    known = _Facts(**_known(_Facts, provenance, what))
    if known.code:
        _known(_Origin, known.code, f"the code in {what}")
    for explained in known.explanations:
        _known(_Explained, explained, f"an explanation in {what}")
        if "module" in explained:
            _known(_Origin, explained, f"an explanation in {what}")


def _known(kind: type, values: Any, what: str) -> dict[str, Any]:
    return checked_fields(kind, values, what, ignore_unknown=True)


def stack_of(header: Header, array: Callable[[str], NDArray[Any]], where: str) -> MapStack:
    """The stack of a header and of arrays, which ``array`` gives by their names.

    Raises
    ------
    MapFileError
        If they do not fit together.
    """
    splits, field = splits_of(header.splits, where), grids_of(header.field, where)
    try:
        geometry = {name: _grid(place) for name, place in header.geometry.items()}
        scores = None if header.scores is None else np.asarray(header.scores, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise damaged(where, f"its header states {error}") from error
    layers = {name: array(f"{LAYERS}/{of}") for name, of in header.layers.items()}
    try:
        return MapStack(
            model_name=header.model_name,
            sources=header.sources,
            layers={name: _native(maps) for name, maps in layers.items()},
            geometry=geometry,
            field=field,
            brightness=_native(array(BRIGHTNESS)),
            valid=array(VALID).astype(bool, copy=False),
            field_scale_arcsec=header.field_scale_arcsec,
            splits=splits,
            scores=scores,
            class_names=header.class_names,
            provenance=header.provenance,
            temperature=header.temperature,
            means=header.means,
        )
    except AlignmentError as error:
        raise damaged(where, str(error)) from error


def splits_of(values: Iterable[str], where: str) -> tuple[Split, ...]:
    """How a network used sources, from a file that is not trusted; a MapFileError begins with ``where``."""
    try:
        return tuple(Split(split) for split in values)
    except ValueError as error:
        raise damaged(where, f"its header states {error}") from error


def grids_of(places: Iterable[Any], where: str) -> tuple[GridTransform, ...]:
    """Grids from step and origins (x, y) in a file that is not trusted; a MapFileError begins with ``where``."""
    try:
        return tuple(map(_grid, places))
    except (TypeError, ValueError, OverflowError) as error:
        raise damaged(where, f"its header states {error}") from error


def _grid(place: Any) -> GridTransform:
    if not isinstance(place, list | tuple) or len(place) != 3:
        raise ValueError(f"the place of a grid without step and two origins: {str(place)[:60]}")
    if not all(type(number) in (int, float) for number in place):
        raise ValueError(f"the place of a grid that is not of numbers: {str(place)[:60]}")
    step, x, y = map(float, place)
    return GridTransform(step=step, origin_x=x, origin_y=y)


def _native(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(values.dtype.newbyteorder("="), copy=False)
