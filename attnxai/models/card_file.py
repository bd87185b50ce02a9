"""Files of model cards: JSON, beside the model file."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attnxai.data.short_repr import short_value
from attnxai.errors import CheckpointError
from attnxai.jobs.files import read_json, write_file
from attnxai.models.cards import ModelCard, PartMetrics, measured
from attnxai.statistics.interval import Interval, finite_or_none

CARD_FORMAT = "attnxai-model-card"
CARD_VERSION = 1
CARD_ENDING = ".card.json"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_LARGEST = 2**63
_LONGEST_REASON = 300
_TEXTS = ("name", "architecture", "group", "data", "data_licence", "data_sha256", "command")
_COUNTS = ("n_parameters", "file_bytes", "size", "n_train", "n_validation", "n_bootstrap")


def card_path(model_file: str | Path) -> Path:
    """Where the card of a model file lies: beside it.

    Examples
    --------
    >>> card_path("models/d8.pt").name
    'd8.card.json'
    """
    return Path(model_file).with_suffix(CARD_ENDING)


def write_card(card: ModelCard, path: str | Path) -> None:
    """Write a card as JSON; a reader finds the old or the whole new one."""
    parts = {
        name: {
            "n_images": part.n_images,
            "n_by_class": dict(part.n_by_class),
            "values": {metric: _plain_number(value) for metric, value in part.values.items()},
        }
        for name, part in card.parts.items()
    }
    own = {field.name: getattr(card, field.name) for field in dataclasses.fields(card)}
    content = {"format": CARD_FORMAT, "version": CARD_VERSION, **own, "parts": parts}
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    write_file(path, text)


def read_card(path: str | Path) -> ModelCard:
    """Read a card.

    Parameters
    ----------
    path : path
        A file that :func:`write_card` wrote.

    Returns
    -------
    ModelCard

    Raises
    ------
    CheckpointError
        If the file is missing or no card of this version, naming what it lacks or what does not fit.
    """
    try:
        content = read_json(Path(path))
    except FileNotFoundError:
        raise CheckpointError(f"model card {path} does not exist") from None
    except ValueError as error:
        reason = " ".join(str(error).split())[:_LONGEST_REASON]
        raise CheckpointError(f"model card {path} is no JSON text: {reason}") from error
    if not isinstance(content, dict) or content.get("format") != CARD_FORMAT:
        raise CheckpointError(f"file {path} is no model card of attnxai")
    if content.get("version") != CARD_VERSION:
        raise CheckpointError(
            f"model card {path} has version {short_value(content.get('version'))}; this attnxai reads version "
            f"{CARD_VERSION}"
        )
    missing = [f.name for f in dataclasses.fields(ModelCard) if f.name not in content]
    if missing:
        raise CheckpointError(f"model card {path} lacks {', '.join(missing)}")
    try:
        return _card(content)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        reason = reason[:_LONGEST_REASON]
        raise CheckpointError(f"model card {path} is damaged: {reason}") from error


def _card(content: Mapping[str, Any]) -> ModelCard:
    values: dict[str, Any] = {name: _text(content, name) for name in (*_TEXTS, "measured_on")}
    values |= {name: _count(content, name) for name in _COUNTS}
    for name in ("n_held_out", "seed", "epoch", "n_epochs"):
        values[name] = _count(content, name) if content[name] is not None else None
    values["sha256"] = _text(content, "sha256")
    if not _SHA256.fullmatch(values["sha256"]):
        raise ValueError("sha256 is no hash of 64 hexadecimal digits")
    for name in ("pixel_scale_arcsec", "temperature", "level"):
        values[name] = _number(content, name)
        if values[name] <= 0:
            raise ValueError(f"{name} should be above 0, got {values[name]}")
    values["fields"] = tuple(_count({"fields": n}, "fields") for n in _list(content, "fields"))
    for name in ("class_names", "notes"):
        values[name] = tuple(_text({name: text}, name) for text in _list(content, name))
    settings, versions = _mapping(content, "settings"), _mapping(content, "versions")
    values["settings"] = {name: _plain(settings, name) for name in settings}
    values["versions"] = {name: _text(versions, name) for name in versions}
    parts = _mapping(content, "parts")
    values["parts"] = {name: _part(_mapping(parts, name)) for name in parts}
    if len({tuple(part.values) for part in values["parts"].values()}) > 1:
        raise ValueError("its parts do not have the same metrics")
    return ModelCard(**values)


def _part(content: Mapping[str, Any]) -> PartMetrics:
    by_class, values = _mapping(content, "n_by_class"), _mapping(content, "values")
    n_images = _count(content, "n_images")
    return PartMetrics(
        n_images=n_images,
        n_by_class={name: _count(by_class, name) for name in by_class},
        values={metric: _interval(_mapping(values, metric), n_images) for metric in values},
    )


def _interval(content: Mapping[str, Any], n_images: int) -> Interval:
    value, low, high = (
        None if content[end] is None else _number(content, end) for end in ("value", "low", "high")
    )
    return measured(value, low, high, n_images)


def _plain_number(interval: Interval) -> dict[str, float | None]:
    return {end: finite_or_none(getattr(interval, end)) for end in ("value", "low", "high")}


def _text(content: Mapping[str, Any], name: str) -> str:
    value = content[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} should be text, but is a {type(value).__name__}")
    return value


def _list(content: Mapping[str, Any], name: str) -> list[Any]:
    value = content[name]
    if not isinstance(value, list):
        raise TypeError(f"{name} should be a list, but is a {type(value).__name__}")
    return value


def _mapping(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = content[name]
    if not isinstance(value, dict):
        raise TypeError(f"{name} should be an object, but is a {type(value).__name__}")
    return value


def _count(content: Mapping[str, Any], name: str) -> int:
    value = content[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _LARGEST:
        raise ValueError(f"{name} should be a whole number of 0 or more, got {short_value(value)}")
    return value


def _number(content: Mapping[str, Any], name: str) -> float:
    value = content[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} should be a finite number, got {short_value(value)}")
    return float(value)


def _plain(content: Mapping[str, Any], name: str) -> float | str | bool:
    value = content[name]
    return value if isinstance(value, bool | str | int) else _number(content, name)
