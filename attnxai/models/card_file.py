"""Files of model cards: JSON, beside the model file."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attnxai.data.plain_values import checked_fields
from attnxai.data.short_repr import short_value, shown_name
from attnxai.errors import CheckpointError
from attnxai.jobs.files import read_json, write_file
from attnxai.models.cards import ModelCard, PartMetrics, measured
from attnxai.statistics.interval import Interval, finite_or_none

CARD_FORMAT = "attnxai-model-card"
CARD_VERSION = 1
CARD_ENDING = ".card.json"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_REASON = 300


def card_path(model_file: str | Path) -> Path:
    """Where the card of a model file lies: beside it."""
    return Path(model_file).with_suffix(CARD_ENDING)


def write_card(card: ModelCard, path: str | Path) -> None:
    """Write a card as JSON; a reader finds the old or the whole new one.

    Parameters
    ----------
    card : ModelCard
        The card.
    path : path
        Where to write it; beside a model file, :func:`card_path` says where it is looked for.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import attnxai
    >>> card = read_card(card_path(Path(attnxai.models.shipped_models()["d8"])))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_card(card, Path(folder) / "d8.card.json")
    ...     read_card(Path(folder) / "d8.card.json") == card
    True
    """
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

    Examples
    --------
    >>> from pathlib import Path
    >>> import attnxai
    >>> card = read_card(card_path(Path(attnxai.models.shipped_models()["d8"])))
    >>> card.group
    'D8'
    """
    try:
        content = read_json(Path(path))
    except FileNotFoundError:
        raise CheckpointError(f"model card {path} does not exist") from None
    except ValueError as error:
        reason = " ".join(str(error).split())[:_LONGEST_REASON]
        raise CheckpointError(f"model card {path} is not valid JSON: {reason}") from error
    if not isinstance(content, dict) or content.get("format") != CARD_FORMAT:
        raise CheckpointError(f"file {path} is not a model card of attnxai")
    if content.get("version") != CARD_VERSION:
        raise CheckpointError(
            f"model card {path} has version {short_value(content.get('version'))}; this attnxai reads version "
            f"{CARD_VERSION}"
        )
    try:
        return _card(content)
    except (KeyError, ValueError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        reason = reason[:_LONGEST_REASON]
        raise CheckpointError(f"model card {path} is damaged: {reason}") from error


def _card(content: Mapping[str, Any]) -> ModelCard:
    values = checked_fields(
        ModelCard,
        content,
        "the card",
        ignore_unknown=True,
        types={"parts": "Mapping[str, Mapping[str, Any]]"},
    )
    if not _SHA256.fullmatch(values["sha256"]):
        raise ValueError("sha256 is not a hash of 64 hexadecimal digits")
    for name in ("pixel_scale_arcsec", "temperature", "level"):
        if values[name] <= 0:
            raise ValueError(f"{name} should be above 0, got {values[name]}")
    values["parts"] = {name: _part(name, part) for name, part in values["parts"].items()}
    if len({tuple(part.values) for part in values["parts"].values()}) > 1:
        raise ValueError("its parts do not have the same metrics")
    return ModelCard(**values)


def _part(name: str, content: Mapping[str, Any]) -> PartMetrics:
    part = checked_fields(
        PartMetrics,
        content,
        f"the part {shown_name(name)}",
        ignore_unknown=True,
        types={"values": "Mapping[str, Mapping[str, float | None]]"},
    )
    part["values"] = {
        metric: measured(one["value"], one["low"], one["high"], part["n_images"])
        for metric, one in part["values"].items()
    }
    return PartMetrics(**part)


def _plain_number(interval: Interval) -> dict[str, float | None]:
    return {end: finite_or_none(getattr(interval, end)) for end in ("value", "low", "high")}
