"""What a report says of the annotators: who disagrees with whom, and whether they agree with themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.metrics import METRICS
from attnxai.report.sentences.say import say
from attnxai.report.tables.table import Table, text_table
from attnxai.statistics.formats import (
    decimals_together,
    format_interval,
    format_number,
    format_value,
)

if TYPE_CHECKING:
    from attnxai.agreement.estimates import SelfConsistency
    from attnxai.agreement.results import AgreementResult
    from attnxai.report.content import ReportContent
    from attnxai.statistics.interval import Interval


def consensus_words(result: AgreementResult) -> str:
    """How annotators were combined into one target, to follow their number; empty where they were not."""
    rule = result.settings["consensus"]
    return say("page.consensus", rule=say(f"consensus.{rule}")) if rule else ""


MOST_COLUMNS = 8
"""Annotators of a matrix; of more the pairs that agree least are listed."""
_MOST_PAIRS = 12


def pairwise_table(content: ReportContent) -> Table | None:
    """Agreement of every two annotators; None for fewer than three, of whom the mean says all."""
    agreement = content.parts[0].result.annotator_agreement
    found = agreement.pairwise if agreement else None
    if found is None or len(found.annotators) < 3:
        return None
    values, label = (
        (found.iou, "Mean IoU") if _areas_alone(content) else (found.similarity, "Similarity")
    )
    names = found.annotators
    least = sorted(found.pairs(), key=lambda pair: float(values[pair]))
    if len(names) > MOST_COLUMNS:
        return text_table(
            {"Annotators": [f"{names[a]} and {names[b]}" for a, b in least[:_MOST_PAIRS]]},
            {
                label: [format_number(values[pair], 2) for pair in least[:_MOST_PAIRS]],
                "Sources": [str(found.n_sources[pair]) for pair in least[:_MOST_PAIRS]],
            },
            title="Annotators who agree least",
        )
    cells = {
        name: [
            (format_number(values[a, b], 2), f"n = {n}") if (n := found.n_sources[a, b]) else ("",)
            for a in range(len(names))
        ]
        for b, name in enumerate(names)
    }
    return text_table({label: names}, cells, title="Agreement of every two annotators")


def _areas_alone(content: ReportContent) -> bool:
    """Whether all marks are areas, whose overlap does not depend on the width that points and lines are given."""
    return all(a.shape.has_area for a in content.annotations.annotations)


def pairwise_words(content: ReportContent) -> str:
    """What the table of pairs holds, and who disagrees most."""
    agreement = content.parts[0].result.annotator_agreement
    found = agreement.pairwise if agreement else None
    pairs = list(found.pairs()) if found else []
    if found is None or not pairs:
        return ""
    areas = _areas_alone(content)
    values = found.iou if areas else found.similarity
    a, b = least = min(pairs, key=lambda pair: float(values[pair]))
    return say(
        "page.pairwise",
        measure=say("page.pairwise.iou" if areas else "page.pairwise.similarity"),
        again=say("page.pairwise.again") if np.diagonal(found.n_sources).any() else "",
        first=found.annotators[a],
        second=found.annotators[b],
        value=format_number(values[least], 2),
        n=int(found.n_sources[least]),
    )


def consistency_table(result: AgreementResult) -> Table | None:
    """Self-consistency of all annotators and of each, a column for each metric; None where nobody looked again."""
    metrics = [name for name in result.metrics if result.self_consistency(name)]
    if not metrics:
        return None
    every = (one.annotator for one in result.self_consistencies)
    again = sorted({name for name in every if name is not None})
    names: list[str | None] = [*again, None] if len(again) > 1 else [*again]
    shown = {
        metric: [result.self_consistency(metric, name) for name in names] for metric in metrics
    }
    cells = {METRICS[metric].label: _cells(column) for metric, column in shown.items()}
    short = any(one and not one.interval.known for column in shown.values() for one in column)
    return text_table(
        {"Annotator": [name or "all" for name in names]},
        cells,
        title="Self-consistency of the annotators",
        rules=(len(again),) if len(again) > 1 else (),
        note=say("page.consistency.short") if short else "",
    )


def _cells(column: Sequence[SelfConsistency | None]) -> list[tuple[str, ...]]:
    decimals = decimals_together([one.interval if one else None for one in column])
    return [
        (*value_lines(one.interval, places), f"n = {one.interval.n_units}") if one else ("",)
        for one, places in zip(column, decimals, strict=True)
    ]


def value_lines(interval: Interval, decimals: int) -> tuple[str, ...]:
    """A value, and the interval below it where there is one."""
    ends = format_interval(interval, decimals=decimals)
    return tuple(filter(None, (format_value(interval, decimals=decimals), ends)))


def consistency_words(result: AgreementResult) -> str:
    """What self-consistency is, with its value beside the noise ceiling; empty where nobody looked again."""
    metric = result.metrics[0]
    found, ceiling = result.self_consistency(metric), result.noise_ceiling(metric)
    if found is None:
        return say("page.consistency") if result.self_consistencies else ""
    beside = say("page.consistency.ceiling", lower=ceiling.lower) if ceiling else ""
    label = METRICS[metric].label
    return " ".join(
        (
            say("page.consistency"),
            say(
                "page.consistency.value",
                n_annotators=found.n_annotators,
                metric=label,
                value=found.interval,
                n=found.interval.n_units,
                ceiling=beside,
            ),
        )
    )
