"""Model cards as Markdown, and their table of metrics."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from attnxai.models.cards import P_IF_CALIBRATED
from attnxai.report.tables.table import Table, text_column
from attnxai.report.tables.text import markdown_text, render_markdown
from attnxai.statistics.formats import format_p, with_interval

if TYPE_CHECKING:
    from attnxai.models.cards import ModelCard
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
    for name, part in card.parts.items():
        counts = [part.n_images, *(part.n_by_class.get(label, 0) for label in card.class_names)]
        numbers = [_number(metric, part.values[metric]) for metric in metrics]
        columns.append(text_column(name, [*map(str, counts), *numbers], to_the_right=True))
    return Table(columns=tuple(columns))


def _number(metric: str, interval: Interval) -> str:
    return format_p(interval.value) if metric == P_IF_CALIBRATED else with_interval(interval, 3)


def percent(interval: Interval) -> str:
    """A share in per cent with its interval, without the sign."""
    scaled = {end: 100 * getattr(interval, end) for end in ("value", "low", "high")}
    return with_interval(dataclasses.replace(interval, **scaled), 1)


def code_block(text: str, language: str = "sh") -> list[str]:
    """Lines of a Markdown block that shows a text to the letter, whatever it holds."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(_SHORTEST_FENCE, longest + 1)
    return [f"{fence}{language}", *text.splitlines(), fence]
