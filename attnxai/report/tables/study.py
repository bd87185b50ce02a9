"""The tables of a study for its page, for Markdown and for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.data.wording import counted
from attnxai.report.tables.table import (
    Table,
    count_column,
    number_column,
    p_value_column,
    text_column,
    text_table,
)
from attnxai.report.tables.text import render_markdown
from attnxai.statistics.formats import (
    decimals_together,
    format_interval,
    format_number,
    format_value,
    p_equals,
    with_interval,
)
from attnxai.study.convergence import DEFINITION, DEFINITION_OF_CENSORING, DEFINITION_OF_REFERENCE
from attnxai.study.matching import stated
from attnxai.study.quantities import (
    ACCURACY,
    AGREEMENT_LABELS,
    ATTENTION_CONSISTENCY,
    EPOCH_EQUIVALENTS,
    EPOCHS,
    PRIMARY_MAP,
    SECONDS,
    Kind,
    Quantity,
    agreement_of,
)

if TYPE_CHECKING:
    from attnxai.study.results import StudyResult
    from attnxai.study.summary import StudySummary

_MAIN = {
    EPOCHS: "epochs until\nreference loss",
    ACCURACY: "accuracy",
    ATTENTION_CONSISTENCY: "attention\nunder rotation",
    agreement_of("nss", PRIMARY_MAP): "NSS,\nmean of gates",
}


def reader_tables(result: StudyResult) -> tuple[Table, ...]:
    """The tables of the page: fit and cost, performance, consistency and agreement, networks.

    Each cell gives the mean over seeds, its interval, and the difference from the baseline with its
    adjusted p-value.
    """
    by_kind = {kind: [q for q in result.summary.quantities if q.kind is kind] for kind in Kind}
    on = f"{result.plan.measuring.measure_on} images"
    consistency = f"Consistency under arbitrary rotations, on {on}"
    tables = [
        _quantity_table(result, "Fit and time", [*by_kind[Kind.FIT], SECONDS]),
        _quantity_table(result, f"Performance on {on}", by_kind[Kind.PERFORMANCE]),
        _quantity_table(result, consistency, by_kind[Kind.CONSISTENCY]),
    ]
    for metric, label in AGREEMENT_LABELS.items():
        own = [q for q in by_kind[Kind.AGREEMENT] if q.name.startswith(f"{metric}:")]
        if own:
            title = f"Agreement with annotations of held-out sources, {label}"
            tables.append(_quantity_table(result, title, own))
    tables.append(_network_table(result))
    return tuple(tables)


def _quantity_table(result: StudyResult, title: str, quantities: Sequence[Quantity]) -> Table:
    summary = result.summary
    cells = {}
    for q in quantities:
        means = [summary.mean(group, q.name) for group in summary.groups]
        differences = [
            None if q in EPOCH_EQUIVALENTS else summary.difference(group, q.name)
            for group in summary.groups
        ]
        columns = (
            summary.groups,
            decimals_together(means, q.digits),
            decimals_together(differences, q.digits),
        )
        cells[q.label] = [_quantity_cell(summary, q, *row) for row in zip(*columns, strict=True)]
    return text_table({"Group": summary.groups}, cells, title=title)


def _quantity_cell(
    summary: StudySummary, quantity: Quantity, group: str, decimals: int, of_difference: int
) -> tuple[str, ...]:
    mean = summary.mean(group, quantity.name)
    lines = [format_value(mean, decimals=decimals)]
    if mean.known:
        lines.append(format_interval(mean, decimals=decimals))
    if quantity.name == EPOCHS.name and math.isfinite(mean.value):
        lines.append(f"{summary.n_reached(group)} of {len(summary.seeds)} reached it")
    if quantity not in EPOCH_EQUIVALENTS:
        difference = summary.difference(group, quantity.name)
        if math.isfinite(difference.value):
            lines.append(f"Δ {format_value(difference, decimals=of_difference, signed=True)}")
        if difference.known:
            lines.append(format_interval(difference, decimals=of_difference, signed=True))
        lines += _p_value(summary, group, quantity)
    return tuple(lines)


def _p_value(summary: StudySummary, group: str, quantity: Quantity) -> list[str]:
    p_adjusted = summary.p_adjusted(group, quantity.name)
    return [p_equals(p_adjusted)] if math.isfinite(p_adjusted) else []


def _network_table(result: StudyResult) -> Table:
    matches = list(result.plan.matches.values())
    return Table(
        title="Networks",
        columns=(
            text_column("Group", list(result.plan.matches)),
            text_column("Fields", [", ".join(map(str, match.spec.fields)) for match in matches]),
            count_column("Channels", [match.size.channels for match in matches]),
            count_column("Parameters", [match.size.parameters for match in matches]),
            number_column("10⁹ multiply-adds", [m.size.operations / 1e9 for m in matches], 2),
            number_column(
                f"{str(result.plan.equal).capitalize()}, of {result.summary.baseline}",
                [match.ratio for match in matches],
                3,
            ),
        ),
    )


def trends_table(result: StudyResult) -> Table | None:
    """Trends over the order of the group; None where no series has groups enough."""
    trends = [
        (quantity, trend)
        for trend in result.summary.trends
        if (quantity := result.summary.quantity(trend.quantity)) is not None
        and quantity not in EPOCH_EQUIVALENTS
        and trend.page is not None
        and trend.slope_test is not None
    ]
    if not trends:
        return None
    return Table(
        title="Trends over the order of the group",
        columns=(
            text_column("Quantity", [quantity.label for quantity, _ in trends]),
            text_column("Groups", [f"{t.groups[0]} to {t.groups[-1]}" for _, t in trends]),
            text_column(
                "Change per doubling of the order",
                [with_interval(t.slope, q.digits + 1, signed=True) for q, t in trends],
                to_the_right=True,
            ),
            p_value_column(
                "p of the slope",
                [t.slope_test.p_value if t.slope_test else None for _, t in trends],
            ),
            p_value_column(
                "p of Page's test", [t.page.p_value if t.page else None for _, t in trends]
            ),
            p_value_column("adjusted over the series", [t.p_adjusted for _, t in trends]),
        ),
    )


def main_table(result: StudyResult) -> Table:
    """The table that a terminal shows: the quantities of the hypotheses, and attention under rotation."""
    summary = result.summary
    n_seeds = len(summary.seeds)
    parameters = [result.plan.matches[group].size.parameters for group in summary.groups]
    names = zip(summary.groups, (format_number(n, 0) for n in parameters), strict=True)
    cells = {}
    for quantity, heading in _MAIN.items():
        if summary.quantity(quantity.name) is not None:
            means = [summary.mean(group, quantity.name) for group in summary.groups]
            cells[heading] = [
                _main_cell(summary, group, quantity, decimals)
                for group, decimals in zip(
                    summary.groups, decimals_together(means, quantity.digits), strict=True
                )
            ]
    return text_table(
        {"group,\nparameters": list(names)},
        cells,
        title=f"{result.facts.name}: {counted(n_seeds, 'seed')} per group",
        note=f"mean [95 % interval over seeds]; p of the difference from {summary.baseline}, adjusted over the "
        f"groups; equal: {result.plan.equal}; measured on {result.plan.measuring.measure_on} images",
    )


def _main_cell(
    summary: StudySummary, group: str, quantity: Quantity, decimals: int
) -> tuple[str, ...]:
    """Mean, interval and p-value below each other, and how many runs have a number if not all."""
    mean = summary.mean(group, quantity.name)
    lines = [format_value(mean, decimals=decimals)]
    if mean.known:
        lines.append(format_interval(mean, decimals=decimals))
    lines += _p_value(summary, group, quantity)
    n_reached, n_runs = summary.n_reached(group), len(summary.seeds)
    if quantity is EPOCHS and n_reached < n_runs:
        lines.append(f"{n_reached} of {n_runs} reached it")
    # words of a line stay together
    return tuple(line.replace(" ", "\N{NO-BREAK SPACE}") for line in lines)


def footnotes(result: StudyResult) -> list[str]:
    """What stands below every table."""
    summary, n_seeds = result.summary, len(result.summary.seeds)
    reference = (
        (
            f"The reference loss is {summary.reference:g}, as given."
            if summary.reference_given
            else f"The reference loss is {summary.reference:.3f}, derived from the baseline."
        )
        + f" The horizon is epoch {summary.horizon}."
        if math.isfinite(summary.reference)
        else "There is no reference loss: the baseline does no better than guessing."
    )
    return [
        (
            f"Means over {n_seeds} seed{'s' if n_seeds != 1 else ''} with 95 % intervals of Student's t over "
            "seeds, limited to the range of the quantity (none "
            f"with fewer than three seeds, or where all are the same); Δ: difference from "
            f"{summary.baseline}, paired by seed, with p-values of paired t-tests adjusted by Holm's "
            "method over the groups."
        ),
        f"Equal between groups: {stated(result.plan.equal)}.",
        DEFINITION,
        DEFINITION_OF_REFERENCE,
        DEFINITION_OF_CENSORING,
        reference,
        (
            "Trends: change per doubling of the order, from a straight line through every seed, and "
            "permutations of the groups within each seed."
        ),
    ]


def markdown(result: StudyResult) -> str:
    """The whole study as Markdown."""
    lines = []
    for hypothesis in result.hypotheses:
        lines += [f"**({hypothesis.letter}) {hypothesis.statement} {hypothesis.lead}**", ""]
        text = " ".join(part for part in (hypothesis.details, hypothesis.trend_text) if part)
        lines += [text, ""] if text else []
    trends = trends_table(result)
    for table in (*reader_tables(result), *([trends] if trends is not None else [])):
        lines += [f"### {table.title}", "", render_markdown(table), ""]
    lines += [*(f"- {note}" for note in footnotes(result)), "", "Limitations:", ""]
    lines += [*(f"- {caution}" for caution in result.cautions), ""]
    return "\n".join(lines)
