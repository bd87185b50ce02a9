"""What a report says of the annotators: whether they agree with themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnxai.metrics import METRICS
from attnxai.report.sentences.say import say
from attnxai.report.tables.table import Table, text_table
from attnxai.statistics.formats import format_interval, format_value

if TYPE_CHECKING:
    from attnxai.agreement.results import AgreementResult
    from attnxai.statistics.interval import Interval


def consistency_table(result: AgreementResult) -> Table | None:
    """Self-consistency of all annotators and of each, a column for each metric; None where nobody looked again."""
    metrics = [name for name in result.metrics if result.self_consistency(name)]
    if not metrics:
        return None
    again = [n for n in result.annotators if any(result.self_consistency(m, n) for m in metrics)]
    names: list[str | None] = [*again, None] if len(again) > 1 else [*again]
    cells = {
        METRICS[metric].label: [_cell(result, metric, name) for name in names] for metric in metrics
    }
    shown = [result.self_consistency(metric, name) for metric in metrics for name in names]
    short = any(one is not None and not one.interval.known for one in shown)
    return text_table(
        {"Annotator": [name or "all" for name in names]},
        cells,
        title="Self-consistency of the annotators",
        rules=(len(again),) if len(again) > 1 else (),
        note=say("page.consistency.short") if short else "",
    )


def _cell(result: AgreementResult, metric: str, annotator: str | None) -> tuple[str, ...]:
    found = result.self_consistency(metric, annotator)
    if found is None:
        return ("",)
    return tuple(filter(None, (*value_lines(found.interval), f"n = {found.interval.n_units}")))


def value_lines(interval: Interval) -> tuple[str, ...]:
    """A value, and the interval below it where there is one."""
    return tuple(filter(None, (format_value(interval, 3), format_interval(interval))))


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
