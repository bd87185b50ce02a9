"""The report: a folder with a page, tables, a summary and figures, whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.agreement.metrics import METRICS
from attnxai.agreement.results import ALL
from attnxai.errors import OptionError
from attnxai.explanations.stack import Exposure
from attnxai.report.figures import (
    FigureText,
    draw_agreement,
    draw_all_metrics,
    draw_classes,
    draw_nulls,
    draw_sources,
    listed_maps,
    shown_explanation,
)
from attnxai.report.methods import methods_paragraph
from attnxai.report.output_folder import whole_or_nothing
from attnxai.report.page import render_template
from attnxai.report.source_panel import SourcePanel
from attnxai.report.source_svg import source_svg
from attnxai.report.verdict import Verdict, reach_verdict
from attnxai.report.wording import (
    format_interval,
    format_number,
    format_p,
    group_name,
    group_phrase,
)

if TYPE_CHECKING:
    from attnxai.agreement.results import AgreementResult
    from attnxai.alignment.pairs import AlignedPairs
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.data.images import SourceSet
    from attnxai.explanations.stack import MapStack
    from attnxai.report.provenance import Provenance

FORMAT = "attnxai-report"
FORMAT_VERSION = 1
DEFAULT_FOLDER = "attnxai-report"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportContent:
    """Everything that a report is made of.

    Parameters
    ----------
    result : AgreementResult
        The numbers.
    pairs : AlignedPairs
        What they were computed from.
    maps : MapStack
        Where the maps lie.
    annotations : AnnotationSet
        What was marked.
    images : SourceSet
        The images.
    provenance : Provenance
        How to repeat it.
    notes : tuple of str
        What was left out or assumed on the way.
    """

    result: AgreementResult
    pairs: AlignedPairs
    maps: MapStack
    annotations: AnnotationSet
    images: SourceSet
    provenance: Provenance
    notes: tuple[str, ...] = ()


def choose_folder(output: str | Path | None, *, overwrite: bool = False) -> Path:
    """Folder to write to, without ever replacing something that is not a report.

    Parameters
    ----------
    output : path or None
        The folder asked for; ``attnxai-report`` or the next free ``attnxai-report-2`` when None.
    overwrite : bool
        Replace an existing report.

    Raises
    ------
    OptionError
        If the folder exists and must not be replaced, or its parent is missing.
    """
    if output is None:
        folder, number = Path(DEFAULT_FOLDER), 1
        while folder.exists():
            number += 1
            folder = Path(f"{DEFAULT_FOLDER}-{number}")
        return folder
    folder = Path(output)
    ancestor = next(parent for parent in folder.absolute().parents if parent.exists())
    if not ancestor.is_dir() or not os.access(ancestor, os.W_OK):
        raise OptionError(f"--output {folder} cannot be made: {ancestor} is no folder to write to")
    if folder.exists():
        if not folder.is_dir():
            raise OptionError(f"--output {folder} is a file; name a folder")
        empty = not any(folder.iterdir())
        if not empty and not _is_report(folder):
            raise OptionError(
                f"--output {folder} holds other files than a report; name another folder"
            )
        if not empty and not overwrite:
            raise OptionError(
                f"--output {folder} holds a report already; name another folder or add --overwrite"
            )
    return folder


def _is_report(folder: Path) -> bool:
    summary = folder / "summary.json"
    try:
        content = json.loads(summary.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("format") == FORMAT


def write_report(
    content: ReportContent,
    folder: Path,
    *,
    on_step: Callable[[int, int], None] | None = None,
) -> Verdict:
    """Write the report.

    Parameters
    ----------
    content : ReportContent
        What to report.
    folder : Path
        Where; it appears when the report is complete.
    on_step : callable, optional
        Called with the number of finished steps and of all steps.

    Returns
    -------
    Verdict
        The words that the page begins with.
    """
    result = content.result
    verdict = reach_verdict(
        result,
        content.annotations,
        model_notes=content.provenance.model.get("notes", ()),
        copies_recognised=bool(content.provenance.model.get("copies_recognised")),
        notes=[*_split_notes(content), *content.notes, *result.notes],
    )
    steps = 7

    def done(step: int) -> None:
        if on_step is not None:
            on_step(step, steps)

    with whole_or_nothing(folder) as partial:
        figures_folder = partial / "figures"
        figures_folder.mkdir()
        figures: dict[str, FigureText] = {}
        drawers: list[Callable[[], FigureText | None]] = [
            lambda: draw_agreement(result, figures_folder),
            lambda: draw_all_metrics(result, figures_folder),
            lambda: draw_classes(result, figures_folder),
            lambda: draw_sources(
                result,
                content.pairs,
                content.maps,
                content.annotations,
                content.images,
                figures_folder,
            ),
            lambda: draw_nulls(result, figures_folder),
        ]
        for step, draw in enumerate(drawers):
            text = draw()
            if text is not None:
                figures[text.name] = text
            done(step + 1)
        result.per_source_frame().to_csv(partial / "per_source.csv", index=False)
        summary = summarise(content, verdict)
        (partial / "summary.json").write_text(
            json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        done(6)
        page = render_page(content, verdict, figures, figures_folder)
        # last, so that a folder without it is seen to be unfinished
        (partial / "index.html").write_text(page, encoding="utf-8")
        done(7)
    return verdict


def _split_notes(content: ReportContent) -> list[str]:
    """How the sources lie in their data set's published split, and whether this model heeded it."""
    counts: Mapping[str, int] = content.provenance.images["published_split"]
    if not counts:
        return []
    n = len(content.result.sources)
    in_training = counts.get("train", 0)
    seen = sum(
        group in (Exposure.TRAINING, Exposure.VALIDATION) for group in content.result.exposure
    )
    note = (
        f"{in_training} of {n} sources belong to the training part of the data set's published split "
        f"and {counts.get('test', 0)} to its test part; this model was trained or chosen on {seen} of "
        "them."
    )
    return [note]


