"""The folder of a study's results: tables, figures, numbers and one self-contained page."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.data.csv_table import write_frame
from attnxai.jobs.output_folder import OutputFolder, output_folder
from attnxai.report.page import render_template
from attnxai.report.provenance import installed_versions
from attnxai.report.study_figures import (
    draw_agreement_of_gates,
    draw_curves,
    draw_epochs,
    draw_metrics,
)
from attnxai.report.tables.study import footnotes, markdown, reader_tables, trends_table
from attnxai.study.matching import stated
from attnxai.study.tables import group_rows, history_rows, run_rows, trend_rows

if TYPE_CHECKING:
    from attnxai.report.figures import FigureText
    from attnxai.study.results import StudyResult

FORMAT = "attnxai-study-results"
FORMAT_VERSION = 1


def write_study(
    result: StudyResult,
    folder: str | Path | OutputFolder,
    *,
    on_step: Callable[[int, int], None] | None = None,
) -> None:
    """Write the results of a study."""
    import pandas as pd

    drawers: list[Callable[[StudyResult, Path], FigureText | None]] = [
        draw_epochs,
        draw_curves,
        draw_metrics,
        draw_agreement_of_gates,
    ]
    steps = len(drawers) + 2
    with (
        output_folder(folder, what="study", overwrite=True) as output,
        output.writing() as partial,
    ):
        figures_folder = partial / "figures"
        figures_folder.mkdir()
        figures: dict[str, FigureText] = {}
        for step, draw in enumerate(drawers):
            text = draw(result, figures_folder)
            if text is not None:
                figures[text.name] = text
            if on_step is not None:
                on_step(step + 1, steps)
        for name, rows in (
            ("study", group_rows(result)),
            ("runs", run_rows(result)),
            ("history", history_rows(result)),
        ):
            write_frame(pd.DataFrame(rows), partial / f"{name}.csv")
        (partial / "study.json").write_text(
            json.dumps(record_of(result), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
            encoding="utf-8",
        )
        (partial / "study.md").write_text(markdown(result), encoding="utf-8")
        if on_step is not None:
            on_step(steps - 1, steps)
        # last, so that a folder without it is seen to be unfinished
        page = render_page(result, figures, figures_folder)
        (partial / "index.html").write_text(page, encoding="utf-8")
        if on_step is not None:
            on_step(steps, steps)


def record_of(result: StudyResult) -> dict[str, Any]:
    """All numbers and words of a study under documented keys; see docs/study.md."""
    summary = result.summary
    record = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "command": result.command,
        "versions": installed_versions(),
        "plan": result.plan.to_dict(),
        "data": dataclasses.asdict(result.facts),
        "measure_on": str(result.plan.measuring.measure_on),
        "equal": str(result.plan.equal),
        "baseline": summary.baseline,
        "seeds": list(summary.seeds),
        "reference_loss": summary.reference,
        "reference_loss_given": summary.reference_given,
        "horizon": summary.horizon,
        "agreement_sources": {name: list(sources) for name, sources in summary.sources.items()},
        "agreement_left_out": dict(summary.left_out),
        "hypotheses": [
            {
                **dataclasses.asdict(hypothesis),
                "outcome": str(hypothesis.outcome),
                "trends": {name: str(outcome) for name, outcome in hypothesis.trends.items()},
            }
            for hypothesis in result.hypotheses
        ],
        "cautions": list(result.cautions),
        "quantities": [
            {
                "name": q.name,
                "label": q.label,
                "kind": str(q.kind),
                "better": int(q.better),
                "meaning": q.meaning,
            }
            for q in summary.quantities
        ],
        "groups": group_rows(result),
        "trends": trend_rows(result),
        "runs": run_rows(result),
    }
    finite: dict[str, Any] = _finite(record)
    return finite


def _finite(value: Any) -> Any:
    """The same with None for every number that is not finite."""
    if isinstance(value, Mapping):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def render_page(
    result: StudyResult, figures: Mapping[str, FigureText], figures_folder: Path
) -> str:
    """The page as one HTML text that needs no other file."""
    return render_template(
        "study.html",
        figures,
        figures_folder,
        summary=result.summary,
        hypotheses=result.hypotheses,
        cautions=result.cautions,
        facts=result.facts,
        equal=result.plan.equal,
        equal_stated=stated(result.plan.equal),
        measure_on=result.plan.measuring.measure_on,
        command=result.command,
        training=settings_in_words(result.plan.to_dict()["training"]),
        tables=reader_tables(result),
        trends=trends_table(result),
        footnotes=footnotes(result),
        runs=run_rows(result),
        versions=installed_versions(),
    )


def settings_in_words(settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings of a training as a reader meets them: words for names, on and off, short numbers."""
    return {name.replace("_", " "): _in_words(value) for name, value in settings.items()}


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
