"""The report: a folder with a page, tables, a summary and figures, whole or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attnxai.agreement.results import ALL
from attnxai.data.csv_table import write_frame
from attnxai.jobs.output_folder import OutputFolder, output_folder
from attnxai.metrics import METRICS
from attnxai.report.content import ModelPart, ReportContent, counts_of
from attnxai.report.figures import (
    FigureText,
    draw_agreement,
    draw_all_metrics,
    draw_classes,
    draw_contrasts,
    draw_nulls,
    draw_sources,
)
from attnxai.report.methods import methods_paragraph
from attnxai.report.page import render_template
from attnxai.report.page_rows import (
    brightness_rows,
    class_tables,
    contrast_rows,
    estimate_rows,
    most_sources,
    other_groups,
    source_headings,
    source_rows,
    undefined_counts,
)
from attnxai.report.sentences import say
from attnxai.report.summary import per_source_table, summarise
from attnxai.report.tables.annotators import annotators_table
from attnxai.report.tables.latex_text import escape
from attnxai.report.verdict import Verdict, reach_verdict
from attnxai.report.wording import group_name, group_phrase, n_beside, n_words, strata_words

if TYPE_CHECKING:
    from typing import Any

    from attnxai.agreement.model_comparison.comparison import Comparison
    from attnxai.agreement.results import AgreementResult

__all__ = ["ModelPart", "ReportContent", "write_content", "write_report"]


def write_report(
    compared: AgreementResult | Sequence[AgreementResult] | Comparison,
    folder: str | Path | OutputFolder,
    *,
    images_name: str | None = None,
    notes: Sequence[str] = (),
    command: str = "",
    overwrite: bool = False,
    on_step: Callable[[int, int], None] | None = None,
) -> Verdict:
    """Write the report of a comparison.

    Parameters
    ----------
    compared : AgreementResult, sequence of AgreementResult, or Comparison
        From :func:`attnxai.compare` or :func:`attnxai.compare_models`.
    folder : path or OutputFolder
        Where; its files appear when the report is complete.
    images_name : str, optional
        What to call the images; where they come from when left out.
    notes : sequence of str
        What was left out or assumed on the way, for the cautions.
    command : str
        The command that made it, if one did.
    overwrite : bool
        Replace the files of a report that lies there; other files stay.
    on_step : callable, optional
        Called with the number of finished steps and of all steps.

    Returns
    -------
    Verdict
        The words that the page begins with.

    Raises
    ------
    OptionError
        If the folder holds other files than a report, or a report that should not be replaced, or a result
        does not carry what the page shows.
    OutputError
        If the report cannot be written, as when a disk is full.
    """
    content = ReportContent.of(compared, images_name=images_name, notes=notes, command=command)
    return write_content(content, folder, overwrite=overwrite, on_step=on_step)


def write_content(
    content: ReportContent,
    folder: str | Path | OutputFolder,
    *,
    overwrite: bool = False,
    on_step: Callable[[int, int], None] | None = None,
) -> Verdict:
    """Write a report of content that was gathered before; see :func:`write_report`."""
    verdict = reach_verdict(
        content.results,
        content.annotations,
        contrasts=content.contrasts[0] if content.contrasts else None,
        copies_recognised=[
            bool(model.get("copies_recognised")) for model in content.provenance.models
        ],
        notes=content.limits(),
    )
    n_done = 0

    def done() -> None:
        nonlocal n_done
        n_done += 1
        if on_step is not None:
            on_step(n_done, n_steps)

    with (
        output_folder(folder, what="report", overwrite=overwrite) as output,
        output.writing() as partial,
    ):
        figures_folder = partial / "figures"
        figures_folder.mkdir()
        figures: dict[str, FigureText] = {}
        drawers = _drawers(content, figures_folder)
        n_steps = len(drawers) + 2
        for draw in drawers:
            text = draw()
            if text is not None:
                figures[text.name] = text
            done()
        write_frame(per_source_table(content), partial / "per_source.csv")
        summary = summarise(content, verdict)
        _write(partial / "summary.json", _json_text(summary))
        _write(partial / "agreement.tex", _latex(content))
        done()
        page = render_page(content, verdict, figures, figures_folder)
        # last, so that a folder without it is seen to be unfinished
        _write(partial / "index.html", page)
        done()
    return verdict


def _json_text(summary: Mapping[str, Any]) -> str:
    """JSON that any reader takes: what :func:`_write` puts for a byte that is no UTF-8 is text there too."""
    text = json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
    return re.sub("[\ud800-\udfff]", lambda half: f"\\\\u{ord(half[0]):x}", text)


def _write(path: Path, text: str) -> None:
    # names of files may hold bytes that are no UTF-8, which Python keeps as halves of surrogate pairs
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def _drawers(content: ReportContent, folder: Path) -> list[Callable[[], FigureText | None]]:
    results = content.results
    drawers: list[Callable[[], FigureText | None]] = [
        lambda: draw_agreement(results, folder),
        lambda: draw_all_metrics(results, folder),
    ]
    if content.contrasts:
        drawers.append(lambda: draw_contrasts(content.contrasts[0], folder))
    for part, suffix in zip(content.parts, _suffixes(content), strict=True):
        drawers += [
            lambda part=part, suffix=suffix: draw_classes(  # type: ignore[misc]
                part.result, folder, suffix=suffix
            ),
            lambda part=part, suffix=suffix: draw_sources(  # type: ignore[misc]
                part.result,
                part.pairs,
                part.maps,
                content.annotations,
                content.images,
                folder,
                suffix=suffix,
            ),
            lambda part=part, suffix=suffix: draw_nulls(  # type: ignore[misc]
                part.result, folder, suffix=suffix
            ),
        ]
    return drawers


def _suffixes(content: ReportContent) -> list[str]:
    """What the names of a model's figures end with: nothing for a single model, else its number."""
    n = len(content.parts)
    return [""] if n == 1 else [f"-{number}" for number in range(1, n + 1)]