def summarise(content: ReportContent, verdict: Verdict) -> dict[str, Any]:
    """All numbers of the report under documented keys; see docs/report.md."""
    result, provenance = content.result, content.provenance
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "verdict": {
            "headline": verdict.headline,
            "group": result.verdict_group,
            "statements": [
                {**dataclasses.asdict(s), "finding": str(s.finding)} for s in verdict.statements
            ],
            "cautions": list(verdict.cautions),
        },
        "command": provenance.command,
        "seed": provenance.seed,
        "versions": dict(provenance.versions),
        "model": dict(provenance.model) | {"accuracy": accuracy(content)},
        "annotations": dict(provenance.annotations),
        "images": dict(provenance.images),
        "sources": {
            "n": len(result.sources),
            "by_group": _counts(result.exposure),
            "by_class": _counts(name or "unknown" for name in result.classes),
        },
        "settings": dict(result.settings),
        "metrics": {
            name: {"label": METRICS[name].label, "meaning": METRICS[name].meaning}
            for name in result.metrics
        },
        "results": [estimate.to_record() for estimate in result.estimates],
        "undefined": [dataclasses.asdict(value) for value in result.undefined],
    }


def _counts(values: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for value in values:
        counts[str(value)] = counts.get(str(value), 0) + 1
    return dict(sorted(counts.items()))


def accuracy(content: ReportContent) -> dict[str, dict[str, int]]:
    """How many sources of each group the model puts into their class."""
    result, pairs = content.result, content.pairs
    if pairs.predicted is None:
        return {}
    predicted = dict(zip(pairs.sources, pairs.predicted, strict=True))
    counts: dict[str, dict[str, int]] = {}
    for source, class_name, group in zip(
        result.sources, result.classes, result.exposure, strict=True
    ):
        if class_name not in pairs.class_names:
            continue
        entry = counts.setdefault(group, {"n_right": 0, "n": 0})
        entry["n"] += 1
        entry["n_right"] += predicted[source] == class_name
    return counts


def render_page(
    content: ReportContent,
    verdict: Verdict,
    figures: Mapping[str, FigureText],
    figures_folder: Path,
) -> str:
    """The page as one HTML text that needs no other file."""
    result = content.result
    return render_template(
        "report.html",
        figures,
        figures_folder,
        result=result,
        verdict=verdict,
        provenance=content.provenance,
        annotations=content.annotations,
        accuracy=accuracy(content),
        group_phrase=group_phrase,
        group_name=group_name,
        metrics=METRICS,
        main_rows=_table_rows(result, result.verdict_group, ALL),
        group_rows=_group_rows(result),
        class_rows=_class_rows(result),
        source_rows=list(_source_rows(content)),
        shown=shown_explanation(result),
        listed=listed_maps(result),
        counts=_counts(result.exposure),
        class_counts=_counts(name or "unknown" for name in result.classes),
        methods=methods_paragraph(content),
        undefined=_undefined_counts(result),
    )


def _table_rows(result: AgreementResult, group: str, class_name: str) -> list[dict[str, Any]]:
    rows = []
    for name in result.explanations + result.baselines:
        cells = []
        for metric in result.metrics:
            try:
                estimate = result.estimate(name, metric, group=group, class_name=class_name)
            except KeyError:
                continue
            interval = estimate.interval
            test = estimate.within_class or estimate.pooled
            cells.append(
                {
                    "value": format_number(interval.value),
                    "interval": format_interval(interval),
                    "p": f"p = {format_p(test.p_value)}" if test else "",
                    "null": f"null {format_number(test.mean)}" if test else "",
                    "n": interval.n_sources,
                }
            )
        if cells:
            rows.append({"name": name, "baseline": name in result.baselines, "cells": cells})
    return rows


def _group_rows(result: AgreementResult) -> list[dict[str, Any]]:
    if len(result.groups) < 2:
        return []
    return [
        {"group": group, "rows": _table_rows(result, group, ALL)}
        for group in result.groups
        if group != result.verdict_group
    ]


def _class_rows(result: AgreementResult) -> list[dict[str, Any]]:
    return [
        {"class_name": name, "rows": rows}
        for name in result.class_names
        if name != ALL and (rows := _table_rows(result, result.verdict_group, name))
    ]


def _source_rows(content: ReportContent) -> Iterator[dict[str, Any]]:
    result, pairs = content.result, content.pairs
    shown = shown_explanation(result)
    names = result.explanations + result.baselines
    metric = result.metrics[0]
    for index, source in enumerate(result.sources):
        position = pairs.sources.index(source)
        panel = SourcePanel.of(
            source, shown, pairs, content.maps, content.annotations, content.images
        )
        values = [float(result.source_means(name, metric)[index]) for name in listed_maps(result)]
        yield {
            "source": source,
            "class_name": result.classes[index] or "unknown",
            "predicted": pairs.predicted[position] if pairs.predicted else "",
            "exposure": result.exposure[index],
            "values": [
                {"text": format_number(v), "sort": v if np.isfinite(v) else -1e9} for v in values
            ],
            "details": [
                {
                    "name": name,
                    "cells": [
                        format_number(float(result.source_means(name, m)[index]))
                        for m in result.metrics
                    ],
                }
                for name in names
            ],
            "svg": source_svg(panel, title=f"{source} with marks and contours of {shown}"),
        }


def _undefined_counts(result: AgreementResult) -> Sequence[tuple[str, int, str]]:
    counts: dict[tuple[str, str], list[str]] = {}
    for value in result.undefined:
        counts.setdefault((value.metric, value.reason), []).append(value.source)
    return [
        (f"{METRICS[metric].label}: {reason}", len(sources), ", ".join(sorted(set(sources))[:5]))
        for (metric, reason), sources in counts.items()
    ]
