"""Model files, their cards, and the models that ship, as Markdown and as a terminal shows them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from attnxai.models.cards import ACCURACY, P_IF_CALIBRATED, SYMMETRY_ERRORS, TEST, VALIDATION
from attnxai.report.tables.table import Table, count_column, text_column
from attnxai.report.tables.text import markdown_text, render_markdown, render_terminal
from attnxai.statistics.exact import share_interval
from attnxai.statistics.formats import (
    all_with_intervals,
    decimals_of,
    format_compared,
    format_p,
    in_percent,
    short_number,
    with_interval,
)

if TYPE_CHECKING:
    from rich.console import Console

    from attnxai.models.cards import ModelCard, PartMetrics
    from attnxai.models.model import AttentionModel
    from attnxai.statistics.interval import Interval

_SHORTEST_FENCE = 3


def card_markdown(card: ModelCard, level: int = 2) -> str:
    """A card as a Markdown section."""
    facts = card.facts()
    table = Table(columns=(text_column("", list(facts)), text_column("", list(facts.values()))))
    lines = [f"{'#' * level} {markdown_text(card.name)}", "", render_markdown(table)]
    if card.command:
        lines += ["", *code_block(card.command)]
    metrics = metrics_table(card)
    if metrics is not None:
        lines += ["", render_markdown(metrics)]
    return "\n".join([*lines, "", card.remarks()]) + "\n"


def metrics_table(card: ModelCard) -> Table | None:
    """A column for each part of the data, a row for each metric; None where nothing was measured."""
    if not card.parts:
        return None
    metrics = list(next(iter(card.parts.values())).values)
    names = ["images", *(f"images of class {name}" for name in card.class_names), *metrics]
    columns = [text_column(card.measured_on, names)]
    rows = [_texts(metric, list(card.parts.values())) for metric in metrics]
    for (name, part), *numbers in zip(card.parts.items(), *rows, strict=True):
        counts = [part.n_images, *(part.n_by_class.get(label, 0) for label in card.class_names)]
        columns.append(text_column(name, [*map(str, counts), *numbers], to_the_right=True))
    return Table(columns=tuple(columns))


def _texts(metric: str, parts: Sequence[PartMetrics]) -> list[str]:
    """A metric of every part, with the decimals that these have together."""
    values = [part.values[metric] for part in parts]
    if metric not in SYMMETRY_ERRORS and any(decimals_of(value) is not None for value in values):
        return all_with_intervals(values)
    return [metric_text(metric, part.values[metric], _compared(metric, part)) for part in parts]


def metric_text(metric: str, interval: Interval, compared: Interval | None = None) -> str:
    """A number of a card as its tables show it, with the decimals of what it is ``compared`` with."""
    if metric == P_IF_CALIBRATED:
        return format_p(interval.value)
    if metric in SYMMETRY_ERRORS:
        return short_number(interval.value)
    if compared is not None and math.isfinite(interval.value):
        return format_compared(interval.value, compared, 3)
    return with_interval(interval, 3)


def _compared(metric: str, part: PartMetrics) -> Interval | None:
    """The measured number that a number without interval stands beside."""
    if "calibrated model" in metric:
        return part.values.get("expected calibration error")
    zone = metric.removeprefix("ROC AUC of the area of ")
    return None if zone == metric else part.values.get(f"ROC AUC from {zone} alone")


def percent(interval: Interval) -> str:
    """A share in per cent with its interval, without the sign."""
    return with_interval(in_percent(interval), 1)


def code_block(text: str) -> list[str]:
    """Lines of a Markdown block that shows a text to the letter, whatever it holds."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(_SHORTEST_FENCE, longest + 1)
    return [f"{fence}sh", *text.splitlines(), fence]


_NOT_RECORDED = "not recorded"


