"""Model cards: what a model was trained on, how, and how well it does, beside its file."""

from __future__ import annotations

import dataclasses
import json
import math
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attnxai.errors import CheckpointError

CARD_FORMAT = "attnxai-model-card"
CARD_VERSION = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A number with its 95 % interval; None where there is no interval or no number.

    Examples
    --------
    >>> str(Measured(value=0.8542, low=0.7984, high=0.8966))
    '0.854 [0.798, 0.897]'
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "undefined"
        if self.low is None or self.high is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PartMetrics:
    """How a model does on one part of the data.

    Parameters
    ----------
    n_images : int
        Images of the part.
    values : mapping of str to Measured
        A number for each metric.
    """

    n_images: int
    values: Mapping[str, Measured]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """Everything that a user of a model file should know about it.

    Parameters
    ----------
    name, group : str
        The model and its symmetry group.
    fields : tuple of int
        Feature fields in each block.
    n_parameters, file_bytes : int
        Trained numbers, and the size of the file.
    sha256 : str
        Hash of the file.
    class_names : tuple of str
        Classes in the order of the scores.
    data, data_licence, data_sha256 : str
        What it was trained on, under which terms, and the hash of these images.
    n_train, n_validation : int
        Images trained and validated on.
    seed : int
        Of the training, the split included.
    command : str
        The command that repeats the training.
    versions : mapping of str to str
        Libraries that trained it.
    temperature : float
        Divides the scores before they become probabilities.
    parts : mapping of str to PartMetrics
        Metrics on ``validation``, on ``test``, and on parts of these.
    """

    name: str
    group: str
    fields: tuple[int, ...]
    n_parameters: int
    file_bytes: int
    sha256: str
    class_names: tuple[str, ...]
    data: str
    data_licence: str
    data_sha256: str
    n_train: int
    n_validation: int
    seed: int
    command: str
    versions: Mapping[str, str]
    temperature: float
    parts: Mapping[str, PartMetrics]

    def to_markdown(self) -> str:
        """The card as a Markdown section."""
        facts = {
            "Group": self.group,
            "Fields in each block": ", ".join(map(str, self.fields)),
            "Parameters": f"{self.n_parameters:,}",
            "Classes": ", ".join(self.class_names),
            "Data": self.data,
            "Licence of the data": self.data_licence,
            "Images": f"{self.n_train} trained on, {self.n_validation} validated on",
            "Seed": str(self.seed),
            "Command": f"`{self.command}`",
            "Libraries": ", ".join(f"{k} {v}" for k, v in self.versions.items()),
            "Temperature": f"{self.temperature:.3f}",
            "File": f"{self.file_bytes / 1e6:.2f} MB, sha256 `{self.sha256}`",
        }
        lines = [f"## {self.name}", "", "| | |", "| --- | --- |"]
        lines += [f"| {name} | {value} |" for name, value in facts.items()]
        if self.parts:
            heads = [f"{name} ({part.n_images} images)" for name, part in self.parts.items()]
            lines += ["", f"| Metric | {' | '.join(heads)} |", "| --- |" + " --- |" * len(heads)]
            for metric in next(iter(self.parts.values())).values:
                cells = [str(part.values[metric]) for part in self.parts.values()]
                lines.append(f"| {metric} | {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"


def write_card(card: ModelCard, path: str | Path) -> None:
    """Write a card as JSON; a reader finds the old or the whole new one."""
    content = {"format": CARD_FORMAT, "version": CARD_VERSION, **dataclasses.asdict(card)}
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        temporary.write_text(
            json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8"
        )
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_card(path: str | Path) -> ModelCard:
    """Read a card.

    Raises
    ------
    CheckpointError
        If the file is missing or no card of this version, naming what it lacks.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"model card {path} does not exist") from None
    except ValueError as error:
        raise CheckpointError(f"model card {path} is no JSON text: {error}") from error
    if not isinstance(content, dict) or content.get("format") != CARD_FORMAT:
        raise CheckpointError(f"file {path} is no model card of attnxai")
    if content.get("version") != CARD_VERSION:
        raise CheckpointError(
            f"model card {path} has version {content.get('version')!r}; this attnxai reads version "
            f"{CARD_VERSION}"
        )
    try:
        values: dict[str, Any] = {f.name: content[f.name] for f in dataclasses.fields(ModelCard)}
        values["parts"] = {str(k): _part(v) for k, v in values["parts"].items()}
        values["fields"] = tuple(int(n) for n in values["fields"])
        values["class_names"] = tuple(str(name) for name in values["class_names"])
        return ModelCard(**values)
    except KeyError as error:
        raise CheckpointError(f"model card {path} lacks {error.args[0]}") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise CheckpointError(f"model card {path} is damaged: {error}") from error


def _part(content: Mapping[str, Any]) -> PartMetrics:
    values = {str(name): Measured(**value) for name, value in content["values"].items()}
    for name, measured in values.items():
        for number in (measured.value, measured.low, measured.high):
            if number is not None and not math.isfinite(number):
                raise ValueError(f"{name} is {number}")
    return PartMetrics(n_images=int(content["n_images"]), values=values)
