"""A model card as a terminal shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnxai.report.model_card import metrics_table
from attnxai.report.tables.text import render_terminal

if TYPE_CHECKING:
    from rich.console import Console

    from attnxai.models.cards import ModelCard


def print_card(measured: ModelCard, console: Console) -> None:
    """Print a card."""
    from rich.table import Table
    from rich.text import Text

    facts = Table(show_header=False, title=Text(measured.name), title_justify="left")
    facts.add_column("what", style="dim", no_wrap=True)
    facts.add_column("value", overflow="fold")
    for name, value in measured.facts().items():
        facts.add_row(name, Text(value))
    facts.add_row("Command", Text(measured.command or "not recorded"))
    console.print(facts)
    metrics = metrics_table(measured)
    if metrics is not None:
        console.print(render_terminal(metrics))
    console.print(Text(measured.remarks()))