def print_model(model: AttentionModel, console: Console) -> None:
    """Print what a model file holds."""
    from attnxai.explanations.inputs import model_provenance
    from attnxai.models.architectures import has_given_bases

    facts = model_provenance(model)
    rows = {"file": model.path, "sha256": model.sha256}
    if not model.path:
        code = facts["code"].get("file") or facts["code"].get("module")
        rows = {"sha256 of weights": facts["sha256"]} | ({"code": code} if code else {})
    rows |= {
        "architecture": facts["architecture"],
        "parameters": f"{facts['n_parameters']:,}",
        "classes": ", ".join(model.class_names),
    }
    specification = model.spec.to_dict()
    del specification["architecture"]
    for part in (specification, model.preprocessing.to_dict()):
        rows |= {name: _text(value) for name, value in part.items()}
    if has_given_bases(model.network):
        rows["filter bases"] = "taken from the file"
    if model.temperature != 1.0:
        rows["temperature"] = f"{model.temperature:.4g}"
    if model.training is None:
        rows["training"] = f"{_NOT_RECORDED} in this file"
    else:
        record = model.training
        rows |= {
            "trained on": record.data or _NOT_RECORDED,
            "licence of the data": record.data_licence or _NOT_RECORDED,
            "sha256 of the data": record.data_sha256 or _NOT_RECORDED,
            "sources": f"{len(record.train_sources)} for training, "
            f"{len(record.validation_sources)} for validation",
            "command": record.command or _NOT_RECORDED,
            "versions": ", ".join(f"{k} {v}" for k, v in record.versions.items()) or _NOT_RECORDED,
        }
        rows |= dict(_metric_row(name, value) for name, value in record.metrics.items())
        accuracy, n = (record.metrics.get(n) for n in ("validation_accuracy", "n_validation"))
        if accuracy is not None and n and 0 <= accuracy <= 1:
            share = share_interval(round(accuracy * n), int(n))
            rows["validation accuracy"] = with_interval(share)
    if model.notes:
        rows["notes"] = " ".join(model.notes)
    rows |= _card_row(model)
    _print_facts(model.name, {name.replace("_", " "): text for name, text in rows.items()}, console)


def _print_facts(title: str, rows: Mapping[str, str], console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, title=Text(title), title_justify="left")
    table.add_column("what", style="dim", no_wrap=True)
    table.add_column("value", overflow="fold")
    for name, value in rows.items():
        table.add_row(name, Text(value))
    console.print(table)


def print_shipped(console: Console) -> None:
    """Print the models that ship, from their cards alone."""
    from attnxai.models.zoo import shipped_cards, shipped_models

    cards, files = shipped_cards(), shipped_models()
    sizes = {name: file.stat().st_size for name, file in files.items()}
    known = [cards.get(name) for name in files]
    columns = [
        text_column("name", [file.name for file in files.values()]),
        text_column("group", [card.group if card else "no card" for card in known]),
        count_column("parameters", [card.n_parameters if card else None for card in known]),
    ]
    columns += [
        text_column(
            f"{part} accuracy, %", [_accuracy(card, part) if card else "" for card in known]
        )
        for part in (VALIDATION, TEST)
    ]
    columns.append(count_column("kB", [round(size / 1e3) for size in sizes.values()]))
    console.print(render_terminal(Table(columns=tuple(columns))))
    levels = {f"{100 * known.level:g} %" for known in cards.values()}
    console.print(
        f"{len(files)} models, {sum(sizes.values()) / 1e6:.2f} MB"
        + (f"; in brackets {' and '.join(sorted(levels))} intervals over images" if levels else "")
    )


def _accuracy(card: ModelCard, part: str) -> str:
    measured = card.measured(part, ACCURACY)
    return percent(measured) if measured is not None else ""


def _card_row(model: AttentionModel) -> dict[str, str]:
    from attnxai.errors import CheckpointError
    from attnxai.models.card_file import card_path, read_card

    file = card_path(model.path) if model.path else None
    if file is None or not file.is_file():
        return {}
    try:
        same = read_card(file).sha256 == model.sha256
    except CheckpointError as error:
        return {"card": str(error)}
    return {"card": f"{file}" if same else f"{file}, of another model file: its sha256 differs"}


def _metric_row(name: str, value: float) -> tuple[str, str]:
    if name == "epoch":  # a record counts from 0, the table from 1
        return "epoch kept", f"{value + 1:g}"
    return name.replace("_", " "), _text(value)


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def print_card(measured: ModelCard, console: Console) -> None:
    """Print a card."""
    from rich.text import Text

    command = measured.command or _NOT_RECORDED
    _print_facts(measured.name, measured.facts() | {"Command": command}, console)
    metrics = metrics_table(measured)
    if metrics is not None:
        console.print(render_terminal(metrics))
    console.print(Text(measured.remarks()))
