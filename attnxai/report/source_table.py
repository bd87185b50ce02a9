"""The table of all sources, with a panel for each that opens."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.alignment.labels import labels_in_use
from attnxai.report.page_tables import metrics_table
from attnxai.report.rounding import source_decimals
from attnxai.report.shown_maps import listed_maps, shown_explanation
from attnxai.report.source_panel import SourcePanel
from attnxai.report.source_svg import LABEL_DASHES, LABEL_MARKERS, source_svg
from attnxai.report.style import ANNOTATOR_COLOURS, colours_of
from attnxai.report.wording import group_name, label_of_map
from attnxai.statistics.formats import format_number

if TYPE_CHECKING:
    from attnxai.agreement.results import AgreementResult
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.data.images import SourceSet
    from attnxai.report.content import ModelPart, ReportContent
    from attnxai.report.tables.table import Table

_LAST = -1e9  # sorts what has no value below what has


def legend_of_marks(content: ReportContent) -> dict[str, Any]:
    """Colours of the annotators, and markers and lines of the labels that are in use."""
    annotators = dict.fromkeys(name for part in content.parts for name in part.pairs.annotators)
    labels = labels_in_use(content.annotations)
    return {
        "annotators": colours_of(list(annotators), ANNOTATOR_COLOURS),
        "labels": {str(label): (LABEL_MARKERS[label], LABEL_DASHES[label]) for label in labels},
    }


def source_headings(content: ReportContent) -> list[str]:
    """Columns of the table of all sources after id and class."""
    if len(content.parts) > 1:
        return [
            f"{part.name}: {label_of_map(shown_explanation(part.result))}" for part in content.parts
        ]
    predicted = ["Predicted"] if content.parts[0].pairs.predicted else []
    return [*predicted, "Split", *map(label_of_map, listed_maps(content.parts[0].result))]


def panel_maps(content: ReportContent) -> dict[str, str]:
    """Labels of all maps that panels of sources can show, by name; the one of the verdict on the first model first."""
    shown = shown_explanation(content.parts[0].result)
    names = [name for part in content.parts for name in part.result.explanations]
    return {name: label_of_map(name) for name in dict.fromkeys([shown, *names])}


def source_rows(content: ReportContent) -> Iterator[dict[str, Any]]:
    """A row for every source that is shown, with a panel for every model that opens."""
    first, several = content.parts[0], len(content.parts) > 1
    limits = {part.name: _map_limits(part) for part in content.parts}
    marks = {
        source: dataclasses.replace(content.annotations, annotations=tuple(found))
        for source, found in content.annotations.by_source().items()
    }
    sources = dict.fromkeys(source for part in content.parts for source in part.shown.sources)
    identifiers: set[str] = set()
    metrics = first.result.metrics
    decimals = {metric: source_decimals(content.results, metric) for metric in metrics}
    for source in sorted(sources):
        parts = [part for part in content.parts if source in part.shown.sources]
        owner = first if first in parts else parts[0]
        index = owner.result.sources.index(source)
        yield {
            "source": source,
            "id": identifier_of(source, identifiers),
            "class_name": owner.result.classes[index] or "unknown",
            "split": owner.result.splits[index],
            "cells": _several_cells(content.parts, source, decimals[owner.result.metrics[0]])
            if several
            else _single_cells(owner, index, decimals[owner.result.metrics[0]]),
            "panels": [
                {
                    "model": part.name,
                    "svg": _pictures(
                        marks[source], content.images, part, source, limits[part.name]
                    ),
                    "table": _details(part, source, part.name if several else "Map", decimals),
                }
                for part in parts
            ],
        }


def identifier_of(source: str, taken: set[str]) -> str:
    """What an address of the page ends with for a source, which is taken then."""
    plain = re.sub(r"[^\w.+-]", "_", source)
    found = next(
        name
        for name in (f"source-{plain}{f'_{n}' if n else ''}" for n in itertools.count())
        if name not in taken
    )
    taken.add(found)
    return found


def _map_limits(part: ModelPart) -> dict[str, tuple[float, float]]:
    """Least and greatest value of every map over the sources that are shown."""
    valid = part.shown.valid
    found = {name: part.shown.explanations[name][valid] for name in part.result.explanations}
    return {name: (float(values.min()), float(values.max())) for name, values in found.items()}


def _pictures(
    annotations: AnnotationSet,
    images: SourceSet,
    part: ModelPart,
    source: str,
    limits: Mapping[str, tuple[float, float]],
) -> str:
    """The pictures of a source, with the map of the verdict on the model first."""
    shown = shown_explanation(part.result)
    panel = SourcePanel.of(source, shown, part.shown, part.maps, annotations, images)
    position = part.shown.sources.index(source)
    panels = {
        name: dataclasses.replace(panel, attention=part.shown.explanations[name][position])
        for name in dict.fromkeys([shown, *part.result.explanations])
    }
    return source_svg(
        panels, limits=limits, title=f"{source} with annotations and the maps of {part.name}"
    )


def _single_cells(part: ModelPart, index: int, decimals: int) -> list[dict[str, Any]]:
    result, pairs = part.result, part.pairs
    position = pairs.sources.index(result.sources[index])
    split = result.splits[index]
    return [
        *([_sortable(pairs.predicted[position])] if pairs.predicted else []),
        _sortable(group_name(split), split),
        *(_value_cell(result, name, index, decimals) for name in listed_maps(result)),
    ]


def _several_cells(parts: Sequence[ModelPart], source: str, decimals: int) -> list[dict[str, Any]]:
    cells = []
    for part in parts:
        result, pairs = part.result, part.pairs
        if source not in result.sources:
            cells.append(_sortable("–", _LAST))
            continue
        index = result.sources.index(source)
        small = group_name(result.splits[index])
        if pairs.predicted:
            small += f", {pairs.predicted[pairs.sources.index(source)]}"
        cells.append(
            _value_cell(result, shown_explanation(result), index, decimals) | {"small": small}
        )
    return cells


def _value_cell(result: AgreementResult, name: str, index: int, decimals: int) -> dict[str, Any]:
    value = float(result.source_means(name, result.metrics[0])[index])
    return _sortable(format_number(value, decimals), value if np.isfinite(value) else _LAST)


def _sortable(text: str, sort: str | float | None = None) -> dict[str, Any]:
    """A cell of the table of all sources, what it is sorted by, and a small line below it."""
    return {"text": text, "sort": text if sort is None else sort, "small": ""}


def _details(part: ModelPart, source: str, heading: str, decimals: Mapping[str, int]) -> Table:
    """All numbers of one source."""
    result = part.result
    index = result.sources.index(source)
    rows = [
        (
            (label_of_map(name),),
            [
                (format_number(float(result.source_means(name, metric)[index]), decimals[metric]),)
                for metric in result.metrics
            ],
        )
        for name in result.explanations + result.baselines
    ]
    return metrics_table("", result.metrics, rows, heading=heading)