def _latex(content: ReportContent) -> str:
    """The main table of every model, and the differences between them."""
    tables = [f"% {escape(part.name)}\n{part.result.to_latex()}" for part in content.parts]
    tables += [f"% differences\n{contrasts.to_latex()}" for contrasts in content.contrasts[:1]]
    return "\n".join(tables)


def render_page(
    content: ReportContent,
    verdict: Verdict,
    figures: Mapping[str, FigureText],
    figures_folder: Path,
) -> str:
    """The page as one HTML text that needs no other file."""
    first = content.parts[0].result
    return render_template(
        "report.html",
        figures,
        figures_folder,
        first=first,
        parts=[
            _part_values(part, facts, suffix)
            for part, facts, suffix in zip(
                content.parts, content.provenance.models, _suffixes(content), strict=True
            )
        ],
        verdict=verdict,
        provenance=content.provenance,
        annotations=content.annotations,
        group_phrase=group_phrase,
        group_name=group_name,
        metrics=METRICS,
        words=_introductions(content),
        contrast_rows=contrast_rows(content),
        contrasts=content.contrasts,
        headings=source_headings(content),
        source_rows=list(source_rows(content)),
        methods=methods_paragraph(content),
        undefined=undefined_counts(content.parts),
    )


def _introductions(content: ReportContent) -> dict[str, str]:
    """What stands before the tables of the page."""
    first = content.parts[0].result
    level = first.settings["level"]
    stratified = any(e.within_strata is not None for e in first.estimates)
    strata = strata_words(first.settings["strata"])
    words = {
        "cells": say(
            "page.cells",
            annotators=say("methods.and_annotators") if len(first.annotators) > 1 else "",
            level=level,
            sources=say("caption.permuted.strata", strata=strata)
            if stratified
            else say("caption.permuted.any"),
            n=say("page.cells.n") if _fewer_somewhere(first) else "",
            nulls=say("page.cells.nulls") if first.settings["nulls"] else "",
            ceiling=say("page.cells.ceiling") if first.noise_ceilings else "",
        ),
        "partial": say("page.partial"),
        "annotators": say("page.annotators"),
    }
    if content.contrasts:
        contrasts = content.contrasts[0]
        words["models"] = say(
            "page.models",
            n=n_words(contrast.n_sources for contrast in contrasts.contrasts.contrasts),
            group=group_phrase(contrasts.group),
            level=contrasts.contrasts.level,
            others=say("page.models.others") if first.noise_ceilings else "",
        )
    return words


def _fewer_somewhere(result: AgreementResult) -> bool:
    most = most_sources(result, result.verdict_group, ALL)
    return any(
        n_beside(estimate.interval, most)
        for estimate in result.estimates
        if (estimate.group, estimate.class_name) == (result.verdict_group, ALL)
    )


def _part_values(part: ModelPart, facts: Mapping[str, Any], suffix: str) -> dict[str, Any]:
    result = part.result
    return {
        "result": result,
        "facts": facts,
        "suffix": suffix,
        "accuracy": part.accuracy(),
        "counts": counts_of(result.splits),
        "n": most_sources(result, result.verdict_group, ALL)
        or result.splits.count(result.verdict_group),
        "class_counts": counts_of(name or "unknown" for name in result.classes),
        "main_rows": estimate_rows(result, result.verdict_group, ALL),
        "groups": other_groups(result),
        "classes": class_tables(result),
        "brightness": brightness_rows(result),
        "annotators": annotators_table(result.annotator_agreement)
        if result.annotator_agreement
        else None,
    }
