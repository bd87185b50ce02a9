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
from attnxai.study.content import settings_in_words
from attnxai.study.matching import stated
from attnxai.study.tables import group_rows, history_rows, run_rows, trend_rows

if TYPE_CHECKING:
    from attnxai.report.figures import FigureText
    from attnxai.study.content import StudyContent

FORMAT = "attnxai-study-results"
FORMAT_VERSION = 1


def write_study(
    content: StudyContent,
    folder: str | Path | OutputFolder,
    *,
    on_step: Callable[[int, int], None] | None = None,
) -> None:
    """Write the results of a study.

    Parameters
    ----------
    content : StudyContent
        What to write.
    folder : path or OutputFolder
        Where; its files appear when all are complete, and replace those of earlier results.
    on_step : callable, optional
        Called with the number of finished steps and of all steps.
    """
    import pandas as pd

    drawers: list[Callable[[StudyContent, Path], FigureText | None]] = [
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
            text = draw(content, figures_folder)
            if text is not None:
                figures[text.name] = text
            if on_step is not None:
                on_step(step + 1, steps)
        for name, rows in (
            ("study", group_rows(content)),
            ("runs", run_rows(content)),
            ("history", history_rows(content)),
        ):
            write_frame(pd.DataFrame(rows), partial / f"{name}.csv")
        (partial / "study.json").write_text(
            json.dumps(record_of(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
            encoding="utf-8",
        )
        (partial / "study.md").write_text(markdown(content), encoding="utf-8")
        if on_step is not None:
            on_step(steps - 1, steps)
        # last, so that a folder without it is seen to be unfinished
        page = render_page(content, figures, figures_folder)
        (partial / "study.html").write_text(page, encoding="utf-8")
        if on_step is not None:
            on_step(steps, steps)


def record_of(content: StudyContent) -> dict[str, Any]:
    """All numbers and words of a study under documented keys; see docs/study.md."""
    summary = content.summary
    record = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "command": content.command,
        "versions": installed_versions(),
        "plan": dict(content.plan),
        "data": dataclasses.asdict(content.facts),
        "measure_on": str(content.measure_on),
        "equal": str(content.equal),
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
            for hypothesis in content.hypotheses
        ],
        "cautions": list(content.cautions),
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
        "groups": group_rows(content),
        "trends": trend_rows(content),
        "runs": run_rows(content),
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
    content: StudyContent, figures: Mapping[str, FigureText], figures_folder: Path
) -> str:
    """The page as one HTML text that needs no other file."""
    return render_template(
        "study.html",
        figures,
        figures_folder,
        summary=content.summary,
        hypotheses=content.hypotheses,
        cautions=content.cautions,
        facts=content.facts,
        equal=content.equal,
        equal_stated=stated(content.equal),
        measure_on=content.measure_on,
        command=content.command,
        training=settings_in_words(content.plan.get("training", {})),
        tables=reader_tables(content),
        trends=trends_table(content),
        footnotes=footnotes(content),
        runs=run_rows(content),
        versions=installed_versions(),
    )
