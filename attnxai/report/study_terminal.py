"""A study as a terminal shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnxai.report.tables.study import main_table
from attnxai.report.tables.text import render_terminal

if TYPE_CHECKING:
    from rich.console import Console

    from attnxai.study.results import StudyResult


def print_study(result: StudyResult, console: Console) -> None:
    """Print the main numbers, the hypotheses and what limits them."""
    from rich.text import Text

    console.print(render_terminal(main_table(result)))
    for hypothesis in result.hypotheses:
        console.print()
        console.print(
            Text(f"({hypothesis.letter}) {hypothesis.statement} {hypothesis.lead}", style="bold")
        )
        for text in (hypothesis.details, hypothesis.trend_text):
            if text:
                console.print(Text(text))
    console.print()
    for caution in result.cautions:
        console.print(Text(f"- {caution}"))
