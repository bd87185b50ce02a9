"""The folder of a study's results (tables, figures, numbers and a page), and what a terminal shows of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.report.page import write_results
from attnxai.report.provenance import installed_versions
from attnxai.report.study_figures import (
    draw_agreement_of_maps,
    draw_curves,
    draw_epochs,
    draw_metrics,
)
from attnxai.report.tables.study import footnotes, main_table, markdown, reader_tables, trends_table
from attnxai.report.tables.text import render_terminal
from attnxai.study.matching import stated
from attnxai.study.tables import group_rows, history_rows, run_rows, trend_rows

if TYPE_CHECKING:
    from rich.console import Console

    from attnxai.jobs.output_folder import OutputFolder
    from attnxai.study.results import StudyResult

FORMAT = "attnxai-study-results"
FORMAT_VERSION = 1


def write_study(
    result: StudyResult,
    folder: str | Path | OutputFolder,
    *,
    on_step: Callable[[int, int], None] | None = None,
) -> None:
    """Write the results of a study, in place of earlier ones."""
    write_results(
        folder,
        what="study",
        template="study.html",
        drawers=[
            partial(draw, result)
            for draw in (draw_epochs, draw_curves, draw_metrics, draw_agreement_of_maps)
        ],
        files=lambda _: _files(result),
        values=lambda: _values(result),
        on_step=on_step,
    )


def _files(result: StudyResult) -> dict[str, Any]:
    import pandas as pd

    return {
        "study.csv": pd.DataFrame(group_rows(result)),
        "runs.csv": pd.DataFrame(run_rows(result)),
        "history.csv": pd.DataFrame(history_rows(result)),
        "study.json": record_of(result),
        "study.md": markdown(result),
    }


def record_of(result: StudyResult) -> dict[str, Any]:
    """All numbers and words of a study under documented keys; see docs/explanation/study.md."""
    summary = result.summary
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "command": result.command,
        "versions": installed_versions(),
        "plan": result.plan.to_dict(),
        "data": dataclasses.asdict(result.facts),
        "measure_on": result.plan.measuring.measure_on,
        "equal": result.plan.equal,
        "baseline": summary.baseline,
        "seeds": list(summary.seeds),
        "reference_loss": summary.reference,
        "reference_loss_given": summary.reference_given,
        "horizon": summary.horizon,
        "agreement_sources": {name: list(sources) for name, sources in summary.sources.items()},
        "agreement_left_out": dict(summary.left_out),
        "hypotheses": [dataclasses.asdict(hypothesis) for hypothesis in result.hypotheses],
        "cautions": list(result.cautions),
        "quantities": [
            {name: getattr(q, name) for name in ("name", "label", "kind", "better", "meaning")}
            for q in summary.quantities
        ],
        "groups": group_rows(result),
        "trends": trend_rows(result),
        "runs": run_rows(result),
    }


def _values(result: StudyResult) -> dict[str, Any]:
    """Values for the template."""
    return {
        "summary": result.summary,
        "hypotheses": result.hypotheses,
        "cautions": result.cautions,
        "facts": result.facts,
        "equal": result.plan.equal,
        "equal_stated": stated(result.plan.equal),
        "measure_on": result.plan.measuring.measure_on,
        "command": result.command,
        "training": {
            name.replace("_", " "): _in_words(value)
            for name, value in result.plan.to_dict()["training"].items()
        },
        "tables": reader_tables(result),
        "trends": trends_table(result),
        "footnotes": footnotes(result),
        "runs": run_rows(result),
        "versions": installed_versions(),
    }


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


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
