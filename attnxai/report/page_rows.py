"""Rows of the tables in the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.agreement.results import ALL
from attnxai.metrics import METRICS
from attnxai.report.figures import listed_maps, shown_explanation
from attnxai.report.findings import MISCALIBRATED
from attnxai.report.source_panel import SourcePanel
from attnxai.report.source_svg import source_svg
from attnxai.report.wording import group_name, n_beside
from attnxai.statistics.formats import (
    format_interval,
    format_number,
    format_p,
    format_share,
    format_value,
    p_equals,
)

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate
    from attnxai.agreement.results import AgreementResult
    from attnxai.report.content import ModelPart, ReportContent
    from attnxai.statistics.interval import Interval


NOISE_CEILING = "noise ceiling"


def estimate_rows(result: AgreementResult, group: str, class_name: str) -> list[dict[str, Any]]:
    """A row for every map and baseline, a cell for every metric."""
    found: dict[str, list[Estimate]] = {}
    for estimate in result.estimates:
        if (estimate.group, estimate.class_name) == (group, class_name):
            found.setdefault(estimate.explanation, []).append(estimate)
    most = most_sources(result, group, class_name)
    rows = [
        {
            "name": name,
            "baseline": name in result.baselines,
            "cells": [_cell(estimate, most) for estimate in estimates],
        }
        for name, estimates in found.items()
    ]
    ceilings = [
        noise_ceiling_cell(result, metric, group=group, class_name=class_name, most=most)
        for metric in result.metrics
    ]
    if rows and any(ceilings):
        rows.append({"name": NOISE_CEILING, "baseline": True, "cells": ceilings})
    return rows


def most_sources(result: AgreementResult, group: str, class_name: str) -> int:
    """The largest number of sources that an estimate of this group and class rests on."""
    return max(
        (
            e.interval.n_units
            for e in result.estimates
            if (e.group, e.class_name) == (group, class_name)
        ),
        default=0,
    )


def _lines(interval: Interval, most: int) -> list[str]:
    return [line for line in (format_interval(interval), n_beside(interval, most)) if line]


def noise_ceiling_cell(
    result: AgreementResult, metric: str, *, group: str, class_name: str, most: int
) -> dict[str, Any]:
    """The noise ceiling: each annotator against the others, and the consensus against each."""
    ceiling = result.noise_ceiling(metric, group=group, class_name=class_name)
    if ceiling is None:
        return {}
    return {
        "value": f"{format_value(ceiling.lower, 3)} to {format_value(ceiling.upper, 3)}",
        "lines": _lines(ceiling.lower, most),
    }


def _cell(estimate: Estimate, most: int) -> dict[str, Any]:
    lines = _lines(estimate.interval, most)
    test = estimate.test
    if test is not None:
        lines += [f"null {format_number(test.mean)}", p_equals(test.p_value)]
        if estimate.n_family > 1 and estimate.p_adjusted is not None:
            lines.append(f"adjusted {format_p(estimate.p_adjusted)}")
    share = estimate.share_of_noise_ceiling
    if share is not None and np.isfinite(share.of_lower.value):
        lines.append(f"{format_share(share.of_lower.value)} of the ceiling")
    for further in estimate.further:
        if further.test is not None:
            mark = " *" if (further.rejections_pairing_broken or 0.0) >= MISCALIBRATED else ""
            lines.append(f"{further.null} {p_equals(further.test.p_value)}{mark}")
    return {"value": format_value(estimate.interval, 3), "lines": lines}


def other_groups(result: AgreementResult) -> list[dict[str, Any]]:
    """Tables of the groups that no verdict rests on."""
    return [
        {"group": group, "rows": estimate_rows(result, group, ALL)}
        for group in result.groups
        if group != result.verdict_group
    ]


def class_tables(result: AgreementResult) -> list[dict[str, Any]]:
    """Tables of single classes."""
    return [
        {"class_name": name, "rows": rows}
        for name in result.class_names
        if name != ALL and (rows := estimate_rows(result, result.verdict_group, name))
    ]


def brightness_rows(result: AgreementResult) -> list[dict[str, str]]:
    """The partial rank correlation of every map, controlling for brightness."""
    rows = []
    most = most_sources(result, result.verdict_group, ALL)
    for name in result.explanations:
        partial = result.partial_correlation(name)
        rows.append(
            {
                "name": name,
                "value": format_value(partial.interval, 3),
                "interval": ", ".join(_lines(partial.interval, most)),
                "controlling_for": ", ".join(partial.controlling_for),
            }
        )
    return rows


def source_headings(content: ReportContent) -> list[str]:
    """Columns of the table of all sources after id and class."""
    if len(content.parts) > 1:
        return [f"{part.name}: {shown_explanation(part.result)}" for part in content.parts]
    return ["Predicted", "Group", *listed_maps(content.parts[0].result)]


def source_rows(content: ReportContent) -> Iterator[dict[str, Any]]:
    """A row for every source, with a panel that opens."""
    first = content.parts[0]
    shown = shown_explanation(first.result)
    sources = dict.fromkeys(source for part in content.parts for source in part.result.sources)
    for source in sorted(sources):
        parts = [part for part in content.parts if source in part.result.sources]
        owner = first if first in parts else parts[0]
        panel = SourcePanel.of(
            source, shown, owner.pairs, owner.maps, content.annotations, content.images
        )
        index = owner.result.sources.index(source)
        yield {
            "source": source,
            "class_name": owner.result.classes[index] or "unknown",
            "split": owner.result.splits[index],
            "cells": _several_cells(content.parts, source)
            if len(content.parts) > 1
            else _single_cells(owner, index),
            "details": [
                {"model": part.name, "rows": _details(part.result, source)} for part in parts
            ],
            "svg": source_svg(
                panel, title=f"{source} with annotations and contours of {shown} of {owner.name}"
            ),
        }


def _single_cells(part: ModelPart, index: int) -> list[dict[str, Any]]:
    result, pairs = part.result, part.pairs
    position = pairs.sources.index(result.sources[index])
    predicted = pairs.predicted[position] if pairs.predicted else ""
    metric = result.metrics[0]
    return [
        {"text": predicted, "sort": predicted, "small": ""},
        {
            "text": group_name(result.splits[index]),
            "sort": result.splits[index],
            "small": "",
        },
        *(
            _value_cell(float(result.source_means(name, metric)[index]))
            for name in listed_maps(result)
        ),
    ]


def _several_cells(parts: Sequence[ModelPart], source: str) -> list[dict[str, Any]]:
    cells = []
    for part in parts:
        result = part.result
        if source not in result.sources:
            cells.append({"text": "–", "sort": -1e9, "small": ""})
            continue
        index = result.sources.index(source)
        name = shown_explanation(result)
        predicted = ""
        if part.pairs.predicted:
            predicted = f", {part.pairs.predicted[part.pairs.sources.index(source)]}"
        cells.append(
            _value_cell(float(result.source_means(name, result.metrics[0])[index]))
            | {"small": f"{group_name(result.splits[index])}{predicted}"}
        )
    return cells


def _value_cell(value: float) -> dict[str, Any]:
    return {
        "text": format_number(value),
        "sort": value if np.isfinite(value) else -1e9,
        "small": "",
    }


def _details(result: AgreementResult, source: str) -> list[dict[str, Any]]:
    index = result.sources.index(source)
    return [
        {
            "name": name,
            "cells": [
                format_number(float(result.source_means(name, metric)[index]))
                for metric in result.metrics
            ],
        }
        for name in result.explanations + result.baselines
    ]


def contrast_rows(content: ReportContent) -> list[dict[str, Any]]:
    """Differences between models: a row a map and pair, a cell a metric."""
    if not content.contrasts:
        return []
    rows = []
    for index, (name, first, second) in enumerate(content.contrasts[0].keys):
        cells = []
        for contrasts in content.contrasts:
            contrast = contrasts.contrasts.contrasts[index]
            most = max(c.n_sources for c in content.contrasts[0].contrasts.contrasts)
            cells.append(
                {
                    "value": format_value(contrast.interval, 3),
                    "lines": [
                        *_lines(contrast.interval, most),
                        p_equals(contrast.p_value),
                        f"adjusted {format_p(contrast.p_adjusted)}",
                        *(
                            [f"other annotators {format_p(contrast.p_others_adjusted)}"]
                            if contrast.p_others_adjusted is not None
                            else []
                        ),
                    ],
                }
            )
        rows.append({"name": f"{name}: {first} − {second}", "baseline": False, "cells": cells})
    return rows


def undefined_counts(parts: Sequence[ModelPart]) -> list[tuple[str, int, str]]:
    """Undefined values by model, metric and reason: how many, and examples."""
    counts: dict[tuple[str, str, str], list[str]] = {}
    for part in parts:
        for value in part.result.undefined:
            key = (part.name if len(parts) > 1 else "", value.metric, value.reason)
            counts.setdefault(key, []).append(value.source)
    return [
        (
            f"{f'{model}, ' if model else ''}{METRICS[metric].label}: {reason}",
            len(sources),
            ", ".join(sorted(set(sources))[:5]),
        )
        for (model, metric, reason), sources in counts.items()
    ]
